//! Giving leases back.

use super::{Leases, journal};
use crate::deadline::Deadline;
use crate::lease::{Ask, Holder, Kind, Lease, What};
use crate::session::SessionId;
use crate::{Result, glob};

/// Which leases are to be released.
#[derive(Clone, Copy, Debug)]
pub enum Release<'a> {
    /// All of a session, its subagents' among them: it ended.
    Session(&'a SessionId),
    /// The same, looked for in every file: `unlock --all`.
    Everywhere(&'a SessionId),
    /// All of the subagents of a session: none of them runs any more.
    Subagents(&'a SessionId),
    /// All of one holder: a subagent stopped, or a person's `unlock --all`.
    Holder(&'a Holder),
    /// A session's leases, whichever of its agents holds them, on paths that `asks` cover:
    /// committed, handed off, or unlocked. A glob covers the leases whose every path it matches.
    Of(&'a Option<SessionId>, &'a [Ask<'a>]),
    /// The holder's provisional ones of this tool call on these paths: it failed or was refused.
    Call(&'a Holder, &'a str, &'a [Ask<'a>]),
    /// Everybody's that meet `asks`, by a person's force.
    Force(&'a [Ask<'a>]),
}

impl Leases<'_> {
    /// Releases leases and returns them. That an agent has none is no error.
    ///
    /// # Errors
    /// When the table can't be read or written in time.
    pub fn release(&self, which: &Release<'_>, deadline: Deadline) -> Result<Vec<Lease>> {
        if !self.store.leases_dir().is_dir() {
            return Ok(Vec::new());
        }
        // It is asked at the end of every turn, mostly for nothing.
        if matches!(which, Release::Subagents(_)) && !self.has_any(which)? {
            return Ok(Vec::new());
        }
        let _lock = self.lock_table(deadline)?;
        let whole = which.whole();
        let names = match (which.asks(), whole) {
            (Some(asks), _) => self.names_for(asks)?,
            // Somebody who asks for it may have found that not all went.
            (None, _) if matches!(which, Release::Everywhere(_)) => self.names()?,
            (None, Some(session)) => self.names_of(session)?,
            (None, None) => self.names()?,
        };
        let needle = which.needle();
        let needed = |line: &[u8]| needle.as_ref().is_none_or(|n| journal::contains(line, n));
        let looked = names.len();
        // Where the session has automatic leases still.
        let mut left = Vec::new();
        let mut release_in = |name: String| -> Result<Vec<Lease>> {
            let file = self.file(name)?;
            let mut ends = file.journal.leases(|_, line| needed(line))?;
            let stays = |lease: &Lease| {
                !which.means(lease) && lease.kind == Kind::Automatic && lease.holder.session.as_ref() == whole
            };
            if whole.is_some() && ends.iter().any(stays) {
                left.push(file.name.clone());
            }
            ends.retain(|lease| which.means(lease));
            ends.iter_mut().for_each(|l| l.released = true);
            // Mostly a file's leases go together, and then the file does.
            let alone = !ends.is_empty()
                && needle.as_ref().is_some_and(|n| file.journal.all_lines_have(n))
                && file.journal.leases(|_, _| true)?.len() == ends.len();
            if alone {
                file.journal.remove()?;
            } else {
                file.journal.write(&ends, file.durability(), |_| Ok(true))?;
            }
            Ok(ends)
        };
        // One bad file keeps no lease in another one.
        let (mut gone, mut fault) = (Vec::new(), None);
        for name in names {
            match release_in(name) {
                Ok(mut ends) => gone.append(&mut ends),
                Err(e) => fault = fault.or(Some(e)),
            }
        }
        gone.iter_mut().for_each(|l| l.released = false);
        if let (Some(session), None) = (whole, &fault) {
            match which {
                Release::Session(_) | Release::Everywhere(_) => self.forget(session)?,
                _ => self.shorten(session, &left, looked)?,
            }
        }
        fault.map_or(Ok(gone), Err)
    }

    /// Whether there is a lease that `which` means, without the lock. A file that can't be read may
    /// have one.
    fn has_any(&self, which: &Release<'_>) -> Result<bool> {
        let needle = which.needle();
        let needed = |line: &[u8]| needle.as_ref().is_none_or(|n| journal::contains(line, n));
        let names = which.whole().map_or_else(|| self.names(), |session| self.names_of(session))?;
        Ok(names.into_iter().any(|name| {
            let leases = self.file(name).and_then(|file| file.journal.leases(|_, line| needed(line)));
            leases.map_or(true, |leases| leases.iter().any(|lease| which.means(lease)))
        }))
    }
}

impl Release<'_> {
    fn asks(&self) -> Option<&[Ask<'_>]> {
        match self {
            Self::Session(_) | Self::Everywhere(_) | Self::Subagents(_) | Self::Holder(_) => None,
            Self::Of(_, asks) | Self::Call(_, _, asks) | Self::Force(asks) => Some(asks),
        }
    }

    /// The session that every lease meant is of, if there is one.
    fn session(&self) -> Option<&SessionId> {
        match self {
            Self::Session(id) | Self::Everywhere(id) | Self::Subagents(id) => Some(id),
            Self::Holder(holder) | Self::Call(holder, ..) => holder.session.as_ref(),
            Self::Of(session, _) => session.as_ref(),
            Self::Force(_) => None,
        }
    }

    /// The session of which everything that is meant is looked for.
    fn whole(&self) -> Option<&SessionId> {
        if self.asks().is_some() { None } else { self.session() }
    }

    /// What every line about a lease that is meant contains.
    fn needle(&self) -> Option<Vec<u8>> {
        self.session().map(|id| format!("\"{id}\"").into_bytes())
    }

    fn means(&self, lease: &Lease) -> bool {
        match self {
            Self::Session(id) | Self::Everywhere(id) => lease.holder.session.as_ref() == Some(id),
            Self::Subagents(id) => lease.holder.session.as_ref() == Some(id) && lease.holder.agent.is_some(),
            Self::Holder(holder) => lease.holder.same(holder),
            Self::Of(session, asks) => {
                lease.holder.session == **session && asks.iter().any(|ask| includes(ask, lease))
            }
            Self::Call(holder, call, asks) => {
                lease.holder.same(holder)
                    && lease.provisional
                    && lease.call == *call
                    && asks.iter().any(|ask| includes(ask, lease))
            }
            Self::Force(asks) => asks.iter().any(|ask| ask.meets(lease).is_some()),
        }
    }
}

/// True if `ask` is on everything that `lease` is on.
fn includes(ask: &Ask<'_>, lease: &Lease) -> bool {
    if ask.tree != lease.tree {
        return false;
    }
    match (ask.what, lease.kind) {
        (What::Key(key), Kind::Automatic) => lease.path == key,
        // A lock that somebody set outlasts the commit of a path.
        (What::Key(_), Kind::Explicit) => false,
        (What::Glob(glob), Kind::Automatic) => glob::matches(glob, &lease.path),
        (What::Glob(glob), Kind::Explicit) => {
            glob == lease.path || glob::overlap_excluding(&lease.path, "**", &[glob]).is_none()
        }
    }
}
