//! What the agent is told of what a command changed.

use comm_node_core::text::one_line;

use super::state::State;
use crate::answer::Answer;

/// So many files are named.
const NAMED: usize = 10;

/// A file that changed and is not the agent's.
#[derive(Debug)]
pub(super) struct Suspect {
    /// The path as people name it.
    pub shown: String,
    /// How it stands to the last commit.
    pub state: State,
    /// Why it is not the agent's, as a clause.
    pub why: String,
}

/// What is to be told after a command.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// What changed and is not the agent's.
    pub suspects: Vec<Suspect>,
    /// Leases of others on what the agent wrote, in words.
    pub twice: Vec<String>,
    /// True if not everything could be looked at.
    pub incomplete: bool,
}

impl Report {
    /// The answer that tells it to an agent of `domain`.
    pub(super) fn text(&self, event: &'static str, domain: Option<&str>) -> Answer {
        let mut out = String::new();
        if !self.suspects.is_empty() {
            out.push_str("comm-node: while this command ran, files changed that ");
            match domain {
                Some(domain) => {
                    out.push_str("this session (domain ");
                    out.push_str(&one_line(domain, 60));
                    out.push_str(") may not write:\n");
                }
                None => out.push_str("this session may not write:\n"),
            }
            for suspect in self.suspects.iter().take(NAMED) {
                out.push_str("- `");
                out.push_str(&one_line(&suspect.shown, 300));
                out.push_str(match suspect.state {
                    State::New => "` (new): ",
                    State::Gone => "` (removed): ",
                    State::Committed => "` (committed): ",
                    _ => "` (changed): ",
                });
                out.push_str(&suspect.why);
                out.push_str(".\n");
            }
            if self.suspects.len() > NAMED {
                out.push_str(&format!("- and {} more, in the node's log.\n", self.suspects.len() - NAMED));
            }
            self.undo(&mut out);
            out.push_str(
                "The rules for edits hold for what a command writes too. If the command did not do it, nothing needs to \
                 be undone; otherwise undo it, or tell the user what was changed and why.",
            );
            if self.incomplete {
                out.push_str(" The tree is too large to have been looked through whole.");
            }
        }
        if !self.twice.is_empty() {
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(
                "comm-node: what this command wrote met another agent's lease, so both may have changed the file: ",
            );
            out.push_str(&self.twice.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; "));
            out.push_str(". Look at the file again before going on, and tell the user.");
        }
        if out.is_empty() { Answer::Silent } else { Answer::Context { event, text: out } }
    }

    /// The commands that take it back, where git knows what was there.
    fn undo(&self, out: &mut String) {
        let paths = |states: &[State]| {
            let mut list = String::new();
            for suspect in self.suspects.iter().take(NAMED).filter(|s| states.contains(&s.state)) {
                // No command is offered that a quote or a control character could break.
                if !suspect.shown.contains('\'') && one_line(&suspect.shown, 300) == suspect.shown {
                    list.push_str(" '");
                    list.push_str(&suspect.shown);
                    list.push('\'');
                }
            }
            list
        };
        let restore = paths(&[State::Changed, State::Gone]);
        if !restore.is_empty() {
            out.push_str("`git restore --");
            out.push_str(&restore);
            out.push_str(
                "` takes these back to the last commit, with anything else that was uncommitted in them. ",
            );
        }
        let new = paths(&[State::New]);
        if !new.is_empty() {
            out.push_str("`rm --");
            out.push_str(&new);
            out.push_str("` removes what is new. ");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(suspects: &[(&str, State)]) -> String {
        let suspect = |(shown, state): &(&str, State)| Suspect {
            shown: (*shown).to_owned(),
            state: *state,
            why: "no domain owns it".to_owned(),
        };
        let report = Report { suspects: suspects.iter().map(suspect).collect(), ..Report::default() };
        match report.text("PostToolUse", Some("api")) {
            Answer::Context { text, .. } => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(Report { incomplete: true, ..Report::default() }.text("Stop", None), Answer::Silent);
    }

    #[test]
    fn only_what_git_knows_is_offered_to_be_undone() {
        let text = told(&[
            ("a b", State::Changed),
            ("n", State::New),
            ("c", State::Committed),
            ("u", State::Unknown),
        ]);
        assert!(text.contains("`git restore -- 'a b'`") && text.contains("`rm -- 'n'`"), "{text}");
        assert!(text.contains("- `c` (committed)") && text.contains("- `u` (changed)"), "{text}");
        assert!(!text.contains("'c'") && !text.contains("'u'"), "{text}");
    }

    #[test]
    fn no_command_is_offered_that_a_name_could_break() {
        for name in ["it's", "a\nrm -rf ~", "\u{1b}[2J", "a\u{202e}b"] {
            let text = told(&[(name, State::New), ("plain", State::New)]);
            assert!(text.contains("`rm -- 'plain'`"), "{text}");
            assert!(!text.contains('\u{1b}') && !text.contains("\nrm"), "{text}");
        }
    }

    #[test]
    fn many_are_counted() {
        let names: Vec<String> = (0..25).map(|i| format!("f{i}")).collect();
        let many: Vec<(&str, State)> = names.iter().map(|n| (n.as_str(), State::Unknown)).collect();
        let text = told(&many);
        assert!(text.contains("- and 15 more") && !text.contains("`f10`"), "{text}");
    }
}
