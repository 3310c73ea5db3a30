//! From text to `crate::ast`: bash's grammar by recursive descent, straight from the bytes.
//!
//! There is no list of tokens: what a byte means depends on where the grammar is, so each rule looks
//! at the text itself. `commands` has lists, pipelines and simple commands, `compounds` what is
//! built around them, `words` a word's quotes, `expansions` what begins with `$` or a backquote,
//! `heredocs` the bodies that stand behind a line's end.
//!
//! Every rule goes forward only. The one exception, `((` that turns out to be two groups, is
//! remembered by its place (`Parser::not_arithmetic`), so that it is never tried twice. Nesting is
//! counted in one place (`Parser::enter`), and with it the depth of the stack; what is built in
//! another (`Parser::node`).

mod commands;
mod compounds;
mod expansions;
mod heredocs;
mod words;

#[cfg(test)]
mod tests;

use crate::ast::{Script, Span, Word};
use crate::{MAX_BYTES, MAX_DEPTH};
use heredocs::Pending;

/// The most parts, commands and redirections that one text may consist of.
const MAX_NODES: usize = 20_000;

/// Why a text can't be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// bash would not accept it either, or it uses what is not supported.
    Syntax {
        /// The byte at which it was noticed.
        at: usize,
    },
    /// It is larger or deeper than what is looked at.
    TooLarge,
}

/// Parses a shell text as bash does. `depth` is how deep the text itself is nested already.
///
/// # Errors
/// When it is no shell text, or larger than [`crate::MAX_BYTES`], or nested deeper than [`crate::MAX_DEPTH`].
pub fn parse(text: &str, depth: usize) -> Result<Script, Fault> {
    if text.len() > MAX_BYTES || depth > MAX_DEPTH {
        return Err(Fault::TooLarge);
    }
    if let Some(at) = text.bytes().position(|byte| byte == 0) {
        return Err(Fault::Syntax { at });
    }
    // Without it `@(a|b)` is no word; with it, it is one from the next line on, which is near enough.
    let extglob = text.contains("extglob");
    Parser { text, depth, extglob, ..Parser::default() }.whole()
}

/// A text, and how far it has been read.
#[derive(Default)]
struct Parser<'a> {
    text: &'a str,
    /// The byte that is read next. Always the beginning of a character.
    pos: usize,
    depth: usize,
    nodes: usize,
    /// In a nested text (backquotes, a here-document's body): where it stands in the outermost one.
    within: Option<Span>,
    /// Whether `@(a|b)` is part of any word.
    extglob: bool,
    /// Between `$(` and its `)`, where a here-document's delimiter may have more behind it.
    in_substitution: bool,
    /// The here-documents whose bodies begin behind the next line's end.
    pending: Vec<Pending>,
    /// The bodies of all here-documents, by their number.
    bodies: Vec<Word>,
    /// Where `((` is known to be two groups, ascending.
    not_arithmetic: Vec<usize>,
}

impl<'a> Parser<'a> {
    /// Parses the whole text.
    fn whole(&mut self) -> Result<Script, Fault> {
        let mut script = self.script(true)?;
        if self.pos < self.text.len() {
            return Err(self.fault());
        }
        heredocs::fill_script(&mut script, &mut self.bodies);
        Ok(script)
    }

    /// A parser for a text that is nested in this one and stands at `span`. What it has built is
    /// to be counted here with [`Self::adopt`].
    fn nested<'b>(&self, text: &'b str, span: Span) -> Result<Parser<'b>, Fault> {
        let mut inner = Parser {
            text,
            depth: self.depth,
            nodes: self.nodes,
            within: Some(self.within.unwrap_or(span)),
            extglob: self.extglob,
            ..Parser::default()
        };
        inner.enter()?;
        Ok(inner)
    }

    /// Takes over the count of a nested parser.
    fn adopt(&mut self, inner: &Parser<'_>) {
        self.nodes = inner.nodes;
    }

    /// The byte at `at`; 0, which no text has in it, at the end.
    fn byte(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(0)
    }

    /// The byte that is read next.
    fn here(&self) -> u8 {
        self.byte(self.pos)
    }

    /// The text from `start` to where it has been read.
    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.pos).unwrap_or("")
    }

    /// Where it goes on at `at`, once a backslash before a line's end is dropped together with it.
    fn after(&self, mut at: usize) -> usize {
        while self.byte(at) == b'\\' && self.byte(at + 1) == b'\n' {
            at += 2;
        }
        at
    }

    /// The span from `start` to where it has been read.
    fn span(&self, start: usize) -> Span {
        self.span_to(start, self.pos)
    }

    /// The span from `start` to `end`.
    fn span_to(&self, start: usize, end: usize) -> Span {
        let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        self.within.unwrap_or(Span { start: narrow(start), end: narrow(end) })
    }

    /// What is wrong, here.
    fn fault(&self) -> Fault {
        Fault::Syntax { at: self.within.map_or(self.pos, |span| span.start as usize) }
    }

    /// One level deeper.
    fn enter(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(Fault::TooLarge) } else { Ok(()) }
    }

    /// Back from [`Self::enter`]; not needed on the way out with a fault.
    fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Counts one more thing that is built.
    fn node(&mut self) -> Result<(), Fault> {
        self.nodes += 1;
        if self.nodes > MAX_NODES { Err(Fault::TooLarge) } else { Ok(()) }
    }

    /// Skips blanks and a comment. Never called inside a word, where `#` is an ordinary character.
    fn blanks(&mut self) {
        loop {
            match self.here() {
                b' ' | b'\t' => self.pos += 1,
                b'\\' if self.byte(self.pos + 1) == b'\n' => self.pos += 2,
                b'#' => {
                    while !matches!(self.here(), 0 | b'\n') {
                        self.pos += 1;
                    }
                }
                _ => return,
            }
        }
    }

    /// Skips blanks, comments and lines' ends; reads the here-documents that begin there.
    fn newlines(&mut self) -> Result<(), Fault> {
        loop {
            self.blanks();
            if self.here() != b'\n' {
                return Ok(());
            }
            self.pos += 1;
            self.read_bodies()?;
        }
    }

    /// What may be a reserved word: the short run of characters from here to the next one that ends a
    /// word. With quotes in it, or longer, it is none and will not be equal to any.
    fn bare(&self) -> &'a str {
        let mut end = self.pos;
        while end < self.pos + 9 && !self.word_ends(end) {
            end += 1;
        }
        if self.word_ends(end) { self.text.get(self.pos..end).unwrap_or("") } else { "" }
    }

    /// Whether an unquoted word ends before `at`.
    fn word_ends(&self, at: usize) -> bool {
        ends_word(self.byte(self.after(at)))
    }

    /// Reads a reserved word.
    fn expect(&mut self, word: &str) -> Result<(), Fault> {
        if self.bare() != word {
            return Err(self.fault());
        }
        self.pos += word.len();
        Ok(())
    }

    /// Reads a single byte.
    fn expect_byte(&mut self, byte: u8) -> Result<(), Fault> {
        if self.here() != byte {
            return Err(self.fault());
        }
        self.pos += 1;
        Ok(())
    }

    /// Where the identifier ends that begins at `at`; `at` if there is none.
    fn identifier_end(&self, at: usize) -> usize {
        let mut end = at;
        while is_name(self.byte(end)) {
            end += 1;
        }
        if self.byte(at).is_ascii_digit() { at } else { end }
    }
}

/// Whether an unquoted word ends before this byte.
fn ends_word(byte: u8) -> bool {
    matches!(byte, 0 | b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>')
}

/// Whether a variable's name may have this byte in it.
fn is_name(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}
