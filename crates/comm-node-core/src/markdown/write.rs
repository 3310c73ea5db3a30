//! Text of others put into a working file so that nothing in it is taken for a part of that.

use super::blocks::{Blocks, COMMENT, Kind};
use super::{heading, is_task, parse};

/// Appends `item` as a bullet behind `mark`; its further lines are indented, so that none of them
/// is a heading or a bullet of its own.
pub fn push_item(out: &mut String, mark: &str, item: &str) {
    let mut blocks = Blocks::default();
    let lines = item.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut empty = true;
    for line in lines {
        let before = if empty { mark } else { "  " };
        let is_code = blocks.clone().next(&[before, line].concat(), 1).kind == Kind::Code;
        let hides = if empty { is_comment } else { is_comment_or_task };
        let escape = if !is_code && hides(bare(line)) { "\\" } else { "" };
        let line = [before, escape, line].concat();
        blocks.next(&line, 1);
        out.push_str(&line);
        out.push('\n');
        empty = false;
    }
    if empty {
        out.push_str(mark);
        out.push_str("-\n");
    }
}

/// What [`push_item`] was given as the first line of an item, of which `text` was read.
#[must_use]
pub fn first_line(text: &str) -> &str {
    plain(text, is_comment)
}

/// What [`push_item`] was given as a further line of an item, of which `text` was read.
#[must_use]
pub fn further_line(text: &str) -> &str {
    plain(text, is_comment_or_task)
}

/// What [`push_text`] was given as a line, of which `text` was read.
#[must_use]
pub fn text_line(text: &str) -> &str {
    plain(text, is_heading)
}

/// `text` as a paragraph that a heading can't hide in.
pub fn push_text(out: &mut String, text: &str) {
    let (lines, open) = parse(text.trim(), 1);
    for line in lines {
        if line.kind == Kind::Plain && is_heading(bare(line.text)) {
            out.push('\\');
        }
        out.push_str(line.text);
        out.push('\n');
    }
    // A block that is not closed would swallow what follows.
    if let Some(open) = open {
        out.push_str(&open.end());
        out.push('\n');
    }
}

fn plain(text: &str, hides: fn(&str) -> bool) -> &str {
    text.strip_prefix('\\').filter(|_| hides(bare(text))).unwrap_or(text)
}

/// `line` without what keeps it from being what it looks like.
fn bare(line: &str) -> &str {
    line.trim_start_matches('\\')
}

fn is_heading(line: &str) -> bool {
    heading(line).is_some()
}

fn is_comment(line: &str) -> bool {
    line.starts_with(COMMENT)
}

fn is_comment_or_task(line: &str) -> bool {
    is_comment(line) || is_task(line)
}

#[cfg(test)]
mod tests {
    use super::super::lines;
    use super::*;

    #[test]
    fn what_is_written_hides_no_structure() {
        let mut out = String::new();
        push_item(&mut out, "- ", "one\n## Next\n\n- two");
        push_text(&mut out, "## Next\nplain\n```\nopen");
        let all = lines(&out, 1);
        assert!(all.iter().all(|line| line.heading().is_none()), "{out}");
        assert_eq!(all.iter().filter(|line| line.bullet().is_some()).count(), 1, "{out}");
        out.push_str("## Next\n");
        assert!(lines(&out, 1).last().is_some_and(|line| line.heading().is_some()), "{out}");
        for open in ["~~~~ x\n```\n~~~", "<!-- a\n# b", "````", "- a\n  ```", "```\n````x"] {
            let mut out = String::new();
            push_text(&mut out, open);
            out.push_str("## Next\n");
            assert!(lines(&out, 1).last().is_some_and(|line| line.heading().is_some()), "{out}");
        }
    }

    #[test]
    fn an_item_has_no_tasks_in_it_and_comes_back_as_it_was() {
        let item = "<!-- a\n- [ ] b\n\\- [ ] c\n1. [] d\n```\n- [ ] e\n```\n<!-- f\n- g\nh";
        let mut out = String::new();
        push_item(&mut out, "- ", item);
        out.push_str("# end\n");
        let all = lines(&out, 1);
        assert!(all.iter().all(|line| line.checkbox().is_none() && !line.is_nearly_task()), "{out}");
        assert!(all.iter().all(|line| line.kind != Kind::Comment), "{out}");
        let (first, more) = all.split_first().expect("not empty");
        let mut back = vec![first_line(first.bullet().expect("an item"))];
        back.extend(more.iter().take_while(|line| line.heading().is_none()).map(|line| {
            let text = line.text.trim();
            if line.kind == Kind::Code { text } else { further_line(text) }
        }));
        assert_eq!(back.join("\n"), item);
        let empty = &mut String::new();
        push_item(empty, "- ", " \n");
        assert_eq!(empty, "- -\n");
        assert_eq!(text_line("\\# a"), "# a");
        assert_eq!((text_line("\\a"), text_line("\\\\# a")), ("\\a", "\\# a"));
    }
}
