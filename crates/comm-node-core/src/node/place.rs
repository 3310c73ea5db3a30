//! Where in a node a path is: the thing that every rule is applied to.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

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
    Worktrees::default().locate(registry, real)
}

/// So many directories are remembered at most.
const REMEMBERED: usize = 64;

/// What one process found out about the directories of one node: which of them lie in linked worktrees. Each is
/// looked at once, so it is of use for one answer and no longer.
#[derive(Debug, Default)]
pub struct Worktrees(Mutex<Vec<(PathBuf, Option<Worktree>)>>);

impl Worktrees {
    /// As [`locate`].
    #[must_use]
    pub fn locate(&self, registry: &Registry<'_>, real: &Path) -> Place {
        let direct = registry.tree_of(real);
        let stop = direct.map(|(tree, _)| Path::new(registry.trees[tree].as_str()));
        if let Some(mapped) = self.in_main(real, stop)
            && let Some((tree, below)) = registry.tree_of(&mapped)
        {
            return inside(registry, tree, below, real);
        }
        match direct {
            Some((tree, below)) => inside(registry, tree, below, real),
            None => Place::Outside { real: real.to_path_buf() },
        }
    }

    /// `real` carried over to the main worktree, if it lies in a linked one.
    fn in_main(&self, real: &Path, stop: Option<&Path>) -> Option<PathBuf> {
        let Worktree { top, main } = self.above(real.parent()?, stop)?;
        Some(main.join(real.strip_prefix(top).ok()?))
    }

    /// The linked worktree that `dir` lies in. Looks at it and the directories above it up to `stop`, which is not
    /// looked at.
    fn above(&self, dir: &Path, stop: Option<&Path>) -> Option<Worktree> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut passed, mut found) = (0, None);
        for here in dir.ancestors() {
            if Some(here) == stop {
                break;
            }
            if let Some((_, before)) = known.iter().find(|(d, _)| d == here) {
                found.clone_from(before);
                break;
            }
            passed += 1;
            match worktree::probe(here) {
                Git::None => continue,
                Git::Top => {}
                Git::Linked(tree) => found = Some(tree),
            }
            break;
        }
        let new = dir.ancestors().take(passed).map(|here| (here.to_path_buf(), found.clone()));
        let room = REMEMBERED.saturating_sub(known.len());
        known.extend(new.take(room));
        found
    }
}

fn inside(registry: &Registry<'_>, tree: usize, below: &Path, real: &Path) -> Place {
    Place::Inside { tree, key: path::key(below, registry.fold_case), real: real.to_path_buf() }
}
