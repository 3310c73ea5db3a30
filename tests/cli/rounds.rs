//! The end of a kickoff's round: who is done, and who is told.

#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that can't be set up has to stop")]

use std::fs;

use serde_json::{Value, json};

use crate::mail::Node;

const COORDINATED: &str = "version: 1
name: shop
domains:
  backend: {scope: [\"api/**\"], max_sessions: 2}
  frontend: {scope: [\"web/**\"]}
  docs: {scope: [\"docs/**\"]}
  integration: {scope: [\"integration/**\"], role: coordinator}
";

fn coordinated() -> Node {
    let node = Node::new();
    fs::write(node.root.join("comm-node.yaml"), COORDINATED).expect("writes");
    node
}

/// The texts of the messages of the type `start` that wait for `who`.
fn starts(node: &Node, who: &str) -> Vec<String> {
    let inbox = node.run("", &["inbox", "--domain", who, "--json"]).good().json();
    let starts = inbox.as_array().into_iter().flatten().filter(|m| m["type"] == "start");
    starts.map(|m| m["body"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Calls `domains`, of which backend and frontend have sessions, and starts.
fn begin(node: &Node, domains: &[&str]) -> String {
    let said = node.run("", &[&["kickoff", "--goal", "Login", "--wait", "1s"], domains].concat()).out;
    node.run("b", &["kickoff", "backend"]).good();
    node.run("f", &["kickoff", "frontend"]).good();
    node.run("", &["kickoff", "--force"]).good();
    said
}

fn kickoff(node: &Node) -> Value {
    let text = fs::read_to_string(node.root.join(".comm-node/kickoff.json")).expect("is there");
    serde_json::from_str(&text).expect("is JSON")
}

fn write_kickoff(node: &Node, kickoff: &Value) {
    fs::write(node.root.join(".comm-node/kickoff.json"), kickoff.to_string()).expect("writes");
}

#[test]
fn the_coordinator_is_woken_once_when_all_others_are_done() {
    let node = coordinated();
    node.run("b", &["kickoff", "--done"]).refused(&["no kickoff is under way"]);
    node.run("", &["kickoff", "--goal", "Login", "--wait", "1s"]);
    node.run("b", &["kickoff", "--done"]).refused(&["START has not come"]);
    let said = begin(&node, &[]);
    assert_eq!(said, "called backend, docs, frontend\nintegration is woken when they are done\n");
    assert!(starts(&node, "integration").is_empty(), "it has no part to begin with");

    let said = node.run("b", &["kickoff", "--done", "--note", "the API \u{1b}[31mworks"]).good().out;
    assert_eq!(said, "backend is done; not yet: docs, frontend\n");
    let hand_off = ["handoff", "write", "bd-1", "--status", "half of it", "--next", "the rest"];
    node.run("f", &hand_off).good();
    node.run("f", &["kickoff", "--done"]).refused(&["domain frontend has hand-offs that are not done: bd-1"]);
    node.run("f", &["handoff", "accept", "bd-1"]).good();
    node.run("f", &["kickoff", "--done"]).refused(&["bd-1"]);
    node.run("f", &["handoff", "done", "bd-1"]).good();
    node.run("f", &["kickoff", "--done"]).good();
    node.run("f", &["kickoff", "docs", "--done"]).refused(&["can't say that docs is done"]);
    node.run("", &["kickoff", "--done"]).refused(&["say which domain is done"]);
    node.run("", &["kickoff", "integration", "--done"]).refused(&["is not for domain integration"]);
    assert!(starts(&node, "integration").is_empty(), "control: docs is not done");

    let said = node.run("", &["kickoff", "docs", "--done"]).good().out;
    assert_eq!(said, "docs is done, and with it all; told integration\n");
    let told = starts(&node, "integration");
    assert_eq!(told.len(), 1, "{told:?}");
    let begins = "All other domains are done: backend (the API \\u{1b}[31mworks), docs, frontend. Goal: Login. Now bring";
    assert!(told[0].starts_with(begins), "{told:?}");
    for args in [&["kickoff", "backend", "--done"][..], &["kickoff", "--status"], &["kickoff", "--force"]] {
        node.run("", args).good();
    }
    assert_eq!((starts(&node, "integration").len(), starts(&node, "human").len()), (1, 0));
    assert_eq!(node.run("", &["kickoff", "--status", "--json"]).good().json()["state"], "done");

    // The next round wakes it anew.
    begin(&node, &["--only", "backend,frontend"]);
    for id in ["b", "f"] {
        node.run(id, &["kickoff", "--done"]).good();
    }
    assert_eq!(starts(&node, "integration").len(), 2);
}

#[test]
fn without_a_coordinator_the_person_is_told() {
    let node = Node::new();
    begin(&node, &["--only", "backend,frontend"]);
    node.run("b", &["kickoff", "--done"]).good();
    assert!(starts(&node, "human").is_empty());
    let said = node.run("f", &["kickoff", "--done", "--json"]).good().json();
    assert!(said["woken"]["human"].is_string() && said["state"] == "done", "{said}");
    assert_eq!(starts(&node, "human"), ["All other domains are done: backend, frontend. Goal: Login."]);
}

#[test]
fn whoever_died_on_the_way_leaves_nothing_out_and_nothing_twice() {
    let node = coordinated();
    begin(&node, &["--only", "backend,frontend"]);
    // Died after the record, before the message.
    let mut record = kickoff(&node);
    for name in ["backend", "frontend"] {
        record["members"][name]["done"] = json!("2026-11-25T10:00:00Z");
    }
    write_kickoff(&node, &record);
    node.run("", &["kickoff", "--status"]).good();
    assert_eq!(starts(&node, "integration").len(), 1);
    // Died after the message, before it was on record.
    let mut record = kickoff(&node);
    let id = record["woken"]["integration"].clone();
    assert!(id.is_string(), "{record}");
    record.as_object_mut().expect("an object").remove("woken");
    write_kickoff(&node, &record);
    node.run("b", &["kickoff", "--done"]).good();
    assert_eq!((kickoff(&node)["woken"]["integration"].clone(), starts(&node, "integration").len()), (id, 1));
}
