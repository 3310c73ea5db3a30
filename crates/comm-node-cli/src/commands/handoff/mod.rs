//! `comm-node handoff`: pass a task on to another session, and take one.

pub mod accept;
mod address;
mod facts;
pub mod finish;
pub mod import;
pub mod list;
mod rebind;
pub mod write;

use anyhow::Result;
use clap::Subcommand;

use crate::Outcome;
use crate::env::Env;
use crate::out::Out;

/// Arguments of `comm-node handoff`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

const AFTER_HELP: &str = "\
Examples:
  comm-node handoff write bd-102 --status 'The API is there.' --next 'wire the login page' --to frontend
  comm-node handoff write bd-102 --status 'Three tests, all red.' --check 'cargo test -q login' --to-next
  comm-node handoff list
  comm-node handoff accept bd-102
  comm-node handoff done bd-102

What was written, what is not committed, the branch and what was held is filled in by comm-node; writing a
hand-off gives the session's leases back.";

#[derive(Debug, Subcommand)]
enum Action {
    /// Write the hand-off of a task, and give this session's leases back
    Write(write::Args),
    /// List what waits and what is being worked on
    List(list::ListArgs),
    /// Show one in full
    Show(list::ShowArgs),
    /// Take one over: its task, its role and its leases are this session's then
    Accept(accept::Args),
    /// Check off steps of the one that this session took
    Check(finish::CheckArgs),
    /// Put one away: its task is done
    Done(finish::DoneArgs),
    /// Take the hand-offs in .claude/mytasks/handoffs over into the node
    Import(import::Args),
}

/// Runs the command.
///
/// # Errors
/// Whatever kept it from being done.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    match &args.action {
        Action::Write(args) => write::run(args, env, out),
        Action::List(args) => list::list(args, env, out),
        Action::Show(args) => list::show(args, env, out),
        Action::Accept(args) => accept::run(args, env, out),
        Action::Check(args) => finish::check(args, env, out),
        Action::Done(args) => finish::done(args, env, out),
        Action::Import(args) => import::run(args, env, out),
    }
}
