//! Findings: facts for the other agents of an effort, deleted when it ends.

use serde::Serialize;

use super::{UNKNOWN, entries, field, has_year, is_date, line_of, no_headings, value};
use crate::markdown::{Fault, first_line, is_unseen, parse, push_item, quoted};

/// The title of the file.
pub const TITLE: &str = "Findings";
/// The file's name.
pub const FILE: &str = "findings.md";

/// A finding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The line of its heading.
    pub line: u32,
    /// The day.
    pub when: String,
    /// What was found.
    pub title: String,
    /// More of it.
    pub notes: Vec<String>,
    /// What it affects.
    pub affects: String,
}

/// The findings in `text`, and what is wrong with it.
#[must_use]
pub fn read(text: &str) -> (Vec<Finding>, Vec<Fault>) {
    let (all, open) = parse(text, 1);
    let form = "write `## YYYY-MM-DD: <title>`";
    let (mut found, mut faults) = (Vec::new(), no_headings(&all, form));
    faults.extend(open.map(|open| open.fault()));
    for entry in entries(&all) {
        if entry.level == 1 && !has_year(entry.title) || entry.level > 2 && !has_year(entry.title) {
            continue;
        }
        let split = entry.title.split_once(':').map(|(when, title)| (when.trim(), title.trim()));
        let (when, title) = match split {
            Some((when, title)) if entry.level == 2 && is_date(when) && !title.is_empty() => (when, title),
            _ => {
                let what = format!("{} is not the heading of a finding", quoted(entry.title));
                faults.push(Fault::new(entry.line, what, form));
                continue;
            }
        };
        let bullets: Vec<&str> = entry.body.iter().filter_map(|line| line.bullet()).collect();
        let affects = field(entry.body, "Affects").filter(|text| !is_unseen(text));
        if affects.is_none() {
            let help = "end it with `- Affects: …`";
            faults.push(Fault::new(entry.line, "the field `Affects` is missing", help));
        } else if bullets.last().is_none_or(|last| value(last, "Affects").is_none()) {
            let help = "put it behind the others";
            faults.push(Fault::new(entry.line, "`- Affects: …` is not the last bullet", help));
        }
        found.push(Finding {
            line: entry.line,
            when: when.to_owned(),
            title: title.to_owned(),
            notes: bullets
                .iter()
                .filter(|b| value(b, "Affects").is_none())
                .map(|b| first_line(b).to_owned())
                .collect(),
            affects: affects.unwrap_or_else(|| UNKNOWN.to_owned()),
        });
    }
    faults.sort_by_key(|fault| fault.line);
    (found, faults)
}

/// The finding as an entry of the file.
#[must_use]
pub fn write(finding: &Finding) -> String {
    let mut out = format!("## {}: {}\n", finding.when, line_of(&finding.title));
    for note in &finding.notes {
        push_item(&mut out, "- ", &line_of(note));
    }
    out.push_str("- Affects: ");
    out.push_str(&line_of(&finding.affects));
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_read_and_written() {
        let text = "# Findings\n\n## 2026-04-10: The API pages\n- 50 at a time\n- Affects: web, docs\n";
        let (found, faults) = read(text);
        assert!(faults.is_empty(), "{faults:?}");
        assert_eq!((found[0].title.as_str(), found[0].affects.as_str()), ("The API pages", "web, docs"));
        assert!(text.ends_with(&write(&found[0])));
        let odd = Finding { notes: vec!["<!-- a".into(), "```".into()], ..found[0].clone() };
        let (again, faults) = read(&write(&odd));
        assert_eq!((&again[0].notes, &again[0].affects, faults.len()), (&odd.notes, &odd.affects, 0));
    }

    #[test]
    fn marks_around_a_name_make_no_other_field_of_it() {
        for affects in ["- **Affects**: a", "- **Affects:** a", " - Affects: a", "*\tAffects: a"] {
            let text = format!("## 2026-04-10: x\n- y\n{affects}\n<!-- - z -->\n");
            let (found, faults) = read(&text);
            assert!(faults.is_empty(), "{text}{faults:?}");
            assert_eq!((found[0].affects.as_str(), found[0].notes.as_slice()), ("a", &["y".to_owned()][..]));
        }
    }

    #[test]
    fn each_fault_has_its_line() {
        for (text, what) in [
            ("## The API pages\n- Affects: x\n", "f.md:1: `The API pages` is not the heading of a finding"),
            ("### 2026-04-10: x\n- Affects: x\n", "f.md:1: `2026-04-10: x` is not the heading"),
            (
                "##2026-04-10: x\n- Affects: x\n",
                "f.md:1: `##2026-04-10: x` is no heading; write `## YYYY-MM-DD: <title>`",
            ),
            (" ## 2026-04-10: x\n- Affects: x\n", "f.md:1: ` ## 2026-04-10: x` is no heading"),
            ("## 2026-04-31: x\n- Affects: x\n", "f.md:1: `2026-04-31: x` is not the heading of a finding"),
            ("## 2026-04-10 - x\n- Affects: x\n", "f.md:1: `2026-04-10 - x` is not the heading of a finding"),
            ("## 2026-04-10: x\n- y\n", "f.md:1: the field `Affects` is missing"),
            ("## 2026-04-10: x\n- Affects: y\n- z\n", "f.md:1: `- Affects: …` is not the last bullet"),
        ] {
            let faults: Vec<String> = read(text).1.iter().map(|f| f.in_file("f.md")).collect();
            assert!(faults.iter().any(|f| f.contains(what)), "{what}: {faults:?}");
        }
    }
}
