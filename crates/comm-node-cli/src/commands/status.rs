//! `comm-node status`: the node at a glance, and what an agent says of its work.

mod set;
mod view;

use std::time::Duration;

use anyhow::{Result, bail};
use comm_node_core::activity::State;
use comm_node_core::clock;
use comm_node_core::deadline::Deadline;
use comm_node_core::text::one_line;

use crate::Outcome;
use crate::env::Env;
use crate::here::{Here, session_of_caller};
use crate::out::{Ink, Out};
use view::{Agent, Domain, View};

/// Arguments of `comm-node status`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Print JSON: one object with the node, its faults and its domains
    #[arg(long)]
    json: bool,
    /// Fail if something wants a person: an agent that is lost, silent or blocked, a pause, a fault
    #[arg(long)]
    check: bool,
    /// Show it anew every two seconds, until interrupted
    #[arg(long, conflicts_with_all = ["json", "check"])]
    watch: bool,
    #[command(flatten)]
    said: set::Said,
}

const AFTER_HELP: &str = "\
Examples:
  comm-node status
  comm-node status --json | jq -r '.domains[] | select(.state == \"lost\") | .name'
  comm-node status --check && echo all is well
  comm-node status --set busy --task bd-102 --progress 40    inside a session: say what it does
  comm-node status --set blocked --note 'needs the API contract'
  comm-node status --set idle                                done: no task any more

STATE is none (no session), idle, busy (in a turn), blocked (as its agent said), silent (nothing was heard of
it for two minutes in the middle of a turn), or lost (its client is gone). docs/status.md has the fields of --json.

Exit codes: 0 shown or set, 1 refused, or something wants a person (--check), 2 wrong usage.";

/// Foreign leases that are named one by one.
const FOREIGN: usize = 10;
/// How long looking for lost sessions may take.
const LOOKOUT: Duration = Duration::from_secs(2);
/// How often `--watch` looks.
const ROUND: Duration = Duration::from_secs(2);

/// Runs the command.
///
/// # Errors
/// When there is no node or it can't be read.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    if args.said.is_any() {
        if args.check || args.watch {
            bail!(
                "--check and --watch show the node, and --set says what a session does; give one or the other"
            );
        }
        return set::run(&args.said, args.json, &Here::find(env)?, env, out);
    }
    if args.watch {
        loop {
            let here = Here::find(env)?;
            let view = look(&here, env, out)?;
            out.clear();
            show(&view, env, out);
            std::thread::sleep(ROUND);
        }
    }
    let here = Here::find(env)?;
    let view = look(&here, env, out)?;
    if args.json {
        out.json(&view);
    } else {
        show(&view, env, out);
    }
    Ok(if args.check && wants_a_person(&view) { Outcome::Refused } else { Outcome::Done })
}

/// The node as it is, after the person was told of what is lost.
fn look(here: &Here, env: &Env, out: &Out) -> Result<View> {
    let me = session_of_caller(env, &here.store)?;
    if let Err(e) = here.store.look_out(me.as_ref(), Deadline::after(LOOKOUT)) {
        out.note(format!("warning: {}", one_line(&format!("{e}; {}", e.remedy()), 600)));
    }
    view::gather(here, &here.registry()?, env)
}

fn wants_a_person(view: &View) -> bool {
    let wants = |a: &Agent| matches!(a.state, State::Blocked | State::Silent | State::Lost);
    view.paused.is_some()
        || view.fault.is_some()
        || !view.damaged.is_empty()
        || view.domains.iter().any(|d| d.agents.iter().any(wants))
}

fn show(view: &View, env: &Env, out: &Out) {
    out.line(format!(
        "node {}  {}",
        out.ink(Ink::Bold, &one_line(&view.node, 60)),
        crate::out::path(&view.root)
    ));
    faults(view, out);
    let cells: Vec<Vec<String>> = view.domains.iter().map(row).collect();
    out.table(
        &["DOMAIN", "STATE", "TASK", "DONE", "SESSIONS", "MAIL", "LEASES", "BUDGET", "SCOPE"],
        &cells,
        "no domains yet; `comm-node init` proposes some",
    );
    for domain in &view.domains {
        for agent in &domain.agents {
            remark(domain, agent, out);
        }
    }
    if view.unbound > 0 {
        out.line(format!(
            "{} live session(s) bound to no domain; `comm-node sessions` lists them",
            view.unbound
        ));
    }
    let human = view.human.waiting + view.human.open;
    if human > 0 {
        let whose = if env.var("CLAUDE_CODE_SESSION_ID").is_some() { "the person" } else { "you" };
        out.line(format!("{human} message(s) for {whose}; `comm-node inbox --domain human` lists them"));
    }
    for lease in view.foreign_leases.iter().take(FOREIGN) {
        let path = one_line(&lease.path, 200);
        out.line(format!("{path} in this session's scope is held by {}", lease.holder.describe()));
    }
    if view.foreign_leases.len() > FOREIGN {
        out.line(format!("and {} more; `comm-node locks` lists them", view.foreign_leases.len() - FOREIGN));
    }
}

fn faults(view: &View, out: &Out) {
    if let Some(pause) = &view.paused {
        let why = if pause.reason.is_empty() {
            String::new()
        } else {
            format!(": {}", one_line(&pause.reason, 200))
        };
        let since = one_line(&pause.since, 40);
        out.line(format!(
            "{} since {since}{why}; `comm-node resume` ends it",
            out.ink(Ink::Yellow, "PAUSED")
        ));
    }
    if let Some(fault) = &view.fault {
        out.line(format!(
            "{} comm-node.yaml:{}:{}: {}; the last good rules stay in force",
            out.ink(Ink::Red, "FAULT"),
            fault.line,
            fault.column,
            one_line(&fault.message, 400)
        ));
    }
    for fault in &view.damaged {
        out.line(format!("{} {}", out.ink(Ink::Red, "FAULT"), one_line(fault, 600)));
    }
}

fn row(domain: &Domain) -> Vec<String> {
    let ids: Vec<&str> = domain.sessions.iter().map(|id| id.get(..8).unwrap_or(id)).collect();
    let none = || "-".to_owned();
    let mode = format!("{:?}", domain.mode).to_lowercase();
    let mut scope = domain.scope.join(", ");
    if !domain.exclude.is_empty() {
        scope = format!("{scope} except {}", domain.exclude.join(", "));
    }
    vec![
        // The usual mode needs no word.
        if mode == "enforce" { domain.name.clone() } else { format!("{} ({mode})", domain.name) },
        domain.state.to_owned(),
        domain.task.clone().unwrap_or_else(none),
        domain.progress.map_or_else(none, |percent| format!("{percent} %")),
        if ids.is_empty() { none() } else { ids.join(" ") },
        match (domain.mail.waiting, domain.mail.urgent) {
            (waiting, 0) => waiting.to_string(),
            (waiting, urgent) => format!("{waiting} ({urgent} urgent)"),
        },
        domain.leases.to_string(),
        domain.budget.as_ref().map_or_else(none, |spent| spent.text.clone()),
        scope,
    ]
}

/// What a person should know of an agent besides its row.
fn remark(domain: &Domain, agent: &Agent, out: &Out) {
    let id = agent.session.get(..8).unwrap_or(&agent.session);
    let quiet = clock::span(agent.quiet_ms);
    let name = &domain.name;
    match agent.state {
        State::Lost => out.line(format!(
            "{} session {id} of {name}: not heard of for {quiet}; in {} `claude --resume {}` goes on with it",
            out.ink(Ink::Red, "LOST"),
            one_line(&agent.directory, 200),
            agent.session
        )),
        State::Silent => out.line(format!(
            "{} session {id} of {name}: not heard of for {quiet} in the middle of a turn; it waits for a \
             permission, runs something long, or hangs",
            out.ink(Ink::Yellow, "SILENT"),
        )),
        State::Blocked => {
            let why =
                agent.note.as_deref().map_or(String::new(), |note| format!(": {}", one_line(note, 200)));
            out.line(format!("{} session {id} of {name}{why}", out.ink(Ink::Yellow, "BLOCKED")));
        }
        State::Idle | State::Busy => {}
    }
}
