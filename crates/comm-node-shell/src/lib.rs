//! What a shell command would write.
//!
//! Data flows one way: text → [`parse`](mod@parse) → [`ast`] → `walk`, which follows the
//! command as bash would, with values instead of a run → [`WriteSet`]. What single programs write
//! stands in one readable table, `table/commands.txt`.
//!
//! Nothing here runs anything or writes anything; the file tree is looked at through [`Tree`] only,
//! to expand globs and to tell directories from files. Text is hostile: its size, its nesting and
//! the work that it causes are bounded, and beyond a bound the answer is *cannot know*, never
//! *writes nothing*.

#![forbid(unsafe_code)]

pub mod ast;
#[cfg(test)]
mod cpu;
pub mod parse;
mod powershell;
mod table;
mod walk;
mod write_set;

use std::path::{Path, PathBuf};

pub use table::{check_row, table_text};
pub use write_set::{Certainty, Reserved, Target, Unknown, Why, Write, WriteSet};

/// The most bytes of a command that are looked at.
pub const MAX_BYTES: usize = 256 << 10;
/// The deepest nesting of groups, substitutions and re-parsed texts that is followed.
pub const MAX_DEPTH: usize = 16;

/// What surrounds a command.
#[derive(Clone, Debug, Default)]
pub struct Context<'a> {
    /// The directory it runs in, absolute.
    pub cwd: PathBuf,
    /// The home directory, for `~` and `$HOME`.
    pub home: Option<PathBuf>,
    /// Variables whose values are known besides `HOME`, `PWD`: `CLAUDE_PROJECT_DIR`, `TMPDIR` …
    pub variables: Vec<(&'a str, String)>,
    /// Rows of the user's own, in the form of the table; they come before the table's.
    pub rows: Vec<&'a str>,
    /// The file of the command line that belongs to the guard, which is itself by this path too.
    pub own: Option<PathBuf>,
}

/// The file tree as a command finds it. Every look may be bounded by whoever implements it.
pub trait Tree {
    /// What stands at `path`, links followed; `None` for nothing, and for what can't be looked at.
    fn kind(&self, path: &Path) -> Option<FileKind>;
    /// The names in the directory at `path`, in any order; `None` if it can't be read or holds too many.
    fn names(&self, path: &Path) -> Option<Vec<String>>;
}

/// The kinds of thing that a path may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A directory.
    Directory,
    /// A file.
    File,
    /// Anything else: a device, a pipe.
    Other,
}

/// A tree with nothing in it.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTree;

impl Tree for NoTree {
    fn kind(&self, _: &Path) -> Option<FileKind> {
        None
    }
    fn names(&self, _: &Path) -> Option<Vec<String>> {
        None
    }
}

/// What `command`, as given to the Bash tool, would write.
#[must_use]
pub fn write_set(command: &str, context: &Context<'_>, tree: &dyn Tree) -> WriteSet {
    walk::write_set(command, context, tree)
}

/// What `command`, as given to the PowerShell tool, would write.
#[must_use]
pub fn powershell_write_set(command: &str, context: &Context<'_>, tree: &dyn Tree) -> WriteSet {
    powershell::write_set(command, context, tree)
}
