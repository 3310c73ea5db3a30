//! The task plan: `- [ ] <task>`, each with a `**Done when**:` line.

use serde::Serialize;

use crate::markdown::{Fault, lines};

/// The file, relative to the project.
pub const FILE: &str = ".claude/mytasks/todo.md";

/// A task of the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Task {
    /// Its line.
    pub line: u32,
    /// True once it is checked off.
    pub done: bool,
    /// What is to be done.
    pub text: String,
    /// When it is done.
    pub done_when: Option<String>,
}

impl Task {
    /// True if it is the task called `name`: that is its first word, or all of it.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        let first = self.text.split_whitespace().next().unwrap_or_default();
        let bare = |text: &str| text.trim_matches(['`', '*', '[', ']', ':', '—', ',']).to_owned();
        bare(first) == name || bare(&self.text) == name
    }
}

/// The tasks in `text`, and what is wrong with it.
#[must_use]
pub fn read(text: &str) -> (Vec<Task>, Vec<Fault>) {
    let all = lines(text.strip_prefix('\u{feff}').unwrap_or(text), 1);
    let mut found: Vec<Task> = Vec::new();
    for line in &all {
        if let Some((done, text)) = line.checkbox() {
            found.push(Task { line: line.number, done, text: text.to_owned(), done_when: None });
            continue;
        }
        let plain = line.text.trim().trim_start_matches(['-', '*', ' ']);
        let value =
            plain.strip_prefix("Done when").map(|rest| rest.trim_start_matches('*').trim_start_matches(':'));
        let value = value.map(|value| value.trim_start_matches('*').trim());
        if let (false, Some(value), Some(last)) =
            (line.fenced, value.filter(|v| !v.is_empty()), found.last_mut())
        {
            last.done_when.get_or_insert_with(|| value.to_owned());
        }
    }
    let faults = found
        .iter()
        .filter(|task| task.done_when.is_none())
        .map(|task| {
            let what =
                format!("the task {} does not say when it is done", crate::markdown::quoted(&task.text));
            Fault::new(task.line, what, "add a line `**Done when**: …` below it")
        })
        .collect();
    (found, faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_without_its_end_is_reported() {
        let text = "# Plan\n- [ ] bd-1: login\n  **Done when**: the tests pass\n- [x] `bd-2` logout\n  - **Done when:** it is gone\n- [ ] bd-3\n";
        let (found, faults) = read(text);
        assert_eq!(found.iter().map(|t| t.done).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!(found[0].done_when.as_deref(), Some("the tests pass"));
        assert_eq!(found[1].done_when.as_deref(), Some("it is gone"));
        assert!(found[0].is("bd-1") && found[1].is("bd-2") && !found[0].is("bd"));
        assert_eq!(faults.len(), 1);
        assert!(faults[0].in_file("todo.md").starts_with("todo.md:6: the task `bd-3` does not say when"));
    }
}
