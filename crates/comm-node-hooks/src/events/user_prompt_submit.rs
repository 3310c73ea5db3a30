//! UserPromptSubmit: the person sent a prompt, and may have committed something before; or something in the
//! background ended. Says what a command in the background did against the rules, and delivers mail;
//! nothing where there is neither.

use comm_node_core::Result;
use comm_node_core::deadline::Deadline;

use crate::Hook;
use crate::after;
use crate::answer::{Answer, MAX_CONTEXT};
use crate::budget;
use crate::commit;
use crate::mail;
use crate::reminder;
use crate::scene::{Scene, Surroundings};
use crate::wire::Call;

const EVENT: &str = "UserPromptSubmit";

/// The hook program.
pub const HOOK: Hook = Hook { program: "comm-node-user-prompt-submit", gate: false, run };

fn run(call: &Call<'_>, around: &Surroundings, deadline: Deadline) -> Result<Answer> {
    let Some(scene) = Scene::of_session(call, around, deadline)? else { return Ok(Answer::Silent) };
    // What is wrong with the state is the guard's to report; a prompt is no place for it.
    let session = commit::at_turn(&scene, call, around, deadline).ok().flatten();
    let told = after::at_turn(&scene, call, around, deadline, EVENT).unwrap_or(Answer::Silent);
    let Some(session) = session.filter(|_| call.subagent().is_none()) else { return Ok(told) };
    scene.store.open_turn(&session.session_id);
    scene.store.look_out_sometimes(&session.session_id, deadline);
    let first = budget::at_prompt(&scene, &session, deadline).unwrap_or_default();
    let told = before(first, told);
    // What is not worth a failure of the prompt: that it isn't told.
    let reminder = reminder::at_prompt(&scene, &session, call, around, deadline).unwrap_or_default();
    let report = match told {
        Answer::Context { text, .. } => text,
        _ => String::new(),
    };
    // What is told here is not told again, so it comes first; for the rest there is another prompt.
    let taken = report.chars().count() + reminder.chars().count() + 2;
    let mut offer = match mail::at_prompt(&scene, &session, MAX_CONTEXT.saturating_sub(taken)) {
        Ok(offer) => offer,
        Err(e) if report.is_empty() => return Err(e),
        Err(_) => return Ok(Answer::Context { event: EVENT, text: report }),
    };
    let mut text = std::mem::take(&mut offer.text);
    text.push_str(reminder);
    if !report.is_empty() {
        let between = if text.is_empty() { "" } else { "\n\n" };
        text = [&report, between, &text].concat();
    }
    if text.is_empty() {
        return Ok(Answer::Silent);
    }
    Ok(offer.give(Answer::Context { event: EVENT, text }))
}

/// What `told` says, with the line `first` before it.
fn before(first: String, told: Answer) -> Answer {
    let text = match told {
        told if first.is_empty() => return told,
        Answer::Context { text, .. } => first + "\n\n" + &text,
        _ => first,
    };
    Answer::Context { event: EVENT, text }
}
