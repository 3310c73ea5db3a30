//! The little of Markdown that working files are made of: lines with their numbers, headings and
//! bullets. What stands in a fenced block is text, whatever it looks like, and what stands in a comment is nothing.

mod blocks;
mod write;

use serde::Serialize;

use blocks::CODE;
pub use blocks::{Kind, Open, parse};
pub use write::{first_line, further_line, push_item, push_text, text_line};

use crate::text::one_line;

/// One line of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its number, from 1.
    pub number: u32,
    /// Its text, without the line break and white space at its end.
    pub text: &'a str,
    /// What it is part of.
    pub kind: Kind,
    /// How many list items it stands in, without those that begin with it.
    pub depth: usize,
    /// By how many columns it is indented there.
    pub indent: usize,
}

impl<'a> Line<'a> {
    /// The level and the title, if it is a heading.
    #[must_use]
    pub fn heading(&self) -> Option<(usize, &'a str)> {
        if self.kind == Kind::Plain { heading(self.text) } else { None }
    }

    /// The text of a bullet, also of one that stands in another one.
    #[must_use]
    pub fn item(&self) -> Option<&'a str> {
        if self.kind != Kind::Plain || self.indent >= CODE {
            return None;
        }
        let text = self.text.trim_start().strip_prefix(['-', '*'])?;
        text.starts_with([' ', '\t']).then(|| text.trim_start())
    }

    /// The text of a bullet that stands in no other one.
    #[must_use]
    pub fn bullet(&self) -> Option<&'a str> {
        if self.depth == 0 { self.item() } else { None }
    }

    /// The box of a bullet, also of one that stands in another one, and its text: true where it is checked.
    #[must_use]
    pub fn checkbox(&self) -> Option<(bool, &'a str)> {
        self.item().and_then(checkbox)
    }

    /// True if it was meant as a task and is none: a box behind whatever people put before one, or indented so far that it is
    /// code. What is in brackets otherwise, a link for one, is none.
    #[must_use]
    pub fn is_nearly_task(&self) -> bool {
        self.kind == Kind::Plain && self.checkbox().is_none() && is_task(self.text.trim_start())
    }

    /// True where nothing stands that is seen.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.kind == Kind::Comment || self.text.trim().is_empty()
    }

    /// True where it goes on with the item above it.
    #[must_use]
    pub fn is_indented(&self) -> bool {
        self.kind == Kind::Code || self.depth > 0 || self.text.starts_with([' ', '\t'])
    }
}

/// The lines of `text`, numbered from `first`.
#[must_use]
pub fn lines(text: &str, first: u32) -> Vec<Line<'_>> {
    parse(text, first).0
}

/// True if nothing is seen of `text`, the rest of one line: it is empty, or all of it is comments.
#[must_use]
pub fn is_unseen(text: &str) -> bool {
    let mut rest = text.trim();
    while let Some((_, behind)) = rest.strip_prefix(blocks::COMMENT).and_then(|rest| rest.split_once("-->")) {
        rest = behind.trim_start();
    }
    rest.is_empty()
}

/// The level and the title of `text`, if that is a heading.
fn heading(text: &str) -> Option<(usize, &str)> {
    let title = text.trim_start_matches('#');
    let level = text.len() - title.len();
    let is = (1..=6).contains(&level) && (title.is_empty() || title.starts_with([' ', '\t']));
    is.then(|| (level, title.trim()))
}

/// The box that `item`, the text of a bullet, begins with, and its text.
fn checkbox(item: &str) -> Option<(bool, &str)> {
    if let Some(open) = item.strip_prefix("[ ]") {
        return Some((false, open.trim()));
    }
    let done = item.strip_prefix("[x]").or_else(|| item.strip_prefix("[X]"))?;
    (!is_link(done)).then(|| (true, done.trim()))
}

/// True if brackets with `behind` after them are those of a link.
fn is_link(behind: &str) -> bool {
    behind.starts_with(['(', '[', ':'])
}

/// True if `text`, which is not indented, is a task or was meant as one.
fn is_task(text: &str) -> bool {
    let number = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let (rest, marked) = match number.strip_prefix(['.', ')']) {
        Some(rest) if number.len() < text.len() => (rest, true),
        _ => match text.strip_prefix(['-', '*', '+', '–', '—', '•']) {
            Some(rest) => (rest, true),
            None => (text, false),
        },
    };
    let Some((inside, behind)) = rest.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']'))
    else {
        return false;
    };
    let mut marks = inside.trim().chars();
    let is_box = match (marks.next(), marks.next()) {
        (None, _) => true,
        // `[1]` is a note, and so is `[^]`; any other letter behind the mark of an item ticks it off for somebody.
        (Some(mark), None) if marked => !mark.is_numeric() && mark != '^',
        (Some(mark), None) => matches!(mark, 'x' | 'X') || !mark.is_alphanumeric() && mark != '^',
        _ => false,
    };
    is_box && (inside == " " && marked || !is_link(behind))
}

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The line, from 1.
    pub line: u32,
    /// What is wrong with it, without a full stop.
    pub what: String,
    /// What would be right.
    pub help: String,
}

impl Fault {
    /// A fault in `line`.
    #[must_use]
    pub fn new(line: u32, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { line, what: what.into(), help: help.into() }
    }

    /// As one line that names `file`.
    #[must_use]
    pub fn in_file(&self, file: &str) -> String {
        one_line(&format!("{file}:{}: {}; {}", self.line, self.what, self.help), 600).into_owned()
    }
}

/// `raw` in backticks, safe to print and cut to a readable length.
#[must_use]
pub fn quoted(raw: &str) -> String {
    format!("`{}`", one_line(raw, 80))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_bullets_and_boxes() {
        let text = "# A\n## B c \n###x\n- one\n- [ ] two\n- [x] three\n  more\n```\n## not\n```\n## last";
        let all = lines(text, 1);
        let heads: Vec<_> = all.iter().filter_map(Line::heading).collect();
        assert_eq!(heads, [(1, "A"), (2, "B c"), (2, "last")]);
        assert_eq!(all[3].bullet(), Some("one"));
        assert_eq!(all[4].checkbox(), Some((false, "two")));
        assert_eq!(all[5].checkbox(), Some((true, "three")));
        assert!(all[6].is_indented() && all[8].kind == Kind::Code && all[10].number == 11);
    }
}
