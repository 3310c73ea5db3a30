//! CODEOWNERS: the directories that its lines give to teams.

use std::path::Path;

use comm_node_core::store::file;

use super::Part;
use super::scan::Scan;

/// Where the hosts look for it.
const PLACES: [&str; 4] = [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"];
/// A host reads no more than 3 MB.
const MAX: u64 = 3 << 20;

/// The directories with an owner, each to be part of the domain named after that owner.
///
/// Only lines that name a directory count: a line such as `*.js` cuts through all of them, and
/// domains must not overlap.
pub(super) fn parts(root: &Path, scan: &Scan) -> Vec<Part> {
    let text = PLACES.iter().find_map(|place| file::read(&root.join(place), MAX).ok().flatten());
    let mut parts: Vec<Part> = Vec::new();
    for line in text.unwrap_or_default().lines() {
        let Some((dir, owner)) = line_of(line) else { continue };
        if dir.is_empty() || !scan.is_dir(&dir) || scan.files_below(&dir) == 0 {
            continue;
        }
        // The last line wins.
        parts.retain(|p| p.dir != dir);
        parts.push(Part { dir, what: "owned by a team".to_owned(), name: Some(owner) });
    }
    parts.sort();
    parts
}

/// The directory and the first owner of a line, if it has both.
fn line_of(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    // `[Section]` is GitLab's.
    if line.is_empty() || line.starts_with(['#', '[', '^']) {
        return None;
    }
    let mut words = line.split_whitespace().take_while(|word| !word.starts_with('#'));
    let pattern = words.next()?;
    let owner = words.next()?;
    let dir = pattern.trim_start_matches('/');
    let dir = ["/**/*", "/**", "/*", "/"].iter().find_map(|end| dir.strip_suffix(end)).unwrap_or(dir);
    if dir.contains(['*', '?', '[', '\\']) {
        return None;
    }
    let team = owner.trim_start_matches('@');
    let team = team.split('@').next().unwrap_or(team);
    let team = team.rsplit('/').next().unwrap_or(team);
    let name = team.strip_suffix("-team").or_else(|| team.strip_prefix("team-")).unwrap_or(team);
    Some((dir.trim_end_matches('/').to_owned(), name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let found = |line: &str| line_of(line).map(|(dir, owner)| format!("{dir} {owner}"));
        assert_eq!(found("/apps/web/ @org/web-team @bob").as_deref(), Some("apps/web web"));
        assert_eq!(found("docs/** docs@example.com # hi").as_deref(), Some("docs docs"));
        assert_eq!(found("services @team-core").as_deref(), Some("services core"));
        for none in ["", "# x @y", "[Section] @x", "*.js @x", "apps", "/a/*/b @x"] {
            assert_eq!(found(none), None, "{none}");
        }
    }
}
