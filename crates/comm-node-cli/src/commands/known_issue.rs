//! `comm-node known-issue`: facts for everyone, for good, committed with the project.

use anyhow::{Result, bail};
use clap::Subcommand;
use comm_node_core::notes::issue::{self, Issue};
use comm_node_core::text::one_line;
use serde_json::json;

use crate::Outcome;
use crate::env::Env;
use crate::noting::{ListArgs, Notes};
use crate::out::Out;

/// Arguments of `comm-node known-issue`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  comm-node known-issue add 'Slow first start' --issue 'the cache is built' --workaround 'wait' --affects api\n  \
                        comm-node known-issue list\n\n\
                        They stand in docs/KNOWN_ISSUES.md, which belongs into git."
)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add one
    Add {
        /// What it is, in one line
        #[arg(required = true, value_name = "TITLE")]
        title: Vec<String>,
        /// How it stands
        #[arg(long, value_name = "TEXT", default_value = "open")]
        status: String,
        /// What happens
        #[arg(long, value_name = "TEXT")]
        issue: Option<String>,
        /// What helps meanwhile
        #[arg(long, value_name = "TEXT")]
        workaround: Option<String>,
        /// What it affects
        #[arg(long, value_name = "TEXT")]
        affects: Option<String>,
        /// Where more is to be found
        #[arg(long = "ref", value_name = "TEXT")]
        reference: Option<String>,
    },
    /// List them, and what is malformed
    List(ListArgs),
}

/// Runs the command.
///
/// # Errors
/// When the project can't be told, or its file can't be read or written.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let notes = Notes::find(env)?;
    let note = notes.project(issue::FILE)?;
    match &args.action {
        Action::Add { title, status, issue: what, workaround, affects, reference } => {
            let title = title.join(" ");
            if title.trim().is_empty() {
                bail!("say in one line what it is: comm-node known-issue add '<title>'");
            }
            let text = |given: &Option<String>| given.clone().unwrap_or_default();
            let entry = Issue {
                line: 0,
                title: title.clone(),
                status: status.clone(),
                issue: text(what),
                workaround: text(workaround),
                affects: text(affects),
                reference: text(reference),
            };
            let _lock = notes.lock()?;
            // Read again: another command may have added one while this one waited.
            let note = notes.project(issue::FILE)?;
            notes.add(out, &note, issue::TITLE, &issue::write(&entry))?;
            out.line(format!("added to {}: {}", note.shown, one_line(&title, 200)));
            Ok(Outcome::Done)
        }
        Action::List(args) => {
            let (found, faults) = issue::read(&note.text);
            let row = |one: &Issue| {
                [&one.title, &one.status, &one.workaround, &one.affects, &one.reference]
                    .map(Clone::clone)
                    .to_vec()
            };
            let rows: Vec<Vec<String>> = found.iter().map(row).collect();
            let named: Vec<_> = faults.iter().map(|f| (note.shown.clone(), f.clone())).collect();
            let heads = ["TITLE", "STATUS", "WORKAROUND", "AFFECTS", "REF"];
            let as_json = || json!({"issues": found, "faults": faults});
            Ok(args.show(out, as_json, &heads, "no issue is known", &rows, &named))
        }
    }
}
