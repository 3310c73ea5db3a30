//! The drop box: the command line sends what agents left there.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use comm_node_core::deadline::Deadline;
use comm_node_core::session::Session;

use crate::child::{self, Late, Until};
use crate::scene::{self, Scene};
use crate::wire::{Call, EditInput};

/// How long it may take.
const ROUTING: Duration = Duration::from_millis(2_000);
/// What is said of it, in bytes.
const MAX_ROUTED: usize = 3_000;

/// Has the command line beside this program send what waits in the drop box, and what a sender that died
/// left. Returns what it says: the agent reads it, and a message that could not be sent is not lost.
pub(crate) fn route(scene: &Scene, session: &Session, call: &Call<'_>, deadline: Deadline) -> String {
    let mail = scene.store.mail();
    let waits = mail.dropped().is_ok_and(|names| !names.is_empty());
    if !waits && !mail.is_interrupted() {
        return String::new();
    }
    let Some(program) = scene::command_line().ok() else { return String::new() };
    let mut command = Command::new(program);
    command
        .arg("route")
        .arg("--node")
        .arg(&scene.layout.root)
        .args(["--session", session.session_id.as_str()]);
    for name in wrote(scene, call) {
        // In one piece: a name may begin like an option.
        command.arg(["--wrote=", &name].concat());
    }
    // What it began, the next one finishes.
    let limit = (deadline.at_most(ROUTING), Late::Killed);
    let said = child::run(&mut command, None, MAX_ROUTED, limit, Until::Closed);
    said.ok().flatten().map(|said| String::from_utf8_lossy(&said.bytes).into_owned()).unwrap_or_default()
}

/// The files in the drop box that the calls of this batch wrote.
fn wrote(scene: &Scene, call: &Call<'_>) -> Vec<String> {
    let outbox = scene.store.dir().join("outbox");
    let calls = call.tool_calls.iter().chain(std::iter::once(call));
    let inputs =
        calls.filter(|one| matches!(&*one.tool_name, "Write" | "Edit")).filter_map(|one| one.tool_input);
    let paths = inputs.filter_map(|raw| serde_json::from_str::<EditInput<'_>>(raw.get()).ok()?.file_path);
    let names = paths.filter_map(|path| {
        let path = Path::new(path.as_str());
        Some(path.file_name()?.to_str()?.to_owned()).filter(|_| path.parent() == Some(&outbox))
    });
    names.collect()
}
