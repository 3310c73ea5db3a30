//! What a shell knows at one point of a command: where it is and what its names stand for.

use std::path::Path;
use std::rc::Rc;

use crate::Context;
use crate::ast::Command;
use crate::table::Argument;

/// How many working directories are considered at once.
const MAX_CWDS: usize = 4;

/// A variable's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Its text.
    Known(Rc<str>),
    /// It is an array with these elements.
    List(Rc<[Argument]>),
    /// It can't be told, or whether there is one.
    Unknown,
    /// It has none, for sure.
    Unset,
}

/// A variable.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Variable {
    /// Its name.
    pub(super) name: Rc<str>,
    /// What it holds.
    pub(super) value: Value,
    /// True if programs see it.
    pub(super) exported: bool,
}

/// A function; one name may have several bodies where it depends on a condition which is in force.
#[derive(Clone, Debug)]
pub(super) struct Function {
    /// Its name.
    pub(super) name: Rc<str>,
    /// What is run.
    pub(super) body: Rc<Command>,
    /// The text that the body's spans are about.
    pub(super) source: Rc<str>,
    /// True if it may as well not be defined.
    pub(super) maybe: bool,
}

/// How far a command has left the script that it stands in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Left {
    /// Not at all.
    #[default]
    Nothing,
    /// By `continue`.
    Round,
    /// By `break`.
    Loop,
    /// By `return`.
    Function,
    /// By `exit`.
    Shell,
}

/// The directories that may be the working directory; none means that it isn't known.
pub(super) type Cwds = Vec<Rc<Path>>;

/// What a shell knows.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// Where it is.
    pub(super) cwds: Cwds,
    /// Where it is instead if the `cd` just before has failed.
    pub(super) failed: Option<Cwds>,
    /// Where it was before, for `cd -`.
    pub(super) old: Cwds,
    /// What `pushd` has put aside.
    pub(super) stack: Vec<Cwds>,
    /// The variables that are known about, in the order of their names.
    pub(super) variables: Vec<Variable>,
    /// What `local` hides, to be put back when the function ends.
    pub(super) hidden: Vec<(Rc<str>, Option<Variable>)>,
    /// `$0`, where it was given.
    pub(super) zero: Option<Rc<str>>,
    /// `$1` …; `None` where not even their number is known.
    pub(super) positional: Option<Rc<[Argument]>>,
    /// The functions.
    pub(super) functions: Vec<Function>,
    /// The aliases.
    pub(super) aliases: Vec<(Rc<str>, Rc<str>)>,
    /// What `trap` runs at the end.
    pub(super) traps: Vec<Rc<str>>,
    /// `set -e`
    pub(super) errexit: bool,
    /// `set -a`
    pub(super) allexport: bool,
    /// `set -f`
    pub(super) noglob: bool,
    /// `shopt -s dotglob`
    pub(super) dotglob: bool,
    /// Whether what follows is still run.
    pub(super) left: Left,
    /// True if a variable was set that may make a program run another one.
    pub(super) swayed: bool,
}

impl State {
    /// How a command begins in `context`.
    pub(super) fn new(context: &Context<'_>) -> Self {
        let mut state = Self {
            cwds: vec![Rc::from(context.cwd.as_path())],
            positional: Some(Rc::from([])),
            ..Self::default()
        };
        if let Some(home) = context.home.as_ref().and_then(|home| home.to_str()) {
            state.set("HOME", Value::Known(Rc::from(home)), true);
        }
        for (name, value) in &context.variables {
            state.set(name, Value::Known(Rc::from(value.as_str())), true);
        }
        state
    }

    /// How the shell of a script begins that a program runs (`bash -c`): it sees what is exported.
    pub(super) fn inherited(&self) -> Self {
        let mut state =
            Self { cwds: self.cwds.clone(), old: self.old.clone(), swayed: self.swayed, ..Self::default() };
        state.variables = self
            .variables
            .iter()
            .filter(|v| v.exported && !matches!(v.value, Value::List(_)))
            .cloned()
            .collect();
        state
    }

    /// What it costs to copy, in units of work.
    pub(super) fn weight(&self) -> usize {
        1 + (self.variables.len() + self.functions.len() + self.aliases.len() + self.stack.len()) / 6
    }

    /// The only working directory.
    pub(super) fn cwd(&self) -> Option<&Rc<Path>> {
        match self.cwds.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Moves to `cwds`.
    pub(super) fn enter(&mut self, cwds: Cwds) {
        self.old = std::mem::replace(&mut self.cwds, cwds);
    }

    /// The variable `name`, if anything is known about it.
    pub(super) fn get(&self, name: &str) -> Option<&Variable> {
        self.variables.binary_search_by(|v| (*v.name).cmp(name)).ok().and_then(|i| self.variables.get(i))
    }

    /// Gives `name` a value; `export` adds to what it is already.
    pub(super) fn set(&mut self, name: &str, value: Value, export: bool) {
        let export = export || self.allexport;
        match self.variables.binary_search_by(|v| (*v.name).cmp(name)) {
            Ok(i) => {
                if let Some(variable) = self.variables.get_mut(i) {
                    variable.value = value;
                    variable.exported |= export;
                }
            }
            Err(i) => self.variables.insert(i, Variable { name: Rc::from(name), value, exported: export }),
        }
    }

    /// Puts back what was known about `name` before.
    pub(super) fn restore(&mut self, name: &str, before: Option<Variable>) {
        if let Ok(i) = self.variables.binary_search_by(|v| (*v.name).cmp(name)) {
            self.variables.remove(i);
        }
        if let Some(Variable { value, exported, .. }) = before {
            self.set(name, value, exported);
        }
    }

    /// Arithmetic may assign to any variable that holds a number.
    pub(super) fn forget_numbers(&mut self) {
        for variable in &mut self.variables {
            let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
            let changes = match &variable.value {
                Value::Known(text) => number(text),
                Value::List(list) => list.iter().any(|a| matches!(a, Argument::Known(text) if number(text))),
                Value::Unknown | Value::Unset => false,
            };
            if changes {
                variable.value = Value::Unknown;
            }
        }
    }

    /// Any variable may have changed.
    pub(super) fn forget(&mut self) {
        for variable in &mut self.variables {
            variable.value = Value::Unknown;
        }
    }

    /// What holds whether the command went this way or `other`'s; true if this differs from before.
    pub(super) fn join(&mut self, other: &Self) -> bool {
        // A way that ends the shell leads nowhere.
        if (self.left == Left::Shell) != (other.left == Left::Shell) {
            if self.left == Left::Shell {
                self.clone_from(other);
                return true;
            }
            return false;
        }
        let mut changed = meet(&mut self.cwds, &other.cwds);
        changed |= meet(&mut self.old, &other.old);
        if self.stack != other.stack {
            let shorter = self.stack.len().min(other.stack.len());
            self.stack.truncate(shorter);
            for (mine, theirs) in self.stack.iter_mut().zip(&other.stack) {
                changed |= meet(mine, theirs);
            }
        }
        changed |= self.join_variables(other);
        changed |= self.join_functions(other);
        if self.positional != other.positional {
            changed |= self.positional.is_some();
            self.positional = None;
        }
        union(&mut self.aliases, &other.aliases);
        union(&mut self.traps, &other.traps);
        self.errexit &= other.errexit;
        self.dotglob |= other.dotglob;
        self.noglob &= other.noglob;
        self.left = self.left.min(other.left);
        self.swayed |= other.swayed;
        changed
    }

    /// Keeps the values on which both agree.
    fn join_variables(&mut self, other: &Self) -> bool {
        let mut changed = false;
        for variable in &mut self.variables {
            let theirs = other.get(&variable.name);
            if variable.value != Value::Unknown && theirs.is_none_or(|v| v.value != variable.value) {
                variable.value = Value::Unknown;
                changed = true;
            }
            variable.exported |= theirs.is_some_and(|v| v.exported);
        }
        for variable in &other.variables {
            if self.get(&variable.name).is_none() {
                changed |= variable.value != Value::Unknown;
                self.set(&variable.name, Value::Unknown, variable.exported);
            }
        }
        changed
    }

    /// Keeps the bodies of both; those that only one knows may as well not be there.
    fn join_functions(&mut self, other: &Self) -> bool {
        let mut changed = false;
        for function in &mut self.functions {
            let same = other.functions.iter().find(|f| f.name == function.name);
            if !function.maybe && same.is_none_or(|f| f.maybe) {
                function.maybe = true;
                changed = true;
            }
        }
        for function in &other.functions {
            let mut mine = self.functions.iter().filter(|f| f.name == function.name).peekable();
            let fresh = mine.peek().is_none();
            if !mine.any(|f| Rc::ptr_eq(&f.body, &function.body)) {
                let mut function = function.clone();
                function.maybe |= fresh;
                self.functions.push(function);
                changed = true;
            }
        }
        changed
    }
}

/// The directories of either; true if there are more, or none is known any longer.
pub(super) fn meet(cwds: &mut Cwds, others: &[Rc<Path>]) -> bool {
    if cwds.is_empty() || cwds == others {
        return false;
    }
    let before = cwds.len();
    for other in others {
        if !cwds.contains(other) {
            cwds.push(Rc::clone(other));
        }
    }
    if others.is_empty() || cwds.len() > MAX_CWDS {
        cwds.clear();
    }
    cwds.len() != before
}

/// Adds what is missing.
fn union<T: Clone + PartialEq>(list: &mut Vec<T>, others: &[T]) {
    for other in others {
        if !list.contains(other) {
            list.push(other.clone());
        }
    }
}
