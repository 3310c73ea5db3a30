//! What an author says, and the message that it becomes.

use super::{Kind, Priority, Rank, Tier, Ulid, frame};
use crate::text;

/// What the author of a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Domain names and [`HUMAN`](super::HUMAN); [`EVERYONE`](super::EVERYONE) stands before the names that it meant.
    pub to: Vec<String>,
    /// What kind of message it is.
    pub kind: Kind,
    /// The task it is about.
    pub task: Option<String>,
    /// How soon it should be read.
    pub priority: Priority,
    /// The first message of the conversation, if this is not it.
    pub thread: Option<Ulid>,
    /// The message that this answers.
    pub reply_to: Option<Ulid>,
    /// True if the author can't go on before it is answered.
    pub blocks_progress: bool,
    /// What the author will spend on the answer, in tokens.
    pub token_budget: Option<u32>,
    /// Published files that it is about.
    pub artifacts: Vec<String>,
    /// After this many seconds nobody needs it any more.
    pub expires_s: Option<u64>,
    /// True if the author asked for the largest tier.
    pub detailed: bool,
    /// The text: Markdown, or one line.
    pub body: String,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            to: Vec::new(),
            kind: Kind::Answer,
            task: None,
            priority: Priority::Medium,
            thread: None,
            reply_to: None,
            blocks_progress: false,
            token_budget: None,
            artifacts: Vec::new(),
            expires_s: None,
            detailed: false,
            body: String::new(),
        }
    }
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: Ulid,
    /// The domain of the session that sent it, or [`HUMAN`](super::HUMAN).
    pub from: String,
    /// What it says.
    pub said: Draft,
}

impl Message {
    /// Where it stands among others.
    #[must_use]
    pub fn rank(&self) -> Rank {
        if self.said.blocks_progress { Rank::Blocks } else { Rank::By(self.said.priority) }
    }

    /// The first message of its conversation.
    #[must_use]
    pub fn thread(&self) -> Ulid {
        self.said.thread.unwrap_or(self.id)
    }

    /// When it expires, in milliseconds since 1970.
    #[must_use]
    pub fn expires_ms(&self) -> Option<u64> {
        self.said.expires_s.map(|s| self.id.ms().saturating_add(s.saturating_mul(1000)))
    }

    /// True if nobody needs it at `now_ms` any more.
    #[must_use]
    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.expires_ms().is_some_and(|end| end <= now_ms)
    }

    /// True if it stays open until somebody acknowledges or answers it.
    #[must_use]
    pub fn wants_reaction(&self) -> bool {
        self.said.blocks_progress || self.said.kind.wants_reaction()
    }

    /// The tier it is in.
    #[must_use]
    pub fn tier(&self) -> Tier {
        match (self.said.kind, self.said.detailed) {
            (Kind::Signal, _) => Tier::Signal,
            (_, false) => Tier::Coordination,
            (_, true) => Tier::Detailed,
        }
    }

    /// What a reader pays for it, in estimated tokens: the block that is put before the model.
    #[must_use]
    pub fn cost(&self) -> usize {
        text::estimate_tokens(&frame::block(self))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::message;

    #[test]
    fn expiry_counts_from_the_id() {
        let mut m = message("x");
        assert!(!m.is_expired(u64::MAX));
        m.said.expires_s = Some(60);
        assert!(!m.is_expired(m.id.ms() + 59_999) && m.is_expired(m.id.ms() + 60_000));
    }
}
