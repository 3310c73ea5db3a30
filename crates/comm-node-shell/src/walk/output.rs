//! What simple programs print, so that `$(dirname "$f")` and `echo … | sh` are known.

use std::path::Path;

use super::Walker;
use super::parameter::lookup;
use super::pattern::NAME;
use super::state::{State, Value};
use crate::table::Argument;

/// The longest output that is kept.
const MAX_OUTPUT: usize = 64 << 10;
/// The most numbers of a `seq`.
const MAX_NUMBERS: u32 = 100;
/// How many directories upwards a repository is looked for.
const MAX_UP: usize = 32;

impl Walker<'_> {
    /// Adds what the shell's own `name` prints to what was printed before.
    pub(super) fn print(&mut self, argv: &[Argument], state: &State) {
        let Some(mut out) = self.out.take() else { return };
        if let Some(text) = self.printed(argv, state)
            && out.len() + text.len() <= MAX_OUTPUT
            && self.spend(text.len() / 64)
        {
            out.push_str(&text);
            self.out = Some(out);
        }
    }

    /// What a program prints, if that can be told.
    pub(super) fn printed(&mut self, argv: &[Argument], state: &State) -> Option<String> {
        let mut texts = Vec::with_capacity(argv.len());
        for argument in argv {
            match argument {
                Argument::Known(text) => texts.push(text.as_str()),
                Argument::Unknown { .. } => return None,
            }
        }
        let (name, arguments) = texts.split_first()?;
        match (*name, arguments) {
            ("echo", _) => echo(arguments),
            ("printf", ["--", format, values @ ..] | [format, values @ ..]) => printf(format, values),
            ("pwd", [] | ["-L" | "-P"]) => line(state.cwd()?.to_str()?),
            ("cat", [] | ["-"]) => self.stdin.as_deref().map(str::to_owned),
            ("dirname", ["--", path] | [path]) if !path.starts_with('-') => line(dirname(path)),
            ("basename", [path]) if !path.starts_with('-') => line(basename(path)),
            ("basename", [path, suffix]) if !path.starts_with('-') => {
                let base = basename(path);
                line(base.strip_suffix(suffix).filter(|stem| !stem.is_empty()).unwrap_or(base))
            }
            ("date", [format] | ["-u", format]) => line(&date(format)?),
            ("seq", [last]) => seq("1", last),
            ("seq", [first, last]) => seq(first, last),
            ("mktemp", _) => {
                let path = mktemp(arguments, state)?;
                self.temporary.push(path.trim_end().to_owned());
                Some(path)
            }
            ("git", ["rev-parse", "--show-toplevel"]) => self.toplevel(state.cwd()?),
            ("mkdir" | "rm" | "touch" | "test" | "true", _) => Some(String::new()),
            _ => None,
        }
    }

    /// The top of the git worktree that `cwd` lies in.
    fn toplevel(&mut self, cwd: &Path) -> Option<String> {
        for directory in cwd.ancestors().take(MAX_UP) {
            if !self.spend(4) {
                return None;
            }
            if self.tree.kind(&directory.join(".git")).is_some() {
                return line(directory.to_str()?);
            }
        }
        None
    }
}

/// A text as a line.
#[expect(clippy::unnecessary_wraps, reason = "it stands beside what may not be known")]
fn line(text: &str) -> Option<String> {
    Some([text, "\n"].concat())
}

/// `echo`
fn echo(arguments: &[&str]) -> Option<String> {
    let (end, words) = match arguments {
        ["-n", words @ ..] => ("", words),
        words => ("\n", words),
    };
    // What else looks like an option, and what a backslash means, depends on the shell.
    if words.first().is_some_and(|word| word.starts_with('-')) || words.iter().any(|word| word.contains('\\'))
    {
        return None;
    }
    Some([words.join(" ").as_str(), end].concat())
}

/// `printf`, with plain text, `%s` and `%%`.
pub(super) fn printf(format: &str, values: &[&str]) -> Option<String> {
    let mut out = String::new();
    let mut values = values.iter();
    loop {
        let left = values.len();
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            match c {
                '%' => match chars.next()? {
                    '%' => out.push('%'),
                    's' => out.push_str(values.next().copied().unwrap_or_default()),
                    'd' => out.push_str(values.next().copied().filter(|v| v.parse::<i32>().is_ok())?),
                    _ => return None,
                },
                '\\' => out.push(match chars.next()? {
                    'n' => '\n',
                    't' => '\t',
                    '\\' => '\\',
                    _ => return None,
                }),
                c => out.push(c),
            }
            if out.len() > MAX_OUTPUT {
                return None;
            }
        }
        // The format is used again as long as there are values.
        if values.len() == 0 || values.len() == left {
            return Some(out);
        }
    }
}

/// `date +format`, if what it prints is a part of a name: no slash, no space.
fn date(format: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = format.strip_prefix('+')?.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' if "YmdHMSsNFTjyIbBaAuUVWGg".contains(chars.next()?) => out.push(NAME),
            '%' => return None,
            c => out.push(c),
        }
    }
    Some(out)
}

/// `seq` with few numbers.
fn seq(first: &str, last: &str) -> Option<String> {
    let plain = |text: &str| text.len() < 9 && (text == "0" || !text.starts_with('0'));
    if !plain(first) || !plain(last) {
        return None;
    }
    let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
    if last.saturating_sub(first) > MAX_NUMBERS {
        return None;
    }
    let mut out = String::new();
    for number in first..=last {
        out.push_str(&number.to_string());
        out.push('\n');
    }
    Some(out)
}

/// `dirname`
fn dirname(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    match path.rfind('/') {
        Some(slash) => match path.get(..slash).unwrap_or_default().trim_end_matches('/') {
            "" => "/",
            directory => directory,
        },
        None if path.is_empty() => "/",
        None => ".",
    }
}

/// `basename`
fn basename(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    if path.is_empty() { "/" } else { path.rsplit('/').next().unwrap_or(path) }
}

/// `mktemp`: a name in the place of which there will be another one, in the same directory.
fn mktemp(arguments: &[&str], state: &State) -> Option<String> {
    let mut directory = None;
    let mut template = None;
    let mut arguments = arguments.iter();
    while let Some(&argument) = arguments.next() {
        match argument {
            "-d" | "-u" | "-q" | "-dq" | "-qd" | "--directory" | "--" => {}
            "-t" | "-dt" | "-td" | "--tmpdir" => directory = directory.or(Some("")),
            "-p" | "-dp" => directory = Some(arguments.next()?),
            _ => match argument.strip_prefix("--tmpdir=") {
                Some(path) => directory = Some(path),
                None if argument.starts_with('-') || template.is_some() => return None,
                None => template = Some(argument),
            },
        }
    }
    if template.is_none() {
        directory = directory.or(Some(""));
    }
    let template = template.unwrap_or("tmp.XXXXXXXXXX");
    let mut out = String::new();
    match directory {
        None => {}
        Some("") => match lookup(state, "TMPDIR") {
            Value::Known(path) => out.push_str(&path),
            _ => out.push_str("/tmp"),
        },
        Some(path) => out.push_str(path),
    }
    if directory.is_some() {
        out.push('/');
    }
    out.push_str(template);
    out.push('\n');
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart_as_the_programs_do() {
        for (path, directory, base) in [
            ("a", ".", "a"),
            ("/", "/", "/"),
            ("/a", "/", "a"),
            ("a/b/", "a", "b"),
            ("//a//b", "//a", "b"),
            ("", "/", "/"),
        ] {
            assert_eq!(dirname(path), directory, "{path}");
            assert_eq!(basename(path), base, "{path}");
        }
    }

    #[test]
    fn printf_uses_its_format_again() {
        assert_eq!(printf("%s\\n", &["a", "b"]).as_deref(), Some("a\nb\n"));
        assert_eq!(printf("x", &["a", "b"]).as_deref(), Some("x"));
        assert_eq!(printf("%s-%s", &["a"]).as_deref(), Some("a-"));
        assert_eq!(printf("%x", &["1"]), None);
        assert_eq!(printf("%", &[]), None);
    }
}
