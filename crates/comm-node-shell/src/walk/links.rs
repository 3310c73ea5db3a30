//! What stands at the names that a command has made: a write through a link goes elsewhere.
//!
//! The file tree is looked at before the command runs, so it knows nothing of these.

use std::path::{Path, PathBuf};

use comm_node_core::path::lexical;

use super::Walker;
use super::program::below;
use super::state::State;
use crate::table::{Argument, Shape, Standing};
use crate::{FileKind, Why};

/// The most links that are followed.
const MAX_LINKS: usize = 64;
/// The most directories that are remembered.
const MAX_DIRECTORIES: usize = 256;
/// The most paths that one path may stand for.
const MAX_PATHS: usize = 16;

/// What stands at names that the command made.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// Names that lead elsewhere, and where; `None` where that isn't known.
    links: Vec<(PathBuf, Option<PathBuf>)>,
    /// Directories that were made, and whether that is sure.
    made: Vec<(PathBuf, bool)>,
    /// Names that were removed.
    gone: Vec<PathBuf>,
}

impl Links {
    /// Whether a directory was made at `path`: true if so, false if perhaps.
    pub(super) fn made(&self, path: &Path) -> Option<bool> {
        let mut found = None;
        for (directory, sure) in &self.made {
            if directory.starts_with(path) {
                found = Some(found.unwrap_or(false) || *sure);
            }
        }
        // A link may lead to a directory.
        if self.lead(path) { Some(false) } else { found }
    }

    /// Whether `path` may be removed by now.
    pub(super) fn gone(&self, path: &Path) -> bool {
        !self.gone.is_empty() && {
            let path = lexical(Path::new("/"), path);
            self.gone.iter().any(|gone| path.starts_with(gone))
        }
    }

    /// Whether there is a link on the way to `path`, or at it.
    pub(super) fn lead(&self, path: &Path) -> bool {
        self.links.iter().any(|(name, _)| path.starts_with(name))
    }

    /// Where a write at `path` goes besides, and whether that is all. `itself` is false for what
    /// replaces a link that stands right there.
    fn beyond(&self, path: &Path, itself: bool) -> (Vec<PathBuf>, bool) {
        let mut found: Vec<PathBuf> = Vec::new();
        let (mut known, mut next) = (true, 0);
        let mut here = path.to_path_buf();
        loop {
            let normal = lexical(Path::new("/"), &here);
            for (name, target) in &self.links {
                let rest = here.strip_prefix(name).or_else(|_| normal.strip_prefix(name));
                let Ok(rest) = rest else { continue };
                if rest.as_os_str().is_empty() && !itself {
                    continue;
                }
                let Some(target) = target else {
                    known = false;
                    continue;
                };
                // What the link stands for may be a file, which `join("")` would make a directory of.
                let there = if rest.as_os_str().is_empty() { target.clone() } else { target.join(rest) };
                if found.len() >= MAX_PATHS {
                    return (found, false);
                }
                if there != path && !found.contains(&there) {
                    found.push(there);
                }
            }
            match found.get(next) {
                Some(path) => here.clone_from(path),
                None => return (found, known),
            }
            next += 1;
        }
    }

    /// Remembers that `name` leads to `target`.
    fn add(&mut self, name: PathBuf, target: Option<PathBuf>) {
        let full = self.links.len() >= MAX_LINKS;
        // With too many of them any path may be one.
        let link = if full { (PathBuf::from("/"), None) } else { (name, target) };
        if self.links.len() <= MAX_LINKS && !self.links.contains(&link) {
            self.links.push(link);
        }
    }
}

impl Walker<'_> {
    /// Notes what stands at `name` from now on.
    pub(super) fn stands(&mut self, name: &Argument, what: &Standing, state: &State) {
        let Argument::Known(text) = name else { return };
        for place in below(&state.cwds, text) {
            if !self.spend(2 + self.links.links.len()) {
                return;
            }
            let place = lexical(Path::new("/"), &place);
            // The name may itself stand behind a link.
            let (mut names, known) = self.links.beyond(&place, false);
            if !known {
                self.unknown(Why::Path);
            }
            names.push(place);
            for name in names {
                self.place(name, what, state);
            }
        }
    }

    /// Notes what stands at the absolute path `name`.
    fn place(&mut self, name: PathBuf, what: &Standing, state: &State) {
        let known = |argument: &Argument| match argument {
            Argument::Known(text) => Some(text.clone()),
            Argument::Unknown { .. } => None,
        };
        match what {
            Standing::Nothing if self.links.gone.len() < MAX_DIRECTORIES => self.links.gone.push(name),
            Standing::Directory if self.links.made.len() < MAX_DIRECTORIES => {
                let sure = self.certain && state.cwds.len() < 2;
                self.links.made.push((name, sure));
            }
            Standing::Nothing | Standing::Directory => {}
            Standing::Link(target) => {
                let directory = name.parent().unwrap_or(&name);
                let target = known(target).map(|target| directory.join(target).components().collect());
                self.links.add(name, target);
            }
            Standing::Same(target) => match known(target).map(|target| below(&state.cwds, &target)) {
                Some(places) if !places.is_empty() => {
                    for place in places {
                        self.links.add(name.clone(), Some(place.to_path_buf()));
                    }
                }
                _ => self.links.add(name, None),
            },
            Standing::From(source) => {
                let places = known(source).map(|source| below(&state.cwds, &source)).unwrap_or_default();
                if places.is_empty() || !places.iter().all(|place| self.is_own(place)) {
                    self.links.add(name, None);
                }
            }
        }
    }

    /// Whether all that stands at `path` was made by the command, and is no link and holds none.
    fn is_own(&mut self, path: &Path) -> bool {
        let path = lexical(Path::new("/"), path);
        let linked = |name: &Path| name.starts_with(&path) || path.starts_with(name);
        self.spend(4 + self.found.set.writes.len() / 16)
            && self.tree.kind(&path).is_none()
            && !self.links.links.iter().any(|(name, _)| linked(name))
            && self.found.writes(&path)
    }

    /// Where a write at `place` goes besides, because a link stands on the way.
    pub(super) fn beyond(&mut self, place: &Path, shape: Shape) -> Vec<PathBuf> {
        if self.links.links.is_empty() || !self.spend(self.links.links.len()) {
            return Vec::new();
        }
        let (found, known) = self.links.beyond(place, shape != Shape::Entry);
        if !known {
            self.unknown(Why::Path);
        }
        found
    }

    /// Whether `directory` stands in the tree, and nothing that ran before has removed it.
    pub(super) fn stays(&self, directory: &Path) -> bool {
        self.tree.kind(directory) == Some(FileKind::Directory) && !self.links.gone(directory)
    }
}
