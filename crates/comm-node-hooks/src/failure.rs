//! What a failure of our own means: the only place that decides it, a panic included.
//!
//! No node here → silence. A node whose state can't be read → in `enforce` mode a refusal that
//! names the file and the way to mend it, in `warn` mode a note to the person.

use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};

use comm_node_core::Error;
use comm_node_core::node;
use comm_node_core::node::registry::Mode;
use comm_node_core::text::one_line;

use crate::Hook;
use crate::answer::Answer;
use crate::scene::Surroundings;

/// The mode in force, as far as it is known: 0 not yet, else 1 + [`Mode`].
static MODE: AtomicU8 = AtomicU8::new(0);

/// Remembers the mode that a later failure is answered with.
pub fn set_mode(mode: Mode) {
    let value = match mode {
        Mode::Enforce => 1,
        Mode::Warn => 2,
        Mode::Off => 3,
    };
    MODE.store(value, Ordering::Relaxed);
}

/// The mode that was set last; `Enforce` while none is known.
fn mode() -> Mode {
    match MODE.load(Ordering::Relaxed) {
        2 => Mode::Warn,
        3 => Mode::Off,
        _ => Mode::Enforce,
    }
}

/// The answer to a call that could not be judged.
#[must_use]
pub fn answer(hook: Hook, error: &Error, around: &Surroundings) -> Answer {
    // Before the registry was read nothing says yet that a node is here at all.
    let known = MODE.load(Ordering::Relaxed) != 0;
    if !known && !around.directories().any(|dir| is_in_node(&dir)) {
        return Answer::Silent;
    }
    let what = one_line(&error.to_string(), 1500).into_owned();
    let remedy = error.remedy();
    match (hook.gate, mode()) {
        (_, Mode::Off) => Answer::Silent,
        (true, Mode::Enforce) => Answer::Deny(format!(
            "comm-node could not judge this call, so it is refused: {what}. Tell the user: {remedy}."
        )),
        _ => Answer::Person(format!("comm-node ({}): {what}; {remedy}.", hook.program)),
    }
}

/// True if a node is at or above `dir`, or something that can't be told apart from one.
fn is_in_node(dir: &Path) -> bool {
    !matches!(node::find(dir), Ok(None))
}

/// Makes a panic answer like any other failure.
pub fn on_panic(hook: Hook) {
    std::panic::set_hook(Box::new(move |info| {
        let place = info.location().map_or_else(String::new, |l| format!(" at {}:{}", l.file(), l.line()));
        let error = Error::Invalid {
            what: "comm-node's own state",
            why: format!("{} panicked{place}", hook.program),
        };
        let code = answer(hook, &error, &Surroundings::of_process()).give();
        #[expect(
            clippy::exit,
            reason = "unwinding on would let the client see a crash instead of the answer"
        )]
        std::process::exit(code);
    }));
}
