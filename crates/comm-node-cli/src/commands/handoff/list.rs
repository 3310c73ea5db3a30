//! `comm-node handoff list` and `show`.

use anyhow::{Result, bail};
use comm_node_core::clock;
use comm_node_core::mail::HUMAN;
use comm_node_core::node::registry::Registry;
use comm_node_core::store::Shelf;
use comm_node_core::text::one_line;
use serde_json::{Value, json};

use crate::Outcome;
use crate::env::Env;
use crate::handing::{Found, older, on_shelf};
use crate::here::Here;
use crate::mailing::{self, Me};
use crate::out::Out;

/// Of what is done, so many of each domain.
const DONE: usize = 20;

/// Arguments of `comm-node handoff list`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  comm-node handoff list\n  comm-node handoff list --domain frontend --all\n  \
                        comm-node handoff list --json | jq '.[].task'\n\n\
                        The states: open (waits), taken (a session works on it), free again (that session is gone), done, \
                        older (a file in .claude/mytasks/handoffs)."
)]
pub struct ListArgs {
    /// Those for this domain [default: the session's; for a person all]
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// The latest that are done, too
    #[arg(long)]
    all: bool,
    /// Print JSON: an array with one object per hand-off
    #[arg(long)]
    json: bool,
}

/// Arguments of `comm-node handoff show`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  comm-node handoff show bd-102")]
pub struct ShowArgs {
    /// The task, or the file's name
    task: String,
    /// The domain that it is for [default: the session's; for a person any]
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Runs `list`.
///
/// # Errors
/// When there is no such domain, or the files can't be listed.
pub fn list(args: &ListArgs, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    let registry = here.registry()?;
    let domains = domains(env, &here, &registry, args.domain.as_deref())?;
    let found = find(&here, &domains, args.all)?;
    if args.json {
        out.json(&found.iter().map(|found| view(&here, found)).collect::<Vec<_>>());
        return Ok(Outcome::Done);
    }
    let rows: Vec<Vec<String>> = found.iter().map(|found| row(&here, found)).collect();
    out.table(
        &["TASK", "FOR", "FROM", "AGE", "STATE", "NEXT"],
        &rows,
        "no hand-off waits; `comm-node handoff write` makes one",
    );
    for (found, faults) in found.iter().filter_map(|f| Some((f, f.read.as_ref().err()?))) {
        for fault in faults {
            out.note(format!("warning: {}", fault.in_file(&found.shown)));
        }
    }
    Ok(Outcome::Done)
}

/// Runs `show`.
///
/// # Errors
/// When there is no such hand-off.
pub fn show(args: &ShowArgs, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    let registry = here.registry()?;
    let domains = domains(env, &here, &registry, args.domain.as_deref())?;
    let all = find(&here, &domains, true)?;
    let Some(found) = all.iter().find(|found| found.is(&args.task)) else {
        return Err(none(&all, &args.task));
    };
    if args.json {
        out.json(&view(&here, found));
        return Ok(Outcome::Done);
    }
    out.line(format!("{} ({})", one_line(&found.shown, 300), found.state(&here)));
    out.raw(found.quoted());
    for fault in found.read.as_ref().err().into_iter().flatten() {
        out.note(format!("warning: {}", fault.in_file(&found.shown)));
    }
    Ok(Outcome::Done)
}

/// The domains whose hand-offs are meant.
fn domains(env: &Env, here: &Here, registry: &Registry<'_>, named: Option<&str>) -> Result<Vec<String>> {
    let all = || registry.domains.iter().map(|domain| domain.name.to_string()).collect();
    match named {
        Some(name) => match mailing::owner(registry, name)? {
            name if name == HUMAN => bail!("hand-offs are for domains; name one of them"),
            name => Ok(vec![name]),
        },
        None => match Me::find(env, here, registry) {
            Ok(me) if !me.is_person() => Ok(vec![me.name]),
            _ => Ok(all()),
        },
    }
}

fn find(here: &Here, domains: &[String], done: bool) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for domain in domains {
        for shelf in [Shelf::Open, Shelf::Taken] {
            found.extend(on_shelf(here, domain, shelf, usize::MAX)?);
        }
    }
    found.extend(older(&here.layout.root));
    if done {
        for domain in domains {
            found.extend(on_shelf(here, domain, Shelf::Done, DONE)?);
        }
    }
    Ok(found)
}

/// No hand-off is about `task`.
pub(super) fn none(all: &[Found], task: &str) -> anyhow::Error {
    let shown = one_line(task, 60);
    let names: Vec<String> = all.iter().map(Found::task).collect();
    match crate::config::reader::nearest(task, names.iter().map(String::as_str)) {
        Some(best) => anyhow::anyhow!("no hand-off is about `{shown}`; did you mean `{best}`?"),
        None => anyhow::anyhow!("no hand-off is about `{shown}`; `comm-node handoff list` lists them"),
    }
}

fn view(here: &Here, found: &Found) -> Value {
    let mut value = match &found.read {
        Ok(handoff) => json!(handoff),
        Err(faults) => json!({"faults": faults}),
    };
    value["task"] = found.task().into();
    value["path"] = found.shown.as_str().into();
    value["state"] = found.state(here).into();
    if let Some(handed) = &found.handed {
        value["domain"] = handed.domain.as_str().into();
    }
    value
}

fn row(here: &Here, found: &Found) -> Vec<String> {
    let dash = || "-".to_owned();
    let head = comm_node_core::handoff::head(&found.text);
    let domain = found.handed.as_ref().map_or_else(dash, |handed| handed.domain.clone());
    let written = head.written.as_deref().and_then(clock::parse_rfc3339);
    let next = match &found.read {
        Ok(handoff) => match handoff.open().next() {
            Some(step) => one_line(step.text.lines().next().unwrap_or_default(), 60).into_owned(),
            None => dash(),
        },
        Err(faults) => format!("malformed at line {}", faults.first().map_or(1, |fault| fault.line)),
    };
    vec![
        found.task(),
        head.phase.map_or(domain.clone(), |role| format!("{domain}, {role}")),
        head.from.unwrap_or_else(dash),
        written.map_or_else(dash, |at| clock::span(clock::now_ms().saturating_sub(at))),
        found.state(here).to_owned(),
        next,
    ]
}
