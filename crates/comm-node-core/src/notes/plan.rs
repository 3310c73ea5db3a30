//! The task plan: `- [ ] <task>`, each with a `**Done when**:` line.

use serde::Serialize;

use crate::markdown::{Fault, Kind, is_unseen, parse, quoted};

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
    /// The line of the task that it is a part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_of: Option<u32>,
    /// When it is done; a part may leave that to the task that it is a part of.
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
    let (all, open) = parse(text, 1);
    let mut found: Vec<Task> = Vec::new();
    let mut faults = Vec::from_iter(open.map(|open| open.fault()));
    // The items that a line may be a part of: how deep each stands, and which of the tasks it is.
    let mut above: Vec<(usize, Option<usize>)> = Vec::new();
    for line in all.iter().filter(|line| line.kind == Kind::Plain && !line.is_blank()) {
        above.retain(|(depth, _)| *depth < line.depth);
        let outer = above.iter().rev().find_map(|(_, task)| *task);
        if let Some((done, text)) = line.checkbox() {
            above.push((line.depth, Some(found.len())));
            let part_of = outer.map(|at| found[at].line);
            found.push(Task { line: line.number, done, text: text.to_owned(), part_of, done_when: None });
            continue;
        }
        if line.is_nearly_task() {
            let what = format!("{} is no task that is found", quoted(line.text));
            let help = if line.indent >= 4 {
                "indent it by at most three columns more than what it is a part of"
            } else {
                "write `- [ ] <task>`, or `- [x] <task>` for one that is done"
            };
            faults.push(Fault::new(line.number, what, help));
            continue;
        }
        if line.item().is_some() {
            above.push((line.depth, None));
        }
        let plain = line.text.trim().trim_start_matches(['-', '*', ' ']);
        let value =
            plain.strip_prefix("Done when").map(|rest| rest.trim_start_matches('*').trim_start_matches(':'));
        let value = value.map(|value| value.trim_start_matches('*').trim());
        // What stands in no task is about the last one that is not a part of another.
        let task = outer.or_else(|| found.iter().rposition(|task| task.part_of.is_none()));
        if let (Some(value), Some(at)) = (value.filter(|value| !is_unseen(value)), task) {
            found[at].done_when.get_or_insert_with(|| value.to_owned());
        }
    }
    for task in &found {
        if is_unseen(&task.text) {
            faults.push(Fault::new(task.line, "the task is empty", "write `- [ ] <task>`"));
        } else if task.done_when.is_none() && task.part_of.is_none() {
            let what = format!("the task {} does not say when it is done", quoted(&task.text));
            faults.push(Fault::new(task.line, what, "add a line `**Done when**: …` below it"));
        }
    }
    faults.sort_by_key(|fault| fault.line);
    (found, faults)
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
            "- [v] a",
            "* [y] a",
            "  - [] a",
            "    - [ ] a",
            "- a\n      - [ ] a",
        ];
        for text in near {
            let (found, faults) = read(&format!("# Plan\n{text}\n"));
            let said: Vec<String> = faults.iter().map(|fault| fault.in_file("todo.md")).collect();
            let (at, line) = if let Some((_, last)) = text.split_once('\n') { (3, last) } else { (2, text) };
            let help = if line.starts_with("    ") {
                "indent it by at most three columns"
            } else {
                "write `- [ ] <task>`"
            };
            let want = format!("todo.md:{at}: `{line}` is no task that is found; {help}");
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
            "- [x](y)",
            "- [x][y]",
            "- [v](y)",
            "- [1] see there",
            "[x]: https://x",
            "[^]: note",
            "- a [ ] b",
            "```\n- [] a\n```",
            "~~~\n- [ ] a\n~~~",
            "````\n```\n- [ ] a\n```\n````",
            "<!--\n- [ ] a\n-->",
            "<!-- a --> - [ ] b",
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
    #[test]
    fn tasks_are_found_however_they_are_indented() {
        let text = " - [ ] a\n   **Done when**: 1\n  - [x] b\n    - [ ] part\n    - Done when: 2\n   - [ ] c\n **Done when**: 3\n\
                    - d\n  - [ ] e\n    **Done when**: 4\n    - f\n      - [ ] g\n        **Done when**: 5\n";
        let (found, faults) = read(text);
        assert!(faults.is_empty(), "{faults:?}");
        let of = |task: &Task| (task.text.clone(), task.part_of, task.done_when.clone().unwrap_or_default());
        let want = [
            ("a", None, "1"),
            ("b", None, "2"),
            ("part", Some(3), ""),
            ("c", None, "3"),
            ("e", None, "4"),
            ("g", Some(9), "5"),
        ];
        let want: Vec<_> = want.iter().map(|(a, b, c)| ((*a).to_owned(), *b, (*c).to_owned())).collect();
        assert_eq!(found.iter().map(of).collect::<Vec<_>>(), want);
        let (_, faults) = read("- [ ] a\n  - [ ] b\n");
        assert_eq!(
            faults.iter().map(|fault| fault.line).collect::<Vec<_>>(),
            [1],
            "a part need not say when"
        );
    }

    #[test]
    fn what_stands_behind_a_block_is_found() {
        let task = "- [ ] a\n  **Done when**: b\n";
        for before in
            ["````\n```\n- [ ] x\n````\n", "~~~ sh\n```\n~~~\n", "<!-- - [ ] x -->\n", "<!--\n- [ ] x\n-->\n"]
        {
            let (found, faults) = read(&format!("{before}{task}"));
            assert_eq!((found.len(), faults.len()), (1, 0), "{before}: {faults:?}");
        }
        for (open, what) in [("````\n```\n", "block of code"), ("<!-- x\n", "comment")] {
            let (found, faults) = read(&format!("{open}{task}"));
            assert!(found.is_empty() && faults.len() == 1, "{open}: {faults:?}");
            let want = format!("t:1: the {what} that begins here has no end: nothing below it is read");
            assert!(faults[0].in_file("t").starts_with(&want), "{faults:?}");
        }
        assert_eq!(
            read("- [ ] <!-- the task -->\n").1[0].in_file("t").split(';').next(),
            Some("t:1: the task is empty")
        );
    }
}
