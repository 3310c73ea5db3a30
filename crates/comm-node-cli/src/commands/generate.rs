//! `comm-node generate`: write what Claude Code reads of this node by itself.

use std::time::Duration;

use anyhow::{Result, bail};
use comm_node_core::deadline::Deadline;
use comm_node_core::personal;
use comm_node_core::text::one_line;
use serde_json::json;

use crate::Outcome;
use crate::commands::join::person_only;
use crate::config::reader::nearest;
use crate::env::Env;
use crate::generate::apply;
use crate::generate::engine::Engine;
use crate::generate::plan::{self, State, Step, Wish};
use crate::generate::templates::Templates;
use crate::here::Here;
use crate::install::preview;
use crate::out::Out;

/// Arguments of `comm-node generate`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Show what would be changed, change nothing, and exit with 1 if there is anything
    #[arg(long)]
    check: bool,
    /// Show what would be changed, and change nothing
    #[arg(long, conflicts_with = "check")]
    dry_run: bool,
    /// Only the files of this domain
    #[arg(long, value_name = "NAME")]
    domain: Option<String>,
    /// Replace what a person changed in files and parts of comm-node's
    #[arg(long)]
    force: bool,
    /// Take out everything that was generated
    #[arg(long)]
    remove: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Examples:
  comm-node generate
  comm-node generate --check              in CI: 1 if a generated file is not what it should be
  comm-node generate --domain backend --dry-run
  comm-node generate --remove             gives every file back as it was

Each domain gets a marked part in the CLAUDE.md of its directory, and agents and slash commands in .claude/ there.
What you wrote outside the marks stays; a file of yours with the same name is kept. Templates of your own in
.comm-node/templates/ come before the built-in ones.";

/// How long another run of this command is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the command.
///
/// # Errors
/// When a template has a fault, or when a file can't be read or written. Of faults that can be known
/// beforehand, nothing is written then.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    let registry = here.registry()?;
    let writes = !args.check && !args.dry_run;
    if writes {
        // It writes files of all domains.
        person_only(env, &here.store, &personal::GENERATE)?;
    }
    if let Some(fault) = &registry.fault {
        bail!(
            "comm-node.yaml has a fault at line {}, column {}: {}; correct it first",
            fault.line,
            fault.column,
            one_line(&fault.message, 200)
        );
    }
    if let Some(name) = &args.domain
        && registry.domain(name).is_none()
        && !args.remove
    {
        let near = nearest(name, registry.domains.iter().map(|d| d.name.as_str()));
        let help = near.map_or("`comm-node status` lists them".to_owned(), |n| format!("did you mean {n}?"));
        bail!("there is no domain {}; {help}", one_line(name, 60));
    }
    let roles = registry.roles.list().map_err(|why| anyhow::anyhow!(why))?;
    let names: Vec<&str> = roles.iter().map(|r| r.name.as_str()).collect();
    let engine = Engine::new(Templates::with(here.store.templates()?, &names)?)?;
    let wish = Wish { domain: args.domain.as_deref(), force: args.force, remove: args.remove };
    let _lock = writes.then(|| here.store.lock("generate", Deadline::after(PATIENCE))).transpose()?;
    let steps = plan::of(&registry, &engine, wish)?;
    if writes {
        for step in &steps {
            apply::carry_out(step)?;
            apply::prune(step);
        }
    }
    let differs = steps.iter().any(|s| s.changes() || s.state == State::Edited);
    if args.json {
        report(out, &steps, writes);
    } else {
        say(out, &here.layout.root, &steps, writes);
    }
    let edited = steps.iter().any(|s| s.state == State::Edited);
    Ok(if edited || args.check && differs { Outcome::Refused } else { Outcome::Done })
}

fn say(out: &Out, root: &std::path::Path, steps: &[Step], written: bool) {
    let shown = |step: &Step| {
        let path = step.current.path.strip_prefix(root).unwrap_or(&step.current.path);
        one_line(&path.display().to_string(), 300).into_owned()
    };
    for step in steps.iter().filter(|s| s.changes()) {
        if written {
            let what = match (step.state, &step.text) {
                (State::Stale, None) => "removed",
                (State::Stale, Some(_)) => "took out of",
                (State::New, _) => "wrote",
                _ => "updated",
            };
            out.line(format!("{what} {}", shown(step)));
        } else {
            preview::diff(out, &step.current.path, step.current.text.as_deref(), step.text.as_deref());
        }
    }
    for step in steps {
        match step.state {
            State::Foreign => out.note(format!("note: kept {}, which is not comm-node's", shown(step))),
            State::Edited => out.note(format!(
                "kept {}: it was generated and then changed by hand; move your text outside the marks (or remove the \
                 line `# Generated by comm-node` to make the file yours), or replace it with --force",
                shown(step)
            )),
            _ => {}
        }
    }
    let changed = steps.iter().filter(|s| s.changes()).count();
    let right = steps.iter().filter(|s| s.state == State::Same).count();
    out.line(match (changed, written) {
        (0, _) if steps.is_empty() => "nothing of comm-node's is here".to_owned(),
        (0, _) if right == 1 => "1 file is as it should be".to_owned(),
        (0, _) => format!("{right} files are as they should be"),
        (_, true) => format!("{} changed, {}", files(changed), rest(right, "was", "were")),
        (_, false) => format!("{} would be changed, {}", files(changed), rest(right, "is", "are")),
    });
}

fn files(n: usize) -> String {
    format!("{n} file{}", if n == 1 { "" } else { "s" })
}

fn rest(right: usize, one: &str, many: &str) -> String {
    if right == 1 { format!("1 {one} as it should be") } else { format!("{right} {many} as they should be") }
}

fn report(out: &Out, steps: &[Step], written: bool) {
    let files: Vec<_> = steps
        .iter()
        .map(
            |s| json!({"path": s.current.path, "domain": s.domain, "state": s.state, "changes": s.changes()}),
        )
        .collect();
    out.json(&json!({"written": written, "files": files}));
}
