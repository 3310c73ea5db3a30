//! The client in a terminal that nobody sees, driven through tmux.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::driver::{Client, GRACE, KEY, kill};

/// An interactive session in a terminal that nobody sees.
pub(crate) struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    /// Starts the client in `cwd` with `env` besides; `None` without tmux, loudly.
    pub(crate) fn start(client: &Client, cwd: &Path, env: &[(&str, &str)], args: &[&str]) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            assert!(
                std::env::var_os("COMM_NODE_REQUIRE_CLIENT").is_none_or(|v| v != "1"),
                "tmux is not installed"
            );
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "SKIPPED: a test with a terminal: tmux is not installed");
            return None;
        }
        // What a person answered long ago: theme, key, trust. Without it the session starts with dialogs.
        let state = json!({
            "hasCompletedOnboarding": true,
            "theme": "dark",
            "bypassPermissionsModeAccepted": true,
            "customApiKeyResponses": {"approved": [KEY], "rejected": []},
            "projects": {cwd.to_str().expect("temporary paths are UTF-8"): {
                "hasTrustDialogAccepted": true, "hasCompletedProjectOnboarding": true,
            }},
        });
        let state_file = client.config().join(".claude.json");
        if !state_file.exists() {
            fs::write(&state_file, state.to_string()).expect("could not write the client's state file");
        }
        let terminal = Self { socket: client.home().join("tmux") };
        let mut tmux = terminal.tmux();
        tmux.env_clear().envs(client.environment()).envs(env.iter().copied()).env("TERM", "xterm-256color");
        tmux.args(["-f", "/dev/null", "new-session", "-d", "-x", "180", "-y", "50", "-c"]).arg(cwd);
        tmux.arg(&client.program).arg("--debug-file").arg(client.home().join("debug")).args(args);
        let output = tmux.stderr(Stdio::piped()).output().expect("could not run tmux");
        assert!(output.status.success(), "tmux: {}", String::from_utf8_lossy(&output.stderr));
        Some(terminal)
    }

    /// Each terminal has its own tmux server, so that killing one touches no other.
    fn tmux(&self) -> Command {
        let mut tmux = Command::new("tmux");
        tmux.arg("-S").arg(&self.socket).stdin(Stdio::null()).stderr(Stdio::null());
        tmux
    }

    /// Types `text` as it stands.
    pub(crate) fn type_text(&self, text: &str) {
        let _ = self.tmux().args(["send-keys", "-l", "--", text]).status();
    }

    /// Presses a key by its tmux name (`Enter`, `Escape`, `C-c`).
    pub(crate) fn press(&self, key: &str) {
        let _ = self.tmux().args(["send-keys", key]).status();
    }

    /// Types a line and sends it.
    pub(crate) fn say(&self, line: &str) {
        self.type_text(line);
        // The client takes text and Enter in one burst for a paste with a line break in it.
        std::thread::sleep(Duration::from_millis(150));
        self.press("Enter");
    }

    /// What the screen shows.
    pub(crate) fn screen(&self) -> String {
        let output = self.tmux().args(["capture-pane", "-p"]).output();
        output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default()
    }

    /// Waits until the screen shows `text`; panics with the screen after `patience`.
    pub(crate) fn wait_for(&self, text: &str, patience: Duration) -> String {
        let deadline = Instant::now() + patience;
        loop {
            let screen = self.screen();
            if screen.contains(text) {
                return screen;
            }
            assert!(Instant::now() < deadline, "{text:?} did not appear within {patience:?}:\n{screen}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the program in the terminal ended and took the terminal with it.
    pub(crate) fn wait_for_end(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        while self.tmux().arg("has-session").stderr(Stdio::null()).status().is_ok_and(|s| s.success()) {
            assert!(Instant::now() < deadline, "still running after {patience:?}:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The process id of the client in the terminal.
    pub(crate) fn pid(&self) -> String {
        let output = self.tmux().args(["display-message", "-p", "#{pane_pid}"]).output();
        output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let home = self.socket.parent().is_some_and(Path::exists);
        assert!(home || std::thread::panicking(), "the home went first, and left a client that nobody ends");
        let pid = self.pid();
        let _ = self.tmux().arg("kill-server").status();
        // The client ends after its terminal; a home that is removed before that would come back.
        let alive = || {
            Command::new("kill").args(["-0", &pid]).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
        };
        let deadline = Instant::now() + GRACE;
        while !pid.is_empty() && alive() {
            if Instant::now() > deadline {
                kill("KILL", &pid);
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
