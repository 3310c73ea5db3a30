//! Where in a node a path is: the thing that every rule is applied to.

use std::path::{Path, PathBuf};

use super::registry::Registry;
use super::worktree::{self, Git, Worktree};
use crate::path;

/// A path as the guard sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In one of the node's trees.
    Inside {
        /// The index in [`Registry::trees`].
        tree: usize,
        /// The path below the tree's top, as patterns are matched with it.
        key: String,
        /// The real path.
        real: PathBuf,
    },
    /// Outside the node.
    Outside {
        /// The real path.
        real: PathBuf,
    },
}

impl Place {
    /// The real path.
    #[must_use]
    pub fn real(&self) -> &Path {
        match self {
            Self::Inside { real, .. } | Self::Outside { real } => real,
        }
    }
}

/// The place of `real`, a path without symlinks (see [`path::real`]).
///
/// A path in a linked worktree is named by what it is relative to that worktree, so that every
/// worktree of a repository has the same rules.
#[must_use]
pub fn locate(registry: &Registry<'_>, real: &Path) -> Place {
    let direct = registry.tree_of(real);
    let stop = direct.map(|(tree, _)| Path::new(registry.trees[tree].as_str()));
    if let Some(mapped) = in_worktree(real, stop)
        && let Some((tree, below)) = registry.tree_of(&mapped)
    {
        return inside(registry, tree, below, real);
    }
    match direct {
        Some((tree, below)) => inside(registry, tree, below, real),
        None => Place::Outside { real: real.to_path_buf() },
    }
}

fn inside(registry: &Registry<'_>, tree: usize, below: &Path, real: &Path) -> Place {
    Place::Inside { tree, key: path::key(below, registry.fold_case), real: real.to_path_buf() }
}

/// `real` carried over to the main worktree, if it lies in a linked one. Looks at the directories
/// above it up to `stop`, which is not looked at.
fn in_worktree(real: &Path, stop: Option<&Path>) -> Option<PathBuf> {
    for here in real.ancestors().skip(1) {
        if Some(here) == stop {
            return None;
        }
        match worktree::probe(here) {
            Git::None => {}
            Git::Top => return None,
            Git::Linked(Worktree { top, main }) => return Some(main.join(real.strip_prefix(top).ok()?)),
        }
    }
    None
}
