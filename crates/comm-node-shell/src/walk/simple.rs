//! Simple commands: assignments, aliases, functions, builtins, programs.

use super::Walker;
use super::pattern::NAME;
use super::state::{State, Value};
use super::sway;
use super::word::value;
use crate::Why;
use crate::ast::{Assignment, Command, Part, Word};
use crate::table::{Argument, personal_by_words};

/// The longest array that is added to.
const MAX_ELEMENTS: usize = 4096;
/// The longest value that a variable is followed with.
const MAX_VALUE: usize = 64 << 10;

impl Walker<'_> {
    /// Walks a simple command.
    pub(super) fn simple(
        &mut self,
        command: &Command,
        assignments: &[Assignment],
        words: &[Word],
        state: &mut State,
    ) {
        self.alias(command, words, state);
        let declares = match words.first().map(|word| word.parts.as_slice()) {
            Some([Part::Plain(name)]) => super::declare::is_declaration(name),
            _ => false,
        };
        let argv = if declares { Vec::new() } else { self.arguments(words, state) };
        // Where there is a program, its redirections know nothing of what is assigned for it.
        let (stdin, draft) = (self.stdin.clone(), self.draft.take());
        let mut captured = !words.is_empty() && self.redirects(&command.redirects, state);
        // What is assigned for one command only is taken back behind it.
        let mut before = Vec::new();
        for assignment in assignments {
            let value = self.assigned(assignment, state);
            if !words.is_empty() && assignment.name == "PATH" {
                before.push((sway::PATHS, state.get(sway::PATHS).cloned()));
            }
            if let Some(given) = &self.given.take() {
                self.paths(&assignment.name, given, state);
            }
            if !words.is_empty() {
                before.push((assignment.name.as_str(), state.get(&assignment.name).cloned()));
            }
            self.assign(state, &assignment.name, value, !words.is_empty());
        }
        if words.is_empty() {
            captured = self.redirects(&command.redirects, state);
        }
        let out = if captured { self.out.take() } else { None };
        if declares {
            self.declare(words, state);
        } else {
            self.run(&argv, state, true);
        }
        if captured {
            self.out = out;
        }
        (self.stdin, self.draft) = (stdin, draft);
        for (name, before) in before.into_iter().rev() {
            state.restore(name, before);
        }
    }

    /// The value that an assignment gives.
    fn assigned(&mut self, assignment: &Assignment, state: &mut State) -> Value {
        if let [Part::Array(words)] = assignment.value.parts.as_slice() {
            let old = state.get(&assignment.name).map(|variable| variable.value.clone());
            return self.list(words, if assignment.append { old } else { Some(Value::Unset) }, state);
        }
        let given = self.whole(&assignment.value, state);
        // What is added comes behind what was there.
        if assignment.name == "PATH" && !assignment.append {
            self.given = Some(given.clone());
        }
        let new = match value(given) {
            Value::Known(text) if text.len() > MAX_VALUE => Value::Unknown,
            new => new,
        };
        if let Some(subscript) = &assignment.subscript {
            self.arithmetic(subscript, state);
            return Value::Unknown;
        }
        if !assignment.append {
            return new;
        }
        added(state.get(&assignment.name).map(|variable| &variable.value), new)
    }

    /// The value of an array that `words` are added to.
    pub(super) fn list(&mut self, words: &[Word], old: Option<Value>, state: &mut State) -> Value {
        let mut elements = match old {
            Some(Value::Unset) => Some(Vec::new()),
            Some(Value::List(list)) if list.len() < MAX_ELEMENTS => Some(list.to_vec()),
            _ => None,
        };
        for word in words {
            // `[3]=x` says where it stands.
            if matches!(word.parts.first(), Some(Part::Plain(text)) if text.starts_with('[')) {
                elements = None;
            }
        }
        let mut new = self.arguments(words, state);
        match elements {
            Some(mut elements) if self.spend(1 + elements.len() / 8) => {
                elements.append(&mut new);
                Value::List(elements.into())
            }
            _ => Value::Unknown,
        }
    }

    /// Runs what `argv` says: in the `shell` itself its functions and builtins come first.
    pub(super) fn run(&mut self, argv: &[Argument], state: &mut State, shell: bool) {
        let (name, arguments) = match argv.split_first() {
            None => return,
            Some((Argument::Known(name), arguments)) if !name.contains(NAME) => (name.as_str(), arguments),
            Some((_, arguments)) => {
                self.out = None;
                if let Some(what) = personal_by_words(arguments) {
                    self.personal(what, state);
                }
                return self.unknown(Why::Name);
            }
        };
        if shell {
            if !self.call(name, arguments, state) && !self.builtin(name, argv, arguments, state) {
                self.program(argv, state);
            }
        } else if matches!(name, "echo" | "printf" | "test" | "[" | "true" | "false" | "kill" | "pwd") {
            self.print(argv, state);
        } else {
            self.program(argv, state);
        }
    }

    /// Walks a command with its alias put in, too: whether the alias is in force depends on the shell.
    fn alias(&mut self, command: &Command, words: &[Word], state: &mut State) {
        let Some(Word { parts, span }) = words.first() else { return };
        let [Part::Plain(name)] = parts.as_slice() else { return };
        let Some(place) = state.aliases.iter().position(|(alias, _)| **alias == **name) else { return };
        let mut own = self.copy(state);
        let (_, value) = own.aliases.swap_remove(place);
        let rest = self.source.get(span.end as usize..command.span.end as usize);
        let Some(rest) = rest else { return self.unknown(Why::Script) };
        let text = [&value, rest].concat();
        let certain = std::mem::replace(&mut self.certain, false);
        self.text(&text, &mut own);
        self.certain = certain;
        self.out = None;
        state.join(&own);
    }
}

/// What `+=` makes of a value.
pub(super) fn added(old: Option<&Value>, new: Value) -> Value {
    match (old, new) {
        (Some(Value::Known(old)), Value::Known(new)) if old.len() + new.len() <= MAX_VALUE => {
            Value::Known([&*old.to_owned(), &new].concat().into())
        }
        (Some(Value::Unset), new) => new,
        _ => Value::Unknown,
    }
}
