//! A command line taken apart into words, where it is nothing but words.

use std::process::Command;

/// The words of `command`; `None` where only a shell knows what it means.
pub(super) fn split(command: &str) -> Option<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' => words.extend(word.take()),
            '\'' => {
                let into = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => into.push(c),
                    }
                }
            }
            '"' => {
                let into = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '$' | '`' | '\\' => return None,
                        c => into.push(c),
                    }
                }
            }
            '|' | '&' | ';' | '<' | '>' | '(' | ')' | '$' | '`' | '\\' | '*' | '?' | '[' | ']' | '{'
            | '}' | '#' | '!' | '\n' | '\r' => return None,
            '~' if word.is_none() => return None,
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    let first = words.first()?;
    // An assignment, or one of the words that are no program.
    let built_in = [
        "cd", "export", "if", "for", "while", "case", "set", "source", ".", "eval", "exec", "unset",
        "ulimit", "umask",
    ];
    (!first.contains('=') && !built_in.contains(&first.as_str())).then_some(words)
}

/// `command` for the shell.
pub(super) fn shell(command: &str) -> Command {
    if cfg!(windows) {
        let mut shell = Command::new("cmd");
        shell.args(["/C", command]);
        shell
    } else {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]);
        shell
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn words_are_words_and_the_rest_is_the_shells() {
        for (command, words) in [
            ("cargo test -q", &["cargo", "test", "-q"][..]),
            ("  npm  run 'my test' ", &["npm", "run", "my test"]),
            ("a \"b c\"d ''", &["a", "b cd", ""]),
            ("make VAR=1", &["make", "VAR=1"]),
        ] {
            assert_eq!(
                split(command).as_deref(),
                Some(words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>().as_slice())
            );
        }
        for command in [
            "a && b", "a | b", "A=1 b", "a $B", "a `b`", "a > b", "a *.rs", "cd x", "a 'b", "~/x", "",
            "a\nb", "a \"$x\"", "! a",
        ] {
            assert_eq!(split(command), None, "{command}");
        }
    }
}
