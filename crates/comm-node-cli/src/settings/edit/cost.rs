//! What an edit costs: as much as its text is long, however often the names that are looked for stand in it.

use std::path::Path;

use super::*;
use crate::install::wiring;
use crate::settings::document::PARSED;

const OURS: &str = "/home/u/.claude/comm-node/bin/comm-node-stop";

fn wanted() -> Wanted {
    wiring::wanted(Path::new("/home/u/.claude/comm-node/bin"))
}

/// `count` pieces, each made from its number, with commas between them.
fn many(count: usize, piece: impl Fn(usize) -> String) -> String {
    (0..count).map(piece).collect::<Vec<_>>().join(",")
}

/// Settings with very many of everything that is looked for or looked at, by what it is many of.
fn hostile(count: usize) -> [(&'static str, String); 9] {
    let handler = |command: &str| format!(r#"{{"type":"command","command":"{command}"}}"#);
    let ours = |count| many(count, |_| handler(OURS));
    let mixed = |count| many(count, |i| handler(if i % 2 == 0 { OURS } else { "/x" }));
    [
        (
            "names nearly right",
            format!(
                "{{\t{},\n\t\"permissions\":{{ \"allow\" : [ ] }}}}",
                many(count, |_| "\"h{}ooks\":{},\n\t\"z\":[1,\t2 ],\"permissioooks\":{}".to_owned())
            ),
        ),
        ("events", format!(r#"{{"hooks":{{{}}}}}"#, many(count, |i| format!("\"e{i}\":[]")))),
        (
            "events with ours in them",
            format!(
                r#"{{"hooks":{{{}}}}}"#,
                many(count, |i| format!("\"e{i}\":[{{\"hooks\":[{}]}}]", handler(OURS)))
            ),
        ),
        (
            "groups of ours",
            format!(
                r#"{{"hooks":{{"Stop":[{}]}}}}"#,
                many(count, |_| format!("{{\"hooks\":[{}]}}", ours(1)))
            ),
        ),
        ("handlers of ours", format!(r#"{{"hooks":{{"Stop":[{{"hooks":[{}]}}]}}}}"#, ours(count))),
        ("handlers of both", format!(r#"{{"hooks":{{"Stop":[{{"hooks":[{}]}}]}}}}"#, mixed(count))),
        (
            "groups of both",
            format!(
                r#"{{"hooks":{{"Notification":[{}]}}}}"#,
                many(count, |_| format!("{{\"hooks\":[{}]}}", mixed(3)))
            ),
        ),
        (
            "rules",
            format!(
                r#"{{"permissions":{{"allow":[{}]}}}}"#,
                many(count, |i| format!("\"{}\"", wiring::RULES[i % 5]))
            ),
        ),
        (
            "hooks in hooks",
            format!(r#"{{"x":[{}]}}"#, many(count, |_| "{\"hooks\":{\"hooks\":{\"Stop\":[]}}}".to_owned())),
        ),
    ]
}

/// Puts ours into `text` and takes them out again, with a record and without.
fn there_and_back(text: &str) -> [String; 3] {
    let (merged, trace) = merge(text, &wanted()).expect("merges");
    let with = strip(&merged, Some(&trace), &wanted().rules).expect("strips");
    let without = strip(&merged, None, &wanted().rules).expect("strips");
    [merged, with, without]
}

#[test]
fn a_text_is_parsed_once_and_what_became_of_it_once() {
    for (what, text) in hostile(40) {
        let before = PARSED.get();
        there_and_back(&text);
        assert_eq!(PARSED.get() - before, 6, "{what}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_it_costs_grows_as_the_text_does() {
    use rustix::time::{ClockId, clock_gettime};
    let processor_time = || {
        let t = clock_gettime(ClockId::ThreadCPUTime);
        u64::try_from(t.tv_sec * 1_000_000_000 + t.tv_nsec).expect("time goes on")
    };
    let cost = |text: &str| {
        let one = |_| {
            let began = processor_time();
            there_and_back(text);
            processor_time() - began
        };
        (0..3).map(one).min().expect("three")
    };
    const TIMES: usize = 16;
    for ((what, short), (_, long)) in hostile(250).into_iter().zip(hostile(250 * TIMES)) {
        let (short, long) = (cost(&short), cost(&long));
        // With the square of the length it would be 256 times as much.
        let times = long / short.max(1);
        assert!(times < 4 * TIMES as u64, "{what}: {times} times as much for {TIMES} times the text");
    }
}
