//! Which settings files there are.

use std::path::{Path, PathBuf};

use anyhow::Result;
use comm_node_core::node;

use crate::env::Env;

/// Whose sessions a settings file is for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// All of this user's sessions: settings.json in Claude Code's directory
    User,
    /// Everyone's sessions in this project: .claude/settings.json, which is usually committed
    Project,
    /// This user's sessions in this project: .claude/settings.local.json
    Local,
}

impl Scope {
    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Project => "project",
            Self::Local => "local",
        }
    }

    /// The settings file of this scope, seen from the working directory.
    ///
    /// # Errors
    /// When no home directory is known.
    pub fn file(self, env: &Env) -> Result<PathBuf> {
        Ok(match self {
            Self::User => env.claude_dir()?.join("settings.json"),
            Self::Project => project(&env.cwd).join(".claude").join("settings.json"),
            Self::Local => project(&env.cwd).join(".claude").join("settings.local.json"),
        })
    }
}

/// All three, strongest last.
pub const SCOPES: [Scope; 3] = [Scope::User, Scope::Project, Scope::Local];

/// The project that `cwd` belongs to: the node's root, else the top of the git repository, else
/// the directory itself.
#[must_use]
pub fn project(cwd: &Path) -> PathBuf {
    let of_node = || node::find(cwd).ok().flatten().map(|layout| layout.root);
    let of_git = || cwd.ancestors().find(|dir| dir.join(".git").exists()).map(Path::to_path_buf);
    of_node().or_else(of_git).unwrap_or_else(|| cwd.to_path_buf())
}

/// Settings that an organisation puts on the machine and that nobody below can override.
#[must_use]
pub fn managed() -> Vec<PathBuf> {
    let dir = if cfg!(target_os = "macos") {
        Path::new("/Library/Application Support/ClaudeCode")
    } else if cfg!(windows) {
        Path::new(r"C:\Program Files\ClaudeCode")
    } else {
        Path::new("/etc/claude-code")
    };
    let mut files = vec![dir.join("managed-settings.json")];
    if let Ok(entries) = dir.join("managed-settings.d").read_dir() {
        let mut more: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
        more.retain(|p| p.extension().is_some_and(|e| e == "json"));
        more.sort();
        files.extend(more);
    }
    files
}
