//! `lock`, `unlock` and `locks` as an agent and as a person run them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use comm_node_core::session::SessionId;
use comm_node_core::store::Store;

use super::register;

const YAML: &str = "\
version: 1
name: shop
domains:
  backend:
    scope: [\"api/**\"]
    exclude: [\"api/generated/**\"]
    max_sessions: 9
  frontend:
    scope: [\"web/**\"]
    max_sessions: 9
";

struct Node {
    _temp: tempfile::TempDir,
    root: PathBuf,
    /// Stands for the clients: sessions live as long as it does.
    client: Child,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}

impl Node {
    fn new() -> Self {
        let temp = tempfile::tempdir().expect("temp dir");
        let root = temp.path().canonicalize().expect("real");
        std::fs::write(root.join("comm-node.yaml"), YAML).expect("writes");
        for dir in ["api/generated", "web/pages"] {
            std::fs::create_dir_all(root.join(dir)).expect("creates");
        }
        let client = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().expect("starts");
        let node = Self { _temp: temp, root, client };
        for (session, domain) in [("b1", "backend"), ("b2", "backend"), ("f1", "frontend")] {
            register(&node.store(), session, node.client.id());
            let id = SessionId::new(session).expect("an id");
            let mut record = node.store().read_session(&id).expect("reads").expect("is there");
            record.domain = Some(domain.to_owned());
            node.store().write_session(&record).expect("writes");
        }
        node
    }

    fn store(&self) -> Store {
        Store::new(self.root.join(".comm-node"))
    }

    fn command(&self, session: &str, dir: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_comm-node"));
        command.args(args).current_dir(dir).env_clear().env("HOME", &self.root).stdin(Stdio::null());
        if !session.is_empty() {
            command.env("CLAUDE_CODE_SESSION_ID", session);
        }
        command
    }

    /// Exit code, stdout and stderr; an empty session is a person.
    fn run(&self, session: &str, args: &[&str]) -> (i32, String, String) {
        let out = self.command(session, &self.root, args).output().expect("runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (out.status.code().unwrap_or(-1), text(out.stdout), text(out.stderr))
    }
}

#[test]
fn one_locks_and_the_other_is_told() {
    let node = Node::new();
    let (code, out, err) = node.run("b1", &["lock", "api/**/*.rs", "--reason", "renaming"]);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert!(
        err.contains("reaches beyond the scope of domain backend: it matches api/generated/a.rs"),
        "{err}"
    );
    let (code, out, err) = node.run("b1", &["lock", "api/*.rs", "--reason", "renaming"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out, "locked api/*.rs until it is unlocked or the session ends\n");
    let (code, out, err) = node.run("b2", &["lock", "api/m*"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(
        err.starts_with(
            "refused: api/m.rs is held by backend (session b1), by its lock on `api/*.rs`, since 0 s; it is live, so the \
             lease does not run out; its reason: renaming; "
        ),
        "{err}"
    );
    assert!(err.contains("comm-node lock 'api/m.rs' --wait"), "{err}");
    let (code, out, _) = node.run("b1", &["locks"]);
    assert!(code == 0 && out.contains("api/*.rs  backend (session b1)  live  lock   held"), "{out}");
    let (_, out, _) = node.run("b2", &["locks", "--mine", "--json"]);
    assert_eq!(out, "[]\n");
    let (code, _, err) = node.run("b2", &["unlock", "api/*.rs"]);
    assert!(code == 1 && err.contains("none of your leases lies in that: api/a.rs is held by"), "{err}");
    let (code, out, _) = node.run("b1", &["unlock", "api"]);
    assert_eq!((code, out.as_str()), (0, "unlocked api/*.rs\n"));
    assert_eq!(node.run("b2", &["lock", "api/m*"]).0, 0);
}

#[test]
fn a_lock_can_be_waited_for() {
    let node = Node::new();
    assert_eq!(node.run("b1", &["lock", "api/a", "api/b"]).0, 0);
    let waiting = node
        .command("b2", &node.root.join("api"), &["lock", "b", "--wait", "30s"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    std::thread::sleep(std::time::Duration::from_millis(600));
    assert_eq!(node.run("b1", &["unlock", "--all"]).1, "unlocked api/a\nunlocked api/b\n");
    let out = waiting.wait_with_output().expect("ends");
    assert!(out.status.success());
    let err = String::from_utf8(out.stderr).expect("UTF-8");
    assert!(
        err.starts_with("waiting: api/b is held by backend (session b1)") && err.lines().count() == 1,
        "{err}"
    );
    let (code, _, err) = node.run("b1", &["lock", "api/b", "--wait", "1s"]);
    assert!(code == 1 && err.contains("refused: api/b is held by"), "{err}");
}

#[test]
fn a_person_may_break_what_a_session_holds() {
    let node = Node::new();
    assert_eq!(
        node.run("f1", &["lock", "web/pages/"]).1,
        "locked web/pages/** until it is unlocked or the session ends\n"
    );
    let (code, out, _) = node.run("", &["lock", "web/pages/[id].tsx", "--ttl", "1h"]);
    assert_eq!((code, out.as_str()), (1, ""));
    let (code, _, err) = node.run("f1", &["unlock", "--force", "web"]);
    assert!(code == 1 && err.contains("is for a person"), "{err}");
    let (code, out, _) = node.run("", &["unlock", "--force", "web"]);
    assert_eq!((code, out.as_str()), (0, "unlocked web/pages/** of frontend (session f1)\n"));
    std::fs::write(node.root.join("web/pages/[id].tsx"), "").expect("writes");
    let (_, out, _) = node.run("", &["lock", "web/pages/[id].tsx", "--ttl", "1h"]);
    assert_eq!(out, "locked web/pages/\\[id\\].tsx for 1 h\n");
    let (code, _, err) = node.run("f1", &["lock", "web/pages/*"]);
    assert!(code == 1 && err.contains("held by a person"), "{err}");
    let log = std::fs::read_to_string(node.root.join(".comm-node/log/events.jsonl")).expect("a log");
    assert!(
        log.contains(
            r#""event":"lease_broken","path":"web/pages/**","note":"lease 1 of frontend (session f1)""#
        ),
        "{log}"
    );
}

#[test]
fn the_dead_hold_nothing() {
    let mut node = Node::new();
    assert_eq!(node.run("b1", &["lock", "api/**/x"]).0, 1, "the exclude");
    assert_eq!(node.run("b1", &["lock", "api/x"]).0, 0);
    node.client.kill().expect("kills");
    node.client.wait().expect("waits");
    let (_, out, _) = node.run("", &["locks"]);
    assert!(out.contains("gone") && out.contains("holder gone"), "{out}");
    assert_eq!(node.run("", &["lock", "api/x"]).0, 0);
    let log = std::fs::read_to_string(node.root.join(".comm-node/log/events.jsonl")).expect("a log");
    assert!(log.contains(r#""event":"lease_taken_over""#), "{log}");
}

#[test]
fn what_is_no_glob_is_explained() {
    let node = Node::new();
    for (glob, why) in [
        ("../other/**", "outside the node"),
        ("/etc/passwd", "outside the node"),
        ("api/[a", "unclosed character class"),
        ("api/**.rs", "`**/*` for files at any depth"),
    ] {
        let (code, _, err) = node.run("", &["lock", glob]);
        assert!(code == 1 && err.contains(why), "{glob}: {err}");
    }
    assert_eq!(node.run("", &["lock", "api/x", "--ttl", "2"]).0, 2);
    assert_eq!(node.run("", &["unlock"]).0, 2);
    let (code, _, err) = node.run("nobody", &["lock", "api/x"]);
    assert!(code == 1 && err.contains("works for no domain"), "{err}");
}
