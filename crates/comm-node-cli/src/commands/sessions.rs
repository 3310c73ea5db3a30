//! `comm-node sessions`: list the node's sessions.

use anyhow::Result;
use comm_node_core::clock;
use comm_node_core::session::Session;
use serde::Serialize;

use crate::Outcome;
use crate::env::Env;
use crate::here::Here;
use crate::out::Out;

/// Arguments of `comm-node sessions`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  comm-node sessions\n  comm-node sessions --json | jq '.[] | select(.live)'"
)]
pub struct Args {
    /// Print JSON: an array with one object per session.
    #[arg(long)]
    json: bool,
}

/// One session as it is listed.
#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    session: Session,
    /// Whether it still runs.
    live: bool,
    /// Its last heartbeat, RFC 3339.
    last_seen: String,
    #[serde(skip)]
    silent_ms: u64,
}

/// The node's sessions that have not ended, and what could not be read.
fn rows(here: &Here) -> Result<(Vec<Row>, Vec<String>)> {
    let now = clock::now_ms();
    let mut rows = Vec::new();
    let mut faults = Vec::new();
    for record in here.store.sessions()? {
        match record {
            Ok((session, heartbeat)) => rows.push(Row {
                live: session.is_live(heartbeat, now),
                last_seen: clock::rfc3339(heartbeat),
                silent_ms: now.saturating_sub(heartbeat),
                session,
            }),
            Err(e) => faults.push(format!("{e}; {}", e.remedy())),
        }
    }
    Ok((rows, faults))
}

/// Runs the command.
///
/// # Errors
/// When there is no node or its sessions can't be listed.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    let (rows, faults) = rows(&here)?;
    for fault in &faults {
        out.note(format!("warning: {fault}"));
    }
    if args.json {
        out.json(&rows);
        return Ok(Outcome::Done);
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let s = &row.session;
            let domain = match (&s.domain, &s.waiting_for) {
                (Some(domain), _) => domain.clone(),
                (None, Some(domain)) => format!("(waits for {domain})"),
                (None, None) => "-".into(),
            };
            let by = s.bound_by.map_or(String::new(), |by| format!("{by:?}").to_lowercase());
            vec![
                s.session_id.short().to_owned(),
                domain,
                by,
                if row.live { "live" } else { "gone" }.to_owned(),
                format!("{} ago", clock::span(row.silent_ms)),
                s.directory.clone(),
            ]
        })
        .collect();
    out.table(
        &["SESSION", "DOMAIN", "BOUND BY", "STATE", "LAST SEEN", "DIRECTORY"],
        &cells,
        "no sessions; open Claude Code in this node to have one",
    );
    Ok(Outcome::Done)
}
