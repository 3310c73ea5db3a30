//! A node with sessions whose clients live, the programs as clients and people start them, and the state saved and
//! put back.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use comm_node_core::clock;
use comm_node_core::process::ProcessId;
use comm_node_core::session::{Session, SessionId};
use comm_node_core::store::Store;
use serde_json::{Value, json};

pub(crate) const CLI: &str = env!("CARGO_BIN_EXE_comm-node");
pub(crate) const GUARD: &str = env!("CARGO_BIN_EXE_comm-node-pre-tool-use");
pub(crate) const START: &str = env!("CARGO_BIN_EXE_comm-node-session-start");
pub(crate) const PROMPT: &str = env!("CARGO_BIN_EXE_comm-node-user-prompt-submit");
pub(crate) const POST: &str = env!("CARGO_BIN_EXE_comm-node-post-tool-use");
pub(crate) const SUBAGENT: &str = env!("CARGO_BIN_EXE_comm-node-subagent-start");
pub(crate) const SUBSTOP: &str = env!("CARGO_BIN_EXE_comm-node-subagent-stop");
pub(crate) const STOP: &str = env!("CARGO_BIN_EXE_comm-node-stop");
pub(crate) const COMPACT: &str = env!("CARGO_BIN_EXE_comm-node-pre-compact");
pub(crate) const END: &str = env!("CARGO_BIN_EXE_comm-node-session-end");

const YAML: &str = "version: 1
name: shop
domains:
  backend: {scope: [\"api/**\"], max_sessions: 6}
  frontend: {scope: [\"web/**\"], max_sessions: 6}
";

/// Rules under which nothing is anybody's.
pub(crate) const ANYWHERE: &str = "version: 1
name: shop
domains:
  backend: {scope: [\"**\"], mode: \"off\", max_sessions: 6}
  frontend: {scope: [\"web/**\"], mode: \"off\", max_sessions: 6}
";

/// A program that does not end is killed after this long.
const HANG: Duration = Duration::from_secs(20);

/// What a program answered.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "what is not asked for is still shown where something is wrong")]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) took: Duration,
}

impl Said {
    /// The reason of a refusal, if it is one.
    pub(crate) fn refusal(&self) -> Option<String> {
        let answer: Value = serde_json::from_str(&self.out).ok()?;
        let said = &answer["hookSpecificOutput"];
        (said["permissionDecision"] == "deny")
            .then(|| said["permissionDecisionReason"].as_str().unwrap_or_default().to_owned())
    }

    /// What the model reads of it.
    pub(crate) fn context(&self) -> String {
        let answer: Value = serde_json::from_str(&self.out).unwrap_or_default();
        let text = answer["hookSpecificOutput"]["additionalContext"].as_str().or(answer["reason"].as_str());
        text.unwrap_or_default().to_owned()
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.code == Some(0) && self.out.is_empty()
    }
}

/// One start of a program: what it is given.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) dir: PathBuf,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) input: Vec<u8>,
}

impl Run {
    /// The command, behind `before` (a tracer and its options, say).
    pub(crate) fn command(&self, before: &[String]) -> Command {
        let mut command = match before.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command.args(&self.args).current_dir(&self.dir).env_clear().envs(&self.env);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn said(&self) -> Said {
        self.said_behind(&[])
    }

    pub(crate) fn said_behind(&self, before: &[String]) -> Said {
        finish(self.command(before), &self.input)
    }
}

/// Feeds a command, waits for it, and collects what it says.
pub(crate) fn finish(mut command: Command, input: &[u8]) -> Said {
    let start = Instant::now();
    let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let mut stdin = child.stdin.take().expect("a pipe");
    let (mut out, mut err) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
    let input = input.to_vec();
    // Apart, because a program that is killed or has read enough leaves the rest.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let read = |pipe: &mut dyn Read| {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let others = std::thread::spawn(move || read(&mut err));
    // What closes its stdout and goes on is met by the loop below.
    let watched = child.id();
    let reader = std::thread::spawn(move || read(&mut out));
    let status = loop {
        match child.try_wait().expect("waits") {
            Some(status) => break status,
            None if start.elapsed() > HANG => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("process {watched} did not end within {HANG:?}: {command:?}");
            }
            None => std::thread::sleep(Duration::from_micros(300)),
        }
    };
    let took = start.elapsed();
    feeder.join().expect("feeds");
    Said {
        out: reader.join().expect("reads"),
        err: others.join().expect("reads"),
        code: status.code(),
        signal: status.signal(),
        took,
    }
}

/// A node with live sessions: `b` and `b2` of backend, `f` of frontend. Beside it a home directory.
pub(crate) struct Field {
    _temp: tempfile::TempDir,
    pub(crate) top: PathBuf,
    client: Child,
    dead: ProcessId,
}

impl Drop for Field {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}

impl Field {
    pub(crate) fn new() -> Self {
        Self::in_dir(None)
    }

    /// The same below `dir`, on the file system that is there.
    pub(crate) fn in_dir(dir: Option<&Path>) -> Self {
        let mut builder = tempfile::Builder::new();
        builder.prefix("faults-");
        let temp = dir.map_or_else(|| builder.tempdir(), |d| builder.tempdir_in(d)).expect("temp dir");
        let top = temp.path().canonicalize().expect("real");
        for dir in ["node/api", "node/web", "home", "outside"] {
            fs::create_dir_all(top.join(dir)).expect("makes");
        }
        let client = Command::new("sleep").arg("3000").stdin(Stdio::null()).spawn().expect("starts");
        let mut ended = Command::new("sleep").arg("3000").stdin(Stdio::null()).spawn().expect("starts");
        let dead = ProcessId::of(ended.id()).expect("it runs");
        ended.kill().expect("kills");
        ended.wait().expect("waits");
        let field = Self { _temp: temp, top, client, dead };
        for (id, domain) in [("b", "backend"), ("b2", "backend"), ("f", "frontend")] {
            field.register(id, domain);
        }
        field.rules();
        field
    }

    /// The rules again, compiled.
    pub(crate) fn rules(&self) {
        fs::write(self.node().join("comm-node.yaml"), YAML).expect("writes");
        let compiled = self.person(&["compile"]).said();
        assert_eq!(compiled.code, Some(0), "{compiled:?}");
    }

    pub(crate) fn node(&self) -> PathBuf {
        self.top.join("node")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.node().join(".comm-node")
    }

    pub(crate) fn store(&self) -> Store {
        Store::new(self.state())
    }

    pub(crate) fn register(&self, id: &str, domain: &str) {
        let mut session = Session::new(SessionId::new(id).expect("an id"));
        session.domain = Some(domain.to_owned());
        session.process = ProcessId::of(self.client.id());
        session.started = clock::rfc3339(clock::now_ms());
        self.store().write_session(&session).expect("writes");
    }

    /// The client of session `id` is gone from now on.
    pub(crate) fn bury(&self, id: &str) {
        let id = SessionId::new(id).expect("an id");
        let Ok(Some(mut session)) = self.store().read_session(&id) else { return };
        session.process = Some(self.dead.clone());
        self.store().write_session(&session).expect("writes");
    }

    /// A hook program as the client starts it for session `id` on `event`.
    pub(crate) fn hook(&self, program: &str, id: &str, event: &str, more: &Value) -> Run {
        let mut call = json!({
            "session_id": id, "cwd": self.node(), "hook_event_name": event, "transcript_path": "/nonexistent",
            "permission_mode": "default",
        });
        let fields = call.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        let mut env = self.env();
        env.insert("CLAUDE_PROJECT_DIR".into(), self.node().display().to_string());
        let frontend = id == "f" || id.ends_with("frontend");
        let domain = if frontend { "frontend" } else { "backend" };
        env.insert("COMM_NODE_DOMAIN".into(), domain.into());
        env.insert("CLAUDE_PID".into(), self.client.id().to_string());
        Run {
            program: program.into(),
            args: Vec::new(),
            dir: self.node(),
            env,
            input: call.to_string().into_bytes(),
        }
    }

    /// The guard on a `Write` of session `id` to `path`.
    pub(crate) fn write(&self, id: &str, path: &str) -> Run {
        let input = json!({"file_path": path, "content": "x"});
        self.hook(
            GUARD,
            id,
            "PreToolUse",
            &json!({"tool_name": "Write", "tool_use_id": format!("toolu_{id}"), "tool_input": input}),
        )
    }

    /// The hook after that write.
    pub(crate) fn written(&self, id: &str, path: &str) -> Run {
        let input = json!({"file_path": path, "content": "x"});
        self.hook(
            POST,
            id,
            "PostToolUse",
            &json!({"tool_name": "Write", "tool_use_id": format!("toolu_{id}"), "tool_input": input}),
        )
    }

    /// A hook around a shell command of session `b`.
    pub(crate) fn shell(&self, program: &str, event: &str, command: &str) -> Run {
        self.hook(
            program,
            "b",
            event,
            &json!({"tool_name": "Bash", "tool_use_id": "toolu_shell", "tool_input": {"command": command},
                "tool_response": {"stdout": "", "stderr": "", "interrupted": false}}),
        )
    }

    pub(crate) fn start(&self, id: &str) -> Run {
        self.hook(START, id, "SessionStart", &json!({"source": "startup"}))
    }

    pub(crate) fn prompt(&self, id: &str) -> Run {
        self.hook(PROMPT, id, "UserPromptSubmit", &json!({"prompt": "go on"}))
    }

    pub(crate) fn batch(&self, id: &str) -> Run {
        let calls = json!([{"tool_name": "Read", "tool_use_id": "t", "tool_input": {}}]);
        self.hook(POST, id, "PostToolBatch", &json!({"tool_calls": calls}))
    }

    /// The command line in session `id`.
    pub(crate) fn agent(&self, id: &str, args: &[&str]) -> Run {
        let mut run = self.person(args);
        run.env.insert("CLAUDE_CODE_SESSION_ID".into(), id.into());
        run
    }

    /// The command line at a terminal.
    pub(crate) fn person(&self, args: &[&str]) -> Run {
        Run {
            program: CLI.into(),
            args: args.iter().map(|&a| a.to_owned()).collect(),
            dir: self.node(),
            env: self.env(),
            input: Vec::new(),
        }
    }

    fn env(&self) -> BTreeMap<String, String> {
        let home = self.top.join("home").display().to_string();
        [("PATH", "/usr/bin:/bin".to_owned()), ("HOME", home)].map(|(k, v)| (k.to_owned(), v)).into()
    }

    /// Sends from frontend to backend; the message's id.
    pub(crate) fn send(&self, body: &str, more: &[&str]) -> String {
        let said = self.agent("f", &[&["send", "backend", body, "--json"], more].concat()).said();
        let sent: Value = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {said:?}"));
        sent["id"].as_str().unwrap_or_else(|| panic!("no id: {sent}")).to_owned()
    }

    /// Saves the state and the home directory, for [`Self::put_back`].
    pub(crate) fn save(&self) {
        for (from, to) in self.saved() {
            let _ = fs::remove_dir_all(&to);
            copy_tree(&from, &to);
        }
    }

    pub(crate) fn put_back(&self) {
        for (to, from) in self.saved() {
            fs::remove_dir_all(&to).unwrap_or_else(|e| panic!("{}: {e}", to.display()));
            copy_tree(&from, &to);
        }
    }

    fn saved(&self) -> [(PathBuf, PathBuf); 2] {
        [(self.state(), self.top.join("saved-state")), (self.top.join("home"), self.top.join("saved-home"))]
    }
}

/// Copies a tree: files with their times and modes, links as they are, files that were one stay one.
pub(crate) fn copy_tree(from: &Path, to: &Path) {
    let mut links = BTreeMap::new();
    copy_into(from, to, &mut links);
}

fn copy_into(from: &Path, to: &Path, links: &mut BTreeMap<u64, PathBuf>) {
    use std::os::unix::fs::{MetadataExt, symlink};
    let meta = from.symlink_metadata().expect("copies");
    if meta.is_symlink() {
        symlink(fs::read_link(from).expect("copies"), to).expect("copies");
    } else if meta.is_dir() {
        fs::create_dir(to).expect("copies");
        fs::set_permissions(to, meta.permissions()).expect("copies");
        for entry in fs::read_dir(from).expect("copies").flatten() {
            copy_into(&entry.path(), &to.join(entry.file_name()), links);
        }
    } else if let Some(first) = links.get(&meta.ino()).filter(|_| meta.nlink() > 1) {
        fs::hard_link(first, to).expect("copies");
    } else {
        fs::copy(from, to).expect("copies");
        let file = fs::File::options().append(true).open(to).expect("copies");
        file.set_modified(meta.modified().expect("copies")).expect("copies");
        links.insert(meta.ino(), to.to_path_buf());
    }
}
