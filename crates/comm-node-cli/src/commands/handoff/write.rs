//! `comm-node handoff write`.

use anyhow::{Result, bail};
use comm_node_core::clock;
use comm_node_core::deadline::Deadline;
use comm_node_core::handoff::{self, Handoff, Head, Step, pipeline};
use comm_node_core::markdown::lines;
use comm_node_core::store::{Release, Shelf};
use comm_node_core::text::{self, one_line};

use super::address::{address, all_roles, tell};
use super::facts::{facts, make_room, taken};
use crate::Outcome;
use crate::env::Env;
use crate::handing::{self, change, role_of};
use crate::mailing::{self, PATIENCE};
use crate::out::Out;

/// Arguments of `comm-node handoff write`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The task: one word, such as bd-102
    pub(super) task: String,
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
    pub(super) to: Vec<String>,
    /// To the role that follows this session's in the pipeline
    #[arg(long)]
    pub(super) to_next: bool,
    /// The command that runs the tests; later roles of a pipeline get it
    #[arg(long, value_name = "COMMAND")]
    check: Option<String>,
    /// Put it in the place of one that waits for the same task
    #[arg(long)]
    pub(super) replace: bool,
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

/// Runs the command.
///
/// # Errors
/// When the hand-off is not complete, or can't be written; the leases are kept then.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    if !handoff::is_task(&args.task) {
        bail!("not written: {}", handoff::task_fault(&args.task));
    }
    handing::desk(env, |here, registry, me| {
        let session = if me.is_person() { None } else { here.store.read_session(&me.session)? };
        let after = session.as_ref().and_then(|s| role_of(s, registry.domain(&me.name))).map(str::to_owned);
        let address = address(args, here, registry, me, after.as_deref())?;
        let mut handoff = visible(said(args)?);
        let _lock = handing::lock(here)?;
        let mine = taken(here, me, &args.task)?;
        let touched = facts(here, env, &mut handoff, session.as_ref())?;
        make_room(args, here, me, &address, &mut handoff)?;
        let taken = mine.as_ref().and_then(|found| found.read.as_ref().ok()).map(|taken| taken.head.clone());
        let roles = all_roles(here, registry)?;
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
        let gauge = here.store.gauge(registry, &me.name, Some(&args.task), 0).ok().flatten();
        let left =
            gauge.map(|g| format!("{} % ({} is spent)", 100_u64.saturating_sub(g.percent), g.text.trim()));
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
            change(here, &session.session_id, |s| s.task = None)?;
            here.store.forget_touched(&session.session_id)?;
        }
        let shown = here.store.handoffs().shown(&handed);
        mailing::log(here, me, "handoff_written", &format!("{} for {}", args.task, address.describe()));
        // The hand-off is written; that nobody could be told of it is no reason to write it again.
        let told = tell(here, registry, me, &address, &handoff).unwrap_or_else(|e| {
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
        out.line(format!("wrote {shown} for {}", address.describe()));
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        out.line(format!(
            "{} touched, {} not committed, {} given back{}",
            count(handoff.files.len(), "file"),
            handoff.head.dirty.len(),
            count(handoff.head.released.len(), "lease"),
            if told { ", and a message sent" } else { "" }
        ));
        Ok(Outcome::Done)
    })
}

/// The same, with nothing in it that acts on a terminal or hides.
fn visible(handoff: Handoff) -> Handoff {
    let shown = |raw: String| text::visible(&raw).into_owned();
    let all = |items: Vec<String>| items.into_iter().map(shown).collect();
    Handoff {
        status: shown(handoff.status),
        next: handoff.next.into_iter().map(|step| Step { text: shown(step.text), ..step }).collect(),
        questions: all(handoff.questions),
        decisions: all(handoff.decisions),
        files: all(handoff.files),
        ..handoff
    }
}

/// What the session says of the task.
fn said(args: &Args) -> Result<Handoff> {
    let text = match args.text.as_deref() {
        Some("-") => mailing::body(None, "say less: a hand-off points to files, it does not hold them")?,
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
    let lists_files = lines(&text, 1).iter().any(|line| line.heading() == Some((2, "Files touched")));
    let text = if lists_files { text } else { format!("{}\n## Files touched\nNone\n", text.trim_end()) };
    let mut handoff = handoff::read_as(&text, Some(&args.task), None).map_err(|faults| {
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
