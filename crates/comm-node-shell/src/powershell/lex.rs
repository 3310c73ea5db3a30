//! PowerShell's words and operators.
//!
//! What stands in parentheses and braces stays one token, with its text, to be read on its own.

/// The most tokens of one text.
const MAX_TOKENS: usize = 20_000;

/// A token, and where it stands.
pub(super) struct Token<'s> {
    pub(super) kind: Kind<'s>,
    pub(super) start: usize,
    pub(super) end: usize,
    /// True if nothing stands between it and the token before.
    pub(super) glued: bool,
}

/// The kinds of token.
pub(super) enum Kind<'s> {
    Word(Word<'s>),
    /// `{ … }`
    Block(&'s str),
    /// `( … )`, `@( … )`
    Paren(&'s str),
    /// `@{ … }`
    Hash(&'s str),
    /// `>`, `>>`, `2>`, `*>`; not `2>&1`, which is no token at all.
    Redirect,
    Pipe,
    /// A line's end, `;` or `&&`.
    Sep,
    /// `||`
    Or,
    /// `&`: the call operator, or behind a command for the background.
    Amp,
    Comma,
    /// `=`, `+=` …
    Assign,
}

/// A word before expansion.
#[derive(Default)]
pub(super) struct Word<'s> {
    pub(super) pieces: Vec<Piece<'s>>,
    /// False if some of it stands in quotes.
    pub(super) bare: bool,
}

/// A piece of a word.
pub(super) enum Piece<'s> {
    Text(String),
    /// `$name`, without the sign.
    Variable(&'s str),
    /// `$( … )`
    Sub(&'s str),
    /// A value that isn't followed: `$x.y`, `@x`.
    Opaque,
}

/// The tokens of `text`; `None` where it can't be read.
pub(super) fn lex(text: &str) -> Option<Vec<Token<'_>>> {
    // PowerShell takes typographic quotes for quotes.
    if text.contains(['\u{2018}', '\u{2019}', '\u{201a}', '\u{201b}', '\u{201c}', '\u{201d}', '\u{201e}']) {
        return None;
    }
    let mut lexer = Lexer { text, bytes: text.as_bytes(), at: 0 };
    let mut tokens: Vec<Token<'_>> = Vec::new();
    loop {
        let before = lexer.at;
        lexer.blank()?;
        let start = lexer.at;
        if lexer.peek(0) == 0 && start >= text.len() {
            return Some(tokens);
        }
        let kind = lexer.token()?;
        let glued = before == start && !tokens.is_empty();
        if let Some(kind) = kind {
            // A pipeline, a list or an assignment goes on on the next line.
            let before = tokens.last().map(|token| &token.kind);
            match (before, &kind) {
                (Some(Kind::Sep | Kind::Or | Kind::Pipe | Kind::Comma | Kind::Assign), Kind::Sep) => continue,
                (Some(Kind::Sep), Kind::Pipe) => drop(tokens.pop()),
                _ => {}
            }
            tokens.push(Token { kind, start, end: lexer.at, glued });
        }
        if tokens.len() > MAX_TOKENS {
            return None;
        }
    }
}

struct Lexer<'s> {
    text: &'s str,
    bytes: &'s [u8],
    at: usize,
}

impl<'s> Lexer<'s> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn slice(&self, start: usize, end: usize) -> Option<&'s str> {
        self.text.get(start..end)
    }

    /// Skips blanks, continued lines and comments.
    fn blank(&mut self) -> Option<()> {
        loop {
            match (self.peek(0), self.peek(1)) {
                (b' ' | b'\t' | b'\r', _) => self.at += 1,
                (b'`', b'\n') => self.at += 2,
                (b'`', b'\r') => self.at += 3,
                (b'#', _) => self.at = find(self.bytes, self.at, b"\n").unwrap_or(self.bytes.len()),
                (b'<', b'#') => self.at = find(self.bytes, self.at + 2, b"#>")? + 2,
                _ => return Some(()),
            }
        }
    }

    /// The next token; nothing for what means nothing here.
    fn token(&mut self) -> Option<Option<Kind<'s>>> {
        let (kind, length) = match (self.peek(0), self.peek(1)) {
            (b'\n' | b';', _) => (Kind::Sep, 1),
            (b'&', b'&') => (Kind::Sep, 2),
            (b'|', b'|') => (Kind::Or, 2),
            (b'|', _) => (Kind::Pipe, 1),
            (b'&', _) => (Kind::Amp, 1),
            (b',', _) => (Kind::Comma, 1),
            (b'>', _) => return self.redirect(0),
            (b'0'..=b'9' | b'*', b'>') => return self.redirect(1),
            (b'(', _) => return self.group(1).map(|inner| Some(Kind::Paren(inner))),
            (b'@', b'(') => return self.group(2).map(|inner| Some(Kind::Paren(inner))),
            (b'{', _) => return self.group(1).map(|inner| Some(Kind::Block(inner))),
            (b'@', b'{') => return self.group(2).map(|inner| Some(Kind::Hash(inner))),
            (b')' | b'}' | b'<' | 0, _) => return None,
            (b'=', _) => (Kind::Assign, 1),
            (b'+' | b'-' | b'*' | b'/' | b'%', b'=') => (Kind::Assign, 2),
            (b'?', b'?') if self.peek(2) == b'=' => (Kind::Assign, 3),
            _ => return self.word().map(|word| Some(Kind::Word(word))),
        };
        self.at += length;
        Some(Some(kind))
    }

    fn redirect(&mut self, stream: usize) -> Option<Option<Kind<'s>>> {
        self.at += stream + 1;
        if self.peek(0) == b'>' {
            self.at += 1;
        }
        if self.peek(0) == b'&' {
            self.at += 2;
            return Some(None);
        }
        Some(Some(Kind::Redirect))
    }

    /// What stands between the opening sign, which takes `length` bytes, and its closing one.
    fn group(&mut self, length: usize) -> Option<&'s str> {
        let start = self.at + length;
        let end = close(self.bytes, start, self.peek(length - 1))?;
        self.at = end + 1;
        self.slice(start, end)
    }

    fn word(&mut self) -> Option<Word<'s>> {
        let mut word = Word { pieces: Vec::new(), bare: true };
        let start = self.at;
        if self.bytes.get(start..).is_some_and(|rest| rest.starts_with(b"--%")) {
            // All the rest of the line goes to the program as it is.
            self.at = find(self.bytes, start, b"\n").unwrap_or(self.bytes.len());
            word.pieces.push(Piece::Opaque);
            return Some(word);
        }
        if self.peek(0) == b'@' && matches!(self.peek(1), b'\'' | b'"') {
            self.here_string(&mut word)?;
            return Some(word);
        }
        let mut plain = String::new();
        loop {
            match (self.peek(0), self.peek(1)) {
                (0, _) if self.at >= self.bytes.len() => break,
                (b' ' | b'\t' | b'\r' | b'\n' | b';' | b'|' | b'&' | b'(' | b')' | b'{' | b'}' | b',', _) => {
                    break;
                }
                (b'<' | b'>', _) => break,
                (b'=', _) if matches!(self.bytes.get(start), Some(b'$' | b'[')) => break,
                (b'`', b'\n' | b'\r' | 0) => break,
                (b'`', _) => {
                    self.at += 1;
                    self.push_char(&mut plain, true)?;
                }
                (b'\'', _) => {
                    word.bare = false;
                    self.at += 1;
                    loop {
                        match (self.peek(0), self.peek(1)) {
                            (b'\'', b'\'') => self.at += 1,
                            (b'\'', _) => break,
                            _ => {}
                        }
                        self.push_char(&mut plain, false)?;
                    }
                    self.at += 1;
                }
                (b'"', _) => {
                    word.bare = false;
                    self.at += 1;
                    self.double(&mut word, &mut plain, b"\"")?;
                }
                (b'$', _) => self.dollar(&mut word, &mut plain, true)?,
                (b'@', _) if self.at == start => {
                    self.at += 1;
                    word.pieces.push(Piece::Opaque);
                }
                _ => self.push_char(&mut plain, false)?,
            }
        }
        flush(&mut word, &mut plain);
        (self.at > start).then_some(word)
    }

    /// Text in double quotes, up to and with `end`.
    fn double(&mut self, word: &mut Word<'s>, plain: &mut String, end: &[u8]) -> Option<()> {
        loop {
            if self.bytes.get(self.at..)?.starts_with(end) {
                if end == b"\"" && self.peek(1) == b'"' {
                    self.at += 1;
                } else {
                    self.at += end.len();
                    return Some(());
                }
            }
            match self.peek(0) {
                b'`' => {
                    self.at += 1;
                    self.push_char(plain, true)?;
                }
                b'$' => self.dollar(word, plain, false)?,
                _ => self.push_char(plain, false)?,
            }
        }
    }

    /// `@'…'@` and `@"…"@`.
    fn here_string(&mut self, word: &mut Word<'s>) -> Option<()> {
        let quote = self.peek(1);
        word.bare = false;
        self.at = find(self.bytes, self.at, b"\n")? + 1;
        let mut plain = String::new();
        if quote == b'"' {
            // It may be empty: then its end follows the first line's at once.
            if self.bytes.get(self.at..)?.starts_with(b"\"@") {
                self.at += 2;
            } else {
                self.double(word, &mut plain, b"\n\"@")?;
            }
        } else {
            let end = find(self.bytes, self.at.saturating_sub(1), b"\n'@")?;
            plain.push_str(self.slice(self.at, end.max(self.at))?);
            self.at = end + 3;
        }
        flush(word, &mut plain);
        Some(())
    }

    /// `$name`, `${name}`, `$( … )`, or the sign itself.
    fn dollar(&mut self, word: &mut Word<'s>, plain: &mut String, members: bool) -> Option<()> {
        let start = self.at + 1;
        let piece = match self.peek(1) {
            b'(' => {
                let end = close(self.bytes, start + 1, b'(')?;
                self.at = end + 1;
                Piece::Sub(self.slice(start + 1, end)?)
            }
            b'{' => {
                let end = find(self.bytes, start, b"}")?;
                self.at = end + 1;
                Piece::Variable(self.slice(start + 1, end)?)
            }
            b'$' | b'?' | b'^' => {
                self.at = start + 1;
                Piece::Opaque
            }
            c if c.is_ascii_alphanumeric() || c == b'_' => {
                let mut end = start;
                while let Some(&c) = self.bytes.get(end) {
                    let named = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
                    let drive = c == b':' && self.bytes.get(end + 1).is_some_and(|&next| named(next));
                    if !named(c) && !drive {
                        break;
                    }
                    end += 1;
                }
                self.at = end;
                Piece::Variable(self.slice(start, end)?)
            }
            _ => {
                plain.push('$');
                self.at = start;
                return Some(());
            }
        };
        flush(word, plain);
        let member = members
            && (matches!(self.peek(0), b'.' | b'[') || (self.peek(0) == b':' && self.peek(1) == b':'));
        word.pieces.push(if member && !matches!(piece, Piece::Sub(_)) { Piece::Opaque } else { piece });
        if member {
            word.pieces.push(Piece::Opaque);
        }
        Some(())
    }

    /// Adds the next character; behind a backtick as what that makes of it.
    fn push_char(&mut self, plain: &mut String, escaped: bool) -> Option<()> {
        let c = self.text.get(self.at..)?.chars().next()?;
        self.at += c.len_utf8();
        plain.push(match c {
            'n' if escaped => '\n',
            't' if escaped => '\t',
            'r' if escaped => '\r',
            '0' if escaped => '\0',
            c => c,
        });
        Some(())
    }
}

fn flush(word: &mut Word<'_>, plain: &mut String) {
    if !plain.is_empty() || (word.pieces.is_empty() && !word.bare) {
        word.pieces.push(Piece::Text(std::mem::take(plain)));
    }
}

fn find(bytes: &[u8], from: usize, what: &[u8]) -> Option<usize> {
    bytes.get(from..)?.windows(what.len()).position(|window| window == what).map(|at| from + at)
}

/// Where the group that was opened by `open` just before `at` is closed.
fn close(bytes: &[u8], mut at: usize, open: u8) -> Option<usize> {
    // What is open: `(`, `{`, or `"` and `@` for text with expansions in it.
    let mut stack = vec![open];
    loop {
        let c = *bytes.get(at)?;
        let next = bytes.get(at + 1).copied().unwrap_or(0);
        let top = *stack.last()?;
        at += 1;
        if top == b'"' || top == b'@' {
            match c {
                b'`' => at += 1,
                b'$' if next == b'(' => {
                    stack.push(b'(');
                    at += 1;
                }
                b'"' if top == b'"' && next == b'"' => at += 1,
                b'"' if top == b'"' => drop(stack.pop()),
                b'\n' if top == b'@' && bytes.get(at..)?.starts_with(b"\"@") => {
                    stack.pop();
                    at += 2;
                }
                _ => {}
            }
            continue;
        }
        let in_word = at >= 2 && bytes.get(at - 2).is_some_and(|c| c.is_ascii_alphanumeric() || *c == b'$');
        match c {
            b'`' => at += 1,
            b'#' if !in_word => at = find(bytes, at, b"\n").unwrap_or(bytes.len()),
            b'<' if next == b'#' => at = find(bytes, at, b"#>")? + 2,
            b'@' if next == b'\'' => at = find(bytes, find(bytes, at, b"\n")?, b"\n'@")? + 3,
            b'@' if next == b'"' => {
                at = find(bytes, at, b"\n")?;
                stack.push(b'@');
            }
            b'\'' => at = find(bytes, at, b"'")? + 1,
            b'"' => stack.push(b'"'),
            b'(' | b'{' => stack.push(c),
            b')' | b'}' => {
                if (c == b')') != (top == b'(') {
                    return None;
                }
                stack.pop();
                if stack.is_empty() {
                    return Some(at - 1);
                }
            }
            _ => {}
        }
    }
}
