//! Linked git worktrees, read from git's own files (gitrepository-layout(5)), without running git.

use std::path::{Path, PathBuf};

use crate::path;
use crate::store::file;

/// A linked worktree and the main one it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worktree {
    /// The linked worktree's top directory.
    pub top: PathBuf,
    /// The main worktree's top directory.
    pub main: PathBuf,
}

/// What `.git` in a directory is.
pub(super) enum Git {
    /// There is none.
    None,
    /// A repository's main worktree, a submodule, or something unknown.
    Top,
    /// A linked worktree.
    Linked(Worktree),
}

/// True if `dir` (a real path) is the top of a linked worktree.
#[must_use]
pub fn is_linked_worktree(dir: &Path) -> bool {
    matches!(probe(dir), Git::Linked(_))
}

/// Git's files that are read here are one short line each.
const MAX: u64 = 16 * 1024;

/// What `.git` in `dir` (a real path) is.
pub(super) fn probe(dir: &Path) -> Git {
    let dot_git = dir.join(".git");
    let Ok(meta) = dot_git.symlink_metadata() else { return Git::None };
    if !meta.is_file() {
        return Git::Top;
    }
    linked(dir, &dot_git).map_or(Git::Top, Git::Linked)
}

/// The worktree whose `.git` file this is. The repository must point back to it, so that a file
/// that merely claims to be a worktree changes nothing.
fn linked(top: &Path, dot_git: &Path) -> Option<Worktree> {
    let text = line(dot_git)?;
    let admin = path::real(&path::lexical(top, Path::new(text.strip_prefix("gitdir:")?.trim()))).ok()?;
    let back = line(&admin.join("gitdir"))?;
    if path::real(&path::lexical(&admin, Path::new(&back))).ok()? != dot_git {
        return None;
    }
    let common = line(&admin.join("commondir"))?;
    let common = path::real(&path::lexical(&admin, Path::new(&common))).ok()?;
    // A bare repository has no main worktree.
    let main = (common.file_name()? == ".git").then(|| common.parent())??;
    Some(Worktree { top: top.to_path_buf(), main: main.to_path_buf() })
}

/// The one line of a file of git's.
pub(super) fn line(path: &Path) -> Option<String> {
    let text = file::read(path, MAX).ok()??;
    Some(text.trim_end_matches(['\r', '\n']).to_owned())
}
