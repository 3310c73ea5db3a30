//! Here-documents. A body begins behind the end of the line that its redirection stands in, when the
//! redirection is long built; so the bodies are numbered, and put in their places at the end.

use super::words::{Builder, Until};
use super::{Fault, Parser};
use crate::ast::{Command, Kind, ParameterOp, Part, RedirectOp, Script, Span, Word};

/// A here-document whose body has not been read.
pub(super) struct Pending {
    /// Its number.
    index: usize,
    /// The line that ends it.
    delimiter: String,
    /// Whether its body means itself.
    quoted: bool,
    /// Whether tabs at the beginning of its lines are dropped.
    strip: bool,
}

impl Parser<'_> {
    /// Reads the delimiter, and gives what stands for the body until [`fill_script`]: a word without
    /// parts, whose span begins at its number.
    pub(super) fn delimiter(&mut self, strip: bool) -> Result<Word, Fault> {
        let start = self.pos;
        self.some_word(Until::Blank)?;
        let (delimiter, quoted) = unquoted(self.since(start));
        let index = self.bodies.len();
        // What it is where the text ends before its body begins.
        self.bodies.push(Word { span: self.span(self.pos), parts: vec![Part::Quoted(String::new())] });
        self.pending.push(Pending { index, delimiter, quoted, strip });
        Ok(Word { span: Span { start: index as u32, end: 0 }, parts: Vec::new() })
    }

    /// Reads the bodies that begin here.
    pub(super) fn read_bodies(&mut self) -> Result<(), Fault> {
        let waiting = std::mem::take(&mut self.pending);
        let count = waiting.len();
        for (nth, pending) in waiting.into_iter().enumerate() {
            let start = self.pos;
            let (text, end) = self.body(&pending, nth + 1 == count);
            let span = self.span_to(start, end);
            let parts = if pending.quoted || text.is_empty() {
                self.node()?;
                vec![Part::Quoted(text)]
            } else {
                let mut inner = self.nested(&text, span)?;
                let mut out = Builder::default();
                inner.scan(Until::End, &mut out)?;
                let mut parts = inner.finish(0, &mut out)?.parts;
                fill_parts(&mut parts, &mut inner.bodies);
                self.adopt(&inner);
                parts
            };
            if let Some(body) = self.bodies.get_mut(pending.index) {
                *body = Word { span, parts };
            }
        }
        Ok(())
    }

    /// Reads a body and the line that ends it; also gives where the body itself ends. The end of the
    /// text may end it too.
    fn body(&mut self, pending: &Pending, is_last: bool) -> (String, usize) {
        let mut body = String::new();
        while self.here() != 0 {
            let end = self.pos;
            let begin = body.len();
            self.line(pending.quoted, &mut body);
            let mut line = body.get(begin..).unwrap_or("");
            if pending.strip && line.starts_with('\t') {
                let tabs = line.bytes().take_while(|byte| *byte == b'\t').count();
                body.drain(begin..begin + tabs);
                line = body.get(begin..).unwrap_or("");
            }
            let Some(rest) = line.strip_prefix(pending.delimiter.as_str()) else { continue };
            if rest.is_empty() || rest == "\n" {
                body.truncate(begin);
                return (body, end);
            }
            // `$(a <<E … E)`. Only for the last one, so that no line is read again and again.
            let raw = self.text.get(..self.pos).unwrap_or("");
            if self.in_substitution && is_last && rest.contains(')') && raw.ends_with(rest) {
                self.pos -= rest.len();
                body.truncate(begin);
                return (body, end);
            }
        }
        // bash ends the last line if nothing else does.
        if !body.is_empty() && !body.ends_with('\n') {
            body.push('\n');
        }
        (body, self.pos)
    }

    /// Reads a line with its end, and adds it to `line`. Unless it means itself, a backslash before the
    /// end joins the next line to it, which decides about the delimiter too.
    fn line(&mut self, quoted: bool, line: &mut String) {
        loop {
            let start = self.pos;
            while !matches!(self.here(), 0 | b'\n' | b'\\') {
                self.pos += 1;
            }
            line.push_str(self.since(start));
            let start = self.pos;
            match self.here() {
                0 => return,
                b'\n' => {
                    self.pos += 1;
                    line.push('\n');
                    return;
                }
                _ if quoted => self.pos += 1,
                _ => {
                    self.pos = self.after(start);
                    if self.pos > start {
                        continue;
                    }
                    self.pos += 1;
                    if self.here() == b'\\' {
                        self.pos += 1;
                    }
                }
            }
            line.push_str(self.since(start));
        }
    }
}

/// A delimiter without its quotes, and whether it had any.
fn unquoted(raw: &str) -> (String, bool) {
    let mut out = String::new();
    let mut quoted = false;
    let mut quote = None;
    let mut chars = raw.chars().peekable();
    while let Some(char) = chars.next() {
        match (char, quote) {
            ('\'' | '"', None) => {
                quote = Some(char);
                quoted = true;
            }
            (_, Some(open)) if open == char => quote = None,
            ('$', None) if matches!(chars.peek(), Some('\'' | '"')) => {}
            ('\\', None) => {
                // Before a line's end it is no quote: both are dropped.
                let next = chars.next();
                if next != Some('\n') {
                    out.extend(next);
                    quoted = true;
                }
            }
            ('\\', Some('"')) => match chars.peek() {
                Some('\n') => {
                    chars.next();
                }
                Some('$' | '`' | '"' | '\\') => out.extend(chars.next()),
                _ => out.push('\\'),
            },
            _ => out.push(char),
        }
    }
    (out, quoted)
}

/// Puts the bodies in their places.
pub(super) fn fill_script(script: &mut Script, bodies: &mut [Word]) {
    if bodies.is_empty() {
        return;
    }
    for item in &mut script.items {
        item.first.commands.iter_mut().for_each(|command| fill_command(command, bodies));
        for (_, pipeline) in &mut item.rest {
            pipeline.commands.iter_mut().for_each(|command| fill_command(command, bodies));
        }
    }
}

fn fill_command(command: &mut Command, bodies: &mut [Word]) {
    for redirect in &mut command.redirects {
        let waits = redirect.op == RedirectOp::HereDoc && redirect.target.parts.is_empty();
        match bodies.get_mut(redirect.target.span.start as usize) {
            Some(body) if waits => redirect.target = std::mem::take(body),
            _ => fill_parts(&mut redirect.target.parts, bodies),
        }
    }
    match &mut command.kind {
        Kind::Simple { assignments, words } => {
            for assignment in assignments {
                fill_parts(assignment.subscript.as_deref_mut().unwrap_or_default(), bodies);
                fill_parts(&mut assignment.value.parts, bodies);
            }
            fill_words(words, bodies);
        }
        Kind::Group(script) | Kind::Subshell(script) => fill_script(script, bodies),
        Kind::If { arms, otherwise } => {
            for (condition, then) in arms {
                fill_script(condition, bodies);
                fill_script(then, bodies);
            }
            if let Some(script) = otherwise {
                fill_script(script, bodies);
            }
        }
        Kind::Loop { condition, body } => {
            fill_script(condition, bodies);
            fill_script(body, bodies);
        }
        Kind::For { words, body, .. } => {
            fill_words(words.as_deref_mut().unwrap_or_default(), bodies);
            fill_script(body, bodies);
        }
        Kind::ForArith { parts, body } => {
            fill_parts(parts, bodies);
            fill_script(body, bodies);
        }
        Kind::Case { word, arms } => {
            fill_parts(&mut word.parts, bodies);
            for (patterns, script) in arms {
                fill_words(patterns, bodies);
                fill_script(script, bodies);
            }
        }
        Kind::Function { body, .. } => {
            // Nobody else has it yet.
            if let Some(body) = std::rc::Rc::get_mut(body) {
                fill_command(body, bodies);
            }
        }
        Kind::Coproc(body) => fill_command(body, bodies),
        Kind::Test(words) => fill_words(words, bodies),
        Kind::Arith(parts) => fill_parts(parts, bodies),
    }
}

fn fill_words(words: &mut [Word], bodies: &mut [Word]) {
    words.iter_mut().for_each(|word| fill_parts(&mut word.parts, bodies));
}

fn fill_parts(parts: &mut [Part], bodies: &mut [Word]) {
    for part in parts {
        match part {
            Part::Plain(_) | Part::Quoted(_) => {}
            Part::Command { script, .. } | Part::Process(script) => fill_script(script, bodies),
            Part::Arith(parts) => fill_parts(parts, bodies),
            Part::Array(words) => fill_words(words, bodies),
            Part::Parameter(parameter) => match &mut parameter.op {
                ParameterOp::Value | ParameterOp::Elements(_) => {}
                ParameterOp::Default(word)
                | ParameterOp::Assign(word)
                | ParameterOp::Alternative(word)
                | ParameterOp::Demand(word)
                | ParameterOp::Prefix(word, _)
                | ParameterOp::Suffix(word, _) => fill_parts(&mut word.parts, bodies),
                ParameterOp::Other(parts) => fill_parts(parts, bodies),
            },
        }
    }
}
