//! `comm-node route`: send what was left in the drop box; hooks call this when there is something.

use std::path::PathBuf;

use anyhow::Result;
use comm_node_core::session::SessionId;
use comm_node_core::store::Routed;
use serde_json::json;

use crate::env::Env;
use crate::here::Here;
use crate::mailing::{self, Me};
use crate::out::Out;
use crate::{Outcome, routing};

/// Arguments of `comm-node route`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  comm-node route\n  comm-node route --json\n\n\
                        A file in .comm-node/outbox/ is a message: the fields that `comm-node send` takes between two lines of ---, then the \
                        text. A person's needs `from: human`.")]
pub struct Args {
    /// Work on the node that this directory belongs to
    #[arg(long, value_name = "DIR")]
    node: Option<PathBuf>,
    /// On behalf of this session
    #[arg(long, value_name = "ID", hide = true)]
    session: Option<String>,
    /// This file was just written by it
    #[arg(long, value_name = "NAME", requires = "session", hide = true)]
    wrote: Vec<String>,
    /// Wait for what was written just now; without --session that is always so
    #[arg(long, hide = true)]
    settle: bool,
    /// Print JSON: an array with one object per file
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When the drop box can't be read.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::at(&args.node.as_ref().map_or(env.cwd.clone(), |dir| env.cwd.join(dir)))?;
    let registry = here.registry()?;
    let me = match &args.session {
        Some(id) => Me::of(&here, &registry, SessionId::new(id)?)?,
        None => Me::find(env, &here, &registry)?,
    };
    here.store.mail().recover(comm_node_core::deadline::Deadline::after(mailing::PATIENCE))?;
    if args.settle || args.session.is_none() {
        here.store.mail().settle();
    }
    let routed = routing::route(&here, &registry, &me, &args.wrote)?;
    if args.json {
        let list: Vec<_> = routed
            .iter()
            .map(|(name, routed)| match routed {
                Routed::Sent(message) => json!({"file": name, "sent": message.id}),
                Routed::Rejected(why) => json!({"file": name, "rejected": why}),
            })
            .collect();
        out.json(&list);
    } else {
        routed.iter().for_each(|(name, routed)| out.line(routing::sentence(name, routed)));
    }
    let bad = routed.iter().any(|(_, routed)| matches!(routed, Routed::Rejected(_)));
    Ok(if bad { Outcome::Refused } else { Outcome::Done })
}
