//! `comm-node budget grant`: more of a budget, from a person.

use anyhow::{Result, bail};
use comm_node_core::budget::{Band, Unit};
use comm_node_core::mail;
use comm_node_core::personal;
use comm_node_core::text::one_line;

use crate::Outcome;
use crate::budgeting::{self, Listed};
use crate::commands::join::{self, person_only};
use crate::env::Env;
use crate::here::Here;
use crate::out::Out;

/// Arguments of `comm-node budget grant`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  comm-node budget grant backend 20000\n  comm-node budget grant backend 20k --task bd-102\n  \
                        comm-node budget grant backend 2.50 --usd\n  comm-node budget grant '*' 100 --usd     to all domains together\n\n\
                        It adds to today's budget, to the total, and to the task's if you name one; sessions go on at once. \
                        It is for a person: an agent can't grant anything."
)]
pub(super) struct Args {
    /// The domain, or '*' for all domains together
    domain: String,
    /// How much: tokens as 5000, 5k or 2M; with --usd dollars as 2.50
    amount: String,
    /// The task that it is for
    #[arg(long)]
    task: Option<String>,
    /// Grant dollars
    #[arg(long)]
    usd: bool,
    /// Why, for the log
    #[arg(long, default_value = "")]
    reason: String,
    /// Print the domain's budgets as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    let registry = here.registry()?;
    person_only(env, &here.store, &personal::BUDGET_GRANT)?;
    let domain = match args.domain.as_str() {
        "*" => None,
        name => Some(join::domain(&registry, name)?.name.as_str()),
    };
    if let Some(task) = args.task.as_deref().filter(|task| !mail::is_word(task, 80)) {
        bail!("`{}` is no task's name; write one word such as bd-102", one_line(task, 60));
    }
    if args.task.is_some() && domain.is_none() {
        bail!("a task is one domain's; name the domain instead of *");
    }
    let amount = if args.usd {
        (budgeting::dollars(&args.amount)?, Unit::Usd)
    } else {
        (budgeting::tokens(&args.amount)?, Unit::Tokens)
    };
    let task = args.task.as_deref();
    budgeting::grant(&here, &registry, domain, amount, task, &args.reason)?;
    let mut listed = budgeting::listed(&here, &registry, domain)?;
    listed.retain(|one| one.domain == args.domain);
    if args.json {
        out.json(&listed.iter().map(Listed::json).collect::<Vec<_>>());
        return Ok(Outcome::Done);
    }
    let whom = match domain {
        Some(name) => budgeting::whom(name, task),
        None => "all domains together".to_owned(),
    };
    out.line(format!("granted {} to {whom}", amount.1.show(amount.0)));
    let still = |one: &&Listed| one.line.band() == Band::All && !one.messages;
    for one in listed.iter().filter(still) {
        out.line(format!(
            "still used up: {}, {} of {}",
            one.what(),
            one.line.unit.figure(one.line.spent),
            one.line.unit.show(one.line.limit)
        ));
    }
    Ok(Outcome::Done)
}
