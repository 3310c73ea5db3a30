//! What is spent and what may be: the ledger, grants and budgets, whoever dies while they are written.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::check::Check;
use super::field::{Field, POST, Run, STOP};
use super::writers::{PLAIN, Writer};
use super::{fail, kill};

/// Of each response.
const TOKENS: u64 = 120;

/// A limit of which six responses are more than half.
const BUDGET: &str = "version: 1
name: shop
domains:
  backend: {scope: [\"api/**\"], max_sessions: 6, budget: {tokens_per_day: 1000, cap: 600}}
  frontend: {scope: [\"web/**\"], max_sessions: 6}
";

fn limited(f: &Field) {
    fs::write(f.node().join("comm-node.yaml"), BUDGET).expect("writes");
    assert_eq!(f.person(&["compile"]).said().code, Some(0));
}

/// The transcript of session `id`, or of a subagent of it. It lies where a field puts back what was there.
fn transcript(f: &Field, id: &str) -> PathBuf {
    f.top.join("home").join(format!("{id}.jsonl"))
}

/// Lets a transcript gain responses, each in two lines.
fn respond(f: &Field, id: &str, responses: std::ops::Range<u32>) {
    let path = transcript(f, id);
    fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
    let mut file = fs::File::options().create(true).append(true).open(path).expect("opens");
    for n in responses {
        for tokens in [1, TOKENS] {
            let line = json!({"type": "assistant", "parentUuid": "p", "message":
                {"id": format!("{id}-{n}"), "model": "m", "usage": {"output_tokens": tokens}}});
            file.write_all(format!("{line}\n").as_bytes()).expect("writes");
        }
    }
}

fn metered(f: &Field, program: &str, id: &str, event: &str, more: &Value) -> Run {
    let mut call = json!({"transcript_path": transcript(f, id)});
    call.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    f.hook(program, id, event, &call)
}

fn batch(f: &Field, id: &str) -> Run {
    let calls = json!([{"tool_name": "Read", "tool_use_id": "t", "tool_input": {}}]);
    metered(f, POST, id, "PostToolBatch", &json!({"tool_calls": calls}))
}

/// Five responses of session `b`, three of which are booked.
fn five(f: &Field) {
    respond(f, "b", 0..3);
    assert_eq!(batch(f, "b").said().code, Some(0));
    respond(f, "b", 3..5);
}

fn booked(f: &Field) -> Result<(u64, u64), String> {
    let usage = f.store().ledger().spent("backend").map_err(|e| e.to_string())?.total.usage;
    Ok((usage.responses, usage.output_tokens))
}

/// Once the next response is booked the tally is right, and `usage` finds nothing else in the records.
fn counted(f: &Field, responses: u64) -> Check {
    let exact = |n: u64, what: &str| match booked(f)? {
        found if found == (n, n * TOKENS) => Ok(()),
        found => Err(format!("{what}: {found:?} instead of {n} responses")),
    };
    respond(f, "b", 100..101);
    batch(f, "b").said();
    exact(responses + 1, "the tally")?;
    let said = f.person(&["usage", "--json"]).said();
    let rows: Value = serde_json::from_str(&said.out).map_err(|e| format!("{e}: {said:?}"))?;
    let row = rows.as_array().into_iter().flatten().find(|row| row["domain"] == "backend");
    let sum = row.map(|row| (row["responses"].as_u64(), row["output_tokens"].as_u64()));
    if sum != Some((Some(responses + 1), Some((responses + 1) * TOKENS))) {
        return Err(format!("usage says {rows}"));
    }
    exact(responses + 1, "the tally after `usage`")
}

/// The grants of backend: all of one, or nothing of it.
fn granted(f: &Field, tokens: u64) -> Check {
    let grants = f.store().grants(Some("backend")).map_err(|e| e.to_string())?;
    let said = f.person(&["budget", "--json"]).said();
    if said.code != Some(0) || !f.store().damaged_budgets().is_empty() {
        return Err(format!("{said:?}"));
    }
    match grants.grants.iter().map(|grant| grant.n).collect::<Vec<_>>().as_slice() {
        [] => Ok(()),
        [one] if *one == tokens => Ok(()),
        other => Err(format!("granted {other:?}")),
    }
}

fn hooks() -> Vec<Writer> {
    vec![
        Writer {
            name: "a first batch that is metered",
            setup: |f| respond(f, "b", 0..3),
            run: |f| batch(f, "b"),
            also: |f, _, _| counted(f, 3),
            ..PLAIN
        },
        Writer {
            name: "a batch that is metered",
            setup: five,
            run: |f| batch(f, "b"),
            also: |f, _, _| counted(f, 5),
            ..PLAIN
        },
        Writer {
            name: "a batch that crosses a band",
            setup: |f| {
                limited(f);
                five(f);
            },
            run: |f| batch(f, "b"),
            also: |f, _, _| {
                counted(f, 5)?;
                granted(f, 0)
            },
            ..PLAIN
        },
        Writer {
            name: "a turn's end, with a subagent",
            setup: |f| {
                five(f);
                respond(f, "b/subagents/agent-a1", 0..2);
            },
            run: |f| metered(f, STOP, "b", "Stop", &json!({"stop_hook_active": false})),
            also: |f, _, _| counted(f, 7),
            ..PLAIN
        },
        Writer {
            name: "a start after one that died",
            setup: |f| {
                f.register("b3", "backend");
                respond(f, "b3", 0..1);
                batch(f, "b3").said();
                respond(f, "b3", 1..4);
                f.bury("b3");
            },
            run: |f| f.start("b"),
            also: |f, _, _| counted(f, 4),
            ..PLAIN
        },
    ]
}

fn commands() -> Vec<Writer> {
    vec![
        Writer {
            name: "usage",
            setup: five,
            run: |f| f.person(&["usage", "--json"]),
            also: |f, _, _| counted(f, 5),
            ..PLAIN
        },
        Writer {
            name: "budget grant",
            setup: limited,
            run: |f| f.person(&["budget", "grant", "backend", "500"]),
            again: false,
            also: |f, _, _| granted(f, 500),
            ..PLAIN
        },
        Writer {
            name: "budget request",
            setup: limited,
            run: |f| f.agent("b", &["budget", "request", "300", "--reason", "tests"]),
            again: false,
            also: |f, _, _| granted(f, 300),
            ..PLAIN
        },
        Writer {
            name: "budget set",
            run: |f| f.person(&["budget", "set", "backend", "--tokens-per-day", "9000"]),
            // It has been done, at once or again; then the rules are as they were.
            undo: Some(|f| {
                let path = f.node().join("comm-node.yaml");
                let text = fs::read_to_string(&path).expect("reads");
                assert!(text.contains("9000") && text.contains("frontend: {scope: [\"web/**\"]"), "{text}");
                f.rules();
                f.person(&["compile"])
            }),
            ..PLAIN
        },
    ]
}

#[test]
fn metering_killed_anywhere_counts_everything_once() {
    kill::kill_all(&hooks());
}

#[test]
fn budgets_killed_anywhere_are_granted_whole_or_not() {
    kill::kill_all(&commands());
}

#[test]
fn metering_on_a_disk_that_fails_counts_everything_once() {
    fail::fail_all(&hooks());
}

#[test]
fn budgets_on_a_disk_that_fails_are_granted_whole_or_not() {
    fail::fail_all(&commands());
}

/// The checks see what they are there for.
#[test]
fn what_is_counted_wrong_is_seen() {
    let f = Field::new();
    five(&f);
    batch(&f, "b").said();
    counted(&f, 5).expect("right");
    assert!(counted(&f, 4).is_err(), "one more than that");
    respond(&f, "b", 50..51);
    batch(&f, "b").said();
    assert!(counted(&f, 5).is_err(), "one that nobody knows of");
    let f = Field::new();
    limited(&f);
    assert_eq!(f.person(&["budget", "grant", "backend", "500"]).said().code, Some(0));
    granted(&f, 500).expect("right");
    assert!(granted(&f, 300).is_err());
    assert_eq!(f.person(&["budget", "grant", "backend", "500"]).said().code, Some(0));
    assert!(granted(&f, 500).is_err(), "twice");
}
