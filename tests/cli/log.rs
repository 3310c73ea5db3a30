//! `comm-node log`: what happened in the node, as it is filtered, shown and followed.

#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that can't be set up has to stop")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use comm_node_core::text::is_hidden;
use serde_json::Value;

use crate::mail::Node;

/// A node whose log is `lines`.
fn logged(lines: &str) -> Node {
    let node = Node::new();
    fs::create_dir_all(node.root.join(".comm-node/log")).expect("makes");
    fs::write(node.root.join(".comm-node/log/events.jsonl"), lines).expect("writes");
    node
}

fn append(node: &Node, text: &str) {
    let path = node.root.join(".comm-node/log/events.jsonl");
    let mut file = fs::OpenOptions::new().append(true).create(true).open(path).expect("opens");
    file.write_all(text.as_bytes()).expect("writes");
}

const LINES: &str = r#"{"t":"2026-11-20T08:00:00.000Z","event":"wrote","session":"aaaaaaaa-1","domain":"backend","task":"bd-1","tool":"Write","path":"api/x.rs"}
{"t":"2026-11-21T08:00:00.000Z","event":"denied","session":"aaaaaaaa-1","domain":"backend","task":"bd-2","tool":"Edit","path":"web/x","rule":"scope"}
{"t":"2026-11-22T08:00:00.000Z","event":"denied","session":"bbbbbbbb-1","domain":"frontend","tool":"Bash","path":"api/y","rule":"lease","note":"a\u001b[2J\u202eb","later":[1]}
"#;

#[test]
fn events_are_filtered_and_shown() {
    let node = logged(LINES);
    let all = node.run("", &["log"]).good();
    assert_eq!(
        all.out,
        "2026-11-20 08:00:00Z  wrote         backend/aaaaaaaa  bd-1  Write  api/x.rs\n\
         2026-11-21 08:00:00Z  denied        backend/aaaaaaaa  bd-2  Edit  web/x  scope\n\
         2026-11-22 08:00:00Z  denied        frontend/bbbbbbbb  Bash  api/y  lease  a\\u{1b}[2J\\u{202e}b\n"
    );
    assert_eq!(all.err, "");
    for (args, days) in [
        (&["--domain", "backend"][..], &["20", "21"][..]),
        (&["--domain", "backend,frontend", "--type", "denied"], &["21", "22"]),
        (&["--task", "bd-1"], &["20"]),
        (&["--session", "bbbb"], &["22"]),
        (&["--since", "2026-11-21"], &["21", "22"]),
        (&["--since", "2026-11-21T08:00:00.001Z"], &["22"]),
        (&["--since", "2026-11-20", "-n", "1"], &["22"]),
        (&["-n", "1", "--domain", "backend"], &["21"]),
        (&["-n", "all"], &["20", "21", "22"]),
        (&["-n", "0"], &[]),
        (&["--type", "lost"], &[]),
    ] {
        let mut all = vec!["log", "--json"];
        all.extend(args);
        let said = node.run("", &all).good().out;
        let found: Vec<&str> = said.lines().map(|line| &line[14..16]).collect();
        assert_eq!(found, days, "{args:?}");
        assert!(said.chars().all(|c| c == '\n' || !is_hidden(c)), "{said:?}");
        for line in said.lines() {
            serde_json::from_str::<Value>(line).expect("JSON");
        }
    }
    assert!(node.run("", &["log", "--json", "-n", "1"]).good().out.contains(r#""later":[1]"#));
    node.run("", &["log", "--since", "yesterday"]).refused(&["--since `yesterday` is no time", "2h"]);
    assert_eq!(node.run("", &["log", "-n", "x"]).code, 2);
    assert!(node.run("", &["log", "--type", "x"]).good().err.contains("nothing of that kind"));
}

#[test]
fn damaged_lines_are_named_and_passed_over() {
    let half = &LINES[..40];
    let node = logged(&format!("{half}{LINES}nonsense\n{half}"));
    let said = node.run("", &["log", "-n", "all", "--json"]).good();
    assert_eq!(said.out.lines().count(), 3, "{said:?}");
    let warnings: Vec<&str> = said.err.lines().collect();
    assert_eq!(warnings.len(), 3, "{said:?}");
    let second = 40 + LINES.len();
    for (line, end) in warnings.iter().zip([
        "events.jsonl, byte 0: passed over: it breaks off, and the next one follows".to_owned(),
        format!("events.jsonl, byte {second}: passed over: it is no event"),
        format!("events.jsonl, byte {}: passed over: it breaks off", second + 9),
    ]) {
        assert!(line.starts_with("warning: ") && line.ends_with(&end), "{line}\n{end}");
    }
}

#[test]
fn following_shows_each_line_once_across_a_rotation() {
    let node = logged(LINES);
    let mut child = Command::new(env!("CARGO_BIN_EXE_comm-node"))
        .args(["log", "--follow", "--json", "-n", "1", "--type", "denied"])
        .current_dir(&node.root)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut next = || lines.next().expect("a line").expect("UTF-8");
    assert!(next().contains("2026-11-22"));
    let event = |n: usize, event: &str| {
        format!("{{\"t\":\"2026-11-23T00:00:00.000Z\",\"event\":\"{event}\",\"note\":\"n{n}\"}}\n")
    };
    append(&node, &event(0, "wrote"));
    append(&node, &event(1, "denied"));
    assert!(next().contains("\"n1\""));
    let log = node.root.join(".comm-node/log");
    append(&node, &event(2, "denied"));
    fs::rename(log.join("events.jsonl"), log.join("events-100-1.jsonl")).expect("rotates");
    append(&node, &event(3, "denied"));
    assert!(next().contains("\"n2\"") && next().contains("\"n3\""));
    child.kill().expect("kills");
    child.wait().expect("ends");
    assert!(lines.next().is_none(), "nothing was shown twice");
}
