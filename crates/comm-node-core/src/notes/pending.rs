//! What a session that starts is told of hand-offs and blockers: one line each, and none where there is nothing.

use super::blocker::{self, newest};
use crate::text::one_line;

/// Hand-offs that are named one by one.
pub const NAMED: usize = 5;

/// A hand-off that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its file, relative to the project.
    pub path: String,
    /// Anything more that has to be known of it.
    pub note: String,
}

/// The lines about `waiting`, of which `more` are not among them.
#[must_use]
pub fn handoffs(waiting: &[Waiting], more: usize) -> String {
    let mut out = String::new();
    for one in waiting {
        out.push_str("📋 Open handoff: ");
        out.push_str(&one_line(&one.path, 200));
        if !one.note.is_empty() {
            out.push_str(" (");
            out.push_str(&one_line(&one.note, 80));
            out.push(')');
        }
        out.push('\n');
    }
    if more > 0 {
        out.push_str("📋 and ");
        out.push_str(&more.to_string());
        out.push_str(" more\n");
    }
    out
}

/// The line about the blockers in `text`, the file at `path`; empty where there are none.
#[must_use]
pub fn blockers(path: &str, text: &str) -> String {
    let (found, faults) = blocker::read(text);
    if found.is_empty() && faults.is_empty() {
        return String::new();
    }
    let mut out = ["⚠️ Active blockers: ", &one_line(path, 200), " (", &found.len().to_string()].concat();
    if let Some(newest) = newest(&found) {
        out.push_str(", newest: ");
        out.push_str(&one_line(&newest.summary, 120));
    }
    if let Some(first) = faults.first() {
        out.push_str("; malformed: line ");
        out.push_str(&first.line.to_string());
        if faults.len() > 1 {
            out.push_str(" and ");
            out.push_str(&(faults.len() - 1).to_string());
            out.push_str(" more");
        }
    }
    out.push_str(")\n");
    out
}

/// Said where the convention is set up and nothing is pending.
pub const ARMED: &str = "✓ agentic: armed\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_are_as_agreed() {
        let waiting = [
            Waiting { path: ".claude/mytasks/handoffs/a.md".into(), note: String::new() },
            Waiting { path: "b\u{1b}.md".into(), note: "role test".into() },
        ];
        assert_eq!(
            handoffs(&waiting, 2),
            "📋 Open handoff: .claude/mytasks/handoffs/a.md\n📋 Open handoff: b\\u{1b}.md (role test)\n📋 and 2 more\n"
        );
        assert_eq!(handoffs(&[], 0), "");
        let one = "## 2026-04-07 14:30 — Which hash?\n- Context: a\n- Blocker: b\n- What I need: c\n- Files involved: d\n";
        assert_eq!(blockers("b.md", one), "⚠️ Active blockers: b.md (1, newest: Which hash?)\n");
        let two = format!("{one}### 2026-05-01 10:00 — Later\n## None\n");
        assert_eq!(
            blockers("b.md", &two),
            "⚠️ Active blockers: b.md (1, newest: Which hash?; malformed: line 6 and 1 more)\n"
        );
        assert_eq!(blockers("b.md", "# Active Blockers\n"), "");
    }
}
