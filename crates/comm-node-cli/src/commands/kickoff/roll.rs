//! How far a kickoff got, and START.

use anyhow::{Result, bail};
use comm_node_core::clock;
use comm_node_core::deadline::Deadline;
use comm_node_core::kickoff::Kickoff;
use comm_node_core::mail::{Draft, HUMAN, Kind, Priority};
use comm_node_core::session::SessionId;
use comm_node_core::store::Lock;
use comm_node_core::text::one_line;
use serde_json::{Value, json};

use super::done;
use crate::Outcome;
use crate::env::Env;
use crate::here::Here;
use crate::mailing::{self, Me, PATIENCE};
use crate::out::{Ink, Out};

/// Keeps others from changing the kickoff meanwhile.
pub(super) fn lock(here: &Here) -> Result<Lock> {
    Ok(here.store.lock("kickoff", Deadline::after(PATIENCE))?)
}

/// The person, in whose name a kickoff speaks whoever made its roll complete.
pub(super) fn person() -> Result<Me> {
    Ok(Me { name: HUMAN.to_owned(), session: SessionId::new(HUMAN)? })
}

/// Sends START to everyone who is ready and has not got it. The caller holds the lock. What was sent is put on record
/// one by one: dying in between sends one twice, and none never.
pub(super) fn start(here: &Here, kickoff: &mut Kickoff) -> Result<Vec<String>> {
    let due = kickoff.to_start();
    let missing: Vec<String> = kickoff.missing().into_iter().map(str::to_owned).collect();
    let without = if missing.is_empty() {
        String::new()
    } else {
        format!(" Not there yet: {}.", one_line(&missing.join(", "), 200))
    };
    if kickoff.started.is_none() {
        kickoff.started = Some(clock::rfc3339(clock::now_ms()));
        kickoff.forced = !missing.is_empty();
    }
    let me = person()?;
    for name in &due {
        let said = Draft {
            to: vec![name.clone()],
            kind: Kind::Start,
            priority: Priority::High,
            body: format!(
                "START: {}.{without} Begin with your part; when it is done: `comm-node kickoff --done`.",
                one_line(&kickoff.goal, 200).trim_end_matches('.')
            ),
            ..Draft::default()
        };
        let message = mailing::send(here, &me, said)?;
        if let Some(member) = kickoff.members.get_mut(name) {
            member.start = Some(message.id.text());
        }
        here.store.write_kickoff(kickoff)?;
    }
    here.store.write_kickoff(kickoff)?;
    if !due.is_empty() {
        mailing::log(here, &me, "kickoff_started", &due.join(","))?;
    }
    Ok(due)
}

/// Runs `--status`. What somebody who died meanwhile left unsaid is said first.
pub(super) fn status(as_json: bool, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    done::finish(&here)?;
    let Some(kickoff) = here.store.read_kickoff()? else {
        if as_json {
            out.json(&Value::Null);
            return Ok(Outcome::Done);
        }
        bail!("there was no kickoff in this node; `comm-node kickoff --goal '…'` calls one");
    };
    if as_json {
        out.json(&view(&kickoff));
        return Ok(Outcome::Done);
    }
    out.line(format!("{}: {}", out.ink(Ink::Bold, kickoff.state()), one_line(&kickoff.goal, 200)));
    let now = clock::now_ms();
    let rows: Vec<Vec<String>> = kickoff
        .members
        .iter()
        .map(|(name, member)| {
            let since = member.ready.as_deref().and_then(clock::parse_rfc3339);
            vec![
                name.clone(),
                if member.done.is_some() {
                    "done"
                } else if member.start.is_some() {
                    "started"
                } else if member.ready.is_some() {
                    "ready"
                } else {
                    "missing"
                }
                .to_owned(),
                since.map_or_else(|| "-".to_owned(), |at| clock::span(now.saturating_sub(at))),
                member.session.as_deref().map_or("-", |id| id.get(..8).unwrap_or(id)).to_owned(),
            ]
        })
        .collect();
    out.table(&["DOMAIN", "STATE", "READY SINCE", "SESSION"], &rows, "no domain takes part");
    Ok(Outcome::Done)
}

/// A kickoff as JSON.
pub(super) fn view(kickoff: &Kickoff) -> Value {
    let mut value = json!(kickoff);
    value["state"] = kickoff.state().into();
    value["missing"] = kickoff.missing().into();
    value
}
