//! SessionStart: registers and binds the session, and gives it its brief and its mail.

use std::io::Write;
use std::time::Duration;

use comm_node_core::brief::{self, Brief};
use comm_node_core::clock::Now;
use comm_node_core::deadline::Deadline;
use comm_node_core::glob;
use comm_node_core::guard::{self, Binding};
use comm_node_core::lease::{Lease, counting, is_foreign};
use comm_node_core::node::registry::{Mode, Pattern};
use comm_node_core::session::{Session, SessionId};
use comm_node_core::text::one_line;
use comm_node_core::{Result, clock};

use crate::Hook;
use crate::answer::{Answer, MAX_CONTEXT};
use crate::bind;
use crate::budget;
use crate::mail;
use crate::meter;
use crate::scene::{Scene, Surroundings};
use crate::wire::Call;
use crate::work;

/// The hook program.
pub const HOOK: Hook = Hook { program: "comm-node-session-start", gate: false, run };

/// How long the lease table is read for the brief: what it says of leases is of use, and no decision.
const LISTING: Duration = Duration::from_millis(20);
/// And so many of its files.
const FILES: usize = 12;

fn run(call: &Call<'_>, around: &Surroundings, deadline: Deadline) -> Result<Answer> {
    let Some(scene) = Scene::whole_of_session(call, around, deadline)? else {
        return Ok(work::without_node(call, around));
    };
    // Before records that nobody looks after any more are put away.
    scene.store.look_out_sometimes(&SessionId::new(&call.session_id)?, deadline);
    let bind::Started { session, others, answered } = bind::register(&scene, call, around, deadline)?;
    if answered {
        return Ok(Answer::Silent);
    }
    put_on_path(around);
    meter::at_start(&scene, &session, call, around, deadline);
    let now = clock::now_ms();
    let others: Vec<Session> =
        others.into_iter().filter(|(s, heartbeat)| s.is_live(*heartbeat, now)).map(|(s, _)| s).collect();
    let live: Vec<String> = others.iter().filter_map(|s| s.domain.clone()).collect();
    let binding = guard::binding(&scene.registry, &session);
    let (foreign, more_foreign) = foreign(&scene, &session, &others, binding, deadline);
    let paused = scene.store.paused();
    let mut text = brief::session(&Brief {
        registry: &scene.registry,
        binding,
        live: &live,
        foreign: &foreign,
        more_foreign,
        paused: paused.as_ref(),
        stale: scene.is_stale(),
    });
    let money = budget::at_start(&scene, &session, call, deadline);
    let work = work::at_start(&scene, &session, binding);
    for more in [money, work].iter().filter(|more| !more.is_empty()) {
        text.push('\n');
        text.push_str(more.trim_end());
    }
    let room = MAX_CONTEXT.saturating_sub(text.chars().count() + 1);
    // Without its mail a session still has to know its scope.
    match mail::at_start(&scene, &session, call, room) {
        Ok(offer) => {
            text.push('\n');
            text.push_str(&offer.text);
            let text = text.trim_end().to_owned();
            Ok(offer.give(Answer::Context { event: "SessionStart", text }))
        }
        Err(e) => {
            text.push_str("\nIts mail could not be read: ");
            text.push_str(&one_line(&e.to_string(), 400));
            text.push_str(". Tell the user.");
            Ok(Answer::Context { event: "SessionStart", text })
        }
    }
}

/// What live sessions and persons hold of the session's scope, as far as it can be read in a short time, and whether
/// there may be more. What can't be read is the guard's to report, at the edit that it concerns.
fn foreign(
    scene: &Scene,
    session: &Session,
    others: &[Session],
    binding: Binding<'_>,
    deadline: Deadline,
) -> (Vec<Lease>, bool) {
    let nothing = (Vec::new(), false);
    let Binding::Domain(domain) = binding else { return nothing };
    if domain.mode == Mode::Off {
        return nothing;
    }
    let any = |patterns: &[Pattern<'_>], path: &str| patterns.iter().any(|p| glob::matches(p.glob(), path));
    let wanted = |path: &str| any(&domain.scope, path) && !any(&domain.exclude, path);
    let is_foreign = |lease: &Lease| is_foreign(lease, &session.session_id, &scene.registry, domain);
    let enough = |leases: &[Lease]| leases.iter().filter(|lease| is_foreign(lease)).count() > brief::HELD;
    // Whose domain is another mostly has its leases elsewhere.
    let near = |other: &&Session| other.domain.is_none() || other.domain == session.domain;
    let far = |other: &&Session| !near(other);
    let order: Vec<&SessionId> =
        others.iter().filter(near).chain(others.iter().filter(far)).map(|other| &other.session_id).collect();
    let limit = deadline.at_most(LISTING);
    let Ok((mut leases, more)) = scene.store.leases().some_of(&order, &wanted, &enough, FILES, limit) else {
        return nothing;
    };
    leases.retain(is_foreign);
    (counting(leases, Now::read(), &|holder| scene.store.holder_liveness(holder)), more)
}

/// Lets the session's shell commands find `comm-node`: adds this program's directory to the end of
/// their `PATH`. Not being able to is no reason to go without a brief.
fn put_on_path(around: &Surroundings) {
    let Some(file) = &around.env_file else { return };
    let Some(dir) = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.to_str()?.to_owned()))
    else {
        return;
    };
    if dir.contains('\'') {
        return;
    }
    let line = format!("export PATH=\"$PATH\":'{dir}'\n");
    if std::fs::read_to_string(file).is_ok_and(|text| text.contains(&line)) {
        return;
    }
    if let Ok(mut file) = std::fs::OpenOptions::new().append(true).create(true).open(file) {
        let _ = file.write_all(line.as_bytes());
    }
}
