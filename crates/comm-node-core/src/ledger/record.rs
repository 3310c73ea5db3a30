//! What was counted of one source.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Account, Spend, is_zero};
use crate::session::SessionId;

/// Where spending comes from: each is counted by itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    /// The session.
    pub session: SessionId,
    /// `main` or `agent-<id>`.
    part: String,
}

impl Source {
    /// The main loop of `session`, by its transcript.
    #[must_use]
    pub fn main(session: SessionId) -> Self {
        Self { session, part: "main".to_owned() }
    }

    /// The subagent `id` of `session`, by its own transcript; `None` for what can't be an id.
    #[must_use]
    pub fn agent(session: SessionId, id: &str) -> Option<Self> {
        SessionId::new(id).ok().map(|id| Self { session, part: ["agent-", id.as_str()].concat() })
    }

    /// The source whose name [`fmt::Display`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (session, part) = text.split_once('/')?;
        let session = SessionId::new(session).ok()?;
        match part.strip_prefix("agent-") {
            Some(id) => Self::agent(session, id),
            None => (part == "main").then(|| Self::main(session)),
        }
    }

    /// `main` or `agent-<id>`.
    #[must_use]
    pub fn part(&self) -> &str {
        &self.part
    }

    /// The subagent's id, of one.
    #[must_use]
    pub fn agent_id(&self) -> Option<&str> {
        self.part.strip_prefix("agent-")
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.session, self.part)
    }
}

/// What spending is booked on. Empty where there is none.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(default)]
pub struct Keys {
    /// The domain that the session was bound to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub domain: String,
    /// The task it was at.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub task: String,
    /// The role, or the kind of the subagent.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub role: String,
    /// The model, as the service names it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// The day in UTC, such as `2026-11-25`.
    pub day: String,
}

impl Keys {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What was spent on one combination of keys.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Row {
    /// What it is booked on.
    pub keys: Keys,
    /// All of it.
    pub spend: Spend,
    /// The part that is in the closed sum of the domain's tally.
    #[serde(skip_serializing_if = "Spend::is_zero")]
    pub folded: Spend,
}

/// A response that was counted not long ago, and what for: its last figures are right, so that these can
/// still change.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Seen {
    /// A digest of its id.
    pub key: u64,
    /// The index of its row; none for one that was counted elsewhere.
    pub row: Option<usize>,
    /// What it was counted with.
    pub spend: Spend,
}

/// The record of one source, `ledger/sessions/<session>/<part>.jsonl`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
#[serde(default)]
pub struct Record {
    /// The format's version, 1.
    pub version: u32,
    /// The transcript, as it was last found.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// How many of its bytes are read: up to the end of a line.
    pub offset: u64,
    /// A digest of its first bytes: another file has another one.
    pub head: u64,
    /// Of how many bytes that is; 0 stands for 256.
    #[serde(skip_serializing_if = "is_zero")]
    pub head_len: u64,
    /// The time of the latest response that was counted, milliseconds since 1970.
    pub latest_ms: u64,
    /// How many of the responses beside it it was counted with, in `<part>.ids`.
    #[serde(skip_serializing_if = "is_zero")]
    pub ids: u64,
    /// What is no later than this may have been counted without being among those: in a file that was written
    /// anew, it is taken for counted.
    #[serde(skip_serializing_if = "is_zero")]
    pub unsure_ms: u64,
    /// Lines that should tell of a response and could not be read: they are not counted.
    #[serde(skip_serializing_if = "is_zero")]
    pub unreadable: u64,
    /// Lines that were too long to be read, whatever they tell.
    #[serde(skip_serializing_if = "is_zero")]
    pub too_long: u64,
    /// Older responses belong to somebody else: the session began then, or was first heard of.
    #[serde(skip_serializing_if = "is_zero")]
    pub since_ms: u64,
    /// True while it stands in a line that is too long to be read, and looks for its end.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skipping: bool,
    /// What it was last booked on, for a reader who can't know.
    #[serde(skip_serializing_if = "Keys::is_empty")]
    pub keys: Keys,
    /// The latest responses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<Seen>,
    /// What was spent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<Row>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub other: BTreeMap<String, serde_json::Value>,
}

/// How many responses can still change. One's lines stand close together.
const SEEN: usize = 24;

impl Record {
    /// A new record.
    #[must_use]
    pub fn new() -> Self {
        Self { version: 1, ..Self::default() }
    }

    /// Books what the response `key` cost. Booked again, its last figures count.
    pub fn book(&mut self, key: u64, keys: &Keys, spend: Spend) {
        if let Some(seen) = self.seen.iter_mut().find(|seen| seen.key == key) {
            if let Some(row) = seen.row.and_then(|row| self.rows.get_mut(row)) {
                row.spend = row.spend.minus(seen.spend).plus(spend);
                seen.spend = spend;
            }
            return;
        }
        let row = match self.rows.iter().position(|row| row.keys == *keys) {
            Some(row) => row,
            None => {
                self.rows.push(Row { keys: keys.clone(), ..Row::default() });
                self.rows.len() - 1
            }
        };
        self.rows[row].spend = self.rows[row].spend.plus(spend);
        self.remember(Seen { key, row: Some(row), spend });
    }

    /// Takes the response `key` as counted elsewhere.
    pub fn leave(&mut self, key: u64) {
        if !self.has_seen(key) {
            self.remember(Seen { key, ..Seen::default() });
        }
    }

    fn remember(&mut self, seen: Seen) {
        let spare = (self.seen.len() + 1).saturating_sub(SEEN);
        self.seen.drain(..spare);
        self.seen.push(seen);
    }

    /// True if `key` is among the latest.
    #[must_use]
    pub fn has_seen(&self, key: u64) -> bool {
        self.seen.iter().any(|seen| seen.key == key)
    }

    /// What makes `old` into it: figures, and those rows and responses that are not the same. `None` where that
    /// can't be said so.
    #[must_use]
    pub fn changes_since(&self, old: &Self) -> Option<Self> {
        let rows = self.rows.iter().filter(|row| !old.rows.contains(row)).cloned().collect();
        let seen = self.seen.iter().filter(|seen| !old.seen.contains(seen)).copied().collect();
        let mut change = Self { version: self.version, rows, seen, ..Self::default() };
        change.take_figures(self);
        let mut again = old.clone();
        again.take_over(change.clone());
        (again == *self).then_some(change)
    }

    fn take_figures(&mut self, of: &Self) {
        self.offset = of.offset;
        self.head = of.head;
        self.head_len = of.head_len;
        self.latest_ms = of.latest_ms;
        self.ids = of.ids;
        self.unsure_ms = of.unsure_ms;
        self.unreadable = of.unreadable;
        self.too_long = of.too_long;
        self.since_ms = of.since_ms;
        self.skipping = of.skipping;
    }

    /// Takes over what [`Record::changes_since`] said.
    pub fn take_over(&mut self, change: Self) {
        self.take_figures(&change);
        for row in change.rows {
            match self.rows.iter_mut().find(|old| old.keys == row.keys) {
                Some(old) => *old = row,
                None => self.rows.push(row),
            }
        }
        for seen in change.seen {
            match self.seen.iter_mut().find(|old| old.key == seen.key) {
                Some(old) => *old = seen,
                None => self.remember(seen),
            }
        }
    }

    /// What of it is not in the closed sum of the tally of `domain`.
    #[must_use]
    pub fn account(&self, domain: &str) -> Account {
        let mut account = Account::default();
        for row in self.rows.iter().filter(|row| row.keys.domain == domain) {
            account.add(&row.keys, row.spend.minus(row.folded));
        }
        account.trim();
        account
    }

    /// Takes all of its rows for `domain` as being in the closed sum; false if that says nothing new.
    pub fn fold(&mut self, domain: &str) -> bool {
        let mut changed = false;
        for row in self.rows.iter_mut().filter(|row| row.keys.domain == domain) {
            changed |= row.folded != row.spend;
            row.folded = row.spend;
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Usage;

    fn spend(output: u64) -> Spend {
        Spend { usage: Usage { output_tokens: output, responses: 1, ..Usage::default() }, ..Spend::default() }
    }

    fn keys(domain: &str, day: &str) -> Keys {
        Keys { domain: domain.into(), day: day.into(), ..Keys::default() }
    }

    #[test]
    fn sources_have_names_that_are_files() {
        let session = SessionId::new("s-1").expect("valid");
        for source in [Source::main(session.clone()), Source::agent(session.clone(), "a1").expect("valid")] {
            assert_eq!(Source::parse(&source.to_string()), Some(source));
        }
        for bad in ["", "s", "s/", "s/other", "s/agent-", "s/agent-../x", "../main", "s/main/x"] {
            assert_eq!(Source::parse(bad), None, "{bad}");
        }
        assert_eq!(Source::agent(session, "../x"), None);
    }

    #[test]
    fn the_last_figures_of_a_response_count() {
        let mut record = Record::new();
        let today = keys("backend", "2026-11-25");
        record.book(1, &today, spend(1));
        record.book(2, &today, spend(10));
        // Its domain changed meanwhile: what was begun there is finished there.
        record.book(1, &keys("frontend", "2026-11-25"), spend(100));
        assert_eq!(record.rows.len(), 1);
        assert_eq!(
            record.rows[0].spend.usage,
            Usage { output_tokens: 110, responses: 2, ..Usage::default() }
        );
        // Many later it is forgotten.
        (10..40).for_each(|key| record.book(key, &today, spend(0)));
        assert!(!record.has_seen(1) && record.seen.len() == SEEN);
    }

    #[test]
    fn what_is_folded_is_not_in_the_account() {
        let mut record = Record::new();
        record.book(1, &keys("backend", "2026-11-25"), spend(1));
        assert!(record.fold("backend") && !record.fold("backend") && !record.fold("frontend"));
        record.book(2, &keys("backend", "2026-11-26"), spend(2));
        record.book(3, &keys("frontend", "2026-11-26"), spend(4));
        assert_eq!(record.account("backend").total.usage.output_tokens, 2);
        assert_eq!(record.account("backend").day("2026-11-25").usage.output_tokens, 0);
        assert_eq!(record.account("frontend").total.usage.output_tokens, 4);
    }

    #[test]
    fn fields_of_later_versions_survive() {
        let record: Record = serde_json::from_str(r#"{"version":1,"later":[1]}"#).expect("reads");
        assert!(serde_json::to_string(&record).expect("writes").contains(r#""later":[1]"#));
    }
}
