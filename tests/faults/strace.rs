//! Which system calls a program makes, and ways to interfere with one of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::field::{Run, Said};

/// A system call of a program: by its name and which one of that name it is, from 1.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) name: String,
    pub(crate) nth: usize,
    /// The line of the trace, for messages.
    pub(crate) line: String,
}

impl Point {
    /// False for calls that change nothing which another process, or the next one, can see.
    pub(crate) fn changes(&self) -> bool {
        match self.name.as_str() {
            "open" | "openat" => {
                ["O_CREAT", "O_WRONLY", "O_RDWR", "O_TRUNC"].iter().any(|f| self.line.contains(f))
            }
            "rename" | "renameat" | "renameat2" | "link" | "linkat" | "symlink" | "symlinkat" | "unlink"
            | "unlinkat" | "mkdir" | "mkdirat" | "rmdir" | "ftruncate" | "fallocate" | "fsync"
            | "fdatasync" | "flock" | "utimensat" | "chmod" | "fchmod" | "fchmodat" | "write"
            | "pwrite64" | "writev" | "copy_file_range" | "sendfile" | "exit_group" => true,
            _ => false,
        }
    }
}

/// True if programs can be traced and killed here.
pub(crate) fn works() -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", "inject=exit_group:signal=KILL:when=1", "/bin/true"]);
    use std::os::unix::process::ExitStatusExt;
    strace.output().is_ok_and(|out| out.status.signal() == Some(9))
}

/// Every system call that `run`'s own process makes, in order, and what it said.
pub(crate) fn points(run: &Run, log: &Path) -> (Vec<Point>, Said) {
    let log_name = log.display().to_string();
    let said =
        run.said_behind(&["strace", "-f", "-qq", "-e", "signal=none", "-o", &log_name].map(str::to_owned));
    let text = std::fs::read_to_string(log).expect("a trace");
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut found = Vec::new();
    let mut own: Option<&str> = None;
    for line in text.lines() {
        let Some((pid, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        let Some((name, _)) = rest.split_once('(') else { continue };
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            continue;
        }
        if *own.get_or_insert(pid) != pid {
            continue;
        }
        let nth = counts.entry(name.to_owned()).or_default();
        *nth += 1;
        found.push(Point { name: name.to_owned(), nth: *nth, line: rest.to_owned() });
    }
    (found, said)
}

/// Runs it and kills it where it makes that call: before the call is carried out.
pub(crate) fn kill_at(run: &Run, point: &Point) -> Said {
    interfered(run, &point.name, &format!("signal=KILL:when={}", point.nth))
}

/// Runs it with each call of these names slowed down by so many milliseconds.
pub(crate) fn slowed(run: &Run, names: &str, ms: u64) -> Said {
    interfered(run, names, &format!("delay_enter={}", ms * 1000))
}

/// Runs it with the calls of that point's name failing from that one on; of writes that one alone, because the
/// answer is one too, and a pipe is never full in that way.
pub(crate) fn failing_from(run: &Run, point: &Point, error: &str) -> Said {
    let on = if point.name == "write" { "" } else { "+" };
    interfered(run, &point.name, &format!("error={error}:when={}{on}", point.nth))
}

fn interfered(run: &Run, names: &str, how: &str) -> Said {
    run.said_behind(&tracer(names, how))
}

/// The tracer and its options, for what comes behind.
pub(crate) fn tracer(names: &str, how: &str) -> [String; 9] {
    let (trace, inject) = (format!("trace={names}"), format!("inject={names}:{how}"));
    ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject].map(str::to_owned)
}
