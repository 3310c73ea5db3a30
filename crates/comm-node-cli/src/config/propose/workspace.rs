//! Workspaces of the package managers: which directories are members.

use std::path::Path;

use comm_node_core::glob::{escape, matches};
use comm_node_core::store::file;

use super::Part;
use super::scan::Scan;
use crate::config::fault::Source;
use crate::config::glob::normalise;
use crate::config::yaml::{self, Value};

/// A manifest is never sensibly larger.
const MAX: u64 = 4 << 20;

/// The members of every workspace whose root is `root`, and the kinds of workspace found.
pub(super) fn members(root: &Path, scan: &Scan) -> (Vec<Part>, Vec<String>) {
    let read = |name: &str| file::read(&root.join(name), MAX).ok().flatten();
    let mut parts: Vec<Part> = Vec::new();
    let mut kinds = Vec::new();
    let mut add = |kind: &str, what: &str, manifests: &[&str], globs: Globs| {
        let found = globs.directories(scan, manifests);
        if !found.is_empty() {
            kinds.push(kind.to_owned());
        }
        for dir in found {
            if !parts.iter().any(|p| p.dir == dir) {
                parts.push(Part { dir, what: what.to_owned(), name: None });
            }
        }
    };
    if let Some(globs) = read("Cargo.toml").and_then(|text| cargo(&text)) {
        add("the Cargo workspace", "Rust package", &["Cargo.toml"], globs);
    }
    for (name, kind) in [("package.json", "the npm workspace"), ("lerna.json", "the Lerna workspace")] {
        if let Some(globs) = read(name).and_then(|text| package_json(&text)) {
            add(kind, "JavaScript package", &["package.json"], globs);
        }
    }
    if let Some(globs) = read("pnpm-workspace.yaml").and_then(|text| pnpm(&text)) {
        add("the pnpm workspace", "JavaScript package", &["package.json"], globs);
    }
    if let Some(text) = read("go.work") {
        add("the Go workspace", "Go module", &["go.mod"], go_work(&text));
    }
    let python = &["pyproject.toml", "setup.py"];
    if let Some(globs) = read("pyproject.toml").and_then(|text| pyproject(&text)) {
        add("the Python workspace", "Python package", python, globs);
    }
    let usual = ["packages/*", "libs/*", "apps/*", "services/*", "projects/*"];
    add("the Python packages", "Python package", python, Globs::new(usual.map(str::to_owned)));
    parts.sort();
    (parts, kinds)
}

/// Patterns for directories.
#[derive(Debug, Default)]
struct Globs {
    members: Vec<String>,
    exclude: Vec<String>,
}

impl Globs {
    /// The patterns that `raw` holds; one with a leading `!` excludes.
    fn new(raw: impl IntoIterator<Item = String>) -> Self {
        let mut out = Self::default();
        for glob in raw {
            let (list, glob) = match glob.strip_prefix('!') {
                Some(rest) => (&mut out.exclude, rest),
                None => (&mut out.members, glob.as_str()),
            };
            // A trailing slash says directory, which all of these are.
            if let Ok(form) = normalise(glob.trim_end_matches('/'), false) {
                list.push(form);
            }
        }
        out
    }

    /// The directories that match and hold one of the manifests.
    fn directories(&self, scan: &Scan, manifests: &[&str]) -> Vec<String> {
        let hit = |globs: &[String], dir: &str| {
            globs
                .iter()
                .any(|g| matches(g, dir) || g.strip_suffix("/**").is_some_and(|base| matches(base, dir)))
        };
        scan.directories()
            .filter(|dir| {
                hit(&self.members, dir) && !hit(&self.exclude, dir) && scan.has_file(dir, manifests)
            })
            .map(str::to_owned)
            .collect()
    }
}

fn strings(value: Option<&toml::Value>) -> Vec<String> {
    let items = value.and_then(toml::Value::as_array);
    items.into_iter().flatten().filter_map(|v| Some(v.as_str()?.to_owned())).collect()
}

fn cargo(text: &str) -> Option<Globs> {
    let manifest: toml::Table = text.parse().ok()?;
    let workspace = manifest.get("workspace")?;
    let mut globs = Globs::new(strings(workspace.get("members")));
    globs.exclude.extend(Globs::new(strings(workspace.get("exclude"))).members);
    Some(globs)
}

fn pyproject(text: &str) -> Option<Globs> {
    let manifest: toml::Table = text.parse().ok()?;
    let tool = manifest.get("tool")?;
    let mut members = Vec::new();
    let mut exclude = Vec::new();
    if let Some(workspace) = tool.get("uv").and_then(|uv| uv.get("workspace")) {
        members = strings(workspace.get("members"));
        exclude = strings(workspace.get("exclude"));
    }
    // Poetry has no workspaces; people use dependencies by path.
    let poetry = tool.get("poetry");
    let groups = poetry.and_then(|p| p.get("group")).and_then(toml::Value::as_table);
    let tables = poetry.into_iter().chain(groups.into_iter().flat_map(|g| g.values()));
    for table in tables.filter_map(|t| t.get("dependencies")?.as_table()) {
        let paths = table.values().filter_map(|dep| dep.get("path")?.as_str());
        members.extend(paths.map(str::to_owned));
    }
    let mut globs = Globs::new(members);
    globs.exclude.extend(Globs::new(exclude).members);
    Some(globs)
}

fn package_json(text: &str) -> Option<Globs> {
    let manifest: serde_json::Value = serde_json::from_str(text).ok()?;
    let list = match manifest.get("workspaces") {
        Some(serde_json::Value::Object(map)) => map.get("packages")?.as_array()?,
        Some(list) => list.as_array()?,
        // lerna.json
        None => manifest.get("packages")?.as_array()?,
    };
    Some(Globs::new(list.iter().filter_map(|v| Some(v.as_str()?.to_owned()))))
}

fn pnpm(text: &str) -> Option<Globs> {
    let tree = yaml::parse(&Source::new("pnpm-workspace.yaml", text), &mut Vec::new())?;
    let Value::List(items) = &tree.get("packages")?.value else { return None };
    Some(Globs::new(items.iter().filter_map(|item| match &item.value {
        Value::Text(glob) => Some(glob.clone()),
        _ => None,
    })))
}

fn go_work(text: &str) -> Globs {
    let mut inside = false;
    let mut dirs = Vec::new();
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default().trim();
        let dir = match line.strip_prefix("use").map(str::trim) {
            Some("(") => {
                inside = true;
                continue;
            }
            Some(dir) if !inside => dir,
            _ if line == ")" => {
                inside = false;
                continue;
            }
            _ if inside => line,
            _ => continue,
        };
        if !dir.is_empty() {
            dirs.push(escape(dir.trim_matches(['"', '`'])));
        }
    }
    Globs::new(dirs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_work_forms() {
        let globs =
            go_work("go 1.24\n\nuse ./one // first\nuse (\n\t./two\n\t\"./three\"\n)\nreplace x => ./y\n");
        assert_eq!(globs.members, ["one", "two", "three"]);
    }

    #[test]
    fn excludes() {
        let globs = Globs::new(["packages/*".to_owned(), "!packages/old".to_owned(), "./apps/".to_owned()]);
        assert_eq!(globs.members, ["packages/*", "apps"]);
        assert_eq!(globs.exclude, ["packages/old"]);
    }
}
