//! Globs: matching a key, checking the syntax, and finding out whether two globs can match a
//! common key.
//!
//! | syntax | meaning |
//! |---|---|
//! | `*` | any number of bytes within one component, also none, also a leading dot |
//! | `?` | one byte within a component (`é` is two) |
//! | `**` | a whole component: any number of components, also none |
//! | `[a-z]`, `[!a-z]`, `[^a-z]` | one byte of, or not of, a set; never `/` |
//! | `{a,b}` | alternatives, which may nest and may hold anything |
//! | `\` | takes the next byte literally, but `\n`, `\r`, `\t`, `\b` are control characters |
//!
//! So `dir/**` matches everything below `dir` but not `dir` itself, and `**/x` matches `x` at the
//! top as well. Where `**` is only a part of a component, as in `src/**.rs` or `a{**,b}`, matchers
//! disagree about it and people mean something else; [`check`] refuses it. Matching is
//! fast-glob's; globset with `literal_separator` is the oracle in the tests. A *key* is what [`crate::path::key`] makes: UTF-8, components without
//! `.` and `..`, one `/` between them, none at the ends.

mod automaton;
mod overlap;
#[cfg(test)]
mod tests;

pub use overlap::{overlap, overlap_excluding, overlaps};

/// The longest glob that [`check`] accepts, in bytes; it bounds what [`overlap`] can cost.
pub const MAX_LEN: usize = 512;

/// The most plain globs that the braces of one glob may stand for. Matching is exponential in the
/// number of groups, and every hook matches against every glob lease.
pub const MAX_ALTERNATIVES: usize = 256;

/// True if `glob` matches the whole of `key` (see [`crate::path::key`]).
///
/// A leading `!`, which [`check`] refuses, is a part of the name, so that rules that have one all the same are not the
/// opposite of a scope.
#[must_use]
pub fn matches(glob: &str, key: &str) -> bool {
    let rest = glob.trim_start_matches('!');
    let marks = &glob[..glob.len() - rest.len()];
    key.strip_prefix(marks).is_some_and(|key| fast_glob::glob_match(rest, key))
}

/// True if `glob` has no special character: it can match one key only, itself.
#[must_use]
pub fn is_literal(glob: &str) -> bool {
    !glob.bytes().any(|b| matches!(b, b'*' | b'?' | b'[' | b'{' | b'\\')) && !glob.starts_with('!')
}

/// `key` as a glob that matches `key` only.
#[must_use]
pub fn escape(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for (i, c) in key.char_indices() {
        match c {
            // A backslash would turn some letters into control characters, but none of these.
            '*' | '?' | '[' | ']' | '{' | '}' | '\\' => out.push('\\'),
            '!' if i == 0 => out.push('\\'),
            _ => {}
        }
        out.push(c);
    }
    out
}

/// Checks that `glob` is well formed and can match something.
///
/// # Errors
/// What is wrong with it and how to write it instead, as a clause.
pub fn check(glob: &str) -> Result<(), String> {
    if glob.is_empty() {
        return Err("it is empty; `**` matches everything".to_owned());
    }
    if glob.len() > MAX_LEN {
        return Err(format!("it has {} bytes, more than {MAX_LEN}", glob.len()));
    }
    if glob.starts_with('!') {
        return Err(r"a glob can't be negated; a name that starts with `!` is written `\!`".to_owned());
    }
    fast_glob::validate(glob).map_err(|e| e.to_string())?;
    if let Some(at) = automaton::partial_component(glob.as_bytes()) {
        return Err(format!(
            "`**` at byte {at} is only a part of a path component; write `*`, or `**/*` for files at any depth"
        ));
    }
    if automaton::alternatives(glob.as_bytes()) > MAX_ALTERNATIVES {
        return Err(format!(
            "its braces stand for more than {MAX_ALTERNATIVES} globs; write several globs instead"
        ));
    }
    if overlap(glob, "**").is_some() {
        return Ok(());
    }
    Err(if glob.starts_with('/') {
        "it starts with `/`; globs are relative, without a leading slash".to_owned()
    } else if let Some(dir) = glob.strip_suffix('/') {
        format!("it ends with `/`; what is below a directory is `{dir}/**`")
    } else if glob.split('/').any(|part| part == "." || part == "..") {
        "it holds `.` or `..`, which no path has once it is resolved".to_owned()
    } else {
        "no path can match it".to_owned()
    })
}
