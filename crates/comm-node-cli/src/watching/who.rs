//! For whom mail is watched, and until when.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use comm_node_core::clock;
use comm_node_core::mail::{HUMAN, is_name};
use comm_node_core::process::{Liveness, ProcessId};
use comm_node_core::session::{Session, SessionId, live_in};
use comm_node_core::store::Store;
use comm_node_core::text::one_line;

use crate::env::Env;
use crate::here::session_of_caller;

/// Where nothing is known of the client, a session that has been away for longer has ended.
const AWAY: Duration = Duration::from_secs(60);
/// A turn in which nothing was heard of the session for longer counts for nothing: it may have been broken off.
const SILENT_MS: u64 = 120_000;

/// Whoever mail is watched for.
pub(super) struct Who {
    /// `None` for the person.
    session: Option<SessionId>,
    /// The client that runs the session.
    client: Option<ProcessId>,
    /// Since when the session has no record.
    away: Option<Instant>,
}

/// The mailbox to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mailbox {
    /// The domain, or [`HUMAN`].
    pub(super) name: String,
    /// The session that is woken; for the person one called so.
    pub(super) session: SessionId,
    /// True while hooks tell the session what arrives.
    pub(super) busy: bool,
    /// How many other live sessions of the domain are woken first.
    pub(super) before: usize,
}

impl Who {
    /// The session called `id`, else that of the caller, else the person.
    pub(super) fn find(env: &Env, store: Option<&Store>, id: Option<&str>) -> Result<Self> {
        let client = env.var("CLAUDE_PID").and_then(|pid| pid.parse().ok()).and_then(ProcessId::of);
        let session = match (id, store) {
            (Some(id), _) => Some(SessionId::new(id)?),
            (None, Some(store)) => session_of_caller(env, store)?,
            (None, None) => env.var("CLAUDE_CODE_SESSION_ID").map(SessionId::new).transpose()?,
        };
        let mut who = Self { session, client, away: None };
        // From outside only a session that is there can be watched.
        if let (None, Some(id)) = (&who.client, &who.session) {
            let record = store.map(|store| store.read_session(id)).transpose()?.flatten();
            let Some(record) = record else {
                bail!("no session is called `{}`; `comm-node sessions` lists them", one_line(id.as_str(), 60))
            };
            who.client = record.process;
        }
        Ok(who)
    }

    /// The process of the client, where it is known.
    pub(super) fn client(&self) -> Option<u32> {
        self.client.as_ref().map(|client| client.pid)
    }

    /// True for the person.
    pub(super) fn is_person(&self) -> bool {
        self.session.is_none()
    }

    /// True once there is nobody left to wake.
    pub(super) fn is_gone(&self) -> bool {
        if self.client.as_ref().is_some_and(|client| client.liveness() == Liveness::Dead) {
            return true;
        }
        self.client.is_none() && self.away.is_some_and(|since| since.elapsed() > AWAY)
    }

    /// The mailbox of whoever is there now; `None` while there is none.
    pub(super) fn mailbox(&mut self, store: &Store) -> Option<Mailbox> {
        let Some(id) = self.session.clone() else {
            let session = SessionId::new(HUMAN).ok()?;
            return Some(Mailbox { name: HUMAN.to_owned(), session, busy: false, before: 0 });
        };
        let record = store.read_session(&id).ok().flatten().or_else(|| self.successor(store));
        let Some(record) = record else {
            self.away.get_or_insert_with(Instant::now);
            return None;
        };
        self.away = None;
        self.session = Some(record.session_id.clone());
        let (session, now) = (record.session_id, clock::now_ms());
        let name = record.domain.filter(|name| is_name(name))?;
        let heartbeat = store.last_heartbeat_ns(&session).unwrap_or(0) / 1_000_000;
        let busy = store.turn_began_ms(&session).is_some() && now.saturating_sub(heartbeat) < SILENT_MS;
        let all: Vec<(Session, u64)> = store.sessions().ok()?.into_iter().flatten().collect();
        let before = live_in(&name, &all, now).iter().filter(|other| other.session_id < session).count();
        Some(Mailbox { name, session, busy, before })
    }

    /// The session that the same client runs now: `/clear` begins another one.
    fn successor(&self, store: &Store) -> Option<Session> {
        let client = self.client.as_ref()?;
        let sessions = store.sessions().ok()?.into_iter().flatten().map(|(session, _)| session);
        sessions.into_iter().find(|session| session.process.as_ref() == Some(client))
    }
}
