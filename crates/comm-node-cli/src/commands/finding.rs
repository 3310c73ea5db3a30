//! `comm-node finding`: facts for the other agents of an effort.

use anyhow::{Result, bail};
use clap::Subcommand;
use comm_node_core::markdown::Fault;
use comm_node_core::notes::finding::{self, Finding};
use comm_node_core::notes::take_out;
use comm_node_core::text::one_line;
use serde_json::json;

use crate::Outcome;
use crate::env::Env;
use crate::noting::{ListArgs, Notes, by_file, minute};
use crate::out::Out;

/// Arguments of `comm-node finding`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  comm-node finding add 'The API pages, 50 at a time' --note 'see api/list.rs' --affects 'web, docs'\n  \
                        comm-node finding list\n  comm-node finding clear --all\n\n\
                        They stand in .comm-node/findings.md and go when the effort ends. What is true for good is a \
                        `comm-node known-issue`."
)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add one
    Add {
        /// What was found, in one line
        #[arg(required = true, value_name = "TITLE")]
        title: Vec<String>,
        /// More of it; may be given several times
        #[arg(long = "note", value_name = "TEXT")]
        notes: Vec<String>,
        /// What it affects
        #[arg(long, value_name = "TEXT")]
        affects: Option<String>,
    },
    /// List them, and what is malformed
    List(ListArgs),
    /// Remove one, or all
    Clear {
        /// Its number in the list
        #[arg(required_unless_present = "all")]
        number: Option<usize>,
        /// All of them
        #[arg(long, conflicts_with = "number")]
        all: bool,
    },
}

/// Runs the command.
///
/// # Errors
/// When there are no working files here, or they can't be read or written.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let notes = Notes::find(env)?;
    match &args.action {
        Action::Add { title, notes: more, affects } => {
            let title = title.join(" ");
            if title.trim().is_empty() {
                bail!("say in one line what was found: comm-node finding add '<title>'");
            }
            let mut when = minute();
            when.truncate(10);
            let affects = affects.clone().unwrap_or_default();
            let entry = Finding { line: 0, when, title: title.clone(), notes: more.clone(), affects };
            let _lock = notes.lock()?;
            let note = notes.own(finding::FILE)?;
            notes.add(out, &note, finding::TITLE, &finding::write(&entry))?;
            out.line(format!("added to {}: {}", note.shown, one_line(&title, 200)));
            Ok(Outcome::Done)
        }
        Action::List(args) => list(args, &notes, out),
        Action::Clear { number, all } => clear(&notes, *number, *all, out),
    }
}

fn list(args: &ListArgs, notes: &Notes, out: &Out) -> Result<Outcome> {
    let (mut found, mut faults): (Vec<Finding>, Vec<(String, Fault)>) = (Vec::new(), Vec::new());
    for note in notes.all(finding::FILE)? {
        let (these, wrong) = finding::read(&note.text);
        found.extend(these);
        faults.extend(wrong.into_iter().map(|fault| (note.shown.clone(), fault)));
    }
    let row = |(i, one): (usize, &Finding)| {
        vec![(i + 1).to_string(), one.when.clone(), one.title.clone(), one.affects.clone()]
    };
    let rows: Vec<Vec<String>> = found.iter().enumerate().map(row).collect();
    let as_json = || json!({"findings": found, "faults": by_file(&faults)});
    let heads = ["NO", "SINCE", "TITLE", "AFFECTS"];
    Ok(args.show(out, as_json, &heads, "there are no findings", &rows, &faults))
}

fn clear(notes: &Notes, number: Option<usize>, all: bool, out: &Out) -> Result<Outcome> {
    let _lock = notes.lock()?;
    let mut left = number.unwrap_or(0);
    for note in notes.all(finding::FILE)? {
        let (found, _) = finding::read(&note.text);
        if all {
            notes.write(&note, &format!("# {}\n", finding::TITLE))?;
            let n = found.len();
            let gone = if n == 1 { "1 finding is".to_owned() } else { format!("{n} findings are") };
            out.line(format!("{gone} gone from {}", note.shown));
            continue;
        }
        match left.checked_sub(1).and_then(|i| found.get(i)) {
            Some(one) => {
                let Some((rest, _)) = take_out(&note.text, one.line) else {
                    bail!("{} has changed; try again", note.shown)
                };
                notes.write(&note, &rest)?;
                out.line(format!("gone: {}", one_line(&one.title, 200)));
                return Ok(Outcome::Done);
            }
            None => left = left.saturating_sub(found.len()),
        }
    }
    if !all {
        bail!("no finding has that number; `comm-node finding list` numbers them");
    }
    Ok(Outcome::Done)
}
