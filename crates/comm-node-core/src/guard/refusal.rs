//! The text of a refusal: what was refused and why, and what to do instead.

use std::fmt::Write;
use std::path::Path;

use super::{Decision, Reason};
use crate::node::registry::{Domain, Pattern, Registry};
use crate::text::one_line;

/// A path is shown up to this many characters.
const PATH: usize = 300;
/// A piece of a command is shown up to this many characters.
const PIECE: usize = 120;
/// How each refusal of a write ends.
pub const SAME_RULE: &str = "Writing it by another tool or command is against the same rule.";
/// A scope is shown up to this many patterns.
const PATTERNS: usize = 8;

/// What would write: how a refusal begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act<'a> {
    /// A tool that names the path itself.
    Edit,
    /// A piece of a shell command.
    Command(&'a str),
}

impl Act<'_> {
    /// What was refused, up to the reason.
    fn refused(self, path: &str) -> String {
        match self {
            Self::Edit => format!("comm-node refused the write to `{path}`"),
            Self::Command(by) => {
                format!("comm-node refused this command: {} would write `{path}`", piece(by))
            }
        }
    }
}

/// A piece of a command as people name it, on one line.
#[must_use]
pub fn piece(by: &str) -> String {
    // A quotation that holds the mark itself would end too early.
    if by.is_empty() || by.contains('`') { "it".to_owned() } else { format!("`{}`", one_line(by, PIECE)) }
}

/// The reason that the agent is given for a refused write of `path` (as the agent named it).
///
/// It says what was refused and by which rule, what to do instead, and that no other tool changes
/// the answer.
#[must_use]
pub fn refusal(decision: &Decision<'_>, registry: &Registry<'_>, path: &str, act: Act<'_>) -> String {
    let path = one_line(path, PATH);
    format!(
        "{}: {}. {} {SAME_RULE}",
        act.refused(&path),
        why(decision, registry),
        instead(&decision.reason, &path)
    )
}

/// The note that goes with a write that was let through although a rule speaks against it.
#[must_use]
pub fn note(decision: &Decision<'_>, registry: &Registry<'_>, path: &str) -> String {
    let path = one_line(path, PATH);
    let kind = match decision.reason {
        Reason::Unbound { .. } => "this session is bound to no domain",
        Reason::Leased { .. } => "leases are only noted for this session",
        _ => "the guard is in warn mode",
    };
    format!(
        "comm-node let the write to `{path}` through because {kind}. {} {}",
        sentence(&why(decision, registry)),
        instead(&decision.reason, &path)
    )
}

fn sentence(clause: &str) -> String {
    let mut chars = clause.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

/// The rule, as a clause.
#[must_use]
pub fn why(decision: &Decision<'_>, registry: &Registry<'_>) -> String {
    let at = |line: u32| if line > 0 { format!(", comm-node.yaml:{line}") } else { String::new() };
    match &decision.reason {
        Reason::Paused(pause) => {
            let since = if pause.since.is_empty() {
                String::new()
            } else {
                format!(" since {}", one_line(&pause.since, 40))
            };
            let reason = if pause.reason.is_empty() {
                String::new()
            } else {
                format!(" (reason: {})", one_line(&pause.reason, 200))
            };
            format!("a person paused the node {}{since}{reason}", one_line(&registry.name, 60))
        }
        Reason::Protected(found) => format!("it is {}", found.what()),
        Reason::Waiting(domain) => format!(
            "domain {} already has {} live session{}, as many as it may have, and this session would be one more",
            domain.name,
            domain.max_sessions,
            if domain.max_sessions == 1 { "" } else { "s" }
        ),
        Reason::Gone(name) => {
            format!(
                "this session works for domain {}, which comm-node.yaml does not have",
                one_line(name, 60)
            )
        }
        Reason::Unbound { owner: Some((owner, pattern)) } => format!(
            "the path belongs to domain {} (scope `{}`{}) and this session is bound to no domain",
            owner.name,
            pattern.shown(),
            at(pattern.line())
        ),
        Reason::Unbound { owner: None } => "this session is bound to no domain".into(),
        Reason::LeadsOut => "a symbolic link on it leads out of the node".into(),
        Reason::Outside => "it is outside the node (policy.outside)".into(),
        Reason::Excluded { domain, pattern } => format!(
            "domain {} leaves it out (exclude `{}`{})",
            domain.name,
            pattern.shown(),
            at(pattern.line())
        ),
        Reason::Foreign { domain, owner, pattern } => format!(
            "it belongs to domain {} (scope `{}`{}); this session works for domain {}, which may write {}",
            owner.name,
            pattern.shown(),
            at(pattern.line()),
            domain.name,
            scope(domain)
        ),
        Reason::Unowned { domain } => format!(
            "no domain owns it (policy.unowned); this session works for domain {}, which may write {}",
            domain.name,
            scope(domain)
        ),
        Reason::Role { role, .. } if role.scope.is_empty() => {
            format!("the role {} writes nothing", role.name)
        }
        Reason::Role { role, pattern: Some(pattern) } => {
            format!("the role {} leaves it out (`{}`{})", role.name, pattern.shown(), at(pattern.line()))
        }
        Reason::Role { role, pattern: None } => {
            format!("the role {} writes only {}", role.name, patterns(&role.scope))
        }
        Reason::Leased { conflict } => format!("another agent holds it: {conflict}"),
        Reason::Exhausted { why, .. } => why.clone(),
        Reason::InScope { pattern } => {
            format!("it is in the domain's scope (`{}`{})", pattern.shown(), at(pattern.line()))
        }
        Reason::Working => "it is one of the working files that every domain may write".into(),
        Reason::Off => "the guard is off for this session (mode: off)".into(),
    }
}

/// What to do instead, in whole sentences.
fn instead(reason: &Reason<'_>, path: &str) -> String {
    let explain = if path.contains('\'') {
        "`comm-node why` explains the rule.".to_owned()
    } else {
        format!("`comm-node why '{path}'` explains the rule.")
    };
    let act = match reason {
        Reason::Paused(_) => {
            return "Stop writing and tell the user; only a person can end the pause with `comm-node resume`.".into();
        }
        Reason::Protected(_) => "Leave it as it is; if it has to change, tell the user what and why.",
        Reason::Waiting(_) => {
            return "Tell the user: `comm-node sessions` lists the other session; it has to end first, or a person \
                    raises max_sessions in comm-node.yaml."
                .into();
        }
        Reason::Gone(_) => {
            return "Tell the user: a person can bind this session again with `comm-node join <domain>`."
                .into();
        }
        Reason::Unbound { .. } => {
            return "Bind the session with `comm-node join <domain>` if it works for one.".into();
        }
        Reason::LeadsOut => "Name the real path if that is what you mean.",
        Reason::Outside => "Keep to paths inside the node, or ask the user.",
        Reason::Excluded { .. } | Reason::Unowned { .. } => {
            "Keep to the scope; if the task needs this file, tell the user, who can widen the scope in comm-node.yaml."
        }
        Reason::Foreign { owner, .. } => {
            return format!(
                "Leave the change to domain {}: tell the user what it should be. {explain}",
                owner.name
            );
        }
        Reason::Role { .. } => {
            "Report what should be written and leave the writing to an agent whose role allows it."
        }
        Reason::Leased { .. } if path.contains('\'') => {
            return "Work on something else and try again later, or wait with `comm-node lock --wait`."
                .into();
        }
        Reason::Leased { .. } => {
            return format!(
                "Work on something else and try again later, or wait for it with `comm-node lock '{path}' --wait 60s`. \
                 `comm-node locks` lists who holds what; a person can break it with `comm-node unlock '{path}' --force`."
            );
        }
        Reason::Exhausted { then, .. } => return then.clone(),
        Reason::InScope { .. } | Reason::Working | Reason::Off => "Nothing needs to be done.",
    };
    format!("{act} {explain}")
}

/// What a domain may write, in words.
#[must_use]
pub fn scope(domain: &Domain<'_>) -> String {
    let mut out = patterns(&domain.scope);
    if !domain.exclude.is_empty() {
        let _ = write!(out, " except {}", patterns(&domain.exclude));
    }
    out
}

fn patterns(list: &[Pattern<'_>]) -> String {
    let mut out = String::new();
    for (i, pattern) in list.iter().take(PATTERNS).enumerate() {
        let _ = write!(out, "{}`{}`", if i > 0 { ", " } else { "" }, one_line(pattern.glob(), 80));
    }
    if list.len() > PATTERNS {
        let _ = write!(out, " and {} more", list.len() - PATTERNS);
    }
    out
}

/// `real` as people name it: relative to `root` where it lies in it.
#[must_use]
pub fn shown<'p>(root: &Path, real: &'p Path) -> std::borrow::Cow<'p, str> {
    real.strip_prefix(root).unwrap_or(real).to_string_lossy()
}
