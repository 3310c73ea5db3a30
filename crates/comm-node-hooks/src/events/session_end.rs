//! SessionEnd: the session's record moves to the ended ones, its domain has room again, and its
//! leases are free.

use std::time::Duration;

use comm_node_core::Result;
use comm_node_core::deadline::Deadline;
use comm_node_core::session::SessionId;
use comm_node_core::store::Event;

use crate::Hook;
use crate::answer::Answer;
use crate::lease;
use crate::meter;
use crate::scene::{Scene, Surroundings};
use crate::wire::Call;

/// How long it may wait, for locks above all: the client gives all hooks of this event a second and a half together, and may
/// kill them earlier where it is itself told to end.
const PATIENCE: Duration = Duration::from_millis(700);

/// The hook program.
pub const HOOK: Hook = Hook { program: "comm-node-session-end", gate: false, run };

fn run(call: &Call<'_>, around: &Surroundings, deadline: Deadline) -> Result<Answer> {
    let deadline = deadline.at_most(PATIENCE);
    let Some(scene) = Scene::of_session(call, around, deadline)? else { return Ok(Answer::Silent) };
    let id = SessionId::new(&call.session_id)?;
    let Some(session) = scene.session(&id)? else { return Ok(Answer::Silent) };
    // A session that another client resumed meanwhile has not ended. On `/clear` the successor has
    // yet to read what a person bound this session to; it ends the record itself.
    let mine = around.client.is_none_or(|pid| session.process.as_ref().is_none_or(|p| p.pid == pid));
    if !mine {
        return Ok(Answer::Silent);
    }
    meter::at_turn(&scene, &session, call, around, deadline.at_most(PATIENCE / 2));
    let mut freed = Ok(());
    if call.reason != "clear" {
        scene.store.end_session(&id)?;
        // Once the record says that the session ended, its leases count for nothing anyway.
        freed = lease::release_session(&scene, &session, deadline);
        // What is on record of its commands goes with it; what stays is pruned in time.
        let _ = scene.store.forget_calls(&id, deadline);
    }
    scene.store.log(&Event {
        event: "ended",
        session: id.as_str(),
        domain: session.domain.as_deref().unwrap_or_default(),
        note: &call.reason,
        ..Event::default()
    })?;
    freed.map(|()| Answer::Silent)
}
