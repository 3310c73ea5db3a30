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
mod ssh;
#[cfg(test)]
mod tests;
mod wrap;

pub use lookup::table_text;
pub use row::check_row;

use apply::Call;
use comm_node_core::personal::{self, Given, Personal};

use crate::{Certainty, Tree, Why};

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
    /// It has a text run where nothing of it is seen here: on another machine, by another server; `None`: the text on its
    /// standard input.
    Elsewhere(Option<String>),
    /// It is a use of the command line that is for a person, or may be.
    Personal(&'static Personal),
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
    /// The file of the command line that belongs to the guard.
    pub own: Option<&'a std::path::Path>,
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
    if is_command_line(program)
        && let Some(what) = personal(args)
    {
        return vec![Effect::Personal(what)];
    }
    if let Some(what) = personal_behind(args).filter(|_| !lookup::knows_call(program, around.rows)) {
        return vec![Effect::Personal(what), Effect::Unknown(Why::Program)];
    }
    let own = around.own.is_some_and(|own| own == std::path::Path::new(program));
    let named = if own { Some(COMMAND_LINE.to_owned()) } else { lookup::name_of(program) };
    let Some(mut name) = named else { return unknown() };
    let found = lookup::find(&name, args, around).or_else(|| {
        name = lookup::unversioned(&name)?.to_owned();
        lookup::find(&name, args, around)
    });
    let elsewhere = elsewhere(&name, args);
    let mut effects = match found {
        Some(found) => Call::new(&name, args, &found, around).effects(),
        // Every program that says its version and no more.
        None if matches!(args, [Argument::Known(flag)] if matches!(flag.as_str(), "--version" | "--help")) => {
            Vec::new()
        }
        None => unknown(),
    };
    effects.extend(elsewhere);
    effects
}

/// What of a person's a program runs of which nobody knows what it does, but that it was given the command line and words
/// for it: `systemd-run comm-node …`.
fn personal_behind(args: &[Argument]) -> Option<&'static Personal> {
    let at = args.iter().position(|arg| !arg.is_open() && is_command_line(arg.text()))?;
    let rest = args.get(at + 1..)?;
    // `parallel comm-node budget {}`, `start-stop-daemon --exec comm-node -- budget …`
    let rest = if rest.first().is_some_and(|arg| arg.is("--")) { rest.get(1..)? } else { rest };
    let open = |arg: &Argument| match arg.text().split_once('{') {
        Some((prefix, _)) => Argument::Unknown { prefix: prefix.to_owned() },
        None => arg.clone(),
    };
    // It may as well be the name of a thing: `--title comm-node --body resume`.
    if rest.first().is_none_or(|arg| arg.is_open() || arg.text().starts_with('-')) {
        return None;
    }
    personal(&rest.iter().map(open).collect::<Vec<_>>())
}

/// The text that a program has run elsewhere, if it is about the command line.
fn elsewhere(name: &str, args: &[Argument]) -> Option<Effect> {
    match name {
        "at" | "batch" => Some(Effect::Elsewhere(None)),
        "ssh" | "mosh" | "tmux" | "screen" => {
            let at = args.iter().position(|arg| arg.text().contains(COMMAND_LINE))?;
            let words = args.get(at..)?.iter();
            let texts: Vec<String> = words
                .map(|arg| match arg {
                    Argument::Known(text) => text.clone(),
                    Argument::Unknown { prefix } => crate::walk::draft(prefix),
                })
                .collect();
            Some(Effect::Elsewhere(Some(texts.join(" "))))
        }
        _ => None,
    }
}

/// The command line's own program.
const COMMAND_LINE: &str = "comm-node";

/// True if `program` is called like the command line, wherever it stands.
fn is_command_line(program: &str) -> bool {
    let name = program.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = name.len().checked_sub(4).and_then(|at| name.split_at_checked(at));
    let name = stem.filter(|(_, end)| end.eq_ignore_ascii_case(".exe")).map_or(name, |(stem, _)| stem);
    // Where a file system makes no difference between cases, neither does the shell.
    name.eq_ignore_ascii_case(COMMAND_LINE)
}

/// What of a person's the command line with these arguments is.
fn personal(args: &[Argument]) -> Option<&'static Personal> {
    let given: Vec<Given<'_>> =
        args.iter().map(|arg| Given { text: arg.text(), open: arg.is_open() }).collect();
    personal::find(&given)
}

/// What of a person's a program may be whose name isn't known: nothing else is likely to be given these words.
pub(crate) fn personal_by_words(args: &[Argument]) -> Option<&'static Personal> {
    let (first, second) = (args.first()?, args.get(1)?);
    (first.is("budget") && (second.is("grant") || second.is("set"))).then(|| personal(args))?
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
