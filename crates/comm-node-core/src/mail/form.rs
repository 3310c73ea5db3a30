//! A message as a file: YAML frontmatter and Markdown.
//!
//! What is written here is valid YAML of a small kind: one `key: value` per line, a value being a
//! plain word, a JSON string, or a list of these in brackets. [`read`] takes that kind and no
//! other, which is all that a hook needs; what people write by hand goes through a real YAML
//! reader first and comes out of [`write()`].

use std::fmt::Write;

use super::{Draft, EVERYONE, KINDS, Kind, Message, PRIORITIES, Priority, Ulid, is_name};
use crate::text::is_hidden;

/// The line before and behind the frontmatter.
const FENCE: &str = "---";

/// The file of `message`.
#[must_use]
pub fn write(message: &Message) -> String {
    let said = &message.said;
    let mut out = String::with_capacity(256 + said.body.len());
    out.push_str("---\nversion: 1\n");
    field(&mut out, "id", &message.id.text());
    put(&mut out, "from", &message.from);
    list(&mut out, "to", &said.to);
    field(&mut out, "type", said.kind.name());
    if let Some(task) = &said.task {
        put(&mut out, "task", task);
    }
    field(&mut out, "priority", said.priority.name());
    if let Some(thread) = said.thread {
        field(&mut out, "thread", &thread.text());
    }
    if let Some(id) = said.reply_to {
        field(&mut out, "reply_to", &id.text());
    }
    if said.blocks_progress {
        field(&mut out, "blocks_progress", "true");
    }
    if let Some(tokens) = said.token_budget {
        field(&mut out, "token_budget", &tokens.to_string());
    }
    if !said.artifacts.is_empty() {
        list(&mut out, "artifacts", &said.artifacts);
    }
    if let Some(s) = said.expires_s {
        field(&mut out, "expires", &span(s));
    }
    if said.detailed {
        field(&mut out, "detailed", "true");
    }
    out.push_str("---\n\n");
    out.push_str(&said.body);
    out.push('\n');
    out
}

fn field(out: &mut String, key: &str, value: &str) {
    out.push_str(key);
    out.push_str(": ");
    out.push_str(value);
    out.push('\n');
}

pub(crate) fn put(out: &mut String, key: &str, value: &str) {
    field(out, key, &scalar(value));
}

pub(crate) fn list(out: &mut String, key: &str, items: &[String]) {
    let mut value = String::from("[");
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            value.push_str(", ");
        }
        value.push_str(&scalar(item));
    }
    value.push(']');
    field(out, key, &value);
}

/// `value` as YAML takes it for this very text.
fn scalar(value: &str) -> String {
    let plain = value.starts_with(|c: char| c.is_ascii_alphabetic())
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/'))
        && !matches!(
            value.to_ascii_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if plain {
        return value.to_owned();
    }
    let quoted = serde_json::Value::from(value).to_string();
    if quoted.chars().any(is_hidden) { escaped(&quoted) } else { quoted }
}

/// `json` with hidden characters, which can only stand in its strings, as `\u` escapes.
#[must_use]
pub fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut units = [0; 2];
    for c in json.chars() {
        if c == '\n' || !is_hidden(c) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut units) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

/// Seconds in the largest unit that holds them exactly, such as `2h`.
fn span(s: u64) -> String {
    let (n, unit) = match s {
        s if s % 86_400 == 0 => (s / 86_400, 'd'),
        s if s % 3600 == 0 => (s / 3600, 'h'),
        s if s % 60 == 0 => (s / 60, 'm'),
        s => (s, 's'),
    };
    let mut out = n.to_string();
    out.push(unit);
    out
}

fn seconds(text: &str) -> Option<u64> {
    let at = text.len().checked_sub(1)?;
    let unit = match text.get(at..)? {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    text.get(..at)?.parse::<u64>().ok()?.checked_mul(unit)
}

/// The message in a file that [`write()`] made; what is wrong with it otherwise. Keys of later
/// versions are skipped.
///
/// # Errors
/// The first fault, with its line.
pub fn read(file: &str) -> Result<Message, String> {
    let mut lines = file.split_inclusive('\n');
    if lines.next().map(str::trim_end) != Some(FENCE) {
        return Err("line 1: it does not begin with ---".into());
    }
    let mut said = Draft { kind: Kind::Signal, ..Draft::default() };
    let (mut id, mut from, mut kind) = (None, None, None);
    let mut number = 1;
    loop {
        number += 1;
        let at = |what: &str| {
            let mut out = String::from("line ");
            out.push_str(&number.to_string());
            out.push_str(": ");
            out.push_str(what);
            out
        };
        let Some(line) = lines.next() else { return Err(at("the frontmatter has no end")) };
        let line = line.trim_end_matches(['\n', '\r']);
        if line == FENCE {
            break;
        }
        let Some((key, value)) = line.split_once(": ") else { return Err(at("it is not `key: value`")) };
        let wrong = || at("the value is not valid");
        match key {
            "version" if value != "1" => return Err(at("it has another format version than 1")),
            "id" => id = Some(Ulid::parse(value).ok_or_else(wrong)?),
            "from" => from = Some(one(value).ok_or_else(wrong)?),
            "to" => said.to = many(value).ok_or_else(wrong)?,
            "type" => kind = Some(KINDS.iter().find(|(name, _)| *name == value).ok_or_else(wrong)?.1),
            "task" => said.task = Some(one(value).ok_or_else(wrong)?),
            "priority" => said.priority = priority(value).ok_or_else(wrong)?,
            "thread" => said.thread = Some(Ulid::parse(value).ok_or_else(wrong)?),
            "reply_to" => said.reply_to = Some(Ulid::parse(value).ok_or_else(wrong)?),
            "blocks_progress" => said.blocks_progress = value == "true",
            "token_budget" => said.token_budget = Some(value.parse().map_err(|_| wrong())?),
            "artifacts" => said.artifacts = many(value).ok_or_else(wrong)?,
            "expires" => said.expires_s = Some(seconds(value).ok_or_else(wrong)?),
            "detailed" => said.detailed = value == "true",
            _ => {}
        }
    }
    let (Some(id), Some(from), Some(kind)) = (id, from, kind) else {
        return Err("id, from or type is missing".into());
    };
    // They become directories.
    if !is_name(&from) || said.to.iter().any(|to| to != EVERYONE && !is_name(to)) {
        return Err("from or to is no domain's name".into());
    }
    said.kind = kind;
    let used: usize = file.split_inclusive('\n').take(number).map(str::len).sum();
    said.body = tidy(file.get(used..).unwrap_or_default()).to_owned();
    Ok(Message { id, from, said })
}

/// A body without the empty lines around it.
#[must_use]
pub fn tidy(body: &str) -> &str {
    body.trim_start_matches(['\n', '\r']).trim_end()
}

fn priority(name: &str) -> Option<Priority> {
    PRIORITIES.iter().find(|(n, _)| *n == name).map(|(_, p)| *p)
}

/// A plain word or a JSON string.
pub(crate) fn one(value: &str) -> Option<String> {
    if value.starts_with('"') { serde_json::from_str(value).ok() } else { Some(value.to_owned()) }
}

/// A list of them.
pub(crate) fn many(value: &str) -> Option<Vec<String>> {
    let mut rest = value.strip_prefix('[')?.strip_suffix(']')?.trim();
    let mut out = Vec::new();
    while !rest.is_empty() {
        let end = item_end(rest);
        out.push(one(rest.get(..end)?.trim())?);
        rest = rest.get(end..)?.trim_start_matches(',').trim_start();
    }
    Some(out)
}

/// Where the first item of a list ends: at a comma outside quotes.
fn item_end(text: &str) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (i, b) in text.bytes().enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b',' if !quoted => return i,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::message;
    use super::*;

    #[test]
    fn the_file_is_what_the_documentation_shows() {
        let mut m = message("What fields does User include?");
        m.said.task = Some("bd-102".into());
        m.said.priority = Priority::High;
        m.said.blocks_progress = true;
        m.said.token_budget = Some(200);
        m.said.artifacts = vec!["backend/api-contract.yaml".into()];
        m.said.expires_s = Some(7200);
        let file = write(&m);
        let id = m.id;
        assert_eq!(
            file,
            format!(
                "---\nversion: 1\nid: {id}\nfrom: frontend\nto: [backend]\ntype: question\ntask: bd-102\n\
                 priority: high\nblocks_progress: true\ntoken_budget: 200\nartifacts: [backend/api-contract.yaml]\n\
                 expires: 2h\n---\n\nWhat fields does User include?\n"
            )
        );
        assert_eq!(read(&file), Ok(m));
    }

    #[test]
    fn words_that_yaml_takes_for_something_else_are_quoted() {
        for (word, written) in [
            ("bd-102", "bd-102"),
            ("102", "\"102\""),
            ("yes", "\"yes\""),
            ("Null", "\"Null\""),
            ("*", "\"*\""),
            ("a: b", "\"a: b\""),
            ("é", "\"é\""),
            ("", "\"\""),
        ] {
            assert_eq!(scalar(word), written);
        }
    }

    #[test]
    fn what_could_lead_elsewhere_is_no_name() {
        for bad in ["..", ".", "a/b", "-a", ""] {
            let mut m = message("x");
            m.said.to = vec![bad.into()];
            assert!(read(&write(&m)).is_err(), "{bad}");
            m.said.to = vec!["*".into()];
            assert!(read(&write(&m)).is_ok());
            m.from = bad.into();
            assert!(read(&write(&m)).is_err(), "{bad}");
        }
    }

    #[test]
    fn later_fields_are_skipped_and_faults_named() {
        let file = write(&message("x"));
        let more = file.replacen("version: 1\n", "version: 1\nmood: [\"a, b\", c]\n", 1);
        assert!(read(&more).is_ok());
        for (from, to, why) in [
            ("---\n", "--\n", "line 1"),
            ("version: 1", "version: 2", "line 2: it has another format version"),
            ("type: question", "type: quest", "line 6: the value is not valid"),
            ("priority: medium\n---", "priority: medium", "line 8: it is not `key: value`"),
        ] {
            let bad = file.replacen(from, to, 1);
            assert!(read(&bad).is_err_and(|e| e.contains(why)), "{to}: {:?}", read(&bad));
        }
        let start: String = file.split_inclusive('\n').take(4).collect();
        assert!(read(&start).is_err_and(|e| e.contains("no end")));
    }

    fn some_text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z]{1,8}",
            "\\PC{1,12}",
            "[\"\\\\,\\[\\] :#*&!|>'%@`-]{1,6}",
            "[0-9eE.+-]{1,5}",
            "true|no|~"
        ]
    }

    prop_compose! {
        fn messages()(
            to in prop::collection::vec("[a-z0-9_]{1,8}", 1..4),
            kind in 0..KINDS.len(),
            task in prop::option::of(some_text()),
            flags in any::<(bool, bool)>(),
            tokens in prop::option::of(1..9999u32),
            artifacts in prop::collection::vec(some_text(), 0..3),
            expires_s in prop::option::of(1..99_999_999u64),
            body in "[^\\s\\x00](\\PC|\n){0,40}",
            thread in any::<bool>(),
        ) -> Message {
            let other = Ulid::fresh(1_600_000_000_000, None);
            let said = Draft {
                to, kind: KINDS[kind].1, task, priority: Priority::Low,
                thread: thread.then_some(other), reply_to: thread.then_some(other),
                blocks_progress: flags.0, token_budget: tokens, artifacts, expires_s, detailed: flags.1,
                body: tidy(&body).to_owned(),
            };
            Message { id: Ulid::fresh(1_700_000_000_000, None), from: "f".into(), said }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(m in messages()) {
            prop_assert_eq!(read(&write(&m)), Ok(m));
        }

        #[test]
        fn nothing_makes_it_panic(text in "(---\n)?(\\PC|\n|: |\\[|\"){0,80}") {
            let _ = read(&text);
        }
    }
}
