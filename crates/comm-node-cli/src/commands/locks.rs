//! `comm-node locks`: list the leases.

use anyhow::Result;
use comm_node_core::clock::{self, Now};
use comm_node_core::lease::{Ending, Holder, Kind, Lease, Mode, ending};
use comm_node_core::process::Liveness;
use comm_node_core::text::one_line;
use serde::Serialize;

use crate::Outcome;
use crate::env::Env;
use crate::here::Here;
use crate::leasing::holder;
use crate::out::Out;

/// Arguments of `comm-node locks`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  comm-node locks\n  comm-node locks --mine\n  comm-node locks --json | jq '.[] | select(.state == \"held\") | .path'\n\n\
                  STATE is held, unconfirmed (an edit is under way), or why the lease no longer counts: its holder is \
                  gone, or its time is over; whoever wants the path next takes it."
)]
pub struct Args {
    /// Only what this session, or this person, holds
    #[arg(long)]
    mine: bool,
    /// Print JSON: an array with one object per lease
    #[arg(long)]
    json: bool,
}

/// A lease as it is listed.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    #[serde(flatten)]
    pub(crate) lease: Lease,
    /// `held`, `unconfirmed`, or why it no longer counts.
    pub(crate) state: &'static str,
    /// `live`, `gone` or `unknown`.
    pub(crate) holder_is: &'static str,
}

/// The node's leases, and what could not be read.
///
/// # Errors
/// When the table can't be listed at all.
pub(crate) fn rows(here: &Here, now: Now) -> Result<(Vec<Row>, Vec<String>)> {
    let (leases, errors) = here.store.leases().list()?;
    // A session has many leases and one life.
    let mut known: Vec<(Holder, Liveness)> = Vec::new();
    let mut life = |holder: &Holder| match known.iter().find(|(h, _)| h.session == holder.session) {
        Some((_, liveness)) => *liveness,
        None => {
            let liveness = here.store.holder_liveness(holder);
            known.push((holder.clone(), liveness));
            liveness
        }
    };
    let rows = leases
        .into_iter()
        .map(|lease| {
            let liveness = life(&lease.holder);
            let state = match ending(&lease, now, liveness) {
                Some(Ending::HolderGone) => "holder gone",
                Some(Ending::Unconfirmed) => "never confirmed",
                Some(Ending::Expired) => "expired",
                None if lease.provisional => "unconfirmed",
                None => "held",
            };
            let holder_is = match liveness {
                Liveness::Alive => "live",
                Liveness::Dead => "gone",
                Liveness::Unknown => "unknown",
            };
            Row { lease, state, holder_is }
        })
        .collect();
    Ok((rows, errors.iter().map(|e| format!("{e}; {}", e.remedy())).collect()))
}

/// Runs the command.
///
/// # Errors
/// When there is no node or its leases can't be listed.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    let now = Now::read();
    let (mut rows, faults) = rows(&here, now)?;
    for fault in &faults {
        out.note(format!("warning: {fault}"));
    }
    if args.mine {
        let me = holder(env, &here, None)?;
        rows.retain(|r| r.lease.holder.session == me.session);
    }
    if args.json {
        out.json(&rows);
    } else {
        let cells: Vec<Vec<String>> = rows.iter().map(|row| cells(row, now)).collect();
        let heading = ["PATH", "HOLDER", "IS", "LEASE", "STATE", "AGE", "LEFT", "WHY"];
        out.table(&heading, &cells, "no leases; an edit takes one on its path, `comm-node lock` on a glob");
    }
    Ok(if faults.is_empty() { Outcome::Done } else { Outcome::Refused })
}

fn cells(row: &Row, now: Now) -> Vec<String> {
    let lease = &row.lease;
    let path = match lease.tree.as_str() {
        "" => lease.path.clone(),
        tree => format!("{tree}/{}", lease.path),
    };
    let kind = match (lease.kind, lease.mode) {
        (Kind::Automatic, _) => "edit",
        (Kind::Explicit, Mode::Exclusive) => "lock",
        (Kind::Explicit, Mode::Shared) => "shared lock",
    };
    let left = match (row.holder_is, lease.fixed || lease.provisional) {
        // Its time is only the backstop.
        ("live", false) => "-".to_owned(),
        _ => clock::span(lease.until.saturating_sub(now.wall_ms)),
    };
    vec![
        path,
        lease.holder.describe(),
        row.holder_is.to_owned(),
        kind.to_owned(),
        row.state.to_owned(),
        clock::span(now.wall_ms.saturating_sub(lease.since)),
        left,
        one_line(&lease.reason, 200).into_owned(),
    ]
}
