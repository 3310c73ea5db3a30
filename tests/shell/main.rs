//! What the extractor says a command would write, held against three kinds of evidence: what people
//! wrote down after thinking about bash (`corpus`), what bash really does (`differential`), and
//! whether it stays upright under hostile text (`fuzz`).

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that can't go on has to stop, and what it measured must be known"
)]

mod corpus;
#[cfg(target_os = "linux")]
mod differential;
mod fixture;
#[cfg(target_os = "linux")]
mod fuzz;
#[cfg(target_os = "linux")]
mod grammar;
#[cfg(target_os = "linux")]
mod hostile;
#[cfg(target_os = "linux")]
mod node;
#[cfg(target_os = "linux")]
#[path = "../support/random.rs"]
mod random;

/// A number from the environment.
#[cfg(target_os = "linux")]
fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(otherwise)
}
