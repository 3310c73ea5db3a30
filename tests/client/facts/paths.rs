//! Where a tool will write, as the hook is told, and where it then does.

#[cfg(target_os = "linux")]
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::json;

use super::{on_all, seen, string};
use crate::driver::Client;
use crate::hook::Hooks;
use crate::script::{Script, Turn};
use crate::settings::Settings;
#[cfg(target_os = "linux")]
use crate::settings::WRITERS;
use crate::support::node::Node;

#[test]
fn file_paths_reach_the_hook_absolute_trimmed_and_normalised() {
    let node = Node::builder().file("sub/x.txt", "x\n").build();
    symlink(node.path("sub"), node.path("link")).expect("could not make a symlink");
    let root = node.root().display().to_string();
    let sent = [
        "rel.txt".to_owned(),
        "./dot.txt".to_owned(),
        "~/tilde.txt".to_owned(),
        format!("  {root}/spaces.txt \n"),
        "sub/../up.txt".to_owned(),
        format!("{root}//two//slashes.txt"),
        // Dots are resolved in the text, before any symlink: this is not `sub/../after.txt`.
        "link/../after.txt".to_owned(),
        "link/through.txt".to_owned(),
        // A relative one loses the slash, an absolute one keeps it; both write the file.
        "relative-slash.txt/".to_owned(),
        format!("{root}/slash.txt/"),
        "back\\slash.txt".to_owned(),
        "e\u{301}.txt".to_owned(),
        "$HOME/dollar.txt".to_owned(),
    ];
    let Some(client) = Client::start(Script::new(sent.iter().map(|path| Turn::write(path, "x")))) else {
        return;
    };
    let hooks = Hooks::new();
    client.settings(&Settings::new().guard(hooks.recording("record")));
    client.headless(node.root(), "go").run().assert_success();
    let home = client.home().display();
    let expected = [
        format!("{root}/rel.txt"),
        format!("{root}/dot.txt"),
        format!("{home}/tilde.txt"),
        format!("{root}/spaces.txt"),
        format!("{root}/up.txt"),
        format!("{root}/two/slashes.txt"),
        format!("{root}/after.txt"),
        format!("{root}/link/through.txt"),
        format!("{root}/relative-slash.txt"),
        format!("{root}/slash.txt/"),
        format!("{root}/back\\slash.txt"),
        format!("{root}/e\u{301}.txt"),
        format!("{root}/$HOME/dollar.txt"),
    ];
    assert_eq!(seen(&hooks, "file_path"), expected);
    for path in &expected {
        assert!(
            Path::new(path.trim_end_matches('/')).is_file(),
            "{path} was not written where the hook was told"
        );
    }
}

#[test]
fn some_paths_are_refused_by_the_client_itself() {
    let node = Node::builder().file("real.txt", "real\n").build();
    symlink(node.path("real.txt"), node.path("link.txt")).expect("could not make a symlink");
    let script =
        Script::new([Turn::write("nul\0.txt", "x"), Turn::write("link.txt", "x"), Turn::write("", "x")]);
    let Some(client) = Client::start(script) else {
        return;
    };
    let hooks = Hooks::new();
    client.settings(&Settings::new().guard(hooks.recording("record")));
    client.headless(node.root(), "go").run().assert_success();
    // The last component being a symlink is found out after the hook ran.
    assert_eq!(seen(&hooks, "file_path"), [node.text("link.txt")]);
    assert!(client.server.tool_results(2)[0].contains("symbolic link"));
    assert_eq!(node.read("real.txt").as_deref(), Some("real\n"));
}

/// The client writes a file anew and puts it in the place of the old one: a second name of the old one, which may be
/// somebody else's, keeps what it had.
#[test]
fn an_edit_parts_a_file_from_its_second_name() {
    let node = Node::builder().file("web/x.txt", "one\n").file("web/y.txt", "one\n").build();
    std::fs::create_dir(node.path("api")).expect("makes");
    for name in ["x.txt", "y.txt"] {
        let (theirs, own) = (node.path(&format!("web/{name}")), node.path(&format!("api/{name}")));
        std::fs::hard_link(theirs, own).expect("links");
    }
    let script = Script::new([
        Turn::read(node.text("api/x.txt")),
        Turn::edit(node.text("api/x.txt"), "one", "two"),
        Turn::read(node.text("api/y.txt")),
        Turn::write(node.text("api/y.txt"), "two\n"),
    ]);
    let Some(client) = Client::start(script) else {
        return;
    };
    client.headless(node.root(), "go").run().assert_success();
    for name in ["x.txt", "y.txt"] {
        assert_eq!(node.read(&format!("api/{name}")).as_deref(), Some("two\n"), "{name}");
        assert_eq!(node.read(&format!("web/{name}")).as_deref(), Some("one\n"), "{name}");
    }
}

#[test]
fn notebook_paths_are_normalised_too_and_multi_edit_is_gone() {
    let notebook = json!({
        "cells": [{"cell_type": "code", "id": "c1", "metadata": {}, "source": "a", "outputs": [], "execution_count": null}],
        "metadata": {}, "nbformat": 4, "nbformat_minor": 5,
    });
    let node = Node::builder().file("n.ipynb", &notebook.to_string()).build();
    let edit = json!({"notebook_path": " sub/../n.ipynb", "new_source": "b", "cell_id": "c1"});
    let multi = json!({"file_path": node.text("n.ipynb"), "edits": [{"old_string": "a", "new_string": "b"}]});
    let script = Script::new([
        Turn::read(node.text("n.ipynb")),
        Turn::tool("NotebookEdit", edit),
        Turn::tool("MultiEdit", multi),
    ]);
    let Some(client) = Client::start(script) else {
        return;
    };
    let hooks = Hooks::new();
    client.settings(&Settings::new().guard(hooks.recording("record")));
    client.headless(node.root(), "go").run().assert_success();
    assert_eq!(seen(&hooks, "notebook_path"), [node.text("n.ipynb")]);
    assert!(client.server.tool_results(3)[0].contains("No such tool"));
}

/// `/proc/self` means another process in the hook than in the client, so such a path can't be judged.
#[cfg(target_os = "linux")]
#[test]
fn a_path_through_proc_self_is_not_what_the_hook_would_resolve() {
    let node = Node::builder().file("sub/x.txt", "x\n").build();
    let script = Script::new([Turn::bash("cd sub"), Turn::write("/proc/self/cwd/p.txt", "x")]);
    let Some(client) = Client::start(script) else {
        return;
    };
    let hooks = Hooks::new();
    let resolved = hooks.dir().join("resolved");
    let look =
        hooks.script("look", &format!("cat >/dev/null; readlink /proc/$$/cwd >{}", resolved.display()));
    client.settings(&Settings::new().guard(look).hook(
        "PreToolUse",
        Some(WRITERS),
        hooks.recording("record"),
    ));
    client.headless(node.root(), "go").run().assert_success();
    assert_eq!(seen(&hooks, "file_path"), ["/proc/self/cwd/p.txt"]);
    // The hook stands in `sub`, the client where it was started: the file lands beside `sub`.
    assert_eq!(fs::read_to_string(resolved).unwrap_or_default().trim(), node.text("sub"));
    assert_eq!((node.read("p.txt").as_deref(), node.read("sub/p.txt")), (Some("x"), None));
}

#[test]
fn worktrees_stand_under_the_projects_claude_directory() {
    let node = Node::builder().file("sub/x.txt", "").build();
    let agent = json!({
        "subagent_type": "general-purpose", "description": "d", "prompt": "work apart", "isolation": "worktree",
        "run_in_background": false,
    });
    let script = Script::new([Turn::tool("Agent", agent)]).agent("work apart", [Turn::write("a.txt", "x")]);
    let Some(client) = Client::start(script) else {
        return;
    };
    let hooks = Hooks::new();
    client.settings(&on_all(&hooks.recording("record")));
    client.headless(node.root(), "go").run().assert_success();
    let write = hooks.firings_of("PreToolUse").pop().expect("the subagent wrote");
    let apart = node.text(&format!(".claude/worktrees/agent-{}", string(&write, "agent_id")));
    assert_eq!(
        (string(&write, "cwd"), write.var("CLAUDE_PROJECT_DIR")),
        (apart.as_str(), node.root().to_str())
    );
    assert_eq!(seen(&hooks, "file_path"), [format!("{apart}/a.txt")]);

    let Some(client) = Client::start(Script::new([Turn::write("b.txt", "x")])) else {
        return;
    };
    let hooks = Hooks::new();
    client.settings(&on_all(&hooks.recording("record")));
    client.headless(node.root(), "go").args(["--worktree", "feature"]).run().assert_success();
    let apart = node.text(".claude/worktrees/feature");
    for firing in hooks.firings() {
        assert_eq!(
            (string(&firing, "cwd"), firing.var("CLAUDE_PROJECT_DIR")),
            (apart.as_str(), Some(apart.as_str()))
        );
    }
}
