//! `policy:`, the node-wide rules.

use comm_node_core::budget::OnExhausted;
use comm_node_core::node::registry::{Pattern, Registry, Rule, Unbound};

use super::domain::pattern;
use super::reader::Reader;
use super::yaml::Node;

const KEYS: [&str; 10] = [
    "unowned",
    "outside",
    "unbound",
    "on_exhausted",
    "lease_ttl",
    "leases_across_worktrees",
    "stop_gate",
    "gate_timeout",
    "orchestrator",
    "protected",
];
/// The most that the commands of the stop gate may take, in seconds.
const MAX_GATE_S: u64 = 540;
const YES_NO: [(&str, bool); 2] = [("true", true), ("false", false)];
const RULES: [(&str, Rule); 3] = [("deny", Rule::Deny), ("ask", Rule::Ask), ("allow", Rule::Allow)];
const UNBOUND: [(&str, Unbound); 3] =
    [("deny", Unbound::Deny), ("warn", Unbound::Warn), ("allow", Unbound::Allow)];
const ON_EXHAUSTED: [(&str, OnExhausted); 3] =
    [("refuse", OnExhausted::Refuse), ("stop", OnExhausted::Stop), ("warn", OnExhausted::Warn)];

/// Reads `policy:` into the registry.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node, registry: &mut Registry<'static>) {
    let fields = reader.fields(node, "`policy`", &KEYS);
    let policy = &mut registry.policy;
    if let Some(rule) = fields.get("unowned").and_then(|n| reader.choice(n, "`unowned`", &RULES)) {
        policy.unowned = rule;
    }
    if let Some(rule) = fields.get("outside").and_then(|n| reader.choice(n, "`outside`", &RULES)) {
        policy.outside = rule;
    }
    if let Some(rule) = fields.get("unbound").and_then(|n| reader.choice(n, "`unbound`", &UNBOUND)) {
        policy.unbound = rule;
    }
    let on_exhausted = fields.get("on_exhausted");
    if let Some(rule) = on_exhausted.and_then(|n| reader.choice(n, "`on_exhausted`", &ON_EXHAUSTED)) {
        policy.on_exhausted = rule;
    }
    if let Some(seconds) = fields.get("lease_ttl").and_then(|n| reader.duration(n, "`lease_ttl`")) {
        policy.lease_ttl_s = seconds;
    }
    if let Some(node) = fields.get("leases_across_worktrees")
        && let Some(yes) = reader.choice(node, "`leases_across_worktrees`", &YES_NO)
    {
        policy.leases_across_worktrees = yes;
    }
    if let Some(node) = fields.get("stop_gate") {
        let commands = reader.texts(node, "`stop_gate`", "[\"cargo test -q\"]");
        for (command, at) in &commands {
            if command.trim().is_empty() {
                reader.fault(at.clone(), "a command is empty", "write the command, or remove the item");
            }
        }
        policy.stop_gate = commands.into_iter().map(|(command, _)| command).collect();
    }
    if let Some(node) = fields.get("gate_timeout")
        && let Some(seconds) = reader.duration(node, "`gate_timeout`")
    {
        if seconds > MAX_GATE_S {
            let help = "write 9m or less: Claude Code waits ten minutes for a hook";
            reader.fault(node.at.clone(), "`gate_timeout` is more than nine minutes", help);
        }
        policy.gate_timeout_s = seconds;
    }
    if let Some(yes) = fields.get("orchestrator").and_then(|n| reader.choice(n, "`orchestrator`", &YES_NO)) {
        policy.orchestrator = yes;
    }
    if let Some(node) = fields.get("protected") {
        let fold = registry.fold_case;
        for (raw, at) in reader.texts(node, "`protected`", "[\".env*\"]") {
            let Some(glob) = pattern(reader, &raw, &at, fold) else { continue };
            // As in .gitignore, a name alone is meant at every depth; here that is the safe reading.
            let glob = if glob.contains('/') { glob } else { format!("**/{glob}") };
            registry.protected.push(Pattern(glob.into(), reader.source.line(at.start)));
        }
    }
}
