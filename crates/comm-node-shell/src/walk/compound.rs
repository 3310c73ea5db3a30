//! Commands that are made of others: groups, branches, loops.

use std::rc::Rc;

use super::Walker;
use super::state::{Function, Left, State, Value};
use crate::ast::{Command, Kind, Script, Word};
use crate::table::Argument;

/// How many values a loop is followed with, one by one.
const MAX_ROUNDS: usize = 256;

impl Walker<'_> {
    /// Walks one command.
    pub(super) fn command(&mut self, command: &Command, state: &mut State) {
        if !self.spend(2) || !self.enter() {
            return;
        }
        let span = std::mem::replace(&mut self.span, command.span);
        if let Kind::Simple { assignments, words } = &command.kind {
            self.simple(command, assignments, words, state);
        } else {
            let stdin = self.stdin.clone();
            let captured = self.redirects(&command.redirects, state);
            let out = if captured { self.out.take() } else { None };
            self.compound(&command.kind, state);
            if captured {
                self.out = out;
            }
            self.stdin = stdin;
        }
        self.span = span;
        self.depth -= 1;
    }

    /// Walks a command that isn't simple; its redirections are done.
    fn compound(&mut self, kind: &Kind, state: &mut State) {
        match kind {
            Kind::Simple { .. } => {}
            Kind::Group(script) => self.script(script, state),
            Kind::Subshell(script) => self.apart(script, state),
            Kind::If { arms, otherwise } => self.branches(arms, otherwise.as_ref(), state),
            Kind::Loop { condition, body } => {
                self.condition(condition, state);
                self.repeat(Some(condition), body, state);
            }
            Kind::For { name, words, body } => self.each(name, words.as_deref(), body, state),
            Kind::ForArith { parts, body } => {
                self.arithmetic(parts, state);
                self.repeat(None, body, state);
            }
            Kind::Case { word, arms } => self.case(word, arms, state),
            Kind::Function { name, body } => self.define(name, body, state),
            Kind::Test(words) => {
                for word in words {
                    self.document(word, state);
                }
            }
            Kind::Arith(parts) => self.arithmetic(parts, state),
            Kind::Coproc(command) => {
                let mut own = self.fork(state);
                self.command(command, &mut own);
                self.finish(own);
                self.out = None;
            }
        }
    }

    /// Walks what decides about something else; that it fails is no fault.
    fn condition(&mut self, condition: &Script, state: &mut State) {
        let errexit = std::mem::take(&mut state.errexit);
        self.script(condition, state);
        state.errexit = errexit;
    }

    /// `if`
    fn branches(&mut self, arms: &[(Script, Script)], otherwise: Option<&Script>, state: &mut State) {
        let mut after: Option<State> = None;
        let certain = self.certain;
        for (condition, body) in arms {
            self.condition(condition, state);
            // Only the first condition is sure to be looked at.
            self.certain = false;
            let mut own = self.copy(state);
            self.perhaps(body, &mut own);
            join(&mut after, own);
        }
        if let Some(body) = otherwise {
            self.perhaps(body, state);
        }
        self.certain = certain;
        if let Some(after) = after {
            state.join(&after);
        }
    }

    /// `case`
    fn case(&mut self, word: &Word, arms: &[(Vec<Word>, Script)], state: &mut State) {
        self.document(word, state);
        let mut after: Option<State> = None;
        for (patterns, body) in arms {
            for pattern in patterns {
                self.document(pattern, state);
            }
            let mut own = self.copy(state);
            self.perhaps(body, &mut own);
            join(&mut after, own);
        }
        if let Some(after) = after {
            state.join(&after);
        }
    }

    /// What is run any number of times, also none.
    fn repeat(&mut self, condition: Option<&Script>, body: &Script, state: &mut State) {
        let broken = self.broken.take();
        for round in 0..3 {
            let mut own = self.copy(state);
            self.perhaps(body, &mut own);
            let once = own.left == Left::Loop;
            if own.left <= Left::Loop {
                own.left = Left::Nothing;
            }
            if let Some(condition) = condition {
                let certain = std::mem::replace(&mut self.certain, false);
                self.condition(condition, &mut own);
                self.certain = certain;
            }
            if let Some(broken) = self.broken.take() {
                own.join(&broken);
            }
            let places = state.cwds.len();
            if !state.join(&own) || once {
                break;
            }
            // It goes on changing, so in one more round nothing is taken to be known.
            if round > 0 {
                if state.cwds.len() != places {
                    state.cwds.clear();
                }
                state.forget();
            }
        }
        self.broken = broken;
    }

    /// `for`
    fn each(&mut self, name: &str, words: Option<&[Word]>, body: &Script, state: &mut State) {
        let values = match words {
            Some(words) => self.arguments(words, state),
            None => match &state.positional {
                Some(list) => list.to_vec(),
                None => vec![super::word::unknown("")],
            },
        };
        let (broken, certain) = (self.broken.take(), self.certain);
        let mut open = values.len() > MAX_ROUNDS;
        for value in values.into_iter().take(MAX_ROUNDS) {
            let Argument::Known(value) = value else {
                open = true;
                continue;
            };
            if self.work == 0 {
                break;
            }
            self.assign(state, name, Value::Known(value.into()), false);
            self.script(body, state);
            self.certain &= state.left != Left::Loop;
            if state.left <= Left::Loop {
                state.left = Left::Nothing;
            }
        }
        self.certain = certain;
        if open {
            self.assign(state, name, Value::Unknown, false);
            self.repeat(None, body, state);
        }
        if let Some(broken) = std::mem::replace(&mut self.broken, broken) {
            state.join(&broken);
        }
    }

    /// Defines a function.
    fn define(&mut self, name: &str, body: &Rc<Command>, state: &mut State) {
        if state.functions.len() >= super::MAX_NAMES {
            return self.stop();
        }
        state.functions.retain(|function| *function.name != *name);
        state.functions.push(Function {
            name: Rc::from(name),
            body: Rc::clone(body),
            source: Rc::clone(&self.source),
            maybe: false,
        });
    }

    /// Calls a function with `arguments`. False if there is none of that name, or may be none.
    pub(super) fn call(&mut self, name: &str, arguments: &[Argument], state: &mut State) -> bool {
        let bodies: Vec<Function> = state.functions.iter().filter(|f| *f.name == *name).cloned().collect();
        let alone = bodies.len() == 1 && bodies.iter().all(|body| !body.maybe);
        if alone {
            if let Some(function) = bodies.first() {
                self.body(function, arguments, state);
            }
            return true;
        }
        let before = self.copy(state);
        let certain = std::mem::replace(&mut self.certain, false);
        for function in &bodies {
            let mut own = self.copy(&before);
            self.body(function, arguments, &mut own);
            state.join(&own);
        }
        self.certain = certain;
        if !bodies.is_empty() {
            self.out = None;
        }
        bodies.iter().any(|body| !body.maybe)
    }

    /// Runs a function's body.
    fn body(&mut self, function: &Function, arguments: &[Argument], state: &mut State) {
        if !self.spend(1 + arguments.len() / 8) || !self.enter() {
            return;
        }
        let positional = state.positional.replace(Rc::from(arguments));
        let hidden = std::mem::take(&mut state.hidden);
        let source = std::mem::replace(&mut self.source, Rc::clone(&function.source));
        let (broken, returned) = (self.broken.take(), self.returned.take());
        let outer = std::mem::take(&mut state.left);
        self.calls += 1;
        self.command(&function.body, state);
        self.calls -= 1;
        if let Some(returned) = std::mem::replace(&mut self.returned, returned) {
            state.join(&returned);
        }
        if state.left < Left::Shell {
            state.left = outer;
        }
        self.broken = broken;
        self.source = source;
        for (name, before) in std::mem::replace(&mut state.hidden, hidden).into_iter().rev() {
            state.restore(&name, before);
        }
        state.positional = positional;
        self.depth -= 1;
    }

    /// `break`, `continue`, `return`, `exit`: what comes behind isn't run.
    pub(super) fn leave(&mut self, how: Left, state: &mut State) {
        let mut own = self.copy(state);
        let kept = match how {
            Left::Round | Left::Loop => &mut self.broken,
            Left::Function => &mut self.returned,
            Left::Nothing | Left::Shell => {
                state.left = state.left.max(how);
                return;
            }
        };
        own.left = Left::Nothing;
        match kept {
            Some(kept) => {
                kept.join(&own);
            }
            None => *kept = Some(own),
        }
        state.left = state.left.max(how);
    }
}

/// Joins what holds after one way with what holds after those before.
fn join(after: &mut Option<State>, own: State) {
    match after {
        Some(after) => {
            after.join(&own);
        }
        None => *after = Some(own),
    }
}
