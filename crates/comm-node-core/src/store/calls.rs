//! `calls/<session>.jsonl`: the shell commands of a session that the guard has to look at again once they have run.
//!
//! A header, then one JSON object per line: the whole record where a command begins or is changed, and a word where it
//! has ended and where it is done with; the last line of a command counts. A line is appended under the file's own lock,
//! because to make a file for each command costs up to fifty times as much. What is done with stays until the file has grown, and
//! goes then: by cutting the file to its header where nothing is open, else by writing it anew.
//!
//! A writer that died in the middle of a line leaves one without its end: its command was never let through, readers
//! pass over it, and the next writer cuts it off. A whole line that can't be read is damage: the file is set aside,
//! what can be read goes on, and the log has it.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::file::For;
use super::{Durability, Event, Store, file, is_plain_dir, lock};
use crate::deadline::Deadline;
#[cfg(unix)]
use crate::node::registry::SourceId;
use crate::session::SessionId;
use crate::{Error, Result};

/// The version of the format.
const VERSION: u32 = 1;
/// The first line.
const HEAD: &str = "{\"version\":1}\n";
/// How the line of a command begins.
const ID: &[u8] = b"{\"id\":\"";
/// So much of what is done with is left in the file.
const SLACK: usize = 8 << 10;
/// A larger file is written anew by whoever adds to it.
const LARGE: usize = 1 << 20;
/// No file is ever sensibly larger than this, and no line than that.
const MAX: u64 = 4 << 20;
const MAX_LINE: usize = 64 << 10;
/// A longer id of a tool call is none.
const MAX_ID: usize = 256;
/// How long the lock is waited for, which is held for microseconds.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is to be looked at after one shell command.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct CallRecord {
    /// The tool call's id.
    pub id: String,
    /// The subagent that runs it, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The tool: `Bash`, `PowerShell`, `Monitor`.
    #[serde(default)]
    pub tool: String,
    /// The directory that it runs in.
    #[serde(default)]
    pub cwd: String,
    /// The paths that leases were taken on for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leased: Vec<String>,
    /// Directories of which it writes nobody knows what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub under: Vec<String>,
    /// True if it may write anything.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undecided: bool,
    /// True if git moves the worktree's files in it, so that what changed says nothing of the agent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub worktree: bool,
    /// True if it runs in the background.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub background: bool,
    /// True once a command in the background is known to have started.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub started: bool,
    /// When it began, nanoseconds since 1970, by the file system's own clock, which is also the one that dates what
    /// the command writes. 0 in a record that is just being written: then that is when it begins.
    #[serde(default)]
    pub began_ns: u64,
}

/// A command on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCall {
    /// The session that runs it.
    pub session: SessionId,
    /// When it ended, milliseconds since 1970, if what it did is being looked at.
    pub ended_ms: Option<u64>,
    /// The record.
    pub record: CallRecord,
}

/// What a line says besides a whole record.
#[derive(Serialize, Deserialize)]
struct Mark<'m> {
    id: std::borrow::Cow<'m, str>,
    /// What it did is being looked at, since then (milliseconds since 1970).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_ms: Option<u64>,
    /// Nothing is to be done with it any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    done: bool,
}

#[derive(Deserialize)]
struct Header {
    version: u32,
}

impl Store {
    fn calls_path(&self, session: &SessionId) -> PathBuf {
        self.dir.join("calls").join([session.as_str(), ".jsonl"].concat())
    }

    /// Puts a shell command on record before it runs, or what is newly known of it. True if it is; a call without a
    /// usable id can't be found again and is not.
    ///
    /// # Errors
    /// When the record can't be written.
    pub fn write_call(&self, session: &SessionId, record: CallRecord, deadline: Deadline) -> Result<bool> {
        if record.id.is_empty() || record.id.len() > MAX_ID {
            return Ok(false);
        }
        let Some(mut open) = self.open_calls(session, true, deadline)? else { return Ok(false) };
        let began_ns = if record.began_ns == 0 { open.now_ns } else { record.began_ns };
        let line = line_of(CallRecord { began_ns, ..record })?;
        if open.len > LARGE {
            open.shrink(self)?;
            drop(open);
            open = match self.open_calls(session, true, deadline)? {
                Some(open) => open,
                None => return Ok(false),
            };
        }
        open.append(&line)?;
        Ok(true)
    }

    /// A command on record whose end was not seen yet, `None` if there is none by that id.
    ///
    /// # Errors
    /// When the records can't be read, or when they were damaged and this one may have been among what was lost.
    pub fn read_call(&self, session: &SessionId, id: &str, deadline: Deadline) -> Result<Option<CallRecord>> {
        let path = self.calls_path(session);
        let calls = |text: &[u8]| {
            let found = Calls::read(text, Some(id)).map_err(|e| invalid(&e))?;
            Ok::<_, Error>((found.lost, found.running(id).cloned()))
        };
        // Mostly it is not there, and one look says so.
        let damage = match file::read_bytes(&path, MAX) {
            Ok(None) => return Ok(None),
            Ok(Some(text)) => match calls(&text)? {
                (0, found) | (_, found @ Some(_)) => return Ok(found),
                // Or it was just being cut.
                (lost, None) => format!("{lost} of its lines can't be read"),
            },
            Err(Error::Damaged { why, .. }) => why,
            Err(e) => return Err(e),
        };
        match self.mend_calls(session, deadline)? {
            Some(aside) => Err(Error::Damaged { path: aside, why: damage }),
            None => match file::read_bytes(&path, MAX)? {
                Some(text) => Ok(calls(&text)?.1),
                None => Ok(None),
            },
        }
    }

    /// Marks a command as ended, for the one of several hooks that looks at what it did; false if it is not
    /// this one. It stays on record, for others to see, until [`Store::remove_call`].
    ///
    /// # Errors
    /// When it is there but can't be marked.
    pub fn end_call(&self, session: &SessionId, id: &str, deadline: Deadline) -> Result<bool> {
        let Some(mut open) = self.open_calls(session, false, deadline)? else { return Ok(false) };
        let text = open.read()?;
        if Calls::read(&text, Some(id)).map_err(|e| invalid(&e))?.running(id).is_none() {
            return Ok(false);
        }
        let mark = Mark { id: id.into(), ended_ms: Some(crate::clock::now_ms()), done: false };
        open.append(&text_of(&mark)?).map(|()| true)
    }

    /// Takes a command that [ended](Store::end_call) off the record.
    ///
    /// # Errors
    /// When it is there but can't be taken off.
    pub fn remove_call(&self, session: &SessionId, id: &str, deadline: Deadline) -> Result<()> {
        let Some(mut open) = self.open_calls(session, false, deadline)? else { return Ok(()) };
        let text = open.read()?;
        let calls = Calls::read(&text, None).map_err(|e| invalid(&e))?;
        let is_it = |held: &Held<'_>| held.record.id == id && held.ended_ms.is_some();
        if !calls.held.iter().any(is_it) {
            return Ok(());
        }
        if calls.lost == 0 {
            let others = || calls.held.iter().filter(|held| !is_it(held));
            let size: usize = others().map(Held::len).sum();
            if open.len > 2 * size + SLACK {
                return match others().next() {
                    None => open.cut(HEAD.len()),
                    Some(_) => open.replace(others()),
                };
            }
        }
        open.append(&text_of(&Mark { id: id.into(), ended_ms: None, done: true })?)
    }

    /// The commands of all sessions on record: those that run, and those that are just being looked at. What
    /// can't be read is passed over.
    #[must_use]
    pub fn calls(&self) -> Vec<OpenCall> {
        let entries = std::fs::read_dir(self.dir.join("calls"));
        let session = |entry: std::fs::DirEntry| {
            SessionId::new(entry.file_name().to_str()?.strip_suffix(".jsonl")?).ok()
        };
        let mut sessions: Vec<SessionId> =
            entries.into_iter().flatten().flatten().filter_map(session).collect();
        sessions.sort();
        sessions.iter().flat_map(|session| self.peek_calls(session).0).collect()
    }

    /// The commands of one session on record. What can't be read is set aside, and the log has it.
    #[must_use]
    pub fn calls_of(&self, session: &SessionId, deadline: Deadline) -> Vec<OpenCall> {
        match self.peek_calls(session) {
            (calls, false) => calls,
            (calls, true) => match self.mend_calls(session, deadline) {
                Ok(_) => self.peek_calls(session).0,
                Err(_) => calls,
            },
        }
    }

    /// The same for who only looks: what can't be read is passed over.
    #[must_use]
    pub fn calls_seen(&self, session: &SessionId) -> Vec<OpenCall> {
        self.peek_calls(session).0
    }

    /// What can be read of a session's records, and whether something seems not to be readable.
    fn peek_calls(&self, session: &SessionId) -> (Vec<OpenCall>, bool) {
        let text = match file::read_bytes(&self.calls_path(session), MAX) {
            Ok(text) => text.unwrap_or_default(),
            Err(e) => return (Vec::new(), matches!(e, Error::Damaged { .. })),
        };
        let Ok(calls) = Calls::read(&text, None) else { return (Vec::new(), false) };
        let open = |held: Held<'_>| OpenCall {
            session: session.clone(),
            ended_ms: held.ended_ms,
            record: held.record,
        };
        (calls.held.into_iter().map(open).collect(), calls.lost > 0)
    }

    /// Forgets what is on record of a session that has ended.
    ///
    /// # Errors
    /// When it can't be removed.
    pub fn forget_calls(&self, session: &SessionId, deadline: Deadline) -> Result<()> {
        let Some(open) = self.open_calls(session, false, deadline)? else { return Ok(()) };
        match std::fs::remove_file(&open.path) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::io("remove", &open.path)(e)),
            _ => Ok(()),
        }
    }

    /// Sets a damaged file aside and goes on with what can be read of it. Says where it is, if it was damaged.
    fn mend_calls(&self, session: &SessionId, deadline: Deadline) -> Result<Option<PathBuf>> {
        let Some(mut open) = self.open_calls(session, false, deadline)? else { return Ok(None) };
        // What is too large to be read is not looked through.
        let text = if open.len as u64 > MAX { Vec::new() } else { open.read()? };
        let calls = Calls::read(&text, None).map_err(|e| invalid(&e))?;
        if calls.lost == 0 && open.len as u64 <= MAX {
            return Ok(None);
        }
        open.set_aside(self, &calls, session.as_str()).map(Some)
    }

    /// Opens the records of a session, with their lock; `None` where there are none and none are to be `made`.
    fn open_calls(&self, session: &SessionId, made: bool, deadline: Deadline) -> Result<Option<Open>> {
        let path = self.calls_path(session);
        loop {
            let Some(file) = self.open_calls_at(&path, made)? else { return Ok(None) };
            // Who waits on Windows would keep readers out as well.
            #[cfg(not(unix))]
            let lock = self.lock("calls", deadline.at_most(PATIENCE))?;
            #[cfg(unix)]
            lock::hold(&file, &path, deadline.at_most(PATIENCE))?;
            let Some((len, now_ns)) = look(&file, &path, made)? else { continue };
            let mut open = Open {
                path,
                file,
                len,
                now_ns,
                whole: None,
                #[cfg(not(unix))]
                _lock: lock,
            };
            if len as u64 > MAX && made {
                open.set_aside(self, &Calls::default(), session.as_str())?;
                return self.open_calls(session, made, deadline);
            }
            return Ok(Some(open));
        }
    }

    /// Opens the file of records at `path`; `None` where there is none and none is to be `made`.
    fn open_calls_at(&self, path: &Path, made: bool) -> Result<Option<File>> {
        if let Some(file) = file::straight(path, if made { For::Making } else { For::Appending }) {
            return Ok(Some(file));
        }
        // A link in place of a directory would lead it elsewhere.
        if !(is_plain_dir(&self.dir) && is_plain_dir(&self.dir.join("calls"))) {
            if !made {
                return Ok(None);
            }
            self.prepare_sub("calls")?;
        }
        let mut how = OpenOptions::new();
        how.read(true).append(true).create(made);
        match file::open_any(path, &mut how)? {
            None if made => Err(Error::io("create", path)(ErrorKind::NotFound.into())),
            other => Ok(other),
        }
    }
}

/// How long an open file is, and the time by its file system if that is to be `dated`; `None` if it was replaced, removed or
/// set aside before its lock was free.
fn look(file: &File, path: &Path, dated: bool) -> Result<Option<(usize, u64)>> {
    #[cfg(unix)]
    if dated {
        use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW as _ };
        futimens(file, &Timestamps { last_access: now, last_modification: now })
            .map_err(|e| Error::io("date", path)(e.into()))?;
    }
    let meta = file.metadata().map_err(Error::io("read", path))?;
    if !meta.is_file() {
        return Err(Error::Untrusted { path: path.to_path_buf(), why: "it is not a plain file" });
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let is_it = |there: std::fs::Metadata| (there.dev(), there.ino()) == (meta.dev(), meta.ino());
        if !path.symlink_metadata().is_ok_and(is_it) {
            return Ok(None);
        }
    }
    let len = usize::try_from(meta.len()).unwrap_or(usize::MAX);
    #[cfg(unix)]
    let now_ns = SourceId::of(&meta).mtime_ns;
    // Files there are dated by a clock that goes in steps.
    #[cfg(not(unix))]
    let now_ns = crate::clock::now_ms().saturating_sub(u64::from(dated) * 20).saturating_mul(1_000_000);
    Ok(Some((len, now_ns)))
}

/// The records of a session, opened with their lock, which is free again once this is dropped.
struct Open {
    path: PathBuf,
    file: File,
    len: usize,
    /// The time, if the file was opened to be written to; else when it was last changed.
    now_ns: u64,
    /// How long it is up to the end of its last whole line, if it was read.
    whole: Option<usize>,
    #[cfg(not(unix))]
    _lock: lock::Lock,
}

impl Open {
    /// The whole lines of it. Only before it is written to.
    fn read(&mut self) -> Result<Vec<u8>> {
        if self.len as u64 > MAX {
            let why = format!("it has {} bytes, more than the {MAX} that it could sensibly have", self.len);
            return Err(Error::Damaged { path: self.path.clone(), why });
        }
        let mut text = vec![0; self.len];
        self.file.read_exact(&mut text).map_err(Error::io("read", &self.path))?;
        let whole = text.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        // What nobody can have begun to write is told of, so that it is set aside.
        if is_begun(&text[whole..]) {
            text.truncate(whole);
        }
        self.whole = Some(whole);
        Ok(text)
    }

    /// Adds a line.
    fn append(&mut self, line: &[u8]) -> Result<()> {
        let is_whole = match self.whole {
            Some(whole) => whole == self.len,
            None => self.len == 0 || self.ends_whole()?,
        };
        if !is_whole {
            if self.whole.is_none() {
                self.read()?;
            }
            let whole = self.whole.unwrap_or(0);
            let mut tail = vec![0; self.len - whole];
            self.read_at(&mut tail, whole as u64)?;
            if is_begun(&tail) {
                self.cut(whole)?;
            } else {
                // With an end it is a line that can't be read, which somebody sets aside.
                self.file.write_all(b"\n").map_err(Error::io("append to", &self.path))?;
                self.len += 1;
            }
        }
        let text = if self.len == 0 { [HEAD.as_bytes(), line].concat() } else { line.to_vec() };
        if let Err(e) = self.file.write_all(&text) {
            // A disk that is full took a part of it; the next writer would cut it off as well.
            let _ = self.file.set_len(self.len as u64);
            return Err(Error::io("append to", &self.path)(e));
        }
        self.len += text.len();
        self.whole = Some(self.len);
        Ok(())
    }

    /// True if its last line has its end.
    fn ends_whole(&self) -> Result<bool> {
        let mut last = [0];
        self.read_at(&mut last, self.len as u64 - 1)?;
        Ok(last == *b"\n")
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> Result<()> {
        #[cfg(unix)]
        let read = std::os::unix::fs::FileExt::read_exact_at(&self.file, into, at);
        #[cfg(not(unix))]
        let read = {
            use std::io::{Seek, SeekFrom};
            let mut file = &self.file;
            file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(into)).and_then(|()| file.rewind())
        };
        read.map_err(Error::io("read", &self.path))
    }

    fn cut(&mut self, len: usize) -> Result<()> {
        self.file.set_len(len as u64).map_err(Error::io("cut", &self.path))?;
        self.len = len;
        self.whole = Some(len);
        Ok(())
    }

    /// Puts a file in its place in which only `held` are. Who waits for the lock of this one finds that it is
    /// another one now.
    fn replace<'h, 't: 'h>(&self, held: impl Iterator<Item = &'h Held<'t>>) -> Result<()> {
        let mut text = HEAD.as_bytes().to_vec();
        for held in held {
            for line in [Some(held.line), held.ended_line].into_iter().flatten() {
                text.extend_from_slice(line);
                text.push(b'\n');
            }
        }
        file::replace(&self.path, &text, Durability::Rebuildable)
    }

    /// Makes room in a file that has grown large: what is done with goes, and of what is open the older half where that is
    /// too much.
    fn shrink(&mut self, store: &Store) -> Result<()> {
        let text = self.read()?;
        let calls = Calls::read(&text, None).map_err(|e| invalid(&e))?;
        let mut left = LARGE / 2;
        let kept = calls.held.iter().rev().take_while(|held| {
            left = left.saturating_sub(held.len());
            left > 0
        });
        let dropped = calls.held.len() - kept.count();
        if dropped > 0 || calls.lost > 0 {
            let note =
                format!("{dropped} commands that are open and {} lines that can't be read", calls.lost);
            store.log(&Event {
                event: "not_looked_through",
                rule: "limit",
                note: &note,
                ..Event::default()
            })?;
        }
        self.replace(calls.held[dropped..].iter())
    }

    /// Sets it aside, with what can be read of it in its place, and says where it is.
    fn set_aside(&mut self, store: &Store, calls: &Calls<'_>, session: &str) -> Result<PathBuf> {
        let aside = store.set_aside(&self.path)?;
        self.replace(calls.held.iter())?;
        let note = format!("{} could not be read and is {} now", self.path.display(), aside.display());
        store.log(&Event { event: "set_aside", session, note: &note, ..Event::default() })?;
        Ok(aside)
    }
}

/// A command in the lines of a file.
struct Held<'t> {
    record: CallRecord,
    line: &'t [u8],
    ended_ms: Option<u64>,
    ended_line: Option<&'t [u8]>,
}

impl Held<'_> {
    /// How long its lines are.
    fn len(&self) -> usize {
        self.line.len() + self.ended_line.map_or(0, <[u8]>::len) + 2
    }
}

/// What the lines of a file say.
#[derive(Default)]
struct Calls<'t> {
    held: Vec<Held<'t>>,
    /// How many whole lines can't be read.
    lost: usize,
}

impl<'t> Calls<'t> {
    /// Reads the lines of a file, those of other commands than `only` no further than to see whose they are. Fails with the
    /// version of a file that a newer comm-node wrote.
    fn read(text: &'t [u8], only: Option<&str>) -> std::result::Result<Self, u32> {
        let mut calls = Self::default();
        let whole = text.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        if !is_begun(&text[whole..]) {
            calls.lost += 1;
        }
        for line in text[..whole].split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
            if line == HEAD.trim_end().as_bytes() {
                continue;
            }
            if line.starts_with(b"{\"version\":") {
                match serde_json::from_slice::<Header>(line) {
                    Ok(header) if header.version != VERSION => return Err(header.version),
                    Ok(_) => {}
                    Err(_) => calls.lost += 1,
                }
                continue;
            }
            if let (Some(only), Some(id)) = (only, quick_id(line))
                && only.as_bytes() != id
            {
                continue;
            }
            if calls.take(line).is_none() {
                calls.lost += 1;
            }
        }
        Ok(calls)
    }

    fn take(&mut self, line: &'t [u8]) -> Option<()> {
        let mark: Mark<'_> = serde_json::from_slice(line).ok()?;
        if mark.id.is_empty() || mark.id.len() > MAX_ID || line.len() > MAX_LINE {
            return None;
        }
        let at = self.held.iter().position(|held| held.record.id == mark.id);
        if mark.done {
            at.map(|at| self.held.remove(at));
        } else if mark.ended_ms.is_some() {
            if let Some(held) = at.map(|at| &mut self.held[at]) {
                (held.ended_ms, held.ended_line) = (mark.ended_ms, Some(line));
            }
        } else {
            let record = serde_json::from_slice(line).ok()?;
            at.map(|at| self.held.remove(at));
            self.held.push(Held { record, line, ended_ms: None, ended_line: None });
        }
        Some(())
    }

    /// The command `id`, if its end was not seen yet.
    fn running(&self, id: &str) -> Option<&CallRecord> {
        let held = self.held.iter().find(|held| held.record.id == id)?;
        held.ended_ms.is_none().then_some(&held.record)
    }
}

/// True for the beginning of a line, or of the first two, as a writer that died leaves it: no line of this program has
/// a control character in it.
fn is_begun(tail: &[u8]) -> bool {
    let begins = |head: &[u8]| head.starts_with(tail) || tail.starts_with(head);
    (begins(ID) || begins(HEAD.trim_end().as_bytes())) && !tail.iter().any(u8::is_ascii_control)
}

/// The id in a line as this program writes it, unless it holds an escape.
fn quick_id(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(ID).filter(|_| line.ends_with(b"}"))?;
    let id = &rest[..rest.iter().position(|&b| b == b'"')?];
    if id.is_empty() || id.contains(&b'\\') { None } else { Some(id) }
}

/// The line of a record. One that would be too long names no more paths than fit, and then anything may have changed.
fn line_of(mut record: CallRecord) -> Result<Vec<u8>> {
    loop {
        let line = text_of(&record)?;
        if line.len() <= MAX_LINE {
            return Ok(line);
        }
        if record.leased.is_empty() && record.under.is_empty() {
            let why = format!("it has {} bytes", line.len());
            return Err(Error::Invalid { what: "the record of the command", why });
        }
        record.undecided = true;
        record.under.clear();
        record.leased.truncate(record.leased.len() / 2);
    }
}

fn text_of<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec(value)
        .map_err(|e| Error::Invalid { what: "the record of the command", why: e.to_string() })?;
    text.push(b'\n');
    Ok(text)
}

fn invalid(version: &u32) -> Error {
    let why = format!("it has format version {version}, this comm-node reads {VERSION}");
    Error::Invalid { what: "the record of commands", why }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place {
        dir: tempfile::TempDir,
        store: Store,
        session: SessionId,
    }

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(60))
    }

    /// Tries again where the lock could not be had. A hook gives up after a second, in which a busy machine may not come to it.
    fn patiently<T>(what: impl Fn() -> Result<T>) -> T {
        let end = soon();
        loop {
            match what() {
                Err(Error::Locked { .. }) if !end.passed() => {}
                done => return done.expect("is done"),
            }
        }
    }

    fn record(id: &str) -> CallRecord {
        CallRecord {
            id: id.into(),
            leased: vec!["/n/a".into()],
            undecided: true,
            tool: "Bash".into(),
            ..CallRecord::default()
        }
    }

    impl Place {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("temp dir");
            let store = Store::new(dir.path().join("state"));
            Self { dir, store, session: SessionId::new("s").expect("an id") }
        }

        fn begin(&self, id: &str) {
            assert!(patiently(|| self.store.write_call(&self.session, record(id), soon())));
        }

        fn end(&self, id: &str) -> bool {
            patiently(|| self.store.end_call(&self.session, id, soon()))
        }

        fn remove(&self, id: &str) {
            patiently(|| self.store.remove_call(&self.session, id, soon()));
        }

        fn find(&self, id: &str) -> Option<CallRecord> {
            patiently(|| self.store.read_call(&self.session, id, soon()))
        }

        fn ids(&self) -> Vec<String> {
            self.store.calls_of(&self.session, soon()).into_iter().map(|open| open.record.id).collect()
        }

        fn path(&self) -> PathBuf {
            self.store.dir().join("calls/s.jsonl")
        }

        fn text(&self) -> String {
            std::fs::read_to_string(self.path()).expect("reads")
        }
    }

    #[test]
    fn a_call_is_on_record_once_and_begins_when_it_was_written() {
        let place = Place::new();
        assert_eq!(place.find("toolu_1"), None);
        assert!(place.store.calls().is_empty() && !place.end("toolu_1"));
        place.remove("toolu_1");
        assert!(!place.store.dir().exists(), "looking makes nothing");
        let mark = |name: &str| {
            let path = place.dir.path().join(name);
            std::fs::write(&path, "x").expect("writes");
            crate::node::registry::SourceId::of(&path.metadata().expect("there")).ctime_ns
        };
        let before = mark("before");
        place.begin("toolu_1");
        let after = mark("after");
        place.begin("toolu_2");
        let read = place.find("toolu_1").expect("there");
        assert!(before <= read.began_ns && read.began_ns <= after, "{before} {} {after}", read.began_ns);
        assert_eq!(CallRecord { began_ns: 0, ..read.clone() }, record("toolu_1"));
        // Written again with its beginning, it keeps that.
        let started = CallRecord { started: true, ..read.clone() };
        place.store.write_call(&place.session, started.clone(), soon()).expect("writes");
        assert_eq!(
            (place.find("toolu_1"), place.ids()),
            (Some(started), vec!["toolu_2".into(), "toolu_1".into()])
        );
        // One hook ends it; others still see it.
        assert!(place.end("toolu_1") && !place.end("toolu_1"));
        assert_eq!(place.find("toolu_1"), None);
        let of_all = place.store.calls();
        assert!(
            of_all.len() == 2 && of_all[1].ended_ms.is_some() && of_all[0].ended_ms.is_none(),
            "{of_all:?}"
        );
        assert_eq!(of_all[1].record.began_ns, read.began_ns);
        // What has not ended is not taken off the record.
        place.remove("toolu_2");
        place.remove("toolu_1");
        place.remove("toolu_1");
        assert_eq!(place.ids(), ["toolu_2"]);
        // An id may come again.
        place.begin("toolu_1");
        assert!(place.find("toolu_1").is_some_and(|found| !found.started));
        // Each line can be read by itself.
        assert!(place.text().lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
        place.store.forget_calls(&place.session, soon()).expect("forgets");
        place.store.forget_calls(&place.session, soon()).expect("has forgotten");
        assert!(!place.path().exists());
    }

    /// A hook that dies while it writes has let nothing through, wherever it stopped.
    #[test]
    fn a_line_without_its_end_is_none_and_spoils_no_other() {
        let place = Place::new();
        place.begin("toolu_1");
        let first = place.text().len();
        place.begin("toolu_2");
        let whole = place.text();
        for end in 1..whole.len() {
            std::fs::write(place.path(), &whole[..end]).expect("writes");
            let there = if end < first { vec![] } else { vec!["toolu_1".to_owned()] };
            assert_eq!(place.ids(), there, "{end} bytes");
            assert_eq!(place.find("toolu_2"), None, "{end} bytes");
            place.begin("toolu_3");
            assert_eq!(place.ids(), [there, vec!["toolu_3".to_owned()]].concat(), "{end} bytes");
            assert!(place.find("toolu_3").is_some() && place.end("toolu_3"), "{end} bytes");
        }
        assert_eq!(std::fs::read_dir(place.store.dir().join("calls")).expect("lists").count(), 1);
    }

    #[test]
    fn what_cant_be_read_is_set_aside_and_told_and_the_rest_goes_on() {
        for garbage in [
            "nonsense",
            "{\"id\":\"toolu_1\",\"leased\":7}",
            "{\"id\":\"\"}",
            "\0\0\0\0",
            "{\"version\":\"?\"}",
        ] {
            let place = Place::new();
            place.begin("toolu_2");
            std::fs::write(place.path(), format!("{}{garbage}\n", place.text())).expect("writes");
            // Which one it was nobody knows.
            let error = place.store.read_call(&place.session, "toolu_1", soon()).expect_err("is told");
            assert!(matches!(&error, Error::Damaged { path, .. } if path.exists()), "{garbage}: {error}");
            assert_eq!((place.find("toolu_1"), place.ids()), (None, vec!["toolu_2".into()]), "{garbage}");
            assert!(place.end("toolu_2"));
            let log = std::fs::read_to_string(place.store.log_path()).expect("there is a log");
            assert!(log.contains("set_aside") && log.contains("s.jsonl.damaged-"), "{log}");
        }
        // The same where a turn begins or ends, and where another one's line was found.
        let place = Place::new();
        place.begin("toolu_1");
        std::fs::write(place.path(), format!("{}nonsense\n", place.text())).expect("writes");
        assert!(place.find("toolu_1").is_some());
        assert_eq!(place.ids(), ["toolu_1"]);
        assert!(place.store.log_path().exists() && !place.text().contains("nonsense"));
        // What is too large is not looked through, and a new command goes on record all the same.
        std::fs::File::options()
            .write(true)
            .open(place.path())
            .expect("opens")
            .set_len(MAX + 1)
            .expect("grows");
        assert!(place.store.read_call(&place.session, "toolu_1", soon()).is_err());
        std::fs::File::options()
            .write(true)
            .open(place.path())
            .expect("opens")
            .set_len(MAX + 1)
            .expect("grows");
        place.begin("toolu_3");
        assert_eq!(place.ids(), ["toolu_3"]);
        // A newer one's file is left as it is.
        std::fs::write(place.path(), "{\"version\":2}\n{\"id\":\"toolu_1\"}\n").expect("writes");
        assert!(place.store.read_call(&place.session, "toolu_1", soon()).is_err());
        assert!(place.text().starts_with("{\"version\":2}"));
    }

    /// A writer that died leaves the beginning of a line, and nothing else.
    #[test]
    fn what_has_no_end_and_no_writer_left_is_not_passed_over() {
        for (whole, tail) in
            [(false, "garbage"), (false, "\0\0\0\0\0"), (true, "garbage"), (true, "\0\0\0\0\0")]
        {
            for begins in [false, true] {
                let place = Place::new();
                place.begin("toolu_2");
                let text = if whole { place.text() } else { String::new() };
                std::fs::write(place.path(), format!("{text}{tail}")).expect("writes");
                if begins {
                    place.begin("toolu_3");
                }
                let error = place.store.read_call(&place.session, "toolu_1", soon()).expect_err("is told");
                assert!(matches!(&error, Error::Damaged { path, .. } if path.exists()), "{tail}: {error}");
                let left: Vec<&str> =
                    [(whole, "toolu_2"), (begins, "toolu_3")].iter().filter(|l| l.0).map(|l| l.1).collect();
                assert_eq!(place.ids(), left, "{tail}");
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_put_on_record_through_a_link_or_into_a_pipe() {
        let place = Place::new();
        let elsewhere = place.dir.path().join("elsewhere");
        std::fs::create_dir_all(elsewhere.join("calls")).expect("dirs");
        let write = |store: &Store| store.write_call(&place.session, record("t"), soon());
        std::os::unix::fs::symlink(&elsewhere, place.dir.path().join("linked")).expect("links");
        assert!(write(&Store::new(place.dir.path().join("linked"))).is_err());
        place.store.prepare().expect("makes it");
        std::os::unix::fs::symlink(elsewhere.join("calls"), place.store.dir().join("calls")).expect("links");
        assert!(write(&place.store).is_err());
        std::fs::remove_file(place.store.dir().join("calls")).expect("removes");
        std::fs::create_dir(place.store.dir().join("calls")).expect("dir");
        std::os::unix::fs::symlink(elsewhere.join("x"), place.path()).expect("links");
        assert!(write(&place.store).is_err());
        std::fs::remove_file(place.path()).expect("removes");
        let made = std::process::Command::new("mkfifo").arg(place.path()).status();
        if made.is_ok_and(|status| status.success()) {
            assert!(write(&place.store).is_err());
            assert!(place.store.calls().is_empty());
        }
        assert_eq!(std::fs::read_dir(elsewhere.join("calls")).expect("lists").count(), 0);
        assert!(!elsewhere.join("x").exists());
    }

    #[test]
    fn any_text_is_an_id_but_none_and_a_long_one() {
        let place = Place::new();
        for id in ["", &"x".repeat(MAX_ID + 1)] {
            assert!(!place.store.write_call(&place.session, record(id), soon()).expect("is nothing"), "{id}");
            assert_eq!(place.find(id), None);
        }
        assert!(!place.store.dir().exists());
        let ids = ["..", "a/b", "é\u{1b}[2J", "a\"b\\\n{\"id\":\"c", "c"];
        for id in ids {
            place.begin(id);
            assert!(place.find(id).is_some_and(|found| found.id == id), "{id:?}");
        }
        assert_eq!(place.ids(), ids);
        assert!(place.end(ids[3]) && place.find("c").is_some());
    }

    #[test]
    fn the_file_stays_small() {
        let place = Place::new();
        place.begin("stays");
        for i in 0..500 {
            let id = format!("toolu_{i}");
            place.begin(&id);
            assert!(place.end(&id));
            place.remove(&id);
            assert!(place.text().len() < 2 * SLACK, "{i}");
        }
        assert_eq!(place.ids(), ["stays"]);
        assert!(place.end("stays"));
        for i in 0..200 {
            place.begin(&format!("toolu_{i}"));
            assert!(place.end(&format!("toolu_{i}")));
            place.remove(&format!("toolu_{i}"));
        }
        place.remove("stays");
        assert!(place.ids().is_empty() && place.text().len() < SLACK + 1024, "{}", place.text().len());
        // Even where nothing ever ends, and each names more paths than a line may hold.
        let leased: Vec<String> = (0..500).map(|i| format!("/{}/{i}", "d".repeat(200))).collect();
        for i in 0..100 {
            let many =
                CallRecord { leased: leased.clone(), undecided: false, ..record(&format!("many_{i}")) };
            assert!(place.store.write_call(&place.session, many, soon()).expect("writes"));
        }
        assert!(place.text().len() <= LARGE + 2 * MAX_LINE, "{}", place.text().len());
        let last = place.find("many_99").expect("the newest is there");
        assert!(last.undecided && last.leased.len() > 100, "what does not fit may have been anything");
        assert!(std::fs::read_to_string(place.store.log_path()).expect("log").contains("not_looked_through"));
    }

    /// Who waited for the lock of a file that was set aside, replaced or removed meanwhile writes into the one in its place.
    #[cfg(unix)]
    #[test]
    fn a_file_that_went_while_its_lock_was_waited_for_takes_no_record() {
        for how in ["set aside", "replaced", "removed"] {
            let place = Place::new();
            place.begin("toolu_1");
            let held = std::fs::File::open(place.path()).expect("opens");
            held.lock().expect("locks");
            std::thread::scope(|scope| {
                let waits = scope.spawn(|| place.begin("toolu_2"));
                std::thread::sleep(Duration::from_millis(100));
                match how {
                    "set aside" => drop(place.store.set_aside(&place.path()).expect("moves")),
                    "replaced" => file::replace(&place.path(), HEAD.as_bytes(), Durability::Rebuildable)
                        .expect("writes"),
                    _ => std::fs::remove_file(place.path()).expect("removes"),
                }
                drop(held);
                waits.join().expect("writes");
            });
            assert_eq!(place.ids(), ["toolu_2"], "{how}");
        }
    }

    /// Many hooks of one session at once: none loses its record to another that cuts the file or writes it anew.
    #[test]
    fn hooks_at_once_lose_no_record() {
        let place = Place::new();
        place.begin("stays");
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let place = &place;
                scope.spawn(move || {
                    for i in 0..150 {
                        let id = format!("toolu_{thread}_{i}");
                        place.begin(&id);
                        assert!(place.find(&id).is_some(), "{id}");
                        assert!(place.end(&id), "{id}");
                        place.remove(&id);
                    }
                });
            }
        });
        assert_eq!(place.ids(), ["stays"]);
        assert!(!place.store.log_path().exists(), "nothing was taken for damage");
        assert!(place.text().len() < 3 * SLACK);
    }
}
