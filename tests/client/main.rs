//! The real Claude Code client, driven offline by a scripted server.
//!
//! `tests/client/setup.sh` installs the client; without it every test says that it was skipped, and
//! `COMM_NODE_REQUIRE_CLIENT=1` turns that into a failure. `tests/client/netns.sh` runs a command where
//! only the loopback interface exists.

#![cfg(unix)]
#![expect(clippy::expect_used, clippy::panic, reason = "a test that can't be set up has to stop")]
#![allow(dead_code, reason = "the harness offers more than the tests of one day use")]

mod budget;
mod commands;
mod driver;
mod hook;
mod installed;
mod locate;
#[path = "../support/random.rs"]
mod random;
mod script;
mod server;
mod settings;
#[path = "../support/mod.rs"]
mod support;
mod terminal;

mod effects;
mod facts;
mod gate;
mod guard;
mod harness;
mod leases;
mod mail;
mod meter;
mod overhead;
mod rounds;
mod rules;
mod shell;
#[cfg(target_os = "linux")]
mod soak;
mod status;
mod walk;
mod work;
