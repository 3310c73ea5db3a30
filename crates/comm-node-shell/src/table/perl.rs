//! `perl`: files in place; and a few programs so plain that they certainly do no more.

use super::Shape;
use super::apply::Call;
use super::sed::{MOST_BYTES, Scan, backup};
use crate::{Certainty, Why};

/// `perl -pi -e 's/a/b/' file`, and everything else that perl can do.
pub(super) fn run(call: &mut Call<'_>) {
    let words = &call.words;
    let loops = words.has("-n,-p");
    let in_place = words.given("-i").map(|given| given.value.clone());
    let (mut given, mut plain) = (false, loops);
    for option in &words.options {
        if matches!(option.name.as_str(), "-e" | "-E") {
            given = true;
            // A variable may hold anything, but `"s/$a/$b/"` is what is meant (see `sed`).
            plain &= option.value.as_ref().is_some_and(|code| {
                let code = code.text();
                substitutes(code)
            });
        }
    }
    // Modules could do anything; those that come with perl and are named like this don't.
    plain &= !words.has("-M,-m,-x,-d");
    let operands = call.words.rest;
    if !given && operands.is_empty() && call.words.has("-v") {
        return;
    }
    if !given {
        let stdin = operands.first().is_none_or(|file| file.is("-"));
        call.unknown(if stdin { Why::Code } else { Why::Program });
    } else if !plain {
        call.unknown(Why::Code);
    }
    let Some(suffix) = in_place else { return };
    for file in operands.iter().skip(usize::from(!given)) {
        if let Some(suffix) = suffix.as_ref().filter(|suffix| !suffix.is("")) {
            backup(call, file, suffix);
        }
        call.write(file.clone(), Shape::File, Certainty::Certain);
    }
}

/// Whether `code` is nothing but substitutions and conditions that are patterns: `s/a/b/g; y/a/b/; print if /x/`.
fn substitutes(code: &str) -> bool {
    // What runs code within a pattern or a text.
    if code.len() > MOST_BYTES || ["(?{", "(??{", "@{", "${"].iter().any(|inner| code.contains(inner)) {
        return false;
    }
    let mut scan = Scan { rest: code };
    loop {
        scan.skip(|c| c.is_whitespace() || c == ';');
        if scan.rest.is_empty() {
            return true;
        }
        if scan.rest.starts_with('/') {
            if scan.delimited(1).is_err() {
                return false;
            }
            scan.skip(|c| matches!(c, 'i' | 'x' | 'm' | 's' | 'g'));
            continue;
        }
        let rest = scan.rest;
        let word = rest.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        scan.rest = rest.get(word.len()..).unwrap_or_default();
        let pieces = match word {
            "print" | "if" | "unless" | "next" | "and" | "or" | "not" | "chomp" => continue,
            "s" | "tr" | "y" => 2,
            "m" => 1,
            _ => return false,
        };
        // `s{a}{b}` has delimiters in pairs, which the scan doesn't know.
        let first = scan.rest.chars().next();
        if first.is_none_or(|c| c.is_alphanumeric() || c.is_whitespace() || "{([<'".contains(c)) {
            return false;
        }
        if scan.delimited(pieces).is_err() {
            return false;
        }
        // With `e` the replacement is code.
        scan.skip(|c| matches!(c, 'g' | 'i' | 'm' | 's' | 'x' | 'r' | 'd' | 'c'));
        if scan.rest.starts_with(|c: char| c.is_alphanumeric()) {
            return false;
        }
    }
}
