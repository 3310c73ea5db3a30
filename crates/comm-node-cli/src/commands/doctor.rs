//! `comm-node doctor`: check that everything works, with a call that must be denied.

use anyhow::Result;

use crate::Outcome;
use crate::env::Env;
use crate::install::doctor;
use crate::out::Out;

/// Arguments of `comm-node doctor`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the checks as JSON
    #[arg(long)]
    json: bool,
    /// Mend what can be mended safely: end dead sessions, set damaged state files and what is of the wrong kind aside, make the
    /// state directory private, finish half-sent mail, remove old session records, logs and temporary files
    #[arg(long)]
    fix: bool,
}

/// Runs the command.
///
/// # Errors
/// When no home directory is known; everything else is a check that fails.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let checks = doctor::run(env, args.fix)?;
    if args.json {
        out.json(&doctor::Report::of(&checks));
        return Ok(doctor::outcome(&checks));
    }
    Ok(doctor::print(out, &checks))
}
