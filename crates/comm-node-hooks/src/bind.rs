//! Binding a session to its domain, and the record that says so.

use std::time::Duration;

use comm_node_core::deadline::Deadline;
use comm_node_core::node::registry::{Domain, Registry};
use comm_node_core::process::ProcessId;
use comm_node_core::session::{BoundBy, Claim, Session, SessionId, live_in, natural_binding};
use comm_node_core::store::{Event, Store};
use comm_node_core::{Result, clock};

use crate::commit;
use crate::scene::{Scene, Surroundings};
use crate::wire::Call;

/// The session's record as it stands; made if this is the first that is heard of the session, and
/// bound anew if it waits for room in its domain.
///
/// # Errors
/// When the record can't be read or written.
pub fn session(scene: &Scene, call: &Call<'_>, around: &Surroundings, deadline: Deadline) -> Result<Session> {
    let id = SessionId::new(&call.session_id)?;
    if let Some(session) = scene.take_session() {
        scene.store.heartbeat(&id);
        return Ok(session);
    }
    match settled(&scene.store, &id)? {
        Some(session) => Ok(session),
        None => enter(scene, call, around, deadline, false).map(|started| started.session),
    }
}

/// The record of a session that waits for nothing, with a heartbeat.
fn settled(store: &Store, id: &SessionId) -> Result<Option<Session>> {
    let session = store.read_session(id)?.filter(|session| session.waiting_for.is_none());
    if session.is_some() {
        store.heartbeat(id);
    }
    Ok(session)
}

/// A session that belongs elsewhere, as seen from the node of a path that it would write: bound
/// only if a person joined it to a domain here, and never registered by itself.
///
/// # Errors
/// When there is a record but it can't be read.
pub fn visitor(scene: &Scene, call: &Call<'_>) -> Result<Session> {
    let id = SessionId::new(&call.session_id)?;
    Ok(scene.store.read_session(&id)?.unwrap_or_else(|| Session::new(id)))
}

/// Sessions, each with its heartbeat in milliseconds since 1970.
pub type Others = Vec<(Session, u64)>;

/// A session that starts, as one look at all of them under one lock found it.
#[derive(Debug)]
pub struct Started {
    /// Its record.
    pub session: Session,
    /// The others that have not ended.
    pub others: Others,
    /// True if another copy of this hook answers the same event.
    pub answered: bool,
}

/// Registers a session that starts or resumes, binds it, and puts on record that it is given its brief.
///
/// # Errors
/// When the record can't be read or written.
pub fn register(
    scene: &Scene,
    call: &Call<'_>,
    around: &Surroundings,
    deadline: Deadline,
) -> Result<Started> {
    enter(scene, call, around, deadline, true)
}

/// Registers a session; unless `anew`, only if no other hook did while this one waited its turn.
// Rare, and its lists would make the stack of each hook three pages deeper.
#[inline(never)]
fn enter(
    scene: &Scene,
    call: &Call<'_>,
    around: &Surroundings,
    deadline: Deadline,
    anew: bool,
) -> Result<Started> {
    let id = SessionId::new(&call.session_id)?;
    let store = &scene.store;
    let _lock = store.lock("sessions", deadline.at_most(Duration::from_secs(1)))?;
    if !anew && let Some(session) = settled(store, &id)? {
        return Ok(Started { session, others: Vec::new(), answered: false });
    }
    let process = around.client.and_then(ProcessId::of);
    let (own, others) = everybody(store, &id)?;
    let mut session = match own {
        Some(session) => session,
        // One that is damaged is not in the list, and no reason to begin a new one.
        None => match store.read_session(&id)? {
            Some(session) => session,
            None => match store.read_ended_session(&id)? {
                Some(session) => session,
                None => Session { started: clock::rfc3339(clock::now_ms()), ..Session::new(id.clone()) },
            },
        },
    };
    if anew {
        let event = [&*call.source, " ", &around.client.unwrap_or_default().to_string()].concat();
        let now = clock::now_ms();
        let same = |(at, what): &(u64, String)| *what == event && now.abs_diff(*at) < SAME_EVENT_MS;
        if session.briefed.as_ref().is_some_and(same) {
            return Ok(Started { session, others, answered: true });
        }
        session.briefed = Some((now, event));
    }
    // One client runs one session at a time: a record of the same process is a session that this
    // one replaced (`/clear`). What a person said of it holds for its successor.
    let mut replaced = Vec::new();
    let mut rivals = Vec::new();
    for (other, heartbeat) in others {
        if process.is_some() && other.process == process {
            replaced.push(other);
        } else {
            rivals.push((other, heartbeat));
        }
    }
    if session.bound_by != Some(BoundBy::Join)
        && let Some(before) = replaced.iter().find(|s| s.bound_by == Some(BoundBy::Join))
    {
        session.domain.clone_from(&before.domain);
        session.bound_by = before.bound_by;
    }
    for old in &replaced {
        store.inherit_touched(&old.session_id, &id)?;
        store.end_session(&old.session_id)?;
    }
    sweep(store, &rivals)?;
    let before = (session.domain.clone(), session.waiting_for.clone());
    if process.is_some() {
        session.process = process;
    }
    if let Some(agent) = call.main_agent() {
        session.agent = Some(agent.to_owned());
    }
    let directory = around.start(call);
    if let Some(dir) = &directory {
        session.directory = dir.to_string_lossy().into_owned();
    }
    if !call.transcript_path.is_empty() {
        session.transcript = call.transcript_path.to_string();
    }
    // A compaction comes in the middle of a turn.
    if anew && call.source != "compact" {
        store.close_turn(&id);
    }
    let wanted = wanted(&scene.registry, &session, call, around, directory.as_deref());
    assign(&mut session, wanted, &rivals);
    if anew {
        commit::note(&mut session, call, around);
    }
    store.write_session(&session)?;
    let started = Started { session, others: rivals, answered: false };
    let session = &started.session;
    // A session that waits comes here at each of its calls, which is no news.
    if !anew && before == (session.domain.clone(), session.waiting_for.clone()) && before.1.is_some() {
        return Ok(started);
    }
    // The session is bound; a log that can't be written keeps it from neither its brief nor its mail. `doctor` names it.
    let _ = store.log(&Event {
        event: "session",
        session: id.as_str(),
        domain: session.domain.as_deref().unwrap_or_default(),
        rule: if session.waiting_for.is_some() { "waiting" } else { "" },
        note: &call.source,
        ..Event::default()
    });
    Ok(started)
}

/// Two starts of one session in the same client, with the same source and within this time, are
/// one event that two installed copies of this hook answer.
const SAME_EVENT_MS: u64 = 2_000;

/// A record of a session that was killed is looked at by every new session until it is this old.
const KEPT_MS: u64 = 24 * 60 * 60 * 1000;

/// Moves the records of sessions that died long ago to the ended ones, so that what a new session
/// has to look at does not grow with every crash.
fn sweep(store: &Store, rivals: &[(Session, u64)]) -> Result<()> {
    let now = clock::now_ms();
    let old = |heartbeat: u64| now.saturating_sub(heartbeat) > KEPT_MS;
    for (gone, _) in rivals.iter().filter(|(s, heartbeat)| old(*heartbeat) && !s.is_live(*heartbeat, now)) {
        store.end_session(&gone.session_id)?;
    }
    Ok(())
}

/// The domain that the session should have, by its own record or by nature.
fn wanted<'r, 'a>(
    registry: &'r Registry<'a>,
    session: &Session,
    call: &Call<'_>,
    around: &Surroundings,
    directory: Option<&std::path::Path>,
) -> Wanted<'r, 'a> {
    if session.bound_by == Some(BoundBy::Join)
        && let Some(name) = session.domain.as_ref().or(session.waiting_for.as_ref())
    {
        return registry.domain(name).map_or(Wanted::Keep, |d| Wanted::Domain(d, BoundBy::Join));
    }
    let claim = Claim { env: around.domain.as_deref(), directory, agent: call.main_agent() };
    match natural_binding(registry, &claim) {
        Ok(Some((domain, by))) => Wanted::Domain(domain, by),
        Ok(None) => Wanted::None,
        Err(unknown) => Wanted::Unknown(unknown),
    }
}

enum Wanted<'r, 'a> {
    /// This domain.
    Domain(&'r Domain<'a>, BoundBy),
    /// What the record says, although `comm-node.yaml` no longer knows it.
    Keep,
    /// None.
    None,
    /// `COMM_NODE_DOMAIN` names a domain that does not exist.
    Unknown(String),
}

/// Writes `wanted` into the record, if the domain has room beside its `rivals`.
fn assign(session: &mut Session, wanted: Wanted<'_, '_>, rivals: &[(Session, u64)]) {
    let now = clock::now_ms();
    match wanted {
        Wanted::Keep => {}
        Wanted::None => {
            session.domain = None;
            session.bound_by = None;
            session.waiting_for = None;
        }
        // Kept by name: the guard then refuses with that name instead of treating it as unbound.
        Wanted::Unknown(name) => {
            session.domain = Some(name);
            session.bound_by = Some(BoundBy::Env);
            session.waiting_for = None;
        }
        Wanted::Domain(domain, by) => {
            let live = live_in(&domain.name, rivals, now).len();
            let room = live < usize::try_from(domain.max_sessions).unwrap_or(usize::MAX);
            session.bound_by = Some(by);
            session.domain = room.then(|| domain.name.to_string());
            session.waiting_for = (!room).then(|| domain.name.to_string());
        }
    }
}

/// The session's own record, and those of all others that have not ended. Damaged ones can't be counted; the
/// doctor reports them.
fn everybody(store: &Store, id: &SessionId) -> Result<(Option<Session>, Others)> {
    let (mut own, mut others) = (None, Vec::new());
    for (session, heartbeat) in store.sessions()?.into_iter().flatten() {
        if session.session_id == *id {
            own = Some(session);
        } else {
            others.push((session, heartbeat));
        }
    }
    Ok((own, others))
}
