//! After a shell command: what it wrote is leased, what it took and did not write is given back, and where
//! nobody could know beforehand, what really changed is judged as an edit would have been.
//!
//! All of this is for commands that the guard put on record; for the others it costs one look into a file.
//! The write has happened, so nothing here refuses: the agent is told in the same turn, and the log is.

mod blame;
mod changes;
mod look;
mod report;
mod state;

use std::path::Path;

use comm_node_core::Result;
use comm_node_core::clock;
use comm_node_core::deadline::Deadline;
use comm_node_core::node::registry::Layout;
use comm_node_core::node::{Place, locate};
use comm_node_core::session::{Session, SessionId};
use comm_node_core::store::{CallRecord, OpenCall, Store};

use crate::answer::Answer;
use crate::bind;
use crate::lease;
use crate::scene::{Scene, Surroundings};
use crate::wire::Call;
use look::Look;

/// A look at what a command did never takes longer.
const LOOK_MS: u64 = 60_000;

/// PostToolUse and PostToolUseFailure of a shell tool.
///
/// # Errors
/// When the record, the rules or the leases can't be read or written.
pub(crate) fn ended(call: &Call<'_>, around: &Surroundings, deadline: Deadline) -> Result<Answer> {
    let Some(layout) = Scene::place_of_session(call, around)? else { return Ok(Answer::Silent) };
    let Ok(session_id) = SessionId::new(&call.session_id) else { return Ok(Answer::Silent) };
    let Some(record) = Store::new(layout.state()).read_call(&session_id, &call.tool_use_id, deadline)? else {
        return Ok(Answer::Silent);
    };
    // The record's lock may have been waited for meanwhile.
    let scene = Scene::load(Layout::at(layout.root), deadline)?;
    // A person, or the client when it takes long, may move it there at any time.
    let background = record.background || call.bash_changes().background_task_id.is_some();
    if background && call.hook_event_name == "PostToolUse" {
        // It has only begun; what it took beforehand is its own while it runs.
        let session = bind::session(&scene, call, around, deadline)?;
        let places = places(&scene, &record);
        let _ = lease::confirm(&scene, &session, call, &refs(&places), deadline)?;
        let record = CallRecord { started: true, background, ..record };
        scene.store.write_call(&session_id, record, deadline)?;
        return Ok(Answer::Silent);
    }
    // Another installed copy of this hook answers the same call.
    if !scene.store.end_call(&session_id, &record.id, deadline)? {
        return Ok(Answer::Silent);
    }
    let event =
        if call.hook_event_name == "PostToolUseFailure" { "PostToolUseFailure" } else { "PostToolUse" };
    let store = scene.store.clone();
    let told = Look::new(call, around, deadline, &record).back(scene, event);
    store.remove_call(&session_id, &record.id, deadline)?;
    told
}

/// PostToolBatch: `one`, a call of the agent that `call` is about, was refused by somebody else.
///
/// # Errors
/// When the record or the leases can't be read or written.
pub(crate) fn refused(
    scene: &Scene,
    session: &Session,
    call: &Call<'_>,
    one: &Call<'_>,
    deadline: Deadline,
) -> Result<()> {
    let (id, of) = (&*one.tool_use_id, &session.session_id);
    let record = scene.store.read_call(of, id, deadline)?;
    let Some(record) = record.filter(|record| !record.started) else { return Ok(()) };
    if scene.store.end_call(of, id, deadline)? {
        scene.store.remove_call(of, id, deadline)?;
        lease::give_back(scene, session, call, id, &refs(&places(scene, &record)), deadline)?;
    }
    Ok(())
}

/// Where a turn begins or ends: looks at commands in the background, whose end is no event. Where it ends,
/// those of the main loop that were never heard of again are forgotten, because somebody refused them.
///
/// # Errors
/// As [`ended`].
pub(crate) fn at_turn(
    scene: &Scene,
    call: &Call<'_>,
    around: &Surroundings,
    deadline: Deadline,
    event: &'static str,
) -> Result<Answer> {
    let store = &scene.store;
    let Ok(of) = SessionId::new(&call.session_id) else { return Ok(Answer::Silent) };
    let mut texts = Vec::new();
    for OpenCall { ended_ms, record, .. } in store.calls_of(&of, deadline) {
        let id = &*record.id;
        if let Some(ended_ms) = ended_ms {
            // Who looked at what it did has died of it.
            if clock::now_ms().abs_diff(ended_ms) > LOOK_MS {
                store.remove_call(&of, id, deadline)?;
            }
            continue;
        }
        let one = Call {
            session_id: call.session_id.clone(),
            cwd: record.cwd.clone().into(),
            agent_id: record.agent.clone().map(Into::into),
            tool_name: record.tool.clone().into(),
            tool_use_id: record.id.clone().into(),
            ..Call::default()
        };
        if !record.started {
            // A subagent may still be waiting for its own.
            let is_over = event == "Stop" && (record.agent.is_none() || call.is_alone());
            if is_over && store.end_call(&of, id, deadline)? {
                store.remove_call(&of, id, deadline)?;
                let session = bind::session(scene, call, around, deadline)?;
                lease::give_back(scene, &session, &one, id, &refs(&places(scene, &record)), deadline)?;
            }
            continue;
        }
        if !store.end_call(&of, id, deadline)? {
            continue;
        }
        let goes_on = call.runs_shells();
        if goes_on {
            // What is told now is not told again.
            let next = CallRecord { began_ns: 0, leased: Vec::new(), ..record.clone() };
            store.write_call(&of, next, deadline)?;
        }
        let own = Scene::load(Layout::at(scene.layout.root.clone()), deadline)?;
        let told = Look::new(&one, around, deadline, &record).back(own, event);
        if !goes_on {
            store.remove_call(&of, id, deadline)?;
        }
        if let Answer::Context { text, .. } = told? {
            texts.push(text);
        }
    }
    if texts.is_empty() {
        return Ok(Answer::Silent);
    }
    Ok(Answer::Context { event, text: texts.join("\n") })
}

fn places(scene: &Scene, record: &CallRecord) -> Vec<Place> {
    record.leased.iter().map(|path| locate(&scene.registry, Path::new(path))).collect()
}

fn refs(places: &[Place]) -> Vec<&Place> {
    places.iter().collect()
}
