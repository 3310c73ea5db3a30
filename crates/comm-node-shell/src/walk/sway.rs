//! Variables that make a program run another one, or another one in its place.

use super::Walker;
use super::state::{State, Value};
use crate::Why;
use crate::table::{Argument, Effect, runs};

/// Under this name, which no variable can have, stands what `PATH` was set to so that programs may be others than their
/// names say.
pub(super) const PATHS: &str = "PATH=";

/// What a look into the table of variables costs.
const LOOK: usize = 2;

/// Whether the variable `name` can make a program run another one.
pub(super) fn matters(name: &str) -> bool {
    matches!(name, PATHS)
        || runs::variable(name).is_some()
        || name.starts_with(runs::KEY)
        || name.starts_with(runs::VALUE)
}

impl Walker<'_> {
    /// Notes that `PATH` is set to `value`, if `name` is that.
    pub(super) fn paths(&mut self, name: &str, value: &Argument, state: &mut State) {
        if name != "PATH" {
            return;
        }
        // All of it empty is the working directory.
        if !runs::is_usual_path(value.text(), self.home.as_deref())
            || matches!(value, Argument::Known(text) if text.is_empty())
        {
            self.assign(state, PATHS, Value::Known("odd".into()), true);
        } else if !value.is_open() {
            // Behind what isn't known mostly stands what it was before.
            state.restore(PATHS, None);
        }
    }

    /// What the program `argv[0]` may do because of the variables that it is given.
    pub(super) fn swayed(&mut self, argv: &[Argument], state: &State) {
        let Some(Argument::Known(program)) = argv.first() else { return };
        if !self.enter() {
            return;
        }
        let (certain, stdin) = (std::mem::replace(&mut self.certain, false), self.stdin.take());
        for variable in &state.variables {
            if !self.spend(LOOK) {
                break;
            }
            let value = match &variable.value {
                // As it was before.
                Value::Known(text) if self.home.as_ref() == Some(text) && &*variable.name == "HOME" => {
                    continue;
                }
                Value::Known(text) => Argument::Known(text.to_string()),
                Value::Unset => continue,
                _ => super::word::unknown(""),
            };
            let name = &*variable.name;
            let found = match runs::variable(name) {
                // What a program of its own name is called by isn't looked for.
                _ if name == PATHS => (!program.contains('/')).then_some(Effect::Unknown(Why::Program)),
                Some((programs, kind)) if runs::looks(program, programs) => runs::effect(kind, &value),
                _ if name.starts_with(runs::KEY) && runs::looks(program, "git") => {
                    setting(name, &value, state)
                }
                _ => None,
            };
            if let Some(effect) = found {
                // Its own value is not looked at once more in there.
                let mut own = self.copy(state);
                own.restore(name, None);
                self.effect(effect, &own);
            }
        }
        (self.certain, self.stdin) = (certain, stdin);
        self.depth -= 1;
    }
}

/// What the setting of git does whose key stands in the variable `name`.
fn setting(name: &str, key: &Argument, state: &State) -> Option<Effect> {
    let Argument::Known(key) = key else { return Some(Effect::Unknown(Why::Name)) };
    let number = name.strip_prefix(runs::KEY)?;
    let value = match state.get(&[runs::VALUE, number].concat()).map(|variable| &variable.value) {
        Some(Value::Known(text)) => Argument::Known(text.to_string()),
        _ => super::word::unknown(""),
    };
    runs::setting(key, &value)
}
