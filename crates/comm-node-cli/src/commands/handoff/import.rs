//! `comm-node handoff import`: hand-offs of the older convention, which keeps them in `.claude/mytasks/handoffs`.

use anyhow::{Context, Result, bail};
use comm_node_core::clock;
use comm_node_core::store::Shelf;
use comm_node_core::text::one_line;

use crate::Outcome;
use crate::env::Env;
use crate::handing::{self, Found, MYTASKS, older, on_shelf};
use crate::here::Here;
use crate::mailing::{self, Me};
use crate::out::Out;

/// Arguments of `comm-node handoff import`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  comm-node handoff import                 inside a session: for its domain\n  \
                        comm-node handoff import --to backend\n\n\
                        What was taken over moves to .claude/mytasks/handoffs/imported/. A file that deviates stays where it is \
                        and is named with the line and what is wrong."
)]
pub struct Args {
    /// The domain that they are for [default: the session's]
    #[arg(long, value_name = "DOMAIN")]
    to: Option<String>,
    /// Only this task
    #[arg(value_name = "TASK")]
    task: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When there is no such domain, or a file can't be moved.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    handing::desk(env, |here, registry, me| {
        let domain = match &args.to {
            Some(name) => crate::commands::join::domain(registry, name)?.name.to_string(),
            None if me.is_person() => bail!("name the domain that they are for with --to"),
            None => me.name.clone(),
        };
        let mut found = older(&here.layout.root);
        if let Some(task) = &args.task {
            found.retain(|found| found.task() == *task);
        }
        if found.is_empty() {
            out.line(format!("there is nothing to take over in {MYTASKS}/handoffs"));
            return Ok(Outcome::Done);
        }
        let _lock = handing::lock(here)?;
        let mut outcome = Outcome::Done;
        for old in &found {
            match one(here, me, &domain, old) {
                Ok(new) => out.line(format!("{} is {} now", one_line(&old.shown, 200), new.shown)),
                Err(e) => {
                    out.error(&e);
                    outcome = Outcome::Refused;
                }
            }
        }
        Ok(outcome)
    })
}

/// Takes one over; the caller holds the lock.
pub(super) fn one(here: &Here, me: &Me, domain: &str, old: &Found) -> Result<Found> {
    let mut handoff = old.valid()?.clone();
    let task = old.task();
    let waits = on_shelf(here, domain, Shelf::Open, usize::MAX)?;
    if let Some(there) = waits.iter().find(|found| found.task() == task) {
        bail!("{} is not taken over: {} waits already; rename one of them", old.shown, there.shown);
    }
    handoff.head.to = Some(domain.to_owned());
    handoff.head.written.get_or_insert_with(|| clock::rfc3339(clock::now_ms()));
    handoff.task.clone_from(&task);
    let handed = here.store.handoffs().put(domain, Shelf::Open, &task, &handoff)?;
    // A copy that stays, if this fails, is refused the next time because the first one waits.
    let from = here.layout.root.join(&old.shown);
    let to = from.parent().unwrap_or(&from).join("imported");
    if !to.is_dir() {
        std::fs::create_dir(&to).with_context(|| format!("could not create {}", to.display()))?;
    }
    let name = from.file_name().unwrap_or_default();
    std::fs::rename(&from, to.join(name)).with_context(|| format!("could not move {}", from.display()))?;
    mailing::log(here, me, "handoff_imported", &task);
    let shown = here.store.handoffs().shown(&handed);
    let text = comm_node_core::handoff::write(&handoff);
    Ok(Found { handed: Some(handed), shown, text, read: Ok(handoff) })
}
