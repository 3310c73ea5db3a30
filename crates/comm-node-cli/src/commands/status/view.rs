//! What `comm-node status` shows, gathered. Its JSON form is documented in docs/status.md.

use std::path::PathBuf;

use anyhow::Result;
use comm_node_core::activity::State;
use comm_node_core::clock::{self, Now};
use comm_node_core::guard::{self, Binding};
use comm_node_core::lease::{Lease, counting, is_foreign};
use comm_node_core::mail::HUMAN;
use comm_node_core::node::registry::{Fault, Mode, Registry};
use comm_node_core::process::Liveness;
use comm_node_core::statusline::{BAR, Spent};
use comm_node_core::store::{Pause, Seen};
use serde::Serialize;

use crate::env::Env;
use crate::here::{Here, session_of_caller};

/// The node at a glance.
#[derive(Debug, Serialize)]
pub(super) struct View {
    /// Its name.
    pub(super) node: String,
    /// Its top directory.
    pub(super) root: PathBuf,
    /// The pause in force.
    pub(super) paused: Option<Pause>,
    /// What is wrong with comm-node.yaml.
    pub(super) fault: Option<Fault<'static>>,
    /// State files that can't be read.
    pub(super) damaged: Vec<String>,
    /// The domains, in the order of comm-node.yaml.
    pub(super) domains: Vec<Domain>,
    /// What waits for the person.
    pub(super) human: Mail,
    /// Live sessions that are bound to no domain.
    pub(super) unbound: usize,
    /// Leases of others in the scope of the session that asks.
    pub(super) foreign_leases: Vec<Lease>,
}

/// A domain.
#[derive(Debug, Serialize)]
pub(super) struct Domain {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) mode: Mode,
    pub(super) scope: Vec<String>,
    pub(super) exclude: Vec<String>,
    /// The state of the agent that a person should look at first; `none` where there is no agent.
    pub(super) state: &'static str,
    pub(super) task: Option<String>,
    pub(super) progress: Option<u8>,
    pub(super) note: Option<String>,
    /// The ids of its live sessions.
    pub(super) sessions: Vec<String>,
    /// All its sessions that have not ended, lost ones too.
    pub(super) agents: Vec<Agent>,
    pub(super) mail: Mail,
    /// How many leases count that it holds.
    pub(super) leases: usize,
    /// What is spent of the budget that is spent furthest, of those that concern its task.
    pub(super) budget: Option<Spent>,
}

/// A session of a domain.
#[derive(Debug, Serialize)]
pub(super) struct Agent {
    pub(super) session: String,
    /// `idle`, `busy`, `blocked`, `silent` or `lost`.
    pub(super) state: State,
    /// Whether its client lives: `live`, `gone` or `unknown`.
    pub(super) client: &'static str,
    pub(super) task: Option<String>,
    pub(super) progress: Option<u8>,
    pub(super) note: Option<String>,
    pub(super) role: Option<String>,
    /// When something was last heard of it, RFC 3339.
    pub(super) last_seen: String,
    /// When its turn began, RFC 3339; none between turns.
    pub(super) turn_since: Option<String>,
    /// When a person was told that it is lost or silent, RFC 3339.
    pub(super) reported: Option<String>,
    pub(super) directory: String,
    pub(super) leases: usize,
    #[serde(skip)]
    pub(super) quiet_ms: u64,
}

/// What waits in a mailbox.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Mail {
    /// Not yet known to be read.
    pub(super) waiting: usize,
    /// Of these, what is urgent or holds its author up.
    pub(super) urgent: usize,
    /// Read, and not yet closed.
    pub(super) open: usize,
}

/// Gathers it.
///
/// # Errors
/// When sessions, leases or mail can't be listed.
pub(super) fn gather(here: &Here, registry: &Registry<'_>, env: &Env) -> Result<View> {
    let now = Now::read();
    let (seen, faults) = here.store.seen(now.wall_ms)?;
    let (leases, unread) = here.store.leases().list()?;
    let damaged = faults.iter().chain(&unread).map(|e| format!("{e}; {}", e.remedy())).collect();
    let leases = counting(leases, now, &|holder| here.store.holder_liveness(holder));
    let mut domains = Vec::new();
    for domain in &registry.domains {
        let own = seen.iter().filter(|s| s.session.domain.as_deref() == Some(&*domain.name));
        let agents: Vec<Agent> = own.map(|seen| agent(seen, &leases, now.wall_ms)).collect();
        let live = |a: &&Agent| a.state != State::Lost;
        // A lost one matters only where no other took its place.
        let first = agents.iter().filter(live).max_by_key(|a| a.state).or(agents.first());
        domains.push(Domain {
            name: domain.name.to_string(),
            description: domain.description.to_string(),
            mode: domain.mode,
            scope: domain.scope.iter().map(|p| p.glob().to_owned()).collect(),
            exclude: domain.exclude.iter().map(|p| p.glob().to_owned()).collect(),
            state: first.map_or("none", |a| a.state.name()),
            task: first.and_then(|a| a.task.clone()),
            progress: first.and_then(|a| a.progress),
            note: first.and_then(|a| a.note.clone()),
            sessions: agents.iter().filter(live).map(|a| a.session.clone()).collect(),
            mail: waiting(here, &domain.name)?,
            budget: here
                .store
                .gauge(registry, &domain.name, first.and_then(|a| a.task.as_deref()), BAR)?
                .map(Spent::from),
            leases: leases.iter().filter(|l| l.holder.domain.as_deref() == Some(&*domain.name)).count(),
            agents,
        });
    }
    Ok(View {
        node: registry.name.to_string(),
        root: here.layout.root.clone(),
        paused: here.store.paused(),
        fault: registry.fault.clone().map(|f| Fault { message: f.message.into_owned(), ..f }),
        damaged,
        domains,
        human: waiting(here, HUMAN)?,
        unbound: seen.iter().filter(|s| s.session.domain.is_none() && s.state != State::Lost).count(),
        foreign_leases: foreign(here, registry, env, leases)?,
    })
}

fn agent(seen: &Seen, leases: &[Lease], now_ms: u64) -> Agent {
    let (session, signs) = (&seen.session, &seen.signs);
    Agent {
        session: session.session_id.to_string(),
        state: seen.state,
        client: match signs.liveness {
            Liveness::Alive => "live",
            Liveness::Dead => "gone",
            Liveness::Unknown => "unknown",
        },
        task: session.task.clone(),
        progress: session.progress,
        note: session.note.clone(),
        role: session.role.clone(),
        last_seen: clock::rfc3339(signs.heard_ms),
        turn_since: signs.turn_ms.map(clock::rfc3339),
        reported: session.reported.map(|(at, _)| clock::rfc3339(at)),
        directory: session.directory.clone(),
        leases: leases.iter().filter(|l| l.holder.session.as_ref() == Some(&session.session_id)).count(),
        quiet_ms: now_ms.saturating_sub(signs.heard_ms),
    }
}

fn waiting(here: &Here, name: &str) -> Result<Mail> {
    let mail = here.store.mail();
    let waiting = mail.waiting(name)?;
    Ok(Mail {
        urgent: waiting.iter().filter(|item| item.rank.is_urgent()).count(),
        waiting: waiting.len(),
        open: mail.open(name)?.len(),
    })
}

/// What others hold in the scope of the session that asks, if one does.
fn foreign(here: &Here, registry: &Registry<'_>, env: &Env, mut leases: Vec<Lease>) -> Result<Vec<Lease>> {
    let caller = session_of_caller(env, &here.store)?.map(|id| here.store.read_session(&id)).transpose()?;
    let Some(session) = caller.flatten() else { return Ok(Vec::new()) };
    let Binding::Domain(domain) = guard::binding(registry, &session) else { return Ok(Vec::new()) };
    leases.retain(|lease| is_foreign(lease, &session.session_id, registry, domain));
    Ok(leases)
}
