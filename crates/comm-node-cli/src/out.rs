//! Everything that is printed goes through here: results to stdout, the rest to stderr, colour
//! only on a terminal and not with `NO_COLOR`, hidden characters made visible.

use std::borrow::Cow;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::OnceLock;

pub(crate) use comm_node_core::mail::form::escaped;
use comm_node_core::text;
use serde::Serialize;

/// What kept a result from being printed, first of all; see [`lost`].
static LOST: OnceLock<String> = OnceLock::new();

/// Why not all of what was to be printed is on stdout, if anything is missing: a full disk, for example. Whoever closed a pipe
/// wanted no more.
#[must_use]
pub fn lost() -> Option<&'static str> {
    LOST.get().map(String::as_str)
}

/// True if it is written.
fn written(result: std::io::Result<()>) -> bool {
    let Err(error) = result else { return true };
    if error.kind() != ErrorKind::BrokenPipe {
        // A later one says no more.
        let _ = LOST.set(error.to_string());
    }
    false
}

/// The two streams.
#[derive(Clone, Copy, Debug)]
pub struct Out {
    /// Colour on stdout.
    pub colour: bool,
    /// Colour on stderr.
    pub colour_err: bool,
    /// What is printed becomes part of a prompt: nothing in it may be taken for a mention of a file.
    pub prompt: bool,
}

/// A colour with a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Good.
    Green,
    /// Bad.
    Red,
    /// Worth a look.
    Yellow,
    /// A heading.
    Bold,
    /// Of less interest.
    Dim,
}

impl Out {
    /// The streams of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            && std::env::var_os("TERM").is_none_or(|v| v != "dumb");
        Self {
            colour: wanted && std::io::stdout().is_terminal(),
            colour_err: wanted && std::io::stderr().is_terminal(),
            prompt: false,
        }
    }

    /// Prints one line of result. A closed pipe is no fault of ours.
    pub fn line(&self, text: impl AsRef<str>) {
        let _ = self.try_line(text);
    }

    /// Prints one line of result; false once nobody reads any more.
    #[must_use]
    pub fn try_line(&self, text: impl AsRef<str>) -> bool {
        written(writeln!(std::io::stdout().lock(), "{}", self.for_reader(text.as_ref())))
    }

    /// Prints `text` as it is, without a line break.
    pub fn raw(&self, text: impl AsRef<[u8]>) {
        let mut stdout = std::io::stdout().lock();
        let _ = written(stdout.write_all(text.as_ref()).and_then(|()| stdout.flush()));
    }

    /// Clears the terminal, if stdout is one, for what is shown again and again.
    pub fn clear(&self) {
        if std::io::stdout().is_terminal() {
            self.raw("\u{1b}[H\u{1b}[2J");
        }
    }

    /// Prints one line of remark.
    pub fn note(&self, text: impl AsRef<str>) {
        let _ = writeln!(std::io::stderr().lock(), "{}", self.for_reader(text.as_ref()));
    }

    fn for_reader<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.prompt { unmentioned(text) } else { Cow::Borrowed(text) }
    }

    /// Prints a value as JSON. Characters that would act on a terminal stand there as escapes.
    pub fn json(&self, value: &impl Serialize) {
        self.line(escaped(&serde_json::to_string_pretty(value).unwrap_or_default()));
    }

    /// Prints an error as *what happened: why; do this*.
    pub fn error(&self, error: &anyhow::Error) {
        let remedy =
            error.chain().find_map(|e| e.downcast_ref::<comm_node_core::Error>()).map(|e| e.remedy());
        let head = paint(self.colour_err, Ink::Red, "error");
        let text = format!("{error:#}");
        // Several lines are a picture of a fault, which was made safe where it was drawn.
        let text = if text.contains('\n') { text.into() } else { text::one_line(&text, 2000) };
        self.note(match remedy {
            Some(remedy) => format!("{head}: {text}; {remedy}"),
            None => format!("{head}: {text}"),
        });
    }

    /// `text` in colour where stdout shows it.
    #[must_use]
    pub fn ink(&self, ink: Ink, text: &str) -> String {
        paint(self.colour, ink, text)
    }

    /// `text` in colour where stderr shows it.
    #[must_use]
    pub fn ink_err(&self, ink: Ink, text: &str) -> String {
        paint(self.colour_err, ink, text)
    }

    /// A table with aligned columns and a heading; `empty` where there are no rows.
    pub fn table(&self, heading: &[&str], rows: &[Vec<String>], empty: &str) {
        if rows.is_empty() {
            self.line(empty);
            return;
        }
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::NOTHING).set_header(heading);
        for row in rows {
            table.add_row(row.iter().map(|cell| text::one_line(cell, 200).into_owned()));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        self.line(table.trim_fmt());
    }
}

/// `path` as it may be printed.
#[must_use]
pub fn path(path: &std::path::Path) -> String {
    text::one_line(&path.to_string_lossy(), 1000).into_owned()
}

/// `text` without mentions: the client puts the content of a file in the place of `@path`, and text of other
/// agents could name any. An `@` inside a word or a path is none.
fn unmentioned(text: &str) -> Cow<'_, str> {
    if !text.contains('@') {
        return Cow::Borrowed(text);
    }
    let mut before = ' ';
    let shown = text.chars().map(|c| {
        let inside = before.is_ascii_alphanumeric() || before == '/';
        before = c;
        if c == '@' && !inside { '＠' } else { c }
    });
    Cow::Owned(shown.collect())
}

fn paint(on: bool, ink: Ink, text: &str) -> String {
    if !on {
        return text.to_owned();
    }
    let code = match ink {
        Ink::Green => "32",
        Ink::Red => "31",
        Ink::Yellow => "33",
        Ink::Bold => "1",
        Ink::Dim => "2",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_mentions_no_file() {
        assert_eq!(
            unmentioned("@a see @~/.ssh/id (@x) \"@y\" @@z"),
            "＠a see ＠~/.ssh/id (＠x) \"＠y\" ＠＠z"
        );
        assert_eq!(unmentioned("a@b.c packages/@x/y"), "a@b.c packages/@x/y");
    }

    #[test]
    fn json_says_the_same_without_acting_on_a_terminal() {
        let raw = "a\u{202e}b\u{1b}c\u{9b}d\u{e0041}é\n\"";
        let json = escaped(&serde_json::to_string_pretty(&[raw]).expect("writes"));
        assert!(json.chars().all(|c| c == '\n' || !text::is_hidden(c)), "{json}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&json).expect("reads"), [raw]);
    }
}
