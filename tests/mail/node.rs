//! A node whose sessions are the command line and the hook programs, as the client starts them.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use comm_node_core::deadline::Deadline;
use comm_node_core::mail::{Draft, Message};
use comm_node_core::process::ProcessId;
use comm_node_core::session::{Session, SessionId};
use comm_node_core::store::Store;
use serde_json::{Value, json};

pub(crate) const START: &str = env!("CARGO_BIN_EXE_comm-node-session-start");
pub(crate) const PROMPT: &str = env!("CARGO_BIN_EXE_comm-node-user-prompt-submit");
pub(crate) const STOP: &str = env!("CARGO_BIN_EXE_comm-node-stop");
pub(crate) const END: &str = env!("CARGO_BIN_EXE_comm-node-session-end");
pub(crate) const POST: &str = env!("CARGO_BIN_EXE_comm-node-post-tool-use");
const COMM_NODE: &str = env!("CARGO_BIN_EXE_comm-node");

/// How long the store is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

/// A node; gone on drop, with the processes that stand for its sessions' clients.
pub(crate) struct Node {
    _temp: tempfile::TempDir,
    pub(crate) root: PathBuf,
    /// Of the sessions that are put on record, and of those that a hook is told of first.
    clients: [Child; 2],
}

impl Drop for Node {
    fn drop(&mut self) {
        for client in &mut self.clients {
            let _ = client.kill();
            let _ = client.wait();
        }
    }
}

impl Node {
    /// One with these domains, each of which may have any number of sessions.
    pub(crate) fn new(domains: &[&str]) -> Self {
        let temp = tempfile::tempdir().expect("temp dir");
        let root = temp.path().canonicalize().expect("real");
        let mut yaml = String::from("version: 1\nname: mail\ndomains:\n");
        for name in domains {
            yaml.push_str(&format!("  {name}: {{scope: [\"{name}/**\"], max_sessions: 1000}}\n"));
        }
        std::fs::write(root.join("comm-node.yaml"), yaml).expect("writes");
        Self { _temp: temp, root, clients: [sleeper(), sleeper()] }
    }

    pub(crate) fn store(&self) -> Store {
        Store::new(self.root.join(".comm-node"))
    }

    /// Puts a live session of `domain` on record.
    pub(crate) fn register(&self, id: &str, domain: &str) {
        let mut session = Session::new(SessionId::new(id).expect("an id"));
        session.domain = Some(domain.to_owned());
        session.process = ProcessId::of(self.clients[0].id());
        self.store().write_session(&session).expect("writes");
    }

    /// Sends by the store itself, in session `id` of `from`.
    pub(crate) fn post(&self, from: &str, id: &str, said: Draft) -> Message {
        let by = SessionId::new(id).expect("an id");
        self.store().mail().send(from, said, &by, Deadline::after(PATIENCE)).expect("sends")
    }

    /// Runs `comm-node args` in session `id`, or as a person, with `stdin`.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, id: &str, args: &[A], stdin: &[u8]) -> Said {
        let mut command = self.command(COMM_NODE);
        command.args(args);
        if !id.is_empty() {
            command.env("CLAUDE_CODE_SESSION_ID", id);
        }
        finish(command, stdin, None)
    }

    /// The same, killed after the time given.
    pub(crate) fn command_of(&self, id: &str, args: &[&str], doom: Option<Duration>) -> Said {
        let mut command = self.command(COMM_NODE);
        command.args(args).env("CLAUDE_CODE_SESSION_ID", id);
        finish(command, b"", doom)
    }

    /// What `program` says to `event` of session `id`.
    pub(crate) fn hook(&self, program: &str, id: &str, domain: &str, event: &str, more: &Value) -> Said {
        // A client that starts another session has ended the one before.
        let client = self.clients[usize::from(program == START)].id();
        self.hook_of(program, (id, client), domain, event, more, None)
    }

    /// What `program` says to `event` of a session, which is killed after the time given.
    pub(crate) fn hook_of(
        &self,
        program: &str,
        (id, client): (&str, u32),
        domain: &str,
        event: &str,
        more: &Value,
        doom: Option<Duration>,
    ) -> Said {
        let mut call = json!({"session_id": id, "cwd": self.root, "hook_event_name": event});
        let fields = call.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        let mut command = self.command(program);
        command
            .env("PATH", "/usr/bin:/bin")
            .env("CLAUDE_PROJECT_DIR", &self.root)
            .env("CLAUDE_PID", client.to_string())
            .env("COMM_NODE_DOMAIN", domain);
        finish(command, call.to_string().as_bytes(), doom)
    }

    /// A program as it was built, or the one of that name in the directory `MAIL_BIN`.
    fn command(&self, program: &str) -> Command {
        let other = std::env::var_os("MAIL_BIN").map(PathBuf::from);
        let mut command = match other.as_deref().zip(Path::new(program).file_name()) {
            Some((dir, name)) => Command::new(dir.join(name)),
            None => Command::new(program),
        };
        command.current_dir(&self.root).env_clear().env("HOME", &self.root);
        command
    }

    /// A path below the state directory.
    pub(crate) fn state(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(".comm-node").join(relative)
    }
}

/// A process that stands for a client.
pub(crate) fn sleeper() -> Child {
    Command::new("sleep").arg("3600").stdin(Stdio::null()).spawn().expect("starts")
}

/// Runs it to its end, or kills it after the time given.
fn finish(mut command: Command, stdin: &[u8], doom: Option<Duration>) -> Said {
    let streams = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = streams.spawn().expect("starts");
    // It may end without having read everything.
    let _ = child.stdin.take().expect("a pipe").write_all(stdin);
    if let Some(doom) = doom {
        std::thread::sleep(doom);
        let _ = child.kill();
    }
    let output = child.wait_with_output().expect("ends");
    // Who was killed may have written half a character.
    let text = |bytes: Vec<u8>| match doom {
        Some(_) => String::from_utf8_lossy(&bytes).into_owned(),
        None => String::from_utf8(bytes).expect("programs print UTF-8"),
    };
    Said { status: output.status, out: text(output.stdout), err: text(output.stderr) }
}

/// Arguments, of which the last may be no text.
pub(crate) fn arguments(before: &[&str], last: &[u8]) -> Vec<OsString> {
    use std::os::unix::ffi::OsStrExt;
    let last = OsStr::from_bytes(last).to_owned();
    before.iter().map(OsString::from).chain([last]).collect()
}
