//! The kickoff: one goal, every domain told what its part is, and nobody begins before all are there.
//!
//! Values only; `store::kickoff` keeps the one record that says how far it got.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::guard;
use crate::mail::HUMAN;
use crate::mail::frame::quoted;
use crate::node::registry::{Domain, Registry};
use crate::text::{estimate_tokens, one_line};

/// The kickoff of a node, `kickoff.json`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
pub struct Kickoff {
    /// The format's version, 1.
    pub version: u32,
    /// Its id.
    pub id: String,
    /// What is to be reached.
    pub goal: String,
    /// More of it, if the person gave any.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub brief: String,
    /// When it was called, RFC 3339.
    pub called: String,
    /// True until each domain was sent its message: whoever called them may have died over it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub calling: bool,
    /// When it was started, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// True if it was started without some.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forced: bool,
    /// The domains that take part.
    pub members: BTreeMap<String, Member>,
    /// Who was told that all are done: a coordinator's domain, or the person; and the id of that message.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub woken: BTreeMap<String, String>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub other: BTreeMap<String, serde_json::Value>,
}

/// One domain's part.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct Member {
    /// The id of the message that called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The session that reported ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// When, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<String>,
    /// The id that the message which starts it is going to have: it may be sent already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starting: Option<String>,
    /// The id of the message that started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// When its part was said to be done, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<String>,
    /// What was said with that.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Fields of later versions.
    #[serde(flatten)]
    pub other: BTreeMap<String, serde_json::Value>,
}

impl Kickoff {
    /// The domains that have not reported ready.
    #[must_use]
    pub fn missing(&self) -> Vec<&str> {
        self.members.iter().filter(|(_, m)| m.ready.is_none()).map(|(name, _)| name.as_str()).collect()
    }

    /// True once everybody may begin who is there.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.started.is_some()
    }

    /// The domains that are to be told to begin: ready, and not told yet.
    #[must_use]
    pub fn to_start(&self) -> Vec<String> {
        let due = |m: &Member| m.ready.is_some() && m.start.is_none();
        self.members.iter().filter(|(_, m)| due(m)).map(|(name, _)| name.clone()).collect()
    }

    /// The domains whose part is not done; `coordinators` have none.
    #[must_use]
    pub fn undone(&self, coordinators: &[&str]) -> Vec<&str> {
        let open =
            |(name, m): &(&String, &Member)| m.done.is_none() && !coordinators.contains(&name.as_str());
        self.members.iter().filter(open).map(|(name, _)| name.as_str()).collect()
    }

    /// Who is to be told now that all others are done: the coordinators, and the person where there is none. Nobody is
    /// told twice.
    #[must_use]
    pub fn to_wake(&self, coordinators: &[&str]) -> Vec<String> {
        let parts = self.members.keys().any(|name| !coordinators.contains(&name.as_str()));
        if !self.is_started() || !parts || !self.undone(coordinators).is_empty() {
            return Vec::new();
        }
        let all = if coordinators.is_empty() { &[HUMAN] } else { coordinators };
        all.iter().filter(|name| !self.woken.contains_key(**name)).map(|name| (*name).to_owned()).collect()
    }

    /// True if something was begun that is not finished: somebody is at it, or died over it.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        let begins = self.is_started() || self.missing().is_empty();
        self.calling || begins && !self.to_start().is_empty()
    }

    /// How it stands, in a word.
    #[must_use]
    pub fn state(&self) -> &'static str {
        if !self.woken.is_empty() {
            return "done";
        }
        match (self.is_started(), self.missing().is_empty()) {
            (true, true) => "started",
            (true, false) => "started without some",
            (false, _) => "waiting",
        }
    }
}

/// The names of the domains in the role of a coordinator: they have no part of their own, and bring the others' together.
#[must_use]
pub fn coordinators<'r>(registry: &'r Registry<'_>) -> Vec<&'r str> {
    registry.all_domains().filter(|d| coordinates(d)).map(|d| d.name.as_str()).collect()
}

fn coordinates(domain: &Domain<'_>) -> bool {
    domain.role.as_deref().is_some_and(|role| COORDINATORS.contains(&role))
}

/// How a message begins that says that all are done.
pub const ALL_DONE: &str = "All other domains are done: ";

/// What whoever is to be told reads once all are done.
#[must_use]
pub fn all_done(kickoff: &Kickoff, coordinators: &[&str]) -> String {
    let mut out = ALL_DONE.to_owned();
    let parts: Vec<_> =
        kickoff.members.iter().filter(|(name, _)| !coordinators.contains(&name.as_str())).collect();
    let mut more = 0;
    for (i, (name, member)) in parts.iter().enumerate() {
        let named = format!("{}{name}", if i > 0 { ", " } else { "" });
        let noted = match one_line(&member.note, NOTE) {
            note if note.is_empty() || i >= PEERS => named.clone(),
            note => format!("{named} ({note})"),
        };
        match [noted, named].iter().find(|text| estimate_tokens(&out) + estimate_tokens(text) <= PARTS) {
            Some(text) if more == 0 => out.push_str(text),
            _ => more += 1,
        }
    }
    if more > 0 {
        let _ = write!(out, " and {more} more");
    }
    let _ = write!(out, ". Goal: {}.", one_line(&kickoff.goal, MAX_GOAL).trim_end_matches('.'));
    if !coordinators.is_empty() {
        out.push_str(
            " Now bring their work together: contracts, tests across domains, boundaries; then report to the person.",
        );
    }
    out
}

/// Characters of a goal: it stands whole in each message.
pub const MAX_GOAL: usize = 200;
/// The roles that a coordinator may have.
const COORDINATORS: [&str; 2] = ["coordinator", "integration"];
/// Tokens that a message may cost its reader, without what every message says of itself: one that is too large is not sent.
const ROOM: usize = 500;
/// Of these, in the message that all are done, for who is done.
const PARTS: usize = 220;
/// Characters of a note.
const NOTE: usize = 80;
/// Tokens of one list.
const LIST: usize = 90;
/// Items of a list that are named.
const PEERS: usize = 12;

/// What the message to `domain` says; a coordinator that has no part of its own reads it too. Whatever has no room is left
/// out, from the end.
#[must_use]
pub fn text(kickoff: &Kickoff, domain: &Domain<'_>) -> String {
    let mut out = format!("Goal: {}\n", one_line(&kickoff.goal, MAX_GOAL));
    let about = if domain.description.is_empty() {
        String::new()
    } else {
        format!(" ({})", cut(&domain.description, 120, 40))
    };
    let has_part = kickoff.members.contains_key(domain.name.as_str()) || !coordinates(domain);
    let _ = writeln!(
        out,
        "{}: domain {}{about}; it writes {}.",
        if has_part { "Your part" } else { "You bring the parts together" },
        domain.name,
        cut(&guard::scope(domain), 300, 90)
    );
    let end = if has_part {
        format!(
            "\nFirst: run `comm-node kickoff {}`, which reports ready. Plan your part, change nothing yet; START comes as \
             a message when all are ready.",
            domain.name
        )
    } else {
        "\nChange nothing yet: a message says when all of them are done.".to_owned()
    };
    let fits = |out: &str, line: &str| {
        estimate_tokens(&quoted(out)) + estimate_tokens(&quoted(line)) + estimate_tokens(&end) <= ROOM
    };
    let mut say = |line: String| {
        let fits = fits(&out, &line);
        if fits {
            out.push_str(&line);
        }
        fits
    };
    if let Some(role) = &domain.role {
        say(format!("Role: {role}.\n"));
    }
    if !domain.exports.is_empty() {
        say(format!("Publishes: {}.\n", list(domain.exports.iter().map(|e| cut(e, 60, LIST)))));
    }
    if !domain.imports.is_empty() {
        let item = |(from, what): &(crate::text::Text<'_>, Vec<crate::text::Text<'_>>)| {
            let what: Vec<&str> = what.iter().map(|w| w.as_str()).collect();
            cut(&format!("{} from {from}", what.join(", ")), 120, LIST)
        };
        say(format!("Needs: {}.\n", list(domain.imports.iter().map(item))));
    }
    let peers = kickoff.members.keys().filter(|name| **name != *domain.name).cloned();
    let peers = list(peers);
    if !peers.is_empty() {
        say(format!("{}: {peers}.\n", if has_part { "Peers" } else { "Who has a part" }));
    }
    let has_room = kickoff.brief.is_empty() || say(format!("\n{}\n", kickoff.brief.trim()));
    if !has_room {
        let _ = writeln!(out, "The brief is long: `comm-node kickoff {}` prints it.", domain.name);
    }
    out.push_str(&end);
    out
}

/// `raw` in one line of at most `max` characters and `tokens`.
fn cut(raw: &str, mut max: usize, tokens: usize) -> String {
    let mut out = one_line(raw, max);
    while estimate_tokens(&out) > tokens {
        max = max * 3 / 4;
        out = one_line(raw, max);
    }
    out.into_owned()
}

/// `items` with commas, as many as there is room for; the rest is counted.
fn list(items: impl Iterator<Item = String>) -> String {
    let (mut out, mut named, mut more) = (String::new(), 0, 0);
    for item in items {
        if more > 0 || named >= PEERS || estimate_tokens(&out) + estimate_tokens(&item) > LIST {
            more += 1;
            continue;
        }
        if named > 0 {
            out.push_str(", ");
        }
        out.push_str(&item);
        named += 1;
    }
    if more > 0 {
        let _ = write!(out, " and {more} more");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(domains: usize) -> String {
        let domains: Vec<String> = (0..domains)
            .map(|i| format!(r#"{{"name":"d{i}","description":"part {i}","scope":[["src/d{i}/**",1]],"exports":["Types"],"imports":[["d0",["A"]]]}}"#))
            .collect();
        format!(
            r#"{{"version":1,"source":{{"size":0,"mtime_ns":0,"ctime_ns":0,"ino":0}},"name":"n","trees":["/n"],"roles":[],"domains":[{}]}}"#,
            domains.join(",")
        )
    }

    #[test]
    fn a_message_says_what_a_domain_has_to_know_and_fits() {
        let text_of = registry(20);
        let registry = Registry::parse(&text_of).expect("valid");
        let members = registry.domains.iter().map(|d| (d.name.to_string(), Member::default())).collect();
        let kickoff =
            Kickoff { goal: "Login".into(), brief: "x ".repeat(400), members, ..Kickoff::default() };
        let said = text(&kickoff, &registry.domains[1]);
        for piece in [
            "Goal: Login",
            "domain d1 (part 1)",
            "src/d1/**",
            "Publishes: Types",
            "A from d0",
            "and 7 more",
            "comm-node kickoff d1",
        ] {
            assert!(said.contains(piece), "{piece}: {said}");
        }
        assert!(estimate_tokens(&said) < 540, "{}", estimate_tokens(&said));
        let goal = "g".repeat(MAX_GOAL);
        let whole = Kickoff { goal: goal.clone(), ..kickoff.clone() };
        assert!(text(&whole, &registry.domains[1]).contains(&format!("Goal: {goal}\n")));
        assert!(all_done(&whole, &[]).contains(&format!("Goal: {goal}.")));
        let long = Kickoff { brief: "y".repeat(5000), ..kickoff };
        let said = text(&long, &registry.domains[1]);
        assert!(said.contains("`comm-node kickoff d1` prints it") && estimate_tokens(&said) < 400);
    }

    #[test]
    fn who_is_missing_and_who_is_to_begin() {
        let mut kickoff = Kickoff::default();
        for name in ["a", "b"] {
            kickoff.members.insert(name.into(), Member::default());
        }
        assert_eq!((kickoff.missing(), kickoff.state()), (vec!["a", "b"], "waiting"));
        assert!(!kickoff.is_interrupted());
        kickoff.calling = true;
        assert!(kickoff.is_interrupted(), "somebody was not called yet");
        kickoff.calling = false;
        kickoff.members.get_mut("b").expect("is there").ready = Some("now".into());
        assert_eq!((kickoff.missing(), kickoff.to_start()), (vec!["a"], vec!["b".to_owned()]));
        assert!(!kickoff.is_interrupted(), "a is missing");
        kickoff.started = Some("now".into());
        assert!(kickoff.is_interrupted(), "b was not told");
        kickoff.members.get_mut("b").expect("is there").start = Some("id".into());
        assert!(kickoff.to_start().is_empty() && kickoff.state() == "started without some");
        assert!(!kickoff.is_interrupted());
    }

    #[test]
    fn who_is_told_when_all_are_done() {
        let mut kickoff = Kickoff { goal: "Login.".into(), ..Kickoff::default() };
        for name in ["a", "b", "c"] {
            kickoff.members.insert(name.into(), Member { ready: Some("now".into()), ..Member::default() });
        }
        let done = |kickoff: &mut Kickoff, name: &str| {
            let member = kickoff.members.get_mut(name).expect("is there");
            (member.done, member.note) = (Some("now".into()), format!("part {name}"));
        };
        done(&mut kickoff, "a");
        assert_eq!(kickoff.undone(&["c"]), ["b"]);
        done(&mut kickoff, "b");
        assert!(kickoff.to_wake(&["c"]).is_empty(), "it was not started");
        kickoff.started = Some("now".into());
        assert_eq!(
            (kickoff.to_wake(&["c"]), kickoff.to_wake(&["c", "d"])),
            (vec!["c".to_owned()], vec!["c".to_owned(), "d".to_owned()])
        );
        assert!(kickoff.to_wake(&[]).is_empty(), "without a coordinator c has a part, too");
        done(&mut kickoff, "c");
        assert_eq!(kickoff.to_wake(&[]), [HUMAN]);
        assert!(kickoff.to_wake(&["a", "b", "c"]).is_empty(), "nobody has a part");
        kickoff.woken.insert("c".into(), "id".into());
        assert!(kickoff.to_wake(&["c"]).is_empty() && kickoff.state() == "done");
        let said = all_done(&kickoff, &["c"]);
        assert!(
            said.starts_with("All other domains are done: a (part a), b (part b). Goal: Login. Now bring"),
            "{said}"
        );
        assert!(!all_done(&kickoff, &[]).contains("Now"), "a person knows what to do");
    }
}
