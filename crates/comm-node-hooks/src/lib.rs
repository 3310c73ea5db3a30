//! The protocol between Claude Code and comm-node's hook programs, one module per event.
//!
//! A hook program is one line, [`program!`] with the event's `HOOK`. This library owns its
//! stdin, stdout, errors and exit code; data flows one way: [`input`] → [`wire`] → [`scene`] (node
//! and session) → the event's decision → [`answer`]. The exit code is 0: for the client, 2 means *block*, and what a
//! failure of ours means is said in [`failure`]. It is 2 only where a refusal could not be written.

#![forbid(unsafe_code)]

mod after;
pub mod answer;
pub mod bind;
mod budget;
mod child;
pub mod commit;
mod done;
pub mod events;
pub mod failure;
pub mod git;
pub mod input;
mod judge;
pub mod lease;
pub mod mail;
mod meter;
mod reminder;
pub mod scene;
mod shell;
pub mod status_line;
mod turn;
pub mod wire;
mod work;

use std::time::Duration;

use comm_node_core::Error;
use comm_node_core::deadline::Deadline;

use answer::Answer;
use scene::Surroundings;
use wire::Call;

#[doc(hidden)]
pub use comm_node_start::no_unwinder;

#[global_allocator]
static ALLOCATOR: comm_node_start::Forward = comm_node_start::Forward;

/// A hook has answered after this long, whatever happens. The entry in the settings allows 5 s.
pub const DEADLINE: Duration = Duration::from_secs(3);

/// One hook program.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    /// The name of the program, for messages.
    pub program: &'static str,
    /// True if the call waits for this program's permission: its failure then refuses the call.
    pub gate: bool,
    /// Answers one call.
    pub run: fn(&Call<'_>, &Surroundings, Deadline) -> Result<Answer, Error>,
}

/// The `main` of a hook program.
///
/// With musl it is C's `main`, called without the standard library's own start-up: that installs
/// handlers (stack overflow, SIGPIPE) which cost a tenth of the whole run and change nothing for a
/// program whose death the client takes for a refusal. The crate then needs `no_main`.
#[macro_export]
macro_rules! program {
    ($hook:expr) => {
        $crate::no_unwinder!();

        #[cfg(target_env = "musl")]
        #[expect(unsafe_code, reason = "C calls it by this name, which no other function here has")]
        #[unsafe(no_mangle)]
        extern "C" fn main(_: i32, _: *const *const u8) -> i32 {
            $crate::main($hook)
        }

        #[cfg(not(target_env = "musl"))]
        fn main() -> std::process::ExitCode {
            if $crate::main($hook) == 0 {
                std::process::ExitCode::SUCCESS
            } else {
                std::process::ExitCode::from(2)
            }
        }
    };
}

/// Reads one call from stdin, answers it on stdout; the exit code.
pub fn main(hook: Hook) -> i32 {
    let deadline = Deadline::of_process(DEADLINE);
    failure::on_panic(hook);
    fault::inject();
    let around = Surroundings::of_process();
    let answer = input::read(deadline)
        .and_then(|text| {
            let call = Call::parse(&text)?;
            (hook.run)(&call, &around, deadline)
        })
        .unwrap_or_else(|error| failure::answer(hook, &error, &around));
    answer.give()
}

#[cfg(feature = "fault-injection")]
mod fault {
    //! Faults on demand, for the tests of what the client makes of them. Never in a release.

    #[expect(clippy::panic, reason = "panicking is what this is for")]
    pub(crate) fn inject() {
        match std::env::var("COMM_NODE_FAULT").as_deref() {
            Ok("panic") => panic!("a fault was asked for"),
            Ok("hang") => std::thread::sleep(std::time::Duration::from_secs(3600)),
            Ok("abort") => std::process::abort(),
            _ => {}
        }
    }
}

#[cfg(not(feature = "fault-injection"))]
mod fault {
    pub(crate) fn inject() {}
}
