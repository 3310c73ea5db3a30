//! The status line's program, as the client runs it: by a shell, with JSON on stdin.

#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that can't be set up has to stop")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use comm_node_core::text::is_hidden;
use serde_json::json;

use crate::mail::Node;

const LINE: &str = env!("CARGO_BIN_EXE_comm-node-statusline");

/// What the line says of session `id` in `dir`, with the person's own command `own`.
fn said(dir: &Path, id: &str, own: &[&str], env: &[(&str, &str)]) -> String {
    let input = json!({"session_id": id, "cwd": dir, "model": {"id": "m"}, "cost": {"total_cost_usd": 0.1},
        "workspace": {"current_dir": dir, "project_dir": dir}});
    let mut child = Command::new(LINE)
        .args(own)
        .current_dir(dir)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(env.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    child.stdin.take().expect("a pipe").write_all(input.to_string().as_bytes()).expect("writes");
    let output = child.wait_with_output().expect("ends");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("UTF-8")
}

const PLAIN: [(&str, &str); 1] = [("NO_COLOR", "1")];

#[test]
fn it_says_what_matters_and_nothing_else() {
    let mut node = Node::new();
    assert_eq!(said(&node.root, "b", &[], &PLAIN), "backend\n");
    node.run("b", &["status", "--set", "busy", "--task", "bd-1", "--progress", "40"]).good();
    node.send("f", &["backend", "x"]);
    node.send("f", &["human", "y"]);
    node.run("b", &["lock", "api/x.rs"]).good();
    node.run("b", &["lock", "api/y.rs"]).good();
    let line = "backend bd-1 40% · 1 message · 1 for you · 2 leases";
    assert_eq!(said(&node.root, "b", &[], &PLAIN), format!("{line}\n"));
    // Below the node too, and whatever directory a session is in now.
    std::fs::create_dir_all(node.root.join("api/deep")).expect("makes");
    assert_eq!(said(&node.root.join("api/deep"), "b", &[], &PLAIN), format!("{line}\n"));
    let coloured = said(&node.root, "b", &[], &[]);
    assert!(coloured.contains("\u{1b}[1mbackend\u{1b}[0m"), "{coloured:?}");
    assert_eq!(said(&node.root, "u", &[], &PLAIN), "no domain · 1 for you\n");
    assert_eq!(said(&node.root, "new", &[], &PLAIN), "no domain · 1 for you\n");
    node.run("", &["pause"]).good();
    let (_, client) = node.clients.iter_mut().find(|(id, _)| *id == "f").expect("f has one");
    client.kill().expect("kills");
    client.wait().expect("is gone");
    // Whoever draws the line notices that a peer is lost, and tells the person.
    assert!(said(&node.root, "b", &[], &PLAIN).ends_with("· 1 lost · PAUSED\n"));
    let as_json = node.run("b", &["statusline", "--json"]).good().json();
    assert_eq!(
        (&as_json["domain"], &as_json["lost"], &as_json["paused"]),
        (&json!("backend"), &json!(1), &json!(true))
    );
    assert!(node.run("b", &["statusline"]).good().out.starts_with("backend bd-1 40% · "));
    node.run("", &["statusline"]).refused(&["no session was named"]);
}

#[test]
fn the_persons_own_line_is_kept() {
    let node = Node::new();
    let own = "read -r json; case $json in *session_id*) printf '\\033[35mtheirs %s\\033[0m' \"$PWD\";; esac";
    let theirs = format!("\u{1b}[35mtheirs {}\u{1b}[0m\n", node.root.display());
    assert_eq!(said(&node.root, "b", &[own], &PLAIN), format!("backend\n{theirs}"));
    // Outside of a node it is all there is.
    let temp = tempfile::tempdir().expect("temp dir");
    let outside = temp.path().canonicalize().expect("real");
    assert_eq!(said(&outside, "b", &["echo theirs"], &PLAIN), "theirs\n");
    assert_eq!(said(&outside, "b", &[], &PLAIN), "");
    // What fails leaves ours.
    for own in ["exit 1", "no-such-program", ""] {
        assert_eq!(said(&node.root, "b", &[own], &PLAIN), "backend\n", "{own}");
    }
    // What can't be read is said, in the place of ours.
    std::fs::write(node.root.join(".comm-node/sessions/b.jsonl"), "{").expect("writes");
    assert_eq!(
        said(&node.root, "b", &["echo theirs"], &PLAIN),
        "comm-node: the state can't be read; `comm-node doctor` says why\ntheirs\n"
    );
}

#[test]
fn a_command_that_hangs_is_killed_with_what_it_started() {
    let node = Node::new();
    let mark = node.root.join("pid");
    let start = std::time::Instant::now();
    let own = format!("sleep 300 & echo $! > {}; sleep 300", mark.display());
    assert_eq!(said(&node.root, "b", &[&own], &PLAIN), "backend\n");
    assert!(start.elapsed() < std::time::Duration::from_secs(15));
    let pid = std::fs::read_to_string(mark).expect("it began");
    let ended = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        // Nobody may have waited for it yet.
        stat.is_empty() || stat.contains(") Z ")
    });
    assert!(ended || !cfg!(target_os = "linux"), "{pid} still runs");
}

#[test]
fn no_text_of_an_agent_acts_on_the_terminal() {
    let node = Node::new();
    let mut session =
        node.store().read_session(&comm_node_core::session::SessionId::new("b").expect("an id"));
    if let Ok(Some(session)) = &mut session {
        session.task = Some("a\u{1b}]0;x\u{7}\u{202e}\n".into());
        node.store().write_session(session).expect("writes");
    }
    let line = said(&node.root, "b", &[], &PLAIN);
    assert!(line.starts_with("backend a\\u{1b}]0;x"), "{line:?}");
    assert!(!line.trim_end().chars().any(is_hidden), "{line:?}");
}
