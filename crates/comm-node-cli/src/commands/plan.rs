//! `comm-node plan`: the task plan, checked.

use anyhow::Result;
use clap::Subcommand;
use comm_node_core::notes::plan::{self, Task};
use serde_json::json;

use crate::Outcome;
use crate::env::Env;
use crate::noting::{ListArgs, Notes};
use crate::out::Out;

/// Arguments of `comm-node plan`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  comm-node plan list\n\n\
                        The plan is .claude/mytasks/todo.md: `- [ ] <task>`, and below each a line `**Done when**: …`. A task \
                        without one is reported, and a turn is held at its end while the session's task is not checked off.")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the tasks, and those that don't say when they are done
    List(ListArgs),
}

/// Runs the command.
///
/// # Errors
/// When the project can't be told, or the plan can't be read.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let notes = Notes::find(env)?;
    let note = notes.project(plan::FILE)?;
    let (tasks, faults) = plan::read(&note.text);
    let Action::List(args) = &args.action;
    let row = |task: &Task| {
        let mark = if task.done { "[x]" } else { "[ ]" };
        vec![mark.to_owned(), task.text.clone(), task.done_when.clone().unwrap_or_else(|| "-".to_owned())]
    };
    let rows: Vec<Vec<String>> = tasks.iter().map(row).collect();
    let named: Vec<_> = faults.iter().map(|fault| (note.shown.clone(), fault.clone())).collect();
    let as_json = || json!({"tasks": tasks, "faults": faults});
    Ok(args.show(out, as_json, &["", "TASK", "DONE WHEN"], "nothing is planned", &rows, &named))
}
