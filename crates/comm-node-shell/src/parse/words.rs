//! Words: what is quoted in them, where they end, and assignments.

use super::{Fault, Parser, ends_word};
use crate::ast::{Assignment, Part, Word};

/// What is read, and thereby where it ends and which characters mean something in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// A word.
    Blank,
    /// An argument of `declare` and its like: a word that may end with `=(…)`.
    Declaration,
    /// A word with `@(a|b)` in it, whether `extglob` is on or not.
    Pattern,
    /// The regular expression of `[[ … =~ … ]]`: a word with `(…)` and `|` in it.
    Regex,
    /// Between double quotes.
    Quote,
    /// Between double quotes in `"${x-…}"`, where any character loses its backslash.
    InnerQuote,
    /// The rest of `${x…}`.
    Brace,
    /// The same between double quotes, where the word is a value and no pattern.
    QuotedBrace,
    /// Arithmetic, up to the `)` that nothing in it opened.
    Paren,
    /// A subscript, or `$[…]`, up to the `]` that nothing in it opened.
    Bracket,
    /// A here-document's body.
    End,
}

impl Until {
    /// Whether ordinary text in it means itself.
    fn quoted(self) -> bool {
        matches!(self, Self::Quote | Self::InnerQuote | Self::QuotedBrace | Self::End)
    }

    /// Whether it is a word among others.
    fn is_word(self) -> bool {
        matches!(self, Self::Blank | Self::Declaration | Self::Pattern | Self::Regex)
    }
}

/// The parts of a word, as they are found.
#[derive(Default)]
pub(super) struct Builder {
    pub(super) parts: Vec<Part>,
    /// Keeps only the expansions.
    bare: bool,
    /// Whether anything has been found since it was last set.
    found: bool,
}

/// A word in the place where an assignment may stand.
pub(super) enum Leading {
    Assignment(Assignment),
    Word(Word),
}

impl Parser<'_> {
    /// Reads a word; `None` if none begins here.
    pub(super) fn word(&mut self, until: Until) -> Result<Option<Word>, Fault> {
        let mut out = Builder::default();
        self.word_from(self.pos, until, &mut out)
    }

    /// Reads a word that must be there.
    pub(super) fn some_word(&mut self, until: Until) -> Result<Word, Fault> {
        let word = self.word(until)?;
        word.ok_or_else(|| self.fault())
    }

    /// Reads the rest of a word that began at `start`.
    fn word_from(&mut self, start: usize, until: Until, out: &mut Builder) -> Result<Option<Word>, Fault> {
        self.scan(until, out)?;
        if self.pos == start { Ok(None) } else { self.finish(start, out).map(Some) }
    }

    /// What was found as a word, which has at least one part.
    pub(super) fn finish(&mut self, start: usize, out: &mut Builder) -> Result<Word, Fault> {
        let mut parts = std::mem::take(&mut out.parts);
        if parts.is_empty() {
            self.node()?;
            parts.push(Part::Quoted(String::new()));
        }
        Ok(Word { span: self.span(start), parts })
    }

    /// The expansions from here to where it ends.
    pub(super) fn collect(&mut self, until: Until) -> Result<Vec<Part>, Fault> {
        let mut out = Builder { bare: true, ..Builder::default() };
        self.scan(until, &mut out)?;
        Ok(out.parts)
    }

    /// Adds an expansion.
    pub(super) fn push(&mut self, part: Part, out: &mut Builder) -> Result<(), Fault> {
        self.node()?;
        out.found = true;
        if out.parts.is_empty() {
            // Most words have one part only.
            out.parts.reserve_exact(1);
        }
        out.parts.push(part);
        Ok(())
    }

    /// Adds text.
    pub(super) fn text(&mut self, text: &str, quoted: bool, out: &mut Builder) -> Result<(), Fault> {
        out.found = true;
        if out.bare {
            return Ok(());
        }
        match out.parts.last_mut() {
            Some(Part::Quoted(before)) if quoted => before.push_str(text),
            Some(Part::Plain(before)) if !quoted => before.push_str(text),
            _ => {
                let text = text.to_owned();
                self.push(if quoted { Part::Quoted(text) } else { Part::Plain(text) }, out)?;
            }
        }
        Ok(())
    }

    /// Adds what was read since `start`.
    fn literal(&mut self, start: usize, quoted: bool, out: &mut Builder) -> Result<(), Fault> {
        let text = self.since(start);
        if text.is_empty() { Ok(()) } else { self.text(text, quoted, out) }
    }

    /// Reads parts up to where it ends; what ends it is not read.
    pub(super) fn scan(&mut self, until: Until, out: &mut Builder) -> Result<(), Fault> {
        let quoted = until.quoted();
        let from = self.pos;
        // How many brackets are open inside; of a quoted `${x:-'…'}`, whether a `'` is.
        let mut open = 0usize;
        let mut apostrophe = false;
        loop {
            let start = self.pos;
            while is_ordinary(self.here()) {
                self.pos += 1;
            }
            self.literal(start, quoted, out)?;
            let byte = self.here();
            match byte {
                0 => {
                    let may_end = until == Until::End || until.is_word();
                    return if may_end && open == 0 { Ok(()) } else { Err(self.fault()) };
                }
                b'\\' => self.escape(until, out)?,
                b'$' => self.dollar(quoted, out)?,
                b'`' => self.backquotes(quoted, out)?,
                b'"' if matches!(until, Until::Quote | Until::InnerQuote) => return Ok(()),
                b'"' if until != Until::End && !apostrophe => self.double_quotes(until, out)?,
                b'\'' if !quoted => self.single_quotes(out)?,
                _ => {
                    let next = self.byte(self.pos + 1);
                    if let b'<' | b'>' = byte
                        && next == b'('
                        && open == 0
                        && (until.is_word() || until == Until::Brace)
                    {
                        self.pos += 2;
                        let script = self.substitution()?;
                        self.push(Part::Process(script), out)?;
                        continue;
                    }
                    let start = self.pos;
                    match until {
                        Until::Quote | Until::InnerQuote | Until::End => {}
                        Until::Brace | Until::QuotedBrace => match byte {
                            b'}' if !apostrophe => return Ok(()),
                            b'\'' => apostrophe = !apostrophe,
                            _ => {}
                        },
                        Until::Paren | Until::Bracket => {
                            let (opens, closes) =
                                if until == Until::Paren { (b'(', b')') } else { (b'[', b']') };
                            if byte == opens {
                                open += 1;
                            } else if byte == closes {
                                if open == 0 {
                                    return Ok(());
                                }
                                open -= 1;
                            }
                        }
                        _ => match byte {
                            b'(' if open > 0 || until == Until::Regex => open += 1,
                            b')' if open > 0 => open -= 1,
                            _ if open > 0 => {}
                            b'(' if until == Until::Declaration && self.is_assignment(from) => {
                                return self.array(out);
                            }
                            b'|' if until == Until::Regex => {}
                            _ if ends_word(byte) => return Ok(()),
                            b'?' | b'*' | b'+' | b'@' | b'!'
                                if next == b'(' && (until == Until::Pattern || self.extglob) =>
                            {
                                self.pos += 1;
                                open += 1;
                            }
                            _ => {}
                        },
                    }
                    self.pos += 1;
                    self.literal(start, quoted, out)?;
                }
            }
        }
    }

    /// Reads a backslash and what it stands before.
    fn escape(&mut self, until: Until, out: &mut Builder) -> Result<(), Fault> {
        let next = self.byte(self.pos + 1);
        if next == b'\n' {
            self.pos += 2;
            return Ok(());
        }
        let means = match next {
            0 => false,
            b'$' | b'`' | b'\\' => true,
            b'"' => until != Until::End,
            b'}' => until != Until::End && until != Until::Quote,
            _ => until == Until::InnerQuote || !until.quoted(),
        };
        let start = self.pos;
        self.pos += 1;
        let rest = self.text.get(self.pos..).unwrap_or("");
        self.pos += rest.chars().next().map_or(0, char::len_utf8);
        self.literal(if means { start + 1 } else { start }, true, out)
    }

    /// Reads `'…'`.
    fn single_quotes(&mut self, out: &mut Builder) -> Result<(), Fault> {
        self.pos += 1;
        let start = self.pos;
        while self.here() != b'\'' {
            if self.here() == 0 {
                return Err(self.fault());
            }
            self.pos += 1;
        }
        let text = self.since(start);
        self.pos += 1;
        self.text(text, true, out)
    }

    /// Reads `"…"` in what is read as `until`.
    fn double_quotes(&mut self, until: Until, out: &mut Builder) -> Result<(), Fault> {
        self.pos += 1;
        out.found = false;
        self.scan(if until == Until::QuotedBrace { Until::InnerQuote } else { Until::Quote }, out)?;
        self.pos += 1;
        if out.found { Ok(()) } else { self.text("", true, out) }
    }

    /// Whether `NAME=`, `NAME+=` or `NAME[…]=` stands between `start` and here.
    fn is_assignment(&self, start: usize) -> bool {
        let end = self.identifier_end(start);
        if end == start || self.byte(self.pos - 1) != b'=' {
            return false;
        }
        match self.byte(end) {
            b'=' => end + 1 == self.pos,
            b'+' => end + 2 == self.pos,
            b'[' => true,
            _ => false,
        }
    }

    /// Reads the `(a b …)` of an assignment.
    fn array(&mut self, out: &mut Builder) -> Result<(), Fault> {
        self.pos += 1;
        let mut words = Vec::new();
        loop {
            self.newlines()?;
            if self.here() == b')' {
                self.pos += 1;
                return self.push(Part::Array(words), out);
            }
            let start = self.pos;
            let mut element = Builder::default();
            if self.here() == b'[' {
                self.subscript(start, &mut element)?;
            }
            match self.word_from(start, Until::Blank, &mut element)? {
                Some(word) => words.push(word),
                None => return Err(self.fault()),
            }
        }
    }

    /// Reads `[…]`, in which blanks mean nothing; what precedes it since `start` is added too.
    fn subscript(&mut self, start: usize, out: &mut Builder) -> Result<(), Fault> {
        self.pos += 1;
        self.literal(start, false, out)?;
        self.scan(Until::Bracket, out)?;
        self.pos += 1;
        self.text("]", false, out)
    }

    /// Reads an assignment, or a word where one may stand; `None` if neither begins here.
    pub(super) fn leading(&mut self) -> Result<Option<Leading>, Fault> {
        let start = self.pos;
        let mut out = Builder::default();
        let end = self.identifier_end(start);
        if end > start {
            let name = self.text.get(start..end).unwrap_or("");
            let indexed = self.byte(end) == b'[';
            let mut at = end;
            if indexed {
                self.pos = end;
                self.subscript(start, &mut out)?;
                at = self.pos;
            }
            let append = self.byte(at) == b'+' && self.byte(at + 1) == b'=';
            if append || self.byte(at) == b'=' {
                self.pos = at + 1 + usize::from(append);
                let subscript = indexed.then(|| {
                    out.parts.retain(|part| !matches!(part, Part::Plain(_) | Part::Quoted(_)));
                    std::mem::take(&mut out.parts)
                });
                let from = self.pos;
                if self.here() == b'(' {
                    self.array(&mut out)?;
                } else {
                    self.scan(Until::Blank, &mut out)?;
                }
                let value = self.finish(from, &mut out)?;
                let span = self.span(start);
                let name = name.to_owned();
                return Ok(Some(Leading::Assignment(Assignment { span, name, append, subscript, value })));
            }
        }
        Ok(self.word_from(start, Until::Blank, &mut out)?.map(Leading::Word))
    }
}

/// Whether a byte means nothing anywhere in a word.
fn is_ordinary(byte: u8) -> bool {
    !(ends_word(byte)
        || matches!(byte, b'\\' | b'$' | b'`' | b'"' | b'\'' | b'{' | b'}' | b'[' | b']')
        || matches!(byte, b'?' | b'*' | b'+' | b'@' | b'!'))
}
