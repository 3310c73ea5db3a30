//! `comm-node sent`: what was sent, and how far it got.

use anyhow::Result;
use comm_node_core::clock;
use comm_node_core::mail::{EVERYONE, Message};
use comm_node_core::store::{Item, Mail};
use comm_node_core::text;
use serde_json::json;

use crate::Outcome;
use crate::env::Env;
use crate::mailing::{self, Desk};
use crate::out::Out;

/// Arguments of `comm-node sent`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  comm-node sent\n  comm-node sent --open                  what nobody has seen yet\n  comm-node sent --json | jq '.[0].recipients'\n\n\
                        The states: queued (nobody was told), offered (a session was told), seen (its model went on with it), acked \
                        (closed or answered), expired."
)]
pub struct Args {
    /// No more than this, the latest first
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: usize,
    /// Only about this task
    #[arg(long)]
    task: Option<String>,
    /// Only what some recipient has not seen
    #[arg(long)]
    open: bool,
    /// What another domain sent
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Print JSON: an array with one object per message
    #[arg(long)]
    json: bool,
}

/// Each recipient, and where the message is in its mailbox.
type States = Vec<(String, Option<Item>)>;

/// Runs the command.
///
/// # Errors
/// When there is no sender, or the mail can't be listed.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    Desk::over(env, out, args.domain.as_deref(), |here, from| list(args, here.store.mail(), from, out))
}

fn list(args: &Args, mail: Mail<'_>, from: &str, out: &Out) -> Result<Outcome> {
    let now = clock::now_ms();
    let mut found: Vec<(Message, States)> = Vec::new();
    'days: for day in mail.sent_days(from)? {
        for id in mail.sent(from, &day)?.into_iter().rev() {
            if found.len() >= args.limit {
                break 'days;
            }
            let message = match mail.read_sent(from, id) {
                Ok(Some(message)) => message,
                Ok(None) => continue,
                // It hides none of the others.
                Err(e) => {
                    out.note(format!("warning: {}", text::one_line(&format!("{e}; {}", e.remedy()), 600)));
                    continue;
                }
            };
            if args.task.is_some() && args.task != message.said.task {
                continue;
            }
            let states = states(mail, &message)?;
            let seen = |item: &Option<Item>| {
                item.as_ref()
                    .is_none_or(|i| !matches!(mailing::state(&message, &i.state, now), "queued" | "offered"))
            };
            if !args.open || !states.iter().all(|(_, item)| seen(item)) {
                found.push((message, states));
            }
        }
    }
    if args.json {
        let list: Vec<_> = found.iter().map(|(message, states)| view(message, states, now)).collect();
        out.json(&list);
        return Ok(Outcome::Done);
    }
    let rows: Vec<Vec<String>> = found.iter().map(|(message, states)| row(message, states, now)).collect();
    out.table(&["ID", "TYPE", "TASK", "AGE", "STATE", "TEXT"], &rows, "nothing was sent");
    Ok(Outcome::Done)
}

/// How far the message got with each recipient.
fn states(mail: Mail<'_>, message: &Message) -> Result<States> {
    let to = message.said.to.iter().filter(|to| *to != EVERYONE);
    to.map(|to| Ok((to.clone(), mail.find(to, message.id)?))).collect()
}

fn view(message: &Message, states: &States, now_ms: u64) -> serde_json::Value {
    let mut value = mailing::view(message);
    let each = states.iter().map(|(to, item)| {
        json!({
            "to": to,
            "state": item.as_ref().map_or("removed", |i| mailing::state(message, &i.state, now_ms)),
            "session": item.as_ref().and_then(|i| i.state.session()).map(|id| id.as_str()),
        })
    });
    value["recipients"] = each.collect();
    value
}

fn row(message: &Message, states: &States, now_ms: u64) -> Vec<String> {
    let state =
        |item: &Option<Item>| item.as_ref().map_or("removed", |i| mailing::state(message, &i.state, now_ms));
    let each: Vec<String> = states.iter().map(|(to, item)| format!("{to} {}", state(item))).collect();
    vec![
        message.id.short(),
        message.said.kind.name().to_owned(),
        message.said.task.clone().unwrap_or_else(|| "-".to_owned()),
        mailing::age(message, now_ms),
        each.join(", "),
        mailing::first_line(message),
    ]
}
