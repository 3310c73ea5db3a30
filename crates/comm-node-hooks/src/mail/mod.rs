//! Mail as hooks deliver it: what is told when, and what proves that it was seen.
//!
//! A message is claimed by a rename before it is written out, and marked as told after, so that a hook
//! that dies in between has told nothing for good. It counts as seen when a later hook of the session runs
//! that can only run once the model went on with what it was told: the end of a batch of tool calls, or
//! of the turn. The main loop alone gets mail.

mod drop_box;
mod mailbox;
mod start;
mod turn;
mod unseen;

pub(crate) use drop_box::route;
pub use mailbox::Offer;
pub use start::at_start;
pub(crate) use turn::{MAX_HELD, hold};
pub use turn::{at_batch, at_prompt, at_stop, seen_at_stop};
