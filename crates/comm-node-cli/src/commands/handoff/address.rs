//! Whom a hand-off is for, and the word that they are sent.

use anyhow::{Result, bail};
use comm_node_core::handoff::Handoff;
use comm_node_core::mail::{Draft, Kind};
use comm_node_core::node::registry::{Registry, Role};
use comm_node_core::text::one_line;

use super::write::Args;
use crate::config;
use crate::handing;
use crate::here::Here;
use crate::mailing::{self, Me};

/// Whom a hand-off is for.
pub(super) struct Address {
    /// The domain.
    pub(super) domain: String,
    /// The role, if it is for one.
    pub(super) phase: Option<String>,
}

impl Address {
    /// In words.
    pub(super) fn describe(&self) -> String {
        match &self.phase {
            Some(role) => format!("domain {}, role {role}", self.domain),
            None => format!("domain {}", self.domain),
        }
    }
}

/// The node's roles.
pub(super) fn all_roles<'r>(here: &Here, registry: &'r Registry<'_>) -> Result<Vec<Role<'r>>> {
    let damaged = |why| comm_node_core::Error::Damaged { path: here.store.registry_path(), why };
    Ok(registry.roles.list().map_err(damaged)?)
}

/// Whom the hand-off that `args` describe is for.
pub(super) fn address(
    args: &Args,
    here: &Here,
    registry: &Registry<'_>,
    me: &Me,
    after: Option<&str>,
) -> Result<Address> {
    let (mut domain, mut phase) = (None, None);
    for name in &args.to {
        let slot = if registry.domain(name).is_some() {
            &mut domain
        } else if handing::role(here, registry, name)?.is_some() {
            &mut phase
        } else {
            let roles = all_roles(here, registry)?;
            let names = registry.domains.iter().map(|d| d.name.as_str());
            let names = names.chain(roles.iter().map(|role| role.name.as_str()));
            let shown = one_line(name, 60);
            match config::reader::nearest(name, names) {
                Some(best) => bail!("no domain or role is called `{shown}`; did you mean `{best}`?"),
                None => bail!("no domain or role is called `{shown}`; `comm-node show` lists the domains"),
            }
        };
        if slot.replace(name.clone()).is_some() {
            bail!("--to names two of the same kind; a hand-off is for one domain and one role");
        }
    }
    if args.to_next {
        let Some(after) = after else {
            bail!(
                "this session acts in no role, so none follows; name one with --to, such as --to test-list"
            );
        };
        let next = handing::role(here, registry, after)?.and_then(|role| role.next.map(|n| n.to_string()));
        let Some(next) = next else {
            bail!("no role follows {after}; name one with --to, or add `next` to it in comm-node.yaml");
        };
        if let Some(other) = phase.replace(next.clone()).filter(|other| *other != next) {
            bail!("--to names the role {other}, and after {after} comes {next}; leave one of the two out");
        }
    }
    let domain = match domain {
        Some(domain) => domain,
        None if me.is_person() => bail!("name the domain that it is for with --to"),
        None => me.name.clone(),
    };
    Ok(Address { domain, phase })
}

/// Sends the other domain word. One's own reads of it in the brief of its next session.
pub(super) fn tell(
    here: &Here,
    registry: &Registry<'_>,
    me: &Me,
    address: &Address,
    handoff: &Handoff,
) -> Result<bool> {
    if address.domain == me.name {
        return Ok(false);
    }
    let role = address.phase.as_ref().map(|role| format!(" as {role}")).unwrap_or_default();
    let said = Draft {
        to: mailing::recipients(registry, me, std::slice::from_ref(&address.domain))?,
        kind: Kind::Handoff,
        task: Some(handoff.task.clone()),
        body: format!(
            "Task {0} is handed to {1}{role}: `comm-node handoff accept {0}` takes it, `comm-node handoff show {0}` \
             shows it.",
            handoff.task, address.domain
        ),
        ..Draft::default()
    };
    mailing::send(here, me, said).map(|_| true)
}
