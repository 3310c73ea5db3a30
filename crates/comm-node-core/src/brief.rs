//! The brief: what a session is told when it starts. Values in, text out.
//!
//! It costs the agent's context, so it is written as facts and kept short: at most about 250
//! tokens in a node of five domains and 500 in one of twenty.

use std::fmt::Write;

use crate::guard::{Binding, scope};
use crate::lease::Lease;
use crate::node::registry::{Domain, Mode, Pattern, Registry, Role, Unbound};
use crate::store::Pause;
use crate::text::one_line;

/// What the brief is made of.
#[derive(Clone, Copy, Debug)]
pub struct Brief<'r> {
    /// The node's rules.
    pub registry: &'r Registry<'r>,
    /// What the session is bound to.
    pub binding: Binding<'r>,
    /// The domain of each other live session.
    pub live: &'r [String],
    /// The leases of others in the session's scope.
    pub foreign: &'r [Lease],
    /// True if there may be more of them.
    pub more_foreign: bool,
    /// The pause in force.
    pub paused: Option<&'r Pause>,
    /// True if `comm-node.yaml` changed and could not be compiled.
    pub stale: bool,
}

/// Peers that are named one by one; of the rest only the number is said.
const PEERS: usize = 24;
/// Leases that are named one by one.
pub const HELD: usize = 5;
/// Peers up to this number are described with their whole scope, more with their first pattern.
const WITH_SCOPE: usize = 6;

/// The brief of a session.
#[must_use]
pub fn session(brief: &Brief<'_>) -> String {
    let registry = brief.registry;
    let mut out = String::with_capacity(1024);
    let node = one_line(&registry.name, 60);
    who(&mut out, brief, &node);
    if let Some(pause) = brief.paused {
        let reason = one_line(&pause.reason, 200);
        let _ = writeln!(
            out,
            "The node is paused{}: every edit is refused until a person runs `comm-node resume`.",
            if reason.is_empty() { String::new() } else { format!(" ({reason})") }
        );
    }
    if let Some(fault) = &registry.fault {
        let _ = writeln!(
            out,
            "comm-node.yaml has a fault at line {}, column {}: {}. The last good rules stay in force; tell the user.",
            fault.line,
            fault.column,
            one_line(&fault.message, 200)
        );
    } else if brief.stale {
        out.push_str("comm-node.yaml is gone, or changed and could not be compiled; the earlier rules stay in force. Tell the user to run `comm-node doctor`.\n");
    }
    if let Binding::Domain(domain) = brief.binding {
        trade(&mut out, domain);
    }
    held(&mut out, brief.foreign, brief.more_foreign);
    peers(&mut out, brief);
    if matches!(brief.binding, Binding::Domain(_)) && registry.all_domains().len() > 1 {
        out.push_str("Mail: `comm-node send <domain> '…'`, `reply <id> '…'` answers, `ack <id>` closes, `inbox` lists.\n");
    }
    out.push_str("`comm-node why <path>` explains any path. Shell commands are judged like edits; what a program changes unseen is looked at afterwards.");
    out
}

fn who(out: &mut String, brief: &Brief<'_>, node: &str) {
    match brief.binding {
        Binding::Domain(domain) => {
            let about = if domain.description.is_empty() {
                String::new()
            } else {
                format!(" ({})", one_line(&domain.description, 120))
            };
            let _ = writeln!(
                out,
                "comm-node: this session works for domain {}{about} of node {node}.",
                domain.name
            );
            let _ = writeln!(out, "It may write {}. {}", scope(domain), force(domain.mode));
        }
        Binding::Waiting(domain) => {
            let _ = writeln!(
                out,
                "comm-node: domain {} of node {node} already has {} live session(s), as many as it may have. This \
                 session is not bound to it and its edits in the node are refused until the other one ends; tell the user.",
                domain.name, domain.max_sessions
            );
        }
        Binding::Gone(name) => {
            let _ = writeln!(
                out,
                "comm-node: this session is bound to domain {}, which comm-node.yaml of node {node} does not have. Its \
                 edits in the node are refused; tell the user.",
                one_line(name, 60)
            );
        }
        Binding::None => {
            let effect = match brief.registry.policy.unbound {
                Unbound::Deny => "Its edits in the node are refused",
                Unbound::Warn => "Its edits are let through and logged",
                Unbound::Allow => "Its edits are let through",
            };
            let _ = writeln!(
                out,
                "comm-node: this session is bound to no domain of node {node}. {effect}; `comm-node join <domain>` binds it."
            );
        }
    }
}

fn force(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "Edits elsewhere in the node are refused.",
        Mode::Warn => "Edits elsewhere in the node are noted (warn mode).",
        Mode::Off => "The guard is off for it.",
    }
}

/// What the domain publishes and consumes.
fn trade(out: &mut String, domain: &Domain<'_>) {
    if !domain.exports.is_empty() {
        let _ = writeln!(out, "It exports {}.", list(domain.exports.iter().map(|e| e.to_string()), 8));
    }
    if !domain.imports.is_empty() {
        let each = domain
            .imports
            .iter()
            .map(|(from, what)| format!("{} from {from}", list(what.iter().map(|w| w.to_string()), 8)));
        let _ = writeln!(out, "It imports {}.", list(each, 8));
    }
}

/// Without times: a text that is the same at the next start is not told again.
fn held(out: &mut String, foreign: &[Lease], more: bool) {
    if foreign.is_empty() {
        return;
    }
    let each = foreign.iter().map(|l| format!("`{}` by {}", one_line(&l.path, 120), l.holder.describe()));
    // Those that were found are no number of all.
    let held = match more {
        true => format!("{} and perhaps more", each.take(HELD).collect::<Vec<_>>().join(", ")),
        false => list(each, HELD),
    };
    let _ = writeln!(
        out,
        "Held by others in this scope, so edits there are refused for now: {held}. `comm-node locks` lists all."
    );
}

fn peers(out: &mut String, brief: &Brief<'_>) {
    let own = match brief.binding {
        Binding::Domain(domain) | Binding::Waiting(domain) => Some(&domain.name),
        _ => None,
    };
    let peers: Vec<&Domain<'_>> = brief.registry.all_domains().filter(|d| Some(&d.name) != own).collect();
    if peers.is_empty() {
        return;
    }
    let whole = peers.len() <= WITH_SCOPE;
    let each = peers.iter().map(|peer| {
        let first = peer.scope.first().map_or("", |p| p.glob());
        let more = peer.scope.len().saturating_sub(1);
        let mut text = match (whole, more) {
            (true, _) => {
                format!("{} ({}", peer.name, list(peer.scope.iter().map(|p| p.glob().to_owned()), 4))
            }
            (false, 0) => format!("{} ({first}", peer.name),
            (false, _) => format!("{} ({first} +{more}", peer.name),
        };
        let sessions = brief.live.iter().filter(|name| **name == *peer.name).count();
        if sessions > 0 {
            text.push_str("; live");
        }
        text.push(')');
        one_line(&text, 160).into_owned()
    });
    let _ = writeln!(out, "Other domains: {}.", list(each, PEERS));
}

/// `items` with commas, at most `max` of them and the number of the rest.
fn list(items: impl Iterator<Item = String>, max: usize) -> String {
    let items: Vec<String> = items.collect();
    let shown = items.iter().take(max).cloned().collect::<Vec<_>>().join(", ");
    match items.len().saturating_sub(max) {
        0 => shown,
        rest => format!("{shown} and {rest} more"),
    }
}

/// What a subagent is told; nothing where no rule concerns it.
#[must_use]
pub fn subagent(binding: Binding<'_>, roles: &[Role<'_>]) -> Option<String> {
    let mut out = match binding {
        Binding::Domain(domain) if domain.mode == Mode::Off => return None,
        Binding::Domain(domain) => format!(
            "comm-node: this subagent belongs to a session of domain {}. It may write {}. {}",
            domain.name,
            scope(domain),
            force(domain.mode)
        ),
        Binding::Waiting(domain) => {
            format!(
                "comm-node: domain {} has no room for this session; edits in the node are refused.",
                domain.name
            )
        }
        Binding::Gone(_) | Binding::None => return None,
    };
    for role in roles {
        if role.scope.is_empty() {
            let _ = write!(out, " Its role {} writes nothing: it reports what it finds.", role.name);
        } else if !role.exclude.is_empty() || role.scope.iter().all(|p| p.glob() != "**") {
            let globs = |patterns: &[Pattern<'_>]| list(patterns.iter().map(|p| p.shown().into_owned()), 8);
            let _ = write!(out, " Within that, its role {} writes only {}", role.name, globs(&role.scope));
            if !role.exclude.is_empty() {
                let _ = write!(out, " except {}", globs(&role.exclude));
            }
            out.push('.');
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_leases_are_named_and_the_rest_counted() {
        let lease = |i: usize| -> Lease {
            let text = format!(
                r#"{{"path":"src/{i}.rs","fencing":{i},"kind":"automatic","domain":"api","session":"aaaaaaaa-1",
                "ttl_s":1800,"since":"2026-01-01T00:00:00Z","until":"2026-01-01T00:30:00Z"}}"#
            );
            serde_json::from_str(&text).expect("a lease")
        };
        for (count, end) in [
            (0, ""),
            (1, "for now: `src/0.rs` by api (session aaaaaaaa). `comm-node locks` lists all.\n"),
            (5, "`src/4.rs` by api (session aaaaaaaa). `comm-node locks` lists all.\n"),
            (12, "`src/4.rs` by api (session aaaaaaaa) and 7 more. `comm-node locks` lists all.\n"),
        ] {
            let leases: Vec<Lease> = (0..count).map(lease).collect();
            let mut out = String::new();
            held(&mut out, &leases, false);
            assert!(out.ends_with(end) && out.is_empty() == (count == 0), "{out}");
            out.clear();
            held(&mut out, &leases, true);
            assert!(count == 0 || out.contains(" and perhaps more. `comm-node locks`"), "{out}");
            assert_eq!(out.matches("src/").count(), count.min(HELD), "{out}");
        }
    }
}
