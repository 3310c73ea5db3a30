//! Rules that are long: the guard reads of them what concerns the session's own domain, and more where an answer
//! depends on more. It must say what it would say with all of them.

#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that can't be set up has to stop")]

use std::fs;
use std::path::PathBuf;

use comm_node_core::node::excerpt;
use comm_node_core::session::{Session, SessionId};
use serde_json::{Value, json};

use crate::mail::Node;

const GUARD: &str = env!("CARGO_BIN_EXE_comm-node-pre-tool-use");
const PROMPT: &str = env!("CARGO_BIN_EXE_comm-node-user-prompt-submit");
const STOP: &str = env!("CARGO_BIN_EXE_comm-node-stop");
const START: &str = env!("CARGO_BIN_EXE_comm-node-session-start");

/// A node with two domains that sessions work for, and 80 more, and with `policy`.
fn node(policy: &str) -> Node {
    let node = Node::new();
    let mut yaml = format!(
        "version: 1\nname: shop\n{policy}domains:\n  backend: {{scope: [\"api/**\", \"x3/shared/**\"], exclude: \
         [\"api/old/**\", \"api/of7/**\"], max_sessions: 2, budget: {{tokens_per_day: 1000}}}}\n  frontend: {{scope: \
         [\"web/**\"], budget: {{tokens_per_day: 1000}}}}\n"
    );
    for i in 0..80 {
        yaml.push_str(&format!("  x{i}: {{scope: [\"x{i}/**\", \"api/of{i}/**\"]}}\n"));
    }
    fs::write(node.root.join("comm-node.yaml"), yaml).expect("writes");
    for (id, domain) in [("b", "backend"), ("f", "frontend")] {
        let mut session = Session::new(SessionId::new(id).expect("an id"));
        session.domain = Some(domain.to_owned());
        session.started = "2026-01-01T00:00:00.000Z".to_owned();
        node.store().write_session(&session).expect("writes");
    }
    fs::create_dir_all(node.root.join("api/src")).expect("dir");
    fs::write(node.root.join("api/src/a.rs"), "x").expect("writes");
    // The first call compiles.
    assert_eq!(write(&node, "b", "api/a.rs"), "");
    assert!(fs::metadata(rules(&node)).expect("there").len() > 8 << 10);
    node
}

fn rules(node: &Node) -> PathBuf {
    node.root.join(".comm-node/registry.json")
}

fn text(node: &Node) -> String {
    fs::read_to_string(rules(node)).expect("reads")
}

fn guard(node: &Node, id: &str, tool: &str, input: &Value) -> String {
    let call = json!({"tool_name": tool, "tool_use_id": format!("t-{id}"), "tool_input": input});
    node.hook(GUARD, id, None, "PreToolUse", &call)
}

fn write(node: &Node, id: &str, path: &str) -> String {
    guard(node, id, "Write", &json!({"file_path": node.root.join(path), "content": "x"}))
}

fn bash(node: &Node, id: &str, command: &str) -> String {
    guard(node, id, "Bash", &json!({"command": command}))
}

fn denied(said: &str, piece: &str) {
    assert!(said.contains("\"deny\"") && said.contains(piece), "it lacks {piece:?}: {said}");
}

#[test]
fn every_answer_is_that_of_all_the_rules() {
    let node = node("policy: {unowned: allow}\n");
    for path in ["api/a.rs", "api/src/b.rs", "x3/shared/a"] {
        assert_eq!(write(&node, "b", path), "", "{path}");
        assert_eq!(bash(&node, "b", &format!("echo x > {path}")), "", "{path}");
    }
    // Who may write what nobody owns must not write what another one owns.
    assert_eq!(write(&node, "b", "nobody/a"), "");
    assert_eq!(bash(&node, "b", "echo x > nobody/a"), "");
    for (path, owner) in [("x7/a", "x7"), ("x3/a", "x3"), ("web/a.ts", "frontend"), ("api/of7/a", "x7")] {
        denied(&write(&node, "b", path), owner);
        denied(&bash(&node, "b", &format!("echo x > {path}")), owner);
    }
    denied(&write(&node, "b", "api/old/a"), "backend");
    // One foreign path among own ones, and directories that hold both.
    denied(&bash(&node, "b", "sed -i s/a/b/ api/src/a.rs && echo x > x9/a"), "x9");
    fs::create_dir_all(node.root.join("x3/shared")).expect("dir");
    fs::write(node.root.join("x3/a"), "x").expect("writes");
    assert_eq!(bash(&node, "b", "npx prettier --write x3/shared"), "");
    denied(&bash(&node, "b", "npx prettier --write x3"), "x3");
    denied(&bash(&node, "b", "rm -rf x3"), "x3");
    // Nothing of what was refused is leased.
    let held = node.run("", &["locks", "--json"]).good().out;
    assert!(held.contains("api/src/b.rs") && !held.contains("x9/a") && !held.contains("x7/a"), "{held}");
}

#[test]
fn a_session_of_no_domain_or_of_one_that_is_gone() {
    let node = node("policy: {unbound: deny}\n");
    let mut session = Session::new(SessionId::new("b").expect("an id"));
    session.domain = Some("gone".to_owned());
    node.store().write_session(&session).expect("writes");
    denied(&write(&node, "b", "api/a.rs"), "gone");
    session.domain = None;
    node.store().write_session(&session).expect("writes");
    denied(&write(&node, "b", "x7/a.rs"), "x7");
}

/// The negative control of all the others: what is not needed is not read, which shows where it is damaged.
#[test]
fn what_another_domain_is_allowed_is_read_where_it_matters() {
    let node = node("");
    let good = text(&node);
    // With the right checksum, so that only who reads it sees it.
    let damaged = good.replacen("[[\"x7/**\"", "[[\"x7/**\\", 1);
    assert_ne!(good, damaged);
    let damaged = excerpt::sealed(&damaged[..damaged.rfind(",\"sum\":").expect("a checksum")]);
    fs::write(rules(&node), &damaged).expect("writes");
    assert_eq!(write(&node, "b", "api/a.rs"), "");
    for (hook, event) in [(PROMPT, "UserPromptSubmit"), (STOP, "Stop")] {
        assert_eq!(node.hook(hook, "b", None, event, &json!({"prompt": "go"})), "", "{event}");
    }
    assert_eq!(text(&node), damaged, "nobody looked at the rest");
    let said = write(&node, "b", "x9/a");
    denied(&said, "registry.json");
    assert!(said.contains("comm-node doctor --fix"), "{said}");
    // Who reads all of it has it made anew.
    node.hook(START, "b", None, "SessionStart", &json!({"source": "resume"}));
    assert_eq!(text(&node), good);
    denied(&write(&node, "b", "x9/a"), "x9");
}

/// A letter of another domain's pattern, which leaves rules that could be right.
#[test]
fn a_changed_byte_is_seen_by_each_hook_and_made_anew() {
    let node = node("");
    let good = text(&node);
    let changed = good.replacen("[[\"x7/**\"", "[[\"y7/**\"", 1);
    for (hook, event) in [(GUARD, ""), (PROMPT, "UserPromptSubmit"), (STOP, "Stop"), (START, "SessionStart")]
    {
        fs::write(rules(&node), &changed).expect("writes");
        if event.is_empty() {
            assert_eq!(write(&node, "b", "api/a.rs"), "");
        } else {
            node.hook(hook, "b", None, event, &json!({"prompt": "go", "source": "resume"}));
        }
        assert_eq!(text(&node), good, "{hook}");
    }
}

#[test]
fn a_wrong_index_and_an_older_format_are_made_anew() {
    let node = node("");
    let good = text(&node);
    let entry = |name: &str| {
        let from = good.rfind(&format!("\"{name}\":[")).expect("an entry") + name.len() + 4;
        good[from..from + good[from..].find(']').expect("ends")].to_owned()
    };
    let (own, other) = (entry("backend"), entry("x7"));
    let index = good.rfind("\n \"index\"").expect("an index");
    let roles = good[good.rfind("\"roles\":[").expect("a place")..]
        .split_inclusive("],")
        .next()
        .expect("ends")
        .to_owned();
    for (what, wrong) in [
        (
            "the place of another",
            good.replace(&format!("\"backend\":[{own}"), &format!("\"backend\":[{other}")),
        ),
        ("no place", good.replace(&format!("\"backend\":[{own}"), "\"backend\":[7,99999999")),
        ("no beginning", good.replace("\"head\":", "\"head\":1")),
        ("no index", [good[..index].trim_end_matches(','), "\n}\n"].concat()),
        ("an older format", good.replace("\"version\": 3", "\"version\": 1")),
        ("the one before", good.replace("\"version\": 3", "\"version\": 2").replace(&roles, "")),
    ] {
        assert_ne!(wrong, good, "{what}");
        let wrong = match wrong.rfind(",\"sum\":") {
            Some(at) if what == "the one before" => [&wrong[..at], "}\n}\n"].concat(),
            Some(at) => excerpt::sealed(&wrong[..at]),
            None => wrong,
        };
        fs::write(rules(&node), wrong).expect("writes");
        let own = write(&node, "b", "api/a.rs");
        assert_eq!(text(&node), good, "{what}: the hook had it made anew");
        denied(&write(&node, "b", "x7/a"), "x7");
        assert_eq!(own, "", "{what}");
        node.run("", &["compile"]).good();
        assert_eq!(text(&node), good, "{what}");
    }
}

#[test]
fn where_others_budgets_stand_is_kept() {
    let node = node("");
    for id in ["b", "f"] {
        node.batch(id);
    }
    let standing = node.root.join(".comm-node/ledger/standing.json");
    let read =
        || serde_json::from_str::<Value>(&fs::read_to_string(&standing).expect("reads")).expect("JSON");
    assert!(read()["domains"]["frontend"].is_object(), "{}", read());
    node.run("", &["budget", "set", "backend", "--tokens-per-day", "2k"]).good();
    assert_eq!(write(&node, "b", "api/a.rs"), "");
    let after = read();
    assert!(after["domains"]["frontend"].is_object() && after["domains"]["backend"].is_object(), "{after}");
    assert!(after["domains"]["backend"].to_string().contains("2000"), "{after}");
}
