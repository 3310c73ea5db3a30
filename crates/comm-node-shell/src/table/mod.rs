//! What single programs write, given their arguments: the table, and the programs it can't describe.

mod apply;
mod archive;
mod awk;
mod call;
mod copy;
mod git;
mod index;
mod interpret;
mod lookup;
mod perl;
mod place;
mod row;
pub(crate) mod runs;
mod search;
mod sed;
#[cfg(test)]
mod tests;
mod wrap;

pub use lookup::table_text;
pub use row::check_row;

use crate::{Certainty, Tree, Why};
use apply::Call;

/// One argument of a program, after expansion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    /// Its text.
    Known(String),
    /// An expansion whose value isn't known stands here: any number of words, also none.
    Unknown {
        /// The text before the unknown part, `""` if it begins with it.
        prefix: String,
    },
}

/// In an [`Argument`] that is known otherwise: a number or the like stands here that isn't known, but
/// that is a part of one name, because it holds no slash.
pub(crate) const NAME: char = '\u{F0003}';

/// What a program does, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It writes a path, which is as the program was given it: relative ones are relative to the working directory.
    Write {
        /// The path.
        path: Argument,
        /// What of it.
        shape: Shape,
        /// Whether it is sure.
        certainty: Certainty,
    },
    /// From now on something else stands at a name; that the name is written is an effect of its own.
    Stands {
        /// The name, a path like those that are written.
        name: Argument,
        /// What stands there.
        what: Standing,
    },
    /// It runs another program with these arguments (`env`, `sudo`, `timeout`, `xargs`, `find -exec`).
    Run {
        /// The program and its arguments.
        argv: Vec<Argument>,
        /// `NAME=value` that it sets for it (`env`, `sudo`), in their order.
        assignments: Vec<(String, Argument)>,
        /// The directory that it changes to before (`env -C`, `sudo -D`), if it does.
        cwd: Option<Argument>,
        /// False where it may also not run (`find -exec` without a match).
        certainty: Certainty,
    },
    /// It runs a shell text (`bash -c text name arg…`, `eval`, `ssh`-like programs excluded).
    Script {
        /// The text.
        text: Argument,
        /// `$0`, `$1` …; empty for `eval`.
        parameters: Vec<Argument>,
        /// True if it runs in the present shell, so that `cd` and assignments last (`eval`).
        here: bool,
    },
    /// It runs the shell text on its standard input (`bash`, `sh -s`), which a here-document may be.
    ScriptFromStdin {
        /// `$1` …
        parameters: Vec<Argument>,
    },
    /// It writes something that can't be known.
    Unknown(Why),
}

/// What stands at a name behind a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing any longer.
    Nothing,
    /// A directory.
    Directory,
    /// A symbolic link to this, which is relative to the directory that the name stands in.
    Link(Argument),
    /// The very file that stands at this path.
    Same(Argument),
    /// What stood at this path, which may be a link itself or hold some.
    From(Argument),
}

/// What of a path is written; see [`crate::Target`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A file's content.
    File,
    /// The name itself.
    Entry,
    /// A directory and everything in it.
    Under,
    /// Any file of the worktree that the path lies in.
    Worktree,
    /// What is changed below it is staged or committed.
    Staged,
}

/// What a program's effects may depend on.
pub(crate) struct Surroundings<'a> {
    /// The working directory, absolute; `None` where it isn't known.
    pub cwd: Option<&'a std::path::Path>,
    /// The file tree, to tell directories from files.
    pub tree: &'a dyn Tree,
    /// Whether what ran before has made a directory of a path: true if so, false if perhaps.
    pub made: &'a dyn Fn(&std::path::Path) -> Option<bool>,
    /// The user's rows, which come before the table's.
    pub rows: &'a [&'a str],
}

/// What the program `argv[0]` does when it is given the rest of `argv`. `argv[0]` is known. Nothing at
/// all means that it only reads.
///
/// Where a path isn't known at all, there is an [`Effect::Unknown`] of [`Why::Path`]; where its beginning
/// is known, an [`Effect::Write`] with [`Argument::Unknown`].
pub(crate) fn effects(argv: &[Argument], around: &Surroundings<'_>) -> Vec<Effect> {
    let unknown = || vec![Effect::Unknown(Why::Program)];
    let Some((Argument::Known(program), args)) = argv.split_first() else {
        return vec![Effect::Unknown(Why::Name)];
    };
    let Some(mut name) = lookup::name_of(program) else { return unknown() };
    let found = lookup::find(&name, args, around).or_else(|| {
        name = lookup::unversioned(&name)?.to_owned();
        lookup::find(&name, args, around)
    });
    match found {
        Some(found) => Call::new(&name, args, &found, around).effects(),
        // Every program that says its version and no more.
        None if matches!(args, [Argument::Known(flag)] if matches!(flag.as_str(), "--version" | "--help")) => {
            Vec::new()
        }
        None => unknown(),
    }
}

/// What does the work for rows that say `like:name`, where a row can't.
fn handler(name: &str) -> Option<fn(&mut Call<'_>)> {
    Some(match name {
        "cp" | "mv" | "ln" | "install" | "scp" | "rsync" => copy::copy,
        "rm" => copy::remove,
        "mkdir" => copy::make_directory,
        "chmod" => copy::change_mode,
        "tar" => archive::tar,
        "gzip" => archive::compress,
        "zip" => archive::zip,
        "sed" => sed::run,
        "awk" => awk::run,
        "perl" => perl::run,
        "shell" => interpret::shell,
        "interpreter" => interpret::interpreter,
        "env" => wrap::env,
        "xargs" => wrap::xargs,
        "find" => search::find,
        "fd" => search::fd,
        "wget" => wrap::wget,
        "git" => git::run,
        _ => return None,
    })
}
