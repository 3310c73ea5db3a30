//! The readers of what people write for a node, and of the state that programs leave to each other.

use std::borrow::Cow;

use comm_node_core::budget::{Grants, Span, Standing, Unit};
use comm_node_core::kickoff::Kickoff;
use comm_node_core::lease::Lease;
use comm_node_core::ledger::{PriceRow, Prices, Usage};
use comm_node_core::markdown::Fault;
use comm_node_core::node::registry::Registry;
use comm_node_core::notes::{append, blocker, finding, issue, plan, take_out};
use comm_node_core::session::Session;

use super::targets::same;

/// How many of the entries are written and taken out: each time the whole text is gone through.
const SOME: usize = 4;

/// Entries that were read are written and read again the same; one that is taken out is gone, and every byte is in one of the
/// two halves.
pub(crate) fn notes(text: &str) -> Result<(), String> {
    let (blockers, faults) = blocker::read(text);
    within(text, &faults)?;
    for found in blockers.iter().take(SOME) {
        let again = blocker::read(&append(None, blocker::TITLE, &blocker::write(found))).0;
        same("blockers written", &again.len(), &1)?;
        let twice = blocker::read(&append(None, blocker::TITLE, &blocker::write(&again[0]))).0;
        same("blocker written twice", &twice, &again)?;
        taken(text, found.line)?;
    }
    let (findings, faults) = finding::read(text);
    within(text, &faults)?;
    for found in findings.iter().take(SOME) {
        taken(text, found.line)?;
    }
    let (issues, faults) = issue::read(text);
    within(text, &faults)?;
    for found in issues.iter().take(SOME) {
        taken(text, found.line)?;
    }
    within(text, &plan::read(text).1)
}

fn within(text: &str, faults: &[Fault]) -> Result<(), String> {
    let lines = text.split('\n').count();
    let out = |fault: &&Fault| fault.line == 0 || usize::try_from(fault.line).is_ok_and(|line| line > lines);
    match faults.iter().find(out) {
        Some(fault) => Err(format!("a fault outside of the text: {fault:?}")),
        None => Ok(()),
    }
}

fn taken(text: &str, line: u32) -> Result<(), String> {
    let (rest, taken) = take_out(text, line).ok_or_else(|| format!("nothing is at line {line}"))?;
    same("both halves", &(rest.len() + taken.len()), &text.len())?;
    if taken.is_empty() { Err(format!("nothing was taken out at line {line}")) } else { Ok(()) }
}

/// A row is read, or passed over with a reason; no price is too high to count with.
pub(crate) fn prices(text: &str) -> Result<(), String> {
    for line in text.lines() {
        if let Err(why) = PriceRow::parse(line)
            && why.is_empty()
        {
            return Err("refused without a reason".to_owned());
        }
    }
    let most = u64::from(u32::MAX);
    let usage = Usage {
        responses: 1,
        input_tokens: most,
        output_tokens: most,
        cache_write_5m_tokens: most,
        cache_write_1h_tokens: most,
        cache_read_tokens: most,
    };
    let table = Prices::above([Cow::Borrowed(text)]);
    for model in ["claude-opus-5-5", "", "my-proxy-model-1", "*"] {
        let least = table.cost(model, "2026-11-26", &Usage::default());
        if least.is_some_and(|cost| cost != 0) {
            return Err(format!("nothing costs {least:?}"));
        }
        let _ = table.cost(model, "2026-11-26", &usage);
    }
    Ok(())
}

/// What is read as a type is written and read again the same.
macro_rules! kept {
    ($type:ty, $text:expr) => {
        match serde_json::from_str::<$type>($text) {
            Err(_) => None,
            Ok(value) => {
                let written =
                    serde_json::to_string(&value).map_err(|e| format!("it can't be written: {e}"))?;
                let again = serde_json::from_str::<$type>(&written).map_err(|e| format!("{e}: {written}"))?;
                same("written and read", &again, &value)?;
                Some(value)
            }
        }
    };
}

pub(crate) fn session(text: &str) -> Result<(), String> {
    if let Some(session) = kept!(Session, text) {
        let _ = (session.roles().len(), session.is_live(0, u64::MAX), session.is_live(u64::MAX, 0));
        let _ = session.session_id.short().len();
    }
    Ok(())
}

pub(crate) fn registry(text: &str) -> Result<(), String> {
    let Ok(registry) = Registry::parse(text) else { return Ok(()) };
    let written = registry.to_text();
    // Roles are kept as the text that they were, and read only where one is asked for; what is compared is what is written.
    if registry.roles.list().is_err() {
        return Ok(());
    }
    let again = Registry::parse(&written)?;
    same("written and read", &again.to_text(), &written)?;
    for domain in &registry.domains {
        let _ = registry.domain(&domain.name);
    }
    let _ = (registry.role("builder"), registry.strictest_mode());
    Ok(())
}

/// Grants, where budgets stand, the plan of a kickoff, leases.
pub(crate) fn records(text: &str) -> Result<(), String> {
    if let Some(grants) = kept!(Grants, text) {
        let _ = (grants.requested("2026-11-26"), grants.thrift());
        for unit in [Unit::Tokens, Unit::Usd] {
            let _ = grants.extra(Span::Day, unit, "2026-11-26");
        }
    }
    let _ = kept!(Standing, text);
    let _ = kept!(Kickoff, text);
    let _ = kept!(Lease, text);
    Ok(())
}
