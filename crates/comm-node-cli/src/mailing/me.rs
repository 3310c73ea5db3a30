//! On whose behalf a command runs.

use anyhow::{Result, bail};
use comm_node_core::guard::{self, Binding};
use comm_node_core::mail::HUMAN;
use comm_node_core::node::registry::Registry;
use comm_node_core::session::SessionId;
use comm_node_core::text::one_line;

use crate::env::Env;
use crate::here::{Here, session_of_caller};

/// On whose behalf a command runs.
#[derive(Clone, Debug)]
pub(crate) struct Me {
    /// The domain, or [`HUMAN`].
    pub(crate) name: String,
    /// The session; for a person one called [`HUMAN`].
    pub(crate) session: SessionId,
}

impl Me {
    /// Whoever runs this command: the session's domain, or the person at the terminal.
    pub(crate) fn find(env: &Env, here: &Here, registry: &Registry<'_>) -> Result<Self> {
        let Some(session) = session_of_caller(env, &here.store)? else {
            return Ok(Self { name: HUMAN.to_owned(), session: SessionId::new(HUMAN)? });
        };
        Self::of(here, registry, session)
    }

    /// The domain of `session`.
    pub(crate) fn of(here: &Here, registry: &Registry<'_>, session: SessionId) -> Result<Self> {
        let record = here.store.read_session(&session)?;
        let binding = record.as_ref().map_or(Binding::None, |record| guard::binding(registry, record));
        match binding {
            Binding::Domain(domain) => Ok(Self { name: domain.name.to_string(), session }),
            Binding::None => bail!(
                "this session works for no domain, so it has no mailbox; run `comm-node join <domain>` first"
            ),
            Binding::Waiting(domain) => bail!(
                "this session waits for room in domain {0} and has no mailbox meanwhile; tell the user, who can end \
                 the other session or run `comm-node join {0} --session {1} --force`",
                domain.name,
                session.short()
            ),
            Binding::Gone(name) => bail!(
                "this session is bound to domain {}, which comm-node.yaml does not have; tell the user",
                one_line(name, 60)
            ),
        }
    }

    pub(crate) fn is_person(&self) -> bool {
        self.name == HUMAN
    }
}
