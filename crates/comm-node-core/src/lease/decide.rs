//! What a request for leases leads to: a pure function of the leases, the time and who lives.

use super::{Conflict, Ending, Holder, Kind, Lease, Mode, PROVISIONAL_MS, ending, permits};
use crate::clock::Now;
use crate::process::Liveness;

/// What a lease is wanted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask<'a> {
    /// The tree that it is relative to, empty for the node's root.
    pub tree: &'a str,
    /// One path or many.
    pub what: What<'a>,
}

/// One path or many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What<'a> {
    /// A key, see [`crate::path::key`]. An automatic lease is on one of these.
    Key(&'a str),
    /// A glob that passed [`crate::glob::check`]. An explicit lease is on one of these.
    Glob(&'a str),
}

impl<'a> Ask<'a> {
    /// One path.
    #[must_use]
    pub fn key(tree: &'a str, key: &'a str) -> Self {
        Self { tree, what: What::Key(key) }
    }

    /// Every path that matches.
    #[must_use]
    pub fn glob(tree: &'a str, glob: &'a str) -> Self {
        Self { tree, what: What::Glob(glob) }
    }

    /// The key or glob.
    #[must_use]
    pub fn text(&self) -> &'a str {
        match self.what {
            What::Key(text) | What::Glob(text) => text,
        }
    }

    /// A key that this and `lease` are both on.
    #[must_use]
    pub fn meets(&self, lease: &Lease) -> Option<String> {
        if lease.tree != self.tree {
            return None;
        }
        match self.what {
            What::Key(key) => lease.covers(key).then(|| key.to_owned()),
            What::Glob(glob) => lease.overlap(glob),
        }
    }
}

/// On what terms leases are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Terms<'a> {
    /// Before a write (PreToolUse): exclusive, and provisional until it is confirmed.
    Write {
        /// The tool call's id.
        call: &'a str,
        /// How long a confirmed lease lasts, in seconds; the node's `lease_ttl`.
        ttl_s: u64,
    },
    /// After a write (PostToolUse): what it took is confirmed, or taken now if it was lost.
    Written {
        /// How long it lasts, in seconds; the node's `lease_ttl`.
        ttl_s: u64,
    },
    /// By `comm-node lock`.
    Explicit {
        /// Whether others may hold the same.
        mode: Mode,
        /// How long it lasts, in seconds.
        ttl_s: u64,
        /// True if it ends then although the holder lives.
        fixed: bool,
        /// True if a main loop's lease lets its own subagents through.
        share_with_subagents: bool,
        /// Why.
        reason: &'a str,
    },
    /// Nothing is to be taken: the conflicts alone are of interest.
    Look,
}

impl Terms<'_> {
    fn mode(&self) -> Mode {
        match self {
            Self::Explicit { mode, .. } => *mode,
            _ => Mode::Exclusive,
        }
    }
}

/// What a request leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// A lease stands in the way; nothing changes.
    Refused(Box<Conflict>),
    /// It is granted once this is written.
    Granted(Plan),
}

/// What is to be written for a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Leases that no longer count and stood in the way.
    pub ended: Vec<(Lease, Ending)>,
    /// Own leases that others replace.
    pub replaced: Vec<Lease>,
    /// Own leases with new terms.
    pub renewed: Vec<Lease>,
    /// New leases; their `fencing` is still 0.
    pub new: Vec<Lease>,
    /// Own leases that need nothing.
    pub held: Vec<Lease>,
}

impl Plan {
    /// True if nothing is to be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ended.is_empty() && self.replaced.is_empty() && self.renewed.is_empty() && self.new.is_empty()
    }
}

/// Decides about `asks`, all or nothing. `leases` must hold every lease of the node that meets
/// one of them, and may hold more.
pub fn decide<'l>(
    leases: impl IntoIterator<Item = &'l Lease> + Clone,
    asks: &[Ask<'_>],
    terms: &Terms<'_>,
    holder: &Holder,
    now: Now,
    liveness: &dyn Fn(&Holder) -> Liveness,
) -> Decision {
    let mut plan = Plan::default();
    for ask in asks {
        let mut own: Option<&Lease> = None;
        for lease in leases.clone() {
            let Some(path) = ask.meets(lease) else { continue };
            if lease.holder.same(holder) {
                own = better(own, lease, ask, now);
            }
            if permits(lease, holder, terms.mode()) || plan.ended.iter().any(|(l, _)| l == lease) {
                continue;
            }
            let liveness = liveness(&lease.holder);
            match ending(lease, now, liveness) {
                Some(why) => plan.ended.push((lease.clone(), why)),
                None => {
                    return Decision::Refused(Box::new(Conflict { lease: lease.clone(), path, liveness }));
                }
            }
        }
        let again = |list: &[Lease]| list.iter().any(|l| l.tree == ask.tree && l.path == ask.text());
        if !again(&plan.new) && !again(&plan.renewed) {
            settle(&mut plan, own, ask, terms, holder, now);
        }
    }
    Decision::Granted(plan)
}

/// The one of two own leases that answers `ask`: for a path an explicit exclusive one that
/// covers it, else the automatic one on it; for a glob the explicit one on the same glob.
fn better<'l>(best: Option<&'l Lease>, lease: &'l Lease, ask: &Ask<'_>, now: Now) -> Option<&'l Lease> {
    let answers = match ask.what {
        What::Key(_) if lease.kind == Kind::Explicit => {
            lease.mode == Mode::Exclusive && ending(lease, now, Liveness::Alive).is_none()
        }
        What::Key(_) => true,
        What::Glob(glob) => lease.kind == Kind::Explicit && lease.path == glob,
    };
    match best {
        _ if !answers => best,
        Some(best) if best.kind == Kind::Explicit => Some(best),
        _ => Some(lease),
    }
}

/// Adds to `plan` what gives `holder` its `ask`, now that nothing stands in the way.
fn settle(plan: &mut Plan, own: Option<&Lease>, ask: &Ask<'_>, terms: &Terms<'_>, holder: &Holder, now: Now) {
    let wanted = match terms {
        Terms::Look => return,
        Terms::Write { call, .. } => {
            let mut lease = blank(ask, holder, Kind::Automatic, PROVISIONAL_MS / 1000, now);
            lease.provisional = true;
            (*call).clone_into(&mut lease.call);
            lease
        }
        Terms::Written { ttl_s } => blank(ask, holder, Kind::Automatic, *ttl_s, now),
        Terms::Explicit { mode, ttl_s, fixed, share_with_subagents, reason } => Lease {
            mode: *mode,
            fixed: *fixed,
            share_with_subagents: *share_with_subagents,
            reason: (*reason).to_owned(),
            ..blank(ask, holder, Kind::Explicit, *ttl_s, now)
        },
    };
    let Some(own) = own else {
        plan.new.push(wanted);
        return;
    };
    match terms {
        // The right changes, so it is another grant.
        Terms::Explicit { mode, .. } if own.mode != *mode => {
            plan.replaced.push(own.clone());
            plan.new.push(wanted);
        }
        Terms::Explicit { .. } => plan.renewed.push(renewal(own, wanted)),
        _ if own.kind == Kind::Explicit => plan.held.push(own.clone()),
        Terms::Write { call, .. } if own.provisional => {
            if own.call == *call && is_fresh(own, now) {
                plan.held.push(own.clone());
            } else {
                plan.renewed.push(renewal(own, wanted));
            }
        }
        Terms::Write { ttl_s, .. } | Terms::Written { ttl_s } => {
            if !own.provisional && is_fresh(own, now) {
                plan.held.push(own.clone());
            } else {
                let confirmed = blank(ask, holder, Kind::Automatic, *ttl_s, now);
                plan.renewed.push(renewal(own, confirmed));
            }
        }
        Terms::Look => {}
    }
}

/// A lease as it would be granted now, without a number.
fn blank(ask: &Ask<'_>, holder: &Holder, kind: Kind, ttl_s: u64, now: Now) -> Lease {
    Lease {
        path: ask.text().to_owned(),
        fencing: 0,
        released: false,
        tree: ask.tree.to_owned(),
        kind,
        mode: Mode::Exclusive,
        holder: holder.clone(),
        since: now.wall_ms,
        until: now.wall_ms.saturating_add(ttl_s.saturating_mul(1000)),
        ttl_s,
        up_ms: now.up_ms,
        provisional: false,
        call: String::new(),
        fixed: false,
        share_with_subagents: false,
        reason: String::new(),
        other: std::collections::BTreeMap::new(),
    }
}

/// `old` with the terms of `wanted`: the grant stays the same.
fn renewal(old: &Lease, wanted: Lease) -> Lease {
    let reason = if wanted.reason.is_empty() { old.reason.clone() } else { wanted.reason.clone() };
    Lease { fencing: old.fencing, since: old.since, reason, other: old.other.clone(), ..wanted }
}

/// True if more than half of a lease's time is left, and not more than all of it, which only a
/// clock that was set back can cause. Such a lease needs no write.
fn is_fresh(lease: &Lease, now: Now) -> bool {
    let ttl_ms = lease.ttl_s.saturating_mul(1000);
    let left = lease.until.saturating_sub(now.wall_ms);
    let by_wall = left > ttl_ms / 2 && left <= ttl_ms;
    let by_uptime = match (lease.up_ms, now.up_ms) {
        (Some(then), Some(now)) => now >= then && now - then < ttl_ms / 2,
        _ => true,
    };
    by_wall && by_uptime
}
