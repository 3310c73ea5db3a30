//! Runs a program as the client runs a hook: exec form, JSON on stdin, a deadline, and everything
//! read until its stdout is closed.

use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// No hook answers with more than this.
const MAX: u64 = 1 << 20;

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How it ended: `exit 0`, `signal 9` or `no answer within 5 s`.
    pub end: String,
    /// True where it ended by itself with exit code 0.
    pub success: bool,
    /// What it printed.
    pub stdout: Vec<u8>,
    /// What it complained of.
    pub stderr: String,
}

/// What is run.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// The program.
    pub program: &'a Path,
    /// Its arguments.
    pub args: &'a [String],
    /// Its whole environment.
    pub vars: &'a [(String, String)],
    /// Its working directory.
    pub cwd: &'a Path,
    /// Its input.
    pub input: &'a str,
    /// How long it may take.
    pub limit: Duration,
}

impl Call<'_> {
    /// Runs it.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn run(&self) -> io::Result<Answer> {
        let mut child = self.spawn()?;
        let deadline = Instant::now() + self.limit;
        if let Some(mut stdin) = child.stdin.take() {
            let input = self.input.as_bytes().to_vec();
            // A program may answer without reading; the pipe then breaks, which is its right.
            std::thread::spawn(move || drop(stdin.write_all(&input)));
        }
        let stdout = reader(child.stdout.take());
        let stderr = reader(child.stderr.take());
        let status = wait(&mut child, deadline)?;
        let seconds = self.limit.as_secs_f32();
        let (end, success) = match status {
            Some(status) => (in_words(status), status.success()),
            None => (format!("no answer within {seconds} s"), false),
        };
        let left = || deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(50));
        let (end, success, stdout) = match stdout.recv_timeout(left()) {
            Ok(bytes) => (end, success, bytes),
            Err(_) if status.is_some() => {
                ("its stdout still open after it had ended: it left a child".to_owned(), false, Vec::new())
            }
            Err(_) => (end, success, Vec::new()),
        };
        let stderr = stderr.recv_timeout(Duration::from_millis(50)).unwrap_or_default();
        let stderr =
            comm_node_core::text::one_line(String::from_utf8_lossy(&stderr).trim(), 300).into_owned();
        Ok(Answer { end, success, stdout, stderr })
    }

    fn spawn(&self) -> io::Result<Child> {
        let mut command = Command::new(self.program);
        command.args(self.args).env_clear().current_dir(self.cwd);
        command.envs(self.vars.iter().map(|(k, v)| (k, v)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A file that was written a moment ago may still be open in a process that forked then.
        for _ in 0..20 {
            match command.spawn() {
                Err(e) if e.kind() == ErrorKind::ExecutableFileBusy => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                other => return other,
            }
        }
        command.spawn()
    }
}

/// Waits until `deadline`, then kills.
fn wait(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn reader(stream: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(stream) = stream {
            let _ = stream.take(MAX).read_to_end(&mut bytes);
        }
        let _ = send.send(bytes);
    });
    receive
}

fn in_words(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("signal {signal}");
    }
    status.code().map_or_else(|| "an unknown end".to_owned(), |code| format!("exit {code}"))
}
