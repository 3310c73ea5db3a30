//! Puts our entries into a settings text and takes them out again.
//!
//! Both are functions from text to text. [`merge`] also gives a [`Trace`], by which [`strip`]
//! leaves exactly what was there before. A text is parsed once for all edits, and what became of it once more.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::document::{Document, Kind};
use super::entry::{Group, Wanted, is_ours};
use super::tree::{Branch, Node, Tree};

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
    let doc = checked(text)?;
    let mut edit = Edit::of(&doc);
    edit.strip_events(None, |event| wanted.events.iter().all(|(name, _)| *name != event));
    for (event, groups) in &wanted.events {
        edit.merge_event(event, groups)?;
    }
    edit.add_rules(&wanted.rules)?;
    edit.merge_status_line(wanted.status_line.as_ref())?;
    let text = edit.text()?;
    Ok((text, edit.trace))
}

/// The text without our entries. With a `trace`, what it names is removed too and nothing else;
/// without one (the record was lost), containers that become empty and our rules go.
///
/// # Errors
/// The place where the text has not the shape of a settings file.
pub fn strip(text: &str, trace: Option<&Trace>, rules: &[String]) -> Result<String> {
    let doc = checked(text)?;
    let mut edit = Edit::of(&doc);
    edit.strip_status_line(trace)?;
    let goes = |path: &str, emptied: bool| trace.map_or(emptied, |t| t.created.iter().any(|c| c == path));
    let had_hooks = edit.tree.branch(&["hooks"]).is_some_and(|hooks| !hooks.is_empty());
    let emptied = edit.strip_events(trace, |_| true);
    if had_hooks && goes("hooks", emptied) {
        edit.drop_if_empty(&["hooks"], trace);
    }
    let dropped = edit.drop_rules(trace.map_or(rules, |t| &t.rules), trace);
    if goes("permissions/allow", dropped) {
        edit.drop_if_empty(&["permissions", "allow"], trace);
    }
    if goes("permissions", dropped) {
        edit.drop_if_empty(&["permissions"], trace);
    }
    edit.text()
}

/// True where `text` is an object with nothing in it.
#[must_use]
pub fn is_blank(text: &str) -> bool {
    serde_json::from_str::<serde_json::Map<String, Value>>(text).is_ok_and(|map| map.is_empty())
}

fn checked(text: &str) -> Result<Document<'_>> {
    let doc = Document::parse(text)?;
    doc.expect(&["hooks"], Kind::Object)?;
    doc.expect_each("hooks", Kind::Array)?;
    doc.expect(&["permissions"], Kind::Object)?;
    doc.expect(&["permissions", "allow"], Kind::Array)?;
    Ok(doc)
}

struct Edit<'d, 'a> {
    /// As it was.
    doc: &'d Document<'a>,
    /// As it becomes.
    tree: Tree<'a>,
    trace: Trace,
}

impl<'d, 'a> Edit<'d, 'a> {
    fn of(doc: &'d Document<'a>) -> Self {
        Self { doc, tree: Tree::of(doc), trace: Trace::default() }
    }

    /// What the text has become.
    fn text(&self) -> Result<String> {
        let text = self.tree.to_string();
        checked(&text).context("the edited text would not be valid; nothing was written")?;
        Ok(text)
    }

    /// The values of the array at `path` as it was.
    fn values(&self, path: [&str; 2]) -> &'d [Value] {
        let array = self.doc.value.get(path[0]).and_then(|v| v.get(path[1])).and_then(Value::as_array);
        array.map_or(&[], Vec::as_slice)
    }

    /// Makes the array at `path`, and the object that it is in, if they are missing.
    fn ensure(&mut self, path: [&str; 2]) -> Result<()> {
        for (depth, kind) in [(1, Kind::Object), (2, Kind::Array)] {
            let (parent, path) = (&path[..depth - 1], &path[..depth]);
            if self.tree.branch(path).is_none() {
                let blank = self.tree.grow(parent, path[depth - 1], kind)?;
                self.note_blank(parent, blank);
                self.trace.created.push(path.join("/"));
            }
        }
        Ok(())
    }

    fn push(&mut self, path: &[&str], key: Option<&str>, value: &impl Serialize) -> Result<()> {
        if self.tree.branch(path).is_none() {
            bail!("`{}` is missing", path.join("."));
        }
        let blank = self.tree.push(path, key, value)?;
        self.note_blank(path, blank);
        Ok(())
    }

    fn note_blank(&mut self, path: &[&str], blank: Option<String>) {
        if let Some(inner) = blank.filter(|inner| !inner.is_empty()) {
            self.trace.blank.entry(path.join("/")).or_insert(inner);
        }
    }

    fn merge_event(&mut self, event: &str, groups: &[Group]) -> Result<()> {
        let path = ["hooks", event];
        self.ensure(path)?;
        let mut wanted = Vec::new();
        for group in groups {
            wanted.push((group, serde_json::to_value(group)?));
        }
        let mut fates = Vec::new();
        for (index, value) in self.values(path).iter().enumerate() {
            fates.push(match ownership(value) {
                Own::None => Fate::Stays,
                // Ours were moved into a group of somebody else's; they get their own again.
                Own::Some => Fate::Loses(value),
                Own::All => {
                    let same = wanted.iter().position(|(_, v)| v == value);
                    let near = || wanted.iter().position(|(g, _)| g.matcher.as_deref() == matcher(value));
                    match same.or_else(near).or((!wanted.is_empty()).then_some(0)) {
                        Some(at) => {
                            let (group, _) = wanted.remove(at);
                            if same.is_none() {
                                self.tree.swap(&path, index, group)?;
                            }
                            Fate::Stays
                        }
                        None => Fate::Goes,
                    }
                }
            });
        }
        if let Some(branch) = self.tree.branch_mut(&path) {
            keep(branch, &fates, "");
        }
        for (group, _) in wanted {
            self.push(&path, None, group)?;
        }
        Ok(())
    }

    /// Takes ours out of the events that `which` says; true where nothing was left of one and it went.
    fn strip_events(&mut self, trace: Option<&Trace>, which: impl Fn(&str) -> bool) -> bool {
        let all = self.doc.value.get("hooks");
        let created: HashSet<&str> = trace.iter().flat_map(|t| &t.created).map(String::as_str).collect();
        let Some(hooks) = self.tree.branch_mut(&["hooks"]) else { return false };
        let mut emptied = false;
        hooks.retain(blank(trace, "hooks"), |_, item| {
            let groups = all.and_then(|events| events.get(&*item.name)).and_then(Value::as_array);
            let (Some(groups), Some(event)) = (groups, item.value.branch_mut()) else { return true };
            if !which(&item.name) {
                return true;
            }
            let fates: Vec<Fate<'_>> = groups.iter().map(Fate::of).collect();
            let path = format!("hooks/{}", item.name);
            keep(event, &fates, blank(trace, &path));
            let goes = match trace {
                Some(_) => created.contains(path.as_str()),
                None => fates.iter().any(|fate| matches!(fate, Fate::Goes)),
            };
            let gone = goes && event.is_empty();
            emptied |= gone;
            !gone
        });
        emptied
    }

    /// Removes the property at `path` if its value is an empty container.
    fn drop_if_empty(&mut self, path: &[&str], trace: Option<&Trace>) {
        let Some((name, parent)) = path.split_last() else { return };
        if self.tree.branch(path).is_some_and(Branch::is_empty) {
            self.drop_child(parent, name, trace);
        }
    }

    /// Removes property `name` of the object at `path`.
    fn drop_child(&mut self, path: &[&str], name: &str, trace: Option<&Trace>) {
        let blank = blank(trace, &path.join("/"));
        if let Some(branch) = self.tree.branch_mut(path) {
            branch.retain(blank, |_, item| item.name != name);
        }
    }

    fn add_rules(&mut self, rules: &[String]) -> Result<()> {
        let path = ["permissions", "allow"];
        if !rules.is_empty() {
            self.ensure(path)?;
        }
        let mut there: HashSet<&str> = self.values(path).iter().filter_map(Value::as_str).collect();
        for rule in rules {
            if there.insert(rule) {
                self.push(&path, None, rule)?;
                self.trace.rules.push(rule.clone());
            }
        }
        Ok(())
    }

    /// Takes `rules` out, each as often as it is named and the last of the same first; true where one was there.
    fn drop_rules(&mut self, rules: &[String], trace: Option<&Trace>) -> bool {
        let path = ["permissions", "allow"];
        let mut left: HashMap<&str, usize> = HashMap::new();
        for rule in rules {
            *left.entry(rule).or_default() += 1;
        }
        let mut go = |value: &Value| {
            let left = value.as_str().and_then(|rule| left.get_mut(rule)).filter(|left| **left > 0);
            left.map(|left| *left -= 1).is_some()
        };
        let values = self.values(path);
        let mut gone: Vec<bool> = values.iter().rev().map(&mut go).collect();
        gone.reverse();
        if let Some(branch) = self.tree.branch_mut(&path) {
            branch
                .retain(blank(trace, &path.join("/")), |index, _| !gone.get(index).is_some_and(|gone| *gone));
        }
        gone.contains(&true)
    }
}

/// The white space that stood in the container at `path` when it was empty.
fn blank<'t>(trace: Option<&'t Trace>, path: &str) -> &'t str {
    trace.and_then(|t| t.blank.get(path)).map_or("", String::as_str)
}

/// What becomes of a group.
enum Fate<'v> {
    Stays,
    /// Ours are taken out of it.
    Loses(&'v Value),
    Goes,
}

impl<'v> Fate<'v> {
    /// That of a group from which ours are taken out.
    fn of(group: &'v Value) -> Self {
        match ownership(group) {
            Own::None => Self::Stays,
            Own::Some => Self::Loses(group),
            Own::All => Self::Goes,
        }
    }
}

/// Does with the groups of an event what `fates` say.
fn keep(event: &mut Branch<'_>, fates: &[Fate<'_>], blank: &str) {
    event.retain(blank, |index, group| match fates.get(index) {
        Some(Fate::Goes) => false,
        Some(Fate::Loses(value)) => {
            cut_handlers(&mut group.value, value);
            true
        }
        Some(Fate::Stays) | None => true,
    });
}

/// Takes our handlers out of a group, whose value is given.
fn cut_handlers(group: &mut Node<'_>, value: &Value) {
    let handlers = value.get("hooks").and_then(Value::as_array);
    let branch = group.branch_mut().and_then(|group| group.get_mut("hooks")).and_then(Node::branch_mut);
    if let (Some(handlers), Some(branch)) = (handlers, branch) {
        branch.retain("", |index, _| !handlers.get(index).is_some_and(is_our_handler));
    }
}

enum Own {
    None,
    Some,
    All,
}

fn is_our_handler(handler: &Value) -> bool {
    handler.get("command").and_then(Value::as_str).is_some_and(is_ours)
}

fn ownership(group: &Value) -> Own {
    let handlers = group.get("hooks").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    match handlers.iter().filter(|handler| is_our_handler(handler)).count() {
        0 => Own::None,
        ours if ours == handlers.len() => Own::All,
        _ => Own::Some,
    }
}

fn matcher(group: &Value) -> Option<&str> {
    group.get("matcher").and_then(Value::as_str)
}

#[cfg(test)]
mod cost;
#[cfg(test)]
mod tests;
