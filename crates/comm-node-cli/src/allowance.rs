//! Whether a domain may still pay for a message. The one place that sending asks: `send`, `reply`, what else sends,
//! and the drop box.

use anyhow::Result;
use comm_node_core::budget::{OnExhausted, Span, Unit};
use comm_node_core::mail::{self, Draft};
use comm_node_core::node::registry::Registry;
use comm_node_core::text::one_line;

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

/// How much of the record of messages is looked at beyond what the ledger has taken over, in bytes.
const MAX_SINCE: u64 = 1 << 20;

/// Why the communication budget of `domain` allows no more on `task`.
fn exhausted(
    here: &Here,
    registry: &Registry<'_>,
    domain: &str,
    task: Option<&str>,
) -> Result<Option<String>> {
    let budget = registry.domain(domain).and_then(|domain| domain.budget.as_deref());
    let (Some(limit), Some(task)) = (budget.and_then(|budget| budget.coordination), task) else {
        return Ok(None);
    };
    if registry.policy.on_exhausted == OnExhausted::Warn {
        return Ok(None);
    }
    let tally = here.store.ledger().whole_tally(domain)?;
    let counted = here.store.ledger().spent_on(domain, &tally, task)?.message_tokens();
    // The ledger takes messages over with what sessions spend; those since then are counted here.
    let (since, _) = here.store.mail().traffic(domain, &tally.mail, MAX_SINCE)?;
    let since = since.iter().filter(|one| one.task.as_deref() == Some(task)).map(|one| one.tokens);
    let spent = since.fold(counted, u64::saturating_add);
    // What requests and people grant to a task may be talked with too.
    let granted = here.store.grants(Some(domain))?.extra(Span::Task, Unit::Tokens, task);
    Ok((spent >= limit.saturating_add(granted)).then(|| {
        format!(
            "messages about task {} have cost domain {domain} {}, all that coordination may; hand-offs, budget requests \
             and messages to `human` alone are still sent, and `comm-node budget request <tokens> --reason '…' --task {0}` \
             asks for more",
            one_line(task, 80),
            Unit::Tokens.show(spent)
        )
    }))
}
