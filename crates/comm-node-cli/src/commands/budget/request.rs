//! `comm-node budget request`: more tokens, asked for by the agent that needs them.

use anyhow::{Result, bail};
use comm_node_core::budget::Verdict;
use comm_node_core::mail;
use comm_node_core::text::one_line;
use serde_json::json;

use crate::Outcome;
use crate::budgeting;
use crate::env::Env;
use crate::here::Here;
use crate::mailing::Me;
use crate::out::Out;

/// Arguments of `comm-node budget request`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  comm-node budget request 5000 --reason 'the migration has two more tables'\n  \
                        comm-node budget request 5k --reason 'one more review' --task bd-102\n\n\
                        It is granted at once where the domain's efficiency is 0.70 or more and the day's cap allows it; \
                        `comm-node budget explain` shows the efficiency. Without --task it is for the session's task."
)]
pub(super) struct Args {
    /// How many tokens: 5000, 5k or 2M
    tokens: String,
    /// What they are for
    #[arg(long)]
    reason: String,
    /// The task they are for
    #[arg(long)]
    task: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    let registry = here.registry()?;
    let n = budgeting::tokens(&args.tokens)?;
    let me = Me::find(env, &here, &registry)?;
    if me.is_person() {
        bail!("a request is made inside a session; from here, grant it: comm-node budget grant <domain> {n}");
    }
    if args.reason.trim().is_empty() {
        bail!("the reason is empty; say what the tokens are for");
    }
    if let Some(task) = args.task.as_deref().filter(|task| !mail::is_word(task, 80)) {
        bail!("`{}` is no task's name; write one word such as bd-102", one_line(task, 60));
    }
    let task = match &args.task {
        Some(task) => Some(task.clone()),
        None => here.store.read_session(&me.session)?.and_then(|session| session.task),
    };
    let answered = budgeting::request(&here, &registry, &me, n, task.as_deref(), &args.reason)?;
    let granted = answered.verdict == Verdict::Granted;
    if args.json {
        out.json(&json!({
            "domain": me.name, "task": task, "tokens": n, "granted": granted, "answer": answered.text,
            "efficiency": answered.score.total(), "weakest": answered.score.weakest().name(),
        }));
    } else if granted {
        out.line(&answered.text);
    } else {
        out.note(&answered.text);
    }
    Ok(if granted { Outcome::Done } else { Outcome::Refused })
}
