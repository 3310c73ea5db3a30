//! `comm-node budget set`: a budget written into `comm-node.yaml`, the rest of which stays as it is.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use comm_node_core::budget::{Span, Unit};
use comm_node_core::deadline::Deadline;
use comm_node_core::personal;
use comm_node_core::store::Event;
use comm_node_core::store::file::{self, Durability};

use crate::Outcome;
use crate::budgeting;
use crate::commands::join::{self, person_only};
use crate::config::{self, budget};
use crate::env::Env;
use crate::here::Here;
use crate::out::Out;

/// Arguments of `comm-node budget set`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  comm-node budget set backend --tokens-per-day 2M --usd-per-day 20\n  \
                        comm-node budget set '*' --usd-per-day 100\n\n\
                        It changes comm-node.yaml and nothing else in it. It is for a person: an agent can't set a budget.")]
pub(super) struct Args {
    /// The domain, or '*' for the node
    domain: String,
    /// Tokens of one day
    #[arg(long, value_name = "TOKENS")]
    tokens_per_day: Option<String>,
    /// Dollars of one day
    #[arg(long, value_name = "DOLLARS")]
    usd_per_day: Option<String>,
    /// Tokens of one task
    #[arg(long, value_name = "TOKENS")]
    tokens_per_task: Option<String>,
    /// Dollars of one task
    #[arg(long, value_name = "DOLLARS")]
    usd_per_task: Option<String>,
    /// Tokens in all
    #[arg(long, value_name = "TOKENS")]
    tokens: Option<String>,
    /// Dollars in all
    #[arg(long, value_name = "DOLLARS")]
    usd: Option<String>,
    /// Tokens that requests may add in one day
    #[arg(long, value_name = "TOKENS")]
    cap: Option<String>,
}

/// How long others that change comm-node.yaml are waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest comm-node.yaml that is edited.
const MAX: u64 = 4 << 20;

pub(super) fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    person_only(env, &here.store, &personal::BUDGET_SET)?;
    let domain = match args.domain.as_str() {
        "*" => None,
        name => Some(join::domain(&here.registry()?, name)?.name.to_string()),
    };
    let wanted = wanted(args)?;
    if wanted.is_empty() {
        bail!("nothing is to be set; name a limit, such as --tokens-per-day 2M");
    }
    // Another one would write over what this one sets.
    let _lock =
        here.store.lock("config", Deadline::after(PATIENCE)).context("comm-node.yaml is being changed")?;
    let yaml = here.layout.yaml();
    // People keep their configuration behind links; what is there is what is changed.
    let real = yaml.canonicalize().with_context(|| format!("could not find {}", yaml.display()))?;
    let text = file::read(&real, MAX)?.with_context(|| format!("{} is gone", yaml.display()))?;
    let by_hand = || format!("could not change {}; write {} there yourself", yaml.display(), flow(&wanted));
    let new = budget::edited(&text, domain.as_deref(), &wanted).with_context(by_hand)?;
    let before = config::check_text(&here.layout, &text);
    let after = config::check_text(&here.layout, &new);
    let (Some(before), Some(after)) = (before.registry, after.registry) else { bail!(by_hand()) };
    // The rest of the file has to mean what it meant.
    if before.domains.len() != after.domains.len() || !says(&new, domain.as_deref(), &wanted) {
        bail!(by_hand());
    }
    // An editor takes no lock.
    if file::read(&real, MAX)?.as_ref() != Some(&text) {
        bail!("{} was changed meanwhile, and nothing was set; run the command again", yaml.display());
    }
    file::replace(&real, new.as_bytes(), Durability::Flushed)?;
    let name = domain.as_deref().unwrap_or("*");
    here.log(&Event {
        event: "budget_set",
        domain: domain.as_deref().unwrap_or_default(),
        note: &flow(&wanted),
        ..Event::default()
    });
    out.line(format!("set {} for {name} in comm-node.yaml", flow(&wanted)));
    // Compiled now, so that no hook has to.
    config::ensure_compiled(&here.layout, &here.store)?;
    Ok(Outcome::Done)
}

/// The keys that are to be set, with their values as YAML.
fn wanted(args: &Args) -> Result<Vec<(&'static str, String)>> {
    let given = [
        (Span::Day, Unit::Tokens, &args.tokens_per_day),
        (Span::Day, Unit::Usd, &args.usd_per_day),
        (Span::Task, Unit::Tokens, &args.tokens_per_task),
        (Span::Task, Unit::Usd, &args.usd_per_task),
        (Span::Total, Unit::Tokens, &args.tokens),
        (Span::Total, Unit::Usd, &args.usd),
    ];
    let mut out = Vec::new();
    for (span, unit, raw) in given {
        let Some(raw) = raw else { continue };
        let value = match unit {
            Unit::Tokens => budgeting::tokens(raw)?.to_string(),
            Unit::Usd => {
                let micros = budgeting::dollars(raw)?;
                let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            }
        };
        out.push((budget::key(span, unit), value));
    }
    if let Some(raw) = &args.cap {
        out.push(("cap", budgeting::tokens(raw)?.to_string()));
    }
    Ok(out)
}

fn flow(wanted: &[(&str, String)]) -> String {
    let each: Vec<String> = wanted.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    format!("budget: {{{}}}", each.join(", "))
}

/// True if `text` says of `domain` what was wanted.
fn says(text: &str, domain: Option<&str>, wanted: &[(&str, String)]) -> bool {
    wanted.iter().all(|(key, value)| budget::value(text, domain, key).as_ref() == Some(value))
}
