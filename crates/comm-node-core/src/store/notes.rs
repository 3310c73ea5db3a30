//! `blockers.md`, `findings.md` and `kickoff.json`: what the whole node shares.

use std::path::{Path, PathBuf};

use super::{Durability, Shelf, Store, file, read_json, write_json_flushed};
use crate::Result;
use crate::handoff::{self, Handoff};
use crate::kickoff::Kickoff;
use crate::notes::{MAX_FILE, plan};
use crate::session::SessionId;
use crate::text::one_line;

/// A plan is read up to this size at the end of a turn.
const MAX_PLAN: u64 = 64 << 10;
/// Characters of what is wrong with a hand-off.
const MAX_FAULT: usize = 300;

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
    /// and the task itself in the plan below `root`. A hand-off with a fault comes first, as something to be mended: what is
    /// open in it may not be among the steps that can be read.
    #[must_use]
    pub fn open_criteria(&self, root: &Path, domain: &str, id: &SessionId, task: &str) -> Vec<String> {
        let mut out = Vec::new();
        let taken = self.handoffs().list(domain, Shelf::Taken);
        for handed in taken.iter().filter(|handed| handed.name == task) {
            let (handoff, fault) = match self.handoffs().read(handed) {
                Ok(None) => continue,
                Ok(Some(text)) => {
                    let (handoff, faults) = handoff::read_anyway(&text, Some(task), Some(domain));
                    (handoff, faults.first().map(|fault| fault.in_file(&self.handoffs().shown(handed))))
                }
                Err(e) => (Handoff::default(), Some(e.to_string())),
            };
            let of_whom = handoff.head.taken_by.as_deref();
            // One that can't be read may not even say whose it is: it is of whoever works on its task.
            if of_whom != Some(id.as_str()) && (of_whom.is_some() || fault.is_none()) {
                continue;
            }
            if let Some(fault) = fault {
                let way = format!("`comm-node handoff write {task} --replace …`, then `accept {task}`");
                out.push(format!("mend the hand-off ({way}): {}", one_line(&fault, MAX_FAULT)));
            }
            out.extend(handoff.open().map(|step| step.text.clone()));
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
