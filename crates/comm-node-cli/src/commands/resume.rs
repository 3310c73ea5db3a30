//! `comm-node resume`: end a pause.

use anyhow::Result;
use comm_node_core::personal;
use comm_node_core::store::Event;

use super::join::person_only;
use crate::Outcome;
use crate::env::Env;
use crate::here::Here;
use crate::out::Out;

/// Arguments of `comm-node resume`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  comm-node resume\n\nIt is for a person: an agent can't end a pause.")]
pub struct Args {}

/// Runs the command.
///
/// # Errors
/// When there is no node, the pause can't be removed, or an agent calls.
pub fn run(_args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    person_only(env, &here.store, &personal::RESUME)?;
    if here.store.resume()? {
        here.log(&Event { event: "resumed", ..Event::default() });
        out.line("resumed");
    } else {
        out.line("the node was not paused");
    }
    Ok(Outcome::Done)
}
