//! The drop box: the command line sends what agents left there.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use comm_node_core::clock;
use comm_node_core::deadline::Deadline;
use comm_node_core::session::Session;

use crate::child::{self, Late, Until};
use crate::scene::{self, Scene};
use crate::wire::{Call, EditInput};

/// How long it may take, behind what it waits for.
const ROUTING: Duration = Duration::from_millis(2_000);
/// How long it may wait at the end of a turn for a file that was written just now.
const SETTLING: Duration = Duration::from_millis(1_300);
/// How long one file may take.
const MARGIN: Duration = Duration::from_millis(200);
/// What is said of it, in bytes.
const MAX_ROUTED: usize = 3_000;

/// Has the command line beside this program send what waits in the drop box, and what a sender that died
/// left. Returns what it says: the agent reads it, and a message that could not be sent is not lost.
///
/// What somebody else wrote just now is left to the hook of whoever did. At the end of a turn, behind which there may be no
/// hook for long, it is waited for.
pub(crate) fn route(scene: &Scene, session: &Session, call: &Call<'_>, deadline: Deadline) -> String {
    let mail = scene.store.mail();
    let names = mail.dropped().unwrap_or_default();
    let wrote = if names.is_empty() { Vec::new() } else { wrote(scene, call) };
    let ends = call.hook_event_name == "Stop";
    let waits = |name: &String| ends || wrote.contains(name) || mail.rests(name);
    if !names.iter().any(waits) && !mail.is_interrupted() {
        return String::new();
    }
    let Some(program) = scene::command_line().ok() else { return String::new() };
    let mut command = Command::new(program);
    command
        .arg("route")
        .arg("--node")
        .arg(&scene.layout.root)
        .args(["--session", session.session_id.as_str()]);
    for name in &wrote {
        // In one piece: a name may begin like an option.
        command.arg(["--wrote=", name].concat());
    }
    let mut span = ROUTING;
    if ends && !names.is_empty() {
        command.arg("--settle");
        span += SETTLING;
    }
    let limit = deadline.at_most(span);
    // What it can't begin in time, a later hook sends; what it can't tell in time, the agent would send again.
    let heard = u64::try_from(limit.left().saturating_sub(MARGIN).as_millis()).unwrap_or(0);
    command.arg(["--until=", &clock::now_ms().saturating_add(heard).to_string()].concat());
    let said = child::run(&mut command, None, MAX_ROUTED, (limit, Late::Killed), Until::Late);
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
