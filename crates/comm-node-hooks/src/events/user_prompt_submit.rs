//! UserPromptSubmit: the person sent a prompt, and may have committed something before. Says nothing.

use comm_node_core::Result;
use comm_node_core::deadline::Deadline;

use crate::Hook;
use crate::answer::Answer;
use crate::commit;
use crate::scene::{Scene, Surroundings};
use crate::wire::Call;

/// The hook program.
pub const HOOK: Hook = Hook { program: "comm-node-user-prompt-submit", gate: false, run };

fn run(call: &Call<'_>, around: &Surroundings, deadline: Deadline) -> Result<Answer> {
    if let Some(scene) = Scene::of_session(call, around, deadline)? {
        // What is wrong with the state is the guard's to report; a prompt is no place for it.
        let _ = commit::at_turn(&scene, call, around, deadline);
    }
    Ok(Answer::Silent)
}
