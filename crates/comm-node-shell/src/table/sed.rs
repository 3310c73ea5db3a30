//! `sed`: files in place, and scripts that write or run something by themselves.

use super::apply::Call;
use super::place::last_name;
use super::{Argument, NAME, Shape};
use crate::{Certainty, Why};

/// `sed`, as GNU and BSD have it.
pub(super) fn run(call: &mut Call<'_>) {
    let words = &call.words;
    let mut operands: Vec<Argument> = words.operands.iter().map(|operand| (*operand).clone()).collect();
    let mut scripts: Vec<Argument> = Vec::new();
    for option in &words.options {
        if matches!(option.name.as_str(), "-e" | "--expression") {
            scripts.extend(option.value.clone());
        }
    }
    let from_file = words.has("-f,--file");
    let in_place = words.given("-i,--in-place,-I");
    let mut suffix = in_place.and_then(|given| given.value.clone());
    // BSD's `-i` has its suffix as a word of its own: `sed -i '' …`, `sed -i .bak …`.
    if in_place.is_some() && suffix.is_none() && operands.first().is_some_and(is_suffix) {
        suffix = Some(operands.remove(0));
    }
    let written = in_place.is_some();
    if scripts.is_empty() && !from_file && !operands.is_empty() {
        scripts.push(operands.remove(0));
    }
    if from_file {
        call.unknown(Why::Code);
    }
    let mut text = String::new();
    let mut whole = true;
    for script in &scripts {
        // `sed "$((n + 1))d"`: any number will do.
        text.push_str(&script.text().replace(NAME, "1"));
        text.push('\n');
        // Behind a variable nothing can be told apart. That it holds a command that writes is so rare,
        // and `sed "s/$a/$b/"` so common, that such a script counts as one that doesn't.
        if script.is_open() {
            whole = false;
            break;
        }
    }
    match written_by(&text) {
        Ok(files) => {
            for file in files {
                call.write(Argument::Known(file.to_owned()), Shape::File, Certainty::Certain);
            }
        }
        Err(Doubt) if whole => call.unknown(Why::Code),
        Err(Doubt) => {}
    }
    if !written {
        return;
    }
    for file in operands {
        if let Some(suffix) = suffix.as_ref().filter(|suffix| !suffix.is("")) {
            backup(call, &file, suffix);
        }
        call.write(file, Shape::File, Certainty::Certain);
    }
}

/// Adds the file that keeps what was in `file`.
pub(super) fn backup(call: &mut Call<'_>, file: &Argument, suffix: &Argument) {
    if file.is_open() || suffix.is_open() {
        return call.unknown(Why::Path);
    }
    let name = last_name(file.text());
    let mut path = String::new();
    if suffix.text().contains('/') {
        path.push_str(&suffix.text().replace('*', name));
    } else {
        path.push_str(file.text().strip_suffix(name).unwrap_or_default());
        if suffix.text().contains('*') {
            path.push_str(&suffix.text().replace('*', name));
        } else {
            path.push_str(name);
            path.push_str(suffix.text());
        }
    }
    call.write(Argument::Known(path), Shape::Entry, Certainty::Certain);
}

/// Whether a word behind `-i` is a suffix, and no script.
fn is_suffix(word: &Argument) -> bool {
    let suffix = word.text().strip_prefix('.').unwrap_or_default();
    word.is("") || (!suffix.is_empty() && suffix.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// Longer scripts are not looked through: the work may grow with the square of their length.
pub(super) const MOST_BYTES: usize = 16 << 10;

/// A script that can't be parsed, or that runs something.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Doubt;

/// The files that a script writes.
pub(super) fn written_by(script: &str) -> Result<Vec<&str>, Doubt> {
    if script.len() > MOST_BYTES {
        return Err(Doubt);
    }
    let mut scan = Scan { rest: script };
    let mut files = Vec::new();
    loop {
        scan.skip(|c| c.is_whitespace() || c == ';');
        if scan.rest.is_empty() {
            return Ok(files);
        }
        scan.addresses()?;
        let Some(command) = scan.next() else { return Err(Doubt) };
        match command {
            '#' => _ = scan.line(),
            '{' | '}' | '=' | 'd' | 'D' | 'g' | 'G' | 'h' | 'H' | 'n' | 'N' | 'p' | 'P' | 'x' | 'z' | 'F' => {
            }
            'a' | 'i' | 'c' => scan.text(),
            ':' | 'b' | 't' | 'T' | 'v' => scan.skip(|c| c != '\n' && c != ';' && c != '}'),
            'l' | 'L' | 'q' | 'Q' => scan.skip(|c| c == ' ' || c.is_ascii_digit()),
            'r' | 'R' => _ = scan.line(),
            'w' | 'W' => written(scan.line(), &mut files)?,
            's' => {
                scan.delimited(2)?;
                loop {
                    let flag = scan.rest.chars().next();
                    match flag {
                        Some('g' | 'p' | 'i' | 'I' | 'm' | 'M' | '0'..='9') => _ = scan.next(),
                        Some('w') => {
                            scan.next();
                            written(scan.line(), &mut files)?;
                            break;
                        }
                        Some(c) if c.is_whitespace() || matches!(c, ';' | '}' | '#') => break,
                        None => break,
                        // `e` runs what comes out.
                        Some(_) => return Err(Doubt),
                    }
                }
            }
            'y' => scan.delimited(2)?,
            _ => return Err(Doubt),
        }
    }
}

/// Takes the file of a `w`.
fn written<'a>(file: &'a str, files: &mut Vec<&'a str>) -> Result<(), Doubt> {
    match file.trim_ascii() {
        "" => return Err(Doubt),
        "/dev/stdout" | "/dev/stderr" => {}
        file => files.push(file),
    }
    Ok(())
}

/// What is left of a script.
pub(super) struct Scan<'a> {
    /// The text.
    pub rest: &'a str,
}

impl<'a> Scan<'a> {
    pub(super) fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    pub(super) fn skip(&mut self, while_it: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(while_it);
    }

    /// The rest of the line.
    fn line(&mut self) -> &'a str {
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        line
    }

    /// The text of `a`, `i`, `c`: up to a line's end without a backslash before it.
    fn text(&mut self) {
        self.skip(|c| c == ' ' || c == '\t');
        while self.line().ends_with('\\') && !self.rest.is_empty() {}
    }

    /// Lines, patterns, ranges and `!` before a command.
    fn addresses(&mut self) -> Result<(), Doubt> {
        loop {
            match self.rest.chars().next() {
                Some('0'..='9' | '$' | ',' | '+' | '~' | '!' | ' ' | '\t') => _ = self.next(),
                Some('/') => self.pattern()?,
                Some('\\') => {
                    self.next();
                    self.pattern()?;
                }
                _ => return Ok(()),
            }
        }
    }

    fn pattern(&mut self) -> Result<(), Doubt> {
        self.delimited(1)?;
        // `/x/I`, `/x/M`; `I` alone is no command.
        self.skip(|c| c == 'I' || c == 'M');
        Ok(())
    }

    /// A delimiter and `parts` pieces that end with it: `/a/b/`.
    pub(super) fn delimited(&mut self, parts: usize) -> Result<(), Doubt> {
        let delimiter = self.next().filter(|c| !matches!(c, '\n' | '\\')).ok_or(Doubt)?;
        let start = self.rest;
        for part in 0..parts {
            // Only the first one is a pattern, where `[…]` hides the delimiter. Without an end of the brackets
            // they are no brackets.
            let ended = part == 0 && self.ended(delimiter, true) || self.ended(delimiter, false);
            if !ended {
                self.rest = start;
                return Err(Doubt);
            }
        }
        Ok(())
    }

    /// Goes behind the next `delimiter`. False, and nowhere, if there is none.
    fn ended(&mut self, delimiter: char, brackets: bool) -> bool {
        let mut chars = self.rest.chars();
        let mut inside = false;
        while let Some(c) = chars.next() {
            if inside {
                inside = c != ']';
            } else if c == '\\' {
                chars.next();
            } else if c == delimiter {
                self.rest = chars.as_str();
                return true;
            } else if c == '[' && brackets {
                inside = true;
                // `[]…]` and `[^]…]` hold a bracket.
                let rest = chars.as_str();
                let rest = rest.strip_prefix('^').unwrap_or(rest);
                chars = rest.strip_prefix(']').unwrap_or(rest).chars();
            }
        }
        false
    }
}
