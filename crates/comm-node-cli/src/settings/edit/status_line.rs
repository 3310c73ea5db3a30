//! Chaining the person's status line behind ours, and giving it back.
//!
//! The client runs one `statusLine` command, by a shell. Ours takes the earlier command as its argument, so
//! only that string changes; everything else of the object (padding and the like) stays as it is.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use super::{Edit, Trace};
use crate::settings::entry::is_ours;
use crate::settings::file::Current;
use crate::settings::tree::Node;

const NAME: &str = "statusLine";

/// How the status line is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusLine {
    /// Our program, absolute.
    pub program: String,
    /// The command that is in force where the file has none of its own: that of a weaker file.
    pub inherited: Option<String>,
}

/// The status line of a settings value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// There is none.
    None,
    /// Ours, with the command that is chained behind it.
    Ours(Option<String>),
    /// A command of somebody else's.
    Command(String),
    /// Something that is no command.
    Other,
}

/// What status line `settings` have.
#[must_use]
pub fn found(settings: &Value) -> Found {
    let Some(line) = settings.get(NAME) else { return Found::None };
    let is_command = line.get("type").and_then(Value::as_str) == Some("command");
    match line.get("command").and_then(Value::as_str).filter(|_| is_command) {
        Some(command) => match chained(command) {
            Some(chained) => Found::Ours(chained),
            None => Found::Command(command.to_owned()),
        },
        None => Found::Other,
    }
}

/// The status line of the settings file at `path`; none where that is not there or no JSON.
///
/// # Errors
/// When something else than a settings file stands there.
pub fn in_file(path: &Path) -> Result<Found> {
    let text = Current::read(path)?.text.unwrap_or_default();
    Ok(found(&serde_json::from_str(&text).unwrap_or_default()))
}

/// The command that shows our line, and behind it what `earlier` says.
#[must_use]
pub fn command(program: &str, earlier: Option<&str>) -> String {
    match earlier {
        Some(earlier) => format!("{} {}", quoted(program), quoted(earlier)),
        None => quoted(program),
    }
}

/// `text` as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What is chained behind our program in `command`; `None` if it does not run ours.
fn chained(command: &str) -> Option<Option<String>> {
    let mut words = words(command)?.into_iter();
    let program =
        words.next().filter(|program| is_ours(program) && program.contains("comm-node-statusline"))?;
    drop(program);
    Some(words.next())
}

/// The words of a command that [`command`] made; `None` for any other.
fn words(command: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = command;
    while !rest.is_empty() {
        let mut word = String::new();
        loop {
            rest = rest.strip_prefix('\'')?;
            let end = rest.find('\'')?;
            word.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix(r"\'") {
                Some(more) => {
                    word.push('\'');
                    rest = more;
                }
                None => break,
            }
        }
        words.push(word);
        if !rest.is_empty() {
            rest = rest.strip_prefix(' ').filter(|more| !more.is_empty())?;
        }
    }
    Some(words)
}

impl Edit<'_, '_> {
    /// Puts our status line in front of what is there; with none wanted, takes ours out.
    pub(super) fn merge_status_line(&mut self, wanted: Option<&StatusLine>) -> Result<()> {
        let Some(wanted) = wanted else { return self.strip_status_line(None) };
        match found(&self.doc.value) {
            Found::Other => Ok(()),
            Found::None => {
                let line = json!({"type": "command", "command": command(&wanted.program, wanted.inherited.as_deref())});
                self.push(&[], Some(NAME), &line)?;
                self.trace.created.push(NAME.to_owned());
                Ok(())
            }
            Found::Ours(earlier) => {
                let ours = command(&wanted.program, earlier.as_deref());
                self.swap_command(serde_json::to_string(&ours)?).map(drop)
            }
            Found::Command(earlier) => {
                let ours = command(&wanted.program, Some(&earlier));
                self.trace.status_line = self.swap_command(serde_json::to_string(&ours)?)?;
                Ok(())
            }
        }
    }

    /// Takes our status line out: what was there before is there again, byte for byte if that is on record.
    pub(super) fn strip_status_line(&mut self, trace: Option<&Trace>) -> Result<()> {
        let Found::Ours(earlier) = found(&self.doc.value) else { return Ok(()) };
        let created = trace.is_some_and(|t| t.created.iter().any(|c| c == NAME));
        if let Some(earlier) = earlier.filter(|_| !created) {
            let before = trace.and_then(|t| t.status_line.clone());
            // Somebody may have changed it where it is.
            let before =
                before.filter(|raw| serde_json::from_str(raw).is_ok_and(|text: String| text == earlier));
            let command = before.map_or_else(|| serde_json::to_string(&earlier), Ok)?;
            return self.swap_command(command).map(drop);
        }
        // Where there are two, it is not ours to say which is to stay.
        self.doc.get(&[NAME])?;
        self.drop_child(&[], NAME, trace);
        Ok(())
    }

    /// Puts the JSON string `new` in the place of the command, and returns that as it stood there.
    fn swap_command(&mut self, new: String) -> Result<Option<String>> {
        // Neither stands there twice.
        self.doc.get(&[NAME, "command"])?;
        let line = self.tree.branch_mut(&[NAME]);
        match line.and_then(|line| line.get_mut("command")) {
            Some(Node::Leaf(command)) => Ok(Some(std::mem::replace(command, new.into()).into_owned())),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::edit::{merge, strip};
    use crate::settings::entry::Wanted;

    const PROGRAM: &str = "/home/o'neil/.claude/comm-node/bin/comm-node-statusline";

    fn wanted(inherited: Option<&str>) -> Wanted {
        let line = StatusLine { program: PROGRAM.into(), inherited: inherited.map(str::to_owned) };
        Wanted { status_line: Some(line), ..Wanted::default() }
    }

    fn line(text: &str) -> Found {
        found(&serde_json::from_str(text).expect("JSON"))
    }

    #[test]
    fn it_is_chained_and_given_back_to_the_byte() {
        for (text, earlier) in [
            ("{}", None),
            ("{\n  \"model\": \"x\"\n}\n", None),
            (r#"{"statusLine":{"type":"command","command":"echo hi"}}"#, Some("echo hi")),
            (
                "{\r\n\t\"statusLine\": {\r\n\t\t\"command\" : \"printf '%s' \\u0041\",\r\n\t\t\"padding\": 0, \"type\": \"command\"\r\n\t},\r\n\t\"a\": 1\r\n}",
                Some("printf '%s' A"),
            ),
        ] {
            let (with, trace) = merge(text, &wanted(None)).expect("merges");
            assert_eq!(line(&with), Found::Ours(earlier.map(str::to_owned)), "{with}");
            // Twice is once.
            let (again, more) = merge(&with, &wanted(None)).expect("merges");
            assert_eq!((again.as_str(), &more), (with.as_str(), &Trace::default()));
            assert_eq!(strip(&with, Some(&trace.clone().and(more)), &[]).expect("strips"), text);
            // Without a record it says the same again, if not in the same bytes.
            let left = strip(&with, None, &[]).expect("strips");
            assert_eq!(line(&left), earlier.map_or(Found::None, |e| Found::Command(e.to_owned())), "{left}");
            // Not wanted any more.
            let (left, _) = merge(&with, &Wanted::default()).expect("merges");
            assert_eq!(line(&left), earlier.map_or(Found::None, |e| Found::Command(e.to_owned())), "{left}");
        }
    }

    #[test]
    fn what_is_not_ours_is_left() {
        for text in [
            r#"{"statusLine":5}"#,
            r#"{"statusLine":{"type":"other","command":"x"}}"#,
            r#"{"statusLine":{"type":"command"}}"#,
        ] {
            assert_eq!(merge(text, &wanted(Some("weaker"))).expect("merges").0, text);
        }
        // The person took another one meanwhile.
        let (_, trace) =
            merge(r#"{"statusLine":{"type":"command","command":"a"}}"#, &wanted(None)).expect("merges");
        let theirs = r#"{"statusLine":{"type":"command","command":"b"}}"#;
        assert_eq!(strip(theirs, Some(&trace), &[]).expect("strips"), theirs);
    }

    /// Which of two is to stay is not ours to say; the first was taken out once, although the last was ours.
    #[test]
    fn one_that_stands_twice_is_refused() {
        let line = |command: &str| json!({"type": "command", "command": command});
        let text = format!(
            "{{\"statusLine\": {},\n \"statusLine\": {}}}",
            line("theirs"),
            line(&command(PROGRAM, None))
        );
        for error in [strip(&text, None, &[]).map(drop), merge(&text, &wanted(None)).map(drop)] {
            let error = format!("{:#}", error.expect_err("twice"));
            assert!(error.contains("line 2, column 2: `statusLine` stands here a second time"), "{error}");
        }
    }

    #[test]
    fn a_weaker_files_line_is_chained_too_and_not_left_behind() {
        let (with, trace) = merge("{}", &wanted(Some("weaker"))).expect("merges");
        assert_eq!(line(&with), Found::Ours(Some("weaker".into())));
        assert_eq!(strip(&with, Some(&trace), &[]).expect("strips"), "{}");
    }

    #[test]
    fn commands_are_told_apart() {
        for earlier in [None, Some("echo hi"), Some("it's"), Some("''"), Some("a\nb"), Some("")] {
            assert_eq!(chained(&command(PROGRAM, earlier)), Some(earlier.map(str::to_owned)), "{earlier:?}");
        }
        for other in [
            "",
            "echo",
            "'echo'",
            "'/x/comm-node/bin/comm-node-statusline",
            "'/x/comm-node/bin/comm-node-stop'",
        ] {
            assert_eq!(chained(other), None, "{other}");
        }
    }
}
