//! `comm-node init-agentic`: the working files of a project.

use anyhow::Result;
use comm_node_core::node;
use comm_node_core::notes::{blocker, finding, issue, plan};
use comm_node_core::store::{Durability, file};

use crate::Outcome;
use crate::env::Env;
use crate::handing::MYTASKS;
use crate::here::Here;
use crate::noting::plain_dirs;
use crate::out::{Ink, Out};

/// Arguments of `comm-node init-agentic`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  comm-node init-agentic\n\n\
                        Makes the plan, the list of blockers and the list of known issues that are missing, in this directory or, \
                        in a node, in its top directory. What is there is never changed.")]
pub struct Args {}

const PLAN: &str = "# Plan\n\n<!-- One task per line, each with its end:\n- [ ] bd-101 the login page\n  **Done when**: `cargo test -q login` passes\n-->\n";

/// Runs the command.
///
/// # Errors
/// When a file can't be made.
pub fn run(_: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let here = if node::find(&env.cwd)?.is_some() { Some(Here::find(env)?) } else { None };
    let root = here.as_ref().map_or(&env.cwd, |here| &here.layout.root);
    let heading = |title: &str| format!("# {title}\n");
    let mut files =
        vec![(plan::FILE.to_owned(), PLAN.to_owned()), (issue::FILE.to_owned(), heading(issue::TITLE))];
    match &here {
        None => files.push((format!("{MYTASKS}/{}", blocker::FILE), heading(blocker::TITLE))),
        Some(here) => {
            for (name, title) in [(blocker::FILE, blocker::TITLE), (finding::FILE, finding::TITLE)] {
                let there = here.store.note_path(name).symlink_metadata().is_ok();
                if !there {
                    here.store.write_note(name, &heading(title))?;
                }
                said(out, &format!("{}/{name}", node::STATE), there);
            }
        }
    }
    plain_dirs(root, &root.join(MYTASKS).join("handoffs"))?;
    for (shown, text) in files {
        let path = root.join(&shown);
        let there = path.symlink_metadata().is_ok();
        if !there {
            plain_dirs(root, path.parent().unwrap_or(root))?;
            file::replace(&path, text.as_bytes(), Durability::Flushed)?;
        }
        said(out, &shown, there);
    }
    Ok(Outcome::Done)
}

fn said(out: &Out, shown: &str, there: bool) {
    let word = if there { out.ink(Ink::Dim, "kept ") } else { out.ink(Ink::Green, "wrote") };
    out.line(format!("{word} {shown}"));
}
