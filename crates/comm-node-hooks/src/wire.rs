//! What Claude Code sends, read leniently: unknown fields are skipped, everything is borrowed.

use std::borrow::Cow;
use std::fmt;

use comm_node_core::text::Text;
use comm_node_core::{Error, Result};
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// One call of a hook: the fields that comm-node looks at, of every event.
#[derive(Debug, Default)]
pub struct Call<'a> {
    /// The session.
    pub session_id: Cow<'a, str>,
    /// The session's working directory, which follows `cd`.
    pub cwd: Cow<'a, str>,
    /// The event's name; the program for `PostToolUse` answers three of them.
    pub hook_event_name: Cow<'a, str>,
    /// The subagent, inside one.
    pub agent_id: Option<Cow<'a, str>>,
    /// The subagent's type, or the name of the agent that the main loop runs as.
    pub agent_type: Option<Cow<'a, str>>,
    /// SessionStart: `startup`, `resume`, `clear`, `compact` or `fork`. ConfigChange: which settings.
    pub source: Cow<'a, str>,
    /// ConfigChange: the settings file.
    pub file_path: Cow<'a, str>,
    /// SessionEnd: why.
    pub reason: Cow<'a, str>,
    /// The tool that is called.
    pub tool_name: Cow<'a, str>,
    /// The call's id.
    pub tool_use_id: Cow<'a, str>,
    /// The tool's input, not yet parsed.
    pub tool_input: Option<&'a RawValue>,
    /// PostToolUse: what the tool answered, not yet parsed.
    pub tool_response: Option<&'a RawValue>,
    /// PostToolBatch: the calls of the batch, each with its tool, input and id.
    pub tool_calls: Vec<Call<'a>>,
    /// The session's transcript.
    pub transcript_path: Cow<'a, str>,
    /// UserPromptSubmit: what the person said, not yet parsed.
    pub prompt: Option<&'a RawValue>,
    /// Stop: true if the turn goes on because a hook did not let it end.
    pub stop_hook_active: bool,
    /// Stop: what still runs in the background, not yet parsed.
    pub background_tasks: Option<&'a RawValue>,
}

impl<'a> Call<'a> {
    /// The call in `text`.
    ///
    /// # Errors
    /// When it is not a JSON object of this form.
    pub fn parse(text: &'a str) -> Result<Self> {
        let invalid = |why: String| Error::Invalid { what: "the hook's input", why };
        // A list, too, could be read as the fields in their order.
        if !text.trim_ascii_start().starts_with('{') {
            return Err(invalid("it is not a JSON object".into()));
        }
        serde_json::from_str(text).map_err(|e| invalid(e.to_string()))
    }

    /// The subagent that calls, `None` for the main loop.
    #[must_use]
    pub fn subagent(&self) -> Option<&str> {
        self.agent_id.as_deref().filter(|id| !id.is_empty())
    }

    /// The name of the agent that the main loop runs as, if this is the main loop's call.
    #[must_use]
    pub fn main_agent(&self) -> Option<&str> {
        self.agent_type.as_deref().filter(|name| self.subagent().is_none() && !name.is_empty())
    }
}

/// Written out because what is derived is four times the size, in a program whose pages count.
impl<'de: 'a, 'a> Deserialize<'de> for Call<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        d.deserialize_map(CallVisitor)
    }
}

struct CallVisitor;

impl<'de> Visitor<'de> for CallVisitor {
    type Value = Call<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Call<'de>, A::Error> {
        let mut call = Call::default();
        // Bit by bit the fields that were there: one that is there twice means two things.
        let mut seen = 0u32;
        while let Some(Text(key)) = map.next_key()? {
            let Some(field) = FIELDS.iter().position(|name| *name == key) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if seen & (1 << field) != 0 {
                return Err(A::Error::custom("a field is there twice"));
            }
            seen |= 1 << field;
            match call.slot(field) {
                Slot::Text(slot) => *slot = map.next_value::<Text<'de>>()?.0,
                Slot::Name(slot) => *slot = map.next_value::<Option<Text<'de>>>()?.map(|text| text.0),
                Slot::Raw(slot) => *slot = map.next_value()?,
                Slot::Calls(slot) => *slot = map.next_value()?,
                Slot::Flag(slot) => *slot = map.next_value()?,
            }
        }
        Ok(call)
    }
}

/// The fields' names, in the order of [`Call::slot`].
const FIELDS: [&str; 17] = [
    "session_id",
    "cwd",
    "hook_event_name",
    "agent_id",
    "agent_type",
    "source",
    "file_path",
    "reason",
    "tool_name",
    "tool_use_id",
    "tool_input",
    "tool_response",
    "background_tasks",
    "tool_calls",
    "transcript_path",
    "stop_hook_active",
    "prompt",
];

/// Where a field's value goes.
enum Slot<'s, 'a> {
    Text(&'s mut Cow<'a, str>),
    Name(&'s mut Option<Cow<'a, str>>),
    Raw(&'s mut Option<&'a RawValue>),
    Calls(&'s mut Vec<Call<'a>>),
    Flag(&'s mut bool),
}

impl<'a> Call<'a> {
    fn slot(&mut self, field: usize) -> Slot<'_, 'a> {
        match field {
            0 => Slot::Text(&mut self.session_id),
            1 => Slot::Text(&mut self.cwd),
            2 => Slot::Text(&mut self.hook_event_name),
            3 => Slot::Name(&mut self.agent_id),
            4 => Slot::Name(&mut self.agent_type),
            5 => Slot::Text(&mut self.source),
            6 => Slot::Text(&mut self.file_path),
            7 => Slot::Text(&mut self.reason),
            8 => Slot::Text(&mut self.tool_name),
            9 => Slot::Text(&mut self.tool_use_id),
            10 => Slot::Raw(&mut self.tool_input),
            11 => Slot::Raw(&mut self.tool_response),
            12 => Slot::Raw(&mut self.background_tasks),
            13 => Slot::Calls(&mut self.tool_calls),
            14 => Slot::Text(&mut self.transcript_path),
            15 => Slot::Flag(&mut self.stop_hook_active),
            _ => Slot::Raw(&mut self.prompt),
        }
    }
}

/// One of the things that run in the background.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Task<'a> {
    /// `subagent`, `shell`, `monitor`, `workflow`, `teammate` …
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
}

impl Call<'_> {
    /// True at a Stop of the main loop at which no other agent of the session runs: the main loop
    /// has ended its turn, so that none runs in the foreground, and in the background run only
    /// things that are known to be none. A client that does not say what runs leaves it open.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        // One that a subagent started need not be listed, but then that subagent is.
        let tasks = self.background_tasks.map(|list| serde_json::from_str::<Vec<Task<'_>>>(list.get()));
        self.subagent().is_none()
            && matches!(tasks, Some(Ok(tasks)) if tasks.iter().all(|t| matches!(&*t.kind, "shell" | "monitor")))
    }
}

impl Call<'_> {
    /// True at a Stop at which shell commands still run in the background, or nobody says.
    #[must_use]
    pub fn runs_shells(&self) -> bool {
        let tasks = self.background_tasks.map(|list| serde_json::from_str::<Vec<Task<'_>>>(list.get()));
        !matches!(tasks, Some(Ok(tasks)) if tasks.iter().all(|t| !matches!(&*t.kind, "shell" | "monitor")))
    }
}

/// The fields of a tool's input that can hold a path. Contents are skipped unread.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct EditInput<'a> {
    /// Edit, Write, MultiEdit.
    #[serde(borrow)]
    pub file_path: Option<Text<'a>>,
    /// NotebookEdit.
    #[serde(borrow)]
    pub notebook_path: Option<Text<'a>>,
}

/// The fields of Bash's answer that say that it made a commit.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BashAnswer<'a> {
    /// What the client saw git do.
    #[serde(borrow)]
    pub git_operation: GitOperation<'a>,
}

/// The fields of Bash's answer that say what changed while it ran, where the client looks for that, and
/// whether it still runs.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BashChanges<'a> {
    /// What changed.
    #[serde(borrow)]
    pub bash_edit_diff: Option<BashEditDiff<'a>>,
    /// Its id in the background, where it was asked to run or was moved there.
    #[serde(borrow)]
    pub background_task_id: Option<Text<'a>>,
}

/// What the client found changed in the repository of the working directory.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BashEditDiff<'a> {
    /// Absolute paths, at most 200.
    #[serde(borrow)]
    pub changed_files: Vec<Text<'a>>,
}

/// What git did.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct GitOperation<'a> {
    /// It made a commit.
    #[serde(borrow)]
    pub commit: Commit<'a>,
}

/// A commit.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Commit<'a> {
    /// The beginning of its id.
    #[serde(borrow)]
    pub sha: Cow<'a, str>,
}

impl Call<'_> {
    /// What the client says of a shell command that it ran.
    #[must_use]
    pub fn bash_changes(&self) -> BashChanges<'_> {
        self.tool_response.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_and_events_are_no_fault() {
        let text = r#"{"session_id":"s","cwd":"/n","hook_event_name":"New","new":{"x":[1]},"tool_input":{"content":"{"}}"#;
        let call = Call::parse(text).expect("lenient");
        assert_eq!((&*call.session_id, &*call.cwd, call.agent_id.as_deref()), ("s", "/n", None));
        assert_eq!(call.tool_input.map(RawValue::get), Some(r#"{"content":"{"}"#));
        assert!(matches!(call.cwd, Cow::Borrowed(_)));
    }

    #[test]
    fn every_field_is_read_into_its_own_place() {
        let text = r#"{"session_id":"a","cwd":"b","hook_event_name":"c","agent_id":"d","agent_type":"e","source":"f",
            "file_path":"g","reason":"h","tool_name":"i\u0021","tool_use_id":"j","tool_input":{"k":1},
            "tool_response":"l","background_tasks":[1],"tool_calls":[{"tool_name":"m"},{}]}"#;
        let call = Call::parse(text).expect("valid");
        let texts = [
            &call.session_id,
            &call.cwd,
            &call.hook_event_name,
            &call.source,
            &call.file_path,
            &call.reason,
            &call.tool_name,
            &call.tool_use_id,
        ];
        assert_eq!(texts.map(|t| &**t), ["a", "b", "c", "f", "g", "h", "i!", "j"]);
        assert_eq!((call.agent_id.as_deref(), call.agent_type.as_deref()), (Some("d"), Some("e")));
        let raws = [call.tool_input, call.tool_response, call.background_tasks];
        assert_eq!(raws.map(|r| r.map(RawValue::get)), [Some(r#"{"k":1}"#), Some(r#""l""#), Some("[1]")]);
        let names: Vec<&str> = call.tool_calls.iter().map(|c| &*c.tool_name).collect();
        assert_eq!(names, ["m", ""]);
    }

    #[test]
    fn what_is_no_call_is_a_fault() {
        for text in [
            "",
            "[]",
            "1",
            "{",
            r#"{"cwd":1}"#,
            r#"{"cwd":null}"#,
            r#"{"cwd":"a","cwd":"b"}"#,
            r#"{"tool_calls":[[]]}"#,
            r#"{"agent_id":[]}"#,
            r#"{"cwd":"a"} x"#,
        ] {
            assert!(Call::parse(text).is_err(), "{text}");
        }
        let call = Call::parse(r#"{"agent_id":null,"tool_input":null}"#).expect("valid");
        assert!(call.agent_id.is_none() && call.tool_input.is_none_or(|raw| raw.get() == "null"));
    }

    #[test]
    fn whether_another_agent_runs() {
        for (fields, alone) in [
            (r#""background_tasks":[]"#, true),
            (r#""background_tasks":[{"id":"b1","type":"shell","status":"running","command":"x"}]"#, true),
            (r#""background_tasks":[{"id":"a1","type":"subagent","status":"running"}]"#, false),
            (r#""background_tasks":[{"type":"shell"},{"type":"workflow"}]"#, false),
            (r#""background_tasks":[{}]"#, false),
            (r#""background_tasks":["a1"]"#, false),
            (r#""background_tasks":{}"#, false),
            (r#""background_tasks":null"#, false),
            (r#""cwd":"/n""#, false),
            (r#""background_tasks":[],"agent_id":"a1""#, false),
        ] {
            let text = format!("{{{fields}}}");
            assert_eq!(Call::parse(&text).expect("valid").is_alone(), alone, "{text}");
        }
    }
}
