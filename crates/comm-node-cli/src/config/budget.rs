//! `budget:`, of the node and of a domain.

use comm_node_core::budget::{Budget, COMPLEXITY, Limit, Span, Unit, coordination_of};
use comm_node_core::node::registry::Registry;

use super::reader::Reader;
use super::yaml::Node;

/// The keys that limit something.
const LIMITS: [(&str, Span, Unit); 6] = [
    ("tokens_per_day", Span::Day, Unit::Tokens),
    ("usd_per_day", Span::Day, Unit::Usd),
    ("tokens_per_task", Span::Task, Unit::Tokens),
    ("usd_per_task", Span::Task, Unit::Usd),
    ("tokens", Span::Total, Unit::Tokens),
    ("usd", Span::Total, Unit::Usd),
];
const KEYS: [&str; 9] = [
    "tokens_per_day",
    "usd_per_day",
    "tokens_per_task",
    "usd_per_task",
    "tokens",
    "usd",
    "complexity",
    "coordination_per_task",
    "cap",
];
/// More tokens than this are a mistake.
const MAX_TOKENS: u32 = 4_000_000_000;
/// More dollars than this are a mistake.
const MAX_USD: f64 = 1_000_000.0;

/// The key of `comm-node.yaml` that sets this limit.
#[expect(dead_code, reason = "the command that edits it comes next")]
pub(crate) fn key(span: Span, unit: Unit) -> &'static str {
    LIMITS.iter().find(|(_, s, u)| (*s, *u) == (span, unit)).map_or("", |(key, _, _)| key)
}

/// Reads a `budget:`.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Budget {
    let fields = reader.fields(node, "`budget`", &KEYS);
    let mut budget = Budget::default();
    for (key, span, unit) in LIMITS {
        let Some(node) = fields.get(key) else { continue };
        let what = format!("`{key}`");
        let amount = match unit {
            Unit::Tokens => reader.count(node, &what, MAX_TOKENS).map(u64::from),
            Unit::Usd => reader.amount(node, &what).and_then(|usd| micros(reader, node, &what, usd)),
        };
        budget.limits.extend(amount.map(|amount| Limit(span, unit, amount)));
    }
    let mut tokens = |key: &str| {
        let node = fields.get(key)?;
        reader.count(node, &format!("`{key}`"), MAX_TOKENS).map(u64::from)
    };
    budget.coordination = tokens("coordination_per_task");
    budget.cap = tokens("cap");
    let complexity =
        fields.get("complexity").and_then(|node| reader.choice(node, "`complexity`", &COMPLEXITY));
    let of_task = budget.limit(Span::Task, Unit::Tokens).map(coordination_of);
    budget.coordination = budget.coordination.or(complexity).or(of_task);
    budget
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to fit")]
fn micros(reader: &mut Reader<'_>, node: &Node, what: &str, usd: f64) -> Option<u64> {
    if usd > MAX_USD {
        let written = super::fault::quoted(reader.source.slice(&node.at));
        reader.fault(node.at.clone(), format!("{what} can't be {written}"), "write 1000000 or less");
        return None;
    }
    Some((usd * 1_000_000.0).round() as u64)
}

/// What the node's own budget says of each domain that says nothing itself; the rest of it holds for all of
/// them together.
pub(super) fn inherit(registry: &mut Registry<'static>) {
    let Some(node) = &mut registry.budget else { return };
    let per_task: Vec<Limit> = node.limits.extract_if(.., |limit| limit.0 == Span::Task).collect();
    let coordination = node.coordination.take();
    let has_limits = !node.limits.is_empty();
    let cap = node.cap;
    for domain in &mut registry.domains {
        if per_task.is_empty() && coordination.is_none() && domain.budget.is_none() {
            continue;
        }
        let own = domain.budget.get_or_insert_default();
        own.coordination = own.coordination.or(coordination);
        own.cap = own.cap.or(cap);
        for limit in &per_task {
            if own.limit(limit.0, limit.1).is_none() {
                own.limits.push(*limit);
            }
        }
    }
    if !has_limits {
        registry.budget = None;
    }
}
