//! `comm-node blocker`: questions that only a person can settle.

use anyhow::{Result, bail};
use clap::Subcommand;
use comm_node_core::activity::Activity;
use comm_node_core::clock;
use comm_node_core::markdown::Fault;
use comm_node_core::notes::blocker::{self, Blocker};
use comm_node_core::notes::take_out;
use comm_node_core::text::one_line;
use serde_json::json;

use crate::Outcome;
use crate::env::Env;
use crate::handing::change;
use crate::here::session_of_caller;
use crate::noting::{ListArgs, Note, Notes, by_file, minute};
use crate::out::Out;

/// Arguments of `comm-node blocker`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

const AFTER_HELP: &str = "\
Examples:
  comm-node blocker add 'Which hash for passwords?' --context 'bd-102, the login' --need 'one of the two'
  comm-node blocker list
  comm-node blocker resolve 1 --answer 'argon2'

They stand in .comm-node/blockers.md, or in .claude/mytasks/blockers.md where there is no node. A heading that is not
`## YYYY-MM-DD HH:MM — <summary>` is reported with its line: nobody would find it otherwise.";

#[derive(Debug, Subcommand)]
enum Action {
    /// Add one, and say that this session is blocked
    Add(AddArgs),
    /// List those that are active, and what is malformed
    List(ListArgs),
    /// Put one away: a person settled it
    Resolve(ResolveArgs),
}

#[derive(Debug, clap::Args)]
struct AddArgs {
    /// What it is about, in one line
    #[arg(required = true, value_name = "SUMMARY")]
    summary: Vec<String>,
    /// The task, and what was being done
    #[arg(long, value_name = "TEXT")]
    context: Option<String>,
    /// What can't be settled from code, docs or history
    #[arg(long, value_name = "TEXT")]
    blocker: Option<String>,
    /// The decision that is needed
    #[arg(long, value_name = "TEXT")]
    need: Option<String>,
    /// A file that it concerns; may be given several times
    #[arg(long = "file", value_name = "PATH")]
    files: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct ResolveArgs {
    /// Its number in the list, or a part of its summary
    which: String,
    /// How it was settled
    #[arg(long, value_name = "TEXT")]
    answer: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When there are no working files here, or they can't be read or written.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let notes = Notes::find(env)?;
    match &args.action {
        Action::Add(args) => add(args, env, out, &notes),
        Action::List(args) => list(args, out, &notes),
        Action::Resolve(args) => resolve(args, out, &notes),
    }
}

fn add(args: &AddArgs, env: &Env, out: &Out, notes: &Notes) -> Result<Outcome> {
    let summary = args.summary.join(" ");
    if summary.trim().is_empty() {
        bail!("say in one line what it is about: comm-node blocker add '<summary>'");
    }
    let session = match &notes.here {
        Some(here) => session_of_caller(env, &here.store)?,
        None => None,
    };
    let record = match (&notes.here, &session) {
        (Some(here), Some(id)) => here.store.read_session(id)?,
        _ => None,
    };
    let task = record.as_ref().and_then(|s| s.task.clone());
    let text = |given: &Option<String>| given.clone().unwrap_or_default();
    let entry = Blocker {
        line: 0,
        when: minute(),
        summary: summary.clone(),
        context: args.context.clone().or(task).unwrap_or_default(),
        blocker: text(&args.blocker),
        need: text(&args.need),
        files: args.files.join(", "),
    };
    let lock = notes.lock()?;
    let note = notes.own(blocker::FILE)?;
    notes.add(out, &note, blocker::TITLE, &blocker::write(&entry))?;
    drop(lock);
    out.line(format!("added to {}: {}", note.shown, one_line(&summary, 200)));
    if let (Some(here), Some(_)) = (&notes.here, &record)
        && let Some(id) = &session
    {
        change(here, id, |s| {
            s.activity = Some(Activity::Blocked);
            s.note = Some(one_line(&summary, 190).into_owned());
            s.said_ms = Some(clock::now_ms());
        })?;
        out.line("this session is blocked: stop the task here and tell the user what is needed");
    }
    Ok(Outcome::Done)
}

/// Blockers, each with its file, and faults, each with the file's name.
#[derive(Default)]
struct Found {
    blockers: Vec<(Note, Blocker)>,
    faults: Vec<(String, Fault)>,
}

/// All blockers, and all faults.
fn read(notes: &Notes) -> Result<Found> {
    let mut found = Found::default();
    for note in notes.all(blocker::FILE)? {
        let (blockers, wrong) = blocker::read(&note.text);
        found.faults.extend(wrong.into_iter().map(|fault| (note.shown.clone(), fault)));
        for one in blockers {
            let note = Note { shown: note.shown.clone(), path: note.path.clone(), text: note.text.clone() };
            found.blockers.push((note, one));
        }
    }
    Ok(found)
}

fn list(args: &ListArgs, out: &Out, notes: &Notes) -> Result<Outcome> {
    let Found { blockers: found, faults } = read(notes)?;
    let as_json = || {
        let with_file = |(note, one): &(Note, Blocker)| {
            let mut value = json!(one);
            value["file"] = note.shown.as_str().into();
            value
        };
        let blockers: Vec<_> = found.iter().map(with_file).collect();
        json!({"blockers": blockers, "faults": by_file(&faults)})
    };
    let row = |(i, (note, one)): (usize, &(Note, Blocker))| {
        let place = format!("{}:{}", note.shown, one.line);
        vec![(i + 1).to_string(), one.when.clone(), one.summary.clone(), one.need.clone(), place]
    };
    let rows: Vec<Vec<String>> = found.iter().enumerate().map(row).collect();
    let heads = ["NO", "SINCE", "SUMMARY", "NEEDS", "WHERE"];
    Ok(args.show(out, as_json, &heads, "nothing is blocked", &rows, &faults))
}

fn resolve(args: &ResolveArgs, out: &Out, notes: &Notes) -> Result<Outcome> {
    let _lock = notes.lock()?;
    let found = read(notes)?.blockers;
    let wanted = args.which.trim().to_lowercase();
    // A number is never a piece of a summary: the one that it was is resolved, and another one is not meant.
    let is_number = wanted.bytes().all(|b| b.is_ascii_digit());
    let number = wanted.parse::<usize>().ok().and_then(|n| n.checked_sub(1)).filter(|n| *n < found.len());
    let is_meant = |i: &usize| match is_number {
        true => number == Some(*i),
        false => found[*i].1.summary.to_lowercase().contains(&wanted),
    };
    let at = match (0..found.len()).filter(is_meant).collect::<Vec<_>>().as_slice() {
        [one] => *one,
        [] => bail!("no blocker is `{}`; `comm-node blocker list` numbers them", one_line(&args.which, 60)),
        many => {
            bail!("{} blockers are meant by `{}`; give its number", many.len(), one_line(&args.which, 60))
        }
    };
    let (note, one) = &found[at];
    let Some((rest, taken)) = take_out(&note.text, one.line) else {
        bail!("{} has changed meanwhile; try again", note.shown);
    };
    let answer =
        args.answer.as_deref().map(|a| format!("- Answer: {}\n", one_line(a, 2000))).unwrap_or_default();
    let name = note.shown.replace(blocker::FILE, blocker::RESOLVED);
    // First there, then gone from here: dying in between leaves it twice.
    let kept = match &notes.here {
        Some(_) if note.shown.starts_with(comm_node_core::node::STATE) => notes.own(blocker::RESOLVED)?,
        _ => notes.project(&name)?,
    };
    notes.add(out, &kept, "Resolved Blockers", &format!("{}\n{answer}", taken.trim_end()))?;
    notes.write(note, &rest)?;
    out.line(format!("resolved: {}", one_line(&one.summary, 200)));
    Ok(Outcome::Done)
}
