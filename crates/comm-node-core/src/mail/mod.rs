//! Messages between domains: what they say and what they cost. Values only; `store::mail` keeps them.
//!
//! - [`Draft`] is what an author says, [`Message`] that with what comm-node adds.
//! - [`form`] is the file, [`signal`] the one-line tier.
//! - [`frame`] is how a message is put before a model: as data of another agent, escaped, capped.

mod check;
pub mod form;
pub mod frame;
mod kind;
mod message;
mod patience;
mod rank;
pub mod signal;
mod tier;
mod ulid;

pub use check::{MAX_BODY, fault, is_name, is_spared, is_word};
pub use kind::{KINDS, Kind};
pub use message::{Draft, Message};
pub use rank::{PRIORITIES, Priority, Rank};
pub use tier::{Tier, too_large};
pub use ulid::Ulid;

/// The address of the person.
pub const HUMAN: &str = "human";
/// Who answers in the node's own name.
pub const NODE: &str = "comm-node";
/// The address of every domain but one's own.
pub const EVERYONE: &str = "*";

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::text;

    pub(crate) fn message(body: &str) -> Message {
        let said =
            Draft { to: vec!["backend".into()], body: body.into(), kind: Kind::Question, ..Draft::default() };
        Message { id: Ulid::fresh(1_700_000_000_000, None), from: "frontend".into(), said }
    }

    /// The figures of `docs/mail.md`.
    #[test]
    fn the_same_said_in_four_ways() {
        let prose = "Hi frontend team, this is the backend session. I wanted to let you know that I have now finished \
                     working on task bd-123. The description of the API has been published as api.yaml, so you can go \
                     ahead and begin with the task integrate-jwt. Please treat this as a high priority.";
        let markdown = "## Status update\n\n- **From:** backend\n- **To:** frontend\n- **Priority:** high\n- **Task:** bd-123 is \
                        done\n- **Artifact:** `api.yaml` is published\n\n### Next step\n\nYou can begin with `integrate-jwt`.";
        let said = Draft {
            task: Some("bd-123".into()),
            kind: Kind::ArtifactReady,
            priority: Priority::High,
            artifacts: vec!["api.yaml".into()],
            body: "It is done; integrate-jwt can begin.".into(),
            ..message("").said
        };
        let coordination = Message { said, from: "backend".into(), ..message("") };
        let line = "✓bd-123 backend→frontend [!] 📄api.yaml →integrate-jwt";
        let said = signal::Signal::parse(line).expect("valid").draft("backend");
        let signal = Message { said, from: "backend".into(), ..message("") };
        let costs = [
            text::estimate_tokens(prose),
            text::estimate_tokens(markdown),
            coordination.cost(),
            signal.cost(),
        ];
        assert_eq!(costs, [66, 47, 27, 18]);
        assert!(costs[0] >= 3 * costs[3]);
    }
}
