//! The commit that a git worktree stands on, read from git's own files
//! (gitrepository-layout(5)), without running git.

use std::path::{Path, PathBuf};

use super::worktree::line;
use crate::path;
use crate::store::file;

/// A worktree and its commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The worktree's top directory.
    pub top: PathBuf,
    /// The commit's id, in hexadecimal.
    pub commit: String,
}

/// `packed-refs` has a line of some 60 bytes for every branch and tag.
const MAX_PACKED: u64 = 16 << 20;

/// The id of the tree without files, which git knows without being given it.
const EMPTY: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
/// The same in a repository with SHA-256.
const EMPTY_256: &str = "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321";
/// No configuration of a repository is sensibly larger.
const MAX_CONFIG: u64 = 1 << 20;

/// Where the worktree that holds `dir` (a real path) stands. `None` outside of one, before the
/// first commit, and where git keeps its references in another format.
#[must_use]
pub fn head(dir: &Path) -> Option<Head> {
    stand(dir, |_, _| None)
}

impl Head {
    /// True if there is no commit yet, so that this is the tree without files.
    #[must_use]
    pub fn is_unborn(&self) -> bool {
        [EMPTY, EMPTY_256].contains(&self.commit.as_str())
    }
}

/// As [`head`], and before the first commit the tree without files: what the first commit holds is what differs from that.
#[must_use]
pub fn head_or_empty(dir: &Path) -> Option<Head> {
    stand(dir, |common, name| {
        let missing = |path: &str| file::is_missing(&common.join(path));
        // Where references are kept in another format, this says nothing of them.
        let none = missing(name) && missing("packed-refs") && missing("reftable");
        none.then(|| {
            let config = file::read(&common.join("config"), MAX_CONFIG).ok().flatten().unwrap_or_default();
            let is_256 = config.lines().any(|line| {
                let (key, value) = line.split_once('=').unwrap_or((line, ""));
                key.trim().eq_ignore_ascii_case("objectformat") && value.trim().eq_ignore_ascii_case("sha256")
            });
            if is_256 { EMPTY_256 } else { EMPTY }.to_owned()
        })
    })
}

/// Where the worktree that holds `dir` stands; of a branch without a commit, `unborn` says it, given the repository's directory
/// and the branch's full name.
fn stand(dir: &Path, unborn: impl FnOnce(&Path, &str) -> Option<String>) -> Option<Head> {
    let top = dir.ancestors().find(|d| d.join(".git").symlink_metadata().is_ok())?;
    let dot_git = top.join(".git");
    let admin = match line(&dot_git) {
        Some(text) => path::lexical(top, Path::new(text.strip_prefix("gitdir:")?.trim())),
        None => dot_git,
    };
    let text = line(&admin.join("HEAD"))?;
    let commit = match text.strip_prefix("ref:") {
        None => text,
        Some(name) => {
            let name = name.trim();
            let common = line(&admin.join("commondir"))
                .map_or_else(|| admin.clone(), |dir| path::lexical(&admin, Path::new(&dir)));
            // The name comes from a file in the repository and must not lead out of it.
            let plain = Path::new(name).components().all(|c| matches!(c, std::path::Component::Normal(_)));
            if !plain {
                return None;
            }
            line(&common.join(name)).or_else(|| packed(&common, name)).or_else(|| unborn(&common, name))?
        }
    };
    is_id(&commit).then(|| Head { top: top.to_path_buf(), commit })
}

/// The commit of the reference `name` among the packed ones.
fn packed(common: &Path, name: &str) -> Option<String> {
    let text = file::read(&common.join("packed-refs"), MAX_PACKED).ok()??;
    let found = text.lines().find_map(|l| l.split_once(' ').filter(|(_, n)| *n == name));
    found.map(|(commit, _)| commit.to_owned())
}

/// True for a whole commit id, SHA-1 or SHA-256.
fn is_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn git(dir: &Path, args: &[&str]) -> String {
        let mut git = Command::new("git");
        for (name, _) in std::env::vars_os().filter(|(n, _)| n.to_string_lossy().starts_with("GIT_")) {
            git.env_remove(name);
        }
        let out = git
            .args(["-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"])
            .args(args)
            .current_dir(dir)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .stdin(Stdio::null())
            .output()
            .expect("git runs");
        assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    }

    #[test]
    fn what_git_says() {
        let dir = tempfile::tempdir().expect("a directory");
        let top = path::real(dir.path()).expect("real");
        let main = top.join("main");
        std::fs::create_dir_all(main.join("a/b")).expect("made");
        assert_eq!(head(&main), None, "no repository");
        git(&main, &["init", "-q", "-b", "feature/x"]);
        assert_eq!(head(&main), None, "no commit yet");
        let empty = head_or_empty(&main).expect("a repository");
        assert_eq!(empty.commit, git(&main, &["hash-object", "-t", "tree", "/dev/null"]));
        let other = top.join("sha256");
        std::fs::create_dir(&other).expect("made");
        git(&other, &["init", "-q", "--object-format=sha256"]);
        let of_256 = head_or_empty(&other).expect("a repository");
        assert_eq!(of_256.commit, git(&other, &["hash-object", "-t", "tree", "/dev/null"]));
        let now = |at: &Path| Head { top: at.to_path_buf(), commit: git(at, &["rev-parse", "HEAD"]) };
        let commit = || git(&main, &["commit", "-q", "--allow-empty", "-m", "c"]);
        commit();
        assert_eq!(head(&main.join("a/b")), Some(now(&main)), "a loose reference");
        assert_eq!(head_or_empty(&main), Some(now(&main)));
        assert!(empty.is_unborn() && of_256.is_unborn() && !now(&main).is_unborn());
        git(&main, &["pack-refs", "--all"]);
        assert!(!main.join(".git/refs/heads/feature/x").exists());
        assert_eq!(head(&main), Some(now(&main)), "a packed one");
        commit();
        assert_eq!(head(&main), Some(now(&main)), "a loose one that is newer than the packed one");
        let linked = top.join("linked");
        git(&main, &["worktree", "add", "-q", "-b", "other", "../linked"]);
        git(&linked, &["commit", "-q", "--allow-empty", "-m", "only there"]);
        assert_eq!(head(&linked), Some(now(&linked)), "a linked worktree");
        assert_ne!(head(&linked).map(|h| h.commit), head(&main).map(|h| h.commit));
        git(&main, &["checkout", "-q", "--detach"]);
        assert_eq!(head(&main), Some(now(&main)), "a detached one");
    }

    #[test]
    fn what_is_no_repository_of_ours_says_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let top = path::real(dir.path()).expect("real");
        std::fs::create_dir(top.join(".git")).expect("made");
        let id = "a".repeat(40);
        std::fs::write(top.join("id"), &id).expect("written");
        for text in ["ref: ../id", "ref: /etc/passwd", "ref: refs/heads/none", "", "abc", "ref: "] {
            std::fs::write(top.join(".git/HEAD"), text).expect("written");
            assert_eq!(head(&top), None, "{text:?}");
        }
        std::fs::write(top.join(".git/HEAD"), format!("{id}\n")).expect("written");
        assert_eq!(head(&top).map(|h| h.commit), Some(id));
    }
}
