//! What sessions do, as they say it and as it is seen: `comm-node status`.

#![cfg(unix)]
#![expect(clippy::expect_used, clippy::panic, reason = "a test that can't be set up has to stop")]

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

/// Makes `file` of the state directory `ms` older.
fn age(node: &Node, file: &str, ms: u64) {
    let path = node.root.join(".comm-node").join(file);
    let file = std::fs::OpenOptions::new().write(true).open(path).expect("opens");
    file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_millis(ms)).expect("dates");
}

fn domain(node: &Node, name: &str) -> Value {
    let status = node.run("", &["status", "--json"]).good().json();
    let found = status["domains"].as_array().and_then(|all| all.iter().find(|d| d["name"] == name).cloned());
    found.unwrap_or_else(|| panic!("no {name}: {status}"))
}

#[test]
fn the_node_at_a_glance() {
    let node = Node::new();
    node.told(PROMPT, "f", "UserPromptSubmit", &json!({}));
    node.run(
        "b",
        &["status", "--set", "blocked", "--task", "bd-1", "--progress", "40", "--note", "no \u{1b}[2JAPI"],
    )
    .good();
    node.send("f", &["backend", "Which port?", "--blocks"]);
    node.send("f", &["human", "Which licence?"]);
    node.run("b", &["lock", "api/x.rs"]).good();
    let backend = domain(&node, "backend");
    for (key, value) in [
        ("state", json!("blocked")),
        ("task", json!("bd-1")),
        ("progress", json!(40)),
        ("sessions", json!(["b", "b2"])),
        ("mail", json!({"waiting": 1, "urgent": 1, "open": 0})),
        ("leases", json!(1)),
    ] {
        assert_eq!(backend[key], value, "{key}: {backend}");
    }
    let agent = &backend["agents"][0];
    assert_eq!(
        (&agent["session"], &agent["client"], &agent["leases"]),
        (&json!("b"), &json!("live"), &json!(1))
    );
    assert_eq!(backend["agents"][1]["state"], "idle");
    let frontend = domain(&node, "frontend");
    assert_eq!(
        (&frontend["state"], &frontend["agents"][0]["turn_since"].is_string()),
        (&json!("busy"), &true)
    );
    assert_eq!(
        (domain(&node, "docs")["state"].as_str(), &domain(&node, "docs")["task"]),
        (Some("none"), &Value::Null)
    );
    let said = node.run("", &["status"]).good().out;
    for piece in [
        "backend",
        "bd-1",
        "40 %",
        "1 (1 urgent)",
        "BLOCKED session b of backend: no \\u{1b}[2JAPI",
        "1 message(s) for you",
    ] {
        assert!(said.contains(piece), "it lacks {piece:?}: {said}");
    }
    assert!(!said.contains('\u{1b}'), "{said:?}");
    // A blocked agent wants a person, and the exit code says so.
    assert_eq!(node.run("", &["status", "--check"]).code, 1);
    node.run("b", &["status", "--set", "busy"]).good();
    assert_eq!(node.run("", &["status", "--check"]).code, 0);
}

#[test]
fn a_lost_agent_is_reported_once_and_what_it_held_is_free() {
    let mut node = Node::new();
    node.run("b", &["lock", "api/**"]).good();
    node.told(PROMPT, "b", "UserPromptSubmit", &json!({}));
    node.run("b2", &["lock", "api/x.rs"]).refused(&["api/**"]);
    assert_eq!(domain(&node, "backend")["agents"][0]["state"], "busy");
    assert!(node.inbox("").is_empty());
    let (_, client) = node.clients.iter_mut().find(|(id, _)| *id == "b").expect("b has one");
    client.kill().expect("kills");
    client.wait().expect("is gone");
    // Another agent's next hook notices, if none looked a moment ago.
    node.told(PROMPT, "f", "UserPromptSubmit", &json!({}));
    assert!(!node.root.join(".comm-node/mail/human").exists());
    age(&node, "lookout", 21_000);
    node.told(PROMPT, "f", "UserPromptSubmit", &json!({}));
    let mailbox = node.root.join(".comm-node/mail/human/new");
    let told = std::fs::read_dir(&mailbox).map_or(0, Iterator::count);
    assert_eq!(told, 1, "the hook told the person");
    for _ in 0..3 {
        node.told(PROMPT, "f", "UserPromptSubmit", &json!({}));
        let agent = &domain(&node, "backend")["agents"][0];
        assert_eq!((&agent["state"], &agent["client"]), (&json!("lost"), &json!("gone")), "{agent}");
        assert!(agent["reported"].is_string());
    }
    let inbox = node.inbox("");
    assert_eq!(inbox.len(), 1, "{inbox:?}");
    let body = inbox[0]["body"].as_str().unwrap_or_default();
    assert_eq!((&inbox[0]["from"], &inbox[0]["priority"]), (&json!("comm-node"), &json!("high")));
    assert!(
        body.contains("session b of backend is lost: its client is gone")
            && body.contains("(a lease) no longer counts"),
        "{body}"
    );
    assert!(node.run("", &["status"]).good().out.contains("LOST session b of backend"));
    assert_eq!(node.run("", &["status", "--check"]).code, 1);
    assert_eq!(domain(&node, "backend")["leases"], 0);
    node.run("b2", &["lock", "api/x.rs"]).good();
    let lost: Vec<Value> = node.events().into_iter().filter(|e| e["event"] == "lost").collect();
    assert_eq!((lost.len(), &lost[0]["session"], &lost[0]["domain"]), (1, &json!("b"), &json!("backend")));
}

#[test]
fn a_silent_turn_is_reported_once_and_keeps_its_leases() {
    let node = Node::new();
    node.run("b", &["lock", "api/**"]).good();
    node.told(PROMPT, "b", "UserPromptSubmit", &json!({}));
    age(&node, "sessions/b.jsonl", 119_000);
    assert_eq!(domain(&node, "backend")["agents"][0]["state"], "busy");
    assert!(node.inbox("").is_empty());
    age(&node, "sessions/b.jsonl", 121_000);
    for _ in 0..2 {
        assert_eq!(domain(&node, "backend")["agents"][0]["state"], "silent");
    }
    let inbox = node.inbox("");
    assert_eq!(inbox.len(), 1, "{inbox:?}");
    assert!(
        inbox[0]["body"].as_str().is_some_and(|b| b.contains("It lives, so it keeps a lease.")),
        "{inbox:?}"
    );
    node.run("b2", &["lock", "api/x.rs"]).refused(&["api/**"]);
    // It goes on.
    node.batch("b");
    assert_eq!(domain(&node, "backend")["agents"][0]["state"], "busy");
    // A session that nobody asks anything is silent for as long as it likes.
    age(&node, "sessions/f.jsonl", 99_000_000);
    assert_eq!(domain(&node, "frontend")["agents"][0]["state"], "idle");
}

#[test]
fn a_budget_is_shown_where_there_is_one() {
    let node = Node::new();
    let yaml = std::fs::read_to_string(node.root.join("comm-node.yaml")).expect("reads");
    let yaml = yaml.replace("max_sessions: 2}", "max_sessions: 2, budget: {tokens_per_day: 1000}}");
    std::fs::write(node.root.join("comm-node.yaml"), yaml).expect("writes");
    let budget = &domain(&node, "backend")["budget"];
    assert_eq!(
        (&budget["percent"], budget["text"].as_str().map(|t| t.contains("0 % of"))),
        (&json!(0), Some(true)),
        "{budget}"
    );
    assert_eq!(domain(&node, "frontend")["budget"], Value::Null);
    let line = node.run("b", &["statusline"]).good().out;
    assert!(line.starts_with("backend · budget ") && line.contains("1,000 tokens"), "{line}");
    assert_eq!(node.run("f", &["statusline"]).good().out, "frontend\n");
}
