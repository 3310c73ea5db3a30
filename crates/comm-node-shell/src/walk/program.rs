//! What programs do: the table's answer, put into the place where they run.

use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use comm_node_core::path::lexical;
use comm_node_core::personal::Personal;

use super::Walker;
use super::pattern::NAME;
use super::state::{Cwds, State};
use super::word::value;
use crate::table::{Argument, Effect, Shape, Surroundings, effects};
use crate::{Certainty, Target, Why};

/// What a look into the table costs.
const LOOK: usize = 70;
/// A variable that nothing sets: it stands for what isn't known of a text.
pub(super) const REST: &str = "$COMM_NODE_REST_OF_TEXT";
/// How often one program's arguments are looked for among the directories that were made.
const MAX_LOOKS: usize = 256;

impl Walker<'_> {
    /// Runs a program that is not the shell's own. `argv[0]` is known.
    pub(super) fn program(&mut self, argv: &[Argument], state: &State) {
        let out = self.out.take();
        let printed = if out.is_some() { self.printed(argv, state) } else { None };
        if state.swayed {
            self.swayed(argv, state);
        }
        if state.cwds.len() < 2 {
            self.consult(argv, state);
        } else {
            for cwd in &state.cwds {
                let mut own = self.copy(state);
                own.cwds = vec![Rc::clone(cwd)];
                let certain = std::mem::replace(&mut self.certain, false);
                self.consult(argv, &own);
                self.certain = certain;
            }
        }
        self.out = out.zip(printed).map(|(out, printed)| out + &printed);
    }

    /// Asks the table about a program, where at most one working directory is possible.
    fn consult(&mut self, argv: &[Argument], state: &State) {
        if !self.spend(LOOK + argv.len() * 2) || !self.enter() {
            return;
        }
        let links = &self.links;
        // Each look goes through all that was made, so there can't be any number of them.
        let looks = std::cell::Cell::new(MAX_LOOKS);
        let made = |path: &Path| {
            looks.set(looks.get().saturating_sub(1));
            if looks.get() == 0 { Some(false) } else { links.made(path) }
        };
        let cwd = state.cwd().map(AsRef::as_ref);
        let found = effects(
            argv,
            &Surroundings { cwd, tree: self.tree, made: &made, rows: self.rows, own: self.own },
        );
        for effect in found {
            if !self.spend(1) {
                break;
            }
            self.effect(effect, state);
        }
        self.depth -= 1;
    }

    /// Follows one effect.
    pub(super) fn effect(&mut self, effect: Effect, state: &State) {
        match effect {
            Effect::Write { path, shape, certainty } => self.write(&path, shape, certainty, state),
            Effect::Stands { name, what } => self.stands(&name, &what, state),
            Effect::Run { argv, assignments, cwd, certainty } => {
                let mut own = self.copy(state);
                for (name, argument) in assignments {
                    self.paths(&name, &argument, &mut own);
                    self.assign(&mut own, &name, value(argument), true);
                }
                match cwd {
                    Some(Argument::Known(path)) => own.cwds = below(&state.cwds, &path),
                    Some(Argument::Unknown { .. }) => own.cwds.clear(),
                    None => {}
                }
                let certain = self.certain;
                self.certain &= certainty == Certainty::Certain;
                self.run(&argv, &mut own, false);
                self.certain = certain;
            }
            Effect::Script { text: Argument::Known(text), parameters, here } => {
                let mut own = self.copy(state);
                if !here {
                    own = own.inherited();
                    let mut parameters = parameters.into_iter();
                    match parameters.next() {
                        Some(Argument::Known(zero)) => own.zero = Some(zero.into()),
                        // It may be any number of words, so nothing can be said of `$1` either.
                        Some(Argument::Unknown { .. }) => {
                            parameters = vec![super::word::unknown("")].into_iter()
                        }
                        None => {}
                    }
                    own.positional = Some(parameters.collect());
                }
                self.text(&text, &mut own);
                self.finish(own);
            }
            Effect::ScriptFromStdin { parameters } => match self.stdin.take() {
                Some(text) => {
                    let mut own = state.inherited();
                    own.positional = Some(Rc::from(parameters));
                    self.text(&text, &mut own);
                    self.finish(own);
                    self.stdin = Some(text);
                }
                None => {
                    if let Some(text) = self.draft.take() {
                        self.draft(&text, state);
                    }
                    self.unknown(Why::Script);
                }
            },
            Effect::Script { text: Argument::Unknown { prefix }, .. } => {
                self.draft(&draft(&prefix), state);
                self.unknown(Why::Script);
            }
            Effect::Elsewhere(Some(text)) => self.draft(&text, state),
            Effect::Elsewhere(None) => {
                if let Some(text) = self.stdin.take() {
                    self.draft(&text, state);
                    self.stdin = Some(text);
                }
            }
            Effect::Personal(what) => self.personal(what, state),
            Effect::Unknown(why) => self.unknown(why),
        }
    }

    /// Notes that something is run that is for a person.
    pub(super) fn personal(&mut self, what: &'static Personal, state: &State) {
        if state.cwds.is_empty() {
            self.found.personal(what, None, &self.source, self.span);
        }
        for cwd in &state.cwds {
            self.found.personal(what, Some(cwd), &self.source, self.span);
        }
    }

    /// Looks through a text that is not all known, or is run elsewhere, for what is for a person alone: of what else it
    /// does nothing more is known by that.
    pub(super) fn draft(&mut self, text: &str, state: &State) {
        if !text.contains("comm-node") || self.texts > crate::MAX_DEPTH {
            return;
        }
        let mut own = self.copy(state).inherited();
        let found = std::mem::take(&mut self.found);
        let out = self.out.take();
        self.text(text, &mut own);
        self.finish(own);
        let draft = std::mem::replace(&mut self.found, found);
        self.found.take_personal(draft);
        if self.work == 0 {
            self.unknown(Why::TooLarge);
        }
        self.out = out;
    }

    /// Notes that `path` is written.
    pub(super) fn write(&mut self, path: &Argument, shape: Shape, certainty: Certainty, state: &State) {
        let text = match path {
            Argument::Known(text) if text.is_empty() => return,
            Argument::Known(text) => text,
            Argument::Unknown { prefix } => {
                self.unknown(Why::Path);
                // Something in the directory that it begins with, if no `..` follows.
                if let Some(directory) = directory_of(prefix, state)
                    && !matches!(shape, Shape::Worktree | Shape::Staged)
                {
                    self.write(&Argument::Known(directory), Shape::Under, Certainty::Possible, state);
                }
                return;
            }
        };
        if let Some((before, _)) = text.split_once(NAME) {
            let (path, shape) = match directory_of(before, state) {
                Some(directory) => (directory, Shape::Under),
                // All of a directory that the command is run in would be too much: it is judged by one
                // number that it may be, and looked at afterwards.
                None => {
                    self.unknown(Why::Path);
                    (text.replace(NAME, "0"), shape)
                }
            };
            return self.write(&Argument::Known(path), shape, Certainty::Possible, state);
        }
        // A pattern with too many matches stands for anything in its directory.
        let wide = self.wide.iter().find(|(pattern, _)| pattern == text);
        let (text, shape, certainty) = match wide {
            Some((_, directory)) => {
                let directory = if directory.is_empty() { "." } else { directory.as_str() };
                (directory.to_owned(), Shape::Under, Certainty::Possible)
            }
            None => (text.clone(), shape, certainty),
        };
        let places = below(&state.cwds, &text);
        if places.is_empty() {
            return self.unknown(Why::Path);
        }
        let certainty = if places.len() > 1 { Certainty::Possible } else { self.sure(certainty) };
        for place in places {
            if is_device(&place) {
                continue;
            }
            self.note(place.to_path_buf(), shape, certainty);
            for path in self.beyond(&place, shape) {
                self.note(path, shape, certainty);
            }
        }
    }

    /// Notes that something is written at this very path.
    fn note(&mut self, path: PathBuf, shape: Shape, certainty: Certainty) {
        let target = match shape {
            Shape::File => Target::File(path),
            Shape::Entry => Target::Entry(path),
            Shape::Under => Target::Under(path),
            Shape::Worktree => Target::Worktree(path),
            Shape::Staged => Target::Staged(path),
        };
        if !self.found.write(target, certainty, &self.source, self.span) {
            self.stop();
        }
    }
}

/// The text that begins with `prefix`, as far as it is known.
pub(crate) fn draft(prefix: &str) -> String {
    [prefix, REST].concat()
}

/// `path` as seen from each of `cwds`: `.` is gone, `..` stays, because a link may stand before it.
pub(super) fn below(cwds: &[Rc<Path>], path: &str) -> Cwds {
    let join = |cwd: &Path| Rc::from(cwd.join(path).components().collect::<PathBuf>());
    if Path::new(path).is_absolute() {
        return vec![join(Path::new("/"))];
    }
    cwds.iter().map(|cwd| join(cwd)).collect()
}

/// The directory that a path lies in which begins with `prefix`, unless the command runs in there.
fn directory_of(prefix: &str, state: &State) -> Option<String> {
    let directory = prefix.get(..=prefix.rfind('/')?)?;
    let around = |place: &Rc<Path>| {
        let place = lexical(Path::new("/"), place);
        state.cwds.iter().any(|cwd| cwd.starts_with(&place))
    };
    (!below(&state.cwds, directory).iter().any(around)).then(|| directory.to_owned())
}

/// True for what is no file of anybody's: `/dev/null`, the terminal, open files.
fn is_device(path: &Path) -> bool {
    if path.components().any(|part| part == Component::ParentDir) {
        return false;
    }
    path.starts_with("/dev") && !path.starts_with("/dev/shm") || path.starts_with("/proc/self/fd")
}
