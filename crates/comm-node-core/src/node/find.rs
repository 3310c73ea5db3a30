//! From a directory to the node it belongs to.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use super::registry::{Layout, SourceId};
use super::worktree::{self, Git};
use super::{LINK, REGISTRY, STATE, YAML};
use crate::store::file;
use crate::{Error, Result, path};

/// The node that `dir` (absolute) belongs to: the first directory upwards with `comm-node.yaml`,
/// with the rules of one whose `comm-node.yaml` is gone, or with a `.comm-node/link` that points to
/// one. In a linked git worktree it is the main
/// worktree's node, so that all worktrees share one state.
///
/// # Errors
/// When a link file is there but can't be followed; the directory then does belong to a node,
/// and the caller must not go on as if there were none.
pub fn find(dir: &Path) -> Result<Option<Layout>> {
    find_from(&path::real(dir)?, None)
}

/// [`find`] for a `dir` that is real. `searched` is a directory above it from which the search
/// already found nothing; it ends there.
///
/// # Errors
/// As [`find`].
pub fn find_from(dir: &Path, searched: Option<&Path>) -> Result<Option<Layout>> {
    let (mut found, mut met): (Option<PathBuf>, Option<SourceId>) = (None, None);
    for here in dir.ancestors() {
        if found.is_none() && searched == Some(here) {
            return Ok(None);
        }
        if found.is_none() {
            if let Some(meta) = file_at(&here.join(YAML)) {
                found = Some(here.to_path_buf());
                met = Some(meta).filter(Metadata::is_file).map(|meta| SourceId::of(&meta));
            } else if here.join(STATE).symlink_metadata().is_ok() {
                if let Some(root) = follow_link(here)? {
                    return Ok(Some(Layout::at(root)));
                }
                found = has_rules(here).then(|| here.to_path_buf());
            }
        }
        match worktree::probe(here) {
            Git::None => {}
            // A node above a repository is still looked for, a worktree is not.
            Git::Top if found.is_some() => break,
            Git::Top => {}
            Git::Linked(tree) => {
                let start = found.as_deref().unwrap_or(dir);
                let below = start.strip_prefix(here).unwrap_or(Path::new(""));
                if let Some(root) = in_main(&tree.main, below) {
                    return Ok(Some(Layout::at(root)));
                }
                if found.is_some() {
                    break;
                }
            }
        }
    }
    Ok(found.map(|root| Layout { root, met }))
}

/// The node of the main worktree that holds `below`.
fn in_main(main: &Path, below: &Path) -> Option<PathBuf> {
    let is_node = |here: &PathBuf| is_file(&here.join(YAML)) || has_rules(here);
    below.ancestors().map(|part| main.join(part)).find(is_node).map(|root| {
        // `join("")` leaves a trailing separator.
        root.components().collect()
    })
}

/// True for a node whose `comm-node.yaml` is gone: its last rules stay in force, so that nobody gets
/// out of them by moving the file away, or by looking at an older commit.
fn has_rules(dir: &Path) -> bool {
    dir.join(STATE).join(REGISTRY).symlink_metadata().is_ok()
}

fn is_file(path: &Path) -> bool {
    file_at(path).is_some()
}

/// What stands at `path`, if that is a file or a link that leads to one.
fn file_at(path: &Path) -> Option<Metadata> {
    path.symlink_metadata().ok().filter(|m| m.is_file() || m.is_symlink() && path.is_file())
}

/// The node that `.comm-node/link` in `dir` names, if there is such a file.
fn follow_link(dir: &Path) -> Result<Option<PathBuf>> {
    let link = dir.join(STATE).join(LINK);
    let Some(target) = read_link_file(&link)? else { return Ok(None) };
    let root = path::real(&path::lexical(dir, Path::new(&target)))?;
    if is_file(&root.join(YAML)) {
        return Ok(Some(root));
    }
    Err(Error::Damaged {
        path: link,
        why: format!("it points to {}, where there is no {YAML}", root.display()),
    })
}

/// The path that a link file gives, relative to the directory that holds `.comm-node/`; `None`
/// where there is no such file.
///
/// # Errors
/// When the file can't be read or holds something else.
pub fn read_link_file(link: &Path) -> Result<Option<String>> {
    let Some(text) = file::read(link, 16 * 1024)? else { return Ok(None) };
    let damaged = |why: &str| Error::Damaged { path: link.to_path_buf(), why: why.to_owned() };
    let mut node = None;
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
        match line.split_once(':').map(|(k, v)| (k.trim(), v.trim())) {
            Some(("version", "1")) => {}
            Some(("version", _)) => {
                return Err(damaged("it has a version that this comm-node does not know"));
            }
            Some(("node", path)) if !path.is_empty() => node = Some(path.to_owned()),
            _ => return Err(damaged("it must hold `version: 1` and `node: <path to the node>`")),
        }
    }
    node.map(Some).ok_or_else(|| damaged("it lacks the line `node: <path to the node>`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("temp dir");
        let top = dir.path().canonicalize().expect("real");
        for file in files {
            let path = top.join(file);
            std::fs::create_dir_all(path.parent().expect("parent")).expect("dirs");
            let text = if file.ends_with(LINK) { "version: 1\nnode: ../a\n" } else { "" };
            std::fs::write(path, text).expect("writes");
        }
        (dir, top)
    }

    fn root(dir: &Path) -> Option<PathBuf> {
        find(dir).expect("readable").map(|layout| layout.root)
    }

    #[test]
    fn the_nearest_node_upwards() {
        let (_dir, top) = tree(&["a/comm-node.yaml", "a/b/c/x", "a/b/comm-node.yaml", "d/x"]);
        assert_eq!(root(&top.join("a/b/c")), Some(top.join("a/b")));
        assert_eq!(root(&top.join("a")), Some(top.join("a")));
        assert_eq!(root(&top.join("a/none/yet")), Some(top.join("a")));
        assert_eq!(root(&top.join("d")), None);
    }

    #[test]
    fn rules_outlive_their_file() {
        let (_dir, top) = tree(&["a/.comm-node/registry.json", "a/b/x", "c/.comm-node/other"]);
        assert_eq!(root(&top.join("a/b")), Some(top.join("a")));
        assert_eq!(root(&top.join("c")), None);
    }

    #[test]
    fn a_link_leads_to_the_node_or_is_an_error() {
        let (_dir, top) = tree(&["a/comm-node.yaml", "b/.comm-node/link", "b/src/x"]);
        assert_eq!(root(&top.join("b/src")), Some(top.join("a")));
        std::fs::remove_file(top.join("a/comm-node.yaml")).expect("removes");
        assert!(find(&top.join("b/src")).is_err(), "a link that leads nowhere is no absence of a node");
    }
}
