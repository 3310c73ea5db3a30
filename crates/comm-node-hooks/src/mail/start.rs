//! SessionStart.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use comm_node_core::Result;
use comm_node_core::session::Session;
use comm_node_core::store::{Item, Place, State};

use super::mailbox::{Mailbox, Offer, nothing};
use crate::scene::Scene;
use crate::wire::Call;

/// How much of a transcript's end is looked through for what a session was told before it died.
const TAIL: u64 = 8 << 20;

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
    let Some(mailbox) = Mailbox::of(scene, session) else { return Ok(nothing()) };
    let anew = matches!(&*call.source, "compact" | "clear");
    let mut items = Vec::new();
    for item in mailbox.mail.open(mailbox.domain)? {
        let mine = item.state.session() == Some(mailbox.me);
        if mailbox.is_free(&item) || (mine && anew) {
            items.push(item);
        }
    }
    let mut waiting = Vec::new();
    let mut transcript = None;
    // What reached the transcript of a session that goes on is in its context.
    let mut is_known = |item: &Item| {
        let text = transcript.get_or_insert_with(|| tail(Path::new(&*call.transcript_path)));
        let mark = [b"[", item.id.short().as_bytes()].concat();
        text.windows(mark.len()).any(|window| window == mark)
    };
    for item in mailbox.mail.waiting(mailbox.domain)? {
        let told = matches!(&item.state, State::Offered(id) if id == mailbox.me);
        if !told || anew {
            if told || mailbox.is_free(&item) {
                waiting.push(item);
            }
            continue;
        }
        // The session died after it was told.
        if is_known(&item) {
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
            // It saw that itself before another session took it up: it has it back, and is told nothing.
            if is_known(item) {
                mailbox.mail.seen(mailbox.domain, item, mailbox.me)?;
            } else if item.state != State::Queued {
                mailbox.mail.shift(mailbox.domain, item, Place::New, State::Queued)?;
            }
        }
        return Ok(nothing());
    }
    mailbox.offer(items, room)
}

/// The end of the file at `path`, as far as it can be read.
fn tail(path: &Path) -> Vec<u8> {
    let mut text = Vec::new();
    if let Ok(mut file) = File::open(path) {
        let len = file.metadata().map_or(0, |m| m.len());
        let _ = file.seek(SeekFrom::Start(len.saturating_sub(TAIL)));
        let _ = file.take(TAIL).read_to_end(&mut text);
    }
    text
}
