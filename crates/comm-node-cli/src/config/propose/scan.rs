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
    /// Directories in the root that no pattern can name, each with the reason.
    left_out: BTreeMap<String, String>,
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
            let Ok(below) = entry.path().strip_prefix(root) else { continue };
            let kind = entry.file_type();
            let Some(relative) = below.to_str() else {
                if entry.depth() == 1 && kind.is_some_and(|t| t.is_dir()) {
                    out.left_out.insert(below.display().to_string(), "its name is not UTF-8 text".to_owned());
                }
                continue;
            };
            let relative = relative.replace(std::path::MAIN_SEPARATOR, "/");
            if kind.is_some_and(|t| t.is_dir()) {
                match unfit(&relative) {
                    None => drop(out.dirs.entry(relative).or_default()),
                    Some(why) if entry.depth() == 1 => drop(out.left_out.insert(relative, why)),
                    Some(_) => {}
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

    /// The directories in the root that no pattern can name, each with the reason.
    pub(super) fn left_out(&self) -> &BTreeMap<String, String> {
        &self.left_out
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

/// The pattern for everything in `dir`. What a pattern would be misread by stands in a class of its own: a drive's letter, a
/// space at the beginning, a comma that looks like the end of one.
pub(super) fn whole(dir: &str) -> String {
    let mut rest = dir.chars();
    let Some(first) = rest.next() else { return "**".to_owned() };
    let drive = first.is_ascii_alphabetic() && rest.as_str().starts_with(':');
    let odd = drive || first.is_whitespace() || first == '\\' || dir == "~" || dir.starts_with("~/");
    let pattern = match (odd, first) {
        (false, _) => escape(dir),
        (true, '\\') => format!("[\\\\]{}", escape_inner(rest.as_str())),
        (true, first) => format!("[{first}]{}", escape_inner(rest.as_str())),
    };
    format!("{}/**", pattern.replace(", ", "[,] "))
}

/// As [`escape`], of what does not begin a pattern.
fn escape_inner(rest: &str) -> String {
    escape(&format!("x{rest}")).split_off(1)
}

/// Why no pattern can name the directory, if none can.
fn unfit(dir: &str) -> Option<String> {
    let pattern = whole(dir);
    match normalise(&pattern, false) {
        Ok(form) if form == pattern => None,
        Ok(_) => Some("its name is written in another way than patterns are".to_owned()),
        Err(bad) => Some(bad.what),
    }
}
