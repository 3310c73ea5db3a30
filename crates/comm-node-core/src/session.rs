//! Who a session is: its record, and the domain it is bound to.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize};

use crate::activity::Activity;
use crate::node::Head;
use crate::node::registry::{Domain, Registry};
use crate::process::{Liveness, ProcessId};
use crate::{Error, Result, text};

/// A Claude Code session's id, known to be safe as a file name.
#[derive(Clone, Debug, Serialize, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[serde(transparent)]
pub struct SessionId(String);

impl SessionId {
    /// The id `raw`, if it is 1 to 128 letters, digits, `-` or `_`.
    ///
    /// # Errors
    /// [`Error::Invalid`] otherwise.
    pub fn new(raw: &str) -> Result<Self> {
        let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if raw.is_empty() || raw.len() > 128 || !raw.bytes().all(good) {
            let why = format!("`{}` is not letters, digits, - and _", text::one_line(raw, 40));
            return Err(Error::Invalid { what: "the session id", why });
        }
        Ok(Self(raw.to_owned()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its first eight characters, which is what people are shown.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..8).unwrap_or(&self.0)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        let raw = String::deserialize(d)?;
        Self::new(&raw).map_err(serde::de::Error::custom)
    }
}

/// What bound a session to its domain, strongest first.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum BoundBy {
    /// `comm-node join`, or a kickoff.
    Join,
    /// `COMM_NODE_DOMAIN`.
    Env,
    /// The directory the session began in.
    Directory,
    /// The name of the agent that the session runs as.
    Agent,
}

/// The record of one session, `sessions/<id>.jsonl`, in its last line. The file's modification time is the session's
/// last heartbeat.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Session {
    /// The format's version, 1.
    pub version: u32,
    /// Its id.
    pub session_id: SessionId,
    /// The domain it works for.
    #[serde(default)]
    pub domain: Option<String>,
    /// What bound it.
    #[serde(default)]
    pub bound_by: Option<BoundBy>,
    /// The domain that it would be bound to if that had room; it may write nothing of it meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// The agent that its main loop runs as (`claude --agent`), if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The task that it works on, as the agent or a hand-off said; what it spends is booked on that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// What it does, as its agent last said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<Activity>,
    /// How much of the task is done, in percent, as its agent last said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<u8>,
    /// Anything more that its agent last said of its work, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When its agent last said something of its work, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said_ms: Option<u64>,
    /// When a person was told of the session (milliseconds since 1970), and whether it was lost then or
    /// only silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<(u64, bool)>,
    /// The session's transcript, which grows while its model works.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub transcript: String,
    /// The role that its main loop took over with a hand-off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The client's process, where it is known.
    #[serde(default)]
    pub process: Option<ProcessId>,
    /// The directory it began in.
    #[serde(default)]
    pub directory: String,
    /// When it was first seen, RFC 3339.
    #[serde(default)]
    pub started: String,
    /// When it was last given its brief (milliseconds since 1970) and after which event of which
    /// client, so that two hooks that answer the same event give it once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub briefed: Option<(u64, String)>,
    /// True once the agent was told that the session is bound to no domain.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub noted: bool,
    /// The last writes that were noted, each by its call and path, so that two hooks that answer
    /// the same call note it once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noted_writes: Vec<String>,
    /// The commit that each git worktree stood on when it was last looked at, by the worktree's
    /// top directory.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub heads: BTreeMap<String, String>,
    /// Files that the agent was told a command of its removed, as long as they are missing: when they
    /// went can't be seen, and so they would be told again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told_gone: Vec<String>,
    /// How often in a row its turn was not let end.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub held: u32,
    /// The bands of budgets that it was told of, as long as they are crossed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub budget_told: Vec<String>,
    /// How many batches of calls it closed its work with since it was told that the run ends.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub closing: u32,
    /// Why it was not let end the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_for: Option<String>,
    /// True if the last prompt was answered with the orchestrator's reminder.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reminded: bool,
    /// True once the person ended these reminders for the session.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unreminded: bool,
    /// Fields of later versions.
    #[serde(flatten)]
    pub other: BTreeMap<String, serde_json::Value>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// A session without heartbeat for this long counts as gone where its process can't be looked at.
pub const SILENT_MS: u64 = 30 * 60 * 1000;

/// How many worktrees' commits are remembered: more than one session works in.
const HEADS: usize = 64;

/// How many missing files are remembered.
const TOLD_GONE: usize = 500;

/// How many noted writes are remembered: more than run at the same time.
const NOTED_WRITES: usize = 16;

impl Session {
    /// Remembers that the write `key` is noted; false if it was already.
    pub fn note_write(&mut self, key: &str) -> bool {
        if self.noted_writes.iter().any(|noted| noted == key) {
            return false;
        }
        let spare = (self.noted_writes.len() + 1).saturating_sub(NOTED_WRITES);
        self.noted_writes.drain(..spare);
        self.noted_writes.push(key.to_owned());
        true
    }

    /// Remembers that `missing` were told of; `is_missing` says of those told before whether they still are.
    pub fn note_gone(&mut self, missing: &[String], is_missing: impl Fn(&str) -> bool) {
        self.told_gone.retain(|path| is_missing(path));
        for path in missing {
            if self.told_gone.len() < TOLD_GONE && !self.told_gone.contains(path) {
                self.told_gone.push(path.clone());
            }
        }
    }

    /// Remembers that the worktree of `head` stands there now, and returns where it stood before.
    pub fn note_head(&mut self, head: &Head) -> Option<String> {
        let top = head.top.to_string_lossy().into_owned();
        if self.heads.len() >= HEADS && !self.heads.contains_key(&top) {
            // Which one is of no weight: what is not known is found out again.
            self.heads.pop_first();
        }
        self.heads.insert(top, head.commit.clone())
    }

    /// A new record.
    #[must_use]
    pub fn new(session_id: SessionId) -> Self {
        Self {
            version: 1,
            session_id,
            domain: None,
            bound_by: None,
            waiting_for: None,
            agent: None,
            task: None,
            activity: None,
            progress: None,
            note: None,
            said_ms: None,
            reported: None,
            transcript: String::new(),
            role: None,
            process: None,
            directory: String::new(),
            started: String::new(),
            briefed: None,
            noted: false,
            noted_writes: Vec::new(),
            heads: BTreeMap::new(),
            told_gone: Vec::new(),
            held: 0,
            budget_told: Vec::new(),
            closing: 0,
            held_for: None,
            reminded: false,
            unreminded: false,
            other: BTreeMap::new(),
        }
    }

    /// The names of the roles that all its agents act in: the one that it took over, and the agent that it
    /// runs as.
    #[must_use]
    pub fn roles(&self) -> [Option<&str>; 2] {
        [self.role.as_deref(), self.agent.as_deref()]
    }

    /// True while the session lives: its process does, or, where that can't be told, it gave a
    /// heartbeat within [`SILENT_MS`].
    #[must_use]
    pub fn is_live(&self, heartbeat_ms: u64, now_ms: u64) -> bool {
        match self.process.as_ref().map_or(Liveness::Unknown, ProcessId::liveness) {
            Liveness::Alive => true,
            Liveness::Dead => false,
            Liveness::Unknown => now_ms.saturating_sub(heartbeat_ms) < SILENT_MS,
        }
    }
}

/// The live sessions among `others` (each with its last heartbeat) that work for the domain `name`.
#[must_use]
pub fn live_in<'s>(name: &str, others: &'s [(Session, u64)], now_ms: u64) -> Vec<&'s Session> {
    let here = |s: &Session| s.domain.as_deref() == Some(name);
    others.iter().filter(|(s, heartbeat)| here(s) && s.is_live(*heartbeat, now_ms)).map(|(s, _)| s).collect()
}

/// What a session brings along that can bind it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Claim<'a> {
    /// `COMM_NODE_DOMAIN`, if set and not empty.
    pub env: Option<&'a str>,
    /// The directory that the session began in, real.
    pub directory: Option<&'a Path>,
    /// The name of the agent that the main loop runs as.
    pub agent: Option<&'a str>,
}

/// The domain that a session without an explicit binding belongs to, and why.
///
/// # Errors
/// The name in `COMM_NODE_DOMAIN` when no such domain exists.
pub fn natural_binding<'r, 'a>(
    registry: &'r Registry<'a>,
    claim: &Claim<'_>,
) -> std::result::Result<Option<(&'r Domain<'a>, BoundBy)>, String> {
    if let Some(name) = claim.env {
        return match registry.domain(name) {
            Some(domain) => Ok(Some((domain, BoundBy::Env))),
            None => Err(name.to_owned()),
        };
    }
    if let Some(domain) = claim.directory.and_then(|dir| domain_of_directory(registry, dir)) {
        return Ok(Some((domain, BoundBy::Directory)));
    }
    let agent = claim.agent.map(|name| name.rsplit(':').next().unwrap_or(name));
    Ok(agent.and_then(|name| registry.domain(name)).map(|d| (d, BoundBy::Agent)))
}

/// The domain whose own directory is nearest above `dir`; none if two are equally near.
fn domain_of_directory<'r, 'a>(registry: &'r Registry<'a>, dir: &Path) -> Option<&'r Domain<'a>> {
    let (tree, key) = match crate::node::locate(registry, &dir.join("-")) {
        crate::node::Place::Inside { tree, key, .. } => (tree, key),
        crate::node::Place::Outside { .. } => return None,
    };
    let key = key.strip_suffix("/-").unwrap_or("");
    let mut best: Option<(&Domain<'a>, usize)> = None;
    let mut tie = false;
    for domain in registry.all_domains().filter(|d| d.tree == tree) {
        let near = domain.home.iter().filter(|home| holds(home, key)).map(|home| home.len()).max();
        let Some(near) = near else { continue };
        match best {
            Some((_, len)) if len > near => {}
            Some((_, len)) if len == near => tie = true,
            _ => {
                best = Some((domain, near));
                tie = false;
            }
        }
    }
    best.filter(|_| !tie).map(|(domain, _)| domain)
}

fn holds(home: &str, key: &str) -> bool {
    home.is_empty() || key.strip_prefix(home).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_file_names() {
        assert!(SessionId::new("6f1c2a3e-0000-4000-8000-1234567890ab").is_ok());
        for bad in ["", "..", "a/b", "a.json", "a b", "é", &"x".repeat(129)] {
            assert!(SessionId::new(bad).is_err(), "{bad:?} must be refused");
        }
    }

    #[test]
    fn a_write_is_noted_once_and_old_ones_are_forgotten() {
        let mut session = Session::new(SessionId::new("s").expect("valid"));
        assert!(session.note_write("a") && !session.note_write("a"));
        assert!((0..40).all(|i| session.note_write(&i.to_string())));
        assert_eq!(session.noted_writes.len(), NOTED_WRITES);
        assert!(!session.note_write("39") && session.note_write("a"));
    }

    #[test]
    fn what_is_missing_is_remembered_until_it_is_back() {
        let mut session = Session::new(SessionId::new("s").expect("valid"));
        session.note_gone(&["a".into(), "b".into(), "a".into()], |_| true);
        assert_eq!(session.told_gone, ["a", "b"]);
        session.note_gone(&["c".into()], |path| path != "a");
        assert_eq!(session.told_gone, ["b", "c"]);
    }

    #[test]
    fn unknown_fields_survive_a_rewrite() {
        let text = r#"{"version":1,"session_id":"s","later":{"a":[1]}}"#;
        let session: Session = serde_json::from_str(text).expect("valid");
        let again = serde_json::to_string(&session).expect("writes");
        assert!(again.contains(r#""later":{"a":[1]}"#), "{again}");
    }
}
