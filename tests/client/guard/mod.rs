//! The guard in real sessions: installed as a user installs it, in real nodes, judged by what is on disk afterwards and
//! by what the model was told.
//!
//! Every scenario has its negative control: the same steps with the guard's mode `off`, or without the part that is
//! under test, after which the edits are there. Without it a test would also pass if the client refused by itself.

use std::fs;
use std::path::{Path, PathBuf};

use crate::driver::{Client, Headless, Outcome};
use crate::script::{Script, Turn};
use crate::server::Request;
use crate::support::node::{Node, NodeBuilder};

mod binding;
mod brief;
mod edits;
mod faults;
mod nothing;
mod paths;
mod pause;
mod plugin;
mod policies;
mod state;
mod switches;
mod uninstall;

/// What every refusal of ours begins with.
const REFUSED: &str = "comm-node refused the write to";
/// For things that take the client a fraction of a second.
const SOON: std::time::Duration = std::time::Duration::from_secs(30);
const NOTEBOOK: &str = r#"{"cells": [{"cell_type": "code", "id": "c1", "metadata": {}, "source": "old", "outputs": [],
 "execution_count": null}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}"#;

/// A `comm-node.yaml` of two domains in `mode`, with `more` at its end.
fn yaml(mode: &str, more: &str) -> String {
    format!(
        "version: 1
name: shop
domains:
  backend:
    description: HTTP API
    scope: [\"services/api/**\"]
    mode: {mode}
  frontend:
    description: Web pages
    scope: [\"apps/web/**\"]
    mode: {mode}
{more}"
    )
}

/// The node of [`yaml`] with a text file and a notebook in each domain.
fn shop(mode: &str, more: &str) -> NodeBuilder {
    Node::builder()
        .yaml(&yaml(mode, more))
        .file("services/api/main.rs", "old\n")
        .file("services/api/n.ipynb", NOTEBOOK)
        .file("apps/web/index.html", "old\n")
        .file("apps/web/n.ipynb", NOTEBOOK)
}

/// One thing that the model tries.
#[derive(Clone, Debug)]
struct Step {
    turn: Turn,
    /// Where the effect shows, and the text that is there then.
    effect: Option<(PathBuf, String)>,
    /// Pieces of the text with which it has to be refused; `None` if it has to be done.
    refused: Option<Vec<&'static str>>,
    /// True if the client refuses it by itself where the guard does not.
    client_refuses: bool,
}

impl Step {
    fn of(turn: Turn, effect: Option<(PathBuf, String)>) -> Self {
        Self { turn, effect, refused: None, client_refuses: false }
    }

    /// Something that later steps need, such as a `Read`; it has no effect of its own.
    fn first(turn: Turn) -> Self {
        Self::of(turn, None)
    }

    /// A `Write` to the path `named`, which shows in `real`.
    fn write_as(named: &str, real: PathBuf) -> Self {
        let text = format!("written to {named}\n");
        Self::of(Turn::write(named, &text), Some((real, text)))
    }

    /// A `Write` to a new file of the node.
    fn write(node: &Node, path: &str) -> Self {
        Self::write_as(&node.text(path), node.path(path))
    }

    /// An `Edit` of a file of [`shop`], which has to be read before.
    fn edit(node: &Node, path: &str) -> Self {
        Self::of(Turn::edit(node.text(path), "old", "new"), Some((node.path(path), "new".to_owned())))
    }

    /// A `NotebookEdit` of a notebook of [`shop`], which has to be read before.
    fn notebook(node: &Node, path: &str) -> Self {
        let input =
            serde_json::json!({"notebook_path": node.text(path), "new_source": "changed", "cell_id": "c1"});
        Self::of(Turn::tool("NotebookEdit", input), Some((node.path(path), "changed".to_owned())))
    }

    /// It has to be refused, with all of `pieces` in the reason.
    fn refused(mut self, pieces: &[&'static str]) -> Self {
        self.refused = Some(pieces.to_vec());
        self
    }

    /// Without the guard the client refuses it by itself.
    fn client_refuses(mut self) -> Self {
        self.client_refuses = true;
        self
    }

    fn is_done(&self) -> Option<bool> {
        let (path, text) = self.effect.as_ref()?;
        Some(fs::read_to_string(path).is_ok_and(|t| t.contains(text.as_str())))
    }
}

/// Who takes the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// The main loop.
    Main,
    /// A subagent of this type.
    Agent(&'static str),
}

/// The prompt by which a subagent's requests are told from others.
const ERRAND: &str = "take the scripted steps";

/// A run in which all steps were taken.
struct Played {
    client: Client,
    outcome: Outcome,
    who: Who,
}

/// Has `client` take `steps` in `cwd`.
fn play(
    client: Client,
    cwd: &Path,
    who: Who,
    steps: &[Step],
    how: impl FnOnce(Headless<'_>) -> Headless<'_>,
) -> Played {
    let turns = steps.iter().map(|s| s.turn.clone());
    client.server.script(match who {
        Who::Main => Script::new(turns),
        Who::Agent(kind) => Script::new([Turn::agent(kind, ERRAND)]).agent(ERRAND, turns),
    });
    let outcome = how(client.headless(cwd, "go")).run();
    outcome.assert_success();
    Played { client, outcome, who }
}

impl Played {
    /// The requests of whoever took the steps.
    fn requests(&self) -> Vec<Request> {
        match self.who {
            Who::Main => self.client.server.requests_main(),
            Who::Agent(_) => self.client.server.requests_agent(ERRAND),
        }
    }

    /// What the model was told after step `i`.
    fn result(&self, i: usize) -> String {
        let requests = self.requests();
        let after = requests.get(i + 1).unwrap_or_else(|| {
            panic!("no request after step {i}, only {}: {}", requests.len(), self.outcome.stdout)
        });
        after.tool_results().join("\n")
    }

    /// Panics unless every step went as it has to with the guard in force.
    fn assert_guarded(&self, steps: &[Step]) {
        for (i, step) in steps.iter().enumerate() {
            let result = self.result(i);
            let at = format!("step {i}, {:?}:\n{result}", step.turn);
            match &step.refused {
                Some(pieces) => {
                    assert_ne!(step.is_done(), Some(true), "it was done all the same: {at}");
                    for piece in pieces {
                        assert!(result.contains(piece), "the reason lacks {piece:?}: {at}");
                    }
                }
                None => {
                    assert_ne!(step.is_done(), Some(false), "it was not done: {at}");
                    assert!(!result.contains("comm-node refused"), "{at}");
                }
            }
        }
    }

    /// Panics unless every step was done: there is no guard.
    fn assert_unguarded(&self, steps: &[Step]) {
        for (i, step) in steps.iter().enumerate() {
            let result = self.result(i);
            let at = format!("control, step {i}, {:?}:\n{result}", step.turn);
            assert_ne!(step.is_done(), Some(step.client_refuses), "{at}");
            assert!(!result.contains("comm-node refused") && !result.contains("comm-node could not"), "{at}");
        }
    }
}

/// A Bash call that lasts until `flag` exists: the session stands still meanwhile.
fn wait_for(flag: &Path) -> Turn {
    Turn::bash(format!("for i in $(seq 600); do [ -e {} ] && break; sleep 0.05; done", flag.display()))
}

/// A Bash call of a program whose writes the guard can't know beforehand, for what a person or a script does meanwhile.
pub(crate) fn unseen(python: &str) -> Turn {
    Turn::bash(format!(
        "python3 - <<'END'\nimport os\nconfig = os.environ['CLAUDE_CONFIG_DIR']\n{python}\nEND\n"
    ))
}

/// Takes the steps in a session of `backend` in a node of `node("enforce")`, and as control in one of `node("off")`.
fn guarded_and_not(
    who: Who,
    node: impl Fn(&str) -> Node,
    steps: impl Fn(&Node, &Client) -> Vec<Step>,
    how: impl for<'c> Fn(Headless<'c>) -> Headless<'c>,
) {
    for mode in ["enforce", "off"] {
        let node = node(mode);
        let Some(client) = Client::guarded() else { return };
        let steps = steps(&node, &client);
        assert!(steps.iter().any(|s| s.refused.is_some()), "nothing is to be refused");
        let played =
            play(client, node.root(), who, &steps, |run| how(run.env("COMM_NODE_DOMAIN", "backend")));
        if mode == "enforce" {
            played.assert_guarded(&steps);
        } else {
            played.assert_unguarded(&steps);
        }
    }
}
