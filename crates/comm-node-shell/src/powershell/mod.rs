//! What a PowerShell command would write.
//!
//! PowerShell's own grammar, as far as it decides what runs, is read by [`lex`] and followed here:
//! pipelines, blocks, literal values of variables, the working directory. What cmdlets write stands in
//! [`cmdlets`], what methods of .NET write in [`dotnet`]; other programs are looked up in the table that
//! bash's are.

mod cmdlets;
mod dotnet;
mod lex;
mod run;
#[cfg(test)]
mod tests;
mod value;

use std::path::PathBuf;

use crate::table::{Argument, Effect, runs};
use crate::{Context, MAX_BYTES, MAX_DEPTH, Tree, Why, WriteSet};
use lex::{Kind, Piece, Token, Word, lex};
use value::piece;

/// How many bytes are read altogether, texts that are run by others counted each time.
const WORK: usize = 2 << 20;
/// What a text costs besides its bytes.
const TEXT: usize = 256;
/// The longest value that a variable is followed with.
const MAX_VALUE: usize = 16 << 10;

/// Words that a statement with blocks may begin with or go on with.
const KEYWORDS: &str = "if elseif else while for foreach switch try catch finally do until trap begin \
                        process end dynamicparam param default data ";

/// What `command` would write.
pub(crate) fn write_set(command: &str, context: &Context<'_>, tree: &dyn Tree) -> WriteSet {
    look(command, context, tree, cfg!(windows))
}

fn look(command: &str, context: &Context<'_>, tree: &dyn Tree, windows: bool) -> WriteSet {
    let mut walker = Walker {
        context,
        tree,
        windows,
        set: WriteSet::default(),
        by: String::new(),
        variables: Vec::new(),
        functions: Vec::new(),
        cwd: Some(context.cwd.clone()),
        stack: Vec::new(),
        certain: true,
        depth: 0,
        work: WORK,
    };
    if command.len() > MAX_BYTES {
        walker.by = piece(command);
        walker.unknown(Why::TooLarge);
    } else {
        walker.text(command);
    }
    walker.set
}

/// Follows a command.
struct Walker<'a> {
    context: &'a Context<'a>,
    tree: &'a dyn Tree,
    /// True where `\` stands between directories.
    windows: bool,
    set: WriteSet,
    /// The piece that is looked at.
    by: String,
    /// Variables with known values, their names in lower case.
    variables: Vec<(String, String)>,
    functions: Vec<String>,
    /// Where it is; `None` where that isn't known.
    cwd: Option<PathBuf>,
    stack: Vec<Option<PathBuf>>,
    /// True if what is looked at runs whenever nothing fails.
    certain: bool,
    depth: usize,
    work: usize,
}

impl Walker<'_> {
    /// Walks a text in the present scope.
    fn text(&mut self, text: &str) {
        let left = self.work.checked_sub(text.len() + TEXT);
        let (Some(left), true) = (left, self.depth < MAX_DEPTH) else {
            if self.by.is_empty() {
                self.by = piece(text);
            }
            return self.unknown(Why::TooLarge);
        };
        self.work = left;
        let Some(tokens) = lex(text) else {
            self.by = piece(text);
            return self.unknown(Why::Syntax);
        };
        self.depth += 1;
        let outer = std::mem::take(&mut self.by);
        let certain = self.certain;
        let mut rest = tokens.as_slice();
        while !rest.is_empty() {
            let (statement, behind, or) = split(rest);
            if let (Some(first), Some(last)) = (statement.first(), statement.last()) {
                self.by = piece(text.get(first.start..last.end).unwrap_or_default());
                self.statement(statement, text);
            }
            // What stands behind `||` runs only if what is before failed.
            self.certain = certain && !or;
            rest = behind;
        }
        self.certain = certain;
        self.by = outer;
        self.depth -= 1;
    }

    fn statement(&mut self, tokens: &[Token<'_>], text: &str) {
        let Some((head, rest)) = tokens.split_first() else { return };
        let name = bare(head).unwrap_or_default().to_ascii_lowercase();
        match (name.as_str(), rest) {
            ("function" | "filter", [called, rest @ ..]) => {
                self.functions.extend(bare(called).map(str::to_ascii_lowercase));
                // Where it will be called isn't known.
                let cwd = self.cwd.take();
                self.control(rest, text);
                self.cwd = cwd;
            }
            ("class" | "enum" | "using" | "configuration" | "workflow", _) => self.unknown(Why::Code),
            ("return" | "throw" | "exit", rest) => self.pipeline(rest, text),
            ("foreach", [Token { kind: Kind::Paren(inner), .. }, ..]) => {
                let variable = inner.trim_start().split([' ', '\t', '\n']).next().unwrap_or_default();
                self.forget(variable.trim_start_matches('$'));
                self.control(rest, text);
            }
            (name, _)
                if listed(KEYWORDS, name)
                    && !matches!(rest.first(), Some(Token { kind: Kind::Pipe, .. })) =>
            {
                self.control(tokens, text);
            }
            _ => match tokens.iter().position(|t| matches!(t.kind, Kind::Assign)) {
                Some(at) if is_value(head, text) => self.assign(tokens, at, text),
                _ => self.pipeline(tokens, text),
            },
        }
    }

    /// A statement with blocks.
    fn control(&mut self, tokens: &[Token<'_>], text: &str) {
        let (mut always, mut again) = (false, false);
        for (i, token) in tokens.iter().enumerate() {
            match &token.kind {
                Kind::Paren(inner) => self.text(inner),
                Kind::Block(inner) if always => {
                    self.text(inner);
                    if again {
                        self.perhaps(inner);
                    }
                }
                Kind::Block(inner) => self.perhaps(inner),
                Kind::Word(_) => match bare(token).map(str::to_ascii_lowercase) {
                    Some(name) if listed(KEYWORDS, &name) => {
                        again = matches!(name.as_str(), "do" | "process");
                        always = again || matches!(name.as_str(), "try" | "finally" | "begin" | "end");
                    }
                    // Statements may follow a block without a sign between them.
                    _ if i > 0 && matches!(tokens.get(i - 1), Some(Token { kind: Kind::Block(_), .. })) => {
                        if self.depth >= MAX_DEPTH {
                            return self.unknown(Why::TooLarge);
                        }
                        self.depth += 1;
                        self.statement(tokens.get(i..).unwrap_or_default(), text);
                        self.depth -= 1;
                        return;
                    }
                    _ => {}
                },
                Kind::Hash(inner) => self.perhaps(inner),
                _ => {}
            }
        }
    }

    /// A text that may also not run, or run often.
    fn perhaps(&mut self, text: &str) {
        let (certain, cwd) = (std::mem::replace(&mut self.certain, false), self.cwd.clone());
        let known = self.variables.len();
        self.text(text);
        let moved = self.cwd != cwd;
        if moved {
            self.cwd = None;
        }
        // Another round begins with what this one has left.
        if (moved && cwd.is_some()) || self.variables.len() != known {
            self.text(text);
        }
        self.certain = certain;
    }

    /// `$x = …`
    fn assign(&mut self, tokens: &[Token<'_>], at: usize, text: &str) {
        let (left, right) = (tokens.get(..at).unwrap_or_default(), tokens.get(at + 1..).unwrap_or_default());
        self.nested(left, false);
        let plain = tokens.get(at).and_then(|t| text.get(t.start..t.end)) == Some("=");
        let name = match left {
            [Token { kind: Kind::Word(Word { pieces, bare: true }), .. }] => match pieces.as_slice() {
                [Piece::Variable(name)] => Some(name.to_ascii_lowercase()),
                _ => None,
            },
            _ => None,
        };
        let value = match right {
            [Token { kind: Kind::Word(word), .. }] if plain => Some(self.value(word)),
            [Token { kind: Kind::Paren(inner), .. }] if plain => Some(self.value_of_group(inner)),
            _ => None,
        };
        match &name {
            Some(name) if !name.contains(':') || name.starts_with("env:") => self.forget(name),
            // `[string]$x`, `$script:x`, `$x.y`, `$a, $b`: which one it is isn't followed.
            _ => self.variables.clear(),
        }
        if let (Some(variable), Some(value)) = (name.as_deref().and_then(|n| n.strip_prefix("env:")), &value)
        {
            self.sways(variable, value);
        }
        if right.iter().any(|t| matches!(t.kind, Kind::Assign)) {
            self.variables.clear();
        }
        match right.first().and_then(bare) {
            Some(word) if listed(KEYWORDS, &word.to_ascii_lowercase()) => self.control(right, text),
            _ => self.pipeline(right, text),
        }
        if let (Some(name), Some(Argument::Known(value)), true) = (name, value, self.certain)
            && value.len() <= MAX_VALUE
        {
            self.variables.push((name, value));
        }
    }

    /// A variable of programs is set to a value with which they may run others.
    fn sways(&mut self, variable: &str, value: &Argument) {
        let variable = variable.to_ascii_uppercase();
        let found = match runs::variable(&variable) {
            _ if variable == "PATH" && !runs::is_usual_path(value.text(), None) => Some(Why::Program),
            // As it is everywhere on Windows.
            Some(_) if variable == "HOME" => None,
            Some((_, kind)) => match runs::effect(kind, value) {
                Some(Effect::Unknown(why)) => Some(why),
                Some(_) => Some(Why::Program),
                None => None,
            },
            None => None,
        };
        if let Some(why) = found {
            self.unknown(why);
        }
    }

    fn forget(&mut self, name: &str) {
        self.variables.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    }
}

/// The first statement of `tokens`, what is behind it, and whether that follows `||`.
fn split<'t, 's>(tokens: &'t [Token<'s>]) -> (&'t [Token<'s>], &'t [Token<'s>], bool) {
    for (at, token) in tokens.iter().enumerate() {
        let or = matches!(token.kind, Kind::Or);
        if or || matches!(token.kind, Kind::Sep) {
            return (tokens.get(..at).unwrap_or_default(), tokens.get(at + 1..).unwrap_or_default(), or);
        }
    }
    (tokens, &[], false)
}

/// The text of a word that is one plain text.
fn bare<'t>(token: &'t Token<'_>) -> Option<&'t str> {
    match &token.kind {
        Kind::Word(Word { pieces, bare: true }) => match pieces.as_slice() {
            [Piece::Text(text)] => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// True if a statement that begins with `token` is an expression and no command.
fn is_value(token: &Token<'_>, text: &str) -> bool {
    let raw = text.get(token.start..token.end).unwrap_or_default();
    match raw.bytes().next() {
        Some(b'$' | b'\'' | b'"' | b'[' | b'@' | b'(' | b'{' | b'!' | b'-' | b'+') => true,
        Some(b'0'..=b'9') => raw.bytes().all(|b| b.is_ascii_digit() || b == b'.'),
        _ => false,
    }
}

/// True if `word` is one of the words of `list`, each of which ends with a blank.
fn listed(list: &str, word: &str) -> bool {
    !word.is_empty() && list.split(' ').any(|w| w == word)
}
