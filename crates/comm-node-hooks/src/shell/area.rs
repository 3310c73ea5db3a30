//! A whole directory that a command writes in: `rm -rf dir`, `cp -r … dir`, `prettier --write dir`.
//!
//! The patterns alone may say that all of it is the agent's. Else every file that is there is judged,
//! up to a bound, and the first one that the guard would refuse is the reason. What a command may only
//! find (*possible*) is judged by what is there; what it makes or removes for certain also by whose the
//! directory is.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use comm_node_core::Result;
use comm_node_core::clock::Now;
use comm_node_core::deadline::Deadline;
use comm_node_core::guard::{self, Binding, Outcome, Reason};
use comm_node_core::lease::{Ask, tree_of};
use comm_node_core::node::{Place, STATE};
use comm_node_core::path;
use comm_node_core::store::{Asking, file};
use comm_node_shell::{Certainty, Write};

use crate::git;
use crate::judge::{Court, Finding, Sitting};
use crate::lease;

/// How many entries of a directory are looked at, and for how long.
const ENTRIES: usize = 5_000;
const PATIENCE: Duration = Duration::from_millis(60);
/// Transcripts lie at most so many directories deep.
const DEPTH: u32 = 8;
/// So many files that nobody owns are put before git.
const UNOWNED: usize = 1_000;

/// What is to be said of a directory, and whether what changed in it is to be looked at afterwards.
pub(super) struct Judged {
    pub finding: Option<Finding>,
    pub look: bool,
}

/// A directory of a node.
struct Root {
    dir: PathBuf,
    tree: usize,
    key: String,
}

impl Root {
    fn place(&self, key: &str, real: PathBuf) -> Place {
        Place::Inside { tree: self.tree, key: join(&self.key, key), real }
    }
}

fn join(above: &str, name: &str) -> String {
    let mut key = above.to_owned();
    if !key.is_empty() && !name.is_empty() {
        key.push('/');
    }
    key.push_str(name);
    key
}

/// What stands in the way of a command that writes below `dir`, a real path.
pub(super) fn judge(
    court: &Court<'_>,
    node: usize,
    sitting: &Sitting<'_>,
    dir: &Path,
    write: &Write,
) -> Result<Judged> {
    let finding = |decision: &guard::Decision<'_>, shown: &str| {
        Finding::new(node, sitting, decision, shown, Some(&write.by))
    };
    let roots = roots(sitting, dir);
    if roots.is_empty() {
        let found = outside(sitting, dir, write.certainty)
            .and_then(|place| finding(&sitting.decide_at(&place), &guard::shown(Path::new("/"), dir)));
        return Ok(Judged { finding: found, look: false });
    }
    let mut look = false;
    let mut warned = None;
    for root in &roots {
        let judged = in_root(court, node, sitting, root, write)?;
        look |= judged.look;
        match judged.finding {
            Some(f) if f.outcome != Outcome::Warn => return Ok(Judged { finding: Some(f), look }),
            found => warned = warned.or(found),
        }
    }
    Ok(Judged { finding: warned, look })
}

/// The parts of the node that lie below `dir`, or the one that `dir` lies in.
fn roots(sitting: &Sitting<'_>, dir: &Path) -> Vec<Root> {
    let registry = &sitting.scene.registry;
    let mut roots = Vec::new();
    if let Place::Inside { tree, key, .. } = sitting.scene.locate(&dir.join("-")) {
        let key = key.strip_suffix('-').unwrap_or(&key).trim_end_matches('/').to_owned();
        roots.push(Root { dir: dir.to_path_buf(), tree, key });
    }
    for (tree, top) in registry.trees.iter().enumerate() {
        let top = Path::new(top.as_str());
        if top != dir && top.starts_with(dir) {
            roots.push(Root { dir: top.to_path_buf(), tree, key: String::new() });
        }
    }
    roots
}

/// What is to be judged of a directory outside: it, or what it holds of ours.
fn outside(sitting: &Sitting<'_>, dir: &Path, certainty: Certainty) -> Option<Place> {
    let place = Place::Outside { real: dir.to_path_buf() };
    let outposts = sitting.outposts(&place);
    let inner = [&outposts.programs, &outposts.claude_dir].into_iter().flatten().find(|d| d.starts_with(dir));
    match inner {
        Some(inner) if certainty == Certainty::Certain => {
            Some(Place::Outside { real: inner.join("settings.json") })
        }
        // What it may find there is not only ours.
        Some(_) => None,
        None if certainty == Certainty::Certain => {
            let projects = outposts.claude_dir.as_ref().map(|dir| dir.join("projects"));
            let transcript = projects
                .filter(|projects| dir.starts_with(projects))
                .and_then(|_| transcript_in(dir, DEPTH, &mut 0, Deadline::after(PATIENCE)));
            Some(transcript.map_or(place, |real| Place::Outside { real }))
        }
        None => Some(place),
    }
}

/// One of the client's transcripts below `dir`, if a look that is bounded finds one.
fn transcript_in(dir: &Path, depth: u32, seen: &mut usize, limit: Deadline) -> Option<PathBuf> {
    let mut found = None;
    let _ = file::entries(dir, |name, is_dir| {
        *seen += 1;
        let path = dir.join(name);
        if is_dir && depth > 0 {
            found = transcript_in(&path, depth - 1, seen, limit);
        } else if path.extension().is_some_and(|e| e == "jsonl") {
            found = Some(path);
        }
        if found.is_some() || *seen > ENTRIES || limit.passed() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    found
}

fn in_root(
    court: &Court<'_>,
    node: usize,
    sitting: &Sitting<'_>,
    root: &Root,
    write: &Write,
) -> Result<Judged> {
    let finding = |decision: &guard::Decision<'_>, shown: &str| {
        Finding::new(node, sitting, decision, shown, Some(&write.by))
    };
    let certain = write.certainty == Certainty::Certain;
    let shown = format!("{}/", guard::shown(&sitting.scene.layout.root, &root.dir));
    // Something new in it. Where this is refused for the agent's sake, no file is looked at.
    let probe_place = root.place("-", root.dir.join("-"));
    let probe = sitting.decide_at(&probe_place);
    let registry = &sitting.scene.registry;
    match probe.reason {
        Reason::Off => return Ok(Judged { finding: None, look: false }),
        Reason::Paused(_) | Reason::Waiting(_) | Reason::Gone(_) | Reason::Protected(_) => {
            return Ok(Judged { finding: finding(&probe, &shown), look: false });
        }
        Reason::Role { role, .. } if role.scope.is_empty() => {
            return Ok(Judged { finding: finding(&probe, &shown), look: false });
        }
        // Nobody owns it, and nobody misses what git ignores.
        Reason::Unowned { .. }
            if probe.outcome != Outcome::Allow
                && !root.key.is_empty()
                && git::ignored(&[&root.dir], court.deadline) == [true] =>
        {
            return Ok(Judged { finding: None, look: false });
        }
        _ => {}
    }
    let whole = guard::takes_whole(registry, sitting.binding, &sitting.roles, root.tree, &root.key);
    let mut found = None;
    if certain && root.key.is_empty() {
        // The node itself goes with it.
        let place = root.place(STATE, root.dir.join(STATE));
        found = finding(&sitting.decide_at(&place), &shown);
    }
    if found.is_none() && (certain || !whole) {
        let mut walk =
            Walk { court, node, sitting, root, write, left: ENTRIES, found: None, unowned: Vec::new() };
        let complete = walk.run();
        walk.ask_git();
        found = walk.found;
        let refused = found.as_ref().is_some_and(|f| f.outcome != Outcome::Warn);
        if !complete && !refused && !whole && certain && matches!(sitting.binding, Binding::Domain(_)) {
            found = Some(too_many(node, &probe, &shown, write));
        }
    }
    if found.is_none() && certain && !guard::takes_some(sitting.binding, root.tree, &root.key) {
        found = finding(&probe, &shown);
    }
    if found.as_ref().is_none_or(|f| f.outcome == Outcome::Warn)
        && let Some(leased) = leased(court, node, sitting, root, write)?
    {
        found = Some(leased);
    }
    Ok(Judged { finding: found, look: true })
}

/// What others hold below a directory. Nothing is taken: a lease on a directory would be a lock.
fn leased(
    court: &Court<'_>,
    node: usize,
    sitting: &Sitting<'_>,
    root: &Root,
    write: &Write,
) -> Result<Option<Finding>> {
    let Some(session) = sitting.session else { return Ok(None) };
    let place = root.place("-", root.dir.join("-"));
    let Some((tree, _)) = tree_of(&sitting.scene.registry, &place) else { return Ok(None) };
    let glob = guard::below(&root.key);
    let holder = lease::holder(session, court.call);
    let store = &sitting.scene.store;
    let liveness = |other: &comm_node_core::lease::Holder| store.holder_liveness(other);
    let who = Asking { holder: &holder, now: Now::read(), liveness: &liveness, deadline: court.deadline };
    let Some(conflict) = store.leases().conflict(&[Ask::glob(&tree, &glob)], &who)? else { return Ok(None) };
    let decision = sitting.leased(&place, &conflict);
    Ok(Finding::new(node, sitting, &decision, &conflict.path, Some(&write.by)))
}

/// The refusal of what is too much to be looked through.
fn too_many(node: usize, probe: &guard::Decision<'_>, shown: &str, write: &Write) -> Finding {
    let outcome = match probe.outcome {
        Outcome::Warn => Outcome::Warn,
        _ => Outcome::Deny,
    };
    let text = format!(
        "comm-node refused this command: {} would write everything in `{shown}`, which holds more than {ENTRIES} \
         entries, too many to be looked through for what this session may not write. Name the directories in it that \
         belong to the session's scope. {}",
        guard::piece(&write.by),
        guard::SAME_RULE
    );
    Finding { node, outcome, rule: "too many", unbound: false, shown: shown.to_owned(), text }
}

/// A look at what is in a directory.
struct Walk<'w, 's> {
    court: &'w Court<'w>,
    node: usize,
    sitting: &'w Sitting<'s>,
    root: &'w Root,
    write: &'w Write,
    left: usize,
    /// What is to be said: the first refusal, else the first note.
    found: Option<Finding>,
    /// What nobody owns, as git may ignore it.
    unowned: Vec<(Place, Finding)>,
}

impl Walk<'_, '_> {
    /// True if everything was looked at, or enough of it.
    fn run(&mut self) -> bool {
        let limit = Deadline::after(PATIENCE);
        let certain = self.write.certainty == Certainty::Certain;
        let mut dirs = vec![(self.root.dir.clone(), String::new())];
        while let Some((dir, below)) = dirs.pop() {
            let mut end = None;
            // What can't be listed can't be written to either.
            let _ = file::entries(&dir, |name, is_dir| {
                if self.left == 0 || (self.left.is_multiple_of(64) && limit.passed()) {
                    end = Some(false);
                    return ControlFlow::Break(());
                }
                self.left -= 1;
                let key = join(&below, &path::key(Path::new(name), self.sitting.scene.registry.fold_case));
                if !certain && is_passed_over(&name.to_string_lossy()) {
                    return ControlFlow::Continue(());
                }
                // git's own data and ours are judged by their name, however much is in them.
                if is_dir && name != ".git" && name != STATE {
                    dirs.push((dir.join(name), key));
                } else if self.judge(self.root.place(&key, dir.join(name))) {
                    end = Some(true);
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            });
            if let Some(end) = end {
                return end;
            }
        }
        true
    }

    /// Judges one file; true if it is refused.
    fn judge(&mut self, place: Place) -> bool {
        let decision = self.sitting.decide_at(&place);
        let shown = guard::shown(&self.sitting.scene.layout.root, place.real());
        let Some(finding) = Finding::new(self.node, self.sitting, &decision, &shown, Some(&self.write.by))
        else {
            return false;
        };
        if matches!(decision.reason, Reason::Unowned { .. }) {
            if self.unowned.len() < UNOWNED {
                self.unowned.push((place, finding));
            }
            return false;
        }
        let refused = finding.outcome != Outcome::Warn;
        if refused || self.found.is_none() {
            self.found = Some(finding);
        }
        refused
    }

    /// Of what nobody owns, the first that git does not ignore counts.
    fn ask_git(&mut self) {
        if self.unowned.is_empty() || self.found.as_ref().is_some_and(|f| f.outcome != Outcome::Warn) {
            return;
        }
        let paths: Vec<&Path> = self.unowned.iter().map(|(place, _)| place.real()).collect();
        let ignored = git::ignored(&paths, self.court.deadline);
        let first = ignored.iter().position(|ignored| !ignored);
        if let Some(at) = first {
            self.found = Some(self.unowned.swap_remove(at).1);
        }
    }
}

/// What tools that look for files of some kind pass over, or what no rule of a domain is about.
fn is_passed_over(name: &str) -> bool {
    matches!(name, ".git" | STATE | ".claude" | "node_modules" | comm_node_core::node::YAML)
}
