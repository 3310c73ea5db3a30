//! What can be seen of the node's sessions, and telling a person of those that are lost.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use super::{Event, Store, file};
use crate::activity::{self, SILENT_TURN_MS, Signs, State};
use crate::deadline::Deadline;
use crate::mail::HUMAN;
use crate::process::{Liveness, ProcessId};
use crate::session::{Session, SessionId};
use crate::{Result, clock};

/// So much of a transcript's end is looked at for an interruption.
const TAIL: u64 = 64 << 10;
/// Hooks look for lost sessions no more often than this.
const ROUND_MS: u64 = 20_000;
/// What a person is told comes from this name, which is no domain's own.
const US: &str = "comm-node";

/// A session as it can be seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its record.
    pub session: Session,
    /// What else is seen of it.
    pub signs: Signs,
    /// What it does.
    pub state: State,
}

impl Store {
    /// Every session that has not ended, as it can be seen at `now_ms`, sorted by id; and what could not be read.
    ///
    /// # Errors
    /// When the sessions can't be listed.
    pub fn seen(&self, now_ms: u64) -> Result<(Vec<Seen>, Vec<crate::Error>)> {
        let (mut seen, mut errors) = (Vec::new(), Vec::new());
        for record in self.sessions()? {
            match record {
                Ok((session, heartbeat)) => seen.push(self.look_at(session, heartbeat, now_ms)),
                Err(e) => errors.push(e),
            }
        }
        Ok((seen, errors))
    }

    /// What can be seen of one session, whose last heartbeat is given.
    #[must_use]
    pub fn look_at(&self, session: Session, heartbeat_ms: u64, now_ms: u64) -> Seen {
        let liveness = session.process.as_ref().map_or(Liveness::Unknown, ProcessId::liveness);
        let turn_ms = self.turn_began_ms(&session.session_id);
        let mut signs = Signs { liveness, heard_ms: heartbeat_ms, turn_ms, runs_command: false };
        // What else could show that it works costs more, and is asked only of one that seems not to.
        if turn_ms.is_some()
            && liveness != Liveness::Dead
            && now_ms.saturating_sub(heartbeat_ms) >= SILENT_TURN_MS
        {
            self.look_closer(&session, &mut signs);
        }
        let state = activity::state(&session, &signs, now_ms);
        Seen { session, signs, state }
    }

    fn look_closer(&self, session: &Session, signs: &mut Signs) {
        if let Some((written_ms, interrupted)) = transcript(Path::new(&session.transcript)) {
            signs.heard_ms = signs.heard_ms.max(written_ms);
            if interrupted && signs.turn_ms.is_some_and(|began| began <= written_ms) {
                // No hook is told that a person ended the turn.
                self.close_turn(&session.session_id);
                signs.turn_ms = None;
                return;
            }
        }
        signs.runs_command = self
            .calls_seen(&session.session_id)
            .iter()
            .any(|call| call.ended_ms.is_none() && !call.record.background);
    }

    /// Looks for sessions that are lost or silent, and tells the person of each once, by a message to
    /// [`HUMAN`]. `me` is not looked at. Returns how many were told of.
    ///
    /// The message is sent before that is put on record: who dies in between lets it be told twice, which
    /// does less harm than never.
    ///
    /// # Errors
    /// When the sessions can't be listed, or a message can't be sent or a record written.
    pub fn look_out(&self, me: Option<&SessionId>, deadline: Deadline) -> Result<usize> {
        let now = clock::now_ms();
        let is_news = |seen: &Seen| {
            Some(&seen.session.session_id) != me
                && seen.session.domain.is_some()
                && activity::is_news(&seen.session, seen.state, &seen.signs)
        };
        let (seen, _) = self.seen(now)?;
        if !seen.iter().any(is_news) {
            return Ok(0);
        }
        // Whoever has it is telling.
        let Ok(_lock) = self.lock("lookout", deadline.at_most(Duration::ZERO)) else { return Ok(0) };
        let mut told = 0;
        for seen in self.seen(now)?.0.into_iter().filter(is_news) {
            let domain = seen.session.domain.as_deref().unwrap_or_default();
            let held = self.held_by(&seen.session.session_id, deadline);
            let text = activity::report(&seen.session, seen.state, &seen.signs, held, now);
            let draft = crate::mail::Draft {
                to: vec![HUMAN.to_owned()],
                priority: crate::mail::Priority::High,
                task: seen.session.task.clone(),
                body: text,
                ..crate::mail::Draft::default()
            };
            let message = self.mail().send(US, draft, &SessionId::new(US)?, deadline)?;
            {
                let _lock = self.lock("sessions", deadline)?;
                if let Some(mut session) = self.read_session(&seen.session.session_id)? {
                    session.reported = Some((now, seen.state == State::Lost));
                    // Writing a record is no sign of life of its session.
                    self.write_session_quietly(&session, seen.signs.heard_ms)?;
                }
            }
            self.log(&Event {
                event: seen.state.name(),
                session: seen.session.session_id.as_str(),
                domain,
                task: seen.session.task.as_deref().unwrap_or_default(),
                note: &message.id.text(),
                ..Event::default()
            })?;
            told += 1;
        }
        Ok(told)
    }

    /// [`Store::look_out`] for hooks: of all that run, one looks every 20 seconds, and what fails is left to
    /// the next one.
    pub fn look_out_sometimes(&self, me: &SessionId, deadline: Deadline) {
        let mark = self.dir.join("lookout");
        let looked = mark.symlink_metadata().and_then(|meta| meta.modified()).map_or(0, clock::ms_of);
        if clock::now_ms().saturating_sub(looked) < ROUND_MS {
            return;
        }
        let mut how = std::fs::OpenOptions::new();
        how.write(true).create(true).truncate(true);
        if matches!(file::open(&mark, &mut how), Ok(Some(_))) {
            let _ = self.look_out(Some(me), deadline.at_most(Duration::from_millis(500)));
        }
    }

    /// How many leases a session holds; nobody waits long for that.
    fn held_by(&self, id: &SessionId, deadline: Deadline) -> usize {
        let limit = deadline.at_most(Duration::from_millis(200));
        self.leases().held_by(id, limit).map_or(0, |(leases, _)| leases.len())
    }

    fn write_session_quietly(&self, session: &Session, heard_ms: u64) -> Result<()> {
        self.write_session(session)?;
        let mut how = std::fs::OpenOptions::new();
        how.write(true);
        if let Ok(Some(file)) = file::open(&self.session_path(&session.session_id), &mut how) {
            let _ = file.set_modified(std::time::UNIX_EPOCH + Duration::from_millis(heard_ms));
        }
        Ok(())
    }
}

/// When something was last written to a transcript, and whether its last message says that a person
/// interrupted the turn.
fn transcript(path: &Path) -> Option<(u64, bool)> {
    if !path.is_absolute() {
        return None;
    }
    let meta = path.symlink_metadata().ok().filter(std::fs::Metadata::is_file)?;
    let written_ms = clock::ms_of(meta.modified().ok()?);
    let mut text = Vec::new();
    let mut read = || -> std::io::Result<usize> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(meta.len().saturating_sub(TAIL)))?;
        file.take(TAIL).read_to_end(&mut text)
    };
    read().ok()?;
    Some((written_ms, was_interrupted(&String::from_utf8_lossy(&text))))
}

/// True if the last message in `lines` is the client's note that the turn was interrupted.
fn was_interrupted(lines: &str) -> bool {
    let is_message =
        |line: &&str| line.contains(r#""type":"user""#) || line.contains(r#""type":"assistant""#);
    lines.lines().rfind(is_message).is_some_and(|line| line.contains(r#""[Request interrupted by user"#))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    struct Place {
        dir: tempfile::TempDir,
        store: Store,
    }

    impl Place {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("temp dir");
            let store = Store::new(dir.path().join("state"));
            Self { dir, store }
        }

        /// A session of `backend` whose client is `process`, silent for `ms`.
        fn session(&self, id: &str, process: Option<ProcessId>, silent_ms: u64) -> Session {
            let mut session = Session::new(SessionId::new(id).expect("an id"));
            session.domain = Some("backend".into());
            session.task = Some("bd-1".into());
            session.process = process;
            session.transcript = self.dir.path().join("transcript.jsonl").to_string_lossy().into_owned();
            self.store.write_session(&session).expect("writes");
            self.age(&format!("sessions/{id}.jsonl"), silent_ms);
            session
        }

        fn age(&self, name: &str, ms: u64) {
            let path = self.store.dir().join(name);
            let file = std::fs::OpenOptions::new().write(true).open(path).expect("opens");
            let at = std::time::SystemTime::now() - Duration::from_millis(ms);
            file.set_modified(at).expect("dates");
        }

        fn state(&self) -> State {
            let (seen, errors) = self.store.seen(clock::now_ms()).expect("lists");
            assert!(errors.is_empty() && seen.len() == 1, "{errors:?} {seen:?}");
            seen[0].state
        }

        fn look_out(&self) -> usize {
            self.store.look_out(None, Deadline::after(Duration::from_secs(5))).expect("looks")
        }

        fn told(&self) -> Vec<String> {
            let mail = self.store.mail();
            let items = mail.waiting(HUMAN).expect("lists");
            items.iter().map(|i| mail.read(HUMAN, i).expect("reads").expect("there").said.body).collect()
        }
    }

    fn me() -> Option<ProcessId> {
        ProcessId::of(std::process::id())
    }

    fn dead() -> Option<ProcessId> {
        me().map(|p| ProcessId { start: p.start + 1, ..p })
    }

    #[test]
    fn a_dead_client_is_told_of_once_and_a_live_one_never() {
        let place = Place::new();
        place.session("live", me(), 0);
        assert_eq!(place.look_out(), 0);
        place.session("gone", dead(), 3_000);
        assert_eq!((place.look_out(), place.look_out()), (1, 0));
        let told = place.told();
        assert!(
            told.len() == 1 && told[0].contains("session gone of backend") && told[0].contains("lost"),
            "{told:?}"
        );
        // It lives again, and is lost again.
        place.session("gone", me(), 0);
        assert_eq!(place.look_out(), 0);
        let mut again =
            place.store.read_session(&SessionId::new("gone").expect("an id")).expect("reads").expect("there");
        again.process = dead();
        place.store.write_session(&again).expect("writes");
        assert_eq!((place.look_out(), place.look_out(), place.told().len()), (1, 0, 2));
    }

    #[test]
    fn a_turn_that_falls_silent_is_told_of_once() {
        let place = Place::new();
        let session = place.session("s", me(), 0);
        place.store.open_turn(&session.session_id);
        assert_eq!((place.state(), place.look_out()), (State::Busy, 0));
        place.age("sessions/s.jsonl", SILENT_TURN_MS);
        place.age("sessions/s.turn", SILENT_TURN_MS + 10);
        assert_eq!((place.state(), place.look_out(), place.look_out()), (State::Silent, 1, 0));
        assert_eq!(place.state(), State::Silent, "being told of is no sign of life");
        // Its model writes.
        std::fs::write(&session.transcript, "{\"type\":\"assistant\"}\n").expect("writes");
        assert_eq!(place.state(), State::Busy);
    }

    #[test]
    fn what_runs_or_was_interrupted_is_not_silent() {
        let place = Place::new();
        let session = place.session("s", me(), SILENT_TURN_MS);
        let id = session.session_id.clone();
        let silent = || {
            place.store.open_turn(&id);
            place.age("sessions/s.turn", 2 * SILENT_TURN_MS);
            place.age("sessions/s.jsonl", 2 * SILENT_TURN_MS);
        };
        silent();
        let record = super::super::CallRecord { id: "t1".into(), ..Default::default() };
        let soon = Deadline::after(Duration::from_secs(60));
        place.store.write_call(&id, record, soon).expect("writes");
        assert_eq!(place.state(), State::Busy);
        assert!(place.store.end_call(&id, "t1", soon).expect("ends"));
        assert_eq!(place.state(), State::Silent);
        let note = r#"{"type":"user","message":{"content":[{"type":"text","text":"[Request interrupted by user]"}]}}"#;
        std::fs::write(
            &session.transcript,
            format!("{{\"type\":\"assistant\"}}\n{note}\n{{\"type\":\"mode\"}}\n"),
        )
        .expect("writes");
        assert_eq!((place.state(), place.store.turn_began_ms(&id)), (State::Idle, None));
        // An interruption before this turn is none of it.
        silent();
        let file = std::fs::OpenOptions::new().write(true).open(&session.transcript).expect("opens");
        file.set_modified(std::time::SystemTime::now() - Duration::from_millis(3 * SILENT_TURN_MS))
            .expect("dates");
        assert_eq!(place.state(), State::Silent);
    }

    #[test]
    fn only_the_last_message_tells_of_an_interruption() {
        let note = r#"{"type":"user","message":{"content":"[Request interrupted by user for tool use]"}}"#;
        assert!(was_interrupted(note));
        assert!(!was_interrupted(&format!("{note}\n{{\"type\":\"assistant\"}}")));
        assert!(!was_interrupted(""));
        // Somebody merely writes of it.
        assert!(!was_interrupted(
            r#"{"type":"user","message":{"content":"what is [Request interrupted by user"}}"#
        ));
    }
}
