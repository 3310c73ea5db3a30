//! `comm-node gate`: the commands that must pass before a session may stop with a task open.
//!
//! A command runs directly, without a shell, where it is only words; one with anything more goes to `sh -c`. Both come from
//! `comm-node.yaml`, which no agent writes.

mod words;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use comm_node_core::mail::frame::harmless;
use comm_node_core::node::is_linked_worktree;
use comm_node_core::node::registry::Registry;
use comm_node_core::session::SessionId;
use comm_node_core::text::one_line;
use comm_node_core::{clock, process};
use serde::Serialize;

use crate::Outcome;
use crate::env::Env;
use crate::exec::{self, Ran};
use crate::here::{Here, session_of_caller};
use crate::out::{Ink, Out};

/// So much of what a command says is kept.
const KEPT: usize = 16 << 10;
/// Lines of it that are shown.
const LINES: usize = 30;
/// Characters of one line: all of them, and what is said around them, have room in one answer of a hook.
const WIDTH: usize = 200;

/// Arguments of `comm-node gate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  comm-node gate\n  comm-node gate --json\n\n\
                        The commands are `policy.stop_gate` in comm-node.yaml; they run one after the other in the node's top \
                        directory (or in that of the worktree), and end together after `policy.gate_timeout`. The Stop hook runs \
                        the same. Exit code 1: one of them failed, or criteria of the session's task are open.")]
pub struct Args {
    /// Print JSON: one object with the verdict and each command
    #[arg(long)]
    json: bool,
    /// The node
    #[arg(long, value_name = "DIR", hide = true)]
    node: Option<PathBuf>,
    /// The session whose domain it is for
    #[arg(long, value_name = "ID", hide = true)]
    session: Option<String>,
    /// Run by the Stop hook with this process id: ends when that does, and leaves the criteria to it
    #[arg(long, value_name = "PID", hide = true)]
    for_hook: Option<u32>,
}

/// What one command came to.
#[derive(Debug, Serialize)]
struct Step {
    command: String,
    passed: bool,
    /// As the end of *the command …*.
    how: String,
    ms: u64,
    said: String,
}

/// Runs the command.
///
/// # Errors
/// When there is no node, or a command can't be started.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let here = match &args.node {
        Some(root) => Here::at(root)?,
        None => Here::find(env)?,
    };
    let registry = here.registry()?;
    let id = match &args.session {
        Some(raw) => Some(SessionId::new(raw)?),
        None => session_of_caller(env, &here.store)?,
    };
    let session = id.as_ref().map(|id| here.store.read_session(id)).transpose()?.flatten();
    let domain = session.as_ref().and_then(|s| s.domain.as_deref());
    let open = match (session.as_ref(), domain) {
        (Some(s), Some(domain)) if args.for_hook.is_none() => {
            let of = |task: &String| here.store.open_criteria(&here.layout.root, domain, &s.session_id, task);
            s.task.as_ref().map(of).unwrap_or_default()
        }
        _ => Vec::new(),
    };
    let dir = directory(env, &here, &registry, domain);
    let end = Instant::now() + Duration::from_secs(registry.policy.gate_timeout_s);
    // Where the system does not tell the parent, only the time ends the commands.
    let gone = || {
        let parent = process::parent(std::process::id());
        args.for_hook.is_some_and(|hook| parent.is_some_and(|parent| parent != hook))
    };
    let mut steps: Vec<Step> = Vec::new();
    for command in &registry.policy.stop_gate {
        let step = one(command, &dir, end, registry.policy.gate_timeout_s, &gone)?;
        if !args.json {
            show(out, &step);
        }
        let passed = step.passed;
        steps.push(step);
        if !passed {
            break;
        }
    }
    let failed = steps.iter().find(|step| !step.passed);
    let passed = failed.is_none() && open.is_empty();
    if args.json {
        let mut verdict = serde_json::json!({
            "passed": passed,
            "command": failed.map_or("", |step| &step.command),
            "how": failed.map_or("", |step| &step.how),
            "said": failed.map_or("", |step| &step.said),
            "open": open,
            "not_run": registry.policy.stop_gate.len() - steps.len(),
        });
        // The hook reads no more than it needs: what passing commands say must not crowd out what the failing one does.
        if args.for_hook.is_none() {
            verdict["steps"] = serde_json::json!(steps);
        }
        out.json(&verdict);
    } else {
        for criterion in &open {
            out.line(format!("{} {}", out.ink(Ink::Red, "OPEN"), one_line(criterion, 200)));
        }
        if registry.policy.stop_gate.is_empty() {
            out.note("comm-node.yaml names no commands under policy.stop_gate, so that nothing was run");
        }
    }
    Ok(if passed { Outcome::Done } else { Outcome::Refused })
}

/// Where the commands run: the tree of the session's domain, or the worktree of the node that this is called in.
fn directory(env: &Env, here: &Here, registry: &Registry<'_>, domain: Option<&str>) -> PathBuf {
    let tree = domain.and_then(|name| registry.domain(name)).map_or(0, |domain| domain.tree);
    if let Some(top) = registry.trees.get(tree).filter(|_| tree > 0) {
        return PathBuf::from(top.as_str());
    }
    let cwd = comm_node_core::path::real(&env.cwd).unwrap_or_else(|_| env.cwd.clone());
    let worktree = cwd.ancestors().find(|dir| is_linked_worktree(dir));
    worktree.filter(|top| !here.layout.root.starts_with(top)).unwrap_or(&here.layout.root).to_path_buf()
}

fn one(command: &str, dir: &Path, end: Instant, limit_s: u64, gone: &dyn Fn() -> bool) -> Result<Step> {
    let began = Instant::now();
    let mut program = match words::split(command) {
        Some(words) => {
            let mut words = words.into_iter();
            let Some(first) = words.next() else { bail!("a command of policy.stop_gate is empty") };
            let mut program = Command::new(first);
            program.args(words);
            program
        }
        None => words::shell(command),
    };
    program.current_dir(dir);
    // A test that asks git or comm-node is not this session's doing.
    program.env_remove("CLAUDE_CODE_SESSION_ID");
    let left = end.saturating_duration_since(began);
    let ran = exec::run(&mut program, left, KEPT, gone);
    let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (passed, how, said) = match ran {
        Ok(ran) => (ran.is_good(), how(&ran, limit_s), tail(&ran.said)),
        Err(e) => (false, format!("can't be started: {e}"), String::new()),
    };
    Ok(Step { command: command.to_owned(), passed, how, ms, said })
}

fn how(ran: &Ran, limit_s: u64) -> String {
    match ran.code {
        Some(0) => "passes".to_owned(),
        Some(code) => format!("fails with exit code {code}"),
        None if ran.late => {
            format!("does not end within {} (policy.gate_timeout)", clock::span(limit_s.saturating_mul(1000)))
        }
        None => "was killed".to_owned(),
    }
}

/// The last lines of what a command said, harmless.
fn tail(said: &[u8]) -> String {
    let text = harmless(&String::from_utf8_lossy(said));
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(LINES);
    lines[from..].iter().map(|line| one_line(line, WIDTH).into_owned()).collect::<Vec<_>>().join("\n")
}

fn show(out: &Out, step: &Step) {
    let command = one_line(&step.command, 200);
    if step.passed {
        out.line(format!("{} {command} ({})", out.ink(Ink::Green, "PASS"), clock::span(step.ms)));
        return;
    }
    out.line(format!("{} {command} {} ({})", out.ink(Ink::Red, "FAIL"), step.how, clock::span(step.ms)));
    for line in step.said.lines() {
        out.line(format!("  {line}"));
    }
}
