//! PostToolUse, PostToolUseFailure and PostToolBatch: the record of what was really written, and
//! the end or the confirmation of the leases that were taken for it. After a shell command: what it changed,
//! and what a commit frees.

use std::path::PathBuf;

use comm_node_core::Result;
use comm_node_core::clock::Now;
use comm_node_core::deadline::Deadline;
use comm_node_core::guard::{self, Binding, shown};
use comm_node_core::node::locate;
use comm_node_core::node::registry::Mode;
use comm_node_core::session::Session;
use comm_node_core::store::Event;

use super::pre_tool_use::{is_shell, named_paths, resolve};
use crate::Hook;
use crate::after;
use crate::answer::Answer;
use crate::bind;
use crate::budget::{self, After};
use crate::commit;
use crate::lease;
use crate::mail;
use crate::meter;
use crate::scene::{Scene, Surroundings};
use crate::wire::Call;

/// The hook program.
pub const HOOK: Hook = Hook { program: "comm-node-post-tool-use", gate: false, run };

fn run(call: &Call<'_>, around: &Surroundings, deadline: Deadline) -> Result<Answer> {
    if is_shell(&call.tool_name) {
        // What it wrote is leased first, and what it then committed is free.
        let told = after::ended(call, around, deadline);
        commit::freed(call, around, deadline)?;
        return told;
    }
    let Some(scene) = Scene::of_session(call, around, deadline)? else { return Ok(Answer::Silent) };
    let session = bind::session(&scene, call, around, deadline)?;
    match &*call.hook_event_name {
        "PostToolUse" => wrote(&scene, &session, call, around, deadline),
        "PostToolUseFailure" => {
            undone(&scene, &session, call, call, around, deadline)?;
            Ok(Answer::Silent)
        }
        // It also comes after calls that a person or another hook refused, for which nothing else
        // does.
        "PostToolBatch" => {
            for one in &call.tool_calls {
                if is_shell(&one.tool_name) {
                    after::refused(&scene, &session, call, one, deadline)?;
                } else {
                    undone(&scene, &session, call, one, around, deadline)?;
                }
            }
            let metered = meter::at_batch(&scene, &session, call, around, deadline);
            scene.store.look_out_sometimes(&session.session_id, deadline);
            // What can't be read of budgets is the guard's to report, at the edit that it concerns.
            let first = match budget::at_batch(&scene, &session, call, metered, deadline) {
                Ok(After::Say(text)) => text,
                Ok(After::End(answer)) => {
                    // What stands in the drop box goes out all the same.
                    mail::route(&scene, &session, call, deadline);
                    return Ok(answer);
                }
                Err(_) => String::new(),
            };
            mail::at_batch(&scene, &session, call, &first, deadline)
        }
        _ => Ok(Answer::Silent),
    }
}

/// Records what a call wrote, and confirms its leases.
fn wrote(
    scene: &Scene,
    session: &Session,
    call: &Call<'_>,
    around: &Surroundings,
    deadline: Deadline,
) -> Result<Answer> {
    let off = matches!(guard::binding(&scene.registry, session), Binding::Domain(d) if d.mode == Mode::Off);
    let mut conflicts = Vec::new();
    for real in paths(scene, call, around)? {
        let event = Event {
            event: "wrote",
            session: session.session_id.as_str(),
            agent: call.agent_id.as_deref().unwrap_or_default(),
            domain: session.domain.as_deref().unwrap_or_default(),
            task: session.task.as_deref().unwrap_or_default(),
            tool: &call.tool_name,
            call: &call.tool_use_id,
            path: &shown(&scene.layout.root, &real),
            ..Event::default()
        };
        scene.store.log(&event)?;
        // What is outside the node is of no use to whoever goes on here.
        if !event.path.starts_with('/') {
            scene.store.touch(&session.session_id, event.path)?;
        }
        if off {
            continue;
        }
        let place = locate(&scene.registry, &real);
        if let Some(conflict) = lease::confirm(scene, session, call, &[&place], deadline)? {
            let words = conflict.describe(Now::read());
            scene.store.log(&Event { event: "written_twice", rule: "lease", note: &words, ..event })?;
            conflicts.push(words);
        }
    }
    if conflicts.is_empty() {
        return Ok(Answer::Silent);
    }
    let text = format!(
        "comm-node: this write met another agent's lease, so both may have changed the file: {}. Look at the file \
         again before going on, and tell the user.",
        conflicts.join("; ")
    );
    Ok(Answer::Context { event: "PostToolUse", text })
}

/// Gives back what `one`, a call of the agent that `call` is about, took and did not use. What was
/// confirmed meanwhile stays.
fn undone(
    scene: &Scene,
    session: &Session,
    call: &Call<'_>,
    one: &Call<'_>,
    around: &Surroundings,
    deadline: Deadline,
) -> Result<()> {
    let named = Call {
        cwd: call.cwd.clone(),
        tool_name: one.tool_name.clone(),
        tool_input: one.tool_input,
        ..Call::default()
    };
    // A refused call may hold anything; what can't be read took nothing.
    for real in paths(scene, &named, around).unwrap_or_default() {
        let place = locate(&scene.registry, &real);
        lease::give_back(scene, session, call, &one.tool_use_id, &[&place], deadline)?;
    }
    Ok(())
}

fn paths(scene: &Scene, call: &Call<'_>, around: &Surroundings) -> Result<Vec<PathBuf>> {
    let mut out = Vec::new();
    for raw in named_paths(call, &scene.registry)?.unwrap_or_default() {
        out.extend(resolve(call, around, &raw)?.into_iter().map(|path| path.real));
    }
    Ok(out)
}
