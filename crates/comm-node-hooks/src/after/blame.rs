//! Whose doing a change was, as far as that can be told.
//!
//! Times say when a file changed and nobody's tool says by whom. So a change counts as the command's own
//! unless another agent who may write there was at work meanwhile: better one that nobody is told of than an
//! agent that undoes another's work.

use comm_node_core::Result;
use comm_node_core::clock::Now;
use comm_node_core::guard;
use comm_node_core::lease::{Ask, Holder, Kind, Lease, tree_of};
use comm_node_core::node::Place;
use comm_node_core::process::Liveness;
use comm_node_core::session::{Session, SessionId};
use comm_node_core::store::{Asking, OpenCall, Store};

use super::look::Look;
use super::state::State;
use crate::judge::Sitting;
use crate::lease;

impl Look<'_> {
    fn others(&self, store: &Store) -> &[(OpenCall, Option<String>)] {
        self.others.get_or_init(|| {
            let mut calls = store.calls();
            calls.retain(|open| open.record.id != self.id);
            // What a session left that has ended or died runs no more.
            let session = |id: &SessionId| store.read_session(id).ok()?.filter(|session| !is_dead(session));
            let with = |open: OpenCall| session(&open.session).map(|session| (open, session.domain));
            calls.into_iter().filter_map(with).collect()
        })
    }

    /// Another's lease on `place`, if there is one that counts.
    pub(super) fn holder(
        &self,
        own: &Sitting<'_>,
        session: &Session,
        place: &Place,
    ) -> Result<Option<Lease>> {
        let Some((tree, key)) = tree_of(&own.scene.registry, place) else { return Ok(None) };
        let store = &own.scene.store;
        let holder = lease::holder(session, self.call);
        let liveness = |other: &Holder| store.holder_liveness(other);
        let who = Asking { holder: &holder, now: Now::read(), liveness: &liveness, deadline: self.deadline };
        Ok(store.leases().conflict(&[Ask::key(&tree, key)], &who)?.map(|conflict| conflict.lease))
    }

    /// True if something else than this command is likely to have changed a path that is not the agent's:
    /// who holds a lease on it and was at work meanwhile, or a command of its owner's that runs.
    pub(super) fn is_explained(
        &self,
        own: &Sitting<'_>,
        session: &Session,
        place: &Place,
        holder: Option<&Lease>,
        state: State,
    ) -> bool {
        if let Some(lease) = holder {
            return self.may_be_of(own, session, lease);
        }
        let Place::Inside { tree, key, .. } = place else { return false };
        let registry = &own.scene.registry;
        let Some((owner, _)) = guard::owner(registry, *tree, key) else { return false };
        let store = &own.scene.store;
        let of_owner = |domain: Option<&str>| domain == Some(owner.name.as_str());
        // Who commits holds nothing any more.
        let committed = || {
            store.sessions().into_iter().flatten().flatten().any(|(other, _)| {
                other.session_id != session.session_id
                    && of_owner(other.domain.as_deref())
                    && store.last_heartbeat_ns(&other.session_id).is_some_and(|at| at >= self.record.began_ns)
            })
        };
        self.others(store).iter().any(|(open, domain)| open.record.undecided && of_owner(domain.as_deref()))
            || (state == State::Committed && committed())
    }

    /// True if the holder of `lease` may have written under it while the command ran.
    pub(super) fn may_be_of(&self, own: &Sitting<'_>, session: &Session, lease: &Lease) -> bool {
        let store = &own.scene.store;
        let Some(id) = &lease.holder.session else {
            // A person's lock says that nobody writes there.
            return lease.kind == Kind::Automatic;
        };
        lease.provisional
            || *id == session.session_id
            || store.last_heartbeat_ns(id).is_some_and(|at| at >= self.record.began_ns)
            || self.others(store).iter().any(|(open, _)| open.session == *id)
    }
}

fn is_dead(session: &Session) -> bool {
    session.process.as_ref().is_some_and(|process| process.liveness() == Liveness::Dead)
}
