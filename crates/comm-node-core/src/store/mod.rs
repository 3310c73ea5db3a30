//! The only door to files under `.comm-node/`.
//!
//! Rules that every writer here keeps: a rewritten file goes to a temporary one in the same
//! directory and is renamed; readers never block and never see half a file; locks are held for
//! milliseconds and waited for with a deadline; a damaged file is set aside under a new name and
//! reported. Opening a [`Store`] touches nothing; what is missing is made by the first write.

mod budgets;
mod calls;
mod crash;
pub mod file;
mod handoffs;
mod kinds;
mod leases;
mod ledger;
mod lock;
mod log;
mod mail;
mod notes;
mod prune;
mod sessions;
mod sheet;
mod signs;
mod templates;
mod touched;
mod turns;

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use budgets::{Treasury, today};
pub use calls::{CallRecord, OpenCall};
pub use file::Durability;
pub use handoffs::{Handed, Handoffs, Shelf};
pub use leases::{Asking, Hints, Leases, Outcome, Release, Repaired};
pub use ledger::{Books, Ledger, Rebuilt, Survey, Unread};
pub use lock::Lock;
pub use log::{Event, LOG_LIMIT, LogReader, MAX_LINE, Piece};
pub use mail::{Ailments, Cursor, Due, Item, Mail, Place, Routed, State, Traffic, Unseen, Verdict, Way};
pub use prune::Leftovers;
pub use signs::Seen;

use crate::deadline::Deadline;
use crate::{Error, Result, clock};

/// No state file is ever sensibly larger than this.
const MAX_STATE: u64 = 64 << 20;
/// A session record is a few hundred bytes.
const MAX_RECORD: u64 = 256 << 10;

/// What git sees of the state directory.
const GITIGNORE: &str = "# comm-node's state: only published artifacts, links and templates belong in git.\n\
                         /*\n!/.gitignore\n!/artifacts/\n!/link\n!/templates/\n";

/// A node's state directory.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
}

/// A person's stop of the whole node.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Pause {
    /// The format's version, 1.
    pub version: u32,
    /// When, RFC 3339.
    pub since: String,
    /// Why, if a reason was given.
    #[serde(default)]
    pub reason: String,
}

impl Store {
    /// The store in the state directory `dir`; nothing is opened or made.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The state directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes the state directory and its `.gitignore`, private to the user, if they are missing.
    ///
    /// # Errors
    /// When they can't be made, or when a link stands in their place.
    pub fn prepare(&self) -> Result<()> {
        self.own_dir(&self.dir)?;
        let ignore = self.dir.join(".gitignore");
        if ignore.symlink_metadata().is_err() {
            file::replace(&ignore, GITIGNORE.as_bytes(), Durability::Rebuildable)?;
        }
        Ok(())
    }

    /// Makes `dir`, private to the user. What is there must be a directory and no link: a
    /// repository could carry one that leads our writes elsewhere.
    fn own_dir(&self, dir: &Path) -> Result<()> {
        #[cfg_attr(not(unix), expect(unused_mut, reason = "there are no mode bits to set"))]
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(dir) {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => match dir.symlink_metadata() {
                Ok(meta) if meta.is_dir() => Ok(()),
                _ => Err(Error::Untrusted { path: dir.to_path_buf(), why: "it is not a plain directory" }),
            },
            Err(e) => Err(Error::io("create", dir)(e)),
        }
    }

    fn prepare_sub(&self, name: &str) -> Result<PathBuf> {
        // A directory in it would pass for a plain one.
        if self.dir.is_symlink() {
            self.own_dir(&self.dir)?;
        }
        self.prepare_in_own(name)
    }

    /// [`Store::prepare_sub`] for who knows that the state directory is a plain one, as a [lock](Store::lock) says.
    fn prepare_in_own(&self, name: &str) -> Result<PathBuf> {
        let dir = self.dir.join(name);
        // Mostly it is there, and one look says so.
        if is_plain_dir(&dir) {
            return Ok(dir);
        }
        match self.own_dir(&dir) {
            Err(Error::Io { cause, .. }) if cause.kind() == ErrorKind::NotFound => {
                self.prepare()?;
                self.own_dir(&dir)?;
            }
            other => other?,
        }
        Ok(dir)
    }

    /// Makes the directory `below` of the state directory, and what is missing above it.
    fn prepare_path(&self, below: &str) -> Result<()> {
        let mut dir = String::new();
        for part in below.split('/') {
            if !dir.is_empty() {
                dir.push('/');
            }
            dir.push_str(part);
            self.prepare_sub(&dir)?;
        }
        Ok(())
    }

    /// Takes the lock called `name`, waiting until `deadline`.
    ///
    /// # Errors
    /// [`Error::Locked`] when it was not free in time.
    pub fn lock(&self, name: &str, deadline: Deadline) -> Result<Lock> {
        let path = self.dir.join([name, ".lock"].concat());
        if let Some(file) = file::straight(&path, file::For::Lock) {
            return Lock::of(file, path, deadline);
        }
        // What is missing is made.
        if !is_plain_dir(&self.dir) {
            self.prepare()?;
        }
        Lock::take(&path, deadline)
    }

    // ── registry ─────────────────────────────────────────────────────────────────────────────

    /// Where the compiled configuration is.
    #[must_use]
    pub fn registry_path(&self) -> PathBuf {
        self.dir.join(crate::node::REGISTRY)
    }

    /// The text of the compiled configuration, `None` if there is none yet.
    ///
    /// # Errors
    /// When it is there but can't be read.
    pub fn read_registry(&self) -> Result<Option<String>> {
        file::read(&self.registry_path(), MAX_STATE)
    }

    /// Replaces the compiled configuration.
    ///
    /// # Errors
    /// When it can't be written; the old one then stays.
    pub fn write_registry(&self, text: &str) -> Result<()> {
        self.prepare()?;
        file::replace(&self.registry_path(), text.as_bytes(), Durability::Rebuildable)
    }

    // ── pause ────────────────────────────────────────────────────────────────────────────────

    fn pause_path(&self) -> PathBuf {
        self.dir.join("paused")
    }

    /// The pause in force, if there is one. A file that can't be read still pauses.
    #[must_use]
    pub fn paused(&self) -> Option<Pause> {
        let path = self.pause_path();
        match file::read(&path, MAX_RECORD) {
            Ok(None) => None,
            Ok(Some(text)) => Some(serde_json::from_str(&text).unwrap_or_else(|_| Pause {
                version: 1,
                since: String::new(),
                reason: text.trim().to_owned(),
            })),
            Err(e) => Some(Pause { version: 1, since: String::new(), reason: e.to_string() }),
        }
    }

    /// Pauses the node.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn pause(&self, reason: &str) -> Result<Pause> {
        self.prepare()?;
        let pause = Pause { version: 1, since: clock::rfc3339(clock::now_ms()), reason: reason.to_owned() };
        write_json(&self.pause_path(), &pause)?;
        Ok(pause)
    }

    /// Ends the pause; false if there was none.
    ///
    /// # Errors
    /// When the file is there but can't be removed.
    pub fn resume(&self) -> Result<bool> {
        let path = self.pause_path();
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(e) => Err(Error::io("remove", &path)(e)),
        }
    }

    // ── log ──────────────────────────────────────────────────────────────────────────────────

    /// The event log.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.dir.join("log").join("events.jsonl")
    }

    /// Appends one line to the event log.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn log(&self, event: &Event<'_>) -> Result<()> {
        self.log_all(std::slice::from_ref(event))
    }

    /// Appends a line for each to the event log, all with one write.
    ///
    /// # Errors
    /// When they can't be written.
    pub fn log_all(&self, events: &[Event<'_>]) -> Result<()> {
        self.prepare_sub("log")?;
        log::append(&self.log_path(), events)
    }

    // ── repair ───────────────────────────────────────────────────────────────────────────────

    /// Moves a damaged file out of the way, to `<name>.damaged-<ms>` beside it, and says where.
    ///
    /// # Errors
    /// When it can't be moved.
    pub fn set_aside(&self, path: &Path) -> Result<PathBuf> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".damaged-{}", clock::now_ms()));
        let aside = path.with_file_name(name);
        std::fs::rename(path, &aside).map_err(Error::io("set aside", path))?;
        Ok(aside)
    }
}

/// True for a directory that is none by a link.
fn is_plain_dir(dir: &Path) -> bool {
    dir.symlink_metadata().is_ok_and(|meta| meta.is_dir())
}

fn hidden(path: &Path) -> bool {
    path.file_name().is_none_or(|n| n.as_encoded_bytes().starts_with(b"."))
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>> {
    let Some(text) = file::read(path, MAX_RECORD)? else { return Ok(None) };
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|e| Error::Damaged { path: path.to_path_buf(), why: e.to_string() })
}

fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    file::replace(path, json_text(value)?.as_bytes(), Durability::Rebuildable)
}

/// The same for what a person wrote.
fn write_json_flushed<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    file::replace(path, json_text(value)?.as_bytes(), Durability::Flushed)
}

fn json_text<T: Serialize>(value: &T) -> Result<String> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|e| Error::Invalid { what: "the record", why: e.to_string() })?;
    text.push('\n');
    Ok(text)
}
