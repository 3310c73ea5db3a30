//! What must be a directory and what a plain file in the state directory, and what stands there instead.
//!
//! Whatever is of another kind is refused by who meets it: nothing is read from a pipe or written through a link. So a
//! node may stand still for it, and this says for what.

use std::path::{Path, PathBuf};

use super::{Store, is_plain_dir};
use crate::mail::is_name;
use crate::session::SessionId;

/// The directories. What stands in `<…>` is a name of that sort.
const DIRECTORIES: [&str; 31] = [
    "sessions",
    "sessions/ended",
    "leases",
    "leases/of",
    "calls",
    "touched",
    "log",
    "mail",
    "mail/<domain>",
    "mail/<domain>/new",
    "mail/<domain>/cur",
    "mail/<domain>/tmp",
    "sending",
    "sent",
    "sent/<domain>",
    "sent/<domain>/due",
    "sent/<domain>/<month>",
    "sent/<domain>/<month>/<day>",
    "outbox",
    "outbox/.routing",
    "outbox/rejected",
    "ledger",
    "ledger/mail",
    "ledger/mail/<domain>",
    "ledger/sessions",
    "ledger/sessions/<session>",
    "ledger/domains",
    "ledger/tasks",
    "ledger/budgets",
    "ledger/messages",
    "handoffs",
];

/// The plain files.
const FILES: [&str; 23] = [
    "<name>.lock",
    "registry.json",
    "fencing.json",
    "kickoff.json",
    "lookout",
    "mail.last",
    "sessions/<session>.jsonl",
    "sessions/<session>.turn",
    "sessions/ended/<session>.jsonl",
    "leases/explicit.jsonl",
    "leases/<byte>.jsonl",
    "leases/last.json",
    "leases/of/complete.json",
    "leases/of/<session>.jsonl",
    "calls/<session>.jsonl",
    "touched/<session>.jsonl",
    "log/events.jsonl",
    "ledger/standing.json",
    "ledger/mail/<domain>/<month>.jsonl",
    "ledger/sessions/<session>/<part>.ids",
    "ledger/domains/<domain>.jsonl",
    "ledger/budgets/<domain>.json",
    "ledger/messages/<domain>.jsonl",
];

impl Store {
    /// What is of another kind than it must be, each with what it is and should be, sorted. Links are not followed.
    #[must_use]
    pub fn misplaced(&self) -> Vec<(PathBuf, String)> {
        let mut found = Vec::new();
        if !is_plain_dir(&self.dir) {
            return found;
        }
        let wanted = DIRECTORIES.iter().map(|p| (p, true)).chain(FILES.iter().map(|p| (p, false)));
        for (pattern, is_dir) in wanted {
            for path in meant(&self.dir, pattern) {
                let Ok(meta) = path.symlink_metadata() else { continue };
                if is_dir != meta.is_dir() || !is_dir && !meta.is_file() {
                    let should = if is_dir { "a directory" } else { "a plain file" };
                    found.push((path, format!("it is {}, and must be {should}", kind(&meta))));
                }
            }
        }
        found.sort();
        found
    }
}

/// The paths that `pattern` means, whether or not something is there; none below what is no plain directory.
fn meant(state: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut paths = vec![state.to_path_buf()];
    for part in pattern.split('/') {
        let mut next = Vec::new();
        for dir in paths.iter().filter(|dir| is_plain_dir(dir)) {
            let Some((sort, ending)) = part.strip_prefix('<').and_then(|part| part.split_once('>')) else {
                next.push(dir.join(part));
                continue;
            };
            for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
                let name = entry.file_name();
                if name.to_str().and_then(|name| name.strip_suffix(ending)).is_some_and(|n| is_of(sort, n)) {
                    next.push(entry.path());
                }
            }
        }
        paths = next;
    }
    paths
}

fn is_of(sort: &str, name: &str) -> bool {
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    match sort {
        "domain" | "part" => is_name(name),
        "session" => SessionId::new(name).is_ok_and(|id| id.as_str() == name) && !name.contains(".damaged-"),
        "month" => name.split_once('-').is_some_and(|(year, month)| digits(year, 4) && digits(month, 2)),
        "day" => digits(name, 2),
        "byte" => name.len() == 2 && name.bytes().all(|b| b.is_ascii_hexdigit()),
        _ => !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase()),
    }
}

fn kind(meta: &std::fs::Metadata) -> &'static str {
    if meta.is_symlink() {
        "a symbolic link"
    } else if meta.is_dir() {
        "a directory"
    } else if meta.is_file() {
        "a plain file"
    } else {
        "a pipe, a socket or a device"
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    /// A path that a pattern means.
    fn example(pattern: &str) -> String {
        let sorts = [
            ("<name>", "leases"),
            ("<domain>", "backend"),
            ("<session>", "s-a"),
            ("<part>", "main"),
            ("<month>", "2026-11"),
            ("<day>", "26"),
            ("<byte>", "7c"),
        ];
        sorts.iter().fold(pattern.to_owned(), |path, (sort, name)| path.replace(sort, name))
    }

    #[test]
    fn whatever_is_of_the_wrong_kind_is_named_and_what_is_right_is_not() {
        let wanted = DIRECTORIES.iter().map(|p| (p, true)).chain(FILES.iter().map(|p| (p, false)));
        for (pattern, is_dir) in wanted {
            for instead in ["right", "nothing", "a directory", "a plain file", "a symbolic link", "a socket"]
            {
                let dir = tempfile::tempdir_in("/tmp").expect("temp dir");
                let store = Store::new(dir.path().join("n"));
                let path = store.dir().join(example(pattern));
                std::fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
                match (instead, is_dir) {
                    ("nothing", _) => {}
                    ("right" | "a directory", true) | ("a directory", false) => {
                        std::fs::create_dir(&path).expect("makes");
                    }
                    ("right" | "a plain file", false) | ("a plain file", true) => {
                        std::fs::write(&path, "").expect("writes");
                    }
                    ("a symbolic link", _) => {
                        let to = dir.path().join("to");
                        if is_dir {
                            std::fs::create_dir(&to).expect("makes");
                        } else {
                            std::fs::write(&to, "").expect("writes");
                        }
                        symlink(&to, &path).expect("links");
                    }
                    _ => drop(UnixListener::bind(&path).expect("binds")),
                }
                let fine = ["right", "nothing", if is_dir { "a directory" } else { "a plain file" }];
                let found = store.misplaced();
                if fine.contains(&instead) {
                    assert!(found.is_empty(), "{pattern}, {instead}: {found:?}");
                    continue;
                }
                let [(named, why)] = found.as_slice() else { panic!("{pattern}, {instead}: {found:?}") };
                assert_eq!(*named, path, "{pattern}, {instead}");
                let should = if is_dir { "must be a directory" } else { "must be a plain file" };
                let is = if instead == "a socket" { "a pipe, a socket" } else { instead };
                assert!(why.contains(is) && why.contains(should), "{pattern}, {instead}: {why}");
                store.set_aside(&path).expect("sets aside");
                assert!(store.misplaced().is_empty(), "{pattern}, {instead}: set aside");
            }
        }
    }

    #[test]
    fn what_is_nobodys_is_left_alone() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Store::new(dir.path().join("n"));
        for name in
            ["mail/notes.txt", "mail/backend.damaged-1", "sent/a/notes.md", "leases/00.jsonl.damaged-1"]
        {
            let path = store.dir().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
            std::fs::write(path, "").expect("writes");
        }
        assert_eq!(store.misplaced(), []);
        let linked = Store::new(dir.path().join("l"));
        symlink(dir.path().join("n"), linked.dir()).expect("links");
        std::fs::write(store.dir().join("sending"), "").expect("writes");
        assert_eq!((store.misplaced().len(), linked.misplaced().len()), (1, 0));
    }
}
