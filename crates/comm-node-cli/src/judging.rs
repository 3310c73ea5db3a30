//! What the guard would say to a write, for the commands that explain it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use comm_node_core::clock::Now;
use comm_node_core::deadline::Deadline;
use comm_node_core::guard::{self, Binding, Outcome, Question, Reason};
use comm_node_core::lease::{Ask, Holder, What, tree_of};
use comm_node_core::node::registry::{Registry, Role};
use comm_node_core::node::{Place, locate};
use comm_node_core::path;
use comm_node_core::session::{Session, SessionId};
use comm_node_core::store::{Asking, Pause};

use crate::commands::join::domain;
use crate::commands::lock::PATIENCE;
use crate::env::Env;
use crate::here::{Here, session_of_caller};
use crate::out::Ink;

/// The session that an explanation is for: that of the caller, unless a domain was named instead.
///
/// # Errors
/// When the session's record can't be read.
pub(crate) fn session(env: &Env, here: &Here, domain: Option<&str>) -> Result<Option<Session>> {
    Ok(match (domain, session_of_caller(env, &here.store)?) {
        (None, Some(id)) => here.store.read_session(&id)?,
        _ => None,
    })
}

/// The rules of a node as they are for one agent.
pub(crate) struct Judge<'r> {
    here: &'r Here,
    registry: &'r Registry<'r>,
    session: Option<&'r Session>,
    binding: Binding<'r>,
    /// The roles that the agent acts in.
    pub roles: Vec<Role<'r>>,
    paused: Option<Pause>,
    claude_dir: Option<PathBuf>,
}

/// What the guard would say to one write.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// What becomes of it.
    pub outcome: Outcome,
    /// The rule's name.
    pub rule: &'static str,
    /// The line of `comm-node.yaml` that made the rule.
    pub line: Option<u32>,
    /// The reason, as a clause.
    pub why: String,
    /// The path as patterns are matched with it, or the real one outside the node.
    pub key: String,
    /// The path without symbolic links.
    pub real: PathBuf,
}

impl Verdict {
    /// What becomes of the write, in words.
    pub(crate) fn word(&self) -> &'static str {
        match self.outcome {
            Outcome::Allow => "allowed",
            Outcome::Warn => "allowed with a note",
            Outcome::Ask => "asked about",
            Outcome::Deny => "refused",
        }
    }

    /// Its colour.
    pub(crate) fn ink(&self) -> Ink {
        match self.outcome {
            Outcome::Allow => Ink::Green,
            Outcome::Warn | Outcome::Ask => Ink::Yellow,
            Outcome::Deny => Ink::Red,
        }
    }

    /// True if the write would go through.
    pub(crate) fn passes(&self) -> bool {
        matches!(self.outcome, Outcome::Allow | Outcome::Warn)
    }
}

impl<'r> Judge<'r> {
    /// For a session of the domain `name`, else for `session`; in the role `role` besides its own.
    ///
    /// # Errors
    /// When there is no such domain or role, or when the node's roles are damaged.
    pub(crate) fn new(
        env: &Env,
        here: &'r Here,
        registry: &'r Registry<'r>,
        session: Option<&'r Session>,
        name: Option<&str>,
        role: Option<&str>,
    ) -> Result<Self> {
        let binding = match (name, session) {
            (Some(name), _) => Binding::Domain(domain(registry, name)?),
            (None, Some(session)) => guard::binding(registry, session),
            (None, None) => Binding::None,
        };
        let damaged = |why| comm_node_core::Error::Damaged { path: here.store.registry_path(), why };
        if let Some(name) = role
            && registry.role(name).map_err(damaged)?.is_none()
        {
            let known = registry.roles.list().map_err(damaged)?;
            let known: Vec<&str> = known.iter().map(|r| r.name.as_str()).collect();
            anyhow::bail!("no role is called `{name}`; there are {}", known.join(", "));
        }
        let own = session.map_or([None; 2], Session::roles);
        Ok(Self {
            here,
            registry,
            session,
            binding,
            roles: guard::roles(registry, binding, own, role).map_err(damaged)?,
            paused: here.store.paused(),
            claude_dir: env.claude_dir().ok().and_then(|dir| path::real(&dir).ok()),
        })
    }

    /// The domain that the agent works for, or would.
    pub(crate) fn domain(&self) -> Option<&str> {
        match self.binding {
            Binding::Domain(d) | Binding::Waiting(d) => Some(d.name.as_str()),
            Binding::Gone(name) => Some(name),
            Binding::None => None,
        }
    }

    /// Whose writes these are, in words.
    pub(crate) fn who(&self) -> String {
        let who = match self.domain() {
            Some(d) => format!("a session of domain {d}"),
            None => "a session bound to no domain (try --domain)".to_owned(),
        };
        let names: Vec<&str> = self.roles.iter().map(|r| r.name.as_str()).collect();
        if names.is_empty() { who } else { format!("{who} in role {}", names.join(" and ")) }
    }

    /// What the guard would say to a write to `named` (absolute, lexical); with `follow`, a symbolic link
    /// of that name is written through.
    ///
    /// # Errors
    /// When symbolic links can't be followed, or leases can't be read.
    pub(crate) fn write(&self, named: &Path, follow: bool) -> Result<Verdict> {
        let path::Resolved { real, links, .. } = match (follow, named.parent(), named.file_name()) {
            (false, Some(above), Some(name)) => {
                let above = path::resolve(Path::new(""), above)?;
                path::Resolved { real: above.real.join(name), ..above }
            }
            _ => path::resolve(Path::new(""), named)?,
        };
        let place = locate(self.registry, &real);
        let by_name = locate(self.registry, named);
        let through_link = links.iter().any(|l| matches!(locate(self.registry, l), Place::Inside { .. }));
        let key = tree_of(self.registry, &place).filter(|(_, key)| !guard::is_working(key));
        self.decide(&place, &by_name, through_link, key.as_ref().map(|(tree, key)| Ask::key(tree, key)))
    }

    /// The lease of another on something below the directory `dir`, as a refusal; `None` where there is none.
    ///
    /// # Errors
    /// As [`Judge::write`].
    pub(crate) fn leased_below(&self, dir: &Path) -> Result<Option<Verdict>> {
        let place = locate(self.registry, &path::real(dir)?);
        let Some((tree, key)) = tree_of(self.registry, &place) else { return Ok(None) };
        let below = guard::below(key);
        let verdict = self.decide(&place, &place, false, Some(Ask::glob(&tree, &below)))?;
        Ok(Some(verdict).filter(|v| v.rule == "lease"))
    }

    /// Whether the agent may write everything below `dir`, and whether it may write anything there, as far as
    /// the patterns alone say so.
    ///
    /// # Errors
    /// When symbolic links can't be followed.
    pub(crate) fn reach(&self, dir: &Path) -> Result<(bool, bool)> {
        let Place::Inside { tree, key, .. } = locate(self.registry, &path::real(dir)?) else {
            return Ok((false, false));
        };
        let whole = guard::takes_whole(self.registry, self.binding, &self.roles, tree, &key);
        Ok((whole, guard::takes_some(self.binding, tree, &key)))
    }

    fn decide(
        &self,
        place: &Place,
        named: &Place,
        through_link: bool,
        ask: Option<Ask<'_>>,
    ) -> Result<Verdict> {
        let question = Question {
            registry: self.registry,
            binding: self.binding,
            roles: &self.roles,
            paused: self.paused.as_ref(),
            place,
            named,
            through_link,
            outposts: &guard::Outposts::find(&self.here.layout, self.claude_dir.clone(), None),
        };
        let mut decision = guard::decide(&question);
        let counts =
            decision.outcome != Outcome::Deny || matches!(ask, Some(Ask { what: What::Glob(_), .. }));
        if let Some(ask) = ask.filter(|_| counts && decision.reason != Reason::Off) {
            let (now, liveness) = (Now::read(), |h: &Holder| self.here.store.holder_liveness(h));
            let holder = self.asker()?;
            let who =
                Asking { holder: &holder, now, liveness: &liveness, deadline: Deadline::after(PATIENCE) };
            if let Some(conflict) = self.here.store.leases().conflict(&[ask], &who)? {
                decision = guard::leased(&question, conflict.describe(now));
            }
        }
        Ok(Verdict {
            outcome: decision.outcome,
            rule: decision.reason.rule(),
            line: decision.reason.line(),
            why: guard::why(&decision, self.registry),
            key: match place {
                Place::Inside { key, .. } => key.clone(),
                Place::Outside { real } => real.to_string_lossy().into_owned(),
            },
            real: place.real().to_path_buf(),
        })
    }

    /// The agent whose write is explained: the main loop of the session, or of one that does not exist
    /// and so holds nothing.
    fn asker(&self) -> Result<Holder> {
        let id = self.session.map_or_else(|| SessionId::new("-"), |s| Ok(s.session_id.clone()))?;
        Ok(Holder { domain: self.domain().map(str::to_owned), session: Some(id), agent: None })
    }
}
