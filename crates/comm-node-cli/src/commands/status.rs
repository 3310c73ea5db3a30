//! `comm-node status`: the node at a glance.

mod set;

use anyhow::Result;
use comm_node_core::clock::Now;
use comm_node_core::guard::{self, Binding, scope};
use comm_node_core::lease::{Lease, counting, is_foreign};
use comm_node_core::text::one_line;
use serde_json::json;

use super::sessions::rows;
use crate::Outcome;
use crate::env::Env;
use crate::here::{Here, session_of_caller};
use crate::out::{Ink, Out};

/// Arguments of `comm-node status`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Print JSON: one object with the node, its faults and its domains
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    said: set::Said,
}

const AFTER_HELP: &str = "\
Examples:
  comm-node status
  comm-node status --json | jq '.domains[].sessions'
  comm-node status --set busy --task bd-102 --progress 40    inside a session: say what it does
  comm-node status --set blocked --note 'needs the API contract'
  comm-node status --set idle                                done: no task any more";

/// Foreign leases that are named one by one.
const FOREIGN: usize = 10;

/// Runs the command.
///
/// # Errors
/// When there is no node or it can't be read.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    if args.said.is_any() {
        return set::run(&args.said, args.json, &here, env, out);
    }
    let registry = here.registry()?;
    let (rows, mut faults) = rows(&here)?;
    let paused = here.store.paused();
    let (leases, unread) = here.store.leases().list()?;
    faults.extend(unread.iter().map(|e| format!("{e}; {}", e.remedy())));
    let leases = counting(leases, Now::read(), &|holder| here.store.holder_liveness(holder));
    let held_by = |name: &str| leases.iter().filter(|l| l.holder.domain.as_deref() == Some(name)).count();
    let caller = session_of_caller(env, &here.store)?.map(|id| here.store.read_session(&id)).transpose()?;
    let foreign: Vec<&Lease> = match caller.flatten() {
        Some(session) => match guard::binding(&registry, &session) {
            Binding::Domain(domain) => {
                let foreign = |l: &&Lease| is_foreign(l, &session.session_id, &registry, domain);
                leases.iter().filter(foreign).collect()
            }
            _ => Vec::new(),
        },
        None => Vec::new(),
    };
    let in_domain = |name: &str| {
        rows.iter().filter(|r| r.live && r.session.domain.as_deref() == Some(name)).collect::<Vec<_>>()
    };
    if args.json {
        let domains: Vec<_> = registry
            .domains
            .iter()
            .map(|d| {
                json!({
                    "name": d.name, "description": d.description, "mode": d.mode,
                    "scope": d.scope.iter().map(|p| p.glob()).collect::<Vec<_>>(),
                    "exclude": d.exclude.iter().map(|p| p.glob()).collect::<Vec<_>>(),
                    "sessions": in_domain(&d.name).iter().map(|r| r.session.session_id.as_str()).collect::<Vec<_>>(),
                    "leases": held_by(&d.name),
                })
            })
            .collect();
        out.json(&json!({
            "node": registry.name, "root": here.layout.root, "paused": paused, "fault": registry.fault,
            "damaged": faults, "domains": domains, "foreign_leases": foreign,
        }));
        return Ok(Outcome::Done);
    }
    out.line(format!(
        "node {}  {}",
        out.ink(Ink::Bold, &one_line(&registry.name, 60)),
        here.layout.root.display()
    ));
    if let Some(pause) = &paused {
        let why = if pause.reason.is_empty() {
            String::new()
        } else {
            format!(": {}", one_line(&pause.reason, 200))
        };
        out.line(format!(
            "{} since {}{why}; `comm-node resume` ends it",
            out.ink(Ink::Yellow, "PAUSED"),
            pause.since
        ));
    }
    if let Some(fault) = &registry.fault {
        out.line(format!(
            "{} comm-node.yaml:{}:{}: {}; the last good rules stay in force",
            out.ink(Ink::Red, "FAULT"),
            fault.line,
            fault.column,
            one_line(&fault.message, 400)
        ));
    }
    for fault in &faults {
        out.line(format!("{} {fault}", out.ink(Ink::Red, "FAULT")));
    }
    let cells: Vec<Vec<String>> = registry
        .domains
        .iter()
        .map(|d| {
            let live = in_domain(&d.name);
            let ids: Vec<&str> = live.iter().map(|r| r.session.session_id.short()).collect();
            vec![
                d.name.to_string(),
                format!("{:?}", d.mode).to_lowercase(),
                if ids.is_empty() { "-".into() } else { ids.join(" ") },
                held_by(&d.name).to_string(),
                scope(d).replace('`', ""),
            ]
        })
        .collect();
    out.table(
        &["DOMAIN", "MODE", "LIVE SESSIONS", "LEASES", "SCOPE"],
        &cells,
        "no domains yet; `comm-node init` proposes some",
    );
    let loose = rows.iter().filter(|r| r.live && r.session.domain.is_none()).count();
    if loose > 0 {
        out.line(format!("{loose} live session(s) bound to no domain; `comm-node sessions` lists them"));
    }
    for lease in foreign.iter().take(FOREIGN) {
        let path = one_line(&lease.path, 200);
        out.line(format!("{path} in this session's scope is held by {}", lease.holder.describe()));
    }
    if foreign.len() > FOREIGN {
        out.line(format!("and {} more; `comm-node locks` lists them", foreign.len() - FOREIGN));
    }
    Ok(Outcome::Done)
}
