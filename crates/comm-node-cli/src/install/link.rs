//! The link that makes `comm-node` a command: `~/.local/bin/comm-node`.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::layout::Layout;
use super::record::Record;
use crate::env::Env;
use crate::settings::file::sweep;

/// What was found where the link belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Missing,
    /// Our link.
    Ours,
    /// A link that leads to another installation of comm-node's.
    OtherInstall(PathBuf),
    /// Something of somebody else's.
    Foreign,
    /// There is no place for it: no home directory is known, or the system has no such links.
    Nowhere,
}

/// Where the link belongs.
#[must_use]
pub fn path(env: &Env) -> Option<PathBuf> {
    let home = env.home.as_ref().filter(|_| cfg!(unix))?;
    Some(home.join(".local").join("bin").join("comm-node"))
}

/// What stands there.
#[must_use]
pub fn state(env: &Env, layout: &Layout) -> State {
    let Some(link) = path(env) else { return State::Nowhere };
    if link.symlink_metadata().is_err() {
        return State::Missing;
    }
    match link.read_link() {
        Ok(target) if target == layout.cli() => State::Ours,
        Ok(target) if target.ends_with("comm-node/bin/comm-node") => {
            // One that leads nowhere is a leftover.
            if link.exists() { State::OtherInstall(target) } else { State::Missing }
        }
        _ => State::Foreign,
    }
}

/// Makes the link if its place is free, and notes it.
///
/// # Errors
/// When it can't be made.
pub fn make(env: &Env, layout: &Layout, record: &mut Record) -> Result<State> {
    let state = state(env, layout);
    let Some(link) = path(env) else { return Ok(state) };
    if matches!(state, State::Missing | State::Ours) && !record.links.contains(&link) {
        // Noted first: what a crash leaves behind is then known.
        record.links.push(link.clone());
        record.write(layout)?;
    }
    if state == State::Missing {
        if let Some(dir) = link.parent() {
            record.make_dir(layout, dir)?;
            sweep(dir);
        }
        symlink(&layout.cli(), &link)?;
    }
    Ok(state)
}

/// Puts the link on a record that does not know of it, because the one that did was lost.
pub fn note(env: &Env, layout: &Layout, record: &mut Record) {
    if let Some(link) = path(env).filter(|_| state(env, layout) == State::Ours)
        && !record.links.contains(&link)
    {
        record.links.push(link);
    }
}

/// Removes the link if it is ours.
#[must_use]
pub fn remove(link: &Path, layout: &Layout) -> bool {
    if let Some(dir) = link.parent() {
        sweep(dir);
    }
    link.read_link().is_ok_and(|target| target == layout.cli()) && std::fs::remove_file(link).is_ok()
}

/// True where the directory of `link` is searched for commands.
#[must_use]
pub fn on_path(env: &Env, link: &Path) -> bool {
    let dirs = env.var("PATH").unwrap_or("");
    std::env::split_paths(dirs).any(|dir| Some(dir.as_path()) == link.parent())
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> Result<()> {
    use anyhow::Context;
    let failed = || format!("could not make the link {}; --no-link does without", link.display());
    // A link that leads nowhere may be in the way; made aside and renamed, it is never missing.
    let aside = link.with_file_name(format!(".comm-node-{}.tmp", std::process::id()));
    let _ = std::fs::remove_file(&aside);
    std::os::unix::fs::symlink(target, &aside).with_context(failed)?;
    std::fs::rename(&aside, link).with_context(failed)
}

#[cfg(not(unix))]
fn symlink(_target: &Path, _link: &Path) -> Result<()> {
    Ok(())
}
