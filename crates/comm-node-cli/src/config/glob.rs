//! Patterns as people write them: what is refused, and the form that the registry holds.

use std::ops::Range;

use comm_node_core::{glob, path};

/// What is wrong with a pattern: where in it, what, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) at: Range<usize>,
    pub(super) what: String,
    pub(super) help: String,
}

/// The registry's form of `raw`: relative with `/` between components, no `./`, `dir/` as `dir/**`,
/// NFC, and lower case if `fold`.
pub(super) fn normalise(raw: &str, fold: bool) -> Result<String, Bad> {
    let bad = |at: Range<usize>, what: &str, help: String| Err(Bad { at, what: what.to_owned(), help });
    let all = 0..raw.len();
    if raw.trim().is_empty() {
        return bad(all, "the pattern is empty", "write a path such as \"src/**\", or remove it".into());
    }
    if raw.trim() != raw {
        return bad(all, "the pattern begins or ends with a space", format!("write \"{}\"", raw.trim()));
    }
    if raw.len() > glob::MAX_LEN {
        return bad(all, "the pattern is too long", format!("keep it within {} bytes", glob::MAX_LEN));
    }
    if let Some(rest) = raw.strip_prefix('!') {
        let help = format!("there are no negated patterns: put \"{rest}\" under `exclude`");
        return bad(0..1, "the pattern begins with `!`", help);
    }
    if raw.starts_with('~') && (raw.len() == 1 || raw.starts_with("~/")) {
        return bad(0..1, "`~` is not expanded", RELATIVE.into());
    }
    if raw.starts_with('/') || raw.starts_with("\\\\") {
        let rest = raw.trim_start_matches(['/', '\\']);
        let help = if rest.is_empty() { RELATIVE.into() } else { format!("{RELATIVE}, such as \"{rest}\"") };
        return bad(0..1, "the pattern is an absolute path", help);
    }
    if raw.as_bytes().get(1) == Some(&b':') && raw.as_bytes()[0].is_ascii_alphabetic() {
        return bad(0..2, "the pattern is an absolute path", RELATIVE.into());
    }
    brackets(raw)?;
    glued_stars(raw)?;
    let form = components(raw, fold)?;
    // What is left are limits and oddities of these, which need no better place.
    if !form.contains(SPECIAL) {
        return Ok(form);
    }
    match glob::check(&form) {
        Ok(()) => Ok(form),
        Err(why) => Err(Bad { at: 0..raw.len(), what: "the pattern can't be used".to_owned(), help: why }),
    }
}

/// Where one of these stands, the exact check decides.
const SPECIAL: [char; 6] = ['{', '}', '[', ']', '\\', ','];

const RELATIVE: &str = "patterns are relative to the domain's `path`, by default the node's root";

/// Escapes, classes and braces.
fn brackets(raw: &str) -> Result<(), Bad> {
    let bytes = raw.as_bytes();
    let mut open: Vec<usize> = Vec::new();
    let mut i = 0;
    while i < bytes.len() {
        match bytes[i] {
            b'\\' => {
                let special = bytes.get(i + 1).is_some_and(|b| b"*?[]{}!\\,".contains(b));
                if !special || bytes[i..].starts_with(b"\\**") {
                    return Err(Bad {
                        at: i..i + 1,
                        what: "`\\` is not a separator".into(),
                        help: format!("write \"{}\"", raw.replace('\\', "/")),
                    });
                }
                i += 1;
            }
            b'[' => match class_end(bytes, i) {
                Some(end) => i = end,
                None => {
                    return Err(Bad {
                        at: i..i + 1,
                        what: "`[` is never closed".into(),
                        help: "add the `]`, or write `\\[` for the character itself".into(),
                    });
                }
            },
            b'{' => open.push(i),
            b'}' if open.pop().is_none() => {
                return Err(Bad {
                    at: i..i + 1,
                    what: "`}` closes nothing".into(),
                    help: "add the `{`, or write `\\}` for the character itself".into(),
                });
            }
            _ => {}
        }
        i += 1;
    }
    match open.first() {
        Some(&at) => Err(Bad {
            at: at..at + 1,
            what: "`{` is never closed".into(),
            help: "add the `}`, or write `\\{` for the character itself".into(),
        }),
        None => Ok(()),
    }
}

/// The `]` that ends the class at `start`; a `]` right after the opening is a member.
fn class_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut i = start + 1;
    if matches!(bytes.get(i), Some(b'!' | b'^')) {
        i += 1;
    }
    let first = i;
    while let Some(b) = bytes.get(i) {
        match b {
            b'\\' => i += 1,
            b']' if i > first => return Some(i),
            b'/' => return None,
            _ => {}
        }
        i += 1;
    }
    None
}

/// `**` beside other text in a component, where people expect it to cross directories.
fn glued_stars(raw: &str) -> Result<(), Bad> {
    let mut at = 0;
    if raw.contains("**, ") && !raw.contains('{') {
        let what = "the pattern has a comma in it".to_owned();
        return Err(Bad {
            at: 0..raw.len(),
            what,
            help: "write two patterns as two items of the list".into(),
        });
    }
    for part in raw.split('/') {
        if let Some(stars) = part.find("**")
            && part != "**"
            && !part.contains(SPECIAL)
        {
            let better = part.replacen("**", if stars == 0 { "**/*" } else { "*/**/*" }, 1);
            let place = at + stars..at + stars + 2;
            let what = "`**` stands beside other text, where it would not cross directories".to_owned();
            let help = format!("write \"{}\"", raw.replacen(part, &better, 1));
            return Err(Bad { at: place, what, help });
        }
        at += part.len() + 1;
    }
    Ok(())
}

/// Joins the components anew.
fn components(raw: &str, fold: bool) -> Result<String, Bad> {
    let mut parts: Vec<&str> = Vec::new();
    let mut at = 0;
    for part in raw.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                let what = "the pattern leads out of its tree with `..`".to_owned();
                let help = "name the path below the domain's `path`; for another repository set `path`";
                return Err(Bad { at: at..at + 2, what, help: help.into() });
            }
            part => parts.push(part),
        }
        at += part.len() + 1;
    }
    if raw.ends_with('/') || parts.is_empty() {
        parts.push("**");
    }
    let joined = parts.join("/");
    let form = path::normal(&joined, fold);
    // Behind a `./` it is a part of a name, and negates nothing.
    Ok(if form.starts_with('!') { ["\\", &form].concat() } else { form.into_owned() })
}

/// True if the pattern matches more than one path.
pub(super) fn has_wildcard(glob: &str) -> bool {
    let mut chars = glob.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '*' | '?' | '[' | '{' => return true,
            _ => {}
        }
    }
    false
}

/// The text of a pattern without wildcards.
pub(super) fn unescape(glob: &str) -> String {
    let mut out = String::with_capacity(glob.len());
    let mut chars = glob.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    out
}

/// The directory that a pattern of the form `dir/**` takes whole; `""` for `**`.
pub(super) fn whole_directory(glob: &str) -> Option<String> {
    let glob = glob.strip_suffix("/*").filter(|g| g.ends_with("**")).unwrap_or(glob);
    let dir = if glob == "**" { "" } else { glob.strip_suffix("/**")? };
    (!has_wildcard(dir)).then(|| unescape(dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn good(raw: &str, want: &str) {
        assert_eq!(normalise(raw, false).as_deref(), Ok(want));
    }

    #[track_caller]
    fn bad(raw: &str, want: &str) {
        let found = normalise(raw, false);
        assert!(found.as_ref().is_err_and(|bad| bad.what.contains(want)), "{raw}: {found:?}");
    }

    #[test]
    fn forms() {
        good("src/**", "src/**");
        good("./src/", "src/**");
        good("src//a/./b.rs", "src/a/b.rs");
        good(".", "**");
        good("./!x", "\\!x");
        good(".//!", "\\!");
        good("cafe\u{301}/**", "caf\u{e9}/**");
        good("[]a]/x", "[]a]/x");
        good("a\\*b", "a\\*b");
        good("{a,{b,c}}/**", "{a,{b,c}}/**");
        assert_eq!(normalise("Src/**", true).as_deref(), Ok("src/**"));
    }

    #[test]
    fn refusals() {
        bad("", "empty");
        bad(" src", "space");
        bad("!src/**", "`!`");
        bad("/src", "absolute");
        bad("C:/src", "absolute");
        bad("~/src", "`~`");
        bad("src/../x", "`..`");
        bad("..", "`..`");
        bad("src\\api\\**", "separator");
        bad("src/[ab", "`[`");
        bad("src/[ab/c]", "`[`");
        bad("src/{a,b", "`{`");
        bad("src/a}", "`}`");
        bad("src/**.rs", "beside");
        bad("a{**,b}", "can't be used");
        bad("src/**, lib/**", "comma");
        bad(&"{a,b}".repeat(11), "can't be used");
        bad(&"a".repeat(600), "too long");
    }

    #[test]
    fn nothing_is_negated() {
        let form = normalise("./!x/**", false).expect("a pattern");
        assert!(glob::matches(&form, "!x/a") && !glob::matches(&form, "y"), "{form}");
    }

    #[test]
    fn literals_survive() {
        for literal in ["a", "[x]", "a*b", "{a}", "!x", "a\\b", "a!b"] {
            assert_eq!(unescape(&glob::escape(literal)), literal);
            assert!(glob::matches(&glob::escape(literal), literal), "{literal}");
        }
    }

    #[test]
    fn whole_directories() {
        assert_eq!(whole_directory("a/b/**").as_deref(), Some("a/b"));
        assert_eq!(whole_directory("a/**/*").as_deref(), Some("a"));
        assert_eq!(whole_directory("**").as_deref(), Some(""));
        assert_eq!(whole_directory("\\[x\\]/**").as_deref(), Some("[x]"));
        assert_eq!(whole_directory("a*/**"), None);
        assert_eq!(whole_directory("a/*.rs"), None);
    }
}
