//! `comm-node budget`: what may be spent, what is, and more of it.

mod explain;
mod grant;
mod request;
mod set;
mod show;

use anyhow::Result;
use clap::Subcommand;

use crate::Outcome;
use crate::env::Env;
use crate::out::Out;

/// Arguments of `comm-node budget`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    show: show::ShowArgs,
}

const AFTER_HELP: &str = "\
Examples:
  comm-node budget                                          all budgets, each with a bar
  comm-node budget --json | jq '.[] | select(.percent >= 80)'
  comm-node budget request 5000 --reason 'the migration has two more tables' --task bd-102
  comm-node budget grant backend 20000 --task bd-102        from your own terminal
  comm-node budget set backend --tokens-per-day 2000000
  comm-node budget explain backend

Tokens are those sent anew, written to the cache, and produced; what is read from the cache again is in the dollars
only. Days are in UTC.";

#[derive(Debug, Subcommand)]
enum Action {
    /// Ask for more tokens; granted at once where the domain is efficient and the cap allows it
    Request(request::Args),
    /// Grant more; for a person
    Grant(grant::Args),
    /// Write a budget into comm-node.yaml; for a person
    Set(set::Args),
    /// Say how efficient a domain is, and by what
    Explain(explain::Args),
}

/// Runs the command.
///
/// # Errors
/// Whatever kept it from being done.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    match &args.action {
        None => show::run(&args.show, env, out),
        Some(Action::Request(args)) => request::run(args, env, out),
        Some(Action::Grant(args)) => grant::run(args, env, out),
        Some(Action::Set(args)) => set::run(args, env, out),
        Some(Action::Explain(args)) => explain::run(args, env, out),
    }
}
