//! Text on its way through expansion, and the shell's patterns in it.
//!
//! While a word is expanded its text says of each character whether it may still mean something:
//! a character behind a backslash is itself, whatever it is; one without may be special. What isn't
//! known, a border between fields and an empty pair of quotes are characters of their own, from a
//! range in which no text has a meaning; where a text holds one of these, it gets a backslash too.

/// Here stands something that isn't known.
pub(super) const UNKNOWN: char = '\u{F0000}';
/// Here one field ends and another begins, as between the elements of `"$@"`.
pub(super) const BREAK: char = '\u{F0001}';
/// Here stood `""`: the field is there, even if it is empty.
pub(super) const NULL: char = '\u{F0002}';
/// Unlike the others an ordinary character, up to where a path is written.
pub(super) use crate::table::NAME;

/// True for what needs a backslash to be itself.
fn special(c: char) -> bool {
    matches!(c, UNKNOWN | BREAK | NULL)
        || c.is_ascii() && !(c.is_ascii_alphanumeric() || matches!(c, '/' | '_'))
}

/// Adds text that is itself, throughout.
pub(super) fn push_quoted(out: &mut String, text: &str) {
    for c in text.chars() {
        if special(c) {
            out.push('\\');
        }
        out.push(c);
    }
}

/// Adds text as it stands in the command, outside quotes.
pub(super) fn push_plain(out: &mut String, text: &str) {
    for c in text.chars() {
        if matches!(c, '\\' | ' ' | '\t' | '\n' | UNKNOWN | BREAK | NULL) {
            out.push('\\');
        }
        out.push(c);
    }
}

/// Adds a value that is expanded outside quotes: it is split at `separators`, and may be a pattern.
pub(super) fn push_value(out: &mut String, text: &str, separators: &str) {
    for c in text.chars() {
        if separators.contains(c) {
            out.push(BREAK);
        } else {
            if special(c) && !matches!(c, '*' | '?' | '[' | ']' | '!' | '^' | '-') {
                out.push('\\');
            }
            out.push(c);
        }
    }
}

/// The next character, and whether it is only itself.
pub(super) fn next(chars: &mut std::str::Chars<'_>) -> Option<(char, bool)> {
    match chars.next()? {
        '\\' => Some((chars.next().unwrap_or('\\'), true)),
        c => Some((c, false)),
    }
}

/// The text without backslashes; false with it if it ends before something that isn't known or, where
/// `pattern` says so, before the first special character.
pub(super) fn decode(text: &str, pattern: bool) -> (String, bool) {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some((c, quoted)) = next(&mut chars) {
        match c {
            _ if quoted => out.push(c),
            UNKNOWN => return (out, false),
            '*' | '?' | '[' | '(' if pattern => return (out, false),
            NULL => {}
            BREAK => out.push(' '),
            _ => out.push(c),
        }
    }
    (out, true)
}

/// True if a text holds a special character that makes a pattern of it.
pub(super) fn is_pattern(text: &str) -> bool {
    let mut chars = text.chars();
    let mut open = false;
    while let Some((c, quoted)) = next(&mut chars) {
        match c {
            '*' | '?' if !quoted => return true,
            '[' if !quoted => open = true,
            ']' if !quoted && open => return true,
            _ => {}
        }
    }
    false
}

/// True if a text holds `c` with its special meaning.
pub(super) fn holds(text: &str, c: char) -> bool {
    let mut chars = text.chars();
    while let Some((found, quoted)) = next(&mut chars) {
        if found == c && !quoted {
            return true;
        }
    }
    false
}

/// True if `pattern` matches the whole of `text`; `*` matches any characters.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // Where to go on if what follows the last `*` doesn't match here.
    let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let before = pattern.clone();
        let matched = match next(&mut pattern) {
            None => text.as_str().is_empty(),
            Some((NULL, false)) => continue,
            Some(('*', false)) => {
                retry = Some((pattern.clone(), text.clone()));
                continue;
            }
            Some((p, quoted)) => match text.next() {
                None => false,
                Some(_) if p == '?' && !quoted => true,
                Some(c) if p == '[' && !quoted => match set(&mut pattern, c) {
                    Some(within) => within,
                    None => {
                        pattern = before;
                        let _ = next(&mut pattern);
                        c == '['
                    }
                },
                Some(c) => c == p,
            },
        };
        if matched {
            if pattern.as_str().is_empty() && text.as_str().is_empty() {
                return true;
            }
            continue;
        }
        let Some((after, mut rest)) = retry.take() else { return false };
        if rest.next().is_none() {
            return false;
        }
        pattern = after.clone();
        text = rest.clone();
        retry = Some((after, rest));
    }
}

/// Whether `c` is in the set that begins behind `[`; `None` if it has no end.
fn set(pattern: &mut std::str::Chars<'_>, c: char) -> Option<bool> {
    let mut ahead = pattern.clone();
    let negated = matches!(next(&mut ahead)?, ('!' | '^', false));
    if negated {
        *pattern = ahead;
    }
    let mut within = false;
    let mut first = true;
    loop {
        let (low, quoted) = next(pattern)?;
        if low == ']' && !quoted && !first {
            return Some(within != negated);
        }
        first = false;
        if low == '[' && !quoted && pattern.as_str().starts_with(':') {
            within |= class(pattern, c)?;
            continue;
        }
        let mut ahead = pattern.clone();
        if matches!(next(&mut ahead), Some(('-', false))) && !ahead.as_str().starts_with(']') {
            let (high, _) = next(&mut ahead)?;
            *pattern = ahead;
            within |= low <= c && c <= high;
        } else {
            within |= low == c;
        }
    }
}

/// Whether `c` is in the class `[:name:]`, of which `[` is read.
fn class(pattern: &mut std::str::Chars<'_>, c: char) -> Option<bool> {
    let (name, rest) = pattern.as_str().strip_prefix(':')?.split_once(":]")?;
    *pattern = rest.chars();
    Some(match name {
        "alpha" => c.is_ascii_alphabetic(),
        "digit" => c.is_ascii_digit(),
        "alnum" => c.is_ascii_alphanumeric(),
        "upper" => c.is_ascii_uppercase(),
        "lower" => c.is_ascii_lowercase(),
        "space" => c.is_ascii_whitespace(),
        "punct" => c.is_ascii_punctuation(),
        "xdigit" => c.is_ascii_hexdigit(),
        _ => true,
    })
}

/// `text` without the shortest or `longest` prefix that matches.
pub(super) fn without_prefix<'a>(text: &'a str, pattern: &str, longest: bool) -> &'a str {
    let mut found = text;
    for (at, _) in text.char_indices().chain([(text.len(), ' ')]) {
        let (prefix, rest) = text.split_at(at);
        if matches(pattern, prefix) {
            found = rest;
            if !longest {
                break;
            }
        }
    }
    found
}

/// `text` without the shortest or `longest` suffix that matches.
pub(super) fn without_suffix<'a>(text: &'a str, pattern: &str, longest: bool) -> &'a str {
    let mut found = text;
    for (at, _) in text.char_indices().chain([(text.len(), ' ')]) {
        let (rest, suffix) = text.split_at(at);
        if matches(pattern, suffix) {
            found = rest;
            if longest {
                break;
            }
        }
    }
    found
}
