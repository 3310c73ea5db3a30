//! Finding the row that is for a call: the user's rows come first, then the table's.

use super::call::Words;
use super::index::{self, TABLE};
use super::row::{Line, Row};
use super::{Argument, Surroundings};

/// The table, as it stands in its file.
#[must_use]
pub fn table_text() -> &'static str {
    TABLE
}

/// The deepest nesting of subcommands.
const DEEPEST: usize = 3;

/// The rows that a call is described by.
pub(super) struct Found<'a> {
    /// The row that fits best, then the shorter ones, whose options hold for it too.
    pub rows: Vec<Row<'a>>,
    /// How many of the call's first operands are subcommands.
    pub depth: usize,
}

/// The rows for the program `name` with the arguments `args`.
pub(super) fn find<'a>(name: &str, args: &'a [Argument], around: &Surroundings<'a>) -> Option<Found<'a>> {
    let mine = own(name, around.rows);
    let mut rows: Vec<Row<'a>> = Vec::new();
    let mut given: Vec<&'a str> = Vec::new();
    let mut depth = 0;
    loop {
        let mut deeper = false;
        let mut exact = None;
        let mut see = |line: Line<'a>| match line.depth(&given) {
            Some(d) if d == given.len() => exact = exact.or(Some(line)),
            Some(d) => deeper |= d > given.len(),
            None => {}
        };
        mine.iter().copied().for_each(&mut see);
        for line in index::candidates(name, given.first().copied()).filter(|line| line.is_for(name)) {
            see(line);
        }
        if let Some(line) = exact {
            rows.insert(0, line.read());
            depth = given.len();
        }
        if !deeper || given.len() == DEEPEST {
            break;
        }
        match Words::read(args, &rows, given.len()).rest.first() {
            Some(Argument::Known(word)) => given.push(word),
            _ => break,
        }
    }
    (!rows.is_empty()).then_some(Found { rows, depth })
}

/// Whether there is a row for the program `name`, whatever its arguments.
pub(super) fn knows(name: &str, user: &[&str]) -> bool {
    !own(name, user).is_empty() || index::candidates(name, None).any(|line| line.is_for(name))
}

/// Whether there is a row for what `program` names, with a version or without.
pub(super) fn knows_call(program: &str, user: &[&str]) -> bool {
    name_of(program)
        .is_some_and(|name| knows(&name, user) || unversioned(&name).is_some_and(|name| knows(name, user)))
}

/// The user's rows for the program `name`.
fn own<'a>(name: &str, user: &[&'a str]) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    for text in user {
        let line = Line::new(text);
        // A row that says nothing would mean that nothing is written.
        if line.is_for(name) && line.clauses().next().is_some() {
            lines.push(line);
        }
    }
    lines
}

/// The name by which a program is looked up, or `None` if it is a program of somebody's own:
/// one that is called by a path other than the usual ones.
pub(super) fn name_of(program: &str) -> Option<String> {
    // What `npx` runs: `@scope/name@version`.
    let program = match program.strip_prefix('@') {
        Some(scoped) => scoped.split_once('/')?.1,
        None => program,
    };
    let cut = program.rfind(['/', '\\']).map_or(0, |at| at + 1);
    let (directory, name) = program.split_at(cut);
    let directory = directory.trim_end_matches(['/', '\\']);
    if cut > 0 && !usual(directory) {
        return None;
    }
    let mut name = name.split('@').next().unwrap_or(name);
    if let Some((stem, end)) = name.len().checked_sub(4).and_then(|at| name.split_at_checked(at))
        && end.eq_ignore_ascii_case(".exe")
    {
        name = stem;
    }
    (!name.is_empty()).then(|| name.to_owned())
}

/// `name` without a version: `python3.12`, `clang-format-15`.
pub(super) fn unversioned(name: &str) -> Option<&str> {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let version = name.get(stem.len()..)?;
    let stem = match stem.strip_suffix('-') {
        Some(stem) if !version.is_empty() => stem,
        _ if version.contains('.') || stem == "python" || stem == "pip" => stem,
        _ => return None,
    };
    (!stem.is_empty() && !version.is_empty()).then_some(stem)
}

/// Whether programs in `directory` are what their names say.
pub(super) fn usual(directory: &str) -> bool {
    const ABSOLUTE: &str = "/bin|/sbin|/usr/bin|/usr/sbin|/usr/local/bin|/usr/local/sbin|/opt/homebrew/bin|\
        /opt/local/bin|/snap/bin|/run/current-system/sw/bin";
    const ENDS: &str = "node_modules/.bin|.venv/bin|venv/bin|.cargo/bin|.local/bin|.bun/bin|Git\\usr\\bin";
    super::row::among(ABSOLUTE, '|', directory) || ENDS.split('|').any(|end| directory.ends_with(end))
}
