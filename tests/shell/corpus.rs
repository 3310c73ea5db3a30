//! Commands that were thought through by hand. Their form is described in `corpus/README.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use comm_node_shell::{Certainty, Target, Why, WriteSet, powershell_write_set, write_set};

use crate::fixture::{Fixture, RealTree, resolve};

/// The least number of rows.
const ROWS: usize = 450;
/// The least share of rows that only look as if they wrote, in percent.
const HARMLESS: usize = 40;

/// One row: a command and what is expected of it.
pub(crate) struct Row {
    /// The file it stands in, and the line.
    place: String,
    /// The command.
    pub(crate) command: String,
    /// True for the PowerShell tool.
    pub(crate) powershell: bool,
    /// Where it runs, relative to the node.
    cwd: String,
    /// What it writes.
    writes: Vec<Expected>,
    /// Why it can't be known.
    unknown: Vec<Why>,
    /// What of a person's it runs, or may.
    personal: Vec<String>,
    /// Reasons that may be given too.
    tolerated: Vec<Why>,
    /// The verdict; several where each is right.
    verdicts: Vec<Verdict>,
}

struct Expected {
    /// `=` certain, `~` possible, `*` either, `+` either or not at all: what the words say doesn't decide it.
    certainty: char,
    /// `name` stands for a file or an entry, `any` also for what is under it, where each is true.
    shape: String,
    path: String,
}

/// What follows for a session of the domain `api`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    Allow,
    Deny,
    After,
}

/// All files of the corpus, read.
pub(crate) fn rows() -> Vec<Row> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shell/corpus");
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "txt"))
        .collect();
    files.sort();
    files.iter().flat_map(|f| read(f)).collect()
}

fn read(file: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(file).unwrap();
    let name = file.file_name().unwrap().to_string_lossy();
    let mut rows: Vec<Row> = Vec::new();
    let mut open: Option<Row> = None;
    for (i, line) in text.split('\n').enumerate() {
        let place = format!("{name}:{}", i + 1);
        let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
        if mark == "$" || mark == "PS>" {
            assert!(open.is_none(), "{place}: the row before has no verdict");
            open = Some(Row {
                place,
                command: rest.to_owned(),
                powershell: mark == "PS>",
                cwd: String::new(),
                writes: Vec::new(),
                unknown: Vec::new(),
                personal: Vec::new(),
                tolerated: Vec::new(),
                verdicts: Vec::new(),
            });
            continue;
        }
        if open.is_none() {
            assert!(line.is_empty() || line.starts_with('#'), "{place}: no row begins so: {line}");
            continue;
        }
        let row = open.as_mut().unwrap();
        match mark {
            "|" => row.command.extend(["\n", rest]),
            "@" => rest.clone_into(&mut row.cwd),
            "=" | "~" | "*" | "+" => {
                let (shape, path) = rest.split_once(' ').unwrap_or_else(|| panic!("{place}: shape and path"));
                assert!(
                    ["file", "entry", "name", "any", "under", "tree", "staged"].contains(&shape),
                    "{place}: no shape: {shape}"
                );
                let certainty = mark.chars().next().unwrap();
                row.writes.push(Expected { certainty, shape: shape.to_owned(), path: path.to_owned() });
            }
            "^" => row.personal.push(rest.to_owned()),
            "?" => row.unknown.push(why(rest).unwrap_or_else(|| panic!("{place}: no reason: {rest}"))),
            "?*" => row.tolerated.push(why(rest).unwrap_or_else(|| panic!("{place}: no reason: {rest}"))),
            "!" => {
                row.verdicts = rest
                    .split('|')
                    .map(|word| match word {
                        "allow" => Verdict::Allow,
                        "deny" => Verdict::Deny,
                        "after" => Verdict::After,
                        _ => panic!("{place}: no verdict: {rest}"),
                    })
                    .collect();
                rows.extend(open.take());
            }
            _ => panic!("{place}: not a line of a row: {line}"),
        }
    }
    assert!(open.is_none(), "{name}: the last row has no verdict");
    rows
}

fn why(word: &str) -> Option<Why> {
    Some(match word {
        "syntax" => Why::Syntax,
        "large" => Why::TooLarge,
        "program" => Why::Program,
        "name" => Why::Name,
        "path" => Why::Path,
        "script" => Why::Script,
        "code" => Why::Code,
        _ => return None,
    })
}

/// The fixture's paths, as the corpus writes them.
fn shown(path: &Path, fixture: &Fixture) -> String {
    if let Ok(rest) = path.strip_prefix(&fixture.node) {
        let text = rest.display().to_string().replace('\n', "\\n");
        return match text.chars().next() {
            None => ".".to_owned(),
            Some('~') => format!("./{text}"),
            Some(_) => text,
        };
    }
    if let Ok(rest) = path.strip_prefix(&fixture.home) {
        return Path::new("~").join(rest).display().to_string();
    }
    if fixture.node.parent() == Some(path) {
        return "..".to_owned();
    }
    if let Ok(rest) = path.strip_prefix(fixture.node.parent().unwrap()) {
        return Path::new("..").join(rest).display().to_string();
    }
    path.display().to_string()
}

/// Without `.` and `..`; a link is followed only where `..` comes after it.
fn tidy(path: &Path) -> PathBuf {
    let mut at = PathBuf::new();
    for component in path.components() {
        match component {
            std::path::Component::ParentDir => {
                if at.is_symlink() {
                    at = resolve(&at, true);
                }
                at.pop();
            }
            std::path::Component::CurDir => {}
            other => at.push(other),
        }
    }
    at
}

fn shape(target: &Target) -> &'static str {
    match target {
        Target::File(_) => "file",
        Target::Entry(_) => "entry",
        Target::Under(_) => "under",
        Target::Worktree(_) => "tree",
        Target::Staged(_) => "staged",
    }
}

/// One line for each thing that is expected but missing (`-`), and the other way round (`+`).
fn differences(row: &Row, actual: &WriteSet, fixture: &Fixture) -> Vec<String> {
    let mut out = Vec::new();
    let mut left: Vec<(char, &'static str, String, &str)> = actual
        .writes
        .iter()
        .map(|w| {
            let certainty = if w.certainty == Certainty::Certain { '=' } else { '~' };
            (certainty, shape(&w.target), shown(&tidy(w.target.path()), fixture), w.by.as_str())
        })
        .collect();
    for e in &row.writes {
        let same = |(certainty, shape, path, _): &(char, &'static str, String, &str)| {
            ("*+".contains(e.certainty) || e.certainty == *certainty)
                && (e.shape == *shape
                    || e.shape == "name" && matches!(*shape, "file" | "entry")
                    || e.shape == "any" && matches!(*shape, "file" | "entry" | "under"))
                && e.path == *path
        };
        match left.iter().position(same) {
            Some(i) => {
                left.remove(i);
            }
            None if e.certainty == '+' => {}
            None => out.push(format!("- {} {} {}", e.certainty, e.shape, e.path)),
        }
    }
    out.extend(left.iter().map(|(c, s, p, by)| format!("+ {c} {s} {p}    by {by}")));
    for w in &row.unknown {
        if !actual.unknown.iter().any(|u| u.why == *w) {
            out.push(format!("- ? {w:?}"));
        }
    }
    for u in &actual.unknown {
        if !row.unknown.contains(&u.why) && !row.tolerated.contains(&u.why) {
            out.push(format!("+ ? {:?}    by {}", u.why, u.by));
        }
    }
    let shown: Vec<&str> = actual.personal.iter().map(|reserved| reserved.what.shown).collect();
    out.extend(
        row.personal.iter().filter(|one| !shown.contains(&one.as_str())).map(|one| format!("- ^ {one}")),
    );
    for reserved in actual.personal.iter().filter(|one| !row.personal.iter().any(|p| p == one.what.shown)) {
        out.push(format!("+ ^ {}    by {}", reserved.what.shown, reserved.by));
    }
    let verdict = verdict(actual, fixture);
    if !row.verdicts.contains(&verdict) {
        out.push(format!("  verdict {verdict:?}, expected {:?}", row.verdicts));
    }
    out
}

/// A small stand-in for the guard: a known write inside the node must be below `api/`; a whole-tree
/// operation there touches what others hold.
fn verdict(set: &WriteSet, fixture: &Fixture) -> Verdict {
    let own = fixture.node.join("api");
    let refused = set.writes.iter().any(|w| {
        let path = resolve(w.target.path(), matches!(w.target, Target::File(_)));
        let inside = path.starts_with(&fixture.node);
        match w.target {
            Target::Worktree(_) => inside,
            Target::Under(_) | Target::Staged(_) => {
                (inside || fixture.node.starts_with(&path)) && !path.starts_with(&own)
            }
            Target::File(_) | Target::Entry(_) => inside && !path.starts_with(&own),
        }
    });
    match (refused || !set.personal.is_empty(), set.unknown.is_empty()) {
        (true, _) => Verdict::Deny,
        (false, false) => Verdict::After,
        (false, true) => Verdict::Allow,
    }
}

/// Nothing in the node is written, and nothing is unknown.
fn is_harmless(row: &Row) -> bool {
    row.verdicts == [Verdict::Allow] && row.writes.iter().all(|w| w.path.starts_with(['/', '~']))
}

#[test]
fn rows_are_as_they_were_thought() {
    let fixture = Fixture::new();
    let rows = rows();
    let mut report = String::new();
    let mut differing = 0;
    for row in &rows {
        let context = fixture.context(tidy(&fixture.node.join(&row.cwd)));
        let command = row.command.replace("@NODE@", &fixture.node.display().to_string());
        let extract = if row.powershell { powershell_write_set } else { write_set };
        let found = differences(row, &extract(&command, &context, &RealTree), &fixture);
        if !found.is_empty() {
            differing += 1;
            let _ = writeln!(report, "\n{}: {}", row.place, row.command.replace('\n', "\n    "));
            found.iter().for_each(|line| {
                let _ = writeln!(report, "    {line}");
            });
        }
    }
    println!("{} rows, {differing} differ", rows.len());
    assert!(report.is_empty(), "{differing} of {} rows differ:\n{report}", rows.len());
}

#[test]
fn it_is_large_and_mostly_about_what_must_be_allowed() {
    let rows = rows();
    let harmless = rows.iter().filter(|r| is_harmless(r)).count();
    println!("{} rows, {harmless} harmless", rows.len());
    assert!(rows.len() >= ROWS, "{} rows", rows.len());
    assert!(harmless * 100 >= rows.len() * HARMLESS, "{harmless} of {} rows are harmless", rows.len());
    let mut places: BTreeMap<(bool, &str), &str> = BTreeMap::new();
    for row in &rows {
        if let Some(other) = places.insert((row.powershell, &row.command), &row.place) {
            panic!("{} repeats {other}: {}", row.place, row.command);
        }
    }
}

#[test]
fn a_difference_is_noticed() {
    let fixture = Fixture::new();
    let row = |verdict, writes: &[(char, &str, &str)], unknown: &[Why]| Row {
        place: String::new(),
        command: String::new(),
        powershell: false,
        cwd: String::new(),
        writes: writes
            .iter()
            .map(|&(certainty, shape, path)| Expected { certainty, shape: shape.into(), path: path.into() })
            .collect(),
        unknown: unknown.to_vec(),
        personal: Vec::new(),
        tolerated: Vec::new(),
        verdicts: vec![verdict],
    };
    let set = WriteSet {
        writes: vec![comm_node_shell::Write {
            target: Target::File(fixture.node.join("api/../web/a.txt")),
            certainty: Certainty::Certain,
            by: String::new(),
        }],
        unknown: vec![comm_node_shell::Unknown { why: Why::Code, by: String::new() }],
        personal: Vec::new(),
    };
    let count = |row: Row| differences(&row, &set, &fixture).len();
    assert_eq!(count(row(Verdict::Deny, &[('=', "file", "web/a.txt")], &[Why::Code])), 0);
    assert_eq!(count(row(Verdict::Deny, &[('*', "name", "web/a.txt")], &[Why::Code])), 0);
    assert_eq!(count(row(Verdict::Deny, &[('~', "file", "web/a.txt")], &[Why::Code])), 2);
    assert_eq!(count(row(Verdict::Deny, &[('=', "entry", "web/a.txt")], &[Why::Code])), 2);
    assert_eq!(count(row(Verdict::Deny, &[('=', "file", "web/b.txt")], &[Why::Code])), 2);
    assert_eq!(count(row(Verdict::Deny, &[('=', "file", "web/a.txt")], &[Why::Path])), 2);
    assert_eq!(count(row(Verdict::After, &[], &[])), 3);
}

/// Shows what is said of `SHELL_COMMAND`, in the corpus's fixture.
#[test]
#[ignore = "it only shows"]
fn shows_a_write_set() {
    let fixture = Fixture::new();
    let command = std::env::var("SHELL_COMMAND").unwrap_or_default();
    let set = write_set(&command, &fixture.context(fixture.node.clone()), &RealTree);
    for w in &set.writes {
        println!(
            "{:?} {} {}    by {}",
            w.certainty,
            shape(&w.target),
            shown(w.target.path(), &fixture),
            w.by
        );
    }
    set.unknown.iter().for_each(|u| println!("? {:?}    by {}", u.why, u.by));
    set.personal.iter().for_each(|p| println!("^ {}    by {}", p.what.shown, p.by));
    println!("{:?}", verdict(&set, &fixture));
}
