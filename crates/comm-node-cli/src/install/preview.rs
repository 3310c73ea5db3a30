//! What `--dry-run` shows.

use std::path::Path;

use similar::TextDiff;

use crate::out::{Ink, Out};

/// Prints the difference between two texts of the file at `path`; `None` is no file.
pub fn diff(out: &Out, path: &Path, old: Option<&str>, new: Option<&str>) {
    if old == new {
        return;
    }
    let name = crate::out::path(path);
    let side = |text: Option<&str>| if text.is_some() { name.clone() } else { "/dev/null".to_owned() };
    let (old_text, new_text) = (old.unwrap_or(""), new.unwrap_or(""));
    let diff = TextDiff::from_lines(old_text, new_text);
    let unified = diff.unified_diff().context_radius(3).header(&side(old), &side(new)).to_string();
    for line in unified.lines() {
        let visible = |part| comm_node_core::text::one_line(part, 400).into_owned();
        let shown = line.split('\t').map(visible).collect::<Vec<_>>().join("\t");
        match line.as_bytes().first() {
            Some(b'+') => out.line(out.ink(Ink::Green, &shown)),
            Some(b'-') => out.line(out.ink(Ink::Red, &shown)),
            _ => out.line(shown),
        }
    }
}
