//! A child process works through the texts, so that an abort, a hang and its memory are seen from outside; it writes
//! each to a file before it tries it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::mutate::mutated;
use super::random::Random;
use super::targets::Target;

/// The most processor time for one text; without optimising the same work takes many times as long.
const LIMIT: Duration = Duration::from_millis(if cfg!(debug_assertions) { 3000 } else { 200 });
/// How often a slow text is tried again: once the machine was busy, not the text slow.
const AGAIN: usize = 3;
/// The most memory of the whole process, in KiB.
const MEMORY: u64 = 192 << 10;
/// How many texts the short run tries, and for how long at most.
const SHORT: (u64, Duration) = (3_000, Duration::from_secs(4));
/// How much longer than its work the child may take before it counts as hanging.
const HANG: Duration = Duration::from_secs(60);

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|v| v.parse().ok())
}

fn processor_time() -> Duration {
    let t = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(t.tv_sec.unsigned_abs(), u32::try_from(t.tv_nsec).expect("below a second"))
}

fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap_or_default();
    line.split_ascii_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// Where texts that go wrong are kept.
fn place(target: Target) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz").join(target.name());
    fs::create_dir_all(&dir).expect("makes");
    dir
}

fn corpus(target: Target) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target.name());
    let mut files: Vec<PathBuf> = dir.read_dir().expect("a corpus").flatten().map(|e| e.path()).collect();
    files.sort();
    files.iter().map(|path| fs::read(path).expect("reads")).collect()
}

fn trial(target: Target, text: &[u8]) -> Result<(), String> {
    let mut least = Duration::MAX;
    for _ in 0..AGAIN {
        let began = processor_time();
        target.try_one(text)?;
        least = least.min(processor_time() - began);
        if least <= LIMIT {
            return Ok(());
        }
    }
    Err(format!("it took {least:?}"))
}

/// The process of one target: does nothing in an ordinary test run.
#[test]
#[ignore = "the child of the others"]
fn child() {
    let Some(target) = std::env::var("FUZZ_TARGET").ok().and_then(|name| Target::named(&name)) else {
        return;
    };
    let (seconds, seed) = (number("FUZZ_SECONDS"), number("FUZZ_SEED").unwrap_or(1));
    let (dir, corpus) = (place(target), corpus(target));
    let current = dir.join("current");
    let (began, mut n, mut wrong) = (Instant::now(), 0, 0);
    let goes_on = |n: u64| match seconds {
        Some(seconds) => began.elapsed() < Duration::from_secs(seconds),
        None => n < SHORT.0 && began.elapsed() < SHORT.1,
    };
    let whole = corpus.len() as u64;
    while n < whole || goes_on(n) {
        let text = match usize::try_from(n).ok().and_then(|n| corpus.get(n)) {
            Some(text) => text.clone(),
            None => mutated(&mut Random::case(seed, n), &corpus),
        };
        fs::write(&current, &text).expect("writes");
        if let Err(why) = trial(target, &text) {
            wrong += 1;
            println!("{why}; the text is {}", save(&text, &dir).display());
            if wrong > 20 {
                break;
            }
        }
        n += 1;
    }
    let peak = peak_memory();
    println!("{}: FUZZ_SEED={seed}, {n} texts in {:?}, at most {peak} KiB", target.name(), began.elapsed());
    assert_eq!(wrong, 0, "{wrong} texts went wrong");
    assert!(peak < MEMORY, "it came to {peak} KiB");
}

/// Keeps a text, under a name that says which.
fn save(text: &[u8], dir: &Path) -> PathBuf {
    let path = dir.join(format!("{:016x}.txt", comm_node_core::ledger::digest(text)));
    fs::write(&path, text).expect("writes");
    path
}

/// Works through a target's texts in a child, and fails with what that said.
pub(crate) fn run(target: Target) {
    let seconds = number("FUZZ_SECONDS");
    let random = || u64::from(std::process::id()) ^ comm_node_core::clock::now_ms() << 20;
    let seed = number("FUZZ_SEED").unwrap_or_else(|| if seconds.is_some() { random() } else { 1 });
    let dir = place(target);
    let log = dir.join("log");
    let out = fs::File::create(&log).expect("makes");
    let mut child = Command::new(std::env::current_exe().expect("own file"))
        .args(["harness::child", "--exact", "--ignored", "--nocapture"])
        .env("FUZZ_TARGET", target.name())
        .env("FUZZ_SEED", seed.to_string())
        .stdin(Stdio::null())
        .stderr(out.try_clone().expect("again"))
        .stdout(out)
        .spawn()
        .expect("starts");
    let deadline = Instant::now() + Duration::from_secs(seconds.unwrap_or(0)) + HANG;
    let status = loop {
        match child.try_wait().expect("waits") {
            Some(status) => break Some(status),
            None if Instant::now() > deadline => {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let said = fs::read_to_string(&log).unwrap_or_default();
    println!("{said}");
    let what = match status {
        Some(status) if status.success() => return,
        Some(status) => format!("it ended with {status}"),
        None => "it hung".to_owned(),
    };
    let last = save(&fs::read(dir.join("current")).unwrap_or_default(), &dir);
    panic!("{what}; if it died, the text is {}", last.display());
}

/// Wrong answers, panics and loops are noticed.
#[test]
fn what_goes_wrong_is_noticed() {
    assert!(trial(Target::Broken, b"fine").is_ok());
    assert!(trial(Target::Broken, b"wrong").is_err());
    assert!(trial(Target::Broken, b"slow").is_err_and(|why| why.starts_with("it took")));
    assert!(std::panic::catch_unwind(|| trial(Target::Broken, b"panic")).is_err());
}

/// The time that a text may take, for a target that takes longer.
pub(crate) fn waste() {
    let began = processor_time();
    while processor_time() - began <= LIMIT {
        std::hint::spin_loop();
    }
}
