//! Blockers: questions that only a person can settle.

use serde::Serialize;

use super::{UNKNOWN, entries, fields, has_year, is_minute, line_of, no_headings};
use crate::markdown::{Fault, parse, quoted};

/// The title of the file.
pub const TITLE: &str = "Active Blockers";
/// The file's name.
pub const FILE: &str = "blockers.md";
/// What is settled goes there.
pub const RESOLVED: &str = "blockers-resolved.md";

/// A blocker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Blocker {
    /// The line of its heading.
    pub line: u32,
    /// Date and time.
    pub when: String,
    /// What it is about.
    pub summary: String,
    /// Task and what was being done.
    pub context: String,
    /// What can't be settled.
    pub blocker: String,
    /// The decision that is needed.
    pub need: String,
    /// The files that it concerns.
    pub files: String,
}

/// The active blockers in `text`, and what is wrong with it. One that lacks a field counts all the same.
#[must_use]
pub fn read(text: &str) -> (Vec<Blocker>, Vec<Fault>) {
    let (all, open) = parse(text, 1);
    let form = "write `## YYYY-MM-DD HH:MM — <summary>`";
    let (mut found, mut faults) = (Vec::new(), no_headings(&all, form));
    faults.extend(open.map(|open| open.fault()));
    for entry in entries(&all) {
        let year = has_year(entry.title);
        match entry.level {
            2 if year => {}
            1 if !year => continue,
            // A heading inside a blocker is not one.
            3.. if !year => continue,
            2 => {
                let what = format!("{} is a malformed blocker: its heading has no year", quoted(entry.title));
                faults.push(Fault::new(entry.line, what, form));
                continue;
            }
            level => {
                let marks = "#".repeat(level);
                let what = format!(
                    "{} is a malformed blocker: its heading has {level} #",
                    quoted(&format!("{marks} {}", entry.title))
                );
                faults.push(Fault::new(entry.line, what, form));
                continue;
            }
        }
        // The first dash of any kind ends the time: what stands behind it is the person's.
        let dash =
            [" — ", " – ", " - "].into_iter().filter_map(|dash| Some((entry.title.find(dash)?, dash))).min();
        let (when, summary) = match dash {
            Some((at, dash)) => (entry.title[..at].trim(), entry.title[at + dash.len()..].trim()),
            None => (entry.title, ""),
        };
        if summary.is_empty() || !is_minute(when) {
            let what = format!("{} is not the heading of a blocker", quoted(entry.title));
            faults.push(Fault::new(entry.line, what, form));
        } else if let Some((_, dash)) = dash.filter(|(_, dash)| *dash != " — ") {
            let what = format!("{} has `{}` where `—` is expected", quoted(entry.title), dash.trim());
            faults.push(Fault::new(entry.line, what, form));
        }
        let names = ["Context", "Blocker", "What I need", "Files involved"];
        let [context, blocker, need, files] = fields(entry.body, entry.line, names, "", &mut faults);
        let summary = if summary.is_empty() { UNKNOWN } else { summary };
        found.push(Blocker {
            line: entry.line,
            when: when.to_owned(),
            summary: summary.to_owned(),
            context,
            blocker,
            need,
            files,
        });
    }
    faults.sort_by_key(|fault| fault.line);
    (found, faults)
}

/// The blocker as an entry of the file.
#[must_use]
pub fn write(blocker: &Blocker) -> String {
    format!(
        "## {} — {}\n- Context: {}\n- Blocker: {}\n- What I need: {}\n- Files involved: {}\n",
        blocker.when,
        line_of(&blocker.summary),
        line_of(&blocker.context),
        line_of(&blocker.blocker),
        line_of(&blocker.need),
        line_of(&blocker.files)
    )
}

/// The latest of `found`.
#[must_use]
pub fn newest(found: &[Blocker]) -> Option<&Blocker> {
    found.iter().max_by(|a, b| (&a.when, a.line).cmp(&(&b.when, b.line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# Active Blockers\n\n## 2026-04-07 14:30 — Which hash?\n- Context: bd-102, the login\n- Blocker: two are in use\n\
                        - What I need: one\n- Files involved: api/auth.rs\n";

    #[test]
    fn the_format_is_read_and_written() {
        let (found, faults) = read(GOOD);
        assert_eq!((found.len(), faults.len()), (1, 0), "{faults:?}");
        assert_eq!((found[0].when.as_str(), found[0].summary.as_str()), ("2026-04-07 14:30", "Which hash?"));
        assert!(GOOD.ends_with(&write(&found[0])));
        let blank =
            Blocker { when: "2026-04-08 09:00".into(), summary: "a\n## b".into(), ..Blocker::default() };
        let (again, faults) = read(&write(&blank));
        assert!(
            faults.is_empty() && again[0].context == UNKNOWN && again[0].summary == "a ## b",
            "{again:?}"
        );
    }

    #[test]
    fn the_silent_misses_are_reported() {
        let fault =
            |text: &str| read(text).1.iter().map(|f| f.in_file("b.md")).collect::<Vec<_>>().join("\n");
        for (text, what) in [
            (
                GOOD.replace("## 2026", "### 2026"),
                "b.md:3: `### 2026-04-07 14:30 — Which hash?` is a malformed blocker: its heading has 3 #",
            ),
            (
                GOOD.replace("## 2026", "# 2026"),
                "b.md:3: `# 2026-04-07 14:30 — Which hash?` is a malformed blocker: its heading has 1 #",
            ),
            (
                GOOD.replace("## 2026-04-07 14:30 — ", "## "),
                "b.md:3: `Which hash?` is a malformed blocker: its heading has no year",
            ),
            (
                GOOD.replace(" — Which hash?", ""),
                "b.md:3: `2026-04-07 14:30` is not the heading of a blocker",
            ),
            (
                GOOD.replace("## 2026", "##2026"),
                "b.md:3: `##2026-04-07 14:30 — Which hash?` is no heading; write `## YYYY-MM-DD HH:MM — <summary>`",
            ),
            (
                GOOD.replace("## 2026", "  ## 2026"),
                "b.md:3: `  ## 2026-04-07 14:30 — Which hash?` is no heading",
            ),
            (
                GOOD.replace(" — ", " - "),
                "b.md:3: `2026-04-07 14:30 - Which hash?` has `-` where `—` is expected; write `## YYYY",
            ),
            (
                GOOD.replace(" — Which", " – Which — or"),
                "b.md:3: `2026-04-07 14:30 – Which — or hash?` has `–` where `—` is expected",
            ),
            (
                GOOD.replace("04-07", "04-31"),
                "b.md:3: `2026-04-31 14:30 — Which hash?` is not the heading of a blocker",
            ),
            (
                GOOD.replace(" 14:30", ""),
                "b.md:3: `2026-04-07 — Which hash?` is not the heading of a blocker",
            ),
            (GOOD.replace("14:30", "25:30"), "b.md:3: `2026-04-07 25:30 — Which hash?` is not the heading"),
            (GOOD.replace("- Blocker: two are in use\n", ""), "b.md:3: the field `Blocker` is missing"),
            (GOOD.replace("one\n", "\n"), "b.md:3: the field `What I need` is empty"),
        ] {
            assert!(fault(&text).contains(what), "{what}\n{}", fault(&text));
        }
        // What is in a code block is no blocker and no fault.
        assert_eq!(read("```\n### 2026-01-01\n```\n"), (Vec::new(), Vec::new()));
        // Whatever the block looks like; and what stands behind it is found.
        let example = GOOD.replace("# Active Blockers\n\n", "");
        for block in [
            format!("````\n```\n{example}````\n"),
            "~~~ md\n```\n### 2026-01-01\n~~~\n".to_owned(),
            format!("  ```\n{example}   ```\n"),
            format!("<!-- An example:\n{example}-->\n"),
            "<!-- ### 2026-01-01 -->\n".to_owned(),
        ] {
            let (found, faults) = read(&format!("{block}{GOOD}"));
            assert_eq!((found.len(), faults.len()), (1, 0), "{block}{faults:?}");
            let blank = GOOD.replace("- Context: bd-102, the login\n", "- Context: <!-- the task -->\n");
            assert!(fault(&format!("{block}{blank}")).contains("the field `Context` is empty"));
        }
        let open = format!("````\n```\n{GOOD}");
        assert!(fault(&open).starts_with("b.md:1: the block of code that begins here has no end"));
        // What is added there is found.
        assert_eq!(read(&super::super::append(Some(&open), TITLE, &example)).0.len(), 1);
    }

    #[test]
    fn the_newest_is_the_latest_by_its_date() {
        let text =
            format!("{}\n{}", GOOD, GOOD.replace("2026-04-07", "2026-03-01").replace("Which hash?", "Older"));
        assert_eq!(newest(&read(&text).0).map(|b| b.summary.as_str()), Some("Which hash?"));
    }
}
