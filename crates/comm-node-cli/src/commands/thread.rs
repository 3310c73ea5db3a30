//! `comm-node thread`: a conversation, from its first message on.

use anyhow::Result;
use comm_node_core::clock;
use comm_node_core::mail::{Message, Ulid};

use crate::Outcome;
use crate::env::Env;
use crate::mailing::{self, Desk};
use crate::out::Out;

/// Arguments of `comm-node thread`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  comm-node thread 7G2K9Q\n  comm-node thread 7G2K9Q --json | jq -r '.[].body'\n\n\
                        A session sees what its domain got and sent of it; a person sees all."
)]
pub struct Args {
    /// Any message of it: its id, or the six characters that are shown of it
    id: String,
    /// Print JSON: an array with one object per message
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When there is no such message.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    Desk::open(env, out, |desk| show(args, desk, out))
}

fn show(args: &Args, desk: &Desk<'_>, out: &Out) -> Result<Outcome> {
    let wanted = args.id.to_ascii_uppercase();
    mailing::check_id(&wanted, &args.id)?;
    let mut root: Option<Ulid> = None;
    mailing::each(desk, out, &mut |message| {
        if message.id.text().ends_with(&wanted) {
            root = Some(message.thread());
        }
        root.is_none()
    })?;
    let root = root.ok_or_else(|| desk.missing(&args.id))?;
    let mut found: Vec<Message> = Vec::new();
    mailing::each(desk, out, &mut |message| {
        if message.thread() == root {
            found.push(message.clone());
        }
        message.id >= root
    })?;
    found.reverse();
    if args.json {
        let list: Vec<_> = found.iter().map(mailing::view).collect();
        out.json(&list);
        return Ok(Outcome::Done);
    }
    let now = clock::now_ms();
    for message in &found {
        super::read::show(out, message, now);
    }
    Ok(Outcome::Done)
}
