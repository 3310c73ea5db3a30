//! The drop box: what waits in `.comm-node/outbox/` is checked and sent.
//!
//! Who wrote a file is not told by the file. It is known where a session's own hook names it, or where
//! the file says `from:` and a session of that domain finds it, or where one session is at work alone.

use anyhow::Result;
use comm_node_core::clock;
use comm_node_core::deadline::Deadline;
use comm_node_core::mail::{self, Draft, Message, Ulid};
use comm_node_core::node::registry::Registry;
use comm_node_core::store::{Routed, Verdict};

use crate::allowance;
use crate::budgeting;
use crate::config::fault::Issue;
use crate::draft::{self, Written};
use crate::here::Here;
use crate::mailing::{self, Me, recipients};
use crate::out::Out;

/// Sends for `me` what waits, and gives `each` what became of it. `wrote` names files that `me` is known to have written
/// just now; otherwise all are looked at, as long as there is time.
pub(crate) fn route(
    here: &Here,
    registry: &Registry<'_>,
    me: &Me,
    wrote: &[String],
    limit: Deadline,
    each: &mut dyn FnMut(&str, &Routed),
) -> Result<()> {
    let store = &here.store;
    let mut names = store.mail().dropped()?;
    if !wrote.is_empty() {
        names.retain(|name| wrote.contains(name));
    }
    if names.is_empty() {
        return Ok(());
    }
    let mine = !wrote.is_empty();
    let sure = mine || (!me.is_person() && is_alone(here)?);
    // One after the other, so that whoever is stopped in the middle has told what became of the first ones.
    for name in &names {
        if limit.passed() {
            return Ok(());
        }
        let deadline = limit.at_most(mailing::PATIENCE);
        let one = std::slice::from_ref(name);
        let routed = store.mail().route(&me.name, &me.session, one, mine, deadline, &mut |name, text| {
            check(here, registry, me, (mine, sure), name, text)
        })?;
        for (name, routed) in &routed {
            each(name, routed);
            match routed {
                Routed::Sent(m) => {
                    let note = format!("{} {} to {}", m.id, m.said.kind.name(), m.said.to.join(","));
                    mailing::log(here, me, "mail_sent", &note);
                    budgeting::answer(here, registry, me, m)?;
                }
                Routed::Rejected(why) => mailing::log(here, me, "mail_rejected", &format!("{name}: {why}")),
            }
        }
    }
    Ok(())
}

/// The same beside another command, which says it on stderr. What goes wrong is not that command's fault.
pub(crate) fn sweep(here: &Here, registry: &Registry<'_>, me: &Me, out: &Out) {
    if me.is_person() {
        return;
    }
    let limit = Deadline::after(mailing::PATIENCE);
    let told = route(here, registry, me, &[], limit, &mut |name, routed| out.note(sentence(name, routed)));
    if let Err(e) = told {
        out.note(format!("warning: the drop box could not be emptied: {e:#}"));
    }
}

/// What became of a file, in one line.
pub(crate) fn sentence(name: &str, routed: &Routed) -> String {
    let name = comm_node_core::text::one_line(name, 80);
    match routed {
        Routed::Sent(m) => format!("outbox/{name} was sent as {} to {}", m.id.short(), m.said.to.join(", ")),
        Routed::Rejected(why) => {
            let why = comm_node_core::text::one_line(why, 1200);
            format!("outbox/{name} was not sent and is in outbox/rejected/ now: {why}; write it anew")
        }
    }
}

/// True if one session at most is at work in the node.
fn is_alone(here: &Here) -> Result<bool> {
    let now = clock::now_ms();
    let live =
        here.store.sessions()?.into_iter().flatten().filter(|(s, heartbeat)| s.is_live(*heartbeat, now));
    Ok(live.count() <= 1)
}

fn check(
    here: &Here,
    registry: &Registry<'_>,
    me: &Me,
    (mine, sure): (bool, bool),
    name: &str,
    text: &str,
) -> Verdict {
    let written = match draft::read(name, text, false) {
        Ok(written) => written,
        Err(faulty) => {
            // What another domain says that it wrote is that one's to be told of; what nobody does is told to whoever finds it.
            let others = match faulty.from.as_deref() {
                Some(from) => from != me.name && (from == mail::HUMAN || registry.domain(from).is_some()),
                None => me.is_person(),
            };
            return if others && !sure { Verdict::Leave } else { Verdict::Reject(faulty.one_line()) };
        }
    };
    match written.from.as_deref() {
        Some(from) if from == me.name => {}
        Some(from) if mine => {
            let from = comm_node_core::text::one_line(from, 60);
            return Verdict::Reject(format!(
                "{name}: it says that it is from {from}, but this is {}; leave `from` out",
                me.name
            ));
        }
        None if sure => {}
        None if me.is_person() => return Verdict::Leave,
        None => {
            return Verdict::Reject(format!(
                "{name}: it does not say `from:`, and several sessions are at work; add it, or write the file with the Write tool"
            ));
        }
        Some(_) => return Verdict::Leave,
    }
    match complete(here, registry, me, written) {
        Ok(said) => Verdict::Send(said),
        Err(why) => Verdict::Reject(why),
    }
}

/// The draft with its recipients and its conversation looked up.
fn complete(here: &Here, registry: &Registry<'_>, me: &Me, written: Written) -> Result<Draft, String> {
    let Written { mut said, to_at, source, .. } = written;
    said.to = recipients(registry, me, &said.to).map_err(|e| {
        let text = e.to_string();
        let (what, help) = text.split_once("; ").unwrap_or((&text, "name another one"));
        source.one_line(&Issue::fault(to_at, what, help))
    })?;
    if let Some(id) = said.reply_to {
        let mail = here.store.mail();
        let found = mail.find(&me.name, id).and_then(|item| match item {
            Some(item) => mail.read(&me.name, &item),
            None => mail.read_sent(&me.name, id),
        });
        match found {
            Ok(Some(message)) => said.thread = Some(message.thread()),
            _ => return Err(format!("`reply_to` names no message of {}; leave it out", me.name)),
        }
    }
    if let Some(why) = mail::fault(&said) {
        return Err(why);
    }
    let trial = Message { id: Ulid::fresh(clock::now_ms(), None), from: me.name.clone(), said };
    if let Some(why) = mail::too_large(&trial) {
        return Err(why
            .replace("add --detailed", "add `detailed: true`")
            .replace("--artifact", "`artifacts:`"));
    }
    match allowance::refusal(here, registry, me, &trial.said) {
        Ok(None) => Ok(trial.said),
        Ok(Some(why)) => Err(why),
        Err(e) => Err(format!("{e:#}")),
    }
}
