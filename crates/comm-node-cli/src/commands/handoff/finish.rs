//! `comm-node handoff check` and `done`.

use anyhow::{Result, bail};
use comm_node_core::handoff;
use comm_node_core::store::{Handed, Shelf};
use comm_node_core::text::one_line;

use super::list::none;
use crate::Outcome;
use crate::env::Env;
use crate::handing::{self, Found, change, on_shelf};
use crate::here::Here;
use crate::mailing::{self, Me};
use crate::out::Out;

/// Arguments of `comm-node handoff check`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  comm-node handoff check bd-102          list the steps with their numbers\n  \
                        comm-node handoff check bd-102 1 3      check two of them off\n\n\
                        A turn is held at its end while steps of the task are open."
)]
pub struct CheckArgs {
    /// The task
    task: String,
    /// The numbers of the steps
    steps: Vec<usize>,
}

/// Arguments of `comm-node handoff done`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  comm-node handoff done bd-102\n\n\
                        The file moves to done/ beside the others; a session's role stays its own until it ends. A person can put \
                        away any, also one that is malformed.")]
pub struct DoneArgs {
    /// The task, or the file's name [default: the one that this session took]
    task: Option<String>,
    /// The domain that it is for; for a person
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
}

/// Runs `check`.
///
/// # Errors
/// When the session did not take such a hand-off, or it has no such step.
pub fn check(args: &CheckArgs, env: &Env, out: &Out) -> Result<Outcome> {
    handing::desk(env, |here, _, me| {
        let _lock = handing::lock(here)?;
        let (handed, found) = mine(here, me, Some(&args.task))?;
        let mut handoff = found.valid()?.clone();
        for n in &args.steps {
            let count = handoff.next.len();
            let Some(step) = n.checked_sub(1).and_then(|i| handoff.next.get_mut(i)) else {
                bail!("{} has {count} steps, and no step {n}", args.task);
            };
            step.done = true;
        }
        if !args.steps.is_empty() {
            here.store.handoffs().put(&handed.domain, Shelf::Taken, &handed.name, &handoff)?;
        }
        for (i, step) in handoff.next.iter().enumerate() {
            let mark = if step.done { "x" } else { " " };
            out.line(format!("{} [{mark}] {}", i + 1, one_line(&step.text, 200)));
        }
        Ok(Outcome::Done)
    })
}

/// Runs `done`.
///
/// # Errors
/// When there is no such hand-off, or it is another session's.
pub fn done(args: &DoneArgs, env: &Env, out: &Out) -> Result<Outcome> {
    handing::desk(env, |here, registry, me| {
        let _lock = handing::lock(here)?;
        let (handed, open) = if me.is_person() {
            anybodys(args, here, &registry.domains.iter().map(|d| d.name.to_string()).collect::<Vec<_>>())?
        } else {
            let (handed, found) = mine(here, me, args.task.as_deref())?;
            (handed, found.read.as_ref().map(|handoff| handoff.open().count()).ok())
        };
        if here.store.handoffs().shift(&handed, Shelf::Done)?.is_none() {
            bail!("another command put it away just now");
        }
        if !me.is_person() {
            change(here, &me.session, |s| {
                if s.task.as_deref() == Some(&handed.name) {
                    s.task = None;
                }
            })?;
        }
        mailing::log(here, me, "handoff_done", &handed.name);
        let name = one_line(&handed.name, 100);
        out.line(match open {
            Some(0) => format!("{name} is done"),
            Some(1) => format!("{name} is put away, with 1 step open"),
            Some(n) => format!("{name} is put away, with {n} steps open"),
            None => format!("{name} is put away; what was open in it can't be read"),
        });
        Ok(Outcome::Done)
    })
}

/// The hand-off that this session took, which may be malformed since.
fn mine(here: &Here, me: &Me, task: Option<&str>) -> Result<(Handed, Found)> {
    let mut all = on_shelf(here, &me.name, Shelf::Taken, usize::MAX)?;
    let own = |found: &Found| handoff::head(&found.text).taken_by.as_deref() == Some(me.session.as_str());
    let at = match task {
        Some(task) => match all.iter().position(|found| found.is(task)) {
            Some(at) if own(&all[at]) => at,
            Some(at) => return Err(not_taken(&all[at])),
            None => {
                all.extend(on_shelf(here, &me.name, Shelf::Open, usize::MAX)?);
                let waits = all.iter().find(|found| found.is(task));
                return Err(waits.map_or_else(|| none(&all, task), not_taken));
            }
        },
        None => {
            let taken: Vec<usize> = (0..all.len()).filter(|i| own(&all[*i])).collect();
            match taken.as_slice() {
                [one] => *one,
                [] => bail!("this session took no hand-off; name the task"),
                many => {
                    let names: Vec<String> = many.iter().map(|i| all[*i].task()).collect();
                    bail!("this session took {}; name the task", names.join(" and "))
                }
            }
        }
    };
    let found = all.swap_remove(at);
    let Some(handed) = found.handed.clone() else { bail!("{} is not in the node", found.shown) };
    Ok((handed, found))
}

/// Why a session can't be done with what it did not take.
fn not_taken(found: &Found) -> anyhow::Error {
    let task = found.task();
    match found.valid() {
        Err(malformed) => malformed,
        Ok(_) => anyhow::anyhow!(
            "this session did not take {task}; `comm-node handoff accept {task}` does, if nobody works on it"
        ),
    }
}

/// The hand-off that a person means, whoever has it, and how many of its steps are open, if that can be read.
fn anybodys(args: &DoneArgs, here: &Here, domains: &[String]) -> Result<(Handed, Option<usize>)> {
    let Some(task) = args.task.as_deref() else {
        bail!("name the task; `comm-node handoff list` lists them")
    };
    let mut all = Vec::new();
    for domain in domains.iter().filter(|d| args.domain.as_ref().is_none_or(|wanted| wanted == *d)) {
        for shelf in [Shelf::Open, Shelf::Taken] {
            all.extend(on_shelf(here, domain, shelf, usize::MAX)?);
        }
    }
    let found: Vec<&Found> = all.iter().filter(|found| found.is(task)).collect();
    match found.as_slice() {
        [] => Err(none(&all, task)),
        [one] => {
            let Some(handed) = one.handed.clone() else { bail!("{} is not in the node", one.shown) };
            Ok((handed, one.read.as_ref().map(|handoff| handoff.open().count()).ok()))
        }
        many => {
            let places: Vec<&str> = many.iter().map(|found| found.shown.as_str()).collect();
            bail!("several hand-offs are meant by `{task}`: {}; name one by its path", places.join(", "))
        }
    }
}
