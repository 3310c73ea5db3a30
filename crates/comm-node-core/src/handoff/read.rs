//! A hand-off taken apart. Whatever deviates is answered with its line: a section that nobody finds
//! is work that nobody goes on with.

use super::{DECISIONS, Handoff, Head, MAX_ITEMS, SECTIONS, Step};
use crate::clock;
use crate::mail::form::{many, one};
use crate::markdown::{Fault, Kind, Line, first_line, further_line, parse, quoted, text_line};

/// What may stand instead of a list.
const NONE: &str = "none";

/// The hand-off in `text`.
///
/// # Errors
/// Everything that is wrong with it, each with its line.
pub fn read(text: &str) -> Result<Handoff, Vec<Fault>> {
    read_as(text, None, None)
}

/// The hand-off in `text`, which has to be about `task` and for `domain`, if it says in its frontmatter what it is about and
/// for whom.
///
/// # Errors
/// Everything that is wrong with it, each with its line.
pub fn read_as(text: &str, task: Option<&str>, domain: Option<&str>) -> Result<Handoff, Vec<Fault>> {
    let (out, faults) = read_anyway(text, task, domain);
    if faults.is_empty() { Ok(out) } else { Err(faults) }
}

/// What of the hand-off in `text` can be read, and everything that is wrong with it, each with its line.
#[must_use]
pub fn read_anyway(text: &str, task: Option<&str>, domain: Option<&str>) -> (Handoff, Vec<Fault>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut faults = Vec::new();
    let (head, rest, first) = split(text, task, domain, &mut faults);
    let (all, open) = parse(rest, first);
    faults.extend(open.map(|open| open.fault()));
    let mut out = Handoff { head, ..Handoff::default() };
    let body = title(&all, &mut out, &mut faults);
    let sections = sections(body, &mut faults);
    for (name, line, body) in &sections {
        section(&mut out, name, *line, body, &mut faults);
    }
    for name in SECTIONS {
        if !sections.iter().any(|(found, _, _)| *found == name) {
            let last = all.last().map_or(first, |line| line.number);
            let mut help = format!("add `## {name}`");
            if name == "Open questions" {
                help.push_str(" with a list or None");
            }
            faults.push(Fault::new(last, format!("the section `## {name}` is missing"), help));
        }
    }
    faults.sort_by_key(|fault| fault.line);
    (out, faults)
}

/// The frontmatter of `text` alone, as far as it can be read.
#[must_use]
pub fn head(text: &str) -> Head {
    split(text.strip_prefix('\u{feff}').unwrap_or(text), None, None, &mut Vec::new()).0
}

/// The frontmatter, what follows it, and the number of the first line of that.
fn split<'t>(
    text: &'t str,
    task: Option<&str>,
    domain: Option<&str>,
    faults: &mut Vec<Fault>,
) -> (Head, &'t str, u32) {
    let mut head = Head::default();
    if text.lines().next().map(str::trim_end) != Some("---") {
        return (head, text, 1);
    }
    let (mut at, mut number) = (0, 0);
    for raw in text.split_inclusive('\n') {
        at += raw.len();
        number += 1;
        let line = raw.trim_end();
        if number == 1 || line.is_empty() {
            continue;
        }
        if line == "---" {
            return (head, &text[at..], number + 1);
        }
        let (what, help) = if is_version(line) && !field(&mut head, line) {
            ("is no version that this comm-node reads", "write `version: 1`, or update comm-node".to_owned())
        } else if !field(&mut head, line) {
            let help =
                "write `key: value`, a list in brackets, and text with special characters in double quotes";
            ("can't be read", help.to_owned())
        } else if let Some(fault) = untrue(line, task, domain) {
            fault
        } else {
            continue;
        };
        faults.push(Fault::new(number, format!("{} {what}", quoted(line)), help));
    }
    faults.push(Fault::new(
        1,
        "the frontmatter has no end",
        "write a line with only --- between it and the title",
    ));
    (head, "", number + 1)
}

/// What is wrong with a line of frontmatter that can be read, and what would be right.
fn untrue(line: &str, task: Option<&str>, domain: Option<&str>) -> Option<(&'static str, String)> {
    let (key, value) = line.split_once(':')?;
    let value = one(value.trim())?;
    match key.trim() {
        "task" => task
            .filter(|task| *task != value)
            .map(|task| ("is not the task that this file is named after", format!("write `task: {task}`"))),
        "to" => domain.filter(|domain| *domain != value).map(|domain| {
            ("is not the domain whose directory it is in", format!("write `to: {domain}`, or move the file"))
        }),
        "written" | "taken" if clock::parse_rfc3339(&value).is_none() => {
            Some(("is no time", "write it in UTC, such as `2026-04-07T14:30:00Z`".to_owned()))
        }
        _ => None,
    }
}

fn is_version(line: &str) -> bool {
    line.split_once(':').is_some_and(|(key, _)| key.trim() == "version")
}

/// Puts one line of frontmatter in its place; false if it can't be read.
fn field(head: &mut Head, line: &str) -> bool {
    let Some((key, value)) = line.split_once(':').map(|(k, v)| (k.trim(), v.trim())) else { return false };
    let texts = match key {
        "from" => &mut head.from,
        "session" => &mut head.session,
        "to" => &mut head.to,
        "phase" => &mut head.phase,
        "after" => &mut head.after,
        "written" => &mut head.written,
        "branch" => &mut head.branch,
        "head" => &mut head.commit,
        "budget_left" => &mut head.budget_left,
        "list" => &mut head.list,
        "check" => &mut head.check,
        "taken_by" => &mut head.taken_by,
        "taken" => &mut head.taken,
        _ => {
            let lists = match key {
                "dirty" => &mut head.dirty,
                "leases_released" => &mut head.released,
                "tests" => &mut head.tests,
                "code" => &mut head.code,
                "version" => return value == "1",
                "task" => return one(value).is_some(),
                _ => {
                    head.other.push(line.to_owned());
                    return true;
                }
            };
            return many(value).map(|items| *lists = items).is_some();
        }
    };
    one(value).filter(|value| !value.is_empty()).map(|value| *texts = Some(value)).is_some()
}

/// Reads the title, and returns the lines behind it.
fn title<'l, 't>(all: &'l [Line<'t>], out: &mut Handoff, faults: &mut Vec<Fault>) -> &'l [Line<'t>] {
    let help = "begin with `# <task>`";
    let Some(at) = all.iter().position(|line| !line.is_blank()) else {
        let number = all.last().map_or(1, |line| line.number);
        faults.push(Fault::new(number, "the hand-off is empty", help));
        return all;
    };
    let line = &all[at];
    match line.heading() {
        Some((1, title)) if !title.is_empty() => {
            out.task = title.to_owned();
            &all[at + 1..]
        }
        Some((1, _)) => {
            faults.push(Fault::new(line.number, "the title names no task", help));
            &all[at + 1..]
        }
        _ => {
            faults.push(Fault::new(line.number, "the title is missing", help));
            &all[at..]
        }
    }
}

type Section<'l, 't> = (&'static str, u32, &'l [Line<'t>]);

/// The known sections of `all`, each once.
fn sections<'l, 't>(all: &'l [Line<'t>], faults: &mut Vec<Fault>) -> Vec<Section<'l, 't>> {
    let known = || SECTIONS.into_iter().chain([DECISIONS]);
    let mut out: Vec<Section<'l, 't>> = Vec::new();
    let mut from: Option<(&'static str, u32, usize)> = None;
    for (i, line) in all.iter().enumerate() {
        let Some((level, title)) = line.heading() else {
            if from.is_none() && !line.is_blank() {
                let what = format!("{} stands before the first section", quoted(line.text));
                faults.push(Fault::new(line.number, what, "put it under `## Status`"));
                from = Some(("", line.number, i + 1));
            }
            continue;
        };
        let meant = known().find(|name| name.eq_ignore_ascii_case(title.trim_end_matches(':')));
        if level > 2 && meant.is_none() {
            continue;
        }
        if let Some((name, number, start)) = from.take().filter(|(name, _, _)| !name.is_empty()) {
            out.push((name, number, &all[start..i]));
        }
        match meant {
            Some(name) => {
                if level != 2 || title != name {
                    let what = format!("{} is not the heading of a section", quoted(line.text));
                    faults.push(Fault::new(line.number, what, format!("write `## {name}`")));
                }
                if out.iter().any(|(found, _, _)| *found == name) {
                    let what = format!("the section `## {name}` stands here twice");
                    faults.push(Fault::new(line.number, what, "put both under one heading"));
                }
                from = Some((name, line.number, i + 1));
            }
            None => {
                let what = format!("{} is no section of a hand-off", quoted(line.text));
                let names: Vec<String> = known().map(|name| format!("## {name}")).collect();
                faults.push(Fault::new(line.number, what, format!("the sections are {}", names.join(", "))));
                from = Some(("", line.number, i + 1));
            }
        }
    }
    if let Some((name, number, start)) = from.filter(|(name, _, _)| !name.is_empty()) {
        out.push((name, number, &all[start..]));
    }
    out
}

fn section(out: &mut Handoff, name: &str, line: u32, body: &[Line<'_>], faults: &mut Vec<Fault>) {
    let empty = body.iter().all(Line::is_blank);
    match name {
        "Status" => {
            if empty {
                faults.push(Fault::new(line, "`## Status` is empty", "say what was done"));
            }
            out.status = plain(body);
        }
        "Next" => {
            if empty {
                faults.push(Fault::new(line, "`## Next` is empty", "write `- [ ] <next step>`, or None"));
            }
            out.next = steps(body, faults);
        }
        "Files touched" => {
            // What nobody wrote is nothing to be listed.
            out.files = items(body, "- <path>", faults);
        }
        "Open questions" => {
            if empty {
                let help = "write a list, or None if there are none";
                faults.push(Fault::new(line, "`## Open questions` is empty", help));
            }
            out.questions = loose(body);
        }
        _ => out.decisions = loose(body),
    }
}

/// The text of a section, without the empty lines around it.
fn plain<'a>(body: &[Line<'a>]) -> String {
    let text = |line: &Line<'a>| if line.kind == Kind::Plain { text_line(line.text) } else { line.text };
    let texts: Vec<&str> = body.iter().map(text).collect();
    texts.join("\n").trim_matches('\n').to_owned()
}

fn is_none(body: &[Line<'_>]) -> bool {
    let mut lines = body.iter().filter(|line| !line.is_blank());
    let first =
        lines.next().map(|line| line.text.trim_start_matches("- ").trim_end_matches('.').to_lowercase());
    lines.next().is_none() && first.is_none_or(|text| text == NONE)
}

/// What the line says with which an item goes on.
fn further<'a>(line: &Line<'a>) -> &'a str {
    let text = line.text.trim();
    if line.kind == Kind::Plain { further_line(text) } else { text }
}

fn steps(body: &[Line<'_>], faults: &mut Vec<Fault>) -> Vec<Step> {
    let mut out: Vec<Step> = Vec::new();
    if is_none(body) {
        return out;
    }
    for line in body.iter().filter(|line| !line.is_blank()) {
        if let Some((done, text)) = line.checkbox() {
            out.push(Step { done, text: first_line(text).to_owned() });
        } else if line.is_indented()
            && !line.is_nearly_task()
            && let Some(last) = out.last_mut()
        {
            last.text.push('\n');
            last.text.push_str(further(line));
        } else {
            let what = format!("{} is no next step", quoted(line.text));
            faults.push(Fault::new(line.number, what, "write `- [ ] <next step>`"));
        }
    }
    too_many(out.len(), body, faults);
    out
}

/// The bullets of a section that holds nothing else.
fn items(body: &[Line<'_>], form: &str, faults: &mut Vec<Fault>) -> Vec<String> {
    let mut out = Vec::new();
    if is_none(body) {
        return out;
    }
    for line in body.iter().filter(|line| !line.is_blank()) {
        match line.bullet() {
            Some(text) => out.push(first_line(text).trim_matches('`').to_owned()),
            None => {
                let what = format!("{} is no item of the list", quoted(line.text));
                faults.push(Fault::new(line.number, what, format!("write `{form}`")));
            }
        }
    }
    too_many(out.len(), body, faults);
    out
}

/// The bullets of a section, or its paragraphs.
fn loose(body: &[Line<'_>]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    if is_none(body) {
        return out;
    }
    let mut open = false;
    for line in body {
        if line.is_blank() {
            open = false;
        } else if let Some(text) = line.bullet() {
            out.push(first_line(text).to_owned());
            open = true;
        } else if let (true, Some(last)) = (open || line.is_indented(), out.last_mut()) {
            last.push('\n');
            last.push_str(further(line));
        } else {
            out.push(first_line(line.text.trim()).to_owned());
            open = true;
        }
    }
    out
}

fn too_many(count: usize, body: &[Line<'_>], faults: &mut Vec<Fault>) {
    if count > MAX_ITEMS {
        let line = body.first().map_or(1, |line| line.number);
        faults.push(Fault::new(line, format!("the list has {count} items"), format!("{MAX_ITEMS} at most")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "# bd-102\n## Status\nThe API is there.\n## Next\n- [ ] wire the page\n- [x] talk\n## Open questions\nNone\n\
                       ## Files touched\n- services/api/main.rs\n";

    fn faults(text: &str) -> Vec<String> {
        read(text).err().unwrap_or_default().iter().map(|fault| fault.in_file("h.md")).collect()
    }

    #[test]
    fn the_older_convention_is_read() {
        let handoff = read(OLD).expect("valid");
        assert_eq!((handoff.task.as_str(), handoff.status.as_str()), ("bd-102", "The API is there."));
        assert_eq!(handoff.open().map(|s| s.text.as_str()).collect::<Vec<_>>(), ["wire the page"]);
        assert_eq!(handoff.files, ["services/api/main.rs"]);
        assert!(handoff.questions.is_empty() && handoff.head == Head::default());
        assert!(read(&OLD.replace('\n', "\r\n")).is_ok());
    }

    #[test]
    fn each_fault_has_its_line() {
        for (text, fault) in [
            ("", "h.md:1: the hand-off is empty; begin with `# <task>`"),
            (&*OLD.replace("# bd-102\n", ""), "h.md:1: the title is missing"),
            (&OLD.replace("# bd-102", "# "), "h.md:1: the title names no task"),
            (
                &OLD.replace("## Next", "### Next"),
                "h.md:4: `### Next` is not the heading of a section; write `## Next`",
            ),
            (&OLD.replace("## Next", "## next"), "h.md:4: `## next` is not the heading"),
            (
                &OLD.replace("## Next", "## Todo"),
                "h.md:4: `## Todo` is no section of a hand-off; the sections are ## Status",
            ),
            (&OLD.replace("## Next", "## Todo"), "the section `## Next` is missing; add `## Next`"),
            (
                &OLD.replace("- [ ] wire", "- wire"),
                "h.md:5: `- wire the page` is no next step; write `- [ ] <next step>`",
            ),
            (&OLD.replace("None\n", ""), "h.md:7: `## Open questions` is empty; write a list, or None"),
            (&OLD.replace("The API is there.\n", ""), "h.md:2: `## Status` is empty"),
            (
                &OLD.replace("- services", "services"),
                "h.md:10: `services/api/main.rs` is no item of the list",
            ),
            (
                &OLD.replace("## Status", "hello\n## Status"),
                "h.md:2: `hello` stands before the first section",
            ),
            (&format!("{OLD}## Status\nx\n"), "h.md:11: the section `## Status` stands here twice"),
            (
                &format!("---\nversion: 2\n---\n{OLD}"),
                "h.md:2: `version: 2` is no version that this comm-node reads; write `version: 1`, or update comm-node",
            ),
            (&format!("---\ndirty: a\n---\n{OLD}"), "h.md:2: `dirty: a` can't be read"),
            (&format!("---\nfrom: a\n{OLD}"), "h.md:1: the frontmatter has no end"),
        ] {
            let found = faults(text);
            assert!(found.iter().any(|f| f.contains(fault)), "{text:?}\n{fault}\n{found:#?}");
        }
        assert!(faults(OLD).is_empty());
    }

    #[test]
    fn what_the_frontmatter_says_is_true() {
        let text = format!("---\nversion: 1\ntask: bd-9\nwritten: yesterday\ntaken: 2026-04-07\n---\n{OLD}");
        let found = read_as(&text, Some("bd-102"), None).err().unwrap_or_default();
        let found: Vec<String> = found.iter().map(|fault| fault.in_file("h.md")).collect();
        assert_eq!(
            found,
            [
                "h.md:3: `task: bd-9` is not the task that this file is named after; write `task: bd-102`",
                "h.md:4: `written: yesterday` is no time; write it in UTC, such as `2026-04-07T14:30:00Z`",
                "h.md:5: `taken: 2026-04-07` is no time; write it in UTC, such as `2026-04-07T14:30:00Z`"
            ]
        );
        assert_eq!(read(&text).err().map(|faults| faults.len()), Some(2), "nobody knows the file's name");
        let right = text.replace("bd-9", "bd-102").replace("yesterday", "2026-04-07T14:30:00Z");
        let right = right.replace("taken: 2026-04-07\n", "to: api\n");
        for (domain, said) in [
            (None, None),
            (Some("api"), None),
            (
                Some("web"),
                Some(
                    "h.md:5: `to: api` is not the domain whose directory it is in; write `to: web`, or move the file",
                ),
            ),
        ] {
            let found = read_as(&right, Some("bd-102"), domain).err().unwrap_or_default();
            assert_eq!(found.first().map(|fault| fault.in_file("h.md")).as_deref(), said, "{domain:?}");
        }
    }

    #[test]
    fn lines_count_behind_the_frontmatter() {
        let text = format!("---\nversion: 1\nfrom: backend\n---\n\n{}", OLD.replace("- [ ]", "-"));
        assert!(faults(&text)[0].starts_with("h.md:10: "), "{:?}", faults(&text));
    }

    #[test]
    fn steps_are_found_in_each_other_and_behind_blocks() {
        let next = " - [x] a\n   - [ ] b\n     more\n<!-- - [ ] x -->\n<!--\n- [ ] y\n-->\n  - [ ] c\n";
        let text = OLD.replace("- [ ] wire the page\n- [x] talk\n", next);
        let text = text.replace("The API", "````\n```\n## Next\n- [ ] z\n````\n~~~\n## x\n~~~\nThe API");
        let handoff = read(&text).expect("valid");
        let steps: Vec<_> = handoff.next.iter().map(|step| (step.done, step.text.as_str())).collect();
        assert_eq!(steps, [(true, "a"), (false, "b\nmore"), (false, "c")]);
        let open = faults(&OLD.replace("The API", "~~~~\nThe API"));
        assert!(
            open[0].starts_with(
                "h.md:3: the block of code that begins here has no end: nothing below it is read"
            ),
            "{open:?}"
        );
        let near = faults(&OLD.replace("- [x] talk", "  - [] talk"));
        assert!(near[0].starts_with("h.md:6: `  - [] talk` is no next step"), "{near:?}");
    }

    #[test]
    fn hostile_texts_are_answered() {
        for text in
            ["\0", "---", "---\n", "# \u{202e}x", &"#".repeat(5000), &"- [ ]\n".repeat(5000), "```\n# a"]
        {
            assert!(read(text).is_err(), "{:.20}", text);
        }
    }
}
