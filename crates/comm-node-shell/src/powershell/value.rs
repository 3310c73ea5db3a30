//! Values and paths, and what is noted of them.

use std::path::{Path, PathBuf};

use super::lex::{Kind, Piece, Token, Word, lex};
use super::{MAX_VALUE, Walker, bare, cmdlets, is_value};
use crate::table::{Argument, Shape};
use crate::{Certainty, FileKind, MAX_BYTES, Target, Unknown, Why, Write};

/// The most targets, and the most things that can't be known.
pub(super) const MAX_WRITES: usize = 500;
/// The longest piece of a command that is quoted, in bytes.
const MAX_PIECE: usize = 120;

impl Walker<'_> {
    /// The value of a word.
    pub(super) fn value(&self, word: &Word<'_>) -> Argument {
        let mut out = String::new();
        for piece in &word.pieces {
            let known = match piece {
                Piece::Text(text) => {
                    out.push_str(text);
                    true
                }
                Piece::Variable(name) => self.variable(name, &mut out),
                Piece::Sub(_) | Piece::Opaque => false,
            };
            if !known || out.len() > MAX_BYTES {
                return Argument::Unknown { prefix: out };
            }
        }
        Argument::Known(out)
    }

    /// Adds the value of a variable; false if it isn't known.
    pub(super) fn variable(&self, name: &str, out: &mut String) -> bool {
        if let Some((_, value)) = self.variables.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
            out.push_str(value);
            return true;
        }
        let lower = name.to_ascii_lowercase();
        let path = match lower.as_str() {
            "pwd" => self.cwd.as_deref(),
            "home" | "env:home" | "env:userprofile" => self.context.home.as_deref(),
            _ => None,
        };
        let known = lower.strip_prefix("env:").and_then(|name| {
            self.context.variables.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
        });
        match path.and_then(Path::to_str).or(known) {
            Some(value) => {
                out.push_str(value);
                true
            }
            None => false,
        }
    }

    /// The value of what stands in parentheses, where it is a text or `Join-Path` of two.
    pub(super) fn value_of_group(&self, inner: &str) -> Argument {
        let unknown = Argument::Unknown { prefix: String::new() };
        if inner.len() > MAX_VALUE {
            return unknown;
        }
        let Some(tokens) = lex(inner) else { return unknown };
        let word = |token: &Token<'_>| match &token.kind {
            Kind::Word(word) => self.value(word),
            _ => Argument::Unknown { prefix: String::new() },
        };
        match tokens.as_slice() {
            [one] if is_value(one, inner) => word(one),
            [name, above, below] if bare(name).is_some_and(|n| n.eq_ignore_ascii_case("join-path")) => {
                cmdlets::join(&word(above), &word(below))
            }
            _ => unknown,
        }
    }

    /// A path with `/` between directories.
    pub(super) fn slashes(&self, path: &str) -> String {
        if self.windows { path.replace('\\', "/") } else { path.to_owned() }
    }

    /// Where a path is; `None` if that isn't known, or if it is no file's.
    pub(super) fn place(&self, path: &str) -> Option<PathBuf> {
        let path = self.slashes(path);
        // `env:X`, `HKLM:\…`: not a drive's letter.
        if path.find(':').is_some_and(|at| at > 1 && !path.get(..at).unwrap_or_default().contains('/')) {
            let file = path.get(..12).is_some_and(|p| p.eq_ignore_ascii_case("filesystem::"));
            return file.then(|| PathBuf::from(path.get(12..).unwrap_or_default()));
        }
        let full = match path.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                self.context.home.as_ref()?.join(rest.trim_start_matches('/'))
            }
            _ if Path::new(&path).is_absolute() => PathBuf::from(&path),
            _ => self.cwd.as_ref()?.join(&path),
        };
        Some(full.components().collect())
    }

    pub(super) fn kind(&self, path: &Argument) -> Option<FileKind> {
        match path {
            Argument::Known(text) => self.tree.kind(&self.place(text)?),
            Argument::Unknown { .. } => None,
        }
    }

    /// Notes that `path` is written.
    pub(super) fn write(&mut self, path: &Argument, shape: Shape, certainty: Certainty) {
        let Argument::Known(text) = path else { return self.unknown(Why::Path) };
        let provider = text.find(':').is_some_and(|at| at > 1) && !text.contains("::");
        if text.is_empty() || provider || text.eq_ignore_ascii_case("nul") && self.windows {
            return;
        }
        let Some(path) = self.place(text) else { return self.unknown(Why::Path) };
        if path.starts_with("/dev") && !path.starts_with("/dev/shm") {
            return;
        }
        let target = match shape {
            Shape::File => Target::File(path),
            Shape::Entry => Target::Entry(path),
            Shape::Under => Target::Under(path),
            Shape::Worktree => Target::Worktree(path),
            Shape::Staged => Target::Staged(path),
        };
        let certainty = if self.certain { certainty } else { Certainty::Possible };
        let by = self.by.clone();
        self.add(Write { target, certainty, by });
    }

    pub(super) fn add(&mut self, write: Write) {
        if let Some(known) = self.set.writes.iter_mut().find(|w| w.target == write.target) {
            if write.certainty == Certainty::Certain {
                known.certainty = Certainty::Certain;
            }
        } else if self.set.writes.len() < MAX_WRITES {
            self.set.writes.push(write);
        } else {
            self.work = 0;
            self.unknown(Why::TooLarge);
        }
    }

    pub(super) fn unknown(&mut self, why: Why) {
        let unknown = Unknown { why, by: self.by.clone() };
        if self.set.unknown.len() < MAX_WRITES && !self.set.unknown.contains(&unknown) {
            self.set.unknown.push(unknown);
        }
    }
}

/// A piece of a command on one line, shortened.
pub(super) fn piece(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
        if out.len() > MAX_PIECE {
            let mut end = MAX_PIECE;
            while !out.is_char_boundary(end) {
                end -= 1;
            }
            out.truncate(end);
            out.push('…');
            break;
        }
    }
    out
}
