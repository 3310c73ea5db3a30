//! The guard's decision: may this agent write this path?
//!
//! [`decide`] is a pure function of values that were read before. The steps, first refusal wins:
//! the node is paused; the path is protected; the session's domain and the agent's role do not
//! reach it. [`refusal`] turns a decision into the text that the agent reads.
//!
//! What is *not* here: where the values come from (the hooks), and how an answer looks on the wire.

mod extent;
mod protect;
mod refusal;

pub use extent::{below, takes_some, takes_whole};
pub use protect::{Outposts, Protection, protection};
pub use refusal::{Act, SAME_RULE, note, piece, refusal, scope, shown, why};

use crate::glob;
use crate::node::Place;
use crate::node::registry::{Domain, Mode, Pattern, Registry, Role, Rule, Unbound};
use crate::session::Session;
use crate::store::Pause;

/// What a session is bound to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Binding<'r> {
    /// It works for this domain.
    Domain(&'r Domain<'r>),
    /// It would work for this domain, which has as many live sessions as it may have.
    Waiting(&'r Domain<'r>),
    /// It was bound to a domain that `comm-node.yaml` no longer has.
    Gone(&'r str),
    /// It works for none.
    None,
}

/// What a session's record binds it to.
#[must_use]
pub fn binding<'r>(registry: &'r Registry<'r>, session: &'r Session) -> Binding<'r> {
    if let Some(domain) = session.waiting_for.as_deref().and_then(|name| registry.domain(name)) {
        return Binding::Waiting(domain);
    }
    match session.domain.as_deref() {
        Some(name) => registry.domain(name).map_or(Binding::Gone(name), Binding::Domain),
        None => Binding::None,
    }
}

/// Everything a decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Question<'r> {
    /// The node's rules.
    pub registry: &'r Registry<'r>,
    /// What the session is bound to.
    pub binding: Binding<'r>,
    /// The roles that the agent acts in, as far as the node knows them: the session's own, and a
    /// subagent's besides. Every one of them has to allow the write.
    pub roles: &'r [Role<'r>],
    /// The pause in force.
    pub paused: Option<&'r Pause>,
    /// The path that would be written.
    pub place: &'r Place,
    /// The path by its name, before symbolic links: a protected name stays protected behind a link.
    pub named: &'r Place,
    /// True if a symbolic link that stands in the node is on the way to the path.
    pub through_link: bool,
    /// Where else protected files are.
    pub outposts: &'r Outposts,
}

/// What becomes of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It goes on, and nothing is said.
    Allow,
    /// It goes on, with a note.
    Warn,
    /// A person is asked.
    Ask,
    /// It is refused.
    Deny,
}

/// The outcome and the rule that made it.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<'r> {
    /// What becomes of the call.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason<'r>,
}

/// The rule that decided.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason<'r> {
    /// A person paused the node.
    Paused(&'r Pause),
    /// The path is one that no agent writes.
    Protected(Protection<'r>),
    /// The session's domain has no room for it.
    Waiting(&'r Domain<'r>),
    /// The session's domain is gone from `comm-node.yaml`.
    Gone(&'r str),
    /// The session works for no domain.
    Unbound {
        /// Who owns the path.
        owner: Option<(&'r Domain<'r>, &'r Pattern<'r>)>,
    },
    /// The path's name is in the node, but a symbolic link leads out of it.
    LeadsOut,
    /// The path is outside the node.
    Outside,
    /// The session's domain leaves the path out.
    Excluded {
        /// The session's domain.
        domain: &'r Domain<'r>,
        /// The pattern that leaves it out.
        pattern: &'r Pattern<'r>,
    },
    /// The path belongs to another domain.
    Foreign {
        /// The session's domain.
        domain: &'r Domain<'r>,
        /// Who owns the path.
        owner: &'r Domain<'r>,
        /// The pattern by which it does.
        pattern: &'r Pattern<'r>,
    },
    /// No domain owns the path.
    Unowned {
        /// The session's domain.
        domain: &'r Domain<'r>,
    },
    /// The agent's role does not reach the path.
    Role {
        /// The role.
        role: &'r Role<'r>,
        /// The pattern that leaves the path out, if one does.
        pattern: Option<&'r Pattern<'r>>,
    },
    /// Another agent holds a lease on the path.
    Leased {
        /// What stands in the way, in words.
        conflict: String,
    },
    /// Nothing is left of a budget.
    Exhausted {
        /// Which one, as a clause.
        why: String,
        /// What to do, in whole sentences.
        then: String,
    },
    /// The path is in the domain's scope.
    InScope {
        /// The pattern that says so.
        pattern: &'r Pattern<'r>,
    },
    /// The path holds working files that every domain may write.
    Working,
    /// The guard is off for this session.
    Off,
}

impl Reason<'_> {
    /// The rule's name, for the log and for `why`.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Paused(_) => "paused",
            Self::Protected(_) => "protected",
            Self::Waiting(_) => "waiting",
            Self::Gone(_) => "gone",
            Self::Unbound { .. } => "unbound",
            Self::LeadsOut => "link",
            Self::Outside => "outside",
            Self::Excluded { .. } => "exclude",
            Self::Foreign { .. } => "scope",
            Self::Unowned { .. } => "unowned",
            Self::Role { .. } => "role",
            Self::Leased { .. } => "lease",
            Self::Exhausted { .. } => "budget",
            Self::InScope { .. } => "in scope",
            Self::Working => "working files",
            Self::Off => "off",
        }
    }

    /// The line of `comm-node.yaml` that made the rule, where one did.
    #[must_use]
    pub fn line(&self) -> Option<u32> {
        let line = match self {
            Self::Protected(Protection::Policy(pattern))
            | Self::Excluded { pattern, .. }
            | Self::Foreign { pattern, .. }
            | Self::InScope { pattern }
            | Self::Unbound { owner: Some((_, pattern)) }
            | Self::Role { pattern: Some(pattern), .. } => pattern.line(),
            _ => 0,
        };
        (line > 0).then_some(line)
    }
}

/// Decides about one write.
#[must_use]
pub fn decide<'r>(q: &Question<'r>) -> Decision<'r> {
    if let Some(decision) = node_wide(q) {
        return decision;
    }
    let mode = mode(q);
    if mode == Mode::Off {
        return Decision { outcome: Outcome::Allow, reason: Reason::Off };
    }
    let (outcome, reason) = judge(q);
    let outcome = match outcome {
        Outcome::Deny | Outcome::Ask if mode == Mode::Warn => Outcome::Warn,
        other => other,
    };
    Decision { outcome, reason }
}

/// What holds for every session of a node that has a guard at all, whatever the mode of its own
/// domain: a domain that is not guarded itself must not end a pause or rewrite the others' rules.
fn node_wide<'r>(q: &Question<'r>) -> Option<Decision<'r>> {
    let strictest = q.registry.strictest_mode();
    if strictest == Mode::Off {
        return None;
    }
    if let Some(pause) = q.paused {
        return Some(Decision { outcome: Outcome::Deny, reason: Reason::Paused(pause) });
    }
    let found = [q.place, q.named].into_iter().find_map(|place| protection(q.registry, place, q.outposts))?;
    // What a person lists in `policy.protected` is a rule of the domain's mode like its scope.
    let by = if matches!(found, Protection::Policy(_)) { mode(q) } else { strictest };
    let outcome = match by {
        Mode::Enforce => Outcome::Deny,
        Mode::Warn => Outcome::Warn,
        Mode::Off => return None,
    };
    Some(Decision { outcome, reason: Reason::Protected(found) })
}

/// What a lease that another agent holds makes of a write that nothing else speaks against. The
/// mode is the one that the domain's other rules are applied in.
#[must_use]
pub fn leased<'r>(q: &Question<'r>, conflict: String) -> Decision<'r> {
    // Where a session may write what belongs to another domain, a lease is no more than news either.
    let lax = q.binding == Binding::None && q.registry.policy.unbound != Unbound::Deny;
    let outcome = if lax || mode(q) == Mode::Warn { Outcome::Warn } else { Outcome::Deny };
    Decision { outcome, reason: Reason::Leased { conflict } }
}

/// What a budget of which nothing is left makes of a write that nothing else speaks against: `why` and `then` say
/// which one, and what to do. `None` where it makes nothing of it: what is written outside the node, and what closes
/// work.
#[must_use]
pub fn exhausted<'r>(q: &Question<'r>, why: &str, then: &str) -> Option<Decision<'r>> {
    let Place::Inside { key, .. } = q.place else { return None };
    let outcome = match mode(q) {
        Mode::Enforce => Outcome::Deny,
        Mode::Warn => Outcome::Warn,
        Mode::Off => return None,
    };
    let reason = Reason::Exhausted { why: why.to_owned(), then: then.to_owned() };
    (!is_working(key)).then_some(Decision { outcome, reason })
}

/// The mode that a session's writes are judged in.
fn mode(q: &Question<'_>) -> Mode {
    match q.binding {
        Binding::Domain(d) | Binding::Waiting(d) => d.mode,
        Binding::Gone(_) | Binding::None => q.registry.strictest_mode(),
    }
}

/// The decision in enforce mode.
fn judge<'r>(q: &Question<'r>) -> (Outcome, Reason<'r>) {
    // A role that writes nothing writes nothing anywhere.
    if let Some(role) = q.roles.iter().find(|r| r.scope.is_empty()) {
        return (Outcome::Deny, Reason::Role { role, pattern: None });
    }
    let Place::Inside { tree, key, .. } = q.place else {
        if q.through_link {
            return (Outcome::Deny, Reason::LeadsOut);
        }
        return (of_rule(q.registry.policy.outside), Reason::Outside);
    };
    let domain = match q.binding {
        Binding::Domain(domain) => domain,
        Binding::Waiting(domain) => return (Outcome::Deny, Reason::Waiting(domain)),
        Binding::Gone(name) => return (Outcome::Deny, Reason::Gone(name)),
        Binding::None => {
            let outcome = match q.registry.policy.unbound {
                Unbound::Deny => Outcome::Deny,
                Unbound::Warn => Outcome::Warn,
                Unbound::Allow => Outcome::Allow,
            };
            return (outcome, Reason::Unbound { owner: owner(q.registry, *tree, key) });
        }
    };
    let (outcome, reason) = in_domain(q.registry, domain, *tree, key);
    if outcome == Outcome::Deny {
        return (outcome, reason);
    }
    for role in q.roles {
        if let Some(pattern) = first(&role.exclude, key) {
            return (Outcome::Deny, Reason::Role { role, pattern: Some(pattern) });
        }
        if first(&role.scope, key).is_none() {
            return (Outcome::Deny, Reason::Role { role, pattern: None });
        }
    }
    (outcome, reason)
}

/// The roles of an agent: its domain's, those of its session (the one that it took over with a hand-off, and the
/// agent that it runs as), and its own type's, as far as `registry` knows them.
///
/// # Errors
/// What is wrong with the registry's roles; nothing may then be judged as if there were none.
pub fn roles<'r>(
    registry: &'r Registry<'r>,
    binding: Binding<'r>,
    of_session: [Option<&str>; 2],
    agent_type: Option<&str>,
) -> Result<Vec<Role<'r>>, String> {
    let domain = match binding {
        Binding::Domain(domain) => domain.role.as_deref(),
        _ => None,
    };
    let mut roles: Vec<Role<'_>> = Vec::new();
    for name in [domain].into_iter().chain(of_session).chain([agent_type]).flatten() {
        if let Some(role) = registry.role(name)?.filter(|role| !roles.contains(role)) {
            roles.push(role);
        }
    }
    Ok(roles)
}

/// True for the working files of the older convention and for messages in the drop box, which agents
/// of every domain write and nobody holds a lease on.
#[must_use]
pub fn is_working(key: &str) -> bool {
    key.starts_with(".claude/mytasks/") || protect::dropped(key).is_some()
}

fn in_domain<'r>(
    registry: &'r Registry<'r>,
    domain: &'r Domain<'r>,
    tree: usize,
    key: &str,
) -> (Outcome, Reason<'r>) {
    let mine = domain.tree == tree;
    if let Some(pattern) = first(&domain.exclude, key).filter(|_| mine) {
        // Left out of this domain's scope, but perhaps because another one owns it.
        if first(&domain.scope, key).is_some() && owner(registry, tree, key).is_none() {
            return (Outcome::Deny, Reason::Excluded { domain, pattern });
        }
    } else if let Some(pattern) = first(&domain.scope, key).filter(|_| mine) {
        return (Outcome::Allow, Reason::InScope { pattern });
    }
    if is_working(key) {
        return (Outcome::Allow, Reason::Working);
    }
    match owner(registry, tree, key) {
        Some((owner, pattern)) => (Outcome::Deny, Reason::Foreign { domain, owner, pattern }),
        None => (of_rule(registry.policy.unowned), Reason::Unowned { domain }),
    }
}

/// The first domain whose scope holds `key` of `tree`, and the pattern by which it does.
#[must_use]
pub fn owner<'r>(
    registry: &'r Registry<'r>,
    tree: usize,
    key: &str,
) -> Option<(&'r Domain<'r>, &'r Pattern<'r>)> {
    registry.owners(key).filter(|d| d.tree == tree).find_map(|d| {
        let pattern = first(&d.scope, key)?;
        first(&d.exclude, key).is_none().then_some((d, pattern))
    })
}

fn first<'r>(patterns: &'r [Pattern<'r>], key: &str) -> Option<&'r Pattern<'r>> {
    patterns.iter().find(|p| glob::matches(p.glob(), key))
}

fn of_rule(rule: Rule) -> Outcome {
    match rule {
        Rule::Deny => Outcome::Deny,
        Rule::Ask => Outcome::Ask,
        Rule::Allow => Outcome::Allow,
    }
}

#[cfg(test)]
mod tests;
