//! `comm-node kickoff`: one goal for all domains, a roll call, and a common start.
//!
//! A person calls it, each session reports ready, and whoever makes the roll complete sends START: the last session to
//! report, or the person with `--force`. Nothing depends on a process that waits, so that none can be missed by its death.

mod call;
mod done;
mod ready;
mod roll;

use anyhow::{Result, bail};

use crate::Outcome;
use crate::config;
use crate::env::Env;
use crate::here::Here;
use crate::out::Out;

/// Arguments of `comm-node kickoff`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Inside a session: work for this domain, and report ready; with --done the domain whose part is done
    #[arg(conflicts_with_all = ["goal", "brief", "force", "status"])]
    domain: Option<String>,
    /// What is to be reached; calls every domain
    #[arg(long, value_name = "TEXT", conflicts_with = "status")]
    goal: Option<String>,
    /// A file that says more
    #[arg(long, value_name = "FILE", requires = "goal")]
    brief: Option<std::path::PathBuf>,
    /// Only these domains, with commas between them
    #[arg(long, value_name = "DOMAINS", requires = "goal", value_delimiter = ',')]
    only: Vec<String>,
    /// Start without those that are missing when the time is over
    #[arg(long, conflicts_with = "status")]
    force: bool,
    /// How long to wait: for the domains, or inside a session for START
    #[arg(long, value_name = "TIME", value_parser = config::duration)]
    wait: Option<u64>,
    /// Show who is ready and who is done
    #[arg(long)]
    status: bool,
    /// Say that the part of this session's domain is done; the last one wakes the coordinator
    #[arg(long, conflicts_with_all = ["goal", "force", "wait", "status"])]
    done: bool,
    /// What to say with it, in one line
    #[arg(long, value_name = "TEXT", requires = "done")]
    note: Option<String>,
    /// Print JSON: one object
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Examples:
  comm-node kickoff --goal 'Login with passkeys' --brief plan.md     from your terminal: call every domain
  comm-node kickoff --goal 'Login' --wait 5m --force                 start after five minutes without the missing
  comm-node kickoff --force                                          start the one under way now
  comm-node kickoff --status
  comm-node kickoff backend --wait 90s                               inside a session: report ready, wait for START
  comm-node kickoff --done --note 'login works'                      inside a session: this domain's part is done

Each domain gets one message: the goal, its part, its peers and what to do first. START goes out when all have reported
ready, whoever still waits for it, and later to each that comes late. A second kickoff takes the place of the first.

A domain in the role coordinator or integration is not called: it gets one message when all others are done. Where there
is none, the person gets it.";

/// Runs the command.
///
/// # Errors
/// Whatever kept it from being done.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    if args.done {
        return done::run(args.domain.as_deref(), args.note.as_deref(), args.json, env, out);
    }
    if let Some(domain) = &args.domain {
        return ready::run(domain, args.wait, args.json, env, out);
    }
    if args.status {
        return roll::status(args.json, env, out);
    }
    if args.goal.is_none() && !args.force {
        bail!("say what is to be reached with --goal, name this session's domain, or ask with --status");
    }
    call::run(args, env, out)
}

/// Finishes what a command that died had begun: the calls, START, the word that all are done.
///
/// # Errors
/// When the record can't be read, or something can't be sent.
pub(crate) fn finish(here: &Here) -> Result<()> {
    done::finish(here)?;
    roll::current(here)?;
    Ok(())
}
