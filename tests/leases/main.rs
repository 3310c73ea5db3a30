//! Many processes on one lease table, killed at random, with clocks that jump.
//!
//! Each worker process acts for one session and writes down what it did and when. Afterwards the
//! histories are checked: at no instant two conflicting holders, fencing numbers in the order of
//! time, nothing of a live session lost, the table readable throughout.
//!
//! `cargo test --test leases` runs a short one. The long one is
//! `LEASE_PROCESSES=64 LEASE_STEPS=10000 cargo test --release --test leases -- --nocapture`.

#![cfg(target_os = "linux")]
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that can't go on has to stop, and the seed must be known"
)]

mod commands;
mod history;
mod worker;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use comm_node_core::process::ProcessId;
use comm_node_core::session::{Session, SessionId};
use comm_node_core::store::Store;

/// Nanoseconds on the clock that all processes of the machine share.
fn now_ns() -> u64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(t.tv_sec).expect("positive") * 1_000_000_000 + u64::try_from(t.tv_nsec).expect("positive")
}

/// xorshift64*: good enough to choose what happens next, and the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(otherwise)
}

/// A worker and the session that it acts for.
struct Slot {
    child: Child,
    session: String,
    /// The session's process is this test's: it outlives the worker.
    survives: bool,
    done: u64,
}

fn start(dir: &Path, session: &str, survives: bool, seed: u64, steps: u64) -> Child {
    let store = Store::new(dir.join(".comm-node"));
    if survives {
        register(&store, session, std::process::id());
    }
    Command::new(std::env::current_exe().expect("own file"))
        .args(["worker::worker", "--exact", "--ignored", "--nocapture"])
        .env("LEASE_WORKER", format!("{}\n{session}\n{survives}\n{seed}\n{steps}", dir.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("starts")
}

fn register(store: &Store, session: &str, pid: u32) {
    let mut record = Session::new(SessionId::new(session).expect("an id"));
    record.process = ProcessId::of(pid);
    store.write_session(&record).expect("writes");
}

#[test]
fn processes_killed_at_random_leave_one_holder() {
    let (processes, steps) = (number("LEASE_PROCESSES", 8), number("LEASE_STEPS", 150));
    let seed = number("LEASE_SEED", now_ns() | 1);
    println!("LEASE_SEED={seed}");
    let mut random = Random(seed);
    let temp = tempfile::tempdir().expect("temp dir");
    let dir = temp.path();
    let began = std::time::Instant::now();
    let mut slots: Vec<Slot> = (0..processes)
        .map(|i| {
            let (session, survives) = (format!("s{i}"), i % 2 == 0);
            let child = start(dir, &session, survives, random.below(1 << 30) + 1, steps);
            Slot { child, session, survives, done: 0 }
        })
        .collect();
    let mut deaths: Vec<(String, u64)> = Vec::new();
    let mut names = processes;
    loop {
        std::thread::sleep(Duration::from_millis(random.below(30)));
        let mut running = Vec::new();
        for (i, slot) in slots.iter_mut().enumerate() {
            match slot.child.try_wait().expect("waits") {
                None => running.push(i),
                Some(status) => assert!(status.success(), "{} ended with {status}", slot.session),
            }
        }
        if running.is_empty() {
            break;
        }
        // One in three of these pauses somebody is killed.
        if random.below(3) > 0 {
            continue;
        }
        let slot = &mut slots[running[usize::try_from(random.below(running.len() as u64)).expect("small")]];
        let killed_at = now_ns();
        slot.child.kill().expect("kills");
        if slot.child.wait().expect("waits").success() {
            continue;
        }
        slot.done = history::steps_done(dir, &slot.session) + slot.done * u64::from(!slot.survives);
        if !slot.survives {
            // Its session died with it; another takes its place.
            deaths.push((slot.session.clone(), killed_at));
            slot.session = format!("s{names}");
            names += 1;
        }
        let left = steps.saturating_sub(slot.done);
        slot.child = start(dir, &slot.session, slot.survives, random.below(1 << 30) + 1, left);
    }
    let ended = now_ns();
    let store = Store::new(dir.join(".comm-node"));
    let (_, errors) = store.leases().list().expect("lists");
    assert!(errors.is_empty(), "{errors:?}");
    let report = history::check(dir, &deaths, ended);
    println!("{report} in {:.1} s; {} sessions killed", began.elapsed().as_secs_f64(), deaths.len());
}
