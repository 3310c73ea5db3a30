//! `comm-node lock`: take an explicit lease.

use std::time::{Duration, Instant};

use anyhow::Result;
use comm_node_core::clock::{self, Now};
use comm_node_core::deadline::Deadline;
use comm_node_core::glob;
use comm_node_core::lease::{Ask, Conflict, Holder, Lease, Mode, Terms};
use comm_node_core::session::SessionId;
use comm_node_core::store::{Asking, Event, Outcome as Answer};
use serde_json::json;

use crate::env::Env;
use crate::here::Here;
use crate::leasing::{holder, in_scope, target};
use crate::out::Out;
use crate::{Outcome, config};

/// How long the table's own lock is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// How often a lease that another holds is asked for again.
const PAUSE: Duration = Duration::from_millis(250);

/// Arguments of `comm-node lock`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Globs or paths, relative to the working directory; a directory means all below it
    #[arg(required = true, value_name = "GLOB")]
    globs: Vec<String>,
    /// Let others hold it too, as long as nobody writes
    #[arg(long)]
    shared: bool,
    /// End it after this time even if the holder lives [default: it lasts as long as the holder]
    #[arg(long, value_name = "TIME", value_parser = config::duration)]
    ttl: Option<u64>,
    /// Why; whoever is refused reads it
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
    /// Wait this long for another to give it back
    #[arg(long, value_name = "TIME", value_parser = config::duration)]
    wait: Option<u64>,
    /// Let the subagents of this session write all the same
    #[arg(long)]
    share_with_subagents: bool,
    /// Hold it for this subagent of the session and not for its main loop
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    /// Print the leases as JSON
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Examples:
  comm-node lock 'migrations/**' --reason 'renumbering'     nobody else edits there
  comm-node lock src/api.rs --wait 30s                      wait until it is free
  comm-node lock 'docs/**' --shared --ttl 2h                nobody edits, others may share

All globs are locked or none. An edit leases its path by itself; a lock is for work on many files,
or before the first edit. It ends with `comm-node unlock`, with the session, or with its --ttl.
A lock of the main loop stops its own subagents too unless it is shared with them.";

/// Runs the command.
///
/// # Errors
/// When a glob is not valid or not the caller's to lock, or the table can't be used.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    let registry = here.registry()?;
    let holder = holder(env, &here, args.agent.as_deref())?;
    let targets: Vec<_> = args.globs.iter().map(|g| target(env, &registry, g)).collect::<Result<_>>()?;
    in_scope(&here, &registry, &holder, &targets)?;
    let asks: Vec<Ask<'_>> = targets.iter().map(|t| t.ask()).collect();
    let terms = Terms::Explicit {
        mode: if args.shared { Mode::Shared } else { Mode::Exclusive },
        ttl_s: args.ttl.unwrap_or(registry.policy.lease_ttl_s),
        fixed: args.ttl.is_some(),
        share_with_subagents: args.share_with_subagents,
        reason: args.reason.trim(),
    };
    let liveness = |h: &Holder| here.store.holder_liveness(h);
    let until = Instant::now() + Duration::from_secs(args.wait.unwrap_or(0));
    let mut told = None;
    loop {
        let now = Now::read();
        let deadline = Deadline::after(PATIENCE);
        let asking = Asking { holder: &holder, now, liveness: &liveness, deadline };
        match here.store.leases().lock(&asks, &terms, &asking)? {
            Answer::Held => return Ok(Outcome::Done),
            Answer::Taken(leases) => {
                log(&here, &holder, &leases);
                show(args, out, &leases);
                return Ok(Outcome::Done);
            }
            Answer::Refused(conflict) if Instant::now() < until => {
                if told != Some(conflict.lease.fencing) {
                    out.note(format!("waiting: {}", conflict.describe(now)));
                    told = Some(conflict.lease.fencing);
                }
                // Nothing is locked meanwhile.
                std::thread::sleep(PAUSE.min(until.saturating_duration_since(Instant::now())));
            }
            Answer::Refused(conflict) => {
                refuse(args, out, &conflict, now);
                return Ok(Outcome::Refused);
            }
        }
    }
}

fn log(here: &Here, holder: &Holder, leases: &[Lease]) {
    for lease in leases {
        here.log(&Event {
            event: "locked",
            session: holder.session.as_ref().map_or("", SessionId::as_str),
            agent: holder.agent.as_deref().unwrap_or(""),
            domain: holder.domain.as_deref().unwrap_or(""),
            path: &lease.path,
            note: &lease.reason,
            ..Event::default()
        });
    }
}

fn show(args: &Args, out: &Out, leases: &[Lease]) {
    if args.json {
        out.json(&json!({ "granted": true, "leases": leases }));
        return;
    }
    for lease in leases {
        let end = match (lease.fixed, &lease.holder.session) {
            (false, Some(_)) => "until it is unlocked or the session ends".to_owned(),
            _ => format!("for {}", clock::span(lease.ttl_s * 1000)),
        };
        let how = if lease.mode == Mode::Shared { "locked (shared)" } else { "locked" };
        out.line(format!("{how} {} {end}", comm_node_core::text::one_line(&lease.path, 200)));
    }
}

fn refuse(args: &Args, out: &Out, conflict: &Conflict, now: Now) {
    if args.json {
        out.json(&json!({
            "granted": false, "path": conflict.path, "lease": conflict.lease,
            "live": conflict.liveness == comm_node_core::process::Liveness::Alive,
        }));
    }
    let again = glob::escape(&conflict.path);
    out.note(format!(
        "refused: {}; work on something else meanwhile, or wait: comm-node lock '{}' --wait 5m",
        conflict.describe(now),
        comm_node_core::text::one_line(&again, 200)
    ));
}
