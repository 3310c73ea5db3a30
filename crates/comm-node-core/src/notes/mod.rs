//! The working files that people and agents share: blockers, findings, known issues and plans. Their headings and
//! fields are a contract: whatever deviates is answered with its line, because what is not found is not heard.
//!
//! Values only; who reads them from where is said in `store::notes` and in the command line.

pub mod blocker;
pub mod finding;
pub mod issue;
pub mod pending;
pub mod plan;

use crate::clock;
use crate::markdown::{Fault, Kind, Line, is_unseen, parse, quoted};
use crate::text::visible;

/// What stands for something that nobody knows.
pub const UNKNOWN: &str = "<unknown>";
/// The largest working file that a command reads.
pub const MAX_FILE: u64 = 1 << 20;

/// A heading and what stands below it.
pub(crate) struct Entry<'l, 't> {
    pub(crate) line: u32,
    pub(crate) level: usize,
    pub(crate) title: &'t str,
    pub(crate) body: &'l [Line<'t>],
}

/// The headings of `all`, each with the lines up to the next one.
pub(crate) fn entries<'l, 't>(all: &'l [Line<'t>]) -> Vec<Entry<'l, 't>> {
    let heads: Vec<usize> = (0..all.len()).filter(|i| all[*i].heading().is_some()).collect();
    let entry = |(n, at): (usize, &usize)| {
        let (level, title) = all[*at].heading()?;
        let end = heads.get(n + 1).copied().unwrap_or(all.len());
        Some(Entry { line: all[*at].number, level, title, body: &all[*at + 1..end] })
    };
    heads.iter().enumerate().filter_map(entry).collect()
}

/// The value of the bullet `- <name>: …` in `body`, further lines included.
pub(crate) fn field(body: &[Line<'_>], name: &str) -> Option<String> {
    let mut out: Option<String> = None;
    for line in body.iter().filter(|line| line.kind != Kind::Comment) {
        if let Some(bullet) = line.bullet() {
            if out.is_some() {
                break;
            }
            out = value(bullet, name).map(str::to_owned);
        } else if let (true, false, Some(out)) = (line.is_indented(), line.is_blank(), out.as_mut()) {
            out.push('\n');
            out.push_str(line.text.trim());
        } else if out.is_some() {
            break;
        }
    }
    out
}

/// What the bullet `bullet` says of the field `name`, if it is that. Marks around the name don't count.
pub(crate) fn value<'t>(bullet: &'t str, name: &str) -> Option<&'t str> {
    let rest = bullet.strip_prefix("**").unwrap_or(bullet).strip_prefix(name)?;
    let value = rest.strip_prefix("**").unwrap_or(rest).strip_prefix(':')?;
    Some(value.strip_prefix("**").unwrap_or(value).trim())
}

/// The values of all of `names` in `body`; for one that is missing or empty a fault at `line`.
pub(crate) fn fields<const N: usize>(
    body: &[Line<'_>],
    line: u32,
    names: [&str; N],
    mark: &str,
    faults: &mut Vec<Fault>,
) -> [String; N] {
    names.map(|name| match field(body, name) {
        Some(value) if !is_unseen(&value) => value,
        found => {
            let what = if found.is_some() { "is empty" } else { "is missing" };
            faults.push(Fault::new(
                line,
                format!("the field `{name}` {what}"),
                format!("write `- {mark}{name}{mark}: …`, with {UNKNOWN} for what isn't known"),
            ));
            UNKNOWN.to_owned()
        }
    })
}

/// True for `YYYY` at the beginning.
pub(crate) fn has_year(title: &str) -> bool {
    title.len() >= 4
        && title.bytes().take(4).all(|b| b.is_ascii_digit())
        && !title.as_bytes().get(4).is_some_and(u8::is_ascii_alphanumeric)
}

/// True for a day of the calendar, `YYYY-MM-DD`.
pub(crate) fn is_date(text: &str) -> bool {
    text.len() == 10 && clock::parse_rfc3339(&[text, "T00:00:00Z"].concat()).is_some()
}

/// True for a minute of one, `YYYY-MM-DD HH:MM`.
pub(crate) fn is_minute(text: &str) -> bool {
    let at = |(day, time): (&str, &str)| clock::parse_rfc3339(&[day, "T", time, ":00Z"].concat());
    text.len() == 16 && text.split_once(' ').and_then(at).is_some()
}

/// What was meant as a dated heading and is none: without a space behind its marks, or with one before them.
pub(crate) fn no_headings(all: &[Line<'_>], form: &str) -> Vec<Fault> {
    let mut out = Vec::new();
    for line in all.iter().filter(|line| line.kind == Kind::Plain && line.heading().is_none()) {
        let text = line.text.trim_start();
        let title = text.trim_start_matches('#');
        if title.len() < text.len() && has_year(title.trim_start()) {
            out.push(Fault::new(line.number, format!("{} is no heading", quoted(line.text)), form));
        }
    }
    out
}

/// `text` (what was there, if anything) with `entry` at its end, behind `title`. A block that nothing ended is ended first.
#[must_use]
pub fn append(text: Option<&str>, title: &str, entry: &str) -> String {
    let mut out = match text {
        Some(text) if !text.trim().is_empty() => text.trim_end().to_owned(),
        _ => format!("# {title}"),
    };
    // A file keeps the line ends that it has.
    let end = if out.contains("\r\n") { "\r\n" } else { "\n" };
    if let Some(open) = parse(&out, 1).1 {
        out.push_str(end);
        out.push_str(&open.end());
    }
    out.push_str(end);
    for line in entry.trim_end().lines() {
        out.push_str(end);
        out.push_str(line);
    }
    out.push_str(end);
    out
}

/// `text` without the entry whose heading is at `line`, and that entry.
#[must_use]
pub fn take_out(text: &str, line: u32) -> Option<(String, String)> {
    let all = crate::markdown::lines(text, 1);
    let found = entries(&all).into_iter().find(|entry| entry.line == line)?;
    let (from, len) = (usize::try_from(line).ok()? - 1, found.body.len() + 1);
    let mut rest = String::new();
    let mut taken = String::new();
    for (i, raw) in text.split_inclusive('\n').enumerate() {
        let into = if i >= from && i < from + len { &mut taken } else { &mut rest };
        into.push_str(raw);
    }
    Some((rest, taken))
}

/// What an agent says, in one line of a file.
pub(crate) fn line_of(raw: &str) -> String {
    let words: Vec<&str> = raw.split_whitespace().collect();
    if words.is_empty() { UNKNOWN.to_owned() } else { visible(&words.join(" ")).into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markdown::lines;

    #[test]
    fn fields_in_every_way_people_write_them() {
        let body = lines("- A: one\n  more\n- **B**: two\n- **C:** three\n\nD: four\n", 1);
        let get = |name| field(&body, name);
        assert_eq!(get("A").as_deref(), Some("one\nmore"));
        assert_eq!((get("B").as_deref(), get("C").as_deref(), get("D")), (Some("two"), Some("three"), None));
    }

    #[test]
    fn days_and_minutes_are_those_of_the_calendar() {
        assert!(is_date("2026-02-28") && is_minute("2026-12-31 23:59"));
        for bad in
            ["2026-02-30", "2026-13-01", "2026-4-7", "2026-04-07x", "26-04-07", "2026/04/07", "２０２６-0"]
        {
            assert!(!is_date(bad), "{bad}");
        }
        for bad in
            ["2026-02-30 10:00", "2026-04-07 24:00", "2026-04-07 1:30 ", "2026-04-07T14:30", "2026-04-07"]
        {
            assert!(!is_minute(bad), "{bad}");
        }
    }

    #[test]
    fn what_is_said_is_one_line_that_hides_nothing() {
        assert_eq!(
            line_of(" a\n## 2026-01-01 00:00 — b\r\n\u{2028}c\u{85}d "),
            "a ## 2026-01-01 00:00 — b c d"
        );
        assert_eq!(line_of("a\u{1b}[2J\u{202e}b\0"), "a\\u{1b}[2J\\u{202e}b\\u{0}");
    }

    #[test]
    fn an_entry_is_added_and_taken_out() {
        let one = append(None, "T", "## 1\n- a\n");
        let two = append(Some(&one), "T", "## 2\n- b\n");
        assert_eq!(two, "# T\n\n## 1\n- a\n\n## 2\n- b\n");
        let (rest, taken) = take_out(&two, 3).expect("is there");
        assert_eq!((rest.as_str(), taken.as_str()), ("# T\n\n## 2\n- b\n", "## 1\n- a\n\n"));
        assert!(take_out(&two, 4).is_none());
        let windows = append(Some("# T\r\n\r\n## 1\r\n- a\r\n"), "T", "## 2\n- b\n");
        assert_eq!(windows, "# T\r\n\r\n## 1\r\n- a\r\n\r\n## 2\r\n- b\r\n");
    }
}
