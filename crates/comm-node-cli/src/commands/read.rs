//! `comm-node read`: messages in full.

use anyhow::Result;
use comm_node_core::clock;
use comm_node_core::mail::{HUMAN, Message, frame};
use comm_node_core::store::{Place, State, Way};

use crate::Outcome;
use crate::env::Env;
use crate::mailing::{self, Desk};
use crate::out::Out;

/// Arguments of `comm-node read`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  comm-node read 7G2K9Q\n  comm-node read 7G2K9Q 7G2K9R --json\n\n\
                        A message that waited counts as seen by this session then. Lines that begin with > were written by its author.")]
pub struct Args {
    /// The messages: their ids, or the six characters that are shown of them
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Print JSON: an array with one object per message
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When one of them is not there or can't be read.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    Desk::open(env, out, |desk| show_all(args, desk, out))
}

fn show_all(args: &Args, desk: &Desk<'_>, out: &Out) -> Result<Outcome> {
    let (mail, me) = (desk.mail(), &desk.me);
    let now = clock::now_ms();
    let mut found = Vec::new();
    for raw in &args.ids {
        found.push(match mailing::find(mail, &me.name, raw)? {
            Some(item) => {
                let message = mail.read(&me.name, &item)?.ok_or_else(|| desk.missing(raw))?;
                // What was told to another session stays with that one.
                let mine = item.state.session().is_none_or(|id| *id == me.session);
                if item.place == Place::New && mine && mail.seen(&me.name, &item, &me.session)?.is_some() {
                    mailing::log(desk.here, me, "mail_seen", &item.id.text());
                }
                let state = if item.place == Place::New && mine {
                    State::Seen(me.session.clone())
                } else {
                    item.state.clone()
                };
                note_cost(desk, &message)?;
                let view = mailing::view_in(&message, &comm_node_core::store::Item { state, ..item }, now);
                (message, view)
            }
            None => {
                let message = elsewhere(desk, raw)?.ok_or_else(|| desk.missing(raw))?;
                let view = mailing::view(&message);
                (message, view)
            }
        });
    }
    if args.json {
        let list: Vec<_> = found.into_iter().map(|(_, view)| view).collect();
        out.json(&list);
        return Ok(Outcome::Done);
    }
    for (message, _) in &found {
        show(out, message, now);
    }
    Ok(Outcome::Done)
}

/// A session that reads a message pays for it.
fn note_cost(desk: &Desk<'_>, message: &Message) -> Result<()> {
    let me = &desk.me;
    if me.is_person() {
        return Ok(());
    }
    let task = desk.here.store.read_session(&me.session)?.and_then(|session| session.task);
    Ok(desk.mail().note_traffic(Way::Read, &me.name, &me.session, task.as_deref(), &[message])?)
}

/// A message that one sent oneself; for a person one that anybody sent.
fn elsewhere(desk: &Desk<'_>, raw: &str) -> Result<Option<Message>> {
    let (mail, me) = (desk.mail(), &desk.me);
    if !me.is_person() {
        return mailing::find_sent(mail, &me.name, raw);
    }
    for name in desk.registry.domains.iter().map(|d| d.name.as_str()).chain([HUMAN]) {
        if let Some(message) = mailing::find_sent(mail, name, raw)? {
            return Ok(Some(message));
        }
    }
    Ok(None)
}

/// Prints one message.
pub(super) fn show(out: &Out, message: &Message, now_ms: u64) {
    out.raw(frame::whole(message));
    out.line(format!(
        "({} ago to {}; id {})",
        mailing::age(message, now_ms),
        message.said.to.join(", "),
        message.id
    ));
}
