//! One change to a JSON text that leaves every other byte alone.
//!
//! [`push`] and [`cut`] are inverse: whatever the text looked like (line ends, tabs, one line),
//! cutting what was pushed gives the same bytes back.

use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

use super::document::Container;

/// How a text is laid out, found from what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Style<'a> {
    newline: &'static str,
    unit: &'a str,
    /// The whole document stands on one line.
    compact: bool,
    /// What follows a comma on one line.
    gap: &'static str,
}

impl<'a> Style<'a> {
    fn of(text: &'a str) -> Self {
        let body = text.trim();
        let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let compact = !body.contains('\n') && body.trim_start_matches('{').trim_end_matches('}').trim() != "";
        let unit = body.lines().skip(1).map(|line| leading(line, 0)).find(|lead| !lead.is_empty());
        let gap = if text.contains(", ") || text.contains(": ") { " " } else { "" };
        Self { newline, unit: unit.unwrap_or("  "), compact, gap }
    }
}

/// The white space that begins the line around byte `at`.
fn leading(text: &str, at: usize) -> &str {
    let start = text[..at].rfind('\n').map_or(0, |n| n + 1);
    let line = &text[start..];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// True where nothing but white space stands before byte `at` in its line, and a line before it.
fn begins_line(text: &str, at: usize) -> bool {
    text[..at].rfind('\n').is_some_and(|n| text[n + 1..at].trim().is_empty())
}

/// The text with `value` (named `key` in an object) added at the end of `container`, and, where
/// the container was empty, the white space that stood in it.
///
/// # Errors
/// When the value can't be written as JSON.
pub fn push(
    text: &str,
    container: &Container,
    key: Option<&str>,
    value: &impl Serialize,
) -> Result<(String, Option<String>), serde_json::Error> {
    let style = Style::of(text);
    let (open, close) = (container.span.start + 1, container.span.end - 1);
    let outer = leading(text, container.span.start);
    if let Some(last) = container.children.last() {
        if text[open..close].contains('\n') && begins_line(text, last.start) {
            let indent = leading(text, last.start);
            let item = render(key, value, Some((style.unit, &format!("{}{indent}", style.newline))))?;
            let added = format!(",{}{indent}{item}", style.newline);
            return Ok((insert(text, last.end, &added), None));
        }
        let added = format!(",{}{}", style.gap, render(key, value, None)?);
        return Ok((insert(text, last.end, &added), None));
    }
    let inner = text[open..close].to_owned();
    let added = if style.compact {
        render(key, value, None)?
    } else {
        let line = format!("{}{outer}{}", style.newline, style.unit);
        let item = render(key, value, Some((style.unit, &line)))?;
        format!("{line}{item}{}{outer}", style.newline)
    };
    Ok((format!("{}{added}{}", &text[..open], &text[close..]), Some(inner)))
}

/// The text without child `index` of `container`; `blank` is the white space to leave in a
/// container that becomes empty.
#[must_use]
pub fn cut(text: &str, container: &Container, index: usize, blank: &str) -> String {
    let children = &container.children;
    let Some(child) = children.get(index) else { return text.to_owned() };
    let (from, to, left) = if children.len() == 1 {
        (container.span.start + 1, container.span.end - 1, blank)
    } else if index == 0 {
        (child.start, children[1].start, "")
    } else {
        (children[index - 1].end, child.end, "")
    };
    format!("{}{left}{}", &text[..from], &text[to..])
}

/// The text with `value` in the place of what stands in `span`.
///
/// # Errors
/// When the value can't be written as JSON.
pub fn swap(
    text: &str,
    span: &std::ops::Range<usize>,
    value: &impl Serialize,
) -> Result<String, serde_json::Error> {
    let style = Style::of(text);
    let line = format!("{}{}", style.newline, leading(text, span.start));
    let layout = begins_line(text, span.start).then_some((style.unit, line.as_str()));
    let item = render(None, value, layout)?;
    Ok(put(text, span, &item))
}

/// The text with `item`, which is JSON, in the place of what stands in `span`.
#[must_use]
pub fn put(text: &str, span: &std::ops::Range<usize>, item: &str) -> String {
    format!("{}{item}{}", &text[..span.start], &text[span.end..])
}

fn insert(text: &str, at: usize, added: &str) -> String {
    format!("{}{added}{}", &text[..at], &text[at..])
}

/// `value` as JSON: on one line, or on several with the unit of indentation and the line break
/// (with its indentation) given.
fn render(
    key: Option<&str>,
    value: &impl Serialize,
    layout: Option<(&str, &str)>,
) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::new();
    match layout {
        Some((unit, _)) => {
            let formatter = PrettyFormatter::with_indent(unit.as_bytes());
            value.serialize(&mut Serializer::with_formatter(&mut bytes, formatter))?;
        }
        None => serde_json::to_writer(&mut bytes, value)?,
    }
    let mut out = String::from_utf8_lossy(&bytes).into_owned();
    if let Some((_, line)) = layout {
        // A line break inside a string is written \n, so these are all between tokens.
        out = out.replace('\n', line);
    }
    Ok(match key {
        Some(key) => {
            let gap = if layout.is_some() { " " } else { "" };
            format!("{}:{gap}{out}", serde_json::to_string(key)?)
        }
        None => out,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::document::{Document, Kind};

    fn pushed(text: &str, path: &[&str], kind: Kind, key: Option<&str>, value: serde_json::Value) -> String {
        let doc = Document::parse(text).expect("valid");
        let container = doc.container(path, kind).expect("right kind").expect("there");
        let (new, blank) = push(text, &container, key, &value).expect("writes");
        let doc = Document::parse(&new).expect("still valid");
        let container = doc.container(path, kind).expect("right kind").expect("there");
        let last = container.children.len() - 1;
        assert_eq!(cut(&new, &container, last, blank.as_deref().unwrap_or("")), text, "via {new:?}");
        new
    }

    #[test]
    fn follows_the_layout_it_finds() {
        let value = serde_json::json!({"b": [1]});
        for (before, after) in [
            ("{}", "{\n  \"k\": {\n    \"b\": [\n      1\n    ]\n  }\n}"),
            ("{ }\n", "{\n  \"k\": {\n    \"b\": [\n      1\n    ]\n  }\n}\n"),
            ("{\"a\":1}", "{\"a\":1,\"k\":{\"b\":[1]}}"),
            ("{\"a\": 1}", "{\"a\": 1, \"k\":{\"b\":[1]}}"),
            (
                "{\r\n\t\"a\": 1\r\n}\r\n",
                "{\r\n\t\"a\": 1,\r\n\t\"k\": {\r\n\t\t\"b\": [\r\n\t\t\t1\r\n\t\t]\r\n\t}\r\n}\r\n",
            ),
            (
                "{\n    \"a\": 1\n\n}",
                "{\n    \"a\": 1,\n    \"k\": {\n        \"b\": [\n            1\n        ]\n    }\n\n}",
            ),
        ] {
            assert_eq!(pushed(before, &[], Kind::Object, Some("k"), value.clone()), after);
        }
        let inline = "{\n  \"allow\": [\"x\", \"y\"]\n}";
        let after = pushed(inline, &["allow"], Kind::Array, None, serde_json::json!("z"));
        assert_eq!(after, "{\n  \"allow\": [\"x\", \"y\", \"z\"]\n}");
        for odd in ["{\n  \"allow\": [ ]\n}", "{\n  \"allow\": [\n\n  ]\n}", "{\"allow\":[]}"] {
            pushed(odd, &["allow"], Kind::Array, None, serde_json::json!("z"));
        }
    }
}
