//! `comm-node usage`: the corpus of transcript shapes, and what a person sees.

#![cfg(unix)]
#![expect(clippy::expect_used, clippy::panic, reason = "a test that can't be set up has to stop")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::mail::Node;

/// The figures of a row, in the order of `expected.txt`.
const FIGURES: [&str; 6] = [
    "input_tokens",
    "output_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_read_tokens",
    "responses",
];

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/meter")
}

/// What each session of the corpus was served.
fn expected() -> BTreeMap<String, Vec<u64>> {
    let text = fs::read_to_string(corpus().join("expected.txt")).expect("reads");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let row = |line: &str| {
        let mut words = line.split(' ');
        let session = words.next().expect("a session").to_owned();
        (session, words.map(|n| n.parse().expect("a number")).collect())
    };
    lines.map(row).collect()
}

fn rows(node: &Node, args: &[&str]) -> Vec<Value> {
    let said = node.run("", &[&["usage", "--json"], args].concat()).good();
    said.json().as_array().expect("a list").clone()
}

fn by<'r>(rows: &'r [Value], key: &str, name: &str) -> &'r Value {
    rows.iter().find(|row| row[key] == name).unwrap_or_else(|| panic!("no {name} in {rows:?}"))
}

fn figures(row: &Value) -> Vec<u64> {
    FIGURES.iter().map(|field| row[field].as_u64().unwrap_or_else(|| panic!("no {field} in {row}"))).collect()
}

/// One response as the client writes it.
fn line(session: &str, id: &str, model: &str, second: u64) -> String {
    let line = json!({"type": "assistant", "sessionId": session, "parentUuid": "p",
        "timestamp": format!("2026-11-25T10:00:{second:02}.000Z"),
        "message": {"id": id, "model": model, "usage": {"input_tokens": 1000, "output_tokens": 100}}});
    format!("{line}\n")
}

#[test]
fn the_corpus_of_transcript_shapes_is_counted_as_it_was_served() {
    let node = Node::new();
    let from = corpus().join("projects");
    let import = ["--by", "session", "--import", from.to_str().expect("UTF-8")];
    let expected = expected();
    assert!(expected.len() > 10);
    for _ in 0..3 {
        let rows = rows(&node, &import);
        let found: BTreeMap<String, Vec<u64>> = rows
            .iter()
            .map(|row| (row["session"].as_str().expect("an id").to_owned(), figures(row)))
            .collect();
        assert_eq!(found, expected);
    }
    // What can't be read is said, once; a name from a transcript is harmless.
    let said = Node::new().run("", &["usage", "--by", "model", "--import", import[3]]).good();
    assert!(said.err.contains("lines that should tell of a response and could not be read"), "{said:?}");
    assert!(!said.out.contains('\u{1b}') && !said.out.contains('\u{202e}'), "{said:?}");
    assert!(said.out.contains("evil"), "{said:?}");
}

#[test]
fn a_model_without_a_price_has_an_unknown_cost() {
    let node = Node::new();
    let path = node.root.join("s1.jsonl");
    fs::write(&path, [line("s1", "m1", "claude-haiku-4-5", 1), line("s1", "m2", "claude-new-7", 2)].concat())
        .expect("writes");
    let import = ["--by", "model", "--import", "s1.jsonl"];
    let models = rows(&node, &import);
    assert_eq!(by(&models, "model", "claude-haiku-4-5")["usd"], 0.0015);
    let new = by(&models, "model", "claude-new-7");
    assert_eq!(
        (&new["usd"], &new["unpriced_responses"], &new["input_tokens"]),
        (&Value::Null, &1.into(), &1000.into())
    );
    let said = node.run("", &["usage", "--by", "model"]).good();
    assert!(said.out.contains("unknown") && said.err.contains("models without a price"), "{said:?}");
    // The node's own prices, and above them the person's.
    let yaml = fs::read_to_string(node.root.join("comm-node.yaml")).expect("reads");
    let prices = "prices: [\"claude-new-* 2026-01-01 1000000 2000000 1 1 1\"]\n";
    fs::write(node.root.join("comm-node.yaml"), yaml + prices).expect("writes");
    fs::write(node.root.join("s2.jsonl"), line("s2", "m3", "claude-new-7", 3)).expect("writes");
    let sessions = rows(&node, &["--by", "session", "--import", "s2.jsonl"]);
    assert_eq!(by(&sessions, "session", "s2")["usd"], 0.0012);
    let own = node.root.join(".claude/comm-node");
    fs::create_dir_all(&own).expect("makes");
    fs::write(own.join("prices.txt"), "# mine\nclaude-new-7 2026-01-01 0 10000000 1 1 1\nnonsense\n")
        .expect("writes");
    fs::write(node.root.join("s3.jsonl"), line("s3", "m4", "claude-new-7", 4)).expect("writes");
    let said = node.run("", &["usage", "--json", "--by", "session", "--import", "s3.jsonl"]).good();
    assert!(said.err.contains("prices.txt:3: the second word is no day"), "{said:?}");
    assert_eq!(by(said.json().as_array().expect("a list"), "session", "s3")["usd"], 0.001);
}

/// A table that hooks don't read is not read here either: a response has one price. Nothing is waited for.
#[test]
fn prices_that_hooks_do_not_use_are_told_and_not_used() {
    let row = "claude-new-7 2026-01-01 0 10000000 1 1 1\n";
    let comment = [b"# caf\xe9\n", row.as_bytes()].concat();
    let long = [format!("#{}\n", "x".repeat(70_000)).as_bytes(), row.as_bytes()].concat();
    for (how, usd) in [("file", Value::from(0.001)), ("link", Value::Null), ("pipe", Value::Null)] {
        check(how, row.as_bytes(), &usd);
    }
    // What some editors put first is no part of it.
    check("file", format!("\u{feff}{row}").as_bytes(), &Value::from(0.001));
    check("file", &comment, &Value::Null);
    check("file", &long, &Value::Null);

    fn check(how: &str, text: &[u8], usd: &Value) {
        let node = Node::new();
        let own = node.root.join(".claude/comm-node");
        fs::create_dir_all(&own).expect("makes");
        let path = own.join("prices.txt");
        match how {
            "pipe" => {
                assert!(std::process::Command::new("mkfifo").arg(&path).status().expect("runs").success())
            }
            "link" => {
                fs::write(own.join("elsewhere"), text).expect("writes");
                std::os::unix::fs::symlink(own.join("elsewhere"), &path).expect("links");
            }
            _ => fs::write(&path, text).expect("writes"),
        }
        fs::write(node.root.join("s1.jsonl"), line("s1", "m1", "claude-new-7", 1)).expect("writes");
        let said = node.run("", &["usage", "--json", "--by", "session", "--import", "s1.jsonl"]).good();
        assert_eq!(
            by(said.json().as_array().expect("a list"), "session", "s1")["usd"],
            *usd,
            "{how}: {said:?}"
        );
        assert_eq!(said.err.contains("neither this nor the hooks use it"), usd.is_null(), "{how}: {said:?}");
        let said = node.run("", &["doctor"]).out;
        let named = said.lines().find(|line| line.contains(" prices: ")).expect("is checked");
        assert!(named.starts_with(if usd.is_null() { "WARN" } else { "PASS" }), "{how}: {named}");
        assert_eq!(named.contains("make it a plain file of UTF-8 text"), usd.is_null(), "{how}: {named}");
    }
}

#[test]
fn an_imported_session_belongs_to_the_domain_it_worked_in() {
    let node = Node::new();
    let api = node.root.join("api");
    fs::create_dir(&api).expect("makes");
    let first = json!({"type": "user", "cwd": api}).to_string() + "\n";
    fs::write(node.root.join("s1.jsonl"), first + &line("s1", "m1", "x", 1)).expect("writes");
    // What the node knows of a session comes before that.
    fs::write(node.root.join("f.jsonl"), line("f", "m2", "x", 1)).expect("writes");
    let domains = rows(&node, &["--import", "."]);
    assert_eq!(by(&domains, "domain", "backend")["responses"], 1);
    assert_eq!(by(&domains, "domain", "frontend")["responses"], 1);
    let spent = node.store().ledger().spent("backend").expect("reads");
    assert_eq!(spent.total.usage.tokens(), 1100);
}

#[test]
fn what_is_damaged_is_set_aside_and_counted_again() {
    let node = Node::new();
    fs::write(node.root.join("f.jsonl"), line("f", "m1", "x", 1)).expect("writes");
    assert_eq!(rows(&node, &["--import", "."]).len(), 1);
    let ledger = node.root.join(".comm-node/ledger");
    fs::write(ledger.join("domains/frontend.jsonl"), "{").expect("writes");
    assert_eq!(by(&rows(&node, &[]), "domain", "frontend")["responses"], 1);
    assert_eq!(node.store().ledger().spent("frontend").expect("reads").total.usage.responses, 1);
    fs::write(ledger.join("sessions/f/main.jsonl"), "\0").expect("writes");
    let said = node.run("", &["usage", "--json", "--import", "."]).good();
    assert!(said.err.contains("moved to"), "{said:?}");
    assert_eq!(by(&rows(&node, &["--import", "."]), "domain", "frontend")["responses"], 1);
    assert_eq!(node.store().ledger().spent("frontend").expect("reads").total.usage.responses, 1);
    // The record, its responses, and what was set aside.
    let beside = fs::read_dir(ledger.join("sessions/f")).expect("lists").count();
    assert_eq!(beside, 3);
}

#[test]
fn days_since_and_mail() {
    let node = Node::new();
    fs::write(node.root.join("f.jsonl"), line("f", "m1", "x", 1)).expect("writes");
    node.send("f", &["backend", "Which fields does User have?", "--task", "bd-1"]);
    let days = rows(&node, &["--by", "day", "--import", "."]);
    assert_eq!(by(&days, "day", "2026-11-25")["responses"], 1);
    assert_eq!(rows(&node, &["--by", "day", "--since", "9999-01-01"]), Vec::<Value>::new());
    let said = node.run("", &["usage", "--since", "9999-01-01"]).good();
    assert!(said.out.contains("9999-01-01 is still to come"), "{said:?}");
    let tasks = rows(&node, &["--by", "task"]);
    let sent = by(&tasks, "task", "bd-1")["sent_tokens"].as_u64().expect("a number");
    assert!(sent > 0 && by(&tasks, "task", "bd-1")["responses"] == 0, "{tasks:?}");
    let spent = node.store().ledger().spent("frontend").expect("reads");
    assert_eq!((spent.total.sent_tokens, spent.task("bd-1").sent_tokens), (sent, sent));
    let said = node.run("", &["usage", "--since", "soon"]);
    assert!(said.code == 2 && said.err.contains("2026-11-25, or a span such as 7d"), "{said:?}");
}

/// What can't be read of the records does not make the sums say less.
#[test]
fn a_record_that_cannot_be_read_lowers_no_sum() {
    for (how, is_closed) in
        [("torn", false), ("torn", true), ("empty", true), ("pipe", false), ("pipe", true), ("gone", true)]
    {
        let node = Node::new();
        fs::write(node.root.join("f.jsonl"), line("f", "m1", "x", 1)).expect("writes");
        fs::create_dir_all(node.root.join("f/subagents")).expect("makes");
        fs::write(node.root.join("f/subagents/agent-a.jsonl"), line("f", "m2", "x", 2)).expect("writes");
        assert_eq!(by(&rows(&node, &["--import", "f.jsonl"]), "domain", "frontend")["responses"], 2);
        let spent = || node.store().ledger().spent("frontend").expect("reads").total.usage.responses;
        if is_closed {
            // Nobody knows then what part of the sum it is.
            fs::remove_file(node.root.join(".comm-node/sessions/f.jsonl")).expect("removes");
            node.run("", &["usage"]).good();
        }
        let record = node.root.join(".comm-node/ledger/sessions/f/main.jsonl");
        let text = fs::read(&record).expect("reads");
        fs::remove_file(&record).expect("removes");
        match how {
            "torn" => fs::write(&record, &text[..text.len() / 2]).expect("writes"),
            "empty" => fs::write(&record, "").expect("writes"),
            "pipe" => {
                let made = std::process::Command::new("mkfifo").arg(&record).status().expect("runs");
                assert!(made.success());
            }
            _ => {}
        }
        for _ in 0..2 {
            let said = node.run("", &["usage"]).good();
            if how == "gone" {
                // There is nothing that could be read: the sums are the records', and that is told.
                assert_eq!(
                    (spent(), said.err.contains("is now lower by 1,100 tokens")),
                    (1, true),
                    "{said:?}"
                );
                break;
            }
            assert_eq!(spent(), 2, "{how}: {said:?}");
            assert!(said.err.contains("sessions/f/main.jsonl"), "{how}: {said:?}");
            assert_eq!(said.err.contains("domain frontend: its sum says more"), is_closed, "{how}: {said:?}");
        }
        // Its transcript makes it again, but for what is no file of ours to move.
        let said = node.run("", &["usage", "--import", "f.jsonl"]).good();
        assert_eq!(said.err.contains("moved to"), matches!(how, "torn" | "empty"), "{how}: {said:?}");
        assert_eq!(spent(), 2, "{how}: {said:?}");
        let said = node.run("", &["usage"]).good();
        assert_eq!(said.err.contains("main.jsonl"), how == "pipe", "{how}: {said:?}");
    }
}

/// A sum that is right is not written again.
#[test]
fn with_nothing_new_nothing_is_replaced() {
    use std::os::unix::fs::MetadataExt;
    let node = Node::new();
    fs::write(node.root.join("f.jsonl"), line("f", "m1", "x", 1)).expect("writes");
    node.run("", &["usage", "--import", "."]).good();
    let ledger = node.root.join(".comm-node/ledger");
    let files = || {
        let of = |sub: &str| {
            fs::read_dir(ledger.join(sub)).expect("lists").map(|entry| entry.expect("lists").path())
        };
        let mut all: Vec<_> = of("domains").chain(of("sessions/f")).collect();
        all.sort();
        let ids = all
            .iter()
            .map(|path| path.metadata().expect("is there"))
            .map(|meta| (meta.ino(), meta.mtime_nsec()));
        all.iter().cloned().zip(ids).collect::<Vec<_>>()
    };
    node.run("", &["usage"]).good();
    let before = files();
    assert!(before.len() > 3, "{before:?}");
    node.run("", &["usage"]).good();
    assert_eq!(files(), before);
    // What is torn is.
    let tally = ledger.join("domains/frontend.jsonl");
    let text = fs::read(&tally).expect("reads");
    fs::write(&tally, [&text[..], b"{\"version\":1,\"op"].concat()).expect("writes");
    node.run("", &["usage"]).good();
    assert_eq!(fs::read(&tally).expect("reads"), text);
}

/// Which responses were counted is lost: that is told where it is looked at, and made again from the transcript. A copy
/// in another session still counts once.
#[test]
fn lost_responses_are_told_and_made_again() {
    for how in ["zeros", "zeros behind", "cut", "gone", "garbage"] {
        for transcript in ["there", "gone"] {
            let at = format!("{how}, {transcript}");
            let node = Node::new();
            let text: String = (0..40).map(|n| line("f", &format!("m{n}"), "x", n)).collect();
            fs::write(node.root.join("f.jsonl"), &text).expect("writes");
            node.run("", &["usage", "--import", "f.jsonl"]).good();
            let ids = node.root.join(".comm-node/ledger/sessions/f/main.ids");
            let bytes = fs::read(&ids).expect("reads");
            assert_eq!(bytes.len(), 8 * 41, "{at}");
            match how {
                "zeros" => fs::write(&ids, vec![0; bytes.len()]).expect("writes"),
                "zeros behind" => {
                    fs::write(&ids, [&bytes[..100], &vec![0; bytes.len() - 100]].concat()).expect("writes");
                }
                "cut" => fs::write(&ids, &bytes[..99]).expect("writes"),
                "garbage" => {
                    fs::write(&ids, bytes.iter().rev().copied().collect::<Vec<u8>>()).expect("writes")
                }
                _ => fs::remove_file(&ids).expect("removes"),
            }
            let doctor = node.run("", &["doctor"]);
            assert_eq!(doctor.out.contains("main.ids"), how != "gone", "{at}: {doctor:?}");
            let away = node.root.join("away");
            if transcript == "gone" {
                fs::rename(node.root.join("f.jsonl"), &away).expect("moves");
            }
            let said = node.run("", &["usage", "--json"]).good();
            assert!(said.err.contains("main.ids"), "{at}: {said:?}");
            let made = said.err.contains("it was made again from the transcript");
            assert_eq!(made, transcript == "there", "{at}: {said:?}");
            assert_eq!(
                by(said.json().as_array().expect("a list"), "domain", "frontend")["responses"],
                40,
                "{at}"
            );
            let log = fs::read_to_string(node.root.join(".comm-node/log/events.jsonl")).expect("reads");
            assert!(log.contains("responses_lost"), "{at}: {log}");
            // It is told once, and nothing of it counts again in a file that is read anew.
            let said = node.run("", &["usage"]).good();
            assert!(!said.err.contains("main.ids"), "{at}: {said:?}");
            let begun = [line("f", "new", "x", 50), text.clone()].concat();
            fs::write(node.root.join("f.jsonl"), begun).expect("writes");
            assert_eq!(by(&rows(&node, &[]), "domain", "frontend")["responses"], 41, "{at}");
            if transcript == "there" {
                fs::write(node.root.join("b.jsonl"), text.replace("\"f\"", "\"b\"")).expect("writes");
                assert_eq!(
                    by(&rows(&node, &["--import", "b.jsonl"]), "domain", "frontend")["responses"],
                    41,
                    "{at}"
                );
                let all = rows(&node, &["--by", "session"]);
                assert!(all.iter().all(|row| row["session"] != "b"), "{at}: {all:?}");
            }
        }
    }
}

/// What stands in the place of the records' directories is not nothing: no sum is lowered, and no budget opened by it.
#[test]
fn what_stands_in_the_place_of_records_lowers_no_sum() {
    for (place, how) in [
        ("sessions/f", "file"),
        ("sessions/f", "link"),
        ("sessions/f", "closed"),
        ("sessions", "file"),
        ("sessions", "link"),
        ("sessions", "closed"),
    ] {
        let node = Node::new();
        fs::write(node.root.join("f.jsonl"), line("f", "m1", "x", 1)).expect("writes");
        assert_eq!(by(&rows(&node, &["--import", "f.jsonl"]), "domain", "frontend")["responses"], 1);
        let ledger = node.root.join(".comm-node/ledger");
        let (at, away) = (ledger.join(place), node.root.join("away"));
        let spent = || node.store().ledger().spent("frontend").map(|spent| spent.total.usage.responses).ok();
        fs::rename(&at, &away).expect("moves");
        match how {
            "link" => std::os::unix::fs::symlink(node.root.join("nowhere"), &at).expect("links"),
            _ => fs::write(&at, "").expect("writes"),
        }
        if how == "closed" {
            // Nobody knows then what part of the sum is whose.
            fs::remove_file(&at).expect("removes");
            fs::rename(&away, &at).expect("moves");
            let sessions = node.root.join(".comm-node/sessions");
            fs::create_dir_all(sessions.join("ended")).expect("makes");
            fs::rename(sessions.join("f.jsonl"), sessions.join("ended/f.jsonl")).expect("moves");
            node.run("", &["usage"]).good();
            fs::rename(&at, &away).expect("moves");
            fs::write(&at, "").expect("writes");
        }
        for _ in 0..2 {
            let said = node.run("", &["usage"]).good();
            assert_eq!(spent(), Some(1), "{place} {how}: {said:?}");
            assert!(said.err.contains(place) && !said.err.contains("lower by"), "{place} {how}: {said:?}");
        }
        // A tally that is to be made again from them is not made of nothing.
        let tally = ledger.join("domains/frontend.jsonl");
        let text = fs::read(&tally).expect("reads");
        fs::remove_file(&tally).expect("removes");
        assert_eq!(spent(), None, "{place} {how}");
        fs::write(&tally, text).expect("writes");
        // Set aside it lowers nothing either, until the records are back.
        let said = node.run("", &["doctor", "--fix"]);
        assert!(said.out.contains(place) || said.err.contains(place), "{place} {how}: {said:?}");
        let said = node.run("", &["usage"]).good();
        assert_eq!(spent(), Some(1), "{place} {how}: {said:?}");
        let said = node.run("", &["usage", "--import", "f.jsonl"]).good();
        if (place, how) == ("sessions", "closed") {
            // Nobody but the person knows that these are all. Until then it is rather too much than too little.
            assert!(spent() >= Some(1) && said.err.contains("sessions.damaged-"), "{said:?}");
            let names = fs::read_dir(&ledger).expect("lists").map(|entry| entry.expect("lists").path());
            let aside: Vec<_> = names.filter(|path| path.to_string_lossy().contains(".damaged-")).collect();
            assert_eq!(aside.len(), 1, "{aside:?}");
            fs::remove_file(&aside[0]).expect("removes");
            node.run("", &["usage"]).good();
        }
        assert_eq!(spent(), Some(1), "{place} {how}: {said:?}");
    }
}

/// An early version's resume copies lines that name no other session: whoever counted them first has them.
#[test]
fn what_was_imported_before_is_not_counted_for_another_session() {
    let node = Node::new();
    let bare = |from: std::ops::Range<u64>| -> String {
        from.map(|n| line("", &format!("m{n}"), "x", n).replace("\"sessionId\":\"\",", "")).collect()
    };
    for (dir, name, range) in [("a", "s1", 0..30), ("b", "s2", 0..40)] {
        fs::create_dir(node.root.join(dir)).expect("makes");
        fs::write(node.root.join(dir).join(format!("{name}.jsonl")), bare(range)).expect("writes");
    }
    for dir in ["a", "b", "a", "b"] {
        node.run("", &["usage", "--import", dir]).good();
    }
    let sessions = rows(&node, &["--by", "session"]);
    let responses = |name| by(&sessions, "session", name)["responses"].as_u64().expect("a number");
    assert_eq!((responses("s1"), responses("s2")), (30, 10), "{sessions:?}");
}

#[test]
fn a_session_in_two_directories_is_counted_from_both() {
    let node = Node::new();
    for (dir, ids) in [("a", ["m1", "m2"]), ("b", ["m2", "m3"])] {
        fs::create_dir_all(node.root.join("t").join(dir)).expect("makes");
        let text: String = ids.iter().enumerate().map(|(at, id)| line("f", id, "x", 9 - at as u64)).collect();
        fs::write(node.root.join("t").join(dir).join("f.jsonl"), text).expect("writes");
    }
    for _ in 0..2 {
        assert_eq!(by(&rows(&node, &["--import", "t"]), "domain", "frontend")["responses"], 3);
    }
}

#[test]
fn a_time_of_another_zone_is_of_its_day_in_utc() {
    let node = Node::new();
    let at = |id: &str, time: &str| line("f", id, "x", 1).replace("2026-11-25T10:00:01.000Z", time);
    let text = [at("m1", "2026-11-24T01:30:00.000+02:00"), at("m2", "2026-11-23T12:00:00")].concat();
    fs::write(node.root.join("f.jsonl"), text).expect("writes");
    assert_eq!(
        by(&rows(&node, &["--by", "day", "--import", "f.jsonl"]), "day", "2026-11-23")["responses"],
        2
    );
}

/// Whoever read them first, and each time.
#[test]
fn lines_that_are_not_counted_are_told() {
    let node = Node::new();
    let long = format!(
        "{{\"type\":\"assistant\",\"x\":\"{}\",\"message\":{{\"usage\":{{}}}}}}\n",
        "x".repeat(5 << 20)
    );
    let text = [line("f", "m1", "x", 1), "{\"usage\"\n".to_owned(), long, line("f", "m2", "x", 2)].concat();
    let path = node.root.join("f.jsonl");
    fs::write(&path, text).expect("writes");
    let call = json!({"transcript_path": path, "tool_calls": [{"tool_name": "Read", "tool_use_id": "t", "tool_input": {}}]});
    node.hook(env!("CARGO_BIN_EXE_comm-node-post-tool-use"), "f", None, "PostToolBatch", &call);
    assert_eq!(node.store().ledger().spent("frontend").expect("reads").total.usage.responses, 2);
    for _ in 0..2 {
        let said = node.run("", &["usage"]).good();
        for piece in ["not counted: 1 line that should tell", "passed over: 1 line of more than 4 MiB"] {
            assert!(said.err.contains(piece), "{piece}: {said:?}");
        }
    }
}

#[test]
fn what_is_no_transcript_is_not_imported() {
    let node = Node::new();
    fs::write(node.root.join("notes.txt"), "x").expect("writes");
    fs::write(node.root.join("a b.jsonl"), "x").expect("writes");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(node.root.join("s1.jsonl"))
            .status()
            .expect("runs")
            .success()
    );
    for name in ["notes.txt", "a b.jsonl", "s1.jsonl"] {
        let said = node.run("", &["usage", "--import", name]);
        assert!(
            said.code == 1 && said.err.contains("neither a directory nor a session's transcript"),
            "{said:?}"
        );
    }
    let said = node.run("", &["usage", "--import", "gone"]);
    assert!(said.code == 1 && said.err.contains("could not read"), "{said:?}");
    assert_eq!(rows(&node, &["--import", "."]), Vec::<Value>::new());
}
