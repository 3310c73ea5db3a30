//! Shell commands in real sessions: judged like edits before they run, looked at again after they ran.
//!
//! A test hands a session a list of commands and says of each what has to become of it. The
//! control is the same list with the guard off: then every command does what it is there for, so that a refusal which
//! comes from somewhere else, or a command that does nothing, can't pass for the guard's work.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::driver::{Client, Headless, Outcome};
use crate::installed::{all, comm_node};
use crate::script::{Script, Turn, message_text};
use crate::server::Request;
use crate::support::node::{Node, NodeBuilder};

mod after;
mod foreign;
mod harmless;
mod held;
mod tools;
mod who;

/// How a refusal of a command begins.
const REFUSED: &str = "comm-node refused this command: ";
/// What every text of a hook has before it in the model's view.
const HOOK: [&str; 3] = ["hook additional context", "hook error", "hook blocking"];
/// For things that take the client a fraction of a second.
const SOON: std::time::Duration = std::time::Duration::from_secs(45);
/// How many files there are in `web`.
const FILES: usize = 64;
/// What every file of `web` has in it beyond what is committed.
const LOCAL: &str = "local\n";

/// Domains api and web in `mode`, with `more` at the end of the file; a link from one into the other; some build output.
fn shop(mode: &str, more: &str) -> Node {
    let yaml = format!(
        "version: 1\nname: shop\ndomains:\n  api:\n    scope: [\"api/**\"]\n    max_sessions: 2\n    mode: {mode}\n  \
         web:\n    scope: [\"web/**\"]\n    mode: {mode}\n{more}"
    );
    let files = (0..FILES).fold(NodeBuilder::default(), |node, i| node.file(&web(i), "old\n"));
    let node = files
        .yaml(&yaml)
        .file(".gitignore", "build/\ntarget/\n")
        .file("api/x", "old\n")
        .file("api/y", "old\n")
        .file("api/fresh", "fresh\n")
        .build();
    std::os::unix::fs::symlink("../web", node.path("api/link")).expect("could not make a link");
    node.git(&["add", "-A"]);
    node.git(&["commit", "-qm", "link"]);
    for i in 0..FILES {
        node.write(&web(i), LOCAL);
    }
    node
}

/// The `i`-th file of `web`.
fn web(i: usize) -> String {
    format!("web/{i:02}.txt")
}

/// What has to become of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Refused before it runs.
    Refused,
    /// It runs, and the model hears at once what it should not have changed.
    Reported,
    /// One of the two.
    Caught,
    /// It runs, and the model hears nothing but its output.
    Silent,
}

/// One command and its fate; `{}` in it is a file of `web` of its own, `{name}` that file's name, `{abs}` its full path.
#[derive(Clone, Copy, Debug)]
struct Try(Fate, &'static str);

/// A command of `tries` as the model gives it.
fn filled(node: &Node, command: &str, i: usize) -> String {
    let path = web(i);
    command
        .replace("{}", &path)
        .replace("{name}", path.trim_start_matches("web/"))
        .replace("{abs}", &node.text(&path))
        .replace("{node}", node.text("").trim_end_matches('/'))
}

/// Whether the file of the `i`-th command has been changed, removed or put back.
fn is_changed(node: &Node, i: usize) -> bool {
    node.read(&web(i)).as_deref() != Some(LOCAL)
}

/// Who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// The main loop.
    Main,
    /// A subagent of this type.
    Agent(&'static str),
}

/// The prompt by which a subagent's requests are told from others.
const ERRAND: &str = "run the scripted commands";

/// A session that has run to its end.
struct Ran {
    client: Client,
    outcome: Outcome,
    who: Who,
}

/// Has `client` take `turns` in `node`.
fn run(
    client: Client,
    node: &Node,
    who: Who,
    turns: impl IntoIterator<Item = Turn>,
    how: impl FnOnce(Headless<'_>) -> Headless<'_>,
) -> Ran {
    client.server.script(match who {
        Who::Main => Script::new(turns),
        Who::Agent(kind) => Script::new([Turn::agent(kind, ERRAND)]).agent(ERRAND, turns),
    });
    let outcome = how(headless(&client, node)).run();
    outcome.assert_success();
    Ran { client, outcome, who }
}

/// A run without the client's own comparison of trees, which nothing here relies on and every call waits for.
fn headless<'c>(client: &'c Client, node: &Node) -> Headless<'c> {
    client.headless(node.root(), "go").env("CLAUDE_CODE_BASH_EDIT_DIFF", "0")
}

/// A session of domain api that runs `commands` in `node`.
fn of_api(node: &Node, commands: &[&str]) -> Option<Ran> {
    let client = Client::guarded()?;
    let turns: Vec<Turn> = commands.iter().enumerate().map(|(i, c)| Turn::bash(filled(node, c, i))).collect();
    Some(run(client, node, Who::Main, turns, |run| run.env("COMM_NODE_DOMAIN", "api")))
}

/// Everything that a request tells the model since its last answer.
fn news(request: &Request) -> String {
    let messages = request.body["messages"].as_array().into_iter().flatten();
    let mut new: Vec<String> =
        messages.rev().take_while(|m| m["role"] != "assistant").map(message_text).collect();
    new.reverse();
    new.join("\n")
}

impl Ran {
    fn requests(&self) -> Vec<Request> {
        match self.who {
            Who::Main => self.client.server.requests_main(),
            Who::Agent(_) => self.client.server.requests_agent(ERRAND),
        }
    }

    /// What the model was told after turn `i`, in the very next request: the result and all that hooks said.
    fn told(&self, i: usize) -> String {
        let requests = self.requests();
        news(requests.get(i + 1).unwrap_or_else(|| {
            panic!("no request after turn {i}, only {}: {}", requests.len(), self.outcome.stdout)
        }))
    }

    /// Panics unless the model was told nothing but the result after turn `i`.
    fn assert_silent(&self, i: usize, at: &str) -> String {
        let told = self.told(i);
        assert!(!HOOK.iter().any(|h| told.contains(h)), "hooks have spoken: {at}\n{told}");
        told
    }
}

/// Runs `tries` in a session of api with the guard, and as control without, and panics unless each met its fate.
/// `pieces` stand in every refusal.
fn check(
    tries: &[Try],
    pieces: &[&str],
    who: Who,
    node: impl Fn(&str) -> Node,
    how: impl for<'c> Fn(&Node, Headless<'c>) -> Headless<'c>,
) {
    assert!(tries.len() <= FILES);
    for mode in ["enforce", "off"] {
        let node = node(mode);
        let Some(client) = Client::guarded() else { return };
        let commands: Vec<String> = tries.iter().enumerate().map(|(i, t)| filled(&node, t.1, i)).collect();
        let turns: Vec<Turn> = commands.iter().map(Turn::bash).collect();
        let ran = run(client, &node, who, turns, |run| how(&node, run.env("COMM_NODE_DOMAIN", "api")));
        let mut wrong = Vec::new();
        for (i, Try(fate, _)) in tries.iter().enumerate() {
            let (told, changed) = (ran.told(i), is_changed(&node, i));
            let spoken = HOOK.iter().any(|h| told.contains(h));
            let refused = told.contains(REFUSED);
            // It names its file, and none that another command changed before.
            let named = (0..tries.len()).all(|j| told.contains(&web(j)) == (i == j));
            let right = match (mode, fate) {
                ("off", Fate::Silent) => !spoken,
                ("off", _) => changed && !spoken,
                (_, Fate::Caught) => spoken && refused != changed && (refused || named),
                (_, Fate::Refused) => !changed && refused && pieces.iter().all(|p| told.contains(p)),
                (_, Fate::Reported) => changed && !refused && spoken && named,
                (_, Fate::Silent) => !spoken,
            };
            if !right {
                wrong.push(format!("{mode}, {fate:?}, changed: {changed}: {}\n→ {told}", commands[i]));
            }
        }
        assert!(wrong.is_empty(), "{} of {}:\n\n{}", wrong.len(), tries.len(), wrong.join("\n\n"));
    }
}

/// The leases on record.
fn leases(node: &Node) -> Vec<Value> {
    let said = comm_node(node.root(), &node.path(".claude"), node.root(), &["locks", "--json"]);
    serde_json::from_slice(&said.stdout).unwrap_or_else(|e| panic!("{e}: {}", all(&said)))
}

/// The paths of the leases on record, sorted.
fn leased(node: &Node) -> Vec<String> {
    let mut paths: Vec<String> =
        leases(node).iter().map(|l| l["path"].as_str().unwrap_or_default().to_owned()).collect();
    paths.sort();
    paths
}

/// A Bash call that lasts until `flag` exists.
fn wait_for(flag: &Path) -> Turn {
    Turn::bash(format!("until [ -e {} ]; do sleep 0.05; done", flag.display()))
}

/// `git commit` by somebody.
const COMMIT: &str = "git -c user.name=T -c user.email=t@example.com -c commit.gpgsign=false commit";

/// Makes an executable `sh` program in the directory `bin` of the client's home, for [`with_bin`].
fn program(home: &Path, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    let bin = home.join("bin");
    fs::create_dir_all(&bin).expect("could not make a directory");
    let path = bin.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("could not write a program");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("could not make it executable");
}

/// A `PATH` that begins with the directory `bin` in `home`.
fn with_bin(home: &Path) -> String {
    format!("{}:{}", home.join("bin").display(), std::env::var("PATH").unwrap_or_default())
}
