//! `comm-node explain`: the writes of a command, and what the guard would say to each.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const YAML: &str = "version: 1\nname: shop\ndomains:\n  api: {scope: [\"api/**\"]}\n  web: {scope: [\"web/**\"]}\n\
                    shell:\n  commands: [\"mygen -o=FILE ARG...\", \"looker reads\"]\n";

struct Place {
    _dir: TempDir,
    root: PathBuf,
}

impl Place {
    fn bare() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        Self { _dir: dir, root }
    }

    fn node() -> Self {
        let place = Self::bare();
        for (path, text) in [
            ("comm-node.yaml", YAML),
            ("api/main.rs", "x\n"),
            ("web/index.html", "x\n"),
            (".gitignore", "out/\n"),
        ] {
            let path = place.root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let git = Command::new("git").args(["init", "-q"]).current_dir(&place.root).status().unwrap();
        assert!(git.success());
        place
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_comm-node"));
        command.args(args).current_dir(&self.root).env_clear().stdin(Stdio::null());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
    }

    fn explain(&self, args: &[&str]) -> Output {
        self.command(&[&["explain"], args].concat()).output().unwrap()
    }

    /// What is printed; panics unless the exit code is 0.
    fn text(&self, args: &[&str]) -> String {
        said(&self.explain(args), 0)
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.text(&[&["--json"], args].concat())).unwrap()
    }

    /// Each write as its target, its path in the node and its verdict.
    fn verdicts(&self, command: &str) -> Vec<(String, String, String)> {
        let found = self.json(&["--domain", "api", command]);
        let below = |path: &str| {
            Path::new(path).strip_prefix(&self.root).unwrap_or(Path::new(path)).to_string_lossy().into_owned()
        };
        let list = found["writes"].as_array().unwrap().iter();
        list.map(|w| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let verdict = &w["verdict"];
            let verdict = format!("{} ({})", text(&verdict["decision"]), text(&verdict["rule"]));
            (text(&w["target"]), below(w["path"].as_str().unwrap()), verdict)
        })
        .collect()
    }
}

fn said(output: &Output, code: i32) -> String {
    let all = format!("{output:?}");
    assert_eq!(output.status.code(), Some(code), "{all}");
    String::from_utf8(if code == 0 { output.stdout.clone() } else { output.stderr.clone() }).unwrap()
}

#[test]
fn each_write_gets_the_guards_verdict() {
    let place = Place::node();
    for (command, target, path, verdict) in [
        ("echo x > api/a", "file", "api/a", "allowed (in scope)"),
        ("echo x > web/a", "file", "web/a", "refused (scope)"),
        ("echo x > top", "file", "top", "refused (unowned)"),
        ("mkdir -p out && echo x > out/a", "file", "out/a", "allowed (ignored)"),
        ("echo x > comm-node.yaml", "file", "comm-node.yaml", "refused (protected)"),
        ("cd api && sed -i s/x/y/ main.rs", "file", "api/main.rs", "allowed (in scope)"),
        ("rm -rf web", "under", "web", "refused (scope)"),
        ("rm -rf api", "under", "api", "allowed (in scope)"),
        ("git stash", "worktree", "", "allowed (lease)"),
        ("git add -A", "staged", "", "allowed (lease)"),
        ("mygen -o web/x in", "file", "web/x", "refused (scope)"),
        ("mygen -o api/x in", "file", "api/x", "allowed (in scope)"),
    ] {
        let found = place.verdicts(command);
        let want = (target.to_owned(), path.to_owned(), verdict.to_owned());
        assert!(found.contains(&want), "{command}: {found:?}");
    }
}

#[test]
fn a_lease_of_another_refuses_what_sweeps_over_it() {
    let place = Place::node();
    let lock = place.command(&["lock", "api/main.rs", "--reason", "renaming"]).output().unwrap();
    assert!(lock.status.success(), "{lock:?}");
    for command in ["git stash", "git add -A", "rm -rf api", "echo x > api/main.rs"] {
        let found = place.verdicts(command);
        assert!(found.iter().any(|(_, _, verdict)| verdict == "refused (lease)"), "{command}: {found:?}");
    }
    let text = place.text(&["--domain", "api", "git add -A"]);
    assert!(text.contains("refused while others hold leases below"), "{text}");
    assert!(text.contains("renaming"), "{text}");
}

#[test]
fn readers_write_nothing_and_the_unknown_is_named() {
    let place = Place::node();
    for command in ["ls -la", "git status", "grep -rn x . | head", "looker --all web"] {
        assert_eq!(place.text(&[command]), "It writes nothing.\n", "{command}");
    }
    let text = place.text(&["python3 gen.py"]);
    assert!(text.contains("can't know python3 gen.py"), "{text}");
    let found = place.json(&["cat $(", "--domain", "api"]);
    assert_eq!(found["unknown"][0]["why"], "it can't be parsed as a shell command");
    assert_eq!(found["domain"], "api");
}

#[test]
fn directory_and_standard_input() {
    let place = Place::node();
    let text = place.text(&["--cwd", "web", "--domain", "api", "echo x > a"]);
    assert!(text.contains("web/a: refused"), "{text}");
    let mut child = place
        .command(&["explain", "-", "--domain", "web"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"cat > web/x <<EOF\nhello\nEOF\n").unwrap();
    let text = said(&child.wait_with_output().unwrap(), 0);
    assert!(text.contains("web/x: allowed") && text.contains("a session of domain web"), "{text}");
}

#[test]
fn outside_a_node_only_the_writes() {
    let place = Place::bare();
    let text = place.text(&["echo x > a; tee b"]);
    let root = place.root.display();
    assert!(text.starts_with(&format!("writes {root}/a\n  what     the file\n")), "{text}");
    assert!(text.contains(&format!("writes {root}/b\n")) && !text.contains("because"), "{text}");
    assert!(place.json(&["echo x > a"])["writes"][0].get("verdict").is_none());
    let wrong = said(&place.explain(&["--domain", "api", "ls"]), 1);
    assert!(wrong.contains("no comm-node.yaml here"), "{wrong}");
}

#[test]
fn wrong_use_is_said() {
    let place = Place::node();
    assert!(said(&place.explain(&[]), 2).contains("<COMMAND>"));
    assert!(said(&place.explain(&["--domain", "apy", "ls"]), 1).contains("did you mean `api`?"));
    assert!(place.text(&["--help"]).contains("Examples:"));
}
