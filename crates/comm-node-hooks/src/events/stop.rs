//! Stop: the main loop ends its turn. Frees what was committed in it, and what its subagents held
//! that ended unheard, and looks at what commands in the background changed. The turn goes on where a
//! question that holds another agent up is unanswered, where a task's criteria are open, and where its stop gate fails.

use comm_node_core::Result;
use comm_node_core::deadline::Deadline;

use crate::Hook;
use crate::after;
use crate::answer::Answer;
use crate::commit;
use crate::done;
use crate::lease;
use crate::mail;
use crate::meter;
use crate::scene::{Scene, Surroundings};
use crate::turn;
use crate::wire::Call;

/// The hook program.
pub const HOOK: Hook = Hook { program: "comm-node-stop", gate: false, run };

fn run(call: &Call<'_>, around: &Surroundings, deadline: Deadline) -> Result<Answer> {
    let Some(scene) = Scene::of_session(call, around, deadline)? else { return Ok(Answer::Silent) };
    let Some(session) = commit::at_turn(&scene, call, around, deadline)? else { return Ok(Answer::Silent) };
    if call.is_alone() {
        lease::release_subagents(&scene, &session, deadline)?;
    }
    meter::at_turn(&scene, &session, call, around, deadline);
    // Before the turn ends: whoever watches the mailbox would announce to an idle session what it was told already.
    let waiting = mail::seen_at_stop(&scene, &session);
    if call.subagent().is_none() {
        // Before all that may let it go on.
        turn::ends(&scene, &session, deadline)?;
        scene.store.look_out_sometimes(&session.session_id, deadline);
        let told = after::at_turn(&scene, call, around, deadline, "Stop")?;
        if told != Answer::Silent {
            return Ok(told);
        }
    }
    match mail::at_stop(&scene, &session, call, waiting?, deadline)? {
        Answer::Silent => done::at_stop(&scene, &session, call, around, deadline),
        told => Ok(told),
    }
}
