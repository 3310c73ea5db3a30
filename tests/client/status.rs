//! What real sessions do, as a person sees it: `comm-node status`, `log --follow` and the status line.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::driver::Client;
use crate::installed::{all, comm_node};
use crate::script::{Asker, Script, Turn};
use crate::support::node::Node;

const SOON: Duration = Duration::from_secs(45);

/// What a person is told by `comm-node args --json`.
fn asks(node: &Node, args: &[&str]) -> Value {
    let said = comm_node(node.root(), &node.path(".claude"), node.root(), &[args, &["--json"]].concat());
    serde_json::from_slice(&said.stdout).unwrap_or_else(|e| panic!("{e}: {}", all(&said)))
}

fn backend(node: &Node) -> Value {
    asks(node, &["status"])["domains"][0].clone()
}

fn asked(client: &Client, n: usize) {
    client.server.wait_for(&format!("{n} requests"), SOON, |requests| {
        requests.iter().filter(|r| r.asker == Asker::Main).count() >= n
    });
}

#[test]
fn what_an_agent_says_of_its_work_is_shown() {
    for (command, task) in [("comm-node status --set busy --task bd-7 --progress 2/5", "bd-7"), ("true", "")]
    {
        let node = Node::shop();
        let Some(client) = Client::start(Script::new([Turn::bash(command), Turn::hang()])) else { return };
        client.install();
        let running = client.headless(node.root(), "go").env("COMM_NODE_DOMAIN", "backend").spawn();
        asked(&client, 2);
        let seen = backend(&node);
        assert_eq!(
            (seen["name"].as_str(), seen["state"].as_str()),
            (Some("backend"), Some("busy")),
            "{seen}"
        );
        assert_eq!(seen["task"].as_str().unwrap_or_default(), task, "{:?}", client.server.tool_results(1));
        assert_eq!(seen["progress"].as_u64(), (!task.is_empty()).then_some(40));
        assert!(seen["agents"][0]["turn_since"].is_string(), "{seen}");
        running.signal("KILL");
        running.finish(SOON);
    }
    // A session that ends is no agent any more.
    let node = Node::shop();
    let Some(client) = Client::start(Script::new([Turn::bash("comm-node status --set blocked")])) else {
        return;
    };
    client.install();
    client.headless(node.root(), "go").env("COMM_NODE_DOMAIN", "backend").run().assert_success();
    assert_eq!(backend(&node)["state"], "none");
}

#[test]
fn a_killed_client_is_reported_once_and_its_leases_are_free() {
    let node = Node::shop();
    let turns = [Turn::write(node.text("services/api/a.txt"), "x\n"), Turn::hang()];
    let Some(client) = Client::start(Script::new(turns)) else { return };
    client.install();
    let running = client.headless(node.root(), "go").env("COMM_NODE_DOMAIN", "backend").spawn();
    asked(&client, 2);
    // Control: as long as its client lives nothing is reported, and it holds what it wrote.
    let seen = backend(&node);
    assert_eq!((&seen["state"], &seen["leases"]), (&"busy".into(), &1.into()), "{seen}");
    assert_eq!(asks(&node, &["inbox"]).as_array().map(Vec::len), Some(0));
    running.signal("KILL");
    running.finish(SOON);
    for _ in 0..2 {
        let seen = backend(&node);
        assert_eq!((&seen["state"], &seen["leases"]), (&"lost".into(), &0.into()), "{seen}");
        assert_eq!(seen["agents"][0]["client"], "gone");
    }
    let inbox = asks(&node, &["inbox"]);
    assert_eq!(inbox.as_array().map(Vec::len), Some(1), "{inbox}");
    let body = inbox[0]["body"].as_str().unwrap_or_default();
    assert!(
        body.contains("of backend is lost: its client is gone") && body.contains("in the middle of a turn"),
        "{body}"
    );
    // Another session of the domain gets the room, and the file.
    let Some(next) = Client::start(Script::new([Turn::write(node.text("services/api/a.txt"), "y\n")])) else {
        return;
    };
    next.install();
    next.headless(node.root(), "go").env("COMM_NODE_DOMAIN", "backend").run().assert_success();
    assert_eq!(node.read("services/api/a.txt").as_deref(), Some("y\n"), "{:?}", next.server.tool_results(1));
    assert_eq!(asks(&node, &["inbox"]).as_array().map(Vec::len), Some(1));
}

#[test]
fn a_followed_log_shows_the_refusals_of_a_real_session() {
    let node = Node::shop();
    let turns = [
        Turn::write(node.text("apps/web/a.txt"), "x\n"),
        Turn::write(node.text("services/api/a.txt"), "x\n"),
    ];
    let Some(client) = Client::start(Script::new(turns)) else { return };
    client.install();
    let shown = client.home().join("shown");
    let mut follower = Command::new(env!("CARGO_BIN_EXE_comm-node"))
        .args(["log", "--follow", "--json", "-n", "0", "--type", "denied"])
        .current_dir(node.root())
        .env_clear()
        .stdin(Stdio::null())
        .stdout(fs::File::create(&shown).expect("could not make a file"))
        .spawn()
        .expect("could not run comm-node");
    client.headless(node.root(), "go").env("COMM_NODE_DOMAIN", "backend").run().assert_success();
    let deadline = Instant::now() + SOON;
    let text = loop {
        let text = fs::read_to_string(&shown).unwrap_or_default();
        if text.ends_with('\n') || Instant::now() > deadline {
            break text;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    // What else it would show, it has time to.
    std::thread::sleep(Duration::from_millis(600));
    let _ = follower.kill();
    let _ = follower.wait();
    assert_eq!(fs::read_to_string(&shown).unwrap_or_default(), text);
    let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!(lines.len(), 1, "{text}");
    assert_eq!(
        (&lines[0]["path"], &lines[0]["domain"]),
        (&"apps/web/a.txt".into(), &"backend".into()),
        "{text}"
    );
}

/// The person's own settings, with a status line that says what directory it was given.
const OWN: &str = "{\n\t\"statusLine\" : {\"command\": \"grep -q '\\\"session_id\\\"' && echo 'theirs: it'\\\\''s on'\", \"type\":\"command\",\n  \"padding\": 0 },\r\n  \"skipDangerousModePermissionPrompt\": true, \"model\": \"opus\"}";

#[test]
fn the_status_line_is_shown_and_the_persons_own_one_with_it() {
    let Some(client) = Client::start(Script::default()) else { return };
    let settings = client.config().join("settings.json");
    fs::write(&settings, OWN).expect("could not write settings.json");
    client.install_own(&[]);
    let node = Node::shop();
    let shows = |cwd: &Path, text: &str| -> Option<String> {
        let terminal = client.interactive(cwd, &[])?;
        terminal.wait_for(text, SOON);
        // Both lines come from one run.
        Some(terminal.wait_for("theirs: it's on", SOON))
    };
    let Some(screen) = shows(&node.path("services/api"), "backend") else { return };
    assert!(screen.lines().any(|line| line.trim() == "backend"), "{screen}");
    // Outside of a node there is theirs alone.
    let bare = Node::bare();
    fs::remove_file(client.config().join(".claude.json")).expect("it is there");
    let Some(screen) = shows(bare.root(), "theirs") else { return };
    assert!(!screen.contains("no domain"), "{screen}");
    let output = client.person(client.home(), &["uninstall"]);
    assert!(output.status.success(), "{}", all(&output));
    assert_eq!(fs::read_to_string(&settings).ok().as_deref(), Some(OWN));
    // And theirs is what the client shows again, also in the node.
    fs::remove_file(client.config().join(".claude.json")).expect("it is there");
    let Some(screen) = shows(&node.path("services/api"), "theirs") else { return };
    assert!(!screen.lines().any(|line| line.trim() == "backend"), "{screen}");
}
