//! `comm-node ack`: close messages that need no answer.

use anyhow::{Result, bail};
use comm_node_core::store::{Item, State};
use serde_json::json;

use crate::Outcome;
use crate::env::Env;
use crate::mailing::{self, Desk};
use crate::out::Out;

/// Arguments of `comm-node ack`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  comm-node ack 7G2K9Q\n  comm-node ack --all          everything that was seen"
)]
pub struct Args {
    /// The messages: their ids, or the six characters that are shown of them
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    ids: Vec<String>,
    /// All that were seen
    #[arg(long)]
    all: bool,
    /// Print JSON: the ids that are closed now
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When one of them is not in the mailbox.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    Desk::open(env, out, |desk| close(args, desk, out))
}

fn close(args: &Args, desk: &Desk<'_>, out: &Out) -> Result<Outcome> {
    let (mail, me) = (desk.mail(), &desk.me);
    let items: Vec<Item> = if args.all {
        mail.open(&me.name)?
    } else {
        args.ids.iter().map(|raw| desk.find(raw)).collect::<Result<_>>()?
    };
    let mut closed = Vec::new();
    for item in &items {
        let before = matches!(item.state, State::Acked(_));
        let Some(item) = mail.acknowledge(&me.name, item.id, &me.session)? else {
            bail!("message {} is just being handled by another command; try again", item.id.short());
        };
        if !before {
            mailing::log(desk.here, me, "mail_acked", &item.id.text());
        }
        closed.push(item.id);
    }
    if args.json {
        out.json(&json!({ "acked": closed }));
    } else if closed.is_empty() {
        out.line("nothing was open");
    } else {
        let ids: Vec<String> = closed.iter().map(|id| id.short()).collect();
        out.line(format!("closed {}", ids.join(" ")));
    }
    Ok(Outcome::Done)
}
