//! A session's side: work for the domain, read what is asked of it, report ready.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use comm_node_core::brief::{self, Brief};
use comm_node_core::deadline::Deadline;
use comm_node_core::guard;
use comm_node_core::kickoff::{self, Kickoff};
use comm_node_core::mail::{Ulid, frame};
use comm_node_core::node::registry::Registry;
use comm_node_core::session::{Session, SessionId};
use comm_node_core::{clock, text};

use super::roll;
use crate::Outcome;
use crate::commands::join::{bind, domain};
use crate::env::Env;
use crate::here::{Here, session_of_caller};
use crate::mailing::{self, Me, PATIENCE};
use crate::out::Out;

/// How often it is looked whether all may begin.
const TICK: Duration = Duration::from_millis(200);

/// Runs the command.
pub(super) fn run(name: &str, wait: Option<u64>, as_json: bool, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    let registry = here.registry()?;
    let domain = domain(&registry, name)?;
    let Some(id) = session_of_caller(env, &here.store)? else {
        bail!(
            "this is for a session, and is not run inside one: start Claude Code and let it run this, or type /kickoff {0} there; \
             a person calls all domains with `comm-node kickoff --goal '…'`",
            domain.name
        );
    };
    let session = bind(env, &here, domain, &id, true, false)?;
    let mut kickoff = report(&here, &registry, name, &id)?;
    if !as_json {
        out.line(brief_of(&here, &registry, &session)?);
        let of_others = |kickoff: &Kickoff| {
            !kickoff.members.contains_key(name) && !kickoff::coordinators(&registry).contains(&name)
        };
        if let Some(kickoff) = kickoff.as_ref().filter(|kickoff| !of_others(kickoff)) {
            out.line("\nThe kickoff, from the person:");
            out.raw(frame::quoted(&kickoff::text(kickoff, domain)));
            if !kickoff.brief.is_empty() && !kickoff::text(kickoff, domain).contains(kickoff.brief.trim()) {
                out.line("\nThe brief:");
                out.raw(frame::quoted(kickoff.brief.trim()));
            }
        }
    }
    if let (Some(seconds), Some(now)) = (wait, &kickoff)
        && now.members.contains_key(name)
    {
        kickoff = until_started(&here, now.clone(), name, Duration::from_secs(seconds))?;
    }
    // It is said here, and need not be said by a message once more.
    let started = kickoff.as_ref().and_then(|kickoff| kickoff.members.get(name)?.start.as_deref());
    if let Some(message) = started.and_then(Ulid::parse) {
        here.store.mail().acknowledge(name, message, &id)?;
    }
    if as_json {
        out.json(&kickoff.as_ref().map(roll::view));
        return Ok(Outcome::Done);
    }
    let waiting = here.store.mail().waiting(name)?.len();
    if waiting > 0 {
        out.line(format!("\n{waiting} more message(s) wait: `comm-node inbox` lists them"));
    }
    out.line(String::new());
    let waits = kickoff::coordinators(&registry).contains(&name);
    out.line(outcome(name, kickoff.as_ref(), waits));
    Ok(Outcome::Done)
}

/// How it stands with this domain, in words.
fn outcome(name: &str, kickoff: Option<&Kickoff>, waits: bool) -> String {
    let Some(kickoff) = kickoff else {
        return "No kickoff is under way; this session works for the domain, and can begin with what it is asked for."
            .to_owned();
    };
    let Some(member) = kickoff.members.get(name) else {
        if waits && kickoff.woken.contains_key(name) {
            return "All other domains are done; the message about it says what comes next.".to_owned();
        }
        if waits {
            return "This domain brings the others' work together, and is told by a message when all are done. Change \
                    nothing yet."
                .to_owned();
        }
        return format!("The kickoff under way is not for domain {name}.");
    };
    if member.start.is_some() {
        return format!(
            "START: {}. Begin with this domain's part; when it is done: `comm-node kickoff --done`.",
            text::one_line(&kickoff.goal, kickoff::MAX_GOAL)
        );
    }
    format!(
        "Reported ready. Missing: {}. Change nothing yet: START comes as a message; `comm-node kickoff {name} --wait 90s` \
         waits for it.",
        kickoff.missing().join(", ")
    )
}

/// Puts on record that the domain is ready, and starts all if it was the last one. What it was sent is read.
fn report(here: &Here, registry: &Registry<'_>, name: &str, id: &SessionId) -> Result<Option<Kickoff>> {
    let _lock = roll::lock(here)?;
    let Some(mut kickoff) = here.store.read_kickoff()? else { return Ok(None) };
    let Some(member) = kickoff.members.get_mut(name) else { return Ok(Some(kickoff)) };
    let message = member.message.as_deref().and_then(Ulid::parse);
    let news = member.ready.is_none() || member.session.as_deref() != Some(id.as_str());
    if news {
        member.session = Some(id.to_string());
        member.ready = Some(clock::rfc3339(clock::now_ms()));
        here.store.write_kickoff(&kickoff)?;
        let me = Me { name: name.to_owned(), session: id.clone() };
        mailing::log(here, &me, "kickoff_ready", &kickoff.id);
    }
    if let Some(message) = message {
        // A message that its sender died over is delivered by this, and not after it was read here.
        here.store.mail().recover(Deadline::after(PATIENCE))?;
        here.store.mail().acknowledge(name, message, id)?;
    }
    roll::go_on(here, registry, &mut kickoff)?;
    Ok(Some(kickoff))
}

/// Waits until the domain may begin.
fn until_started(here: &Here, mut now: Kickoff, name: &str, patience: Duration) -> Result<Option<Kickoff>> {
    let end = Instant::now() + patience;
    let began = |kickoff: &Kickoff| kickoff.members.get(name).is_some_and(|member| member.start.is_some());
    while !began(&now) && Instant::now() < end {
        std::thread::sleep(TICK);
        let Some(fresh) = roll::current(here)? else { bail!("the kickoff's record is gone") };
        if fresh.id != now.id {
            bail!("another kickoff took its place; run `comm-node kickoff {name}` again");
        }
        now = fresh;
    }
    Ok(Some(now))
}

/// What a session of the domain is told when it starts.
fn brief_of(here: &Here, registry: &Registry<'_>, session: &Session) -> Result<String> {
    let now = clock::now_ms();
    let others = here.store.sessions()?.into_iter().flatten();
    let live: Vec<String> = others
        .filter(|(s, heartbeat)| s.session_id != session.session_id && s.is_live(*heartbeat, now))
        .filter_map(|(s, _)| s.domain)
        .collect();
    let paused = here.store.paused();
    Ok(brief::session(&Brief {
        registry,
        binding: guard::binding(registry, session),
        live: &live,
        foreign: &[],
        more_foreign: false,
        paused: paused.as_ref(),
        stale: false,
    }))
}
