//! What comm-node relies on in the client, one test per fact. When one fails on a new client, the design has to follow.

use std::path::Path;
use std::time::Duration;

use crate::hook::{Firing, Hooks};
use crate::settings::Settings;

mod monitors;
mod paths;
mod process;
mod sessions;
mod settings;
mod shell;

const SESSION: &str = "11111111-2222-4333-8444-555555555555";
/// For things that take the client a fraction of a second.
const SOON: Duration = Duration::from_secs(30);
const EVENTS: [&str; 13] = [
    "SessionStart",
    "UserPromptSubmit",
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "PostToolBatch",
    "SubagentStart",
    "SubagentStop",
    "Stop",
    "PreCompact",
    "PostCompact",
    "ConfigChange",
    "SessionEnd",
];

/// `program` on every event.
fn on_all(program: &Path) -> Settings {
    EVENTS.iter().fold(Settings::new(), |settings, event| settings.hook(event, None, program))
}

/// The paths that `PreToolUse` saw for `field`, in order.
fn seen(hooks: &Hooks, field: &str) -> Vec<String> {
    let firings = hooks.firings_of("PreToolUse");
    firings.iter().filter_map(|f| Some(f.input["tool_input"][field].as_str()?.to_owned())).collect()
}

fn string<'a>(firing: &'a Firing, field: &str) -> &'a str {
    firing.input[field].as_str().unwrap_or_default()
}

/// Event, source or reason, and whether the session is the one that was started first.
fn story(firings: &[Firing]) -> Vec<String> {
    let short = firings.iter().map(|f| {
        let why = ["source", "reason", "trigger"].map(|k| string(f, k)).concat();
        let same = if string(f, "session_id") == SESSION { "same" } else { "other" };
        format!("{} {why} {same}", f.event())
    });
    short.collect()
}
