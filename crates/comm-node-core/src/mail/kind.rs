//! What kinds of messages there are.

use serde::Serialize;

/// What kind of message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One line: done, acknowledged, alive.
    Signal,
    /// Wants an answer.
    Question,
    /// Answers one, or just tells.
    Answer,
    /// A file is published.
    ArtifactReady,
    /// The author can't go on.
    Blocked,
    /// Asks for a hand.
    Help,
    /// Passes a task on.
    Handoff,
    /// Gives a task.
    Task,
    /// Asks for tokens.
    BudgetRequest,
    /// Begins a common effort.
    Kickoff,
    /// Everybody begins.
    Start,
    /// Everybody stops.
    Stop,
}

/// The names of the kinds, in the order of [`Kind`].
pub const KINDS: [(&str, Kind); 12] = [
    ("signal", Kind::Signal),
    ("question", Kind::Question),
    ("answer", Kind::Answer),
    ("artifact_ready", Kind::ArtifactReady),
    ("blocked", Kind::Blocked),
    ("help", Kind::Help),
    ("handoff", Kind::Handoff),
    ("task", Kind::Task),
    ("budget_request", Kind::BudgetRequest),
    ("kickoff", Kind::Kickoff),
    ("start", Kind::Start),
    ("stop", Kind::Stop),
];

impl Kind {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// True if the message stays open until somebody acknowledges or answers it.
    #[must_use]
    pub fn wants_reaction(self) -> bool {
        !matches!(self, Self::Signal | Self::Answer | Self::ArtifactReady | Self::Start | Self::Stop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for (name, kind) in KINDS {
            assert_eq!(kind.name(), name);
        }
    }
}
