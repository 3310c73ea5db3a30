//! The environment, read once and in one place, so that tests can pass another.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// What a command may know of its surroundings.
#[derive(Clone, Debug, Default)]
pub struct Env {
    /// The working directory.
    pub cwd: PathBuf,
    /// The user's home directory, if there is one.
    pub home: Option<PathBuf>,
    /// This program's own file.
    pub exe: PathBuf,
    /// The environment variables that are UTF-8.
    pub vars: BTreeMap<String, String>,
}

impl Env {
    /// The environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let utf8 = |(k, v): (OsString, OsString)| Some((k.into_string().ok()?, v.into_string().ok()?));
        Self {
            cwd: std::env::current_dir().unwrap_or_default(),
            home: std::env::home_dir().filter(|h| h.is_absolute()),
            exe: std::env::current_exe().unwrap_or_default(),
            vars: std::env::vars_os().filter_map(utf8).collect(),
        }
    }

    /// A variable, if it is set and not empty.
    #[must_use]
    pub fn var(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// Claude Code's configuration directory: `CLAUDE_CONFIG_DIR`, else `~/.claude`.
    ///
    /// # Errors
    /// When neither is known.
    pub fn claude_dir(&self) -> Result<PathBuf> {
        if let Some(dir) = self.var("CLAUDE_CONFIG_DIR") {
            return Ok(self.cwd.join(dir));
        }
        let home = self.home.as_ref().context("no home directory is known: set HOME or CLAUDE_CONFIG_DIR")?;
        Ok(home.join(".claude"))
    }
}
