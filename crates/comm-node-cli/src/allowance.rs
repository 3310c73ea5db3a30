//! Whether a domain may still pay for a message. The one place that sending asks: `send`, `reply`, what else sends,
//! and the drop box.

use anyhow::Result;
use comm_node_core::mail::{self, Draft};
use comm_node_core::node::registry::Registry;

use crate::here::Here;
use crate::mailing::Me;

/// Why `me` may not pay for `said`, as *what; what to do*. A person pays nothing, and what is needed to close work
/// or to ask for more is always let through.
pub(crate) fn refusal(here: &Here, registry: &Registry<'_>, me: &Me, said: &Draft) -> Result<Option<String>> {
    if me.is_person() || mail::is_spared(said) {
        return Ok(None);
    }
    let session = here.store.read_session(&me.session)?;
    let task = said.task.as_deref().or(session.as_ref().and_then(|session| session.task.as_deref()));
    exhausted(here, registry, &me.name, task)
}

/// Why the communication budget of `domain` allows no more on `task`. No budget can be set yet, so that none is
/// ever exhausted; the figures to judge by are [`comm_node_core::store::Mail::traffic`].
#[expect(clippy::unnecessary_wraps, reason = "reading a ledger can fail")]
fn exhausted(_: &Here, _: &Registry<'_>, _domain: &str, _task: Option<&str>) -> Result<Option<String>> {
    Ok(None)
}
