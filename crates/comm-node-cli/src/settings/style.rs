//! How a settings text is laid out, so that what is added looks like what is there.

use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

/// The layout of a text, found from what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style<'a> {
    /// How its lines end.
    pub newline: &'static str,
    /// One step of indentation.
    pub unit: &'a str,
    /// The whole document stands on one line.
    pub compact: bool,
    /// What follows a comma on one line.
    pub gap: &'static str,
}

impl<'a> Style<'a> {
    /// The layout of `text`.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        let body = text.trim();
        let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let compact = !body.contains('\n') && body.trim_start_matches('{').trim_end_matches('}').trim() != "";
        let unit = body.lines().skip(1).map(margin).find(|lead| !lead.is_empty());
        let gap = if text.contains(", ") || text.contains(": ") { " " } else { "" };
        Self { newline, unit: unit.unwrap_or("  "), compact, gap }
    }

    /// `value` as JSON: on one line, or on several that begin with `line`, which is a line break and indentation.
    ///
    /// # Errors
    /// When it can't be written as JSON.
    pub fn render(&self, value: &impl Serialize, line: Option<&str>) -> Result<String, serde_json::Error> {
        let Some(line) = line else { return serde_json::to_string(value) };
        let mut bytes = Vec::new();
        let formatter = PrettyFormatter::with_indent(self.unit.as_bytes());
        value.serialize(&mut Serializer::with_formatter(&mut bytes, formatter))?;
        // A line break inside a string is written \n, so these are all between tokens.
        Ok(String::from_utf8_lossy(&bytes).replace('\n', line))
    }
}

/// The white space that a line begins with.
#[must_use]
pub fn margin(line: &str) -> &str {
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}
