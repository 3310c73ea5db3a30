//! Watching a mailbox: for whom ([`who`]), woken by what ([`alarm`]), and which messages are announced when
//! ([`plan`]).
//!
//! Inside a client this must not end before the client does: that a monitor ended is told to the model, which costs a
//! turn. So it waits where there is no node, no session or no mailbox, as quietly as where there is no mail.

mod alarm;
mod plan;
mod who;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use comm_node_core::clock;
use comm_node_core::mail::{Message, Rank};
use comm_node_core::node;
use comm_node_core::store::{Item, State, Store};
use serde_json::json;

use crate::Outcome;
use crate::commands::kickoff;
use crate::env::Env;
use crate::here::Here;
use crate::out::Out;
use alarm::{Alarm, Wake};
use plan::{Next, Plan};
use who::{Mailbox, Who};

/// How often is looked at what nobody tells: whether the client lives, and whether the session works for another domain.
const TICK: Duration = Duration::from_secs(30);
/// The same while a turn is waited for, or a session that is not there yet.
const SOON: Duration = Duration::from_secs(10);
/// Lines of one announcement.
const MAX_LINES: usize = 10;

/// Announces what arrives, until there is nobody left to tell.
pub(crate) fn watch(env: &Env, out: &Out, session: Option<&str>, json: bool) -> Result<Outcome> {
    let mut store = store(env);
    let mut who = Who::find(env, store.as_ref(), session)?;
    if store.is_none() && who.is_person() {
        crate::here::layout_at(&env.cwd)?;
        bail!("the node can't be found; run `comm-node doctor`");
    }
    let (mut alarm, mut plan) = (Alarm::new(who.client()), Plan::default());
    loop {
        if who.is_gone() {
            return Ok(Outcome::Done);
        }
        if store.is_none() {
            store = self::store(env);
        }
        if store.is_some()
            && let Ok(here) = Here::find(env)
        {
            // What can't be done now is tried again; there is nobody to tell it.
            let _ = kickoff::finish(&here);
        }
        let mailbox = store.as_ref().and_then(|store| who.mailbox(store));
        let limit = match (&store, &mailbox) {
            (Some(store), Some(mailbox)) => round(store, mailbox, &mut alarm, &mut plan, out, json),
            // A session registers itself soon after its monitor was started.
            (Some(store), None) => {
                alarm.watch(&[store.dir().join("sessions")]);
                SOON
            }
            _ => TICK,
        };
        if alarm.wait(limit) == Wake::HungUp {
            return Ok(Outcome::Done);
        }
    }
}

/// The state of the node of the working directory, if it is in one.
fn store(env: &Env) -> Option<Store> {
    node::find(&env.cwd).ok().flatten().map(|layout| Store::new(layout.state()))
}

/// Announces what is due, and says how long to wait.
fn round(
    store: &Store,
    mailbox: &Mailbox,
    alarm: &mut Alarm,
    plan: &mut Plan,
    out: &Out,
    json: bool,
) -> Duration {
    let mail = store.mail();
    // What can't be read now may be readable later; there is nobody to tell it.
    let Ok(new) = mail.arrivals(&mailbox.name) else { return TICK };
    // Watched before it is listed, so that nothing arrives in between.
    let mut wanted: Vec<PathBuf> = vec![new];
    if plan.holds() {
        // The end of a turn removes a file there.
        wanted.push(store.dir().join("sessions"));
    }
    alarm.watch(&wanted);
    let now = clock::now_ms();
    let waiting = mail.waiting(&mailbox.name).unwrap_or_default();
    let ours = |item: &Item| {
        let told = matches!(&item.state, State::Offered(id) if *id == mailbox.session);
        told || mail.is_free(&mailbox.name, item, &mailbox.session, now)
    };
    let held_before = plan.holds();
    match plan.next(&waiting, &ours, mailbox.busy, mailbox.before, now) {
        Next::Announce(items) => {
            announce(store, mailbox, &items, now, out, json);
            TICK
        }
        Next::In(ms) => TICK.min(Duration::from_millis(ms)),
        // The other directory is not watched yet.
        Next::Hold if !held_before => Duration::ZERO,
        Next::Hold => SOON,
        Next::Nothing => TICK,
    }
}

fn announce(store: &Store, mailbox: &Mailbox, items: &[Item], now_ms: u64, out: &Out, json: bool) {
    let read = |item: &Item| store.mail().read(&mailbox.name, item).ok().flatten();
    let messages: Vec<Message> =
        items.iter().filter_map(read).filter(|message| !message.is_expired(now_ms)).collect();
    let mut text = String::new();
    for message in messages.iter().take(MAX_LINES) {
        text.push_str(&if json { as_json(message) } else { line(message) });
        text.push('\n');
    }
    if messages.len() > MAX_LINES && !json {
        text.push_str(&format!("{} more messages: comm-node inbox\n", messages.len() - MAX_LINES));
    }
    // One write is one event.
    out.raw(text);
}

/// One message, without a word that its author chose.
fn line(message: &Message) -> String {
    let (id, kind) = (message.id.short(), message.said.kind.name());
    let from = comm_node_core::text::one_line(&message.from, 60);
    let rank = match message.rank() {
        Rank::Blocks => "blocks progress",
        Rank::By(priority) => priority.name(),
    };
    format!("mail {id}: {kind} from {from}, {rank}; if its text does not follow: comm-node read {id}")
}

fn as_json(message: &Message) -> String {
    let said = &message.said;
    json!({
        "id": message.id, "short": message.id.short(), "from": message.from, "type": said.kind,
        "priority": said.priority, "blocks_progress": said.blocks_progress, "thread": message.thread(),
    })
    .to_string()
}
