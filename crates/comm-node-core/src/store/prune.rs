//! What piles up in the state directory and may go.

use std::path::{Path, PathBuf};

use super::{Store, hidden};
use crate::deadline::Deadline;
use crate::{Error, Result, clock};

/// An ended session that was silent for longer is not resumed.
const ENDED_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// No shell command of a session that lives runs for longer, and none of them is looked at again.
const CALL_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// How many rotated logs are kept.
const LOGS: usize = 5;
/// A temporary file lives for milliseconds; one this old is of a writer that died.
const TEMPORARY_MS: u64 = 60 * 60 * 1000;

/// Files that nobody needs any more, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Records of ended sessions whose last sign of life is more than 30 days old.
    pub ended: Vec<PathBuf>,
    /// Rotated logs beyond the newest five.
    pub logs: Vec<PathBuf>,
    /// Temporary files of writers that died, older than an hour.
    pub temporary: Vec<PathBuf>,
    /// Records of shell commands of sessions whose last one began more than a week ago.
    pub calls: Vec<PathBuf>,
    /// Lists of what a session wrote and of where its leases are, of sessions that can't be resumed any more.
    pub touched: Vec<PathBuf>,
}

impl Leftovers {
    fn each(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.ended, &self.logs, &self.temporary, &self.calls, &self.touched].into_iter().flatten()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.each().count()
    }
}

impl Store {
    /// What may go from the state directory at `now_ms`. Links are not followed.
    #[must_use]
    pub fn leftovers(&self, now_ms: u64) -> Leftovers {
        let old = |modified: u64, limit: u64| now_ms.saturating_sub(modified) > limit;
        let records = |dir: &str, limit: u64| -> Vec<PathBuf> {
            let is_old = |(path, at): &(PathBuf, u64)| {
                path.extension().is_some_and(|e| e == "json" || e == "jsonl")
                    && !hidden(path)
                    && old(*at, limit)
            };
            plain_files(&self.dir, dir).into_iter().filter(is_old).map(|(path, _)| path).collect()
        };
        let (ended, calls) = (records("sessions/ended", ENDED_MS), records("calls", CALL_MS));
        // A session that is silent for as long has nothing to hand over, unless its record says that it goes on.
        let touched = ["touched", super::leases::held::DIR]
            .into_iter()
            .flat_map(|dir| plain_files(&self.dir, dir))
            .filter(|(path, at)| {
                let goes_on = |stem: &std::ffi::OsStr| {
                    ["sessions", "sessions/ended"].iter().any(|dir| {
                        let mut name = stem.to_owned();
                        name.push(".jsonl");
                        let record = self.dir.join(dir).join(name);
                        record.symlink_metadata().is_ok() && !ended.contains(&record)
                    })
                };
                let is_record = path.extension().is_some_and(|e| e == "jsonl") && !hidden(path);
                is_record && old(*at, ENDED_MS) && !path.file_stem().is_some_and(goes_on)
            })
            .map(|(path, _)| path)
            .collect();
        let mut logs: Vec<((u64, u64), PathBuf)> = plain_files(&self.dir, "log")
            .into_iter()
            .filter_map(|(path, _)| Some((rotated(&path)?, path)))
            .collect();
        logs.sort();
        logs.truncate(logs.len().saturating_sub(LOGS));
        let temporary = [
            "",
            "sessions",
            "sessions/ended",
            "leases",
            super::leases::held::DIR,
            "log",
            "calls",
            "touched",
            "outbox/rejected",
            "ledger",
        ]
        .map(str::to_owned)
        .into_iter()
        .chain(directories(&self.dir, "ledger"))
        .chain(directories(&self.dir, "handoffs"))
        .flat_map(|dir| plain_files(&self.dir, &dir))
        .filter(|(path, at)| {
            hidden(path) && path.extension().is_some_and(|e| e == "tmp") && old(*at, TEMPORARY_MS)
        })
        .map(|(path, _)| path)
        .collect();
        Leftovers { ended, logs: logs.into_iter().map(|(_, path)| path).collect(), temporary, calls, touched }
    }

    /// Removes what may go, and says what went.
    ///
    /// # Errors
    /// When a file can't be removed, or when the sessions' lock is not free in time.
    pub fn prune(&self, now_ms: u64, deadline: Deadline) -> Result<Leftovers> {
        if self.leftovers(now_ms).count() == 0 {
            return Ok(Leftovers::default());
        }
        // A session that is just being resumed reads its ended record under this lock.
        let _lock = self.lock("sessions", deadline)?;
        let found = self.leftovers(now_ms);
        for path in found.each() {
            match std::fs::remove_file(path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", path)(e));
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

/// The plain files in `below` of `state`, each with its modification time, sorted; none where a
/// part of that path is a link.
pub(super) fn plain_files(state: &Path, below: &str) -> Vec<(PathBuf, u64)> {
    files(state, below, std::fs::Metadata::is_file)
}

/// As [`plain_files`], with all that `wanted` takes.
pub(super) fn files(
    state: &Path,
    below: &str,
    wanted: fn(&std::fs::Metadata) -> bool,
) -> Vec<(PathBuf, u64)> {
    let is_dir = |dir: &Path| dir.symlink_metadata().is_ok_and(|meta| meta.is_dir());
    let mut dir = state.to_path_buf();
    for part in below.split('/').filter(|part| !part.is_empty()) {
        if !is_dir(&dir) {
            return Vec::new();
        }
        dir.push(part);
    }
    if !is_dir(&dir) {
        return Vec::new();
    }
    let entries = std::fs::read_dir(&dir).into_iter().flatten().flatten();
    let mut files: Vec<(PathBuf, u64)> = entries
        .filter_map(|entry| {
            let path = entry.path();
            let meta = path.symlink_metadata().ok().filter(wanted)?;
            Some((path, clock::ms_of(meta.modified().ok()?)))
        })
        .collect();
    files.sort();
    files
}

/// The directories below `below` of `state`, at any depth, by their paths in `state`. Links are none.
fn directories(state: &Path, below: &str) -> Vec<String> {
    let (mut found, mut open) = (Vec::new(), vec![below.to_owned()]);
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(state.join(&dir)).into_iter().flatten().flatten() {
            if let (true, Some(name)) =
                (entry.file_type().is_ok_and(|t| t.is_dir()), entry.file_name().to_str())
            {
                open.push([&dir, "/", name].concat());
            }
        }
        if dir != below {
            found.push(dir);
        }
    }
    found
}

/// When the log `events-<ms>-<pid>.jsonl` was rotated, and by whom.
pub(super) fn rotated(path: &Path) -> Option<(u64, u64)> {
    let name = path.file_name()?.to_str()?;
    let (ms, pid) = name.strip_prefix("events-")?.strip_suffix(".jsonl")?.split_once('-')?;
    Some((ms.parse().ok()?, pid.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_what_is_old_goes() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Store::new(dir.path().join("state"));
        let now = clock::now_ms();
        let put = |path: &str, age_ms: u64| {
            let path = store.dir().join(path);
            std::fs::create_dir_all(path.parent().expect("parent")).expect("dirs");
            std::fs::write(&path, "{}").expect("writes");
            let file = std::fs::File::options().write(true).open(&path).expect("opens");
            let time = std::time::UNIX_EPOCH + Duration::from_millis(now - age_ms);
            file.set_modified(time).expect("time");
        };
        let day = 24 * 60 * 60 * 1000;
        put("sessions/ended/old.jsonl", 31 * day);
        put("sessions/ended/new.jsonl", 29 * day);
        put("sessions/live.jsonl", 99 * day);
        // Of a session that ended long ago, of one that nobody knows, and of three that may go on or are fresh.
        for (id, age) in [("old", 31), ("gone", 31), ("new", 40), ("live", 40), ("fresh", 1)] {
            put(&format!("touched/{id}.jsonl"), age * day);
        }
        put("leases/of/gone.jsonl", 31 * day);
        put("leases/of/live.jsonl", 31 * day);
        put("leases/of/complete.json", 31 * day);
        put("calls/old.jsonl", 8 * day);
        put("calls/new.jsonl", 6 * day);
        put(".registry.json.1-0.tmp", day);
        put("sessions/.s.jsonl.1-0.tmp", day);
        put("outbox/rejected/.a.md.why.txt.1-0.tmp", day);
        put("ledger/messages/.a.jsonl.1-0.tmp", day);
        put("handoffs/backend/.t.md.1-0.tmp", day);
        put("handoffs/backend/taken/.t.md.1-0.tmp", day);
        put("leases/.00.jsonl.1-0.tmp", 1000);
        put("registry.json", 99 * day);
        put("log/events.jsonl", 99 * day);
        for at in [9, 10, 11, 100, 200, 300, 400] {
            put(&format!("log/events-{at}-7.jsonl"), 99 * day);
        }
        let went = store.prune(now, Deadline::after(Duration::from_secs(5))).expect("prunes");
        assert_eq!((went.ended.len(), went.logs.len(), went.temporary.len()), (1, 2, 6), "{went:?}");
        assert_eq!(went.calls, [store.dir().join("calls/old.jsonl")]);
        let lists = ["touched/gone.jsonl", "touched/old.jsonl", "leases/of/gone.jsonl"];
        assert_eq!(went.touched, lists.map(|list| store.dir().join(list)));
        assert!(went.logs[0].ends_with("events-9-7.jsonl") && went.logs[1].ends_with("events-10-7.jsonl"));
        for kept in [
            "sessions/ended/new.jsonl",
            "sessions/live.jsonl",
            "calls/new.jsonl",
            "touched/new.jsonl",
            "touched/live.jsonl",
            "touched/fresh.jsonl",
            "leases/of/live.jsonl",
            "leases/of/complete.json",
            "registry.json",
            "log/events.jsonl",
        ] {
            assert!(store.dir().join(kept).is_file(), "{kept}");
        }
        assert!(store.dir().join("leases/.00.jsonl.1-0.tmp").is_file());
        assert!(went.each().all(|path| !path.exists()));
        assert_eq!(store.leftovers(now).count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let dir = tempfile::tempdir().expect("temp dir");
        let other = dir.path().join("other");
        std::fs::create_dir_all(other.join("ended")).expect("dirs");
        std::fs::write(other.join("ended/a.json"), "{}").expect("writes");
        let state = dir.path().join("state");
        std::fs::create_dir(&state).expect("makes");
        std::os::unix::fs::symlink(&other, state.join("sessions")).expect("links");
        assert_eq!(Store::new(state).leftovers(u64::MAX).count(), 0);
    }
}
