//! Texts from outside, made fit for Markdown that a model reads: nothing in them is a mark-up, an
//! import, a command to run, or the end of what they stand in.

use comm_node_core::text::one_line;

/// The longest name or pattern that is shown whole.
const MAX: usize = 160;

/// `raw` as a piece of prose, at most `max` characters: one line, no code, tag or `@` import.
#[must_use]
pub fn plain(raw: &str, max: usize) -> String {
    let words = raw.split_whitespace().collect::<Vec<_>>().join(" ");
    let calm = |c| match c {
        '`' => '\'',
        '<' => '‹',
        '>' => '›',
        // In the client's files `@path` is replaced by what that file holds, `$1` by an argument.
        '@' => '＠',
        '$' => '＄',
        other => other,
    };
    unmarked(one_line(&words, max).chars().map(calm).collect())
}

/// `text` in which nothing looks like one of our marks, or like a comment, which the client leaves out.
fn unmarked(text: String) -> String {
    [("comm-node:", "comm-node："), ("<!--", "<! --"), ("-->", "-- >")]
        .iter()
        .fold(text, |text, (old, new)| if text.contains(old) { text.replace(old, new) } else { text })
}

/// `raw` as code: the fence is longer than any backticks in it. Only what the client would act on in code is
/// written otherwise.
#[must_use]
pub fn code(raw: &str) -> String {
    let line = one_line(raw, MAX);
    let longest = line.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    if longest == 0 && !line.is_empty() {
        // The client replaces `$1` and `$ARGUMENTS` in code too.
        return unmarked(format!("`{}`", line.replace('$', "＄")));
    }
    let fence = "`".repeat(longest + 1);
    // A `!` before a backtick would make the client run what follows.
    let line = line.replace('$', "＄").replace("!`", "! `");
    unmarked(format!("{fence} {line} {fence}"))
}

/// `raw` as a name in a marker: letters, digits, `.`, `-` and `_`.
#[must_use]
pub fn slug(raw: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    raw.chars().take(MAX).map(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_stays_prose() {
        assert_eq!(plain("HTTP API", 80), "HTTP API");
        assert_eq!(plain("a\n<!-- x -->\n@~/k `!` $1", 80), "a ‹!-- x --› ＠~/k '!' ＄1");
        assert_eq!(plain("comm-node:end", 80), "comm-node：end");
        assert_eq!(plain("\u{202e}x", 80), "\\u{202e}x");
    }

    #[test]
    fn code_is_never_left() {
        assert_eq!(code("src/**"), "`src/**`");
        assert_eq!(code("a`b"), "`` a`b ``");
        assert_eq!(code("a!``b"), "``` a! ``b ```");
        assert_eq!(code("x\n---\n"), "`x\\u{a}---\\u{a}`");
        assert_eq!(code("<!-- x -->"), "`<! -- x -- >`");
        assert_eq!(code("$ARGUMENTS"), "`＄ARGUMENTS`");
    }

    #[test]
    fn slugs_end_no_comment() {
        assert_eq!(slug("a b --> c"), "a-b-----c");
    }
}
