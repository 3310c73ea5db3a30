//! A guard that can't answer must not become a guard that lets everything through.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::{Played, Step, Who, play, shop};
use crate::driver::Client;
use crate::hook::Hooks;
use crate::installed;
use crate::settings::{GUARDED, Settings};

/// The installer's own entry for the guard, with another program in it.
fn entry(program: &Path) -> Value {
    let settings: Value = serde_json::from_str(&installed::in_settings().settings()).expect("JSON");
    let groups = settings["hooks"]["PreToolUse"].as_array().expect("the guard is wired");
    let group = groups.iter().find(|g| g["matcher"] == GUARDED).expect("for the tools that write");
    let mut hook = group["hooks"][0].clone();
    assert_eq!(hook["onFailure"], "block");
    hook["command"] = json!(program);
    hook
}

/// A session of backend tries a write into its own scope, with `hook` as its only guard.
fn with_guard(hook: Value, fault: &str) -> Option<(Step, Played)> {
    let node = shop("enforce", "").build();
    // The guard of these tests has no command line beside it that could do it.
    installed::person(node.root(), &["compile"]);
    let client = Client::start(crate::script::Script::default())?;
    client.settings(&Settings::new().entry("PreToolUse", Some(GUARDED), hook));
    let steps = [Step::write(&node, "services/api/a.txt")];
    let played = play(client, node.root(), Who::Main, &steps, |run| {
        run.env("COMM_NODE_DOMAIN", "backend").env("COMM_NODE_FAULT", fault)
    });
    let [step] = steps;
    // The node goes with this function, so that what is asked is asked here.
    let done = step.is_done();
    assert_eq!(done, Some(played.result(0).contains("File created successfully")), "{}", played.result(0));
    Some((step, played))
}

fn without_blocking(mut hook: Value) -> Value {
    hook.as_object_mut().expect("an object").remove("onFailure");
    hook
}

/// The fault blocks as installed; without `onFailure` the same fault lets the edit through, which is why it is there.
fn blocks_only_by_on_failure(hook: &Value, said: &str) {
    let Some((_, blocked)) = with_guard(hook.clone(), "") else { return };
    let result = blocked.result(0);
    assert!(result.contains(said) && result.contains("blocking because onFailure is \"block\""), "{result}");
    let Some((_, let_through)) = with_guard(without_blocking(hook.clone()), "") else { return };
    assert!(let_through.result(0).contains("File created successfully"), "{}", let_through.result(0));
}

#[test]
fn a_deleted_program_blocks() {
    blocks_only_by_on_failure(&entry(Path::new("/nonexistent/comm-node-pre-tool-use")), "");
}

#[test]
fn a_killed_program_blocks() {
    let hooks = Hooks::new();
    blocks_only_by_on_failure(&entry(&hooks.script("killed", "cat >/dev/null; kill -KILL $$")), "");
}

#[test]
fn a_hung_program_blocks() {
    let hooks = Hooks::new();
    let mut hook = entry(&hooks.script("hung", "exec sleep 60"));
    assert_eq!(hook["timeout"], 5, "the guard answers within 3 seconds, the client waits 5");
    hook["timeout"] = json!(1);
    blocks_only_by_on_failure(&hook, "");
}

#[test]
fn a_program_that_ends_with_one_blocks() {
    let hooks = Hooks::new();
    blocks_only_by_on_failure(&entry(&hooks.script("failing", "cat >/dev/null; exit 1")), "");
}

/// A file in the program's place that is no program.
#[test]
fn a_damaged_program_blocks() {
    let hooks = Hooks::new();
    let path = hooks.script("damaged", "");
    std::fs::write(&path, b"\x7fELF, but not really\0\0\0").expect("could not write");
    blocks_only_by_on_failure(&entry(&path), "");
}

/// The guard built with faults on demand, once, in a directory of its own.
fn faulty() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faulty");
        let output = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--offline", "--no-default-features"])
            .args(["--features", "comm-node-hooks/fault-injection", "--bin", "comm-node-pre-tool-use"])
            .arg("--manifest-path")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            .env_remove("CARGO_BUILD_TARGET")
            .output()
            .expect("could not run cargo");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        target.join("debug/comm-node-pre-tool-use")
    })
}

/// A panic is answered by the guard itself: the reason says what happened and what to do.
#[test]
fn a_panic_refuses_by_itself() {
    // Without `onFailure`, so that nothing but the guard's own answer can hold the edit back.
    let hook = without_blocking(entry(faulty()));
    let Some((_, played)) = with_guard(hook.clone(), "panic") else { return };
    let result = played.result(0);
    for piece in
        ["comm-node could not judge this call, so it is refused", "comm-node-pre-tool-use panicked at "]
    {
        assert!(result.contains(piece), "{result}");
    }
    // Control: the same program without the fault.
    let Some((_, played)) = with_guard(hook, "") else { return };
    assert!(played.result(0).contains("File created successfully"), "{}", played.result(0));
}

#[test]
fn a_guard_that_hangs_or_aborts_blocks() {
    for fault in ["hang", "abort"] {
        let mut hook = entry(faulty());
        hook["timeout"] = json!(1);
        let Some((_, blocked)) = with_guard(hook.clone(), fault) else { return };
        let result = blocked.result(0);
        assert!(result.contains("blocking because onFailure is \"block\""), "{fault}: {result}");
        let Some((_, let_through)) = with_guard(without_blocking(hook), fault) else { return };
        assert!(let_through.result(0).contains("File created successfully"), "{fault}");
    }
}

/// A guard whose stdout takes nothing refuses by its exit code, also without `onFailure`.
#[test]
fn a_refusal_that_cannot_be_written_refuses() {
    let hooks = Hooks::new();
    let guard = env!("CARGO_BIN_EXE_comm-node-pre-tool-use");
    let full = hooks.script("full", &format!("exec '{guard}' >/dev/full"));
    for (path, is_refused) in [("apps/web/x.html", true), ("services/api/a.txt", false)] {
        let node = shop("enforce", "").build();
        installed::person(node.root(), &["compile"]);
        let Some(client) = Client::start(crate::script::Script::default()) else { return };
        client.settings(&Settings::new().entry("PreToolUse", Some(GUARDED), without_blocking(entry(&full))));
        let steps = [Step::write(&node, path)];
        let played =
            play(client, node.root(), Who::Main, &steps, |run| run.env("COMM_NODE_DOMAIN", "backend"));
        let result = played.result(0);
        assert_eq!(result.contains("belongs to domain frontend"), is_refused, "{path}: {result}");
        let [step] = steps;
        assert_eq!(step.is_done(), Some(!is_refused), "{path}: {result}");
    }
}
