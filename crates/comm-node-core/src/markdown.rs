//! The little of Markdown that working files are made of: lines with their numbers, headings and
//! bullets. What stands in a fenced block is text, whatever it looks like.

use serde::Serialize;

use crate::text::one_line;

/// One line of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its number, from 1.
    pub number: u32,
    /// Its text, without the line break and white space at its end.
    pub text: &'a str,
    /// True inside a fenced block, and for the fences.
    pub fenced: bool,
}

impl<'a> Line<'a> {
    /// The level and the title, if it is a heading.
    #[must_use]
    pub fn heading(&self) -> Option<(usize, &'a str)> {
        if self.fenced {
            return None;
        }
        let title = self.text.trim_start_matches('#');
        let level = self.text.len() - title.len();
        let is = (1..=6).contains(&level) && (title.is_empty() || title.starts_with([' ', '\t']));
        is.then(|| (level, title.trim()))
    }

    /// The text of a bullet that is not indented.
    #[must_use]
    pub fn bullet(&self) -> Option<&'a str> {
        if self.fenced {
            return None;
        }
        self.text.strip_prefix("- ").or_else(|| self.text.strip_prefix("* ")).map(str::trim)
    }

    /// The box of a bullet and its text: true where it is checked.
    #[must_use]
    pub fn checkbox(&self) -> Option<(bool, &'a str)> {
        let rest = self.bullet()?;
        if let Some(open) = rest.strip_prefix("[ ]") {
            return Some((false, open.trim()));
        }
        let done = rest.strip_prefix("[x]").or_else(|| rest.strip_prefix("[X]"))?;
        Some((true, done.trim()))
    }

    /// True where nothing stands.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// True where it goes on with the item above it.
    #[must_use]
    pub fn is_indented(&self) -> bool {
        self.fenced || self.text.starts_with([' ', '\t'])
    }
}

/// The lines of `text`, numbered from `first`.
#[must_use]
pub fn lines(text: &str, first: u32) -> Vec<Line<'_>> {
    // An indented block belongs to the item above it, and so do its lines.
    let mut fence: Option<&str> = None;
    let mut out = Vec::new();
    for (i, raw) in text.lines().enumerate() {
        let mark = ["```", "~~~"].into_iter().find(|mark| raw.starts_with(mark));
        let fenced = fence.is_some() || mark.is_some();
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            _ => {}
        }
        let number = first.saturating_add(u32::try_from(i).unwrap_or(u32::MAX));
        out.push(Line { number, text: raw.trim_end(), fenced });
    }
    out
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

/// Appends `item` as a bullet behind `mark`; its further lines are indented, so that none of them
/// is a heading or a bullet of its own.
pub fn push_item(out: &mut String, mark: &str, item: &str) {
    let mut lines = item.lines().map(str::trim).filter(|line| !line.is_empty());
    out.push_str(mark);
    out.push_str(lines.next().unwrap_or("-"));
    out.push('\n');
    for line in lines {
        out.push_str("  ");
        out.push_str(line);
        out.push('\n');
    }
}

/// `text` as a paragraph that a heading can't hide in.
pub fn push_text(out: &mut String, text: &str) {
    for line in lines(text.trim(), 1) {
        if line.heading().is_some() {
            out.push('\\');
        }
        out.push_str(line.text);
        out.push('\n');
    }
    // A block that is not closed would swallow what follows.
    if lines(text.trim(), 1).last().is_some_and(|last| last.fenced && !ends_fence(text.trim())) {
        out.push_str("```\n");
    }
}

/// True if the last fenced block of `text` is closed by its last line.
fn ends_fence(text: &str) -> bool {
    let probe = format!("{text}\nx");
    lines(&probe, 1).last().is_some_and(|line| !line.fenced)
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
        assert!(all[6].is_indented() && all[8].fenced && all[10].number == 11);
    }

    #[test]
    fn what_is_written_hides_no_structure() {
        let mut out = String::new();
        push_item(&mut out, "- ", "one\n## Next\n\n- two");
        push_text(&mut out, "## Next\nplain\n```\nopen");
        let all = lines(&out, 1);
        assert!(all.iter().all(|line| line.heading().is_none()), "{out}");
        assert_eq!(all.iter().filter(|line| line.bullet().is_some()).count(), 1, "{out}");
        out.push_str("## Next\n");
        assert!(lines(&out, 1).last().is_some_and(|line| line.heading().is_some()), "{out}");
    }
}
