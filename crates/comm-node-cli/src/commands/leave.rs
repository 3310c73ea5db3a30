//! `comm-node leave`: undo a session's binding.

use std::time::Duration;

use anyhow::Result;
use comm_node_core::deadline::Deadline;
use comm_node_core::personal;
use comm_node_core::store::Event;

use super::join::{find_session, person_only};
use crate::Outcome;
use crate::env::Env;
use crate::here::Here;
use crate::out::Out;

/// Arguments of `comm-node leave`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  comm-node leave --session 6f1c2a3e\n\n\
                        It is for a person: an agent that could unbind itself would be free of its scope. The session's\n\
                        directory or COMM_NODE_DOMAIN binds it again when it next starts.")]
pub struct Args {
    /// The session, by its id or the beginning of it.
    #[arg(long, value_name = "ID")]
    session: String,
}

/// Runs the command.
///
/// # Errors
/// When the session does not exist, or when an agent calls.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    person_only(env, &here.store, &personal::LEAVE)?;
    let id = find_session(&here.store, &args.session)?;
    let _lock = here.store.lock("sessions", Deadline::after(Duration::from_secs(2)))?;
    let Some(mut session) = here.store.read_session(&id)? else {
        out.line(format!("session {} has ended meanwhile", id.short()));
        return Ok(Outcome::Done);
    };
    let before = session.domain.take();
    session.bound_by = None;
    session.waiting_for = None;
    here.store.write_session(&session)?;
    here.log(&Event {
        event: "left",
        session: id.as_str(),
        domain: before.as_deref().unwrap_or_default(),
        ..Event::default()
    });
    out.line(match before {
        Some(domain) => format!("session {} no longer works for domain {domain}", id.short()),
        None => format!("session {} was bound to no domain", id.short()),
    });
    Ok(Outcome::Done)
}
