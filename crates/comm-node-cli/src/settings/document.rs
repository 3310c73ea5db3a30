//! A settings file's text, read as strictly as the client reads it.

use std::collections::HashSet;
use std::fmt;

use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::common::Ranged;
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

/// What a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
}

impl Kind {
    /// The brackets that it opens and closes with.
    #[must_use]
    pub fn brackets(self) -> (char, char) {
        match self {
            Self::Object => ('{', '}'),
            Self::Array => ('[', ']'),
        }
    }

    fn is(self, value: &Value<'_>) -> bool {
        matches!((self, value), (Self::Object, Value::Object(_)) | (Self::Array, Value::Array(_)))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Object => "an object {…}",
            Self::Array => "an array […]",
        })
    }
}

#[cfg(test)]
thread_local! {
    /// How often this thread parsed a text: it tells what an edit costs, on whatever machine.
    pub static PARSED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// A parsed settings file whose root is an object.
#[derive(Debug)]
pub struct Document<'a> {
    /// The text it was parsed from.
    pub text: &'a str,
    /// What it says.
    pub value: serde_json::Value,
    root: Object<'a>,
}

impl<'a> Document<'a> {
    /// Parses `text` as strict JSON, which is what the client takes: no comments, no trailing
    /// commas, no byte order mark, no name twice where we would have to choose.
    ///
    /// # Errors
    /// The first fault.
    pub fn parse(text: &'a str) -> Result<Self, Fault> {
        #[cfg(test)]
        PARSED.set(PARSED.get() + 1);
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
        let value = serde_json::from_str(text).map_err(|e| Fault {
            line: e.line().max(1),
            column: e.column().max(1),
            why: format!("not JSON: {e}"),
        })?;
        match parsed.value {
            Some(Value::Object(root)) => Ok(Self { text, value, root }),
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
                    Some(other) => return Err(self.wrong(other, &path[..depth].join("."), Kind::Object)),
                    None => return Ok(None),
                }
            }
            let mut same = object.properties.iter().filter(|p| p.name.as_str() == *name);
            found = same.next().map(|p| &p.value);
            if let Some(second) = same.next() {
                return Err(self.twice(second, &path[..=depth].join(".")));
            }
        }
        Ok(found)
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> &Object<'a> {
        &self.root
    }

    /// Looks whether the value below the names in `path` is of `kind`, if it is there.
    ///
    /// # Errors
    /// As [`Document::get`], and when it is something else.
    pub fn expect(&self, path: &[&str], kind: Kind) -> Result<(), Fault> {
        match self.get(path)? {
            Some(value) if !kind.is(value) => Err(self.wrong(value, &path.join("."), kind)),
            _ => Ok(()),
        }
    }

    /// Looks whether each value in the object `name` is of `kind`, and no name in it stands there twice.
    ///
    /// # Errors
    /// As [`Document::expect`].
    pub fn expect_each(&self, name: &str, kind: Kind) -> Result<(), Fault> {
        let Some(Value::Object(object)) = self.get(&[name])? else { return Ok(()) };
        let mut seen = HashSet::new();
        for property in &object.properties {
            let path = || format!("{name}.{}", property.name.as_str());
            if !seen.insert(property.name.as_str()) {
                return Err(self.twice(property, &path()));
            }
            if !kind.is(&property.value) {
                return Err(self.wrong(&property.value, &path(), kind));
            }
        }
        Ok(())
    }

    fn twice(&self, second: &ObjectProp<'_>, path: &str) -> Fault {
        let why = format!("`{path}` stands here a second time; the client takes the last, so join them");
        Fault::at(self.text, second.start(), why)
    }

    fn wrong(&self, value: &Value<'_>, path: &str, kind: Kind) -> Fault {
        let why = format!("`{path}` must be {kind}, it is {}", describe(value));
        Fault::at(self.text, value.start(), why)
    }
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
        let fault = doc.expect(&["hooks"], Kind::Object).expect_err("an array");
        assert_eq!(fault.to_string(), "line 2, column 12: `hooks` must be an object {…}, it is an array");
        let doc = Document::parse("{\"hooks\": {}, \"hooks\": {}}").expect("valid JSON");
        assert!(doc.get(&["hooks"]).expect_err("twice").why.contains("second time"));
        let doc = Document::parse("{\"hooks\": {\"a\": [],\n\"b\": [], \"a\": []}}").expect("valid JSON");
        let fault = doc.expect_each("hooks", Kind::Array).expect_err("twice");
        assert!(
            fault.to_string().starts_with("line 2, column 10: `hooks.a` stands here a second"),
            "{fault}"
        );
    }
}
