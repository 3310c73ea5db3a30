//! When a lease stands in another's way, and how that is told.

use super::{Holder, Kind, Lease, Mode};
use crate::clock::{self, Now};
use crate::process::Liveness;
use crate::text;

/// True if `lease` does not keep `holder` from having `mode` on the same path.
///
/// A main loop's automatic lease lets its own subagents through: the main loop touched a file and
/// then delegated the work on it, and it waits or knows. An explicit one says "nobody", and means
/// them too unless it was shared with them. A subagent's lease stops its main loop and its
/// siblings: they don't know what it is doing.
#[must_use]
pub fn permits(lease: &Lease, holder: &Holder, mode: Mode) -> bool {
    let own_subagent = lease.holder.session.is_some()
        && lease.holder.session == holder.session
        && lease.holder.agent.is_none()
        && holder.agent.is_some();
    lease.holder.same(holder)
        || (lease.mode == Mode::Shared && mode == Mode::Shared)
        || (own_subagent && (lease.kind == Kind::Automatic || lease.share_with_subagents))
}

/// Whether `lease` no longer counts, its holder being `liveness`.
///
/// - A dead holder holds nothing.
/// - A live one holds on, unless the lease is fixed or was never confirmed. Its age is then taken
///   from the time since the machine started, which nobody can set: holder and observer run on
///   the same one, else the observer would not know that it lives.
/// - What can't be looked at holds until its time is over by the wall clock.
#[must_use]
pub fn ending(lease: &Lease, now: Now, liveness: Liveness) -> Option<Ending> {
    let over = match (liveness, lease.up_ms, now.up_ms) {
        (Liveness::Dead, _, _) => return Some(Ending::HolderGone),
        // A lease may be younger than `now`: it was granted while this one waited for the lock.
        (Liveness::Alive, Some(then), Some(now)) => {
            now.saturating_sub(then) >= lease.ttl_s.saturating_mul(1000)
        }
        _ => now.wall_ms >= lease.until,
    };
    match (over, lease.provisional) {
        (false, _) => None,
        (true, true) => Some(Ending::Unconfirmed),
        (true, false) if lease.fixed || liveness != Liveness::Alive => Some(Ending::Expired),
        (true, false) => None,
    }
}

/// Why a lease that is still in the table no longer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The holder's process has ended.
    HolderGone,
    /// It was never confirmed.
    Unconfirmed,
    /// Its time is over.
    Expired,
}

impl Ending {
    /// The reason as a rule's name for the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HolderGone => "holder_gone",
            Self::Unconfirmed => "unconfirmed",
            Self::Expired => "expired",
        }
    }
}

/// A lease that stands in the way.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// That lease.
    pub lease: Lease,
    /// A key that it and the request are both on.
    pub path: String,
    /// Whether its holder lives, as far as is known.
    pub liveness: Liveness,
}

impl Conflict {
    /// What stands in the way, as a clause for people and agents: holder, kind, age, what is left
    /// of it, whether the holder lives, and the reason it gave.
    #[must_use]
    pub fn describe(&self, now: Now) -> String {
        let lease = &self.lease;
        let since = clock::span(now.wall_ms.saturating_sub(lease.since));
        let what = match lease.kind {
            Kind::Automatic if lease.provisional => "which it is writing".to_owned(),
            Kind::Automatic => "which it wrote last".to_owned(),
            Kind::Explicit => format!("by its lock on `{}`", text::one_line(&lease.path, 120)),
        };
        let left = clock::span(lease.until.saturating_sub(now.wall_ms));
        let end = match (self.liveness, lease.fixed) {
            (Liveness::Alive, false) => "it is live, so the lease does not run out".to_owned(),
            (Liveness::Alive, true) => format!("it is live; the lease ends in {left}"),
            _ => format!("whether it is live is not known; the lease ends in {left}"),
        };
        let reason = match lease.reason.as_str() {
            "" => String::new(),
            reason => format!("; its reason: {}", text::one_line(reason, 200)),
        };
        let path = text::one_line(&self.path, 200);
        format!("{path} is held by {}, {what}, since {since}; {end}{reason}", lease.holder.describe())
    }
}
