//! Which events tell the life of a session, and what its model gets to read.

use serde_json::json;

use super::{SESSION, SOON, on_all, story, string};
use crate::driver::{Client, Headless, Permission};
use crate::hook::Hooks;
use crate::script::{Asker, Script, Turn};
use crate::settings::Settings;
use crate::support::node::Node;

#[test]
fn a_main_loop_with_a_persona_carries_its_type_and_no_id() {
    let node = Node::builder()
        .file(".claude/agents/backend.md", "---\nname: backend\ndescription: d\n---\nHi.\n")
        .build();
    let Some(client) = Client::start(Script::new([Turn::write("a.txt", "x")])) else {
        return;
    };
    let hooks = Hooks::new();
    client.settings(&on_all(&hooks.recording("record")));
    client.headless(node.root(), "go").args(["--agent", "backend"]).run().assert_success();
    let firings = hooks.firings();
    assert!(firings.len() > 4);
    for firing in &firings {
        assert_eq!(string(firing, "agent_type"), "backend", "{}", firing.event());
        assert!(firing.input["agent_id"].is_null(), "{}", firing.event());
    }
}

#[test]
fn resuming_keeps_the_session_and_clearing_and_forking_do_not() {
    let node = Node::bare();
    let Some(client) = Client::start(Script::default()) else {
        return;
    };
    let hooks = Hooks::new();
    let events =
        ["SessionStart", "SessionEnd", "PreCompact", "PostCompact", "UserPromptSubmit", "SubagentStop"];
    let record = hooks.recording("record");
    client.settings(&events.iter().fold(Settings::new(), |s, e| s.hook(e, None, &record)));
    let mut before = 0;
    let mut step = |run: Headless<'_>| {
        run.run().assert_success();
        let firings = hooks.firings();
        let new = story(&firings[before..]);
        before = firings.len();
        new
    };
    let run = |prompt| client.headless(node.root(), prompt);
    let prompt = "UserPromptSubmit  same";
    let end = "SessionEnd other same";
    assert_eq!(step(run("one").args(["--session-id", SESSION])), ["SessionStart startup same", prompt, end]);
    assert_eq!(step(run("two").resume(SESSION)), ["SessionStart resume same", prompt, end]);
    assert_eq!(step(run("three").continue_last()), ["SessionStart resume same", prompt, end]);
    assert_eq!(
        step(run("four").resume(SESSION).args(["--fork-session"])),
        ["SessionStart fork other", "UserPromptSubmit  other", "SessionEnd other other"]
    );
    // No prompt event for a command. A SubagentStop without a SubagentStart: the summary is written by an agent of its own.
    assert_eq!(
        step(run("/compact").resume(SESSION)),
        [
            "SessionStart resume same",
            "PreCompact manual same",
            "SubagentStop  same",
            "SessionStart compact same",
            "PostCompact manual same",
            end
        ]
    );
    assert_eq!(
        step(run("/clear").resume(SESSION)),
        [
            "SessionStart resume same",
            "SessionEnd clear same",
            "SessionStart clear other",
            "SessionEnd other other"
        ]
    );
    let compacting = hooks.firings_of("SubagentStop");
    assert_eq!(string(&compacting[0], "agent_type"), "");
    assert!(compacting[0].input["agent_id"].is_string());
    // The new session of /clear runs in the same process: that is how it can inherit a binding.
    let [.., old, new, _] = &hooks.firings()[..] else { panic!("too few firings") };
    assert_eq!(old.var("CLAUDE_PID"), new.var("CLAUDE_PID"));
    assert_eq!(client.server.requests_of(&Asker::Compact).len(), 1);
}

#[test]
fn session_context_stands_once_even_when_the_session_is_resumed() {
    let node = Node::bare();
    let Some(client) = Client::start(Script::default()) else {
        return;
    };
    let hooks = Hooks::new();
    let context = |event: &str, text: &str| json!({"hookSpecificOutput": {"hookEventName": event, "additionalContext": text}, "systemMessage": "for the human"});
    let start = hooks.answering("start", &context("SessionStart", "the brief"));
    client.settings(&Settings::new().hook("SessionStart", None, start));
    client.headless(node.root(), "one").args(["--session-id", SESSION]).run().assert_success();
    assert_eq!(client.server.count_in_body(0, "SessionStart hook additional context: the brief"), 1);
    assert_eq!(client.server.count_in_body(0, "for the human"), 0);
    // The same text again is not repeated …
    client.headless(node.root(), "two").resume(SESSION).run().assert_success();
    assert_eq!(client.server.count_in_body(1, "the brief"), 1);
    // … another text is added, and the old one stays.
    hooks.answering("start", &context("SessionStart", "the second brief"));
    client.headless(node.root(), "three").resume(SESSION).run().assert_success();
    assert_eq!(client.server.count_in_body(2, "the brief"), 1);
    assert_eq!(client.server.count_in_body(2, "the second brief"), 1);
}

#[test]
fn context_without_a_decision_leaves_the_permission_flow_alone() {
    let answer =
        json!({"hookSpecificOutput": {"hookEventName": "PreToolUse", "additionalContext": "by the way"}});
    for (permission, written) in [(Permission::Unsaid, false), (Permission::AcceptEdits, true)] {
        let node = Node::bare();
        let Some(client) = Client::start(Script::new([Turn::write("a.txt", "x")])) else {
            return;
        };
        let hooks = Hooks::new();
        client.settings(&Settings::new().guard(hooks.answering("hook", &answer)));
        client.headless(node.root(), "go").permission(permission).run().assert_success();
        assert_eq!(node.read("a.txt").is_some(), written, "{permission:?}");
        assert_eq!(client.server.count_in_body(1, "PreToolUse:Write hook additional context: by the way"), 1);
    }
}

#[test]
fn in_a_terminal_the_human_sees_the_system_message_and_clear_changes_the_session() {
    let node = Node::bare();
    let Some(client) = Client::start(Script::new([Turn::text("First answer.")])) else {
        return;
    };
    let hooks = Hooks::new();
    let greet = hooks.answering("greet", &json!({"systemMessage": "hello human"}));
    client.settings(&on_all(&hooks.recording("record")).hook("SessionStart", None, greet));
    let Some(terminal) = client.interactive(node.root(), &["--dangerously-skip-permissions"]) else {
        return;
    };
    terminal.wait_for("❯", SOON);
    terminal.wait_for("SessionStart:startup says: hello human", SOON);
    terminal.say("first words");
    terminal.wait_for("First answer.", SOON);
    hooks.wait_for("Stop", 1, SOON);
    terminal.say("/compact");
    hooks.wait_for("PostCompact", 1, SOON);
    terminal.wait_for("SessionStart:compact says", SOON);
    terminal.say("/clear");
    terminal.wait_for("SessionStart:clear says", SOON);
    let starts = hooks.wait_for("SessionStart", 3, SOON);
    let sources: Vec<&str> = starts.iter().map(|f| string(f, "source")).collect();
    assert_eq!(sources, ["startup", "compact", "clear"]);
    let ids: Vec<&str> = starts.iter().map(|f| string(f, "session_id")).collect();
    assert!(ids[0] == ids[1] && ids[1] != ids[2], "{ids:?}");
    assert!(starts.iter().all(|f| f.var("CLAUDE_PID") == Some(&terminal.pid())));
}

#[test]
fn the_end_of_a_turn_tells_which_subagents_still_run() {
    let node = Node::bare();
    let input = json!({"subagent_type": "general-purpose", "description": "scripted", "prompt": "the errand",
        "run_in_background": true});
    let script = Script::new([Turn::tool("Agent", input), Turn::text("Waiting."), Turn::text("Done.")])
        .agent("the errand", [Turn::bash("sleep 3")]);
    let Some(client) = Client::start(script) else {
        return;
    };
    let hooks = Hooks::new();
    client.settings(&on_all(&hooks.recording("record")));
    client.headless(node.root(), "go").permission(Permission::Bypass).run().assert_success();
    let started = hooks.firings_of("SubagentStart");
    let stops = hooks.firings_of("Stop");
    assert_eq!((started.len(), stops.len()), (1, 2));
    let [first, last] = [0, 1].map(|i| &stops[i].input["background_tasks"]);
    assert_eq!(first[0]["type"], "subagent", "{first}");
    assert_eq!(first[0]["id"], started[0].input["agent_id"], "{first}");
    assert_eq!(*last, json!([]));
    // A new turn does not tell.
    assert!(hooks.firings_of("UserPromptSubmit").iter().all(|f| f.input["background_tasks"].is_null()));
}

/// So what a subagent holds can't be freed because of the interruption, nor at the prompt after it.
#[test]
fn an_interrupted_turn_has_no_end_and_its_background_subagent_runs_on() {
    let node = Node::bare();
    let input = json!({"subagent_type": "general-purpose", "description": "scripted", "prompt": "the errand",
        "run_in_background": true});
    let script = Script::new([Turn::tool("Agent", input), Turn::hang(), Turn::text("Next turn.")])
        .agent("the errand", [Turn::hang()]);
    let Some(client) = Client::start(script) else {
        return;
    };
    let hooks = Hooks::new();
    client.settings(&on_all(&hooks.recording("record")));
    let Some(terminal) = client.interactive(node.root(), &["--dangerously-skip-permissions"]) else {
        return;
    };
    terminal.wait_for("❯", SOON);
    terminal.say("first words");
    let started = hooks.wait_for("SubagentStart", 1, SOON);
    client.server.wait_for("2 requests", SOON, |requests| {
        requests.iter().filter(|r| r.asker == Asker::Main).count() >= 2
    });
    terminal.press("Escape");
    terminal.wait_for("Interrupted", SOON);
    terminal.press("C-u");
    terminal.say("second words");
    let stops = hooks.wait_for("Stop", 1, SOON);
    assert_eq!(stops[0].input["background_tasks"][0]["id"], started[0].input["agent_id"]);
    assert_eq!(hooks.firings_of("UserPromptSubmit").len(), 2);
    assert_eq!((hooks.firings_of("Stop").len(), hooks.firings_of("SubagentStop").len()), (1, 0));
}
