//! `comm-node reply`: an answer, which closes what it answers.

use anyhow::{Result, bail};
use comm_node_core::mail::{Draft, Kind, form};

use crate::Outcome;
use crate::env::Env;
use crate::mailing::{self, Desk, confirm, find, find_sent, recipients};
use crate::out::Out;

/// Arguments of `comm-node reply`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  comm-node reply 7G2K9Q 'id, email, name and role.'\n  comm-node reply 7G2K9Q --type question 'Which of the two?'\n  \
                        comm-node reply 7G2K9Q --detailed < answer.md\n\n\
                        The answer goes to the author of the message, in its conversation and about its task."
)]
pub struct Args {
    /// The message: its id, or the six characters that are shown of it
    id: String,
    /// The text [default: stdin]
    #[arg(value_name = "TEXT")]
    body: Option<String>,
    /// What kind it is
    #[arg(long = "type", value_name = "TYPE", default_value = "answer", value_parser = super::send::kind)]
    kind: Kind,
    #[command(flatten)]
    more: super::send::More,
}

/// Runs the command.
///
/// # Errors
/// When the message is not in the mailbox, or the answer can't be sent.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    Desk::open(env, out, |desk| answer(args, desk, out))
}

fn answer(args: &Args, desk: &Desk<'_>, out: &Out) -> Result<Outcome> {
    let Some(item) = find(desk.mail(), &desk.me.name, &args.id)? else {
        if let Some(own) = find_sent(desk.mail(), &desk.me.name, &args.id)? {
            bail!(
                "{0} is a message that {1} sent itself; say more in its conversation with `comm-node send {2} --thread {0} '…'`",
                own.id.short(),
                desk.me.name,
                own.said.to.join(",")
            );
        }
        return Err(desk.missing(&args.id));
    };
    let Some(message) = desk.mail().read(&desk.me.name, &item)? else {
        bail!("message {} is just being handled by another command; try again", item.id.short());
    };
    if args.kind == Kind::Signal {
        bail!(
            "a signal answers nothing; use `comm-node ack {}`, or send one with `comm-node send`",
            item.id.short()
        );
    }
    let said = Draft {
        to: recipients(desk.registry, &desk.me, std::slice::from_ref(&message.from))?,
        kind: args.kind,
        task: message.said.task.clone(),
        thread: Some(message.thread()),
        reply_to: Some(message.id),
        body: form::tidy(&mailing::body(
            args.body.as_deref(),
            "put it into a file and name that in the answer",
        )?)
        .to_owned(),
        ..Draft::default()
    };
    let answer = mailing::send(desk.here, &desk.me, args.more.apply(said))?;
    confirm(out, args.more.json, &answer);
    Ok(Outcome::Done)
}
