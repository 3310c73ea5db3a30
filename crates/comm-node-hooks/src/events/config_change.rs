//! ConfigChange: holds back a change of settings that would switch the guard off under a running
//! session.
//!
//! The client takes changed settings over within seconds, so an agent that can write a settings
//! file by any means could end its own guard. Only two kinds of change are held back: one after
//! which no settings file wires the guard any more, and `disableAllHooks`. Everything else is the
//! person's business, and so is `comm-node uninstall`, which leaves a mark while it works. The file
//! itself stays changed: the next session starts with it, and `comm-node doctor` reports it.

use std::path::{Path, PathBuf};

use comm_node_core::Result;
use comm_node_core::deadline::Deadline;
use comm_node_core::node::registry::Mode;
use comm_node_core::store::{Event, file};
use serde_json::Value;

use crate::answer::Answer;
use crate::scene::{Scene, Surroundings};
use crate::wire::Call;
use crate::{DEADLINE, Hook};

/// The hook program.
pub const HOOK: Hook = Hook { program: "comm-node-config-change", gate: false, run };

/// The file beside `bin/` that `comm-node uninstall` makes before it changes any settings.
pub const UNINSTALLING: &str = "uninstalling";

/// Settings files are a few kilobytes.
const MAX_SETTINGS: u64 = 4 << 20;

fn run(call: &Call<'_>, around: &Surroundings, deadline: Deadline) -> Result<Answer> {
    let Some(scene) = Scene::of_session(call, around, deadline)? else { return Ok(Answer::Silent) };
    if scene.registry.strictest_mode() != Mode::Enforce {
        return Ok(Answer::Silent);
    }
    let Ok(own) = std::env::current_exe() else { return Ok(Answer::Silent) };
    let bin = own.parent().unwrap_or(&own);
    if bin.parent().is_some_and(|home| home.join(UNINSTALLING).symlink_metadata().is_ok()) {
        return Ok(Answer::Silent);
    }
    let files = settings_files(call, around);
    let settings: Vec<Option<Value>> = files.iter().map(|file| read(file)).collect();
    let Some(why) = fault(
        &settings,
        &bin.join(format!("comm-node-pre-tool-use{}", std::env::consts::EXE_SUFFIX)),
        around.plugin,
    ) else {
        return Ok(Answer::Silent);
    };
    scene.store.log(&Event {
        event: "held back",
        session: &call.session_id,
        path: &call.file_path,
        rule: "settings",
        note: why,
        ..Event::default()
    })?;
    Ok(Answer::Block(format!(
        "comm-node keeps the settings in force: with this change {why}, and sessions in node {} would run without a \
         guard. A person can end it with `comm-node uninstall`, or set `mode: off` for a domain in comm-node.yaml.",
        scene.registry.name
    )))
}

/// The settings files that count for this session, the changed one among them.
fn settings_files(call: &Call<'_>, around: &Surroundings) -> Vec<PathBuf> {
    let user = around.claude_dir.iter().map(|dir| dir.join("settings.json"));
    let project = around
        .project_dir
        .iter()
        .flat_map(|dir| ["settings.json", "settings.local.json"].map(|name| dir.join(".claude").join(name)));
    let changed = Some(&*call.file_path).filter(|p| !p.is_empty()).map(PathBuf::from);
    let mut files: Vec<PathBuf> = user.chain(project).chain(changed).collect();
    files.sort();
    files.dedup();
    files
}

/// The settings in `path`, `None` if there are none or they can't be used.
fn read(path: &Path) -> Option<Value> {
    // People keep their settings behind links; following one here only reads.
    let real = path.canonicalize().ok()?;
    serde_json::from_str(&file::read(&real, MAX_SETTINGS).ok()??).ok()
}

/// What would be wrong with these settings, as a clause.
fn fault(settings: &[Option<Value>], guard: &Path, plugin: bool) -> Option<&'static str> {
    let all = || settings.iter().flatten();
    if all().any(|s| s.get("disableAllHooks") == Some(&Value::Bool(true))) {
        return Some("all hooks would be off (disableAllHooks)");
    }
    if plugin {
        let off = |s: &Value| {
            s.get("enabledPlugins").and_then(Value::as_object).is_some_and(|plugins| {
                plugins.iter().any(|(id, on)| id.starts_with("comm-node@") && on == &Value::Bool(false))
            })
        };
        return all().any(off).then_some("the comm-node plugin would be off");
    }
    (!all().any(|s| wires(s, guard))).then_some("no settings file would wire comm-node's guard any more")
}

/// The tools without which an agent writes nothing by itself.
const WRITERS: [&str; 4] = ["Edit", "Write", "NotebookEdit", "Bash"];
/// What an entry of ours may consist of. Others (`if`, `once`, `async`) make it run less often.
const FIELDS: [&str; 6] = ["type", "command", "args", "timeout", "onFailure", "statusMessage"];

/// True if `settings` start `guard` before every edit and every shell command, and wait for it.
fn wires(settings: &Value, guard: &Path) -> bool {
    let groups = settings.pointer("/hooks/PreToolUse").and_then(Value::as_array);
    let groups: Vec<&Value> = groups.into_iter().flatten().filter(|group| runs(group, guard)).collect();
    WRITERS.iter().all(|tool| {
        groups.iter().any(|group| {
            let matcher = group.get("matcher").and_then(Value::as_str);
            matcher.is_some_and(|m| m.split('|').any(|name| name == *tool))
        })
    })
}

/// True if one of the group's hooks is `guard` as the installer writes it.
fn runs(group: &Value, guard: &Path) -> bool {
    let hooks = group.get("hooks").and_then(Value::as_array);
    hooks.into_iter().flatten().filter_map(Value::as_object).any(|hook| {
        let text = |field| hook.get(field).and_then(Value::as_str);
        let patient = hook
            .get("timeout")
            .is_none_or(|t| t.as_f64().is_some_and(|seconds| seconds > DEADLINE.as_secs_f64()));
        text("type") == Some("command")
            && text("command").is_some_and(|command| same(Path::new(command), guard))
            && text("onFailure") == Some("block")
            && hook.get("args").is_some_and(|args| args.as_array().is_some_and(Vec::is_empty))
            && patient
            && hook.keys().all(|field| FIELDS.contains(&field.as_str()))
    })
}

/// True if both name one file: the settings may name ours through a link.
fn same(named: &Path, guard: &Path) -> bool {
    named == guard || named.canonicalize().is_ok_and(|named| named == guard)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const GUARD: &str = "/home/u/.claude/comm-node/bin/comm-node-pre-tool-use";

    fn wired() -> Value {
        let hook =
            json!({"type": "command", "command": GUARD, "args": [], "timeout": 5, "onFailure": "block"});
        json!({"hooks": {"PreToolUse": [{"matcher": "Edit|Write|NotebookEdit|Bash", "hooks": [hook]}]}})
    }

    fn judged(settings: &[Option<Value>], plugin: bool) -> bool {
        fault(settings, Path::new(GUARD), plugin).is_none()
    }

    #[test]
    fn only_what_ends_the_guard_is_held_back() {
        let mut other = wired();
        other["model"] = json!("opus");
        assert!(judged(&[Some(wired())], false));
        assert!(judged(&[Some(other), None], false));
        assert!(judged(&[Some(json!({"disableAllHooks": false})), Some(wired())], false));
        assert!(!judged(&[Some(json!({"disableAllHooks": true})), Some(wired())], false));
        assert!(!judged(&[Some(json!({})), None], false));
        assert!(!judged(&[None], false));
        let mut renamed = wired();
        renamed["hooks"]["PreToolUse"][0]["matcher"] = json!("Read");
        assert!(!judged(&[Some(renamed)], false));
    }

    #[test]
    fn an_entry_that_does_less_is_not_the_guard() {
        for (field, value) in [
            ("onFailure", json!("continue")),
            ("timeout", json!(0.1)),
            ("timeout", json!("5")),
            ("args", json!(["--version"])),
            ("type", json!("prompt")),
            ("command", json!("/bin/true")),
            ("if", json!("Edit(*.md)")),
            ("once", json!(true)),
            ("async", json!(true)),
        ] {
            let mut less = wired();
            less["hooks"]["PreToolUse"][0]["hooks"][0][field] = value;
            assert!(!judged(&[Some(less)], false), "{field}");
        }
        let mut narrow = wired();
        narrow["hooks"]["PreToolUse"][0]["matcher"] = json!("Edit|NotebookEdit|Bash");
        assert!(!judged(&[Some(narrow.clone())], false));
        let mut edits = wired();
        edits["hooks"]["PreToolUse"][0]["matcher"] = json!("Edit|Write|NotebookEdit");
        assert!(!judged(&[Some(edits)], false));
        // Another file may wire the rest.
        assert!(judged(&[Some(narrow), Some(wired())], false));
        let mut patient = wired();
        patient["hooks"]["PreToolUse"][0]["hooks"][0]["timeout"] = json!(30);
        assert!(judged(&[Some(patient)], false));
    }

    #[test]
    fn a_plugin_is_wired_without_settings() {
        assert!(judged(
            &[Some(json!({"enabledPlugins": {"comm-node@comm-node": true, "x@y": false}}))],
            true
        ));
        assert!(!judged(&[Some(json!({"enabledPlugins": {"comm-node@comm-node": false}}))], true));
        assert!(!judged(&[Some(json!({"disableAllHooks": true}))], true));
    }
}
