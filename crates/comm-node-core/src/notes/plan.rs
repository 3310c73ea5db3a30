//! The task plan: `- [ ] <task>`, each with a `**Done when**:` line.

use serde::Serialize;

use crate::markdown::{Fault, lines, quoted};

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
    let (mut found, mut faults): (Vec<Task>, Vec<Fault>) = (Vec::new(), Vec::new());
    for line in &all {
        if let Some((done, text)) = line.checkbox() {
            found.push(Task { line: line.number, done, text: text.to_owned(), done_when: None });
            continue;
        }
        if !line.fenced && is_nearly(line.text) {
            let what = format!("{} is no task that is found", quoted(line.text));
            faults.push(Fault::new(
                line.number,
                what,
                "write `- [ ] <task>`, or `- [x] <task>` for one that is done",
            ));
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
    for task in &found {
        if task.text.is_empty() {
            faults.push(Fault::new(task.line, "the task is empty", "write `- [ ] <task>`"));
        } else if task.done_when.is_none() {
            let what = format!("the task {} does not say when it is done", quoted(&task.text));
            faults.push(Fault::new(task.line, what, "add a line `**Done when**: …` below it"));
        }
    }
    faults.sort_by_key(|fault| fault.line);
    (found, faults)
}

/// True if `text` was meant as a task: a box behind whatever people put before one. What is in brackets otherwise, a
/// link for one, is none.
fn is_nearly(text: &str) -> bool {
    let number = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let rest = match number.strip_prefix(['.', ')']) {
        Some(rest) if number.len() < text.len() => rest,
        _ => text.strip_prefix(['-', '*', '+', '–', '—', '•']).unwrap_or(text),
    };
    let Some((inside, behind)) = rest.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']'))
    else {
        return false;
    };
    let inside = inside.trim();
    let mut marks = inside.chars();
    let is_box = match (marks.next(), marks.next()) {
        (None, _) => true,
        (Some(mark), None) => matches!(mark, 'x' | 'X') || !mark.is_alphanumeric() && mark != '^',
        _ => false,
    };
    is_box && !behind.starts_with(['(', '[', ':'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearly_a_task_is_reported() {
        let near = [
            "- [] a",
            "-[ ] a",
            "+ [ ] a",
            "1. [ ] a",
            "2) [x] a",
            "- [-] a",
            "- [ x ] a",
            "[ ] a",
            "– [ ] a",
            "-  [] a",
            "*[x] a",
        ];
        for text in near {
            let (found, faults) = read(&format!("# Plan\n{text}\n"));
            let said: Vec<String> = faults.iter().map(|fault| fault.in_file("todo.md")).collect();
            let want = format!("todo.md:2: `{text}` is no task that is found; write `- [ ] <task>`");
            assert!(found.is_empty() && said.len() == 1 && said[0].starts_with(&want), "{text}: {said:?}");
        }
        let (_, faults) = read("- [ ]\n- [x] \n- [ ] b\n");
        let said: Vec<String> = faults.iter().map(|fault| fault.in_file("t")).collect();
        assert_eq!(
            said[..2],
            ["t:1: the task is empty; write `- [ ] <task>`", "t:2: the task is empty; write `- [ ] <task>`"]
        );
        assert!(said[2].starts_with("t:3: the task `b` does not say when"), "{said:?}");
        for other in [
            "- [a](b)",
            "- [1] see there",
            "[x]: https://x",
            "[^]: note",
            "- a [ ] b",
            "```\n- [] a\n```",
            "  - [] a",
        ] {
            assert_eq!(read(other), (Vec::new(), Vec::new()), "{other}");
        }
    }

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
