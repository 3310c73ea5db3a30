//! How far a kickoff got, and START.

use anyhow::{Result, bail};
use comm_node_core::clock;
use comm_node_core::deadline::Deadline;
use comm_node_core::kickoff::{self, Kickoff};
use comm_node_core::mail::{Draft, HUMAN, Kind, Priority, Ulid};
use comm_node_core::node::registry::Registry;
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

/// The kickoff as it stands, after what a command that died began is finished.
pub(super) fn current(here: &Here) -> Result<Option<Kickoff>> {
    let Some(kickoff) = here.store.read_kickoff()?.filter(Kickoff::is_interrupted) else {
        return Ok(here.store.read_kickoff()?);
    };
    let registry = here.registry()?;
    let _lock = lock(here)?;
    let Some(mut kickoff) = here.store.read_kickoff()?.filter(|now| now.id == kickoff.id) else {
        return Ok(here.store.read_kickoff()?);
    };
    go_on(here, &registry, &mut kickoff)?;
    Ok(Some(kickoff))
}

/// Does what is due: calls who was not called, and starts who is ready if all are, or nobody waits for the others. The
/// caller holds the lock.
pub(super) fn go_on(here: &Here, registry: &Registry<'_>, kickoff: &mut Kickoff) -> Result<()> {
    if kickoff.calling {
        call(here, registry, kickoff)?;
    }
    if kickoff.is_started() || kickoff.missing().is_empty() {
        start(here, kickoff)?;
    }
    Ok(())
}

/// Sends each domain its message, under the id that is on record. The caller holds the lock.
pub(super) fn call(here: &Here, registry: &Registry<'_>, kickoff: &mut Kickoff) -> Result<()> {
    let me = person()?;
    for (name, member) in &kickoff.members {
        // Whoever reported ready has read what it would say; a domain that is gone from the rules reads nothing.
        let due = registry.domain(name).filter(|_| member.ready.is_none());
        let (Some(domain), Some(id)) = (due, member.message.as_deref().and_then(Ulid::parse)) else {
            continue;
        };
        let said = Draft {
            to: vec![name.clone()],
            kind: Kind::Kickoff,
            priority: Priority::High,
            detailed: true,
            body: kickoff::text(kickoff, domain),
            ..Draft::default()
        };
        mailing::send_once(here, &me, id, said)?;
    }
    kickoff.calling = false;
    here.store.write_kickoff(kickoff)?;
    mailing::log(here, &me, "kickoff_called", &kickoff.id);
    Ok(())
}

/// Sends START to everyone who is ready and has not got it. The caller holds the lock. The messages' ids are on record
/// before them, so that whoever goes on after a death sends none twice and leaves none out.
pub(super) fn start(here: &Here, kickoff: &mut Kickoff) -> Result<()> {
    let due = kickoff.to_start();
    let missing: Vec<String> = kickoff.missing().into_iter().map(str::to_owned).collect();
    let without = if missing.is_empty() {
        String::new()
    } else {
        format!(" Not there yet: {}.", one_line(&missing.join(", "), 200))
    };
    if due.is_empty() && kickoff.is_started() {
        return Ok(());
    }
    if kickoff.started.is_none() {
        kickoff.started = Some(clock::rfc3339(clock::now_ms()));
        kickoff.forced = !missing.is_empty();
    }
    let ids = here.store.mail().reserve(due.len(), Deadline::after(PATIENCE))?;
    for (name, id) in due.iter().zip(ids) {
        if let Some(member) = kickoff.members.get_mut(name) {
            member.starting.get_or_insert_with(|| id.text());
        }
    }
    here.store.write_kickoff(kickoff)?;
    let me = person()?;
    for name in &due {
        let Some(member) = kickoff.members.get_mut(name) else { continue };
        let Some(id) = member.starting.as_deref().and_then(Ulid::parse) else { continue };
        let said = Draft {
            to: vec![name.clone()],
            kind: Kind::Start,
            priority: Priority::High,
            // A goal may need more room than other messages have.
            detailed: true,
            body: format!(
                "START: {}.{without} Begin with your part; when it is done: `comm-node kickoff --done`.",
                one_line(&kickoff.goal, kickoff::MAX_GOAL).trim_end_matches('.')
            ),
            ..Draft::default()
        };
        mailing::send_once(here, &me, id, said)?;
        member.start = member.starting.take();
    }
    here.store.write_kickoff(kickoff)?;
    if !due.is_empty() {
        mailing::log(here, &me, "kickoff_started", &due.join(","));
    }
    Ok(())
}

/// The domains that have not reported ready and that no live session works for.
pub(super) fn unmanned(here: &Here, kickoff: &Kickoff) -> Result<Vec<String>> {
    let now = clock::now_ms();
    let manned: Vec<String> = here
        .store
        .sessions()?
        .into_iter()
        .flatten()
        .filter(|(session, heartbeat)| session.is_live(*heartbeat, now))
        .filter_map(|(session, _)| session.domain)
        .collect();
    let missing = kickoff.missing().into_iter().map(str::to_owned);
    Ok(missing.filter(|name| !manned.contains(name)).collect())
}

/// Runs `--status`. What somebody who died meanwhile left unsaid is said first.
pub(super) fn status(as_json: bool, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    done::finish(&here)?;
    let Some(kickoff) = current(&here)? else {
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
    let unmanned = unmanned(&here, &kickoff)?;
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
                } else if unmanned.contains(name) {
                    "missing, no session"
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
