//! What the workers wrote down, and whether it can have been.
//!
//! A worker notes a lease after it got it and the release before it begins, so that a noted span
//! lies within the true one: spans that cross are two holders at one instant.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use comm_node_core::glob;

use super::worker::{GLOBS, PATHS};

pub(crate) fn path(dir: &Path, session: &str) -> PathBuf {
    dir.join(format!("{session}.history"))
}

/// The whole lines of a history.
fn lines(path: &Path) -> Vec<(u64, String)> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = &text[..text.rfind('\n').map_or(0, |at| at + 1)];
    let parse = |line: &str| {
        let (time, rest) = line.split_once(' ')?;
        Some((time.parse().ok()?, rest.to_owned()))
    };
    whole.lines().filter_map(parse).collect()
}

pub(crate) fn steps_done(dir: &Path, session: &str) -> u64 {
    lines(&path(dir, session)).iter().filter(|(_, l)| l == "s").count() as u64
}

/// What a session's earlier workers noted as theirs and did not begin to release.
pub(crate) fn held(path: &Path) -> BTreeMap<(String, String), u64> {
    let mut held = BTreeMap::new();
    for (_, line) in lines(path) {
        let fields: Vec<&str> = line.get(2..).unwrap_or("").split('|').collect();
        match (line.as_bytes().first(), &fields[..]) {
            (Some(b'e'), [agent, what, _, number]) => {
                held.insert((agent.to_string(), what.to_string()), number.parse().expect("a number"));
            }
            (Some(b'b'), [agent, what]) => {
                held.remove(&(agent.to_string(), what.to_string()));
            }
            _ => {}
        }
    }
    held
}

/// One lease of one agent, from after the grant to before the release.
#[derive(Clone, Debug)]
struct Span {
    from: u64,
    to: u64,
    session: String,
    agent: String,
    what: String,
    how: String,
    number: u64,
}

impl Span {
    /// As `lease::permits`, in the words of the history.
    fn permits(&self, other: &Self) -> bool {
        let same_session = self.session == other.session;
        (same_session && self.agent == other.agent)
            || (self.how == "shared" && other.how == "shared")
            || (same_session && self.agent.is_empty() && self.how == "auto")
    }
}

pub(crate) struct Report {
    steps: u64,
    leases: usize,
    highest: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} steps, {} leases, numbers up to {}", self.steps, self.leases, self.highest)
    }
}

/// Checks all histories in `dir`; a session in `deaths` held nothing from that time on.
pub(crate) fn check(dir: &Path, deaths: &[(String, u64)], end: u64) -> Report {
    let (mut spans, mut steps) = (Vec::new(), 0);
    for entry in std::fs::read_dir(dir).expect("lists").flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|e| e == "history") {
            let session = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let end = deaths.iter().find(|(s, _)| *s == session).map_or(end, |(_, at)| *at);
            steps += steps_done(dir, &session);
            spans.extend(spans_of(&path, &session, end));
        }
    }
    in_order(&spans);
    for key in PATHS {
        apart(key, &spans);
    }
    let highest = spans.iter().map(|s| s.number).max().unwrap_or(0);
    Report { steps, leases: spans.len(), highest }
}

fn spans_of(path: &Path, session: &str, end: u64) -> Vec<Span> {
    let mut open: BTreeMap<(String, String), Span> = BTreeMap::new();
    let mut done = Vec::new();
    for (time, line) in lines(path) {
        let fields: Vec<&str> = line.get(2..).unwrap_or("").split('|').collect();
        match fields[..] {
            [agent, what, how, number] => {
                let span = Span {
                    from: time,
                    to: end,
                    session: session.to_owned(),
                    agent: agent.to_owned(),
                    what: what.to_owned(),
                    how: how.to_owned(),
                    number: number.parse().expect("a number"),
                };
                let again = open.insert((agent.to_owned(), what.to_owned()), span);
                assert!(again.is_none(), "{again:?} was granted twice");
            }
            [agent, what] => {
                if let Some(mut span) = open.remove(&(agent.to_owned(), what.to_owned())) {
                    span.to = time;
                    done.push(span);
                }
            }
            _ => {}
        }
    }
    done.extend(open.into_values());
    // What was noted in the instant of the kill is not certain.
    done.retain(|s| s.from < s.to);
    done
}

/// Each number belongs to one grant, and grants that follow each other have rising ones.
fn in_order(spans: &[Span]) {
    let mut owners = BTreeMap::new();
    for s in spans {
        // A worker that died between its note and the release finds the same lease again.
        let owner = (&s.session, &s.agent, &s.what);
        let first = *owners.entry(s.number).or_insert(owner);
        assert_eq!(first, owner, "the number {} was given twice", s.number);
    }
    // On one path, the spans of conflicting holders follow each other, and so do their numbers.
    for key in PATHS {
        let mut on: Vec<&Span> = spans.iter().filter(|s| s.what == key && s.how == "auto").collect();
        on.sort_by_key(|s| s.from);
        for pair in on.windows(2) {
            let follows = pair[0].to <= pair[1].from;
            assert!(!follows || pair[0].number <= pair[1].number, "numbers went back: {pair:?}");
        }
    }
}

/// No two spans on `key` cross unless one lets the other through.
fn apart(key: &str, spans: &[Span]) {
    let covers = |s: &&Span| {
        if GLOBS.contains(&s.what.as_str()) { glob::matches(&s.what, key) } else { s.what == key }
    };
    let mut on: Vec<&Span> = spans.iter().filter(covers).collect();
    on.sort_by_key(|s| s.from);
    let mut active: Vec<&Span> = Vec::new();
    for span in on {
        active.retain(|s| s.to > span.from);
        for other in &active {
            assert!(other.permits(span) || span.permits(other), "two hold {key}: {other:?} and {span:?}");
        }
        active.push(span);
    }
}
