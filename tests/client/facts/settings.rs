//! Which settings count, which hooks a call runs, and what takes them away.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use super::{on_all, string};
use crate::driver::Client;
use crate::hook::Hooks;
use crate::script::{Script, Turn};
use crate::settings::Settings;
use crate::support::node::Node;

#[test]
fn settings_are_read_through_a_symlink_and_a_projects_only_from_its_top() {
    let hooks = Hooks::new();
    let guard = Settings::new().guard(hooks.denying("deny", "no")).json().to_string();
    let file = hooks.dir().join("settings.json");
    fs::write(&file, &guard).expect("could not write settings");

    let node = Node::bare();
    let Some(client) = Client::start(Script::new([Turn::write("a.txt", "x")])) else {
        return;
    };
    symlink(&file, client.config().join("settings.json")).expect("could not make a symlink");
    client.headless(node.root(), "go").run().assert_success();
    assert_eq!(node.read("a.txt"), None, "a symlinked settings.json of the user");

    let node = Node::builder().file(".claude/settings.json", &guard).file("sub/x.txt", "").build();
    for (directory, written) in [("", false), ("sub", true)] {
        let Some(client) = Client::start(Script::new([Turn::write("a.txt", "x")])) else {
            return;
        };
        let cwd = node.path(directory);
        client.headless(&cwd, "go").run().assert_success();
        assert_eq!(cwd.join("a.txt").exists(), written, "project settings, started in {directory:?}");
    }
}

#[test]
fn one_bad_hook_entry_drops_the_whole_settings_file() {
    let hooks = Hooks::new();
    let good = Settings::new().guard(hooks.denying("deny", "no"));
    let cases = [
        (good.clone().entry("PreToolUse", Some("Bash"), json!({"type": "command"})), true),
        (good.clone().set("model", json!(5)), true),
        (good.clone().entry("NoSuchEvent", None, json!({"type": "command", "command": "x"})), false),
        (good.set("unknownKey", json!(1)), false),
    ];
    for (settings, dropped) in cases {
        let node = Node::bare();
        let Some(client) = Client::start(Script::new([Turn::write("a.txt", "x")])) else {
            return;
        };
        client.settings(&settings);
        let run = client.headless(node.root(), "go").run();
        assert_eq!(node.read("a.txt").is_some(), dropped, "{}", settings.json());
        assert_eq!(run.stderr.contains("did not load"), dropped, "{}", run.stderr);
    }
}

/// Hooks leave a running session as soon as a settings file says so, and a `ConfigChange` hook can hold them.
#[test]
fn changed_settings_count_at_once_unless_a_config_change_hook_objects() {
    let disable = "mkdir -p .claude && echo '{\"disableAllHooks\":true}' >.claude/settings.local.json";
    for (held, written) in [(false, true), (true, false)] {
        let node = Node::bare();
        // The client looks at its settings files about once a second.
        let script = Script::new([Turn::bash(disable), Turn::bash("sleep 2.5"), Turn::write("a.txt", "x")]);
        let Some(client) = Client::start(script) else {
            return;
        };
        let hooks = Hooks::new();
        let mut settings = Settings::new().guard(hooks.denying("deny", "no"));
        if held {
            let object = hooks.answering("object", &json!({"decision": "block", "reason": "no"}));
            settings = settings.hook("ConfigChange", None, object);
        }
        client.settings(&settings);
        client.headless(node.root(), "go").run().assert_success();
        assert_eq!(node.read("a.txt").is_some(), written, "with an objecting hook: {held}");
    }
}

#[test]
fn a_matcher_is_a_list_of_names_or_an_unanchored_expression() {
    // The smallest server of one tool: one JSON object per line in, one per line out.
    let server = r#"
while read -r line; do
    id=$(printf '%s' "$line" | sed -n 's/.*"id":\("[^"]*"\|[0-9]*\).*/\1/p')
    case $line in
        *'"initialize"'*) result='{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}' ;;
        *'"tools/list"'*) result='{"tools":[{"name":"TodoWrite","description":"d","inputSchema":{"type":"object"}}]}' ;;
        *'"tools/call"'*) result='{"content":[{"type":"text","text":"ok"}]}' ;;
        *) result='{}' ;;
    esac
    [ -z "$id" ] || printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$result"
done
"#;
    let mcp = "mcp__s__TodoWrite";
    let cases: [(&str, &[&str]); 6] = [
        ("Edit|Write", &["Write"]),
        ("Edit, Write", &["Write"]),
        ("Wri|Rea", &[]),
        ("Wri.*", &["Write", mcp]),
        ("write", &[]),
        ("^(Edit|Write|NotebookEdit|MultiEdit)$|^mcp__", &["Write", mcp]),
    ];
    for (matcher, expected) in cases {
        let node = Node::builder().file("server.sh", server).build();
        let script =
            Script::new([Turn::write("a.txt", "x"), Turn::read("a.txt"), Turn::tool(mcp, json!({}))]);
        let Some(client) = Client::start(script) else {
            return;
        };
        let hooks = Hooks::new();
        client.settings(&Settings::new().hook("PreToolUse", Some(matcher), hooks.recording("record")));
        let servers = json!({"mcpServers": {"s": {"command": "sh", "args": [node.text("server.sh")]}}});
        client
            .headless(node.root(), "go")
            .args(["--mcp-config".to_owned(), servers.to_string()])
            .run()
            .assert_success();
        let firings = hooks.firings();
        let names: Vec<&str> = firings.iter().map(|f| string(f, "tool_name")).collect();
        assert_eq!(names, expected, "{matcher}");
    }
}

#[test]
fn one_program_in_two_matching_entries_runs_once() {
    let node = Node::bare();
    let Some(client) = Client::start(Script::new([Turn::write("a.txt", "x")])) else {
        return;
    };
    let hooks = Hooks::new();
    let record = hooks.recording("record");
    client.settings(&Settings::new().guard(&record).hook("PreToolUse", Some("Wri.*|^mcp__"), &record));
    client.headless(node.root(), "go").run().assert_success();
    assert_eq!(hooks.firings().len(), 1);
}

#[test]
fn flags_of_the_client_switch_hooks_off() {
    for flags in [&["--safe-mode"][..], &["--bare"], &["--setting-sources", "project"]] {
        let node = Node::bare();
        let Some(client) = Client::start(Script::default()) else {
            return;
        };
        let hooks = Hooks::new();
        client.settings(&on_all(&hooks.recording("record")));
        client.headless(node.root(), "go").args(flags.iter().copied()).run().assert_success();
        assert!(hooks.firings().is_empty(), "{flags:?}");
    }
}
