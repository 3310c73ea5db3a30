//! The checks: each is one line that says what was looked at, and what to do where it is wrong.
//!
//! - `wired` looks at settings files and the plugin;
//! - `files` at the installed programs, `client` at Claude Code itself;
//! - `prices` at the person's own prices;
//! - `generated` at agents, commands and conventions, the user's and the node's;
//! - `here` at the node of the working directory, `mail` at its mail;
//! - `proof` runs the guard as the client would, with a call that must be denied;
//! - `probe` is how a program is run for that.

pub mod client;
pub mod files;
pub mod generated;
pub mod here;
mod mail;
mod prices;
pub mod probe;
pub mod proof;
pub mod status_line;
mod wired;

use anyhow::Result;
use serde::Serialize;

use super::layout::Layout;
use crate::Outcome;
use crate::env::Env;
use crate::out::{Ink, Out};

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is as it should be.
    Pass,
    /// It works, but somebody should look.
    Warn,
    /// There is nothing to look at.
    Skip,
    /// It does not work.
    Fail,
}

/// One check.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Check {
    /// Its name, stable.
    pub name: &'static str,
    /// How it ended.
    pub status: Status,
    /// What was found.
    pub detail: String,
    /// What to do, where something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Check {
    /// A check that passed.
    #[must_use]
    pub fn pass(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, status: Status::Pass, detail: detail.into(), remedy: None }
    }

    /// A check that had nothing to look at.
    #[must_use]
    pub fn skip(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, status: Status::Skip, detail: detail.into(), remedy: None }
    }

    /// A check that found something to look at.
    #[must_use]
    pub fn warn(name: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, status: Status::Warn, detail: detail.into(), remedy: Some(remedy.into()) }
    }

    /// A check that failed.
    #[must_use]
    pub fn fail(name: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, status: Status::Fail, detail: detail.into(), remedy: Some(remedy.into()) }
    }
}

/// All checks as a program reads them.
#[derive(Clone, Debug, Serialize)]
pub struct Report<'a> {
    version: u32,
    ok: bool,
    checks: &'a [Check],
}

impl<'a> Report<'a> {
    /// The report of `checks`.
    #[must_use]
    pub fn of(checks: &'a [Check]) -> Self {
        Self { version: 1, ok: outcome(checks) == Outcome::Done, checks }
    }
}

/// Runs every check; `fix` mends what can be mended safely.
///
/// # Errors
/// When no home directory is known.
pub fn run(env: &Env, fix: bool) -> Result<Vec<Check>> {
    let layout = Layout::of(env)?;
    let wired = wired::Wired::gather(env, &layout)?;
    let mut checks = vec![files::present(&layout), files::run(&layout), wired.events(), wired.once()];
    checks.extend([wired.valid(&layout), wired.json(), wired.switches(), wired.one_way(), wired.rules()]);
    checks.push(wired.status_line(&layout));
    checks.extend([files::recorded(&layout, &wired), files::on_path(env, &layout), client::version(env)]);
    checks.push(generated::of_user(&layout));
    checks.push(prices::check(env));
    checks.extend(here::checks(env, fix));
    checks.push(generated::of_node(env));
    checks.extend(proof::checks(env, &wired));
    Ok(checks)
}

/// Prints one line per check and a last one that sums up.
#[must_use]
pub fn print(out: &Out, checks: &[Check]) -> Outcome {
    for check in checks {
        let (word, ink) = match check.status {
            Status::Pass => ("PASS", Ink::Green),
            Status::Warn => ("WARN", Ink::Yellow),
            Status::Skip => ("SKIP", Ink::Dim),
            Status::Fail => ("FAIL", Ink::Red),
        };
        let mut text = format!("{}: {}", check.name, check.detail);
        if let Some(remedy) = &check.remedy {
            text = format!("{text}; {remedy}");
        }
        out.line(format!("{} {}", out.ink(ink, word), comm_node_core::text::one_line(&text, 2000)));
    }
    let count = |status| checks.iter().filter(|c| c.status == status).count();
    out.line(format!(
        "{} passed, {} failed, {} to look at, {} skipped",
        count(Status::Pass),
        count(Status::Fail),
        count(Status::Warn),
        count(Status::Skip)
    ));
    outcome(checks)
}

/// What the checks mean for the exit code.
#[must_use]
pub fn outcome(checks: &[Check]) -> Outcome {
    if checks.iter().any(|c| c.status == Status::Fail) { Outcome::Refused } else { Outcome::Done }
}
