//! What is wrong with `comm-node.yaml`, with its place: as a picture for people and as one line
//! for hooks and logs.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level as Ink, Renderer, Snippet};
use comm_node_core::node::registry::Fault;
use comm_node_core::text;
use serde_json::{Value, json};

/// How bad an [`Issue`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The file can't be used.
    Fault,
    /// The file can be used; a person should look at this.
    Warning,
}

/// One thing to tell about the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// How bad it is.
    pub level: Level,
    /// The offending text, as bytes of [`Source::text`].
    pub at: Range<usize>,
    /// What is wrong, without a full stop.
    pub what: String,
    /// What would be right.
    pub help: String,
    /// A second place that has to do with it, and what it is.
    pub also: Option<(Range<usize>, String)>,
}

impl Issue {
    /// A fault at `at`.
    #[must_use]
    pub fn fault(at: Range<usize>, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { level: Level::Fault, at, what: what.into(), help: help.into(), also: None }
    }

    /// A warning at `at`.
    #[must_use]
    pub fn warning(at: Range<usize>, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { level: Level::Warning, at, what: what.into(), help: help.into(), also: None }
    }

    /// The same, with a second place.
    #[must_use]
    pub fn with(mut self, at: Range<usize>, what: impl Into<String>) -> Self {
        self.also = Some((at, what.into()));
        self
    }

    /// What is wrong and its remedy in one line.
    #[must_use]
    pub fn sentence(&self) -> String {
        text::one_line(&format!("{}; {}", self.what, self.help), 600).into_owned()
    }
}

/// `raw` in backticks, safe to print and cut to a readable length.
pub(super) fn quoted(raw: &str) -> String {
    format!("`{}`", text::one_line(raw, 60))
}

/// Nobody reads more pictures at a time.
pub(super) const MAX_PICTURES: usize = 50;

/// The text of `comm-node.yaml`, in which places are counted.
#[derive(Clone, Debug, Default)]
pub struct Source {
    name: String,
    text: String,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl Source {
    /// The file called `name` with this content; a byte order mark at its start is dropped.
    #[must_use]
    pub fn new(name: &str, text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
        Self { name: name.to_owned(), text: text.to_owned(), lines }
    }

    /// The content.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text in `at`, empty if that is no part of it.
    #[must_use]
    pub fn slice(&self, at: &Range<usize>) -> &str {
        self.text.get(at.clone()).unwrap_or_default()
    }

    /// The line (from 1) and the column in characters (from 1) of a byte.
    #[must_use]
    pub fn place(&self, byte: usize) -> (u32, u32) {
        let mut end = byte.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let line = self.line(end);
        let column = self.text[self.start_of(line)..end].chars().count() + 1;
        (line, u32::try_from(column).unwrap_or(u32::MAX))
    }

    /// The line (from 1) of a byte.
    #[must_use]
    pub fn line(&self, byte: usize) -> u32 {
        u32::try_from(self.lines.partition_point(|start| *start <= byte)).unwrap_or(u32::MAX)
    }

    /// Where a line begins.
    fn start_of(&self, line: u32) -> usize {
        let index = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
        self.lines.get(index).copied().unwrap_or(self.text.len())
    }

    /// The byte at a line and column, both from 1; the end of the text where there is no such place.
    #[must_use]
    pub fn byte(&self, line: u64, column: u64) -> usize {
        let index = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
        let Some(&start) = self.lines.get(index) else { return self.text.len() };
        let skip = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
        let rest = self.text[start..].split('\n').next().unwrap_or_default();
        start + rest.char_indices().nth(skip).map_or(rest.len(), |(i, _)| i)
    }

    /// `comm-node.yaml:7:3: <sentence>`.
    #[must_use]
    pub fn one_line(&self, issue: &Issue) -> String {
        let (line, column) = self.place(issue.at.start);
        format!("{}:{line}:{column}: {}", self.name, issue.sentence())
    }

    /// The form that hooks read.
    #[must_use]
    pub fn fault(&self, issue: &Issue) -> Fault<'static> {
        let (line, column) = self.place(issue.at.start);
        Fault { line, column, message: issue.sentence().into() }
    }

    /// The issues as pictures of their lines, one after the other, without a final line break.
    #[must_use]
    pub fn draw<'i>(&self, issues: impl IntoIterator<Item = &'i Issue>, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut issues = issues.into_iter();
        let mut out: Vec<String> =
            issues.by_ref().take(MAX_PICTURES).map(|issue| renderer.render(&[self.picture(issue)])).collect();
        let more = issues.count();
        if more > 0 {
            out.push(format!("and {more} more"));
        }
        out.join("\n\n")
    }

    fn picture<'a>(&'a self, issue: &'a Issue) -> Group<'a> {
        let ink = match issue.level {
            Level::Fault => Ink::ERROR,
            Level::Warning => Ink::WARNING,
        };
        let at = self.visible(&issue.at);
        let also = issue.also.as_ref().map(|(at, label)| (self.visible(at), label));
        // Only the lines in question are handed over: a large file has to be drawn often.
        let first = self.line(also.as_ref().map_or(at.start, |(other, _)| other.start.min(at.start)));
        let last = self.line(also.as_ref().map_or(at.start, |(other, _)| other.start.max(at.start)));
        let start = self.start_of(first);
        let shift = |at: Range<usize>| at.start - start..at.end - start;
        let mut snippet = Snippet::source(&self.text[start..self.start_of(last.saturating_add(1))])
            .line_start(usize::try_from(first).unwrap_or(1))
            .path(self.name.as_str())
            .annotation(AnnotationKind::Primary.span(shift(at)));
        if let Some((at, label)) = also {
            snippet = snippet.annotation(AnnotationKind::Context.span(shift(at)).label(safe(label)));
        }
        ink.primary_title(safe(&issue.what)).element(snippet).element(Ink::HELP.message(safe(&issue.help)))
    }

    /// `at` kept to its first line and inside the text, so that a picture never spans a page.
    fn visible(&self, at: &Range<usize>) -> Range<usize> {
        let start = at.start.min(self.text.len());
        let Some(rest) = self.text.get(start..at.end.clamp(start, self.text.len())) else {
            return self.text.len()..self.text.len();
        };
        start..start + rest.find(['\r', '\n']).unwrap_or(rest.len())
    }

    /// The issue as JSON: place, text and remedy.
    #[must_use]
    pub fn json(&self, issue: &Issue) -> Value {
        let (line, column) = self.place(issue.at.start);
        let mut value = json!({
            "file": self.name,
            "line": line,
            "column": column,
            "text": self.slice(&self.visible(&issue.at)),
            "message": issue.what,
            "help": issue.help,
        });
        if let Some((at, what)) = &issue.also {
            let (line, column) = self.place(at.start);
            value["also"] = json!({"line": line, "column": column, "message": what});
        }
        value
    }
}

fn safe(raw: &str) -> String {
    text::one_line(raw, 2000).into_owned()
}
