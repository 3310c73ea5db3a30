//! `comm-node search`: messages by their text and fields.

use anyhow::{Result, bail};
use comm_node_core::clock;
use comm_node_core::mail::{Kind, Message};
use comm_node_core::text::one_line;
use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use crate::env::Env;
use crate::mailing::{self, Desk};
use crate::out::Out;
use crate::{Outcome, config};

/// Arguments of `comm-node search`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  comm-node search contract\n  comm-node search --from backend --type question --since 2d\n  \
                        comm-node search --regex 'User\\.(id|email)' --json\n\n\
                        All filters must match. A session sees what its domain got and sent; a person sees all."
)]
pub struct Args {
    /// Text that the message contains, in whatever case
    #[arg(required_unless_present_any = ["from", "to", "kind", "task", "thread", "since"])]
    text: Option<String>,
    /// The text is a regular expression
    #[arg(long, requires = "text")]
    regex: bool,
    /// Only from this domain
    #[arg(long, value_name = "DOMAIN")]
    from: Option<String>,
    /// Only to this domain
    #[arg(long, value_name = "DOMAIN")]
    to: Option<String>,
    /// Only of this kind
    #[arg(long = "type", id = "kind", value_name = "TYPE", value_parser = super::send::kind)]
    kind: Option<Kind>,
    /// Only about this task
    #[arg(long)]
    task: Option<String>,
    /// Only of the conversation that began with this message
    #[arg(long, value_name = "ID")]
    thread: Option<String>,
    /// Only of this time until now
    #[arg(long, value_name = "TIME", value_parser = config::duration)]
    since: Option<u64>,
    /// No more than this, the latest first
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: usize,
    /// Print JSON: an array with one object per message
    #[arg(long)]
    json: bool,
}

/// What the text of a message must have.
enum Pattern {
    Any,
    Plain(String),
    Regex(Box<Regex>),
}

impl Pattern {
    fn new(args: &Args) -> Result<Self> {
        let Some(text) = &args.text else { return Ok(Self::Any) };
        if !args.regex {
            return Ok(Self::Plain(text.to_lowercase()));
        }
        let syntax = syntax::Config::new().case_insensitive(true);
        let limit = Regex::config().nfa_size_limit(Some(1 << 20));
        match Regex::builder().syntax(syntax).configure(limit).build(text) {
            Ok(regex) => Ok(Self::Regex(Box::new(regex))),
            Err(e) => {
                let why = e.syntax_error().map_or_else(
                    || e.to_string(),
                    |e| {
                        e.to_string()
                            .lines()
                            .last()
                            .unwrap_or_default()
                            .trim_start_matches("error: ")
                            .to_owned()
                    },
                );
                bail!("`{}` is not a regular expression: {why}", one_line(text, 80))
            }
        }
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Plain(wanted) => text.to_lowercase().contains(wanted),
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// When the expression is not valid, or the mail can't be listed.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    Desk::open(env, out, |desk| find(args, desk, out))
}

fn find(args: &Args, desk: &Desk<'_>, out: &Out) -> Result<Outcome> {
    let pattern = Pattern::new(args)?;
    let now = clock::now_ms();
    let begin = args.since.map_or(0, |s| now.saturating_sub(s.saturating_mul(1000)));
    let mut found: Vec<Message> = Vec::new();
    if args.limit > 0 {
        mailing::each(desk, out, &mut |message| {
            if message.id.ms() < begin {
                return false;
            }
            if fits(args, message) && pattern.matches(&message.said.body) {
                found.push(message.clone());
            }
            found.len() < args.limit
        })?;
    }
    if args.json {
        let list: Vec<_> = found.iter().map(mailing::view).collect();
        out.json(&list);
        return Ok(Outcome::Done);
    }
    let row = |m: &Message| {
        vec![
            m.id.short(),
            m.from.clone(),
            m.said.to.join(","),
            m.said.kind.name().to_owned(),
            m.said.task.clone().unwrap_or_else(|| "-".to_owned()),
            mailing::age(m, now),
            mailing::first_line(m),
        ]
    };
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    out.table(&["ID", "FROM", "TO", "TYPE", "TASK", "AGE", "TEXT"], &rows, "no message matches");
    Ok(Outcome::Done)
}

fn fits(args: &Args, message: &Message) -> bool {
    let said = &message.said;
    args.from.as_ref().is_none_or(|from| *from == message.from)
        && args.to.as_ref().is_none_or(|to| said.to.contains(to))
        && args.kind.is_none_or(|kind| kind == said.kind)
        && args.task.as_ref().is_none_or(|task| said.task.as_ref() == Some(task))
        && args.thread.as_ref().is_none_or(|id| message.thread().text().ends_with(&id.to_ascii_uppercase()))
}
