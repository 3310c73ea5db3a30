//! Follows a command as bash would, with values instead of a run.
//!
//! A [`Walker`] goes through the syntax tree once, in the order in which it would be run, and carries a
//! [`State`] along: where the shell is, what its variables hold as far as that is known. Where the way
//! divides both ways are followed, each with a state of its own, and what they agree on is kept.
//! Every step costs a unit of work; when none is left, the rest of the command is unknown.

mod brace;
mod builtin;
mod collect;
mod compound;
mod declare;
mod directory;
mod glob;
mod links;
mod list;
mod output;
mod parameter;
mod pattern;
mod program;
mod redirect;
mod simple;
mod state;
mod sway;
#[cfg(test)]
mod tests;
mod word;

use std::rc::Rc;

use crate::ast::{Script, Span};
use crate::parse::{Fault, parse};
use crate::{Certainty, Context, Tree, Why, WriteSet};
use collect::Collector;
use links::Links;
pub(crate) use program::draft;
use state::{Left, State, Value};

/// How much work a command may cause, in units of about a microsecond.
const WORK: usize = 40_000;
/// How deep commands, functions and re-parsed texts may be nested in each other.
const DEPTH: usize = 6 * crate::MAX_DEPTH;
/// The most variables, functions, aliases that are followed.
const MAX_NAMES: usize = 512;

/// What `command` would write.
pub(crate) fn write_set(command: &str, context: &Context<'_>, tree: &dyn Tree) -> WriteSet {
    let mut walker = Walker {
        tree,
        rows: &context.rows,
        own: context.own.as_deref(),
        found: Collector::default(),
        links: Links::default(),
        source: Rc::from(command),
        span: Span { start: 0, end: u32::try_from(command.len()).unwrap_or(u32::MAX) },
        certain: true,
        work: WORK,
        depth: 0,
        texts: 0,
        calls: 0,
        stdin: None,
        draft: None,
        out: None,
        broken: None,
        returned: None,
        wide: Vec::new(),
        temporary: Vec::new(),
        given: None,
        home: context.home.as_ref().and_then(|home| home.to_str()).map(Rc::from),
    };
    let mut state = State::new(context);
    walker.text(command, &mut state);
    walker.finish(state);
    walker.found.set
}

/// Follows a command.
struct Walker<'a> {
    /// The file tree.
    tree: &'a dyn Tree,
    /// The user's rows of the table.
    rows: &'a [&'a str],
    /// The file of the command line that belongs to the guard.
    own: Option<&'a std::path::Path>,
    /// What was found.
    found: Collector,
    /// What stands at names that were made.
    links: Links,
    /// The text that is walked; spans are about it.
    source: Rc<str>,
    /// The piece of it that is looked at.
    span: Span,
    /// True if what is looked at is run whenever nothing fails.
    certain: bool,
    /// How much work is left.
    work: usize,
    /// How deep in commands this is.
    depth: usize,
    /// How deep in texts that were parsed on the way this is.
    texts: usize,
    /// How deep in functions this is.
    calls: usize,
    /// What can be read on the standard input, if that is known.
    stdin: Option<Rc<str>>,
    /// As much of it as is known, where it is a here-document that isn't all known.
    draft: Option<Rc<str>>,
    /// What was written to the standard output, if somebody wants to know and it is known.
    out: Option<String>,
    /// The state at the `break`s of the present loop.
    broken: Option<State>,
    /// The state at the `return`s of the present function.
    returned: Option<State>,
    /// Patterns that match too much to be listed, each with its directory.
    wide: Vec<(String, String)>,
    /// What `mktemp` has made.
    temporary: Vec<String>,
    /// What `PATH` was just given, as far as it is known.
    given: Option<crate::table::Argument>,
    /// The home directory as it was before.
    home: Option<Rc<str>>,
}

impl Walker<'_> {
    /// Takes `units` of work; false if there are none left.
    fn spend(&mut self, units: usize) -> bool {
        if units < self.work {
            self.work -= units;
            return true;
        }
        self.stop();
        false
    }

    /// It is too much: nothing more is looked at.
    fn stop(&mut self) {
        if self.work > 0 {
            self.unknown(Why::TooLarge);
            self.work = 0;
        }
    }

    /// A copy of `state`, for a shell of its own or another way.
    fn copy(&mut self, state: &State) -> State {
        self.spend(state.weight());
        state.clone()
    }

    /// The state of a shell of its own, which doesn't end as this one does.
    fn fork(&mut self, state: &State) -> State {
        let mut own = self.copy(state);
        own.traps.clear();
        own
    }

    /// What is looked at writes something that can't be known.
    fn unknown(&mut self, why: Why) {
        self.found.unknown(why, &self.source, self.span);
    }

    /// Whether something is sure that would be `certainty` by itself.
    fn sure(&self, certainty: Certainty) -> Certainty {
        if self.certain { certainty } else { Certainty::Possible }
    }

    /// One level deeper; false if that is too deep.
    fn enter(&mut self) -> bool {
        if self.depth >= DEPTH {
            self.unknown(Why::TooLarge);
            return false;
        }
        self.depth += 1;
        true
    }

    /// Parses a text and walks it.
    fn text(&mut self, text: &str, state: &mut State) {
        if !self.spend(1 + text.len() / 24) {
            return;
        }
        match parse(text, self.texts) {
            Ok(script) => {
                let span = self.span;
                let source = std::mem::replace(&mut self.source, Rc::from(text));
                self.texts += 1;
                self.script(&script, state);
                self.texts -= 1;
                self.source = source;
                self.span = span;
            }
            Err(Fault::Syntax { .. }) => {
                self.unknown(Why::Syntax);
                self.out = None;
            }
            Err(Fault::TooLarge) => {
                self.unknown(Why::TooLarge);
                self.out = None;
            }
        }
    }

    /// Ends a shell: what `trap` was told is run.
    fn finish(&mut self, mut state: State) {
        let certain = std::mem::replace(&mut self.certain, false);
        for trap in std::mem::take(&mut state.traps) {
            state.left = Left::Nothing;
            self.text(&trap, &mut state);
        }
        self.certain = certain;
    }

    /// Walks a script in the present shell.
    fn script(&mut self, script: &Script, state: &mut State) {
        if !self.enter() {
            return;
        }
        let certain = self.certain;
        for item in &script.items {
            if self.work == 0 {
                break;
            }
            // What stands behind an `exit` isn't run; but whether the `exit` is may not be sure either.
            self.certain = certain && state.left == Left::Nothing;
            if item.background {
                let mut own = self.fork(state);
                self.item(item, &mut own);
                self.finish(own);
                self.out = None;
            } else {
                self.item(item, state);
            }
        }
        self.certain = certain;
        self.depth -= 1;
    }

    /// Walks a script in a shell of its own.
    fn apart(&mut self, script: &Script, state: &State) {
        let mut own = self.fork(state);
        let (broken, returned) = (self.broken.take(), self.returned.take());
        self.script(script, &mut own);
        self.finish(own);
        (self.broken, self.returned) = (broken, returned);
    }

    /// Walks a script that may also not be run.
    fn perhaps(&mut self, script: &Script, state: &mut State) {
        let certain = std::mem::replace(&mut self.certain, false);
        self.script(script, state);
        self.certain = certain;
        self.out = None;
    }

    /// The value of `$(…)`.
    fn substitution(&mut self, script: &Script, state: &State) -> Value {
        let span = self.span;
        let out = self.out.replace(String::new());
        self.apart(script, state);
        let value = std::mem::replace(&mut self.out, out);
        self.span = span;
        value.map_or(Value::Unknown, |text| Value::Known(text.trim_end_matches('\n').into()))
    }

    /// Gives a variable a value.
    fn assign(&mut self, state: &mut State, name: &str, value: Value, export: bool) {
        if state.variables.len() >= MAX_NAMES && state.get(name).is_none() {
            return self.stop();
        }
        self.spend(1);
        let sways = sway::matters(name);
        if sways {
            state.swayed = true;
            // The shell shows it before each command once it is told to (`set -x`).
            if name == "PS4" && matches!(&value, Value::Known(text) if text.contains(['`', '('])) {
                self.unknown(Why::Script);
            }
        }
        // The surroundings may have it already, and then programs see what it is now.
        state.set(name, value, export || sways);
    }

    /// Arithmetic may assign to variables.
    fn forget_numbers(&mut self, state: &mut State) {
        if self.spend(state.weight()) {
            state.forget_numbers();
        }
    }
}
