//! `comm-node send`: a message to other domains, or to the person.

use anyhow::{Result, bail};
use comm_node_core::mail::signal::{Mark, Signal, is_signal, mark_named};
use comm_node_core::mail::{Draft, KINDS, Kind, PRIORITIES, Priority, signal};
use comm_node_core::text::one_line;

use crate::env::Env;
use crate::mailing::{self, Desk, confirm, recipients};
use crate::out::Out;
use crate::{Outcome, config, draft};

/// Arguments of `comm-node send`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Domains with commas between them, `human`, or '*' for all domains; or a whole signal line
    to: String,
    /// The text [default: stdin]
    #[arg(value_name = "TEXT")]
    body: Option<String>,
    /// What kind it is [default: question if the text ends with ?, else answer]
    #[arg(long = "type", value_name = "TYPE", value_parser = kind)]
    kind: Option<Kind>,
    #[command(flatten)]
    more: More,
    /// The task it is about
    #[arg(long)]
    task: Option<String>,
    /// Continue the conversation that this message belongs to
    #[arg(long, value_name = "ID", conflicts_with = "reply_to")]
    thread: Option<String>,
    /// Answer this message, which closes it
    #[arg(long, value_name = "ID")]
    reply_to: Option<String>,
}

/// What `send` and `reply` have in common.
#[derive(Debug, clap::Args)]
pub struct More {
    /// How soon it should be read: high is told in the middle of a turn, low after the others
    #[arg(long, default_value = "medium", value_parser = priority)]
    priority: Priority,
    /// This session can't go on before it is answered
    #[arg(long)]
    blocks: bool,
    /// What the answer may cost, in tokens
    #[arg(long, value_name = "N")]
    token_budget: Option<u32>,
    /// A published file that it is about; may be given several times
    #[arg(long = "artifact", value_name = "PATH")]
    artifacts: Vec<String>,
    /// Nobody needs it after this time
    #[arg(long, value_name = "TIME", value_parser = config::duration)]
    expires: Option<u64>,
    /// A design discussion of up to 600 tokens instead of 120
    #[arg(long)]
    detailed: bool,
    /// Print the message as JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl More {
    /// `said` with these.
    pub(super) fn apply(&self, said: Draft) -> Draft {
        Draft {
            priority: self.priority,
            blocks_progress: self.blocks,
            token_budget: self.token_budget,
            artifacts: self.artifacts.clone(),
            expires_s: self.expires,
            detailed: self.detailed,
            ..said
        }
    }
}

const AFTER_HELP: &str = "\
Examples:
  comm-node send backend 'Which fields does User have?' --task bd-102 --blocks
  comm-node send frontend,docs 'The contract is out.' --type artifact_ready --artifact backend/api.yaml
  comm-node send '✓bd-102 →frontend 📄backend/api.yaml →bd-103'     a signal: done, to whom, file, what can begin
  comm-node send frontend done --type signal --task bd-102          the same kind of line, put together
  comm-node send '*' --detailed < design.md
  comm-node send human 'Which of the two licences?' --blocks

A message reaches every recipient or none, and waits where nobody is at work. A reader pays for it, so it is
short: 20 tokens for a signal, 120 without and 600 with --detailed. The sender is the domain of the session, or
human. Text on stdin may begin with the fields of the message, as a file in .comm-node/outbox/ does.";

/// The kind called `raw`.
///
/// # Errors
/// When there is none.
pub(super) fn kind(raw: &str) -> Result<Kind, String> {
    let found = KINDS.iter().find(|(name, _)| *name == raw.replace('-', "_"));
    found.map(|(_, kind)| *kind).ok_or_else(|| one_of(raw, &KINDS.map(|(name, _)| name)))
}

fn priority(raw: &str) -> Result<Priority, String> {
    let found = PRIORITIES.iter().find(|(name, _)| *name == raw);
    found.map(|(_, p)| *p).ok_or_else(|| one_of(raw, &PRIORITIES.map(|(name, _)| name)))
}

fn one_of(raw: &str, names: &[&str]) -> String {
    match config::reader::nearest(raw, names.iter().copied()) {
        Some(best) => format!("did you mean {best}?"),
        None => format!("it may be {}", names.join(", ")),
    }
}

/// Runs the command.
///
/// # Errors
/// When the message can't be sent; nobody gets it then.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    Desk::open(env, out, |desk| post(args, desk, out))
}

fn post(args: &Args, desk: &Desk<'_>, out: &Out) -> Result<Outcome> {
    if args.body.is_none() && is_signal(&args.to) {
        let signal = Signal::parse(&args.to).map_err(|why| anyhow::anyhow!("not sent: {why}"))?;
        return signal_out(args, desk, signal, out);
    }
    let body = mailing::body(args.body.as_deref(), "put it into a file and point to that with --artifact")?;
    let to: Vec<String> = args.to.split(',').map(|to| to.trim().to_owned()).collect();
    if args.kind == Some(Kind::Signal) {
        let signal = compose(args, to, body.trim())?;
        return signal_out(args, desk, signal, out);
    }
    let mut said = if draft::has_frontmatter(&body) {
        written(args, &body, &desk.me.name)?
    } else {
        let question = body.trim_end().ends_with('?');
        let kind = args.kind.unwrap_or(if question { Kind::Question } else { Kind::Answer });
        let body = comm_node_core::mail::form::tidy(&body).to_owned();
        args.more.apply(Draft { kind, task: args.task.clone(), body, ..Draft::default() })
    };
    let named = recipients(desk.registry, &desk.me, &to)?;
    if !said.to.is_empty() && recipients(desk.registry, &desk.me, &said.to)? != named {
        bail!(
            "not sent: `to:` on stdin names {}, the command line {}; leave `to:` out",
            one_line(&said.to.join(", "), 80),
            one_line(&args.to, 80)
        );
    }
    said.to = named;
    link(args, desk, &mut said)?;
    let message = mailing::send(desk.here, &desk.me, said)?;
    confirm(out, args.more.json, &message);
    Ok(Outcome::Done)
}

/// The message in `text`, which `me` sends; its recipients are those of the command line.
fn written(args: &Args, text: &str, me: &str) -> Result<Draft> {
    let more = &args.more;
    let given = [
        ("--type", args.kind.is_some()),
        ("--task", args.task.is_some()),
        ("--priority", more.priority != Priority::default()),
        ("--blocks", more.blocks),
        ("--token-budget", more.token_budget.is_some()),
        ("--artifact", !more.artifacts.is_empty()),
        ("--expires", more.expires.is_some()),
        ("--detailed", more.detailed),
    ];
    if let Some((option, _)) = given.iter().find(|(_, given)| *given) {
        bail!(
            "not sent: the text on stdin begins with fields, so {option} belongs there; leave one of them out"
        );
    }
    match draft::read("stdin", text, true) {
        Ok(written) => match written.from.as_deref().filter(|from| *from != me) {
            Some(from) => bail!(
                "not sent: stdin: it says that it is from {}, but this is {me}; leave `from` out",
                one_line(from, 60)
            ),
            None => Ok(written.said),
        },
        Err(faulty) => bail!("not sent: {}", faulty.one_line()),
    }
}

/// Finds the message that `--thread` or `--reply-to` names.
fn link(args: &Args, desk: &Desk<'_>, said: &mut Draft) -> Result<()> {
    for (raw, answers) in [(&args.thread, false), (&args.reply_to, true)] {
        let Some(raw) = raw else { continue };
        let message = desk.got_or_sent(raw)?;
        said.thread = Some(message.thread());
        said.reply_to = answers.then_some(message.id);
    }
    Ok(())
}

/// A signal from its parts.
fn compose(args: &Args, to: Vec<String>, word: &str) -> Result<Signal> {
    let sign =
        |word: &str| signal::MARKS.iter().find(|(c, _, _)| word == c.to_string()).map(|(_, _, mark)| *mark);
    let Some(mark): Option<Mark> = mark_named(word).or_else(|| sign(word)) else {
        let words: Vec<&str> = signal::MARKS.iter().map(|(_, word, _)| *word).collect();
        bail!(
            "not sent: the text of a signal is one of {}, not `{}`; leave `--type signal` out to say more",
            words.join(", "),
            one_line(word, 40)
        );
    };
    let more = &args.more;
    if more.blocks
        || more.token_budget.is_some()
        || more.detailed
        || args.thread.is_some()
        || args.reply_to.is_some()
    {
        bail!("not sent: a signal has only a task, recipients, --priority and --artifact; send another type");
    }
    Ok(Signal {
        mark,
        task: args.task.clone(),
        from: None,
        to,
        priority: more.priority,
        artifacts: more.artifacts.clone(),
        next: None,
    })
}

fn signal_out(args: &Args, desk: &Desk<'_>, signal: Signal, out: &Out) -> Result<Outcome> {
    let me = &desk.me;
    if let Some(from) = signal.from.as_deref().filter(|from| *from != me.name) {
        bail!(
            "not sent: it says that it is from {}, but this is {}; leave the name before → out",
            one_line(from, 60),
            me.name
        );
    }
    let to = recipients(desk.registry, me, &signal.to)?;
    let said = Draft { to, expires_s: args.more.expires, ..signal.draft(&me.name) };
    // What was put together from arguments has to be a line that is read back.
    if let Err(why) = Signal::parse(&said.body) {
        bail!("not sent: {why}");
    }
    let message = mailing::send(desk.here, me, said)?;
    confirm(out, args.more.json, &message);
    Ok(Outcome::Done)
}
