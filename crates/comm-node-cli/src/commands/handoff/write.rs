//! `comm-node handoff write`.

use anyhow::{Result, bail};
use comm_node_core::clock;
use comm_node_core::deadline::Deadline;
use comm_node_core::handoff::{self, Handoff, Head, Step, pipeline};
use comm_node_core::mail::{Draft, Kind};
use comm_node_core::node::registry::{Registry, Role};
use comm_node_core::session::{Session, SessionId};
use comm_node_core::store::{Event, Release, Shelf};
use comm_node_core::text::one_line;

use crate::env::Env;
use crate::handing::{self, change, on_shelf, role_of, standing, working_dir};
use crate::here::Here;
use crate::mailing::{self, Me, PATIENCE};
use crate::out::Out;
use crate::{Outcome, config};

/// Files that are named as not committed.
const MAX_DIRTY: usize = 50;

/// Arguments of `comm-node handoff write`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The task: one word, such as bd-102
    task: String,
    /// `-`: the whole text of the hand-off stands on stdin
    #[arg(value_name = "-", conflicts_with_all = ["status", "next", "question", "decision"])]
    text: Option<String>,
    /// What was done
    #[arg(long, value_name = "TEXT")]
    status: Option<String>,
    /// A next step; may be given several times
    #[arg(long, value_name = "TEXT")]
    next: Vec<String>,
    /// An open question; may be given several times
    #[arg(long, value_name = "TEXT")]
    question: Vec<String>,
    /// Something that was decided, and why; may be given several times
    #[arg(long, value_name = "TEXT")]
    decision: Vec<String>,
    /// A domain, a role, or one of each [default: this domain]
    #[arg(long, value_name = "DOMAIN|ROLE")]
    to: Vec<String>,
    /// To the role that follows this session's in the pipeline
    #[arg(long)]
    to_next: bool,
    /// The command that runs the tests; later roles of a pipeline get it
    #[arg(long, value_name = "COMMAND")]
    check: Option<String>,
    /// Put it in the place of one that waits for the same task
    #[arg(long)]
    replace: bool,
    /// Print the hand-off as JSON
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Examples:
  comm-node handoff write bd-102 --status 'The API is there.' --next 'wire the page' --to frontend
  comm-node handoff write bd-102 --status 'Red: 3 tests.' --check 'cargo test -q login' --to-next
  comm-node handoff write bd-102 --to implement - < handoff.md

The sections of the text are ## Status, ## Next, ## Open questions and ## Files touched, with ## Decisions where
something was decided. The files, the branch, what is not committed and what was held come from comm-node's own
record, whatever the text says of them.";

/// Whom it is for.
struct Address {
    domain: String,
    phase: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When the hand-off is not complete, or can't be written; the leases are kept then.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    let registry = here.registry()?;
    if !handoff::is_task(&args.task) {
        bail!("not written: {}", handoff::task_fault(&args.task));
    }
    let me = Me::find(env, &here, &registry)?;
    let session = if me.is_person() { None } else { here.store.read_session(&me.session)? };
    let after = session.as_ref().and_then(|s| role_of(s, registry.domain(&me.name))).map(str::to_owned);
    let address = address(args, &here, &registry, &me, after.as_deref())?;
    let mut handoff = said(args)?;
    let _lock = handing::lock(&here)?;
    let mine = taken(&here, &me, &args.task)?;
    let touched = facts(&here, env, &mut handoff, session.as_ref())?;
    make_room(args, &here, &me, &address, &mut handoff)?;
    let taken = mine.as_ref().and_then(|found| found.read.as_ref().ok()).map(|taken| taken.head.clone());
    let roles = all_roles(&here, &registry)?;
    if let Some(next) = &address.phase {
        pipeline::fill(&mut handoff.head, next, &roles, &touched, taken.as_ref());
        let missing = pipeline::missing(&handoff, next);
        if !missing.is_empty() {
            let each: Vec<String> =
                missing.iter().map(|f| format!("`{}` ({})", f.name(), f.help())).collect();
            bail!("not written: the role {next} needs {}", each.join(" and "));
        }
    }
    // A figure is not worth failing for: work must be closed cleanly when nothing is left.
    let gauge = here.store.gauge(&registry, &me.name, Some(&args.task), 0).ok().flatten();
    let left = gauge.map(|g| format!("{} % ({} is spent)", 100_u64.saturating_sub(g.percent), g.text.trim()));
    let head = &mut handoff.head;
    head.budget_left = left;
    (head.from, head.to) = (Some(me.name.clone()), Some(address.domain.clone()));
    head.session = session.as_ref().map(|s| s.session_id.to_string());
    (head.phase, head.after) = (address.phase.clone(), after);
    head.written = Some(clock::rfc3339(clock::now_ms()));
    let text = handoff::write(&handoff);
    if text.len() as u64 > handoff::MAX_FILE {
        bail!("not written: it has {} bytes, more than {}; say less", text.len(), handoff::MAX_FILE);
    }
    if let Err(faults) = handoff::read(&text) {
        let lines: Vec<String> = faults.iter().map(|fault| fault.in_file("the hand-off")).collect();
        bail!("not written: {}", lines.join("; "));
    }
    let handed = here.store.handoffs().put(&address.domain, Shelf::Open, &args.task, &handoff)?;
    // What was taken over is passed on now. Dying before this leaves a second one that its session's end frees.
    if let Some(handed) = mine.as_ref().and_then(|found| found.handed.as_ref()) {
        here.store.handoffs().shift(handed, Shelf::Done)?;
    }
    if let Some(session) = &session {
        let deadline = Deadline::after(PATIENCE);
        here.store.leases().release(&Release::Session(&session.session_id), deadline)?;
        change(&here, &session.session_id, |s| s.task = None)?;
        here.store.forget_touched(&session.session_id)?;
    }
    let shown = here.store.handoffs().shown(&handed);
    mailing::log(&here, &me, "handoff_written", &format!("{} for {}", args.task, describe(&address)))?;
    // The hand-off is written; that nobody could be told of it is no reason to write it again.
    let told = tell(&here, &registry, &me, &address, &handoff).unwrap_or_else(|e| {
        out.note(format!(
            "warning: domain {} was sent no word of it: {}",
            address.domain,
            one_line(&format!("{e:#}"), 400)
        ));
        false
    });
    if args.json {
        out.json(&handoff);
        return Ok(Outcome::Done);
    }
    out.line(format!("wrote {shown} for {}", describe(&address)));
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    out.line(format!(
        "{} touched, {} not committed, {} given back{}",
        count(handoff.files.len(), "file"),
        handoff.head.dirty.len(),
        count(handoff.head.released.len(), "lease"),
        if told { ", and a message sent" } else { "" }
    ));
    Ok(Outcome::Done)
}

fn describe(address: &Address) -> String {
    match &address.phase {
        Some(role) => format!("domain {}, role {role}", address.domain),
        None => format!("domain {}", address.domain),
    }
}

fn all_roles<'r>(here: &Here, registry: &'r Registry<'_>) -> Result<Vec<Role<'r>>> {
    let damaged = |why| comm_node_core::Error::Damaged { path: here.store.registry_path(), why };
    Ok(registry.roles.list().map_err(damaged)?)
}

/// Whom the hand-off is for.
fn address(
    args: &Args,
    here: &Here,
    registry: &Registry<'_>,
    me: &Me,
    after: Option<&str>,
) -> Result<Address> {
    let (mut domain, mut phase) = (None, None);
    for name in &args.to {
        let slot = if registry.domain(name).is_some() {
            &mut domain
        } else if handing::role(here, registry, name)?.is_some() {
            &mut phase
        } else {
            let roles = all_roles(here, registry)?;
            let names = registry.domains.iter().map(|d| d.name.as_str());
            let names = names.chain(roles.iter().map(|role| role.name.as_str()));
            let shown = one_line(name, 60);
            match config::reader::nearest(name, names) {
                Some(best) => bail!("no domain or role is called `{shown}`; did you mean `{best}`?"),
                None => bail!("no domain or role is called `{shown}`; `comm-node show` lists the domains"),
            }
        };
        if slot.replace(name.clone()).is_some() {
            bail!("--to names two of the same kind; a hand-off is for one domain and one role");
        }
    }
    if args.to_next {
        let Some(after) = after else {
            bail!(
                "this session acts in no role, so none follows; name one with --to, such as --to test-list"
            );
        };
        let next = handing::role(here, registry, after)?.and_then(|role| role.next.map(|n| n.to_string()));
        let Some(next) = next else {
            bail!("no role follows {after}; name one with --to, or add `next` to it in comm-node.yaml");
        };
        if let Some(other) = phase.replace(next.clone()).filter(|other| *other != next) {
            bail!("--to names the role {other}, and after {after} comes {next}; leave one of the two out");
        }
    }
    let domain = match domain {
        Some(domain) => domain,
        None if me.is_person() => bail!("name the domain that it is for with --to"),
        None => me.name.clone(),
    };
    Ok(Address { domain, phase })
}

/// What the session says of the task.
fn said(args: &Args) -> Result<Handoff> {
    let text = match args.text.as_deref() {
        Some("-") => mailing::body(None)?,
        Some(other) => bail!(
            "`{}` is not understood; put the text behind --status, or give the whole hand-off on stdin with -",
            one_line(other, 60)
        ),
        None => {
            let Some(status) = args.status.as_deref().filter(|status| !status.trim().is_empty()) else {
                bail!(
                    "not written: it says nothing of what was done; add --status '…', and --next '…' for what is left"
                );
            };
            let next = args.next.iter().map(|text| Step { done: false, text: text.clone() }).collect();
            return Ok(Handoff {
                head: Head { check: args.check.clone(), ..Head::default() },
                task: args.task.clone(),
                status: status.to_owned(),
                next,
                questions: args.question.clone(),
                decisions: args.decision.clone(),
                files: Vec::new(),
            });
        }
    };
    // The files are filled in anyway.
    let lists_files = text.lines().any(|line| line.trim_end() == "## Files touched");
    let text = if lists_files { text } else { format!("{}\n## Files touched\nNone\n", text.trim_end()) };
    let mut handoff = handoff::read(&text).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(|fault| fault.in_file("stdin")).collect();
        anyhow::anyhow!("not written: {}", lines.join("; "))
    })?;
    let titled = handoff.task.split_whitespace().next().unwrap_or_default().trim_end_matches(':');
    if titled != args.task {
        bail!(
            "not written: stdin:1: the title names the task `{}` and the command {}; write `# {}`",
            one_line(&handoff.task, 60),
            args.task,
            args.task
        );
    }
    handoff.task.clone_from(&args.task);
    let Head { list, tests, code, check, .. } = std::mem::take(&mut handoff.head);
    handoff.head = Head { list, tests, code, check: args.check.clone().or(check), ..Head::default() };
    Ok(handoff)
}

/// Fills in what comm-node knows itself; returns what the session wrote.
fn facts(here: &Here, env: &Env, handoff: &mut Handoff, session: Option<&Session>) -> Result<Vec<String>> {
    let standing = standing(&working_dir(env));
    handoff.head.branch = standing.branch;
    handoff.head.commit = standing.commit;
    let Some(session) = session else { return Ok(handoff.files.clone()) };
    let id = &session.session_id;
    let touched = here.store.touched(id)?;
    handoff.files = touched.iter().take(handoff::MAX_ITEMS).cloned().collect();
    // What others left lying about is not this task's.
    let mine = |path: &String| touched.iter().any(|t| t == path || t.ends_with(&format!("/{path}")));
    handoff.head.dirty = standing.dirty.into_iter().filter(mine).take(MAX_DIRTY).collect();
    let (leases, _) = here.store.leases().list()?;
    let held = leases.into_iter().filter(|lease| lease.holder.session.as_ref() == Some(id));
    handoff.head.released = held.map(|lease| lease.path).collect();
    handoff.head.released.sort_unstable();
    handoff.head.released.dedup();
    handoff.head.released.truncate(handoff::MAX_ITEMS);
    Ok(touched)
}

/// The hand-off of `task` that this session took.
fn taken(here: &Here, me: &Me, task: &str) -> Result<Option<handing::Found>> {
    let mine = |found: &handing::Found| {
        found.task() == task && handoff::head(&found.text).taken_by.as_deref() == Some(me.session.as_str())
    };
    Ok(on_shelf(here, &me.name, Shelf::Taken, usize::MAX)?.into_iter().find(mine))
}

/// Sees to it that nobody else's hand-off of the same task is lost. What this session wrote before is
/// replaced, and its files stay on the list.
fn make_room(args: &Args, here: &Here, me: &Me, address: &Address, handoff: &mut Handoff) -> Result<()> {
    let same = |found: &handing::Found| found.task() == args.task;
    let taken = on_shelf(here, &address.domain, Shelf::Taken, usize::MAX)?.into_iter().find(same);
    if let Some(other) = taken.and_then(|found| found.taker(here)).filter(|id| *id != me.session) {
        bail!(
            "not written: session {} works on {} right now; send it a message, or use another name for the task",
            other.short(),
            args.task
        );
    }
    let Some(open) = on_shelf(here, &address.domain, Shelf::Open, usize::MAX)?.into_iter().find(same) else {
        return Ok(());
    };
    let head = handoff::head(&open.text);
    let own = head.session.as_deref() == Some(me.session.as_str());
    if !own && !args.replace {
        let from = one_line(head.from.as_deref().unwrap_or("somebody"), 60).into_owned();
        bail!(
            "not written: {} waits already (from {from}); `comm-node handoff show {}` shows it, --replace puts this \
             one in its place",
            open.shown,
            args.task
        );
    }
    if let (true, Ok(before)) = (own, &open.read) {
        let more = before.files.iter().filter(|path| !handoff.files.contains(path)).cloned();
        handoff.files = more.chain(handoff.files.clone()).take(handoff::MAX_ITEMS).collect();
    }
    if let Some(handed) = &open.handed {
        here.store.handoffs().shift(handed, Shelf::Done)?;
        here.store.log(&Event {
            event: "handoff_replaced",
            session: session_name(me),
            note: &args.task,
            ..Event::default()
        })?;
    }
    Ok(())
}

fn session_name(me: &Me) -> &str {
    if me.is_person() { "" } else { SessionId::as_str(&me.session) }
}

/// Sends the other domain word. One's own reads of it in the brief of its next session.
fn tell(here: &Here, registry: &Registry<'_>, me: &Me, address: &Address, handoff: &Handoff) -> Result<bool> {
    if address.domain == me.name {
        return Ok(false);
    }
    let role = address.phase.as_ref().map(|role| format!(" as {role}")).unwrap_or_default();
    let said = Draft {
        to: mailing::recipients(registry, me, std::slice::from_ref(&address.domain))?,
        kind: Kind::Handoff,
        task: Some(handoff.task.clone()),
        body: format!(
            "Task {0} is handed to {1}{role}: `comm-node handoff accept {0}` takes it, `comm-node handoff show {0}` \
             shows it.",
            handoff.task, address.domain
        ),
        ..Draft::default()
    };
    mailing::send(here, me, said).map(|_| true)
}
