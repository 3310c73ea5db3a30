//! The tree that a path's leases are in.

use std::borrow::Cow;

use crate::node::Place;
use crate::node::registry::Registry;

/// The name of the tree that leases on `place` are in, and the key in it; `None` outside the
/// node, where there are none.
///
/// The node's root has the empty name and a domain's own repository its directory. A linked
/// worktree is the same tree as the main one, because a path that two agents change in two
/// worktrees is a merge conflict later, unless the node's policy gives each its own leases; then
/// it goes by its own directory.
#[must_use]
pub fn tree_of<'a>(registry: &'a Registry<'_>, place: &'a Place) -> Option<(Cow<'a, str>, &'a str)> {
    let Place::Inside { tree, key, real } = place else { return None };
    let root = registry.trees.get(*tree)?.as_str();
    if !registry.policy.leases_across_worktrees {
        let depth = if key.is_empty() { 0 } else { key.split('/').count() };
        let top = real.ancestors().nth(depth).filter(|top| *top != std::path::Path::new(root));
        if let Some(top) = top {
            return Some((top.to_string_lossy(), key));
        }
    }
    Some((Cow::Borrowed(if *tree == 0 { "" } else { root }), key))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn trees() {
        let json = |across: bool| {
            format!(
                r#"{{"version":1,"source":{{"size":0,"mtime_ns":0,"ctime_ns":0,"ino":0}},"name":"n",
                "trees":["/n","/other"],"policy":{{"leases_across_worktrees":{across}}}}}"#
            )
        };
        let place =
            |tree, key: &str, real: &str| Place::Inside { tree, key: key.into(), real: PathBuf::from(real) };
        for (across, place, want) in [
            (true, place(0, "a/b", "/n/a/b"), ""),
            (true, place(1, "a/b", "/other/a/b"), "/other"),
            (true, place(0, "a/b", "/worktree/a/b"), ""),
            (false, place(0, "a/b", "/n/a/b"), ""),
            (false, place(0, "a/b", "/worktree/a/b"), "/worktree"),
            (false, place(0, "", "/worktree"), "/worktree"),
            (false, place(1, "b", "/worktree/b"), "/worktree"),
        ] {
            let text = json(across);
            let registry = Registry::parse(&text).expect("valid");
            assert_eq!(
                tree_of(&registry, &place).map(|t| t.0.into_owned()).as_deref(),
                Some(want),
                "{place:?}"
            );
        }
    }
}
