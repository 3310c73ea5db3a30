//! Metering: what the transcripts gained since the last look is booked on the session's domain and task.
//!
//! Nothing here fails a hook: the client writes transcripts when it likes, and what is not booked now is
//! booked by the next hook, by the end of the session, by the next session of the domain, or by
//! `comm-node usage`.

mod late;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::path::Path;
use std::time::Duration;

use comm_node_core::Error;
use comm_node_core::clock;
use comm_node_core::deadline::Deadline;
use comm_node_core::ledger::{
    Booking, Bound, Keys, PriceRow, Prices, Record, Source, Transcript, Usage, own_prices,
};
use comm_node_core::session::{Session, SessionId};

use crate::budget::Purse;
use crate::scene::{Scene, Surroundings};
use crate::wire::Call;

/// How much of a transcript one hook reads.
const BYTES: u64 = 8 << 20;
/// And for how long.
const TIME: Duration = Duration::from_millis(300);
/// How much of the transcripts of sessions that died a new one reads.
const BYTES_AT_START: u64 = 16 << 20;

/// Who meters, and with which prices.
struct Meter<'s> {
    scene: &'s Scene,
    around: &'s Surroundings,
    deadline: Deadline,
    bytes: u64,
    /// True once something on record could not be read or written.
    failed: bool,
}

impl<'s> Meter<'s> {
    fn new(scene: &'s Scene, around: &'s Surroundings, deadline: Deadline, bytes: u64) -> Self {
        Self { scene, around, deadline: deadline.at_most(TIME), bytes, failed: false }
    }

    /// Reads on in one transcript; true where there was nothing new, so that it is done with if it does not grow any more.
    fn read(&mut self, source: &Source, path: &Path, keys: &Keys, since_ms: u64) -> bool {
        // Most hooks have nothing to price, and no table is read for them; the others mostly price one model.
        let prices = OnceCell::new();
        let mut last: Option<(String, String, Option<PriceRow<'_>>)> = None;
        let mut price = |model: &str, day: &str, usage: &Usage| {
            if last.as_ref().is_none_or(|known| (&*known.0, &*known.1) != (model, day)) {
                let row = prices.get_or_init(|| prices_of(self.scene, self.around)).row(model, day);
                last = Some((model.to_owned(), day.to_owned(), row));
            }
            last.as_ref()?.2.as_ref().map(|row| row.cost(usage))
        };
        let mut booking = Booking {
            session: source.session.as_str(),
            subagent: source.agent_id().is_some(),
            keys,
            price: &mut price,
            counts: &mut |_| true,
        };
        let bound = Bound { bytes: self.bytes, deadline: self.deadline };
        let read = self.scene.store.ledger().catch_up(source, path, since_ms, &mut booking, bound);
        // What is held by another is booked at the next look.
        self.failed |= read.as_ref().is_err_and(|e| !matches!(e, Error::Locked { .. }));
        let Ok(progress) = read else { return false };
        self.bytes = self.bytes.saturating_sub(progress.bytes);
        progress.bytes == 0
    }

    /// Reads on in all transcripts of `session`. Subagents that gained nothing are done with.
    fn read_all(&mut self, transcript: &Transcript, session: &Session, done: bool) {
        let since_ms = since(session);
        let ledger = self.scene.store.ledger();
        let main = transcript.main();
        let keys = keys_of_main(session);
        let mut is_read = self.read(&main, transcript.path(), &keys, since_ms);
        let files = transcript.agents();
        if !files.is_empty() {
            let domain = session.domain.as_deref().unwrap_or_default();
            let tally = ledger.tally(domain).ok().flatten().unwrap_or_default();
            // Where they can't be listed, reading them says why.
            let known = ledger.sources_of(&session.session_id).unwrap_or_default();
            for file in files {
                let is_open = tally.open.contains_key(&file.source.to_string());
                let is_known = known.binary_search(&file.source).is_ok();
                if self.over() || (is_known && !is_open) {
                    continue;
                }
                let kind =
                    if is_known { role_of(&ledger.record(&file.source).ok().flatten()) } else { file.kind() };
                let is_read =
                    self.read(&file.source, &file.path, &keys_of_agent(session, kind.as_deref()), since_ms);
                if is_read {
                    self.close(&file.source);
                }
            }
        }
        // What grew is looked at once more: where that failed, or ended at its bound, there is more to read.
        if done && !is_read && !self.over() {
            is_read = self.read(&main, transcript.path(), &keys, since_ms);
        }
        if done && is_read && !self.over() {
            self.close(&main);
        }
    }

    fn over(&self) -> bool {
        self.bytes == 0 || self.deadline.passed()
    }

    fn close(&self, source: &Source) {
        if let Ok(books) = self.scene.store.ledger().open(self.deadline) {
            let _ = books.close(source);
        }
    }
}

/// The prices that hold here: the person's own, the node's, those that come with comm-node. A table of the person's that
/// can't be used is passed over; `doctor` and `budget` report it.
fn prices_of<'p>(scene: &'p Scene, around: &Surroundings) -> Prices<'p> {
    let own = around.claude_dir.as_deref().map(|dir| dir.join("comm-node/prices.txt"));
    let own = own.and_then(|path| own_prices(&path).ok().flatten()).unwrap_or_default();
    let node = scene.registry.prices.iter().map(|row| row.as_str()).collect::<Vec<_>>().join("\n");
    Prices::above([Cow::Owned(own), Cow::Owned(node)])
}

/// The transcript that `call` names, if that can be the session's.
fn transcript_of(call: &Call<'_>, session: &Session) -> Option<Transcript> {
    Transcript::new(Path::new(&*call.transcript_path), &session.session_id)
}

fn role_of(record: &Option<Record>) -> Option<String> {
    record.as_ref().map(|record| record.keys.role.clone())
}

/// When the session began; what is older in its transcript was copied into it, or was before the node.
fn since(session: &Session) -> u64 {
    clock::parse_rfc3339(&session.started).unwrap_or(0)
}

fn keys(session: &Session, role: &str) -> Keys {
    let own = |text: &Option<String>| text.clone().unwrap_or_default();
    Keys { domain: own(&session.domain), task: own(&session.task), role: role.to_owned(), ..Keys::default() }
}

fn keys_of_main(session: &Session) -> Keys {
    keys(session, session.role.as_deref().or(session.agent.as_deref()).unwrap_or("main"))
}

fn keys_of_agent(session: &Session, kind: Option<&str>) -> Keys {
    keys(session, kind.filter(|kind| !kind.is_empty()).unwrap_or("subagent"))
}

/// PostToolBatch and SubagentStop: what the agent that calls gained; false where that can't be put on record.
pub(crate) fn at_batch(
    scene: &Scene,
    session: &Session,
    call: &Call<'_>,
    around: &Surroundings,
    deadline: Deadline,
) -> bool {
    let Some(transcript) = transcript_of(call, session) else { return true };
    let mut meter = Meter::new(scene, around, deadline, BYTES);
    let (source, path, keys) = match call.subagent() {
        None => (transcript.main(), transcript.path().to_path_buf(), keys_of_main(session)),
        Some(id) => {
            let Some(file) = transcript.agent(id) else { return true };
            (file.source, file.path, keys_of_agent(session, call.agent_type.as_deref()))
        }
    };
    if Purse::of(scene, session).is_some() {
        late::wait_for(&path, call, meter.deadline);
    }
    // The agent of a compaction has no transcript.
    if call.subagent().is_none() || path.symlink_metadata().is_ok() {
        meter.read(&source, &path, &keys, since(session));
    }
    !meter.failed
}

/// Stop and SessionEnd: what the session and its subagents gained.
pub(crate) fn at_turn(
    scene: &Scene,
    session: &Session,
    call: &Call<'_>,
    around: &Surroundings,
    deadline: Deadline,
) {
    let Some(transcript) = transcript_of(call, session) else { return };
    let mut meter = Meter::new(scene, around, deadline, BYTES);
    meter.read_all(&transcript, session, false);
}

/// SessionStart: what this session gained since it was last heard of, and what others of its domain did that
/// died or ended meanwhile.
pub(crate) fn at_start(
    scene: &Scene,
    session: &Session,
    call: &Call<'_>,
    around: &Surroundings,
    deadline: Deadline,
) {
    let mut meter = Meter::new(scene, around, deadline, BYTES_AT_START);
    if let Some(transcript) = transcript_of(call, session) {
        meter.read_all(&transcript, session, false);
    }
    let Some(domain) = session.domain.as_deref() else { return };
    let Ok(Some(tally)) = scene.store.ledger().tally(domain) else { return };
    let now = clock::now_ms();
    let mut seen: Option<SessionId> = None;
    for source in tally.open.keys().filter_map(|name| Source::parse(name)) {
        let same = seen.as_ref() == Some(&source.session) || source.session == session.session_id;
        if same || meter.over() || scene.store.session_lives(&source.session, now) {
            continue;
        }
        seen = Some(source.session.clone());
        let main = Source::main(source.session.clone());
        let Ok(Some(record)) = scene.store.ledger().record(&main) else { continue };
        let Some(transcript) = Transcript::new(Path::new(&record.path), &source.session) else { continue };
        let gone = Session {
            domain: Some(record.keys.domain.clone()).filter(|name| !name.is_empty()),
            task: Some(record.keys.task.clone()).filter(|name| !name.is_empty()),
            role: Some(record.keys.role.clone()),
            started: clock::rfc3339(record.since_ms),
            ..Session::new(source.session.clone())
        };
        meter.read_all(&transcript, &gone, true);
    }
}

#[cfg(test)]
mod tests;
