//! Known issues: facts for everyone, for good.

use serde::Serialize;

use super::{entries, field, fields, line_of};
use crate::markdown::{Fault, Kind, parse, quoted};

/// The title of the file.
pub const TITLE: &str = "Known issues";
/// The file, relative to the project.
pub const FILE: &str = "docs/KNOWN_ISSUES.md";
/// The fields of each, in their order.
const FIELDS: [&str; 5] = ["Status", "Issue", "Workaround", "Affects", "Ref"];

/// A known issue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Issue {
    /// The line of its heading.
    pub line: u32,
    /// What it is.
    pub title: String,
    /// How it stands.
    pub status: String,
    /// What happens.
    pub issue: String,
    /// What helps meanwhile.
    pub workaround: String,
    /// What it affects.
    pub affects: String,
    /// Where more is to be found.
    pub reference: String,
}

/// The known issues in `text`, and what is wrong with it.
#[must_use]
pub fn read(text: &str) -> (Vec<Issue>, Vec<Fault>) {
    let (all, open) = parse(text, 1);
    let (mut found, mut faults) = (Vec::new(), Vec::from_iter(open.map(|open| open.fault())));
    for line in all.iter().filter(|line| line.kind == Kind::Plain && line.heading().is_none()) {
        let title = line.text.trim_start_matches('#').trim();
        if line.text.starts_with("##") && !title.is_empty() {
            let what = format!("{} is no heading", quoted(line.text));
            faults.push(Fault::new(line.number, what, "write `## <title>`, with a space"));
        }
    }
    // The line of the last heading of the first level.
    let mut top = 0;
    for (i, entry) in entries(&all).iter().enumerate() {
        if entry.level != 2 {
            // The file has one title, and an issue may have headings in it. What stands elsewhere, or has what an issue has,
            // was meant as one.
            let is_title = entry.title.eq_ignore_ascii_case(TITLE);
            let is_first = entry.level == 1 && i == 0;
            let is_below = entry.level > 2 && found.last().is_some_and(|above: &Issue| above.line > top);
            if entry.level == 1 {
                top = entry.line;
            }
            let has_fields = FIELDS.iter().any(|name| field(entry.body, name).is_some());
            if !is_title && (has_fields || !is_first && !is_below) {
                let marks = "#".repeat(entry.level);
                let what = format!("{} is a malformed issue", quoted(&format!("{marks} {}", entry.title)));
                faults.push(Fault::new(entry.line, what, "write `## <title>`"));
            }
            continue;
        }
        if entry.title.is_empty() {
            faults.push(Fault::new(entry.line, "the heading is empty", "write `## <title>`"));
        }
        let [status, issue, workaround, affects, reference] =
            fields(entry.body, entry.line, FIELDS, "**", &mut faults);
        let title = entry.title.to_owned();
        found.push(Issue { line: entry.line, title, status, issue, workaround, affects, reference });
    }
    faults.sort_by_key(|fault| fault.line);
    (found, faults)
}

/// The issue as an entry of the file.
#[must_use]
pub fn write(issue: &Issue) -> String {
    format!(
        "## {}\n- **Status**: {}\n- **Issue**: {}\n- **Workaround**: {}\n- **Affects**: {}\n- **Ref**: {}\n",
        line_of(&issue.title),
        line_of(&issue.status),
        line_of(&issue.issue),
        line_of(&issue.workaround),
        line_of(&issue.affects),
        line_of(&issue.reference)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_read_and_written() {
        let issue = Issue { title: "Slow start".into(), status: "open".into(), ..Issue::default() };
        let text = format!("# Known issues\n\n{}", write(&issue));
        let (found, faults) = read(&text);
        assert!(faults.is_empty(), "{faults:?}");
        assert_eq!(
            (found[0].title.as_str(), found[0].status.as_str(), found[0].line),
            ("Slow start", "open", 3)
        );
        for (heading, what) in [
            ("##Slow start", "k.md:3: `##Slow start` is no heading; write `## <title>`, with a space"),
            ("### Slow start", "k.md:3: `### Slow start` is a malformed issue; write `## <title>`"),
            ("# Slow start", "k.md:3: `# Slow start` is a malformed issue; write `## <title>`"),
        ] {
            let faults = read(&text.replace("## Slow start", heading)).1;
            assert_eq!(faults.iter().map(|fault| fault.in_file("k.md")).collect::<Vec<_>>(), [what]);
        }
        assert!(read(&format!("{text}\n### More of it\nwords\n")).1.is_empty());
        for (heading, line) in [("### t", 3), ("# t", 3), ("#### t", 3)] {
            let faults = read(&format!("# Known issues\n\n{heading}\nwords\n")).1;
            let want = format!("k.md:{line}: `{heading}` is a malformed issue; write `## <title>`");
            assert_eq!(faults.iter().map(|fault| fault.in_file("k.md")).collect::<Vec<_>>(), [want]);
        }
        let part = read(&format!("{text}\n### Second\n- **Issue**: it is slow\n")).1;
        assert_eq!(part.iter().map(|fault| fault.line).collect::<Vec<_>>(), [10]);
        let faults = read(&text.replace("- **Ref**: <unknown>\n", "")).1;
        assert_eq!(faults[0].in_file("k.md").split(';').next(), Some("k.md:3: the field `Ref` is missing"));
    }
}
