//! Lists, pipelines, simple commands and redirections.

use std::rc::Rc;

use super::words::{Leading, Until};
use super::{Fault, Parser, is_name};
use crate::ast::{
    AndOr, Assignment, Command, Item, Kind, Part, Pipeline, Redirect, RedirectOp, Script, Word,
};

impl Parser<'_> {
    /// Reads commands up to what can't begin one. Most places want at least one.
    pub(super) fn script(&mut self, may_be_empty: bool) -> Result<Script, Fault> {
        let mut items = Vec::new();
        loop {
            self.newlines()?;
            if self.at_end() {
                break;
            }
            let mut item = self.item()?;
            self.blanks();
            let mut ends = true;
            match self.here() {
                b'&' => {
                    self.pos += 1;
                    item.background = true;
                }
                b';' if !self.at_end() => self.pos += 1,
                b'\n' => {}
                _ => ends = false,
            }
            items.push(item);
            if !ends {
                break;
            }
        }
        if items.is_empty() && !may_be_empty { Err(self.fault()) } else { Ok(Script { items }) }
    }

    /// Whether a list ends before what stands here.
    fn at_end(&self) -> bool {
        match self.here() {
            // No program's name begins with `}`, and behind the one of `${ …; }` there may be more.
            0 | b')' | b'}' => true,
            b';' => matches!(self.byte(self.after(self.pos + 1)), b';' | b'&'),
            _ => matches!(self.bare(), "then" | "else" | "elif" | "fi" | "do" | "done" | "esac"),
        }
    }

    /// Reads pipelines joined by `&&` and `||`.
    fn item(&mut self) -> Result<Item, Fault> {
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.blanks();
            let byte = self.here();
            let at = self.after(self.pos + 1);
            if !matches!(byte, b'&' | b'|') || self.byte(at) != byte {
                return Ok(Item { first, rest, background: false });
            }
            self.pos = at + 1;
            self.newlines()?;
            let joined = if byte == b'&' { AndOr::And } else { AndOr::Or };
            rest.push((joined, self.pipeline()?));
        }
    }

    /// Reads commands joined by `|` and `|&`.
    fn pipeline(&mut self) -> Result<Pipeline, Fault> {
        let mut commands = Vec::with_capacity(1);
        let (mut prefixed, mut negated) = (false, false);
        loop {
            self.blanks();
            match self.bare() {
                "!" => {
                    self.pos += 1;
                    negated = !negated;
                }
                "time" => {
                    self.pos += 4;
                    self.blanks();
                    for option in ["-p", "--"] {
                        if self.bare() == option {
                            self.pos += 2;
                            self.blanks();
                        }
                    }
                }
                _ => break,
            }
            prefixed = true;
        }
        if prefixed && matches!(self.here(), 0 | b'\n' | b';') {
            return Ok(Pipeline { negated, commands });
        }
        loop {
            commands.push(self.command()?);
            self.blanks();
            let at = self.after(self.pos + 1);
            if self.here() != b'|' || self.byte(at) == b'|' {
                return Ok(Pipeline { negated, commands });
            }
            self.pos = if self.byte(at) == b'&' { at + 1 } else { at };
            self.newlines()?;
        }
    }

    /// Reads one command.
    fn command(&mut self) -> Result<Command, Fault> {
        match self.bare() {
            "function" => {
                let start = self.pos;
                self.pos += 8;
                self.blanks();
                let from = self.pos;
                self.some_word(Until::Blank)?;
                let name = self.since(from).to_owned();
                self.parentheses();
                self.function(start, name)
            }
            "coproc" => self.coproc(),
            _ => match self.compound()? {
                Some(command) => Ok(command),
                None => self.simple(),
            },
        }
    }

    /// Whether a reserved word stands here that begins no command.
    fn is_reserved(&self) -> bool {
        self.at_end() || matches!(self.bare(), "in" | "]]" | "!")
    }

    /// Reads a simple command, or a function that begins like one.
    pub(super) fn simple(&mut self) -> Result<Command, Fault> {
        if self.is_reserved() {
            return Err(self.fault());
        }
        let start = self.pos;
        let mut end = start;
        let mut assignments: Vec<Assignment> = Vec::new();
        let mut words: Vec<Word> = Vec::new();
        let mut redirects = Vec::new();
        let mut until = Until::Blank;
        self.node()?;
        loop {
            self.blanks();
            if let Some(redirect) = self.redirect()? {
                redirects.push(redirect);
            } else if !words.is_empty() {
                match self.word(until)? {
                    Some(word) => words.push(word),
                    None => break,
                }
            } else {
                match self.leading()? {
                    Some(Leading::Assignment(assignment)) => assignments.push(assignment),
                    Some(Leading::Word(word)) => {
                        if assignments.is_empty() && redirects.is_empty() {
                            let name = self.since(start);
                            if self.parentheses() {
                                return self.function(start, name.to_owned());
                            }
                        }
                        if declares(&word) {
                            until = Until::Declaration;
                        }
                        words.push(word);
                    }
                    None => break,
                }
            }
            end = self.pos;
        }
        if end == start {
            return Err(self.fault());
        }
        // The blanks behind it do not belong to it.
        let span = self.span_to(start, end);
        Ok(Command { span, kind: Kind::Simple { assignments, words }, redirects })
    }

    /// Reads redirections, as many as there are.
    pub(super) fn redirects(&mut self) -> Result<Vec<Redirect>, Fault> {
        let mut redirects = Vec::new();
        loop {
            let end = self.pos;
            self.blanks();
            match self.redirect()? {
                Some(redirect) => redirects.push(redirect),
                None => {
                    self.pos = end;
                    return Ok(redirects);
                }
            }
        }
    }

    /// Reads a redirection; `None` if none begins here.
    fn redirect(&mut self) -> Result<Option<Redirect>, Fault> {
        let start = self.pos;
        let mut at = start;
        let mut fd = start..start;
        if self.here() == b'{' {
            let end = self.identifier_end(start + 1);
            if end > start + 1 && self.byte(end) == b'}' {
                fd = start + 1..end;
                at = end + 1;
            }
        } else {
            while self.byte(at).is_ascii_digit() {
                at += 1;
            }
            fd.end = at;
        }
        let next = self.after(at + 1);
        let third = self.after(next + 1);
        let mut strip = false;
        let (op, end) = match (self.byte(at), self.byte(next)) {
            (b'<' | b'>', b'(') => return Ok(None),
            (b'<', b'<') => match self.byte(third) {
                b'<' => (RedirectOp::HereString, third + 1),
                b'-' => {
                    strip = true;
                    (RedirectOp::HereDoc, third + 1)
                }
                _ => (RedirectOp::HereDoc, next + 1),
            },
            (b'<', b'&') => (RedirectOp::DupIn, next + 1),
            (b'<', b'>') => (RedirectOp::ReadWrite, next + 1),
            (b'<', _) => (RedirectOp::Read, at + 1),
            (b'>', b'>') => (RedirectOp::Append, next + 1),
            (b'>', b'&') => (RedirectOp::DupOut, next + 1),
            (b'>', b'|') => (RedirectOp::Clobber, next + 1),
            (b'>', _) => (RedirectOp::Write, at + 1),
            (b'&', b'>') if at == start => match self.byte(third) {
                b'>' => (RedirectOp::BothAppend, third + 1),
                _ => (RedirectOp::Both, next + 1),
            },
            _ => return Ok(None),
        };
        self.node()?;
        self.pos = end;
        self.blanks();
        let from = self.pos;
        let target = if op == RedirectOp::HereDoc {
            self.delimiter(strip)?
        } else if matches!(op, RedirectOp::DupIn | RedirectOp::DupOut) && self.here() == b'-' {
            // What follows it directly is the next word.
            self.pos += 1;
            Word { span: self.span(from), parts: vec![Part::Plain("-".to_owned())] }
        } else {
            self.some_word(Until::Blank)?
        };
        let fd = self.text.get(fd).filter(|fd| !fd.is_empty()).map(str::to_owned);
        Ok(Some(Redirect { span: self.span(start), op, fd, target }))
    }

    /// Reads `()`; false, and nothing is read, if it does not stand here.
    fn parentheses(&mut self) -> bool {
        let start = self.pos;
        self.blanks();
        if self.here() == b'(' {
            self.pos += 1;
            self.blanks();
            if self.here() == b')' {
                self.pos += 1;
                return true;
            }
        }
        self.pos = start;
        false
    }

    /// Reads a function's body.
    fn function(&mut self, start: usize, name: String) -> Result<Command, Fault> {
        self.newlines()?;
        let Some(body) = self.compound()? else { return Err(self.fault()) };
        let kind = Kind::Function { name, body: Rc::new(body) };
        Ok(Command { span: self.span(start), kind, redirects: Vec::new() })
    }

    /// Reads `coproc`, which may have a name if it is no simple command.
    fn coproc(&mut self) -> Result<Command, Fault> {
        let start = self.pos;
        self.pos += 6;
        self.blanks();
        let mut body = self.compound()?;
        if body.is_none() && is_name(self.here()) {
            let from = self.pos;
            self.pos = self.identifier_end(from);
            self.blanks();
            body = self.compound()?;
            if body.is_none() {
                self.pos = from;
            }
        }
        let body = match body {
            Some(body) => body,
            None => self.simple()?,
        };
        let kind = Kind::Coproc(Box::new(body));
        Ok(Command { span: self.span(start), kind, redirects: Vec::new() })
    }
}

/// Whether arguments of this program may be `NAME=(…)`.
fn declares(word: &Word) -> bool {
    const NAMES: [&str; 8] = ["declare", "typeset", "local", "export", "readonly", "alias", "eval", "let"];
    matches!(word.parts.as_slice(), [Part::Plain(name)] if NAMES.contains(&name.as_str()))
}
