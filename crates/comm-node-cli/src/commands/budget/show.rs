//! `comm-node budget`: all budgets.

use anyhow::Result;
use comm_node_core::budget::{Band, Unit, bar};
use comm_node_core::node::registry::Registry;

use crate::Outcome;
use crate::budgeting::{self, Listed};
use crate::commands::join;
use crate::env::Env;
use crate::here::Here;
use crate::metering;
use crate::out::{Ink, Out};

/// Arguments of `comm-node budget` without a subcommand.
#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// Only the budgets of this domain
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Print JSON: an array with one object per budget
    #[arg(long)]
    json: bool,
}

/// Cells of a bar.
const WIDTH: usize = 10;

pub(super) fn run(args: &ShowArgs, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    let registry = here.registry()?;
    if let Some(name) = &args.domain {
        join::domain(&registry, name)?;
    }
    let listed = priced(&here, &registry, args.domain.as_deref(), env, out)?;
    if args.json {
        out.json(&listed.iter().map(Listed::json).collect::<Vec<_>>());
        return Ok(Outcome::Done);
    }
    let rows: Vec<Vec<String>> = listed.iter().map(row).collect();
    out.table(
        &["DOMAIN", "BUDGET", "SPENT", "OF", "LEFT", "", ""],
        &rows,
        "no budgets; write `budget:` into comm-node.yaml, or run `comm-node budget set <domain> --tokens-per-day <n>`",
    );
    tell_unpriced(&listed, out);
    if listed.iter().any(|one| one.line.band() == Band::All && !one.messages) {
        out.line("used up: a person grants more with `comm-node budget grant <domain> <n> [--task <task>]`");
    }
    Ok(Outcome::Done)
}

/// All budgets. Where one is in dollars, prices that can't be used are told: what they alone price is not in it.
pub(super) fn priced(
    here: &Here,
    registry: &Registry<'_>,
    domain: Option<&str>,
    env: &Env,
    out: &Out,
) -> Result<Vec<Listed>> {
    let listed = budgeting::listed(here, registry, domain)?;
    if listed.iter().any(|one| one.line.unit == Unit::Usd) {
        metering::prices(env, registry, out)?;
    }
    Ok(listed)
}

/// What is missing in budgets in dollars.
pub(super) fn tell_unpriced(listed: &[Listed], out: &Out) {
    for one in listed.iter().filter(|one| one.unpriced > 0) {
        let n = one.unpriced;
        out.line(format!(
            "{} {}, {}: {n} {} of models without a known price {} not in the dollars",
            out.ink(Ink::Yellow, "note"),
            one.domain,
            one.what(),
            if n == 1 { "response" } else { "responses" },
            if n == 1 { "is" } else { "are" }
        ));
    }
}

fn row(one: &Listed) -> Vec<String> {
    let (line, spent) = (&one.line, one.percent());
    let granted = match line.granted {
        0 => String::new(),
        n => format!(" ({} granted)", line.unit.figure(n)),
    };
    vec![
        one.domain.clone(),
        one.what(),
        line.unit.figure(line.spent),
        line.unit.show(line.limit) + &granted,
        line.unit.figure(line.left()),
        bar(spent, WIDTH),
        format!("{spent} %"),
    ]
}
