//! What Claude Code sends, read leniently: unknown fields are skipped, everything is borrowed.

use std::borrow::Cow;

use comm_node_core::text::Text;
use comm_node_core::{Error, Result};
use serde::Deserialize;
use serde_json::value::RawValue;

/// One call of a hook: the fields that comm-node looks at, of every event.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Call<'a> {
    /// The session.
    #[serde(borrow)]
    pub session_id: Cow<'a, str>,
    /// The session's working directory, which follows `cd`.
    #[serde(borrow)]
    pub cwd: Cow<'a, str>,
    /// The event's name; the program for `PostToolUse` answers three of them.
    #[serde(borrow)]
    pub hook_event_name: Cow<'a, str>,
    /// The subagent, inside one.
    #[serde(borrow)]
    pub agent_id: Option<Cow<'a, str>>,
    /// The subagent's type, or the name of the agent that the main loop runs as.
    #[serde(borrow)]
    pub agent_type: Option<Cow<'a, str>>,
    /// SessionStart: `startup`, `resume`, `clear`, `compact` or `fork`. ConfigChange: which settings.
    #[serde(borrow)]
    pub source: Cow<'a, str>,
    /// ConfigChange: the settings file.
    #[serde(borrow)]
    pub file_path: Cow<'a, str>,
    /// SessionEnd: why.
    #[serde(borrow)]
    pub reason: Cow<'a, str>,
    /// The tool that is called.
    #[serde(borrow)]
    pub tool_name: Cow<'a, str>,
    /// The call's id.
    #[serde(borrow)]
    pub tool_use_id: Cow<'a, str>,
    /// The tool's input, not yet parsed.
    #[serde(borrow)]
    pub tool_input: Option<&'a RawValue>,
    /// PostToolUse: what the tool answered, not yet parsed.
    #[serde(borrow)]
    pub tool_response: Option<&'a RawValue>,
    /// PostToolBatch: the calls of the batch, each with its tool, input and id.
    #[serde(borrow)]
    pub tool_calls: Vec<Call<'a>>,
    /// Stop: what still runs in the background, not yet parsed.
    #[serde(borrow)]
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
