//! `domains:`, the named parts of the node.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use comm_node_core::glob::escape;
use comm_node_core::node::registry::{Domain, Mode, Pattern, Registry, Role};
use comm_node_core::path;
use comm_node_core::text::Text;
use serde_json::Value as Json;

use super::budget;
use super::compile::{Ground, MAX_NAME};
use super::fault::{Issue, quoted};
use super::place::{self, Site};
use super::reader::{Entry, Fields, Reader, nearest};
use super::role;
use super::yaml::Node;

/// Where the parts of a domain stand in the file.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    /// Its name.
    pub name: Range<usize>,
    /// Its `path`, if it has one.
    pub path: Option<Range<usize>>,
    /// The patterns of its scope, in the order of the registry.
    pub scope: Vec<Range<usize>>,
    /// Each imported export with its domain.
    pub imports: Vec<(String, String, Range<usize>)>,
}

const KEYS: [&str; 12] = [
    "path",
    "description",
    "scope",
    "exclude",
    "exports",
    "imports",
    "allowed_imports",
    "forbidden_imports",
    "budget",
    "mode",
    "max_sessions",
    "role",
];
const MODES: [(&str, Mode); 3] = [("enforce", Mode::Enforce), ("warn", Mode::Warn), ("off", Mode::Off)];
const GLOBS: &str = "[\"src/**\"]";
const MAX_SESSIONS: u32 = 1000;

/// Reads `domains:` into the registry.
pub(super) fn read_all(
    reader: &mut Reader<'_>,
    node: &Node,
    ground: Ground<'_>,
    registry: &mut Registry<'static>,
) -> Vec<Marks> {
    let before = reader.issues.len();
    let help = "write `backend: {scope: [\"services/api/**\"]}`";
    let entries = reader.entries(node, "`domains`", help);
    if entries.is_empty() && reader.issues.len() == before {
        let at = reader.pointed(node);
        reader.fault(at, "`domains` is empty", help);
    }
    let mut marks = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let twin = entries[..index].iter().find(|e| e.name.eq_ignore_ascii_case(entry.name));
        if let Some(twin) = twin {
            let what = format!("the domains {} and {} differ in case only", twin.name, entry.name);
            let issue = Issue::fault(entry.at.clone(), what, "give one of them another name");
            reader.issues.push(issue.with(twin.at.clone(), "the other one"));
        }
        if valid_name(reader, entry, "domain") {
            let (domain, mark) = one(reader, entry, ground, registry);
            registry.domains.push(domain);
            marks.push(mark);
        }
    }
    let names: Vec<&str> = entries.iter().map(|e| e.name).collect();
    for entry in &entries {
        check_imports(reader, entry, &names);
    }
    marks
}

/// True if a domain or role may have that name, which is also a file name and an address.
pub(super) fn valid_name(reader: &mut Reader<'_>, entry: &Entry<'_>, kind: &str) -> bool {
    let name = entry.name;
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let (what, help) = if matches!(name, "human" | "*" | "comm-node") {
        (format!("no {kind} can be called {}", quoted(name)), "it is an address that messages use".to_owned())
    } else if name.is_empty() || name.starts_with('-') || !name.bytes().all(good) {
        let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let plain = plain.trim_matches('-');
        let help = "use letters, digits, - and _, beginning with a letter or digit";
        let help = if plain.is_empty() { help.to_owned() } else { format!("{help}, such as {plain}") };
        (format!("no {kind} can be called {}", quoted(name)), help)
    } else if name.len() > MAX_NAME {
        (format!("the name of the {kind} is too long"), format!("use at most {MAX_NAME} characters"))
    } else {
        return true;
    };
    reader.fault(entry.at.clone(), what, help);
    false
}

fn one(
    reader: &mut Reader<'_>,
    entry: &Entry<'_>,
    ground: Ground<'_>,
    registry: &mut Registry<'static>,
) -> (Domain<'static>, Marks) {
    let fold = ground.fold_case;
    let what = format!("domain {}", quoted(entry.name));
    let fields = reader.fields(entry.value, &what, &KEYS);
    let site = match fields.get("path") {
        Some(node) => place::read(reader, node, ground.root),
        None => Some(Site::Root),
    };
    let is_clean = fields.clean && site.is_some();
    // A bad path is a fault, so that it does not matter what the rest takes it for.
    let site = site.unwrap_or(Site::Root);
    let (tree, prefix) = match &site {
        Site::Root => (0, String::new()),
        Site::Inside(below) => (0, path::key(below, fold)),
        Site::Outside(real) => (tree_index(registry, real), String::new()),
    };
    let mut marks = Marks { name: entry.at.clone(), ..Marks::default() };
    marks.path = fields.get("path").map(|n| n.at.clone());
    let mut scope = match fields.get("scope") {
        Some(node) => {
            let (found, places) = patterns_with_places(reader, node, "`scope`", fold);
            marks.scope = places;
            found
        }
        // A directory of its own is a scope by itself.
        None if !is_clean => Vec::new(),
        None if site != Site::Root => {
            let at = marks.path.clone().unwrap_or_else(|| entry.at.clone());
            let line = reader.source.line(at.start);
            marks.scope.push(at);
            vec![Pattern("**".into(), line)]
        }
        None => {
            let help = "add `scope: [\"src/**\"]` with what it may write, or `scope: []` if it only reads";
            reader.fault(entry.at.clone(), format!("{what} has no scope"), help);
            Vec::new()
        }
    };
    let mut exclude = match fields.get("exclude") {
        Some(node) => patterns(reader, node, "`exclude`", fold),
        None => Vec::new(),
    };
    let home = match &site {
        Site::Outside(_) => vec![Text::default()],
        Site::Inside(_) => vec![prefix.clone().into()],
        Site::Root => homes(&scope),
    };
    for Pattern(glob, _) in scope.iter_mut().chain(&mut exclude).filter(|_| !prefix.is_empty()) {
        *glob = format!("{}/{glob}", escape(&prefix)).into();
    }
    let (imports, import_marks) = imports(reader, &fields);
    marks.imports = import_marks;
    let domain = Domain {
        name: entry.name.to_owned().into(),
        description: line_of(reader, &fields, "description").into(),
        mode: fields.get("mode").and_then(|n| reader.choice(n, "`mode`", &MODES)).unwrap_or_default(),
        tree,
        scope,
        exclude,
        home,
        max_sessions: fields
            .get("max_sessions")
            .and_then(|n| reader.count(n, "`max_sessions`", MAX_SESSIONS))
            .unwrap_or(1),
        role: role_of(reader, &fields, &registry.roles.list().unwrap_or_default()),
        exports: names(reader, &fields, "exports"),
        imports,
        budget: fields.get("budget").map(|node| Box::new(budget::read(reader, node))),
        other: other(reader, &fields, fold),
    };
    (domain, marks)
}

/// The index of the tree at `real`, which is added if it is new.
fn tree_index(registry: &mut Registry<'static>, real: &str) -> usize {
    match registry.trees.iter().position(|t| t.as_str() == real) {
        Some(index) => index,
        None => {
            registry.trees.push(real.to_owned().into());
            registry.trees.len() - 1
        }
    }
}

/// The directories that a scope takes whole.
fn homes(scope: &[Pattern<'static>]) -> Vec<Text<'static>> {
    let mut seen = HashSet::new();
    scope
        .iter()
        .filter_map(|p| super::glob::whole_directory(p.glob()))
        .filter(|dir| seen.insert(dir.clone()))
        .map(Text::from)
        .collect()
}

fn role_of(reader: &mut Reader<'_>, fields: &Fields<'_>, roles: &[Role<'static>]) -> Option<Text<'static>> {
    let node = fields.get("role")?;
    let name = reader.text(node, "`role`")?;
    if !roles.iter().any(|r| r.name.as_str() == name) {
        role::unknown(reader, node.at.clone(), &name, roles);
    }
    Some(name.into())
}

/// A text brought into one line.
fn line_of(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> String {
    let text = fields.get(key).and_then(|n| reader.text(n, &format!("`{key}`"))).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A list of names.
fn names(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Vec<Text<'static>> {
    let Some(node) = fields.get(key) else { return Vec::new() };
    let what = format!("`{key}`");
    let mut out = Vec::new();
    for (name, at) in reader.texts(node, &what, "[ApiContract]") {
        if name.trim().is_empty() {
            reader.fault(at, format!("a name in {what} is empty"), "remove it");
        } else {
            out.push(name.into());
        }
    }
    out
}

type Imports = Vec<(Text<'static>, Vec<Text<'static>>)>;

fn imports(reader: &mut Reader<'_>, fields: &Fields<'_>) -> (Imports, Vec<(String, String, Range<usize>)>) {
    let Some(node) = fields.get("imports") else { return Default::default() };
    let mut out = Vec::new();
    let mut marks = Vec::new();
    for entry in reader.entries(node, "`imports`", "write {shared: [Types]}: the domain, then its exports") {
        let what = format!("the imports from {}", quoted(entry.name));
        let exports = reader.texts(entry.value, &what, "[Types]");
        let own = |export: &(String, _)| Text::from(export.0.clone());
        out.push((entry.name.to_owned().into(), exports.iter().map(own).collect()));
        marks.extend(exports.into_iter().map(|(export, at)| (entry.name.to_owned(), export, at)));
    }
    (out, marks)
}

/// Imports name other domains. A name close to one of them is a slip and a fault; one that is
/// close to none may be a domain that is still to come, and is a warning (see `warn`).
fn check_imports(reader: &mut Reader<'_>, entry: &Entry<'_>, names: &[&str]) {
    let Some(super::yaml::Value::Map(imports)) = entry.value.get("imports").map(|n| &n.value) else { return };
    for (key, _) in imports {
        let super::yaml::Value::Text(name) = &key.value else { continue };
        if name == entry.name {
            reader.fault(
                key.at.clone(),
                format!("{} imports from itself", quoted(name)),
                "name another domain",
            );
        } else if !names.contains(&name.as_str())
            && let Some(near) = nearest(name, names.iter().copied())
        {
            reader.fault(
                key.at.clone(),
                format!("there is no domain {}", quoted(name)),
                format!("did you mean `{near}`?"),
            );
        }
    }
}

/// The keys that only later releases act on: checked, and kept as they are.
fn other(reader: &mut Reader<'_>, fields: &Fields<'_>, fold: bool) -> BTreeMap<String, Json> {
    let mut out = BTreeMap::new();
    for key in ["allowed_imports", "forbidden_imports"] {
        if let Some(node) = fields.get(key) {
            let globs = patterns(reader, node, &format!("`{key}`"), fold);
            out.insert(key.to_owned(), globs.iter().map(Pattern::glob).collect());
        }
    }
    out
}

/// A list of patterns in the registry's form.
pub(super) fn patterns(
    reader: &mut Reader<'_>,
    node: &Node,
    what: &str,
    fold: bool,
) -> Vec<Pattern<'static>> {
    patterns_with_places(reader, node, what, fold).0
}

fn patterns_with_places(
    reader: &mut Reader<'_>,
    node: &Node,
    what: &str,
    fold: bool,
) -> (Vec<Pattern<'static>>, Vec<Range<usize>>) {
    let mut out = (Vec::new(), Vec::new());
    for (raw, at) in reader.texts(node, what, GLOBS) {
        if let Some(glob) = pattern(reader, &raw, &at, fold) {
            out.0.push(Pattern(glob.into(), reader.source.line(at.start)));
            out.1.push(at);
        }
    }
    out
}

/// One pattern in the registry's form; a bad one is an issue at the character that makes it bad.
pub(super) fn pattern(reader: &mut Reader<'_>, raw: &str, at: &Range<usize>, fold: bool) -> Option<String> {
    match super::glob::normalise(raw, fold) {
        Ok(glob) => Some(glob),
        Err(bad) => {
            let written = reader.source.slice(at);
            // Where the text stands as it is, plain or in quotes without escapes.
            let inner = [0, 1].into_iter().find(|skip| {
                written.get(*skip..written.len().saturating_sub(*skip)).is_some_and(|t| t == raw)
            });
            let place = match inner {
                Some(skip) if !raw.is_empty() => at.start + skip + bad.at.start..at.start + skip + bad.at.end,
                _ => at.clone(),
            };
            let what = match raw.is_empty() {
                true => bad.what,
                false => format!("{} in {}", bad.what, quoted(raw)),
            };
            reader.fault(place, what, bad.help);
            None
        }
    }
}
