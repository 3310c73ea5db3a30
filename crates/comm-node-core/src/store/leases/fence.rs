//! The fencing number: it never goes back, whatever happens to the leases.
//!
//! Two files. `fencing.json` says up to which number grants may have gone; it is flushed, written
//! ahead for [`BLOCK`] numbers at a time, and stands outside the directory of the leases, so that
//! deleting those does not touch it. `leases/last.json` says the last number given; it is written
//! in place at every grant and not flushed, so it counts only during the same run of the machine.
//! Where it does not count, numbering goes on behind the block.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::crash;
use super::journal::{self, Journal};
use crate::store::file::{self, Durability};
use crate::store::{Event, Store};
use crate::{Error, Result, clock};

/// How many numbers are reserved with one flush.
pub(super) const BLOCK: u64 = 1024;
/// Both files are one short line.
const MAX: u64 = 4096;

#[derive(Serialize, Deserialize)]
struct Reserved {
    version: u32,
    reserved: u64,
}

#[derive(Serialize, Deserialize)]
struct Last<'a> {
    version: u32,
    last: u64,
    boot: &'a str,
}

/// Takes `count` numbers and gives the first of them. Only under the table's lock. `boot` names
/// this run of the machine; without one every grant is flushed.
pub(super) fn take(store: &Store, count: u64, boot: Option<&str>) -> Result<u64> {
    let mark = store.dir().join("fencing.json");
    let counter = store.leases_dir().join("last.json");
    let known = match read_mark(&mark) {
        Err(Error::Damaged { .. }) => {
            let aside = store.set_aside(&mark)?;
            let note = format!("fencing.json was damaged and is now {}", aside.display());
            store.log(&Event { event: "set_aside", note: &note, ..Event::default() })?;
            None
        }
        other => other?,
    };
    let boot = boot.unwrap_or("");
    let (base, reserved) = match (known, read_last(&counter, boot)) {
        (Some(reserved), Some(last)) if last <= reserved => (last, reserved),
        (Some(reserved), _) => (reserved, reserved),
        (None, _) => {
            let highest = highest(store)?;
            (highest, highest)
        }
    };
    let last = base.saturating_add(count);
    if last > reserved {
        let text = json(&Reserved { version: 1, reserved: last.saturating_add(BLOCK) })?;
        crash::here()?;
        file::replace(&mark, &text, Durability::Flushed)?;
        crash::here()?;
    }
    write_last(&counter, &json(&Last { version: 1, last, boot })?, boot.is_empty())?;
    crash::here()?;
    Ok(base + 1)
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut text =
        serde_json::to_vec(value).map_err(|e| Error::Invalid { what: "the number", why: e.to_string() })?;
    text.push(b'\n');
    Ok(text)
}

fn read_mark(path: &Path) -> Result<Option<u64>> {
    let Some(bytes) = file::read_bytes(path, MAX)? else { return Ok(None) };
    let damaged = |why: String| Error::Damaged { path: path.to_path_buf(), why };
    let mark: Reserved = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
    if mark.version != 1 {
        // A newer comm-node wrote it; to set it aside would be to lose it.
        let why = format!("it has format version {}, this comm-node reads 1", mark.version);
        return Err(Error::Invalid { what: "fencing.json", why });
    }
    Ok(Some(mark.reserved))
}

/// The last number given, if the file is whole and of this run of the machine.
fn read_last(path: &Path, boot: &str) -> Option<u64> {
    let bytes = file::read_bytes(path, MAX).ok()??;
    let text = bytes.strip_suffix(b"\n")?.trim_ascii_end();
    let last: Last<'_> = serde_json::from_slice(text).ok()?;
    (last.version == 1 && last.boot == boot).then_some(last.last)
}

/// Writes the counter in place: one write within one page, which no signal interrupts. What
/// cuts it short all the same leaves a file that does not parse, and then the mark counts.
fn write_last(path: &Path, text: &[u8], flush: bool) -> Result<()> {
    let mut how = OpenOptions::new();
    how.write(true).create(true).truncate(false);
    let Some(mut file) = file::open(path, &mut how)? else {
        return Err(Error::io("create", path)(std::io::Error::from(std::io::ErrorKind::NotFound)));
    };
    // Always the same length, so that nothing of a longer line stays behind.
    let mut line = text.trim_ascii_end().to_vec();
    line.resize(line.len().max(159), b' ');
    line.push(b'\n');
    file.seek(SeekFrom::Start(0)).map_err(Error::io("write", path))?;
    file.write_all(&line).map_err(Error::io("write", path))?;
    if flush {
        file.sync_data().map_err(Error::io("flush", path))?;
    }
    Ok(())
}

/// A number that no grant can have passed, where the mark is lost: the highest that any file of
/// leases still tells of, and the microseconds since 1970, because all of them may be lost too. A
/// node that never had a lease begins at 0.
fn highest(store: &Store) -> Result<u64> {
    let dir = store.leases_dir();
    let entries = match std::fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(e) => return Err(Error::io("list", &dir)(e)),
    };
    let mut high = None;
    for entry in entries {
        let entry = entry.map_err(Error::io("list", &dir))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let path = entry.path();
        let bytes = file::read_head(&path, journal::MAX)?.unwrap_or_default();
        high = high.max(Some(Journal::salvage(&bytes).highest));
    }
    Ok(high.map_or(0, |seen| seen.saturating_add(BLOCK).max(clock::now_ms().saturating_mul(1000))))
}
