//! From the parts of a project to its domains: named, few, and never overlapping.

use std::collections::BTreeMap;

use super::scan::{Scan, holds, whole};
use super::{EVERYTHING, Part, Proposed};

/// More domains than this are too many to begin with.
const MANY: usize = 10;
/// The domain for what lies beside the parts.
const REST: &str = "project";
/// Agents' memory, skills, commands and instructions, which must be someone's …
const AGENTS: &str = ".claude/**";
/// … and Claude Code's settings, which are no agent's.
const SETTINGS: &str = ".claude/settings*.json";
const DOCS: [&str; 4] = ["docs", "doc", "documentation", "website"];
const DOCUMENTATION: &str = "the documentation";
const MAX_NAME: usize = 40;

/// A domain in the making.
struct Group {
    name: String,
    dirs: Vec<String>,
    what: String,
}

/// The domains for a project that is one whole: all of it, and its documentation.
pub(super) fn single(scan: &Scan) -> Vec<Proposed> {
    let docs = scan.top_directories().into_iter().find(|dir| DOCS.contains(&dir.as_str()));
    let mut out = vec![Proposed {
        name: "app".to_owned(),
        description: "the whole project".to_owned(),
        scope: vec!["**".to_owned()],
        exclude: docs.iter().map(|dir| whole(dir)).collect(),
    }];
    if let Some(dir) = docs {
        out[0].description = "everything but the documentation".to_owned();
        out.push(Proposed {
            name: "docs".to_owned(),
            description: DOCUMENTATION.to_owned(),
            scope: vec![whole(&dir)],
            exclude: Vec::new(),
        });
    }
    out
}

/// The domains for a project with these parts.
pub(super) fn domains(parts: Vec<Part>, scan: &Scan) -> Vec<Proposed> {
    let tops = scan.top_directories();
    let covered = |top: &str| parts.iter().any(|p| holds(top, &p.dir) || holds(&p.dir, top));
    let rest: Vec<String> = tops.into_iter().filter(|top| !covered(top)).collect();
    let mut groups = merge(named(parts), scan);
    let (docs, rest): (Vec<String>, Vec<String>) =
        rest.into_iter().partition(|dir| DOCS.contains(&dir.as_str()));
    if !docs.is_empty() {
        let name = unique("docs", &groups);
        groups.push(Group { name, dirs: docs, what: DOCUMENTATION.to_owned() });
    }
    let mut out = finish(&groups);
    let mut scope = vec!["*".to_owned(), AGENTS.to_owned()];
    scope.extend(rest.iter().map(|dir| whole(dir)));
    let description = match rest.is_empty() {
        true => "the files in the top directory, and the agents' own in .claude",
        false => {
            "the files in the top directory, the agents' own in .claude, and what lies beside the other domains"
        }
    };
    out.push(Proposed {
        name: unique(REST, &groups),
        description: description.to_owned(),
        scope,
        exclude: vec![SETTINGS.to_owned()],
    });
    out
}

/// The parts as groups: those with the same given name together, the others each by itself.
fn named(parts: Vec<Part>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut given: BTreeMap<String, usize> = BTreeMap::new();
    for part in parts {
        if let Some(name) = &part.name {
            let name = plain(name);
            if let Some(&index) = given.get(&name) {
                groups[index].dirs.push(part.dir);
                continue;
            }
            given.insert(name.clone(), groups.len());
            let name = unique(&name, &groups);
            groups.push(Group { name, dirs: vec![part.dir], what: part.what });
            continue;
        }
        let own = plain(part.dir.rsplit('/').next().unwrap_or_default());
        let taken = |name: &str| groups.iter().any(|g| g.name.eq_ignore_ascii_case(name));
        // `apps/web` beside `packages/web` becomes `apps-web`.
        let name = if taken(&own) { plain(&part.dir.replace('/', "-")) } else { own };
        let name = unique(&name, &groups);
        groups.push(Group { name, dirs: vec![part.dir], what: part.what });
    }
    groups
}

/// Where there are more groups than [`MANY`], joins the smallest of those with the same parent
/// directory, beginning with the parent that has the most.
fn merge(mut groups: Vec<Group>, scan: &Scan) -> Vec<Group> {
    while groups.len() > MANY {
        let mut by_parent: BTreeMap<String, usize> = BTreeMap::new();
        for parent in groups.iter().filter_map(parent_of) {
            *by_parent.entry(parent).or_default() += 1;
        }
        let largest = by_parent.into_iter().filter(|(_, n)| *n > 1).max_by_key(|(_, n)| *n);
        let Some((parent, count)) = largest else { break };
        let size = |g: &Group| g.dirs.iter().map(|dir| scan.files_below(dir)).sum::<usize>();
        let (mut siblings, rest): (Vec<Group>, Vec<Group>) =
            groups.into_iter().partition(|g| parent_of(g).as_ref() == Some(&parent));
        groups = rest;
        siblings.sort_by_key(size);
        let excess = groups.len() + count - MANY;
        let alone = siblings.split_off((excess + 1).min(count));
        groups.extend(alone);
        let mut dirs: Vec<String> = siblings.into_iter().flat_map(|g| g.dirs).collect();
        dirs.sort();
        let name = unique(&plain(&parent.replace('/', "-")), &groups);
        groups.push(Group { name, dirs, what: "the smaller parts".to_owned() });
    }
    groups.sort_by(|a, b| a.dirs.cmp(&b.dirs));
    groups
}

/// The directory that holds all of the group's directories, if they have the same one.
fn parent_of(group: &Group) -> Option<String> {
    let mut parents = group.dirs.iter().map(|dir| dir.rsplit_once('/').map(|(parent, _)| parent));
    let first = parents.next()??;
    parents.all(|p| p == Some(first)).then(|| first.to_owned())
}

/// Scopes from directories. A directory inside another group's directory is excluded there.
fn finish(groups: &[Group]) -> Vec<Proposed> {
    let mut out = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        let dirs: Vec<&String> = group
            .dirs
            .iter()
            .filter(|dir| !group.dirs.iter().any(|other| other != *dir && holds(other, dir)))
            .collect();
        let inner = groups.iter().enumerate().filter(|(i, _)| *i != index).flat_map(|(_, g)| &g.dirs);
        let exclude: Vec<String> = inner
            .filter(|dir| dirs.iter().any(|own| holds(own, dir)) && !group.dirs.contains(dir))
            .map(|dir| whole(dir))
            .collect();
        let description = match dirs.as_slice() {
            [dir] if DOCS.contains(&dir.as_str()) && group.what == EVERYTHING => DOCUMENTATION.to_owned(),
            [dir] if DOCS.contains(&dir.as_str()) => group.what.clone(),
            // Quoted where it is written, and made harmless where it is shown: not here, too.
            [dir] => format!("{} in {}", group.what, dir.chars().take(60).collect::<String>()),
            many => format!("{} in {} directories", group.what, many.len()),
        };
        out.push(Proposed {
            name: group.name.clone(),
            description,
            scope: dirs.iter().map(|dir| whole(dir)).collect(),
            exclude,
        });
    }
    out
}

/// `raw` as a domain's name.
fn plain(raw: &str) -> String {
    let mut out = String::new();
    for c in raw.chars() {
        let c = if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
        if !(c == '-' && (out.is_empty() || out.ends_with('-'))) && out.len() < MAX_NAME {
            out.push(c);
        }
    }
    let out = out.trim_matches('-');
    match out {
        "" => "part".to_owned(),
        "human" => "human-part".to_owned(),
        out => out.to_owned(),
    }
}

/// `name`, with a number behind it if a group has it already.
fn unique(name: &str, groups: &[Group]) -> String {
    let taken = |name: &str| groups.iter().any(|g| g.name.eq_ignore_ascii_case(name));
    if !taken(name) {
        return name.to_owned();
    }
    (2..=groups.len() + 2).map(|n| format!("{name}-{n}")).find(|n| !taken(n)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        assert_eq!(plain("Web App"), "web-app");
        assert_eq!(plain("--x\n: y"), "x-y");
        assert_eq!(plain("日本"), "part");
        assert_eq!(plain("human"), "human-part");
        assert!(plain(&"x".repeat(99)).len() <= MAX_NAME);
    }
}
