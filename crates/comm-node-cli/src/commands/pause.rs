//! `comm-node pause`: stop every agent's edits in this node.

use anyhow::Result;
use comm_node_core::store::Event;

use crate::Outcome;
use crate::env::Env;
use crate::here::Here;
use crate::out::Out;

/// Arguments of `comm-node pause`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  comm-node pause --reason 'release in progress'\n  comm-node resume")]
pub struct Args {
    /// Why; every agent that is refused reads it.
    #[arg(long, default_value = "")]
    reason: String,
    /// Print the pause as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When there is no node or the pause can't be written.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    let pause = here.store.pause(&args.reason)?;
    here.log(&Event { event: "paused", note: &args.reason, ..Event::default() });
    if args.json {
        out.json(&pause);
    } else {
        out.line("paused: every edit in this node is refused until `comm-node resume`");
    }
    Ok(Outcome::Done)
}
