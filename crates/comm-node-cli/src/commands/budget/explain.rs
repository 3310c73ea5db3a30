//! `comm-node budget explain`: the efficiency of a domain, by its parts.

use anyhow::{Result, bail};
use comm_node_core::budget::efficiency::{MESSAGES, Score};
use comm_node_core::budget::{ENOUGH, Unit};
use comm_node_core::store::today;
use serde_json::{Value, json};

use super::show;
use crate::Outcome;
use crate::commands::join;
use crate::env::Env;
use crate::here::Here;
use crate::mailing::Me;
use crate::out::Out;

/// Arguments of `comm-node budget explain`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  comm-node budget explain\n  comm-node budget explain backend --json | jq .weakest\n\n\
                        Efficiency = 1/2 clarity + 1/4 thrift + 1/4 economy of the last 50 messages. Clarity: 1 less the \
                        questions that a message drew in reply. Thrift: the share of tokens granted on request that were \
                        used. Economy: the median size of the node's messages of a tier, divided by the domain's own mean."
)]
pub(super) struct Args {
    /// The domain [default: that of the session]
    domain: Option<String>,
    /// Print JSON: one object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    let registry = here.registry()?;
    let name = match &args.domain {
        Some(name) => join::domain(&registry, name)?.name.to_string(),
        None => {
            let me = Me::find(env, &here, &registry)?;
            if me.is_person() {
                bail!("this is not run inside a session; name the domain");
            }
            me.name
        }
    };
    let score = here.store.score(&registry, &name)?;
    let budget = registry.domain(&name).and_then(|domain| domain.budget.as_deref());
    let cap = budget.map_or(0, comm_node_core::budget::Budget::cap);
    let requested = here.store.grants(Some(&name))?.requested(&today());
    let listed = show::priced(&here, &registry, Some(&name), env, out)?;
    if args.json {
        out.json(&view(&name, &score, cap, requested));
        return Ok(Outcome::Done);
    }
    let needed = f64::from(ENOUGH) / 100.0;
    out.line(format!(
        "domain {name}: efficiency {:.2}; requests are granted from {needed:.2} on",
        score.total()
    ));
    let rows = [
        (
            score.clarity,
            "1/2",
            "clarity",
            format!("{} on {}", count(score.questions, "question"), count(score.messages, "message")),
        ),
        (score.thrift, "1/4", "thrift", format!("{} of {} granted tokens used", score.used, score.granted)),
        (score.economy, "1/4", "economy", format!("size of the last {MESSAGES} messages at most")),
    ];
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(value, weight, name, by)| vec![name.to_owned(), format!("{value:.2}"), weight.to_owned(), by])
        .collect();
    out.table(&["PART", "VALUE", "WEIGHT", "BY"], &rows, "");
    if score.hundredths() < 100 {
        let weakest = score.weakest();
        out.line(format!("weakest: {}; {}", weakest.name(), weakest.advice()));
    }
    out.line(format!("requests may add {} today, {} of that granted", Unit::Tokens.show(cap), requested));
    show::tell_unpriced(&listed, out);
    Ok(Outcome::Done)
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn view(name: &str, score: &Score, cap: u64, requested: u64) -> Value {
    json!({
        "domain": name, "efficiency": score.total(), "needed": f64::from(ENOUGH) / 100.0,
        "clarity": score.clarity, "thrift": score.thrift, "economy": score.economy,
        "weakest": (score.hundredths() < 100).then(|| score.weakest().name()),
        "messages": score.messages, "questions": score.questions,
        "granted_tokens": score.granted, "used_tokens": score.used,
        "cap_tokens_per_day": cap, "requested_today": requested,
    })
}
