//! `export`, `declare`, `local`, `readonly`, `typeset`: builtins whose arguments are assignments.

use super::Walker;
use super::pattern::{decode, next};
use super::simple::added;
use super::state::{State, Value};
use super::word::{Mode, value};
use crate::ast::{Part, Word};

/// True for a builtin that is described here.
pub(super) fn is_declaration(name: &str) -> bool {
    matches!(name, "export" | "declare" | "local" | "readonly" | "typeset")
}

impl Walker<'_> {
    /// Declares what `words` says, the first of which is the builtin's name.
    pub(super) fn declare(&mut self, words: &[Word], state: &mut State) {
        let mut words = words.iter();
        let mut text = String::new();
        if let Some(name) = words.next() {
            self.parts(&name.parts, Mode::Whole, state, &mut text);
        }
        let name = text;
        let mut flags = String::new();
        for word in words {
            let mut text = String::new();
            let array = match word.parts.split_last() {
                Some((Part::Array(elements), before)) => {
                    self.parts(before, Mode::Whole, state, &mut text);
                    Some(self.list(elements, Some(Value::Unset), state))
                }
                _ => {
                    self.parts(&word.parts, Mode::Whole, state, &mut text);
                    None
                }
            };
            if text.starts_with(['-', '+']) {
                flags.push_str(&text);
                continue;
            }
            let (left, right) = divide(&text);
            let (variable, true) = decode(left, false) else { continue };
            // `-p`, `-f` and `-F` only show.
            if flags.contains(['p', 'f', 'F']) || !is_name(variable.trim_end_matches('+')) {
                continue;
            }
            let right = right.map(|right| self.tilded(right, state));
            if let Some(right) = &right {
                self.paths(&variable, right, state);
            }
            let given = array.or_else(|| right.map(value));
            self.declared(&name, &flags, &variable, given, state);
        }
    }

    /// Declares one variable.
    fn declared(
        &mut self,
        builtin: &str,
        flags: &str,
        variable: &str,
        given: Option<Value>,
        state: &mut State,
    ) {
        let name = variable.trim_end_matches('+');
        let export = builtin == "export" || flags.contains('x');
        let local =
            self.calls > 0 && matches!(builtin, "local" | "declare" | "typeset") && !flags.contains('g');
        let old = state.get(name).cloned();
        if local && !state.hidden.iter().any(|(hidden, _)| **hidden == *name) {
            state.hidden.push((name.into(), old.clone()));
        }
        let value = match given {
            // Outside a function bash refuses it, others don't.
            _ if builtin == "local" && self.calls == 0 => Value::Unknown,
            // These change the value, or mean another variable by it.
            Some(_) if flags.contains(['n', 'i', 'u', 'l']) => Value::Unknown,
            Some(new) if variable.ends_with('+') => added(old.as_ref().map(|old| &old.value), new),
            Some(new) => new,
            None if local => Value::Unset,
            None => match old {
                Some(old) => old.value,
                None if export => Value::Unknown,
                None => return,
            },
        };
        self.assign(state, name, value, export);
    }
}

/// What stands before and behind the first `=`.
fn divide(text: &str) -> (&str, Option<&str>) {
    let mut chars = text.chars();
    while let Some((c, _)) = next(&mut chars) {
        if c == '=' {
            let rest = chars.as_str();
            let left = text.get(..text.len() - rest.len() - 1).unwrap_or_default();
            return (left.trim_end_matches('\\'), Some(rest));
        }
    }
    (text, None)
}

/// True for what may be a variable's name.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
