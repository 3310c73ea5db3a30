//! `calls/<tool call's id>.json`: what the guard has to look at again once a shell command has run.
//!
//! A record lives as long as its command. When it was written says when the command began, by the
//! file system's own clock, which is also the clock that the command's writes are dated by.
//!
//! A first record is written where it stays, without a second name: nobody asks for it before the hook
//! that writes it has answered, and one whose writer died ends in the middle, which says that its command
//! was never let through. Every later one is renamed into its place.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Durability, MAX_RECORD, Store, file, hidden, is_plain_dir, json_text};
use crate::node::registry::SourceId;
use crate::session::SessionId;
use crate::{Error, Result};

/// What is to be looked at after one shell command.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct CallRecord {
    /// The format's version, 1.
    pub version: u32,
    /// The session that runs it.
    #[serde(default)]
    pub session: Option<SessionId>,
    /// The subagent of that session, if one runs it.
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
    /// When it began, nanoseconds since 1970; 0 in a first record, whose own time says it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub began_ns: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// A record in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCall {
    /// The tool call's id, as far as a file name can hold it.
    pub id: String,
    /// True if it has ended, and what it did is being looked at.
    pub ended: bool,
    /// The record; `began_ns` is set.
    pub record: CallRecord,
}

impl Store {
    /// The file for a tool call's id; `None` for what can't be one. Ids are the client's, and what
    /// they look like is not promised.
    fn call_path(&self, id: &str, suffix: &str) -> Option<PathBuf> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let fits = !id.is_empty() && id.len() <= 128 && id.bytes().all(plain);
        fits.then(|| self.dir.join("calls").join(format!("{id}{suffix}")))
    }

    /// Puts a shell command on record before it runs. True if it is; a call without a usable id can't
    /// be found again and is not.
    ///
    /// # Errors
    /// When the record can't be written.
    pub fn write_call(&self, id: &str, record: &CallRecord) -> Result<bool> {
        let Some(path) = self.call_path(id, RUNS) else { return Ok(false) };
        let text = json_text(record)?;
        // A link in place of a directory would lead it elsewhere.
        if is_plain_dir(&self.dir)
            && is_plain_dir(&self.dir.join("calls"))
            && file::create(&path, text.as_bytes())?
        {
            return Ok(true);
        }
        self.prepare_sub("calls")?;
        file::replace(&path, text.as_bytes(), Durability::Rebuildable).map(|()| true)
    }

    /// Whether a tool call is on record: one look, for the many that are not.
    #[must_use]
    pub fn has_call(&self, id: &str) -> bool {
        self.call_path(id, RUNS).is_some_and(|path| path.symlink_metadata().is_ok())
    }

    /// The record of a tool call, `None` if there is none.
    ///
    /// # Errors
    /// When it is there but can't be read.
    pub fn read_call(&self, id: &str) -> Result<Option<CallRecord>> {
        let Some(path) = self.call_path(id, RUNS) else { return Ok(None) };
        read(&path)
    }
    /// Marks a command as ended, for the one of several hooks that looks at what it did; false if it is not
    /// this one. It stays on record, for others to see, until [`Store::remove_call`].
    ///
    /// # Errors
    /// When it is there but can't be marked.
    pub fn end_call(&self, id: &str) -> Result<bool> {
        let (Some(from), Some(to)) = (self.call_path(id, RUNS), self.call_path(id, ENDED)) else {
            return Ok(false);
        };
        match std::fs::rename(&from, to) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(e) => Err(Error::io("move", &from)(e)),
        }
    }

    /// Takes a command that [ended](Store::end_call) off the record.
    ///
    /// # Errors
    /// When it is there but can't be removed.
    pub fn remove_call(&self, id: &str) -> Result<()> {
        let Some(path) = self.call_path(id, ENDED) else { return Ok(()) };
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::io("remove", &path)(e)),
            _ => Ok(()),
        }
    }

    /// The calls on record: those of commands that run, and of those that are just being looked at. What
    /// can't be read is passed over.
    #[must_use]
    pub fn calls(&self) -> Vec<OpenCall> {
        let entries = std::fs::read_dir(self.dir.join("calls"));
        let paths = entries.into_iter().flatten().flatten().map(|entry| entry.path());
        let open = |path: PathBuf| {
            let name = path.file_name()?.to_str()?;
            let (id, ended) = match name.strip_suffix(ENDED) {
                Some(id) => (id, true),
                None => (name.strip_suffix(RUNS)?, false),
            };
            Some(OpenCall { id: id.to_owned(), ended, record: read(&path).ok()?? })
        };
        let mut calls: Vec<OpenCall> = paths.filter(|path| !hidden(path)).filter_map(open).collect();
        calls.sort_by(|a, b| a.id.cmp(&b.id));
        calls
    }
}

/// How the name of a record ends while its command runs.
const RUNS: &str = ".json";
/// And while what it did is looked at.
const ENDED: &str = ".ended.json";

/// How a record ends that was written to its end.
const END: &str = "\n}\n";

fn read(path: &Path) -> Result<Option<CallRecord>> {
    let Some(text) = file::read(path, MAX_RECORD)?.filter(|text| text.ends_with(END)) else {
        return Ok(None);
    };
    let mut record: CallRecord = serde_json::from_str(&text)
        .map_err(|e| Error::Damaged { path: path.to_path_buf(), why: e.to_string() })?;
    if record.began_ns == 0 {
        let meta = path.symlink_metadata().map_err(Error::io("read", path))?;
        record.began_ns = SourceId::of(&meta).mtime_ns;
    }
    Ok(Some(record))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> CallRecord {
        serde_json::from_str(r#"{"version":1,"session":"s","leased":["/n/a"],"undecided":true}"#)
            .expect("valid")
    }

    #[test]
    fn a_call_is_on_record_once_and_begins_when_it_was_written() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Store::new(dir.path().join("state"));
        assert_eq!(store.read_call("toolu_1").expect("reads"), None);
        assert!(store.calls().is_empty() && !store.has_call("toolu_1"));
        assert!(store.write_call("toolu_1", &record()).expect("writes"));
        std::fs::write(dir.path().join("later"), "x").expect("writes");
        let later = SourceId::of(&dir.path().join("later").metadata().expect("there"));
        let read = store.read_call("toolu_1").expect("reads").expect("there");
        assert!(read.began_ns > 0 && read.began_ns <= later.ctime_ns, "{read:?} {later:?}");
        assert_eq!(CallRecord { began_ns: 0, ..read.clone() }, record());
        // Written again with its beginning, it keeps that.
        assert!(store.write_call("toolu_1", &CallRecord { started: true, ..read.clone() }).expect("writes"));
        assert_eq!(
            store.calls(),
            [OpenCall {
                id: "toolu_1".into(),
                ended: false,
                record: CallRecord { started: true, ..read.clone() }
            }]
        );
        assert!(store.has_call("toolu_1"));
        // One hook ends it; others still see it.
        assert!(store.end_call("toolu_1").expect("ends"));
        assert!(!store.end_call("toolu_1").expect("has ended") && !store.has_call("toolu_1"));
        let ended = store.calls();
        assert!(ended.len() == 1 && ended[0].ended && ended[0].record.began_ns == read.began_ns, "{ended:?}");
        store.remove_call("toolu_1").expect("removes");
        store.remove_call("toolu_1").expect("is gone");
        assert!(store.calls().is_empty());
    }

    /// A hook that dies while it writes has let nothing through, wherever it stopped.
    #[test]
    fn a_record_that_was_not_written_to_its_end_is_none() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Store::new(dir.path().join("state"));
        store.write_call("toolu_1", &record()).expect("writes");
        let path = store.dir().join("calls/toolu_1.json");
        let whole = std::fs::read_to_string(&path).expect("reads");
        for end in 0..whole.len() {
            std::fs::write(&path, &whole[..end]).expect("writes");
            assert_eq!(store.read_call("toolu_1").expect("reads"), None, "{end} bytes");
            assert!(store.calls().is_empty(), "{end} bytes");
        }
        // The next one with this id takes its place.
        assert!(store.write_call("toolu_1", &record()).expect("writes"));
        assert!(store.read_call("toolu_1").expect("reads").is_some());
        std::fs::write(&path, "{\n \"version\": \"?\"\n}\n").expect("writes");
        assert!(store.read_call("toolu_1").is_err(), "what is whole and no record is damaged");
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_put_on_record_through_a_link() {
        let dir = tempfile::tempdir().expect("temp dir");
        let elsewhere = dir.path().join("elsewhere");
        std::fs::create_dir_all(elsewhere.join("calls")).expect("dirs");
        std::os::unix::fs::symlink(&elsewhere, dir.path().join("linked")).expect("links");
        let store = Store::new(dir.path().join("linked"));
        assert!(store.write_call("toolu_1", &record()).is_err());
        let store = Store::new(dir.path().join("state"));
        store.prepare().expect("makes it");
        std::os::unix::fs::symlink(elsewhere.join("calls"), store.dir().join("calls")).expect("links");
        assert!(store.write_call("toolu_1", &record()).is_err());
        std::fs::remove_file(store.dir().join("calls")).expect("removes");
        std::fs::create_dir(store.dir().join("calls")).expect("dir");
        std::os::unix::fs::symlink(elsewhere.join("x"), store.dir().join("calls/toolu_1.json"))
            .expect("links");
        assert!(store.write_call("toolu_1", &record()).expect("replaces it"));
        assert_eq!(std::fs::read_dir(elsewhere.join("calls")).expect("lists").count(), 0);
        assert!(!elsewhere.join("x").exists());
    }

    #[test]
    fn an_id_that_is_no_file_name_has_no_record() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Store::new(dir.path().join("state"));
        for id in ["", "..", "a/b", "a.b", "é", &"x".repeat(129)] {
            assert!(!store.write_call(id, &record()).expect("is nothing"), "{id}");
            assert!(!store.has_call(id) && store.read_call(id).expect("is nothing").is_none(), "{id}");
        }
        assert!(!store.dir().exists());
    }
}
