//! The rows of the table and their words; `commands.txt` says in its head what they mean.

use super::index::{self, Parts};

/// The text of one row: its names, the subcommands that it is for, and its clauses.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    text: &'a str,
    parts: Parts,
}

/// A row for a call, with its clauses read.
#[derive(Clone)]
pub(super) struct Row<'a> {
    /// How many subcommands it is for.
    pub depth: usize,
    clauses: Vec<Clause<'a>>,
}

/// What an option's value or an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing that is written.
    Arg,
    /// A file whose content is written.
    File,
    /// A name that is made, replaced or removed.
    Entry,
    /// A directory, everything in it included.
    Dir,
    /// A file, or everything in a directory, or what a pattern matches.
    Tree,
    /// The beginning of the names of files.
    Stem,
    /// An address; a file of its last name is written.
    Url,
    /// A pathspec of git.
    Spec,
    /// The git worktree around a directory.
    Worktree,
    /// The directory that the program works in.
    Cwd,
    /// A program and its arguments.
    Run,
    /// Everything that follows, what looks like options too.
    Rest,
    /// A shell text.
    Script,
    /// Code of another language.
    Code,
    /// A Python module and its arguments.
    Module,
    /// A program that it runs, whatever that is.
    Unknown,
}

/// A kind with what surrounds it: `KIND?...=default`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot<'a> {
    /// What it is.
    pub kind: Kind,
    /// `?`: it may also not be written.
    pub possible: bool,
    /// `...`: it stands for any number.
    pub repeated: bool,
    /// `=default`: what is meant where there is none.
    pub default: Option<&'a str>,
}

/// What a word of a row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clause<'a> {
    /// `reads`
    Reads,
    /// `unknown`
    Unknown,
    /// `code`
    Code,
    /// `+`
    Plus,
    /// `whole`
    Whole,
    /// `front`
    Front,
    /// `if:flags`
    If(&'a str),
    /// `unless:flags`
    Unless(&'a str),
    /// `like:program`
    Like(&'a str),
    /// `also:KIND=path`
    Also(Slot<'a>),
    /// `-o,--output=KIND`; with `[=KIND]` the value is never a word of its own.
    Option { names: &'a str, slot: Slot<'a>, optional: bool },
    /// `KIND`
    Operand(Slot<'a>),
}

impl<'a> Line<'a> {
    /// The row that `text` is: the names first, then the rest, on any number of lines.
    pub(super) fn new(text: &'a str) -> Self {
        let text = text.trim_ascii();
        Self { text, parts: index::parts(text.as_bytes(), 0, text.len()) }
    }

    /// The row that `text` is, whose parts are known.
    pub(super) fn at(text: &'a str, parts: Parts) -> Self {
        Self { text, parts }
    }

    /// The names of its programs.
    fn names(&self) -> &'a str {
        self.text.get(..self.parts.names).unwrap_or_default()
    }

    /// Whether it is about the program `name`.
    pub(super) fn is_for(&self, name: &str) -> bool {
        among(self.names(), '|', name)
    }

    /// Its words, the names first.
    pub(super) fn words(&self) -> std::str::SplitAsciiWhitespace<'a> {
        self.text.split_ascii_whitespace()
    }

    /// The subcommands that it is for.
    fn subcommands(&self) -> std::str::SplitAsciiWhitespace<'a> {
        let range = self.parts.names..self.parts.subcommands;
        self.text.get(range).unwrap_or_default().split_ascii_whitespace()
    }

    /// How many subcommands it names, or `None` if they are not those of `given`, as far as both reach.
    pub(super) fn depth(&self, given: &[&str]) -> Option<usize> {
        let words = if given.is_empty() { None } else { Some(self.subcommands()) };
        let fits = words.into_iter().flatten().zip(given).all(|(word, given)| among(word, '|', given));
        fits.then_some(self.parts.depth)
    }

    /// Its clauses. Words that mean nothing are left out; [`check_row`] finds them.
    pub(super) fn clauses(&self) -> impl Iterator<Item = Clause<'a>> + use<'a> {
        let text = self.text.get(self.parts.subcommands..).unwrap_or_default();
        text.split_ascii_whitespace().filter_map(|word| clause(word).ok())
    }

    /// The row with its clauses.
    pub(super) fn read(&self) -> Row<'a> {
        Row { depth: self.parts.depth, clauses: self.clauses().collect() }
    }
}

impl<'a> Row<'a> {
    /// Its clauses.
    pub(super) fn clauses(&self) -> impl Iterator<Item = Clause<'a>> {
        self.clauses.iter().copied()
    }

    /// Its operands, in their order.
    pub(super) fn operands(&self) -> Vec<Slot<'a>> {
        let mut operands = Vec::new();
        for clause in self.clauses() {
            if let Clause::Operand(slot) = clause {
                operands.push(slot);
            }
        }
        operands
    }
}

/// Whether `one` stands in `list`.
pub(super) fn among(list: &str, separator: char, one: &str) -> bool {
    // This is asked of many rows for each program: plain bytes are several times faster.
    let (separator, one) = (separator as u8, one.as_bytes());
    let mut rest = list.as_bytes();
    loop {
        if let Some(after) = rest.strip_prefix(one)
            && after.first().is_none_or(|next| *next == separator)
        {
            return true;
        }
        match rest.iter().position(|byte| *byte == separator) {
            Some(at) => rest = rest.get(at + 1..).unwrap_or_default(),
            None => return false,
        }
    }
}

/// What `word` says, or what is wrong with it.
pub(super) fn clause(word: &str) -> Result<Clause<'_>, &'static str> {
    match word {
        "reads" => return Ok(Clause::Reads),
        "unknown" => return Ok(Clause::Unknown),
        "code" => return Ok(Clause::Code),
        "+" => return Ok(Clause::Plus),
        "whole" => return Ok(Clause::Whole),
        "front" => return Ok(Clause::Front),
        _ => {}
    }
    if let Some(flags) = word.strip_prefix("if:") {
        return listed(flags).map(Clause::If);
    }
    if let Some(flags) = word.strip_prefix("unless:") {
        return listed(flags).map(Clause::Unless);
    }
    if let Some(name) = word.strip_prefix("like:") {
        return match super::handler(name) {
            Some(_) => Ok(Clause::Like(name)),
            None => Err("there is no program of this name to be like"),
        };
    }
    if let Some(text) = word.strip_prefix("also:") {
        return match slot(text)? {
            Slot { repeated: false, default: Some(_), .. } => Ok(Clause::Also(slot(text)?)),
            Slot { kind: Kind::Worktree, repeated: false, .. } => Ok(Clause::Also(slot(text)?)),
            _ => Err("`also:` needs the path: `also:FILE=path`"),
        };
    }
    if word.starts_with(|c: char| c.is_ascii_uppercase()) {
        return slot(word).map(Clause::Operand);
    }
    option(word)
}

/// `-o,--output=FILE`, `-i[=ARG]`, `of=FILE`.
fn option(word: &str) -> Result<Clause<'_>, &'static str> {
    let Some((names, value)) = word.split_once('=') else {
        return Err(if word.starts_with('-') {
            "an option without a value needs no mention; one with a value is `-o=FILE`, or `-o=ARG` if it is not written"
        } else {
            "this is neither a clause, nor an option, nor an operand in capitals"
        });
    };
    let (names, value, optional) = match (names.strip_suffix('['), value.strip_suffix(']')) {
        (Some(names), Some(value)) => (names, value, true),
        (None, None) => (names, value, false),
        _ => return Err("`[` and `]` go together: `-i[=ARG]`"),
    };
    let slot = slot(value)?;
    if slot.repeated || slot.default.is_some() {
        return Err("an option has one value, and no default");
    }
    listed(names).map(|names| Clause::Option { names, slot, optional })
}

/// A list of names that is not empty, nor any name in it.
fn listed(names: &str) -> Result<&str, &'static str> {
    if names.split(',').any(str::is_empty) { Err("a name is missing in this list") } else { Ok(names) }
}

/// `KIND?...=default`
fn slot(text: &str) -> Result<Slot<'_>, &'static str> {
    let (text, default) = match text.split_once('=') {
        Some((text, default)) => (text, Some(default)),
        None => (text, None),
    };
    let (text, repeated) = match text.strip_suffix("...") {
        Some(text) => (text, true),
        None => (text, false),
    };
    let (text, possible) = match text.strip_suffix('?') {
        Some(text) => (text, true),
        None => (text, false),
    };
    let kind = match text {
        "ARG" => Kind::Arg,
        "FILE" => Kind::File,
        "ENTRY" => Kind::Entry,
        "DIR" => Kind::Dir,
        "TREE" => Kind::Tree,
        "STEM" => Kind::Stem,
        "URL" => Kind::Url,
        "SPEC" => Kind::Spec,
        "WORKTREE" => Kind::Worktree,
        "CWD" => Kind::Cwd,
        "RUN" => Kind::Run,
        "REST" => Kind::Rest,
        "SCRIPT" => Kind::Script,
        "CODE" => Kind::Code,
        "MODULE" => Kind::Module,
        "UNKNOWN" => Kind::Unknown,
        _ => {
            return Err(
                "what is written in capitals is ARG, FILE, ENTRY, DIR, TREE, STEM, URL, CWD, RUN or SCRIPT",
            );
        }
    };
    if default == Some("") {
        return Err("the default behind `=` is missing");
    }
    Ok(Slot { kind, possible, repeated, default })
}

/// Checks a row of the user's own.
///
/// # Errors
/// Says which word of it is wrong, and why.
pub fn check_row(row: &str) -> Result<(), String> {
    let row_words = Line::new(row);
    let Some(names) = row_words.words().next() else {
        return Err("a row begins with the name of a program".to_owned());
    };
    if row.contains(['\n', '#']) || names.starts_with(['-', '|']) || names.contains(['/', '=']) {
        return Err(at(1, names, "a row begins with the name of a program, without its path"));
    }
    let (mut repeated, mut said) = (false, false);
    let subcommands = row_words.depth(&[]).unwrap_or(0);
    for (index, word) in row_words.words().enumerate().skip(1 + subcommands) {
        said = true;
        match clause(word) {
            Err(why) => return Err(at(index + 1, word, why)),
            Ok(Clause::Operand(slot)) if slot.repeated && std::mem::replace(&mut repeated, true) => {
                return Err(at(index + 1, word, "only one operand can be repeated"));
            }
            Ok(_) => {}
        }
    }
    if said { Ok(()) } else { Err("a row says what is written, or `reads` if nothing is".to_owned()) }
}

fn at(index: usize, word: &str, why: &str) -> String {
    format!("word {index}, `{word}`: {why}")
}
