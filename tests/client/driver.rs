//! Runs the real client against a scripted server, in a home of its own. For a session in a terminal see [`crate::terminal`].
//!
//! Every wait has a deadline, and whatever was started is killed when its handle is dropped.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::locate;
use crate::script::Script;
use crate::server::Server;
use crate::settings::Settings;
use crate::terminal::Terminal;

/// A key that the scripted server never looks at; it only has to look like one.
pub(crate) const KEY: &str = "sk-local-test";
/// Far more than a scripted run takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a client that is asked to end gets before it is killed.
pub(crate) const GRACE: Duration = Duration::from_secs(3);

/// A client with its own home and its own model.
pub(crate) struct Client {
    /// The client itself.
    pub(crate) program: PathBuf,
    home: TempDir,
    /// The scripted model.
    pub(crate) server: Server,
}

impl Client {
    /// Starts a server for `script` and makes an empty home; `None` when the tests have to be skipped.
    pub(crate) fn start(script: Script) -> Option<Self> {
        let program = locate::client()?;
        let home =
            tempfile::Builder::new().prefix("home-").tempdir().expect("could not make a temporary directory");
        for directory in ["tmp", ".claude"] {
            fs::create_dir(home.path().join(directory)).expect("could not make a directory in the new home");
        }
        Some(Self { program, home, server: Server::start(script) })
    }

    /// The same client with another, fresh server.
    pub(crate) fn with_server(mut self, server: Server) -> Self {
        self.server = server;
        self
    }

    /// The client's home directory.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// `CLAUDE_CONFIG_DIR`, where settings and transcripts are.
    pub(crate) fn config(&self) -> PathBuf {
        self.home.path().join(".claude")
    }

    /// Writes the user's `settings.json`.
    pub(crate) fn settings(&self, settings: &Settings) {
        let path = self.config().join("settings.json");
        fs::write(&path, settings.json().to_string())
            .unwrap_or_else(|e| panic!("could not write {}: {e}", path.display()));
    }

    /// Every line of every transcript that the client wrote, subagents' included, with the file it stands in.
    pub(crate) fn transcripts(&self) -> Vec<(PathBuf, Vec<Value>)> {
        let mut found = Vec::new();
        let mut open = vec![self.config().join("projects")];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    open.push(path);
                } else if path.extension().is_some_and(|e| e == "jsonl") {
                    let text = fs::read_to_string(&path).unwrap_or_default();
                    let lines = text.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
                    found.push((path, lines));
                }
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }

    /// The environment of every run: nothing of the caller's but what programs can't do without.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let home = self.home.path().to_str().expect("temporary paths are UTF-8");
        vec![
            ("PATH", std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned())),
            ("HOME", home.to_owned()),
            ("CLAUDE_CONFIG_DIR", format!("{home}/.claude")),
            ("TMPDIR", format!("{home}/tmp")),
            ("CLAUDE_CODE_TMPDIR", format!("{home}/tmp")),
            ("SHELL", "/bin/sh".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("TZ", "UTC".to_owned()),
            ("GIT_CONFIG_GLOBAL", "/dev/null".to_owned()),
            ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
            ("ANTHROPIC_BASE_URL", self.server.url()),
            ("ANTHROPIC_API_KEY", KEY.to_owned()),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".to_owned()),
            ("DISABLE_TELEMETRY", "1".to_owned()),
            ("DISABLE_AUTOUPDATER", "1".to_owned()),
            // The client refuses bypass mode for root outside a sandbox.
            ("IS_SANDBOX", "1".to_owned()),
        ]
    }

    /// A run of any sub-command or flag of the client, e.g. `plugin validate`.
    pub(crate) fn command(&self, cwd: &Path) -> Headless<'_> {
        Headless {
            client: self,
            cwd: cwd.to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            permission: Permission::Unsaid,
            patience: PATIENCE,
        }
    }

    /// A run of `claude -p <prompt>` in `cwd`, in bypass mode unless told otherwise.
    pub(crate) fn headless(&self, cwd: &Path, prompt: &str) -> Headless<'_> {
        self.command(cwd).permission(Permission::Bypass).args(["-p", prompt])
    }

    /// Starts an interactive session in `cwd`, in a terminal of its own; `None` without tmux.
    pub(crate) fn interactive(&self, cwd: &Path, args: &[&str]) -> Option<Terminal> {
        Terminal::start(self, cwd, &[], args)
    }

    /// The same, with more in its environment.
    pub(crate) fn interactive_with(
        &self,
        cwd: &Path,
        env: &[(&str, &str)],
        args: &[&str],
    ) -> Option<Terminal> {
        Terminal::start(self, cwd, env, args)
    }
}

/// What the session may do without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    /// No flag at all: the client's default.
    Unsaid,
    /// `--dangerously-skip-permissions`: no rule holds, only hooks do.
    Bypass,
    /// `--permission-mode acceptEdits`.
    AcceptEdits,
}

/// A headless run in the making.
pub(crate) struct Headless<'c> {
    client: &'c Client,
    cwd: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
    permission: Permission,
    patience: Duration,
}

impl Headless<'_> {
    /// Appends arguments.
    pub(crate) fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of the client's environment.
    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Chooses the permission mode.
    pub(crate) fn permission(mut self, permission: Permission) -> Self {
        self.permission = permission;
        self
    }

    /// Goes on with session `id`.
    pub(crate) fn resume(self, id: &str) -> Self {
        self.args(["--resume", id])
    }

    /// Goes on with the last session of this directory.
    pub(crate) fn continue_last(self) -> Self {
        self.args(["--continue"])
    }

    /// Loads a plugin from a directory.
    pub(crate) fn plugin_dir(self, dir: &Path) -> Self {
        self.args(["--plugin-dir".to_owned(), dir.display().to_string()])
    }

    /// Kills the run after `patience`.
    pub(crate) fn within(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Runs to the end, or to the deadline.
    pub(crate) fn run(self) -> Outcome {
        let patience = self.patience;
        self.spawn().finish(patience)
    }

    /// Runs a session without a prompt of its own, and gives it `prompts` one by one, each when the turn before has
    /// ended. What it prints are the events of its turns, a line of JSON each.
    pub(crate) fn conversation(self, prompts: &[String]) -> Outcome {
        let patience = self.patience;
        let events = ["--input-format", "stream-json", "--output-format", "stream-json", "--verbose"];
        let mut running = self.args(["-p"]).args(events).spawn_reading(Stdio::piped());
        let mut input = running.child.stdin.take().expect("its stdin was said to be a pipe");
        for (ended, prompt) in prompts.iter().enumerate() {
            let begin = Instant::now();
            while running.turns_ended() < ended {
                assert!(begin.elapsed() < patience, "turn {ended} did not end");
                std::thread::sleep(Duration::from_millis(5));
            }
            let line = json!({"type": "user", "message": {"role": "user", "content": prompt}});
            writeln!(input, "{line}").expect("the client reads");
        }
        drop(input);
        running.finish(patience)
    }

    /// Starts the run and returns at once; dropping the handle kills it.
    pub(crate) fn spawn(self) -> Running {
        self.spawn_reading(Stdio::null())
    }

    fn spawn_reading(self, stdin: Stdio) -> Running {
        use std::os::unix::process::CommandExt;
        // Files instead of pipes: a left-over grandchild that holds a pipe open can't keep a test waiting.
        let out =
            tempfile::Builder::new().prefix("run-").tempdir().expect("could not make a temporary directory");
        let file = |name: &str| File::create(out.path().join(name)).expect("could not make an output file");
        let mut command = Command::new(&self.client.program);
        match self.permission {
            Permission::Unsaid => {}
            Permission::Bypass => {
                command.arg("--dangerously-skip-permissions");
            }
            Permission::AcceptEdits => {
                command.args(["--permission-mode", "acceptEdits"]);
            }
        }
        if self.permission != Permission::Unsaid {
            command.arg("--debug-file").arg(out.path().join("debug"));
        }
        command
            .args(&self.args)
            .current_dir(&self.cwd)
            .env_clear()
            .envs(self.client.environment())
            .envs(self.env)
            .stdin(stdin)
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            // Its own group, so that one signal reaches the client's children too.
            .process_group(0);
        let child = command.spawn().expect("could not start the client");
        Running { child, out, ended: false }
    }
}

/// A client that is running headless.
pub(crate) struct Running {
    child: Child,
    out: TempDir,
    ended: bool,
}

/// What a headless run left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// `None` when the deadline killed it.
    pub(crate) status: Option<ExitStatus>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The debug log; names every hook with its time and verdict.
    pub(crate) debug: String,
}

impl Outcome {
    /// Panics with everything that was printed unless the client ended well.
    pub(crate) fn assert_success(&self) -> &Self {
        assert!(
            self.status.is_some_and(|s| s.success()),
            "{:?}\n{}\n{}",
            self.status,
            self.stdout,
            self.stderr
        );
        self
    }
}

impl Running {
    /// The client's process id, which hooks see as `CLAUDE_PID`.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How many turns of a conversation have ended.
    fn turns_ended(&self) -> usize {
        let printed = fs::read_to_string(self.out.path().join("stdout")).unwrap_or_default();
        printed.lines().filter(|line| line.contains("\"type\":\"result\"")).count()
    }

    /// Sends `signal` (`TERM`, `KILL`, `INT`) to the client alone.
    pub(crate) fn signal(&self, signal: &str) {
        kill(signal, &self.child.id().to_string());
    }

    /// Waits for the end, and kills the process group after `patience`.
    pub(crate) fn finish(mut self, patience: Duration) -> Outcome {
        let deadline = Instant::now() + patience;
        let mut status = None;
        while status.is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
            status = self.child.try_wait().expect("could not wait for the client");
        }
        if status.is_some() {
            // It is reaped, and its number may already be somebody else's; only its group can be left.
            self.ended = true;
            kill("KILL", &format!("-{}", self.child.id()));
        } else {
            self.end();
        }
        let text = |name: &str| {
            let bytes = fs::read(self.out.path().join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Outcome { status, stdout: text("stdout"), stderr: text("stderr"), debug: text("debug") }
    }

    /// Ends the client, politely at first, and then whatever is left of its process group.
    fn end(&mut self) {
        if self.ended {
            return;
        }
        self.ended = true;
        // Shell commands run in groups of their own: only the client can end them, and only if it is asked to.
        self.signal("TERM");
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(5));
        }
        kill("KILL", &format!("-{}", self.child.id()));
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// `kill` as a program: the library function would need unsafe code here.
pub(crate) fn kill(signal: &str, target: &str) {
    let _ = Command::new("kill").args([&format!("-{signal}"), "--", target]).stderr(Stdio::null()).status();
}
