//! Where a command is run: in which node, and in which session.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use comm_node_core::node;
use comm_node_core::node::registry::{Layout, Registry};
use comm_node_core::process;
use comm_node_core::session::{Session, SessionId};
use comm_node_core::store::{Event, Store};
use comm_node_core::text::one_line;

use crate::config;
use crate::env::Env;
use crate::out::Out;

/// The node a command works on.
#[derive(Debug)]
pub struct Here {
    /// Where its files are.
    pub layout: Layout,
    /// Its state.
    pub store: Store,
    text: String,
}

impl Here {
    /// The node that the working directory belongs to, its configuration compiled if it changed.
    ///
    /// # Errors
    /// When there is none, or when its configuration can't be used.
    pub fn find(env: &Env) -> Result<Self> {
        Self::at(&env.cwd)
    }

    /// The node that `dir` belongs to.
    ///
    /// # Errors
    /// As [`Here::find`].
    pub fn at(dir: &Path) -> Result<Self> {
        let layout = layout_at(dir)?;
        let store = Store::new(layout.state());
        let text = config::ensure_compiled(&layout, &store)?;
        Ok(Self { layout, store, text })
    }

    /// The compiled configuration.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn registry(&self) -> Result<Registry<'_>> {
        Registry::parse(&self.text)
            .map_err(|why| comm_node_core::Error::Damaged { path: self.store.registry_path(), why }.into())
    }

    /// Puts a line into the event log. What it tells of has happened, so a log that can't be written is a warning.
    pub fn log(&self, event: &Event<'_>) {
        if let Err(e) = self.store.log(event) {
            let why = format!("{e}; {}", e.remedy());
            let why = one_line(&why, 600);
            Out::of_process().note(format!("warning: it was done, but the log has no line of it: {why}"));
        }
    }

    /// `path` as the guard sees it.
    ///
    /// # Errors
    /// When its symbolic links can't be followed.
    pub fn real(&self, env: &Env, path: &Path) -> Result<PathBuf> {
        Ok(comm_node_core::path::real(&comm_node_core::path::lexical(&env.cwd, path))?)
    }
}

/// The node that `dir` belongs to, whatever the state of its configuration.
///
/// # Errors
/// When there is none, or when a link to it can't be followed.
pub fn layout_at(dir: &Path) -> Result<Layout> {
    let Some(layout) = node::find(dir)? else {
        bail!(
            "no {} here or in any directory above {}; run `comm-node init` in your project's top directory",
            node::YAML,
            dir.display()
        );
    };
    Ok(layout)
}

/// The session that this command runs inside of: the one that the client names in the
/// environment, else the one whose client is an ancestor of this process (a program that cleared
/// its environment is still inside). `None` for a person at a terminal.
///
/// # Errors
/// When `CLAUDE_CODE_SESSION_ID` is no session id.
pub fn session_of_caller(env: &Env, store: &Store) -> Result<Option<SessionId>> {
    if let Some(id) = env.var("CLAUDE_CODE_SESSION_ID") {
        return SessionId::new(id).map(Some).context("could not tell which session this is");
    }
    let sessions: Vec<Session> = store.sessions()?.into_iter().flatten().map(|(s, _)| s).collect();
    let mut pid = std::process::id();
    // No process tree is deeper than this.
    for _ in 0..64 {
        match process::parent(pid) {
            Some(parent) if parent > 1 && parent != pid => pid = parent,
            _ => break,
        }
        let found = sessions.iter().find(|s| {
            s.process
                .as_ref()
                .is_some_and(|p| p.pid == pid && process::ProcessId::of(pid).as_ref() == Some(p))
        });
        if let Some(session) = found {
            return Ok(Some(session.session_id.clone()));
        }
    }
    Ok(None)
}
