//! Finding the row that is for a call: the user's rows come first, then the table's.

use super::call::Words;
use super::row::Row;
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
    let mine = rows_of(name, around.rows);
    let mut rows: Vec<Row<'a>> = Vec::new();
    let mut given: Vec<&'a str> = Vec::new();
    let mut depth = 0;
    let mut fits = false;
    loop {
        let mut deeper = false;
        let mut exact = None;
        for row in &mine {
            match row.depth(&given) {
                Some(d) if d == given.len() => exact = exact.or(Some(*row)),
                Some(d) if d > given.len() => deeper = true,
                _ => {}
            }
        }
        if let Some(row) = exact {
            rows.insert(0, row);
            depth = given.len();
            fits = true;
        }
        if !deeper || given.len() == DEEPEST {
            break;
        }
        match Words::read(args, &rows, given.len()).rest.first() {
            Some(Argument::Known(word)) => given.push(word),
            _ => break,
        }
    }
    fits.then_some(Found { rows, depth })
}

/// Whether there is a row for the program `name`, whatever its arguments.
pub(super) fn knows(name: &str, user: &[&str]) -> bool {
    !rows_of(name, user).is_empty()
}

/// All rows for the program `name`.
fn rows_of<'a>(name: &str, user: &[&'a str]) -> Vec<Row<'a>> {
    let mut mine = Vec::new();
    for text in user {
        let row = Row::new(text);
        // A row that says nothing would mean that nothing is written.
        if row.is_for(name) && row.clauses().next().is_some() {
            mine.push(row);
        }
    }
    let wanted = mark(name.as_bytes(), 0, name.len());
    for (start, marks) in STARTS.iter().zip(&MARKS) {
        if marks & wanted == 0 {
            continue;
        }
        let row = row_at(*start);
        if row.is_for(name) {
            mine.push(row);
        }
    }
    mine
}

/// The row of the table that begins at `start`. It goes on over lines that are indented.
fn row_at(start: u16) -> Row<'static> {
    let rest = TABLE.get(usize::from(start)..).unwrap_or_default();
    let mut end = 0;
    for line in rest.split_inclusive('\n') {
        if end > 0 && !line.starts_with(' ') {
            break;
        }
        end += line.len();
    }
    Row::new(rest.get(..end).unwrap_or_default())
}

/// The rows of the table.
#[cfg(test)]
pub(super) fn table_rows() -> impl Iterator<Item = Row<'static>> {
    STARTS.iter().map(|start| row_at(*start))
}

const TABLE: &str = include_str!("commands.txt");

/// How many rows the table has.
const ROWS: usize = starts_and_marks::<0>().0;
/// Where each row begins. With this the table need not be gone through for every program.
static STARTS: [u16; ROWS] = starts_and_marks::<ROWS>().1;
/// For each row a bit for each of its names, which says where it is worth while to read them.
static MARKS: [u32; ROWS] = starts_and_marks::<ROWS>().2;

/// The bit of a name: names that differ have the same one once in 32 times.
const fn mark(text: &[u8], start: usize, end: usize) -> u32 {
    if start >= end {
        return 0;
    }
    let sum = text[start] as usize + 3 * text[end - 1] as usize + 5 * (end - start);
    1 << (sum % 32)
}

/// How many rows the table has, where the first `N` begin, and their marks.
const fn starts_and_marks<const N: usize>() -> (usize, [u16; N], [u32; N]) {
    let text = TABLE.as_bytes();
    assert!(text.len() <= u16::MAX as usize, "offsets in the table have 16 bits");
    let (mut starts, mut marks) = ([0; N], [0; N]);
    let (mut row, mut at) = (0, 0);
    while at < text.len() {
        if !matches!(text[at], b'#' | b' ' | b'\n') {
            if row < N {
                starts[row] = at as u16;
                let mut name = at;
                while at < text.len() && !matches!(text[at], b' ' | b'\n') {
                    if text[at] == b'|' {
                        marks[row] |= mark(text, name, at);
                        name = at + 1;
                    }
                    at += 1;
                }
                marks[row] |= mark(text, name, at);
            }
            row += 1;
        }
        while at < text.len() && text[at] != b'\n' {
            at += 1;
        }
        at += 1;
    }
    (row, starts, marks)
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
fn usual(directory: &str) -> bool {
    const ABSOLUTE: &str = "/bin|/sbin|/usr/bin|/usr/sbin|/usr/local/bin|/usr/local/sbin|/opt/homebrew/bin|\
        /opt/local/bin|/snap/bin|/run/current-system/sw/bin";
    const ENDS: &str = "node_modules/.bin|.venv/bin|venv/bin|.cargo/bin|.local/bin|.bun/bin|Git\\usr\\bin";
    super::row::among(ABSOLUTE, '|', directory) || ENDS.split('|').any(|end| directory.ends_with(end))
}
