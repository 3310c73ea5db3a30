//! `comm-node watch`: one line per message that arrives; the plugin's monitor wakes an idle session with it.

use anyhow::Result;

use crate::env::Env;
use crate::out::Out;
use crate::{Outcome, watching};

/// Arguments of `comm-node watch`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  comm-node watch                     in a terminal: what arrives for the person\n  \
                        comm-node watch --session 6f1c2a3e-0000-4000-8000-1234567890ab\n  comm-node watch --json | jq -r .short\n\n\
                        The plugin runs this beside every interactive session, and each line wakes the session if it is idle. It says nothing \
                        while the session works, because hooks tell mail then, and it ends with its session."
)]
pub struct Args {
    /// Watch for this session [default: the one that this runs in, else the person]
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

/// Runs the command until its session ends.
///
/// # Errors
/// When the session is not known.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    watching::watch(env, out, args.session.as_deref(), args.json)
}
