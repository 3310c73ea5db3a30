//! What each line of a text belongs to, as CommonMark has it: fenced code, comments and list items. Other blocks
//! of HTML, quotes and headings that are underlined mean nothing in a working file, and are not told apart.

use super::{Fault, Line};

/// Columns to the next tab stop.
const TAB: usize = 4;
/// From so many columns on an indented line is code, or goes on with the paragraph above it.
pub(super) const CODE: usize = 4;
/// How a comment begins.
pub(super) const COMMENT: &str = "<!--";
/// How it ends.
const COMMENT_END: &str = "-->";

/// What a line is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of nothing that hides what it looks like.
    Plain,
    /// A fenced block, or one of its fences.
    Code,
    /// A comment.
    Comment,
}

/// A block that has begun and whose end was not seen yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The line at which it begins.
    pub line: u32,
    /// The character of its fence and how many of it; none for a comment.
    fence: Option<(char, usize)>,
    /// The column at which the content of the list item begins that it stands in; 0 where it stands in none.
    column: usize,
}

impl Open {
    /// The line that ends it.
    #[must_use]
    pub fn end(&self) -> String {
        self.fence.map_or_else(|| COMMENT_END.to_owned(), |(mark, count)| mark.to_string().repeat(count))
    }

    /// That it has no end, so that nobody reads what stands below it.
    #[must_use]
    pub fn fault(&self) -> Fault {
        let what = match self.fence {
            Some(_) => "the block of code that begins here has no end: nothing below it is read",
            None => "the comment that begins here has no end: nothing below it is read",
        };
        Fault::new(self.line, what, format!("end it with a line `{}`", self.end()))
    }

    fn kind(&self) -> Kind {
        if self.fence.is_some() { Kind::Code } else { Kind::Comment }
    }

    /// True if `rest`, `indent` columns into its list item, ends it.
    fn is_ended_by(&self, rest: &str, indent: usize) -> bool {
        match self.fence {
            None => rest.contains(COMMENT_END),
            Some((mark, count)) => {
                let behind = rest.trim_start_matches(mark);
                indent < CODE && rest.len() - behind.len() >= count && behind.trim().is_empty()
            }
        }
    }
}

/// Takes the lines of a text one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    /// For each list item that is open, the column at which its content begins.
    items: Vec<usize>,
    open: Option<Open>,
}

impl Blocks {
    /// The next line, which is the `number`th.
    pub(super) fn next<'a>(&mut self, raw: &'a str, number: u32) -> Line<'a> {
        let text = raw.trim_end();
        let rest = text.trim_start_matches([' ', '\t']);
        let column = width(&text[..text.len() - rest.len()], 0);
        let line = |kind, depth, indent| Line { number, text, kind, depth, indent };
        if let Some(open) = &self.open {
            if rest.is_empty() || column >= open.column {
                let (kind, indent) = (open.kind(), column.saturating_sub(open.column));
                if open.is_ended_by(rest, indent) {
                    self.open = None;
                }
                return line(kind, self.items.len(), indent);
            }
            // With a list item ends what stands in it.
            self.open = None;
        }
        if rest.is_empty() {
            return line(Kind::Plain, self.items.len(), 0);
        }
        while self.items.last().is_some_and(|item| *item > column) {
            self.items.pop();
        }
        let depth = self.items.len();
        let indent = column - self.items.last().copied().unwrap_or(0);
        let kind = self.begin(rest, column, number);
        // Beside the mark of its item a fence has a text: that of the item.
        let kind = if kind == Kind::Code && self.items.len() > depth { Kind::Plain } else { kind };
        line(kind, depth, indent)
    }

    /// What begins with `rest`, which stands at `column`: list items, and a block in the innermost.
    fn begin(&mut self, mut rest: &str, mut column: usize, line: u32) -> Kind {
        loop {
            let base = self.items.last().copied().unwrap_or(0);
            if column - base >= CODE {
                return Kind::Plain;
            }
            let fence = fence(rest);
            if fence.is_some() || rest.starts_with(COMMENT) {
                let open = Open { line, fence, column: base };
                let kind = open.kind();
                if fence.is_some() || !rest.contains(COMMENT_END) {
                    self.open = Some(open);
                }
                return kind;
            }
            let Some(mark) = list_mark(rest) else { return Kind::Plain };
            let behind = &rest[mark..];
            rest = behind.trim_start_matches([' ', '\t']);
            let at = column + mark;
            column = at + width(&behind[..behind.len() - rest.len()], at);
            let content = if rest.is_empty() || column - at > CODE { at + 1 } else { column };
            self.items.push(content);
            if rest.is_empty() {
                return Kind::Plain;
            }
        }
    }
}

/// The lines of `text`, numbered from `first`, and the block at their end that nothing ends. One in a list item ends with
/// that, and is no such block.
#[must_use]
pub fn parse(text: &str, first: u32) -> (Vec<Line<'_>>, Option<Open>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut blocks = Blocks::default();
    let number = |i: usize| first.saturating_add(u32::try_from(i).unwrap_or(u32::MAX));
    let all = text.lines().enumerate().map(|(i, raw)| blocks.next(raw, number(i))).collect();
    (all, blocks.open.filter(|open| open.column == 0))
}

/// How many columns `space` takes that begins at the column `at`.
fn width(space: &str, at: usize) -> usize {
    space.bytes().fold(at, |at, b| if b == b'\t' { (at / TAB + 1) * TAB } else { at + 1 }) - at
}

/// The character of the fence that `rest` opens with, and how many of it.
fn fence(rest: &str) -> Option<(char, usize)> {
    let mark = rest.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let info = rest.trim_start_matches(mark);
    let count = rest.len() - info.len();
    (count >= 3 && !(mark == '`' && info.contains('`'))).then_some((mark, count))
}

/// How many bytes the mark of the list item has that `rest` begins with.
fn list_mark(rest: &str) -> Option<usize> {
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let marks: &[char] = if digits == 0 { &['-', '*', '+'] } else { &['.', ')'] };
    let behind = rest[digits..].strip_prefix(marks)?;
    (digits <= 9 && (behind.is_empty() || behind.starts_with([' ', '\t']))).then_some(digits + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A letter for each line: what it is, as it is written down beside it.
    fn kinds(text: &str) -> String {
        let letter = |line: &Line<'_>| match (line.kind, line.heading().is_some()) {
            (Kind::Plain, true) => 'H',
            (Kind::Plain, false) if line.text.is_empty() => ' ',
            (Kind::Plain, false) if line.indent < CODE && list_mark(line.text.trim_start()).is_some() => {
                char::from(b'0' + line.depth as u8)
            }
            (Kind::Plain, false) => 'p',
            (Kind::Code, _) => 'c',
            (Kind::Comment, _) => '!',
        };
        parse(text, 1).0.iter().map(letter).collect()
    }

    #[test]
    fn fences_and_comments_are_those_of_commonmark() {
        for (text, want) in [
            ("```\n# a\n```\n# b", "cccH"),
            // A fence is closed by one of its own kind that is no shorter and has nothing behind it.
            ("````\n```\n# a\n```\n# b\n`````\n# c", "ccccccH"),
            ("~~~\n```\n# a\n~~~\n# b", "ccccH"),
            ("```\n~~~\n# a\n```\n# b", "ccccH"),
            ("```sh\n# a\n``` x\n# b\n```\n# c", "cccccH"),
            ("~~~ a`b` ~~~\n# a\n~~~\n# b", "cccH"),
            ("``\n# a", "pH"),
            // With a backtick in its words it is code in a line.
            ("```a``` b\n# a", "pH"),
            // Up to three columns.
            ("   ```\n# a\n  ```\n# b", "cccH"),
            ("    ```\n# a", "pH"),
            ("```\n    ```\n# a\n```\n# b", "ccccH"),
            ("\t```\n# a", "pH"),
            // In a list item as far as that goes.
            ("- a\n  ```\n  # x\n  ```\n# b", "0cccH"),
            ("- a\n  ```\n  # x\n\n  y\n# b", "0ccccH"),
            ("- ```\n  # x\n# b", "0cH"),
            ("1. a\n   ~~~\n   # x\n2. b\n# c", "0cc0H"),
            ("- a\n  - b\n    ```\n    # x\n  - c", "01cc1"),
            ("- a\n      ```\n# b", "0pH"),
            // Comments.
            ("<!-- # a -->\n# b", "!H"),
            ("<!--\n# a\n- [ ] b\n\n-->\n# c", "!!!!!H"),
            ("   <!-- a\n--> # b\n# c", "!!H"),
            ("    <!-- a\n# b", "pH"),
            ("text <!-- a\n# b\n-->", "pHp"),
            ("- a\n  <!-- b\n  - [ ] c\n# d", "0!!H"),
            ("- <!-- b -->\n- c", "!0"),
            ("<!-->\n# b", "!H"),
            ("```\n<!--\n```\n# a", "cccH"),
            ("<!--\n```\n-->\n# a", "!!!H"),
            // Items.
            (" - a\n   - b\n  - c\n- d\n\t- e\n+ f\n10) g\n    - h", "01001001"),
            ("-\n  - a\n*b*\n-c", "01pp"),
        ] {
            assert_eq!(kinds(text), want, "{text}");
        }
    }

    #[test]
    fn what_has_no_end_is_named() {
        let open = |text: &str| parse(text, 1).1;
        let fault = |text: &str| open(text).map(|open| open.fault().in_file("x.md"));
        assert_eq!(
            fault("# a\n~~~~ sh\nb\n~~~\n").as_deref(),
            Some(
                "x.md:2: the block of code that begins here has no end: nothing below it is read; end it with a line `~~~~`"
            )
        );
        assert_eq!(
            fault("<!-- a\n# b").as_deref(),
            Some(
                "x.md:1: the comment that begins here has no end: nothing below it is read; end it with a line `-->`"
            )
        );
        for text in ["", "```\n```", "- a\n  ```\n  b", "<!-- a\n-->\n", "- <!-- a"] {
            assert_eq!(open(text), None, "{text}");
        }
    }
}
