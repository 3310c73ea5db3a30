//! What a call does by its row.

use super::call::Words;
use super::lookup::Found;
use super::row::{Clause, Kind, Row, Slot, among};
use super::{Argument, Effect, Shape, Surroundings};
use crate::{Certainty, Why};

/// A call, and what is known of its effects so far.
pub(super) struct Call<'a> {
    /// The program, without directory and version.
    pub name: &'a str,
    /// Its arguments.
    pub words: Words<'a>,
    /// The same, as they were given.
    pub args: &'a [Argument],
    /// What surrounds it.
    pub around: &'a Surroundings<'a>,
    /// Its last subcommand, or `""`.
    pub subcommand: &'a str,
    /// The row that it is for, then those of the shorter subcommands.
    pub rows: Vec<Row<'a>>,
    /// Which program it is like, if the row says so.
    pub like: &'a str,
    /// The directory that it changes to (`-C`), relative to the working directory.
    pub cwd: Option<Argument>,
    /// The effects.
    out: Vec<Effect>,
    /// Why something isn't known, as far as that has been said.
    said: Vec<Why>,
}

impl<'a> Call<'a> {
    /// The call of `name` with `args` as its rows describe it. Subcommands are no longer among the operands.
    pub(super) fn new(
        name: &'a str,
        args: &'a [Argument],
        found: &Found<'a>,
        around: &'a Surroundings<'a>,
    ) -> Self {
        // Options behind the name of a program to run are that program's.
        let mut limit = usize::MAX;
        for (index, slot) in
            found.rows.first().map(|row| row.operands()).unwrap_or_default().iter().enumerate()
        {
            if matches!(slot.kind, Kind::Run | Kind::Script | Kind::Rest) {
                limit = found.depth + index;
            }
        }
        let mut words = Words::read(args, &found.rows, limit);
        let last = found.depth.checked_sub(1).and_then(|at| words.operands.get(at));
        let subcommand = last.map_or("", |argument| argument.text());
        words.operands.drain(..found.depth.min(words.operands.len()));
        words.dashes = words.dashes.map(|at| at.saturating_sub(found.depth));
        Self {
            name,
            words,
            args,
            around,
            subcommand,
            rows: found.rows.clone(),
            like: "",
            cwd: None,
            out: Vec::new(),
            said: Vec::new(),
        }
    }

    /// All effects, in the order of the row.
    pub(super) fn effects(mut self) -> Vec<Effect> {
        let Some(row) = self.rows.first().cloned() else { return self.out };
        let (mut goes, mut like, mut murky) = (true, None, false);
        // Behind an operand it may be meant for a program that this one runs: `go run x.go --help`.
        let runs = row.clauses().any(|clause| matches!(clause, Clause::Unknown | Clause::Code));
        if self.words.has("--help,--version") && (!runs || self.words.operands.is_empty()) {
            return self.out;
        }
        for clause in row.clauses() {
            match clause {
                Clause::Unless(flags) if self.is_given(flags) => return self.out,
                Clause::If(flags) => goes = self.is_given(flags),
                Clause::Like(name) => (self.like, like) = (name, super::handler(name)),
                _ => {}
            }
        }
        self.options();
        match self.name {
            "git" => super::git::configured(&mut self),
            "ssh" | "scp" | "rsync" | "mosh" => super::ssh::configured(&mut self),
            _ => {}
        }
        for clause in row.clauses() {
            match clause {
                Clause::Also(slot) if goes => self.by_default(slot),
                Clause::Unknown => self.unknown(Why::Program),
                Clause::Code => self.unknown(Why::Code),
                Clause::Reads => murky = true,
                _ => {}
            }
        }
        if goes && let Some(like) = like {
            like(&mut self);
        } else if goes {
            self.by_operands(&row.operands());
        }
        if self.words.murky && !murky {
            self.unknown(Why::Path);
        }
        self.out
    }

    /// Whether its row has an option `name` with a value.
    pub(super) fn declares(&self, name: &str) -> bool {
        self.rows.first().is_some_and(|row| {
            row.clauses()
                .any(|clause| matches!(clause, Clause::Option { names, .. } if among(names, ',', name)))
        })
    }

    /// Whether something of an `if:` or `unless:` was given: an option, a word, or `ARG`, any operand.
    fn is_given(&self, list: &str) -> bool {
        self.words.has(list)
            || list.split(',').any(|one| match one {
                "ARG" => !self.words.operands.is_empty(),
                _ => self.words.operands.iter().any(|operand| operand.is(one)),
            })
    }

    /// What the values of options say.
    fn options(&mut self) {
        let mut given = Vec::new();
        for option in &self.words.options {
            if let (Some(slot), Some(value)) = (option.slot, &option.value) {
                given.push((slot, value.clone()));
            }
        }
        // The directory first: all other paths are relative to it, in whatever order they stand.
        for (slot, value) in &given {
            if slot.kind == Kind::Cwd {
                self.cwd = Some(self.within(value));
            }
        }
        for (slot, value) in given {
            if slot.kind == Kind::Module {
                self.module(value);
            } else if slot.kind != Kind::Cwd {
                self.one(slot, value);
            }
        }
    }

    /// Shares the operands out among `slots`: those behind a repeated one are the last.
    fn by_operands(&mut self, slots: &[Slot<'a>]) {
        let operands = std::mem::take(&mut self.words.operands);
        let repeated = slots.iter().position(|slot| slot.repeated).unwrap_or(slots.len());
        let behind = slots.len().saturating_sub(repeated + 1);
        for (index, slot) in slots.iter().enumerate() {
            if matches!(slot.kind, Kind::Run | Kind::Script | Kind::Rest) {
                self.program(slot.kind);
                continue;
            }
            let mine = match index.cmp(&repeated) {
                std::cmp::Ordering::Less => operands.get(index..=index),
                std::cmp::Ordering::Equal => {
                    operands.get(repeated..operands.len().saturating_sub(behind).max(repeated))
                }
                std::cmp::Ordering::Greater => operands
                    .len()
                    .checked_sub(slots.len() - index)
                    .filter(|at| *at >= repeated)
                    .and_then(|at| operands.get(at..=at)),
            };
            match mine {
                Some(mine) if !mine.is_empty() => {
                    for operand in mine {
                        self.one(*slot, (*operand).clone());
                    }
                }
                _ => self.by_default(*slot),
            }
        }
        self.words.operands = operands;
    }

    /// What a slot says that nothing was given for.
    fn by_default(&mut self, slot: Slot<'a>) {
        match slot.default {
            // `FILE=*`: at a path that isn't known.
            Some("*") => self.one(slot, Argument::Unknown { prefix: String::new() }),
            Some(path) => match path.strip_prefix('^') {
                Some(name) => self.upwards(slot, name),
                None => self.one(slot, Argument::Known(path.to_owned())),
            },
            None if slot.kind == Kind::Worktree => self.one(slot, Argument::Known(".".to_owned())),
            None => {}
        }
    }

    /// A file that stands in a directory further up: `^Cargo.lock`.
    fn upwards(&mut self, slot: Slot<'a>, name: &str) {
        let path = match self.find_upwards(name) {
            Some(directory) => directory.join(name).to_string_lossy().into_owned(),
            None => name.to_owned(),
        };
        self.one(slot, Argument::Known(path));
    }

    /// What one value or operand says.
    pub(super) fn one(&mut self, slot: Slot<'a>, value: Argument) {
        let certainty = if slot.possible { Certainty::Possible } else { Certainty::Certain };
        let shape = match slot.kind {
            Kind::Arg | Kind::Cwd | Kind::Rest | Kind::Run => return,
            // A file called `-` is standard output.
            Kind::File if value.is("-") => return,
            Kind::File => Shape::File,
            Kind::Entry => Shape::Entry,
            Kind::Dir => Shape::Under,
            Kind::Worktree => Shape::Worktree,
            Kind::Tree => return self.tree(value, Shape::File, certainty),
            Kind::Spec => return self.pathspec(&value, Shape::File, certainty),
            Kind::Stem => {
                let value = Argument::Unknown { prefix: value.text().to_owned() };
                return self.write(value, Shape::File, certainty);
            }
            Kind::Url => {
                let name = if value.is_open() { "" } else { super::wrap::url_name(value.text()) };
                if !name.is_empty() || value.is_open() {
                    self.write(value.with(name), Shape::File, certainty);
                }
                return;
            }
            Kind::Script => return self.out.push(script(value)),
            Kind::Code => return self.unknown(Why::Code),
            Kind::Module | Kind::Unknown => return self.unknown(Why::Program),
        };
        self.write(value, shape, certainty);
    }

    /// A Python module: its arguments are all that stands behind it.
    fn module(&mut self, module: Argument) {
        let known = !module.is_open() && super::lookup::knows(module.text(), self.around.rows);
        if !known {
            return self.unknown(Why::Program);
        }
        let mut argv = vec![module];
        argv.extend_from_slice(self.words.rest);
        self.run(argv, Vec::new(), Certainty::Certain);
    }

    /// The program that is run: what is left of the arguments.
    fn program(&mut self, kind: Kind) {
        let rest = self.words.rest;
        if rest.is_empty() || kind == Kind::Rest {
            return;
        }
        if kind == Kind::Run {
            return self.run(rest.to_vec(), Vec::new(), Certainty::Certain);
        }
        let mut text = String::new();
        for arg in rest {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(arg.text());
            if arg.is_open() {
                return self.out.push(script(Argument::Unknown { prefix: text }));
            }
        }
        self.out.push(script(Argument::Known(text)));
    }

    /// Adds that something isn't known, once.
    pub(super) fn unknown(&mut self, why: Why) {
        if !self.said.contains(&why) {
            self.said.push(why);
            self.out.push(Effect::Unknown(why));
        }
    }

    /// Adds any other effect.
    pub(super) fn push(&mut self, effect: Effect) {
        self.out.push(effect);
    }

    /// Adds that a program is run.
    pub(super) fn run(
        &mut self,
        argv: Vec<Argument>,
        assignments: Vec<(String, Argument)>,
        certainty: Certainty,
    ) {
        if !argv.is_empty() {
            self.out.push(Effect::Run { argv, assignments, cwd: self.cwd.clone(), certainty });
        }
    }
}

/// A shell text that is run apart from the present shell.
fn script(text: Argument) -> Effect {
    Effect::Script { text, parameters: Vec::new(), here: false }
}
