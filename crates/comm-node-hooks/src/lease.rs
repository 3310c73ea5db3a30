//! Leases as hooks take and return them: between one call of a tool and the node's lease table.

use std::borrow::Cow;

use comm_node_core::Result;
use comm_node_core::clock::Now;
use comm_node_core::deadline::Deadline;
use comm_node_core::guard::is_working;
use comm_node_core::lease::{Ask, Conflict, Holder, tree_of};
use comm_node_core::node::Place;
use comm_node_core::session::Session;
use comm_node_core::store::{Asking, Event, Outcome, Release};

use crate::scene::Scene;
use crate::wire::Call;

/// The agent that makes this call.
#[must_use]
pub fn holder(session: &Session, call: &Call<'_>) -> Holder {
    Holder {
        domain: session.domain.clone(),
        session: Some(session.session_id.clone()),
        agent: call.subagent().map(str::to_owned),
    }
}

/// Takes the leases on `places` for writes that are about to happen, all or none. What stands in the way
/// is given back.
///
/// # Errors
/// When the table can't be read or written; the write must then not happen.
pub fn take(
    scene: &Scene,
    session: &Session,
    call: &Call<'_>,
    places: &[&Place],
    deadline: Deadline,
) -> Result<Option<Box<Conflict>>> {
    with(scene, session, call, places, deadline, |asks, who| {
        scene.store.leases().take(asks, &call.tool_use_id, scene.registry.policy.lease_ttl_s, who)
    })
}

/// Confirms the leases on `places` after the writes happened, all or none. A conflict means that two have
/// written.
///
/// # Errors
/// When the table can't be read or written.
pub fn confirm(
    scene: &Scene,
    session: &Session,
    call: &Call<'_>,
    places: &[&Place],
    deadline: Deadline,
) -> Result<Option<Box<Conflict>>> {
    with(scene, session, call, places, deadline, |asks, who| {
        scene.store.leases().written(asks, scene.registry.policy.lease_ttl_s, who)
    })
}

/// What another's lease keeps this agent from writing one of `places`, without taking anything.
///
/// # Errors
/// When the table can't be read.
pub fn look(
    scene: &Scene,
    session: &Session,
    call: &Call<'_>,
    places: &[&Place],
    deadline: Deadline,
) -> Result<Option<Box<Conflict>>> {
    with(scene, session, call, places, deadline, |asks, who| {
        Ok(scene.store.leases().conflict(asks, who)?.map_or(Outcome::Held, Outcome::Refused))
    })
}

/// Gives back what `tool_use` took provisionally on `places`, because the call failed or was refused.
///
/// # Errors
/// When the table can't be read or written.
pub fn give_back(
    scene: &Scene,
    session: &Session,
    call: &Call<'_>,
    tool_use: &str,
    places: &[&Place],
    deadline: Deadline,
) -> Result<()> {
    let keys = keys(scene, places);
    if keys.is_empty() {
        return Ok(());
    }
    let asks: Vec<Ask<'_>> = keys.iter().map(|(tree, key)| Ask::key(tree, key)).collect();
    scene.store.leases().give_back(&asks, tool_use, &holder(session, call), deadline).map(drop)
}

/// Releases all leases of the subagent that makes this call.
///
/// # Errors
/// When the table can't be read or written.
pub fn release_agent(scene: &Scene, session: &Session, call: &Call<'_>, deadline: Deadline) -> Result<()> {
    let holder = holder(session, call);
    // Without an id it would be the main loop, whose leases stay.
    if holder.agent.is_none() {
        return Ok(());
    }
    scene.store.leases().release(&Release::Holder(&holder), deadline).map(drop)
}

/// Releases all leases of the session's subagents: none of them runs any more, and one that was
/// interrupted or killed was not heard to stop.
///
/// # Errors
/// When the table or the log can't be read or written.
pub fn release_subagents(scene: &Scene, session: &Session, deadline: Deadline) -> Result<()> {
    for lease in scene.store.leases().release(&Release::Subagents(&session.session_id), deadline)? {
        scene.store.log(&Event {
            event: "lease_released",
            session: session.session_id.as_str(),
            agent: lease.holder.agent.as_deref().unwrap_or_default(),
            domain: session.domain.as_deref().unwrap_or_default(),
            path: &lease.path,
            rule: "subagent_gone",
            ..Event::default()
        })?;
    }
    Ok(())
}

/// Releases all leases of a session that ends.
///
/// # Errors
/// When the table can't be read or written.
pub fn release_session(scene: &Scene, session: &Session, deadline: Deadline) -> Result<()> {
    scene.store.leases().release(&Release::Session(&session.session_id), deadline).map(drop)
}

fn with(
    scene: &Scene,
    session: &Session,
    call: &Call<'_>,
    places: &[&Place],
    deadline: Deadline,
    ask: impl FnOnce(&[Ask<'_>], &Asking<'_>) -> Result<Outcome>,
) -> Result<Option<Box<Conflict>>> {
    let keys = keys(scene, places);
    if keys.is_empty() {
        return Ok(None);
    }
    let asks: Vec<Ask<'_>> = keys.iter().map(|(tree, key)| Ask::key(tree, key)).collect();
    let holder = holder(session, call);
    let liveness = |other: &Holder| scene.store.holder_liveness(other);
    let who = Asking { holder: &holder, now: Now::read(), liveness: &liveness, deadline };
    Ok(match ask(&asks, &who)? {
        Outcome::Refused(conflict) => Some(conflict),
        Outcome::Held | Outcome::Taken(_) => None,
    })
}

/// The names that leases on `places` go by; there are none outside the node and on working files.
fn keys<'p>(scene: &'p Scene, places: &[&'p Place]) -> Vec<(Cow<'p, str>, &'p str)> {
    let key = |place: &&'p Place| tree_of(&scene.registry, place).filter(|(_, key)| !is_working(key));
    places.iter().filter_map(key).collect()
}

/// Which of `places` a conflict is about.
#[must_use]
pub fn meant(scene: &Scene, places: &[&Place], conflict: &Conflict) -> usize {
    let on = |place: &&Place| {
        tree_of(&scene.registry, place)
            .is_some_and(|(tree, key)| tree == conflict.lease.tree && key == conflict.path)
    };
    places.iter().position(on).unwrap_or(0)
}
