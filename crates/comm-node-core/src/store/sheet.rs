//! A file of the ledger: a value in its first line, and what changed since in the lines behind it.
//!
//! A change is one appended line. To replace a file makes an inode and frees another one, and where the file system
//! flushes what replaces a file by itself it waits for the disk: up to some milliseconds, at every call of a tool. A
//! file that has grown is replaced by one line. A writer that died in the middle of an append leaves a line
//! without its end: readers pass over it, and the next writer replaces the file.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::file::{self, Durability};
use super::{MAX_STATE, crash};
use crate::budget::efficiency::History;
use crate::ledger::{Record, Tally};
use crate::{Error, Result};

/// Beyond twice the size of its first line plus this, a file is replaced. Every line is read at every look.
const SLACK: usize = 16 << 10;

/// What stands in a sheet.
pub(super) trait Entry: Serialize + for<'de> Deserialize<'de> {
    /// Makes what `change` says a part of it; a second time changes nothing.
    fn apply(&mut self, change: Self);
}

impl Entry for Record {
    fn apply(&mut self, change: Self) {
        self.take_over(change);
    }
}

impl Entry for Tally {
    fn apply(&mut self, change: Self) {
        self.open.extend(change.open);
    }
}

impl Entry for History {
    fn apply(&mut self, change: Self) {
        self.take_over(change);
    }
}

/// A file of the ledger as it was read.
#[derive(Debug)]
pub(super) struct Sheet<T> {
    pub(super) value: T,
    /// How many bytes may still be appended to it.
    room: usize,
    /// True if its last line has no end: what stood there and behind it is lost.
    pub(super) torn: bool,
}

impl<T: Entry> Sheet<T> {
    /// A value that has no file yet.
    pub(super) fn new(value: T) -> Self {
        Self { value, room: 0, torn: false }
    }

    /// Reads the file at `path`, `None` if there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>> {
        let Some(bytes) = file::read_bytes(path, MAX_STATE)? else { return Ok(None) };
        let parsed = |line: &[u8]| {
            serde_json::from_slice::<T>(line)
                .map_err(|e| Error::Damaged { path: path.to_path_buf(), why: e.to_string() })
        };
        let end = |from: usize| memchr::memchr(b'\n', &bytes[from..]).map(|at| from + at + 1);
        let first = end(0).unwrap_or(bytes.len());
        let torn = !bytes.ends_with(b"\n");
        let mut sheet = Self { value: parsed(&bytes[..first])?, room: 0, torn };
        let mut from = first;
        while let Some(to) = end(from) {
            sheet.value.apply(parsed(&bytes[from..to])?);
            from = to;
        }
        // Nothing is appended to a line without its end.
        if !torn {
            sheet.room = (2 * first + SLACK).saturating_sub(bytes.len());
        }
        Ok(Some(sheet))
    }

    /// Appends `change` to the file at `path`; false where the file has to be replaced.
    pub(super) fn append(&self, path: &Path, change: &T) -> Result<bool> {
        let line = line(change)?;
        if line.len() > self.room {
            return Ok(false);
        }
        let mut how = OpenOptions::new();
        let Some(mut file) = file::open(path, how.append(true))? else { return Ok(false) };
        crash::here()?;
        if crash::torn() {
            let _ = file.write_all(&line[..line.len() / 2]);
            return Err(crash::error());
        }
        file.write_all(&line).map_err(Error::io("append to", path))?;
        Ok(true)
    }
}

/// Puts a file with `value` in it in the place of `path`.
pub(super) fn replace<T: Entry>(path: &Path, value: &T) -> Result<()> {
    crash::here()?;
    file::replace(path, &line(value)?, Durability::Rebuildable)
}

pub(super) fn line<T: Entry>(value: &T) -> Result<Vec<u8>> {
    let mut bytes =
        serde_json::to_vec(value).map_err(|e| Error::Invalid { what: "the record", why: e.to_string() })?;
    bytes.push(b'\n');
    Ok(bytes)
}
