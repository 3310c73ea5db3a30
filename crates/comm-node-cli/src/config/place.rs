//! A domain's `path`: a directory of the node, or another repository.

use std::path::{Path, PathBuf};

use comm_node_core::path;

use super::fault::quoted;
use super::reader::Reader;
use super::yaml::Node;

/// Where a domain lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Site {
    /// In the node's root.
    Root,
    /// In this directory below the root.
    Inside(PathBuf),
    /// In this directory elsewhere: real, absolute.
    Outside(String),
}

/// Reads `path:`; a path that is no readable directory is an issue.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node, root: &Path) -> Option<Site> {
    let raw = reader.text(node, "`path`")?;
    let at = node.at.clone();
    let shown = quoted(&raw);
    if raw.contains('\\') {
        reader.fault(at, format!("`\\` is not a separator in {shown}"), "write `/`");
        return None;
    }
    if raw.starts_with('~') {
        let help = "write it relative to comm-node.yaml, such as ../shop-backend";
        reader.fault(at, format!("`~` in {shown} is not expanded"), help);
        return None;
    }
    if raw.contains(['*', '?', '{', '[']) && !root.join(&raw).exists() {
        let help = "write a directory here and the pattern under `scope`";
        reader.fault(at, format!("{shown} is a pattern, not a directory"), help);
        return None;
    }
    let real = match path::real(&path::lexical(root, Path::new(&raw))) {
        Ok(real) => real,
        Err(e) => {
            reader.fault(at, format!("could not follow {shown}: {e}"), "correct `path`");
            return None;
        }
    };
    if let Err(e) = std::fs::read_dir(&real) {
        let why = match e.kind() {
            std::io::ErrorKind::NotFound => "there is no such directory".to_owned(),
            std::io::ErrorKind::NotADirectory => "it is not a directory".to_owned(),
            _ => e.to_string(),
        };
        let help = "create or clone it, or correct `path`, which is relative to comm-node.yaml";
        reader.fault(at, format!("could not read {shown}: {why}"), help);
        return None;
    }
    if real == root {
        return Some(Site::Root);
    }
    if let Ok(below) = real.strip_prefix(root) {
        return Some(Site::Inside(below.to_path_buf()));
    }
    if root.starts_with(&real) {
        let help = "move comm-node.yaml up to that directory, or name a directory beside the node";
        reader.fault(at, format!("{shown} holds the node itself"), help);
        return None;
    }
    match real.into_os_string().into_string() {
        Ok(real) => Some(Site::Outside(real)),
        Err(_) => {
            reader.fault(at, format!("the real path of {shown} is not UTF-8 text"), "rename the directory");
            None
        }
    }
}
