//! Where the table's rows and their parts are, worked out when this program is compiled: the text is gone
//! through for no command, and of git's many rows only those for the given subcommand are read.

use super::row::Line;

/// The table.
pub(super) const TABLE: &str = include_str!("commands.txt");

/// A row's place in the table, and what is worth knowing before it is read.
#[derive(Clone, Copy)]
struct Entry {
    /// Where it begins.
    start: u16,
    /// Where it ends.
    end: u16,
    /// Its [`Parts`], in fewer bytes.
    names: u16,
    subcommands: u16,
    depth: u16,
}

/// Where the parts of a row are, counted from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    /// Where the names of programs end.
    pub names: usize,
    /// Where the subcommands end.
    pub subcommands: usize,
    /// How many they are.
    pub depth: usize,
}

/// How many rows the table has.
const ROWS: usize = entries::<0>().0;
/// All of them.
static ENTRIES: [Entry; ROWS] = entries::<ROWS>().1;

/// How many places all rows together take on the shelves.
const PLACES: usize = shelves::<0>().0;
/// The rows, by the names of their programs, and by those together with a first subcommand.
static SHELVES: Shelves<PLACES> = shelves::<PLACES>().1;

/// Rows, ordered by what they are looked for by; on one shelf they stand in the table's order.
struct Shelves<const N: usize> {
    /// Where each shelf begins, and where the last one ends.
    starts: [u16; SHELF_COUNT + 1],
    rows: [u16; N],
}

const SHELF_COUNT: usize = 512;

/// The rows of the table for the program `name`: with `first` those whose subcommands begin so, without
/// it all of them; and perhaps others.
pub(super) fn candidates(name: &str, first: Option<&str>) -> impl Iterator<Item = Line<'static>> {
    let mut hash = hash(0, name.as_bytes(), 0, name.len());
    if let Some(first) = first {
        hash = self::hash(hash + 1, first.as_bytes(), 0, first.len());
    }
    let place = |at: usize| SHELVES.starts.get(at).copied().unwrap_or_default().into();
    let rows = SHELVES.rows.get(place(shelf(hash))..place(shelf(hash) + 1)).unwrap_or_default();
    // Two names of one row may share a shelf.
    let once = rows.iter().enumerate().filter(|(at, row)| *at == 0 || rows.get(*at - 1) != Some(*row));
    once.filter_map(|(_, row)| ENTRIES.get(usize::from(*row))).map(Entry::line)
}

/// The rows of the table.
#[cfg(test)]
pub(super) fn table_rows() -> impl Iterator<Item = Line<'static>> {
    ENTRIES.iter().map(Entry::line)
}

impl Entry {
    fn line(&self) -> Line<'static> {
        let text = TABLE.get(usize::from(self.start)..usize::from(self.end)).unwrap_or_default();
        let (names, subcommands, depth) = (self.names.into(), self.subcommands.into(), self.depth.into());
        Line::at(text, Parts { names, subcommands, depth })
    }
}

/// A number for the name at `start..end`, behind what `hash` stands for.
const fn hash(mut hash: u32, text: &[u8], start: usize, end: usize) -> u32 {
    let mut at = start;
    while at < end {
        hash = hash.wrapping_mul(31).wrapping_add(text[at] as u32);
        at += 1;
    }
    hash
}

const fn shelf(hash: u32) -> usize {
    (hash ^ hash >> 9) as usize % SHELF_COUNT
}

/// The parts of the row that stands at `start..end` and begins with a name.
pub(super) const fn parts(text: &[u8], start: usize, end: usize) -> Parts {
    let names = word_end(text, start, end);
    let (mut subcommands, mut depth, mut at) = (names, 0, names);
    loop {
        while at < end && text[at].is_ascii_whitespace() {
            at += 1;
        }
        let behind = word_end(text, at, end);
        if !is_subcommand(text, at, behind) {
            break;
        }
        depth += 1;
        (subcommands, at) = (behind, behind);
    }
    Parts { names: names - start, subcommands: subcommands - start, depth }
}

const fn word_end(text: &[u8], mut at: usize, end: usize) -> usize {
    while at < end && !text[at].is_ascii_whitespace() {
        at += 1;
    }
    at
}

/// Whether a word behind the names is a subcommand: in small letters and not a clause.
const fn is_subcommand(text: &[u8], start: usize, end: usize) -> bool {
    if start >= end || !(text[start].is_ascii_lowercase() || text[start].is_ascii_digit()) {
        return false;
    }
    let mut at = start;
    while at < end {
        if matches!(text[at], b':' | b'=') {
            return false;
        }
        at += 1;
    }
    !(is(text, start, end, b"reads")
        || is(text, start, end, b"unknown")
        || is(text, start, end, b"code")
        || is(text, start, end, b"whole")
        || is(text, start, end, b"front"))
}

const fn is(text: &[u8], start: usize, end: usize, word: &[u8]) -> bool {
    if end - start != word.len() {
        return false;
    }
    let mut at = 0;
    while at < word.len() {
        if text[start + at] != word[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// How many rows the table has, and the first `N`. A row goes on over lines that are indented.
const fn entries<const N: usize>() -> (usize, [Entry; N]) {
    let text = TABLE.as_bytes();
    assert!(text.len() <= u16::MAX as usize, "offsets in the table have 16 bits");
    let nothing = Entry { start: 0, end: 0, names: 0, subcommands: 0, depth: 0 };
    let mut entries = [nothing; N];
    let (mut row, mut at) = (0, 0);
    while at < text.len() {
        let start = at;
        let begins = !matches!(text[at], b'#' | b' ' | b'\n');
        at = line_end(text, at);
        if !begins {
            continue;
        }
        while at < text.len() && text[at] == b' ' {
            at = line_end(text, at);
        }
        if row < N {
            let Parts { names, subcommands, depth } = parts(text, start, at);
            entries[row] = Entry {
                start: start as u16,
                end: at as u16,
                names: names as u16,
                subcommands: subcommands as u16,
                depth: depth as u16,
            };
        }
        row += 1;
    }
    (row, entries)
}

/// Where the next line begins.
const fn line_end(text: &[u8], mut at: usize) -> usize {
    while at < text.len() && text[at] != b'\n' {
        at += 1;
    }
    at + 1
}

/// How many places the rows take, and the rows on their shelves.
const fn shelves<const N: usize>() -> (usize, Shelves<N>) {
    let mut shelves = Shelves { starts: [0; SHELF_COUNT + 1], rows: [0; N] };
    let mut row = 0;
    while row < ROWS {
        // First how many stand on each shelf …
        let mut next = Names::of(row);
        while let (Some(shelf), rest) = next.step() {
            shelves.starts[shelf + 1] += 1;
            next = rest;
        }
        row += 1;
    }
    let (mut shelf, mut free) = (0, [0; SHELF_COUNT]);
    while shelf < SHELF_COUNT {
        free[shelf] = shelves.starts[shelf] as usize;
        shelves.starts[shelf + 1] += shelves.starts[shelf];
        shelf += 1;
    }
    row = 0;
    while row < ROWS && N > 0 {
        // … then each takes the next place on its shelf.
        let mut next = Names::of(row);
        while let (Some(shelf), rest) = next.step() {
            shelves.rows[free[shelf]] = row as u16;
            free[shelf] += 1;
            next = rest;
        }
        row += 1;
    }
    (shelves.starts[SHELF_COUNT] as usize, shelves)
}

/// What a row is looked for by: each of its names, and behind each of these every name of its first subcommand.
#[derive(Clone, Copy)]
struct Names {
    /// Where the name begins, and where the names end.
    name: usize,
    end: usize,
    /// The hash of the name, once it is read: then the subcommand's names follow.
    program: Option<u32>,
    /// Where the subcommand's next name begins.
    first: usize,
    /// The first subcommand: where it begins and ends.
    begin: usize,
    behind: usize,
}

impl Names {
    const fn of(row: usize) -> Self {
        let text = TABLE.as_bytes();
        let entry = ENTRIES[row];
        let start = entry.start as usize;
        let end = start + entry.names as usize;
        let mut begin = end;
        while begin < text.len() && text[begin].is_ascii_whitespace() {
            begin += 1;
        }
        let behind = if entry.depth == 0 { begin } else { word_end(text, begin, text.len()) };
        Self { name: start, end, program: None, first: begin, begin, behind }
    }

    /// The next shelf, and what is left.
    const fn step(mut self) -> (Option<usize>, Self) {
        let text = TABLE.as_bytes();
        if let Some(program) = self.program {
            if self.first < self.behind {
                let end = name_end(text, self.first, self.behind);
                let hash = hash(program + 1, text, self.first, end);
                self.first = end + 1;
                return (Some(shelf(hash)), self);
            }
            (self.program, self.first) = (None, self.begin);
        }
        if self.name >= self.end {
            return (None, self);
        }
        let end = name_end(text, self.name, self.end);
        let program = hash(0, text, self.name, end);
        (self.name, self.program) = (end + 1, Some(program));
        (Some(shelf(program)), self)
    }
}

/// Where a name of a list like `cat|head` ends.
const fn name_end(text: &[u8], mut at: usize, end: usize) -> usize {
    while at < end && text[at] != b'|' {
        at += 1;
    }
    at
}
