//! The lease table: `leases/` in the state directory.
//!
//! ```text
//! leases/explicit.jsonl   what `comm-node lock` took; few, flushed, read by every hook
//! leases/00.jsonl … ff.jsonl   what writes took, by the hash of the path; not flushed
//! leases/of/<session>.jsonl   in which of those a session may have leases
//! leases/last.json, fencing.json   the fencing number
//! leases.lock   the lock that every change is made under
//! ```
//!
//! A hook reads two small files whatever the size of the table. Reading takes no lock: each file
//! only grows by whole lines or is replaced whole, and a lease that is there was granted when
//! nothing stood in its way, so what is seen between two changes is a state that is safe to act
//! on. Whatever is to be written is decided again under the lock.
//!
//! `docs/leases.md` gives the reasons and the measurements.

use super::crash;
mod fence;
mod files;
pub(super) mod held;
mod journal;
mod release;
mod repair;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use files::{Files, file_of};
pub use held::Hints;
pub use release::Release;
pub use repair::Repaired;

use super::file::Durability;
use super::{Event, Lock, Store};
use crate::clock::Now;
use crate::deadline::Deadline;
use crate::lease::{self, Ask, Conflict, Decision, Holder, Lease, Plan, Terms};
use crate::process::{self, Liveness};
use crate::session::SessionId;
use crate::{Error, Result};

/// The name of the table's lock.
const LOCK: &str = "leases";

/// The lease table of a node.
#[derive(Clone, Copy, Debug)]
pub struct Leases<'s> {
    store: &'s Store,
}

/// Who asks, when, and until when the answer is of use.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// The agent, or a person.
    pub holder: &'a Holder,
    /// The present.
    pub now: Now,
    /// Whether another holder lives; asked only about those that stand in the way. See
    /// [`Store::holder_liveness`].
    pub liveness: &'a dyn Fn(&Holder) -> Liveness,
    /// When waiting for the table's lock ends.
    pub deadline: Deadline,
}

/// What became of a request for leases.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The holder had them all already; nothing was written.
    Held,
    /// The holder has them now; these were written, each with its fencing number.
    Taken(Vec<Lease>),
    /// One is in another's hands, so none was taken.
    Refused(Box<Conflict>),
}

impl Store {
    /// The lease table; nothing is opened or made.
    #[must_use]
    pub fn leases(&self) -> Leases<'_> {
        Leases { store: self }
    }

    pub(super) fn leases_dir(&self) -> PathBuf {
        self.dir.join("leases")
    }

    /// Whether a holder lives, by its session's record and that record's process: the usual
    /// answer for [`Asking::liveness`]. A subagent is taken to live as long as its session does,
    /// because it has no process of its own. A person's life is not known.
    #[must_use]
    pub fn holder_liveness(&self, holder: &Holder) -> Liveness {
        let Some(id) = &holder.session else { return Liveness::Unknown };
        match self.read_session(id) {
            Ok(Some(session)) => session.process.map_or(Liveness::Unknown, |p| p.liveness()),
            Ok(None) if self.ended_path(id).symlink_metadata().is_ok() => Liveness::Dead,
            Ok(None) | Err(_) => Liveness::Unknown,
        }
    }
}

impl Leases<'_> {
    /// Takes leases for a write that is about to happen (PreToolUse): provisional for 60 s, to be
    /// followed by [`Leases::written`] or [`Leases::give_back`] with the same `call`. All or
    /// none. A lease that is held already with more than half its time left costs no write, and
    /// a refusal takes no lock. Holds too if another of the holder's calls on a path is under way.
    ///
    /// # Errors
    /// When the table can't be read or written in time; nothing was granted then that the caller
    /// may rely on.
    pub fn take(&self, asks: &[Ask<'_>], call: &str, ttl_s: u64, who: &Asking<'_>) -> Result<Outcome> {
        self.request(asks, &Terms::Write { call, ttl_s }, who)
    }

    /// Confirms the leases of a write that has happened (PostToolUse), or renews them. One that
    /// ran out meanwhile is taken again if nobody else has it; a refusal means that two have
    /// written.
    ///
    /// # Errors
    /// When the table can't be read or written in time.
    pub fn written(&self, asks: &[Ask<'_>], ttl_s: u64, who: &Asking<'_>) -> Result<Outcome> {
        self.request(asks, &Terms::Written { ttl_s }, who)
    }

    /// Gives back what `call` took, because it failed or was refused. What another call of the
    /// holder has confirmed stays. Returns how many.
    ///
    /// # Errors
    /// When the table can't be read or written in time; the leases run out by themselves then.
    pub fn give_back(
        &self,
        asks: &[Ask<'_>],
        call: &str,
        holder: &Holder,
        deadline: Deadline,
    ) -> Result<usize> {
        self.release(&Release::Call(holder, call, asks), deadline).map(|gone| gone.len())
    }

    /// The first lease of another that keeps `who` from writing one of `asks`, without taking
    /// anything: for commands that touch a whole tree, and for explanations.
    ///
    /// # Errors
    /// When the table can't be read.
    pub fn conflict(&self, asks: &[Ask<'_>], who: &Asking<'_>) -> Result<Option<Box<Conflict>>> {
        let leases = self.files_for(asks)?.meeting(asks)?;
        match lease::decide(&leases, asks, &Terms::Look, who.holder, who.now, who.liveness) {
            Decision::Refused(conflict) => Ok(Some(conflict)),
            Decision::Granted(_) => Ok(None),
        }
    }

    /// Every lease of another that keeps `who` from writing what `asks` are on, in no order: for commands
    /// that sweep over what others hold.
    ///
    /// # Errors
    /// When the table can't be read.
    pub fn conflicts(&self, asks: &[Ask<'_>], who: &Asking<'_>) -> Result<Vec<Lease>> {
        let mut leases = self.files_for(asks)?.meeting(asks)?;
        leases.retain(|lease| {
            !lease::permits(lease, who.holder, lease::Mode::Exclusive)
                && asks.iter().any(|ask| ask.meets(lease).is_some())
        });
        Ok(lease::counting(leases, who.now, who.liveness))
    }

    /// Takes explicit leases on globs that passed [`crate::glob::check`]; see [`Terms::Explicit`]. The
    /// holder's own on the same globs get the new terms.
    ///
    /// # Errors
    /// When the table can't be read or written in time.
    pub fn lock(&self, asks: &[Ask<'_>], terms: &Terms<'_>, who: &Asking<'_>) -> Result<Outcome> {
        self.request(asks, terms, who)
    }

    /// The table's lock. Somebody may delete the whole state under a running session, and a lock
    /// on a file that is gone guards nothing.
    fn lock_table(&self, deadline: Deadline) -> Result<Lock> {
        loop {
            let lock = self.store.lock(LOCK, deadline)?;
            if lock.is_current() {
                return Ok(lock);
            }
            if deadline.passed() {
                return Err(Error::Locked { path: lock.path().to_path_buf(), waited_ms: 0 });
            }
        }
    }

    fn request(&self, asks: &[Ask<'_>], terms: &Terms<'_>, who: &Asking<'_>) -> Result<Outcome> {
        let decide = |leases: &[Lease]| lease::decide(leases, asks, terms, who.holder, who.now, who.liveness);
        let mut planned = None;
        // A line that can't be read may be one that is just being mended; the lock tells.
        if let Ok(files) = self.files_for(asks)
            && let Ok(leases) = files.meeting(asks)
        {
            match decide(&leases) {
                Decision::Refused(conflict) => return Ok(Outcome::Refused(conflict)),
                Decision::Granted(plan) if plan.is_empty() => return Ok(Outcome::Held),
                Decision::Granted(plan) => planned = Some((files, plan)),
            }
        }
        let _lock = self.lock_table(who.deadline)?;
        self.store.prepare_in_own("leases")?;
        // Mostly nobody came in between, and what was decided then is what would be decided now.
        if let Some((files, plan)) = planned.filter(|(files, _)| files.are_current(asks)) {
            return self.carry_out(plan, &files, who).map(Outcome::Taken);
        }
        let files = self.files_for(asks)?;
        match decide(&files.meeting(asks)?) {
            Decision::Refused(conflict) => Ok(Outcome::Refused(conflict)),
            Decision::Granted(plan) if plan.is_empty() => Ok(Outcome::Held),
            Decision::Granted(plan) => self.carry_out(plan, &files, who).map(Outcome::Taken),
        }
    }

    /// Writes what was decided. What ends alone is written first, a number and a hint before the lease that they are
    /// of, and each file once; wherever it breaks off, no path has two holders.
    fn carry_out(&self, mut plan: Plan, files: &Files, who: &Asking<'_>) -> Result<Vec<Lease>> {
        for (lease, why) in &plan.ended {
            self.log("lease_taken_over", lease, why.as_str(), who.holder)?;
        }
        if !plan.new.is_empty() {
            let count = plan.new.len() as u64;
            let first = fence::take(self.store, count, process::boot().as_deref())?;
            plan.new.iter_mut().zip(first..).for_each(|(lease, number)| lease.fencing = number);
        }
        self.remember(&plan.new)?;
        let ended = plan.ended.into_iter().map(|(lease, _)| lease);
        let mut ends: Vec<Lease> = ended.chain(plan.replaced).collect();
        ends.iter_mut().for_each(|l| l.released = true);
        let mut granted = plan.renewed;
        granted.append(&mut plan.new);
        let keep = |lease: &Lease| self.still_counts(lease, who);
        for with_grants in [false, true] {
            for file in &files.0 {
                let here = |l: &&Lease| file_of(l) == file.name;
                if granted.iter().any(|l| here(&l)) == with_grants {
                    let changes: Vec<Lease> = ends.iter().chain(&granted).filter(here).cloned().collect();
                    file.journal.write(&changes, file.durability(), keep)?;
                }
            }
        }
        Ok(granted)
    }

    /// Whether `lease` is to be kept when its file is written anew; if not, that is logged.
    fn still_counts(&self, lease: &Lease, who: &Asking<'_>) -> Result<bool> {
        if lease.holder.same(who.holder) {
            return Ok(true);
        }
        match lease::ending(lease, who.now, (who.liveness)(&lease.holder)) {
            None => Ok(true),
            Some(why) => self.log("lease_swept", lease, why.as_str(), who.holder).map(|()| false),
        }
    }

    /// Every lease in force by the table, whether or not it still counts, sorted by path; and
    /// what could not be read.
    ///
    /// # Errors
    /// When the directory itself can't be listed.
    pub fn list(&self) -> Result<(Vec<Lease>, Vec<Error>)> {
        let (mut leases, mut errors) = (Vec::new(), Vec::new());
        for name in self.names()? {
            match self.file(name).and_then(|f| f.journal.leases(|_, _| true)) {
                Ok(mut some) => leases.append(&mut some),
                Err(e) => errors.push(e),
            }
        }
        leases.sort_by(by_path);
        Ok((leases, errors))
    }

    /// What `session` holds by the table, whether or not it still counts, sorted by path; and whether there may be
    /// more, because after the deadline no second file is begun. What can't be read is missing too: this is for telling, not for deciding.
    ///
    /// # Errors
    /// When it can't be told in which files that may be.
    pub fn held_by(&self, session: &SessionId, deadline: Deadline) -> Result<(Vec<Lease>, bool)> {
        let needle = format!("\"{session}\"").into_bytes();
        let (mut leases, mut more) = (Vec::new(), false);
        for (n, name) in self.names_of(session)?.into_iter().enumerate() {
            if n > 0 && deadline.passed() {
                more = true;
                break;
            }
            let Ok(file) = self.file(name) else { continue };
            let mut some =
                file.journal.leases(|_, line| journal::contains(line, &needle)).unwrap_or_default();
            some.retain(|lease| lease.holder.session.as_ref() == Some(session));
            leases.append(&mut some);
        }
        leases.sort_by(by_path);
        Ok((leases, more))
    }

    /// Explicit leases and those of `sessions`, in this order, that are `wanted`, given their paths, until `enough` says
    /// so, the deadline has passed or `most` files of automatic leases were read; and whether there may be more. What
    /// can't be read is missing: this is for telling, not for deciding.
    ///
    /// # Errors
    /// When it can't be told in which files they are.
    pub fn some_of(
        &self,
        sessions: &[&SessionId],
        wanted: &dyn Fn(&str) -> bool,
        enough: &dyn Fn(&[Lease]) -> bool,
        most: usize,
        deadline: Deadline,
    ) -> Result<(Vec<Lease>, bool)> {
        let mut names = vec![files::EXPLICIT.to_owned()];
        for session in sessions {
            for name in self.names_of(session)? {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        let mut leases: Vec<Lease> = Vec::new();
        let mut more = names.len() > most + 1;
        for name in names.into_iter().take(most + 1) {
            if deadline.passed() || enough(&leases) {
                more = true;
                break;
            }
            let Ok(file) = self.file(name) else { continue };
            let explicit = file.durability() == Durability::Flushed;
            leases.append(&mut file.journal.leases(|path, _| explicit || wanted(path)).unwrap_or_default());
        }
        leases.sort_by(by_path);
        Ok((leases, more))
    }

    /// Writes the audit line for a lease that ended by another's hand.
    fn log(&self, event: &str, lease: &Lease, rule: &str, by: &Holder) -> Result<()> {
        let note = format!("lease {} of {}", lease.fencing, lease.holder.describe());
        self.store.log(&Event {
            event,
            session: by.session.as_ref().map_or("", SessionId::as_str),
            agent: by.agent.as_deref().unwrap_or(""),
            domain: by.domain.as_deref().unwrap_or(""),
            path: &lease.path,
            rule,
            note: &note,
            ..Event::default()
        })
    }
}

fn by_path(a: &Lease, b: &Lease) -> std::cmp::Ordering {
    (&a.tree, &a.path, a.fencing).cmp(&(&b.tree, &b.path, b.fencing))
}
