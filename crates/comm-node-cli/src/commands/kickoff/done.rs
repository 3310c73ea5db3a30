//! Who is done, and who brings the parts together then.

use anyhow::{Context, Result, bail};
use comm_node_core::clock;
use comm_node_core::kickoff::{self, Kickoff};
use comm_node_core::mail::{Draft, Kind, Priority, Ulid};
use comm_node_core::node::registry::Registry;
use comm_node_core::store::Shelf;
use comm_node_core::text::one_line;

use super::roll;
use crate::Outcome;
use crate::commands::join::domain;
use crate::env::Env;
use crate::handing;
use crate::here::Here;
use crate::mailing::{self, Me};
use crate::out::Out;

/// Characters of a note.
const MAX_NOTE: usize = 200;
/// Hand-offs that are named.
const NAMED: usize = 5;

/// Runs `--done`.
pub(super) fn run(
    named: Option<&str>,
    note: Option<&str>,
    as_json: bool,
    env: &Env,
    out: &Out,
) -> Result<Outcome> {
    let here = Here::find(env)?;
    let registry = here.registry()?;
    let me = Me::find(env, &here, &registry)?;
    let name = whose(&registry, &me, named)?;
    let note = note.map(str::trim).unwrap_or_default();
    if note.chars().count() > MAX_NOTE {
        bail!("the note has more than {MAX_NOTE} characters; say it shorter, or send a message");
    }
    let _lock = roll::lock(&here)?;
    let Some(mut kickoff) = here.store.read_kickoff()? else {
        bail!("no kickoff is under way, so there is no part that could be done");
    };
    let started = kickoff.is_started();
    let Some(member) = kickoff.members.get_mut(&name) else {
        bail!(
            "the kickoff under way is not for domain {name}; `comm-node kickoff --status` shows whom it is for"
        );
    };
    if !started {
        bail!(
            "nothing can be done yet: START has not come; `comm-node kickoff --status` shows who is missing"
        );
    }
    if member.done.is_none() {
        nothing_is_open(&here, &name)?;
        member.done = Some(clock::rfc3339(clock::now_ms()));
        note.clone_into(&mut member.note);
        here.store.write_kickoff(&kickoff)?;
        mailing::log(&here, &me, "kickoff_done", &format!("{} {name}", kickoff.id));
    }
    wake(&here, &registry, &mut kickoff)?;
    if as_json {
        out.json(&roll::view(&kickoff));
        return Ok(Outcome::Done);
    }
    let coordinators = kickoff::coordinators(&registry);
    let open = kickoff.undone(&coordinators);
    if open.is_empty() {
        let told: Vec<&str> = kickoff.woken.keys().map(String::as_str).collect();
        out.line(format!("{name} is done, and with it all; told {}", told.join(", ")));
    } else {
        out.line(format!("{name} is done; not yet: {}", open.join(", ")));
    }
    Ok(Outcome::Done)
}

/// The domain that is meant: a session speaks for its own, a person for any.
fn whose(registry: &Registry<'_>, me: &Me, named: Option<&str>) -> Result<String> {
    match named {
        None if me.is_person() => bail!(
            "say which domain is done: `comm-node kickoff <domain> --done`; inside a session it is the session's own"
        ),
        None => Ok(me.name.clone()),
        Some(named) => {
            let name = domain(registry, named)?.name.to_string();
            if !me.is_person() && name != me.name {
                bail!("this session works for domain {}, and can't say that {name} is done", me.name);
            }
            Ok(name)
        }
    }
}

/// Work that waits for the domain, or is under way, is not done.
fn nothing_is_open(here: &Here, name: &str) -> Result<()> {
    let mut open = Vec::new();
    for shelf in [Shelf::Open, Shelf::Taken] {
        open.extend(handing::on_shelf(here, name, shelf, NAMED)?);
    }
    let Some(first) = open.first() else { return Ok(()) };
    // What can't be read can't be finished either, before somebody mends it or puts it away.
    if let Some(malformed) = open.iter().find(|found| found.read.is_err()) {
        malformed.valid().with_context(|| format!("domain {name} has a hand-off that is not done"))?;
    }
    let tasks: Vec<String> =
        open.iter().take(NAMED).map(|found| one_line(&found.task(), 60).into_owned()).collect();
    let task = one_line(&first.task(), 60).into_owned();
    bail!(
        "domain {name} has hand-offs that are not done: {}; finish each first (`comm-node handoff accept {task}` takes \
         one that waits, `comm-node handoff done {task}` puts it away)",
        tasks.join(", ")
    );
}

/// Says what is to be said and was not, because whoever should have died before.
pub(super) fn finish(here: &Here) -> Result<()> {
    let due = |kickoff: &Kickoff, registry: &Registry<'_>| {
        !kickoff.to_wake(&kickoff::coordinators(registry)).is_empty()
    };
    let Some(kickoff) = here.store.read_kickoff()? else { return Ok(()) };
    // The rules are not read while nobody has said so.
    if kickoff.members.values().all(|member| member.done.is_none()) {
        return Ok(());
    }
    let registry = here.registry()?;
    if !due(&kickoff, &registry) {
        return Ok(());
    }
    let _lock = roll::lock(here)?;
    match here.store.read_kickoff()? {
        Some(mut kickoff) => wake(here, &registry, &mut kickoff),
        None => Ok(()),
    }
}

/// Tells the coordinators, or the person where there is none, once all others are done. The caller holds the lock.
/// Whoever died between a message and its place in the record is known by the message: nobody is told twice.
fn wake(here: &Here, registry: &Registry<'_>, kickoff: &mut Kickoff) -> Result<()> {
    let coordinators = kickoff::coordinators(registry);
    let me = roll::person()?;
    for name in kickoff.to_wake(&coordinators) {
        let id = match told(here, kickoff, &name)? {
            Some(id) => id,
            None => {
                let said = Draft {
                    to: vec![name.clone()],
                    kind: Kind::Start,
                    priority: Priority::High,
                    detailed: true,
                    body: kickoff::all_done(kickoff, &coordinators),
                    ..Draft::default()
                };
                mailing::send(here, &me, said)?.id
            }
        };
        kickoff.woken.insert(name.clone(), id.text());
        here.store.write_kickoff(kickoff)?;
        mailing::log(here, &me, "kickoff_all_done", &format!("{} {name}", kickoff.id));
    }
    Ok(())
}

/// The message of this round that told `name`, if it was sent.
fn told(here: &Here, kickoff: &Kickoff, name: &str) -> Result<Option<Ulid>> {
    let mail = here.store.mail();
    let me = roll::person()?;
    let Some(round) = Ulid::parse(&kickoff.id) else { return Ok(None) };
    let first_day = comm_node_core::store::Mail::day_of(round);
    for day in mail.sent_days(&me.name)?.into_iter().take_while(|day| *day >= first_day) {
        for id in mail.sent(&me.name, &day)?.into_iter().filter(|id| *id > round) {
            let message = mail.read_sent(&me.name, id)?;
            if message.is_some_and(|m| m.said.to == [name] && m.said.body.starts_with(kickoff::ALL_DONE)) {
                return Ok(Some(id));
            }
        }
    }
    Ok(None)
}
