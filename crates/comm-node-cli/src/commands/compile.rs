//! `comm-node compile`: compile comm-node.yaml for the hooks, which call this when it changed.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use comm_node_core::Error;
use comm_node_core::deadline::Deadline;
use comm_node_core::node::registry::Registry;
use comm_node_core::store::Store;

use crate::env::Env;
use crate::out::{Ink, Out};
use crate::{Outcome, closing, config, here};

/// Arguments of `comm-node compile`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Work on the node that this directory belongs to
    #[arg(long, value_name = "DIR")]
    node: Option<PathBuf>,
    /// Print nothing but errors
    #[arg(long)]
    quiet: bool,
    /// Write down where the budgets of this domain stand; hooks ask for it
    #[arg(long, value_name = "DOMAIN", hide = true)]
    assess: Option<String>,
    /// Say by the exit code whether this command of Bash closes work, and do nothing else; hooks ask for it
    #[arg(long, value_name = "COMMAND", hide = true)]
    closing: Option<String>,
    /// The same of a command of PowerShell
    #[arg(long, value_name = "COMMAND", hide = true)]
    closing_powershell: Option<String>,
    /// Print the result as JSON
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
}

const AFTER_HELP: &str = "\
Examples:
  comm-node compile
  comm-node compile --node ../shop --quiet

Exit codes: 0 the compiled form is up to date, 1 comm-node.yaml has faults (the last good form, if
there is one, stays in force).";

/// Runs the command.
///
/// # Errors
/// When there is no node, or when its files can't be read or written.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let is_closing = match (&args.closing, &args.closing_powershell) {
        (None, None) => None,
        (bash, powershell) => Some(
            bash.iter().all(|command| closing::closes(command))
                && powershell.iter().all(|command| closing::closes_in_powershell(command)),
        ),
    };
    if let Some(is_closing) = is_closing {
        return Ok(if is_closing { Outcome::Done } else { Outcome::Refused });
    }
    let layout = here::layout_at(&args.node.as_ref().map_or(env.cwd.clone(), |dir| env.cwd.join(dir)))?;
    let store = Store::new(layout.state());
    let ensured = config::ensure(&layout, &store)?;
    if let Some(domain) = &args.assess {
        let registry = Registry::parse(&ensured.text)
            .map_err(|why| Error::Damaged { path: store.registry_path(), why })?;
        store.reassess(&registry, domain, Deadline::after(Duration::from_secs(1)))?;
    }
    let Some(compiled) = ensured.compiled else {
        if args.json {
            out.json(&serde_json::json!({"ok": true, "compiled": false}));
        } else if !args.quiet {
            out.line(format!("{}: comm-node.yaml did not change", out.ink(Ink::Green, "fresh")));
        }
        return Ok(Outcome::Done);
    };
    let broken = !compiled.faults.is_empty();
    let warnings = if args.quiet { Vec::new() } else { config::warnings(&compiled) };
    if args.json {
        let list = |issues: &[config::fault::Issue]| -> Vec<serde_json::Value> {
            issues.iter().map(|issue| compiled.source.json(issue)).collect()
        };
        out.json(&serde_json::json!({
            "ok": !broken,
            "compiled": !broken,
            "faults": list(&compiled.faults),
            "warnings": list(&warnings),
        }));
        return Ok(if broken { Outcome::Refused } else { Outcome::Done });
    }
    if broken {
        if args.quiet {
            out.note(config::summary(&compiled));
        } else {
            out.note(compiled.source.draw(&compiled.faults, out.colour_err));
        }
        out.note("the last good form stays in force until comm-node.yaml is corrected");
        return Ok(Outcome::Refused);
    }
    if !warnings.is_empty() {
        out.note(compiled.source.draw(&warnings, out.colour_err));
    }
    if !args.quiet {
        out.line(format!(
            "{}: {}",
            out.ink(Ink::Green, "compiled"),
            crate::out::path(&store.registry_path())
        ));
    }
    Ok(Outcome::Done)
}
