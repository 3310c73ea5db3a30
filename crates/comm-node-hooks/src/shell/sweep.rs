//! What sweeps over a whole git worktree: `git stash`, `git reset --hard`, `git add -A`.
//!
//! No scope speaks against it: git moves everybody's files alike. But it must not take away, or commit,
//! what another agent is in the middle of, and that is what leases tell.

use std::path::{Path, PathBuf};
use std::time::Duration;

use comm_node_core::Result;
use comm_node_core::clock::Now;
use comm_node_core::guard::{self, Outcome, Reason};
use comm_node_core::lease::{Ask, Holder, Kind, Lease, tree_of};
use comm_node_core::node::Place;
use comm_node_core::store::Asking;
use comm_node_core::text::one_line;
use comm_node_shell::{Target, Write};

use crate::git;
use crate::judge::{Court, Finding, Sitting};
use crate::lease;

/// How long git may take to say what is changed.
const PATIENCE: Duration = Duration::from_millis(700);
/// So many leases are named in a refusal.
const NAMED: usize = 3;

/// A part of a tree as one worktree has it.
struct Region {
    /// Where the worktree has the tree's top.
    base: PathBuf,
    tree: String,
    /// The directory in it.
    key: String,
}

/// What stands in the way of a command that sweeps over the worktree of `dir`, a real path.
pub(super) fn judge(
    court: &Court<'_>,
    node: usize,
    sitting: &Sitting<'_>,
    dir: &Path,
    write: &Write,
) -> Result<Option<Finding>> {
    let staged = matches!(write.target, Target::Staged(_));
    let place = sitting.scene.locate(&dir.join("-"));
    let decision = sitting.decide_at(&place);
    match decision.reason {
        Reason::Off => return Ok(None),
        Reason::Role { role, .. } if role.scope.is_empty() && !staged => {}
        Reason::Paused(_) => {}
        Reason::Outside if !staged => {}
        _ => return held(court, node, sitting, dir, &place, write),
    }
    let shown = guard::shown(&sitting.scene.layout.root, dir);
    let finding = Finding::new(node, sitting, &decision, &shown, Some(&write.by));
    if finding.as_ref().is_some_and(|f| f.outcome != Outcome::Warn) {
        return Ok(finding);
    }
    Ok(held(court, node, sitting, dir, &place, write)?.or(finding))
}

/// What others hold of what the command sweeps over.
fn held(
    court: &Court<'_>,
    node: usize,
    sitting: &Sitting<'_>,
    dir: &Path,
    place: &Place,
    write: &Write,
) -> Result<Option<Finding>> {
    let staged = matches!(write.target, Target::Staged(_));
    let (Some(top), Some(session)) = (git::top(dir), sitting.session) else { return Ok(None) };
    let regions = regions(sitting, place, if staged { dir } else { &top });
    let globs: Vec<String> = regions.iter().map(|region| guard::below(&region.key)).collect();
    let asks: Vec<Ask<'_>> =
        regions.iter().zip(&globs).map(|(region, glob)| Ask::glob(&region.tree, glob)).collect();
    if asks.is_empty() {
        return Ok(None);
    }
    let store = &sitting.scene.store;
    let holder = lease::holder(session, court.call);
    let liveness = |other: &Holder| store.holder_liveness(other);
    let who = Asking { holder: &holder, now: Now::read(), liveness: &liveness, deadline: court.deadline };
    let mut leases = store.leases().conflicts(&asks, &who)?;
    // What is as the last commit has it can't be taken along. With several worktrees a lease says also
    // not in which of them its file is changed.
    if !leases.is_empty() && (staged || has_worktrees(&top)) {
        keep_changed(court, &top, &regions, &mut leases);
    }
    let Some(first) = leases.first() else { return Ok(None) };
    let shown = first.path.clone();
    let outcome = sitting.leased_outcome(place);
    let text = text(write, staged, &leases, outcome);
    Ok(Some(Finding { node, outcome, rule: "lease", unbound: false, shown, text }))
}

/// What of the node lies below `dir`.
fn regions(sitting: &Sitting<'_>, place: &Place, dir: &Path) -> Vec<Region> {
    let registry = &sitting.scene.registry;
    let mut regions = Vec::new();
    if let (Place::Inside { key, real, .. }, Some((tree, _))) = (place, tree_of(registry, place)) {
        let base = real.ancestors().nth(key.split('/').count()).unwrap_or(real);
        let key = dir
            .strip_prefix(base)
            .map_or(String::new(), |below| comm_node_core::path::key(below, registry.fold_case));
        regions.push(Region { base: base.to_path_buf(), tree: tree.into_owned(), key });
    }
    for (i, top) in registry.trees.iter().enumerate() {
        let base = Path::new(top.as_str());
        if base.starts_with(dir) && regions.iter().all(|region| region.base != base) {
            let tree = if i == 0 { String::new() } else { top.as_str().to_owned() };
            regions.push(Region { base: base.to_path_buf(), tree, key: String::new() });
        }
    }
    regions
}

/// True if the repository of the worktree at `top` has others.
fn has_worktrees(top: &Path) -> bool {
    let dot_git = top.join(".git");
    !dot_git.is_dir() || dot_git.join("worktrees").read_dir().is_ok_and(|mut list| list.next().is_some())
}

/// Leaves only leases on files that are changed in the worktree at `top`, those that are about to be
/// written, and locks that somebody set. All of them where git can't be asked.
fn keep_changed(court: &Court<'_>, top: &Path, regions: &[Region], leases: &mut Vec<Lease>) {
    let real = |lease: &Lease| {
        let region = regions.iter().find(|region| region.tree == lease.tree)?;
        Some(region.base.join(&lease.path).strip_prefix(top).ok()?.to_string_lossy().into_owned())
    };
    let of_file = |lease: &Lease| lease.kind == Kind::Automatic && !lease.provisional;
    let paths: Vec<String> = leases.iter().filter(|l| of_file(l)).filter_map(real).collect();
    let mut args =
        vec!["--literal-pathspecs", "ls-files", "-z", "-m", "-d", "-o", "--exclude-standard", "--"];
    args.extend(paths.iter().map(String::as_str));
    let changed = if paths.is_empty() { Some(Vec::new()) } else { ask(court, top, &args) };
    let mut args = vec!["--literal-pathspecs", "diff", "--cached", "--name-only", "--no-renames", "-z", "--"];
    args.extend(paths.iter().map(String::as_str));
    let staged = if paths.is_empty() { Some(Vec::new()) } else { ask(court, top, &args) };
    let (Some(changed), Some(staged)) = (changed, staged) else { return };
    leases.retain(|lease| {
        !of_file(lease) || real(lease).is_some_and(|path| changed.contains(&path) || staged.contains(&path))
    });
}

fn ask(court: &Court<'_>, top: &Path, args: &[&str]) -> Option<Vec<String>> {
    let said = git::run(top, args, None, court.deadline.at_most(PATIENCE)).ok()?;
    (said.code == Some(0)).then(|| said.paths())
}

fn text(write: &Write, staged: bool, leases: &[Lease], outcome: Outcome) -> String {
    let mut out = String::from("comm-node ");
    out.push_str(if outcome == Outcome::Warn {
        "let this command through: "
    } else {
        "refused this command: "
    });
    out.push_str(&guard::piece(&write.by));
    out.push_str(match staged {
        true => " takes along what other agents changed and did not commit: ",
        false => " moves every file of the worktree, also those that other agents are working on: ",
    });
    for (i, lease) in leases.iter().take(NAMED).enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        out.push('`');
        out.push_str(&one_line(&lease.path, 120));
        out.push_str("` of ");
        out.push_str(&lease.holder.describe());
    }
    if leases.len() > NAMED {
        out.push_str(&format!(" and {} more", leases.len() - NAMED));
    }
    out.push_str(match staged {
        true => {
            ". Name your own paths: `git add <paths>`, `git commit <paths>`. `comm-node locks` lists who holds what."
        }
        false => {
            ". Name your own paths (`git restore <paths>`, `git stash push -- <paths>`), commit them, or wait until \
             `comm-node locks` lists no others."
        }
    });
    out
}
