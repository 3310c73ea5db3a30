//! What begins with `$` or a backquote.

use super::words::{Builder, Until};
use super::{Fault, Parser, is_name};
use crate::ast::{Parameter, ParameterOp, Part, Script};

impl Parser<'_> {
    /// Reads what begins with `$`, which may be nothing but a `$`.
    pub(super) fn dollar(&mut self, quoted: bool, out: &mut Builder) -> Result<(), Fault> {
        let start = self.pos;
        self.pos = self.after(start + 1);
        let part = match self.here() {
            b'(' => self.parenthesis(quoted)?,
            b'{' => self.braces(quoted)?,
            b'[' => {
                self.enter()?;
                self.pos += 1;
                let parts = self.collect(Until::Bracket)?;
                self.pos += 1;
                self.leave();
                Part::Arith(parts)
            }
            b'\'' if !quoted => {
                let text = self.ansi()?;
                return self.text(&text, true, out);
            }
            // A text to be translated: the quotes themselves are read by whoever reads on.
            b'"' if !quoted => return Ok(()),
            _ => {
                let name = self.name();
                if name.is_empty() {
                    self.pos = start + 1;
                    return self.text("$", quoted, out);
                }
                Part::Parameter(Box::new(Parameter { name, quoted, op: ParameterOp::Value }))
            }
        };
        self.push(part, out)
    }

    /// Reads a parameter's name behind `$`: an identifier, one digit, or one of the special ones.
    fn name(&mut self) -> String {
        let mut name = String::new();
        match self.here() {
            byte @ (b'0'..=b'9' | b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!') => {
                name.push(char::from(byte));
                self.pos += 1;
            }
            _ => self.letters(&mut name),
        }
        name
    }

    /// Reads letters, digits and `_`.
    fn letters(&mut self, name: &mut String) {
        loop {
            let at = self.after(self.pos);
            let byte = self.byte(at);
            if !is_name(byte) {
                return;
            }
            name.push(char::from(byte));
            self.pos = at + 1;
        }
    }

    /// Reads `$(…)` or `$((…))` from its first `(`.
    fn parenthesis(&mut self, quoted: bool) -> Result<Part, Fault> {
        self.pos = self.after(self.pos + 1);
        if self.here() == b'('
            && let Some(parts) = self.arithmetic()?
        {
            return Ok(Part::Arith(parts));
        }
        Ok(Part::Command { script: self.substitution()?, quoted })
    }

    /// Reads arithmetic from the second `(` on, with both of the `)` that end it. `None`, and nothing
    /// is read, if it is not ended by two: then it is a group in a group, or in a substitution.
    pub(super) fn arithmetic(&mut self) -> Result<Option<Vec<Part>>, Fault> {
        let start = self.pos;
        let Err(place) = self.not_arithmetic.binary_search(&start) else {
            return Ok(None);
        };
        let (bodies, pending) = (self.bodies.len(), self.pending.len());
        self.enter()?;
        self.pos += 1;
        let parts = self.collect(Until::Paren)?;
        self.leave();
        let at = self.after(self.pos + 1);
        if self.byte(at) == b')' {
            self.pos = at + 1;
            return Ok(Some(parts));
        }
        // Places that were found inside meanwhile come behind this one.
        self.not_arithmetic.insert(place, start);
        // What was read in vain counts, so that deep nesting can't have a long text read again and again.
        self.nodes += (self.pos - start) / 8;
        self.pos = start;
        self.bodies.truncate(bodies);
        self.pending.truncate(pending);
        Ok(None)
    }

    /// Reads the commands of `$(…)` or `<(…)` from behind its `(`.
    pub(super) fn substitution(&mut self) -> Result<Script, Fault> {
        self.enter()?;
        // A line's end in here begins no body of a here-document out there.
        let outside = std::mem::take(&mut self.pending);
        let was_in = std::mem::replace(&mut self.in_substitution, true);
        let script = self.script(true)?;
        self.expect_byte(b')')?;
        self.in_substitution = was_in;
        let mut unread = std::mem::replace(&mut self.pending, outside);
        self.pending.append(&mut unread);
        self.leave();
        Ok(script)
    }

    /// Reads what stands in backquotes: a text of its own, once its backslashes are dropped.
    pub(super) fn backquotes(&mut self, quoted: bool, out: &mut Builder) -> Result<(), Fault> {
        let start = self.pos;
        let mut text = String::new();
        self.pos += 1;
        loop {
            let from = self.pos;
            while !matches!(self.here(), 0 | b'`' | b'\\') {
                self.pos += 1;
            }
            text.push_str(self.since(from));
            match self.here() {
                0 => return Err(self.fault()),
                b'`' => break,
                _ => {}
            }
            match self.byte(self.pos + 1) {
                b'$' | b'`' | b'\\' => {}
                b'"' if quoted => {}
                _ => text.push('\\'),
            }
            self.pos += 1;
            let rest = self.text.get(self.pos..).unwrap_or("");
            if let Some(char) = rest.chars().next() {
                text.push(char);
                self.pos += char.len_utf8();
            }
        }
        self.pos += 1;
        let mut inner = self.nested(&text, self.span(start))?;
        let script = inner.whole()?;
        self.adopt(&inner);
        self.push(Part::Command { script, quoted }, out)
    }

    /// Reads `${…}` from its `{`.
    fn braces(&mut self, quoted: bool) -> Result<Part, Fault> {
        self.enter()?;
        self.pos = self.after(self.pos + 1);
        if let b' ' | b'\t' | b'\n' | b'|' = self.here() {
            self.pos += usize::from(self.here() == b'|');
            let script = self.script(true)?;
            self.expect_byte(b'}')?;
            self.leave();
            return Ok(Part::Command { script, quoted });
        }
        let next = self.byte(self.pos + 1);
        let special = matches!(next, b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!');
        let prefixed = match self.here() {
            b'!' => is_name(next) || matches!(next, b'@' | b'*' | b'#'),
            b'#' => is_name(next) || special && self.byte(self.pos + 2) == b'}',
            _ => false,
        };
        self.pos += usize::from(prefixed);
        let mut name = String::new();
        if is_name(self.here()) {
            self.letters(&mut name);
        } else if self.here() != b'$' || matches!(next, b'}' | b':' | b'-' | b'=' | b'+' | b'?' | b'#' | b'%')
        {
            // `${${…}…}`, of which zsh knows and bash does not, has no name.
            name = self.name();
        }
        self.pos = self.after(self.pos);
        let op = if prefixed || name.is_empty() {
            ParameterOp::Other(self.collect(Until::Brace)?)
        } else {
            self.operation(quoted)?
        };
        self.expect_byte(b'}')?;
        self.leave();
        Ok(Part::Parameter(Box::new(Parameter { name, quoted, op })))
    }

    /// Reads what stands between a parameter's name and the `}`.
    fn operation(&mut self, quoted: bool) -> Result<ParameterOp, Fault> {
        let first = self.here();
        if first == b'}' {
            return Ok(ParameterOp::Value);
        }
        for (subscript, separate) in [("[@]", true), ("[*]", false)] {
            if self.text.get(self.pos..).is_some_and(|rest| rest.starts_with(subscript))
                && self.byte(self.pos + subscript.len()) == b'}'
            {
                self.pos += subscript.len();
                return Ok(ParameterOp::Elements(separate));
            }
        }
        let at = self.after(self.pos + 1);
        let second = self.byte(at);
        let operator = if first == b':' { second } else { first };
        let doubled = first == second;
        let pattern = matches!(operator, b'#' | b'%');
        let value = matches!(operator, b'-' | b'=' | b'+' | b'?');
        if !(value || pattern && first != b':') {
            return Ok(ParameterOp::Other(self.collect(Until::Brace)?));
        }
        self.pos = if first == b':' || pattern && doubled { at + 1 } else { self.pos + 1 };
        let start = self.pos;
        let mut out = Builder::default();
        self.scan(if quoted && value { Until::QuotedBrace } else { Until::Brace }, &mut out)?;
        let word = self.finish(start, &mut out)?;
        Ok(match operator {
            b'-' => ParameterOp::Default(word),
            b'=' => ParameterOp::Assign(word),
            b'+' => ParameterOp::Alternative(word),
            b'?' => ParameterOp::Demand(word),
            b'#' => ParameterOp::Prefix(word, doubled),
            _ => ParameterOp::Suffix(word, doubled),
        })
    }

    /// Reads `$'…'` from its first `'`, decoded.
    fn ansi(&mut self) -> Result<String, Fault> {
        let start = self.pos;
        let mut bytes = Vec::new();
        // bash ends the text, though not the reading of it, at a NUL.
        let mut end = None;
        self.pos += 1;
        loop {
            let byte = self.here();
            self.pos += 1;
            match byte {
                0 => return Err(self.fault()),
                b'\'' => break,
                b'\\' => self.ansi_escape(&mut bytes)?,
                _ => bytes.push(byte),
            }
            if end.is_none() && bytes.last() == Some(&0) {
                end = Some(bytes.len() - 1);
            }
        }
        bytes.truncate(end.unwrap_or(bytes.len()));
        // Bytes that are no text can't be said in this tree.
        let at = self.within.map_or(start, |span| span.start as usize);
        String::from_utf8(bytes).map_err(|_| Fault::Syntax { at })
    }

    /// Reads what stands behind a backslash in `$'…'`.
    fn ansi_escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), Fault> {
        let byte = self.here();
        self.pos += 1;
        let decoded = match byte {
            0 => return Err(self.fault()),
            b'a' => 7,
            b'b' => 8,
            b'e' | b'E' => 27,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            b'\\' | b'\'' | b'"' | b'?' => byte,
            b'0'..=b'7' => {
                self.pos -= 1;
                self.digits(8, 3).unwrap_or(0) as u8
            }
            b'x' | b'u' | b'U' => {
                let most = if byte == b'x' { 2 } else { 4 << usize::from(byte == b'U') };
                match self.digits(16, most) {
                    None => bytes.extend_from_slice(&[b'\\', byte]),
                    Some(number) if byte == b'x' => bytes.push(number as u8),
                    Some(number) => {
                        let char = char::from_u32(number).ok_or_else(|| self.fault())?;
                        bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                    }
                }
                return Ok(());
            }
            b'c' => {
                let control = self.here();
                if control == 0 || control >= 0x80 || control == b'\\' {
                    return Err(self.fault());
                }
                self.pos += 1;
                if control == b'?' { 0x7f } else { control & 0x1f }
            }
            _ => {
                bytes.push(b'\\');
                byte
            }
        };
        bytes.push(decoded);
        Ok(())
    }

    /// Reads at most `most` digits; `None` if there is none.
    fn digits(&mut self, radix: u32, most: usize) -> Option<u32> {
        let mut number = None;
        for _ in 0..most {
            let Some(digit) = char::from(self.here()).to_digit(radix) else { break };
            number = Some(number.unwrap_or(0) * radix + digit);
            self.pos += 1;
        }
        number
    }
}
