//! What comm-node itself knows of a task that is handed over, and what it does about earlier hand-offs of it.

use anyhow::{Result, bail};
use comm_node_core::handoff::{self, Handoff};
use comm_node_core::lease::{Lease, Mode};
use comm_node_core::session::{Session, SessionId};
use comm_node_core::store::{Event, Shelf};
use comm_node_core::text::one_line;

use super::address::Address;
use super::write::Args;
use crate::env::Env;
use crate::handing::{self, on_shelf, standing, working_dir};
use crate::here::Here;
use crate::mailing::Me;

/// Files that are named as not committed.
const MAX_DIRTY: usize = 50;
/// A file's name is shown up to this many characters.
const MAX_PATH: usize = 4096;

/// Fills in what comm-node knows itself; returns what the session wrote.
pub(super) fn facts(
    here: &Here,
    env: &Env,
    handoff: &mut Handoff,
    session: Option<&Session>,
) -> Result<Vec<String>> {
    let standing = standing(&working_dir(env));
    handoff.head.branch = standing.branch;
    handoff.head.commit = standing.commit;
    let Some(session) = session else { return Ok(handoff.files.clone()) };
    let id = &session.session_id;
    let touched = here.store.touched(id)?;
    let named = |path: &String| one_line(path, MAX_PATH).into_owned();
    handoff.files = touched.iter().take(handoff::MAX_ITEMS).map(named).collect();
    // What others left lying about is not this task's.
    let mine = |path: &String| touched.iter().any(|t| t == path || t.ends_with(&format!("/{path}")));
    handoff.head.dirty = standing.dirty.into_iter().filter(mine).take(MAX_DIRTY).collect();
    let (leases, _) = here.store.leases().list()?;
    // One that was shared is given back too; whoever goes on is not to hold it alone.
    let mine = |lease: &Lease| lease.holder.session.as_ref() == Some(id) && lease.mode == Mode::Exclusive;
    let held = leases.into_iter().filter(mine);
    handoff.head.released = held.map(|lease| lease.path).collect();
    handoff.head.released.sort_unstable();
    handoff.head.released.dedup();
    handoff.head.released.truncate(handoff::MAX_ITEMS);
    Ok(touched)
}

/// The hand-off of `task` that this session took.
pub(super) fn taken(here: &Here, me: &Me, task: &str) -> Result<Option<handing::Found>> {
    let mine = |found: &handing::Found| {
        found.task() == task && handoff::head(&found.text).taken_by.as_deref() == Some(me.session.as_str())
    };
    Ok(on_shelf(here, &me.name, Shelf::Taken, usize::MAX)?.into_iter().find(mine))
}

/// Sees to it that nobody else's hand-off of the same task is lost. What this session wrote before is
/// replaced, and its files stay on the list.
pub(super) fn make_room(
    args: &Args,
    here: &Here,
    me: &Me,
    address: &Address,
    handoff: &mut Handoff,
) -> Result<()> {
    let same = |found: &handing::Found| found.task() == args.task;
    let taken = on_shelf(here, &address.domain, Shelf::Taken, usize::MAX)?.into_iter().find(same);
    if let Some(other) = taken.and_then(|found| found.taker(here)).filter(|id| *id != me.session) {
        bail!(
            "not written: session {} works on {} right now; send it a message, or use another name for the task",
            other.short(),
            args.task
        );
    }
    let Some(open) = on_shelf(here, &address.domain, Shelf::Open, usize::MAX)?.into_iter().find(same) else {
        return Ok(());
    };
    let head = handoff::head(&open.text);
    let own = head.session.as_deref() == Some(me.session.as_str());
    if !own && !args.replace {
        let from = one_line(head.from.as_deref().unwrap_or("somebody"), 60).into_owned();
        bail!(
            "not written: {} waits already (from {from}); `comm-node handoff show {}` shows it, --replace puts this \
             one in its place",
            open.shown,
            args.task
        );
    }
    if let (true, Ok(before)) = (own, &open.read) {
        let more = before.files.iter().filter(|path| !handoff.files.contains(path)).cloned();
        handoff.files = more.chain(handoff.files.clone()).take(handoff::MAX_ITEMS).collect();
    }
    if let Some(handed) = &open.handed {
        here.store.handoffs().shift(handed, Shelf::Done)?;
        here.log(&Event {
            event: "handoff_replaced",
            session: session_name(me),
            note: &args.task,
            ..Event::default()
        });
    }
    Ok(())
}

fn session_name(me: &Me) -> &str {
    if me.is_person() { "" } else { SessionId::as_str(&me.session) }
}
