//! `blockers.md`, `findings.md` and `kickoff.json`: what the whole node shares.

use std::path::{Path, PathBuf};

use super::{Durability, Shelf, Store, file, read_json, write_json_flushed};
use crate::Result;
use crate::handoff;
use crate::kickoff::Kickoff;
use crate::notes::{MAX_FILE, plan};
use crate::session::SessionId;

/// A plan is read up to this size at the end of a turn.
const MAX_PLAN: u64 = 64 << 10;

impl Store {
    /// Where the working file `name` is.
    #[must_use]
    pub fn note_path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The working file `name`, of at most `max` bytes; `None` if there is none.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn read_note(&self, name: &str, max: u64) -> Result<Option<String>> {
        file::read(&self.note_path(name), max.min(MAX_FILE))
    }

    /// Replaces the working file `name`. The caller holds the lock `notes`.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write_note(&self, name: &str, text: &str) -> Result<()> {
        self.prepare()?;
        file::replace(&self.note_path(name), text.as_bytes(), Durability::Flushed)
    }

    /// The kickoff that is under way, or the last one.
    ///
    /// # Errors
    /// When its record can't be read.
    pub fn read_kickoff(&self) -> Result<Option<Kickoff>> {
        read_json(&self.dir.join("kickoff.json"))
    }

    /// Puts on record how far the kickoff got. The caller holds the lock `kickoff`.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write_kickoff(&self, kickoff: &Kickoff) -> Result<()> {
        self.prepare()?;
        write_json_flushed(&self.dir.join("kickoff.json"), kickoff)
    }

    /// What is not checked off yet of `task`: the open steps of the hand-off that the session `id` of `domain` took,
    /// and the task itself in the plan below `root`.
    #[must_use]
    pub fn open_criteria(&self, root: &Path, domain: &str, id: &SessionId, task: &str) -> Vec<String> {
        let mut out = Vec::new();
        let taken = self.handoffs().list(domain, Shelf::Taken);
        for handed in taken.iter().filter(|handed| handed.name == task) {
            let Some(text) = self.handoffs().read(handed).ok().flatten() else { continue };
            let Ok(handoff) = handoff::read(&text) else { continue };
            if handoff.head.taken_by.as_deref() == Some(id.as_str()) {
                out.extend(handoff.open().map(|step| step.text.clone()));
            }
        }
        let text = file::read(&root.join(plan::FILE), MAX_PLAN).ok().flatten().unwrap_or_default();
        for open in plan::read(&text).0.into_iter().filter(|planned| !planned.done && planned.is(task)) {
            out.push(match open.done_when {
                Some(when) => format!("{} (done when: {when})", open.text),
                None => open.text,
            });
        }
        out
    }
}
