//! What is to be said of a call.

use comm_node_core::guard::{self, Act, Decision, Outcome, Reason};

use super::{Case, Sitting};

/// Something that is to be said of a call.
#[derive(Debug)]
pub(crate) struct Finding {
    /// The node that says it.
    pub node: usize,
    pub outcome: Outcome,
    pub rule: &'static str,
    /// True if it is only that the session is bound to no domain.
    pub unbound: bool,
    /// The path as people name it.
    pub shown: String,
    pub text: String,
}

impl Finding {
    /// What is to be said of a write to `shown`, if anything.
    pub(crate) fn new(
        node: usize,
        sitting: &Sitting<'_>,
        decision: &Decision<'_>,
        shown: &str,
        by: Option<&str>,
    ) -> Option<Self> {
        let registry = &sitting.scene.registry;
        let text = match decision.outcome {
            Outcome::Allow => return None,
            Outcome::Warn => guard::note(decision, registry, shown),
            Outcome::Ask | Outcome::Deny => {
                guard::refusal(decision, registry, shown, by.map_or(Act::Edit, Act::Command))
            }
        };
        Some(Self {
            node,
            outcome: decision.outcome,
            rule: decision.reason.rule(),
            unbound: matches!(decision.reason, Reason::Unbound { .. }),
            shown: shown.to_owned(),
            text,
        })
    }

    /// What is to be said of a case, if anything.
    pub(crate) fn of(sitting: &Sitting<'_>, case: &Case, decision: &Decision<'_>) -> Option<Self> {
        let shown = match decision.reason {
            // A path that leads out of the node is known to the agent by the name it gave.
            Reason::LeadsOut => case.raw.as_str().into(),
            _ => guard::shown(&sitting.scene.layout.root, case.place.real()),
        };
        Self::new(case.node, sitting, decision, &shown, case.by.as_deref())
    }
}

/// True if a call may end well with these.
pub(crate) fn passes(findings: &[Finding]) -> bool {
    findings.iter().all(|f| f.outcome != Outcome::Deny)
}
