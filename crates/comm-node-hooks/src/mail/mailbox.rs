//! The mailbox of a session's domain, and what is told of it.

use std::cell::OnceCell;
use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use comm_node_core::guard::{self, Binding};
use comm_node_core::mail::frame::{self, Digest};
use comm_node_core::mail::{Message, Rank};
use comm_node_core::session::{Session, SessionId};
use comm_node_core::store::{Event, Item, Mail, Place, State, Way, file};
use comm_node_core::{Error, Result, clock};

use crate::answer::Answer;
use crate::scene::Scene;

/// How much of a transcript's end is looked through for what a session was told.
const TAIL: u64 = 8 << 20;
/// What the client writes where it made the context anew: what stands before is in it no more.
const ANEW: &[u8] = br#""subtype":"compact_boundary""#;

/// The mailbox of a session's domain.
pub(super) struct Mailbox<'s> {
    pub(super) scene: &'s Scene,
    pub(super) mail: Mail<'s>,
    pub(super) domain: &'s str,
    pub(super) me: &'s SessionId,
    task: Option<&'s str>,
    pub(super) now_ms: u64,
    /// Where the session's transcript is, empty if there is none, and its end, once that was read.
    transcript: &'s str,
    context: OnceCell<Vec<u8>>,
}

/// What is about to be told.
pub struct Offer<'s> {
    mailbox: Option<Mailbox<'s>>,
    told: Vec<(Item, Message)>,
    /// The text, empty where there is nothing to tell.
    pub text: String,
}

impl Offer<'_> {
    /// Writes `answer`, which holds the text, and marks what is in it as told.
    #[must_use]
    pub fn give(self, answer: Answer) -> Answer {
        let Some(mailbox) = self.mailbox.filter(|_| !self.told.is_empty()) else { return answer };
        if answer.write() {
            // What can't be marked is told again, to be sure.
            let mark =
                |(item, _): &(Item, Message)| mailbox.mail.offered(mailbox.domain, item).ok().flatten();
            let offered: Vec<Item> = self.told.iter().filter_map(mark).collect();
            // The reader paid for it, whatever becomes of it. A figure is not worth failing for.
            let (mail, task) = (mailbox.mail, mailbox.task);
            let messages: Vec<&Message> = self.told.iter().map(|(_, message)| message).collect();
            let _ = mail.note_traffic(Way::Read, mailbox.domain, mailbox.me, task, &messages);
            mailbox.log("mail_offered", &offered);
        }
        Answer::Given
    }
}

impl<'s> Mailbox<'s> {
    /// The mailbox of the domain that `session` works for, if it does for one.
    pub(super) fn of(scene: &'s Scene, session: &'s Session) -> Option<Self> {
        let Binding::Domain(domain) = guard::binding(&scene.registry, session) else { return None };
        let (mail, domain) = (scene.store.mail(), domain.name.as_str());
        let (me, task) = (&session.session_id, session.task.as_deref());
        let (now_ms, transcript, context) = (clock::now_ms(), session.transcript.as_str(), OnceCell::new());
        Some(Self { scene, mail, domain, me, task, now_ms, transcript, context })
    }

    /// The session's context is made anew: what it was told before is in it no more.
    pub(super) fn forget(&mut self) {
        self.transcript = "";
    }

    /// True if the session has `item` in its context: what reached its transcript is there, also after it was resumed.
    pub(super) fn is_known(&self, item: &Item) -> bool {
        let text = self.context.get_or_init(|| context(Path::new(self.transcript)));
        let mark = [b"[", item.id.short().as_bytes()].concat();
        text.windows(mark.len()).any(|window| window == mark)
    }

    /// True if `item` may have been told to this session before it came to where it is: others take up what a session
    /// leaves that is gone, and it may come back when the session is resumed.
    fn came_round(&self, item: &Item) -> bool {
        match &item.state {
            State::Queued | State::Acked(_) | State::Expired => false,
            State::Again | State::Offering(_) => true,
            State::Offered(id) | State::Seen(id) => id != self.me,
        }
    }

    fn log(&self, event: &str, items: &[Item]) {
        if items.is_empty() {
            return;
        }
        let ids: Vec<String> = items.iter().map(|item| item.id.text()).collect();
        let of =
            |note| Event { event, session: self.me.as_str(), domain: self.domain, note, ..Event::default() };
        let events: Vec<Event<'_>> = ids.iter().map(|id| of(id.as_str())).collect();
        // The mail itself says how far it got.
        let _ = self.scene.store.log_all(&events);
    }

    /// True if nobody else is about to tell `item`, or may still have been told.
    pub(super) fn is_free(&self, item: &Item) -> bool {
        self.mail.is_free(self.domain, item, self.me, self.now_ms)
    }

    /// Leaves of `items`, oldest first, what may be told now. Behind a message that another hook of this session is about to
    /// tell, or died over, nothing of the same rank is: an author's later words would overtake the earlier ones.
    pub(super) fn keep_free(&self, items: &mut Vec<Item>) {
        let mut held: Vec<Rank> = Vec::new();
        items.retain(|item| {
            if held.contains(&item.rank) {
                return false;
            }
            let free = self.is_free(item);
            if !free && matches!(&item.state, State::Offering(id) if id == self.me) {
                held.push(item.rank);
            }
            free
        });
    }

    /// The session went on with what it was told before: takes that out of `items`.
    pub(super) fn prove(&self, items: &mut Vec<Item>) -> Result<()> {
        let (mut failed, mut seen) = (None, Vec::new());
        items.retain(|item| {
            if !matches!(&item.state, State::Offered(id) if id == self.me) {
                return true;
            }
            match self.mail.seen(self.domain, item, self.me) {
                Ok(item) => seen.extend(item),
                Err(e) => failed = Some(e),
            }
            false
        });
        self.log("mail_seen", &seen);
        failed.map_or(Ok(()), Err)
    }

    /// The message of `item`, unless it is gone, damaged or expired, which is seen to.
    pub(super) fn read(&self, item: &Item) -> Result<Option<Message>> {
        let message = match self.mail.read(self.domain, item) {
            Ok(Some(message)) => message,
            Ok(None) => return Ok(None),
            Err(Error::Damaged { path, .. } | Error::Untrusted { path, .. }) => {
                self.scene.store.set_aside(&path)?;
                self.log("mail_damaged", std::slice::from_ref(item));
                return Ok(None);
            }
            // It keeps nothing behind it from being told; `doctor` names it.
            Err(_) => return Ok(None),
        };
        if item.place == Place::New && message.is_expired(self.now_ms) {
            self.mail.close(self.domain, item, State::Expired)?;
            self.log("mail_expired", std::slice::from_ref(item));
            return Ok(None);
        }
        Ok(Some(message))
    }

    /// Claims as many of `items` as fit, the most important first, and of these in the order given. What the session knows
    /// already is its own again, and is not told.
    pub(super) fn offer(self, items: Vec<Item>, room: usize) -> Result<Offer<'s>> {
        let mut digest = Digest::new(room);
        let mut claimed = Vec::new();
        for rank in Rank::ALL {
            for item in items.iter().filter(|item| item.rank == rank) {
                if !digest.has_room("") {
                    digest.leave(item.id);
                    continue;
                }
                if self.came_round(item) && self.is_known(item) {
                    self.mail.seen(self.domain, item, self.me)?;
                    continue;
                }
                let Some(message) = self.read(item)? else { continue };
                let block = frame::block(&message);
                if !digest.has_room(&block) {
                    digest.leave(item.id);
                } else if let Some(item) = self.mail.offer(self.domain, item, self.me)? {
                    digest.add(&block);
                    claimed.push((item, message));
                }
            }
        }
        Ok(Offer { mailbox: Some(self), told: claimed, text: digest.finish() })
    }
}

/// Nothing is told.
pub(super) fn nothing() -> Offer<'static> {
    Offer { mailbox: None, told: Vec::new(), text: String::new() }
}

/// The end of the transcript at `path`, as far as it can be read, from where the context was made anew.
fn context(path: &Path) -> Vec<u8> {
    let mut text = Vec::new();
    if let Ok(Some(mut file)) = file::open(path, OpenOptions::new().read(true)) {
        let len = file.metadata().map_or(0, |m| m.len());
        let _ = file.seek(SeekFrom::Start(len.saturating_sub(TAIL)));
        let _ = file.take(TAIL).read_to_end(&mut text);
    }
    if let Some(at) = text.windows(ANEW.len()).rposition(|window| window == ANEW) {
        text.drain(..at);
    }
    text
}
