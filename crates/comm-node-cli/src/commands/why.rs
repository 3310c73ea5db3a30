//! `comm-node why`: explain what the guard would say to a write.

use std::path::{Path, PathBuf};

use anyhow::Result;
use comm_node_core::clock::Now;
use comm_node_core::deadline::Deadline;
use comm_node_core::guard::{self, Binding, Outcome as Verdict, Question, Reason};
use comm_node_core::lease::{Ask, Holder, tree_of};
use comm_node_core::node::{Place, locate};
use comm_node_core::path;
use comm_node_core::session::{Session, SessionId};
use comm_node_core::store::Asking;
use serde_json::json;

use super::join::domain;
use super::lock::PATIENCE;
use crate::Outcome;
use crate::env::Env;
use crate::here::{Here, session_of_caller};
use crate::out::{Ink, Out};

/// Arguments of `comm-node why`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  comm-node why apps/web/index.ts                    as the session this runs in\n  \
                        comm-node why apps/web/index.ts --domain backend   as a session of that domain\n  \
                        comm-node why src/lib.rs --domain backend --role finder\n\n\
                        Exit code 0: the write would go through. 1: it would be refused or asked about."
)]
pub struct Args {
    /// The path that would be written.
    path: PathBuf,
    /// As a session of this domain.
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// As an agent in this role.
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// Print JSON: one object with the decision and the rule.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When there is no node, or the domain or role does not exist.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    let registry = here.registry()?;
    let session = match (&args.domain, session_of_caller(env, &here.store)?) {
        (None, Some(id)) => here.store.read_session(&id)?,
        _ => None,
    };
    let binding = match (&args.domain, &session) {
        (Some(name), _) => Binding::Domain(domain(&registry, name)?),
        (None, Some(session)) => guard::binding(&registry, session),
        (None, None) => Binding::None,
    };
    let damaged = |why| comm_node_core::Error::Damaged { path: here.store.registry_path(), why };
    if let Some(name) = &args.role
        && registry.role(name).map_err(damaged)?.is_none()
    {
        let known = registry.roles.list().map_err(damaged)?;
        let known: Vec<&str> = known.iter().map(|r| r.name.as_str()).collect();
        anyhow::bail!("no role is called `{name}`; there are {}", known.join(", "));
    }
    let agent = session.as_ref().and_then(|s| s.agent.as_deref());
    let roles = guard::roles(&registry, binding, agent, args.role.as_deref()).map_err(damaged)?;
    let named = path::lexical(&env.cwd, &args.path);
    let path::Resolved { real, links } = path::resolve(Path::new(""), &named)?;
    let place = locate(&registry, &real);
    let by_name = locate(&registry, &named);
    let paused = here.store.paused();
    let claude_dir = env.claude_dir().ok().and_then(|dir| path::real(&dir).ok());
    let as_domain = match binding {
        Binding::Domain(d) | Binding::Waiting(d) => Some(d.name.as_str()),
        Binding::Gone(name) => Some(name),
        Binding::None => None,
    };
    let question = Question {
        registry: &registry,
        binding,
        roles: &roles,
        paused: paused.as_ref(),
        place: &place,
        named: &by_name,
        through_link: links.iter().any(|link| matches!(locate(&registry, link), Place::Inside { .. })),
        outposts: &guard::Outposts::find(&here.layout.root, claude_dir, None),
    };
    let mut decision = guard::decide(&question);
    if decision.outcome != Verdict::Deny
        && decision.reason != Reason::Off
        && let Some((tree, key)) = tree_of(&registry, &place).filter(|(_, key)| !guard::is_working(key))
    {
        let (now, liveness) = (Now::read(), |h: &Holder| here.store.holder_liveness(h));
        let holder = asker(session.as_ref(), as_domain)?;
        let who = Asking { holder: &holder, now, liveness: &liveness, deadline: Deadline::after(PATIENCE) };
        if let Some(conflict) = here.store.leases().conflict(&[Ask::key(&tree, key)], &who)? {
            decision = guard::leased(&question, conflict.describe(now));
        }
    }
    let key = match &place {
        Place::Inside { key, .. } => key.clone(),
        Place::Outside { real } => real.to_string_lossy().into_owned(),
    };
    let (word, ink) = match decision.outcome {
        Verdict::Allow => ("allowed", Ink::Green),
        Verdict::Warn => ("allowed with a note", Ink::Yellow),
        Verdict::Ask => ("asked about", Ink::Yellow),
        Verdict::Deny => ("refused", Ink::Red),
    };
    let why = guard::why(&decision, &registry);
    if args.json {
        out.json(&json!({
            "path": key, "real": real, "domain": as_domain, "roles": roles.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(),
            "decision": word, "rule": decision.reason.rule(),
            "file": decision.reason.line().map(|_| here.layout.yaml()), "line": decision.reason.line(), "why": why,
        }));
    } else {
        let who = match as_domain {
            Some(d) => format!("a session of domain {d}"),
            None => "a session bound to no domain (try --domain)".to_owned(),
        };
        let names: Vec<&str> = roles.iter().map(|r| r.name.as_str()).collect();
        let who = if names.is_empty() { who } else { format!("{who} in role {}", names.join(" and ")) };
        out.line(format!("{key}: {} for {who}", out.ink(ink, word)));
        out.line(format!("  because  {why}"));
        let place = match decision.reason.line() {
            Some(line) => format!("{}:{line}", here.layout.yaml().display()),
            None => "built in".into(),
        };
        out.line(format!("  rule     {}, {place}", decision.reason.rule()));
        if real != named {
            out.line(format!("  really   {}", real.display()));
        }
    }
    Ok(match decision.outcome {
        Verdict::Allow | Verdict::Warn => Outcome::Done,
        Verdict::Ask | Verdict::Deny => Outcome::Refused,
    })
}

/// The agent whose write is explained: the main loop of the session, or of one that does not exist
/// and so holds nothing.
fn asker(session: Option<&Session>, domain: Option<&str>) -> Result<Holder> {
    let id = session.map_or_else(|| SessionId::new("-"), |s| Ok(s.session_id.clone()))?;
    Ok(Holder { domain: domain.map(str::to_owned), session: Some(id), agent: None })
}
