//! What the hand-off commands share: who asks, which hand-off is meant, how it is shown.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use comm_node_core::deadline::Deadline;
use comm_node_core::handoff::{self, Handoff};
use comm_node_core::mail::frame;
use comm_node_core::markdown::Fault;
use comm_node_core::node;
use comm_node_core::node::registry::{Domain, Registry, Role};
use comm_node_core::session::{Session, SessionId};
use comm_node_core::store::{Handed, Lock, Shelf, file};
use comm_node_core::text::one_line;
use comm_node_core::{Error, clock};

use crate::Outcome;
use crate::env::Env;
use crate::exec;
use crate::here::Here;
use crate::mailing::Me;

/// How long another command is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// The directory of the older convention.
pub(crate) const MYTASKS: &str = ".claude/mytasks";
/// How long git may take.
const GIT: Duration = Duration::from_secs(5);
/// How much git may say.
const GIT_SAID: usize = 1 << 20;
/// Files of the older convention that are looked at.
const OLDER: usize = 500;

/// Faults of one file that an error names.
const FAULTS: usize = 3;

/// A hand-off that was found.
pub(crate) struct Found {
    /// On which shelf; `None` for a file of the older convention.
    pub(crate) handed: Option<Handed>,
    /// Its path as people name it.
    pub(crate) shown: String,
    /// Its text.
    pub(crate) text: String,
    /// What is in it, or what is wrong with it.
    pub(crate) read: Result<Handoff, Vec<Fault>>,
}

impl Found {
    /// The task that it is about: the name of the file.
    pub(crate) fn task(&self) -> String {
        match &self.handed {
            Some(handed) if handed.shelf == Shelf::Done => match &self.read {
                Ok(handoff) => handoff.task.clone(),
                Err(_) => handed.name.clone(),
            },
            Some(handed) => handed.name.clone(),
            None => {
                let stem = Path::new(&self.shown).file_stem().unwrap_or_default().to_string_lossy();
                if handoff::is_task(&stem) { stem.into_owned() } else { handoff::task_name(&stem) }
            }
        }
    }

    /// True if `named` means it: its task, its file's name or its path.
    pub(crate) fn is(&self, named: &str) -> bool {
        let file = Path::new(&self.shown).file_name().and_then(|name| name.to_str());
        self.task() == named || file == Some(named) || self.shown == named
    }

    /// Its hand-off, or an error that names its faults with their places, and the ways out.
    pub(crate) fn valid(&self) -> Result<&Handoff> {
        self.read.as_ref().map_err(|faults| {
            let mut lines: Vec<String> =
                faults.iter().take(FAULTS).map(|fault| fault.in_file(&self.shown)).collect();
            if faults.len() > FAULTS {
                lines.push(format!("and {} more", faults.len() - FAULTS));
            }
            anyhow::anyhow!("the hand-off can't be used: {}. {}", lines.join("; "), self.ways_out())
        })
    }

    /// What can be done about one that can't be used.
    pub(crate) fn ways_out(&self) -> String {
        let task = self.task();
        let shown = if handoff::is_task(&task) {
            task.clone()
        } else {
            format!("'{}'", one_line(&task, 100).replace('\'', "'\\''"))
        };
        let Some(handed) = &self.handed else {
            return "Mend the file".to_owned();
        };
        let mut out = format!("`comm-node handoff show {shown}` shows it. ");
        if handoff::is_task(&task) {
            out.push_str(&format!(
                "A session can write it anew (`comm-node handoff write {shown} --replace …`) and take that; a"
            ));
        } else {
            out.push('A');
        }
        out.push_str(&format!(
            " person can mend the file, or put it away with `comm-node handoff done {shown} --domain {}`",
            handed.domain
        ));
        out
    }

    /// The session that took it and lives.
    pub(crate) fn taker(&self, here: &Here) -> Option<SessionId> {
        self.handed.as_ref().filter(|handed| handed.shelf == Shelf::Taken)?;
        let id = SessionId::new(handoff::head(&self.text).taken_by.as_deref()?).ok()?;
        here.store.session_lives(&id, clock::now_ms()).then_some(id)
    }

    /// How it stands, in a word.
    pub(crate) fn state(&self, here: &Here) -> &'static str {
        match &self.handed {
            None => "older",
            Some(handed) if handed.shelf == Shelf::Taken && self.taker(here).is_none() => "free again",
            Some(handed) => handed.shelf.name(),
        }
    }

    /// What of it a session is shown: another agent's text, quoted.
    pub(crate) fn quoted(&self) -> String {
        frame::quoted(self.text.trim_end())
    }
}

/// Gives `work` the node, its rules and whoever asks: so a hand-off command begins.
pub(crate) fn desk(
    env: &Env,
    work: impl FnOnce(&Here, &Registry<'_>, &Me) -> Result<Outcome>,
) -> Result<Outcome> {
    let here = Here::find(env)?;
    let registry = here.registry()?;
    let me = Me::find(env, &here, &registry)?;
    work(&here, &registry, &me)
}

/// Locks the hand-offs of the node.
pub(crate) fn lock(here: &Here) -> Result<Lock> {
    Ok(here.store.lock("handoffs", Deadline::after(PATIENCE))?)
}

/// The hand-offs for `domain` on `shelf`, the latest first, `max` of them.
pub(crate) fn on_shelf(here: &Here, domain: &str, shelf: Shelf, max: usize) -> Result<Vec<Found>> {
    let handoffs = here.store.handoffs();
    let mut out = Vec::new();
    for handed in handoffs.list(domain, shelf).into_iter().take(max) {
        let text = match handoffs.read(&handed) {
            Ok(Some(text)) => text,
            Ok(None) => continue,
            Err(e) => {
                out.push(unreadable(handoffs.shown(&handed), Some(handed), &e));
                continue;
            }
        };
        // What is done has the time behind its name.
        let task = (shelf != Shelf::Done).then_some(handed.name.as_str());
        let read = handoff::read_as(&text, task, Some(domain));
        out.push(Found { shown: handoffs.shown(&handed), handed: Some(handed), read, text });
    }
    Ok(out)
}

fn unreadable(shown: String, handed: Option<Handed>, error: &Error) -> Found {
    let fault = Fault::new(1, one_line(&error.to_string(), 300), "make it a plain file of UTF-8 text");
    Found { handed, shown, text: String::new(), read: Err(vec![fault]) }
}

/// The hand-offs of the older convention below `root`, by name.
pub(crate) fn older(root: &Path) -> Vec<Found> {
    let below = format!("{MYTASKS}/handoffs");
    let dir = root.join(&below);
    let is_dir = |dir: &Path| dir.symlink_metadata().is_ok_and(|meta| meta.is_dir());
    if !is_dir(&dir) {
        return Vec::new();
    }
    let mut names: Vec<String> = std::fs::read_dir(&dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".md") && !name.starts_with('.'))
        .take(OLDER)
        .collect();
    names.sort_unstable();
    let mut out = Vec::new();
    for name in names {
        let shown = format!("{below}/{name}");
        match file::read(&dir.join(&name), handoff::MAX_FILE) {
            Ok(Some(text)) => out.push(Found { handed: None, shown, read: handoff::read(&text), text }),
            Ok(None) => {}
            Err(e) => out.push(unreadable(shown, None, &e)),
        }
    }
    out
}

/// The session's record, changed under its lock.
pub(crate) fn change(here: &Here, id: &SessionId, how: impl FnOnce(&mut Session)) -> Result<()> {
    let _lock = here.store.lock("sessions", Deadline::after(PATIENCE))?;
    let Some(mut session) = here.store.read_session(id)? else {
        bail!("session {} has no record here; it has ended, or never was in this node", id.short());
    };
    how(&mut session);
    Ok(here.store.write_session(&session)?)
}

/// The role called `name`.
pub(crate) fn role<'r>(here: &Here, registry: &'r Registry<'_>, name: &str) -> Result<Option<Role<'r>>> {
    let damaged = |why| Error::Damaged { path: here.store.registry_path(), why };
    Ok(registry.role(name).map_err(damaged)?)
}

/// The role that a session acts in as its main loop does.
pub(crate) fn role_of<'s>(session: &'s Session, domain: Option<&'s Domain<'_>>) -> Option<&'s str> {
    session.role.as_deref().or_else(|| domain.and_then(|domain| domain.role.as_deref()))
}

/// What git says of the place where a session works.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// The branch.
    pub(crate) branch: Option<String>,
    /// The commit.
    pub(crate) commit: Option<String>,
    /// What is not committed, relative to the top of the worktree.
    pub(crate) dirty: Vec<String>,
}

/// How the worktree that holds `dir` stands; nothing where there is none or git can't be asked.
pub(crate) fn standing(dir: &Path) -> Standing {
    let Some(head) = comm_node_core::path::real(dir).ok().and_then(|dir| node::head(&dir)) else {
        return Standing::default();
    };
    let branch = git(&head.top, &["rev-parse", "--abbrev-ref", "HEAD"]);
    let dirty = git(&head.top, &["status", "--porcelain", "-z", "--no-renames", "--untracked-files=all"]);
    Standing {
        branch: branch.map(|name| name.trim().to_owned()).filter(|name| name != "HEAD" && !name.is_empty()),
        commit: Some(head.commit),
        dirty: dirty
            .unwrap_or_default()
            .split('\0')
            .filter_map(|entry| entry.get(3..))
            .map(str::to_owned)
            .collect(),
    }
}

fn git(dir: &Path, args: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"GIT_")) {
        git.env_remove(name);
    }
    git.env("GIT_OPTIONAL_LOCKS", "0").args(["-c", "core.fsmonitor=false"]).args(args).current_dir(dir);
    let ran = exec::run(&mut git, GIT, GIT_SAID, &|| false).ok().filter(exec::Ran::is_good)?;
    String::from_utf8(ran.said).ok()
}

/// The directory that a command works in: the session's project, or where it was called.
pub(crate) fn working_dir(env: &Env) -> PathBuf {
    env.var("CLAUDE_PROJECT_DIR").map_or_else(|| env.cwd.clone(), PathBuf::from)
}
