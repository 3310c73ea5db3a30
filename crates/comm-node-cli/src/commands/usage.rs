//! `comm-node usage`: what was spent, by whom and on what.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use comm_node_core::budget::Unit;
use comm_node_core::clock;
use comm_node_core::deadline::Deadline;
use comm_node_core::ledger::{Keys, Record, Source, Spend};
use comm_node_core::node::registry::Registry;
use comm_node_core::store::{Cursor, Rebuilt, Unread, Way};
use serde_json::{Map, Value, json};

use crate::Outcome;
use crate::env::Env;
use crate::here::Here;
use crate::metering::{self, Meter};
use crate::out::Out;

/// How long the ledger is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much of a domain's mail is read at once.
const MAIL: u64 = 1 << 20;

/// Arguments of `comm-node usage`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  comm-node usage\n  comm-node usage --by model --since 7d\n  comm-node usage --by task --json | jq -r '.[] | [.task, .usd] | @tsv'\n  comm-node usage --import ~/.claude/projects/-home-me-shop\n\n\
                  It reads on in all transcripts first. Costs are list prices, as far as the model has one: put your own into \
                  <claude dir>/comm-node/prices.txt or into `prices:` in comm-node.yaml (docs/metering.md). Days are UTC."
)]
pub struct Args {
    /// What makes a row
    #[arg(long, value_enum, default_value_t = By::Domain)]
    by: By,
    /// Only from this day on (2026-11-25), or for so long back (7d, 12h: whole days)
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<String>,
    /// First meter the transcripts in this directory, or this one; again changes nothing
    #[arg(long, value_name = "PATH")]
    import: Option<PathBuf>,
    /// Print JSON: an array with one object per row
    #[arg(long)]
    json: bool,
}

/// What makes a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum By {
    Domain,
    Task,
    Role,
    Model,
    Day,
    Session,
}

impl By {
    fn name(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::Task => "task",
            Self::Role => "role",
            Self::Model => "model",
            Self::Day => "day",
            Self::Session => "session",
        }
    }

    /// The key of a row; mail has neither a model nor a role.
    fn key<'k>(self, keys: &'k Keys, session: &'k str) -> &'k str {
        match self {
            Self::Domain => &keys.domain,
            Self::Task => &keys.task,
            Self::Role => &keys.role,
            Self::Model => &keys.model,
            Self::Day => &keys.day,
            Self::Session => session,
        }
    }
}

/// A day, or the day that lies so far back.
fn since(text: &str) -> Result<String, String> {
    let day = format!("{text}T00:00:00Z");
    if text.len() == 10 && clock::parse_rfc3339(&day).is_some() {
        return Ok(text.to_owned());
    }
    let span = humantime::parse_duration(text)
        .map_err(|_| "write a day such as 2026-11-25, or a span such as 7d")?;
    let back = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let mut day = clock::rfc3339(clock::now_ms().saturating_sub(back));
    day.truncate(10);
    Ok(day)
}

/// Runs the command.
///
/// # Errors
/// When there is no node, or its ledger can't be read or written.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    let registry = here.registry()?;
    let prices = metering::prices(env, &registry, out)?;
    let mut meter = Meter::new(&here, &registry, &prices, out);
    if let Some(path) = &args.import {
        import(&mut meter, &env.cwd.join(path), out)?;
    }
    meter.catch_up(out);
    let records = settle(&here, out)?;
    tell_uncounted(&records, out);
    assess(&here, &registry, out);
    show(args, &here, &records, out)
}

fn import(meter: &mut Meter<'_>, path: &std::path::Path, out: &Out) -> Result<()> {
    meter.import(path, out, |done, all, report| {
        if done == all || done % 50 == 0 {
            out.note(format!(
                "{done} of {all} {}, {} MB read",
                if all == 1 { "session" } else { "sessions" },
                report.bytes >> 20
            ));
        }
    })?;
    let report = &meter.report;
    let files = if report.files == 1 { "1 file".to_owned() } else { format!("{} files", report.files) };
    out.note(format!("imported {}: {files} had something new", path.display()));
    Ok(())
}

/// Every record, and the sums put right by them.
fn settle(here: &Here, out: &Out) -> Result<Vec<(Source, Record)>> {
    let ledger = here.store.ledger();
    let books = ledger.open(Deadline::after(PATIENCE)).context("the ledger is taken")?;
    let mut records = Vec::new();
    let survey = ledger.survey();
    let aside = ledger.lost_all();
    let mut unread = Unread { sources: ledger.lost_sources(), all: aside.is_some(), ..Unread::default() };
    for (session, e) in survey.failed {
        out.note(format!("{e}; {}", e.remedy()));
        unread.all |= session.is_none();
        unread.sessions.extend(session);
    }
    for source in &unread.sources {
        out.note(format!("the record of {source} was set aside; `comm-node usage --import` makes it again from its transcript"));
    }
    for source in survey.sources {
        match ledger.record(&source) {
            Ok(Some(record)) => records.push((source, record)),
            Ok(None) => {}
            Err(e) => {
                out.note(format!("{e}; {}", unread_remedy(&e)));
                unread.sources.push(source);
            }
        }
    }
    let until = match aside {
        Some(aside) => format!(
            " until {} is removed; first import the transcripts of the records that are gone with `comm-node usage --import`",
            crate::out::path(&aside)
        ),
        None => String::new(),
    };
    let now = clock::now_ms();
    let live = |source: &Source| here.store.session_lives(&source.session, now);
    for domain in domains(here, &records) {
        match books.rebuild(&domain, &records, &unread, &live)? {
            Rebuilt::Same | Rebuilt::Made => {}
            Rebuilt::Kept => out.note(format!(
                "domain {domain}: its sum says more than the records that can be read, and stays as it is{until}"
            )),
            Rebuilt::Lowered(by) => out.note(format!(
                "domain {domain}: its sum said more than all records do, and is now lower by {}",
                less(&by)
            )),
        }
    }
    Ok(records)
}

/// What of the transcripts is not counted, whoever read it.
fn tell_uncounted(records: &[(Source, Record)], out: &Out) {
    let sum =
        |of: fn(&Record) -> u64| records.iter().map(|(_, record)| of(record)).fold(0, u64::saturating_add);
    let lines = |n: u64| if n == 1 { "1 line".to_owned() } else { format!("{n} lines") };
    let (unreadable, too_long) = (sum(|record| record.unreadable), sum(|record| record.too_long));
    if unreadable > 0 {
        out.note(format!(
            "not counted: {} that should tell of a response and could not be read",
            lines(unreadable)
        ));
    }
    if too_long > 0 {
        out.note(format!(
            "passed over: {} of more than 4 MiB; a response in {} is not counted",
            lines(too_long),
            if too_long == 1 { "it" } else { "them" }
        ));
    }
}

/// What helps against a record that can't be read.
fn unread_remedy(error: &comm_node_core::Error) -> &'static str {
    match error {
        comm_node_core::Error::Damaged { .. } => {
            "`comm-node usage --import <transcript>` sets it aside and makes it again from the session's transcript"
        }
        e => e.remedy(),
    }
}

fn less(by: &Spend) -> String {
    let tokens = by.usage.tokens().saturating_add(by.message_tokens());
    format!("{} and {}", Unit::Tokens.show(tokens), Unit::Usd.show(by.known_micro_usd()))
}

/// Has the budgets judged by the sums as they are now, which the guard goes by.
fn assess(here: &Here, registry: &Registry<'_>, out: &Out) {
    for domain in registry.domains.iter().filter(|d| d.budget.is_some() || registry.budget.is_some()) {
        if let Err(e) = here.store.reassess(registry, &domain.name, Deadline::after(PATIENCE)) {
            out.note(format!(
                "where the budgets of {} stand can't be told: {e}; {}",
                domain.name,
                e.remedy()
            ));
        }
    }
}

fn domains(here: &Here, records: &[(Source, Record)]) -> Vec<String> {
    let mut names = here.store.ledger().domains();
    names.extend(records.iter().flat_map(|(_, record)| &record.rows).map(|row| row.keys.domain.clone()));
    names.extend(
        here.registry()
            .into_iter()
            .flat_map(|r| r.domains.iter().map(|domain| domain.name.to_string()).collect::<Vec<_>>()),
    );
    names.retain(|name| !name.is_empty());
    names.sort();
    names.dedup();
    names
}

fn show(args: &Args, here: &Here, records: &[(Source, Record)], out: &Out) -> Result<Outcome> {
    let mut rows: BTreeMap<String, Spend> = BTreeMap::new();
    let mut add = |keys: &Keys, session: &str, spend: Spend| {
        if args.since.as_ref().is_none_or(|since| keys.day >= *since) {
            let row = rows.entry(args.by.key(keys, session).to_owned()).or_default();
            *row = row.plus(spend);
        }
    };
    for (source, record) in records {
        for row in &record.rows {
            add(&row.keys, source.session.as_str(), row.spend);
        }
    }
    for domain in domains(here, records) {
        for (keys, session, spend) in mail_of(here, &domain)? {
            add(&keys, &session, spend);
        }
    }
    rows.retain(|_, spend| !spend.is_zero());
    if args.json {
        out.json(&rows.iter().map(|(key, spend)| view(args.by, key, spend)).collect::<Vec<_>>());
        return Ok(Outcome::Done);
    }
    let total = rows.values().fold(Spend::default(), |sum, spend| sum.plus(*spend));
    let name = args.by.name().to_uppercase();
    let heading = [
        &*name,
        "INPUT",
        "OUTPUT",
        "WRITE 5M",
        "WRITE 1H",
        "CACHE READ",
        "RESPONSES",
        "USD",
        "MAIL SENT",
        "MAIL READ",
    ];
    let mut lines: Vec<Vec<String>> = rows.iter().map(|(key, spend)| line(key, spend)).collect();
    if lines.len() > 1 {
        lines.push(line("total", &total));
    }
    let nothing = match &args.since {
        Some(day) if *day > clock::day(clock::now_ms()) => format!("{day} is still to come"),
        Some(day) => format!("nothing was spent since {day}; without --since it is all that ever was"),
        None => {
            "nothing was spent yet; `comm-node usage --import <dir>` meters earlier transcripts".to_owned()
        }
    };
    out.table(&heading, &lines, &nothing);
    if total.unpriced > 0 {
        out.note(format!(
            "{} models without a price: their tokens are counted, their cost is not known (`--by model`)",
            if total.unpriced == 1 {
                "1 response is of".to_owned()
            } else {
                format!("{} responses are of", total.unpriced)
            }
        ));
    }
    Ok(Outcome::Done)
}

/// What the mail of `domain` cost, in single entries.
fn mail_of(here: &Here, domain: &str) -> Result<Vec<(Keys, String, Spend)>> {
    let mut found = Vec::new();
    let mut at = Cursor::default();
    loop {
        let (traffic, next) = here.store.mail().traffic(domain, &at, MAIL)?;
        if next == at {
            return Ok(found);
        }
        at = next;
        for one in traffic {
            let mut day = clock::rfc3339(one.at_ms);
            day.truncate(10);
            let spend = match one.way {
                Way::Sent => Spend { sent_tokens: one.tokens, ..Spend::default() },
                Way::Read => Spend { read_tokens: one.tokens, ..Spend::default() },
            };
            let keys = Keys {
                domain: domain.to_owned(),
                task: one.task.unwrap_or_default(),
                day,
                ..Keys::default()
            };
            found.push((keys, one.session, spend));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "dollars for people and scripts, exact to far below a cent")]
fn view(by: By, key: &str, spend: &Spend) -> Value {
    let usage = &spend.usage;
    let usd = spend.micro_usd().map(|_| spend.pico_usd as f64 / 1e12);
    let mut row = Map::new();
    row.insert(by.name().to_owned(), if key.is_empty() { Value::Null } else { key.into() });
    let figures = json!({
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_write_5m_tokens": usage.cache_write_5m_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "responses": usage.responses,
        "usd": usd,
        "unpriced_responses": spend.unpriced,
        "sent_tokens": spend.sent_tokens,
        "read_tokens": spend.read_tokens,
    });
    if let Value::Object(figures) = figures {
        row.extend(figures);
    }
    Value::Object(row)
}

fn line(key: &str, spend: &Spend) -> Vec<String> {
    let usage = &spend.usage;
    let mut cells = vec![if key.is_empty() { "-".to_owned() } else { key.to_owned() }];
    cells.extend(
        [
            usage.input_tokens,
            usage.output_tokens,
            usage.cache_write_5m_tokens,
            usage.cache_write_1h_tokens,
            usage.cache_read_tokens,
            usage.responses,
        ]
        .map(|n| n.to_string()),
    );
    cells.push(dollars(spend));
    cells.extend([spend.sent_tokens, spend.read_tokens].map(|n| n.to_string()));
    cells
}

/// The cost to a hundredth of a cent, as far as it is known.
fn dollars(spend: &Spend) -> String {
    let known = spend.known_micro_usd();
    let micro = known.saturating_add(50);
    let text = format!("{}.{:04}", micro / 1_000_000, micro % 1_000_000 / 100);
    match (spend.unpriced, known) {
        (0, _) => text,
        (_, 0) => "unknown".to_owned(),
        _ => format!("{text} + unknown"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_spans() {
        assert_eq!(since("2026-11-25").as_deref(), Ok("2026-11-25"));
        assert!(since("7d").is_ok_and(|day| day.len() == 10));
        for bad in ["2026-13-01", "yesterday", "", "-7d"] {
            assert!(since(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_unknown_cost_is_said() {
        let spend = |pico_usd, unpriced| Spend { pico_usd, unpriced, ..Spend::default() };
        assert_eq!(dollars(&spend(1_234_500_000_000, 0)), "1.2345");
        assert_eq!(dollars(&spend(1_234_560_000_000, 0)), "1.2346");
        assert_eq!(dollars(&spend(0, 0)), "0.0000");
        assert_eq!(dollars(&spend(0, 1)), "unknown");
        assert_eq!(dollars(&spend(1_234_500_000_000, 1)), "1.2345 + unknown");
        assert_eq!(view(By::Domain, "", &spend(5, 1))["usd"], Value::Null);
        assert_eq!(view(By::Domain, "", &spend(5_000_000_000, 0))["usd"], 0.005);
    }
}
