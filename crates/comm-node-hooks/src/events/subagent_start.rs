//! SubagentStart: tells a subagent the scope that it inherits and what its role allows.

use comm_node_core::Result;
use comm_node_core::brief;
use comm_node_core::deadline::Deadline;
use comm_node_core::guard;

use crate::Hook;
use crate::answer::Answer;
use crate::bind;
use crate::commit;
use crate::scene::{Scene, Surroundings};
use crate::wire::Call;

/// The hook program.
pub const HOOK: Hook = Hook { program: "comm-node-subagent-start", gate: false, run };

fn run(call: &Call<'_>, around: &Surroundings, deadline: Deadline) -> Result<Answer> {
    let Some(scene) = Scene::of_session(call, around, deadline)? else { return Ok(Answer::Silent) };
    let session = bind::session(&scene, call, around, deadline)?;
    commit::note_new(&scene, &session, call, around, deadline)?;
    let binding = guard::binding(&scene.registry, &session);
    let roles = scene.roles(binding, &session, call)?;
    let text = brief::subagent(binding, &roles);
    Ok(text.map_or(Answer::Silent, |text| Answer::Context { event: "SubagentStart", text }))
}
