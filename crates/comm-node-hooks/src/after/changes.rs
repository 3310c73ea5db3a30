//! What changed in a directory tree since a command began, by the times that the file system itself keeps.
//!
//! A file's change time is set by every write, rename and change of mode, and by nobody's choice, so no
//! picture of the tree from before is needed. What is gone can't be seen so; a directory's own change
//! hints at it.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::Duration;

use comm_node_core::deadline::Deadline;
use comm_node_core::node::{STATE, is_linked_worktree, registry::SourceId};

/// How many entries are looked at, and for how long.
const ENTRIES: usize = 200_000;
const PATIENCE: Duration = Duration::from_millis(800);
/// More changed files are not told apart any more.
const FILES: usize = 3_000;

/// What changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Files and links, new ones among them.
    pub files: Vec<PathBuf>,
    /// Directories in which a name was made, removed or replaced.
    pub dirs: Vec<PathBuf>,
    /// False if the tree was too large, or changed too much, to be looked through.
    pub complete: bool,
}

/// What changed below `roots` since `began_ns`.
pub(super) fn since(began_ns: u64, roots: &[PathBuf], deadline: Deadline) -> Changes {
    let limit = deadline.at_most(PATIENCE);
    let mut changes = Changes { complete: true, ..Changes::default() };
    let mut left = ENTRIES;
    for root in roots {
        // A directory that lies in another one was looked at with it, unless another worktree is between.
        let with = |other: &PathBuf| {
            other != root
                && root.starts_with(other)
                && !root.ancestors().take_while(|above| above != other).any(is_linked_worktree)
        };
        if !roots.iter().any(with) {
            walk(root, began_ns, limit, &mut left, &mut changes);
        }
        if !changes.complete {
            break;
        }
    }
    changes
}

fn walk(root: &Path, began_ns: u64, limit: Deadline, left: &mut usize, changes: &mut Changes) {
    let mut dirs = vec![root.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        let Ok(meta) = dir.symlink_metadata() else { continue };
        if !meta.is_dir() {
            if changed(&meta) >= began_ns {
                changes.files.push(dir);
            }
            continue;
        }
        let Ok(entries) = dir.read_dir() else { continue };
        let mut cache = false;
        let (old_dirs, old_files) = (dirs.len(), changes.files.len());
        for entry in entries.flatten() {
            if *left == 0 || (left.is_multiple_of(256) && limit.passed()) || changes.files.len() >= FILES {
                changes.complete = false;
                return;
            }
            *left -= 1;
            let name = entry.file_name();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => {
                    if !is_passed_over(&name.to_string_lossy()) {
                        dirs.push(entry.path());
                    }
                }
                Ok(_) => {
                    // Another worktree has sessions of its own.
                    cache |=
                        name == "CACHEDIR.TAG" || (name == ".git" && dir != root && is_linked_worktree(&dir));
                    if entry.metadata().is_ok_and(|meta| changed(&meta) >= began_ns) {
                        changes.files.push(entry.path());
                    }
                }
                Err(_) => {}
            }
        }
        if cache {
            // What says of itself that it can be made again is nobody's work.
            dirs.truncate(old_dirs);
            changes.files.truncate(old_files);
        } else if SourceId::of(&meta).mtime_ns >= began_ns {
            changes.dirs.push(dir);
        }
    }
}

/// When a file was last changed, nanoseconds since 1970.
pub(super) fn changed(meta: &Metadata) -> u64 {
    let id = SourceId::of(meta);
    if cfg!(unix) { id.ctime_ns } else { id.mtime_ns }
}

/// Directories that hold what tools make for themselves, and git's and our own.
fn is_passed_over(name: &str) -> bool {
    matches!(name, ".git" | STATE | "node_modules" | ".venv" | "__pycache__")
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn touch(path: &Path) {
        std::fs::create_dir_all(path.parent().expect("parent")).expect("makes");
        std::fs::write(path, "x").expect("writes");
    }

    #[test]
    fn what_changed_since() {
        let dir = tempfile::tempdir().expect("temp dir");
        let top = dir.path().canonicalize().expect("real");
        for file in ["old/a", "old/b", "gone/c", "moved/d", "moded/e", "target/CACHEDIR.TAG"] {
            touch(&top.join(file));
        }
        // Times are as coarse as the system's tick.
        std::thread::sleep(Duration::from_millis(30));
        touch(&top.join("mark"));
        let began = changed(&top.join("mark").metadata().expect("there"));
        std::fs::remove_file(top.join("mark")).expect("removes");
        touch(&top.join("old/b"));
        touch(&top.join("new/deep/f"));
        for file in [".git/x", ".comm-node/x", "a/node_modules/x", "target/debug/x", ".venv/x"] {
            touch(&top.join(file));
        }
        std::fs::remove_file(top.join("gone/c")).expect("removes");
        std::fs::rename(top.join("moved/d"), top.join("moved/d2")).expect("renames");
        let modes = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(top.join("moded/e"), modes).expect("sets");
        std::os::unix::fs::symlink("/etc", top.join("link")).expect("links");
        let mut found =
            since(began, &[top.clone(), top.join("old")], Deadline::after(Duration::from_secs(60)));
        found.files.sort();
        found.dirs.sort();
        let paths = |names: &[&str]| names.iter().map(|name| top.join(name)).collect::<Vec<_>>();
        assert_eq!(found.files, paths(&["link", "moded/e", "moved/d2", "new/deep/f", "old/b"]));
        assert!(found.complete);
        let dirs: Vec<&PathBuf> = found.dirs.iter().filter(|d| !d.ends_with("a") && **d != top).collect();
        assert_eq!(dirs, paths(&["gone", "moved", "new", "new/deep"]).iter().collect::<Vec<_>>());
        let none = since(u64::MAX, std::slice::from_ref(&top), Deadline::after(Duration::from_secs(60)));
        assert_eq!(none, Changes { complete: true, ..Changes::default() });
        let late = since(began, &[top], Deadline::after(Duration::ZERO));
        assert!(late.files.len() <= FILES);
    }

    #[test]
    fn too_much_is_said() {
        let dir = tempfile::tempdir().expect("temp dir");
        for i in 0..=FILES {
            touch(&dir.path().join(i.to_string()));
        }
        let found = since(0, &[dir.path().to_path_buf()], Deadline::after(Duration::from_secs(60)));
        assert!(!found.complete && found.files.len() == FILES);
    }
}
