//! A refusal that can't be written is one all the same: by the exit code and stderr.

#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that can't be set up has to stop")]

use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::mail::Node;

/// What the guard ends with, and says on stderr, when session `b` writes `path` and its stdout is `stdout`.
fn guard(node: &Node, path: &str, stdout: Stdio) -> (Option<i32>, String) {
    let mut child = node
        .hook_command(env!("CARGO_BIN_EXE_comm-node-pre-tool-use"), "b")
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let call = json!({"session_id": "b", "cwd": node.root, "hook_event_name": "PreToolUse", "permission_mode": "default",
        "transcript_path": "/nonexistent", "tool_name": "Write", "tool_use_id": "t1",
        "tool_input": {"file_path": path, "content": "x"}});
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(call.to_string().as_bytes()).expect("writes");
    drop(stdin);
    let output = child.wait_with_output().expect("ends");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_refusal_that_nobody_takes_is_said_by_exit_code_and_stderr() {
    let node = Node::new();
    node.run("", &["compile"]).good();
    let full = || Stdio::from(File::options().write(true).open("/dev/full").expect("opens"));
    let closed = || {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        Stdio::from(writer)
    };
    for stdout in [full(), closed()] {
        let (code, said) = guard(&node, "web/a.txt", stdout);
        assert!(code == Some(2) && said.contains("frontend"), "{code:?} {said}");
    }
    // Controls: one that is taken, and a call that is allowed and says nothing.
    assert_eq!(guard(&node, "web/a.txt", Stdio::piped()), (Some(0), String::new()));
    assert_eq!(guard(&node, "api/a.txt", full()), (Some(0), String::new()));
    // No guard, and nothing is held back: what can't be told is told another time.
    node.send("f", &["backend", "which?"]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut prompt = Command::new(env!("CARGO_BIN_EXE_comm-node-user-prompt-submit"))
        .current_dir(&node.root)
        .env_clear()
        .env("CLAUDE_PROJECT_DIR", &node.root)
        .env("CLAUDE_PID", node.pid("b").to_string())
        .stdin(Stdio::piped())
        .stdout(writer)
        .spawn()
        .expect("starts");
    let call = json!({"session_id": "b", "cwd": node.root, "hook_event_name": "UserPromptSubmit", "prompt": "go on",
        "transcript_path": "/nonexistent", "permission_mode": "default"});
    prompt.stdin.take().expect("a pipe").write_all(call.to_string().as_bytes()).expect("writes");
    assert_eq!(prompt.wait().expect("ends").code(), Some(0), "a prompt is not swallowed");
    assert_eq!(node.inbox("b").len(), 1);
}
