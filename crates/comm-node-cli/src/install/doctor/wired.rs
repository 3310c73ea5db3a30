//! Checks on the client's settings files and plugin: what is wired, where, and how.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;

use super::Check;
use crate::env::Env;
use crate::install::layout::Layout;
use crate::install::plugin::{self, Installed};
use crate::install::wiring::{self, WIRES};
use crate::settings::document::Document;
use crate::settings::entry::{self, Found, is_program};
use crate::settings::file::Current;
use crate::settings::places::{self, SCOPES};

const INSTALL: &str = "run `comm-node install`";

/// One settings file of the client's.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// `user`, `project`, `local` or `managed`.
    level: &'static str,
    pub(super) path: PathBuf,
    /// What it holds, or what is wrong with it; none where there is no file.
    pub(super) value: Option<Result<Value, String>>,
}

/// An entry that runs a hook program of ours.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The settings file or the plugin's hooks file it stands in.
    pub origin: PathBuf,
    /// The plugin's directory, for an entry of a plugin.
    pub plugin: Option<PathBuf>,
    /// The entry.
    pub found: Found,
}

/// Everything that the client is told.
#[derive(Clone, Debug)]
pub struct Wired {
    pub(super) files: Vec<File>,
    /// Our entries, those in settings first.
    pub entries: Vec<Entry>,
    plugins: Vec<Installed>,
    faults: Vec<String>,
}

impl Wired {
    /// Reads the settings files seen from the working directory, and our plugin.
    ///
    /// # Errors
    /// When no home directory is known.
    pub fn gather(env: &Env, layout: &Layout) -> Result<Self> {
        let mut files = Vec::new();
        for scope in SCOPES {
            files.push(read(scope.name(), scope.file(env)?));
        }
        // In the home directory itself, the project's file is the user's.
        if files[1].path == files[0].path {
            files.remove(1);
        }
        let values: Vec<Value> =
            files.iter().filter_map(|f| f.value.as_ref()?.as_ref().ok().cloned()).collect();
        files.extend(places::managed().into_iter().map(|path| read("managed", path)));

        let mut entries = Vec::new();
        let mut faults = Vec::new();
        for file in &files {
            let Some(Ok(value)) = &file.value else { continue };
            let Some(hooks) = value.get("hooks") else { continue };
            let (found, wrong) = entry::read(hooks);
            faults.extend(wrong.into_iter().map(|w| format!("{}: {w}", file.path.display())));
            let ours = found.into_iter().filter(|f| entry::runs_ours(&f.command));
            entries.extend(ours.map(|found| Entry { origin: file.path.clone(), plugin: None, found }));
        }
        let plugins = plugin::installed(layout, &values, &mut faults);
        for plugin in plugins.iter().filter(|p| p.enabled) {
            entries.extend(of_plugin(&plugin.root, &mut faults));
        }
        Ok(Self { files, entries, plugins, faults })
    }

    /// True where a settings file has entries of ours.
    #[must_use]
    pub fn any_settings(&self) -> bool {
        self.entries.iter().any(|e| e.plugin.is_none())
    }

    /// Every event has its program.
    #[must_use]
    pub fn events(&self) -> Check {
        let name = "hooks-wired";
        let is_there = |w: &&wiring::Wire| {
            self.entries.iter().any(|e| {
                e.found.event == w.event
                    && e.found.matcher == w.matcher.unwrap_or("")
                    && e.found.program() == format!("comm-node-{}", w.program)
            })
        };
        let missing: Vec<String> =
            WIRES.iter().filter(|w| !is_there(w)).map(|w| shown(w.event, w.matcher)).collect();
        if missing.is_empty() {
            let mut origins: Vec<String> =
                self.entries.iter().map(|e| e.origin.display().to_string()).collect();
            origins.dedup();
            return Check::pass(name, format!("{} entries in {}", WIRES.len(), origins.join(" and ")));
        }
        if missing.len() == WIRES.len() {
            return Check::fail(name, "no settings file and no plugin has the hooks", INSTALL);
        }
        Check::fail(name, format!("missing for {}", missing.join(", ")), INSTALL)
    }

    /// No event has a program twice in settings. The same command in two files is run once by the
    /// client, a different one is not.
    #[must_use]
    pub fn once(&self) -> Check {
        let name = "hooks-once";
        let mut seen: BTreeMap<(String, String, String), Vec<&Entry>> = BTreeMap::new();
        for e in self.entries.iter().filter(|e| e.plugin.is_none()) {
            let program = e.found.program().to_owned();
            seen.entry((e.found.event.clone(), e.found.matcher.clone(), program)).or_default().push(e);
        }
        let mut twice = Vec::new();
        let mut same = Vec::new();
        for ((event, matcher, _), entries) in seen.iter().filter(|(_, e)| e.len() > 1) {
            let mut origins: Vec<String> = entries.iter().map(|e| e.origin.display().to_string()).collect();
            let count = origins.len();
            origins.dedup();
            let alike = origins.len() == count && entries.iter().all(|e| e.found.raw == entries[0].found.raw);
            let what = format!("{} in {}", shown(event, Some(matcher)), origins.join(" and "));
            if alike { same.push(what) } else { twice.push(what) }
        }
        let remedy = "`comm-node uninstall --scope user|project|local` takes one out";
        if let Some(first) = twice.first() {
            return Check::fail(name, format!("{} wired twice, such as {first}", twice.len()), remedy);
        }
        if let Some(first) = same.first() {
            let what =
                format!("{} stand in two files (the client runs them once), such as {first}", same.len());
            return Check::warn(name, what, remedy);
        }
        match self.entries.len() {
            0 => Check::skip(name, "nothing is wired"),
            _ => Check::pass(name, "no event has a program twice"),
        }
    }

    /// Every entry is what the client needs to run it, and the guard's block when it fails.
    #[must_use]
    pub fn valid(&self, layout: &Layout) -> Check {
        let name = "hooks-valid";
        if self.entries.is_empty() {
            return Check::skip(name, "nothing is wired");
        }
        let faults: Vec<String> = self.entries.iter().filter_map(fault).collect();
        if let Some(first) = faults.first() {
            return Check::fail(name, format!("{} entries are wrong: {first}", faults.len()), INSTALL);
        }
        let strange = self.entries.iter().find(|e| {
            e.plugin.is_none() && Path::new(&e.found.command).parent() != Some(layout.bin().as_path())
        });
        if let Some(e) = strange {
            let what = format!("{} runs {} of another installation", e.origin.display(), e.found.command);
            return Check::warn(name, what, INSTALL);
        }
        Check::pass(
            name,
            format!(
                "{} entries run existing programs, and the guard blocks when it fails",
                self.entries.len()
            ),
        )
    }

    /// Every settings file is JSON that the client takes.
    #[must_use]
    pub fn json(&self) -> Check {
        let name = "settings-json";
        let broken = self.files.iter().find_map(|f| match &f.value {
            Some(Err(why)) => Some(format!("{}: {why}", f.path.display())),
            _ => None,
        });
        if let Some(what) = broken {
            return Check::fail(name, what, "correct it; the client drops the whole file");
        }
        if let Some(what) = self.faults.first() {
            return Check::fail(name, what.clone(), "correct it; the client may drop the whole file");
        }
        let count = self.files.iter().filter(|f| f.value.is_some()).count();
        Check::pass(name, format!("{count} settings files are valid"))
    }

    /// No switch turns hooks off.
    #[must_use]
    pub fn switches(&self) -> Check {
        let name = "settings-switches";
        for file in &self.files {
            let Some(Ok(value)) = &file.value else { continue };
            if value.get("disableAllHooks").and_then(Value::as_bool) == Some(true) {
                let what = format!("disableAllHooks is true in {}", file.path.display());
                return Check::fail(name, what, "set it to false, or no hook runs at all");
            }
            let only = value.get("allowManagedHooksOnly").and_then(Value::as_bool) == Some(true);
            if only && file.level == "managed" {
                let what = format!("allowManagedHooksOnly is true in {}", file.path.display());
                return Check::fail(
                    name,
                    what,
                    "ask whoever manages this machine to allow comm-node's hooks",
                );
            }
        }
        Check::pass(name, "no setting turns hooks off")
    }

    /// Settings and plugin are not both in use, which would run every hook twice.
    #[must_use]
    pub fn one_way(&self) -> Check {
        let name = "one-way";
        let enabled: Vec<&str> = self.plugins.iter().filter(|p| p.enabled).map(|p| p.id.as_str()).collect();
        match (enabled.as_slice(), self.any_settings()) {
            ([], _) => Check::pass(name, "the plugin is not in use"),
            ([_], false) => Check::pass(name, "only the plugin is in use"),
            ([id, ..], true) => Check::fail(
                name,
                format!("the plugin {id} and a settings file both run the hooks"),
                format!("run `claude plugin uninstall {id}`, or `comm-node uninstall --scope user`"),
            ),
            ([_, id, ..], false) => Check::fail(
                name,
                "the plugin is installed from two marketplaces",
                format!("run `claude plugin uninstall {id}`"),
            ),
        }
    }

    /// The commands that only read or handle mail may be run without asking.
    #[must_use]
    pub fn rules(&self) -> Check {
        let name = "permissions";
        if !self.any_settings() {
            return Check::skip(name, "no settings file has the hooks");
        }
        let is_allowed = |rule: &str| {
            self.files.iter().any(|f| {
                let Some(Ok(value)) = &f.value else { return false };
                let allow = value.pointer("/permissions/allow").and_then(Value::as_array);
                allow.is_some_and(|list| list.iter().any(|r| r == rule))
            })
        };
        let missing: Vec<&str> = wiring::RULES.iter().copied().filter(|r| !is_allowed(r)).collect();
        if missing.is_empty() {
            Check::pass(name, format!("{} harmless commands may be run without asking", wiring::RULES.len()))
        } else {
            Check::warn(name, format!("agents must ask before {}", missing.join(", ")), INSTALL)
        }
    }
}

fn read(level: &'static str, path: PathBuf) -> File {
    let value = match Current::read(&path) {
        Err(e) => Some(Err(format!("{e:#}"))),
        Ok(current) => {
            current.text.map(|text| Document::parse(&text).map(|doc| doc.value).map_err(|e| e.to_string()))
        }
    };
    File { level, path, value }
}

fn of_plugin(root: &Path, faults: &mut Vec<String>) -> Vec<Entry> {
    let origin = root.join("hooks").join("hooks.json");
    let value = plugin::read(&origin, faults);
    let (found, _) = entry::read(value.get("hooks").unwrap_or(&Value::Null));
    let root_text = root.display().to_string();
    found
        .into_iter()
        .filter(|f| entry::runs_ours(&f.command))
        .map(|mut found| {
            found.command = found.command.replace("${CLAUDE_PLUGIN_ROOT}", &root_text);
            Entry { origin: origin.clone(), plugin: Some(root.to_path_buf()), found }
        })
        .collect()
}

/// What is wrong with an entry, if anything is.
fn fault(entry: &Entry) -> Option<String> {
    let raw = &entry.found.raw;
    let program = Path::new(&entry.found.command);
    let blocks = raw.get("onFailure").and_then(Value::as_str) == Some("block");
    let args = raw.get("args").and_then(Value::as_array);
    // The stop gate is run in it.
    let longest = if entry.found.event == "Stop" { 600 } else { 60 };
    let why = if raw.get("type").and_then(Value::as_str) != Some("command") {
        "its type is not `command`".to_owned()
    } else if args.is_none_or(|a| a.iter().any(|v| !v.is_string())) {
        "it has no list `args`, so a shell would run it".to_owned()
    } else if !program.is_absolute() {
        format!("{} is not an absolute path", program.display())
    } else if !is_program(program) {
        format!("{} is not there or can't be run", program.display())
    } else if raw.get("timeout").and_then(Value::as_u64).is_none_or(|t| t == 0 || t > longest) {
        format!("it has no timeout between 1 and {longest} seconds")
    } else if entry.found.event == "PreToolUse" && !blocks {
        "it lacks `\"onFailure\": \"block\"`, so edits would go through if it failed".to_owned()
    } else if entry.found.event == "UserPromptSubmit" && blocks {
        "it has `\"onFailure\": \"block\"`, which would swallow prompts if it failed".to_owned()
    } else {
        return None;
    };
    Some(format!(
        "{} in {}: {why}",
        shown(&entry.found.event, Some(&entry.found.matcher)),
        entry.origin.display()
    ))
}

fn shown(event: &str, matcher: Option<&str>) -> String {
    match matcher {
        None | Some("") => event.to_owned(),
        Some(matcher) => format!("{event} ({matcher})"),
    }
}
