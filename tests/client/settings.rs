//! Hook entries as the installer writes them, for the `settings.json` of a test's own home.

use std::path::Path;

use serde_json::{Value, json};

/// The tools that write files by themselves.
pub(crate) const WRITERS: &str = "Edit|Write|NotebookEdit|MultiEdit";
/// The tools that the guard looks at: the writers and those that run commands.
pub(crate) const GUARDED: &str = "Edit|Write|NotebookEdit|MultiEdit|Bash|PowerShell|Monitor";

/// A `settings.json` in the making.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    json: Value,
}

impl Settings {
    /// Settings without a hook.
    pub(crate) fn new() -> Self {
        Self { json: json!({"hooks": {}}) }
    }

    /// Adds `program` for `event`: exec form, five seconds, and a failure of the program blocks.
    pub(crate) fn hook(self, event: &str, matcher: Option<&str>, program: impl AsRef<Path>) -> Self {
        let command = program.as_ref().to_str().expect("test programs have UTF-8 paths");
        self.entry(
            event,
            matcher,
            json!({"type": "command", "command": command, "args": [], "timeout": 5, "onFailure": "block"}),
        )
    }

    /// The guard: [`Self::hook`] on `PreToolUse` for [`WRITERS`].
    pub(crate) fn guard(self, program: impl AsRef<Path>) -> Self {
        self.hook("PreToolUse", Some(WRITERS), program)
    }

    /// Adds a hook exactly as given.
    pub(crate) fn entry(mut self, event: &str, matcher: Option<&str>, hook: Value) -> Self {
        let mut entry = json!({"hooks": [hook]});
        if let Some(matcher) = matcher {
            entry["matcher"] = matcher.into();
        }
        match &mut self.json["hooks"][event] {
            Value::Array(entries) => entries.push(entry),
            none => *none = json!([entry]),
        }
        self
    }

    /// Sets any other key of the settings.
    pub(crate) fn set(mut self, key: &str, value: Value) -> Self {
        self.json[key] = value;
        self
    }

    /// All the programs of this workspace, each on its event.
    pub(crate) fn comm_node() -> Self {
        Self::new()
            .hook("SessionStart", None, env!("CARGO_BIN_EXE_comm-node-session-start"))
            .hook("UserPromptSubmit", None, env!("CARGO_BIN_EXE_comm-node-user-prompt-submit"))
            .hook("PreToolUse", Some(GUARDED), env!("CARGO_BIN_EXE_comm-node-pre-tool-use"))
            .hook("PostToolUse", None, env!("CARGO_BIN_EXE_comm-node-post-tool-use"))
            .hook("PostToolUseFailure", None, env!("CARGO_BIN_EXE_comm-node-post-tool-use"))
            .hook("SubagentStart", None, env!("CARGO_BIN_EXE_comm-node-subagent-start"))
            .hook("SubagentStop", None, env!("CARGO_BIN_EXE_comm-node-subagent-stop"))
            .hook("Stop", None, env!("CARGO_BIN_EXE_comm-node-stop"))
            .hook("PreCompact", None, env!("CARGO_BIN_EXE_comm-node-pre-compact"))
            .hook("SessionEnd", None, env!("CARGO_BIN_EXE_comm-node-session-end"))
    }

    /// The whole file.
    pub(crate) fn json(&self) -> &Value {
        &self.json
    }

    /// The part that a plugin's `hooks/hooks.json` takes.
    pub(crate) fn hooks_json(&self) -> Value {
        json!({"hooks": self.json["hooks"]})
    }
}
