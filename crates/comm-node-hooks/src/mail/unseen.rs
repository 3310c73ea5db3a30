//! Telling an author that nobody has seen its message.

use comm_node_core::mail::HUMAN;
use comm_node_core::store::{State, Unseen};
use comm_node_core::{clock, text::one_line};

use super::mailbox::Mailbox;

/// Messages that are named.
const MAX_NAMED: usize = 6;
/// Recipients of one message that are named.
const MAX_AT: usize = 4;
/// Characters that a notice of so many may have.
const LONGEST: usize = 3_000;

/// What the author is told of its messages that are unseen after its patience; empty where there is nothing, and
/// where there is no room for it: then it is told the next time.
pub(super) fn notice(mailbox: &Mailbox<'_>, room: usize) -> String {
    if room < LONGEST {
        return String::new();
    }
    let now = mailbox.now_ms;
    // It is told how far its mail got whenever it asks; that this can't be listed is not worth failing for.
    let due = mailbox.mail.take_unseen(mailbox.domain, now).unwrap_or_default();
    let found = due.unseen;
    if found.is_empty() && due.damaged == 0 {
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
    let mut out = String::new();
    if !found.is_empty() {
        out.push_str("Not seen yet:");
    }
    for unseen in found.iter().take(MAX_NAMED) {
        out.push_str(&one(mailbox, unseen, &live));
    }
    if found.len() > MAX_NAMED {
        out.push_str(&[" and ", &(found.len() - MAX_NAMED).to_string(), " more;"].concat());
    }
    if due.damaged > 0 {
        let lists = due.damaged.to_string();
        out.push_str(if found.is_empty() { "" } else { " " });
        out.push_str(
            &[&lists, " lists of what may be unseen could not be read and were set aside;"].concat(),
        );
    }
    // What expired is open no more.
    let is_open = |unseen: &Unseen| unseen.at.iter().any(|(_, state)| *state != State::Expired);
    let open = found.is_empty() || found.iter().any(is_open);
    out.push_str(
        [" `comm-node sent", if open { " --open" } else { "" }, "` lists them.\n"].concat().as_str(),
    );
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
