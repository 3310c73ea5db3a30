//! One module per hook event; each has its `HOOK`.

pub mod config_change;
pub mod post_tool_use;
pub mod pre_compact;
pub mod pre_tool_use;
pub mod session_end;
pub mod session_start;
pub mod stop;
pub mod subagent_start;
pub mod subagent_stop;
pub mod user_prompt_submit;

use comm_node_core::Result;
use comm_node_core::deadline::Deadline;
use comm_node_core::session::SessionId;

use crate::answer::Answer;
use crate::scene::{Scene, Surroundings};
use crate::wire::Call;

/// All that some events have to do so far: the session is alive.
fn heartbeat(call: &Call<'_>, around: &Surroundings, deadline: Deadline) -> Result<Answer> {
    if let Some(scene) = Scene::of_session(call, around, deadline)? {
        scene.store.heartbeat(&SessionId::new(&call.session_id)?);
    }
    Ok(Answer::Silent)
}
