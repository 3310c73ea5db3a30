//! Where an installation's own files are.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::wiring;
use crate::env::Env;

/// `<claude_dir>/comm-node/`, which belongs to the installer alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Claude Code's directory.
    pub claude: PathBuf,
    /// The installer's directory in it.
    pub dir: PathBuf,
}

impl Layout {
    /// The layout in the client's directory.
    ///
    /// # Errors
    /// When no home directory is known.
    pub fn of(env: &Env) -> Result<Self> {
        let claude = env.claude_dir()?;
        // The paths that are written into settings must not depend on where somebody stands.
        let claude = comm_node_core::path::lexical(&env.cwd, &claude);
        Ok(Self { dir: claude.join("comm-node"), claude })
    }

    /// The programs.
    #[must_use]
    pub fn bin(&self) -> PathBuf {
        self.dir.join("bin")
    }

    /// The command line's program.
    #[must_use]
    pub fn cli(&self) -> PathBuf {
        self.bin().join(wiring::file_name(wiring::CLI))
    }

    /// What was changed.
    #[must_use]
    pub fn record(&self) -> PathBuf {
        self.dir.join("install.json")
    }

    /// What every session is told of comm-node; the client's `CLAUDE.md` imports it.
    #[must_use]
    pub fn conventions(&self) -> PathBuf {
        self.dir.join("conventions.md")
    }

    /// Settings files as they were before each change.
    #[must_use]
    pub fn backups(&self) -> PathBuf {
        self.dir.join("backups")
    }

    /// The marketplace that holds the plugin.
    #[must_use]
    pub fn plugin(&self) -> PathBuf {
        self.dir.join("plugin")
    }

    /// The lock that an installer holds.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.dir.join("install.lock")
    }

    /// The mark of an uninstallation at work, which the hook for ConfigChange looks for.
    #[must_use]
    pub fn uninstalling(&self) -> PathBuf {
        self.dir.join("uninstalling")
    }

    /// `path` as people like to read it.
    #[must_use]
    pub fn show(env: &Env, path: &Path) -> String {
        match env.home.as_ref().and_then(|home| path.strip_prefix(home).ok()) {
            Some(rest) if !rest.as_os_str().is_empty() => format!("~/{}", rest.display()),
            _ => path.display().to_string(),
        }
    }
}
