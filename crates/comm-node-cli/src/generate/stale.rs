//! Files that carry a mark of this node's, wherever they are: what a domain that is gone left behind.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use comm_node_core::node::YAML;
use comm_node_core::node::registry::Registry;
use ignore::WalkBuilder;

use super::{block, whole};
use crate::settings::file::Current;

/// No file of ours is ever that large.
const MAX: u64 = 1 << 20;

/// Every file in the node's trees that could be ours by its name and carries a mark of ours, in the order
/// of their paths, with the tree each lies in. What git ignores, and nodes and repositories inside this one, are not looked at.
///
/// # Errors
/// When a directory can't be read.
pub fn search(registry: &Registry<'_>, node: &str) -> Result<Vec<(PathBuf, PathBuf)>> {
    let mut found = Vec::new();
    for tree in &registry.trees {
        let top = PathBuf::from(tree.as_str());
        if !top.is_dir() {
            continue;
        }
        let root = top.clone();
        let walk = WalkBuilder::new(&top)
            .hidden(false)
            .require_git(false)
            .filter_entry(move |entry| {
                let path = entry.path();
                let other = |name: &str| path.join(name).symlink_metadata().is_ok();
                path == root || !(is_of_machines(path) || other(".git") || other(YAML))
            })
            .build();
        for entry in walk {
            let entry = entry.with_context(|| format!("could not look through {}", top.display()))?;
            let path = entry.path();
            if is_candidate(path) && path.is_file() && path.metadata().is_ok_and(|m| m.len() <= MAX) {
                let Ok(Some(text)) = Current::read(path).map(|current| current.text) else { continue };
                let ours =
                    whole::owner(&text).is_some_and(|(owner, _)| owner.split('/').next() == Some(node));
                if ours || block::marker_in(&text).is_some() {
                    found.push((path.to_path_buf(), top.clone()));
                }
            }
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn is_of_machines(path: &Path) -> bool {
    path.file_name().is_some_and(|n| n == ".git" || n == comm_node_core::node::STATE)
}

/// True for names that files of ours have.
fn is_candidate(path: &Path) -> bool {
    let names: Vec<&str> = path.iter().rev().take(3).filter_map(|n| n.to_str()).collect();
    match names[..] {
        ["CLAUDE.md", ..] => true,
        [file, "agents" | "commands" | "rules", ".claude"] => file.ends_with(".md"),
        _ => false,
    }
}
