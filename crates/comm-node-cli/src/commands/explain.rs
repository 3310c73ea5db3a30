//! `comm-node explain`: say what a shell command would write, and what the guard would say to it.

mod verdict;

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use comm_node_core::text::one_line;
use comm_node_core::{node, path};
use comm_node_shell::{Certainty, Context, FileKind, MAX_BYTES, Target, Tree, WriteSet};
use serde_json::{Value, json};

use crate::Outcome;
use crate::env::Env;
use crate::here::Here;
use crate::judging::{self, Judge, Verdict};
use crate::out::{Ink, Out};

/// Arguments of `comm-node explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The command as one argument; `-` reads it from standard input
    #[arg(allow_hyphen_values = true)]
    command: String,
    /// It is a command of PowerShell
    #[arg(long)]
    powershell: bool,
    /// The directory that it would run in [default: the present one]
    #[arg(long, value_name = "DIR")]
    cwd: Option<PathBuf>,
    /// As a session of this domain
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Print JSON: the writes, what can't be known, and the verdict on each write
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Examples:
  comm-node explain 'sed -i s/a/b/ src/*.rs'                as the session this runs in
  comm-node explain 'cd api && cargo fmt' --domain backend  as a session of that domain
  comm-node explain - --json < command.sh

Nothing is run. Outside a node it says what would be written, and no more.
Exit code 0 whatever the guard would say; 1: it could not be explained.";

/// A directory with more names than this is not expanded.
const MAX_NAMES: usize = 10_000;

/// Runs the command.
///
/// # Errors
/// When the node's rules can't be read, or the domain does not exist.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let command = if args.command == "-" { from_stdin()? } else { args.command.clone() };
    let cwd = args.cwd.as_ref().map_or_else(|| env.cwd.clone(), |dir| path::lexical(&env.cwd, dir));
    let here = match node::find(&cwd)? {
        Some(_) => Some(Here::at(&cwd)?),
        None if args.domain.is_some() => return Here::at(&cwd).map(|_| Outcome::Done),
        None => None,
    };
    let registry = here.as_ref().map(Here::registry).transpose()?;
    let rows = registry.iter().flat_map(|r| &r.shell).map(|row| row.as_str()).collect();
    let set = write_set(args, env, &command, cwd, rows);
    let session = match &here {
        Some(here) => judging::session(env, here, args.domain.as_deref())?,
        None => None,
    };
    let judge = match (&here, &registry) {
        (Some(here), Some(registry)) => {
            Some(Judge::new(env, here, registry, session.as_ref(), args.domain.as_deref(), None)?)
        }
        _ => None,
    };
    let verdicts: Vec<Option<Result<Verdict>>> =
        set.writes.iter().map(|write| judge.as_ref().map(|judge| verdict::of(judge, write))).collect();
    if args.json {
        print_json(out, &set, &verdicts, judge.as_ref());
    } else {
        print(out, &set, &verdicts, judge.as_ref());
    }
    Ok(Outcome::Done)
}

fn from_stdin() -> Result<String> {
    let mut bytes = Vec::new();
    // One byte more than is looked at, so that it is seen to be too large.
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    std::io::stdin().take(limit).read_to_end(&mut bytes).context("could not read standard input")?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn write_set(args: &Args, env: &Env, command: &str, cwd: PathBuf, rows: Vec<&str>) -> WriteSet {
    let known = |name| env.var(name).map(|value| (name, value.to_owned()));
    let context = Context {
        cwd,
        home: env.home.clone(),
        variables: ["CLAUDE_PROJECT_DIR", "TMPDIR"].into_iter().filter_map(known).collect(),
        rows,
        own: Some(env.exe.clone()),
    };
    if args.powershell {
        comm_node_shell::powershell_write_set(command, &context, &Files)
    } else {
        comm_node_shell::write_set(command, &context, &Files)
    }
}

/// The files that are there.
struct Files;

impl Tree for Files {
    fn kind(&self, path: &Path) -> Option<FileKind> {
        let meta = std::fs::metadata(path).ok()?;
        Some(match (meta.is_dir(), meta.is_file()) {
            (true, _) => FileKind::Directory,
            (_, true) => FileKind::File,
            _ => FileKind::Other,
        })
    }

    fn names(&self, path: &Path) -> Option<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path).ok()? {
            if names.len() == MAX_NAMES {
                return None;
            }
            names.extend(entry.ok()?.file_name().into_string().ok());
        }
        Some(names)
    }
}

/// The kind of target, for programs and for people.
fn kind(target: &Target) -> (&'static str, &'static str) {
    match target {
        Target::File(_) => ("file", "the file"),
        Target::Entry(_) => ("entry", "the name itself"),
        Target::Under(_) => ("under", "everything in this directory"),
        Target::Worktree(_) => {
            ("worktree", "any file of this git worktree: refused while others hold leases below")
        }
        Target::Staged(_) => (
            "staged",
            "all that is changed below, by whomever, is staged: refused while others hold leases below",
        ),
    }
}

fn print(out: &Out, set: &WriteSet, verdicts: &[Option<Result<Verdict>>], judge: Option<&Judge<'_>>) {
    if set.is_empty() {
        out.line("It writes nothing.");
        return;
    }
    for reserved in &set.personal {
        out.line(format!("{} {}", out.ink(Ink::Red, "refused"), one_line(&reserved.by, 200)));
        out.line(format!("  because  `{}` is for a person", reserved.what.shown));
    }
    match judge {
        Some(judge) if !set.writes.is_empty() => out.line(format!("For {}:", judge.who())),
        _ => {}
    }
    for (write, verdict) in set.writes.iter().zip(verdicts) {
        let path = write.target.path().to_string_lossy();
        let path = one_line(&path, 300);
        let sure = match write.certainty {
            Certainty::Certain => "writes",
            Certainty::Possible => "may write",
        };
        let word = match verdict {
            Some(Ok(v)) => format!(": {}", out.ink(v.ink(), v.word())),
            Some(Err(_)) => format!(": {}", out.ink(Ink::Red, "refused")),
            None => String::new(),
        };
        out.line(format!("{sure} {path}{word}"));
        out.line(format!("  what     {}", kind(&write.target).1));
        out.line(format!("  by       {}", one_line(&write.by, 200)));
        match verdict {
            Some(Ok(v)) => out.line(format!("  because  {}", because(v, write.target.path()))),
            Some(Err(e)) => {
                out.line(format!("  because  it can't be judged: {}", one_line(&format!("{e:#}"), 500)))
            }
            None => {}
        }
    }
    for unknown in &set.unknown {
        out.line(format!("{} {}", out.ink(Ink::Yellow, "can't know"), one_line(&unknown.by, 200)));
        out.line(format!("  because  {}", unknown.why.words()));
    }
    if !set.unknown.is_empty() {
        out.line("What can't be known is let through; what it really wrote is looked at afterwards.");
    }
}

/// The reason, and which file it is about where that is another than the target.
fn because(verdict: &Verdict, path: &Path) -> String {
    if verdict.real == path || verdict.rule == "lease" {
        return verdict.why.clone();
    }
    format!("{}: {}", one_line(&verdict.key, 300), verdict.why)
}

fn print_json(out: &Out, set: &WriteSet, verdicts: &[Option<Result<Verdict>>], judge: Option<&Judge<'_>>) {
    let writes = set.writes.iter().zip(verdicts).map(|(write, verdict)| {
        let mut value = json!({
            "target": kind(&write.target).0,
            "path": write.target.path().to_string_lossy(),
            "certain": write.certainty == Certainty::Certain,
            "by": write.by,
        });
        if let (Some(map), Some(verdict)) = (value.as_object_mut(), verdict) {
            map.insert("verdict".into(), verdict_json(verdict));
        }
        value
    });
    let unknown = set.unknown.iter().map(|u| json!({ "why": u.why.words(), "by": u.by }));
    let personal = set.personal.iter().map(|r| json!({ "what": r.what.shown, "by": r.by }));
    out.json(&json!({
        "domain": judge.and_then(Judge::domain),
        "writes": writes.collect::<Vec<_>>(),
        "unknown": unknown.collect::<Vec<_>>(),
        "personal": personal.collect::<Vec<_>>(),
    }));
}

fn verdict_json(verdict: &Result<Verdict>) -> Value {
    match verdict {
        Ok(v) => json!({ "decision": v.word(), "rule": v.rule, "line": v.line, "why": v.why, "path": v.key }),
        Err(e) => json!({ "decision": "refused", "rule": "failure", "line": null, "why": format!("{e:#}") }),
    }
}
