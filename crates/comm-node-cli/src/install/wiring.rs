//! Which hook program answers which event: the one table that settings, plugin, doctor and tests
//! are made from.

use std::path::Path;

use crate::settings::edit::status_line::StatusLine;
use crate::settings::entry::{Group, Handler, Wanted};

/// One entry in the client's hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire {
    /// The client's event.
    pub event: &'static str,
    /// The tools it is for, where the event has any.
    pub matcher: Option<&'static str>,
    /// The program, without `comm-node-`.
    pub program: &'static str,
    /// Seconds until the client gives up.
    pub timeout: u32,
    /// What the client does when the program is missing, hangs or dies: true blocks the call. Only
    /// for the guard: a failing UserPromptSubmit must not swallow what a person typed.
    pub blocks: bool,
}

/// The tools that edit files or run shell commands. Only names and `|`, so the client compares whole names.
const WRITERS: &str = "Edit|Write|NotebookEdit|MultiEdit|Bash|PowerShell|Monitor";

const fn wire(event: &'static str, program: &'static str) -> Wire {
    Wire { event, matcher: None, program, timeout: 5, blocks: false }
}

/// The table.
pub const WIRES: &[Wire] = &[
    wire("SessionStart", "session-start"),
    wire("UserPromptSubmit", "user-prompt-submit"),
    Wire { matcher: Some(WRITERS), blocks: true, ..wire("PreToolUse", "pre-tool-use") },
    Wire { matcher: Some("^mcp__"), blocks: true, ..wire("PreToolUse", "pre-tool-use") },
    Wire { matcher: Some(WRITERS), ..wire("PostToolUse", "post-tool-use") },
    Wire { matcher: Some(WRITERS), ..wire("PostToolUseFailure", "post-tool-use") },
    // Comes after refused calls too, whose leases are given back, and after whatever tool: urgent mail is
    // told then.
    wire("PostToolBatch", "post-tool-use"),
    wire("SubagentStart", "subagent-start"),
    wire("SubagentStop", "subagent-stop"),
    // It runs the stop gate; `policy.gate_timeout` ends that before the client gives up.
    Wire { timeout: 600, ..wire("Stop", "stop") },
    wire("PreCompact", "pre-compact"),
    // Without `blocks`: after an uninstall the program is gone, and what it held back must go through.
    wire("ConfigChange", "config-change"),
    // The client gives all SessionEnd hooks together 1.5 seconds.
    Wire { timeout: 1, ..wire("SessionEnd", "session-end") },
];

/// What the model may do without asking: commands that only read, those that write nothing but comm-node's
/// working files and mail, and messages in the drop box. Each is named by itself: `comm-node resume`, `budget
/// grant` or `unlock --force` are a person's. (The client asks about every write below `.claude/` whatever a
/// rule says, so none is here for `.claude/mytasks/`.)
pub const RULES: &[&str] = &[
    "Bash(comm-node why:*)",
    "Bash(comm-node show:*)",
    "Bash(comm-node status:*)",
    "Bash(comm-node sessions:*)",
    "Bash(comm-node check:*)",
    "Bash(comm-node log:*)",
    "Bash(comm-node inbox:*)",
    "Bash(comm-node read:*)",
    "Bash(comm-node thread:*)",
    "Bash(comm-node sent:*)",
    "Bash(comm-node search:*)",
    "Bash(comm-node send:*)",
    "Bash(comm-node reply:*)",
    "Bash(comm-node ack:*)",
    "Bash(comm-node explain:*)",
    "Bash(comm-node locks:*)",
    "Bash(comm-node usage:*)",
    "Bash(comm-node budget)",
    "Bash(comm-node budget request:*)",
    "Bash(comm-node handoff:*)",
    "Bash(comm-node blocker add:*)",
    "Bash(comm-node blocker list:*)",
    "Bash(comm-node finding:*)",
    "Bash(comm-node known-issue:*)",
    "Bash(comm-node kickoff --done:*)",
    "Bash(comm-node plan:*)",
    "Bash(comm-node gate:*)",
    "Edit(//**/.comm-node/outbox/*.md)",
];

/// The command line's own program.
pub const CLI: &str = "comm-node";
/// The program of the status line.
pub const STATUS_LINE: &str = "comm-node-statusline";

/// The file names of all programs, the command line last.
#[must_use]
pub fn programs() -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for wire in WIRES {
        let name = file_name(&format!("comm-node-{}", wire.program));
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.push(file_name(STATUS_LINE));
    names.push(file_name(CLI));
    names
}

/// A program's file name on this system.
#[must_use]
pub fn file_name(program: &str) -> String {
    format!("{program}{}", std::env::consts::EXE_SUFFIX)
}

/// What a settings file must hold when the programs are in `bin`.
#[must_use]
pub fn wanted(bin: &Path) -> Wanted {
    let command = |program: &str| bin.join(file_name(program)).to_string_lossy().into_owned();
    let rules = RULES.iter().map(|r| (*r).to_owned()).collect();
    let status_line = StatusLine { program: command(STATUS_LINE), inherited: None };
    Wanted { events: groups(command), rules, status_line: Some(status_line) }
}

fn groups(command: impl Fn(&str) -> String) -> Vec<(&'static str, Vec<Group>)> {
    let mut events: Vec<(&'static str, Vec<Group>)> = Vec::new();
    for wire in WIRES {
        let handler = Handler {
            r#type: "command",
            command: command(&format!("comm-node-{}", wire.program)),
            args: Vec::new(),
            timeout: wire.timeout,
            on_failure: wire.blocks.then_some("block"),
        };
        let group = Group { matcher: wire.matcher.map(str::to_owned), hooks: vec![handler] };
        match events.iter_mut().find(|(event, _)| *event == wire.event) {
            Some((_, groups)) => groups.push(group),
            None => events.push((wire.event, vec![group])),
        }
    }
    events
}

/// The plugin's `hooks/hooks.json`, whose copy in the repository is checked against this.
///
/// # Errors
/// Never in practice: these values can always be written as JSON.
pub fn plugin_hooks() -> serde_json::Result<String> {
    let events = groups(|program| format!("${{CLAUDE_PLUGIN_ROOT}}/bin/{program}"));
    let mut out = String::from("{\n  \"hooks\": {\n");
    for (i, (event, groups)) in events.iter().enumerate() {
        let body = serde_json::to_string_pretty(groups)?.replace('\n', "\n    ");
        let comma = if i + 1 < events.len() { "," } else { "" };
        out.push_str(&format!("    \"{event}\": {body}{comma}\n"));
    }
    out.push_str("  }\n}\n");
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plugin_in_the_repository_is_this_table() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugin/hooks/hooks.json");
        let committed = std::fs::read_to_string(&here).unwrap_or_default();
        let wanted = plugin_hooks().expect("writes");
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            std::fs::write(&here, &wanted).expect("writes");
        } else {
            assert_eq!(committed, wanted, "run the test with UPDATE_FIXTURES=1 to write the file anew");
        }
    }

    #[test]
    fn every_program_is_listed_once() {
        let programs = programs();
        assert_eq!(programs.len(), 12, "{programs:?}");
        assert_eq!(programs.last().map(String::as_str), Some(file_name(CLI).as_str()));
    }

    #[test]
    fn only_the_guard_blocks() {
        for wire in WIRES {
            assert_eq!(wire.blocks, wire.event == "PreToolUse", "{wire:?}");
        }
    }
}
