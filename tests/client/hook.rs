//! Small `sh` hooks that stand in for a program: they record what the client gave them, and answer as told.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A directory of `sh` hooks and of what they saw.
pub(crate) struct Hooks {
    dir: TempDir,
}

/// One firing of a recording hook.
#[derive(Clone, Debug)]
pub(crate) struct Firing {
    /// The JSON object on stdin.
    pub(crate) input: Value,
    /// The hook's environment, `NAME=value` per line.
    pub(crate) env: String,
    /// The process id of the hook's parent.
    pub(crate) parent: String,
}

impl Firing {
    /// The name of the event.
    pub(crate) fn event(&self) -> &str {
        self.input["hook_event_name"].as_str().unwrap_or_default()
    }

    /// A variable of the hook's environment.
    pub(crate) fn var(&self, name: &str) -> Option<&str> {
        self.env.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix('='))
    }
}

impl Hooks {
    /// An empty directory of hooks.
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::Builder::new()
                .prefix("hooks-")
                .tempdir()
                .expect("could not make a temporary directory"),
        }
    }

    /// The directory.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Writes an executable `sh` program and returns its path.
    pub(crate) fn script(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.dir.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("could not write a hook");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
            .expect("could not make a hook executable");
        path
    }

    /// A hook that prints `answer` for every call.
    pub(crate) fn answering(&self, name: &str, answer: &Value) -> PathBuf {
        // Reads its input to the end first: a hook that exits early may break the client's pipe.
        self.script(name, &format!("cat >/dev/null\ncat <<'ANSWER'\n{answer}\nANSWER"))
    }

    /// A `PreToolUse` hook that refuses every call with `reason`.
    pub(crate) fn denying(&self, name: &str, reason: &str) -> PathBuf {
        self.answering(
            name,
            &serde_json::json!({"hookSpecificOutput": {
                "hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": reason,
            }}),
        )
    }

    /// A hook that records every firing (see [`Self::firings`]), says nothing and then runs `more`.
    pub(crate) fn recording_and(&self, name: &str, more: &str) -> PathBuf {
        let dir = self.dir.path().display();
        // One directory per firing, renamed when complete: a reader never meets half of one. The nanoseconds order them.
        self.script(
            name,
            &format!(
                "new=$(mktemp -d {dir}/.tmp-XXXXXX)\ncat >$new/input\nenv >$new/env\necho $PPID >$new/parent\n\
                 mv $new {dir}/firing-$(date +%s%N)-$$\n{more}"
            ),
        )
    }

    /// A hook that only records.
    pub(crate) fn recording(&self, name: &str) -> PathBuf {
        self.recording_and(name, "")
    }

    /// Everything recorded so far, oldest first.
    pub(crate) fn firings(&self) -> Vec<Firing> {
        let entries = fs::read_dir(self.dir.path()).expect("could not list the hooks' directory");
        let mut dirs: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
        dirs.retain(|d| d.file_name().is_some_and(|n| n.to_string_lossy().starts_with("firing-")));
        dirs.sort();
        let text = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
        dirs.iter()
            .map(|d| Firing {
                input: serde_json::from_str(&text(d.join("input"))).unwrap_or(Value::Null),
                env: text(d.join("env")),
                parent: text(d.join("parent")).trim().to_owned(),
            })
            .collect()
    }

    /// The firings of one event.
    pub(crate) fn firings_of(&self, event: &str) -> Vec<Firing> {
        self.firings().into_iter().filter(|f| f.event() == event).collect()
    }

    /// Waits until `count` firings of `event` are there, and returns them; panics after `patience`.
    pub(crate) fn wait_for(&self, event: &str, count: usize, patience: Duration) -> Vec<Firing> {
        let deadline = Instant::now() + patience;
        loop {
            let firings = self.firings_of(event);
            if firings.len() >= count {
                return firings;
            }
            let all: Vec<String> = self.firings().iter().map(|f| f.event().to_owned()).collect();
            assert!(
                Instant::now() < deadline,
                "{count} × {event} did not come within {patience:?}, only {all:?}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
