//! A marked part of a file that is otherwise a person's: `CLAUDE.md`.
//!
//! The two marks are HTML comments, which the client leaves out of what the model reads. The first one says
//! whose the part is, a hash of what was written, and how the part got there, so that taking it out again
//! gives the file back byte for byte. Every other byte of the file stays.

use std::ops::Range;

use crate::install::record::sha256;

const BEGIN: &str = "<!-- comm-node:begin ";
const END: &str = "<!-- comm-node:end -->";
/// What stands in the first mark of a file that was not there before.
const CREATED: &str = "new";

/// How the part got into its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// The file was made for it.
    Created,
    /// It was put at the end, behind so many line breaks.
    Appended(usize),
}

/// The part as it stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Whose it is.
    pub owner: String,
    /// True where it is as it was written.
    pub untouched: bool,
    /// Its bytes, marks and their line ends included.
    at: Range<usize>,
    origin: Origin,
}

/// What is to become of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It holds what it should.
    Same,
    /// It is to hold this; `true` where it had no such part before.
    Write(String, bool),
    /// A person changed what stands between the marks.
    Edited,
}

/// The line, from 1, of the first mark in `text`, or of what looks like one.
#[must_use]
pub fn marker_in(text: &str) -> Option<usize> {
    text.lines().position(is_like_a_mark).map(|i| i + 1)
}

fn is_like_a_mark(line: &str) -> bool {
    line.contains("comm-node:begin") || line.contains("comm-node:end")
}

/// The part in `text`, if there is one.
///
/// # Errors
/// When the marks are damaged, doubled or out of order: with the line.
pub fn find(text: &str) -> Result<Option<Found>, String> {
    let mut begin: Option<(usize, usize, Mark)> = None;
    let mut found: Option<Found> = None;
    let mut at = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let (start, number) = (at, index + 1);
        at += line.len();
        if !is_like_a_mark(line) {
            continue;
        }
        let line = line.trim_end();
        if found.is_some() {
            return Err(format!(
                "line {number} begins or ends a second part of comm-node's; remove one of the two"
            ));
        }
        match (Mark::parse(line), &begin) {
            (Some(_), Some((_, first, _))) => {
                return Err(format!(
                    "line {number} begins a part of comm-node's inside the one that began in line {first}"
                ));
            }
            (Some(mark), None) => begin = Some((start, number, mark)),
            (None, Some((from, _, mark))) if line == END => {
                let inner = &text[*from..start];
                let inner = inner.split_once('\n').map_or("", |(_, rest)| rest);
                found = Some(Found {
                    owner: mark.owner.clone(),
                    untouched: hash(inner) == mark.hash,
                    at: *from..at,
                    origin: mark.origin,
                });
            }
            (None, None) if line == END => {
                return Err(format!(
                    "line {number} ends a part of comm-node's that never began; remove the line"
                ));
            }
            (None, _) => {
                return Err(format!(
                    "the mark of comm-node's in line {number} is damaged; restore or remove it"
                ));
            }
        }
    }
    match (found, begin) {
        (None, Some((_, number, _))) => Err(format!(
            "the part of comm-node's that begins in line {number} has no end; add `{END}` behind it"
        )),
        (found, _) => Ok(found),
    }
}

struct Mark {
    owner: String,
    hash: String,
    origin: Origin,
}

impl Mark {
    fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.strip_prefix(BEGIN)?.strip_suffix(" -->")?.split(' ').collect();
        let [owner, hash, origin] = words[..] else { return None };
        let origin = match origin.strip_prefix('+') {
            Some(breaks) => Origin::Appended(breaks.parse().ok().filter(|n| *n <= 2)?),
            None if origin == CREATED => Origin::Created,
            None => return None,
        };
        Some(Self { owner: owner.to_owned(), hash: hash.to_owned(), origin })
    }
}

/// Puts `body`, lines that each have their end, for `owner` into the file that holds `current` (`None`: there
/// is no file). What a person changed between the marks is only lost with `force`.
///
/// # Errors
/// When the marks in the file are damaged.
pub fn put(current: Option<&str>, owner: &str, body: &str, force: bool) -> Result<Change, String> {
    let Some(text) = current else {
        return Ok(Change::Write(part(owner, body, Origin::Created, "\n"), true));
    };
    let end =
        if text.split_inclusive('\n').next().is_some_and(|l| l.ends_with("\r\n")) { "\r\n" } else { "\n" };
    let Some(found) = find(text)? else {
        let breaks = match text {
            "" => 0,
            _ if text.ends_with("\n\n") || text.ends_with("\n\r\n") => 0,
            _ if text.ends_with('\n') => 1,
            _ => 2,
        };
        let part = part(owner, body, Origin::Appended(breaks), end);
        return Ok(Change::Write(format!("{text}{}{part}", end.repeat(breaks)), true));
    };
    if !found.untouched && !force {
        return Ok(Change::Edited);
    }
    let mut part = part(owner, body, found.origin, end);
    let old = &text[found.at.clone()];
    if !old.ends_with('\n') {
        // The file ends with the mark, without a line break; so it stays.
        part.truncate(part.trim_end().len());
    }
    if part == old {
        return Ok(Change::Same);
    }
    Ok(Change::Write(format!("{}{part}{}", &text[..found.at.start], &text[found.at.end..]), false))
}

/// The file that holds `text` without `found`; `None` where nothing is left of a file that was made for it.
#[must_use]
pub fn without(text: &str, found: &Found) -> Option<String> {
    let mut before = &text[..found.at.start];
    if let Origin::Appended(breaks) = found.origin {
        for _ in 0..breaks {
            before = before.strip_suffix('\n').map_or(before, |b| b.strip_suffix('\r').unwrap_or(b));
        }
    }
    let left = format!("{before}{}", &text[found.at.end..]);
    (found.origin != Origin::Created || !left.trim().is_empty()).then_some(left)
}

fn part(owner: &str, body: &str, origin: Origin, end: &str) -> String {
    let origin = match origin {
        Origin::Created => CREATED.to_owned(),
        Origin::Appended(breaks) => format!("+{breaks}"),
    };
    let text = format!("{BEGIN}{owner} {} {origin} -->\n{body}{END}\n", hash(body));
    if end == "\n" { text } else { text.replace('\n', end) }
}

/// What a text is known by: line ends, which git changes, don't count.
#[must_use]
pub(super) fn hash(text: &str) -> String {
    let mut hash = sha256(text.replace("\r\n", "\n").as_bytes());
    hash.truncate(16);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(current: Option<&str>, body: &str) -> String {
        match put(current, "shop/api", body, false).expect("no damage") {
            Change::Write(text, _) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn in_and_out_again_byte_for_byte() {
        for before in
            ["", "\n", "a", "a\n", "a\n\n", "a\r\nb", "a\r\nb\r\n", "a\r\n\r\n", "\u{feff}a\n", "a\n\n\n"]
        {
            let with = written(Some(before), "one\ntwo\n");
            assert!(with.starts_with(before), "{with:?}");
            assert_eq!(with.contains("\r\n"), before.contains("\r\n"), "{with:?}");
            assert_eq!(
                with.matches("\r\n").count(),
                if before.contains("\r\n") { with.matches('\n').count() } else { 0 }
            );
            assert_eq!(put(Some(&with), "shop/api", "one\ntwo\n", false), Ok(Change::Same));
            let other = written(Some(&with), "three\n");
            let found = find(&other).expect("right").expect("there");
            assert!(found.untouched);
            assert_eq!(without(&other, &found).as_deref(), Some(before));
        }
        let alone = written(None, "x\n");
        assert_eq!(without(&alone, &find(&alone).expect("right").expect("there")), None);
    }

    #[test]
    fn what_a_person_writes_around_it_stays() {
        let with = written(Some("mine\n"), "x\n");
        for (front, back) in [("top\n", "end"), ("", "\nmore\r\n"), ("é\u{202e}", "\t")] {
            let around = format!("{front}{with}{back}");
            let changed = written(Some(&around), "y\nz\n");
            assert!(changed.starts_with(front) && changed.ends_with(back), "{changed:?}");
            assert!(changed.contains("mine\n") && changed.contains("y\nz\n") && !changed.contains("x\n"));
            let found = find(&changed).expect("right").expect("there");
            assert_eq!(without(&changed, &found), Some(format!("{front}mine\n{back}")));
        }
    }

    #[test]
    fn a_person_s_change_between_the_marks_is_not_lost() {
        let edited = written(None, "x\n").replace("x\n", "x and more\n");
        assert_eq!(put(Some(&edited), "shop/api", "y\n", false), Ok(Change::Edited));
        assert!(matches!(put(Some(&edited), "shop/api", "y\n", true), Ok(Change::Write(_, false))));
        // Git may have changed the line ends.
        let crlf = written(None, "x\ny\n").replace('\n', "\r\n");
        assert!(find(&crlf).expect("right").expect("there").untouched);
        assert_eq!(put(Some(&crlf), "shop/api", "x\ny\n", false), Ok(Change::Same));
    }

    #[test]
    fn an_end_without_line_break_stays_one() {
        let with = written(Some("a\n"), "x\n");
        let cut = with.trim_end();
        assert_eq!(put(Some(cut), "shop/api", "x\n", false), Ok(Change::Same));
        assert!(!written(Some(cut), "y\n").ends_with('\n'));
    }

    #[test]
    fn damaged_marks_are_named_with_their_line() {
        let good = written(None, "x\n");
        for (text, says) in [
            (good.replace(END, ""), "line 1 has no end"),
            (format!("a\n{END}\n"), "line 2 ends a part of comm-node's that never began"),
            (format!("{good}{good}"), "line 4 begins or ends a second part"),
            (format!("{good}{END}\n"), "line 4 begins or ends a second part"),
            (good.replace("x\n", &good), "line 2 begins a part of comm-node's inside"),
            (good.replace(" new -->", " -->"), "line 1 is damaged"),
            (good.replace(" new ", " +99 "), "line 1 is damaged"),
            (good.replace(END, "<!-- comm-node:end--> "), "line 3 is damaged"),
        ] {
            let error = find(&text).expect_err("damaged");
            assert!(error.contains(says), "{text:?}: {error}");
            assert_eq!(put(Some(&text), "shop/api", "y\n", true), Err(error));
        }
    }
}
