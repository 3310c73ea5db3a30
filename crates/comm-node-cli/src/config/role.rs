//! `roles:`, the node's changes to the built-in roles and roles of its own.

use comm_node_core::node::registry::Role;
use comm_node_core::node::roles::{self, IMPLEMENT, TEST};

use super::domain::{patterns, valid_name};
use super::fault::quoted;
use super::reader::{Entry, Reader, nearest};
use super::yaml::Node;

const KEYS: [&str; 4] = ["scope", "exclude", "next", "model"];

/// The roles in force: the built-in ones with the node's changes applied field by field.
pub(super) fn read(reader: &mut Reader<'_>, node: Option<&Node>, fold: bool) -> Vec<Role<'static>> {
    let mut all = roles::builtin();
    let Some(node) = node else { return all };
    let entries = reader.entries(node, "`roles`", "write {test: {scope: [\"**/tests/**\"]}}");
    for entry in &entries {
        one(reader, entry, fold, &mut all);
    }
    follow_test(&entries, &mut all);
    check_next(reader, &entries, &all);
    all
}

fn one(reader: &mut Reader<'_>, entry: &Entry<'_>, fold: bool, all: &mut Vec<Role<'static>>) {
    if !valid_name(reader, entry, "role") {
        return;
    }
    let what = format!("role {}", quoted(entry.name));
    let fields = reader.fields(entry.value, &what, &KEYS);
    let index = match all.iter().position(|role| role.name.as_str() == entry.name) {
        Some(index) => index,
        None => {
            if fields.clean && fields.get("scope").is_none() {
                let help =
                    "add `scope: []` if it only reads, or `scope: [\"**\"]` if it may write everything";
                reader.fault(entry.at.clone(), format!("the new {what} has no scope"), help);
            }
            let name = entry.name.to_owned().into();
            all.push(Role { name, scope: Vec::new(), exclude: Vec::new(), next: None, model: None });
            all.len() - 1
        }
    };
    let role = &mut all[index];
    if let Some(node) = fields.get("scope") {
        role.scope = patterns(reader, node, "`scope`", fold);
    }
    if let Some(node) = fields.get("exclude") {
        role.exclude = patterns(reader, node, "`exclude`", fold);
    }
    if let Some(next) = fields.get("next").and_then(|n| reader.text(n, "`next`")) {
        role.next = Some(next.into());
    }
    if let Some(node) = fields.get("model")
        && let Some(model) = reader.text(node, "`model`")
    {
        if !model.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/@[]".contains(&b)) {
            let what = format!("{} is not the name of a model", quoted(&model));
            reader.fault(
                node.at.clone(),
                what,
                "write reasoning, smart, fast, or a model alias such as opus",
            );
        }
        role.model = Some(model.into());
    }
}

/// The implement role keeps out of whatever the test role writes, unless it has an `exclude` of
/// its own.
fn follow_test(entries: &[Entry<'_>], all: &mut [Role<'static>]) {
    let sets =
        |name: &str, field: &str| entries.iter().any(|e| e.name == name && e.value.get(field).is_some());
    if !sets(TEST, "scope") || sets(IMPLEMENT, "exclude") {
        return;
    }
    let tests = all.iter().find(|r| r.name.as_str() == TEST).map(|r| r.scope.clone());
    if let (Some(tests), Some(role)) = (tests, all.iter_mut().find(|r| r.name.as_str() == IMPLEMENT)) {
        role.exclude = tests;
    }
}

fn check_next(reader: &mut Reader<'_>, entries: &[Entry<'_>], all: &[Role<'static>]) {
    for entry in entries {
        let Some(role) = all.iter().find(|r| r.name.as_str() == entry.name) else { continue };
        let Some(next) = &role.next else { continue };
        if all.iter().any(|r| r.name == *next) {
            continue;
        }
        let at = entry.value.get("next").map_or(entry.at.clone(), |n| n.at.clone());
        unknown(reader, at, next.as_str(), all);
    }
}

/// The issue of a role that does not exist.
pub(super) fn unknown(
    reader: &mut Reader<'_>,
    at: std::ops::Range<usize>,
    name: &str,
    all: &[Role<'static>],
) {
    let help = match nearest(name, all.iter().map(|r| r.name.as_str())) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let names: Vec<&str> = all.iter().map(|r| r.name.as_str()).collect();
            format!("the roles are {}; add it under `roles` if it is one of yours", names.join(", "))
        }
    };
    reader.fault(at, format!("there is no role {}", quoted(name)), help);
}
