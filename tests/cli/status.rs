//! What sessions do, as they say it and as it is seen: `comm-node status`.

#![cfg(unix)]

use serde_json::{Value, json};

use crate::mail::Node;

const PROMPT: &str = env!("CARGO_BIN_EXE_comm-node-user-prompt-submit");
const STOP: &str = env!("CARGO_BIN_EXE_comm-node-stop");

fn record(node: &Node, id: &str) -> Value {
    let sessions = node.run("", &["sessions", "--json"]).good().json();
    let found = sessions.as_array().and_then(|all| all.iter().find(|s| s["session_id"] == id).cloned());
    found.unwrap_or(Value::Null)
}

#[test]
fn an_agent_says_what_it_does() {
    let node = Node::new();
    let said = node
        .run(
            "b",
            &["status", "--set", "busy", "--task", "bd-1", "--progress", "2/5", "--note", "tests first"],
        )
        .good();
    assert_eq!(said.out, "backend: busy with bd-1, 40 %: tests first\n");
    let session = record(&node, "b");
    for (key, value) in [
        ("activity", json!("busy")),
        ("task", json!("bd-1")),
        ("progress", json!(40)),
        ("note", json!("tests first")),
    ] {
        assert_eq!(session[key], value, "{session}");
    }
    // The end of the turn ends what it was busy with, and nothing else.
    node.told(PROMPT, "b", "UserPromptSubmit", &json!({}));
    assert!(node.root.join(".comm-node/sessions/b.turn").is_file());
    node.stop("b", false);
    let session = record(&node, "b");
    assert_eq!((&session["activity"], &session["task"]), (&Value::Null, &json!("bd-1")), "{session}");
    assert!(!node.root.join(".comm-node/sessions/b.turn").exists());
    node.run("b", &["status", "--set", "blocked", "--note", "needs the contract"]).good();
    node.told(PROMPT, "b", "UserPromptSubmit", &json!({}));
    node.told(STOP, "b", "Stop", &json!({"stop_hook_active": false}));
    assert_eq!(record(&node, "b")["activity"], "blocked");
    let said = node.run("b", &["status", "--set", "idle", "--json"]).good().json();
    assert_eq!(
        (&said["activity"], &said["task"], &said["progress"]),
        (&json!("idle"), &Value::Null, &Value::Null)
    );
    let said: Vec<Value> = node.events().into_iter().filter(|e| e["event"] == "status").collect();
    assert_eq!(said.len(), 3, "{said:?}");
    assert_eq!((&said[0]["task"], &said[0]["domain"]), (&json!("bd-1"), &json!("backend")));
}

#[test]
fn a_turn_that_may_not_end_is_open() {
    let node = Node::new();
    node.told(PROMPT, "b", "UserPromptSubmit", &json!({}));
    node.send("f", &["backend", "Which port?", "--blocks"]);
    assert!(node.stop("b", false).contains("Which port?"));
    assert!(node.root.join(".comm-node/sessions/b.turn").is_file());
}

#[test]
fn who_may_say_it_and_how() {
    let node = Node::new();
    for (who, args, pieces) in [
        ("", &["status", "--set", "busy"][..], &["no session was named", "comm-node sessions"][..]),
        ("b", &["status", "--set", "busy", "--session", "f"], &["can speak for itself alone"]),
        ("b", &["status", "--session", "b"], &["nothing was said"]),
        ("b", &["status", "--set", "busy", "--task", "two words"], &["no task's name", "one word"]),
        ("b", &["status", "--note", &"x".repeat(201)], &["more than 200 characters"]),
    ] {
        node.run(who, args).refused(pieces);
    }
    for args in [&["status", "--set", "asleep"][..], &["status", "--progress", "most"]] {
        assert_eq!(node.run("b", args).code, 2, "{args:?}");
    }
    // A person may say it for a session, and one of no domain may say it too.
    node.run("", &["status", "--set", "blocked", "--session", "f"]).good();
    assert_eq!(record(&node, "f")["activity"], "blocked");
    assert!(node.run("u", &["status", "--set", "busy"]).good().out.contains("bound to no domain"));
}
