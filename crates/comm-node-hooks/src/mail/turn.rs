//! In a turn: the prompt, the end of a batch of calls, and the end of the turn.

use std::time::Duration;

use comm_node_core::Result;
use comm_node_core::deadline::Deadline;
use comm_node_core::mail::Rank;
use comm_node_core::mail::frame::Digest;
use comm_node_core::session::Session;
use comm_node_core::store::Item;

use super::drop_box::route;
use super::mailbox::{Mailbox, Offer, nothing};
use super::unseen;
use crate::answer::{Answer, MAX_CONTEXT};
use crate::scene::Scene;
use crate::wire::Call;

/// How often in a row a turn is not let end.
pub(crate) const MAX_HELD: u32 = 2;
/// Why it is not let end.
const UNANSWERED: &str = "Another agent waits for an answer.";
const UNSENT: &str = "A message in the drop box could not be sent.";

/// UserPromptSubmit: what waits, and what nobody has seen of one's own, in at most `room` characters.
///
/// # Errors
/// When mail can't be read or moved.
pub fn at_prompt<'s>(scene: &'s Scene, session: &'s Session, room: usize) -> Result<Offer<'s>> {
    let Some(mailbox) = Mailbox::of(scene, session) else { return Ok(nothing()) };
    let mut items = mailbox.mail.waiting(mailbox.domain)?;
    mailbox.keep_free(&mut items);
    tell(mailbox, items, room)
}

/// Offers `items` as far as there is room, and says behind them what nobody has seen. What there is no room
/// for stays where it is.
fn tell(mailbox: Mailbox<'_>, items: Vec<Item>, room: usize) -> Result<Offer<'_>> {
    let notice = unseen::notice(&mailbox, room);
    let room = room.saturating_sub(notice.chars().count());
    let mut offer = match items.is_empty() || room < Digest::LEAST {
        true => nothing(),
        false => mailbox.offer(items, room)?,
    };
    offer.text.push_str(&notice);
    Ok(offer)
}

/// PostToolBatch: what was told before was seen; what is urgent is told now, after `first`. Behind it
/// what nobody has seen of one's own, and what became of messages that were written into the drop box.
///
/// # Errors
/// When mail can't be read or moved.
pub fn at_batch(
    scene: &Scene,
    session: &Session,
    call: &Call<'_>,
    first: &str,
    deadline: Deadline,
) -> Result<Answer> {
    let routed = route(scene, session, call, deadline);
    let taken = first.chars().count() + routed.chars().count() + 2;
    let room = MAX_CONTEXT.saturating_sub(taken);
    let mut offer = if call.subagent().is_some() { nothing() } else { urgent(scene, session, room)? };
    offer.text.push_str(&routed);
    if offer.text.is_empty() && first.is_empty() {
        return Ok(Answer::Silent);
    }
    let mut text = std::mem::take(&mut offer.text);
    if !first.is_empty() {
        let between = if text.is_empty() { "" } else { "\n\n" };
        text = [first, between, &text].concat();
    }
    Ok(offer.give(Answer::Context { event: "PostToolBatch", text }))
}

fn urgent<'s>(scene: &'s Scene, session: &'s Session, room: usize) -> Result<Offer<'s>> {
    let Some(mailbox) = Mailbox::of(scene, session) else { return Ok(nothing()) };
    let mut items = mailbox.mail.waiting(mailbox.domain)?;
    mailbox.prove(&mut items)?;
    items.retain(|item| item.rank.is_urgent());
    mailbox.keep_free(&mut items);
    tell(mailbox, items, room)
}

/// Stop: what was told was seen. Gives what still waits.
///
/// # Errors
/// When mail can't be read or moved.
pub fn seen_at_stop(scene: &Scene, session: &Session) -> Result<Vec<Item>> {
    let Some(mailbox) = Mailbox::of(scene, session) else { return Ok(Vec::new()) };
    let mut waiting = mailbox.mail.waiting(mailbox.domain)?;
    mailbox.prove(&mut waiting)?;
    Ok(waiting)
}

/// Stop: what was seen and wants no reaction is closed. The turn does not end while a question that holds its
/// author up is unanswered, twice in a row at most; `waiting` is what [`seen_at_stop`] gave.
///
/// # Errors
/// When mail or the session's record can't be read or written.
pub fn at_stop(
    scene: &Scene,
    session: &Session,
    call: &Call<'_>,
    mut waiting: Vec<Item>,
    deadline: Deadline,
) -> Result<Answer> {
    let routed = route(scene, session, call, deadline);
    let Some(mailbox) = Mailbox::of(scene, session) else { return Ok(Answer::Silent) };
    let mut unanswered = Vec::new();
    for item in mailbox.mail.open(mailbox.domain)? {
        if item.state.session() != Some(mailbox.me) {
            continue;
        }
        let Some(message) = mailbox.read(&item)? else { continue };
        if !message.wants_reaction() {
            mailbox.mail.close(mailbox.domain, &item, item.state.clone())?;
        } else if item.rank == Rank::Blocks {
            unanswered.push(message);
        }
    }
    let held = if call.stop_hook_active { session.held } else { 0 };
    if held >= MAX_HELD {
        return Ok(Answer::Silent);
    }
    waiting.retain(|item| item.rank == Rank::Blocks);
    mailbox.keep_free(&mut waiting);
    let mut offer = if waiting.is_empty() { nothing() } else { mailbox.offer(waiting, MAX_CONTEXT / 2)? };
    // That it was told of these questions once is known to the agent.
    if !call.stop_hook_active && !unanswered.is_empty() {
        offer.text.push_str("Questions that hold others up are unanswered:");
        for message in unanswered.iter().take(8) {
            offer.text.push_str(&[" ", &message.id.short(), " from ", &message.from].concat());
        }
        offer.text.push_str(".\n");
    }
    if offer.text.is_empty() {
        if routed.contains(" was not sent ") && held == 0 && !call.stop_hook_active {
            hold(scene, session, held + 1, "mail", deadline)?;
            return Ok(Answer::Hold { reason: UNSENT, text: routed });
        }
        return Ok(Answer::Silent);
    }
    hold(scene, session, held + 1, "mail", deadline)?;
    let mut text = std::mem::take(&mut offer.text);
    text.push_str(
        "`comm-node reply <id> '…'` answers one; `comm-node ack <id>` closes one that needs no answer.\n",
    );
    text.push_str(&routed);
    Ok(offer.give(Answer::Hold { reason: UNANSWERED, text }))
}

/// Puts on record that the turn goes on, how often in a row it was not let end, and why not.
pub(crate) fn hold(scene: &Scene, session: &Session, held: u32, why: &str, deadline: Deadline) -> Result<()> {
    scene.store.open_turn(&session.session_id);
    let _lock = scene.store.lock("sessions", deadline.at_most(Duration::from_secs(1)))?;
    let Some(mut session) = scene.store.read_session(&session.session_id)? else { return Ok(()) };
    session.held = held;
    session.held_for = Some(why.to_owned());
    scene.store.write_session(&session)
}
