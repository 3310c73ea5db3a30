//! The front matter of a file for the client: read as strictly as `comm-node.yaml`, because the client
//! drops a file whose front matter it can't read, and says nothing.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::config::fault::Source;
use crate::config::yaml::{self, Node, Value};

/// The line before it and behind it.
const FENCE: &str = "---\n";

/// The front matter of `text` and the rest; `None` where it has none.
#[must_use]
pub fn split(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix(FENCE)?;
    if let Some(body) = rest.strip_prefix(FENCE) {
        return Some(("", body));
    }
    let end = rest.find("\n---\n")?;
    Some((&rest[..=end], &rest[end + 1 + FENCE.len()..]))
}

/// What the front matter of `text` says.
///
/// # Errors
/// Why the client could not read it.
pub fn fields(text: &str) -> Result<BTreeMap<String, Json>, String> {
    let (front, _) = split(text).ok_or("it does not begin with front matter between two lines `---`")?;
    let mut issues = Vec::new();
    let tree = yaml::parse(&Source::new("front matter", front), &mut issues);
    if let Some(issue) = issues.first() {
        return Err(format!("its front matter is no YAML: {}", issue.what));
    }
    match tree.map(|t| t.value) {
        Some(Value::Map(entries)) => Ok(entries
            .into_iter()
            .filter_map(|(key, value)| match key.value {
                Value::Text(key) => Some((key, json(value))),
                _ => None,
            })
            .collect()),
        _ => Err("its front matter is no list of fields".to_owned()),
    }
}

fn json(node: Node) -> Json {
    match node.value {
        // Nobody asks which one it is.
        Value::Null | Value::Bool => Json::Null,
        Value::Number(n) => n.into(),
        Value::Text(t) => t.into(),
        Value::List(items) => items.into_iter().map(json).collect(),
        Value::Map(entries) => entries
            .into_iter()
            .filter_map(|(key, value)| match key.value {
                Value::Text(key) => Some((key, json(value))),
                _ => None,
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_strictly() {
        let found = fields("---\n# x\nname: \"a\"\npaths:\n  - \"b/**\"\n---\nbody\n---\n").expect("YAML");
        assert_eq!(found["name"], "a");
        assert_eq!(found["paths"][0], "b/**");
        assert_eq!(split("---\na: 1\n---\nrest\n---\n"), Some(("a: 1\n", "rest\n---\n")));
        assert_eq!(split("---\n---\nx"), Some(("", "x")));
        for bad in ["x", "---\nname: a\n", "---\na: b: c\n---\n", "---\n- a\n---\n", "---\na: 1\na: 2\n---\n"]
        {
            assert!(fields(bad).is_err(), "{bad:?}");
        }
    }
}
