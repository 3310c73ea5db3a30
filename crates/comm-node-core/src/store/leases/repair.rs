//! Setting a damaged file aside, and keeping what can be read of it.

use std::path::PathBuf;

use super::Leases;
use super::journal::{self, Journal};
use crate::deadline::Deadline;
use crate::store::Event;
use crate::store::file::{self, Durability};
use crate::{Error, Result};

/// What a repair did with one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// The damaged file's new name.
    pub aside: PathBuf,
    /// How many leases were kept.
    pub kept: usize,
    /// How many lines could not be read.
    pub lost: usize,
}

impl Leases<'_> {
    /// Sets damaged files aside and writes what can be read of them anew.
    ///
    /// # Errors
    /// When a file can't be moved or written.
    pub fn repair(&self, deadline: Deadline) -> Result<Vec<Repaired>> {
        let mut done = Vec::new();
        if !self.store.leases_dir().is_dir() {
            return Ok(done);
        }
        let _lock = self.lock_table(deadline)?;
        for name in self.names()? {
            let Err(Error::Damaged { path, why }) =
                self.file(name.clone()).and_then(|f| f.journal.leases(|_, _| true))
            else {
                continue;
            };
            // What lies beyond can be no lease that this program wrote.
            let bytes = file::read_head(&path, journal::MAX)?.unwrap_or_default();
            let salvage = Journal::salvage(&bytes);
            let aside = self.store.set_aside(&path)?;
            Journal::create(&path, &salvage.leases, Durability::Flushed)?;
            let repaired = Repaired { aside, kept: salvage.leases.len(), lost: salvage.lost };
            let note = format!(
                "{name}: {why}; now {}, {} leases kept, {} lines lost",
                repaired.aside.display(),
                repaired.kept,
                repaired.lost
            );
            self.store.log(&Event { event: "set_aside", note: &note, ..Event::default() })?;
            done.push(repaired);
        }
        Ok(done)
    }
}
