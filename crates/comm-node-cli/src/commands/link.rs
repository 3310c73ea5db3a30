//! `comm-node link`: point the repositories of domains that live elsewhere back to this node.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use comm_node_core::node::{self, LINK, STATE};
use comm_node_core::store::{Durability, Store, file};
use serde::Serialize;

use crate::Outcome;
use crate::env::Env;
use crate::here::Here;
use crate::out::{Ink, Out};

/// Arguments of `comm-node link`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Say what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Examples:
  comm-node link --dry-run
  comm-node link

Each domain whose `path` in comm-node.yaml is another repository gets a file .comm-node/link there,
so that sessions in that repository find this node. Commit it there.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// The link was there.
    Kept,
    /// It was written.
    Written,
    /// It would be written.
    Missing,
    /// The directory is a node of its own.
    Refused,
}

#[derive(Debug, Serialize)]
struct Row {
    domains: Vec<String>,
    repository: PathBuf,
    link: PathBuf,
    target: String,
    state: State,
}

/// Runs the command.
///
/// # Errors
/// When there is no node, or when a link can't be written.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    let registry = here.registry()?;
    let mut rows = Vec::new();
    for (tree, top) in registry.trees.iter().enumerate().skip(1) {
        let domains: Vec<String> =
            registry.domains.iter().filter(|d| d.tree == tree).map(|d| d.name.to_string()).collect();
        let repository = PathBuf::from(top.as_str());
        rows.push(one(&repository, &here.layout.root, domains, args.dry_run)?);
    }
    let refused = rows.iter().any(|row| row.state == State::Refused);
    if args.json {
        out.json(&rows);
    } else if rows.is_empty() {
        out.line("no domain lives in another repository, so there is nothing to link");
    }
    for row in rows.iter().filter(|_| !args.json) {
        let names = row.domains.join(", ");
        match row.state {
            State::Kept => out.line(format!("{names}: {} is up to date", crate::out::path(&row.link))),
            State::Missing => {
                out.line(format!("{names}: would write {} (node: {})", crate::out::path(&row.link), crate::out::path(Path::new(&row.target))));
            }
            State::Written => out.line(format!(
                "{names}: {} {}; commit it in {}",
                out.ink(Ink::Green, "wrote"),
                crate::out::path(&row.link),
                crate::out::path(&row.repository)
            )),
            State::Refused => out.note(format!(
                "{names}: {} {} has a {} of its own, so a link there would never be read; remove one of the two",
                out.ink_err(Ink::Red, "refused:"),
                crate::out::path(&row.repository),
                node::YAML
            )),
        }
    }
    Ok(if refused { Outcome::Refused } else { Outcome::Done })
}

fn one(repository: &Path, root: &Path, domains: Vec<String>, dry_run: bool) -> Result<Row> {
    let state_dir = repository.join(STATE);
    let link = state_dir.join(LINK);
    let target = relative(repository, root);
    // A damaged link is written anew.
    let present = node::read_link_file(&link).ok().flatten();
    let state = if repository.join(node::YAML).symlink_metadata().is_ok() {
        State::Refused
    } else if present.as_deref() == Some(target.as_str()) {
        State::Kept
    } else if dry_run {
        State::Missing
    } else {
        let store = Store::new(state_dir);
        store.prepare().with_context(|| format!("could not link {}", repository.display()))?;
        let text = format!(
            "# Sessions in this repository belong to a comm-node node elsewhere.\nversion: 1\nnode: {target}\n"
        );
        file::replace(&link, text.as_bytes(), Durability::Flushed)?;
        State::Written
    };
    Ok(Row { domains, repository: repository.to_path_buf(), link, target, state })
}

/// The way from `from` to `to`, both real and absolute, with `/` between components; `to` itself
/// where they share nothing.
fn relative(from: &Path, to: &Path) -> String {
    let a: Vec<Component<'_>> = from.components().collect();
    let b: Vec<Component<'_>> = to.components().collect();
    let shared = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    if !matches!(a.first(), Some(Component::RootDir)) && shared == 0 {
        return to.display().to_string();
    }
    let up = std::iter::repeat_n("..".to_owned(), a.len() - shared);
    let down = b[shared..].iter().map(|c| c.as_os_str().to_string_lossy().into_owned());
    let way: Vec<String> = up.chain(down).collect();
    if way.is_empty() { ".".to_owned() } else { way.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways() {
        let way = |from: &str, to: &str| relative(Path::new(from), Path::new(to));
        assert_eq!(way("/w/shop-backend", "/w/shop"), "../shop");
        assert_eq!(way("/w/a/b", "/x/shop"), "../../../x/shop");
        assert_eq!(way("/w", "/w/shop"), "shop");
    }
}
