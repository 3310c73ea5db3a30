//! Hostile texts: mutations of the corpus, soup of tokens, and texts built to be slow or large.
//!
//! Each must get an answer, without a panic, in bounded time and memory. A child process works
//! through them, so that an abort, a hang and the memory of its whole life can be seen from outside; it
//! writes every text to a file before it tries it. `cargo test` runs a short, deterministic part;
//! `SHELL_FUZZ_SECONDS=3600` with a release build a long one, from another seed each time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use comm_node_shell::{MAX_BYTES, Why, WriteSet, powershell_write_set, write_set};
use rustix::time::{ClockId, clock_gettime};

use crate::corpus;
use crate::fixture::{Fixture, RealTree};
use crate::hostile::{Case, mutated, pathological};
use crate::node::Random;
use crate::number;

/// The most processor time for one text. Without optimising the same work takes many times as long.
const LIMIT: Duration = Duration::from_millis(if cfg!(debug_assertions) { 1500 } else { 50 });
/// The most memory of the whole process, in KiB.
const MEMORY: u64 = 64 << 10;
/// How many mutated texts the short run tries.
const SHORT: u64 = 400;
/// How often a piece is repeated, in the short run and in the long one.
const SHORT_SIZES: [usize; 2] = [10, 1_500];
const LONG_SIZES: [usize; 8] = [3, 10, 30, 100, 1_000, 10_000, 80_000, 250_000];
/// How much longer than its work the child may take before it counts as hanging.
const HANG: Duration = Duration::from_secs(120);
/// How often a slow text is tried again: once the machine was busy, not the text slow.
const AGAIN: usize = 3;

/// The answer, the time, and what was wrong with it.
fn trial(case: &Case, fixture: &Fixture) -> Result<(), String> {
    let context = fixture.context(fixture.node.clone());
    let extract = if case.powershell { powershell_write_set } else { write_set };
    let mut least = Duration::MAX;
    for _ in 0..AGAIN {
        let began = processor_time();
        let set = extract(&case.text, &context, &RealTree);
        let took = processor_time() - began;
        least = least.min(took);
        if case.text.len() > MAX_BYTES {
            let only_too_large =
                |s: &WriteSet| s.writes.is_empty() && s.unknown.iter().all(|u| u.why == Why::TooLarge);
            if !only_too_large(&set) || set.unknown.is_empty() {
                return Err("it is too large, and that isn't the answer".to_owned());
            }
        }
        // What is shown to a person stays one short line.
        if let Some(by) = set
            .writes
            .iter()
            .map(|w| &w.by)
            .chain(set.unknown.iter().map(|u| &u.by))
            .find(|by| by.len() > 1000 || by.contains('\n'))
        {
            return Err(format!("not one short line: {by:?}"));
        }
        if let Some(w) = set.writes.iter().find(|w| !w.target.path().is_absolute()) {
            return Err(format!("not absolute: {}", w.target.path().display()));
        }
        if least <= LIMIT {
            return Ok(());
        }
    }
    Err(format!("it took {least:?}"))
}

fn processor_time() -> Duration {
    let t = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(t.tv_sec.unsigned_abs(), u32::try_from(t.tv_nsec).unwrap())
}

/// The most memory this process ever had, in KiB; nothing where the system doesn't say.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Works through the texts; what is wrong is printed, the text saved.
#[test]
#[ignore = "the child of the test below"]
fn child() {
    let Some(dir) = std::env::var_os("SHELL_FUZZ_CHILD").map(PathBuf::from) else { return };
    let (seconds, seed) = (number("SHELL_FUZZ_SECONDS", 0), number("SHELL_FUZZ_SEED", 1));
    let (fixture, corpus) = (Fixture::new(), corpus::rows());
    let mut wrong = 0;
    let base = peak_memory();
    let mut peak = base;
    let mut one = |case: &Case| {
        fs::write(dir.join("current"), &case.text).unwrap();
        let mut result = trial(case, &fixture);
        let now = peak_memory();
        if result.is_ok() && now > peak && now > Some(MEMORY) {
            result = Err(format!("the process came to {} KiB, from {}", now.unwrap_or(0), peak.unwrap_or(0)));
        }
        peak = now;
        if let Err(reason) = result {
            wrong += 1;
            println!("{}: {reason}; the text is {}", case.kind, save(&case.text, &dir).display());
        }
    };
    let began = Instant::now();
    let mut built = 0;
    pathological(if seconds == 0 { &SHORT_SIZES } else { &LONG_SIZES }, &mut |case| {
        built += 1;
        one(&case);
    });
    let building = began.elapsed();
    let mut n = 0;
    while n < SHORT || began.elapsed() < Duration::from_secs(seconds) {
        one(&mutated(&mut Random::case(seed, n), &corpus));
        n += 1;
    }
    println!(
        "SHELL_FUZZ_SEED={seed}: {n} mutations, {built} built texts, these in {building:?}, all in {:?}",
        began.elapsed()
    );
    println!("memory from {base:?} to {peak:?} KiB");
    assert_eq!(wrong, 0, "{wrong} texts went wrong");
}

/// Keeps a text, under a name that says which.
fn save(text: &str, dir: &Path) -> PathBuf {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    }
    let path = dir.join(format!("{hash:016x}.txt"));
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn hostile_texts_get_an_answer_in_bounded_time_and_memory() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shell-fuzz");
    fs::create_dir_all(&dir).unwrap();
    let seconds = number("SHELL_FUZZ_SECONDS", 0);
    let seed = if seconds == 0 {
        1
    } else {
        number("SHELL_FUZZ_SEED", u64::try_from(clock_gettime(ClockId::Realtime).tv_sec).unwrap())
    };
    let log = dir.join("log");
    let out = fs::File::create(&log).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["fuzz::child", "--exact", "--ignored", "--nocapture"])
        .env("SHELL_FUZZ_CHILD", &dir)
        .env("SHELL_FUZZ_SECONDS", seconds.to_string())
        .env("SHELL_FUZZ_SEED", seed.to_string())
        .stdin(Stdio::null())
        .stderr(out.try_clone().unwrap())
        .stdout(out)
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(seconds) + HANG;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let said = fs::read_to_string(&log).unwrap();
    println!("{said}");
    let what = match status {
        Some(status) if status.success() => return,
        Some(status) => format!("it ended with {status}"),
        None => "it hung".to_owned(),
    };
    // After an orderly end the texts were saved above; else it is the last one.
    let last = save(&fs::read_to_string(dir.join("current")).unwrap_or_default(), &dir);
    panic!("{what}; if it died, the text is {}", last.display());
}
