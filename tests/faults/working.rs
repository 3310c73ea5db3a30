//! What a session says and leaves for others: its status, blockers, hand-offs, a kickoff.

use std::fs;

use serde_json::Value;

use super::check::Check;
use super::field::Field;
use super::writers::{PLAIN, Writer};
use super::{fail, kill};

fn done(f: &Field, who: &str, args: &[&str]) {
    let said = f.agent(who, args).said();
    assert_eq!(said.code, Some(0), "{args:?}: {said:?}");
}

/// How many blockers there are, open and resolved.
fn blockers(f: &Field) -> Result<usize, String> {
    let text = fs::read_to_string(f.state().join("blockers.md")).unwrap_or_default();
    let said = f.person(&["blocker", "list"]).said();
    if said.code != Some(0) {
        return Err(format!("{said:?}"));
    }
    Ok(text.lines().filter(|line| line.starts_with("## ") && line.contains("Which hash")).count())
}

/// The states of the hand-off `t`, one for each time that it is there.
fn states(f: &Field) -> Result<Vec<String>, String> {
    let said = f.person(&["handoff", "list", "--all", "--json"]).said();
    let list: Value = serde_json::from_str(&said.out).map_err(|e| format!("{e}: {said:?}"))?;
    let own = list.as_array().into_iter().flatten().filter(|item| item["task"] == "t");
    Ok(own.map(|item| item["state"].as_str().unwrap_or("-").to_owned()).collect())
}

/// The hand-off is there once, in one of these states; "" is not at all.
fn handed(f: &Field, expected: &[&str]) -> Check {
    let states = states(f)?;
    match states.as_slice() {
        [] if expected.contains(&"") => Ok(()),
        [one] if expected.contains(&one.as_str()) => Ok(()),
        other => Err(format!("the hand-off is {other:?}, not one of {expected:?}")),
    }
}

/// The client of whoever took it is gone by then.
const TAKEN: &str = "free again";

const WRITE: [&str; 7] = ["handoff", "write", "t", "--status", "so far", "--to", "backend"];

fn commands() -> Vec<Writer> {
    vec![
        Writer {
            name: "status --set",
            run: |f| f.agent("b", &["status", "--set", "busy", "--task", "bd-1", "--progress", "2/5"]),
            ..PLAIN
        },
        Writer {
            name: "blocker add",
            run: |f| f.agent("b", &["blocker", "add", "Which hash?"]),
            again: false,
            also: |f, _, _| match blockers(f)? {
                0 | 1 => Ok(()),
                n => Err(format!("{n} blockers")),
            },
            ..PLAIN
        },
        Writer {
            name: "blocker resolve",
            setup: |f| done(f, "b", &["blocker", "add", "Which hash?"]),
            run: |f| f.person(&["blocker", "resolve", "1"]),
            again: false,
            also: |f, _, _| match blockers(f)? {
                0 | 1 => Ok(()),
                n => Err(format!("{n} blockers")),
            },
            ..PLAIN
        },
        Writer {
            name: "handoff write",
            run: |f| f.agent("b", &WRITE),
            again: false,
            also: |f, _, _| handed(f, &["", "open"]),
            ..PLAIN
        },
        Writer {
            name: "handoff accept",
            setup: |f| done(f, "b2", &WRITE),
            run: |f| f.agent("b", &["handoff", "accept", "t"]),
            again: false,
            also: |f, _, _| handed(f, &["open", TAKEN]),
            ..PLAIN
        },
        Writer {
            name: "handoff done",
            setup: |f| {
                done(f, "b2", &WRITE);
                done(f, "b", &["handoff", "accept", "t"]);
            },
            run: |f| f.agent("b", &["handoff", "done", "t"]),
            again: false,
            also: |f, _, _| handed(f, &[TAKEN, "done"]),
            ..PLAIN
        },
        Writer {
            name: "a kickoff's last report",
            setup: |f| {
                f.person(&["kickoff", "--goal", "Login", "--only", "backend", "--wait", "1s"]).said();
            },
            run: |f| f.agent("b", &["kickoff", "backend"]),
            may: &["START: Login. Begin with your part; when it is done: `comm-node kickoff --done`."],
            also: |f, _, _| {
                let said = f.person(&["kickoff", "--status", "--json"]).said();
                let state: Value = serde_json::from_str(&said.out).map_err(|e| format!("{e}: {said:?}"))?;
                if state["state"] == "started" { Ok(()) } else { Err(format!("not started: {state}")) }
            },
            ..PLAIN
        },
    ]
}

#[test]
fn work_killed_anywhere_is_done_whole_or_not() {
    kill::kill_all(&commands());
}

#[test]
fn work_on_a_disk_that_fails_is_done_whole_or_not() {
    fail::fail_all(&commands());
}

/// The checks see what they are there for.
#[test]
fn work_that_is_there_twice_is_seen() {
    let f = Field::new();
    handed(&f, &[""]).expect("nothing yet");
    assert!(handed(&f, &["open"]).is_err());
    done(&f, "b", &WRITE);
    handed(&f, &["open"]).expect("right");
    assert!(handed(&f, &["taken"]).is_err());
    for n in 0..2 {
        assert_eq!(blockers(&f), Ok(n));
        done(&f, "b", &["blocker", "add", "Which hash?"]);
    }
}
