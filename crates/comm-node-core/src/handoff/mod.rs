//! The hand-off: the file that carries one task from a session to the next. Values only;
//! `store::handoffs` keeps the files.
//!
//! - [`read`] and [`read_as`] take a file apart and say what is wrong with it, line by line; [`read_anyway`] keeps what can be read.
//! - [`write()`] makes one that [`read`] takes.
//! - [`pipeline`] says which fields pass from one role to the next.

pub mod pipeline;
mod read;
mod write;

use serde::Serialize;

pub use read::{head, read, read_anyway, read_as};
pub use write::write;

use crate::text;

/// The largest hand-off that is read.
pub const MAX_FILE: u64 = 64 << 10;
/// The most items of one section, and files of one list.
pub const MAX_ITEMS: usize = 200;

/// The sections that every hand-off has, in their order.
pub const SECTIONS: [&str; 4] = ["Status", "Next", "Open questions", "Files touched"];
/// The section that is there where something was decided.
pub const DECISIONS: &str = "Decisions";

/// A hand-off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Handoff {
    /// What stands in its frontmatter.
    #[serde(flatten)]
    pub head: Head,
    /// The task.
    pub task: String,
    /// What was done.
    pub status: String,
    /// What is to be done.
    pub next: Vec<Step>,
    /// What is not settled.
    pub questions: Vec<String>,
    /// What was decided.
    pub decisions: Vec<String>,
    /// The files that were written.
    pub files: Vec<String>,
}

/// One thing to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Step {
    /// True once it is done.
    pub done: bool,
    /// What it is.
    pub text: String,
}

/// What the program fills in. A hand-off of the older convention has none of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Head {
    /// The domain whose session wrote it, or `human`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The session that wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The domain that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The role that the next session acts in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// The role that the session which wrote it acted in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// When it was written, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// The branch that was checked out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The commit that it stood on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Files with changes that were not committed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dirty: Vec<String>,
    /// What the session held until then.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub released: Vec<String>,
    /// What was left of the budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_left: Option<String>,
    /// The list of behaviours that a pipeline works through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    /// The tests of the present round.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<String>,
    /// What was written to make them pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub code: Vec<String>,
    /// The command that runs the tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// The session that took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_by: Option<String>,
    /// When, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken: Option<String>,
    /// Lines of later versions, as they stand there.
    #[serde(skip)]
    pub other: Vec<String>,
}

impl Handoff {
    /// The steps that are open.
    pub fn open(&self) -> impl Iterator<Item = &Step> {
        self.next.iter().filter(|step| !step.done)
    }
}

/// True if `text` can be a task's name: one word, which is also a file's name.
#[must_use]
pub fn is_task(text: &str) -> bool {
    let good = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    !text.is_empty() && text.len() <= 80 && !text.starts_with(['.', '-']) && text.chars().all(good)
}

/// A name for the task that `raw` describes: its words with hyphens between them.
#[must_use]
pub fn task_name(raw: &str) -> String {
    let mut out = String::new();
    for c in raw.chars() {
        if c.is_alphanumeric() || matches!(c, '_' | '.') {
            out.extend(c.to_lowercase());
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
        if out.len() > 60 {
            break;
        }
    }
    let name = out.trim_matches(['-', '.']).to_owned();
    if is_task(&name) { name } else { "task-1".to_owned() }
}

/// Why `raw` is no task's name, with one that is.
#[must_use]
pub fn task_fault(raw: &str) -> String {
    format!("`{}` is no task's name; write one word, such as {}", text::one_line(raw, 80), task_name(raw))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_words() {
        for good in ["bd-102", "Login", "a.b_c", "été"] {
            assert!(is_task(good), "{good}");
        }
        for bad in ["", "a b", "../x", ".x", "-x", "a/b", "a\nb", &"x".repeat(81)] {
            assert!(!is_task(bad), "{bad:?}");
            assert!(is_task(&task_name(bad)), "{bad:?}");
        }
        assert_eq!(task_name("Add the \"login\" page"), "add-the-login-page");
        assert!(task_fault("a b").ends_with("such as a-b"));
    }
}
