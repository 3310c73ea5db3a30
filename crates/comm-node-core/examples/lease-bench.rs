//! What the lease table costs a hook, as whole processes in turn with `/bin/true`.
//!
//! ```text
//! cargo run --release --target x86_64-unknown-linux-musl -p comm-node-core --example lease-bench
//! ```
//!
//! Each case is one process that reads nothing but the table; a real hook adds its own work.
//! `empty` is such a process that does nothing at all. The last lines are 64 hooks at a time.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark reports and may stop")]

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use comm_node_core::clock::Now;
use comm_node_core::deadline::Deadline;
use comm_node_core::lease::{Ask, Holder, Mode, Terms};
use comm_node_core::process::{Liveness, ProcessId};
use comm_node_core::session::{Session, SessionId};
use comm_node_core::store::{Asking, Outcome, Store};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["empty"] => ExitCode::SUCCESS,
        ["hook", dir, session, key] => hook(dir, session, key, true),
        ["written", dir, session, key] => hook(dir, session, key, false),
        _ => {
            run();
            ExitCode::SUCCESS
        }
    }
}

fn holder(session: &str) -> Holder {
    Holder { domain: Some("backend".into()), session: Some(SessionId::new(session).unwrap()), agent: None }
}

fn hook(dir: &str, session: &str, key: &str, before: bool) -> ExitCode {
    let store = Store::new(Path::new(dir).to_path_buf());
    let holder = holder(session);
    let liveness = |h: &Holder| store.holder_liveness(h);
    let deadline = Deadline::after(Duration::from_secs(5));
    let asking = Asking { holder: &holder, now: Now::read(), liveness: &liveness, deadline };
    let asks = [Ask::key("", key)];
    let outcome = if before {
        store.leases().take(&asks, "toolu_01", 1800, &asking)
    } else {
        store.leases().written(&asks, 1800, &asking)
    };
    ExitCode::from(match outcome.unwrap() {
        Outcome::Held => 10,
        Outcome::Taken(_) => 11,
        Outcome::Refused(_) => 12,
    })
}

/// A table with `n` confirmed leases of 20 sessions and three locks.
fn fill(store: &Store, n: usize) {
    let live = |_: &Holder| Liveness::Alive;
    let ask = |holder: &Holder, f: &dyn Fn(&Asking<'_>)| {
        let deadline = Deadline::after(Duration::from_secs(60));
        f(&Asking { holder, now: Now::read(), liveness: &live, deadline });
    };
    for s in 0..20 {
        let mut record = Session::new(SessionId::new(&session(s)).unwrap());
        record.process = ProcessId::of(std::process::id());
        store.write_session(&record).unwrap();
    }
    for i in 0..n {
        let key = path(i);
        ask(&holder(&session(i % 20)), &|asking| {
            store.leases().take(&[Ask::key("", &key)], "toolu_01", 1800, asking).unwrap();
            store.leases().written(&[Ask::key("", &key)], 1800, asking).unwrap();
        });
    }
    for (s, glob) in [(0, "docs/**/*.md"), (1, "migrations/*"), (2, "**/locked/{a,b}/**")] {
        let terms = Terms::Explicit {
            mode: Mode::Exclusive,
            ttl_s: 7200,
            fixed: false,
            share_with_subagents: false,
            reason: "release",
        };
        ask(&holder(&session(s)), &|asking| {
            store.leases().lock(&[Ask::glob("", glob)], &terms, asking).unwrap();
        });
    }
}

fn session(i: usize) -> String {
    format!("6f1c2a3e-0000-4000-8000-{i:012}")
}

fn path(i: usize) -> String {
    format!("services/domain{:02}/src/module{:03}/component_{i}.rs", i % 20, i / 20 % 300)
}

fn spawn(command: &mut Command, want: i32) -> f64 {
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
    let took = start.elapsed().as_secs_f64() * 1e6;
    assert_eq!(status.code(), Some(want));
    took
}

fn middle(mut v: Vec<f64>, part: f64) -> f64 {
    v.sort_by(f64::total_cmp);
    v[(v.len() as f64 * part) as usize]
}

/// `pairs` runs of `args` in turn with `/bin/true`.
fn measure(name: &str, pairs: usize, want: i32, args: impl Fn(usize) -> Vec<String>) {
    let exe = std::env::current_exe().unwrap();
    let (mut own, mut ratio, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..pairs {
        let b = spawn(&mut Command::new("/bin/true"), 0);
        let a = spawn(Command::new(&exe).args(args(i)), want);
        own.push(a);
        theirs.push(b);
        ratio.push(a / b);
    }
    println!(
        "{name:44} {:>5.0} us  p95 {:>5.0}   true {:>5.0}   ratio {:.2}  p95 {:.2}",
        middle(own.clone(), 0.5),
        middle(own, 0.95),
        middle(theirs, 0.5),
        middle(ratio.clone(), 0.5),
        middle(ratio, 0.95)
    );
}

fn run() {
    let pairs = std::env::var("PAIRS").ok().and_then(|v| v.parse().ok()).unwrap_or(300);
    measure("empty", pairs, 0, |_| vec!["empty".into()]);
    for n in [0, 1_000, 10_000] {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join(".comm-node");
        let store = Store::new(dir.clone());
        let start = Instant::now();
        fill(&store, n.max(20));
        let each = start.elapsed().as_secs_f64() * 1e6 / (n.max(20) as f64);
        let n = n.max(20);
        println!("{n} leases; taken and confirmed in {each:.0} us each");
        let args = move |what: &str, s: usize, key: String| {
            vec![what.to_owned(), dir.display().to_string(), session(s), key]
        };
        measure("  held", pairs, 10, |i| args("hook", i % n % 20, path(i % n)));
        measure("  held by another", pairs, 12, |i| args("hook", (i % n + 1) % 20, path(i % n)));
        measure("  new", pairs, 11, |i| args("hook", i % 20, path(n + i)));
        measure("  confirmed", pairs, 11, |i| args("written", i % 20, path(n + i)));
        let start = Instant::now();
        let listed = store.leases().list().unwrap().0.len();
        println!("  list: {listed} leases in {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
        storm(&args, n);
    }
}

/// 64 processes at a time that do nothing, then as many hooks that each want a new path; how long
/// each took from its start.
fn storm(args: &dyn Fn(&str, usize, String) -> Vec<String>, n: usize) {
    let exe = std::env::current_exe().unwrap();
    for (name, want) in [("nothing", 0), ("a new path each", 11)] {
        let mut took = Vec::new();
        for round in 0..10 {
            let threads: Vec<_> = (0..64)
                .map(|i| {
                    let mut command = Command::new(&exe);
                    match want {
                        0 => command.arg("empty"),
                        _ => command.args(args("hook", i % 20, path(2 * n + 10_000 + round * 64 + i))),
                    };
                    std::thread::spawn(move || spawn(&mut command, want))
                })
                .collect();
            took.extend(threads.into_iter().map(|t| t.join().unwrap()));
        }
        println!(
            "  64 at a time, {name:16} median {:>5.1} ms, p99 {:>5.1} ms, longest {:>5.1} ms",
            middle(took.clone(), 0.5) / 1e3,
            middle(took.clone(), 0.99) / 1e3,
            middle(took, 0.9999) / 1e3
        );
    }
}
