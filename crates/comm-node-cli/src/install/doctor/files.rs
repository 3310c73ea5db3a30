//! Checks on the installed programs, the record, and the command on PATH.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::Check;
use super::probe::Call;
use super::wired::Wired;
use crate::env::Env;
use crate::install::layout::Layout;
use crate::install::record::{Record, sha256};
use crate::install::wiring;
use crate::settings::entry::is_program;

const INSTALL: &str = "run `comm-node install`";

/// Every program is there, can be run, and is of the version on record.
#[must_use]
pub fn present(layout: &Layout) -> Check {
    let name = "programs";
    let bin = layout.bin();
    let names = wiring::programs();
    let missing: Vec<&str> = names.iter().map(String::as_str).filter(|n| !is_program(&bin.join(n))).collect();
    if !missing.is_empty() {
        let what = format!("{} lacks or can't run {}", bin.display(), missing.join(", "));
        return Check::fail(name, what, INSTALL);
    }
    let record = match Record::read(layout) {
        Ok(Some(record)) => record,
        Ok(None) => {
            return Check::warn(
                name,
                format!("all {} are there, of no recorded version", names.len()),
                INSTALL,
            );
        }
        Err(e) => return Check::fail(name, format!("{e:#}"), INSTALL),
    };
    let differs = |n: &&String| {
        let now = std::fs::read(bin.join(n)).ok().map(|bytes| sha256(&bytes));
        now.as_ref() != record.programs.get(*n)
    };
    let other: Vec<&str> = names.iter().filter(differs).map(String::as_str).collect();
    if !other.is_empty() {
        return Check::fail(name, format!("not what was installed: {}", other.join(", ")), INSTALL);
    }
    if record.comm_node != comm_node_core::VERSION {
        let (old, new) = (&record.comm_node, comm_node_core::VERSION);
        return Check::fail(name, format!("version {old} is installed, this is {new}"), INSTALL);
    }
    Check::pass(name, format!("{} of version {} in {}", names.len(), record.comm_node, bin.display()))
}

/// Every hook program runs: outside of any node it must end with 0 and print nothing.
#[must_use]
pub fn run(layout: &Layout) -> Check {
    let name = "programs-run";
    let bin = layout.bin();
    if wiring::programs().iter().any(|n| !is_program(&bin.join(n))) {
        return Check::skip(name, "programs are missing");
    }
    let Ok(place) = tempfile::tempdir() else {
        return Check::skip(name, "no temporary directory could be made");
    };
    let dir = place.path().canonicalize().unwrap_or_else(|_| place.path().to_path_buf());
    if !matches!(comm_node_core::node::find(&dir), Ok(None)) {
        return Check::skip(name, format!("the temporary directory {} lies in a node", dir.display()));
    }
    let mut wrong = Vec::new();
    let mut count = 0;
    let mut done: Vec<&str> = Vec::new();
    for wire in wiring::WIRES {
        if done.contains(&wire.program) {
            continue;
        }
        done.push(wire.program);
        count += 1;
        let program = bin.join(wiring::file_name(&format!("comm-node-{}", wire.program)));
        if let Err(why) = silent(&program, wire.event, &dir) {
            wrong.push(format!("comm-node-{} {why}", wire.program));
        }
    }
    if wrong.is_empty() {
        Check::pass(name, format!("{count} hook programs end with 0 and no output outside of a node"))
    } else {
        Check::fail(name, wrong.join(", "), INSTALL)
    }
}

fn silent(program: &Path, event: &str, dir: &Path) -> Result<(), String> {
    let text = dir.display().to_string();
    let input = json!({
        "session_id": "doctor", "transcript_path": dir.join("none.jsonl"), "cwd": dir,
        "hook_event_name": event, "source": "startup", "prompt": "hello", "reason": "other",
        "tool_name": "Write", "tool_input": {"file_path": dir.join("x"), "content": ""},
    });
    let vars = [("CLAUDE_PROJECT_DIR".to_owned(), text)];
    let limit = Duration::from_secs(5);
    let call = Call { program, args: &[], vars: &vars, cwd: dir, input: &input.to_string(), limit };
    let answer = call.run().map_err(|e| format!("could not be started: {e}"))?;
    if !answer.success {
        return Err(format!("ended with {} {}", answer.end, answer.stderr).trim_end().to_owned());
    }
    if !answer.stdout.is_empty() {
        return Err(format!("printed {} bytes", answer.stdout.len()));
    }
    Ok(())
}

/// What was changed is on record, so that it can be taken back.
#[must_use]
pub fn recorded(layout: &Layout, wired: &Wired) -> Check {
    let name = "record";
    match Record::read(layout) {
        Err(e) => Check::fail(name, format!("{e:#}"), "run `comm-node install`, which sets it aside"),
        Ok(None) if wired.any_settings() => Check::warn(
            name,
            "there is none, so uninstalling can only take our entries out",
            "run `comm-node install` to have one",
        ),
        Ok(None) => Check::skip(name, "nothing is installed"),
        Ok(Some(record)) => {
            let lost: Vec<String> = record
                .settings
                .iter()
                .filter_map(|s| s.restore.as_ref())
                .filter(|b| !b.is_file())
                .map(|b| b.display().to_string())
                .collect();
            if lost.is_empty() {
                Check::pass(name, format!("{} settings files on record", record.settings.len()))
            } else {
                let what = format!("backups are missing: {}", lost.join(", "));
                Check::warn(name, what, "uninstalling will take our entries out instead")
            }
        }
    }
}

/// `comm-node` on PATH is the installed one.
#[must_use]
pub fn on_path(env: &Env, layout: &Layout) -> Check {
    let name = "path";
    let file = wiring::file_name(wiring::CLI);
    let dirs = env.var("PATH").unwrap_or("");
    let found = std::env::split_paths(dirs).map(|d| d.join(&file)).find(|f| is_program(f));
    let Some(found) = found else {
        return Check::warn(
            name,
            "comm-node is not on PATH, so agents can't run it",
            "add ~/.local/bin to PATH",
        );
    };
    if !is_program(&layout.cli()) {
        return Check::skip(
            name,
            format!("{} is the only one, nothing is installed beside it", found.display()),
        );
    }
    match (found.canonicalize(), layout.cli().canonicalize()) {
        (Ok(a), Ok(b)) if a == b => Check::pass(name, format!("{} is the installed one", found.display())),
        _ => Check::warn(
            name,
            format!("{} is another one than {}", found.display(), layout.cli().display()),
            "remove it, or put ~/.local/bin before it in PATH",
        ),
    }
}
