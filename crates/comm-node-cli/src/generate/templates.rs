//! The templates: the built-in ones, and those that a node has in their place.

use anyhow::{Result, bail};

use crate::config::reader::nearest;

/// One template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its name: `CLAUDE.md`, `convention.md`, `agents/<role>.md`, `commands/<command>.md`.
    pub name: String,
    /// Its text.
    pub text: String,
    /// True for a node's own one.
    pub own: bool,
}

impl Template {
    /// The file that it stands in, as people know it.
    #[must_use]
    pub fn file(&self) -> String {
        format!("{}templates/{}.hbs", if self.own { ".comm-node/" } else { "" }, self.name)
    }
}

/// The end of a template's file name.
const END: &str = ".hbs";
/// The agent of a role that has no template of its own.
pub const ANY_ROLE: &str = "agents/role.md";

macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../templates/", $name, ".hbs")))),*]
    };
}

/// The built-in templates.
pub const BUILT_IN: &[(&str, &str)] = built_in![
    "CLAUDE.md",
    "convention.md",
    "agents/planner.md",
    "agents/auditor.md",
    "agents/finder.md",
    "agents/researcher.md",
    "agents/builder-fast.md",
    "agents/builder-smart.md",
    "agents/reviewer.md",
    "agents/tester.md",
    "agents/integration.md",
    "agents/test-list.md",
    "agents/test.md",
    "agents/implement.md",
    "agents/refactor.md",
    "agents/role.md",
    "commands/kickoff.md",
    "commands/handoff.md",
    "commands/blocker.md",
    "commands/known-issue.md",
    "commands/agentic.md",
    "commands/init-agentic.md",
    "commands/inbox.md",
    "commands/send.md",
    "commands/budget.md",
    "commands/locks.md",
    "commands/status.md",
];

/// All templates in force.
#[derive(Clone, Debug)]
pub struct Templates(Vec<Template>);

impl Templates {
    /// The built-in ones alone.
    #[must_use]
    pub fn built_in() -> Self {
        let of = |(name, text): &(&str, &str)| Template {
            name: (*name).to_owned(),
            text: (*text).to_owned(),
            own: false,
        };
        Self(BUILT_IN.iter().map(of).collect())
    }

    /// The built-in ones with a node's own in their place; those come with their path below
    /// `.comm-node/templates/`. `roles` are the node's roles, which may have agents of their own.
    ///
    /// # Errors
    /// When one of the node's own stands for nothing.
    pub fn with(own: Vec<(String, String)>, roles: &[&str]) -> Result<Self> {
        let mut all = Self::built_in();
        for (path, text) in own {
            let Some(name) = path.strip_suffix(END).filter(|name| stands(name, roles)) else {
                let files = BUILT_IN.iter().map(|(name, _)| format!("{name}{END}")).collect::<Vec<_>>();
                let help = match nearest(&path, files.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean {near}?"),
                    None => "a template is CLAUDE.md.hbs, agents/<role>.md.hbs or commands/<command>.md.hbs"
                        .to_owned(),
                };
                let shown = comm_node_core::text::one_line(&path, 120);
                bail!(".comm-node/templates/{shown} is no template that is used; {help}");
            };
            let template = Template { name: name.to_owned(), text, own: true };
            match all.0.iter_mut().find(|t| t.name == name) {
                Some(slot) => *slot = template,
                None => all.0.push(template),
            }
        }
        Ok(all)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Template> {
        self.0.iter()
    }

    /// The template called `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Template> {
        self.0.iter().find(|t| t.name == name)
    }

    /// The template of the agent of a role.
    #[must_use]
    pub fn agent(&self, role: &str) -> Option<&Template> {
        self.get(&format!("agents/{role}.md")).or_else(|| self.get(ANY_ROLE))
    }

    /// The commands, each with its name, in the order of their names.
    #[must_use]
    pub fn commands(&self) -> Vec<(&str, &Template)> {
        let name = |t: &'_ Template| {
            t.name.strip_prefix("commands/").and_then(|n| n.strip_suffix(".md")).map(str::len)
        };
        let mut found: Vec<(&str, &Template)> =
            self.0.iter().filter_map(|t| name(t).map(|len| (&t.name[9..9 + len], t))).collect();
        found.sort_unstable_by_key(|(name, _)| *name);
        found
    }
}

/// True if a node's own template may be called `name`.
fn stands(name: &str, roles: &[&str]) -> bool {
    if name == "convention.md" {
        // It belongs to the user, not to a node.
        return false;
    }
    if BUILT_IN.iter().any(|(built_in, _)| *built_in == name) {
        return true;
    }
    let plain = |n: &str| {
        !n.is_empty()
            && !n.starts_with('-')
            && n.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    let of = |kind: &str| name.strip_prefix(kind).and_then(|n| n.strip_suffix(".md"));
    of("agents/").is_some_and(|role| roles.contains(&role)) || of("commands/").is_some_and(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_in_the_table() {
        let top = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates");
        let mut files = Vec::new();
        for dir in ["", "agents", "commands"] {
            for entry in std::fs::read_dir(top.join(dir)).expect("lists").flatten() {
                let name = entry.file_name().into_string().expect("UTF-8");
                if let Some(name) = name.strip_suffix(END) {
                    files.push(format!("{dir}{}{name}", if dir.is_empty() { "" } else { "/" }));
                }
            }
        }
        files.sort();
        let mut table: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
        table.sort_unstable();
        assert_eq!(files, table);
    }

    #[test]
    fn own_ones_win_and_unknown_ones_are_named() {
        let own = |path: &str| vec![(path.to_owned(), "x".to_owned())];
        let all = Templates::with(own("agents/finder.md.hbs"), &[]).expect("known");
        assert_eq!(
            all.agent("finder").map(Template::file).as_deref(),
            Some(".comm-node/templates/agents/finder.md.hbs")
        );
        assert!(Templates::with(own("agents/writer.md.hbs"), &["writer"]).is_ok());
        assert!(Templates::with(own("commands/deploy.md.hbs"), &[]).is_ok());
        let error = Templates::with(own("agents/findr.md.hbs"), &[]).expect_err("unknown").to_string();
        assert!(error.contains("did you mean agents/finder.md.hbs?"), "{error}");
        assert!(Templates::with(own("commands/../x.md.hbs"), &[]).is_err());
        assert!(Templates::with(own("CLAUDE.md"), &[]).is_err());
    }
}
