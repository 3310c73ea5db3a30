//! SessionStart.

use comm_node_core::Result;
use comm_node_core::session::Session;
use comm_node_core::store::{Place, State};

use super::mailbox::{Mailbox, Offer, nothing};
use crate::scene::Scene;
use crate::wire::Call;

/// SessionStart: what waits, what sessions that are gone left open, and, where the context was made anew,
/// what this one has open itself. Of a resumed session it is only put in order.
///
/// # Errors
/// When mail can't be read or moved.
pub fn at_start<'s>(
    scene: &'s Scene,
    session: &'s Session,
    call: &Call<'_>,
    room: usize,
) -> Result<Offer<'s>> {
    let Some(mut mailbox) = Mailbox::of(scene, session) else { return Ok(nothing()) };
    let anew = matches!(&*call.source, "compact" | "clear");
    if anew {
        mailbox.forget();
    }
    let mut items = Vec::new();
    for item in mailbox.mail.open(mailbox.domain)? {
        let mine = item.state.session() == Some(mailbox.me);
        if mailbox.is_free(&item) || (mine && anew) {
            items.push(item);
        }
    }
    let mut waiting = Vec::new();
    for item in mailbox.mail.waiting(mailbox.domain)? {
        let told = matches!(&item.state, State::Offered(id) if id == mailbox.me);
        if !told || anew {
            if told || mailbox.is_free(&item) {
                waiting.push(item);
            }
            continue;
        }
        // The session died after it was told.
        if mailbox.is_known(&item) {
            mailbox.prove(&mut vec![item])?;
        } else {
            waiting.push(item);
        }
    }
    // By age: what somebody saw may be younger than what a hook died over.
    let mut at = 0;
    for item in waiting {
        while items.get(at).is_some_and(|seen| seen.id < item.id) {
            at += 1;
        }
        items.insert(at, item);
    }
    if call.source == "resume" {
        // The brief is in the context, and the client does not repeat it as long as nothing is added. The
        // prompt that comes next tells what waits.
        for item in &items {
            if item.state == State::Queued {
                continue;
            }
            let mine = item.state.session() == Some(mailbox.me);
            let (place, state) = if mailbox.is_known(item) {
                // It saw that itself before another session took it up: it has it back, and is told nothing.
                (Place::Cur, State::Seen(mailbox.me.clone()))
            } else if mine {
                (Place::New, State::Again)
            } else if let (Place::Cur, State::Seen(other)) = (item.place, &item.state) {
                // It stays the other one's until it is told: that may be resumed at this moment.
                (Place::New, State::Offered(other.clone()))
            } else {
                continue;
            };
            mailbox.mail.shift(mailbox.domain, item, place, state)?;
        }
        return Ok(nothing());
    }
    mailbox.offer(items, room)
}
