//! `install.json`: what an installation changed, so that it can be taken back.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use comm_node_core::clock;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::layout::Layout;
use crate::settings::edit::Trace;
use crate::settings::file::replace_whole;
use crate::settings::places::Scope;

/// What was changed.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Record {
    /// The format's version, 1.
    pub version: u32,
    /// The version of comm-node that wrote it.
    pub comm_node: String,
    /// When it was last changed, RFC 3339.
    pub changed: String,
    /// The programs, each with its SHA-256.
    #[serde(default)]
    pub programs: BTreeMap<String, String>,
    /// The settings files.
    #[serde(default)]
    pub settings: Vec<Settings>,
    /// Symbolic links outside the installer's directory.
    #[serde(default)]
    pub links: Vec<PathBuf>,
    /// Files and parts of files for the client outside the installer's directory: agents, commands, `CLAUDE.md`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
    /// Directories that were not there before, in the order they were made.
    #[serde(default)]
    pub directories: Vec<PathBuf>,
    /// True where the plugin was set up.
    #[serde(default)]
    pub plugin: bool,
    /// Fields of later versions.
    #[serde(flatten)]
    pub other: BTreeMap<String, serde_json::Value>,
}

/// How one settings file was changed.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Settings {
    /// Where the client looks for it.
    pub path: PathBuf,
    /// Its scope.
    pub scope: Scope,
    /// True where there was no file before.
    pub created: bool,
    /// SHA-256 of what it held before our first change; none where there was no file.
    pub before: Option<String>,
    /// SHA-256 of what it held after our last change.
    pub after: String,
    /// The backup that gives the file back as it was. None once somebody else changed it between
    /// two of our changes: then our entries are taken out instead.
    pub restore: Option<PathBuf>,
    /// Our entries in words.
    #[serde(default)]
    pub entries: Vec<String>,
    /// What came with them; none where they were found without a record of how they came.
    #[serde(default)]
    pub trace: Option<Trace>,
}

impl Record {
    /// An empty record of this version.
    #[must_use]
    pub fn new() -> Self {
        Self {
            version: 1,
            comm_node: comm_node_core::VERSION.to_owned(),
            changed: clock::rfc3339(clock::now_ms()),
            programs: BTreeMap::new(),
            settings: Vec::new(),
            links: Vec::new(),
            files: Vec::new(),
            directories: Vec::new(),
            plugin: false,
            other: BTreeMap::new(),
        }
    }

    /// The record of this installation, `None` if there is none.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn read(layout: &Layout) -> Result<Option<Self>> {
        let path = layout.record();
        let Some(text) = comm_node_core::store::file::read(&path, 16 << 20)? else { return Ok(None) };
        let record: Self =
            serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
        if record.version != 1 {
            anyhow::bail!(
                "{} has format version {}, this comm-node reads 1; use the comm-node that wrote it",
                path.display(),
                record.version
            );
        }
        Ok(Some(record))
    }

    /// The record, an empty one if there is none; a damaged one is moved aside and named.
    ///
    /// # Errors
    /// When a damaged one can't be moved.
    pub fn read_or_new(layout: &Layout) -> Result<(Self, Option<PathBuf>)> {
        match Self::read(layout) {
            Ok(found) => Ok((found.unwrap_or_else(Self::new), None)),
            Err(_) => {
                let from = layout.record();
                let aside = from.with_file_name(format!("install.json.damaged-{}", clock::now_ms()));
                std::fs::rename(&from, &aside)
                    .with_context(|| format!("could not set {} aside", from.display()))?;
                Ok((Self::new(), Some(aside)))
            }
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&mut self, layout: &Layout) -> Result<()> {
        comm_node_core::VERSION.clone_into(&mut self.comm_node);
        self.changed = clock::rfc3339(clock::now_ms());
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        replace_whole(&layout.record(), text.as_bytes(), Some(0o600))
    }

    /// How the settings file at `path` was changed, if it was.
    #[must_use]
    pub fn of(&self, path: &Path) -> Option<&Settings> {
        self.settings.iter().find(|s| s.path == path)
    }

    /// Notes the change of a settings file, in the place of an earlier one.
    pub fn put(&mut self, settings: Settings) {
        match self.settings.iter_mut().find(|s| s.path == settings.path) {
            Some(slot) => *slot = settings,
            None => self.settings.push(settings),
        }
    }

    /// Makes `dir` and what is missing above it. It is noted first, so that a crash between leaves
    /// nothing that uninstalling does not know of.
    ///
    /// # Errors
    /// When it can't be made, or the note can't be written.
    pub fn make_dir(&mut self, layout: &Layout, dir: &Path) -> Result<()> {
        let missing: Vec<PathBuf> =
            dir.ancestors().take_while(|d| !d.exists()).map(Path::to_path_buf).collect();
        let known = self.directories.len();
        for dir in missing.into_iter().rev() {
            if !self.directories.contains(&dir) {
                self.directories.push(dir);
            }
        }
        if self.directories.len() > known {
            self.write(layout)?;
        }
        std::fs::create_dir_all(dir).with_context(|| format!("could not create {}", dir.display()))
    }
}

impl Default for Record {
    fn default() -> Self {
        Self::new()
    }
}

/// The SHA-256 of `bytes` in hexadecimal, as `sha256sum` prints it.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_the_standard_one() {
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn unknown_fields_survive() {
        let mut value = serde_json::to_value(Record::new()).expect("writes");
        value["later"] = serde_json::json!({"a": 1});
        let record: Record = serde_json::from_value(value).expect("reads");
        assert!(serde_json::to_string(&record).expect("writes").contains(r#""later":{"a":1}"#));
    }
}
