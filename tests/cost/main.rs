//! What a hook costs that does not depend on the machine's mood: instructions (callgrind), system calls and
//! opened files (strace), peak memory (GNU time). Held against `expected.txt`.
//!
//! Looks at the release programs, which `.ci/run` builds; `COMM_NODE_BENCH_BIN` names their directory. What
//! can't be looked at says `SKIPPED: …`. `UPDATE_GOLDEN=1` writes what is expected anew.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that can't go on has to stop, and says what it could not look at"
)]

#[path = "../../benches/latency/case.rs"]
#[expect(dead_code, reason = "the benchmark needs more of it")]
mod case;
mod expected;
#[path = "../../benches/latency/scene.rs"]
#[expect(dead_code, reason = "the benchmark needs more of it")]
mod scene;
mod tools;

use std::path::{Path, PathBuf};

use case::{Case, DENY, SHELL, Says, edit, hooks, shell, status_line};
use expected::Expected;

/// The most memory that a hook may ever have, in KiB.
const MEMORY: u64 = 3 << 10;

/// The most that a program may have that meters, in KiB.
const METERING: u64 = 10 << 10;

/// The cases, each by a name of its own. `top` is a directory for their nodes.
fn cases(top: &Path) -> Vec<Case> {
    let none = top.join("none");
    std::fs::create_dir_all(&none).unwrap();
    let five = scene::node(&top.join("five"), 5);
    let hundred = scene::node(&top.join("hundred"), 100);
    let mut all = Vec::new();
    let mut add = |node: &str, cases: Vec<Case>| {
        all.extend(cases.into_iter().map(|case| Case { name: format!("{}, {node}", case.name), ..case }));
    };
    add("no node", hooks(&none, false));
    add("5 domains", hooks(&five, true));
    scene::bind(&five);
    add("5 domains", vec![edit("PreToolUse, Write, denied", &five, "d3/src/a/b.rs").says(DENY)]);
    add("no node", vec![status_line("Status line", &none).says(Says::Nothing)]);
    add("5 domains", vec![status_line("Status line", &five)]);
    let own = "d0/src/a/b.rs";
    add(
        "100 domains",
        vec![
            edit("PreToolUse, Write", &hundred, own),
            edit("PreToolUse, Write, denied", &hundred, "d97/src/a/b.rs").says(DENY),
            status_line("Status line", &hundred),
        ],
    );
    let everyday =
        SHELL.iter().skip(1).map(|(name, text)| shell(&format!("PreToolUse, {name}"), &five, text));
    add("5 domains", everyday.collect());
    all
}

/// A directory whose name always has the same length: each letter of a path costs some instructions.
fn top() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::Builder::new().prefix("cost-").tempdir_in("/tmp").unwrap();
    let path = dir.path().canonicalize().unwrap();
    (dir, path)
}

/// The directory of the release programs, if they are built.
fn programs() -> Option<PathBuf> {
    let named = std::env::var_os("COMM_NODE_BENCH_BIN").map(PathBuf::from);
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    let dir = named.unwrap_or_else(|| target.join("x86_64-unknown-linux-musl/release"));
    dir.join(case::GUARD).is_file().then_some(dir)
}

/// What is needed for a look, or why it can't be had.
fn looking(tool: &str) -> Option<PathBuf> {
    let Some(bin) = programs() else {
        println!("SKIPPED: the release programs for x86_64-unknown-linux-musl are not built");
        return None;
    };
    if !tools::has(tool) {
        println!("SKIPPED: {tool} is not installed");
        return None;
    }
    Some(bin)
}

#[test]
fn instructions_are_what_they_were() {
    let Some(bin) = looking("valgrind").filter(|_| looking("strace").is_some()) else { return };
    let mut expected = Expected::read("instructions.txt");
    if let Some(why) = expected.is_of_another_compiler() {
        println!("SKIPPED: {why}");
        return;
    }
    let (_dir, top) = top();
    let mut wrong = Vec::new();
    for case in cases(&top) {
        let count = tools::instructions(&bin, &case);
        wrong.extend(expected.compare_count(&case.name, count));
    }
    expected.finish(&wrong);
}

#[test]
fn no_file_is_opened_and_no_call_made_that_is_not_needed() {
    let Some(bin) = looking("strace") else { return };
    let mut expected = Expected::read("calls.txt");
    let (_dir, top) = top();
    let mut wrong = Vec::new();
    for case in cases(&top) {
        // The first run makes what is made once.
        tools::traced(&bin, &case, 1);
        let trace = tools::traced(&bin, &case, 2);
        wrong.extend(expected.compare(&case.name, &trace.summary(&top)));
    }
    expected.finish(&wrong);
}

/// Makes a transcript of that many bytes, in which every other line has 1 MB.
fn long_lines(path: &Path, bytes: usize) {
    use std::io::Write;
    std::fs::write(path, "").unwrap();
    let long = "x".repeat(1_000_000);
    for turn in 0..bytes / 2_000_000 {
        scene::append(path, 1_000_000, turn);
        let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
        let text = format!(r#"{{"type":"user","message":{{"role":"user","content":"{long}"}}}}"#);
        writeln!(file, "{text}").unwrap();
    }
}

/// What metering reads does not become memory: neither how long a transcript is nor a line in it, of a hook that reads
/// on in it and of `comm-node usage`, which reads it all.
#[test]
fn metering_has_a_bound_in_memory() {
    let Some(bin) = looking("time") else { return };
    let (_dir, top) = top();
    let root = scene::node(&top.join("metered"), 5);
    let transcript = root.with_extension("jsonl");
    let named = root.join(format!("{}.jsonl", scene::SESSION));
    long_lines(&named, 60 << 20);
    let text = std::fs::read(&named).unwrap();
    let responses = text.windows(8).filter(|bytes| bytes == b"\"usage\":").count() as u64;
    drop(text);
    // The client names a session's transcript after it.
    let place = |text: String| text.replace(transcript.to_str().unwrap(), named.to_str().unwrap());
    let batch = || {
        let input = place((case::metered("", &root).input)(0));
        Case { name: "PostToolBatch".to_owned(), ..Case::new("", case::AFTER, &root, input) }
    };
    let booked = || scene::store(&root).ledger().spent("domain0").unwrap().total.usage.responses;
    // The first look opens it, and the command line reads the rest.
    let first = tools::peak_memory(&bin, &batch());
    let mut rest = 0;
    if bin.join("comm-node").is_file() {
        let args = vec!["usage".to_owned()];
        let usage = Case { args, ..Case::new("usage", "comm-node", &root, String::new()) };
        rest = tools::peak_memory(&bin, &usage.says(Says::This("domain0")));
        assert_eq!(booked(), responses, "`comm-node usage` read all of it");
        std::fs::remove_dir_all(root.join(".comm-node/ledger")).unwrap();
    } else {
        println!("SKIPPED: the release program `comm-node` is not built");
    }
    let most = (0..20).map(|_| tools::peak_memory(&bin, &batch())).max().unwrap().max(first);
    assert_eq!(booked(), responses, "hooks read all of it");
    println!("a hook that reads on: {most} KiB; `comm-node usage`: {rest} KiB");
    assert!(most > 0 && most <= METERING, "a hook: {most} KiB");
    assert!(rest <= METERING, "`comm-node usage`: {rest} KiB");
}

#[test]
fn memory_stays_small() {
    let Some(bin) = looking("time") else { return };
    let (_dir, top) = top();
    for case in cases(&top) {
        let kib = tools::peak_memory(&bin, &case);
        assert!(kib > 0 && kib <= MEMORY, "{}: {kib} KiB", case.name);
    }
}

/// A program that ends before it has read what the guard gives it must not end the guard: the client would go on. The
/// release programs alone are without the standard library's start-up, which has a closed pipe told as an error.
#[test]
fn a_git_that_does_not_listen_ends_no_guard() {
    let Some(bin) = looking("git") else { return };
    let (_dir, top) = top();
    // Its `.git` is none that git would open, so git ends at once.
    let root = scene::node(&top.join("five"), 5);
    let text = format!("touch nobodys/{}/{{1..900}}", "x".repeat(200));
    let input = scene::bash_call("PreToolUse", &root, &text, "toolu_1");
    let case = Case::new("many files that nobody owns", case::GUARD, &root, input);
    for n in 0..20 {
        let said = tools::said(&bin, &case, n);
        assert!(said.contains(r#""permissionDecision":"deny""#), "{n}: {said:?}");
    }
}
