//! Running a hook under valgrind, strace and time.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::case::{Case, check, command};

/// Whether a program can be run.
pub(crate) fn has(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(tool).is_file())
}

/// Runs a case's program under `tool`; what that wrote to `report`.
fn under(tool: &[&str], report: &Path, bin: &Path, case: &Case, n: usize) -> String {
    if let Some(before) = &case.before {
        before(n);
    }
    let plain = command(&bin.join(case.program), case);
    let mut command = Command::new(tool[0]);
    command.args(&tool[1..]).arg(plain.get_program()).args(plain.get_args()).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(&case.cwd);
    // All of it is there before the program starts: one that has to wait for it makes a call more.
    let (stdin, mut input) = std::io::pipe().unwrap();
    let text = (case.input)(n);
    assert!(text.len() < 60_000, "more than a pipe holds");
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    let child = command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    check(case, &said);
    std::fs::read_to_string(report).unwrap()
}

/// What the program says.
pub(crate) fn said(bin: &Path, case: &Case, n: usize) -> String {
    let mut command = command(&bin.join(case.program), case);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all((case.input)(n).as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

/// How many instructions the program takes, the second time that it runs.
pub(crate) fn instructions(bin: &Path, case: &Case) -> u64 {
    let report = tempfile::NamedTempFile::new().unwrap();
    let out = format!("--callgrind-out-file={}", report.path().display());
    // Asked by prctl, the kernel tells of a page that valgrind does not map; what else can be asked is valgrind.
    let tool = [
        "strace",
        "-f",
        "-o",
        "/dev/null",
        "-e",
        "trace=prctl",
        "-e",
        "inject=prctl:error=EINVAL",
        "valgrind",
        "--tool=callgrind",
        out.as_str(),
    ];
    under(&tool, report.path(), bin, case, 1);
    let text = under(&tool, report.path(), bin, case, 2);
    let total = text.lines().rev().find_map(|line| line.strip_prefix("totals: "));
    total.unwrap().trim().parse().unwrap()
}

/// The most memory that the program ever has, in KiB.
pub(crate) fn peak_memory(bin: &Path, case: &Case) -> u64 {
    let report = tempfile::NamedTempFile::new().unwrap();
    let out = report.path().to_str().unwrap();
    let text = under(&["time", "-q", "-f", "%M", "-o", out], report.path(), bin, case, 1);
    text.trim().parse().unwrap()
}

/// What a program asks of the system.
pub(crate) struct Trace {
    calls: usize,
    /// What it opens, and how often.
    opened: BTreeMap<String, usize>,
}

impl Trace {
    /// How many calls, and what is opened; a name that is another one each time is told as `*`.
    pub(crate) fn summary(&self, top: &Path) -> String {
        let top = top.to_str().unwrap();
        let mut out = format!("{} calls", self.calls);
        for (path, times) in &self.opened {
            let path = path.replace(top, "");
            let path = path.split_once("/.comm-node/").map_or(path.as_str(), |(_, inner)| inner);
            out.push_str("; ");
            out.push_str(&nameless(path));
            if *times > 1 {
                out.push_str(&format!(" ×{times}"));
            }
        }
        out
    }
}

/// `path` with `*` for the numbers of processes in it.
fn nameless(path: &str) -> String {
    if let Some((name, _)) = path.split_once(".json.").filter(|_| path.ends_with(".tmp")) {
        return format!("{name}.json.*.tmp");
    }
    match path.strip_prefix("/proc/").and_then(|rest| rest.split_once('/')) {
        Some((number, file)) if number.parse::<u32>().is_ok() => format!("/proc/*/{file}"),
        _ => path.to_owned(),
    }
}

/// The program's system calls, its start left out.
pub(crate) fn traced(bin: &Path, case: &Case, n: usize) -> Trace {
    let report = tempfile::NamedTempFile::new().unwrap();
    let out = report.path().to_str().unwrap();
    let text = under(&["strace", "-f", "-s", "300", "-o", out], report.path(), bin, case, n);
    let mut trace = Trace { calls: 0, opened: BTreeMap::new() };
    // A signal or an end is no call.
    let calls = text.lines().filter_map(|line| line.split_once(' ')).map(|(_, call)| call.trim_start());
    for call in calls.filter(|call| call.starts_with(|c: char| c.is_ascii_lowercase())) {
        trace.calls += 1;
        if call.starts_with("open") {
            let path = call.split('"').nth(1).unwrap_or_default();
            *trace.opened.entry(path.to_owned()).or_default() += 1;
        }
    }
    trace
}
