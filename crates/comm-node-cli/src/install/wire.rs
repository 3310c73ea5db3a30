//! Changing one settings file: planned as text, backed up, written down, then written.
//!
//! The order is such that a crash at any point leaves a settings file that is wholly old or
//! wholly new, and a record from which uninstalling goes right in both cases.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use comm_node_core::clock;

use super::layout::Layout;
use super::record::{Record, Settings, sha256};
use super::wiring;
use crate::settings::edit::{self, Trace, status_line};
use crate::settings::entry::Wanted;
use crate::settings::file::{Current, replace_whole};
use crate::settings::places::Scope;

/// How a settings file is to change.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The file as it is.
    pub current: Current,
    /// What it is to hold; the same text where nothing changes.
    pub text: String,
    trace: Trace,
}

impl Plan {
    /// Plans the change of the settings file at `path`.
    ///
    /// # Errors
    /// When the file can't be edited: its fault with line and column. It stays untouched.
    pub fn new(path: &Path, wanted: &Wanted) -> Result<Self> {
        let current = Current::read(path)?;
        let refused = || format!("could not edit {}; it was left as it is", path.display());
        let (text, trace) = match &current.text {
            Some(text) => edit::merge(text, wanted).with_context(refused)?,
            None => {
                let (text, trace) = edit::merge("{}", wanted)?;
                (format!("{text}\n"), trace)
            }
        };
        Ok(Self { current, text, trace })
    }

    /// True where the file holds already what it should.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.current.text.as_ref() == Some(&self.text)
    }
}

/// Wires the settings file of `scope`; true if it was changed.
///
/// # Errors
/// When it can't be edited or written; it is then as it was.
pub fn apply(
    layout: &Layout,
    record: &mut Record,
    scope: Scope,
    path: &Path,
    wanted: &Wanted,
) -> Result<bool> {
    // The client itself writes settings files, without a lock: whoever wrote meanwhile is kept.
    for _ in 0..8 {
        let plan = Plan::new(path, wanted)?;
        if plan.is_done() {
            if record.of(path).is_none() {
                // Wired by an installation whose record was lost.
                record.put(entry(scope, &plan, None, None));
                record.write(layout)?;
            }
            return Ok(false);
        }
        if let Some(dir) = plan.current.real.parent() {
            record.make_dir(layout, dir)?;
        }
        let backup = match &plan.current.text {
            Some(text) => Some(back_up(layout, record, scope, text)?),
            None => None,
        };
        let old = record.of(path).cloned();
        record.put(entry(scope, &plan, backup, old.as_ref()));
        record.write(layout)?;
        if plan.current.replace(Some(&plan.text))? {
            return Ok(true);
        }
        match old {
            Some(old) => record.put(old),
            None => record.settings.retain(|s| s.path != path),
        }
    }
    record.write(layout)?;
    bail!(
        "could not edit {}: another program keeps writing it; close Claude Code and try again",
        path.display()
    )
}

/// What is to be noted about a planned change.
fn entry(scope: Scope, plan: &Plan, backup: Option<PathBuf>, old: Option<&Settings>) -> Settings {
    let now = plan.current.text.as_ref().map(|t| sha256(t.as_bytes()));
    let mut entries: Vec<String> = wiring::WIRES
        .iter()
        .map(|w| match w.matcher {
            Some(matcher) => format!("{} ({matcher}): comm-node-{}", w.event, w.program),
            None => format!("{}: comm-node-{}", w.event, w.program),
        })
        .collect();
    let settings: serde_json::Value = serde_json::from_str(&plan.text).unwrap_or_default();
    if let status_line::Found::Ours(chained) = status_line::found(&settings) {
        let behind = chained.map_or(String::new(), |chained| format!(", behind it: {chained}"));
        entries.push(format!("statusLine: {}{behind}", wiring::STATUS_LINE));
    }
    let after = sha256(plan.text.as_bytes());
    let path = plan.current.path.clone();
    let held_ours = plan.current.text.as_deref().is_some_and(holds_ours);
    let fresh = Some(plan.trace.clone());
    let grown = |old: &Settings| old.trace.clone().map(|t| t.and(plan.trace.clone()));
    let (created, before, restore, trace) = match old {
        // Our change stands as we left it: the first backup still gives everything back.
        Some(old) if now.as_ref() == Some(&old.after) => {
            (old.created, old.before.clone(), old.restore.clone(), grown(old))
        }
        // Our change never got there, or was undone by hand to the byte.
        Some(old) if now == old.before => (now.is_none(), now, backup, fresh),
        Some(old) => (old.created, None, None, grown(old)),
        None if held_ours => (false, None, None, None),
        None => (now.is_none(), now, backup, fresh),
    };
    Settings { path, scope, created, before, after, restore, entries, trace }
}

/// True where a settings text has entries of ours.
#[must_use]
pub fn holds_ours(text: &str) -> bool {
    let Ok(value) = serde_json::from_str::<serde_json::Value>(text) else { return false };
    let hooks = value.get("hooks").cloned().unwrap_or_default();
    let rules = value.pointer("/permissions/allow").and_then(serde_json::Value::as_array);
    matches!(status_line::found(&value), status_line::Found::Ours(_))
        || crate::settings::entry::read(&hooks).0.iter().any(|f| crate::settings::entry::is_ours(&f.command))
        || rules.is_some_and(|list| list.iter().any(|r| wiring::RULES.iter().any(|ours| r == ours)))
}

fn back_up(layout: &Layout, record: &mut Record, scope: Scope, text: &str) -> Result<PathBuf> {
    let dir = layout.backups();
    record.make_dir(layout, &dir)?;
    let hash = sha256(text.as_bytes());
    let name = format!("{}-{}-{}.json", scope.name(), clock::now_ms(), hash.get(..8).unwrap_or(""));
    let path = dir.join(name);
    // It may hold secrets, as the settings file may.
    replace_whole(&path, text.as_bytes(), Some(0o600))?;
    Ok(path)
}
