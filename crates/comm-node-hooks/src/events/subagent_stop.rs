//! SubagentStop: frees what the subagent held.
//!
//! The client also sends it after a compaction, for a subagent that never was; that frees nothing.

use comm_node_core::Result;
use comm_node_core::deadline::Deadline;
use comm_node_core::session::SessionId;

use crate::Hook;
use crate::answer::Answer;
use crate::lease;
use crate::meter;
use crate::scene::{Scene, Surroundings};
use crate::wire::Call;

/// The hook program.
pub const HOOK: Hook = Hook { program: "comm-node-subagent-stop", gate: false, run };

fn run(call: &Call<'_>, around: &Surroundings, deadline: Deadline) -> Result<Answer> {
    let Some(scene) = Scene::of_session(call, around, deadline)? else { return Ok(Answer::Silent) };
    let id = SessionId::new(&call.session_id)?;
    if let Some(session) = scene.session(&id)? {
        scene.store.heartbeat(&id);
        meter::at_batch(&scene, &session, call, around, deadline);
        lease::release_agent(&scene, &session, call, deadline)?;
    }
    Ok(Answer::Silent)
}
