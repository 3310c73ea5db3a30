//! The leases that the author of a hand-off gave back, taken by the session that goes on.
//!
//! Files and whole directories are taken where the new session may write and nobody else holds them. Other patterns were
//! locked for a reason that only their author knows: they are named and left.

use std::path::Path;

use anyhow::Result;
use comm_node_core::clock::Now;
use comm_node_core::deadline::Deadline;
use comm_node_core::glob;
use comm_node_core::handoff::Handoff;
use comm_node_core::lease::{Ask, Conflict, Holder, Mode, Terms, tree_of};
use comm_node_core::node;
use comm_node_core::node::registry::Registry;
use comm_node_core::session::SessionId;
use comm_node_core::store::{Asking, Outcome as Granted};
use comm_node_core::text::one_line;

use crate::env::Env;
use crate::here::Here;
use crate::judging::Judge;
use crate::leasing::{in_scope, target};
use crate::mailing::PATIENCE;

/// What became of the leases that the author gave back. Those that the new session may not write are in neither.
#[derive(Debug, Default)]
pub(super) struct Leases {
    /// Those that the session holds now.
    pub(super) kept: Vec<String>,
    /// Those that it might have, each with the reason why it has not.
    pub(super) left: Vec<String>,
}

/// Takes the leases that the author gave back.
///
/// # Errors
/// When the session's record or the leases can't be read or written.
pub(super) fn rebind(
    env: &Env,
    here: &Here,
    registry: &Registry<'_>,
    id: &SessionId,
    handoff: &Handoff,
) -> Result<Leases> {
    let session = here.store.read_session(id)?;
    let judge = Judge::new(env, here, registry, session.as_ref(), None, None)?;
    let holder = Holder {
        domain: session.as_ref().and_then(|s| s.domain.clone()),
        session: Some(id.clone()),
        agent: None,
    };
    let taker = Taker { env, here, registry, holder, task: &handoff.task };
    let mut leases = Leases::default();
    for path in &handoff.head.released {
        let got = if glob::is_literal(path) {
            let real = here.layout.root.join(path);
            let Ok(verdict) = judge.write(&real, true) else { continue };
            match verdict.rule {
                "lease" => Some(Err(verdict.why)),
                _ if verdict.passes() => taker.file(&real)?,
                _ => None,
            }
        } else {
            taker.pattern(path)?
        };
        match got {
            Some(Ok(())) => leases.kept.push(path.clone()),
            Some(Err(why)) => leases.left.push(format!("{} ({})", one_line(path, 200), one_line(&why, 300))),
            None => {}
        }
    }
    Ok(leases)
}

/// Taken, or why not; `None` where the session has no business there.
type Got = Option<Result<(), String>>;

struct Taker<'t> {
    env: &'t Env,
    here: &'t Here,
    registry: &'t Registry<'t>,
    holder: Holder,
    task: &'t str,
}

impl Taker<'_> {
    fn file(&self, real: &Path) -> Result<Got> {
        let place = node::locate(self.registry, &comm_node_core::path::real(real)?);
        let Some((tree, key)) = tree_of(self.registry, &place) else { return Ok(None) };
        let asks = [Ask::key(&tree, key)];
        self.ask(|who| self.here.store.leases().written(&asks, self.registry.policy.lease_ttl_s, who))
    }

    /// A directory with all below it is taken as `comm-node lock` would; another pattern is left.
    fn pattern(&self, path: &str) -> Result<Got> {
        let whole = self.here.layout.root.join(path);
        let Ok(target) = target(self.env, self.registry, &whole.to_string_lossy()) else { return Ok(None) };
        if in_scope(self.here, self.registry, &self.holder, std::slice::from_ref(&target)).is_err() {
            return Ok(None);
        }
        if !path.strip_suffix("/**").is_some_and(glob::is_literal) {
            return Ok(Some(Err("a pattern; `comm-node lock` takes what of it is needed".to_owned())));
        }
        let reason = format!("handed over with {}", self.task);
        let terms = Terms::Explicit {
            mode: Mode::Exclusive,
            ttl_s: self.registry.policy.lease_ttl_s,
            fixed: false,
            share_with_subagents: false,
            reason: &reason,
        };
        self.ask(|who| self.here.store.leases().lock(&[target.ask()], &terms, who))
    }

    fn ask(&self, take: impl FnOnce(&Asking<'_>) -> comm_node_core::Result<Granted>) -> Result<Got> {
        let liveness = |other: &Holder| self.here.store.holder_liveness(other);
        let now = Now::read();
        let deadline = Deadline::after(PATIENCE);
        let who = Asking { holder: &self.holder, now, liveness: &liveness, deadline };
        let held = |conflict: Box<Conflict>| conflict.describe(now);
        Ok(Some(match take(&who)? {
            Granted::Refused(conflict) => Err(held(conflict)),
            _ => Ok(()),
        }))
    }
}
