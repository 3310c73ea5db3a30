//! Puts our entries into a settings text and takes them out again.
//!
//! Both are functions from text to text. [`merge`] also gives a [`Trace`], by which [`strip`]
//! leaves exactly what was there before.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::document::{Document, Kind};
use super::entry::{Group, Wanted, is_ours};
use super::splice;

pub mod status_line;

/// What [`merge`] added besides the entries themselves.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Trace {
    /// Objects and arrays that were not there, as `hooks` or `hooks/Stop`.
    pub created: Vec<String>,
    /// The white space that stood in those that were empty.
    pub blank: BTreeMap<String, String>,
    /// The permission rules that were not there.
    pub rules: Vec<String>,
    /// The status line's command as it stood there, in quotes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_line: Option<String>,
}

impl Trace {
    /// This trace with what a later merge added.
    #[must_use]
    pub fn and(mut self, later: Self) -> Self {
        self.created.extend(later.created);
        self.rules.extend(later.rules);
        self.status_line = self.status_line.or(later.status_line);
        for (path, inner) in later.blank {
            self.blank.entry(path).or_insert(inner);
        }
        self
    }
}

/// The text with exactly `wanted` of ours in it: old entries of ours are brought up to date where
/// they stand, missing ones are added at the end, everything else is left as it is.
///
/// # Errors
/// The place where the text has not the shape of a settings file.
pub fn merge(text: &str, wanted: &Wanted) -> Result<(String, Trace)> {
    let mut edit = Edit { text: text.to_owned(), trace: Trace::default() };
    check_shape(&edit.text)?;
    let unwanted = edit.unwanted_events(wanted)?;
    for event in unwanted {
        edit.strip_event(&event, None)?;
    }
    for (event, groups) in &wanted.events {
        edit.merge_event(event, groups)?;
    }
    for rule in &wanted.rules {
        edit.add_rule(rule)?;
    }
    edit.merge_status_line(wanted.status_line.as_ref())?;
    check_shape(&edit.text).context("the edited text would not be valid; nothing was written")?;
    Ok((edit.text, edit.trace))
}

/// The text without our entries. With a `trace`, what it names is removed too and nothing else;
/// without one (the record was lost), containers that become empty and our rules go.
///
/// # Errors
/// The place where the text has not the shape of a settings file.
pub fn strip(text: &str, trace: Option<&Trace>, rules: &[String]) -> Result<String> {
    check_shape(text)?;
    let mut edit = Edit { text: text.to_owned(), trace: Trace::default() };
    edit.strip_status_line(trace)?;
    let events = Document::parse(&edit.text)?.names(&["hooks"])?;
    let had_hooks = !events.is_empty();
    let mut emptied = false;
    for event in events.iter().rev() {
        emptied |= edit.strip_event(event, trace)?;
    }
    let goes = |path: &str, emptied: bool| trace.map_or(emptied, |t| t.created.iter().any(|c| c == path));
    if had_hooks && goes("hooks", emptied) {
        edit.drop_if_empty(&["hooks"], trace)?;
    }
    let rules = trace.map_or(rules, |t| &t.rules);
    let mut dropped = false;
    for rule in rules.iter().rev() {
        dropped |= edit.drop_rule(rule, trace)?;
    }
    if goes("permissions/allow", dropped) {
        edit.drop_if_empty(&["permissions", "allow"], trace)?;
    }
    if goes("permissions", dropped) {
        edit.drop_if_empty(&["permissions"], trace)?;
    }
    check_shape(&edit.text).context("the edited text would not be valid; nothing was written")?;
    Ok(edit.text)
}

/// True where `text` is an object with nothing in it.
#[must_use]
pub fn is_blank(text: &str) -> bool {
    serde_json::from_str::<serde_json::Map<String, Value>>(text).is_ok_and(|map| map.is_empty())
}

fn check_shape(text: &str) -> Result<()> {
    let doc = Document::parse(text)?;
    doc.container(&["hooks"], Kind::Object)?;
    for event in doc.names(&["hooks"])? {
        doc.container(&["hooks", &event], Kind::Array)?;
    }
    doc.container(&["permissions"], Kind::Object)?;
    doc.container(&["permissions", "allow"], Kind::Array)?;
    Ok(())
}

struct Edit {
    text: String,
    trace: Trace,
}

impl Edit {
    /// The values of the array at `path`, which is made if it is missing.
    fn array(&mut self, path: [&str; 2]) -> Result<Vec<Value>> {
        self.ensure(&path[..1], Kind::Object)?;
        self.ensure(&path, Kind::Array)?;
        self.values(path)
    }

    fn values(&self, path: [&str; 2]) -> Result<Vec<Value>> {
        let value: Value = serde_json::from_str(&self.text)?;
        let array = value.get(path[0]).and_then(|v| v.get(path[1])).and_then(Value::as_array);
        Ok(array.cloned().unwrap_or_default())
    }

    fn ensure(&mut self, path: &[&str], kind: Kind) -> Result<()> {
        if Document::parse(&self.text)?.container(path, kind)?.is_some() {
            return Ok(());
        }
        let Some((name, parent)) = path.split_last() else { return Ok(()) };
        let empty = match kind {
            Kind::Object => serde_json::json!({}),
            Kind::Array => serde_json::json!([]),
        };
        self.push(parent, Kind::Object, Some(name), &empty)?;
        self.trace.created.push(path.join("/"));
        Ok(())
    }

    fn push(&mut self, path: &[&str], kind: Kind, key: Option<&str>, value: &impl Serialize) -> Result<()> {
        let Some(container) = Document::parse(&self.text)?.container(path, kind)? else {
            bail!("`{}` is missing", path.join("."));
        };
        let (text, blank) = splice::push(&self.text, &container, key, value)?;
        self.text = text;
        if let Some(inner) = blank.filter(|inner| !inner.is_empty()) {
            self.trace.blank.entry(path.join("/")).or_insert(inner);
        }
        Ok(())
    }

    fn cut(&mut self, path: &[&str], kind: Kind, index: usize, trace: Option<&Trace>) -> Result<()> {
        let Some(container) = Document::parse(&self.text)?.container(path, kind)? else { return Ok(()) };
        let blank = trace.and_then(|t| t.blank.get(&path.join("/"))).map_or("", String::as_str);
        self.text = splice::cut(&self.text, &container, index, blank);
        Ok(())
    }

    fn unwanted_events(&self, wanted: &Wanted) -> Result<Vec<String>> {
        let names = Document::parse(&self.text)?.names(&["hooks"])?;
        Ok(names.into_iter().filter(|n| wanted.events.iter().all(|(event, _)| event != n)).collect())
    }

    fn merge_event(&mut self, event: &str, groups: &[Group]) -> Result<()> {
        let path = ["hooks", event];
        let mut wanted: Vec<&Group> = groups.iter().collect();
        let mut index = 0;
        for value in self.array(path)? {
            match ownership(&value) {
                Own::None => index += 1,
                Own::Some => {
                    // Ours were moved into a group of somebody else's; they get their own again.
                    self.cut_handlers(path, index, &value)?;
                    index += 1;
                }
                Own::All => {
                    let same = wanted.iter().position(|g| serde_json::to_value(g).is_ok_and(|v| v == value));
                    let near =
                        || wanted.iter().position(|g| Some(g.matcher.as_deref()) == Some(matcher(&value)));
                    match same.or_else(near).or((!wanted.is_empty()).then_some(0)) {
                        Some(at) => {
                            let group = wanted.remove(at);
                            if same.is_none() {
                                self.swap(path, index, group)?;
                            }
                            index += 1;
                        }
                        None => self.cut(&path, Kind::Array, index, None)?,
                    }
                }
            }
        }
        for group in wanted {
            self.push(&path, Kind::Array, None, group)?;
        }
        Ok(())
    }

    fn swap(&mut self, path: [&str; 2], index: usize, group: &Group) -> Result<()> {
        let doc = Document::parse(&self.text)?;
        let span = doc.container(&path, Kind::Array)?.and_then(|c| c.children.get(index).cloned());
        if let Some(span) = span {
            self.text = splice::swap(&self.text, &span, group)?;
        }
        Ok(())
    }

    /// Takes our handlers out of group `index`, whose value is given.
    fn cut_handlers(&mut self, path: [&str; 2], index: usize, group: &Value) -> Result<()> {
        for at in our_handlers(group).into_iter().rev() {
            let doc = Document::parse(&self.text)?;
            let Some(jsonc_parser::ast::Value::Array(groups)) = doc.get(&path)? else { return Ok(()) };
            let handlers = groups.elements.get(index).and_then(|g| g.as_object()?.get_array("hooks"));
            let Some(handlers) = handlers else { return Ok(()) };
            let value = jsonc_parser::ast::Value::Array(handlers.clone());
            let Some(container) = super::document::container_of(&value) else { return Ok(()) };
            self.text = splice::cut(&self.text, &container, at, "");
        }
        Ok(())
    }

    /// Takes ours out of one event; true where nothing is left of it.
    fn strip_event(&mut self, event: &str, trace: Option<&Trace>) -> Result<bool> {
        let path = ["hooks", event];
        let mut changed = false;
        for (index, value) in self.values(path)?.iter().enumerate().rev() {
            match ownership(value) {
                Own::None => {}
                Own::Some => self.cut_handlers(path, index, value)?,
                Own::All => {
                    self.cut(&path, Kind::Array, index, trace)?;
                    changed = true;
                }
            }
        }
        let name = path.join("/");
        let goes = trace.map_or(changed, |t| t.created.contains(&name));
        Ok(goes && self.drop_if_empty(&path, trace)?)
    }

    /// Removes the property at `path` if its value is an empty container.
    fn drop_if_empty(&mut self, path: &[&str], trace: Option<&Trace>) -> Result<bool> {
        let Some((name, parent)) = path.split_last() else { return Ok(false) };
        let doc = Document::parse(&self.text)?;
        let empty =
            doc.get(path)?.and_then(super::document::container_of).is_some_and(|c| c.children.is_empty());
        let index = doc.names(parent)?.iter().position(|n| n == name);
        match index {
            Some(index) if empty => {
                self.cut(parent, Kind::Object, index, trace)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn add_rule(&mut self, rule: &str) -> Result<()> {
        let path = ["permissions", "allow"];
        if self.array(path)?.iter().any(|v| v == rule) {
            return Ok(());
        }
        self.push(&path, Kind::Array, None, &rule)?;
        self.trace.rules.push(rule.to_owned());
        Ok(())
    }

    fn drop_rule(&mut self, rule: &str, trace: Option<&Trace>) -> Result<bool> {
        let path = ["permissions", "allow"];
        match self.values(path)?.iter().rposition(|v| v == rule) {
            Some(index) => self.cut(&path, Kind::Array, index, trace).map(|()| true),
            None => Ok(false),
        }
    }
}

enum Own {
    None,
    Some,
    All,
}

fn our_handlers(group: &Value) -> Vec<usize> {
    let handlers = group.get("hooks").and_then(Value::as_array);
    handlers.into_iter().flatten().enumerate().filter(|(_, h)| is_our_handler(h)).map(|(i, _)| i).collect()
}

fn is_our_handler(handler: &Value) -> bool {
    handler.get("command").and_then(Value::as_str).is_some_and(is_ours)
}

fn ownership(group: &Value) -> Own {
    let ours = our_handlers(group).len();
    match group.get("hooks").and_then(Value::as_array).map_or(0, Vec::len) {
        _ if ours == 0 => Own::None,
        all if all == ours => Own::All,
        _ => Own::Some,
    }
}

fn matcher(group: &Value) -> Option<&str> {
    group.get("matcher").and_then(Value::as_str)
}

#[cfg(test)]
mod tests;
