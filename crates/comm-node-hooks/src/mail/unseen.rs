//! Telling an author that nobody has seen its message.

use comm_node_core::mail::HUMAN;
use comm_node_core::store::{State, Unseen};
use comm_node_core::{clock, text::one_line};

use super::mailbox::Mailbox;

/// Messages that are named.
const MAX_NAMED: usize = 6;
/// Recipients of one message that are named.
const MAX_AT: usize = 4;

/// What the author is told of its messages that are unseen after its patience; empty where there is nothing.
pub(super) fn notice(mailbox: &Mailbox<'_>) -> String {
    let now = mailbox.now_ms;
    // It is told how far its mail got whenever it asks; that this can't be read is not worth failing for.
    let found = mailbox.mail.take_unseen(mailbox.domain, now).unwrap_or_default();
    if found.is_empty() {
        return String::new();
    }
    let live: Vec<String> = mailbox
        .scene
        .store
        .sessions()
        .into_iter()
        .flatten()
        .flatten()
        .filter(|(session, heartbeat)| session.is_live(*heartbeat, now))
        .filter_map(|(session, _)| session.domain)
        .collect();
    let mut out = String::from("Not seen yet:");
    for unseen in found.iter().take(MAX_NAMED) {
        out.push_str(&one(mailbox, unseen, &live));
    }
    if found.len() > MAX_NAMED {
        out.push_str(&[" and ", &(found.len() - MAX_NAMED).to_string(), " more;"].concat());
    }
    out.push_str(" `comm-node sent --open` lists them.\n");
    out
}

fn one(mailbox: &Mailbox<'_>, unseen: &Unseen, live: &[String]) -> String {
    let mut out = [" ", &unseen.id.short(), " (", unseen.kind.name(), ", sent "].concat();
    out.push_str(&clock::span(mailbox.now_ms.saturating_sub(unseen.id.ms())));
    out.push_str(" ago)");
    for (i, (to, state)) in unseen.at.iter().take(MAX_AT).enumerate() {
        out.push_str(if i == 0 { " by " } else { ", " });
        out.push_str(&one_line(to, 60));
        if *state == State::Expired {
            out.push_str(" before it expired");
        } else if to != HUMAN && mailbox.scene.registry.domain(to).is_none() {
            out.push_str(", which is no domain any more");
        } else if to != HUMAN && !live.contains(to) {
            out.push_str(", where no session is at work");
        }
    }
    if unseen.at.len() > MAX_AT {
        out.push_str(&[" and ", &(unseen.at.len() - MAX_AT).to_string(), " others"].concat());
    }
    out.push(';');
    out
}
