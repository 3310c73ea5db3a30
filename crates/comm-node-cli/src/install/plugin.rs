//! The other way in: as a plugin, from a marketplace in the installer's own directory.
//!
//! The client reads a plugin of a directory marketplace in place, so replacing the programs there
//! upgrades it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use comm_node_core::store::file;
use serde_json::Value;

use super::layout::Layout;
use super::programs::{self, Program};
use super::record::Record;
use super::wiring;
use crate::env::Env;
use crate::generate::engine::Engine;
use crate::generate::plan;
use crate::generate::templates::Templates;
use crate::settings::file::{Current, replace_whole};

/// The plugin's id in the client: its name and its marketplace's.
pub const ID: &str = "comm-node@comm-node";

const MARKETPLACE: &str = include_str!("../../../../.claude-plugin/marketplace.json");
const MANIFEST: &str = include_str!("../../../../plugin/.claude-plugin/plugin.json");
const MONITORS: &str = include_str!("../../../../plugin/monitors/monitors.json");
const README: &str = include_str!("../../../../plugin/README.md");

/// Writes the marketplace and the plugin, with its programs.
///
/// # Errors
/// When a file can't be written.
pub fn write(layout: &Layout, record: &mut Record, programs: &[Program]) -> Result<()> {
    let top = layout.plugin();
    let plugin = top.join("plugin");
    let mut files = vec![
        (top.join(".claude-plugin/marketplace.json"), MARKETPLACE.to_owned()),
        (plugin.join(".claude-plugin/plugin.json"), MANIFEST.to_owned()),
        (plugin.join("hooks/hooks.json"), wiring::plugin_hooks()?),
        (plugin.join("monitors/monitors.json"), MONITORS.to_owned()),
        (plugin.join("README.md"), README.to_owned()),
    ];
    files.extend(texts()?.into_iter().map(|(path, text)| (plugin.join(path), text)));
    // The directory is the installer's own: what an earlier version had and this one has not is gone.
    for dir in TEXTS {
        for entry in plugin.join(dir).read_dir().into_iter().flatten().flatten() {
            if files.iter().all(|(path, _)| *path != entry.path()) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
    for (path, text) in files {
        if let Some(dir) = path.parent() {
            record.make_dir(layout, dir)?;
        }
        replace_whole(&path, text.as_bytes(), Some(0o644))?;
    }
    let bin = plugin.join("bin");
    record.make_dir(layout, &bin)?;
    // Compared with what is there, not with the other copies of the programs.
    let own: Vec<Program> = programs
        .iter()
        .filter(|p| {
            let there = file::read_bytes(&bin.join(&p.name), p.bytes.len() as u64);
            !there.is_ok_and(|there| there.as_ref() == Some(&p.bytes))
        })
        .map(|p| Program { change: programs::Change::Updated, ..p.clone() })
        .collect();
    programs::copy(&own, &bin)
}

/// The directories of [`texts`].
const TEXTS: [&str; 2] = ["agents", "commands"];

/// The plugin's agents and commands, each with its path in the plugin.
///
/// # Errors
/// Never in practice: the built-in templates are right.
fn texts() -> Result<Vec<(PathBuf, String)>> {
    plan::files(&Engine::new(Templates::built_in())?)
}

/// The client's commands that make it use the plugin.
#[must_use]
pub fn setup(layout: &Layout) -> [Vec<String>; 2] {
    let place = layout.plugin().display().to_string();
    [words(&["plugin", "marketplace", "add", &place]), words(&["plugin", "install", ID])]
}

/// The client's commands that make it forget the plugin.
#[must_use]
pub fn teardown() -> [Vec<String>; 2] {
    [words(&["plugin", "uninstall", ID]), words(&["plugin", "marketplace", "remove", "comm-node"])]
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}

/// The client's program, if it is on PATH.
#[must_use]
pub fn client(env: &Env) -> Option<PathBuf> {
    let name = wiring::file_name("claude");
    let dirs = env.var("PATH").unwrap_or("");
    std::env::split_paths(dirs).map(|dir| dir.join(&name)).find(|f| crate::settings::entry::is_program(f))
}

/// Runs one of the client's commands; its output if it failed.
///
/// # Errors
/// When it can't be started or fails.
pub fn run(client: &Path, args: &[String]) -> Result<()> {
    let shown = format!("claude {}", args.join(" "));
    let output = Command::new(client)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("could not run `{shown}`"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stderr, output.stdout].concat();
    let said = comm_node_core::text::one_line(String::from_utf8_lossy(&said).trim(), 400).into_owned();
    anyhow::bail!("`{shown}` failed: {said}; run it yourself")
}

/// Our plugin as the client has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// `comm-node@<marketplace>`.
    pub id: String,
    /// The directory that the client reads it from.
    pub root: PathBuf,
    /// True where it is switched on.
    pub enabled: bool,
}

/// Our plugins in the client's own records. `settings` are the values of the settings files,
/// strongest last. What is wrong with the records goes to `faults`.
#[must_use]
pub fn installed(layout: &Layout, settings: &[Value], faults: &mut Vec<String>) -> Vec<Installed> {
    let dir = layout.claude.join("plugins");
    let plugins = read(&dir.join("installed_plugins.json"), faults);
    let markets = read(&dir.join("known_marketplaces.json"), faults);
    let Some(map) = plugins.get("plugins").and_then(Value::as_object) else { return Vec::new() };
    map.iter()
        .filter_map(|(id, copies)| {
            let (name, market) = id.split_once('@')?;
            if name != "comm-node" {
                return None;
            }
            let copied = copies.pointer("/0/installPath").and_then(Value::as_str);
            let source = markets.get(market).and_then(|m| m.get("source"));
            let in_place = source
                .filter(|s| s.get("source").and_then(Value::as_str) == Some("directory"))
                .and_then(|s| s.get("path").and_then(Value::as_str))
                .map(|path| Path::new(path).join("plugin"));
            let root = in_place.filter(|p| p.is_dir()).or_else(|| copied.map(PathBuf::from))?;
            let switch = |s: &Value| s.get("enabledPlugins").and_then(|e| e.get(id)).and_then(Value::as_bool);
            let enabled = settings.iter().filter_map(switch).next_back().unwrap_or(false);
            Some(Installed { id: id.clone(), root, enabled })
        })
        .collect()
}

/// What the JSON file at `path` says; nothing where it is not there, or is none, which goes to `faults`.
pub fn read(path: &Path, faults: &mut Vec<String>) -> Value {
    let value = Current::read(path).and_then(|current| match current.text {
        Some(text) => serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display())),
        None => Ok(Value::Null),
    });
    value.unwrap_or_else(|e| {
        faults.push(format!("{e:#}"));
        Value::Null
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The plugin in the repository is what the templates make: nobody edits it by hand.
    #[test]
    fn its_agents_and_commands_are_the_templates() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugin");
        let wanted: Vec<(PathBuf, String)> = texts().expect("renders");
        let update = std::env::var_os("UPDATE_FIXTURES").is_some();
        for (path, text) in &wanted {
            let path = here.join(path);
            if update {
                std::fs::create_dir_all(path.parent().expect("has one")).expect("makes");
                std::fs::write(&path, text).expect("writes");
            }
            let committed = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(committed, *text, "{}: UPDATE_FIXTURES=1 writes it anew", path.display());
        }
        let there = TEXTS.iter().flat_map(|dir| here.join(dir).read_dir().expect("lists").flatten());
        assert_eq!(there.count(), wanted.len(), "a file in the plugin comes from no template");
    }

    #[test]
    fn the_manifest_has_this_version() {
        let manifest: Value = serde_json::from_str(MANIFEST).expect("JSON");
        assert_eq!(manifest["version"], comm_node_core::VERSION);
        assert_eq!(manifest["name"], "comm-node");
        // A path with a blank in it is still one word.
        let monitors: Value = serde_json::from_str(MONITORS).expect("JSON");
        assert_eq!(monitors[0]["command"], "\"${CLAUDE_PLUGIN_ROOT}/bin/comm-node\" watch");
        let market: Value = serde_json::from_str(MARKETPLACE).expect("JSON");
        assert_eq!(market["plugins"][0]["source"], "./plugin");
    }
}
