//! A settings file's text, read as strictly as the client reads it.

use std::fmt;

use jsonc_parser::ast::{Object, Value};
use jsonc_parser::common::{Range, Ranged};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

/// What is wrong with a settings file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {why}")]
pub struct Fault {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub why: String,
}

impl Fault {
    /// A fault at byte `at` of `text`.
    #[must_use]
    pub fn at(text: &str, at: usize, why: impl Into<String>) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |n| n + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            why: why.into(),
        }
    }
}

/// One step from a container to a value in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Object => "an object {…}",
            Self::Array => "an array […]",
        })
    }
}

/// A container of a document: where it is, and where its children are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// From its opening bracket to behind its closing one.
    pub span: std::ops::Range<usize>,
    /// Its properties (name and value) or elements.
    pub children: Vec<std::ops::Range<usize>>,
    /// What it is.
    pub kind: Kind,
}

/// A parsed settings file whose root is an object.
#[derive(Debug)]
pub struct Document<'a> {
    /// The text it was parsed from.
    pub text: &'a str,
    root: Object<'a>,
}

impl<'a> Document<'a> {
    /// Parses `text` as strict JSON, which is what the client takes: no comments, no trailing
    /// commas, no byte order mark, no name twice where we would have to choose.
    ///
    /// # Errors
    /// The first fault.
    pub fn parse(text: &'a str) -> Result<Self, Fault> {
        if text.starts_with('\u{feff}') {
            return Err(Fault::at(
                text,
                0,
                "the file begins with a byte order mark, which is not JSON; remove it",
            ));
        }
        if text.trim().is_empty() {
            return Err(Fault::at(text, 0, "the file is empty, which is not JSON; write {} into it"));
        }
        let options = ParseOptions {
            allow_comments: false,
            allow_loose_object_property_names: false,
            allow_trailing_commas: false,
            allow_missing_commas: false,
            allow_single_quoted_strings: false,
            allow_hexadecimal_numbers: false,
            allow_unary_plus_numbers: false,
            allow_bare_decimal_point_numbers: false,
            allow_non_finite_numbers: false,
            allow_extended_string_escapes: false,
        };
        let parsed = parse_to_ast(text, &CollectOptions::default(), &options)
            .map_err(|e| Fault::at(text, e.range().start, format!("not JSON: {}", e.kind())))?;
        // What one parser lets through by mistake, the other does not.
        serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|e| Fault {
            line: e.line().max(1),
            column: e.column().max(1),
            why: format!("not JSON: {e}"),
        })?;
        match parsed.value {
            Some(Value::Object(root)) => Ok(Self { text, root }),
            Some(other) => Err(Fault::at(text, other.start(), "a settings file must be an object {…}")),
            None => Err(Fault::at(text, 0, "the file is empty, which is not JSON; write {} into it")),
        }
    }

    /// The value below the names in `path`; `None` where one is missing.
    ///
    /// # Errors
    /// When a value on the way is no object, or when a name on the way stands there twice.
    pub fn get(&self, path: &[&str]) -> Result<Option<&Value<'a>>, Fault> {
        let mut object = &self.root;
        let mut found: Option<&Value<'a>> = None;
        for (depth, name) in path.iter().enumerate() {
            if depth > 0 {
                match found {
                    Some(Value::Object(inner)) => object = inner,
                    Some(other) => return Err(self.wrong(other, &path[..depth], Kind::Object)),
                    None => return Ok(None),
                }
            }
            let mut same = object.properties.iter().filter(|p| p.name.as_str() == *name);
            found = same.next().map(|p| &p.value);
            if let Some(second) = same.next() {
                let why = format!(
                    "`{}` stands here a second time; the client takes the last, so join them",
                    path[..=depth].join(".")
                );
                return Err(Fault::at(self.text, second.start(), why));
            }
        }
        Ok(found)
    }

    /// The container below the names in `path` (the root for none), which must be of `kind`.
    ///
    /// # Errors
    /// As [`Document::get`], and when it is something else.
    pub fn container(&self, path: &[&str], kind: Kind) -> Result<Option<Container>, Fault> {
        if path.is_empty() {
            return Ok(Some(container_of_object(&self.root)));
        }
        let Some(value) = self.get(path)? else { return Ok(None) };
        match container_of(value) {
            Some(found) if found.kind == kind => Ok(Some(found)),
            _ => Err(self.wrong(value, path, kind)),
        }
    }

    /// The names in the object below `path`, in their order.
    ///
    /// # Errors
    /// As [`Document::container`].
    pub fn names(&self, path: &[&str]) -> Result<Vec<String>, Fault> {
        let object = match path {
            [] => Some(&self.root),
            _ => match self.get(path)? {
                Some(Value::Object(object)) => Some(object),
                Some(other) => return Err(self.wrong(other, path, Kind::Object)),
                None => None,
            },
        };
        Ok(object
            .map_or_else(Vec::new, |o| o.properties.iter().map(|p| p.name.as_str().to_owned()).collect()))
    }

    fn wrong(&self, value: &Value<'_>, path: &[&str], kind: Kind) -> Fault {
        let why = format!("`{}` must be {kind}, it is {}", path.join("."), describe(value));
        Fault::at(self.text, value.start(), why)
    }
}

/// `value` as a container, if it is one.
#[must_use]
pub fn container_of(value: &Value<'_>) -> Option<Container> {
    match value {
        Value::Object(object) => Some(container_of_object(object)),
        Value::Array(array) => Some(Container {
            span: span(array.range),
            children: array.elements.iter().map(|e| span(e.range())).collect(),
            kind: Kind::Array,
        }),
        _ => None,
    }
}

fn container_of_object(object: &Object<'_>) -> Container {
    Container {
        span: span(object.range),
        children: object.properties.iter().map(|p| span(p.range)).collect(),
        kind: Kind::Object,
    }
}

fn span(range: Range) -> std::ops::Range<usize> {
    range.start..range.end
}

fn describe(value: &Value<'_>) -> &'static str {
    match value {
        Value::StringLit(_) => "a string",
        Value::NumberLit(_) => "a number",
        Value::BooleanLit(_) => "a boolean",
        Value::Object(_) => "an object",
        Value::Array(_) => "an array",
        Value::NullKeyword(_) => "null",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_have_places() {
        for (text, line, column, part) in [
            ("\u{feff}{}", 1, 1, "byte order mark"),
            ("", 1, 1, "empty"),
            ("{\n  // note\n  \"a\": 1\n}", 2, 3, "Comments"),
            ("{\"a\": 1,}", 1, 8, "railing comma"),
            ("[1]", 1, 1, "object"),
            ("{\"a\": 'b'}", 1, 7, "Single-quoted"),
        ] {
            let fault = Document::parse(text).map(|_| ()).expect_err(text);
            assert_eq!((fault.line, fault.column), (line, column), "{text:?}: {fault}");
            assert!(fault.why.contains(part), "{text:?}: {fault}");
        }
    }

    #[test]
    fn wrong_shapes_have_places() {
        let doc = Document::parse("{\n  \"hooks\": []\n}").expect("valid");
        let fault = doc.container(&["hooks"], Kind::Object).expect_err("an array");
        assert_eq!(fault.to_string(), "line 2, column 12: `hooks` must be an object {…}, it is an array");
        let doc = Document::parse("{\"hooks\": {}, \"hooks\": {}}").expect("valid JSON");
        assert!(doc.get(&["hooks"]).expect_err("twice").why.contains("second time"));
    }
}
