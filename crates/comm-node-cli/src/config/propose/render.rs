//! A proposal as commented YAML. Everything that was found on disk stands in double quotes.

use super::Proposal;
use crate::config::yaml::in_quotes;

const HEAD: &str = "\
# Who owns what in this project, for comm-node. `comm-node check` checks this file,
# `comm-node show <path>` says who owns a path.
";

const DOMAINS: &str = "
# A domain is a part of the project that one agent owns at a time: it may write what `scope`
# matches and `exclude` does not. Patterns are relative to this file: `*` stays within a
# directory, `**` crosses them. Other keys: path, exports, imports, budget, mode, max_sessions, role.
domains:
";

const POLICY: &str = "
policy:
  unowned: deny      # writes to paths in the project that no domain owns: deny | ask | allow
  outside: allow     # writes to paths outside the project: deny | ask | allow
  unbound: warn      # writes of sessions that work for no domain: deny | warn | allow
  lease_ttl: 30m     # how long a path stays reserved for the agent that wrote it last
  protected: [\".env*\", \"**/secrets/**\"]  # what no agent may write
";

/// The file's text.
pub(super) fn yaml(proposal: &Proposal) -> String {
    let mut out = format!("{HEAD}version: 1\nname: {}\n{DOMAINS}", in_quotes(&proposal.name));
    for domain in &proposal.domains {
        // Names that YAML reads as something else, such as `1` or `true`, need quotes too.
        out.push_str(&format!("  {}:\n", key(&domain.name)));
        out.push_str(&format!("    description: {}\n", in_quotes(&domain.description)));
        out.push_str(&list("scope", &domain.scope));
        if !domain.exclude.is_empty() {
            out.push_str(&list("exclude", &domain.exclude));
        }
    }
    out + POLICY
}

fn key(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&name);
    if plain { name.to_owned() } else { in_quotes(name) }
}

fn list(key: &str, items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| in_quotes(item)).collect();
    let line = format!("    {key}: [{}]\n", items.join(", "));
    if line.len() <= 100 {
        return line;
    }
    let lines: Vec<String> = items.iter().map(|item| format!("      - {item}\n")).collect();
    format!("    {key}:\n{}", lines.concat())
}
