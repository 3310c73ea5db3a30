//! How long an author waits before it is told that nobody has seen its message.

use super::{Message, Priority, Rank};

const MINUTE_MS: u64 = 60_000;

impl Message {
    /// When its author is told that it is unseen, in milliseconds since 1970.
    #[must_use]
    pub fn due_ms(&self) -> u64 {
        let minutes = match self.rank() {
            Rank::Blocks => 2,
            Rank::By(Priority::High) => 5,
            Rank::By(Priority::Medium) => 30,
            Rank::By(Priority::Low) => 120,
        };
        let due = self.id.ms().saturating_add(minutes * MINUTE_MS);
        self.expires_ms().map_or(due, |end| end.min(due))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::message;
    use super::*;

    #[test]
    fn who_waits_is_told_first_and_nobody_after_the_message_expired() {
        let mut m = message("x?");
        let minutes = |m: &Message| (m.due_ms() - m.id.ms()) / MINUTE_MS;
        assert_eq!(minutes(&m), 30);
        m.said.priority = Priority::Low;
        assert_eq!(minutes(&m), 120);
        m.said.priority = Priority::High;
        assert_eq!(minutes(&m), 5);
        m.said.blocks_progress = true;
        assert_eq!(minutes(&m), 2);
        m.said.expires_s = Some(60);
        assert_eq!(minutes(&m), 1);
    }
}
