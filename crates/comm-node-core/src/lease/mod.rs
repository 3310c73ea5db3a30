//! Leases: who may write a path, decided over values.
//!
//! A lease is a lock on one path (*automatic*, taken by the edit itself) or on a glob (*explicit*,
//! taken with `comm-node lock`). [`decide`] says what a request for leases leads to, given the
//! leases that could matter to it; [`crate::store::Leases`] finds those, and writes the outcome.
//! `docs/leases.md` tells the reasons behind the rules.

mod conflict;
mod decide;
mod foreign;
#[cfg(test)]
mod model;
mod time;
mod tree;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use conflict::{Conflict, Ending, ending, permits};
pub use decide::{Ask, Decision, Plan, Terms, What, decide};

pub use foreign::{counting, is_foreign};
pub use tree::tree_of;

use crate::session::SessionId;
use crate::{glob, text};

/// An automatic lease that no PostToolUse confirmed lasts this long: the time between the
/// decision of the hook and the end of the tool, which a person's permission prompt may stretch.
pub const PROVISIONAL_MS: u64 = 60_000;

/// Who holds a lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Holder {
    /// The domain it works for, for people to read; it is no part of the identity.
    pub domain: Option<String>,
    /// The session; `None` is a person at a terminal.
    pub session: Option<SessionId>,
    /// The subagent of that session, `None` for its main loop.
    pub agent: Option<String>,
}

impl Holder {
    /// True if both are the same agent, or both a person.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.session == other.session && self.agent == other.agent
    }

    /// The holder in words: `backend (session 6f1c2a3e, subagent a12)`.
    #[must_use]
    pub fn describe(&self) -> String {
        let Some(session) = &self.session else { return "a person".to_owned() };
        let session = session.short();
        let inside = match &self.agent {
            Some(agent) => format!("session {session}, subagent {}", text::one_line(agent, 40)),
            None => format!("session {session}"),
        };
        match &self.domain {
            Some(domain) => format!("{} ({inside})", text::one_line(domain, 60)),
            None => inside,
        }
    }
}

/// Whether others may hold the same.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Nobody else.
    #[default]
    Exclusive,
    /// Others too, as long as nobody writes.
    Shared,
}

/// How a lease came about.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// By a write; on one path.
    Automatic,
    /// By `comm-node lock`; on a glob.
    Explicit,
}

/// One lease, which is also one line of its file.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Lease {
    /// The key (automatic) or glob (explicit) below `tree`. The first field of every line, so
    /// that a reader can skip the rest.
    pub path: String,
    /// The number of its grant: unique in the node, and higher than that of any earlier grant.
    pub fencing: u64,
    /// True in the line that ends a lease.
    #[serde(default, skip_serializing_if = "is_false")]
    pub released: bool,
    /// The tree that `path` is relative to, empty for the node's root.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tree: String,
    /// How it came about.
    pub kind: Kind,
    /// Whether others may hold the same.
    #[serde(default)]
    pub mode: Mode,
    /// Who holds it.
    #[serde(flatten, with = "time::holder")]
    pub holder: Holder,
    /// When it was granted, milliseconds since 1970 (in the file RFC 3339).
    #[serde(with = "time::rfc3339")]
    pub since: u64,
    /// When it ends unless it is renewed or the holder is known to live.
    #[serde(with = "time::rfc3339")]
    pub until: u64,
    /// How long a renewal lasts, in seconds.
    pub ttl_s: u64,
    /// When it was granted or renewed last, in milliseconds since the machine started; `None`
    /// where that can't be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_ms: Option<u64>,
    /// True until the write that took it has happened.
    #[serde(default, skip_serializing_if = "is_false")]
    pub provisional: bool,
    /// The tool call that took it, while it is provisional.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub call: String,
    /// True if it ends with its time although the holder lives: somebody gave it a `--ttl`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub fixed: bool,
    /// True if an explicit lease of a main loop lets its subagents through.
    #[serde(default, skip_serializing_if = "is_false")]
    pub share_with_subagents: bool,
    /// Why, in the holder's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Fields of later versions.
    #[serde(flatten)]
    pub other: BTreeMap<String, serde_json::Value>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(b: &bool) -> bool {
    !b
}

impl Lease {
    /// True if the lease is on `key`, which must lie in the same tree.
    #[must_use]
    pub fn covers(&self, key: &str) -> bool {
        match self.kind {
            Kind::Automatic => self.path == key,
            Kind::Explicit => glob::matches(&self.path, key),
        }
    }

    /// A key that both the lease and `glob` are on, in the same tree.
    #[must_use]
    pub fn overlap(&self, glob: &str) -> Option<String> {
        match self.kind {
            Kind::Automatic => glob::matches(glob, &self.path).then(|| self.path.clone()),
            Kind::Explicit => glob::overlap(glob, &self.path),
        }
    }

    /// When it was granted or renewed last, milliseconds since 1970.
    #[must_use]
    pub fn renewed(&self) -> u64 {
        self.until.saturating_sub(self.ttl_s.saturating_mul(1000))
    }
}
