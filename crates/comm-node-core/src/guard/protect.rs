//! Paths that no agent writes, whatever its scope: comm-node's own files, git's, and the settings
//! that switch the guard on.

use std::path::{Path, PathBuf};

use crate::glob;
use crate::node::registry::{Layout, Pattern, Registry};
use crate::node::{Place, STATE, YAML};
use crate::path;

/// Why a path is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection<'r> {
    /// `comm-node.yaml`, at any depth: a new one would make a node of its own.
    Config,
    /// comm-node's state.
    State,
    /// git's own files, which say among other things where a worktree belongs.
    Git,
    /// Claude Code's settings and hooks.
    Claude,
    /// Its agents, commands and skills, which bring hooks of their own and run commands that no guard sees.
    Runs,
    /// Its transcripts, which spending is metered from.
    Transcripts,
    /// comm-node's programs and records.
    Programs,
    /// `policy.protected`.
    Policy(&'r Pattern<'r>),
}

impl Protection<'_> {
    /// What the path is, as the end of *it is …*.
    #[must_use]
    pub fn what(&self) -> String {
        match self {
            Self::Config => "comm-node's configuration".into(),
            Self::State => "comm-node's own state".into(),
            Self::Git => "git's own data".into(),
            Self::Claude => "part of Claude Code's settings and hooks".into(),
            Self::Runs => {
                "one of Claude Code's agents, commands and skills, which can run what no guard sees".into()
            }
            Self::Transcripts => "one of Claude Code's transcripts, by which spending is metered".into(),
            Self::Programs => "part of comm-node's installation".into(),
            Self::Policy(pattern) => format!("protected by policy.protected `{}`", pattern.shown()),
        }
    }
}

/// Where protected files are besides their usual names. All paths are real.
#[derive(Clone, Debug, Default)]
pub struct Outposts {
    /// Claude Code's own directory, where it is known.
    pub claude_dir: Option<PathBuf>,
    /// The directory of comm-node's programs, where it is known.
    pub programs: Option<PathBuf>,
    /// What a symbolic link in the place of `comm-node.yaml` leads to.
    pub config: Option<PathBuf>,
    /// What symbolic links in the place of settings files lead to.
    pub settings: Vec<PathBuf>,
}

impl Outposts {
    /// Those of the node there. People keep configuration behind links; what these lead to is
    /// as protected as the names.
    #[must_use]
    pub fn find(node: &Layout, claude_dir: Option<PathBuf>, programs: Option<PathBuf>) -> Self {
        let target =
            |link: PathBuf| std::fs::read_link(&link).is_ok().then(|| path::real(&link).ok()).flatten();
        let project = Some(node.root.join(".claude")).filter(|dir| dir.symlink_metadata().is_ok());
        let settings = [
            claude_dir.as_ref().map(|dir| dir.join("settings.json")),
            project.as_ref().map(|dir| dir.join("settings.json")),
            project.as_ref().map(|dir| dir.join("settings.local.json")),
        ];
        Self {
            // What was met there as a file is no link.
            config: if node.met.is_some() { None } else { target(node.yaml()) },
            settings: settings.into_iter().flatten().filter_map(target).collect(),
            claude_dir,
            programs,
        }
    }
}

/// The protection of `place`, if it has one.
#[must_use]
pub fn protection<'r>(
    registry: &'r Registry<'r>,
    place: &Place,
    outposts: &Outposts,
) -> Option<Protection<'r>> {
    let (real, claude_dir) = (place.real(), outposts.claude_dir.as_deref());
    if outposts.config.as_deref() == Some(real) {
        return Some(Protection::Config);
    }
    if outposts.settings.iter().any(|file| file == real) {
        return Some(Protection::Claude);
    }
    if outposts.programs.as_ref().is_some_and(|dir| real.starts_with(dir)) {
        return Some(Protection::Programs);
    }
    if let Some(below) = claude_dir.and_then(|dir| real.strip_prefix(dir).ok())
        && let Some(found) = in_claude_dir(&path::key(below, registry.fold_case))
    {
        return Some(found);
    }
    if let Some(beside) = claude_dir.and_then(Path::parent)
        && real.strip_prefix(beside).is_ok_and(|p| path::key(p, registry.fold_case) == ".claude.json")
    {
        return Some(Protection::Claude);
    }
    let Place::Inside { key, .. } = place else { return None };
    if in_outbox(registry, place) {
        return None;
    }
    builtin(key)
        .or_else(|| registry.protected.iter().find(|p| glob::matches(p.glob(), key)).map(Protection::Policy))
}

/// The name of the file in the drop box that `key` stands for, if it does: `.comm-node/outbox/<name>.md`.
#[must_use]
pub(super) fn dropped(key: &str) -> Option<&str> {
    let name = key.strip_prefix(STATE)?.strip_prefix("/outbox/")?;
    (name.ends_with(".md") && !name.starts_with('.') && !name.contains('/')).then_some(name)
}

/// True for a file in the node's own drop box, the one place in its state that agents write.
fn in_outbox(registry: &Registry<'_>, place: &Place) -> bool {
    let Place::Inside { tree: 0, key, real } = place else { return false };
    // In a linked worktree the same key names another file, which nobody would ever look at.
    let top = registry.trees.first().map(|top| Path::new(top.as_str()).join(STATE).join("outbox"));
    dropped(key).is_some() && top.as_deref() == real.parent()
}

/// Protected names in any directory `.claude`.
fn of_client(name: &str) -> Option<Protection<'static>> {
    match name {
        "settings.json" | "settings.local.json" | "hooks" => Some(Protection::Claude),
        "agents" | "commands" | "skills" => Some(Protection::Runs),
        _ => None,
    }
}

/// Protected names below Claude Code's own directory.
fn in_claude_dir(key: &str) -> Option<Protection<'static>> {
    let first = key.split('/').next().unwrap_or_default();
    match first {
        "plugins" | ".claude.json" => Some(Protection::Claude),
        "comm-node" => Some(Protection::Programs),
        // Beside them lie an agent's own notes (`memory/*.md`).
        "projects" if key.ends_with(".jsonl") => Some(Protection::Transcripts),
        other => of_client(other),
    }
}

/// Protected names at any depth of a node.
fn builtin(key: &str) -> Option<Protection<'static>> {
    let mut parts = key.split('/').peekable();
    while let Some(part) = parts.next() {
        match part {
            ".git" => return Some(Protection::Git),
            STATE => return Some(Protection::State),
            YAML if parts.peek().is_none() => return Some(Protection::Config),
            ".claude" => {
                if let Some(found) = parts.peek().and_then(|name| of_client(name)) {
                    return Some(found);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_the_clients_directory() {
        for (key, expected) in [
            ("projects/-shop/s1.jsonl", Some(Protection::Transcripts)),
            ("projects/-shop/s1/subagents/agent-a.jsonl", Some(Protection::Transcripts)),
            ("projects/-shop/memory/MEMORY.md", None),
            ("projects/-shop/s1/tool-results/x.txt", None),
            ("projects", None),
            ("notes.jsonl", None),
            ("settings.json", Some(Protection::Claude)),
            ("agents/x.md", Some(Protection::Runs)),
            ("comm-node/prices.txt", Some(Protection::Programs)),
        ] {
            assert_eq!(in_claude_dir(key), expected, "{key}");
        }
    }

    #[test]
    fn names_at_any_depth() {
        for (key, expected) in [
            ("comm-node.yaml", Some(Protection::Config)),
            ("a/b/comm-node.yaml", Some(Protection::Config)),
            ("comm-node.yaml/x", None),
            (".comm-node/paused", Some(Protection::State)),
            ("a/.comm-node/link", Some(Protection::State)),
            (".git/hooks/pre-commit", Some(Protection::Git)),
            ("a/.git", Some(Protection::Git)),
            (".github/workflows/ci.yml", None),
            (".gitignore", None),
            (".claude/settings.json", Some(Protection::Claude)),
            ("a/.claude/settings.local.json", Some(Protection::Claude)),
            (".claude/hooks/x.sh", Some(Protection::Claude)),
            (".claude/agents/x.md", Some(Protection::Runs)),
            ("a/.claude/commands/x.md", Some(Protection::Runs)),
            (".claude/skills/x/SKILL.md", Some(Protection::Runs)),
            (".claude/rules/x.md", None),
            (".claude/mytasks/todo.md", None),
            ("docs/settings.json", None),
        ] {
            assert_eq!(builtin(key), expected, "{key}");
        }
    }
}
