//! Pathname expansion: which files a pattern names, asked of the tree.

use std::path::Path;

use super::Walker;
use super::pattern::{decode, is_pattern, matches};
use super::state::State;
use crate::FileKind;

/// The most names that a pattern may become.
const MAX_MATCHES: usize = 512;
/// The most components of a pattern.
const MAX_COMPONENTS: usize = 64;
/// How deep `**` goes.
const MAX_LEVELS: usize = 12;

/// What a pattern is expanded to.
pub(super) enum Found {
    /// These names, in their order; none if nothing matches.
    Names(Vec<String>),
    /// More than can be looked through.
    TooMany,
}

impl Walker<'_> {
    /// The names that `pattern` matches, seen from the working directories, of which at least one is known
    /// or not needed.
    pub(super) fn glob(&mut self, pattern: &str, state: &State) -> Found {
        let components: Vec<&str> = pattern.split('/').collect();
        if components.len() > MAX_COMPONENTS {
            return Found::TooMany;
        }
        let mut names = Vec::new();
        let roots: &[_] = if pattern.starts_with('/') { &[] } else { &state.cwds };
        let mut complete = true;
        if pattern.starts_with('/') {
            complete = self.descend(Path::new("/"), "", &components, 0, state, &mut names);
        }
        for root in roots {
            complete = complete && self.descend(root, "", &components, 0, state, &mut names);
        }
        if !complete {
            return Found::TooMany;
        }
        names.sort_unstable();
        names.dedup();
        // Where all of them may be removed by now, the pattern stands for itself.
        let mut left = names.is_empty();
        for name in &names {
            let mut places = super::program::below(&state.cwds, name).into_iter();
            left = left || !self.spend(1) || !places.any(|place| self.links.gone(&place));
        }
        if !left {
            names.push(decode(pattern, false).0);
        }
        Found::Names(names)
    }

    /// What a pattern names below `so_far` can't be listed: it stands for itself until something is
    /// written there.
    fn stand_for_all(&mut self, so_far: &str, components: &[&str], names: &mut Vec<String>) {
        let mut pattern = so_far.to_owned();
        pattern.push_str(&decode(&components.join("/"), false).0);
        self.wide.push((pattern.clone(), so_far.to_owned()));
        names.push(pattern);
    }

    /// Follows the components behind `so_far`, which is relative to `root`. False if it is too much.
    fn descend(
        &mut self,
        root: &Path,
        so_far: &str,
        components: &[&str],
        level: usize,
        state: &State,
        names: &mut Vec<String>,
    ) -> bool {
        let Some((component, rest)) = components.split_first() else {
            if names.len() >= MAX_MATCHES || !self.spend(1) {
                return false;
            }
            names.push(so_far.to_owned());
            return true;
        };
        if !is_pattern(component) {
            let mut path = so_far.to_owned();
            path.push_str(&decode(component, false).0);
            if !rest.is_empty() {
                path.push('/');
            } else if !self.spend(4) {
                return false;
            } else if self.tree.kind(&root.join(&path)).is_none()
                && !self.found.makes(&root.join(&path), true)
            {
                return true;
            }
            return self.descend(root, &path, rest, level, state, names);
        }
        let directory = root.join(so_far);
        if !self.spend(30) {
            return false;
        }
        if self.links.lead(&directory) {
            self.stand_for_all(so_far, components, names);
            return true;
        }
        let listed = self.tree.names(&directory);
        let made = self.found.names(&directory);
        if !self.spend(self.found.set.writes.len() / 4) {
            return false;
        }
        let there = listed.is_some() || self.tree.kind(&directory) == Some(FileKind::Directory);
        let Some(mut found) = listed.or_else(|| (!there && !made.is_empty()).then(Vec::new)) else {
            if there {
                self.stand_for_all(so_far, components, names);
            }
            return true;
        };
        if !self.spend(found.len() * (1 + component.len() / 32) / 2) {
            return false;
        }
        let anything = *component == "**";
        if !self.spend(found.len() * made.len() / 256) {
            return false;
        }
        for name in made {
            if !found.contains(&name) {
                found.push(name);
            }
        }
        // `**` also means no directory at all.
        if anything && !rest.is_empty() && !self.descend(root, so_far, rest, level, state, names) {
            return false;
        }
        let hidden = state.dotglob || component.starts_with('.') || component.starts_with("\\.");
        for name in found {
            if name.starts_with('.') && !hidden || !matches(component, &name) {
                continue;
            }
            let mut path = so_far.to_owned();
            path.push_str(&name);
            let mut complete = true;
            if rest.is_empty() {
                complete = self.descend(root, &path, rest, level, state, names);
            }
            if complete && (anything || !rest.is_empty()) {
                if !self.spend(4) {
                    return false;
                }
                let directory = root.join(&path);
                if self.tree.kind(&directory) == Some(FileKind::Directory)
                    || self.found.makes(&directory, true)
                {
                    path.push('/');
                    complete = if anything {
                        level < MAX_LEVELS && self.descend(root, &path, components, level + 1, state, names)
                    } else {
                        self.descend(root, &path, rest, level, state, names)
                    };
                }
            }
            if !complete {
                return false;
            }
        }
        true
    }
}
