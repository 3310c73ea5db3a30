//! The whole file: its top-level keys, and the registry that comes out.

use std::path::Path;

use comm_node_core::node::registry::{McpWrite, Registry, Roles, SourceId, VERSION};
use comm_node_core::text::{self, Text};

use super::domain::{self, Marks};
use super::fault::{Issue, Level, Source, quoted};
use super::reader::Reader;
use super::yaml::{Node, Value};
use super::{budget, policy, prices, role, shell, yaml};

/// What surrounds the text and decides about its meaning.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// The node's root: real, absolute.
    pub root: &'a Path,
    /// True where the file system takes `A` and `a` for the same name.
    pub fold_case: bool,
    /// The identity of the file with the text.
    pub id: SourceId,
}

/// A file that was read, with everything that is wrong with it.
#[derive(Debug)]
pub struct Compiled {
    /// The text and its name.
    pub source: Source,
    /// Faults, in the order of the file.
    pub faults: Vec<Issue>,
    /// The compiled form, if there are no faults.
    pub registry: Option<Registry<'static>>,
    /// Where the parts of each domain stand, in the order of the registry's domains.
    pub marks: Vec<Marks>,
}

const KEYS: [&str; 9] =
    ["version", "name", "domains", "roles", "policy", "budget", "mcp_writes", "shell", "prices"];
/// The longest name of anything.
pub(super) const MAX_NAME: usize = 64;

/// Reads and checks `text`, the content of the file called `name`.
#[must_use]
pub fn compile(name: &str, text: &str, ground: Ground<'_>) -> Compiled {
    let source = Source::new(name, text);
    let mut reader = Reader::new(&source);
    let tree = yaml::parse(&source, &mut reader.issues);
    let read = tree.and_then(|tree| file(&mut reader, &tree, ground));
    let mut faults = reader.issues;
    faults.sort_by_key(|issue| issue.at.start);
    let broken = faults.iter().any(|issue| issue.level == Level::Fault);
    let (registry, marks) = match read {
        Some((registry, marks)) if !broken => (Some(registry), marks),
        _ => (None, Vec::new()),
    };
    Compiled { source, faults, registry, marks }
}

fn file(reader: &mut Reader<'_>, tree: &Node, ground: Ground<'_>) -> Option<(Registry<'static>, Vec<Marks>)> {
    if matches!(tree.value, Value::Null) {
        let help = "run `comm-node init --force` to have domains proposed, or begin with `version: 1`";
        reader.fault(0..0, "the file is empty", help);
        return None;
    }
    if !version(reader, tree) {
        return None;
    }
    let fields = reader.fields(tree, "the file", &KEYS);
    let mut registry = Registry {
        version: VERSION,
        part: None,
        source: ground.id,
        fault: None,
        name: name(reader, fields.get("name"), ground.root).into(),
        fold_case: ground.fold_case,
        trees: vec![Text::from(ground.root.to_string_lossy().into_owned())],
        policy: comm_node_core::node::registry::Policy::default(),
        budget: fields.get("budget").map(|node| budget::read(reader, node)),
        protected: Vec::new(),
        mcp_writes: Vec::new(),
        shell: Vec::new(),
        prices: Vec::new(),
        roles: Roles::List(role::read(reader, fields.get("roles"), ground.fold_case)),
        domains: Vec::new(),
    };
    if let Some(node) = fields.get("policy") {
        policy::read(reader, node, &mut registry);
    }
    if let Some(node) = fields.get("mcp_writes") {
        registry.mcp_writes = mcp_writes(reader, node);
    }
    if let Some(node) = fields.get("shell") {
        registry.shell = shell::read(reader, node);
    }
    if let Some(node) = fields.get("prices") {
        registry.prices = prices::read(reader, node);
    }
    let marks = match fields.get("domains") {
        Some(node) => domain::read_all(reader, node, ground, &mut registry),
        None => {
            let help = "add `domains:` with at least one domain; `comm-node init --force` proposes some";
            reader.fault(0..first_line(reader.source), "the file has no domains", help);
            Vec::new()
        }
    };
    budget::inherit(&mut registry);
    Some((registry, marks))
}

fn first_line(source: &Source) -> usize {
    source.text().lines().next().unwrap_or_default().len()
}

/// Checks the version before anything else: another one may have other keys.
fn version(reader: &mut Reader<'_>, tree: &Node) -> bool {
    let Value::Map(entries) = &tree.value else {
        let help = "begin with `version: 1`, then `name:` and `domains:`";
        reader.wrong(tree, "the file", "a mapping", help);
        return false;
    };
    let found = entries.iter().find(|(k, _)| matches!(&k.value, Value::Text(t) if t == "version"));
    let Some((key, value)) = found else {
        let end = first_line(reader.source);
        reader.fault(0..end, "the file does not say its version", "add `version: 1` as its first line");
        return true;
    };
    match value.value {
        Value::Number(1.0) => true,
        Value::Number(_) => {
            let what = format!("this comm-node does not know version {}", reader.source.slice(&value.at));
            reader.fault(value.at.clone(), what, "this one reads `version: 1`; a file of a later version needs the comm-node that it was written for");
            false
        }
        _ => {
            let at = reader.at(&key.at, value);
            reader.fault(at, "the version is not a number", "write `version: 1`");
            true
        }
    }
}

fn name(reader: &mut Reader<'_>, node: Option<&Node>, root: &Path) -> String {
    let Some(node) = node else {
        let dir = root.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        return text::one_line(&dir, MAX_NAME).into_owned();
    };
    let Some(name) = reader.text(node, "`name`") else { return String::new() };
    if name.chars().count() > MAX_NAME || name.chars().any(text::is_hidden) {
        let help = format!("use at most {MAX_NAME} visible characters");
        reader.fault(node.at.clone(), "the node's name is too long or has hidden characters", help);
    }
    name
}

/// `mcp_writes`: tools and the fields of their input that hold paths.
fn mcp_writes(reader: &mut Reader<'_>, node: &Node) -> Vec<McpWrite<'static>> {
    let example = "write {\"mcp__fs__write_file\": path}";
    let mut out = Vec::new();
    for entry in reader.entries(node, "`mcp_writes`", example) {
        if !entry.name.starts_with("mcp__") {
            let what = format!("{} is not the name of an MCP tool", quoted(entry.name));
            reader.fault(
                entry.at.clone(),
                what,
                "write it as mcp__<server>__<tool>; `*` stands for any text",
            );
        } else if let Err(bad) = super::glob::normalise(entry.name, false) {
            reader.fault(entry.at.clone(), bad.what, bad.help);
        }
        let what = format!("the field of {}", quoted(entry.name));
        let fields: Vec<Text<'static>> = match &entry.value.value {
            Value::Text(_) => reader.text(entry.value, &what).map(Text::from).into_iter().collect(),
            Value::List(_) => reader
                .texts(entry.value, &what, "[source, destination]")
                .into_iter()
                .map(|(text, _)| text.into())
                .collect(),
            _ => {
                let help =
                    "write the field of the tool's input that holds the path, or a list of such fields";
                reader.wrong(entry.value, &what, "a name or a list of names", help);
                continue;
            }
        };
        if fields.iter().any(|f| f.trim().is_empty()) || fields.is_empty() {
            let at = reader.at(&entry.at, entry.value);
            reader.fault(at, format!("{what} is empty"), "name the field that holds the path");
        }
        out.push(McpWrite { tool: entry.name.to_owned().into(), fields });
    }
    out
}
