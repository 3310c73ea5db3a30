//! Everything that a template can name, made harmless beforehand.
//!
//! Every variable is always there; one that has nothing to say is `null`, empty or `false`. So a strict
//! template can ask for any of them, and a slip in a name is found.

use anyhow::Result;
use comm_node_core::budget::{Budget, Limit, Span, Unit};
use comm_node_core::node::registry::{Domain, Registry, Role};
use comm_node_core::node::roles::{self, model_alias};
use handlebars::Context;
use serde_json::{Value, json};

use super::safe::{code, plain};
use crate::config;

/// Items of a list that are named one by one; the rest is counted.
const ITEMS: usize = 12;
/// Domains that are named one by one.
const PEERS: usize = 24;

/// What a set of files is rendered for.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'r> {
    /// The node, if it is for one.
    pub registry: Option<&'r Registry<'r>>,
    /// The domain, if it is for one.
    pub domain: Option<&'r Domain<'r>>,
}

impl<'r> Subject<'r> {
    /// What is for nobody in particular: a user's own files, and the plugin's.
    pub const ANYBODY: Self = Self { registry: None, domain: None };

    /// All that a template of this subject can name, `role` being the one that it is about.
    ///
    /// # Errors
    /// What is wrong with the node's roles.
    pub fn context(&self, role: Option<&Role<'_>>) -> Result<Context> {
        let mut context = Ground::new(self.registry)?.context(self.domain);
        put_role(&mut context, role);
        Ok(context)
    }
}

/// What is the same for all files of a node, made once.
#[derive(Debug)]
pub struct Ground<'r> {
    /// The roles in force.
    pub roles: Vec<Role<'r>>,
    registry: Option<&'r Registry<'r>>,
    domains: Vec<Value>,
    gate: Vec<String>,
    pipelines: Vec<String>,
}

impl<'r> Ground<'r> {
    /// That of the node, or of nobody in particular.
    ///
    /// # Errors
    /// What is wrong with the node's roles.
    pub fn new(registry: Option<&'r Registry<'r>>) -> Result<Self> {
        let roles = match registry {
            Some(registry) => registry.roles.list().map_err(|why| anyhow::anyhow!(why))?,
            None => roles::builtin(),
        };
        // One more than are named: a domain is not among its own peers.
        let domains = registry.map_or(&[][..], |r| &r.domains).iter().take(PEERS + 1).map(domain).collect();
        let gate = registry.map_or(Vec::new(), |r| list(r.policy.stop_gate.iter().map(String::as_str)));
        let pipelines = if registry.is_some() { pipelines(&roles) } else { Vec::new() };
        Ok(Self { roles, registry, domains, gate, pipelines })
    }

    /// All that a template can name in a file for `own`, but for the role that it is about.
    #[must_use]
    pub fn context(&self, own: Option<&Domain<'_>>) -> Context {
        let all: &[Domain<'_>] = self.registry.map_or(&[], |r| &r.domains);
        let is_peer = |d: &Domain<'_>| own.is_none_or(|own| own.name != d.name);
        let others = all.iter().filter(|d| is_peer(d)).count();
        let peers = all.iter().zip(&self.domains).filter(|(d, _)| is_peer(d)).map(|(_, card)| card);
        Context::from(json!({
            "node": self.registry.map(|r| json!({"name": plain(&r.name, 64)})),
            "domain": own.map(domain),
            "domains": self.domains.iter().take(PEERS).collect::<Vec<_>>(),
            "domains_more": all.len().saturating_sub(PEERS),
            "peers": peers.take(PEERS).collect::<Vec<_>>(),
            "peers_more": others.saturating_sub(PEERS),
            "gate": self.gate,
            "pipelines": self.pipelines,
            "role": null,
        }))
    }
}

/// Makes `context` one for `role`.
pub fn put_role(context: &mut Context, role: Option<&Role<'_>>) {
    if let Value::Object(fields) = context.data_mut() {
        fields.insert("role".to_owned(), role.map_or(Value::Null, about));
    }
}

fn domain(d: &Domain<'_>) -> Value {
    let other = |key: &str| {
        list(d.other.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str))
    };
    json!({
        "name": d.name.as_str(),
        "description": plain(&d.description, 120),
        "scope": list(d.scope.iter().map(|p| p.glob())),
        "exclude": list(d.exclude.iter().map(|p| p.glob())),
        "exports": list(d.exports.iter().map(|e| e.as_str())),
        "imports": d.imports.iter().take(ITEMS).map(|(from, names)| json!({
            "from": code(from), "names": list(names.iter().map(|n| n.as_str())),
        })).collect::<Vec<_>>(),
        "allowed_imports": other("allowed_imports"),
        "forbidden_imports": other("forbidden_imports"),
        "budget": budget(d.budget.as_deref()),
        "mode": d.mode,
        "max_sessions": d.max_sessions,
        "role": d.role.as_ref().map(|r| r.as_str().to_owned()),
    })
}

/// What the budget says, in words.
fn budget(budget: Option<&Budget>) -> Vec<String> {
    let Some(budget) = budget else { return Vec::new() };
    let limit = |Limit(span, unit, amount): &Limit| {
        let span = match span {
            Span::Day => "a day",
            Span::Task => "a task",
            Span::Total => "in all",
        };
        format!("{} {span}", unit.show(*amount))
    };
    let messages = budget.coordination.map(|n| format!("{} of messages a task", Unit::Tokens.show(n)));
    budget.limits.iter().map(limit).chain(messages).collect()
}

fn about(role: &Role<'_>) -> Value {
    json!({
        "name": role.name.as_str(),
        "reads_only": role.scope.is_empty(),
        // `**` is everything, and not worth a word.
        "scope": list(role.scope.iter().map(|p| p.glob())),
        "exclude": list(role.exclude.iter().map(|p| p.glob())),
        "next": role.next.as_ref().map(|n| n.as_str().to_owned()),
        "model": role.model.as_ref().map(|m| model_alias(m).to_owned()),
    })
}

/// Names and patterns as code, a few of them.
fn list<'a>(items: impl Iterator<Item = &'a str>) -> Vec<String> {
    let all: Vec<&str> = items.collect();
    let mut shown: Vec<String> = all.iter().take(ITEMS).map(|item| code(item)).collect();
    if all.len() > ITEMS {
        shown.push(format!("{} more", all.len() - ITEMS));
    }
    shown
}

/// The chains that `next` makes, each as `a → b → c`; one that comes back to its beginning ends before it.
fn pipelines(roles: &[Role<'_>]) -> Vec<String> {
    let next = |role: &Role<'_>| roles.iter().find(|r| role.next.as_ref() == Some(&r.name));
    let follows = |role: &Role<'_>| roles.iter().any(|r| r.next.as_ref() == Some(&role.name));
    let mut seen: Vec<&str> = Vec::new();
    let mut chains = Vec::new();
    // First those that begin somewhere, then the circles.
    for from_start in [true, false] {
        for first in roles.iter().filter(|r| r.next.is_some() && (!from_start || !follows(r))) {
            let mut chain: Vec<&str> = Vec::new();
            let mut at = (!seen.contains(&first.name.as_str())).then_some(first);
            while let Some(role) = at.filter(|role| !chain.contains(&role.name.as_str())) {
                chain.push(&role.name);
                at = next(role);
            }
            if chain.len() > 1 {
                chains.push(chain.join(" → "));
            }
            seen.extend(chain);
        }
    }
    chains
}

/// A node that uses everything that `comm-node.yaml` knows.
const FULL: &str = r#"
version: 1
name: sample
domains:
  own: {scope: ["a/**"], exclude: ["a/b/**"], description: one, exports: [X], imports: {peer: [Y]}, role: tester,
    allowed_imports: ["c/**"], forbidden_imports: ["d/**"], budget: {complexity: simple, usd_per_day: 2}}
  peer: {scope: ["p/**"], description: two, exports: [Y]}
policy: {stop_gate: ["true"]}
"#;

/// Contexts to try a template called `name` on: one of a node that has everything, one of a node that has
/// next to nothing, and for agents and commands one without a domain.
///
/// # Errors
/// Never in practice: these nodes are right.
pub fn samples(name: &str) -> Result<Vec<Context>> {
    let full = config::sample(FULL)?;
    let least =
        config::sample("version: 1\nname: sample\ndomains: {own: {scope: []}}\nroles: {own: {scope: []}}\n")?;
    let writer = roles::builtin().into_iter().find(|r| r.name.as_str() == roles::IMPLEMENT);
    let reader = roles::builtin().into_iter().find(|r| r.name.as_str() == "auditor");
    let bare =
        Role { next: None, model: None, ..reader.clone().unwrap_or_else(|| roles::builtin().remove(0)) };
    let is_agent = name.starts_with("agents/");
    let mut found = Vec::new();
    for (registry, role) in [(&full, writer.as_ref()), (&full, reader.as_ref()), (&least, Some(&bare))] {
        let subject = Subject { registry: Some(registry), domain: registry.domains.first() };
        found.push(subject.context(role.filter(|_| is_agent))?);
    }
    if name != "CLAUDE.md" {
        let subject = Subject { registry: Some(&full), domain: None };
        found.push(subject.context(writer.as_ref().filter(|_| is_agent))?);
    }
    Ok(found)
}

/// A node in which no variable is empty, whatever it is asked of.
const EVERYTHING: &str = r#"
version: 1
name: sample
domains:
  own: {scope: ["a/**"], exclude: ["a/b/**"], description: one, exports: [X], imports: {peer: [Y]}, role: tester,
    allowed_imports: ["c/**"], forbidden_imports: ["d/**"], budget: {complexity: simple, usd_per_day: 2}}
  peer: {scope: ["p/**"], exclude: ["p/b/**"], description: two, exports: [Y], imports: {own: [X]}, role: tester,
    allowed_imports: ["c/**"], forbidden_imports: ["d/**"], budget: {complexity: simple, usd_per_day: 2}}
roles:
  own: {scope: ["a/**"], exclude: ["a/b/**"], next: tester, model: sonnet}
policy: {stop_gate: ["true"]}
"#;

/// A context in which each variable has something to say.
///
/// # Errors
/// Never in practice: this node is right.
pub fn everything() -> Result<Context> {
    let registry = config::sample(EVERYTHING)?;
    let roles = registry.roles.list().map_err(|why| anyhow::anyhow!(why))?;
    let role = roles.iter().find(|role| role.name.as_str() == "own");
    Subject { registry: Some(&registry), domain: registry.domains.first() }.context(role)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_something_to_say() {
        fn empty(value: &Value, at: &str, found: &mut Vec<String>) {
            match value {
                Value::Null => found.push(at.to_owned()),
                Value::String(text) if text.is_empty() => found.push(at.to_owned()),
                Value::Array(items) if items.is_empty() => found.push(at.to_owned()),
                Value::Array(items) => items.iter().for_each(|item| empty(item, at, found)),
                Value::Object(fields) => {
                    fields.iter().for_each(|(key, item)| empty(item, &format!("{at}.{key}"), found));
                }
                _ => {}
            }
        }
        let mut found = Vec::new();
        empty(everything().expect("right").data(), "", &mut found);
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn the_built_in_chain_is_found_once() {
        assert_eq!(pipelines(&roles::builtin()), ["test-list → test → implement → refactor"]);
    }

    #[test]
    fn chains_and_circles() {
        let role = |name: &'static str, next: Option<&'static str>| Role {
            name: name.into(),
            scope: Vec::new(),
            exclude: Vec::new(),
            next: next.map(Into::into),
            model: None,
        };
        let roles = [
            role("b", Some("c")),
            role("c", None),
            role("a", Some("b")),
            role("x", Some("y")),
            role("y", Some("x")),
            role("lonely", None),
            role("self", Some("self")),
        ];
        assert_eq!(pipelines(&roles), ["a → b → c", "x → y"]);
    }

    #[test]
    fn long_lists_are_counted() {
        let names: Vec<String> = (0..20).map(|i| format!("n{i}")).collect();
        let shown = list(names.iter().map(String::as_str));
        assert_eq!((shown.len(), shown.last().map(String::as_str)), (13, Some("8 more")));
    }
}
