//! What comm-node makes of a world that breaks: programs killed at any of their system calls, files full of
//! garbage, disks that are full, read-only or slow, clocks that jump, clients that hang.
//!
//! `cargo test --test faults` runs a short form; `just faults` (`FAULTS=long`) kills at every system call there is.
//! Where the system lacks what a fault needs (strace, mounts, another user) the test says `SKIPPED` on stderr; CI
//! counts that.

#![cfg(target_os = "linux")]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that can't go on has to stop, and what was really tried must be known"
)]

mod busy;
mod check;
mod clock;
mod fail;
mod field;
mod garbage;
mod kickoff;
mod kill;
mod slow;
mod spending;
mod strace;
mod turn;
mod working;
mod writers;

/// True for the form that takes minutes.
fn is_long() -> bool {
    std::env::var("FAULTS").is_ok_and(|v| v == "long")
}

/// Says past the harness, which keeps to itself what a passing test prints, that something was not tried.
fn skipped(what: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}");
}
