//! Brace expansion: `{a,b}` and `{1..5}`, in text as [`super::pattern`] writes it.

use super::pattern::next;

/// The most words that one word may become.
const MAX_WORDS: usize = 1024;
/// The most bytes that these may have together.
const MAX_TOTAL: usize = 256 << 10;
/// The most opening braces that are looked at; each is searched for its end.
const MAX_BRACES: usize = 64;

/// The longest word that is looked through.
const MAX_LENGTH: usize = 8 << 10;

/// The words that `text` stands for; `None` if they are too many.
pub(super) fn expand(text: &str) -> Option<Vec<String>> {
    if text.len() > MAX_LENGTH {
        return None;
    }
    let mut braces = MAX_BRACES;
    within(text, &mut braces)
}

/// [`expand`], where `braces` more of them may be looked at.
fn within(text: &str, braces: &mut usize) -> Option<Vec<String>> {
    let mut words = vec![String::new()];
    let mut chars = text.chars();
    let mut plain = 0;
    loop {
        let at = text.len() - chars.as_str().len();
        let found = next(&mut chars);
        if matches!(found, Some(('{', false))) {
            *braces = braces.checked_sub(1)?;
            if let Some((inner, rest)) = body(chars.as_str()) {
                let alternatives = match list(inner) {
                    Some(parts) => {
                        let mut all = Vec::new();
                        for part in parts {
                            all.append(&mut within(part, braces)?);
                        }
                        Some(all)
                    }
                    None => sequence(inner)?,
                };
                if let Some(alternatives) = alternatives {
                    push(&mut words, text.get(plain..at).unwrap_or_default());
                    words = product(&words, &alternatives)?;
                    chars = rest.chars();
                    plain = text.len() - rest.len();
                }
            }
        }
        if found.is_none() {
            push(&mut words, text.get(plain..).unwrap_or_default());
            return Some(words);
        }
    }
}

/// Adds `text` to each word.
fn push(words: &mut [String], text: &str) {
    for word in words {
        word.push_str(text);
    }
}

/// Each of `words` with each of `ends`.
fn product(words: &[String], ends: &[String]) -> Option<Vec<String>> {
    let longest = |list: &[String]| list.iter().map(String::len).max().unwrap_or(0);
    let count = words.len().checked_mul(ends.len())?;
    if count > MAX_WORDS || count.checked_mul(longest(words) + longest(ends))? > MAX_TOTAL {
        return None;
    }
    let mut out = Vec::with_capacity(count);
    for word in words {
        for end in ends {
            out.push([word.as_str(), end].concat());
        }
    }
    Some(out)
}

/// What stands before the `}` that belongs to a `{` just before `text`, and what behind it.
fn body(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    let mut chars = text.chars();
    loop {
        let at = text.len() - chars.as_str().len();
        match next(&mut chars)? {
            ('{', false) => depth += 1,
            ('}', false) if depth == 0 => return Some((text.get(..at)?, chars.as_str())),
            ('}', false) => depth -= 1,
            _ => {}
        }
    }
}

/// What stands between the commas; `None` if there is none.
fn list(text: &str) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let mut depth = 0_usize;
    let mut start = 0;
    let mut chars = text.chars();
    loop {
        let at = text.len() - chars.as_str().len();
        match next(&mut chars) {
            Some(('{', false)) => depth += 1,
            Some(('}', false)) => depth = depth.saturating_sub(1),
            Some((',', false)) if depth == 0 => {
                parts.push(text.get(start..at)?);
                start = at + 1;
            }
            None => break,
            _ => {}
        }
    }
    if parts.is_empty() {
        return None;
    }
    parts.push(text.get(start..)?);
    Some(parts)
}

/// The elements of `1..5`, `a..e` and `1..9..2`; the inner `None` if it isn't of this form, the outer
/// if they are too many.
#[expect(clippy::option_option, reason = "one says that it is no sequence, the other that it is too long")]
fn sequence(text: &str) -> Option<Option<Vec<String>>> {
    let mut ends = text.split("..");
    let (Some(first), Some(last), step, None) = (ends.next(), ends.next(), ends.next(), ends.next()) else {
        return Some(None);
    };
    let Ok(step) = step.unwrap_or("1").parse::<i64>() else { return Some(None) };
    let letter = |text: &str| match text.as_bytes() {
        [b] if b.is_ascii_alphabetic() => Some(i64::from(*b)),
        _ => None,
    };
    let letters = letter(first).zip(letter(last));
    let numbers = first.parse::<i64>().ok().zip(last.parse::<i64>().ok());
    let Some((from, to)) = letters.or(numbers) else { return Some(None) };
    let step = step.unsigned_abs().max(1);
    if from.abs_diff(to) / step >= MAX_WORDS as u64 {
        return None;
    }
    // `{01..10}` keeps the width.
    let padded = |t: &str| t.trim_start_matches('-').starts_with('0') && t.len() > 1;
    let width = if padded(first) || padded(last) { first.len().max(last.len()) } else { 0 };
    let mut out = Vec::new();
    let mut at = from;
    loop {
        out.push(match letters.and_then(|_| u8::try_from(at).ok()) {
            Some(byte) => char::from(byte).to_string(),
            None => number(at, width),
        });
        if from.abs_diff(at) + step > from.abs_diff(to) {
            return Some(Some(out));
        }
        // Within what was checked above, so that it can't overflow.
        at = if to >= from { at.saturating_add_unsigned(step) } else { at.saturating_sub_unsigned(step) };
    }
}

/// A number with zeros before it, the sign counted.
fn number(value: i64, width: usize) -> String {
    let digits = value.unsigned_abs().to_string();
    let sign = if value < 0 { "-" } else { "" };
    let mut out = String::from(sign);
    for _ in digits.len() + sign.len()..width.min(64) {
        out.push('0');
    }
    out.push_str(&digits);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let words = expand(text).map_or_else(|| "too many".to_owned(), |words| words.join(" "));
        assert_eq!(words, expected, "{text}");
    }

    #[test]
    fn braces_are_expanded_as_bash_does() {
        check("a", "a");
        check("{a,b}", "a b");
        check("x{a,b}y", "xay xby");
        check("{a,b}{1,2}", "a1 a2 b1 b2");
        check("{a,{b,c}d}", "a bd cd");
        check("{a,}", "a ");
        check("{}", "{}");
        check("{a}", "{a}");
        check("{a", "{a");
        check("{{a,b}", "{a {b");
        check("{a,b}}", "a} b}");
        check("a,b", "a,b");
        check("{{a,b}}", "{a} {b}");
        check(r"\{a,b}", r"\{a,b}");
        check(r"{a\,b}", r"{a\,b}");
        check("{1..3}", "1 2 3");
        check("{3..1}", "3 2 1");
        check("{08..11}", "08 09 10 11");
        check("{-1..1}", "-1 0 1");
        check("{a..c}", "a b c");
        check("{1..9..4}", "1 5 9");
        check("{1..x}", "{1..x}");
        check("{1..100000}", "too many");
        check("{1..1000}{1..1000}", "too many");
        check(&"{a,b}".repeat(20), "too many");
        check(&"{".repeat(1000), "too many");
        check("{-9223372036854775808..9223372036854775807}", "too many");
        check("{9223372036854775806..9223372036854775807}", "9223372036854775806 9223372036854775807");
    }
}
