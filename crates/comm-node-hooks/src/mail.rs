//! Mail as hooks deliver it: what is told when, and what proves that it was seen.
//!
//! A message is claimed by a rename before it is written out, and marked as told after, so that a hook
//! that dies in between has told nothing for good. It counts as seen when a later hook of the session runs
//! that can only run once the model went on with what it was told: the end of a batch of tool calls, or
//! of the turn. The main loop alone gets mail.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use comm_node_core::deadline::Deadline;
use comm_node_core::guard::{self, Binding};
use comm_node_core::mail::frame::{self, Digest};
use comm_node_core::mail::{Message, Rank};
use comm_node_core::session::{Session, SessionId};
use comm_node_core::store::{Event, Item, Mail, Place, State, Way};
use comm_node_core::{Error, Result, clock};

use crate::answer::{Answer, MAX_CONTEXT};
use crate::scene::Scene;
use crate::wire::{Call, EditInput};

/// How often in a row a turn is not let end.
const MAX_HELD: u32 = 2;
/// Why it is not let end.
const UNANSWERED: &str = "Another agent waits for an answer.";
const UNSENT: &str = "A message in the drop box could not be sent.";
/// How much of a transcript's end is looked through for what a session was told before it died.
const TAIL: u64 = 8 << 20;
/// How long the drop box may take.
const ROUTING: Duration = Duration::from_millis(2_000);
/// What is said of the drop box, in bytes.
const MAX_ROUTED: u64 = 3_000;

/// The mailbox of a session's domain.
struct Mailbox<'s> {
    scene: &'s Scene,
    mail: Mail<'s>,
    domain: &'s str,
    me: &'s SessionId,
    task: Option<&'s str>,
    now_ms: u64,
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
            for (item, message) in &self.told {
                // The reader paid for it, whatever becomes of it. A figure is not worth failing for.
                let (mail, task) = (mailbox.mail, mailbox.task);
                let _ = mail.note_traffic(Way::Read, mailbox.domain, mailbox.me, task, message);
                // What can't be marked is told again, to be sure.
                if let Ok(Some(item)) = mailbox.mail.offered(mailbox.domain, item) {
                    mailbox.log("mail_offered", &item);
                }
            }
        }
        Answer::Silent
    }
}

impl<'s> Mailbox<'s> {
    /// The mailbox of the domain that `session` works for, if it does for one.
    fn of(scene: &'s Scene, session: &'s Session) -> Option<Self> {
        let Binding::Domain(domain) = guard::binding(&scene.registry, session) else { return None };
        let (mail, domain) = (scene.store.mail(), domain.name.as_str());
        let (me, task) = (&session.session_id, session.task.as_deref());
        Some(Self { scene, mail, domain, me, task, now_ms: clock::now_ms() })
    }

    fn log(&self, event: &str, item: &Item) {
        // The mail itself says how far it got.
        let _ = self.scene.store.log(&Event {
            event,
            session: self.me.as_str(),
            domain: self.domain,
            note: &item.id.text(),
            ..Event::default()
        });
    }

    /// True if nobody else is about to tell `item`, or may still have been told.
    fn is_free(&self, item: &Item) -> bool {
        match &item.state {
            State::Queued => true,
            State::Offering(id) if id == self.me => self.mail.is_stale(self.domain, item, self.now_ms),
            State::Offering(id) | State::Offered(id) | State::Seen(id) => {
                id != self.me && !self.scene.store.session_lives(id, self.now_ms)
            }
            State::Acked(_) | State::Expired => false,
        }
    }

    /// The session went on with what it was told before: takes that out of `items`.
    fn prove(&self, items: &mut Vec<Item>) -> Result<()> {
        let mut failed = None;
        items.retain(|item| {
            if !matches!(&item.state, State::Offered(id) if id == self.me) {
                return true;
            }
            match self.mail.seen(self.domain, item, self.me) {
                Ok(Some(item)) => self.log("mail_seen", &item),
                Ok(None) => {}
                Err(e) => failed = Some(e),
            }
            false
        });
        failed.map_or(Ok(()), Err)
    }

    /// The message of `item`, unless it is gone, damaged or expired, which is seen to.
    fn read(&self, item: &Item) -> Result<Option<Message>> {
        let message = match self.mail.read(self.domain, item) {
            Ok(Some(message)) => message,
            Ok(None) => return Ok(None),
            Err(Error::Damaged { path, .. }) => {
                self.scene.store.set_aside(&path)?;
                self.log("mail_damaged", item);
                return Ok(None);
            }
            Err(e) => return Err(e),
        };
        if item.place == Place::New && message.is_expired(self.now_ms) {
            self.mail.close(self.domain, item, State::Expired)?;
            self.log("mail_expired", item);
            return Ok(None);
        }
        Ok(Some(message))
    }

    /// Claims as many of `items` as fit, the most important first, and of these in the order given.
    fn offer(self, items: Vec<Item>, room: usize) -> Result<Offer<'s>> {
        let mut digest = Digest::new(room);
        let mut claimed = Vec::new();
        for rank in Rank::ALL {
            for item in items.iter().filter(|item| item.rank == rank) {
                if !digest.has_room("") {
                    digest.leave(item.id);
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

fn nothing() -> Offer<'static> {
    Offer { mailbox: None, told: Vec::new(), text: String::new() }
}

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
    // Of one rank, what was told once is older than what still waits.
    for item in mailbox.mail.open(mailbox.domain)? {
        let mine = item.state.session() == Some(mailbox.me);
        if mailbox.is_free(&item) || (mine && anew) {
            items.push(item);
        }
    }
    let mut transcript = None;
    for item in mailbox.mail.waiting(mailbox.domain)? {
        let told = matches!(&item.state, State::Offered(id) if id == mailbox.me);
        if !told || anew {
            if told || mailbox.is_free(&item) {
                items.push(item);
            }
            continue;
        }
        // The session died after it was told. What reached its transcript is in its context now.
        let text = transcript.get_or_insert_with(|| tail(Path::new(&*call.transcript_path)));
        let mark = [b"[", item.id.short().as_bytes()].concat();
        if text.windows(mark.len()).any(|window| window == mark) {
            mailbox.prove(&mut vec![item])?;
        } else {
            items.push(item);
        }
    }
    if call.source == "resume" {
        // The brief is in the context, and the client does not repeat it as long as nothing is added. The
        // prompt that comes next tells what waits.
        for item in items.iter().filter(|item| item.state != State::Queued) {
            mailbox.mail.shift(mailbox.domain, item, Place::New, State::Queued)?;
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

/// UserPromptSubmit: what waits.
///
/// # Errors
/// When mail can't be read or moved.
pub fn at_prompt<'s>(scene: &'s Scene, session: &'s Session) -> Result<Offer<'s>> {
    let Some(mailbox) = Mailbox::of(scene, session) else { return Ok(nothing()) };
    let mut items = mailbox.mail.waiting(mailbox.domain)?;
    items.retain(|item| mailbox.is_free(item));
    if items.is_empty() {
        return Ok(nothing());
    }
    mailbox.offer(items, MAX_CONTEXT)
}

/// PostToolBatch: what was told before was seen; what is urgent is told now. Behind it what became of
/// messages that were written into the drop box.
///
/// # Errors
/// When mail can't be read or moved.
pub fn at_batch(scene: &Scene, session: &Session, call: &Call<'_>, deadline: Deadline) -> Result<Answer> {
    let routed = route(scene, session, call, deadline);
    let mut offer = if call.subagent().is_some() { nothing() } else { urgent(scene, session)? };
    offer.text.push_str(&routed);
    if offer.text.is_empty() {
        return Ok(Answer::Silent);
    }
    let text = std::mem::take(&mut offer.text);
    Ok(offer.give(Answer::Context { event: "PostToolBatch", text }))
}

fn urgent<'s>(scene: &'s Scene, session: &'s Session) -> Result<Offer<'s>> {
    let Some(mailbox) = Mailbox::of(scene, session) else { return Ok(nothing()) };
    let mut items = mailbox.mail.waiting(mailbox.domain)?;
    mailbox.prove(&mut items)?;
    items.retain(|item| item.rank.is_urgent() && mailbox.is_free(item));
    if items.is_empty() {
        return Ok(nothing());
    }
    let room = MAX_CONTEXT.saturating_sub(usize::try_from(MAX_ROUTED).unwrap_or(0));
    mailbox.offer(items, room)
}

/// Stop: what was told was seen, and what wants no reaction is closed. The turn does not end while a
/// question that holds its author up is unanswered, twice in a row at most.
///
/// # Errors
/// When mail or the session's record can't be read or written.
pub fn at_stop(scene: &Scene, session: &Session, call: &Call<'_>, deadline: Deadline) -> Result<Answer> {
    let routed = route(scene, session, call, deadline);
    let Some(mailbox) = Mailbox::of(scene, session) else { return Ok(Answer::Silent) };
    let mut waiting = mailbox.mail.waiting(mailbox.domain)?;
    mailbox.prove(&mut waiting)?;
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
    waiting.retain(|item| item.rank == Rank::Blocks && mailbox.is_free(item));
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
            hold(scene, session, held + 1, deadline)?;
            return Ok(Answer::Hold { reason: UNSENT, text: routed });
        }
        return Ok(Answer::Silent);
    }
    hold(scene, session, held + 1, deadline)?;
    let mut text = std::mem::take(&mut offer.text);
    text.push_str(
        "`comm-node reply <id> '…'` answers one; `comm-node ack <id>` closes one that needs no answer.\n",
    );
    text.push_str(&routed);
    Ok(offer.give(Answer::Hold { reason: UNANSWERED, text }))
}

/// Puts on record that the turn goes on, and how often in a row it was not let end.
fn hold(scene: &Scene, session: &Session, held: u32, deadline: Deadline) -> Result<()> {
    scene.store.open_turn(&session.session_id);
    let _lock = scene.store.lock("sessions", deadline.at_most(Duration::from_secs(1)))?;
    let Some(mut session) = scene.store.read_session(&session.session_id)? else { return Ok(()) };
    session.held = held;
    scene.store.write_session(&session)
}

/// Has the command line beside this program send what waits in the drop box, and what a sender that died
/// left. Returns what it says: the agent reads it, and a message that could not be sent is not lost.
fn route(scene: &Scene, session: &Session, call: &Call<'_>, deadline: Deadline) -> String {
    let mail = scene.store.mail();
    let waits = mail.dropped().is_ok_and(|names| !names.is_empty());
    if !waits && !mail.is_interrupted() {
        return String::new();
    }
    let Some(program) = std::env::current_exe().ok() else { return String::new() };
    let mut command =
        Command::new(program.with_file_name(["comm-node", std::env::consts::EXE_SUFFIX].concat()));
    command
        .arg("route")
        .arg("--node")
        .arg(&scene.layout.root)
        .args(["--session", session.session_id.as_str()]);
    for name in wrote(scene, call) {
        command.arg("--wrote").arg(name);
    }
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let Ok(mut child) = spawned else { return String::new() };
    let limit = deadline.at_most(ROUTING);
    while let Ok(None) = child.try_wait() {
        if limit.passed() {
            // What it began, the next one finishes.
            let _ = child.kill();
            let _ = child.wait();
            return String::new();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut said = Vec::new();
    if let Some(pipe) = child.stdout.take() {
        let _ = pipe.take(MAX_ROUTED).read_to_end(&mut said);
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// The files in the drop box that the calls of this batch wrote.
fn wrote(scene: &Scene, call: &Call<'_>) -> Vec<String> {
    let outbox = scene.store.dir().join("outbox");
    let calls = call.tool_calls.iter().chain(std::iter::once(call));
    let inputs =
        calls.filter(|one| matches!(&*one.tool_name, "Write" | "Edit")).filter_map(|one| one.tool_input);
    let paths = inputs.filter_map(|raw| serde_json::from_str::<EditInput<'_>>(raw.get()).ok()?.file_path);
    let names = paths.filter_map(|path| {
        let path = Path::new(path.as_str());
        Some(path.file_name()?.to_str()?.to_owned()).filter(|_| path.parent() == Some(&outbox))
    });
    names.collect()
}
