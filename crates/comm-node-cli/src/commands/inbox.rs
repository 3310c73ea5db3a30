//! `comm-node inbox`: what waits for a domain.

use anyhow::Result;
use comm_node_core::clock;
use comm_node_core::deadline::Deadline;
use comm_node_core::mail::{HUMAN, Message};
use comm_node_core::store::Item;

use crate::Outcome;
use crate::env::Env;
use crate::here::Here;
use crate::mailing::{self, Desk};
use crate::out::Out;

/// Arguments of `comm-node inbox`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  comm-node inbox\n  comm-node inbox --all --limit 50\n  comm-node inbox --json | jq -r '.[] | select(.type == \"question\") | .short'\n\n\
                        STATE is queued, offered (a session was told), seen (its model went on with it), acked, or expired. A message \
                        that wants an answer stays until `comm-node reply` or `comm-node ack`."
)]
pub struct Args {
    /// What is closed too, the latest first
    #[arg(long)]
    all: bool,
    /// With --all, no more than this
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: usize,
    /// Look at another mailbox: a domain's, or `human`
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Print JSON: an array with one object per message
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When there is no mailbox, or it can't be listed.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    Desk::over(env, out, args.domain.as_deref(), |here, name| list(args, here, name, out))
}

fn list(args: &Args, here: &Here, name: &str, out: &Out) -> Result<Outcome> {
    if name == HUMAN {
        // Whatever keeps it from being told, what was told before can be read.
        let _ = here.store.look_out(None, Deadline::after(mailing::PATIENCE));
    }
    let mail = here.store.mail();
    let mut found: Vec<(Message, Item)> = Vec::new();
    let mut items = mail.waiting(name)?;
    items.append(&mut mail.open(name)?);
    items.sort_by_key(|item| (item.rank, item.id));
    for item in items {
        if let Some(message) = mailing::read(here, out, name, &item) {
            found.push((message, item));
        }
    }
    if args.all {
        'days: for day in mail.archive_days(name)? {
            for item in mail.archived(name, &day)?.into_iter().rev() {
                if found.len() >= args.limit {
                    break 'days;
                }
                if let Some(message) = mailing::read(here, out, name, &item) {
                    found.push((message, item));
                }
            }
        }
    }
    let now = clock::now_ms();
    if args.json {
        let list: Vec<_> = found.iter().map(|(m, item)| mailing::view_in(m, item, now)).collect();
        out.json(&list);
        return Ok(Outcome::Done);
    }
    let rows: Vec<Vec<String>> = found.iter().map(|(m, item)| row(m, item, now)).collect();
    let heading = ["ID", "FROM", "TYPE", "RANK", "TASK", "STATE", "AGE", "TEXT"];
    out.table(&heading, &rows, "no mail; `comm-node inbox --all` lists what is closed");
    Ok(Outcome::Done)
}

fn row(message: &Message, item: &Item, now_ms: u64) -> Vec<String> {
    vec![
        message.id.short(),
        message.from.clone(),
        message.said.kind.name().to_owned(),
        item.rank.name().to_owned(),
        message.said.task.clone().unwrap_or_else(|| "-".to_owned()),
        mailing::state(message, &item.state, now_ms).to_owned(),
        mailing::age(message, now_ms),
        mailing::first_line(message),
    ]
}
