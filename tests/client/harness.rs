//! Proves the harness itself, and the few facts about the client that everything else stands on. No comm-node here.

use crate::driver::{Client, Permission};
use crate::hook::Hooks;
use crate::script::{Script, Turn};
use crate::settings::Settings;
use crate::support::node::Node;

#[test]
fn a_write_happens_without_hooks() {
    let node = Node::bare();
    let script = Script::new([Turn::write(node.text("a.txt"), "hello\n"), Turn::text("All done.")]);
    let Some(client) = Client::start(script) else {
        return;
    };
    let run = client.headless(node.root(), "go").run();
    run.assert_success();
    assert_eq!(node.read("a.txt").as_deref(), Some("hello\n"));
    assert_eq!(run.stdout.trim(), "All done.");
    assert_eq!(client.server.requests_main().len(), 2);
    assert_eq!(client.server.turns_left(), 0);
}

#[test]
fn a_hook_that_denies_holds_in_bypass_mode_and_tells_the_model_why() {
    let node = Node::bare();
    let script = Script::new([Turn::write(node.text("a.txt"), "hello\n"), Turn::text("Refused.")]);
    let Some(client) = Client::start(script) else {
        return;
    };
    let hooks = Hooks::new();
    client.settings(&Settings::new().guard(hooks.denying("deny", "not yours: ask backend")));
    client.headless(node.root(), "go").run().assert_success();
    assert_eq!(node.read("a.txt"), None);
    let results = client.server.tool_results(1);
    assert!(results[0].contains("not yours: ask backend"), "{results:?}");
}

#[test]
fn accept_edits_mode_writes_inside_the_directory() {
    let node = Node::bare();
    let script = Script::new([Turn::write(node.text("a.txt"), "hello\n")]);
    let Some(client) = Client::start(script) else {
        return;
    };
    client.headless(node.root(), "go").permission(Permission::AcceptEdits).run().assert_success();
    assert_eq!(node.read("a.txt").as_deref(), Some("hello\n"));
}

#[test]
fn a_subagents_write_carries_its_agent_id() {
    let node = Node::bare();
    let script = Script::new([Turn::agent("general-purpose", "please build the thing"), Turn::text("Done.")])
        .agent("build the thing", [Turn::write(node.text("sub.txt"), "x\n"), Turn::text("Built.")]);
    let Some(client) = Client::start(script) else {
        return;
    };
    let hooks = Hooks::new();
    client.settings(&Settings::new().guard(hooks.recording("record")));
    client.headless(node.root(), "go").run().assert_success();
    assert_eq!(node.read("sub.txt").as_deref(), Some("x\n"));
    let firings = hooks.firings_of("PreToolUse");
    assert_eq!(firings.len(), 1);
    assert!(firings[0].input["agent_id"].is_string(), "{}", firings[0].input);
    assert_eq!(firings[0].input["agent_type"], "general-purpose");
    assert_eq!(client.server.requests_agent("build the thing").len(), 2);
    assert_eq!(client.server.requests_main().len(), 2);
}

#[test]
fn a_missing_program_with_on_failure_block_blocks() {
    let node = Node::bare();
    let script = Script::new([Turn::write(node.text("a.txt"), "hello\n")]);
    let Some(client) = Client::start(script) else {
        return;
    };
    client.settings(&Settings::new().guard("/nonexistent/comm-node-pre-tool-use"));
    client.headless(node.root(), "go").run().assert_success();
    assert_eq!(node.read("a.txt"), None);
}
