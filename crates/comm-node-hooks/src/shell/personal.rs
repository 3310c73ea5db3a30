//! What of the command line is a person's alone, where it stands in a session's command.
//!
//! The program refuses it too where it sees that a session runs it; started with a cleared environment and apart from the
//! client's processes it can't. It weighs as much as an edit of `comm-node.yaml`.

use comm_node_core::Result;
use comm_node_core::guard::{self, Outcome};
use comm_node_core::node::{Place, YAML};
use comm_node_shell::{Reserved, WriteSet};

use crate::judge::{Court, Finding, Sitting};

/// The nodes that judge each such piece: the session's own, and that of the directory which it runs in.
///
/// # Errors
/// When a node's rules can't be read.
pub(super) fn brought<'w>(court: &mut Court<'_>, set: &'w WriteSet) -> Result<Vec<(usize, &'w Reserved)>> {
    let mut out = Vec::new();
    for reserved in &set.personal {
        if court.home().is_some() {
            out.push((0, reserved));
        }
        let Some(cwd) = &reserved.cwd else { continue };
        for dir in super::directories(court, cwd)? {
            for node in court.nodes_in(&dir)? {
                if !out.contains(&(node, reserved)) {
                    out.push((node, reserved));
                }
            }
        }
    }
    Ok(out)
}

/// What a node says to it.
pub(super) fn judge(node: usize, sitting: &Sitting<'_>, reserved: &Reserved) -> Option<Finding> {
    let root = &sitting.scene.layout.root;
    let place = Place::Inside { tree: 0, key: YAML.to_owned(), real: root.join(YAML) };
    let outcome = sitting.decide_at(&place).outcome;
    if outcome == Outcome::Allow {
        return None;
    }
    let what = reserved.what;
    let mut text = format!(
        "comm-node {} this command: `{}` is for a person, and {} is that or may be. ",
        if outcome == Outcome::Warn { "would refuse" } else { "refused" },
        what.shown,
        guard::piece(&reserved.by)
    );
    if !what.instead.is_empty() {
        text.push_str(what.instead);
        text.push(' ');
    }
    text.push_str(
        "Ask the user to run it in a terminal of their own. If you mean another subcommand, write it out.",
    );
    Some(Finding { node, outcome, rule: "person", unbound: false, shown: String::new(), text })
}
