//! A call's arguments, told apart by its rows: options, their values, and operands.

use super::Argument;
use super::row::{Clause, Kind, Row, Slot, among};

/// The most options that are told apart. No real call has nearly as many.
const MOST_OPTIONS: usize = 2000;
/// The most letters that are options in one word.
const MOST_LETTERS: usize = 24;

/// An option as it was given.
pub(super) struct Given<'a> {
    /// Its name, as it stands there.
    pub name: String,
    /// All its names, where a row tells them; else `""`.
    names: &'a str,
    /// Its value, if it has one.
    pub value: Option<Argument>,
    /// What the value is.
    pub slot: Option<Slot<'a>>,
}

/// The arguments of a call.
pub(super) struct Words<'a> {
    /// Its options, in their order.
    pub options: Vec<Given<'a>>,
    /// Its operands, in their order, subcommands included.
    pub operands: Vec<&'a Argument>,
    /// How many operands stand before `--`, if there is one.
    pub dashes: Option<usize>,
    /// What is left from the operand on that was one too many.
    pub rest: &'a [Argument],
    /// True if a word is an option, but it isn't known which one.
    pub murky: bool,
}

impl Argument {
    /// Its text, or the beginning of it.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Known(text) | Self::Unknown { prefix: text } => text,
        }
    }

    /// Whether more may follow than [`Argument::text`].
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }

    /// The same argument with another text.
    pub(super) fn with(&self, text: &str) -> Self {
        match self {
            Self::Known(_) => Self::Known(text.to_owned()),
            Self::Unknown { .. } => Self::Unknown { prefix: text.to_owned() },
        }
    }

    /// Whether it is this very text.
    pub(super) fn is(&self, text: &str) -> bool {
        !self.is_open() && self.text() == text
    }
}

impl<'a> Words<'a> {
    /// Tells `args` apart by the options in `rows`, up to the operand after `limit` others.
    ///
    /// An argument that isn't known counts as an operand: in `sed "$expr" file` or `cat $f` it could
    /// be an option in theory, but then every command with a variable in it would be unknown.
    pub(super) fn read(args: &'a [Argument], rows: &[Row<'a>], limit: usize) -> Self {
        let mut words =
            Self { options: Vec::new(), operands: Vec::new(), dashes: None, rest: &[], murky: false };
        let plus = rows.iter().any(|row| row.clauses().any(|clause| clause == Clause::Plus));
        let mut index = 0;
        while let Some(arg) = args.get(index) {
            if words.options.len() > MOST_OPTIONS {
                words.murky = true;
                break;
            }
            let (text, open) = (arg.text(), arg.is_open());
            if words.dashes.is_some() || !text.starts_with('-') || arg.is("-") {
                let keyed = words.dashes.is_none() && words.keyed(arg, rows);
                let flag = plus && text.starts_with('+');
                if flag {
                    words.push(text, "", None, None);
                } else if !keyed && words.operands.len() == limit {
                    words.rest = args.get(index..).unwrap_or_default();
                    break;
                } else if !keyed {
                    words.operands.push(arg);
                }
            } else if arg.is("--") {
                words.dashes = Some(words.operands.len());
            } else if open && matches!(text, "-" | "--") {
                words.murky = true;
            } else if words.option(arg, args.get(index + 1), rows) {
                index += 1;
            }
            index += 1;
            // What stands behind `-m module` is the module's.
            if words.options.last().is_some_and(|o| o.slot.is_some_and(|slot| slot.kind == Kind::Module)) {
                words.rest = args.get(index..).unwrap_or_default();
                break;
            }
        }
        words
    }

    /// Takes `of=file` as an option, if a row names `of`.
    fn keyed(&mut self, arg: &Argument, rows: &[Row<'a>]) -> bool {
        let Some((key, value)) = arg.text().split_once('=') else { return false };
        let Some((names, slot, _)) = declared(rows, self.operands.len(), key) else { return false };
        self.push(key, names, Some(arg.with(value)), Some(slot));
        true
    }

    /// Takes the option or options in `arg`. True if the value is `next`.
    fn option(&mut self, arg: &Argument, next: Option<&Argument>, rows: &[Row<'a>]) -> bool {
        let (name, attached) = match arg.text().split_once('=') {
            Some((name, value)) => (name, Some(arg.with(value))),
            None => (arg.text(), None),
        };
        if let Some((names, slot, optional)) = declared(rows, self.operands.len(), name) {
            self.murky |= arg.is_open() && attached.is_none() && name.len() > 2;
            let separate = attached.is_none() && !optional && !arg.is_open();
            let value = match attached {
                None if separate => next.cloned(),
                None if arg.is_open() => Some(arg.with("")),
                attached => attached,
            };
            self.push(name, names, value, Some(slot));
            return separate;
        }
        let whole = rows.iter().any(|row| row.clauses().any(|clause| clause == Clause::Whole));
        if whole || name.starts_with("--") {
            self.murky |= arg.is_open() && attached.is_none();
            self.push(name, "", attached, None);
            return false;
        }
        self.bundle(arg, next, rows)
    }

    /// Takes options of one letter each: `-xzf file`.
    fn bundle(&mut self, arg: &Argument, next: Option<&Argument>, rows: &[Row<'a>]) -> bool {
        let letters = arg.text().get(1..).unwrap_or_default();
        let mut name = String::from("-");
        for (at, letter) in letters.char_indices() {
            if at > MOST_LETTERS {
                self.murky = true;
                break;
            }
            name.truncate(1);
            name.push(letter);
            let Some((names, slot, optional)) = declared(rows, self.operands.len(), &name) else {
                self.push(&name, "", None, None);
                continue;
            };
            let rest = letters.get(at + letter.len_utf8()..).unwrap_or_default();
            let attached = !rest.is_empty() || arg.is_open();
            let separate = !attached && !optional;
            let value = if attached {
                Some(arg.with(rest))
            } else if separate {
                next.cloned()
            } else {
                None
            };
            self.push(&name, names, value, Some(slot));
            return separate;
        }
        self.murky |= arg.is_open();
        self.push(arg.text(), "", None, None);
        false
    }

    fn push(&mut self, name: &str, names: &'a str, value: Option<Argument>, slot: Option<Slot<'a>>) {
        self.options.push(Given { name: name.to_owned(), names, value, slot });
    }

    /// Whether one of the options in `list` (`-n,--dry-run`) was given.
    pub(super) fn has(&self, list: &str) -> bool {
        self.given(list).is_some()
    }

    /// The last of the options in `list` that was given.
    pub(super) fn given(&self, list: &str) -> Option<&Given<'a>> {
        self.options.iter().rev().find(|given| {
            let is = |one| is_short_for(&given.name, one) || among(given.names, ',', one);
            among(list, ',', &given.name) || list.split(',').any(is)
        })
    }

    /// The value of the last of the options in `list` that was given.
    pub(super) fn value(&self, list: &str) -> Option<&Argument> {
        self.given(list)?.value.as_ref()
    }
}

/// The option `name` behind `operands` operands, by `rows`: its names, what its value is, and whether that is never a word of its own.
fn declared<'a>(rows: &[Row<'a>], operands: usize, name: &str) -> Option<(&'a str, Slot<'a>, bool)> {
    let (mut shortened, mut flag) = (None, false);
    for row in rows {
        let passed = row.depth < operands && row.clauses().any(|clause| clause == Clause::Front);
        if row.depth > operands || passed {
            continue;
        }
        for clause in row.clauses() {
            if let Clause::If(flags) | Clause::Unless(flags) = clause {
                flag |= among(flags, ',', name);
            }
            let Clause::Option { names, slot, optional } = clause else { continue };
            if among(names, ',', name) {
                return Some((names, slot, optional));
            }
            if shortened.is_none() && names.split(',').any(|full| is_short_for(name, full)) {
                shortened = Some((names, slot, optional));
            }
        }
    }
    shortened.filter(|_| !flag)
}

/// Whether `name` is a beginning of the long option `full`, which GNU's programs take for it: `--rec`.
/// `--backup` is none of `--backup-dir`; it may well be an option by itself.
fn is_short_for(name: &str, full: &str) -> bool {
    name.len() > 4
        && name.starts_with("--")
        && full.strip_prefix(name).is_some_and(|rest| !rest.is_empty() && !rest.starts_with('-'))
}
