//! Checks on the node of the working directory.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use comm_node_core::deadline::Deadline;
use comm_node_core::node::registry::{Layout, Registry, SourceId};
use comm_node_core::session::Session;
use comm_node_core::store::{Hints, Store};
use comm_node_core::{Error, clock, node};

use super::{Check, mail};
use crate::config;
use crate::env::Env;

/// How long the lease table's lock is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
const NAMES: [&str; 8] =
    ["node", "registry", "state-dir", "sessions", "leases", "state-files", "leftovers", "mail"];

/// All of them; skipped where there is no node.
#[must_use]
pub fn checks(env: &Env, fix: bool) -> Vec<Check> {
    let layout = match node::find(&env.cwd) {
        Ok(Some(layout)) => layout,
        Ok(None) => return skipped(&NAMES, "no comm-node.yaml here or above").collect(),
        Err(e) => {
            let mut checks = vec![Check::fail("node", e.to_string(), e.remedy())];
            checks.extend(skipped(&NAMES[1..], "the node was not found"));
            return checks;
        }
    };
    let store = Store::new(layout.state());
    let state = state_dir(&store, fix);
    // What is damaged goes first, so that the rest sees what is left.
    let files = state_files(&store, fix);
    let compiled = config::ensure_compiled(&layout, &store);
    let configured = match &compiled {
        Ok(text) => configured(&layout, text),
        Err(e) => {
            let known = e.chain().find_map(|e| e.downcast_ref::<Error>());
            let remedy = known.map_or("run `comm-node check`, which shows the place", Error::remedy);
            Check::fail("node", format!("{e:#}"), remedy)
        }
    };
    // Before more sessions are ended: their records are as old as their last sign of life.
    let leftovers = leftovers(&store, fix);
    let (sessions, leases) = (sessions(&store, fix), leases(&store, fix));
    let mail = mail::check(&store, compiled.as_deref().ok(), fix);
    vec![configured, registry(&layout, &store), state, sessions, leases, files, leftovers, mail]
}

fn skipped(names: &'static [&'static str], why: &'static str) -> impl Iterator<Item = Check> {
    names.iter().map(move |name| Check::skip(name, why))
}

fn configured(layout: &Layout, text: &str) -> Check {
    match Registry::parse(text) {
        Ok(registry) => match &registry.fault {
            Some(fault) => Check::fail(
                "node",
                format!("comm-node.yaml line {}, column {}: {}", fault.line, fault.column, fault.message),
                "correct it; `comm-node check` shows the place",
            ),
            None => {
                let (name, count) = (&registry.name, registry.domains.len());
                Check::pass("node", format!("{name} in {}, {count} domains", layout.root.display()))
            }
        },
        Err(why) => Check::fail(
            "node",
            format!("its compiled form is damaged: {why}"),
            "run `comm-node doctor --fix`",
        ),
    }
}

/// The compiled configuration is that of the present `comm-node.yaml`.
fn registry(layout: &Layout, store: &Store) -> Check {
    let name = "registry";
    let remedy = "run `comm-node check`";
    let text = match store.read_registry() {
        Ok(Some(text)) => text,
        Ok(None) => return Check::skip(name, "not compiled yet; the first hook does that"),
        Err(e) => return Check::fail(name, e.to_string(), e.remedy()),
    };
    let meta = match layout.yaml().metadata() {
        Ok(meta) => meta,
        Err(e) if e.kind() == ErrorKind::NotFound => {
            return Check::skip(name, "the last rules, there is no comm-node.yaml to compare them with");
        }
        Err(e) => return Check::fail(name, format!("could not read comm-node.yaml: {e}"), remedy),
    };
    match Registry::parse(&text) {
        Ok(registry) if registry.source == SourceId::of(&meta) => {
            Check::pass(name, "compiled from the present comm-node.yaml")
        }
        Ok(_) => Check::fail(name, "compiled from an older comm-node.yaml", remedy),
        Err(why) => Check::fail(name, format!("damaged: {why}"), "run `comm-node doctor --fix`"),
    }
}

/// The state directory is ours alone and can be written.
fn state_dir(store: &Store, fix: bool) -> Check {
    let name = "state-dir";
    let dir = store.dir();
    match dir.symlink_metadata() {
        Err(_) => return Check::skip(name, format!("{} is not made yet", dir.display())),
        Ok(meta) if !meta.is_dir() => {
            return Check::fail(name, format!("{} is not a plain directory", dir.display()), "remove it");
        }
        Ok(meta) => {
            if let Some(check) = privacy(dir, &meta, fix) {
                return check;
            }
        }
    }
    match tempfile::Builder::new().prefix(".doctor-").tempfile_in(dir) {
        Ok(_) => Check::pass(name, format!("{} is private and can be written", dir.display())),
        Err(e) => {
            Check::fail(name, format!("{} can't be written: {e}", dir.display()), "give it to your user")
        }
    }
}

#[cfg(unix)]
fn privacy(dir: &std::path::Path, meta: &std::fs::Metadata, fix: bool) -> Option<Check> {
    use std::os::unix::fs::PermissionsExt;
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return None;
    }
    if fix && std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700)).is_ok() {
        return None;
    }
    let what = format!("{} is open to others (mode {mode:04o})", dir.display());
    Some(Check::fail("state-dir", what, "run `comm-node doctor --fix`"))
}

#[cfg(not(unix))]
fn privacy(_dir: &std::path::Path, _meta: &std::fs::Metadata, _fix: bool) -> Option<Check> {
    None
}

/// No session is on record whose client has ended.
fn sessions(store: &Store, fix: bool) -> Check {
    let name = "sessions";
    let all: Vec<(Session, u64)> = match store.sessions() {
        Ok(all) => all.into_iter().flatten().collect(),
        Err(e) => return Check::fail(name, e.to_string(), e.remedy()),
    };
    let now = clock::now_ms();
    let dead: Vec<&Session> = all.iter().filter(|(s, beat)| !s.is_live(*beat, now)).map(|(s, _)| s).collect();
    if dead.is_empty() {
        return Check::pass(name, format!("{} live, none dead", all.len()));
    }
    if fix {
        let failed = dead.iter().find_map(|s| store.end_session(&s.session_id).err());
        return match failed {
            None => Check::pass(name, format!("ended {} whose client was gone", dead.len())),
            Some(e) => Check::fail(name, e.to_string(), e.remedy()),
        };
    }
    let ids: Vec<&str> = dead.iter().map(|s| s.session_id.short()).collect();
    let what = format!("{} on record whose client is gone: {}", dead.len(), ids.join(", "));
    Check::warn(name, what, "run `comm-node doctor --fix` to end them")
}

/// The lease table can be read, and written: an edit that can't have its lease is refused.
fn leases(store: &Store, fix: bool) -> Check {
    let name = "leases";
    if fix {
        return match mend_leases(store) {
            Err(e) => Check::fail(name, e.to_string(), e.remedy()),
            Ok(mended) if mended.is_empty() => leases(store, false),
            Ok(mended) => Check::pass(name, format!("mended: {}", mended.join("; "))),
        };
    }
    let (leases, faults) = match store.leases().list() {
        Ok(listed) => listed,
        Err(e) => return Check::fail(name, e.to_string(), e.remedy()),
    };
    if faults.is_empty() {
        return match store.leases().hints(Deadline::after(PATIENCE)) {
            Err(e) => Check::fail(name, e.to_string(), e.remedy()),
            Ok(hints) if hints.is_empty() => {
                Check::pass(name, format!("{} on record, all of the table can be read", leases.len()))
            }
            Ok(hints) => Check::warn(name, of_hints(store, &hints), "run `comm-node doctor --fix`"),
        };
    }
    let what: Vec<String> = faults.iter().map(ToString::to_string).collect();
    Check::fail(name, what.join("; "), "run `comm-node doctor --fix`")
}

/// What is wrong with the lists of where sessions have leases.
fn of_hints(store: &Store, hints: &Hints) -> String {
    let say = |paths: &[PathBuf], what: &str| {
        let names =
            paths.iter().map(|path| path.strip_prefix(store.dir()).unwrap_or(path).display().to_string());
        let names: Vec<String> = names.collect();
        (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")))
    };
    let wrong = say(&hints.wrong, "lists of where a session has leases do not name all of them");
    let left = say(&hints.left, "lists of sessions that have ended");
    wrong.into_iter().chain(left).collect::<Vec<_>>().join("; ")
}

/// Sets aside what is no lease file, writes the lists of where sessions have leases anew, and has damaged ones written anew with what can be read of
/// them. Says what was done.
fn mend_leases(store: &Store) -> comm_node_core::Result<Vec<String>> {
    let mut done = Vec::new();
    for (path, _) in store.misplaced().iter().filter(|(path, _)| is_of_table(store, path)) {
        done.push(format!("set aside {}", store.set_aside(path)?.display()));
    }
    for repaired in store.leases().repair(Deadline::after(PATIENCE))? {
        let (aside, kept, lost) = (repaired.aside.display(), repaired.kept, repaired.lost);
        done.push(format!("set aside {aside}, {kept} leases kept, {lost} lines lost"));
    }
    for fault in store.leases().list()?.1 {
        match fault {
            Error::Untrusted { path, .. } => {
                done.push(format!("set aside {}", store.set_aside(&path)?.display()));
            }
            other => return Err(other),
        }
    }
    let hints = store.leases().mend_hints(Deadline::after(PATIENCE))?;
    let count = hints.wrong.len() + hints.left.len();
    if count > 0 {
        done.push(format!("wrote anew or removed {count} lists of where a session has leases"));
    }
    Ok(done)
}

/// True for the table of leases itself, of which the check on leases tells.
fn is_of_table(store: &Store, path: &Path) -> bool {
    let dir = store.dir().join("leases");
    path == dir || path.parent() == Some(&dir) && path.extension().is_some_and(|e| e == "jsonl")
}

/// Nothing has piled up that nobody needs any more.
fn leftovers(store: &Store, fix: bool) -> Check {
    let name = "leftovers";
    let now = clock::now_ms();
    let found = if fix {
        match store.prune(now, Deadline::after(PATIENCE)) {
            Ok(found) => found,
            Err(e) => return Check::fail(name, e.to_string(), e.remedy()),
        }
    } else {
        store.leftovers(now)
    };
    if found.count() == 0 {
        return Check::pass(name, "nothing old has piled up");
    }
    let what = format!(
        "{} records of ended sessions silent for over 30 days, {} rotated logs beyond the newest 5, {} old temporary \
         files, {} records of shell commands over a week old, {} lists of what such sessions wrote or held",
        found.ended.len(),
        found.logs.len(),
        found.temporary.len(),
        found.calls.len(),
        found.touched.len()
    );
    match fix {
        true => Check::pass(name, format!("removed {what}")),
        false => Check::warn(name, what, "run `comm-node doctor --fix` to remove them"),
    }
}

/// Every state file can be read.
fn state_files(store: &Store, fix: bool) -> Check {
    let name = "state-files";
    let damaged = damaged(store);
    if damaged.is_empty() {
        return Check::pass(name, "every state file can be read");
    }
    let paths: Vec<String> =
        damaged.iter().map(|(path, why)| format!("{} ({why})", path.display())).collect();
    if !fix {
        return Check::fail(name, format!("damaged: {}", paths.join(", ")), "run `comm-node doctor --fix`");
    }
    let mut aside = Vec::new();
    for (path, _) in &damaged {
        match store.set_aside(path) {
            Ok(to) => aside.push(to.display().to_string()),
            Err(e) => return Check::fail(name, e.to_string(), e.remedy()),
        }
    }
    Check::pass(name, format!("set aside {}", aside.join(", ")))
}

fn damaged(store: &Store) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    match store.read_registry() {
        Ok(None) => {}
        Ok(Some(text)) => {
            if let Err(why) = Registry::parse(&text) {
                found.push((store.registry_path(), why));
            }
        }
        Err(e) => found.extend(path_of(e)),
    }
    for session in store.sessions().into_iter().flatten() {
        if let Err(e) = session {
            found.extend(path_of(e));
        }
    }
    found.extend(store.read_kickoff().err().and_then(path_of));
    // What is missing can't be set aside; `usage` says that.
    let there = |(path, _): &(PathBuf, String)| path.symlink_metadata().is_ok();
    found.extend(store.damaged_budgets().into_iter().filter_map(path_of).filter(there));
    // Said better than by who could not read it.
    let mut misplaced = store.misplaced();
    misplaced.retain(|(path, _)| !is_of_table(store, path));
    found.retain(|(path, _)| misplaced.iter().all(|(other, _)| other != path));
    found.extend(misplaced);
    found
}

/// The file that an error is about. One that merely can't be opened is not damaged, and setting
/// it aside would not help.
fn path_of(error: Error) -> Option<(PathBuf, String)> {
    match error {
        Error::Damaged { path, why } => Some((path, why)),
        Error::Untrusted { path, why } => Some((path, why.to_owned())),
        _ => None,
    }
}
