//! Hostile files and calls, made from a small corpus: every reader gives an answer, without a panic, in bounded time and
//! memory, and where something else can tell what the answer has to be, it is that.
//!
//! `cargo test --test fuzz` tries some thousands of texts for each, the same every time. `just fuzz-all 600` tries them
//! for ten minutes each, from another seed. A text that goes wrong is saved, and its name said; put it into
//! `corpus/` once it goes right. Shell commands have a program of their own, `tests/shell`.

#![cfg(target_os = "linux")]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that can't go on has to stop, and what it tried must be known"
)]

mod harness;
mod mutate;
#[path = "../support/random.rs"]
mod random;
mod state;
mod targets;

use harness::run;
use targets::Target;

#[test]
fn what_hooks_read_from_stdin() {
    run(Target::Wire);
}

#[test]
fn comm_node_yaml() {
    run(Target::Config);
}

#[test]
fn messages() {
    run(Target::Message);
}

#[test]
fn signals() {
    run(Target::Signal);
}

#[test]
fn files_in_the_drop_box() {
    run(Target::Draft);
}

#[test]
fn transcripts() {
    run(Target::Transcript);
}

#[test]
fn settings() {
    run(Target::Settings);
}

#[test]
fn hand_offs() {
    run(Target::Handoff);
}

#[test]
fn blockers_findings_and_issues() {
    run(Target::Notes);
}

#[test]
fn prices() {
    run(Target::Prices);
}

#[test]
fn session_records() {
    run(Target::Session);
}

#[test]
fn the_compiled_rules() {
    run(Target::Registry);
}

#[test]
fn records_of_budgets_kickoffs_and_leases() {
    run(Target::Records);
}
