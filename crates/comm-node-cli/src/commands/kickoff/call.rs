//! The person's side: call every domain, wait for them, start.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use comm_node_core::clock;
use comm_node_core::deadline::Deadline;
use comm_node_core::kickoff::{self, Kickoff, Member};
use comm_node_core::mail::Ulid;
use comm_node_core::node::registry::Registry;
use comm_node_core::personal;
use comm_node_core::store::{State, file};

use super::{Args, roll};
use crate::Outcome;
use crate::commands::join::{domain, person_only};
use crate::env::Env;
use crate::here::Here;
use crate::mailing::PATIENCE;
use crate::out::Out;

/// The largest brief.
const MAX_BRIEF: u64 = 32 << 10;
/// How often it is looked who is ready.
const TICK: Duration = Duration::from_millis(200);
/// How long is waited unless told otherwise, in seconds.
const WAIT_S: u64 = 60;

/// Calls the domains if there is a goal, and starts.
pub(super) fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    let registry = here.registry()?;
    person_only(env, &here.store, &personal::KICKOFF)?;
    if let Some(goal) = &args.goal {
        let brief = brief(args, env)?;
        let kickoff = call(args, &here, &registry, goal, brief)?;
        if !args.json {
            let names: Vec<&str> = kickoff.members.keys().map(String::as_str).collect();
            out.line(format!("called {}", names.join(", ")));
            let unmanned = roll::unmanned(&here, &kickoff)?;
            if !unmanned.is_empty() {
                out.line(format!(
                    "no session works for {} yet; one that starts there is told by its first brief",
                    unmanned.join(", ")
                ));
            }
            let later = kickoff::coordinators(&registry);
            let later: Vec<&str> = later.into_iter().filter(|name| !names.contains(name)).collect();
            if !later.is_empty() {
                out.line(format!("{} is woken when they are done", later.join(", ")));
            }
        }
    } else if here.store.read_kickoff()?.is_none() {
        bail!("there is no kickoff to start; `comm-node kickoff --goal '…'` calls one");
    }
    // With no goal and no time given, --force means now.
    let patience = args.wait.unwrap_or(if args.goal.is_some() { WAIT_S } else { 0 });
    let kickoff = wait(&here, args, Duration::from_secs(patience), out)?;
    finish(args, &here, kickoff, out)
}

fn brief(args: &Args, env: &Env) -> Result<String> {
    let Some(path) = &args.brief else { return Ok(String::new()) };
    let path = env.cwd.join(path);
    let real = comm_node_core::path::real(&path)?;
    let text = file::read(&real, MAX_BRIEF)
        .with_context(|| format!("the brief {} can't be used", path.display()))?;
    text.with_context(|| format!("there is no brief at {}", path.display()))
}

/// Puts the kickoff on record and sends each domain its message.
fn call(args: &Args, here: &Here, registry: &Registry<'_>, goal: &str, brief: String) -> Result<Kickoff> {
    let goal = goal.split_whitespace().collect::<Vec<_>>().join(" ");
    if goal.is_empty() {
        bail!("the goal is empty; say what is to be reached");
    }
    if goal.chars().count() > kickoff::MAX_GOAL {
        bail!(
            "the goal has more than {} characters; say it in a sentence, and put the rest into a file for --brief",
            kickoff::MAX_GOAL
        );
    }
    let mut names: Vec<String> = Vec::new();
    for name in &args.only {
        if name.trim().is_empty() {
            bail!(
                "--only has an empty name in it; write `--only backend,frontend`, or leave it out to call every domain"
            );
        }
        names.push(domain(registry, name)?.name.to_string());
    }
    if names.is_empty() {
        let later = kickoff::coordinators(registry);
        names = registry.domains.iter().map(|d| d.name.to_string()).collect();
        names.retain(|name| !later.contains(&name.as_str()));
    }
    if names.is_empty() {
        bail!(
            "comm-node.yaml has no domain that could be called; one in the role coordinator waits for the others"
        );
    }
    let _lock = roll::lock(here)?;
    if let Some(before) = here.store.read_kickoff()? {
        retire(here, &before)?;
    }
    // Their ids are on record before them: whoever goes on after a death sends none twice.
    let ids = here.store.mail().reserve(names.len(), Deadline::after(PATIENCE))?;
    let member = |id: Ulid| Member { message: Some(id.text()), ..Member::default() };
    let mut kickoff = Kickoff {
        version: 1,
        id: Ulid::fresh(clock::now_ms(), None).text(),
        goal,
        brief,
        called: clock::rfc3339(clock::now_ms()),
        calling: true,
        members: names.into_iter().zip(ids).map(|(name, id)| (name, member(id))).collect(),
        ..Kickoff::default()
    };
    // On record first: a session that reads its message finds the kickoff that it reports to.
    here.store.write_kickoff(&kickoff)?;
    roll::call(here, registry, &mut kickoff)?;
    Ok(kickoff)
}

/// Closes the messages of a kickoff that another takes the place of: nobody is to read what is over.
fn retire(here: &Here, before: &Kickoff) -> Result<()> {
    let mail = here.store.mail();
    // What a sender that died has sent must not arrive after this.
    mail.recover(Deadline::after(PATIENCE))?;
    for (name, member) in &before.members {
        for id in [&member.message, &member.starting, &member.start]
            .into_iter()
            .flatten()
            .filter_map(|raw| Ulid::parse(raw))
        {
            let Some(item) = mail.find(name, id)? else { continue };
            if !matches!(item.state, State::Acked(_) | State::Expired) {
                mail.close(name, &item, State::Expired)?;
            }
        }
    }
    Ok(())
}

/// Waits until all are ready, or `patience` is over, and says who came.
fn wait(here: &Here, args: &Args, patience: Duration, out: &Out) -> Result<Kickoff> {
    let end = Instant::now() + patience;
    let mut told: Vec<String> = Vec::new();
    let mut id = None;
    loop {
        let Some(kickoff) = roll::current(here)? else { bail!("the kickoff's record is gone") };
        if *id.get_or_insert_with(|| kickoff.id.clone()) != kickoff.id {
            bail!("another kickoff took the place of this one meanwhile");
        }
        let missing = kickoff.missing();
        for name in kickoff.members.keys().filter(|name| !missing.contains(&name.as_str())) {
            if !told.contains(name) {
                told.push(name.clone());
                if !args.json {
                    out.line(format!("ready: {name} ({} of {})", told.len(), kickoff.members.len()));
                }
            }
        }
        if missing.is_empty() || Instant::now() >= end {
            return Ok(kickoff);
        }
        std::thread::sleep(TICK.min(end.saturating_duration_since(Instant::now())));
    }
}

/// Starts, if all are there or nobody insists on the others.
fn finish(args: &Args, here: &Here, kickoff: Kickoff, out: &Out) -> Result<Outcome> {
    let _lock = roll::lock(here)?;
    let current = here.store.read_kickoff()?.filter(|now| now.id == kickoff.id);
    let Some(mut kickoff) = current else { bail!("another kickoff took the place of this one meanwhile") };
    let complete = kickoff.missing().is_empty();
    if complete || args.force {
        roll::start(here, &mut kickoff)?;
    }
    if args.json {
        out.json(&roll::view(&kickoff));
    } else if complete {
        out.line("START was sent to all");
    } else {
        let missing = kickoff.missing().join(", ");
        if args.force {
            out.line(format!("START was sent without {missing}, who get it when they report ready"));
        } else {
            out.note(format!(
                "not started: {missing} did not report ready. START goes out when the last one does; `comm-node kickoff \
                 --force` starts without the missing, `comm-node kickoff --status` shows who is there"
            ));
        }
    }
    Ok(if complete || args.force { Outcome::Done } else { Outcome::Refused })
}
