//! UserPromptSubmit: the person sent a prompt, and may have committed something before; or something in the
//! background ended. Says only what a command in the background did against the rules.

use comm_node_core::Result;
use comm_node_core::deadline::Deadline;

use crate::Hook;
use crate::after;
use crate::answer::Answer;
use crate::commit;
use crate::scene::{Scene, Surroundings};
use crate::wire::Call;

/// The hook program.
pub const HOOK: Hook = Hook { program: "comm-node-user-prompt-submit", gate: false, run };

fn run(call: &Call<'_>, around: &Surroundings, deadline: Deadline) -> Result<Answer> {
    let Some(scene) = Scene::of_session(call, around, deadline)? else { return Ok(Answer::Silent) };
    // What is wrong with the state is the guard's to report; a prompt is no place for it.
    let _ = commit::at_turn(&scene, call, around, deadline);
    let told = after::at_turn(&scene, call, around, deadline, "UserPromptSubmit");
    Ok(told.unwrap_or(Answer::Silent))
}
