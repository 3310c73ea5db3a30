//! In which files of automatic leases a session may have some: `leases/of/<session>.jsonl`.
//!
//! A hint, so that nobody has to read 256 files to find what one session holds; the files of leases stay the truth. A
//! session's file has a header and then the name of each file of leases once, so it never has more than 256 of
//! them. It is written before the lease is: who dies in between leaves a name too many, which costs a look. What can't be
//! read, and what was never written because an older comm-node took the leases, means *anywhere*.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use super::files::{EXPLICIT, shard};
use super::{Leases, crash};
use crate::deadline::Deadline;
use crate::lease::{Kind, Lease};
use crate::session::SessionId;
use crate::store::file::{self, Durability};
use crate::{Error, Result};

/// Where the hints are, below the state directory.
pub(in super::super) const DIR: &str = "leases/of";
/// In that directory while it tells of every lease in the table.
const COMPLETE: &str = "complete.json";
/// The first line.
const HEAD: &str = "{\"version\":1}\n";
/// A header and 256 names of at most 5 bytes.
const MAX: u64 = 2048;
/// A file with so many names too many is written anew.
const SLACK: usize = 16;

/// What a session's file says.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// Automatic leases are in these files and in no others.
    These(Vec<String>),
    /// There is no file.
    Nothing,
    /// It can't be read, or another version wrote it.
    Unclear,
}

fn parse(bytes: &[u8]) -> Said {
    let text = std::str::from_utf8(bytes).ok().and_then(|text| text.strip_prefix(HEAD));
    let Some(lines) = text.filter(|lines| lines.is_empty() || lines.ends_with('\n')) else {
        return Said::Unclear;
    };
    let name = |line: &str| {
        let hex = line.strip_prefix('"')?.strip_suffix('"')?;
        let is_hex = hex.len() == 2 && hex.bytes().all(|b| b.is_ascii_hexdigit());
        is_hex.then(|| [hex, ".jsonl"].concat())
    };
    lines.lines().map(name).collect::<Option<Vec<_>>>().map_or(Said::Unclear, Said::These)
}

fn line(name: &str) -> String {
    ["\"", name.strip_suffix(".jsonl").unwrap_or(name), "\"\n"].concat()
}

/// What is wrong with what is known of where sessions have leases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// Files that are missing, can't be read, or don't name all files of leases in which their session has some.
    pub wrong: Vec<PathBuf>,
    /// Files of sessions that have ended and hold nothing.
    pub left: Vec<PathBuf>,
}

impl Hints {
    /// True if nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wrong.is_empty() && self.left.is_empty()
    }
}

/// The sessions that [`Hints`] are about, those that are wrong with what their files should say.
#[derive(Default)]
struct Compared {
    wrong: BTreeMap<SessionId, Vec<String>>,
    left: Vec<SessionId>,
}

impl Leases<'_> {
    /// Compares what is known of where sessions have leases with the table.
    ///
    /// # Errors
    /// When something can't be listed, or the table's lock is not free in time.
    pub fn hints(&self, deadline: Deadline) -> Result<Hints> {
        let found = self.hints_of(&self.compare()?);
        if found.is_empty() {
            return Ok(found);
        }
        // Somebody may have given back in between.
        let _lock = self.lock_table(deadline)?;
        Ok(self.hints_of(&self.compare()?))
    }

    /// Writes what is wrong of it anew, and removes what nobody needs. Says what that was. Nothing is done while a file
    /// of leases can't be read.
    ///
    /// # Errors
    /// When a file can't be written or removed.
    pub fn mend_hints(&self, deadline: Deadline) -> Result<Hints> {
        if self.compare().map(|found| self.hints_of(&found).is_empty())? {
            return Ok(Hints::default());
        }
        let _lock = self.lock_table(deadline)?;
        let found = self.compare()?;
        for id in found.wrong.keys().chain(&found.left) {
            let path = self.hint(id);
            if path.symlink_metadata().is_ok_and(|meta| !meta.is_file()) {
                self.store.set_aside(&path)?;
            }
        }
        if !found.wrong.is_empty() {
            self.store.prepare_in_own(DIR)?;
        }
        for (id, names) in &found.wrong {
            self.put(id, names.iter())?;
        }
        for id in &found.left {
            self.forget(id)?;
        }
        Ok(self.hints_of(&found))
    }

    fn hints_of(&self, found: &Compared) -> Hints {
        Hints {
            wrong: found.wrong.keys().map(|id| self.hint(id)).collect(),
            left: found.left.iter().map(|id| self.hint(id)).collect(),
        }
    }

    fn compare(&self) -> Result<Compared> {
        let (leases, faults) = self.list()?;
        let mut out = Compared::default();
        if !faults.is_empty() {
            return Ok(out);
        }
        let mut sessions: BTreeMap<SessionId, Vec<String>> = BTreeMap::new();
        for lease in leases.iter().filter(|lease| lease.kind == Kind::Automatic) {
            if let Some(id) = &lease.holder.session {
                sessions.entry(id.clone()).or_default().push(shard(&lease.path));
            }
        }
        let dir = self.store.dir().join(DIR);
        let listed = file::entries(&dir, |name, _| {
            let id = name.to_str().and_then(|name| SessionId::new(name.strip_suffix(".jsonl")?).ok());
            if let Some(id) = id {
                sessions.entry(id).or_default();
            }
            ControlFlow::Continue(())
        });
        match listed {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(Error::io("list", &dir)(e)),
            _ => {}
        }
        for (id, mut names) in sessions {
            names.sort_unstable();
            names.dedup();
            let is_wrong = match self.said(&id) {
                Said::These(said) => names.iter().any(|name| !said.contains(name)),
                Said::Nothing => !names.is_empty() && self.is_complete(),
                Said::Unclear => true,
            };
            if names.is_empty() && file::is_missing(&self.store.session_path(&id)) {
                out.left.push(id);
            } else if is_wrong {
                out.wrong.insert(id, names);
            }
        }
        Ok(out)
    }

    fn hint(&self, session: &SessionId) -> PathBuf {
        self.store.dir().join(DIR).join([session.as_str(), ".jsonl"].concat())
    }

    fn said(&self, session: &SessionId) -> Said {
        match file::read_bytes(&self.hint(session), MAX) {
            Ok(None) => Said::Nothing,
            Ok(Some(bytes)) => parse(&bytes),
            Err(_) => Said::Unclear,
        }
    }

    /// True if a session without a file has no automatic lease.
    fn is_complete(&self) -> bool {
        self.store.dir().join(DIR).join(COMPLETE).symlink_metadata().is_ok_and(|meta| meta.is_file())
    }

    /// The names of the files in which leases of `session` may be, the explicit one first.
    pub(super) fn names_of(&self, session: &SessionId) -> Result<Vec<String>> {
        let mut names = match self.said(session) {
            Said::These(names) => names,
            Said::Nothing if self.is_complete() => Vec::new(),
            Said::Nothing | Said::Unclear => return self.names(),
        };
        names.insert(0, EXPLICIT.to_owned());
        Ok(names)
    }

    /// Puts down where `granted` will be, before they are written; only under the table's lock.
    pub(super) fn remember(&self, granted: &[Lease]) -> Result<()> {
        let automatic = granted.iter().filter(|lease| lease.kind == Kind::Automatic);
        // All of one request have one holder.
        let Some(session) = automatic.clone().find_map(|lease| lease.holder.session.as_ref()) else {
            return Ok(());
        };
        let mut names: Vec<String> = automatic.map(|lease| shard(&lease.path)).collect();
        names.sort_unstable();
        names.dedup();
        let path = self.hint(session);
        let mut how = OpenOptions::new();
        how.read(true).append(true);
        let mut open = match file::open(&path, &mut how) {
            Ok(Some(open)) => open,
            Ok(None) => return self.begin(session, &names),
            // Who looks for the leases can't read it either, and looks everywhere.
            Err(_) => return Ok(()),
        };
        // One byte more than readers take, who look everywhere then.
        let mut bytes = [0; MAX as usize + 1];
        let read = open.read(&mut bytes).map_err(Error::io("read", &path))?;
        let Said::These(known) = parse(&bytes[..read]) else { return Ok(()) };
        if read == bytes.len() {
            return Ok(());
        }
        let added: String =
            names.iter().filter(|name| !known.contains(name)).map(|name| line(name)).collect();
        if added.is_empty() {
            return Ok(());
        }
        crash::here()?;
        // A part of a line makes the file unclear, which is no loss.
        open.write_all(added.as_bytes()).map_err(Error::io("append to", &path))?;
        crash::here()
    }

    /// A session's first names; and the files of all others, if nobody wrote them yet.
    fn begin(&self, session: &SessionId, names: &[String]) -> Result<()> {
        self.store.prepare_in_own(DIR)?;
        if !self.is_complete() && !self.survey()? {
            return Ok(());
        }
        crash::here()?;
        // What is there already is of the survey.
        let known = match self.said(session) {
            Said::These(known) => known,
            Said::Nothing => Vec::new(),
            Said::Unclear => return Ok(()),
        };
        let all = known.iter().chain(names.iter().filter(|name| !known.contains(name)));
        self.put(session, all)
    }

    /// Writes down where every session's leases are, as the files of leases say; false if they can't be read.
    fn survey(&self) -> Result<bool> {
        let (leases, faults) = self.list()?;
        if !faults.is_empty() {
            return Ok(false);
        }
        let mut all: Vec<(&SessionId, String)> = leases
            .iter()
            .filter(|lease| lease.kind == Kind::Automatic)
            .filter_map(|lease| Some((lease.holder.session.as_ref()?, shard(&lease.path))))
            .collect();
        all.sort_unstable();
        all.dedup();
        for of_one in all.chunk_by(|(a, _), (b, _)| a == b) {
            crash::here()?;
            self.put(of_one[0].0, of_one.iter().map(|(_, name)| name))?;
        }
        crash::here()?;
        let mark = self.store.dir().join(DIR).join(COMPLETE);
        file::replace(&mark, HEAD.as_bytes(), Durability::Rebuildable)?;
        Ok(true)
    }

    fn put<'n>(&self, session: &SessionId, names: impl Iterator<Item = &'n String>) -> Result<()> {
        let mut text = HEAD.to_owned();
        names.for_each(|name| text.push_str(&line(name)));
        file::replace(&self.hint(session), text.as_bytes(), Durability::Rebuildable)?;
        crash::here()
    }

    /// Leaves only `names` of what a session's file says, if that is much less; only under the table's lock, and when
    /// its leases were looked for everywhere that the file names, in `looked` files.
    pub(super) fn shorten(&self, session: &SessionId, names: &[String], looked: usize) -> Result<()> {
        if looked <= 2 * names.len() + SLACK {
            return Ok(());
        }
        match self.said(session) {
            Said::These(_) => self.put(session, names.iter()),
            _ => Ok(()),
        }
    }

    /// Removes a session's file: it holds nothing any more. Only under the table's lock.
    pub(super) fn forget(&self, session: &SessionId) -> Result<()> {
        let path = self.hint(session);
        crash::here()?;
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::io("remove", &path)(e)),
            _ => crash::here(),
        }
    }
}
