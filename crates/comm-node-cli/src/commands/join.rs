//! `comm-node join`: bind a session to a domain.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use comm_node_core::clock;
use comm_node_core::deadline::Deadline;
use comm_node_core::node::registry::{Domain, Registry};
use comm_node_core::personal::{self, Personal};
use comm_node_core::process::ProcessId;
use comm_node_core::session::{BoundBy, Session, SessionId, live_in};
use comm_node_core::store::{Event, Store};

use crate::Outcome;
use crate::env::Env;
use crate::here::{Here, session_of_caller};
use crate::out::Out;

/// Arguments of `comm-node join`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  comm-node join backend                     inside a session: bind this one\n  \
                        comm-node join backend --session 6f1c2a3e  from your own terminal: bind that one\n\n\
                        A session that already works for another domain is bound anew only from your own terminal."
)]
pub struct Args {
    /// The domain.
    domain: String,
    /// The session, by its id or the beginning of it.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Bind it although the domain has as many live sessions as it may have.
    #[arg(long)]
    force: bool,
    /// Print the session's record as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When the domain or session does not exist, or the binding is not the caller's to change.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    let registry = here.registry()?;
    let domain = domain(&registry, &args.domain)?;
    let caller = session_of_caller(env, &here.store)?;
    let id = match (&args.session, &caller) {
        (Some(prefix), _) => find_session(&here.store, prefix)?,
        (None, Some(id)) => id.clone(),
        (None, None) => bail!(
            "no session was named: this is not run inside one; give one with --session, `comm-node sessions` lists them"
        ),
    };
    if args.force {
        person_only(env, &here.store, &personal::JOIN_FORCE)?;
    }
    let session = bind(env, &here, domain, &id, caller.is_some(), args.force)?;
    if args.json {
        out.json(&session);
    } else {
        out.line(format!("session {} works for domain {} now", id.short(), domain.name));
        out.line(format!("it may write {}", comm_node_core::guard::scope(domain)));
    }
    Ok(Outcome::Done)
}

/// Binds the session `id` to `domain`; `inside` if it asks itself.
///
/// # Errors
/// When the binding is not the caller's to change, or the domain has no room.
pub(super) fn bind(
    env: &Env,
    here: &Here,
    domain: &Domain<'_>,
    id: &SessionId,
    inside: bool,
    force: bool,
) -> Result<Session> {
    let _lock = here.store.lock("sessions", Deadline::after(Duration::from_secs(2)))?;
    let (mut session, others) = record(env, &here.store, id)?;
    let before = session.domain.as_deref().map(|now| ("already works for", now));
    let before = before.or_else(|| session.waiting_for.as_deref().map(|now| ("waits for room in", now)));
    if inside && let Some((does, now)) = before.filter(|(_, now)| *now != &*domain.name) {
        bail!(
            "session {} {does} domain {now}: an agent can't change that; a person can, from a terminal of \
             their own: comm-node join {} --session {}",
            id.short(),
            domain.name,
            id.short()
        );
    }
    let live = live_in(&domain.name, &others, clock::now_ms());
    if live.len() >= usize::try_from(domain.max_sessions).unwrap_or(usize::MAX) && !force {
        let names: Vec<&str> = live.iter().map(|s| s.session_id.short()).collect();
        bail!(
            "domain {} already has its {} live session(s): {}; end one, raise max_sessions in comm-node.yaml, or a \
             person adds --force",
            domain.name,
            domain.max_sessions,
            names.join(", ")
        );
    }
    session.domain = Some(domain.name.to_string());
    session.bound_by = Some(BoundBy::Join);
    session.waiting_for = None;
    here.store.write_session(&session)?;
    here.log(&Event { event: "joined", session: id.as_str(), domain: &domain.name, ..Event::default() });
    Ok(session)
}

/// The domain of that name, or an error that names the nearest one.
pub(crate) fn domain<'r, 'a>(registry: &'r Registry<'a>, name: &str) -> Result<&'r Domain<'a>> {
    registry.domain(name).with_context(|| {
        let best = registry.domains.iter().max_by(|a, b| {
            strsim::jaro_winkler(&a.name, name).total_cmp(&strsim::jaro_winkler(&b.name, name))
        });
        match best {
            Some(best) => format!("no domain is called `{name}`; did you mean `{}`?", best.name),
            None => format!("no domain is called `{name}`; comm-node.yaml has none yet"),
        }
    })
}

/// The one live session whose id begins with `prefix`.
pub(super) fn find_session(store: &Store, prefix: &str) -> Result<SessionId> {
    let ids: Vec<SessionId> = store.sessions()?.into_iter().flatten().map(|(s, _)| s.session_id).collect();
    let found: Vec<&SessionId> = ids.iter().filter(|id| id.as_str().starts_with(prefix)).collect();
    // One id may be the beginning of another.
    if let Some(whole) = found.iter().find(|id| id.as_str() == prefix) {
        return Ok((*whole).clone());
    }
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [] => bail!("no session's id begins with `{prefix}`; `comm-node sessions` lists them"),
        _ => bail!("{} sessions' ids begin with `{prefix}`; give more of the id", found.len()),
    }
}

/// The record of `id`, that of its former life or a new one if need be, and those of the others.
pub(super) fn record(env: &Env, store: &Store, id: &SessionId) -> Result<(Session, Vec<(Session, u64)>)> {
    let others = store.sessions()?.into_iter().flatten().filter(|(s, _)| s.session_id != *id).collect();
    let session = match store.read_session(id)? {
        Some(session) => session,
        None => {
            let new = || Session { started: clock::rfc3339(clock::now_ms()), ..Session::new(id.clone()) };
            Session {
                process: env.var("CLAUDE_PID").and_then(|pid| pid.parse().ok()).and_then(ProcessId::of),
                directory: env.cwd.to_string_lossy().into_owned(),
                ..store.read_ended_session(id)?.unwrap_or_else(new)
            }
        }
    };
    Ok((session, others))
}

/// What a person may do and an agent may not; an error that says so inside a session.
pub(crate) fn person_only(env: &Env, store: &Store, what: &Personal) -> Result<()> {
    match session_of_caller(env, store)? {
        None => Ok(()),
        Some(id) => bail!(
            "`{}` is for a person and this is run inside session {}; ask the user to run it in a terminal of their own",
            what.shown,
            id.short()
        ),
    }
}
