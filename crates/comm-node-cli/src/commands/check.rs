//! `comm-node check`: check comm-node.yaml and show every fault with its place.

use anyhow::Result;
use comm_node_core::store::Store;
use serde_json::json;

use crate::env::Env;
use crate::out::{Ink, Out};
use crate::{Outcome, config, here};

/// Arguments of `comm-node check`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Examples:
  comm-node check
  comm-node check --json | jq '.faults[] | {line, message, help}'

Exit codes: 0 no faults (there may be warnings), 1 faults.";

/// Runs the command.
///
/// # Errors
/// When there is no node, or when comm-node.yaml can't be read.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let layout = here::layout_at(&env.cwd)?;
    let checked = config::check(&layout)?;
    let warnings = config::warnings(&checked);
    let ok = checked.faults.is_empty();
    let store = Store::new(layout.state());
    if ok && store.registry_path().exists() {
        // What hooks read follows the file at once, but a check does not fail for it.
        let _ = config::ensure(&layout, &store);
    }
    if args.json {
        let list = |issues: &[config::fault::Issue]| -> Vec<serde_json::Value> {
            issues.iter().map(|issue| checked.source.json(issue)).collect()
        };
        out.json(&json!({
            "ok": ok,
            "node": layout.root,
            "name": checked.registry.as_ref().map(|r| r.name.as_str()),
            "domains": checked.registry.as_ref().map(|r| {
                r.domains.iter().map(|d| d.name.as_str()).collect::<Vec<_>>()
            }),
            "faults": list(&checked.faults),
            "warnings": list(&warnings),
        }));
        return Ok(if ok { Outcome::Done } else { Outcome::Refused });
    }
    let all: Vec<_> = checked.faults.iter().chain(&warnings).collect();
    if !all.is_empty() {
        out.note(checked.source.draw(all, out.colour_err));
        out.note("");
    }
    let warned = match warnings.len() {
        0 => String::new(),
        n => format!(", {}", count(n, "warning")),
    };
    let Some(registry) = &checked.registry else {
        let faults = count(checked.faults.len(), "fault");
        out.note(format!("{}: {faults} in comm-node.yaml{warned}", out.ink_err(Ink::Red, "not ok")));
        return Ok(Outcome::Refused);
    };
    let patterns: usize = registry.domains.iter().map(|d| d.scope.len()).sum();
    out.line(format!(
        "{}: {}, {}{warned}",
        out.ink(Ink::Green, "ok"),
        count(registry.domains.len(), "domain"),
        count(patterns, "pattern"),
    ));
    Ok(Outcome::Done)
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
