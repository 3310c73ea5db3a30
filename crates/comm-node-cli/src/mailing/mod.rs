//! What the mail commands share.
//!
//! - [`desk`] is how they begin: where, and on whose behalf ([`me`]);
//! - [`address`] says whom a message is for, [`find`] which message is meant;
//! - [`browse`] goes through many, [`view`] shows one.

mod address;
mod browse;
mod desk;
mod find;
mod me;
mod view;

use std::io::{IsTerminal, Read};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use comm_node_core::clock;
use comm_node_core::deadline::Deadline;
use comm_node_core::mail::{self, Draft, Message, Ulid};
use comm_node_core::store::Event;

pub(crate) use address::{owner, recipients};
pub(crate) use browse::{each, read};
pub(crate) use desk::Desk;
pub(crate) use find::{check_id, find, find_sent, missing};
pub(crate) use me::Me;
pub(crate) use view::{age, confirm, first_line, state, view, view_in};

use crate::allowance;
use crate::budgeting;
use crate::here::Here;

/// How long another sender is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// The largest text that is read from stdin; more than any message may have.
const MAX_STDIN: u64 = 64 << 10;

/// The text that was given, or else what stands on stdin; `help` is for one that is too long.
pub(crate) fn body(given: Option<&str>, help: &str) -> Result<String> {
    match given {
        Some(text) if text != "-" => Ok(text.to_owned()),
        _ if std::io::stdin().is_terminal() => {
            bail!("no text was given; write it behind the recipient, or give it on stdin")
        }
        _ => {
            let mut bytes = Vec::new();
            std::io::stdin().take(MAX_STDIN + 1).read_to_end(&mut bytes).context("could not read stdin")?;
            if bytes.len() as u64 > MAX_STDIN {
                bail!("stdin holds more than {MAX_STDIN} bytes; {help}");
            }
            String::from_utf8(bytes).map_err(|e| {
                anyhow::anyhow!("stdin is not UTF-8 text at byte {}; send text", e.utf8_error().valid_up_to())
            })
        }
    }
}

/// Checks `said` and sends it.
pub(crate) fn send(here: &Here, me: &Me, said: Draft) -> Result<Message> {
    post(here, me, None, said)
}

/// The same under an id that was reserved for it, unless that was done already.
pub(crate) fn send_once(here: &Here, me: &Me, id: Ulid, said: Draft) -> Result<Message> {
    post(here, me, Some(id), said)
}

fn post(here: &Here, me: &Me, id: Option<Ulid>, said: Draft) -> Result<Message> {
    if let Some(why) = mail::fault(&said) {
        bail!("not sent: {why}");
    }
    // The id has the same length whichever it will be.
    let trial = Message { id: Ulid::fresh(clock::now_ms(), None), from: me.name.clone(), said };
    if let Some(why) = mail::too_large(&trial) {
        bail!("not sent: {why}");
    }
    let registry = here.registry()?;
    if let Some(why) = allowance::refusal(here, &registry, me, &trial.said)? {
        bail!("not sent: {why}");
    }
    let deadline = Deadline::after(PATIENCE);
    let mail = here.store.mail();
    let message = match id {
        None => mail.send(&me.name, trial.said, &me.session, deadline)?,
        Some(id) => mail.send_once(id, &me.name, trial.said, &me.session, deadline)?,
    };
    let note = format!("{} {} to {}", message.id, message.said.kind.name(), message.said.to.join(","));
    log(here, me, "mail_sent", &note);
    budgeting::answer(here, &registry, me, &message)?;
    Ok(message)
}

/// Puts what became of a message into the log.
pub(crate) fn log(here: &Here, me: &Me, event: &str, note: &str) {
    let session = if me.is_person() { "" } else { me.session.as_str() };
    let domain = if me.is_person() { "" } else { me.name.as_str() };
    here.log(&Event { event, session, domain, note, ..Event::default() });
}
