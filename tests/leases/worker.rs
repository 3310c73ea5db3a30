//! One worker: takes, confirms, gives back, locks and releases, and writes down what it did.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use comm_node_core::clock::Now;
use comm_node_core::deadline::Deadline;
use comm_node_core::glob;
use comm_node_core::lease::{Ask, Holder, Mode, Terms};
use comm_node_core::session::SessionId;
use comm_node_core::store::{Asking, Outcome, Release, Store};

use super::{Random, now_ns, register};

/// What is fought over. Some names share a file of the table by their hash, most don't.
pub(crate) const PATHS: [&str; 6] = ["d/a", "d/b", "d/c", "d/e/f", "d/e/[g]", "h"];
pub(crate) const GLOBS: [&str; 3] = ["d/*", "d/{a,e/f}", "**/f"];

/// What this agent knows that it holds: the number by agent and path or glob.
type Held = BTreeMap<(String, String), u64>;

struct Worker {
    store: Store,
    session: SessionId,
    log: File,
    random: Random,
    held: Held,
}

/// Runs in a process of its own; does nothing in an ordinary test run.
#[test]
#[ignore = "a part of the other test"]
fn worker() {
    let Ok(orders) = std::env::var("LEASE_WORKER") else { return };
    let orders: Vec<&str> = orders.lines().collect();
    let [dir, session, survives, seed, steps] = orders[..] else { panic!("{orders:?}") };
    let dir = Path::new(dir);
    let store = Store::new(dir.join(".comm-node"));
    if survives == "false" {
        register(&store, session, std::process::id());
    }
    let path = super::history::path(dir, session);
    let held = super::history::held(&path);
    let log = File::options().append(true).create(true).open(path).expect("opens");
    let random = Random(seed.parse().expect("a number"));
    let mut worker = Worker { store, session: SessionId::new(session).expect("an id"), log, random, held };
    worker.check_all();
    for _ in 0..steps.parse::<u64>().expect("a number") {
        worker.step();
    }
    if survives == "false" {
        // The session ends with its process.
        worker.forget(|_, _| true);
    }
}

impl Worker {
    fn holder(&self, agent: &str) -> Holder {
        let agent = (!agent.is_empty()).then(|| agent.to_owned());
        Holder { domain: None, session: Some(self.session.clone()), agent }
    }

    /// Writes a line: `b` before an operation, `e` when it has happened.
    fn note(&mut self, line: &str) {
        self.log.write_all(format!("{} {line}\n", now_ns()).as_bytes()).expect("writes");
    }

    fn ask<T>(&mut self, agent: &str, f: impl Fn(&Store, &Asking<'_>) -> comm_node_core::Result<T>) -> T {
        let holder = self.holder(agent);
        // The wall clock may be set at any time, by up to a day either way.
        let mut now = Now::read();
        now.wall_ms = now.wall_ms + self.random.below(2 * 86_400_000) - 86_400_000;
        let liveness = |h: &Holder| self.store.holder_liveness(h);
        let deadline = Deadline::after(Duration::from_secs(60));
        f(&self.store, &Asking { holder: &holder, now, liveness: &liveness, deadline })
            .expect("the table works")
    }

    fn step(&mut self) {
        self.note("s");
        let agent = ["", "", "x", "y"][usize::try_from(self.random.below(4)).expect("small")];
        let path = PATHS[usize::try_from(self.random.below(6)).expect("small")];
        let glob = GLOBS[usize::try_from(self.random.below(3)).expect("small")];
        match self.random.below(16) {
            0..=5 => self.write(agent, path),
            6..=8 => self.release(agent, path),
            9..=10 => self.lock(agent, glob),
            11..=12 => self.release(agent, glob),
            13 => self.check_all(),
            14 => {
                let (_, errors) = self.store.leases().list().expect("lists");
                assert!(errors.is_empty(), "{errors:?}");
            }
            _ => self.stop(agent),
        }
        if self.random.below(4) == 0 {
            std::thread::sleep(Duration::from_micros(self.random.below(2000)));
        }
    }

    /// One edit: before it, perhaps a failure, after it.
    fn write(&mut self, agent: &str, path: &str) {
        let key = (agent.to_owned(), path.to_owned());
        let outcome = self.ask(agent, |s, a| s.leases().take(&[Ask::key("", path)], "call", 1800, a));
        match outcome {
            Outcome::Refused(conflict) => {
                // Its own subagents and locks may be in the way of what the agent has; nobody else's.
                let own = conflict.lease.holder.session.as_ref() == Some(&self.session);
                assert!(own || !self.held.contains_key(&key), "{key:?} was lost to {conflict:?}");
                return;
            }
            Outcome::Held => {}
            Outcome::Taken(leases) => {
                let number = leases[0].fencing;
                let before = self.held.get(&key);
                assert!(before.is_none_or(|b| *b == number), "{key:?} had {before:?}, now {number}");
                if before.is_none() && self.random.below(4) == 0 {
                    self.ask(agent, |s, a| {
                        s.leases().give_back(&[Ask::key("", path)], "call", a.holder, a.deadline)
                    });
                    return;
                }
            }
        }
        let outcome = self.ask(agent, |s, a| s.leases().written(&[Ask::key("", path)], 1800, a));
        match outcome {
            Outcome::Taken(leases) => {
                let number = leases[0].fencing;
                if self.held.insert(key, number).is_none() {
                    self.note(&format!("e {agent}|{path}|auto|{number}"));
                }
            }
            Outcome::Held => {}
            Outcome::Refused(conflict) => {
                let own = conflict.lease.holder.session.as_ref() == Some(&self.session);
                assert!(own, "lost between two hooks to {conflict:?}");
            }
        }
    }

    fn lock(&mut self, agent: &str, glob: &str) {
        let mode = if self.random.below(2) == 0 { Mode::Shared } else { Mode::Exclusive };
        let terms =
            Terms::Explicit { mode, ttl_s: 7200, fixed: false, share_with_subagents: false, reason: "" };
        // A change of the mode ends the old right whether or not the new one is logged.
        let key = (agent.to_owned(), glob.to_owned());
        if self.held.contains_key(&key) {
            return;
        }
        let outcome = self.ask(agent, |s, a| s.leases().lock(&[Ask::glob("", glob)], &terms, a));
        if let Outcome::Taken(leases) = outcome {
            let number = leases[0].fencing;
            self.held.insert(key, number);
            let mode = if mode == Mode::Shared { "shared" } else { "exclusive" };
            self.note(&format!("e {agent}|{glob}|{mode}|{number}"));
        }
    }

    fn release(&mut self, agent: &str, what: &str) {
        let is_glob = GLOBS.contains(&what);
        // A glob that is unlocked takes along what lies in it.
        let goes = |w: &str| match (is_glob, GLOBS.contains(&w)) {
            (true, false) => glob::matches(what, w),
            (true, true) => glob::overlap_excluding(w, "**", &[what]).is_none(),
            (false, _) => w == what,
        };
        self.forget(|_, w| goes(w));
        self.ask(agent, |s, a| {
            let ask = if is_glob { Ask::glob("", what) } else { Ask::key("", what) };
            s.leases().release(&Release::Of(&a.holder.session, &[ask]), a.deadline)
        });
    }

    fn stop(&mut self, agent: &str) {
        self.forget(|a, _| a == agent);
        self.ask(agent, |s, a| s.leases().release(&Release::Holder(a.holder), a.deadline));
    }

    /// Notes what is about to be released.
    fn forget(&mut self, goes: impl Fn(&str, &str) -> bool) {
        let gone: Vec<_> = self.held.keys().filter(|(a, w)| goes(a, w)).cloned().collect();
        for key in gone {
            self.note(&format!("b {}|{}", key.0, key.1));
            self.held.remove(&key);
        }
    }

    /// All that this session took and did not release must be in the table.
    fn check_all(&mut self) {
        let (leases, errors) = self.store.leases().list().expect("lists");
        assert!(errors.is_empty(), "{errors:?}");
        for ((agent, what), number) in &self.held {
            assert!(
                leases.iter().any(|l| l.fencing == *number && l.path == *what),
                "{} {agent} lost {what} ({number})",
                self.session
            );
        }
    }
}
