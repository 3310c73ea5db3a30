//! Taking an installation back: byte for byte where nobody else wrote since, otherwise only what
//! is ours.

use std::path::Path;

use anyhow::{Context, Result};
use comm_node_core::store::file;

use super::layout::Layout;
use super::record::{Record, Settings, sha256};
use super::{link, wiring};
use crate::settings::edit;
use crate::settings::file::{Current, MAX, sweep};

/// How a settings file is to be taken back.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The file as it is.
    pub current: Current,
    /// What it is to hold; `None` removes it.
    pub text: Option<String>,
    /// How that was found.
    pub how: How,
}

/// How a settings file is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It holds nothing of ours.
    Nothing,
    /// It gets the bytes that it had before.
    Restored,
    /// It was not there before.
    Removed,
    /// Somebody else wrote since: only our entries are taken out.
    Stripped,
}

impl Plan {
    /// Plans it for the settings file at `path`, with what is known of its change.
    ///
    /// # Errors
    /// When the file can't be edited.
    pub fn new(path: &Path, known: Option<&Settings>) -> Result<Self> {
        let current = Current::read(path)?;
        let Some(text) = current.text.clone() else {
            return Ok(Self { current, text: None, how: How::Nothing });
        };
        let hash = sha256(text.as_bytes());
        if let Some(known) = known
            && hash == known.after
        {
            if known.created {
                return Ok(Self { current, text: None, how: How::Removed });
            }
            // A backup that was changed or lost is not put back; our entries are taken out.
            let saved = known.restore.as_ref().and_then(|path| file::read(path, MAX).ok().flatten());
            if let Some(saved) = saved.filter(|s| Some(sha256(s.as_bytes())) == known.before) {
                return Ok(Self { current, text: Some(saved), how: How::Restored });
            }
        }
        if known.is_some_and(|k| k.before.as_ref() == Some(&hash)) {
            return Ok(Self { current, text: Some(text), how: How::Nothing });
        }
        let rules: Vec<String> = wiring::RULES.iter().map(|r| (*r).to_owned()).collect();
        let left = edit::strip(&text, known.and_then(|k| k.trace.as_ref()), &rules).with_context(|| {
            format!("could not take our entries out of {}; it was left as it is", path.display())
        })?;
        if known.is_some_and(|k| k.created) && edit::is_blank(&left) {
            return Ok(Self { current, text: None, how: How::Removed });
        }
        let how = if left == text { How::Nothing } else { How::Stripped };
        Ok(Self { current, text: Some(left), how })
    }
}

/// Takes the settings file at `path` back.
///
/// # Errors
/// When it can't be edited or written; it is then as it was.
pub fn settings(path: &Path, known: Option<&Settings>) -> Result<How> {
    for _ in 0..8 {
        let plan = Plan::new(path, known)?;
        if let Some(dir) = plan.current.real.parent() {
            sweep(dir);
        }
        if plan.how == How::Nothing || plan.current.replace(plan.text.as_deref())? {
            return Ok(plan.how);
        }
    }
    anyhow::bail!(
        "could not edit {}: another program keeps writing it; close Claude Code and try again",
        path.display()
    )
}

/// Removes links, programs and plugin, and the backups too if `backups` says so. Says in
/// words what was removed, and what could not be.
#[must_use]
pub fn files(layout: &Layout, record: &Record, backups: bool) -> (Vec<String>, Vec<String>) {
    let mut done = Vec::new();
    let mut failed = Vec::new();
    for path in &record.links {
        if link::remove(path, layout) {
            done.push(format!("removed the link {}", path.display()));
        }
    }
    let mut gone = 0;
    let mut names = wiring::programs();
    names.extend(record.programs.keys().filter(|n| !n.contains(['/', '\\'])).cloned());
    names.sort();
    names.dedup();
    for name in names {
        match std::fs::remove_file(layout.bin().join(&name)) {
            Ok(()) => gone += 1,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => failed.push(format!("could not remove {}: {e}", layout.bin().join(&name).display())),
        }
    }
    if gone > 0 {
        done.push(format!("removed {gone} programs from {}", layout.bin().display()));
    }
    let mut trees = vec![layout.plugin()];
    if backups {
        trees.push(layout.backups());
    }
    for tree in trees {
        match std::fs::remove_dir_all(&tree) {
            Ok(()) => done.push(format!("removed {}", tree.display())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => failed.push(format!("could not remove {}: {e}", tree.display())),
        }
    }
    if !backups && layout.backups().is_dir() {
        done.push(format!("kept the backups in {}; --purge removes them too", layout.backups().display()));
    }
    (done, failed)
}

/// Removes the record, and the directories that the installation made and that are empty now; the
/// lock must be held, and its file goes with them. The record goes as late as it can: a crash
/// before leaves one by which uninstalling can go on.
pub fn directories(layout: &Layout, record: &Record) {
    let mut record = record.clone();
    prune(&mut record);
    let _ = std::fs::remove_file(layout.record());
    for dir in [layout.dir.clone(), layout.bin(), layout.backups()] {
        sweep(&dir);
        let _ = std::fs::remove_dir(&dir);
    }
    let _ = std::fs::remove_file(layout.lock());
    let _ = std::fs::remove_dir(&layout.dir);
    prune(&mut record);
}

/// Removes the directories on record that are empty, and takes them off it.
pub fn prune(record: &mut Record) {
    let mut made = std::mem::take(&mut record.directories);
    made.sort_by_key(|dir| std::cmp::Reverse(dir.components().count()));
    // Removing fails, as it should, where somebody put something into it.
    made.retain(|dir| std::fs::remove_dir(dir).is_err() && dir.exists());
    made.reverse();
    record.directories = made;
}
