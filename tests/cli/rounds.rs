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
    let none = "no session works for docs yet; one that starts there is told by its first brief\n";
    assert_eq!(
        said,
        format!("called backend, docs, frontend\n{none}integration is woken when they are done\n")
    );
    let table = node.run("", &["kickoff", "--status"]).good().out;
    assert_eq!(table.matches("missing, no session").count(), 1, "{table}");
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

/// Who has no part is not told to report ready and to wait for a START that never comes.
#[test]
fn what_is_said_of_a_kickoff_fits_who_asks() {
    let node = coordinated();
    begin(&node, &["--only", "backend,frontend"]);
    let own = node.run("b", &["kickoff", "backend"]).good().out;
    assert!(own.contains("> Your part: domain backend") && own.contains("> Peers: frontend."), "{own}");
    let other = node.run("u", &["kickoff", "docs"]).good().out;
    assert!(other.contains("The kickoff under way is not for domain docs."), "{other}");
    assert!(!other.contains("Your part") && !other.contains("Goal"), "{other}");
    node.register("u", "", node.pid("u"));
    let coordinator = node.run("u", &["kickoff", "integration"]).good().out;
    for piece in [
        "> Goal: Login\n",
        "> You bring the parts together: domain integration; it writes `integration/**`.\n",
        "> Who has a part: backend, frontend.\n",
        "> Change nothing yet: a message says when all of them are done.\n",
        "is told by a message when all are done.",
    ] {
        assert!(coordinator.contains(piece), "{piece}: {coordinator}");
    }
    assert!(!coordinator.contains("START") && !coordinator.contains("reports ready"), "{coordinator}");
}

/// A message that costs too much is not sent, and a kickoff whose messages can't be sent would be stuck for ever.
#[test]
fn whatever_the_node_is_like_all_messages_have_room() {
    let node = Node::new();
    let wide = |n: usize| "界".repeat(n);
    let mut yaml = "version: 1\nname: shop\ndomains:\n".to_owned();
    let others: Vec<String> = (0..30).map(|i| format!("peer{i:02}{}", "-name".repeat(6))).collect();
    for name in ["backend", "frontend"].into_iter().chain(others.iter().map(String::as_str)) {
        let list = |what: &str| {
            let items: Vec<String> = (0..20).map(|i| format!("\"{what}{i}{}\"", wide(40))).collect();
            items.join(", ")
        };
        yaml.push_str(&format!("  {name}:\n    description: {0}\n    max_sessions: 2\n", wide(110)));
        yaml.push_str(&format!("    scope: [\"{name}/**\", {}]\n    exports: [{}]\n", list("p/"), list("E")));
        if name == "backend" {
            let import = |other: &String| format!("{other}: [{}]", list("E"));
            yaml.push_str(&format!(
                "    imports: {{{}}}\n",
                others.iter().map(import).collect::<Vec<_>>().join(", ")
            ));
        }
    }
    fs::write(node.root.join("comm-node.yaml"), yaml).expect("writes");
    fs::write(node.root.join("brief.md"), "x\n".repeat(430)).expect("writes");
    let goal = wide(200);
    let said = node.run("", &["kickoff", "--goal", &goal, "--brief", "brief.md", "--wait", "1s"]);
    assert!(said.out.starts_with("called backend, frontend, peer00"), "{said:?}");
    let told = node.run("b", &["kickoff", "backend"]).good().out;
    for piece in ["> The brief is long: `comm-node kickoff backend` prints it.", "START comes as a message"] {
        assert!(told.contains(piece), "{piece}: {told}");
    }
    node.run("", &["kickoff", "--force"]).good();
    assert_eq!(starts(&node, "backend").len(), 1);
    let mut record = kickoff(&node);
    for member in record["members"].as_object_mut().expect("an object").values_mut() {
        (member["done"], member["note"]) = (json!("2026-11-25T10:00:00Z"), json!(wide(200)));
    }
    write_kickoff(&node, &record);
    node.run("", &["kickoff", "--status"]).good();
    let end = starts(&node, "human").pop().unwrap_or_default();
    assert!(
        end.contains(&format!("All other domains are done: backend ({}…)", wide(80)))
            && end.contains(" more. Goal: "),
        "{end}"
    );
}

/// A goal stands whole in every message, or is refused.
#[test]
fn a_goal_is_said_whole() {
    let node = Node::new();
    let call =
        |goal: &str| node.run("", &["kickoff", "--goal", goal, "--only", "backend,frontend", "--wait", "1s"]);
    call(&"g".repeat(201)).refused(&["the goal has more than 200 characters", "into a file for --brief"]);
    call(" \n ").refused(&["the goal is empty"]);
    for goal in ["g".repeat(200), "中".repeat(200)] {
        assert_eq!(call(&format!("\n{goal}\n")).code, 1);
        let told = node.run("b", &["kickoff", "backend"]).good().out;
        assert!(told.contains(&format!("> Goal: {goal}\n")), "{told}");
        let last = node.run("f", &["kickoff", "frontend"]).good().out;
        assert!(last.contains(&format!("START: {goal}. Begin")), "{last}");
        assert!(starts(&node, "backend")[0].starts_with(&format!("START: {goal}. Begin")));
        node.run("b", &["kickoff", "--done"]).good();
        node.run("f", &["kickoff", "--done"]).good();
        let end = starts(&node, "human").pop().unwrap_or_default();
        assert!(end.ends_with(&format!("frontend. Goal: {goal}.")), "{end}");
    }
    call("two\n  lines");
    assert_eq!(kickoff(&node)["goal"], "two lines");
    for only in ["", "backend,", " "] {
        node.run("", &["kickoff", "--goal", "x", "--only", only])
            .refused(&["--only has an empty name in it; write `--only backend,frontend`"]);
    }
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
