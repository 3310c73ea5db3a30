//! The shell's own commands.

use super::Walker;
use super::declare::is_name;
use super::output::printf;
use super::program::draft;
use super::state::{Left, State, Value};
use crate::table::{Argument, Shape};
use crate::{Certainty, Why};

/// The most texts that `trap` may have been told.
const MAX_TRAPS: usize = 16;

impl Walker<'_> {
    /// Runs a builtin; false if `name` is none. `arguments` are those of `argv` behind the name.
    pub(super) fn builtin(
        &mut self,
        name: &str,
        argv: &[Argument],
        arguments: &[Argument],
        state: &mut State,
    ) -> bool {
        match name {
            "echo" | "pwd" => self.print(argv, state),
            "printf" => self.printf(argv, arguments, state),
            // What is loaded, or found in the place of another, may be anything.
            "enable" if has_flag(arguments, 'f') => self.unknown(Why::Program),
            "hash" if has_flag(arguments, 'p') => self.unknown(Why::Program),
            ":" | "true" | "false" | "test" | "[" | "wait" | "kill" | "ulimit" | "umask" | "enable"
            | "bg" | "fg" | "disown" | "suspend" | "bind" | "complete" | "compopt" | "rehash"
            | "unsetopt" | "zmodload" | "autoload" | "bindkey" | "unalias" => {}
            "print" | "jobs" | "hash" | "type" | "times" | "dirs" | "caller" | "compgen" | "help"
            | "whence" | "where" => self.out = None,
            "cd" | "chdir" => self.cd(arguments, state),
            "pushd" => self.pushd(arguments, state),
            "popd" => self.popd(arguments, state),
            "exit" | "logout" => self.leave(Left::Shell, state),
            "return" => self.leave(Left::Function, state),
            "break" => self.leave(Left::Loop, state),
            "continue" => self.leave(Left::Round, state),
            "eval" => self.eval(arguments, state),
            "source" | "." => {
                self.out = None;
                if !arguments.is_empty() {
                    self.unknown(Why::Script);
                }
            }
            "command" | "builtin" => self.command_builtin(name, arguments, state),
            "noglob" | "nocorrect" | "-" => self.run(arguments, state, true),
            "exec" => self.exec(arguments, state),
            "trap" => self.trap(arguments, state),
            "alias" => self.define_aliases(arguments, state),
            "set" => self.set(arguments, state),
            "shopt" | "setopt" => self.shopt(arguments, state),
            "shift" => shift(arguments, state),
            "unset" => self.unset(arguments, state),
            "export" | "declare" | "local" | "readonly" | "typeset" | "read" | "mapfile" | "readarray"
            | "getopts" | "let" => self.read(name, arguments, state),
            "history" => self.history(arguments, state),
            "fc" => self.unknown(Why::Program),
            _ => return false,
        }
        true
    }

    /// `printf`, which may print into a variable.
    fn printf(&mut self, argv: &[Argument], arguments: &[Argument], state: &mut State) {
        let [Argument::Known(option), rest @ ..] = arguments else { return self.print(argv, state) };
        if !option.starts_with("-v") {
            return self.print(argv, state);
        }
        let (name, rest) = match (option.get(2..).unwrap_or_default(), rest) {
            ("", [Argument::Known(name), rest @ ..]) => (name.as_str(), rest),
            (name, rest) => (name, rest),
        };
        let mut known = Vec::with_capacity(rest.len());
        for argument in rest {
            if let Argument::Known(text) = argument {
                known.push(text.as_str());
            }
        }
        let value = match known.split_first() {
            Some((format, values)) if known.len() == rest.len() => printf(format, values),
            _ => None,
        };
        if is_name(name) {
            self.assign(state, name, value.map_or(Value::Unknown, |text| Value::Known(text.into())), false);
        }
    }

    /// `eval`
    fn eval(&mut self, arguments: &[Argument], state: &mut State) {
        let mut text = String::new();
        for argument in arguments {
            match argument {
                Argument::Known(part) => {
                    text.push_str(part);
                    text.push(' ');
                }
                Argument::Unknown { prefix } => {
                    self.out = None;
                    text.push_str(prefix);
                    self.draft(&draft(&text), state);
                    return self.unknown(Why::Script);
                }
            }
        }
        self.text(&text, state);
    }

    /// `command` and `builtin`: what they run is no function.
    fn command_builtin(&mut self, name: &str, arguments: &[Argument], state: &mut State) {
        let mut arguments = arguments;
        while let [Argument::Known(option), rest @ ..] = arguments {
            match option.as_str() {
                "-v" | "-V" | "-pv" | "-pV" => {
                    self.out = None;
                    return;
                }
                "-p" | "--" => arguments = rest,
                _ => break,
            }
        }
        let [Argument::Known(inner), rest @ ..] = arguments else { return self.run(arguments, state, false) };
        if self.enter() {
            if !self.builtin(inner, arguments, rest, state) && name == "command" {
                self.program(arguments, state);
            }
            self.depth -= 1;
        }
    }

    /// `exec`: the program takes the shell's place; without one only the redirections count.
    fn exec(&mut self, arguments: &[Argument], state: &mut State) {
        let mut arguments = arguments;
        while let [Argument::Known(option), rest @ ..] = arguments {
            arguments = match option.as_str() {
                "-c" | "-l" | "-cl" | "--" => rest,
                "-a" => rest.get(1..).unwrap_or_default(),
                _ => break,
            };
        }
        if !arguments.is_empty() {
            self.run(arguments, state, false);
            self.leave(Left::Shell, state);
        }
    }

    /// `trap`
    fn trap(&mut self, arguments: &[Argument], state: &mut State) {
        match arguments {
            [Argument::Known(text), _, ..] if text.is_empty() || text.starts_with('-') => {}
            [Argument::Known(text), _, ..] if state.traps.len() < MAX_TRAPS => {
                state.traps.push(text.as_str().into());
            }
            [_, _, ..] => self.unknown(Why::Script),
            _ => {}
        }
    }

    /// `alias`
    fn define_aliases(&mut self, arguments: &[Argument], state: &mut State) {
        for argument in arguments {
            let text = match argument {
                Argument::Known(text) => text,
                Argument::Unknown { prefix } => prefix,
            };
            let Some((name, value)) = text.split_once('=') else { continue };
            if state.aliases.len() >= super::MAX_NAMES {
                return self.stop();
            }
            // What isn't known of the value could be a command of any kind.
            if matches!(argument, Argument::Unknown { .. }) {
                self.unknown(Why::Script);
            }
            state.aliases.retain(|(alias, _)| **alias != *name);
            state.aliases.push((name.into(), value.into()));
        }
    }

    /// `set`
    fn set(&mut self, arguments: &[Argument], state: &mut State) {
        let mut rest = arguments;
        while let [argument, others @ ..] = rest {
            let Argument::Known(text) = argument else {
                state.positional = None;
                return;
            };
            if text == "--" || text == "-" {
                state.positional = Some(others.into());
                return;
            }
            let on = text.starts_with('-');
            let Some(flags) = text.strip_prefix(['-', '+']) else {
                state.positional = Some(rest.into());
                return;
            };
            rest = others;
            let mut flags = flags.to_owned();
            if flags.contains('o')
                && let [Argument::Known(option), others @ ..] = rest
            {
                rest = others;
                flags.push_str(match option.as_str() {
                    "errexit" => "e",
                    "allexport" => "a",
                    "noglob" => "f",
                    _ => "",
                });
            }
            for flag in flags.chars() {
                match flag {
                    'e' => state.errexit = on,
                    'a' => state.allexport = on,
                    'f' => state.noglob = on,
                    _ => {}
                }
            }
        }
    }

    /// `shopt`, and what zsh has for it.
    fn shopt(&mut self, arguments: &[Argument], state: &mut State) {
        let off = matches!(arguments.first(), Some(Argument::Known(flag)) if flag == "-u");
        for argument in arguments {
            if let Argument::Known(option) = argument
                && matches!(option.as_str(), "dotglob" | "globdots" | "glob_dots")
            {
                state.dotglob = !off;
            }
        }
    }

    /// `unset`
    fn unset(&mut self, arguments: &[Argument], state: &mut State) {
        let mut functions = false;
        for argument in arguments {
            match argument {
                Argument::Known(text) if text == "-f" => functions = true,
                Argument::Known(text) if functions => state.functions.retain(|f| *f.name != **text),
                Argument::Known(text) if is_name(text) => self.assign(state, text, Value::Unset, false),
                Argument::Known(_) => {}
                Argument::Unknown { .. } => state.forget(),
            }
        }
    }

    /// What gives variables values that aren't known.
    fn read(&mut self, name: &str, arguments: &[Argument], state: &mut State) {
        let implied: &[&str] = match name {
            "read" => &["REPLY"],
            "mapfile" | "readarray" => &["MAPFILE"],
            "getopts" => &["OPTARG", "OPTIND"],
            _ => &[],
        };
        for name in implied {
            self.assign(state, name, Value::Unknown, false);
        }
        for argument in arguments {
            match argument {
                Argument::Known(text) => {
                    let end =
                        text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
                    let name = text.get(..end).unwrap_or_default();
                    if is_name(name) {
                        self.assign(state, name, Value::Unknown, false);
                    }
                }
                Argument::Unknown { .. } => state.forget(),
            }
        }
        if name == "let" {
            self.forget_numbers(state);
        }
    }

    /// `history`, which can write a file.
    fn history(&mut self, arguments: &[Argument], state: &State) {
        self.out = None;
        if let [Argument::Known(option), file, ..] = arguments
            && matches!(option.as_str(), "-a" | "-w")
        {
            self.write(file, Shape::File, Certainty::Certain, state);
        }
    }
}

/// Whether one of `arguments` is an option with this letter.
fn has_flag(arguments: &[Argument], letter: char) -> bool {
    arguments.iter().any(|argument| argument.text().starts_with('-') && argument.text().contains(letter))
}

/// `shift`
fn shift(arguments: &[Argument], state: &mut State) {
    let count = match arguments {
        [] => Some(1),
        [Argument::Known(text), ..] => text.parse::<usize>().ok(),
        [Argument::Unknown { .. }, ..] => None,
    };
    let (Some(count), Some(list)) = (count, state.positional.as_deref()) else {
        state.positional = None;
        return;
    };
    if list.iter().take(count).any(|argument| matches!(argument, Argument::Unknown { .. })) {
        state.positional = None;
    } else if let Some(rest) = list.get(count..) {
        state.positional = Some(rest.into());
    }
}
