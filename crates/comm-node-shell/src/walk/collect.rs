//! Gathers what is written: each target once, bounded in number.

use std::cmp::Ordering;
use std::path::Path;

use comm_node_core::personal::Personal;

use crate::ast::Span;
use crate::{Certainty, Reserved, Target, Unknown, Why, Write, WriteSet};

/// The most targets that are listed.
const MAX_WRITES: usize = 1000;
/// The most places that are said to be unknown.
const MAX_UNKNOWN: usize = 64;
/// The longest piece of a command that is quoted, in bytes.
const MAX_PIECE: usize = 120;

/// A [`WriteSet`] that grows.
#[derive(Debug, Default)]
pub(super) struct Collector {
    /// What was found so far.
    pub(super) set: WriteSet,
    /// Indices into its writes, in the order of their targets, to find one again quickly.
    order: Vec<u16>,
}

impl Collector {
    /// Adds a target; one that is there already can only become more certain.
    ///
    /// Returns false if there are too many.
    pub(super) fn write(&mut self, target: Target, certainty: Certainty, source: &str, span: Span) -> bool {
        let writes = &mut self.set.writes;
        let found = self.order.binary_search_by(|&i| match writes.get(usize::from(i)) {
            Some(write) => compare(&write.target, &target),
            None => Ordering::Greater,
        });
        match found {
            Ok(place) => {
                let known = self.order.get(place).and_then(|&i| writes.get_mut(usize::from(i)));
                if let (Some(write), Certainty::Certain) = (known, certainty) {
                    write.certainty = certainty;
                }
            }
            Err(place) => {
                let Some(index) = u16::try_from(writes.len()).ok().filter(|_| writes.len() < MAX_WRITES)
                else {
                    return false;
                };
                self.order.insert(place, index);
                writes.push(Write { target, certainty, by: piece(source, span) });
            }
        }
        true
    }

    /// Adds a place that can't be known.
    pub(super) fn unknown(&mut self, why: Why, source: &str, span: Span) {
        if self.set.unknown.len() >= MAX_UNKNOWN {
            return;
        }
        let unknown = Unknown { why, by: piece(source, span) };
        if !self.set.unknown.contains(&unknown) {
            self.set.unknown.push(unknown);
        }
    }

    /// Adds a use of the command line that is for a person.
    pub(super) fn personal(&mut self, what: &'static Personal, cwd: Option<&Path>, source: &str, span: Span) {
        if self.set.personal.len() >= MAX_UNKNOWN {
            return;
        }
        let reserved = Reserved { what, cwd: cwd.map(Path::to_path_buf), by: piece(source, span) };
        if !self.set.personal.contains(&reserved) {
            self.set.personal.push(reserved);
        }
    }

    /// Adds all of a person's that `other` has.
    pub(super) fn take_personal(&mut self, other: Self) {
        let room = MAX_UNKNOWN.saturating_sub(self.set.personal.len());
        self.set.personal.extend(other.set.personal.into_iter().take(room));
    }

    /// The names in the directory at `path` that what was found so far may have made.
    pub(super) fn names(&self, path: &Path) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for write in &self.set.writes {
            if let Target::Entry(p) | Target::File(p) | Target::Under(p) = &write.target
                && let Ok(below) = p.strip_prefix(path)
                // A file in a directory doesn't make the directory.
                && (below.iter().nth(1).is_none() || !matches!(write.target, Target::File(_)))
                && let Some(name) = below.iter().next().and_then(|name| name.to_str())
                && names.last().is_none_or(|last| last != name)
            {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// True if `path` itself, or all below a directory that it lies in, is said to be written.
    pub(super) fn writes(&self, path: &Path) -> bool {
        self.set.writes.iter().any(|write| match &write.target {
            Target::File(p) | Target::Entry(p) => p == path,
            Target::Under(p) => path.starts_with(p),
            Target::Worktree(_) | Target::Staged(_) => false,
        })
    }

    /// True if something that was found so far makes a directory of `path`. A name in it doesn't, but where
    /// `names` says so, it is taken as a sign.
    pub(super) fn makes(&self, path: &Path, names: bool) -> bool {
        self.set.writes.iter().any(|write| match &write.target {
            Target::File(p) | Target::Entry(p) => names && p.starts_with(path),
            Target::Under(p) => p.starts_with(path) || path.starts_with(p),
            Target::Worktree(_) | Target::Staged(_) => false,
        })
    }
}

/// The order of targets in the index: any will do.
fn compare(a: &Target, b: &Target) -> Ordering {
    let (x, y) = (a.path().as_os_str().as_encoded_bytes(), b.path().as_os_str().as_encoded_bytes());
    kind(a).cmp(&kind(b)).then_with(|| x.cmp(y))
}

/// The kind of a target as a number.
fn kind(target: &Target) -> u8 {
    match target {
        Target::File(_) => 0,
        Target::Entry(_) => 1,
        Target::Under(_) => 2,
        Target::Worktree(_) => 3,
        Target::Staged(_) => 4,
    }
}

/// A piece of the source in one line, shortened.
fn piece(source: &str, span: Span) -> String {
    let text = source.get(span.start as usize..span.end as usize).unwrap_or(source).trim();
    let mut out = String::new();
    for c in text.chars() {
        if out.len() >= MAX_PIECE {
            out.push('…');
            break;
        }
        match c {
            '\n' | '\r' => {
                while out.ends_with(' ') {
                    out.pop();
                }
                out.push(' ');
            }
            // What indents a continued line says nothing.
            ' ' | '\t' if out.ends_with(' ') => {}
            _ => out.push(c),
        }
    }
    out
}
