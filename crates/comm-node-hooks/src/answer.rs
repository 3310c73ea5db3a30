//! What goes to stdout: one JSON object or nothing.

use std::io::Write;

use serde_json::json;

/// The most characters that one answer puts before the model; the client cuts at 10,000.
pub const MAX_CONTEXT: usize = 8_000;

/// A hook's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Not one byte: the client goes on as if there were no hook.
    Silent,
    /// It was written already.
    Given,
    /// The tool call is refused for this reason.
    Deny(String),
    /// A person is asked, and told this reason.
    Ask(String),
    /// The thing that happened (not a tool call) is held back for this reason.
    Block(String),
    /// The turn does not end, for this reason, and the model is told this. The client shows a reason twice,
    /// so that mail does not belong in it.
    Hold {
        /// Why, in a few words.
        reason: &'static str,
        /// The text.
        text: String,
    },
    /// The call or turn goes on, and the model is told this.
    Context {
        /// The event's name, which the client wants back.
        event: &'static str,
        /// The text.
        text: String,
    },
    /// The call or turn goes on, and the person is told this.
    Person(String),
    /// The run ends, and the person is told why.
    End(String),
}

impl Answer {
    /// The answer as it stands on stdout.
    #[must_use]
    pub fn to_json(&self) -> Option<String> {
        let decision = |kind: &str, reason: &str| {
            json!({"hookSpecificOutput": {
                "hookEventName": "PreToolUse",
                "permissionDecision": kind,
                "permissionDecisionReason": capped(reason),
            }})
        };
        let value = match self {
            Self::Silent | Self::Given => return None,
            Self::Deny(reason) => decision("deny", reason),
            Self::Ask(reason) => decision("ask", reason),
            Self::Block(reason) => json!({"decision": "block", "reason": capped(reason)}),
            Self::Hold { reason, text } => json!({
                "decision": "block",
                "reason": reason,
                "hookSpecificOutput": {"hookEventName": "Stop", "additionalContext": capped(text)},
            }),
            Self::Context { event, text } => {
                json!({"hookSpecificOutput": {"hookEventName": event, "additionalContext": capped(text)}})
            }
            Self::Person(text) => json!({"systemMessage": capped(text)}),
            Self::End(reason) => json!({"continue": false, "stopReason": capped(reason)}),
        };
        Some(value.to_string())
    }

    /// Writes the answer with one write; false if nobody took it.
    pub fn write(&self) -> bool {
        let Some(json) = self.to_json() else { return true };
        Stdout.write_all(json.as_bytes()).is_ok()
    }

    /// Writes the answer; the exit code to end with. That is 0, but 2 where nobody took what holds something back: the client
    /// takes 2 for a refusal too, and stderr for its reason.
    pub fn give(&self) -> i32 {
        if self.write() {
            return 0;
        }
        let reason = match self {
            Self::Deny(reason) | Self::Ask(reason) | Self::Block(reason) | Self::End(reason) => reason,
            Self::Hold { text, .. } => text,
            Self::Silent | Self::Given | Self::Context { .. } | Self::Person(_) => return 0,
        };
        let _ = std::io::stderr().write_all(capped(reason).as_bytes());
        2
    }
}

/// stdout without the standard library's buffer, which takes a closed one for a place that everything fits into.
struct Stdout;

impl Write for Stdout {
    #[cfg(unix)]
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        Ok(rustix::io::write(rustix::stdio::stdout(), buf)?)
    }

    #[cfg(not(unix))]
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        let mut stdout = std::io::stdout();
        let taken = stdout.write(buf)?;
        stdout.flush()?;
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn capped(text: &str) -> &str {
    text.char_indices().nth(MAX_CONTEXT).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        assert_eq!(Answer::Silent.to_json(), None);
        assert_eq!(
            Answer::Deny("no\n\"x\"".into()).to_json().expect("some"),
            r#"{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"deny","permissionDecisionReason":"no\n\"x\""}}"#
        );
        let long = Answer::Context { event: "Stop", text: "é".repeat(9_000) }.to_json().expect("some");
        assert_eq!(long.chars().filter(|c| *c == 'é').count(), MAX_CONTEXT);
    }
}
