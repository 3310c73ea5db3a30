//! What a command would write: the result of looking at it.

use std::path::PathBuf;

use comm_node_core::personal::Personal;

/// Everything that a command would write, and what of it can't be known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WriteSet {
    /// What is written, in the order of the command, each target once.
    pub writes: Vec<Write>,
    /// Where it can't be known.
    pub unknown: Vec<Unknown>,
    /// Where it runs what of the command line is a person's alone.
    pub personal: Vec<Reserved>,
}

impl WriteSet {
    /// True for a command that only reads.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.unknown.is_empty() && self.personal.is_empty()
    }
}

/// A piece of the command that is for a person, or may be.
#[derive(Clone, Debug, PartialEq)]
pub struct Reserved {
    /// What it is, or the first of those that it may be.
    pub what: &'static Personal,
    /// The directory that it runs in, lexical; `None` where that isn't known.
    pub cwd: Option<PathBuf>,
    /// The piece, in one line, shortened.
    pub by: String,
}

/// One thing that is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// What.
    pub target: Target,
    /// Whether it is sure to be written if the command runs.
    pub certainty: Certainty,
    /// The piece of the command that says so, in one line, shortened.
    pub by: String,
}

/// What is written. Paths are absolute and lexical: `.` is gone, `..` kept where a link may precede it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A file's content; a link is followed.
    File(PathBuf),
    /// The name itself, made, removed or replaced; a link is not followed.
    Entry(PathBuf),
    /// A directory and everything in it, also what is not there yet.
    Under(PathBuf),
    /// Any file of the git worktree that this directory lies in.
    Worktree(PathBuf),
    /// What is changed below this directory is put into git's index or a commit, whoever changed it.
    Staged(PathBuf),
}

impl Target {
    /// The path it is about.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        match self {
            Self::File(p) | Self::Entry(p) | Self::Under(p) | Self::Worktree(p) | Self::Staged(p) => p,
        }
    }
}

/// Whether a write is sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// It happens whenever the command runs without a fault.
    Certain,
    /// It depends on what the command finds: a condition, the content of a file.
    Possible,
}

/// A piece of the command whose writes can't be known.
#[derive(Clone, Debug, PartialEq)]
pub struct Unknown {
    /// Why.
    pub why: Why,
    /// The piece, in one line, shortened.
    pub by: String,
}

/// Why a write can't be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is not a command that can be parsed.
    Syntax,
    /// It is too large, too deeply nested, or its expansion takes too long.
    TooLarge,
    /// A program that is not in the table, or one that runs a program of its own (`make`, `python x.py`).
    Program,
    /// A program that is named by a value that isn't known (`$TOOL x`).
    Name,
    /// A program that writes, at a path that isn't known (`rm $x`, `xargs rm`).
    Path,
    /// A shell text that isn't known (`eval "$x"`, `curl … | sh`, `. ./file`).
    Script,
    /// Code in another language (`python - <<EOF`).
    Code,
}

impl Why {
    /// The reason, as a clause.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Syntax => "it can't be parsed as a shell command",
            Self::TooLarge => "it is too large or too deeply nested to be looked through",
            Self::Program => "what this program writes is not known",
            Self::Name => "which program it runs is not known",
            Self::Path => "at which path it writes is not known",
            Self::Script => "the shell text that it runs is not known",
            Self::Code => "it runs code of another language",
        }
    }
}
