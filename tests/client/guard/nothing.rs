//! Where there is no node there is nothing: not a byte to the model, not a file.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{Step, Who, play, shop};
use crate::driver::Client;
use crate::installed;
use crate::script::{Script, Turn};
use crate::settings::Settings;
use crate::support::node::Node;

/// Every file and directory below `dir`, relative to it, with what changes from run to run left out.
fn files(dir: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(here) = open.pop() {
        for entry in fs::read_dir(&here).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|t| t.is_dir()) {
                open.push(path.clone());
            }
            let name = path.strip_prefix(dir).expect("it is below").to_string_lossy().into_owned();
            found.insert(name);
        }
    }
    found
}

/// A run that touches every event: a prompt, edits, a failing edit, a subagent, a compaction.
fn everything(client: &Client, node: &Node) {
    client.server.script(
        Script::new([
            Turn::write(node.text("a.txt"), "x\n"),
            Turn::edit(node.text("none.txt"), "a", "b"),
            Turn::bash("echo hello"),
            Turn::agent("general-purpose", "write something"),
        ])
        .agent("write something", [Turn::write(node.text("b.txt"), "x\n")]),
    );
    let id = "11111111-2222-4333-8444-555555555555";
    client.headless(node.root(), "go").args(["--session-id", id]).run().assert_success();
    client.headless(node.root(), "/compact").resume(id).run().assert_success();
    assert!(node.path("a.txt").exists() && node.path("b.txt").exists());
}

fn mentions(client: &Client) -> usize {
    client.server.requests().iter().map(|r| r.count("comm-node")).sum()
}

#[test]
fn without_a_node_the_model_hears_nothing_and_nothing_is_written() {
    let (with, without) = (Node::bare(), Node::bare());
    let Some(client) = Client::guarded() else { return };
    everything(&client, &with);
    assert_eq!(mentions(&client), 0);
    for (path, lines) in client.transcripts() {
        let lines = lines.iter().filter(|l| l.to_string().contains("hook additional context"));
        assert_eq!(lines.count(), 0, "{}", path.display());
    }

    // What the client leaves behind without any hook is all that there is.
    let Some(plain) = Client::start(Script::default()) else { return };
    plain.settings(&Settings::new());
    everything(&plain, &without);
    let ours = |dir: &Path| files(dir).into_iter().filter(|f| f.contains("comm-node")).collect::<Vec<_>>();
    assert_eq!(files(with.root()).len(), files(without.root()).len());
    assert!(!with.path(".comm-node").exists());
    assert_eq!(ours(client.home()), ours(plain.home()));
    let top = |client: &Client| {
        // The client notes its own tidying up when it comes to it, which is a matter of time.
        let own = |f: &String| !f.contains('/') && f != ".last-cleanup";
        files(&client.config()).into_iter().filter(own).collect::<Vec<_>>()
    };
    assert_eq!(top(&client), top(&plain));
}

/// Control of the above: in a node the same run does leave words and files.
#[test]
fn in_a_node_the_same_run_does_both() {
    let node = Node::builder().yaml("version: 1\nname: n\ndomains:\n  all: {scope: [\"**\"]}\n").build();
    let Some(client) = Client::guarded() else { return };
    everything(&client, &node);
    assert!(mentions(&client) > 0);
    assert!(node.path(".comm-node/log/events.jsonl").exists());
}

/// A session that began outside of any node and writes into one is judged by that node all the same.
#[test]
fn a_session_from_outside_is_a_stranger_in_a_node() {
    for (mode, refused) in [("enforce", true), ("off", false)] {
        let node = shop(mode, "policy:\n  unbound: deny\n").build();
        let outside = Node::bare();
        let Some(client) = Client::guarded() else { return };
        let step = Step::write(&node, "services/api/a.txt");
        let steps = [
            Step::write(&outside, "a.txt"),
            if refused {
                step.refused(&[super::REFUSED, "this session is bound to no domain"])
            } else {
                step
            },
        ];
        play(client, outside.root(), Who::Main, &steps, |run| run).assert_guarded(&steps);
        assert!(!outside.path(".comm-node").exists());
    }
    assert!(installed::in_settings().bin().exists());
}
