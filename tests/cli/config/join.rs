//! `join`: inside a session nobody leaves the domain that it has, had, or waits for.

use std::process::Output;

use super::{GOOD, Node, text};

fn record(fields: &str) -> String {
    format!(r#"{{"version":1,"session_id":"s1"{fields}}}"#)
}

fn join(node: &Node, domain: &str) -> Output {
    node.command(&["join", domain]).env("CLAUDE_CODE_SESSION_ID", "s1").output().unwrap()
}

#[test]
fn an_agent_keeps_the_domain_that_it_has_had_or_waits_for() {
    let cases = [
        ("sessions/s1.jsonl", r#","domain":"web""#, "already works for domain web"),
        ("sessions/s1.jsonl", r#","waiting_for":"web""#, "waits for room in domain web"),
        ("sessions/ended/s1.jsonl", r#","domain":"web""#, "already works for domain web"),
        ("sessions/ended/s1.jsonl", r#","waiting_for":"web""#, "waits for room in domain web"),
    ];
    for (path, fields, why) in cases {
        let node = Node::with(TWO);
        node.write(&format!(".comm-node/{path}"), &record(fields));
        let output = join(&node, "api");
        assert_eq!(output.status.code(), Some(1), "{path} {fields}: {}", text(&output));
        assert!(text(&output).contains(why), "{path} {fields}: {}", text(&output));
        let output = join(&node, "web");
        assert!(output.status.success(), "{path} {fields}: {}", text(&output));
    }
}

#[test]
fn a_session_that_goes_on_keeps_what_its_record_says() {
    let node = Node::with(GOOD);
    node.write(".comm-node/sessions/ended/s1.jsonl", &record(r#","started":"then","later":7"#));
    assert!(join(&node, "api").status.success());
    let record = std::fs::read_to_string(node.root.join(".comm-node/sessions/s1.jsonl")).unwrap();
    assert!(record.contains("\"then\"") && record.contains("\"later\":7"), "{record}");
}

#[test]
fn a_whole_id_is_meant_although_another_begins_with_it() {
    let node = Node::with(TWO);
    node.write(".comm-node/sessions/s1.jsonl", &record(r#","domain":"web""#));
    node.write(".comm-node/sessions/s12.jsonl", &record("").replace("s1", "s12"));
    let leave = |id: &str| node.command(&["leave", "--session", id]).output().unwrap();
    let output = leave("s");
    assert!(text(&output).contains("2 sessions' ids begin with `s`"), "{}", text(&output));
    let output = leave("s1");
    assert!(output.status.success(), "{}", text(&output));
}

const TWO: &str =
    "version: 1\nname: shop\ndomains:\n  api: {scope: [\"api/**\"]}\n  web: {scope: [\"web/**\"]}\n";
