//! Names of directories can hold anything: what is printed or handed to a model shows it, and never does it.

#![cfg(unix)]

use std::fs;

use comm_node_core::text::is_hidden;
use serde_json::{Value, json};

use crate::mail::Node;

const GUARD: &str = env!("CARGO_BIN_EXE_comm-node-pre-tool-use");
const START: &str = env!("CARGO_BIN_EXE_comm-node-session-start");
const SUBAGENT: &str = env!("CARGO_BIN_EXE_comm-node-subagent-start");

/// Patterns with an escape, a line break that forges a line of text, and a direction mark in them.
const YAML: &str = r#"version: 1
name: shop
domains:
  backend:
    description: "all\x1b]0;of it"
    scope: ["api/**", "e\x1b]0;sc\x9Bdir/**"]
    exclude: ["e\x1b]0;sc\x9Bdir/old/**"]
  frontend:
    scope: ["n\nforged: line/**", "w\u202eeb/**"]
    exclude: ["n\nforged: line/old/**"]
    max_sessions: 2
roles:
  narrow: {scope: ["n\nforged: line/**"], exclude: ["e\x1b]0;sc\x9Bdir/**"]}
policy: {protected: ["s\x1b]0;ecret/**"]}
"#;

fn harmless(said: &str, of: &str) {
    let bad = |line: &&str| line.chars().any(is_hidden) || line.starts_with("forged:");
    assert_eq!(said.lines().find(bad), None, "{of}");
}

/// Every text in `value`.
fn texts(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) => out.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, out)),
        Value::Object(items) => items.values().for_each(|item| texts(item, out)),
        _ => {}
    }
}

#[test]
fn patterns_of_any_kind_are_shown_and_never_done() {
    let node = Node::new();
    fs::write(node.root.join("comm-node.yaml"), YAML).expect("writes");
    node.run("", &["check"]).good();
    let paths = [
        "e\u{1b}]0;sc\u{9b}dir/x",
        "e\u{1b}]0;sc\u{9b}dir/old/x",
        "n\nforged: line/x",
        "n\nforged: line/old/x",
        "w\u{202e}eb/x",
        "s\u{1b}]0;ecret/x",
        "nobody/x",
        "api/x",
    ];
    let mut seen = String::new();
    for path in paths {
        for args in [
            vec!["show", path],
            vec!["why", path],
            vec!["why", path, "--domain", "backend"],
            vec!["why", path, "--domain", "frontend"],
            vec!["why", path, "--domain", "frontend", "--role", "narrow"],
            vec!["explain", &format!("echo x > '{path}'"), "--domain", "frontend"],
            vec!["lock", path],
        ] {
            let said = node.run(if args[0] == "lock" { "f" } else { "" }, &args);
            harmless(&said.out, &format!("{args:?}"));
            harmless(&said.err, &format!("{args:?}"));
            seen.push_str(&said.out);
        }
        for session in ["b", "f", "u"] {
            let call = json!({"tool_name": "Write", "tool_use_id": "t", "tool_input":
                {"file_path": node.root.join(path), "content": "x"}});
            let answer = node.hook(GUARD, session, None, "PreToolUse", &call);
            let mut said = Vec::new();
            texts(&serde_json::from_str(&answer).unwrap_or(Value::Null), &mut said);
            said.iter().for_each(|text| harmless(text, &format!("the guard, {session} {path:?}")));
            seen.extend(said);
        }
    }
    // What was asked is really in it.
    for piece in
        ["e\\u{1b}]0;sc\\u{9b}dir/**", "n\\u{a}forged: line/**", "w\\u{202e}eb/**", "s\\u{1b}]0;ecret/**"]
    {
        assert!(seen.contains(piece), "{piece} is nowhere in {seen}");
    }
    for (program, event, call) in [
        (START, "SessionStart", json!({"source": "startup"})),
        (SUBAGENT, "SubagentStart", json!({"agent_id": "a", "agent_type": "narrow"})),
    ] {
        for session in ["b", "f", "u"] {
            let answer = node.hook(program, session, None, event, &call);
            let mut said = Vec::new();
            texts(&serde_json::from_str(&answer).unwrap_or(Value::Null), &mut said);
            said.iter().for_each(|text| harmless(text, event));
        }
    }
    for args in [
        &["status"][..],
        &["generate", "--dry-run"],
        &["doctor"],
        &["locks"],
        &["join", "frontend", "--session", "u"],
    ] {
        let said = node.run("", args);
        harmless(&said.out, args[0]);
        harmless(&said.err, args[0]);
    }
}
