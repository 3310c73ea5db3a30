//! Clocks that jump. A clock that is set forward by a day is one before which everything on disk is a day old, and so the
//! times on disk are set instead.

use std::fs;
use std::time::{Duration, SystemTime};

use comm_node_core::clock;
use comm_node_core::mail::Ulid;
use serde_json::Value;

use super::check;
use super::field::Field;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Sets every time on disk by so much.
fn shift(field: &Field, by_ms: i64) {
    for path in check::files(&field.state()) {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.parent().is_some_and(|dir| dir.ends_with("leases")) && name.ends_with(".jsonl") {
            let text = fs::read_to_string(&path).expect("reads");
            let lines: Vec<String> = text
                .lines()
                .map(|line| {
                    let mut lease: Value = serde_json::from_str(line).expect("JSON");
                    if let Some(until) = lease["until"].as_i64() {
                        lease["until"] = (until + by_ms).max(0).into();
                    }
                    lease.to_string() + "\n"
                })
                .collect();
            fs::write(&path, lines.concat()).expect("writes");
        }
        if name == "mail.last" {
            let ms = i64::try_from(clock::now_ms()).expect("fits") + by_ms;
            let id = Ulid::fresh(u64::try_from(ms.max(0)).expect("positive"), None);
            fs::write(&path, format!("{}\n", id.text())).expect("writes");
        }
        let span = Duration::from_millis(by_ms.unsigned_abs());
        let now = SystemTime::now();
        let then = if by_ms < 0 { now - span } else { now + span };
        fs::File::options().append(true).open(&path).expect("opens").set_modified(then).expect("sets");
    }
}

#[test]
fn a_clock_that_jumps_takes_nothing_from_the_living() {
    let field = Field::new();
    assert!(field.write("b", "api/a.txt").said().is_silent());
    assert_eq!(field.written("b", "api/a.txt").said().code, Some(0));
    assert_eq!(field.agent("b", &["lock", "api/x/**", "--ttl", "2h"]).said().code, Some(0));
    field.send("one?", &[]);
    field.save();
    for days in [-3650, -2, -1, 1, 2, 3650] {
        field.put_back();
        shift(&field, days * DAY_MS);
        let other = |path: &str| field.write("b2", path).said();
        assert!(other("api/a.txt").refusal().is_some(), "{days} days: {:?}", other("api/a.txt"));
        assert!(field.write("b", "api/a.txt").said().is_silent(), "{days} days");
        assert!(other("web/foreign.txt").refusal().is_some(), "{days} days");
        assert!(other("api/free.txt").is_silent(), "{days} days");
        // Mail goes on, each told once.
        field.send("two?", &[]);
        for id in ["b", "b2"] {
            field.bury(id);
        }
        check::told_once(&field, "backend", &["one?", "two?"], &[])
            .unwrap_or_else(|e| panic!("{days} days: {e}"));
        // What the dead held is free all the same.
        check::the_dead_hold_nothing(&field).unwrap_or_else(|e| panic!("{days} days: {e}"));
        check::files_are_whole(&field).unwrap_or_else(|e| panic!("{days} days: {e}"));
    }
}
