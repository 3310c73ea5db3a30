//! `comm-node route`: send what was left in the drop box; hooks call this when there is something.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use comm_node_core::clock;
use comm_node_core::deadline::Deadline;
use comm_node_core::session::SessionId;
use comm_node_core::store::Routed;
use serde_json::json;

use crate::env::Env;
use crate::here::Here;
use crate::mailing::{self, Me};
use crate::out::Out;
use crate::{Outcome, routing};

/// Longer than the largest drop box takes.
const LONG: Duration = Duration::from_secs(3_600);

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
    /// Begin with no file any more at this time, in milliseconds since 1970
    #[arg(long, value_name = "MS", requires = "session", hide = true)]
    until: Option<u64>,
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
    let mail = here.store.mail();
    let left = |until: u64| Duration::from_millis(until.saturating_sub(clock::now_ms()));
    // Who asks at a terminal has all the time there is.
    let limit = Deadline::after(args.until.map_or(LONG, left));
    mail.recover(limit.at_most(mailing::PATIENCE))?;
    if args.settle || args.session.is_none() {
        mail.settle();
    }
    let (mut list, mut bad) = (Vec::new(), false);
    routing::route(&here, &registry, &me, &args.wrote, limit, &mut |name, routed| {
        bad |= matches!(routed, Routed::Rejected(_));
        if args.json {
            list.push(match routed {
                Routed::Sent(message) => json!({"file": name, "sent": message.id}),
                Routed::Rejected(why) => json!({"file": name, "rejected": why}),
            });
        } else {
            out.line(routing::sentence(name, routed));
        }
    })?;
    if args.json {
        out.json(&list);
    }
    Ok(if bad { Outcome::Refused } else { Outcome::Done })
}
