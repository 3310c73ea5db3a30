//! One file of leases: a header, then one JSON object per line, the last line of a lease counts.
//!
//! A change is one appended line, because replacing a file costs thirty times as much and, where
//! the file system flushes a replaced file by itself, some milliseconds now and then. A file that
//! has grown is written anew with what counts. A writer that died in the middle of an append
//! leaves the beginning of a line: readers pass over it, the next writer cuts it off. Anything else
//! that can't be read is damage, the bytes at the end and a missing header too: what is lost there may
//! have been a lease.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::crash;
use crate::lease::Lease;
use crate::store::file::{self, Durability};
use crate::{Error, Result};

/// The version of the format.
const VERSION: u32 = 1;
/// Beyond twice its compacted size plus this, a file is written anew.
const SLACK: usize = 16 << 10;
/// No file of leases is ever sensibly larger.
pub(super) const MAX: u64 = 64 << 20;
/// The header of a file that begins with an append, which a writer that died may have left in part.
const HEAD: &[u8] = b"{\"version\":1,\"compacted\":0}";
/// How a line that this program wrote begins.
const PATH: &[u8] = b"{\"path\":\"";
/// And how it goes on behind the path.
const NUMBER: &[u8] = b"\",\"fencing\":";

#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    /// The size of the file when it was written anew, in bytes.
    compacted: usize,
}

/// A file of leases as it was read.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    /// The file that was read, still open, so that it is known again; `None` if there was none.
    file: Option<File>,
    /// What was read, up to the end of the last whole line.
    bytes: Vec<u8>,
    /// True if a torn line follows in the file.
    torn: bool,
    compacted: usize,
}

/// What could be read of a damaged file.
#[derive(Debug, Default)]
pub(super) struct Salvage {
    /// The leases in force.
    pub(super) leases: Vec<Lease>,
    /// How many lines could not be read.
    pub(super) lost: usize,
    /// The highest number of any lease, also of those that ended.
    pub(super) highest: u64,
}

impl Journal {
    /// Reads the file at `path`; a missing one is empty.
    pub(super) fn read(path: PathBuf) -> Result<Self> {
        let (file, mut bytes) = match file::read_open(&path, MAX)? {
            Some((file, bytes)) => (Some(file), bytes),
            None => (None, Vec::new()),
        };
        let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        let torn = whole < bytes.len();
        let tail = bytes.split_off(whole);
        let mut journal = Self { path, file, bytes, torn, compacted: 0 };
        // The line that must be the header, also where it is empty.
        let first = journal.bytes.split(|&b| b == b'\n').next().filter(|_| whole > 0);
        let header = first.map(serde_json::from_slice::<Header>).transpose();
        match header.map_err(|e| journal.damaged(1, &e))? {
            Some(header) if header.version != VERSION => {
                // A newer comm-node wrote it; to mend it would be to lose it.
                let why = format!("it has format version {}, this comm-node reads {VERSION}", header.version);
                return Err(Error::Invalid { what: "the lease table", why });
            }
            header => journal.compacted = header.map_or(0, |h| h.compacted),
        }
        // The first line is short and the same for all.
        let begun = if whole == 0 { HEAD.starts_with(&tail) } else { is_begun(&tail) };
        if !begun {
            let line = journal.bytes.iter().filter(|&&b| b == b'\n').count() + 1;
            let why = format!("line {line}: it has no end, and no line of ours begins like this");
            return Err(Error::Damaged { path: journal.path, why });
        }
        Ok(journal)
    }

    /// Lets go of the file; it can't be told any more whether it is still [current](Self::is_current).
    pub(super) fn close(&mut self) {
        self.file = None;
    }

    /// True if the file at this path is still what was read: nothing else was put in its place, and nothing
    /// was added. A file that is open keeps its number, so no other one can pass for it.
    pub(super) fn is_current(&self) -> bool {
        match &self.file {
            // A line without its end may be cut off, and another one as long be put there.
            Some(file) => {
                !self.torn
                    && file::still_at(file, &self.path).is_some_and(|len| len == self.bytes.len() as u64)
            }
            None => self.bytes.is_empty() && file::is_missing(&self.path),
        }
    }

    fn lines(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.bytes.split(|&b| b == b'\n').filter(|line| !line.is_empty())
    }

    fn damaged(&self, line: usize, why: &serde_json::Error) -> Error {
        // serde_json counts lines from 1 within the one line it was given.
        let why = why.to_string();
        let why = why.split(" at line ").next().unwrap_or_default();
        Error::Damaged { path: self.path.clone(), why: format!("line {line}: {why}") }
    }

    /// The leases in force whose line passes `wanted`, which is given the path in it and the
    /// whole line; it must give the same answer for all lines of one lease.
    ///
    /// Read from the end, because the last line of a lease counts: of a path that is written again and again
    /// there is a line for each time, and the older ones are not so much as read.
    pub(super) fn leases(&self, mut wanted: impl FnMut(&str, &[u8]) -> bool) -> Result<Vec<Lease>> {
        let mut found: Vec<Lease> = Vec::new();
        let mut lines = self.lines();
        // The header.
        lines.next();
        for line in lines.rev() {
            if let Some((path, rest)) = quick_path(line) {
                let known = |n: u64| found.iter().any(|l| l.fencing == n);
                if !wanted(path, line) || quick_number(rest).is_some_and(known) {
                    continue;
                }
            }
            let lease: Lease = serde_json::from_slice(line).map_err(|e| {
                let before = self.lines().take_while(|l| !std::ptr::eq(*l, line)).count();
                self.damaged(before + 1, &e)
            })?;
            if wanted(&lease.path, line) && !found.iter().any(|l| l.fencing == lease.fencing) {
                found.push(lease);
            }
        }
        found.retain(|l| !l.released);
        found.reverse();
        Ok(found)
    }

    /// What can still be read of a file of leases in any state.
    pub(super) fn salvage(bytes: &[u8]) -> Salvage {
        let mut out = Salvage::default();
        for line in bytes.split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice::<Lease>(line) {
                Ok(lease) => {
                    out.highest = out.highest.max(lease.fencing);
                    put(&mut out.leases, lease);
                }
                Err(_) if serde_json::from_slice::<Header>(line).is_ok() => {}
                Err(_) => out.lost += 1,
            }
        }
        out.leases.retain(|l| !l.released);
        out
    }

    /// True if `needle` stands in every line that holds a lease.
    pub(super) fn all_lines_have(&self, needle: &[u8]) -> bool {
        self.lines().skip(1).all(|line| contains(line, needle))
    }

    /// Makes `changes` (new states of leases, released ones among them) part of the file; only
    /// under the table's lock, and with what was read under it. When the file has grown, `keep`
    /// says which of the other leases still count.
    pub(super) fn write(
        &self,
        changes: &[Lease],
        durability: Durability,
        keep: impl FnMut(&Lease) -> Result<bool>,
    ) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut added = Vec::with_capacity(changes.len() * 400);
        if self.bytes.is_empty() {
            put_header(&mut added, 0)?;
        }
        for lease in changes {
            put_line(&mut added, lease)?;
        }
        if self.bytes.len() + added.len() > 2 * self.compacted + SLACK {
            return self.compact(changes, durability, keep);
        }
        self.append(&added, durability)
    }

    /// Removes the file: nothing in it counts any more.
    pub(super) fn remove(&self) -> Result<()> {
        crash::here()?;
        match std::fs::remove_file(&self.path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", &self.path)(e)),
            _ => Ok(()),
        }
    }

    fn append(&self, added: &[u8], durability: Durability) -> Result<()> {
        let path = &self.path;
        let mut how = OpenOptions::new();
        how.append(true).create(true);
        let Some(mut file) = file::open(path, &mut how)? else {
            return Err(Error::io("create", path)(std::io::Error::from(std::io::ErrorKind::NotFound)));
        };
        let whole = self.bytes.len() as u64;
        if self.torn {
            file.set_len(whole).map_err(Error::io("mend", path))?;
        }
        crash::here()?;
        if crash::torn() {
            let _ = file.write_all(&added[..added.len() / 2]);
            return Err(crash::error());
        }
        if let Err(e) = file.write_all(added) {
            // A disk that is full took a part of it; the next writer would cut it off as well.
            let _ = file.set_len(whole);
            return Err(Error::io("append to", path)(e));
        }
        if durability == Durability::Flushed {
            file.sync_data().map_err(Error::io("flush", path))?;
            if whole == 0 {
                file::flush_directory(path)?;
            }
        }
        crash::here()
    }

    fn compact(
        &self,
        changes: &[Lease],
        durability: Durability,
        mut keep: impl FnMut(&Lease) -> Result<bool>,
    ) -> Result<()> {
        let mut all = self.leases(|_, _| true)?;
        let mut kept = Vec::with_capacity(all.len());
        for lease in all.drain(..) {
            if changes.iter().any(|c| c.fencing == lease.fencing) || keep(&lease)? {
                kept.push(lease);
            }
        }
        for lease in changes {
            put(&mut kept, lease.clone());
        }
        kept.retain(|l| !l.released);
        Self::create(&self.path, &kept, durability)
    }

    /// Puts a file with `leases` in the place of `path`.
    pub(super) fn create(path: &Path, leases: &[Lease], durability: Durability) -> Result<()> {
        let mut lines = Vec::with_capacity(leases.len() * 400);
        for lease in leases {
            put_line(&mut lines, lease)?;
        }
        let mut bytes = Vec::with_capacity(lines.len() + 64);
        put_header(&mut bytes, lines.len())?;
        bytes.append(&mut lines);
        crash::here()?;
        file::replace(path, &bytes, durability)?;
        crash::here()
    }
}

/// Adds a lease's newer state to `list`.
fn put(list: &mut Vec<Lease>, lease: Lease) {
    match list.iter_mut().rfind(|l| l.fencing == lease.fencing) {
        Some(old) => *old = lease,
        None => list.push(lease),
    }
}

fn put_line(out: &mut Vec<u8>, lease: &Lease) -> Result<()> {
    serde_json::to_writer(&mut *out, lease)
        .map_err(|e| Error::Invalid { what: "the lease", why: e.to_string() })?;
    out.push(b'\n');
    Ok(())
}

fn put_header(out: &mut Vec<u8>, compacted: usize) -> Result<()> {
    serde_json::to_writer(&mut *out, &Header { version: VERSION, compacted })
        .map_err(|e| Error::Invalid { what: "the header", why: e.to_string() })?;
    out.push(b'\n');
    Ok(())
}

/// True for the beginning of a line with a lease, as a writer that died leaves it. A line of this program
/// has no control character in it, and what a file lost when the machine stopped may be zeros.
fn is_begun(tail: &[u8]) -> bool {
    (PATH.starts_with(tail) || tail.starts_with(PATH)) && !tail.iter().any(u8::is_ascii_control)
}

/// The path of a line as this program writes it, unless the path holds an escape, and what follows it.
fn quick_path(line: &[u8]) -> Option<(&str, &[u8])> {
    let rest = line.strip_prefix(PATH)?;
    let (path, rest) = rest.split_at(rest.iter().position(|&b| b == b'"')?);
    if path.contains(&b'\\') { None } else { Some((std::str::from_utf8(path).ok()?, rest)) }
}

/// The number of the grant, which follows the path in a line as this program writes it.
fn quick_number(rest: &[u8]) -> Option<u64> {
    let rest = rest.strip_prefix(NUMBER)?;
    let (number, _) = rest.split_at(rest.iter().position(|&b| b == b',')?);
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// True if `needle` stands somewhere in `hay`.
pub(super) fn contains(hay: &[u8], needle: &[u8]) -> bool {
    match needle.split_first() {
        None => true,
        Some((&first, rest)) => {
            let mut at = 0;
            while let Some(found) = hay[at..].iter().position(|&b| b == first) {
                at += found + 1;
                if hay[at..].starts_with(rest) {
                    return true;
                }
            }
            false
        }
    }
}
