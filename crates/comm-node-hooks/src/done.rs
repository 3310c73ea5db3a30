//! Whether a session with a task open may end its turn: the task's criteria, and the node's stop gate.
//!
//! Both hold a turn back at most twice in a row, together with mail, and not twice for the same reason. A turn that ends
//! all the same is told to the person. The gate's commands are run by the command line beside this program, which
//! ends them when their time is over, and when this program goes away.

use std::process::Command;
use std::time::Duration;

use comm_node_core::Result;
use comm_node_core::activity::Activity;
use comm_node_core::deadline::Deadline;
use comm_node_core::guard::{self, Binding};
use comm_node_core::mail::frame::quoted;
use comm_node_core::node::registry::Mode;
use comm_node_core::session::Session;
use comm_node_core::store::Event;
use comm_node_core::text::one_line;
use serde::Deserialize;

use crate::answer::Answer;
use crate::child::{self, Late, Until};
use crate::mail::{MAX_HELD, hold};
use crate::scene::{self, Scene, Surroundings};
use crate::wire::Call;

/// Why a turn is not let end.
const OPEN: &str = "The task is not done: criteria are open.";
const RED: &str = "The stop gate fails.";
/// Criteria that are named.
const NAMED: usize = 8;
/// What the gate may say, in bytes.
const MAX_SAID: usize = 64 << 10;
/// How long the command line is waited for beyond the time of the commands.
const GRACE: Duration = Duration::from_secs(15);

/// What the gate came to, as `comm-node gate --json` prints it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Verdict {
    passed: bool,
    command: String,
    how: String,
    said: String,
}

/// Stop: holds the turn where the task is not done.
///
/// # Errors
/// When the session's record can't be read or written.
pub(crate) fn at_stop(
    scene: &Scene,
    session: &Session,
    call: &Call<'_>,
    around: &Surroundings,
    deadline: Deadline,
) -> Result<Answer> {
    let Binding::Domain(domain) = guard::binding(&scene.registry, session) else { return Ok(Answer::Silent) };
    let Some(task) = session.task.as_deref() else { return Ok(Answer::Silent) };
    // Who waits for a person's decision has nothing to go on with.
    if call.subagent().is_some() || domain.mode == Mode::Off || session.activity == Some(Activity::Blocked) {
        return Ok(Answer::Silent);
    }
    let held = if call.stop_hook_active { session.held } else { 0 };
    let is_over = held >= MAX_HELD;
    let before = session.held_for.as_deref().filter(|_| call.stop_hook_active);
    let shown = one_line(task, 80);
    let open = scene.store.open_criteria(&scene.layout.root, &domain.name, &session.session_id, task);
    if !open.is_empty() && !is_over {
        let why = reason("criteria", &open.concat());
        if before != Some(&why) {
            hold(scene, session, held + 1, &why, deadline)?;
            return Ok(Answer::Hold { reason: OPEN, text: criteria(&shown, &open) });
        }
    }
    // What the person is told of a turn that was held as often as it may be, and ends with criteria open.
    let unfinished = || match open.len() {
        0 => Answer::Silent,
        _ if !is_over => Answer::Silent,
        n => Answer::Person(format!(
            "comm-node: task {shown} is open, {n} of its criteria are not checked off; the turn was let end all the same."
        )),
    };
    if scene.registry.policy.stop_gate.is_empty() {
        return Ok(unfinished());
    }
    let Some(verdict) = gate(scene, session, around) else {
        return Ok(Answer::Person(
            "comm-node: the stop gate could not be run; `comm-node gate` shows why.".to_owned(),
        ));
    };
    if verdict.passed {
        return Ok(unfinished());
    }
    let why = reason("gate", &[verdict.command.as_str(), &verdict.how, &steady(&verdict.said)].concat());
    let again = is_over || before == Some(&why);
    log(scene, session, if again { "gate_let_go" } else { "gate_held" }, &verdict.command)?;
    if again {
        return Ok(Answer::Person(format!(
            "comm-node: task {shown} is open and the stop gate still fails (`{}`); the turn was let end all the same.",
            one_line(&verdict.command, 200)
        )));
    }
    hold(scene, session, held + 1, &why, deadline)?;
    let said = match quoted(&verdict.said) {
        said if said.is_empty() => "It said nothing.".to_owned(),
        said => ["The end of what it said:\n", &said].concat(),
    };
    let text = format!(
        "comm-node: task {shown} is open, and `{}` of the node's stop gate {}. {said}\nThe task \
         is done when it passes; `comm-node gate` runs it again. If it can't be mended here, `comm-node blocker add` or a \
         hand-off says why.",
        one_line(&verdict.command, 200),
        one_line(&verdict.how, 80)
    );
    Ok(Answer::Hold { reason: RED, text })
}

fn log(scene: &Scene, session: &Session, event: &str, note: &str) -> Result<()> {
    scene.store.log(&Event {
        event,
        session: session.session_id.as_str(),
        domain: session.domain.as_deref().unwrap_or_default(),
        note: &one_line(note, 200),
        ..Event::default()
    })
}

/// What is said of criteria that are open.
fn criteria(task: &str, open: &[String]) -> String {
    let mut out = format!("comm-node: task {task} is open, and of its criteria these are not checked off:\n");
    for one in open.iter().take(NAMED) {
        out.push_str("> ");
        out.push_str(&one_line(one, 500));
        out.push('\n');
    }
    if open.len() > NAMED {
        out.push_str(&format!("and {} more\n", open.len() - NAMED));
    }
    out.push_str(&format!(
        "`comm-node handoff check {task} <n>` checks off a step of a hand-off, an edit one of the plan. What is left for \
         another session goes into `comm-node handoff write {task}`, what only a person can settle into `comm-node blocker add`."
    ));
    out
}

/// A short name for a reason, by which it is known again.
fn reason(kind: &str, text: &str) -> String {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    format!("{kind} {hash:016x}")
}

/// `said` without what is another at each run: times, counts, addresses.
fn steady(said: &str) -> String {
    said.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// Has the command line beside this program run the gate; `None` where it can't.
fn gate(scene: &Scene, session: &Session, around: &Surroundings) -> Option<Verdict> {
    let mut command = Command::new(scene::command_line().ok()?);
    // By its number: a command line that starts late must see that this program is gone already.
    let me = std::process::id().to_string();
    command.args(["gate", "--json", "--for-hook", &me, "--session", session.session_id.as_str(), "--node"]);
    command.arg(&scene.layout.root);
    if let Some(dir) = around.project_dir.as_ref().or(around.cwd.as_ref()).filter(|dir| dir.is_dir()) {
        command.current_dir(dir);
    }
    let limit = Deadline::after(Duration::from_secs(scene.registry.policy.gate_timeout_s) + GRACE);
    // It is not killed when it takes too long: once this program is gone it ends the commands, which nobody else could.
    // Nor does a signal to this program's group reach it.
    let said = child::run(&mut command, None, MAX_SAID, (limit, Late::Left), Until::Closed).ok()??;
    serde_json::from_slice(&said.bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_known_again_although_figures_differ() {
        let of = |said: &str| reason("gate", &steady(said));
        assert_eq!(of("1 failed in 0.31s"), of("1 failed in 0.29s"));
        assert_ne!(of("a failed"), of("b failed"));
        assert_ne!(reason("gate", ""), reason("criteria", ""));
    }

    #[test]
    fn open_criteria_are_named_and_harmless() {
        let open: Vec<String> = (0..10).map(|i| format!("step {i}\u{1b}[2J")).collect();
        let text = criteria("bd-1", &open);
        assert!(
            text.contains("> step 0\\u{1b}[2J\n") && text.contains("and 2 more") && !text.contains('\u{1b}'),
            "{text}"
        );
    }
}
