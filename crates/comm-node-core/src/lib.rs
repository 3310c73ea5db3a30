//! The words of comm-node's design, its decisions, and the store behind them.
//!
//! Data flows one way through this crate: [`node`] finds the project and reads
//! its compiled configuration, [`session`] says who is acting, [`guard`] turns
//! those values into a decision, [`brief`] turns them into text. [`store`] is
//! the only door to files under `.comm-node/`.
//!
//! Nothing here prints, ends the process, or looks at the environment by
//! itself: whoever calls passes the values in.

#![forbid(unsafe_code)]

pub mod activity;
pub mod brief;
pub mod budget;
pub mod clock;
pub mod deadline;
mod error;
pub mod glob;
pub mod guard;
pub mod handoff;
pub mod kickoff;
pub mod lease;
pub mod ledger;
pub mod mail;
pub mod markdown;
mod nfc;
pub mod node;
pub mod notes;

pub mod path;
pub mod personal;
pub mod process;
pub mod session;
pub mod statusline;
pub mod store;
pub mod text;

pub use error::{Error, Result};

/// The version of comm-node, as in `Cargo.toml`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
