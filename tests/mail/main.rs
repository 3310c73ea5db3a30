//! Mail under kills and under hostile text.
//!
//! - [`store`]: many processes that use the store's functions, killed at random;
//! - [`delivery`]: the hook programs and the command line, killed at random;
//! - [`injection`]: what hostile text does to readers, other messages, JSON, terminals and the log.
//!
//! `cargo test --test mail` runs short forms; `just soak-mail` the long ones. `MAIL_SEED` gives the choices of an earlier run,
//! `MAIL_BIN` a directory with other programs.

#![cfg(target_os = "linux")]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that can't go on has to stop, and the seed must be known"
)]

mod delivery;
mod injection;
mod node;
mod store;
