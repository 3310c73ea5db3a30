//! Every short history of a small node: two sessions, one with a subagent, two paths, one glob.
//!
//! States are explored breadth first and each is visited once, so that the depth covers far more
//! histories than it could run one by one.

use std::collections::{HashSet, VecDeque};

use super::*;
use crate::clock::Now;
use crate::process::Liveness;

const TTL_S: u64 = 1800;
const PATHS: [&str; 2] = ["d/a", "d/b"];
const GLOB: &str = "d/*";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Op {
    Take(usize, usize),
    TakeBoth(usize),
    Written(usize, usize),
    GiveBack(usize, usize),
    Lock(usize, Mode, bool),
    Unlock(usize),
    Stop(usize),
    Kill(usize),
    /// Both clocks go on by a minute, or by more than a lease's time.
    Wait(u64),
    /// The wall clock is set forward or back by a day.
    Jump(bool),
}

fn session(name: &str) -> Option<SessionId> {
    SessionId::new(name).ok()
}

/// Main loop and subagent of session A, main loop of session B.
fn holders() -> [Holder; 3] {
    let holder = |s: &str, agent: Option<&str>| Holder {
        domain: Some("d".to_owned()),
        session: session(s),
        agent: agent.map(str::to_owned),
    };
    [holder("A", None), holder("A", Some("x")), holder("B", None)]
}

#[derive(Clone, Debug)]
struct Node {
    leases: Vec<Lease>,
    now: Now,
    fence: u64,
    alive: [bool; 2],
}

impl Node {
    fn new() -> Self {
        let now = Now { wall_ms: 10_000_000_000, up_ms: Some(1_000_000) };
        Self { leases: Vec::new(), now, fence: 0, alive: [true; 2] }
    }

    fn life(&self, holder: &Holder) -> Liveness {
        let alive = self.alive[usize::from(holder.session == session("B"))];
        if alive { Liveness::Alive } else { Liveness::Dead }
    }

    /// What decides about the future: numbers by rank, times by age.
    fn essence(&self) -> String {
        let mut out = format!("{:?}", self.alive);
        for l in &self.leases {
            let age = self.now.up_ms.unwrap_or(0) - l.up_ms.unwrap_or(0);
            let left = i128::from(l.until) - i128::from(self.now.wall_ms);
            out += &format!(
                ";{} {:?} {:?} {:?} {age} {left} {} {} {} {}",
                l.path, l.kind, l.mode, l.holder, l.ttl_s, l.provisional, l.fixed, l.share_with_subagents
            );
        }
        out
    }

    fn ask(&mut self, who: usize, asks: &[Ask<'_>], terms: &Terms<'_>) -> bool {
        let holder = &holders()[who];
        match decide(&self.leases, asks, terms, holder, self.now, &|h| self.life(h)) {
            Decision::Refused(conflict) => {
                assert!(
                    !permits(&conflict.lease, holder, Mode::Exclusive) || conflict.lease.mode == Mode::Shared
                );
                assert_eq!(ending(&conflict.lease, self.now, self.life(&conflict.lease.holder)), None);
                false
            }
            Decision::Granted(plan) => {
                let gone: Vec<u64> =
                    plan.ended.iter().map(|(l, _)| l).chain(&plan.replaced).map(|l| l.fencing).collect();
                self.leases.retain(|l| !gone.contains(&l.fencing));
                for lease in plan.renewed {
                    let old = self.leases.iter_mut().find(|l| l.fencing == lease.fencing);
                    *old.expect("a renewed lease is there") = lease;
                }
                for mut lease in plan.new {
                    self.fence += 1;
                    lease.fencing = self.fence;
                    self.leases.push(lease);
                }
                self.leases.sort_by_key(|l| l.fencing);
                true
            }
        }
    }

    fn run(&mut self, op: Op) {
        let explicit = |mode, fixed| Terms::Explicit {
            mode,
            ttl_s: 7200,
            fixed,
            share_with_subagents: false,
            reason: "",
        };
        match op {
            Op::Take(who, path) => {
                let ask = [Ask::key("", PATHS[path])];
                let before: Vec<Lease> = self.leases.clone();
                if self.ask(who, &ask, &Terms::Write { call: "c", ttl_s: TTL_S }) {
                    self.check_may_write(who, path);
                } else {
                    assert_eq!(self.leases, before);
                }
            }
            Op::TakeBoth(who) => {
                let asks = PATHS.map(|p| Ask::key("", p));
                let before: Vec<Lease> = self.leases.clone();
                if !self.ask(who, &asks, &Terms::Write { call: "c", ttl_s: TTL_S }) {
                    assert_eq!(self.leases, before, "all or none");
                }
            }
            Op::Written(who, path) => {
                if self.ask(who, &[Ask::key("", PATHS[path])], &Terms::Written { ttl_s: TTL_S }) {
                    self.check_may_write(who, path);
                }
            }
            Op::GiveBack(who, path) => {
                let holder = &holders()[who];
                let mine = |l: &Lease| l.holder.same(holder) && l.path == PATHS[path];
                self.leases.retain(|l| !(mine(l) && l.provisional && l.call == "c"));
            }
            Op::Lock(who, mode, fixed) => {
                self.ask(who, &[Ask::glob("", GLOB)], &explicit(mode, fixed));
            }
            Op::Unlock(who) | Op::Stop(who) => {
                let holder = &holders()[who];
                let all = matches!(op, Op::Stop(_));
                self.leases.retain(|l| !(l.holder.same(holder) && (all || l.kind == Kind::Explicit)));
            }
            Op::Kill(s) => self.alive[s] = false,
            Op::Wait(ms) => {
                self.now = Now { wall_ms: self.now.wall_ms + ms, up_ms: self.now.up_ms.map(|u| u + ms) };
            }
            Op::Jump(forward) => {
                let day = 86_400_000;
                let wall = self.now.wall_ms;
                self.now.wall_ms = if forward { wall + day } else { wall - day };
            }
        }
    }

    /// Nobody else may now hold what this agent was told it may write.
    fn check_may_write(&self, who: usize, path: usize) {
        let holder = &holders()[who];
        for l in self.leases.iter().filter(|l| l.covers(PATHS[path])) {
            let counts = ending(l, self.now, self.life(&l.holder)).is_none();
            assert!(!counts || permits(l, holder, Mode::Exclusive), "{holder:?} writes under {l:?}");
        }
    }

    /// What must hold in every state.
    fn check(&self, before: &Self, op: Op) {
        let counts = |n: &Self, l: &Lease| ending(l, n.now, n.life(&l.holder)).is_none();
        for (i, a) in self.leases.iter().enumerate() {
            assert!(a.fencing > 0 && a.fencing <= self.fence, "{a:?}");
            for b in &self.leases[..i] {
                assert_ne!(a.fencing, b.fencing);
                let meet = PATHS.iter().any(|p| a.covers(p) && b.covers(p));
                if meet && counts(self, a) && counts(self, b) {
                    let peace = permits(a, &b.holder, b.mode) || permits(b, &a.holder, a.mode);
                    assert!(peace, "two hold one path: {a:?} and {b:?}");
                }
            }
        }
        assert!(self.fence >= before.fence);
        // What counted and was another's is still there.
        let actor = match op {
            Op::Take(w, _) | Op::TakeBoth(w) | Op::Written(w, _) | Op::GiveBack(w, _) => Some(w),
            Op::Lock(w, ..) | Op::Unlock(w) | Op::Stop(w) => Some(w),
            _ => None,
        };
        for lease in before.leases.iter().filter(|l| counts(before, l)) {
            let own = actor.is_some_and(|w| holders()[w].same(&lease.holder));
            let kept = self.leases.iter().any(|l| l.fencing == lease.fencing);
            assert!(own || kept, "{op:?} took a lease that counted: {lease:?}");
            // No setting of a clock takes a lease from an agent that lives.
            if matches!(op, Op::Jump(_)) {
                assert!(counts(self, lease), "the clock took {lease:?}");
            }
        }
    }
}

#[test]
fn no_history_gives_one_path_to_two() {
    let mut ops = Vec::new();
    for who in 0..3 {
        ops.extend([Op::Take(who, 0), Op::Take(who, 1), Op::TakeBoth(who), Op::Written(who, 0)]);
        ops.extend([Op::GiveBack(who, 0), Op::Lock(who, Mode::Shared, false), Op::Stop(who)]);
        ops.extend([Op::Lock(who, Mode::Exclusive, true), Op::Unlock(who)]);
    }
    ops.extend([Op::Kill(0), Op::Kill(1), Op::Wait(61_000), Op::Wait(7_201_000)]);
    ops.extend([Op::Jump(true), Op::Jump(false)]);

    // Four steps take a second; `LEASE_MODEL_DEPTH` asks for more.
    let depth = std::env::var("LEASE_MODEL_DEPTH").ok().and_then(|d| d.parse().ok()).unwrap_or(4);
    let mut seen = HashSet::new();
    let mut queue = VecDeque::from([(Node::new(), 0)]);
    while let Some((node, steps)) = queue.pop_front() {
        for &op in &ops {
            let mut next = node.clone();
            next.run(op);
            next.check(&node, op);
            if steps + 1 < depth && seen.insert(next.essence()) {
                queue.push_back((next, steps + 1));
            }
        }
    }
    assert!(seen.len() > 1000, "only {} states", seen.len());
}
