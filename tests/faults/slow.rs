//! What takes too long: a file system that answers slowly, and a hook that is stopped where it holds a lock.

use std::time::{Duration, Instant};

use super::check;
use super::field::Field;
use super::{skipped, strace};

/// The hooks' own deadline is three seconds; the rest is for a busy machine.
const DEADLINE: Duration = Duration::from_millis(4_500);

/// However slow, a guard never lets through what it would refuse, and never what it has no lease on.
#[test]
fn on_a_slow_file_system_nothing_is_let_through_unjudged() {
    if !strace::works() {
        return skipped("strace can't trace here, so no file system was made slow");
    }
    let field = Field::new();
    let calls = "open,openat,read,write,rename,fsync,mkdir,statx,flock,readlink";
    std::thread::scope(|scope| {
        for (name, ms) in [(calls, 60), ("flock", 3_500), ("open", 1_200)] {
            let field = &field;
            scope.spawn(move || {
                let said = strace::slowed(&field.write("b", "web/foreign.txt"), name, ms);
                assert!(said.refusal().is_some(), "{name}: {said:?}");
            });
            scope.spawn(move || {
                let path = format!("api/{ms}.txt");
                let said = strace::slowed(&field.write("b", &path), name, ms);
                let leases = check::leased(field).expect("reads");
                let held = leases.iter().any(|l| l.path == path);
                assert!(
                    said.refusal().is_some() || (said.is_silent() && held),
                    "{name}: {said:?} {leases:?}"
                );
            });
        }
    });
    check::files_are_whole(&field).expect("whole");
}

/// A hook that is stopped while it holds the lease table's lock: others are refused within their deadline, and once
/// it is killed or goes on, nothing is held up any more.
#[test]
fn a_hook_that_is_stopped_with_a_lock_holds_nobody_up_for_long() {
    if !strace::works() {
        return skipped("strace can't trace here, so no hook was stopped while it held a lock");
    }
    for kills in [false, true] {
        let field = Field::new();
        let run = field.write("b", "api/a.txt");
        // Between the lock and the lease: the first write goes to the fencing number.
        let mut stopped =
            run.command(&strace::tracer("write", "signal=STOP:when=1")).spawn().expect("starts");
        std::io::Write::write_all(&mut stopped.stdin.take().expect("a pipe"), &run.input).expect("writes");
        let pid = stopped_child(stopped.id());
        let said = field.write("b2", "api/b.txt").said();
        let why = said.refusal().unwrap_or_else(|| panic!("{said:?}"));
        assert!(why.contains("leases.lock"), "{why}");
        assert!(said.took < DEADLINE, "{:?}", said.took);
        // What needs no lock goes on meanwhile.
        assert!(field.write("b2", "web/foreign.txt").said().refusal().is_some());
        let signal = if kills { rustix::process::Signal::KILL } else { rustix::process::Signal::CONT };
        rustix::process::kill_process(pid, signal).expect("signals");
        stopped.wait().expect("ends");
        assert!(field.write("b2", "api/b.txt").said().is_silent());
        let leases = check::leased(&field).expect("reads");
        let held = leases.iter().any(|l| l.path == "api/a.txt");
        assert_eq!(held, !kills, "{leases:?}");
        check::files_are_whole(&field).expect("whole");
    }
}

/// The process that this tracer started, once it is stopped.
fn stopped_child(tracer: u32) -> rustix::process::Pid {
    let end = Instant::now() + Duration::from_secs(10);
    while Instant::now() < end {
        let children =
            std::fs::read_to_string(format!("/proc/{tracer}/task/{tracer}/children")).unwrap_or_default();
        for child in children.split_whitespace() {
            let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
            if matches!(state, Some('T' | 't')) && is_hook(child) && !is_passing(child) {
                return rustix::process::Pid::from_raw(child.parse().expect("a number")).expect("a process");
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("it was not stopped");
}

fn is_hook(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with("comm-node"))
}

/// True if it is stopped only for the tracer to look, which takes no time.
fn is_passing(pid: &str) -> bool {
    let calls = || std::fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    let before = calls();
    std::thread::sleep(Duration::from_millis(100));
    before != calls() || before.is_empty()
}
