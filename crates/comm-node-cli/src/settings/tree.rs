//! A settings text as a tree, opened where we edit; all else is kept as the bytes that it is.
//!
//! [`Tree::push`] and [`Branch::retain`] are inverse: whatever the text looked like (line ends, tabs, one line),
//! taking out what was pushed gives the same bytes back.

use std::borrow::Cow;
use std::fmt;

use jsonc_parser::ast::{Array, Object, ObjectPropName, Value as Ast};
use jsonc_parser::common::{Range, Ranged};
use serde::Serialize;

use super::document::{Document, Kind};
use super::style::{Style, margin};

/// Which containers are opened: those with children that come and go, and what is on the way to them.
#[derive(Clone, Copy, Debug)]
enum Part {
    Root,
    Hooks,
    Event,
    Group,
    Permissions,
    /// Nothing below it is opened.
    Flat,
}

impl Part {
    /// What the child `name` is, if it is opened.
    fn below(self, name: &str) -> Option<Self> {
        match (self, name) {
            (Self::Root, "hooks") => Some(Self::Hooks),
            (Self::Root, "permissions") => Some(Self::Permissions),
            (Self::Hooks, _) => Some(Self::Event),
            (Self::Event, _) => Some(Self::Group),
            (Self::Root, "statusLine") | (Self::Group, "hooks") | (Self::Permissions, "allow") => {
                Some(Self::Flat)
            }
            _ => None,
        }
    }
}

/// A settings text.
#[derive(Debug)]
pub struct Tree<'a> {
    style: Style<'a>,
    before: &'a str,
    root: Branch<'a>,
    after: &'a str,
}

/// An object or an array that is opened.
#[derive(Debug)]
pub struct Branch<'a> {
    kind: Kind,
    /// What stands between the opening bracket and the first child, or, without one, the closing bracket.
    lead: Cow<'a, str>,
    items: Vec<Item<'a>>,
    /// What stands between the last child and the closing bracket.
    tail: Cow<'a, str>,
}

/// A property of an object, or an element of an array.
#[derive(Debug)]
pub struct Item<'a> {
    /// What stands between the child before and this one: a comma and white space. The first has none.
    gap: Cow<'a, str>,
    /// The name and what follows it, as it stands there; nothing in an array.
    head: Cow<'a, str>,
    /// The name itself.
    pub name: Cow<'a, str>,
    /// The value.
    pub value: Node<'a>,
}

/// A value.
#[derive(Debug)]
pub enum Node<'a> {
    /// JSON that is not looked into.
    Leaf(Cow<'a, str>),
    /// A container that is opened.
    Branch(Branch<'a>),
}

impl<'a> Tree<'a> {
    /// The tree of a document.
    #[must_use]
    pub fn of(doc: &Document<'a>) -> Self {
        let (text, root) = (doc.text, doc.root());
        Self {
            style: Style::of(text),
            before: &text[..root.range.start],
            root: Branch::of_object(text, root, Part::Root),
            after: &text[root.range.end..],
        }
    }

    /// The branch below the names in `path`; the root for none.
    #[must_use]
    pub fn branch(&self, path: &[&str]) -> Option<&Branch<'a>> {
        path.iter().try_fold(&self.root, |branch, name| match &branch.items[branch.at(name)?].value {
            Node::Branch(inner) => Some(inner),
            Node::Leaf(_) => None,
        })
    }

    /// As [`Tree::branch`], to be changed.
    pub fn branch_mut(&mut self, path: &[&str]) -> Option<&mut Branch<'a>> {
        path.iter().try_fold(&mut self.root, |branch, name| branch.get_mut(name)?.branch_mut())
    }

    /// Adds `value` (named `key` in an object) at the end of the branch at `path`, and returns the white space that
    /// stood in it where it was empty.
    ///
    /// # Errors
    /// When the value can't be written as JSON.
    pub fn push(
        &mut self,
        path: &[&str],
        key: Option<&str>,
        value: &impl Serialize,
    ) -> serde_json::Result<Option<String>> {
        let style = self.style;
        let opens = self.branch(path).is_some_and(Branch::is_empty).then(|| self.margin(path));
        let Some(branch) = self.branch_mut(path) else { return Ok(None) };
        let break_of = |margin: &str| format!("{}{margin}", style.newline);
        let line = match &opens {
            None => branch.items.len().checked_sub(1).and_then(|last| branch.margin(last)).map(break_of),
            Some(outer) => (!style.compact).then(|| break_of(&format!("{outer}{}", style.unit))),
        };
        let head = match key {
            Some(key) => {
                format!("{}:{}", serde_json::to_string(key)?, if line.is_some() { " " } else { "" })
            }
            None => String::new(),
        };
        let json = style.render(value, line.as_deref())?;
        let mut gap = String::new();
        let mut blank = None;
        match opens {
            None => gap = format!(",{}", line.as_deref().unwrap_or(style.gap)),
            Some(outer) => {
                let tail = if line.is_some() { break_of(&outer) } else { String::new() };
                blank =
                    Some(std::mem::replace(&mut branch.lead, line.unwrap_or_default().into()).into_owned());
                branch.tail = tail.into();
            }
        }
        let name = Cow::Owned(key.unwrap_or_default().to_owned());
        branch.items.push(Item { gap: gap.into(), head: head.into(), name, value: Node::Leaf(json.into()) });
        Ok(blank)
    }

    /// Adds an empty container named `key`, as [`Tree::push`] does, and opens it.
    ///
    /// # Errors
    /// As [`Tree::push`].
    pub fn grow(&mut self, path: &[&str], key: &str, kind: Kind) -> serde_json::Result<Option<String>> {
        let blank = match kind {
            Kind::Object => self.push(path, Some(key), &serde_json::json!({}))?,
            Kind::Array => self.push(path, Some(key), &serde_json::json!([]))?,
        };
        if let Some(node) = self.branch_mut(path).and_then(|branch| branch.get_mut(key)) {
            let (lead, tail) = (Cow::Borrowed(""), Cow::Borrowed(""));
            *node = Node::Branch(Branch { kind, lead, items: Vec::new(), tail });
        }
        Ok(blank)
    }

    /// Puts `value` in the place of child `index` of the branch at `path`.
    ///
    /// # Errors
    /// When the value can't be written as JSON.
    pub fn swap(&mut self, path: &[&str], index: usize, value: &impl Serialize) -> serde_json::Result<()> {
        let style = self.style;
        let Some(branch) = self.branch_mut(path) else { return Ok(()) };
        let line = branch.margin(index).map(|margin| format!("{}{margin}", style.newline));
        if let Some(item) = branch.items.get_mut(index) {
            item.value = Node::Leaf(style.render(value, line.as_deref())?.into());
        }
        Ok(())
    }

    /// The white space that the line begins with in which the branch at `path` opens.
    fn margin(&self, path: &[&str]) -> String {
        let mut text = self.before.to_owned();
        let mut branch = &self.root;
        for name in path {
            let Some(at) = branch.at(name) else { break };
            text.push(branch.kind.brackets().0);
            text.push_str(&branch.lead);
            branch.items[..at].iter().for_each(|item| item.write(&mut text));
            let item = &branch.items[at];
            text.push_str(&item.gap);
            text.push_str(&item.head);
            let Node::Branch(inner) = &item.value else { break };
            branch = inner;
        }
        margin(text.rsplit('\n').next().unwrap_or("")).to_owned()
    }
}

impl fmt::Display for Tree<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.before.to_owned();
        self.root.write(&mut text);
        f.write_str(&text)?;
        f.write_str(self.after)
    }
}

impl<'a> Branch<'a> {
    fn of_object(text: &'a str, object: &Object<'a>, part: Part) -> Self {
        let children = object.properties.iter().map(|property| {
            let name = match &property.name {
                ObjectPropName::String(literal) => literal.value.clone(),
                ObjectPropName::Word(word) => Cow::Borrowed(word.value),
            };
            (property.range, name, &property.value)
        });
        Self::new(text, Kind::Object, object.range, children, part)
    }

    fn of_array(text: &'a str, array: &Array<'a>, part: Part) -> Self {
        let children = array.elements.iter().map(|value| (value.range(), Cow::Borrowed(""), value));
        Self::new(text, Kind::Array, array.range, children, part)
    }

    fn new<'v>(
        text: &'a str,
        kind: Kind,
        range: Range,
        children: impl Iterator<Item = (Range, Cow<'a, str>, &'v Ast<'a>)>,
        part: Part,
    ) -> Self
    where
        'a: 'v,
    {
        let (mut at, close) = (range.start + 1, range.end - 1);
        let mut lead = Cow::Borrowed("");
        let mut items = Vec::new();
        for (child, name, value) in children {
            let between = Cow::Borrowed(&text[at..child.start]);
            let gap = if items.is_empty() { std::mem::replace(&mut lead, between) } else { between };
            let head = Cow::Borrowed(&text[child.start..value.start()]);
            let value = match (part.below(&name), value) {
                (Some(part), Ast::Object(object)) => Node::Branch(Self::of_object(text, object, part)),
                (Some(part), Ast::Array(array)) => Node::Branch(Self::of_array(text, array, part)),
                _ => Node::Leaf(Cow::Borrowed(&text[value.start()..value.end()])),
            };
            items.push(Item { gap, head, name, value });
            at = child.end;
        }
        let rest = Cow::Borrowed(&text[at..close]);
        let tail = if items.is_empty() { std::mem::replace(&mut lead, rest) } else { rest };
        Self { kind, lead, items, tail }
    }

    /// True where it has no children.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Where child `name` is; of several the last, which is the one that the client takes.
    fn at(&self, name: &str) -> Option<usize> {
        self.items.iter().rposition(|item| item.name == name)
    }

    /// The value of child `name`.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Node<'a>> {
        let at = self.at(name)?;
        Some(&mut self.items[at].value)
    }

    /// Keeps the children for which `keep` says so, which it is asked in their order; `blank` is the white space to
    /// leave in the container if the last one goes.
    pub fn retain(&mut self, blank: &str, mut keep: impl FnMut(usize, &mut Item<'a>) -> bool) {
        let (count, mut index) = (self.items.len(), 0);
        self.items.retain_mut(|item| {
            index += 1;
            keep(index - 1, item)
        });
        match self.items.first_mut() {
            Some(first) => first.gap = Cow::Borrowed(""),
            None if count > 0 => (self.lead, self.tail) = (Cow::Owned(blank.to_owned()), Cow::Borrowed("")),
            None => {}
        }
    }

    /// The white space before child `index`, if it begins a line.
    fn margin(&self, index: usize) -> Option<&str> {
        let before = if index == 0 { &self.lead } else { &self.items.get(index)?.gap };
        let (_, line) = before.rsplit_once('\n')?;
        line.trim().is_empty().then(|| margin(line))
    }

    fn write(&self, text: &mut String) {
        let (open, close) = self.kind.brackets();
        text.push(open);
        text.push_str(&self.lead);
        self.items.iter().for_each(|item| item.write(text));
        text.push_str(&self.tail);
        text.push(close);
    }
}

impl Item<'_> {
    fn write(&self, text: &mut String) {
        text.push_str(&self.gap);
        text.push_str(&self.head);
        match &self.value {
            Node::Leaf(json) => text.push_str(json),
            Node::Branch(branch) => branch.write(text),
        }
    }
}

impl<'a> Node<'a> {
    /// The container that it is, if it is opened.
    pub fn branch_mut(&mut self) -> Option<&mut Branch<'a>> {
        match self {
            Self::Branch(branch) => Some(branch),
            Self::Leaf(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(text: &str, path: &[&str], key: Option<&str>, value: serde_json::Value) -> String {
        let doc = Document::parse(text).expect("valid");
        let mut tree = Tree::of(&doc);
        assert_eq!(tree.to_string(), text);
        let blank = tree.push(path, key, &value).expect("writes");
        let new = tree.to_string();
        let doc = Document::parse(&new).expect("still valid");
        // As it is, and read anew.
        for mut tree in [tree, Tree::of(&doc)] {
            let branch = tree.branch_mut(path).expect("there");
            let last = branch.items.len() - 1;
            branch.retain(blank.as_deref().unwrap_or(""), |index, _| index < last);
            assert_eq!(tree.to_string(), text, "via {new:?}");
        }
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
            assert_eq!(pushed(before, &[], Some("k"), value.clone()), after);
        }
        let allow = ["permissions", "allow"];
        let inline = "{\n  \"permissions\": {\"allow\": [\"x\", \"y\"]}\n}";
        let after = pushed(inline, &allow, None, serde_json::json!("z"));
        assert_eq!(after, "{\n  \"permissions\": {\"allow\": [\"x\", \"y\", \"z\"]}\n}");
        for odd in ["{\n  \"allow\": [ ]\n}", "{\n  \"allow\": [\n\n  ]\n}", "{\"allow\":[]}"] {
            pushed(&format!("{{\"permissions\":{odd}}}"), &allow, None, serde_json::json!("z"));
        }
    }

    /// One text has one layout, whatever was added to it before.
    #[test]
    fn the_layout_is_that_of_the_text_as_it_was() {
        let text = "{\n\"a\":[1,2],\"hooks\":{\"x\":[0],\n\"y\":[]}\n}";
        let doc = Document::parse(text).expect("valid");
        let mut tree = Tree::of(&doc);
        tree.push(&["hooks"], Some("k"), &serde_json::json!({"b": 1})).expect("writes");
        tree.push(&["hooks", "x"], None, &1).expect("writes");
        let after = "{\n\"a\":[1,2],\"hooks\":{\"x\":[0,1],\n\"y\":[],\n\"k\": {\n  \"b\": 1\n}}\n}";
        assert_eq!(tree.to_string(), after);
    }

    /// What is empty gets its line from where it opens, whatever stands before it in that line.
    #[test]
    fn an_empty_container_is_filled_in_below_its_line() {
        let text = "{\n \"a\": {\n   }, \"hooks\": {}\n}";
        let after = pushed(text, &["hooks"], Some("k"), serde_json::json!(1));
        assert_eq!(after, "{\n \"a\": {\n   }, \"hooks\": {\n    \"k\": 1\n   }\n}");
    }
}
