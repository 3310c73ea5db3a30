//! Where a domain's files are.
//!
//! The client reads `CLAUDE.md`, `.claude/agents/` and `.claude/commands/` of the directory that a session
//! began in and of those above it, and a `CLAUDE.md` further down once a file beside it is read. So a domain's
//! files stand in its own directory, where it has one. What is said of a domain without one is a rule for its
//! paths, `.claude/rules/comm-node-<domain>.md`, which the client reads once a file of its scope is.

use std::path::{Path, PathBuf};

use comm_node_core::node::STATE;
use comm_node_core::node::registry::{Domain, Registry};

/// A directory with files of ours, or a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Place<'r> {
    /// The tree that it lies in, and that nothing may lead out of.
    pub tree: &'r Path,
    /// The directory.
    pub dir: PathBuf,
    /// The domain that its files are for; none for the node's own directory.
    pub domain: Option<&'r Domain<'r>>,
    /// True where the domain has no directory of its own, and only a rule stands here.
    pub rule: bool,
}

/// All places of a node: first its root, then its domains in their order.
#[must_use]
pub fn places<'r>(registry: &'r Registry<'r>) -> Vec<Place<'r>> {
    let mut taken: Vec<PathBuf> = Vec::new();
    let mut found = Vec::new();
    for domain in &registry.domains {
        let Some(tree) = registry.trees.get(domain.tree) else { continue };
        let tree = Path::new(tree.as_str());
        let own = domain.home.iter().filter(|home| is_for_people(home)).map(|home| {
            // `join("")` leaves a trailing separator.
            tree.join(home.as_str()).components().collect::<PathBuf>()
        });
        match own.into_iter().find(|dir| !taken.contains(dir)) {
            Some(dir) => {
                taken.push(dir.clone());
                found.push(Place { tree, dir, domain: Some(domain), rule: false });
            }
            // Without a pattern the client would read the rule always and everywhere.
            None if domain.scope.is_empty() => {}
            None => found.push(Place { tree, dir: tree.to_path_buf(), domain: Some(domain), rule: true }),
        }
    }
    if let Some(root) = registry.trees.first().map(|t| Path::new(t.as_str()))
        && !taken.iter().any(|dir| dir == root)
    {
        found.insert(0, Place { tree: root, dir: root.to_path_buf(), domain: None, rule: false });
    }
    found
}

/// False for directories in which nobody works: git's, comm-node's and the client's own.
fn is_for_people(home: &str) -> bool {
    !home.split('/').any(|part| [".git", STATE, ".claude"].contains(&part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(yaml: &str) -> Vec<String> {
        let registry = crate::config::sample(yaml).expect("right");
        let show = |p: &Place<'_>| {
            let name = p.domain.map_or("-", |d| d.name.as_str());
            format!("{name} {}{}", p.dir.display(), if p.rule { " rule" } else { "" })
        };
        places(&registry).iter().map(show).collect()
    }

    #[test]
    fn each_domain_has_one() {
        let yaml = "version: 1\nname: n\ndomains:\n  api: {scope: [\"*.md\", \"s/api/**\", \"m/**\"]}\n  \
                    docs: {scope: [\"*.txt\"]}\n  reads: {scope: []}\n  again: {scope: [\"s/api/**\"]}\n  \
                    hooks: {scope: [\".claude/x/**\"]}\n";
        assert_eq!(of(yaml), ["- /", "api /s/api", "docs / rule", "again / rule", "hooks / rule"]);
    }

    #[test]
    fn the_root_can_be_a_domain_s_own() {
        assert_eq!(of("version: 1\nname: n\ndomains: {all: {scope: [\"**\"]}}\n"), ["all /"]);
    }
}
