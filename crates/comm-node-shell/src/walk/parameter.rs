//! Parameter expansion: `$x`, `${x:-w}`, `${x##w}` …

use std::rc::Rc;

use super::Walker;
use super::pattern::{BREAK, NAME, UNKNOWN, push_quoted, without_prefix, without_suffix};
use super::state::{State, Value};
use super::word::{Mode, push};
use crate::ast::{Parameter, ParameterOp, Word};
use crate::table::Argument;

impl Walker<'_> {
    /// Adds what a parameter becomes.
    pub(super) fn parameter(
        &mut self,
        parameter: &Parameter,
        mode: Mode,
        state: &mut State,
        out: &mut String,
    ) {
        let quoted = parameter.quoted || mode == Mode::Whole;
        let name = parameter.name.as_str();
        if matches!(parameter.op, ParameterOp::Value) && matches!(name, "@" | "*") {
            return match state.positional.as_deref() {
                Some(list) => all(list, name == "@", quoted, state, out),
                None => out.push(UNKNOWN),
            };
        }
        if matches!(parameter.op, ParameterOp::Value)
            && let Some(prefix) = beginning(state, name)
        {
            push_quoted(out, prefix);
            return out.push(UNKNOWN);
        }
        let value = lookup(state, name);
        let empty = match &value {
            Value::Known(text) => text.is_empty(),
            Value::List(list) => list.is_empty(),
            Value::Unset => true,
            Value::Unknown => false,
        };
        match &parameter.op {
            ParameterOp::Value | ParameterOp::Demand(_) => push(out, &value, quoted, state),
            ParameterOp::Default(word) | ParameterOp::Assign(word) if empty => {
                if matches!(parameter.op, ParameterOp::Assign(_)) {
                    let assigned = super::word::value(self.whole(word, state));
                    push(out, &assigned, quoted, state);
                    self.assign(state, name, assigned, false);
                } else {
                    self.inner(word, quoted, mode, state, out);
                }
            }
            ParameterOp::Default(word) | ParameterOp::Assign(word) => {
                self.unused(word, state);
                if matches!((&value, &parameter.op), (Value::Unknown, ParameterOp::Assign(_))) {
                    self.assign(state, name, Value::Unknown, false);
                }
                push(out, &value, quoted, state);
            }
            ParameterOp::Alternative(word) => match value {
                Value::Unknown => {
                    self.unused(word, state);
                    out.push(UNKNOWN);
                }
                _ if empty => push(out, &Value::Unset, quoted, state),
                _ => self.inner(word, quoted, mode, state, out),
            },
            ParameterOp::Prefix(word, longest) => self.cut(&value, word, *longest, true, quoted, state, out),
            ParameterOp::Suffix(word, longest) => self.cut(&value, word, *longest, false, quoted, state, out),
            ParameterOp::Elements(separate) => match &value {
                Value::List(list) => all(list, *separate, quoted, state, out),
                other => push(out, other, quoted, state),
            },
            ParameterOp::Other(parts) => {
                let mut text = String::new();
                self.parts(parts, Mode::Whole, state, &mut text);
                out.push(UNKNOWN);
            }
        }
    }

    /// Adds a word that stands for the value.
    fn inner(&mut self, word: &Word, quoted: bool, mode: Mode, state: &mut State, out: &mut String) {
        if quoted {
            out.push(super::pattern::NULL);
        }
        self.parts(&word.parts, if quoted { Mode::Whole } else { mode }, state, out);
    }

    /// A word that may be expanded, or not: only what its commands write counts.
    fn unused(&mut self, word: &Word, state: &mut State) {
        let certain = std::mem::replace(&mut self.certain, false);
        let mut text = String::new();
        self.parts(&word.parts, Mode::Whole, state, &mut text);
        self.certain = certain;
    }

    /// Adds a value without what matches at its beginning or end.
    #[expect(clippy::too_many_arguments, reason = "the operator's parts and the expansion's")]
    fn cut(
        &mut self,
        value: &Value,
        word: &Word,
        longest: bool,
        prefix: bool,
        quoted: bool,
        state: &mut State,
        out: &mut String,
    ) {
        let mut pattern = String::new();
        self.parts(&word.parts, Mode::Whole, state, &mut pattern);
        let text = match value {
            Value::Known(text) if !text.contains(NAME) && !pattern.contains(NAME) => text,
            Value::Unset => return push(out, value, quoted, state),
            _ => return out.push(UNKNOWN),
        };
        // Each cut is tried, and each may look at every character.
        let work = text.len().saturating_mul(text.len()).saturating_mul(pattern.len()) / 512;
        if super::pattern::holds(&pattern, UNKNOWN)
            || super::pattern::holds(&pattern, '(')
            || !self.spend(work)
        {
            return out.push(UNKNOWN);
        }
        let rest = if prefix {
            without_prefix(text, &pattern, longest)
        } else {
            without_suffix(text, &pattern, longest)
        };
        push(out, &Value::Known(rest.into()), quoted, state);
    }
}

/// Adds all positional parameters, or all elements of an array.
fn all(list: &[Argument], separate: bool, quoted: bool, state: &State, out: &mut String) {
    for (i, argument) in list.iter().enumerate() {
        if i > 0 {
            if quoted && !separate {
                out.push_str("\\ ");
            } else {
                out.push(BREAK);
            }
        }
        if let Argument::Unknown { prefix } = argument {
            push_quoted(out, prefix);
        }
        push(out, &known(argument), quoted, state);
    }
}

/// An argument's value.
fn known(argument: &Argument) -> Value {
    match argument {
        Argument::Known(text) => Value::Known(text.as_str().into()),
        Argument::Unknown { .. } => Value::Unknown,
    }
}

/// A parameter's value.
pub(super) fn lookup(state: &State, name: &str) -> Value {
    if name.bytes().all(|b| b.is_ascii_digit()) {
        return position(state, name);
    }
    match name {
        "#" => match state.positional.as_deref() {
            Some(list) if list.iter().all(|a| matches!(a, Argument::Known(_))) => {
                Value::Known(list.len().to_string().into())
            }
            _ => Value::Known(String::from(NAME).into()),
        },
        "@" | "*" if state.positional.as_deref().is_some_and(<[_]>::is_empty) => Value::Unset,
        "PWD" => directory(&state.cwds),
        "OLDPWD" => directory(&state.old),
        _ => match state.get(name) {
            Some(variable) => variable.value.clone(),
            // Numbers, though nobody knows which.
            None if NUMBERS.split(' ').any(|number| number == name) => {
                Value::Known(String::from(NAME).into())
            }
            None => Value::Unknown,
        },
    }
}

/// Parameters that hold a number unless they were assigned something else.
const NUMBERS: &str = "$ ! ? RANDOM SECONDS BASHPID UID EUID PPID LINENO";

/// How a positional parameter begins that isn't known.
fn beginning<'a>(state: &'a State, name: &str) -> Option<&'a str> {
    let index = name.parse::<usize>().ok()?.checked_sub(1)?;
    let list = state.positional.as_deref()?;
    let (Argument::Unknown { prefix }, before) = (list.get(index)?, list.get(..index)?) else { return None };
    let alone = before.iter().all(|argument| matches!(argument, Argument::Known(_)));
    (alone && !prefix.is_empty()).then_some(prefix)
}

/// `$0`, `$1` …
fn position(state: &State, name: &str) -> Value {
    if name == "0" {
        return state.zero.as_ref().map_or(Value::Unknown, |zero| Value::Known(Rc::clone(zero)));
    }
    let (Ok(number), Some(list)) = (name.parse::<usize>(), state.positional.as_deref()) else {
        return Value::Unknown;
    };
    let Some(index) = number.checked_sub(1) else { return Value::Unknown };
    // An unknown one may be any number of them.
    if list.iter().take(number).any(|argument| matches!(argument, Argument::Unknown { .. })) {
        return Value::Unknown;
    }
    list.get(index).map_or(Value::Unset, known)
}

/// A working directory as a value.
fn directory(cwds: &[std::rc::Rc<std::path::Path>]) -> Value {
    match cwds {
        [only] => only.to_str().map_or(Value::Unknown, |text| Value::Known(text.into())),
        _ => Value::Unknown,
    }
}
