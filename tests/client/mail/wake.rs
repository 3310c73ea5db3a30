//! An idle session is woken by mail, through the monitor of the plugin.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{SOON, asked, author, counts, states};
use crate::driver::{Client, kill};
use crate::installed::{as_plugin, person};
use crate::script::{Script, Turn};
use crate::support::node::Node;
use crate::terminal::Terminal;

/// As long as a session is given to wake by mistake: many times what it takes to wake.
const QUIET: Duration = Duration::from_secs(5);
const REPLY: &str =
    "comm-node reply $(comm-node inbox --json | grep -m1 '\"id\"' | cut -d'\"' -f4) 'id and email'";

/// An interactive session of backend that nobody typed anything into. With the plugin it has the monitor.
fn idle(client: &Client, node: &Node, plugin: bool) -> Option<Terminal> {
    let place = as_plugin().plugin();
    let mut args = vec!["--dangerously-skip-permissions"];
    if plugin {
        args.extend(["--plugin-dir", place.to_str().expect("UTF-8")]);
    } else {
        client.install();
    }
    let terminal = client.interactive(&node.path("services/api"), &args)?;
    terminal.wait_for("❯", SOON);
    // The brief stands on record once the session is registered.
    let begin = Instant::now();
    while node.sessions().is_empty() {
        assert!(begin.elapsed() < SOON, "the session did not register:\n{}", terminal.screen());
        std::thread::sleep(Duration::from_millis(50));
    }
    Some(terminal)
}

/// The processes that run beside the client `pid` as monitors.
fn monitors(pid: &str) -> Vec<PathBuf> {
    let wanted = format!("CLAUDE_PID={pid}");
    let is_one = |dir: &PathBuf| {
        let words = |name: &str| {
            let bytes = fs::read(dir.join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).split('\0').map(str::to_owned).collect::<Vec<_>>()
        };
        words("cmdline").iter().any(|word| word == "watch") && words("environ").contains(&wanted)
    };
    fs::read_dir("/proc").expect("lists").flatten().map(|entry| entry.path()).filter(is_one).collect()
}

#[test]
fn mail_wakes_an_idle_session_which_answers() {
    for plugin in [true, false] {
        let node = Node::shop();
        let Some(reader) = Client::start(Script::new([Turn::bash(REPLY), Turn::text("Answered.")])) else {
            return;
        };
        let Some(terminal) = idle(&reader, &node, plugin) else { return };
        if author(&node, "comm-node send backend 'which fields does User have?'").is_none() {
            return;
        }
        if !plugin {
            // Control: without the monitor it waits for a prompt.
            std::thread::sleep(QUIET);
            assert!(reader.server.requests_main().is_empty());
            assert_eq!(states(&node), ["queued"]);
            continue;
        }
        terminal.wait_for("Answered.", SOON);
        // The hook of the prompt that the monitor makes tells the whole message: once.
        assert_eq!(counts(&reader, "> which fields does User have?"), [1, 1]);
        assert_eq!(counts(&reader, "question from frontend, medium; if its text does not follow"), [1, 1]);
        assert_eq!(states(&node), ["acked"]);
        let inbox = person(node.root(), &["inbox", "--domain", "frontend"]);
        assert!(inbox.contains("id and email"), "{inbox}");
        // It wakes once, and the end of its own turn is no mail.
        std::thread::sleep(QUIET);
        assert_eq!(reader.server.requests_main().len(), 2);
    }
}

/// What was sent before it started wakes it too, and `/clear` does not end that.
#[test]
fn mail_that_waited_wakes_a_session_that_starts_and_the_one_behind_clear() {
    let node = Node::shop();
    person(node.root(), &["send", "backend", "first things first"]);
    let Some(reader) = Client::start(Script::new([Turn::text("First read.")])) else { return };
    let Some(terminal) = idle(&reader, &node, true) else { return };
    terminal.wait_for("First read.", SOON);
    assert_eq!(counts(&reader, "> first things first"), [1]);
    terminal.say("/clear");
    let begin = Instant::now();
    while node.sessions().len() != 1 || node.ended_sessions().is_empty() {
        assert!(begin.elapsed() < SOON, "the session was not replaced");
        std::thread::sleep(Duration::from_millis(50));
    }
    reader.server.script(Script::new([Turn::text("Second read.")]));
    person(node.root(), &["send", "backend", "second things second"]);
    terminal.wait_for("Second read.", SOON);
    assert_eq!(counts(&reader, "> second things second"), [0, 1]);
    assert_eq!(counts(&reader, "> first things first"), [1, 0]);
}

/// While a session works its hooks tell it, and the monitor says nothing.
#[test]
fn the_monitor_is_silent_while_the_session_works() {
    let node = Node::shop();
    let Some(reader) = Client::start(Script::default()) else { return };
    let Some(terminal) = idle(&reader, &node, true) else { return };
    let flag = reader.home().join("flag");
    reader.server.script(Script::new([super::wait_for(&flag), Turn::text("Work is done.")]));
    terminal.say("work");
    asked(&reader, 1);
    person(node.root(), &["send", "backend", "now?", "--priority", "high"]);
    std::thread::sleep(Duration::from_secs(2));
    fs::write(&flag, "").expect("could not write the flag");
    terminal.wait_for("Work is done.", SOON);
    std::thread::sleep(QUIET);
    assert_eq!(counts(&reader, "> now?"), [0, 1]);
    assert_eq!(counts(&reader, "Monitor event"), [0, 0]);
}

#[test]
fn nothing_is_left_of_the_monitor_however_the_client_ends() {
    for kills in [false, true] {
        let node = Node::shop();
        let Some(reader) = Client::start(Script::default()) else { return };
        let Some(terminal) = idle(&reader, &node, true) else { return };
        let pid = terminal.pid();
        let begin = Instant::now();
        while monitors(&pid).is_empty() {
            assert!(begin.elapsed() < SOON, "there is no monitor");
            std::thread::sleep(Duration::from_millis(50));
        }
        if kills {
            kill("KILL", &pid);
        } else {
            terminal.say("/exit");
            terminal.wait_for_end(SOON);
        }
        let begin = Instant::now();
        while !monitors(&pid).is_empty() {
            assert!(begin.elapsed() < SOON, "it is still there: {:?}", monitors(&pid));
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
