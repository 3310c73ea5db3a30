//! Shell commands before and after they run, driven as the client drives the hooks: the guard is asked, the command is
//! run by a real shell unless it was refused, and what changed is looked at.

#![cfg(unix)]
#![expect(clippy::expect_used, clippy::panic, reason = "a test that can't be set up has to stop")]

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

#[path = "../support/mod.rs"]
mod support;

use comm_node_core::process::ProcessId;
use comm_node_core::session::SessionId;
use comm_node_core::store::Store;
use support::node::Node;

const GUARD: &str = env!("CARGO_BIN_EXE_comm-node-pre-tool-use");
const POST: &str = env!("CARGO_BIN_EXE_comm-node-post-tool-use");
const STOP: &str = env!("CARGO_BIN_EXE_comm-node-stop");
const PROMPT: &str = env!("CARGO_BIN_EXE_comm-node-user-prompt-submit");
const END: &str = env!("CARGO_BIN_EXE_comm-node-session-end");

const YAML: &str = "version: 1
name: shop
domains:
  backend: {scope: [\"api/**\"], max_sessions: 9}
  frontend: {scope: [\"web/**\"], max_sessions: 9}
";

/// A session of one domain in a node.
struct Session<'n> {
    node: &'n Node,
    id: &'static str,
    domain: &'static str,
    agent: Option<(&'static str, &'static str)>,
    cwd: PathBuf,
}

/// A node with some files, committed, and build output that git ignores.
fn shop() -> Node {
    shop_with(YAML)
}

fn shop_with(yaml: &str) -> Node {
    Node::builder()
        .yaml(yaml)
        .file(".gitignore", "build/\n*.log\n/.comm-node/\n")
        .file("api/a.txt", "a\n")
        .file("api/b.txt", "b\n")
        .file("web/x.txt", "x\n")
        .file("web/y.txt", "y\n")
        .file("README.md", "r\n")
        .build()
}

impl<'n> Session<'n> {
    fn new(node: &'n Node, id: &'static str, domain: &'static str) -> Self {
        Self { node, id, domain, agent: None, cwd: node.root().to_path_buf() }
    }

    fn backend(node: &'n Node) -> Self {
        Self::new(node, "s-backend", "backend")
    }

    fn frontend(node: &'n Node) -> Self {
        Self::new(node, "s-frontend", "frontend")
    }

    fn hook(&self, program: &str, call: &Value) -> String {
        let mut child = Command::new(program)
            .current_dir(&self.cwd)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", "/nonexistent")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("CLAUDE_PROJECT_DIR", self.node.root())
            // One client has one session: the others' clients can't be looked at.
            .envs((self.id == "s-backend").then(|| ("CLAUDE_PID", std::process::id().to_string())))
            .envs((!self.domain.is_empty()).then_some(("COMM_NODE_DOMAIN", self.domain)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        child.stdin.take().expect("piped").write_all(call.to_string().as_bytes()).expect("feeds");
        let mut said = String::new();
        child.stdout.take().expect("piped").read_to_string(&mut said).expect("reads");
        assert_eq!(child.wait().expect("waits").code(), Some(0), "{said}");
        said
    }

    fn call(&self, event: &str, id: &str, tool: &str, input: &Value) -> Value {
        let mut call = json!({
            "session_id": self.id, "cwd": self.cwd, "hook_event_name": event, "tool_name": tool, "tool_use_id": id,
            "tool_input": input,
        });
        if let Some((id, kind)) = self.agent {
            call["agent_id"] = json!(id);
            call["agent_type"] = json!(kind);
        }
        call
    }

    /// What the guard says of a call.
    fn asked(&self, id: &str, tool: &str, input: &Value) -> Said {
        Said(self.hook(GUARD, &self.call("PreToolUse", id, tool, input)))
    }

    /// What the guard says of a shell command.
    fn before(&self, id: &str, command: &str) -> Said {
        self.asked(id, "Bash", &json!({ "command": command }))
    }

    /// What is said after it.
    fn after(&self, id: &str, command: &str, fields: &Value) -> Said {
        let failed = fields.get("error").is_some();
        let event = if failed { "PostToolUseFailure" } else { "PostToolUse" };
        let mut call = self.call(event, id, "Bash", &json!({ "command": command }));
        for (name, value) in fields.as_object().into_iter().flatten() {
            call[name] = value.clone();
        }
        Said(self.hook(POST, &call))
    }

    /// Runs a command as the client would, unless it is refused; what is said after it.
    fn run(&self, id: &str, command: &str) -> Said {
        let before = self.before(id, command);
        assert_eq!(before.0, "", "before {command}");
        self.sh(command);
        self.after(id, command, &json!({"tool_response": {"stdout": ""}}))
    }

    fn sh(&self, command: &str) {
        let status = Command::new("bash")
            .args(["-c", command])
            .current_dir(&self.cwd)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .status()
            .expect("runs");
        assert!(status.success(), "{command}");
    }

    /// Writes a file by the client's own tool.
    fn edit(&self, id: &str, path: &str) {
        let input = json!({"file_path": self.node.path(path), "content": "new\n"});
        assert_eq!(self.asked(id, "Write", &input).0, "");
        self.node.write(path, "new\n");
        let call = self.call("PostToolUse", id, "Write", &input);
        assert_eq!(self.hook(POST, &call), "");
    }

    fn stop(&self, tasks: &Value) -> Said {
        let call = json!({"session_id": self.id, "cwd": self.cwd, "hook_event_name": "Stop", "background_tasks": tasks});
        Said(self.hook(STOP, &call))
    }
}

/// What a hook said.
struct Said(String);

impl Said {
    #[track_caller]
    fn field(&self, name: &str) -> String {
        let json: Value = serde_json::from_str(&self.0).unwrap_or_default();
        let value = json["hookSpecificOutput"][name].as_str();
        assert!(value.is_some(), "no {name} in {:?}", self.0);
        value.unwrap_or_default().to_owned()
    }

    #[track_caller]
    fn denied(&self) -> String {
        assert_eq!(self.field("permissionDecision"), "deny", "{}", self.0);
        self.field("permissionDecisionReason")
    }

    #[track_caller]
    fn told(&self) -> String {
        self.field("additionalContext")
    }

    #[track_caller]
    fn silent(&self) {
        assert_eq!(self.0, "");
    }
}

fn has(text: &str, pieces: &[&str]) {
    for piece in pieces {
        assert!(text.contains(piece), "it lacks {piece:?}: {text}");
    }
}

/// The leases in force, each with its session and whether it is unconfirmed.
fn leases(node: &Node) -> Vec<(String, String, bool)> {
    let dir = node.path(".comm-node/leases");
    let mut lines: Vec<Value> = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.path().extension().is_none_or(|e| e != "jsonl") {
            continue;
        }
        for line in fs::read_to_string(entry.path()).expect("reads").lines() {
            let line: Value = serde_json::from_str(line).expect("JSON");
            if line.get("fencing").is_some() {
                lines.retain(|l| l["fencing"] != line["fencing"]);
                lines.push(line);
            }
        }
    }
    lines.retain(|line| line.get("released").is_none());
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let mut out: Vec<_> = lines
        .iter()
        .map(|l| (text(&l["path"]), text(&l["session"]), l.get("provisional").is_some()))
        .collect();
    out.sort();
    out
}

fn held(path: &str, session: &str) -> (String, String, bool) {
    (path.to_owned(), session.to_owned(), false)
}

/// The ids of the commands that are on record.
fn records(node: &Node) -> Vec<String> {
    Store::new(node.path(".comm-node")).calls().into_iter().map(|open| open.record.id).collect()
}

#[test]
fn a_command_is_judged_like_the_edits_it_makes() {
    let node = shop();
    let backend = Session::backend(&node);
    for command in
        ["sed -i s/a/b/ api/a.txt", "echo x > api/new.txt", "cd api && touch n && rm b.txt", "mkdir api/d"]
    {
        backend.before("t", command).silent();
    }
    for command in [
        "sed -i s/x/y/ web/x.txt",
        "echo x > web/new.txt",
        "cd web && rm y.txt",
        "cp api/a.txt web/a.txt",
        "mv api/a.txt web/",
        "cat api/a.txt | tee web/x.txt",
        "bash -c 'echo > web/x.txt'",
        "mkdir web/d",
        "ln -s ../api web/l",
        "true && (cd web; echo hi >> x.txt)",
        "echo x > api/../web/x.txt",
    ] {
        let reason = backend.before("t", command).denied();
        has(&reason, &["comm-node refused this command: ", "would write `web"]);
        has(&reason, &["by another tool or command is against the same rule"]);
    }
    let reason = backend.before("t", "echo one; sed -i s/x/y/ web/x.txt").denied();
    has(&reason, &["`sed -i s/x/y/ web/x.txt` would write `web/x.txt`: it belongs to domain frontend"]);
    for tool in ["PowerShell", "Monitor"] {
        let input = json!({"command": "cat README.md"});
        backend.asked("t", tool, &input).silent();
    }
    has(&backend.asked("t", "Monitor", &json!({"command": "echo > web/x"})).denied(), &["web/x"]);
    // What only reads is nobody's business, and leaves nothing behind.
    for command in
        ["ls -la", "cat web/x.txt | grep x", "git status", "git log --oneline | head", "comm-node locks"]
    {
        backend.before("r", command).silent();
    }
    assert!(!records(&node).contains(&"r".to_owned()));
}

#[test]
fn protected_files_stay_protected() {
    let node = shop_with("version: 1\nname: n\ndomains:\n  backend: {scope: [\"**\"]}\n");
    let backend = Session::backend(&node);
    for command in [
        "rm -rf .comm-node",
        "echo x > comm-node.yaml",
        "sed -i s/a/b/ .claude/settings.json",
        "echo x > .git/hooks/pre-commit",
        "rm comm-node.yaml",
        "mv comm-node.yaml other.yaml",
        "rm -rf .git",
        "rm -rf .",
        "cp /dev/null .comm-node/registry.json",
    ] {
        let reason = backend.before("t", command).denied();
        has(&reason, &["comm-node refused this command", "it is "]);
    }
    backend.before("t", "git commit -m x --allow-empty").silent();
    backend.before("t", "rm -rf api").silent();
}

#[test]
fn leases_are_taken_for_all_or_none_and_end_as_the_command_does() {
    let node = shop();
    let backend = Session::backend(&node);
    // The third is refused: the first two hold nothing.
    backend.before("t1", "echo x > api/a.txt; echo x > api/b.txt; echo x > web/x.txt").denied();
    assert_eq!(leases(&node), []);
    // Written is held, what was not is given back, and so is a directory.
    let command = "echo new > api/a.txt; mkdir api/d; false && touch api/b.txt || true";
    backend.run("t2", command).silent();
    assert_eq!(leases(&node), [held("api/a.txt", "s-backend")]);
    assert_eq!(records(&node), [] as [String; 0]);
    // What another agent holds is refused, and a removal is a write.
    let other = Session::new(&node, "s-other", "backend");
    has(&other.before("t3", "rm api/b.txt api/a.txt").denied(), &["another agent holds it", "api/a.txt"]);
    assert_eq!(leases(&node), [held("api/a.txt", "s-backend")]);
    other.run("t4", "rm api/b.txt").silent();
    assert_eq!(leases(&node), [held("api/a.txt", "s-backend"), held("api/b.txt", "s-other")]);
    // A command that failed before it wrote.
    backend.before("t5", "echo x > api/c.txt").silent();
    assert_eq!(leases(&node).len(), 3);
    backend.after("t5", "echo x > api/c.txt", &json!({"error": "Exit code 1"})).silent();
    assert_eq!(leases(&node).len(), 2);
    // One that failed after it.
    backend.before("t6", "echo x > api/c.txt; false").silent();
    node.write("api/c.txt", "x\n");
    backend.after("t6", "echo x > api/c.txt; false", &json!({"error": "Exit code 1"})).silent();
    assert!(leases(&node).contains(&held("api/c.txt", "s-backend")));
    // A commit in the same command frees what it contains.
    let command =
        "echo y > api/c.txt && git add api/c.txt && git -c user.name=n -c user.email=e commit -qm m";
    backend.before("t7", command).silent();
    backend.sh(command);
    let sha = node.git(&["rev-parse", "HEAD"]);
    backend
        .after("t7", command, &json!({"tool_response": {"gitOperation": {"commit": {"sha": &sha[..8]}}}}))
        .silent();
    assert_eq!(leases(&node), [held("api/a.txt", "s-backend"), held("api/b.txt", "s-other")]);
}

#[test]
fn so_many_files_that_no_lease_is_taken_beforehand() {
    let node = shop();
    let backend = Session::backend(&node);
    let command = "touch api/n{1..600}; echo x > api/b.txt";
    backend.run("t1", command).silent();
    assert_eq!(leases(&node).len(), 601);
    let other = Session::new(&node, "s-other", "backend");
    has(&other.before("t2", "touch api/m{1..600} api/n7").denied(), &["api/n7", "another agent holds it"]);
    assert_eq!(leases(&node).len(), 601);
}

#[test]
fn build_output_is_nobodys() {
    let node = shop();
    let backend = Session::backend(&node);
    for command in [
        "mkdir -p build/x",
        "echo x > build/out.txt",
        "echo x > all.log",
        "rm -rf build",
        "touch build/a build/b",
    ] {
        backend.before("t", command).silent();
    }
    for command in ["mkdir out", "echo x > out.txt", "echo x >> README.md", "rm -rf web"] {
        backend.before("t", command).denied();
    }
    // `api/**` says nothing of `api`, and git keeps no directories.
    node.git(&["rm", "-rq", "api"]);
    backend.before("t", "mkdir -p api/deep && echo x > api/deep/f").silent();
    // An edit is judged as before.
    backend.asked("t", "Write", &json!({"file_path": node.path("build/x"), "content": ""})).denied();
}

#[test]
fn whole_directories() {
    let node = shop();
    node.write("api/deep/one.txt", "1");
    let backend = Session::backend(&node);
    for command in
        ["rm -rf api/deep", "cp -r api/deep api/copy", "find api -name '*.txt' -delete", "rm -rf none"]
    {
        let said = backend.before("t", command);
        if command == "rm -rf none" {
            said.denied();
        } else {
            said.silent();
        }
    }
    has(&backend.before("t", "rm -rf web").denied(), &["would write `web/x.txt`", "domain frontend"]);
    has(&backend.before("t", "cp -r api web/copy").denied(), &["`web/copy", "domain frontend"]);
    has(&backend.before("t", "find . -name '*.txt' -delete").denied(), &["would write `web/"]);
    has(&backend.before("t", "rm -rf .").denied(), &["comm-node's own state"]);
    // `..` behind a link has two readings.
    node.write("web/in/f", "f");
    std::os::unix::fs::symlink("../web/in", node.path("api/l")).expect("links");
    has(&backend.before("t", "rm -rf api/l/../in").denied(), &["`web/in/f`"]);
    fs::remove_file(node.path("api/l")).expect("removes");
    // Another's lease below it.
    Session::new(&node, "s-other", "backend").edit("e", "api/deep/one.txt");
    has(&backend.before("t", "rm -rf api").denied(), &["api/deep/one.txt", "another agent holds it"]);
}

#[test]
fn a_pause_stops_what_may_write_and_a_role_what_does() {
    let node = shop();
    let mut backend = Session::backend(&node);
    backend.before("t", "echo x > api/a.txt").silent();
    let pause = node.write(".comm-node/paused", "demo");
    has(&backend.before("t", "echo x > api/a.txt").denied(), &["paused"]);
    has(&backend.before("t", "make all").denied(), &["paused the node", "`make all`", "can't be known"]);
    has(&backend.before("t", "git stash").denied(), &["paused"]);
    backend.before("t", "cat api/a.txt").silent();
    fs::remove_file(pause).expect("removes");
    backend.agent = Some(("a1", "finder"));
    has(&backend.before("t", "echo x > api/a.txt").denied(), &["the role finder writes nothing"]);
    backend.before("t", "make test").silent();
}

/// Ways to run the command line apart from the session, so that it can't see who runs it.
const APART: [&str; 4] = [
    "setsid -f env -i PATH=$PATH HOME=$HOME comm-node budget grant backend 500",
    "env -u CLAUDE_CODE_SESSION_ID nohup /opt/x/comm-node budget set backend --tokens 5M &",
    "bash <<'E'\ncd /; comm-node resume\nE",
    "comm-node budget \"$(cat word)\" backend 500",
];

#[test]
fn what_is_a_persons_is_refused_wherever_it_stands() {
    let node = shop();
    let backend = Session::backend(&node);
    for command in APART {
        let said = backend.before("t", command).denied();
        has(&said, &["comm-node refused this command", "is for a person", "in a terminal of their own"]);
    }
    has(
        &backend.before("t", APART[0]).denied(),
        &["`comm-node budget request <n> --reason '…'` asks for more"],
    );
    let log = node.read(".comm-node/log/events.jsonl").unwrap_or_default();
    assert!(log.contains("\"rule\":\"person\""), "{log}");
    for command in [
        "comm-node budget request 500 --reason \"$why\"; comm-node budget --json | jq .",
        "comm-node send human 'comm-node budget grant backend 500, please'",
        "comm-node generate --check; comm-node budget grant --help",
    ] {
        backend.before("t", command).silent();
    }
    // A session from elsewhere, and one of no domain, are no persons either.
    let elsewhere = Node::bare();
    let mut visitor = Session::new(&elsewhere, "s-visitor", "");
    visitor.cwd = elsewhere.root().to_path_buf();
    let there = format!("cd {} && {}", node.root().display(), APART[0]);
    has(&visitor.before("t", &there).denied(), &["is for a person"]);
    // What it runs in no node is nobody's.
    visitor.before("t", APART[0]).silent();
    let unbound = Session::new(&node, "s-unbound", "");
    has(&unbound.before("t", APART[0]).denied(), &["is for a person"]);
}

#[test]
fn what_is_a_persons_goes_by_the_nodes_mode() {
    let lax = YAML.replace("max_sessions: 9}", "max_sessions: 9, mode: warn}");
    let node = shop_with(&lax);
    has(&Session::backend(&node).before("t", APART[0]).told(), &["would refuse", "is for a person"]);
    // One domain that is guarded is enough, as with comm-node.yaml itself.
    let node = shop_with(&YAML.replacen("max_sessions: 9}", "max_sessions: 9, mode: \"off\"}", 1));
    has(&Session::backend(&node).before("t", APART[0]).denied(), &["is for a person"]);
    let node = shop_with(&YAML.replace("max_sessions: 9}", "max_sessions: 9, mode: \"off\"}"));
    Session::backend(&node).before("t", APART[0]).silent();
}

#[test]
fn a_session_from_elsewhere_is_judged_by_the_paths_own_node() {
    let node = shop();
    let outside = tempfile::tempdir().expect("temp dir");
    let elsewhere = Node::bare();
    fs::write(outside.path().join("x"), "x").expect("writes");
    let mut visitor = Session::new(&elsewhere, "s-visitor", "");
    visitor.cwd = elsewhere.root().to_path_buf();
    visitor.before("t", "echo x > a.txt; make; rm -rf b").silent();
    has(
        &visitor.before("t", &format!("rm {}/comm-node.yaml", node.root().display())).denied(),
        &["configuration"],
    );
    has(
        &visitor.before("t", &format!("rm -rf {}", node.root().display())).denied(),
        &["comm-node's own state"],
    );
    assert!(!elsewhere.path(".comm-node").exists());
    // In the node a path outside of it is the policy's affair.
    let backend = Session::backend(&node);
    backend
        .before(
            "t",
            &format!("echo x > {}/x; rm -rf {}/d", outside.path().display(), outside.path().display()),
        )
        .silent();
    backend.before("t", "echo x > /dev/null 2> /dev/stderr").silent();
    assert!(Path::new("/tmp").exists());
}

/// Programs that nobody can know the writes of.
const ANY: &str = "python3 -c ''; bash ./tool.sh";

/// Runs `text` as a program that the guard knows nothing of.
fn run_unknown(session: &Session<'_>, id: &str, text: &str, fields: &Value) -> Said {
    session.before(id, ANY).silent();
    assert_eq!(records(session.node), [id]);
    session.sh(text);
    let said = session.after(id, ANY, fields);
    assert_eq!(records(session.node), [] as [String; 0]);
    said
}

fn done() -> Value {
    json!({"tool_response": {"stdout": ""}})
}

#[test]
fn what_an_unknown_program_wrote_is_leased_or_told() {
    let node = shop();
    let backend = Session::backend(&node);
    // Nothing, what git ignores, and what is as it was.
    run_unknown(&backend, "t1", "cat web/x.txt", &done()).silent();
    run_unknown(&backend, "t2", "mkdir -p build && echo x > build/o && echo x > api/l.log", &done()).silent();
    run_unknown(&backend, "t3", "cp web/x.txt t && cp t web/x.txt && rm t", &done()).silent();
    assert_eq!(leases(&node), []);
    // A link that the command itself makes is followed before it is there.
    let through = "ln -s ../web api/l; echo 9 > api/l/y.txt; rm api/l";
    has(&backend.before("t9", through).denied(), &["`web/y.txt`", "domain frontend"]);
    // Its own: leased as by an edit.
    run_unknown(&backend, "t4", "echo 2 >> api/a.txt; mkdir api/d; echo n > api/d/n.txt", &done()).silent();
    assert_eq!(leases(&node), [held("api/a.txt", "s-backend"), held("api/d/n.txt", "s-backend")]);
    // Another's: told in the same turn, with what takes it back.
    let told = run_unknown(
        &backend,
        "t5",
        "echo 2 > web/x.txt; echo n > web/n.txt; rm web/y.txt; echo 3 > README.md; echo 4 > comm-node.yaml.new",
        &done(),
    )
    .told();
    has(
        &told,
        &[
            "`web/x.txt` (changed): it belongs to domain frontend",
            "`web/n.txt` (new): ",
            "`web/y.txt` (removed): ",
            "`README.md` (changed): no domain owns it",
            "`git restore -- 'README.md' 'web/x.txt' 'web/y.txt'`",
            "`rm -- 'comm-node.yaml.new' 'web/n.txt'`",
        ],
    );
    let events: Vec<Value> =
        node.events().into_iter().filter(|e| e["event"] == "wrote_outside" && e["call"] == "t5").collect();
    let paths: Vec<_> = events.iter().map(|e| (e["path"].as_str(), e["rule"].as_str())).collect();
    assert_eq!(paths.len(), 5, "{events:?}");
    assert!(paths.contains(&(Some("web/x.txt"), Some("scope"))), "{paths:?}");
    // What is missing is not told again, though the directory changed, until it was back.
    has(&run_unknown(&backend, "g1", "echo 6 > web/n2.txt", &done()).told(), &["`web/n2.txt` (new)"]);
    let again = run_unknown(&backend, "g2", "echo 6 > web/n3.txt", &done()).told();
    assert!(!again.contains("y.txt") && !again.contains("n2.txt"), "{again}");
    node.git(&["checkout", "-q", "--", "web/y.txt"]);
    run_unknown(&backend, "g3", "true", &done()).silent();
    has(&run_unknown(&backend, "g4", "rm web/y.txt", &done()).told(), &["`web/y.txt` (removed)"]);
    // What was told is not told again, and what was before is no matter of the next command.
    run_unknown(&backend, "t6", "true", &done()).silent();
    // A failed command is looked at as well.
    let text = run_unknown(&backend, "t7", "echo 5 > web/x.txt", &json!({"error": "Exit code 2"}));
    has(&text.told(), &["web/x.txt"]);
    assert_eq!(text.field("hookEventName"), "PostToolUseFailure");
    // What it committed is no more its own for that.
    let commit =
        "echo 7 > web/n.txt; git add web/n.txt; git -c user.name=n -c user.email=e commit -qm m web/n.txt";
    let any = format!("{ANY} commit");
    backend.before("t8", &any).silent();
    backend.sh(commit);
    let sha = node.git(&["rev-parse", "HEAD"]);
    let made = json!({"tool_response": {"gitOperation": {"commit": {"sha": &sha[..7]}}}});
    has(
        &backend.after("t8", &any, &made).told(),
        &["`web/n.txt` (committed): it belongs to domain frontend"],
    );
    // A second hook that answers the same call has nothing to say.
    backend.after("t7", ANY, &done()).silent();
}

#[test]
fn protected_files_are_told_even_where_git_ignores_them() {
    let node = shop_with("version: 1\nname: n\ndomains:\n  all: {scope: [\"**\"]}\n");
    node.write(".gitignore", ".claude/\n.comm-node/\n");
    let all = Session::new(&node, "s-all", "all");
    let told =
        run_unknown(&all, "t", "mkdir .claude; echo '{}' > .claude/settings.local.json", &done()).told();
    has(&told, &["`.claude/settings.local.json` (changed): it is part of Claude Code's settings"]);
    assert!(!told.contains("git restore"), "{told}");
}

#[test]
fn what_others_do_meanwhile_is_not_blamed_on_it() {
    let node = shop();
    let backend = Session::backend(&node);
    let frontend = Session::frontend(&node);
    frontend.edit("e0", "web/y.txt");
    // The owner edits while it runs, with hooks of its own.
    backend.before("t1", ANY).silent();
    frontend.edit("e1", "web/x.txt");
    frontend.edit("e2", "web/y.txt");
    backend.after("t1", ANY, &done()).silent();
    // A command of the owner's runs, whose writes nobody knows yet.
    backend.before("t2", ANY).silent();
    frontend.before("f2", ANY).silent();
    node.write("web/z.txt", "z");
    backend.after("t2", ANY, &done()).silent();
    frontend.after("f2", ANY, &done()).silent();
    assert!(leases(&node).contains(&held("web/z.txt", "s-frontend")));
    // It holds the file, and was not at work: then it was the command.
    std::thread::sleep(std::time::Duration::from_millis(30));
    let told = run_unknown(&backend, "t3", "echo broken > web/x.txt", &done()).told();
    has(&told, &["`web/x.txt` (changed): it is held by frontend (session s-fronte)"]);
    // The client compares before and after too, and can't know either who it was.
    let diff = json!({"tool_response": {"bashEditDiff": {"files": [], "moreFiles": 0,
        "changedFiles": [node.path("web/y.txt")]}}});
    backend.before("t4", ANY).silent();
    frontend.edit("e4", "web/y.txt");
    backend.after("t4", ANY, &diff).silent();
    backend.before("t5", ANY).silent();
    has(&backend.after("t5", ANY, &diff).told(), &["web/y.txt"]);
}

/// A hard link that was made before is no way around the scope: what is written through it is looked at.
#[test]
fn what_is_written_through_a_hard_link_is_told() {
    let node = shop();
    let backend = Session::backend(&node);
    let outside = tempfile::tempdir_in(node.root().parent().expect("a parent")).expect("temp dir");
    fs::hard_link(node.path("web/x.txt"), node.path("api/x.txt")).expect("links");
    fs::hard_link(node.path("web/y.txt"), outside.path().join("y")).expect("links");
    std::thread::sleep(std::time::Duration::from_millis(30));
    let told = backend.run("t1", "echo 2 > api/x.txt").told();
    has(&told, &["`web/x.txt` (changed): it belongs to domain frontend"]);
    let told = backend.run("t2", &format!("echo 2 >> {}/y", outside.path().display())).told();
    has(&told, &["`web/y.txt` (changed): it belongs to domain frontend"]);
    // A file with one name needs no look at the whole tree.
    backend.before("t3", "echo 3 > api/a.txt").silent();
    let open = Store::new(node.path(".comm-node")).calls();
    assert!(open.len() == 1 && !open[0].record.undecided, "{open:?}");
}

/// A command whose session is gone explains no change, and what nobody looks at any more does not stay on record.
#[test]
fn what_is_left_on_record_explains_nothing_and_goes() {
    let node = shop();
    let (backend, frontend) = (Session::backend(&node), Session::frontend(&node));
    let store = Store::new(node.path(".comm-node"));
    frontend.before("f1", ANY).silent();
    let id = SessionId::new(frontend.id).expect("an id");
    let mut session = store.read_session(&id).expect("reads").expect("is there");
    let mut client = Command::new("sleep").arg("60").spawn().expect("starts");
    session.process = ProcessId::of(client.id());
    store.write_session(&session).expect("writes");
    let change = |id: &str, text: &str| {
        std::thread::sleep(std::time::Duration::from_millis(30));
        backend.before(id, ANY).silent();
        node.write("web/x.txt", text);
        backend.after(id, ANY, &done())
    };
    change("t1", "2").silent();
    client.kill().and_then(|()| client.wait()).expect("ends");
    has(&change("t2", "3").told(), &["`web/x.txt` (changed)"]);
    // The same where it ended without a word.
    fs::remove_file(node.path(".comm-node/sessions/s-frontend.jsonl")).expect("removes");
    has(&change("t3", "4").told(), &["`web/x.txt` (changed)"]);
    // A subagent's that was refused by somebody else, once no agent runs any more.
    let helper = Session { agent: Some(("a1", "general")), ..Session::backend(&node) };
    helper.before("s1", "echo 2 > api/b.txt").silent();
    backend.stop(&json!([{"id": "a1", "type": "subagent", "status": "running"}])).silent();
    assert_eq!((records(&node), leases(&node).len()), (vec!["s1".to_owned(), "f1".to_owned()], 1));
    backend.stop(&json!([])).silent();
    assert_eq!((records(&node), leases(&node).len()), (vec!["f1".to_owned()], 0));
    // One that a hook died of.
    backend.before("t4", ANY).silent();
    let path = node.path(".comm-node/calls/s-backend.jsonl");
    let text = fs::read_to_string(&path).expect("reads");
    fs::write(&path, format!("{text}{{\"id\":\"t4\",\"ended_ms\":7}}\n")).expect("writes");
    backend.stop(&json!([])).silent();
    assert_eq!(records(&node), ["f1"]);
}

#[test]
fn damaged_records_are_told_and_not_passed_over() {
    let node = shop();
    let backend = Session::backend(&node);
    backend.before("t1", ANY).silent();
    let path = node.path(".comm-node/calls/s-backend.jsonl");
    let text = fs::read_to_string(&path).expect("reads");
    fs::write(&path, text.replace("\"id\":\"t1\"", "\"id\":t1")).expect("writes");
    node.write("web/x.txt", "2");
    let said = backend.after("t1", ANY, &done());
    has(&said.0, &["systemMessage", "s-backend.jsonl.damaged-"]);
    // Once, and the next command is looked at again.
    backend.after("t1", ANY, &done()).silent();
    has(&run_unknown(&backend, "t2", "echo 3 > web/x.txt", &done()).told(), &["web/x.txt"]);
}

#[test]
fn another_agents_lease_in_the_own_scope() {
    let node = shop();
    let backend = Session::backend(&node);
    let other = Session::new(&node, "s-other", "backend");
    other.edit("e", "api/a.txt");
    std::thread::sleep(std::time::Duration::from_millis(30));
    let told = run_unknown(&backend, "t", "echo mine > api/a.txt", &done()).told();
    has(&told, &["api/a.txt is held by backend (session s-other)", "both may have changed the file"]);
    assert_eq!(leases(&node), [held("api/a.txt", "s-other")]);
}

#[test]
fn directories_are_looked_at_after_a_command_that_writes_in_them() {
    let node = shop();
    node.write("src/one.txt", "1");
    node.write("src/deep/two.txt", "2");
    let backend = Session::backend(&node);
    backend.run("t", "cp -r src api/copy").silent();
    assert_eq!(
        leases(&node),
        [held("api/copy/deep/two.txt", "s-backend"), held("api/copy/one.txt", "s-backend")]
    );
    assert_eq!(records(&node), [] as [String; 0]);
}

#[test]
fn a_command_in_the_background_is_looked_at_when_the_turn_ends() {
    let node = shop();
    let backend = Session::backend(&node);
    let input = json!({"command": ANY, "run_in_background": true});
    backend.asked("t", "Bash", &input).silent();
    let call = backend.call("PostToolUse", "t", "Bash", &input);
    assert_eq!(backend.hook(POST, &call), "");
    assert_eq!(records(&node).len(), 1);
    backend.sh("echo 2 > web/x.txt; echo 2 > api/a.txt");
    // What was written within a tick of the look, or a few, is looked at again: rather twice than never.
    std::thread::sleep(std::time::Duration::from_millis(60));
    let running = json!([{"id": "b1", "type": "shell", "status": "running"}]);
    let said = backend.stop(&running);
    has(&said.told(), &["web/x.txt"]);
    assert_eq!(said.field("hookEventName"), "Stop");
    assert_eq!(leases(&node), [held("api/a.txt", "s-backend")]);
    // It still runs: the next turn looks again, at what is new.
    assert_eq!(records(&node).len(), 1);
    backend.stop(&running).silent();
    backend.sh("echo 2 > web/y.txt");
    has(&backend.stop(&json!([])).told(), &["web/y.txt"]);
    assert_eq!(records(&node), [] as [String; 0]);
    // What ends between two turns is looked at when the next begins: the client sends a prompt of its own.
    backend.asked("t1", "Bash", &input).silent();
    assert_eq!(backend.hook(POST, &backend.call("PostToolUse", "t1", "Bash", &input)), "");
    backend.sh("rm web/y.txt");
    let prompt = json!({"session_id": backend.id, "cwd": backend.cwd, "hook_event_name": "UserPromptSubmit"});
    let said = Said(backend.hook(PROMPT, &prompt));
    has(&said.told(), &["`web/y.txt` (removed)"]);
    assert_eq!(said.field("hookEventName"), "UserPromptSubmit");
    backend.stop(&json!([])).silent();
    assert_eq!(records(&node), [] as [String; 0]);
    // One that was moved there while it ran.
    backend.before("t4", ANY).silent();
    let moved =
        json!({"tool_response": {"stdout": "", "backgroundTaskId": "b4", "backgroundedByUser": true}});
    backend.after("t4", ANY, &moved).silent();
    backend.sh("echo 4 > web/z.txt");
    has(&backend.stop(&json!([])).told(), &["`web/z.txt` (new)"]);
    // One that somebody refused was never heard of again.
    backend.before("t2", "echo 3 > api/b.txt").silent();
    assert_eq!(leases(&node).len(), 2);
    backend.stop(&json!([])).silent();
    assert_eq!((leases(&node).len(), records(&node).len()), (1, 0));
    // The session's end takes the rest.
    backend.asked("t3", "Bash", &input).silent();
    backend
        .hook(END, &json!({"session_id": backend.id, "cwd": backend.cwd, "hook_event_name": "SessionEnd"}));
    assert_eq!(records(&node), [] as [String; 0]);
}

/// What a command did, what nobody has seen, and mail share one answer: none of them is lost for want of room.
#[test]
fn a_report_leaves_room_for_what_is_unseen_and_for_mail() {
    use comm_node_core::mail::{Draft, Kind};
    use comm_node_core::{deadline::Deadline, session::SessionId, store::Store};
    let node = shop();
    let backend = Session::backend(&node);
    let input = json!({"command": ANY, "run_in_background": true});
    backend.asked("t", "Bash", &input).silent();
    assert_eq!(backend.hook(POST, &backend.call("PostToolUse", "t", "Bash", &input)), "");
    backend.sh("echo 2 > web/x.txt; echo 2 > web/y.txt");
    let store = Store::new(node.path(".comm-node"));
    let send = |from: &str, to: &str, body: String| {
        let said =
            Draft { to: vec![to.into()], kind: Kind::Question, body, detailed: true, ..Draft::default() };
        let by = SessionId::new("s-frontend").expect("an id");
        let deadline = Deadline::after(std::time::Duration::from_secs(5));
        store.mail().send(from, said, &by, deadline).expect("sends").id.short()
    };
    let unseen = send("backend", "frontend", "which?".into());
    let due = node.path(".comm-node/sent/backend/due");
    for entry in fs::read_dir(&due).expect("lists").flatten() {
        fs::rename(entry.path(), due.join("1.txt")).expect("moves");
    }
    let bodies: Vec<String> = (0..4).map(|i| format!("{i}{}", "word ".repeat(490))).collect();
    let waits: Vec<String> = bodies.iter().map(|body| send("frontend", "backend", body.clone())).collect();
    let prompt = json!({"session_id": backend.id, "cwd": backend.cwd, "hook_event_name": "UserPromptSubmit"});
    let told: Vec<String> = (0..2).map(|_| Said(backend.hook(PROMPT, &prompt)).told()).collect();
    assert!(told[0].chars().count() <= 8_000, "{}", told[0].chars().count());
    has(&told[0], &["`web/x.txt` (changed)", &format!("Not seen yet: {unseen}"), &format!("[{} ", waits[0])]);
    for id in &waits {
        let count = |told: &String| told.matches(&format!("[{id} question")).count();
        assert_eq!(told.iter().map(count).sum::<usize>(), 1, "{id}: {told:?}");
    }
    assert_eq!(backend.hook(PROMPT, &prompt), "");
}

#[test]
fn what_sweeps_over_the_worktree_waits_for_others() {
    let node = shop();
    let backend = Session::backend(&node);
    let frontend = Session::frontend(&node);
    let sweeps = ["git stash", "git reset --hard", "git checkout -f main", "git clean -fd"];
    let stages = ["git add -A", "git commit -qam m"];
    for command in sweeps.iter().chain(&stages) {
        backend.before("t", command).silent();
    }
    frontend.edit("e", "web/x.txt");
    for command in sweeps {
        let reason = backend.before("t", command).denied();
        has(&reason, &["`web/x.txt` of frontend (session s-fronte)", "git stash push -- <paths>", command]);
    }
    for command in stages {
        let reason = backend.before("t", command).denied();
        has(&reason, &["`web/x.txt` of frontend", "`git add <paths>`", command]);
    }
    // Its own paths are its own, and so are its own leases.
    backend.before("t", "git add api && git commit -qm m api").silent();
    frontend.before("t", "git stash").silent();
    frontend.before("t", "git add -A").silent();
    // What is committed can't be swept away.
    node.git(&["commit", "-qam", "m"]);
    for command in stages {
        backend.before("t", command).silent();
    }
}

#[test]
fn in_another_worktree_nobody_is_in_the_way() {
    let node = shop();
    let frontend = Session::frontend(&node);
    frontend.edit("e", "web/x.txt");
    let side = tempfile::tempdir().expect("temp dir");
    let side = side.path().canonicalize().expect("real").join("side");
    node.git(&["worktree", "add", "-q", "-b", "side", side.to_str().expect("UTF-8")]);
    let mut backend = Session::backend(&node);
    has(&backend.before("t", "git reset --hard").denied(), &["web/x.txt"]);
    backend.cwd = side.clone();
    backend.before("t", "git reset --hard").silent();
    // One that lies in the node, as the client makes them.
    let inner = node.path(".claude/worktrees/w");
    node.git(&["worktree", "add", "-q", "-b", "inner", inner.to_str().expect("UTF-8")]);
    let mut inside = Session::new(&node, "s-inner", "backend");
    inside.cwd = inner;
    has(
        &run_unknown(&inside, "i", "echo 2 > web/y.txt", &done()).told(),
        &["`.claude/worktrees/w/web/y.txt`"],
    );
    // What the other holds is changed here too: then it is.
    fs::write(side.join("web/x.txt"), "side").expect("writes");
    has(&backend.before("t", "git reset --hard").denied(), &["web/x.txt"]);
    // The look afterwards is at the worktree that the command ran in.
    fs::write(side.join("web/x.txt"), "x\n").expect("writes");
    std::thread::sleep(std::time::Duration::from_millis(30));
    has(
        &run_unknown(&backend, "u", "echo 2 > web/y.txt; echo 2 > api/b.txt", &done()).told(),
        &["web/y.txt"],
    );
    assert!(leases(&node).contains(&held("api/b.txt", "s-backend")));
}

#[test]
fn modes_and_policies_hold_for_commands() {
    let yaml = "version: 1\nname: n\npolicy: {unowned: ask}\ndomains:\n  a: {scope: [\"api/**\"], mode: warn}\n  \
                b: {scope: [\"web/**\"], mode: off}\n  c: {scope: [\"c/**\"]}\n";
    let node = shop_with(yaml);
    let warned = Session::new(&node, "s-a", "a");
    let note = warned.before("t1", "sed -i s/x/y/ web/x.txt web/y.txt").told();
    has(&note, &["let the write to `web/x.txt` through because the guard is in warn mode", "`web/y.txt`"]);
    warned.after("t1", "sed -i s/x/y/ web/x.txt web/y.txt", &done()).silent();
    has(&run_unknown(&warned, "t2", "echo 2 > web/x.txt", &done()).told(), &["web/x.txt"]);
    let off = Session::new(&node, "s-b", "b");
    off.before("t3", "echo x > api/a.txt; make").silent();
    assert_eq!(records(&node), [] as [String; 0]);
    has(&off.before("t3", "rm comm-node.yaml").denied(), &["configuration"]);
    let asked = Session::new(&node, "s-c", "c").before("t4", "echo x > README.md");
    assert_eq!(asked.field("permissionDecision"), "ask");
    let unbound = Session::new(&node, "s-none", "");
    let note = unbound.before("t5", "echo x > api/a.txt").told();
    has(&note, &["this session is bound to no domain"]);
    unbound.after("t5", "echo x > api/a.txt", &done()).silent();
    unbound.before("t6", "echo x > api/b.txt; rm -rf web").silent();
}
