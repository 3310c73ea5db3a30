//! `comm-node statusline`: the status line as the client would show it.

use std::io::{IsTerminal, Read};

use anyhow::{Result, bail};
use comm_node_core::session::SessionId;
use comm_node_core::statusline;
use serde_json::Value;

use super::join::find_session;
use crate::Outcome;
use crate::env::Env;
use crate::here::{layout_at, session_of_caller};
use crate::out::Out;

/// Arguments of `comm-node statusline`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The session, by its id or the beginning of it [default: the one that this is run in]
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Print JSON: one object with everything that the line shows
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Examples:
  comm-node statusline --session 6f1c2a3e
  echo '{\"session_id\": \"…\"}' | comm-node statusline

What the client gives a status line on stdin is taken too. The client itself runs comm-node-statusline, which `comm-node
install` puts into the settings in front of a status line that you have; docs/status.md has the rest.";

/// The client gives a few kilobytes.
const MAX_INPUT: u64 = 1 << 20;

/// Runs the command.
///
/// # Errors
/// When there is no node, when no session is named, or when the state can't be read.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let store = comm_node_core::store::Store::new(layout_at(&env.cwd)?.state());
    let id = match &args.session {
        Some(prefix) => find_session(&store, prefix)?,
        None => match given().map_or_else(|| session_of_caller(env, &store), |id| Ok(Some(id)))? {
            Some(id) => id,
            None => bail!(
                "no session was named: this is not run inside one; give one with --session, `comm-node sessions` lists them"
            ),
        },
    };
    let line = statusline::gather(&store, &id)?;
    if args.json {
        out.json(&line);
    } else {
        out.line(line.render(out.colour));
    }
    Ok(Outcome::Done)
}

/// The session that the client's input on stdin names, if there is any.
fn given() -> Option<SessionId> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return None;
    }
    let mut text = String::new();
    stdin.take(MAX_INPUT).read_to_string(&mut text).ok()?;
    let input: Value = serde_json::from_str(&text).ok()?;
    SessionId::new(input.get("session_id")?.as_str()?).ok()
}
