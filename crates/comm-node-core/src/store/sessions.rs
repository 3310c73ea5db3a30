//! `sessions/<id>.jsonl`: who a session is. The last line counts; those before it say what was so earlier.
//!
//! A change is one appended line. To replace a file gives blocks back, which some file systems wait a millisecond or two
//! for, and a record is written in many a hook. A file that has grown [long](LONG) is replaced by one line. A writer
//! that died in the middle of a line leaves one without its end: readers pass over it, and the next writer replaces the file.

use std::fs::File;
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::{Durability, MAX_RECORD, Store, crash, file};
use crate::session::{Session, SessionId};
use crate::{Error, Result, clock};

/// A longer file is replaced by whoever adds to it: a hundred records or so.
const LONG: u64 = 64 << 10;
/// In so much of a file's end its last line is whole, but for rare ones.
const END: u64 = 4 << 10;

impl Store {
    pub(super) fn session_path(&self, id: &SessionId) -> PathBuf {
        self.dir.join("sessions").join(format!("{id}.jsonl"))
    }

    pub(super) fn ended_path(&self, id: &SessionId) -> PathBuf {
        self.dir.join("sessions").join("ended").join(format!("{id}.jsonl"))
    }

    /// The record of a session that has not ended, `None` if there is none.
    ///
    /// # Errors
    /// When it is there but can't be read.
    pub fn read_session(&self, id: &SessionId) -> Result<Option<Session>> {
        Ok(last(&self.session_path(id))?.map(|(session, _)| session))
    }

    /// The record of a session that ended, for its resumption.
    ///
    /// # Errors
    /// When it is there but can't be read.
    pub fn read_ended_session(&self, id: &SessionId) -> Result<Option<Session>> {
        Ok(last(&self.ended_path(id))?.map(|(session, _)| session))
    }

    /// True while the session `id` lives, as far as can be told; one without a record does not.
    #[must_use]
    pub fn session_lives(&self, id: &SessionId, now_ms: u64) -> bool {
        let found = last_with_time(&self.session_path(id)).ok().flatten();
        found.is_some_and(|(session, heartbeat)| session.is_live(heartbeat, now_ms))
    }

    /// Puts down what a session's record says now; the session then counts as not ended. Whoever calls holds the lock
    /// `sessions`, and has read what it says.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write_session(&self, session: &Session) -> Result<()> {
        self.prepare_sub("sessions")?;
        let path = self.session_path(&session.session_id);
        let mut line = serde_json::to_vec(session)
            .map_err(|e| Error::Invalid { what: "the record", why: e.to_string() })?;
        line.push(b'\n');
        if file::append_line(&path, &line, LONG)? {
            return Ok(());
        }
        // One that ended and goes on has its record back, so that its next end has nothing to replace.
        let ended = self.ended_path(&session.session_id);
        if file::is_missing(&path) && std::fs::rename(&ended, &path).is_ok() {
            crash::here()?;
            if file::append_line(&path, &line, LONG)? {
                return Ok(());
            }
        }
        crash::here()?;
        file::replace(&path, &line, Durability::Rebuildable)
    }

    /// Moves a session's record to the ended ones; nothing happens where there is none.
    ///
    /// # Errors
    /// When it can't be moved.
    pub fn end_session(&self, id: &SessionId) -> Result<()> {
        let from = self.session_path(id);
        if from.symlink_metadata().is_err() {
            return Ok(());
        }
        self.prepare_sub("sessions")?;
        self.prepare_sub("sessions/ended")?;
        match std::fs::rename(&from, self.ended_path(id)) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(Error::io("move", &from)(e)),
            _ => {}
        }
        self.close_turn(id);
        Ok(())
    }

    /// Marks a session as active now: its record's modification time is its last heartbeat. One
    /// system call, nothing flushed; a session without a record has no heartbeat.
    pub fn heartbeat(&self, id: &SessionId) {
        let path = self.session_path(id);
        #[cfg(unix)]
        {
            use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};
            let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW as _ };
            let times = Timestamps { last_access: now, last_modification: now };
            // A missing heartbeat is not worth failing a hook for.
            let _ = utimensat(CWD, &path, &times, AtFlags::SYMLINK_NOFOLLOW);
        }
        #[cfg(not(unix))]
        if let Ok(file) = std::fs::OpenOptions::new().write(true).open(&path) {
            let _ = file.set_modified(std::time::SystemTime::now());
        }
    }

    /// When a session last gave a heartbeat, nanoseconds since 1970; `None` if it has no record.
    #[must_use]
    pub fn last_heartbeat_ns(&self, id: &SessionId) -> Option<u64> {
        let meta = self.session_path(id).symlink_metadata().ok()?;
        Some(crate::node::registry::SourceId::of(&meta).mtime_ns)
    }

    /// Every session that has not ended, each with its last heartbeat (milliseconds since 1970),
    /// sorted by id; records that can't be read are given back as errors.
    ///
    /// # Errors
    /// When the directory itself can't be listed.
    pub fn sessions(&self) -> Result<Vec<Result<(Session, u64)>>> {
        let dir = self.dir.join("sessions");
        let mut names: Vec<String> = Vec::new();
        let listed = file::entries(&dir, |name, _| {
            // A record that is not named by an id is none.
            names.extend(name.to_str().filter(|name| is_record(name)).map(str::to_owned));
            ControlFlow::Continue(())
        });
        match listed {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(Error::io("list", &dir))?,
        }
        names.sort_unstable();
        Ok(names.iter().filter_map(|name| last_with_time(&dir.join(name)).transpose()).collect())
    }
}

fn is_record(name: &str) -> bool {
    name.ends_with(".jsonl") && !name.starts_with('.')
}

/// What the record at `path` says, and its session's last heartbeat in milliseconds since 1970; `None` if there is none.
fn last_with_time(path: &Path) -> Result<Option<(Session, u64)>> {
    let Some((session, file)) = last(path)? else { return Ok(None) };
    Ok(Some((session, file.metadata().and_then(|meta| meta.modified()).map_or(0, clock::ms_of))))
}

/// What the record at `path` says, and its file; `None` if there is none.
fn last(path: &Path) -> Result<Option<(Session, File)>> {
    let Some((file, len)) = file::open_sized(path)? else { return Ok(None) };
    let damaged = |why: String| Error::Damaged { path: path.to_path_buf(), why };
    let mut want = END;
    loop {
        let from = len.saturating_sub(want);
        // Not beyond where it ended a moment ago: a writer may be at it.
        let mut text = vec![0; usize::try_from(len - from).unwrap_or(0)];
        let got = file::read_at(&file, &mut text, from).map_err(Error::io("read", path))?;
        text.truncate(got);
        let end = memchr::memrchr(b'\n', &text);
        let start = memchr::memrchr(b'\n', &text[..end.unwrap_or(0)]).map(|at| at + 1);
        if start.is_none() && from > 0 {
            if want >= MAX_RECORD {
                return Err(damaged(format!("it has no whole line in its last {MAX_RECORD} bytes")));
            }
            want *= 4;
            continue;
        }
        let (line, behind) = match end {
            Some(end) => (&text[start.unwrap_or(0)..end], &text[end + 1..]),
            None => (&text[..0], &text[..]),
        };
        // What has no end is half a line, unless nothing but the end is missing.
        let read = match serde_json::from_slice(behind) {
            Err(_) if end.is_some() => serde_json::from_slice(line),
            read => read,
        };
        return read.map(|session| Some((session, file))).map_err(|e| damaged(e.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;

    use super::*;

    fn store() -> (tempfile::TempDir, Store, Session) {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Store::new(dir.path().join("state"));
        (dir, store, Session::new(SessionId::new("s").expect("valid")))
    }

    fn on(task: &str, session: &Session) -> Session {
        Session { task: Some(task.to_owned()), ..session.clone() }
    }

    fn task(store: &Store, session: &Session) -> Option<String> {
        store.read_session(&session.session_id).expect("reads").and_then(|session| session.task)
    }

    #[cfg(unix)]
    fn lines(path: &Path) -> usize {
        std::fs::read_to_string(path).expect("reads").lines().count()
    }

    #[cfg(unix)]
    fn inode(path: &Path) -> u64 {
        std::os::unix::fs::MetadataExt::ino(&path.metadata().expect("is there"))
    }

    /// Nothing that is there is replaced or removed, from a session's beginning to its second end.
    #[cfg(unix)]
    #[test]
    fn what_was_written_last_counts_and_the_file_stays() {
        let (_dir, store, session) = store();
        let (path, ended) = (store.session_path(&session.session_id), store.ended_path(&session.session_id));
        store.write_session(&on("one", &session)).expect("writes");
        let first = inode(&path);
        store.write_session(&on("two", &session)).expect("writes");
        assert_eq!((task(&store, &session).as_deref(), lines(&path), inode(&path)), (Some("two"), 2, first));
        for round in 0..2 {
            store.end_session(&session.session_id).expect("ends");
            assert_eq!((task(&store, &session), inode(&ended)), (None, first));
            let was = store.read_ended_session(&session.session_id).expect("reads").expect("is there");
            assert_eq!(was.task.as_deref(), Some(["two", "three"][round]));
            store.write_session(&on("three", &was)).expect("writes");
            assert_eq!((task(&store, &session).as_deref(), inode(&path)), (Some("three"), first));
            assert!(file::is_missing(&ended));
        }
        assert_eq!(store.sessions().expect("lists").len(), 1);
    }

    #[test]
    fn a_writer_that_dies_leaves_what_was_or_what_is() {
        for n in 0.. {
            let (_dir, store, session) = store();
            store.write_session(&on("one", &session)).expect("writes");
            crash::arm(n);
            let written = store.write_session(&on("two", &session));
            let died = crash::disarm();
            assert_eq!(written.is_err(), died, "{n}");
            let now = task(&store, &session).expect("there is a record");
            assert_eq!(now, if died { "one" } else { "two" }, "{n}");
            store.write_session(&on("three", &session)).expect("writes");
            store.write_session(&on("four", &session)).expect("writes");
            assert_eq!(task(&store, &session).as_deref(), Some("four"), "{n}");
            let text = std::fs::read_to_string(store.session_path(&session.session_id)).expect("reads");
            assert!(text.lines().all(|line| serde_json::from_str::<Session>(line).is_ok()), "{n}: {text}");
            if !died {
                assert!(n > 1, "there is a place to die at, and one with half a line");
                break;
            }
        }
    }

    #[test]
    fn a_long_file_becomes_one_line_and_a_long_line_is_read() {
        let (_dir, store, session) = store();
        let path = store.session_path(&session.session_id);
        let (mut most, mut shrunk) = (0, 0);
        for i in 0..1_000 {
            let before = path.metadata().map_or(0, |meta| meta.len());
            store.write_session(&on(&i.to_string(), &session)).expect("writes");
            assert_eq!(task(&store, &session), Some(i.to_string()));
            let len = path.metadata().expect("is there").len();
            most = most.max(len);
            shrunk += u32::from(len < before);
        }
        assert!(
            most <= LONG + 1_000 && (1..10).contains(&shrunk),
            "{most} bytes at most, shrunk {shrunk} times"
        );
        for len in [END, 40_000, 200_000] {
            let long = "x".repeat(usize::try_from(len).expect("fits"));
            store.write_session(&on("before", &session)).expect("writes");
            store.write_session(&on(&long, &session)).expect("writes");
            assert_eq!(task(&store, &session), Some(long), "{len}");
        }
    }

    #[test]
    fn what_no_writer_left_is_damage_and_half_a_line_is_none() {
        let (_dir, store, session) = store();
        let path = store.session_path(&session.session_id);
        store.write_session(&on("one", &session)).expect("writes");
        let good = std::fs::read_to_string(&path).expect("reads");
        let read = |text: &str| {
            std::fs::write(&path, text).expect("writes");
            store.read_session(&session.session_id).map(|found| found.expect("is there").task)
        };
        let two = good.replace("one", "two");
        for (text, task) in [
            (format!("{good}{two}"), "two"),
            (format!("garbage\n{two}"), "two"),
            (format!("{good}{}", &two[..20]), "one"),
            (format!("{good}{}", two.trim_end()), "two"),
            (two.trim_end().to_owned(), "two"),
        ] {
            assert_eq!(read(&text).expect("is read").as_deref(), Some(task), "{text}");
        }
        for text in [
            String::new(),
            "\n".to_owned(),
            "{\n".to_owned(),
            good[..20].to_owned(),
            format!("{good}garbage\n"),
            format!("{good}\0\0\0\n"),
            "x".repeat(1 << 20),
            format!("{good}{}", "x".repeat(1 << 20)),
        ] {
            let said = read(&text);
            assert!(matches!(said, Err(Error::Damaged { .. })), "{text:.40}: {said:?}");
        }
        // Of a file of any size the end is read.
        let file = OpenOptions::new().write(true).open(&path).expect("opens");
        file.set_len(1 << 34).expect("is sparse");
        drop(file);
        let mut file = OpenOptions::new().append(true).open(&path).expect("opens");
        file.write_all(format!("\n{two}").as_bytes()).expect("writes");
        assert_eq!(task(&store, &session).as_deref(), Some("two"));
    }
}
