//! What the guard would say to each write of a command.
//!
//! The same decisions as the hook's, put together as it does, but nothing is leased, logged or kept.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;
use comm_node_core::guard::Outcome;
use comm_node_core::node::{STATE, YAML};
use comm_node_shell::{Certainty, Target, Write};

use crate::judging::{Judge, Verdict};

/// So many files of a directory that is written as a whole are judged.
const MAX_FILES: usize = 5_000;

/// The verdict on one write.
pub(super) fn of(judge: &Judge<'_>, write: &Write) -> Result<Verdict> {
    match &write.target {
        Target::File(path) => judge.write(path, true).map(unless_ignored),
        Target::Entry(path) => {
            let verdict = judge.write(path, false)?;
            // `api/**` says nothing of `api` itself, and git keeps no directories.
            let may_be_dir = path.symlink_metadata().map_or(true, |meta| meta.is_dir());
            if verdict.rule == "unowned" && may_be_dir && judge.reach(path)?.1 {
                return Ok(free(verdict, "in scope", "it is on the way to the domain's scope"));
            }
            Ok(unless_ignored(verdict))
        }
        Target::Under(dir) => under(judge, dir, write.certainty == Certainty::Certain),
        Target::Worktree(dir) => {
            let top = dir.ancestors().find(|d| d.join(".git").exists()).unwrap_or(dir);
            sweep(judge, top)
        }
        Target::Staged(dir) => sweep(judge, dir),
    }
}

/// A whole directory: the first of its files that would be refused decides.
fn under(judge: &Judge<'_>, dir: &Path, certain: bool) -> Result<Verdict> {
    let mut verdict = unless_ignored(judge.write(&dir.join("-"), false)?);
    let (whole, some) = judge.reach(dir)?;
    if whole || (!certain && !verdict.passes()) {
        verdict = free(verdict, "in scope", "the domain's scope takes what is there");
    } else if some && !verdict.passes() && matches!(verdict.rule, "scope" | "unowned" | "exclude") {
        verdict = free(verdict, "in scope", "all that is there is in the domain's scope");
    }
    if !verdict.passes() {
        return Ok(verdict);
    }
    if certain || !whole {
        let mut files = Vec::new();
        below(dir, certain, &mut files);
        for file in &files {
            let found = unless_ignored(judge.write(file, false)?);
            if !found.passes() {
                return Ok(found);
            }
        }
    }
    Ok(judge.leased_below(dir)?.unwrap_or(verdict))
}

/// The files below `dir`, as many as are judged. Symbolic links are not followed; git's own data and ours
/// stand for themselves.
fn below(dir: &Path, certain: bool, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        if files.len() >= MAX_FILES {
            return;
        }
        let name = entry.file_name();
        let ours = name == ".git" || name == STATE;
        if !certain && (ours || name == YAML || name == ".claude" || name == "node_modules") {
            continue;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !ours => below(&entry.path(), certain, files),
            _ => files.push(entry.path()),
        }
    }
}

/// What sweeps over everybody's files: leases alone speak against it.
fn sweep(judge: &Judge<'_>, dir: &Path) -> Result<Verdict> {
    if let Some(leased) = judge.leased_below(dir)? {
        return Ok(leased);
    }
    let verdict = judge.write(&dir.join("-"), false)?;
    if verdict.rule == "paused" {
        return Ok(verdict);
    }
    Ok(free(verdict, "lease", "nobody else holds a lease below"))
}

/// The verdict, or leave where nobody owns the path and git ignores it.
fn unless_ignored(verdict: Verdict) -> Verdict {
    if verdict.rule == "unowned" && !verdict.passes() && is_ignored(&verdict.real) {
        return free(verdict, "ignored", "nobody owns it and git ignores it");
    }
    verdict
}

fn is_ignored(path: &Path) -> bool {
    let Some(dir) = path.ancestors().skip(1).find(|d| d.is_dir()) else { return false };
    Command::new("git")
        .arg("-C")
        .arg(dir)
        .args(["check-ignore", "-q", "--"])
        .arg(path)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn free(verdict: Verdict, rule: &'static str, why: &str) -> Verdict {
    Verdict { outcome: Outcome::Allow, rule, line: None, why: why.to_owned(), ..verdict }
}
