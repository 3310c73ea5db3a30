//! `awk`: files in place, and programs that write or run something by themselves.

use super::apply::Call;
use super::{Argument, Effect, Shape};
use crate::{Certainty, Why};

/// `awk`, whose first operand is its program.
pub(super) fn run(call: &mut Call<'_>) {
    let words = &call.words;
    let mut operands = words.rest;
    let mut programs = Vec::new();
    let (mut given, mut in_place) = (false, false);
    for option in &words.options {
        let Some(value) = &option.value else { continue };
        match option.name.as_str() {
            "-f" | "--file" | "-E" | "--exec" => given = true,
            "-e" | "--source" => programs.push(value.clone()),
            "-i" | "--include" if value.is("inplace") => in_place = true,
            "-i" | "--include" => given = true,
            _ => {}
        }
    }
    if given {
        call.unknown(Why::Code);
    } else if programs.is_empty()
        && let Some((program, files)) = operands.split_first()
    {
        programs.push(program.clone());
        operands = files;
    }
    for program in &programs {
        look_through(call, program);
    }
    if in_place {
        for operand in operands {
            // `name=value` is an assignment.
            let file = operand.text().contains('/') || !operand.text().contains('=');
            if file {
                call.write(operand.clone(), Shape::File, Certainty::Certain);
            }
        }
    }
}

/// What stands before a place in a program, as far as it tells a pattern from a division.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    /// A value: a name, a number, a string, `)`, `]`.
    Value,
    /// Anything else.
    Other,
}

/// Adds what a program writes and runs.
fn look_through(call: &mut Call<'_>, program: &Argument) {
    let mut rest = program.text();
    let mut before = Before::Other;
    // How deep in parentheses since `print`, or `None` outside of such a statement.
    let mut printing: Option<i32> = None;
    let mut string = None;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        let last = string.take();
        match c {
            '"' => {
                let Some((text, behind)) = quoted(after) else { return doubt(call, program) };
                (string, rest, before) = (Some(text), behind, Before::Value);
                continue;
            }
            '/' if before == Before::Other => {
                let Some(behind) = behind_pattern(after) else { return doubt(call, program) };
                (rest, before) = (behind, Before::Value);
                continue;
            }
            '#' => {
                rest = after.find('\n').and_then(|at| after.get(at..)).unwrap_or_default();
                continue;
            }
            '@' => return call.unknown(Why::Code),
            '\\' | ' ' | '\t' => {
                (rest, string) = (after, last);
                continue;
            }
            ';' | '\n' | '{' | '}' => (printing, before) = (None, Before::Other),
            '(' | '[' => (printing, before) = (printing.map(|depth| depth + 1), Before::Other),
            ')' | ']' => (printing, before) = (printing.map(|depth| depth - 1), Before::Value),
            '>' if printing == Some(0) => {
                let after = after.strip_prefix('>').unwrap_or(after);
                rest = after;
                write(call, after.trim_ascii_start());
                before = Before::Other;
                continue;
            }
            '|' if after.starts_with('|') => {
                (rest, before) = (after.get(1..).unwrap_or_default(), Before::Other);
                continue;
            }
            '|' => {
                let after = after.strip_prefix('&').unwrap_or(after).trim_ascii_start();
                // `print | "command"`, or `"command" | getline`.
                let read = after.starts_with("getline");
                command(call, if read { last } else { literal(after, ";}\n") });
                before = Before::Other;
            }
            '$' => before = Before::Other,
            c if c.is_alphanumeric() || c == '_' => {
                let word = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
                rest = rest.get(word.len()..).unwrap_or_default();
                before = Before::Value;
                match word {
                    "print" | "printf" => (printing, before) = (Some(0), Before::Other),
                    "return" | "in" | "getline" | "case" | "exit" => before = Before::Other,
                    "system" => {
                        let text = rest.trim_ascii_start().strip_prefix('(').map(str::trim_ascii_start);
                        command(call, text.and_then(|text| literal(text, ")")));
                    }
                    _ => {}
                }
                continue;
            }
            _ => before = Before::Other,
        }
        rest = after;
    }
}

/// What can't be read is code of which nothing is known, unless it only ends at a variable (see `sed`).
fn doubt(call: &mut Call<'_>, program: &Argument) {
    if !program.is_open() {
        call.unknown(Why::Code);
    }
}

/// `print > …`: a file, if it is one text and no more.
fn write(call: &mut Call<'_>, target: &str) {
    if let Some(file) = literal(target, ";}\n") {
        if !matches!(file.as_str(), "/dev/stdout" | "/dev/stderr" | "-" | "/dev/null") {
            call.write(Argument::Known(file), Shape::File, Certainty::Possible);
        }
    } else if let Some((prefix, _)) = target.strip_prefix('"').and_then(quoted) {
        call.write(Argument::Unknown { prefix }, Shape::File, Certainty::Possible);
    } else {
        call.unknown(Why::Path);
    }
}

/// A command that is run: a shell text, if it is known.
fn command(call: &mut Call<'_>, text: Option<String>) {
    match text {
        Some(text) => {
            call.push(Effect::Script { text: Argument::Known(text), parameters: Vec::new(), here: false });
        }
        None => call.unknown(Why::Code),
    }
}

/// The string at the beginning of `text`, if nothing but one of `ends`, or the end, is behind it.
fn literal(text: &str, ends: &str) -> Option<String> {
    let (string, behind) = quoted(text.strip_prefix('"')?)?;
    let next = behind.trim_start_matches([' ', '\t']).chars().next();
    next.is_none_or(|c| ends.contains(c)).then_some(string)
}

/// The string behind its first quote, and what stands behind the second one.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut string = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Some((string, chars.as_str())),
            '\n' => return None,
            '\\' => match chars.next()? {
                'n' => string.push('\n'),
                't' => string.push('\t'),
                c @ ('"' | '\\' | '/') => string.push(c),
                // Octal numbers and the like: no name of a file that anyone writes.
                _ => string.push('\u{fffd}'),
            },
            c => string.push(c),
        }
    }
    None
}

/// What stands behind the pattern whose first slash is gone.
fn behind_pattern(text: &str) -> Option<&str> {
    let mut chars = text.chars();
    let mut inside = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => _ = chars.next(),
            '\n' => return None,
            '[' if !inside => {
                inside = true;
                let rest = chars.as_str();
                let rest = rest.strip_prefix('^').unwrap_or(rest);
                chars = rest.strip_prefix(']').unwrap_or(rest).chars();
            }
            ']' => inside = false,
            '/' if !inside => return Some(chars.as_str()),
            _ => {}
        }
    }
    None
}
