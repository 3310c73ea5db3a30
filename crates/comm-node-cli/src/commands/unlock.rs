//! `comm-node unlock`: give leases back.

use anyhow::{Result, bail};
use comm_node_core::clock::Now;
use comm_node_core::deadline::Deadline;
use comm_node_core::lease::{Ask, Holder, Lease};
use comm_node_core::personal;
use comm_node_core::session::SessionId;
use comm_node_core::store::{Asking, Event, Release};
use comm_node_core::text::one_line;

use super::join::person_only;
use super::lock::PATIENCE;
use crate::Outcome;
use crate::env::Env;
use crate::here::Here;
use crate::leasing::{holder, target};
use crate::out::Out;

/// Arguments of `comm-node unlock`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Globs or paths, relative to the working directory; a directory means all below it
    #[arg(required_unless_present = "all", conflicts_with = "all", value_name = "GLOB")]
    globs: Vec<String>,
    /// All that this session, or this person, holds
    #[arg(long)]
    all: bool,
    /// Break the leases of others on these paths, live or not; for a person
    #[arg(long)]
    force: bool,
    /// Print the leases that were given back as JSON
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Examples:
  comm-node unlock 'migrations/**'
  comm-node unlock --all
  comm-node unlock --force src/api.rs        from your own terminal: break whatever is held there

A session gives back what any of its agents holds: locks, and leases that edits took. `--force`
is logged, and the holder is refused at its next write if another has the path by then.";

/// Runs the command.
///
/// # Errors
/// When the leases are not the caller's to break, or the table can't be used.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    let registry = here.registry()?;
    if args.force {
        person_only(env, &here.store, &personal::UNLOCK_FORCE)?;
    }
    let targets: Vec<_> = args.globs.iter().map(|g| target(env, &registry, g)).collect::<Result<_>>()?;
    let asks: Vec<Ask<'_>> = targets.iter().flat_map(|t| t.asks()).collect();
    let me = holder(env, &here, None)?;
    let deadline = Deadline::after(PATIENCE);
    let which = match (args.force, args.all, &me.session) {
        (true, true, _) => bail!("--force breaks what others hold on the paths you name; name them"),
        (true, false, _) => Release::Force(&asks),
        (false, true, Some(id)) => Release::Everywhere(id),
        (false, true, None) => Release::Holder(&me),
        (false, false, _) => Release::Of(&me.session, &asks),
    };
    let gone = here.store.leases().release(&which, deadline)?;
    log(&here, &me, &gone, args.force);
    if args.json {
        out.json(&gone);
    }
    for lease in gone.iter().filter(|_| !args.json) {
        let of = if args.force { format!(" of {}", lease.holder.describe()) } else { String::new() };
        out.line(format!("unlocked {}{of}", one_line(&lease.path, 200)));
    }
    if !gone.is_empty() || args.force || args.all {
        if gone.is_empty() && !args.json {
            out.line("nothing was held there");
        }
        return Ok(Outcome::Done);
    }
    nothing(&here, &me, &asks, out)
}

/// Says why nothing was given back: nobody holds it, or somebody else does.
fn nothing(here: &Here, me: &Holder, asks: &[Ask<'_>], out: &Out) -> Result<Outcome> {
    let liveness = |h: &Holder| here.store.holder_liveness(h);
    let now = Now::read();
    let asking = Asking { holder: me, now, liveness: &liveness, deadline: Deadline::after(PATIENCE) };
    let Some(conflict) = here.store.leases().conflict(asks, &asking)? else {
        out.note("nothing was held there");
        return Ok(Outcome::Done);
    };
    out.note(format!(
        "none of your leases lies in that: {}; only its holder gives it back, or a person with --force",
        conflict.describe(now)
    ));
    Ok(Outcome::Refused)
}

fn log(here: &Here, me: &Holder, gone: &[Lease], force: bool) {
    for lease in gone {
        let note = format!("lease {} of {}", lease.fencing, lease.holder.describe());
        here.log(&Event {
            event: if force { "lease_broken" } else { "unlocked" },
            session: me.session.as_ref().map_or("", SessionId::as_str),
            domain: me.domain.as_deref().unwrap_or(""),
            path: &lease.path,
            note: &note,
            ..Event::default()
        });
    }
}
