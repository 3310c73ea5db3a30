//! What a person should look at although the file can be used. Kept apart from compiling, which
//! hooks wait for: some of this looks at the disk.

use std::path::Path;

use comm_node_core::glob::overlap_excluding;
use comm_node_core::node::registry::{Domain, Pattern, Registry};
use comm_node_core::node::{self, STATE, YAML};

use super::compile::Compiled;
use super::domain::Marks;
use super::fault::{Issue, quoted};
use super::glob::{has_wildcard, unescape};
use super::reader::nearest;

/// The warnings about a file without faults, in its order.
#[must_use]
pub fn warnings(compiled: &Compiled) -> Vec<Issue> {
    let Some(registry) = &compiled.registry else { return Vec::new() };
    let mut out = Vec::new();
    overlaps(compiled, registry, &mut out);
    for (domain, marks) in registry.domains.iter().zip(&compiled.marks) {
        patterns(registry, domain, marks, &mut out);
        imports(registry, marks, &mut out);
        repository(registry, domain, marks, &mut out);
    }
    out.sort_by_key(|issue| issue.at.start);
    out
}

/// More overlaps than this are not looked for: nobody reads them, and each pair of domains costs time.
const MAX_OVERLAPS: usize = 50;

/// One warning for each two domains that could both write a path, up to [`MAX_OVERLAPS`].
fn overlaps(compiled: &Compiled, registry: &Registry<'_>, out: &mut Vec<Issue>) {
    let all: Vec<(&Domain<'_>, &Marks)> = registry.domains.iter().zip(&compiled.marks).collect();
    let mut left = all.len() * all.len().saturating_sub(1) / 2;
    let mut found = 0;
    for (i, (a, a_marks)) in all.iter().enumerate() {
        for (b, b_marks) in &all[i + 1..] {
            if found == MAX_OVERLAPS {
                // Behind all others, wherever in the file they are.
                let at = out.iter().map(|issue| issue.at.clone()).max_by_key(|at| at.start).unwrap_or(0..0);
                let what =
                    format!("{found} overlaps were found; {left} more pairs of domains were not compared");
                let help = "correct these first, then run `comm-node check` again";
                out.push(Issue::warning(at, what, help));
                return;
            }
            left -= 1;
            if a.tree != b.tree {
                continue;
            }
            let Some((x, y, path)) = common(a, b) else { continue };
            let (Some(at), Some(other)) = (b_marks.scope.get(y), a_marks.scope.get(x)) else { continue };
            found += 1;
            let what = format!("the domains {} and {} overlap: both own {}", a.name, b.name, quoted(&path));
            let help = format!("narrow one scope, or add the path to `exclude` of {} or {}", a.name, b.name);
            out.push(Issue::warning(at.clone(), what, help).with(other.clone(), format!("{} here", a.name)));
        }
    }
}

/// The first two patterns of two domains that match a common path which neither excludes.
fn common(a: &Domain<'_>, b: &Domain<'_>) -> Option<(usize, usize, String)> {
    let excludes: Vec<&str> = a.exclude.iter().chain(&b.exclude).map(Pattern::glob).collect();
    for (x, p) in a.scope.iter().enumerate() {
        for (y, q) in b.scope.iter().enumerate() {
            if let Some(path) = overlap_excluding(p.glob(), q.glob(), &excludes) {
                return Some((x, y, path));
            }
        }
    }
    None
}

/// Patterns that are not what they look like.
fn patterns(registry: &Registry<'_>, domain: &Domain<'_>, marks: &Marks, out: &mut Vec<Issue>) {
    let Some(top) = registry.trees.get(domain.tree) else { return };
    for (Pattern(glob, _), at) in domain.scope.iter().zip(&marks.scope) {
        if !has_wildcard(glob) && Path::new(top.as_str()).join(unescape(glob)).is_dir() {
            let what = format!("{} matches only that path, which is a directory", quoted(glob));
            out.push(Issue::warning(at.clone(), what, format!("did you mean \"{glob}/**\"?")));
        }
        // With `**` in it the compiler has refused it already.
        if glob.contains(", ") && !glob.contains('{') {
            let what = format!("{} is one pattern with a comma in it", quoted(glob));
            out.push(Issue::warning(at.clone(), what, "write two patterns as two items of the list"));
        }
    }
}

/// Imports that nobody exports.
fn imports(registry: &Registry<'_>, marks: &Marks, out: &mut Vec<Issue>) {
    for (from, export, at) in &marks.imports {
        let Some(domain) = registry.domain(from) else {
            let names: Vec<&str> = registry.domains.iter().map(|d| d.name.as_str()).collect();
            let what = format!("there is no domain {} to import {} from", quoted(from), quoted(export));
            out.push(Issue::warning(at.clone(), what, format!("the domains are {}", names.join(", "))));
            continue;
        };
        if domain.exports.is_empty() || domain.exports.iter().any(|e| e.as_str() == export) {
            continue;
        }
        let what = format!("{} does not export {}", domain.name, quoted(export));
        let help = match nearest(export, domain.exports.iter().map(|e| e.as_str())) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add it to `exports` of {}", domain.name),
        };
        out.push(Issue::warning(at.clone(), what, help));
    }
}

/// A domain's own repository must point back to the node.
fn repository(registry: &Registry<'_>, domain: &Domain<'_>, marks: &Marks, out: &mut Vec<Issue>) {
    let (Some(at), Some(top)) = (&marks.path, registry.trees.get(domain.tree)) else { return };
    if domain.tree == 0 {
        return;
    }
    let top = Path::new(top.as_str());
    if top.join(YAML).symlink_metadata().is_ok() {
        let what = format!("the repository of {} has a {YAML} of its own", domain.name);
        let help = "sessions there belong to that node, not to this one: remove one of the two files";
        out.push(Issue::warning(at.clone(), what, help));
        return;
    }
    let what = match node::find(top) {
        Ok(Some(layout)) if registry.trees.first().is_some_and(|r| Path::new(r.as_str()) == layout.root) => {
            return;
        }
        Ok(Some(layout)) => {
            format!("the repository of {} belongs to the node {}", domain.name, layout.root.display())
        }
        Ok(None) => format!("the repository of {} does not point back to this node", domain.name),
        Err(e) => format!("the link in the repository of {} can't be followed: {e}", domain.name),
    };
    out.push(Issue::warning(
        at.clone(),
        what,
        format!("run `comm-node link`, which writes {STATE}/link there"),
    ));
}
