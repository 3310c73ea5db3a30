//! `cd`, `pushd`, `popd`: where the shell goes, and where it stays if that fails.

use std::path::Path;
use std::rc::Rc;

use comm_node_core::path::lexical;

use super::Walker;
use super::parameter::lookup;
use super::program::below;
use super::state::{Cwds, State, Value, meet};
use crate::table::Argument;

/// How many directories `pushd` keeps.
const MAX_STACK: usize = 64;

impl Walker<'_> {
    /// `cd`
    pub(super) fn cd(&mut self, arguments: &[Argument], state: &mut State) {
        let mut physical = false;
        let mut operands = Vec::new();
        for argument in arguments {
            match argument {
                Argument::Known(text) if operands.is_empty() && text == "--" => {}
                Argument::Known(text)
                    if operands.is_empty()
                        && text.len() > 1
                        && text
                            .strip_prefix('-')
                            .is_some_and(|flags| flags.bytes().all(|b| b"LPeq@".contains(&b))) =>
                {
                    physical = text.contains('P');
                }
                _ => operands.push(argument),
            }
        }
        match operands.as_slice() {
            [] => match lookup(state, "HOME") {
                Value::Known(home) => self.go(&home, physical, state),
                _ => state.enter(Vec::new()),
            },
            [Argument::Known(text)] if text == "-" => {
                let old = state.old.clone();
                state.enter(old);
            }
            // `cd -2`: what some shells find in the stack.
            [Argument::Known(text)] if text.starts_with('-') => state.enter(Vec::new()),
            [Argument::Known(text)] if !text.is_empty() => self.go(text, physical, state),
            [Argument::Known(_)] => {}
            // An unknown one; and with two of them some shells replace a part of the path.
            _ => state.enter(Vec::new()),
        }
    }

    /// Goes to `path`.
    fn go(&mut self, path: &str, physical: bool, state: &mut State) {
        let led = physical && below(&state.cwds, path).iter().any(|place| self.links.lead(place));
        let target: Cwds = if led {
            return state.enter(Vec::new());
        } else if physical {
            below(&state.cwds, path)
        } else if Path::new(path).is_absolute() {
            vec![Rc::from(lexical(Path::new("/"), Path::new(path)))]
        } else {
            state.cwds.iter().map(|cwd| Rc::from(lexical(cwd, Path::new(path)))).collect()
        };
        let mut failed = Vec::new();
        // From an absolute path there is one way only, wherever it begins.
        let from: &[Rc<Path>] = &state.cwds;
        for (i, directory) in target.iter().enumerate() {
            let made = self.links.made(directory);
            let gone = made != Some(true) && self.links.gone(directory);
            let sure = self.spend(4) && !gone && (self.stays(directory) || self.makes(directory));
            if !sure && target.len() == from.len() {
                failed.extend(from.get(i).map(Rc::clone));
            } else if !sure {
                state.failed = Some(from.to_vec());
            }
        }
        if !failed.is_empty() {
            state.failed = Some(failed);
        }
        let old = std::mem::take(&mut state.old);
        state.enter(target);
        if state.failed.is_some() {
            meet(&mut state.old, &old);
        }
    }

    /// True if something that was run so far may have made a directory of `path`.
    fn makes(&mut self, path: &Path) -> bool {
        if !self.found.set.unknown.is_empty() || self.temporary.iter().any(|made| path.starts_with(made)) {
            return true;
        }
        self.spend(self.found.set.writes.len() * (1 + path.as_os_str().len() / 32) / 4)
            && (self.links.made(path).is_some() || self.found.makes(path, false))
    }

    /// `pushd`
    pub(super) fn pushd(&mut self, arguments: &[Argument], state: &mut State) {
        let here = state.cwds.clone();
        match arguments {
            [] => match state.stack.pop() {
                Some(there) => state.enter(there),
                None => state.enter(Vec::new()),
            },
            [Argument::Known(text)] if !text.starts_with(['+', '-']) => self.cd(arguments, state),
            // It turns the stack.
            _ => {
                state.stack.clear();
                return state.enter(Vec::new());
            }
        }
        // Where it may have failed, what `popd` finds isn't known.
        if state.failed.is_none() && state.stack.len() < MAX_STACK {
            state.stack.push(here);
        } else {
            state.stack.clear();
        }
    }

    /// `popd`
    pub(super) fn popd(&mut self, arguments: &[Argument], state: &mut State) {
        let there = if arguments.is_empty() { state.stack.pop() } else { None };
        state.enter(there.unwrap_or_default());
    }
}
