//! Commands that are built around others: groups, conditions, loops, `case`, `[[`.

use super::words::Until;
use super::{Fault, Parser, ends_word};
use crate::ast::{Command, Kind, Part, Script, Word};

impl Parser<'_> {
    /// Reads a compound command with its redirections; `None` if none begins here.
    pub(super) fn compound(&mut self) -> Result<Option<Command>, Fault> {
        let start = self.pos;
        let word = if self.here() == b'(' { "(" } else { self.bare() };
        if !matches!(word, "(" | "{" | "if" | "while" | "until" | "for" | "select" | "case" | "[[") {
            return Ok(None);
        }
        self.node()?;
        self.enter()?;
        self.pos += word.len();
        let kind = match word {
            "(" => self.parenthesised()?,
            "{" => Kind::Group(self.until("}")?),
            "if" => self.conditional()?,
            "case" => self.case()?,
            "[[" => Kind::Test(self.test()?),
            "while" | "until" => {
                let condition = self.until("do")?;
                Kind::Loop { condition, body: self.until("done")? }
            }
            _ => self.for_loop(word == "for")?,
        };
        self.leave();
        let redirects = self.redirects()?;
        Ok(Some(Command { span: self.span(start), kind, redirects }))
    }

    /// Reads commands and the word that ends them.
    fn until(&mut self, word: &str) -> Result<Script, Fault> {
        let script = self.script(false)?;
        self.expect(word)?;
        Ok(script)
    }

    /// Reads `( … )` or `(( … ))` from behind its first `(`.
    fn parenthesised(&mut self) -> Result<Kind, Fault> {
        if self.here() == b'('
            && let Some(parts) = self.arithmetic()?
        {
            return Ok(Kind::Arith(parts));
        }
        let script = self.script(false)?;
        self.expect_byte(b')')?;
        Ok(Kind::Subshell(script))
    }

    /// Reads the rest of an `if`.
    fn conditional(&mut self) -> Result<Kind, Fault> {
        let mut arms = Vec::new();
        loop {
            let condition = self.until("then")?;
            arms.push((condition, self.script(false)?));
            match self.bare() {
                "elif" => self.pos += 4,
                "else" => {
                    self.pos += 4;
                    return Ok(Kind::If { arms, otherwise: Some(self.until("fi")?) });
                }
                _ => {
                    self.expect("fi")?;
                    return Ok(Kind::If { arms, otherwise: None });
                }
            }
        }
    }

    /// Reads the rest of a `for` or `select`.
    fn for_loop(&mut self, arithmetic: bool) -> Result<Kind, Fault> {
        self.blanks();
        if arithmetic && self.here() == b'(' {
            self.pos += 1;
            let parts = if self.here() == b'(' { self.arithmetic()? } else { None };
            let parts = parts.ok_or_else(|| self.fault())?;
            self.semicolon();
            return Ok(Kind::ForArith { parts, body: self.loop_body()? });
        }
        let start = self.pos;
        self.some_word(Until::Blank)?;
        let name = self.since(start).to_owned();
        let mut words = None;
        if !self.semicolon() {
            self.newlines()?;
            if self.bare() == "in" {
                self.pos += 2;
                let mut values = Vec::new();
                loop {
                    self.blanks();
                    match self.word(Until::Blank)? {
                        Some(word) => values.push(word),
                        None => break,
                    }
                }
                words = Some(values);
                if !self.semicolon() && self.here() != b'\n' {
                    return Err(self.fault());
                }
            }
        }
        Ok(Kind::For { name, words, body: self.loop_body()? })
    }

    /// Reads a `;`, if there is one.
    fn semicolon(&mut self) -> bool {
        self.blanks();
        let found = self.here() == b';';
        self.pos += usize::from(found);
        found
    }

    /// Reads what a `for` repeats.
    fn loop_body(&mut self) -> Result<Script, Fault> {
        self.newlines()?;
        if self.bare() == "{" {
            self.pos += 1;
            return self.until("}");
        }
        self.expect("do")?;
        self.until("done")
    }

    /// Reads the rest of a `case`.
    fn case(&mut self) -> Result<Kind, Fault> {
        self.blanks();
        let word = self.some_word(Until::Blank)?;
        self.newlines()?;
        self.expect("in")?;
        let mut arms = Vec::new();
        loop {
            self.newlines()?;
            if self.bare() == "esac" {
                break;
            }
            if self.here() == b'(' {
                self.pos += 1;
                self.blanks();
            }
            let mut patterns = Vec::new();
            loop {
                patterns.push(self.some_word(Until::Pattern)?);
                self.blanks();
                if self.here() != b'|' {
                    break;
                }
                self.pos += 1;
                self.blanks();
            }
            self.expect_byte(b')')?;
            arms.push((patterns, self.script(true)?));
            if self.here() != b';' {
                break;
            }
            // `;;`, `;&` or `;;&`: the list before it ends at nothing else that begins with `;`.
            let second = self.after(self.pos + 1);
            let third = self.after(second + 1);
            let longer = self.byte(second) == b';' && self.byte(third) == b'&';
            self.pos = if longer { third + 1 } else { second + 1 };
        }
        self.expect("esac")?;
        Ok(Kind::Case { word, arms })
    }

    /// Reads the rest of a `[[ … ]]`, whose words are kept side by side, but only if they stand as
    /// the grammar wants them to.
    fn test(&mut self) -> Result<Vec<Word>, Fault> {
        let mut words = Vec::new();
        let mut open = 0usize;
        loop {
            // A term begins here.
            self.newlines()?;
            if self.here() == b'(' {
                open += 1;
                self.operator(1, &mut words)?;
                continue;
            }
            if self.bare() == "!" {
                self.operator(1, &mut words)?;
                continue;
            }
            let unary = is_unary(self.bare());
            self.operand(Until::Pattern, &mut words)?;
            self.blanks();
            if unary {
                self.operand(Until::Pattern, &mut words)?;
                self.newlines()?;
            } else if let Some((length, until)) = self.comparison() {
                self.operator(length, &mut words)?;
                self.blanks();
                self.operand(until, &mut words)?;
                self.newlines()?;
            }
            while self.here() == b')' {
                if open == 0 {
                    return Err(self.fault());
                }
                open -= 1;
                self.operator(1, &mut words)?;
                self.newlines()?;
            }
            if self.bare() == "]]" && open == 0 {
                self.pos += 2;
                return Ok(words);
            }
            let byte = self.here();
            if !matches!(byte, b'&' | b'|') || self.byte(self.pos + 1) != byte {
                return Err(self.fault());
            }
            self.operator(2, &mut words)?;
        }
    }

    /// Reads a word of a `[[ … ]]` that is no operator.
    fn operand(&mut self, until: Until, words: &mut Vec<Word>) -> Result<(), Fault> {
        if self.bare() == "]]" {
            return Err(self.fault());
        }
        words.push(self.some_word(until)?);
        Ok(())
    }

    /// Reads an operator of a `[[ … ]]` of that many bytes.
    fn operator(&mut self, length: usize, words: &mut Vec<Word>) -> Result<(), Fault> {
        self.node()?;
        let start = self.pos;
        self.pos += length;
        let parts = vec![Part::Plain(self.since(start).to_owned())];
        words.push(Word { span: self.span(start), parts });
        Ok(())
    }

    /// The length of the operator with two operands that stands here, and what its right one is.
    fn comparison(&self) -> Option<(usize, Until)> {
        if let b'<' | b'>' = self.here() {
            return (self.byte(self.pos + 1) != b'(').then_some((1, Until::Pattern));
        }
        match self.bare() {
            "=~" => Some((2, Until::Regex)),
            "=" => Some((1, Until::Pattern)),
            "==" | "!=" => Some((2, Until::Pattern)),
            "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge" | "-nt" | "-ot" | "-ef" => {
                Some((3, Until::Pattern))
            }
            _ => None,
        }
    }
}

/// Whether `[[` takes this for an operator with one operand.
fn is_unary(word: &str) -> bool {
    match word.as_bytes() {
        [b'-', letter] => !ends_word(*letter) && b"abcdefghknoprstuvwxzGLNORS".contains(letter),
        _ => false,
    }
}
