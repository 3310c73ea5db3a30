//! A plugin's monitors: a program beside an interactive session, whose lines wake it.

use std::fs;
use std::time::Duration;

use serde_json::json;

use super::{on_all, string};
use crate::driver::Client;
use crate::hook::Hooks;
use crate::script::{Script, Turn};
use crate::support::node::Node;
use crate::terminal::Terminal;

const SOON: Duration = Duration::from_secs(45);

/// An interactive session with a plugin that has nothing but this monitor.
fn beside(client: &Client, node: &Node, command: &str) -> Option<Terminal> {
    let plugin = client.home().join("plug");
    let put = |path: &str, value: serde_json::Value| {
        let path = plugin.join(path);
        fs::create_dir_all(path.parent().expect("has one")).expect("could not make a directory");
        fs::write(path, value.to_string()).expect("could not write the plugin");
    };
    let manifest = json!({"name": "plug", "version": "0.1.0", "description": "d", "author": {"name": "x"}});
    put(".claude-plugin/plugin.json", manifest);
    put(
        "monitors/monitors.json",
        json!([{"name": "mail", "command": command, "description": "mail arrives"}]),
    );
    let args = ["--dangerously-skip-permissions", "--plugin-dir", plugin.to_str().expect("UTF-8")];
    let terminal = client.interactive(node.root(), &args)?;
    terminal.wait_for("❯", SOON);
    Some(terminal)
}

#[test]
fn a_line_of_a_monitor_makes_a_turn_with_the_prompts_hook() {
    let node = Node::bare();
    let Some(client) = Client::start(Script::new([Turn::text("Woken once.")])) else { return };
    let hooks = Hooks::new();
    let context = json!({"hookSpecificOutput": {"hookEventName": "UserPromptSubmit", "additionalContext": "the context"}});
    let answer = hooks.answering("prompt", &context);
    client.settings(&on_all(&hooks.recording("record")).hook("UserPromptSubmit", None, answer));
    let home = client.home().display().to_string();
    let command = format!(
        "echo $CLAUDE_PID > {home}/pid; trap 'echo over > {home}/over; exit' TERM; while sleep 0.1; do cat {home}/say* 2>/dev/null && rm {home}/say*; done"
    );
    let Some(terminal) = beside(&client, &node, &command) else { return };
    fs::write(client.home().join("say1"), "two\nlines\n").expect("writes");
    terminal.wait_for("Woken once.", SOON);
    let prompts = hooks.firings_of("UserPromptSubmit");
    let prompt = string(&prompts[0], "prompt");
    assert!(prompt.contains("<event>two\nlines</event>"), "what is written at once is one event: {prompt}");
    assert_eq!(client.server.count_in_body(0, "UserPromptSubmit hook additional context: the context"), 1);
    let pid = fs::read_to_string(client.home().join("pid")).expect("it wrote");
    assert_eq!(pid.trim(), terminal.pid(), "it knows its client");
    // In the middle of a turn the line comes behind the next batch, and so does the context of the hook.
    client.server.script(Script::new([
        Turn::bash("sleep 2"),
        Turn::bash("true"),
        Turn::text("Work is done."),
    ]));
    terminal.say("work");
    std::thread::sleep(Duration::from_millis(1_200));
    fs::write(client.home().join("say2"), "meanwhile\n").expect("writes");
    terminal.wait_for("Work is done.", SOON);
    let seen: Vec<[usize; 2]> = (1..4)
        .map(|n| ["<event>meanwhile</event>", "the context"].map(|text| client.server.count_in_body(n, text)))
        .collect();
    assert_eq!(seen, [[0, 2], [1, 3], [1, 3]]);
    // `/clear` leaves it running.
    terminal.say("/clear");
    std::thread::sleep(Duration::from_secs(1));
    client.server.script(Script::new([Turn::text("Woken behind it.")]));
    fs::write(client.home().join("say3"), "behind\n").expect("writes");
    terminal.wait_for("Woken behind it.", SOON);
    terminal.say("/exit");
    terminal.wait_for_end(SOON);
    let over = client.home().join("over");
    for _ in 0..100 {
        if over.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the monitor was not ended with its session");
}

/// Therefore ours does not end, even where it has nothing to do.
#[test]
fn a_monitor_that_ends_costs_a_turn() {
    let node = Node::bare();
    let Some(client) = Client::start(Script::new([Turn::text("What was that?")])) else { return };
    let Some(terminal) = beside(&client, &node, "sleep 1") else { return };
    terminal.wait_for("What was that?", SOON);
    assert_eq!(client.server.count_in_body(0, "ended without producing output (exit 0)"), 1);
}
