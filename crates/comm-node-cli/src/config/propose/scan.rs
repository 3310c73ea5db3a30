//! What a directory holds: its directories and how many files lie below each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ignore::WalkBuilder;

use comm_node_core::glob::escape;

use crate::config::glob::normalise;

/// Files that make a directory a package.
pub(super) const MANIFESTS: [&str; 12] = [
    "Cargo.toml",
    "package.json",
    "pyproject.toml",
    "setup.py",
    "go.mod",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "composer.json",
    "Gemfile",
    "mix.exs",
    "Package.swift",
];
/// Directories with what others wrote or tools made.
const FOREIGN: [&str; 16] = [
    "node_modules",
    "bower_components",
    "vendor",
    "vendored",
    "third_party",
    "thirdparty",
    "external",
    "target",
    "dist",
    "build",
    "out",
    "coverage",
    "venv",
    "env",
    "__pycache__",
    "site-packages",
];
/// Deep enough for every workspace member that people have.
const MAX_DEPTH: usize = 6;
/// A proposal does not get better by looking at more.
const MAX_ENTRIES: usize = 200_000;

/// What was found; directories are relative, with `/` between components, `""` is the root.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Each directory with its files' names.
    dirs: BTreeMap<String, BTreeSet<String>>,
}

impl Scan {
    /// Looks at `root`. Ignored, hidden and foreign directories and symbolic links are left out.
    pub(super) fn of(root: &Path) -> Self {
        let mut out = Self::default();
        out.dirs.insert(String::new(), BTreeSet::new());
        let walk = WalkBuilder::new(root)
            .max_depth(Some(MAX_DEPTH))
            .require_git(false)
            .git_global(false)
            .parents(false)
            .follow_links(false)
            .filter_entry(|entry| {
                let name = entry.file_name().to_string_lossy();
                entry.depth() == 0 || !FOREIGN.contains(&name.to_lowercase().as_str())
            })
            .build();
        for entry in walk.flatten().take(MAX_ENTRIES) {
            let Some(relative) = entry.path().strip_prefix(root).ok().and_then(Path::to_str) else {
                continue;
            };
            let relative = relative.replace(std::path::MAIN_SEPARATOR, "/");
            let kind = entry.file_type();
            if kind.is_some_and(|t| t.is_dir()) {
                if is_fit(&relative) {
                    out.dirs.entry(relative).or_default();
                }
            } else if kind.is_some_and(|t| t.is_file()) {
                let (dir, name) = relative.rsplit_once('/').unwrap_or(("", &relative));
                if let Some(files) = out.dirs.get_mut(dir) {
                    files.insert(name.to_owned());
                }
            }
        }
        out
    }

    /// The directories below the root.
    pub(super) fn directories(&self) -> impl Iterator<Item = &str> {
        self.dirs.keys().map(String::as_str).filter(|dir| !dir.is_empty())
    }

    /// True if `dir` was found.
    pub(super) fn is_dir(&self, dir: &str) -> bool {
        self.dirs.contains_key(dir)
    }

    /// True if `dir` has one of these files.
    pub(super) fn has_file(&self, dir: &str, names: &[&str]) -> bool {
        self.dirs.get(dir).is_some_and(|files| names.iter().any(|name| files.contains(*name)))
    }

    /// How many files lie in `dir` and below.
    pub(super) fn files_below(&self, dir: &str) -> usize {
        self.dirs.iter().filter(|(d, _)| holds(dir, d)).map(|(_, files)| files.len()).sum()
    }

    /// The directories in the root that have files somewhere below.
    pub(super) fn top_directories(&self) -> Vec<String> {
        self.directories()
            .filter(|dir| !dir.contains('/') && self.files_below(dir) > 0)
            .map(str::to_owned)
            .collect()
    }
}

/// True if `inner` is `outer` or lies in it.
pub(super) fn holds(outer: &str, inner: &str) -> bool {
    outer.is_empty() || inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The pattern for everything in `dir`.
pub(super) fn whole(dir: &str) -> String {
    if dir.is_empty() { "**".to_owned() } else { format!("{}/**", escape(dir)) }
}

/// True if a pattern can name the directory, and does not look like two patterns.
fn is_fit(dir: &str) -> bool {
    let pattern = whole(dir);
    !pattern.contains(", ") && normalise(&pattern, false).is_ok_and(|form| form == pattern)
}
