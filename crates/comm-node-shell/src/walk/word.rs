//! Expansion: from a word of a command to the arguments that a program gets.

use std::rc::Rc;

use super::glob::Found;
use super::pattern::{
    BREAK, NAME, NULL, UNKNOWN, decode, holds, is_pattern, next, push_plain, push_quoted, push_value,
};
use super::program::REST;
use super::state::{State, Value};
use super::{Walker, brace};
use crate::ast::{Part, Word};
use crate::table::Argument;

/// The most arguments of one command.
const MAX_ARGUMENTS: usize = 4096;

/// How an expansion is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// As an argument: split into fields where it isn't quoted.
    Split,
    /// As one text, as in an assignment or a here-document.
    Whole,
}

impl Walker<'_> {
    /// The arguments that `words` become.
    pub(super) fn arguments(&mut self, words: &[Word], state: &mut State) -> Vec<Argument> {
        let mut out = Vec::with_capacity(words.len());
        for word in words {
            self.word(word, state, &mut out);
            if out.len() > MAX_ARGUMENTS {
                self.stop();
            }
            if self.work == 0 {
                out.truncate(MAX_ARGUMENTS);
                out.push(unknown(""));
                break;
            }
        }
        out
    }

    /// Adds the arguments that `word` becomes.
    fn word(&mut self, word: &Word, state: &mut State, out: &mut Vec<Argument>) {
        let mut text = String::new();
        self.parts(&word.parts, Mode::Split, state, &mut text);
        if !holds(&text, '{') {
            return self.fields(&text, state, out);
        }
        match brace::expand(&text) {
            Some(texts) => texts.iter().for_each(|text| self.fields(text, state, out)),
            None => out.push(unknown("")),
        }
    }

    /// Splits a text into fields, and expands each.
    fn fields(&mut self, text: &str, state: &State, out: &mut Vec<Argument>) {
        let mut start = 0;
        let mut chars = text.chars();
        loop {
            let at = text.len() - chars.as_str().len();
            let found = next(&mut chars);
            if matches!(found, None | Some((BREAK, false))) {
                let field = text.get(start..at).unwrap_or_default();
                if !field.is_empty() && out.len() <= MAX_ARGUMENTS {
                    self.field(field, state, out);
                }
                start = text.len() - chars.as_str().len();
            }
            if found.is_none() {
                return;
            }
        }
    }

    /// One field: tildes, then names that it matches.
    fn field(&mut self, field: &str, state: &State, out: &mut Vec<Argument>) {
        if !self.spend(1) {
            return;
        }
        let field = tilde(field, false, state);
        if holds(&field, UNKNOWN) || holds(&field, '(') {
            // An extended pattern, `@(a|b)`, is not expanded here.
            return out.push(unknown(&decode(&field, true).0));
        }
        let literal = decode(&field, false).0;
        if state.noglob || !is_pattern(&field) {
            return out.push(Argument::Known(literal));
        }
        if state.cwds.is_empty() && !field.starts_with('/') {
            return out.push(unknown(&decode(&field, true).0));
        }
        match self.glob(&field, state) {
            Found::Names(names) if names.is_empty() => out.push(Argument::Known(literal)),
            Found::Names(names) => out.extend(names.into_iter().map(Argument::Known)),
            Found::TooMany => {
                // It stands for itself until something is written there.
                let prefix = decode(&field, true).0;
                let end = prefix.rfind('/').map_or(0, |slash| slash + 1);
                let directory = prefix.get(..end).unwrap_or_default().to_owned();
                self.wide.push((literal.clone(), directory));
                out.push(Argument::Known(literal));
            }
        }
    }

    /// What `word` becomes where it is not split: in an assignment, a here-document …
    pub(super) fn whole(&mut self, word: &Word, state: &mut State) -> Argument {
        let mut text = String::new();
        self.parts(&word.parts, Mode::Whole, state, &mut text);
        argument(&tilde(&text, true, state))
    }

    /// What an assignment gives, from what its parts became.
    pub(super) fn tilded(&self, text: &str, state: &State) -> Argument {
        argument(&tilde(text, true, state))
    }

    /// What a here-document becomes; a `~` is itself in it.
    pub(super) fn document(&mut self, word: &Word, state: &mut State) -> Argument {
        let mut text = String::new();
        self.parts(&word.parts, Mode::Whole, state, &mut text);
        argument(&text)
    }

    /// The same; where it isn't all known, what is known of it too, with a variable in the place of the rest.
    pub(super) fn here(&mut self, word: &Word, state: &mut State) -> (Argument, Option<Rc<str>>) {
        let mut text = String::new();
        self.parts(&word.parts, Mode::Whole, state, &mut text);
        let argument = argument(&text);
        let draft = argument.is_open().then(|| decode(&text.replace(UNKNOWN, REST), false).0);
        (argument, draft.map(Rc::from))
    }

    /// Adds what `parts` become, before braces, fields and patterns are looked at.
    pub(super) fn parts(&mut self, parts: &[Part], mode: Mode, state: &mut State, out: &mut String) {
        for part in parts {
            let before = out.len();
            match part {
                Part::Plain(text) => push_plain(out, text),
                Part::Quoted(text) => {
                    out.push(NULL);
                    push_quoted(out, text);
                }
                Part::Parameter(parameter) => self.parameter(parameter, mode, state, out),
                Part::Command { script, quoted } => {
                    let value = self.substitution(script, state);
                    push(out, &value, *quoted || mode == Mode::Whole, state);
                }
                Part::Arith(parts) => {
                    self.arithmetic(parts, state);
                    out.push(NAME);
                }
                Part::Process(script) => {
                    self.apart(script, state);
                    push_quoted(out, "/dev/fd/63");
                }
                // What an array holds is seen to where it is assigned.
                Part::Array(words) => {
                    self.arguments(words, state);
                    out.push(UNKNOWN);
                }
            }
            if !self.spend(1 + (out.len() - before) / 8) {
                out.clear();
                return out.push(UNKNOWN);
            }
        }
    }

    /// Walks the expansions in arithmetic, which may assign to variables.
    pub(super) fn arithmetic(&mut self, parts: &[Part], state: &mut State) {
        let mut text = String::new();
        self.parts(parts, Mode::Whole, state, &mut text);
        if self.assigns() {
            self.forget_numbers(state);
        }
    }

    /// Whether arithmetic in the piece that is looked at may assign; from the first of it on, everything
    /// is taken for arithmetic.
    fn assigns(&self) -> bool {
        let piece = self.source.get(self.span.start as usize..self.span.end as usize);
        let Some((_, text)) = piece.and_then(|piece| piece.split_once("((")) else { return true };
        let mut before = ' ';
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let next = chars.peek().copied().unwrap_or(' ');
            match c {
                '+' | '-' if next == c => return true,
                // Neither of `==`, `!=`, `<=`, `>=`; but `<<=` and `>>=` are.
                '=' if next == '=' => {
                    chars.next();
                }
                '=' if !matches!(before, '!' | '<' | '>') || text.contains("<<=") || text.contains(">>=") => {
                    return true;
                }
                _ => {}
            }
            before = c;
        }
        false
    }
}

/// Adds a value to a text.
pub(super) fn push(out: &mut String, value: &Value, quoted: bool, state: &State) {
    if quoted {
        out.push(NULL);
    }
    match value {
        Value::Known(text) if quoted => push_quoted(out, text),
        Value::Known(text) => match state.get("IFS").map(|v| &v.value) {
            None | Some(Value::Unset) => push_value(out, text, " \t\n"),
            Some(Value::Known(separators)) => push_value(out, text, separators),
            Some(Value::Unknown | Value::List(_)) => out.push(UNKNOWN),
        },
        Value::List(list) => {
            if let Some(first) = list.first() {
                push(out, &self::value(first.clone()), quoted, state);
            }
        }
        Value::Unset => {}
        Value::Unknown => out.push(UNKNOWN),
    }
}

/// An argument that isn't known behind `prefix`.
pub(super) fn unknown(prefix: &str) -> Argument {
    Argument::Unknown { prefix: prefix.to_owned() }
}

/// A text as an argument.
fn argument(text: &str) -> Argument {
    match decode(text, false) {
        (known, true) => Argument::Known(known),
        (prefix, false) => Argument::Unknown { prefix },
    }
}

/// An argument as a value.
pub(super) fn value(argument: Argument) -> Value {
    match argument {
        Argument::Known(text) => Value::Known(text.into()),
        Argument::Unknown { .. } => Value::Unknown,
    }
}

/// `field` with the home directory for `~`: at its beginning, behind the `=` of what looks like an
/// assignment, and in an assignment's value behind each `:`.
fn tilde(field: &str, assigned: bool, state: &State) -> String {
    if !holds(field, '~') {
        return field.to_owned();
    }
    let mut out = String::with_capacity(field.len() + 32);
    let mut chars = field.chars();
    let mut here = true;
    let mut named = !assigned;
    loop {
        let rest = chars.as_str();
        let Some((c, quoted)) = next(&mut chars) else { return out };
        if here && c == '~' && !quoted {
            let user: &str = chars.as_str().split(['/', ':']).next().unwrap_or_default();
            let home = match user {
                "" => super::parameter::lookup(state, "HOME"),
                "+" => super::parameter::lookup(state, "PWD"),
                "-" => super::parameter::lookup(state, "OLDPWD"),
                _ => Value::Unknown,
            };
            push(&mut out, &home, true, state);
            chars = chars.as_str().get(user.len()..).unwrap_or_default().chars();
            here = false;
            continue;
        }
        here = !quoted && (c == '=' && named || c == ':' && assigned);
        named = named && !quoted && c != '=' && (c.is_ascii_alphanumeric() || c == '_');
        out.push_str(rest.get(..rest.len() - chars.as_str().len()).unwrap_or_default());
    }
}
