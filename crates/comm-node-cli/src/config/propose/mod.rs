//! A first `comm-node.yaml`: domains proposed from what a directory holds. All names found on the
//! way are text of strangers, and are quoted or replaced before they are written.

mod codeowners;
mod group;
mod render;
mod scan;
mod workspace;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use scan::Scan;

/// What is in a directory of which nothing more is known.
const EVERYTHING: &str = "everything";

/// What `comm-node init` proposes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proposal {
    /// The node's name.
    pub name: String,
    /// What the domains were taken from, for people.
    pub from: String,
    /// The domains; their scopes never overlap.
    pub domains: Vec<Proposed>,
    /// Directories in the root that no pattern can name, each with the reason.
    pub left_out: BTreeMap<String, String>,
}

/// A proposed domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proposed {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// What it may write.
    pub scope: Vec<String>,
    /// What belongs to another domain although `scope` matches.
    pub exclude: Vec<String>,
}

/// A directory that should be a domain, relative to the root with `/` between components.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Part {
    dir: String,
    /// Such as `Rust package`.
    what: String,
    /// The name it should have, where that is not the directory's own.
    name: Option<String>,
}

/// The proposal for the directory `root`, called `name` or else after the directory.
#[must_use]
pub fn propose(root: &Path, name: Option<&str>) -> Proposal {
    let scan = Scan::of(root);
    let dir = root.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let name = name.unwrap_or(&dir);
    let name = comm_node_core::text::one_line(name.trim(), 60).into_owned();
    let name = if name.is_empty() { "node".to_owned() } else { name };
    let (parts, from) = parts(root, &scan);
    let domains = match parts.is_empty() {
        true => group::single(&scan),
        false => group::domains(parts, &scan),
    };
    Proposal { name, from, domains, left_out: scan.left_out().clone() }
}

/// The YAML text of a proposal.
#[must_use]
pub fn render(proposal: &Proposal) -> String {
    render::yaml(proposal)
}

/// The parts of the project, and what they were taken from; none for a project that is one whole.
fn parts(root: &Path, scan: &Scan) -> (Vec<Part>, String) {
    let (members, kinds) = workspace::members(root, scan);
    if !members.is_empty() {
        return (members, kinds.join(", "));
    }
    let owned = codeowners::parts(root, scan);
    if owned.len() > 1 {
        return (owned, "CODEOWNERS".to_owned());
    }
    let tops = scan.top_directories();
    let telling: Vec<&String> = tops.iter().filter(|dir| !is_ordinary(dir)).collect();
    let is_package = scan.has_file("", &scan::MANIFESTS);
    if telling.len() > 1 || (!is_package && tops.len() > 1) {
        let parts = tops
            .iter()
            .filter(|dir| !is_package || !is_ordinary(dir))
            .map(|dir| Part { dir: dir.clone(), what: EVERYTHING.to_owned(), name: None })
            .collect();
        return (parts, "the top-level directories".to_owned());
    }
    (Vec::new(), "a project that is one whole".to_owned())
}

/// True for directories that are parts of one package rather than projects of their own.
fn is_ordinary(dir: &str) -> bool {
    const ORDINARY: [&str; 31] = [
        "src",
        "lib",
        "app",
        "bin",
        "cmd",
        "pkg",
        "internal",
        "include",
        "tests",
        "test",
        "spec",
        "specs",
        "e2e",
        "benches",
        "bench",
        "examples",
        "example",
        "docs",
        "doc",
        "scripts",
        "tools",
        "assets",
        "public",
        "static",
        "resources",
        "config",
        "migrations",
        "fixtures",
        "ci",
        "fuzz",
        "data",
    ];
    ORDINARY.contains(&dir.to_lowercase().as_str())
}
