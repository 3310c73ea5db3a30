//! `budget:`, of the node and of a domain.

use std::ops::Range;

use comm_node_core::budget::{Budget, COMPLEXITY, Limit, Span, Unit, coordination_of};
use comm_node_core::node::registry::Registry;

use super::fault::Source;
use super::reader::Reader;
use super::yaml::{self, Node, Value};

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
    let micros = (usd * 1_000_000.0).round() as u64;
    if micros == 0 {
        let written = super::fault::quoted(reader.source.slice(&node.at));
        let help = "write an amount of dollars above 0, or leave the key out where there is no limit";
        reader.fault(node.at.clone(), format!("{what} can't be {written}"), help);
        return None;
    }
    Some(micros)
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

/// The text of the file with these keys of the `budget:` of `domain`, or of the node, set; `None` where it can't be
/// told how. Nothing else is changed.
pub(crate) fn edited(text: &str, domain: Option<&str>, wanted: &[(&str, String)]) -> Option<String> {
    let mut text = text.to_owned();
    for (key, value) in wanted {
        let (at, new) = edit(&text, domain, key, value)?;
        text.replace_range(at, &new);
    }
    Some(text)
}

/// What `key` of that `budget:` says in `text`, as it is written.
pub(crate) fn value(text: &str, domain: Option<&str>, key: &str) -> Option<String> {
    let source = Source::new("", text);
    let tree = yaml::parse(&source, &mut Vec::new())?;
    let node = holder(&tree, domain)?.get("budget")?.get(key)?;
    Some(source.slice(&node.at).to_owned())
}

/// What has the `budget:`: a domain, or the file.
fn holder<'n>(tree: &'n Node, domain: Option<&str>) -> Option<&'n Node> {
    match domain {
        Some(name) => tree.get("domains")?.get(name),
        None => Some(tree),
    }
}

/// Where `text` changes, and to what.
fn edit(text: &str, domain: Option<&str>, key: &str, value: &str) -> Option<(Range<usize>, String)> {
    let source = Source::new("", text);
    let tree = yaml::parse(&source, &mut Vec::new())?;
    let holder = holder(&tree, domain)?;
    match holder.get("budget") {
        Some(budget) => match budget.get(key) {
            Some(old) => Some((old.at.clone(), value.to_owned())),
            None => insert(text, budget, &format!("{key}: {value}")),
        },
        None => insert(text, holder, &format!("budget: {{{key}: {value}}}")),
    }
}

/// Where a new `entry` of `map` goes, and how it is written there: before the first one.
fn insert(text: &str, map: &Node, entry: &str) -> Option<(Range<usize>, String)> {
    let Value::Map(entries) = &map.value else { return None };
    let Some((first, _)) = entries.first() else {
        // `budget: {}`, whose place may be told as that of its first character alone.
        let inside = text.get(map.at.start..)?.strip_prefix('{')?;
        let end = text.len() - inside.trim_start().strip_prefix('}')?.len();
        return Some((map.at.start..end, format!("{{{entry}}}")));
    };
    let first = first.at.start;
    // As the file's other lines end.
    let end_of_line = if text.contains("\r\n") { "\r\n" } else { "\n" };
    if text.get(map.at.start..)?.starts_with('{') {
        return Some((first..first, format!("{entry}, ")));
    }
    let line = text.get(..first)?.rfind('\n').map_or(0, |at| at + 1);
    let indent = text.get(line..first)?;
    // Something else before the key: a tag, or an explicit one.
    if !indent.bytes().all(|b| b == b' ') {
        return None;
    }
    // In the file itself `version:` stays first.
    let end = if text.get(line..)?.starts_with("version") {
        let rest = text.get(first..)?;
        first + rest.find('\n')? + 1
    } else {
        line
    };
    Some((end..end, format!("{indent}{entry}{end_of_line}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_written_into_the_file_and_the_rest_stays() {
        let set = |text: &str, domain: Option<&str>, key: &'static str, value: &str| {
            edited(text, domain, &[(key, value.to_owned())])
        };
        let text =
            "version: 1\n# mine\ndomains:\n  api:   # the API\n    scope: [\"a/**\"]\n  web: {scope: [w]}\n";
        let api = set(text, Some("api"), "tokens_per_day", "5").expect("edits");
        assert_eq!(api, text.replace("    scope", "    budget: {tokens_per_day: 5}\n    scope"));
        let again = set(&api, Some("api"), "tokens_per_day", "17").expect("edits");
        assert_eq!(again, api.replace("day: 5", "day: 17"));
        let more = set(&again, Some("api"), "usd", "2.5").expect("edits");
        assert_eq!(more, again.replace("{tokens", "{usd: 2.5, tokens"));
        assert_eq!(value(&more, Some("api"), "usd").as_deref(), Some("2.5"));
        let web = set(text, Some("web"), "cap", "9").expect("edits");
        assert_eq!(web, text.replace("{scope", "{budget: {cap: 9}, scope"));
        let node = set(text, None, "usd_per_day", "3").expect("edits");
        assert_eq!(node, text.replace("version: 1\n", "version: 1\nbudget: {usd_per_day: 3}\n"));
        let empty = "version: 1\ndomains:\n  api:\n    budget: {} # none\n    scope: []\n";
        let first = set(empty, Some("api"), "tokens", "7").expect("edits");
        assert_eq!(first, empty.replace("{}", "{tokens: 7}"));
        let block = "version: 1\ndomains:\n  api:\n    budget:\n      usd: 1 # one\n    scope: []\n";
        let more = set(block, Some("api"), "tokens", "7").expect("edits");
        assert_eq!(more, block.replace("      usd", "      tokens: 7\n      usd"));
        for text in [text, block] {
            let windows = text.replace('\n', "\r\n");
            for domain in [None, Some("api")] {
                let expected = set(text, domain, "tokens", "7").expect("edits").replace('\n', "\r\n");
                assert_eq!(set(&windows, domain, "tokens", "7").as_ref(), Some(&expected));
                let again = set(&expected, domain, "tokens", "8").expect("edits");
                assert_eq!(again, expected.replace("tokens: 7", "tokens: 8"));
                assert_eq!(value(&again, domain, "tokens").as_deref(), Some("8"));
            }
        }
        assert_eq!(set(text, Some("gone"), "usd", "1"), None);
        assert_eq!(set("[", None, "usd", "1"), None);
    }
}
