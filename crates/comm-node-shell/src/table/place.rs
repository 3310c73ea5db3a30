//! The paths of a call: what they are relative to, what stands there, and which of them are written.

use std::path::{Path, PathBuf};

use super::apply::Call;
use super::{Argument, Effect, Shape, Standing};
use crate::{Certainty, FileKind, Why};

/// The highest directory that is looked for upwards is this far away.
const HIGHEST: usize = 64;

impl Call<'_> {
    /// Adds a write of `path`, which is relative to the directory that the program works in.
    pub(super) fn write(&mut self, path: Argument, shape: Shape, certainty: Certainty) {
        let path = self.within(&path);
        if path.is_open() && path.text().is_empty() {
            return self.unknown(Why::Path);
        }
        self.push(Effect::Write { path, shape, certainty });
    }

    /// Adds what stands at `name` from now on.
    pub(super) fn stands(&mut self, name: &Argument, what: Standing) {
        let name = self.within(name);
        if !name.is_open() {
            self.push(Effect::Stands { name, what });
        }
    }

    /// Adds a write of `path` and, if that is a directory, of everything in it; else in `shape`.
    pub(super) fn tree(&mut self, path: Argument, shape: Shape, certainty: Certainty) {
        if path.is("-") {
            return;
        }
        if !path.is_open() && self.kind(&path).is_none() {
            // A pattern that the program expands by itself: `'src/**/*.ts'`, `./...`.
            if let Some(directory) = pattern(path.text()) {
                let directory = Argument::Known(directory.to_owned());
                return self.write(directory, Shape::Under, Certainty::Possible);
            }
        }
        let shape = if self.is_directory(&path) == Some(false) { shape } else { Shape::Under };
        self.write(path, shape, certainty);
    }

    /// Adds a pathspec of git: `:/` is the whole worktree, and patterns are git's own.
    pub(super) fn pathspec(&mut self, spec: &Argument, shape: Shape, certainty: Certainty) {
        let text = spec.text();
        if text.starts_with(":!") || text.starts_with(":^") || text.starts_with(":(exclude)") {
            return;
        }
        let (path, shape) = match (text.starts_with(':'), shape) {
            (true, Shape::Staged) => (self.top(), Shape::Staged),
            (true, _) => (Argument::Known(".".to_owned()), Shape::Worktree),
            (false, Shape::Staged) => {
                (spec.with(pattern(text).filter(|_| !spec.is_open()).unwrap_or(text)), Shape::Staged)
            }
            (false, _) => return self.tree(spec.clone(), shape, certainty),
        };
        self.write(path, shape, certainty);
    }

    /// The directory of the worktree, or `.` where it isn't found.
    pub(super) fn top(&self) -> Argument {
        match self.find_upwards(".git") {
            Some(top) => Argument::Known(top.to_string_lossy().into_owned()),
            None => Argument::Known(".".to_owned()),
        }
    }

    /// The nearest directory upwards in which `name` stands.
    pub(super) fn find_upwards(&self, name: &str) -> Option<PathBuf> {
        let here = self.absolute(".")?;
        let mut here: &Path = &here;
        for _ in 0..HIGHEST {
            if self.around.tree.kind(&here.join(name)).is_some() {
                return Some(here.to_path_buf());
            }
            here = here.parent()?;
        }
        None
    }

    /// `path`, relative to the working directory instead of the one that the program works in.
    pub(super) fn within(&self, path: &Argument) -> Argument {
        match &self.cwd {
            Some(directory) if !Path::new(path.text()).has_root() => join(directory, path),
            _ => path.clone(),
        }
    }

    /// What stands at `path`; `None` for nothing, and if that can't be known.
    pub(super) fn kind(&self, path: &Argument) -> Option<FileKind> {
        let path = self.within(path);
        if path.is_open() {
            return None;
        }
        let path = match self.around.cwd {
            Some(cwd) => cwd.join(path.text()),
            None if Path::new(path.text()).has_root() => PathBuf::from(path.text()),
            None => return None,
        };
        self.around.tree.kind(&path)
    }

    /// Whether a directory stands at `path`, by its looks or by the file tree; `None` if that can't be known.
    pub(super) fn is_directory(&self, path: &Argument) -> Option<bool> {
        if path.is_open() {
            return None;
        }
        let text = path.text();
        if text.ends_with('/') || matches!(text, "." | "..") || text.ends_with("/.") || text.ends_with("/..")
        {
            return Some(true);
        }
        let path = self.within(path);
        if path.is_open() || (self.around.cwd.is_none() && !Path::new(path.text()).has_root()) {
            return None;
        }
        if self.kind(&Argument::Known(text.to_owned())) == Some(FileKind::Directory) {
            return Some(true);
        }
        match self.absolute(text).and_then(|path| (self.around.made)(&path)) {
            Some(true) => Some(true),
            Some(false) => None,
            None => Some(false),
        }
    }

    /// `path` below the directory that the program works in, absolute, if that is known.
    fn absolute(&self, path: &str) -> Option<PathBuf> {
        let path = self.within(&Argument::Known(path.to_owned()));
        if path.is_open() { None } else { Some(lexical(&self.around.cwd?.join(path.text()))) }
    }
}

/// `path` without `.` and with `..` applied.
fn lexical(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => _ = clean.pop(),
            part => clean.push(part),
        }
    }
    clean
}

/// `path` in `directory`.
pub(super) fn join(directory: &Argument, path: &Argument) -> Argument {
    if directory.is_open() {
        return directory.clone();
    }
    if path.is(".") {
        return directory.clone();
    }
    let mut text = directory.text().to_owned();
    if !text.ends_with('/') {
        text.push('/');
    }
    text.push_str(path.text());
    path.with(&text)
}

/// The last name of a path, without slashes behind it.
pub(super) fn last_name(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// The directory in which all is that a pattern can match, if `text` is one.
fn pattern(text: &str) -> Option<&str> {
    let at = text.find(['*', '?', '[', '{']).or_else(|| text.find("..."))?;
    let directory = text.get(..at)?.rsplit_once('/').map_or(".", |(directory, _)| directory);
    Some(if directory.is_empty() { "/" } else { directory })
}
