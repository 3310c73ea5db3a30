//! Hook entries: as we write them, and as they stand in a settings file or a plugin.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::edit::status_line::StatusLine;

/// A group of handlers with one matcher, as it is written.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Group {
    /// Which tools it is for; absent means all, or an event without tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matcher: Option<String>,
    /// What is run.
    pub hooks: Vec<Handler>,
}

/// One program that is run, in exec form: no shell is involved.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Handler {
    /// Always `command`.
    pub r#type: &'static str,
    /// The program, absolute.
    pub command: String,
    /// Its arguments; being there at all is what makes this the exec form.
    pub args: Vec<String>,
    /// Seconds after which the client gives up.
    pub timeout: u32,
    /// `block`: a program that is missing, hangs or dies stops the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<&'static str>,
}

/// What is to stand in a settings file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Per event, the groups in their order.
    pub events: Vec<(&'static str, Vec<Group>)>,
    /// Rules in `permissions.allow`.
    pub rules: Vec<String>,
    /// The status line; none where the person wants none of ours.
    pub status_line: Option<StatusLine>,
}

/// A handler as it was found, leniently read: the raw value is kept for judging.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The event.
    pub event: String,
    /// The group's matcher, empty where there is none.
    pub matcher: String,
    /// The handler's `command`, empty where there is none.
    pub command: String,
    /// The handler.
    pub raw: Value,
}

impl Found {
    /// The file name of the program, without `.exe`.
    #[must_use]
    pub fn program(&self) -> &str {
        program_of(&self.command)
    }

    /// True where the matcher selects `tool`. Whole names are compared where it holds only names
    /// and separators, as the client does; of patterns, only the form `^prefix` is understood.
    #[must_use]
    pub fn matches(&self, tool: &str) -> bool {
        match self.matcher.strip_prefix('^') {
            Some(prefix) => tool.starts_with(prefix),
            None if self.matcher.is_empty() || self.matcher == "*" => true,
            None => self.matcher.split(['|', ',']).any(|name| name.trim() == tool),
        }
    }
}

/// The handlers in `hooks` (the value of that key), and in words what the client would not take.
#[must_use]
pub fn read(hooks: &Value) -> (Vec<Found>, Vec<String>) {
    let mut found = Vec::new();
    let mut faults = Vec::new();
    let Some(events) = hooks.as_object() else {
        return (found, vec!["`hooks` is not an object".to_owned()]);
    };
    for (event, groups) in events {
        let Some(groups) = groups.as_array() else {
            faults.push(format!("`hooks.{event}` is not an array"));
            continue;
        };
        for (i, group) in groups.iter().enumerate() {
            let Some(handlers) = group.get("hooks").and_then(Value::as_array) else {
                faults.push(format!("`hooks.{event}[{i}]` has no array `hooks`"));
                continue;
            };
            let matcher = match group.get("matcher") {
                None => "",
                Some(Value::String(text)) => text,
                Some(_) => {
                    faults.push(format!("`hooks.{event}[{i}].matcher` is not a string"));
                    ""
                }
            };
            for (j, raw) in handlers.iter().enumerate() {
                let place = || format!("`hooks.{event}[{i}].hooks[{j}]`");
                match raw.get("type").and_then(Value::as_str) {
                    None => faults.push(format!("{} has no `type`", place())),
                    Some("command") if !raw.get("command").is_some_and(Value::is_string) => {
                        faults.push(format!("{} has no `command`", place()));
                    }
                    Some(_) => {}
                }
                found.push(Found {
                    event: event.clone(),
                    matcher: matcher.to_owned(),
                    command: raw.get("command").and_then(Value::as_str).unwrap_or("").to_owned(),
                    raw: raw.clone(),
                });
            }
        }
    }
    (found, faults)
}

/// True where `command` is one of our hook programs: `comm-node-*` in a directory
/// `comm-node/bin`, whoever's it is.
#[must_use]
pub fn is_ours(command: &str) -> bool {
    let plain = unquoted(command);
    let mut parts = plain.rsplit(['/', '\\']);
    let (file, bin, own) = (parts.next(), parts.next(), parts.next());
    file.is_some_and(|f| f.starts_with("comm-node-")) && bin == Some("bin") && own == Some("comm-node")
}

/// True where `command` runs a hook program of comm-node's, installed by whatever way.
#[must_use]
pub fn runs_ours(command: &str) -> bool {
    program_of(command).starts_with("comm-node-")
}

fn program_of(command: &str) -> &str {
    let file = unquoted(command).rsplit(['/', '\\']).next().unwrap_or("");
    file.strip_suffix(".exe").unwrap_or(file)
}

/// A shell-form command may quote its program; what follows it is of no interest here.
fn unquoted(command: &str) -> &str {
    let command = command.trim();
    match command.chars().next() {
        Some(q @ ('"' | '\'')) => command[1..].split(q).next().unwrap_or(""),
        _ => command,
    }
}

/// True where the command is a program file that can be run.
#[must_use]
pub fn is_program(path: &Path) -> bool {
    let Ok(meta) = path.metadata() else { return false };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        meta.is_file() && meta.permissions().mode() & 0o111 != 0
    }
    #[cfg(not(unix))]
    meta.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_is_told_by_the_path() {
        for yes in [
            "/home/u/.claude/comm-node/bin/comm-node-stop",
            "\"/home/u x/.claude/comm-node/bin/comm-node-stop\"",
            r"C:\Users\u\.claude\comm-node\bin\comm-node-stop.exe",
        ] {
            assert!(is_ours(yes), "{yes}");
        }
        for no in
            ["comm-node-stop", "/opt/bin/comm-node-stop", "/x/comm-node/bin/other", "", "/x/comm-node/bin/"]
        {
            assert!(!is_ours(no), "{no}");
        }
    }

    #[test]
    fn matchers() {
        let found = |matcher: &str| Found {
            event: "PreToolUse".into(),
            matcher: matcher.into(),
            command: String::new(),
            raw: Value::Null,
        };
        assert!(found("Edit|Write").matches("Write"));
        assert!(!found("Edit|Write").matches("WriteX"));
        assert!(found("^mcp__").matches("mcp__fs__write"));
        assert!(!found("^mcp__").matches("Write"));
        assert!(found("").matches("Write"));
    }
}
