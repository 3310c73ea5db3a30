//! PreToolUse for shell commands: what a command would write is judged like an edit.
//!
//! [`comm_node_shell`] says what that is. Here each path of it is judged by the rules of the node it lies
//! in; whole directories by [`area`]; what sweeps over a worktree by [`sweep`]. What can't be known is
//! let through, with a record by which PostToolUse looks at what really changed.

mod area;
mod personal;
mod sweep;
mod tree;

use std::path::{Path, PathBuf};

use comm_node_core::deadline::Deadline;
use comm_node_core::guard::{self, Decision, Outcome, Reason};
use comm_node_core::node::Place;
use comm_node_core::node::excerpt::is_damaged;
use comm_node_core::node::registry::Mode;
use comm_node_core::path::{self, Resolved};
use comm_node_core::store::{CallRecord, Store};
use comm_node_core::text::Text;
use comm_node_core::{Error, Result};
use comm_node_shell::{Context, Reserved, Target, Write, WriteSet};
use serde::Deserialize;

use crate::answer::Answer;
use crate::git;
use crate::judge::{self, Case, Court, Finding, Sitting, Wanted};
use crate::scene::{Scene, Surroundings};
use crate::wire::Call;

/// The fields of a shell tool's input.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Input<'a> {
    #[serde(borrow)]
    command: Option<Text<'a>>,
    run_in_background: bool,
}

/// The answer to a call of a shell tool.
///
/// # Errors
/// When the rules, the leases or the session's record can't be read or written.
pub(crate) fn run(call: &Call<'_>, around: &Surroundings, deadline: Deadline) -> Result<Answer> {
    let raw = call.tool_input.map_or("{}", |raw| raw.get());
    let input: Input<'_> = serde_json::from_str(raw)
        .map_err(|e| Error::Invalid { what: "the tool's input", why: format!("{}: {e}", call.tool_name) })?;
    let Some(command) = input.command else { return Ok(Answer::Silent) };
    // Mostly there are no rows of the node's own, and then its rules need not be read for a command that
    // only reads. Whatever is wrong with the node is told when it is a matter of its rules.
    let place = Scene::place_of_session(call, around);
    let layout = place.as_ref().ok().and_then(Option::as_ref);
    let text = layout.and_then(|layout| Store::new(layout.state()).read_registry().ok().flatten());
    let text: Option<&'static str> = text.map(|text| &*text.leak());
    // Of what is damaged nobody knows whether it has rows.
    let matters = text.is_some_and(|text| has_rows(text) || is_damaged(text));
    let home = match layout.filter(|_| matters) {
        Some(layout) => Some(Scene::load_read(layout.clone(), text, deadline)?),
        None => None,
    };
    let rows = home.iter().flat_map(|scene| &scene.registry.shell).map(|row| row.as_str()).collect();
    let context = context(&command, call, around, rows);
    let files = tree::Files::default();
    let set = match &*call.tool_name {
        "PowerShell" => comm_node_shell::powershell_write_set(&command, &context, &files),
        _ => comm_node_shell::write_set(&command, &context, &files),
    };
    // Most commands only read.
    if set.is_empty() {
        return Ok(Answer::Silent);
    }
    let background = input.run_in_background || call.tool_name == "Monitor";
    let home = match home {
        Some(home) => Some(home),
        None => place?.map(|layout| Scene::load_own(layout, text, call, deadline)).transpose()?,
    };
    judge(home, &set, background, call, around, deadline)
}

/// True if the node's compiled rules may hold rows for programs of its own.
fn has_rows(rules: &str) -> bool {
    rules.contains("\"shell\":")
}

/// What surrounds the command. Only what the client's shell is known to share with a hook.
fn context<'c>(command: &str, call: &Call<'_>, around: &Surroundings, rows: Vec<&'c str>) -> Context<'c> {
    let cwd = Path::new(&*call.cwd);
    let cwd = if cwd.is_absolute() { cwd.to_path_buf() } else { around.cwd.clone().unwrap_or_default() };
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let tmp = std::env::var("TMPDIR").ok().filter(|dir| Path::new(dir).is_absolute());
    // By its name it is known anyway.
    let own = command.contains("/comm-node").then(|| crate::scene::command_line().ok()).flatten();
    Context { cwd, home, variables: tmp.map(|dir| ("TMPDIR", dir)).into_iter().collect(), rows, own }
}

/// Judges a write set.
fn judge(
    home: Option<Scene>,
    set: &WriteSet,
    background: bool,
    call: &Call<'_>,
    around: &Surroundings,
    deadline: Deadline,
) -> Result<Answer> {
    if home.is_none() && set.writes.is_empty() && set.personal.is_empty() {
        return Ok(Answer::Silent);
    }
    let mut court = Court::new(home, call, around, deadline);
    court.seat_home()?;
    let mut wanted = Vec::new();
    let mut areas: Vec<(usize, PathBuf, &Write)> = Vec::new();
    for write in &set.writes {
        match &write.target {
            Target::File(path) | Target::Entry(path) => {
                wanted.extend(named(&court, path, write)?);
            }
            Target::Under(dir) | Target::Worktree(dir) | Target::Staged(dir) => {
                for dir in directories(&court, dir)? {
                    for node in court.nodes_in(&dir)? {
                        areas.push((node, dir.clone(), write));
                    }
                }
            }
        }
    }
    let personal = personal::brought(&mut court, set)?;
    let cases = court.cases(wanted)?;
    court.settle(|court, sittings| settle(court, sittings, set, &personal, &cases, &areas, background))
}

/// The answer to a command whose paths are known; `None`, and nothing has changed, where the rules that were read lack
/// something.
fn settle(
    court: &Court<'_>,
    sittings: &[Sitting<'_>],
    set: &WriteSet,
    personal: &[(usize, &Reserved)],
    cases: &[Case],
    areas: &[(usize, PathBuf, &Write)],
    background: bool,
) -> Result<Option<Answer>> {
    let call = court.call;
    let own = sittings.first().filter(|s| s.home);
    let mut findings: Vec<Finding> = Vec::new();
    // A pause means that nothing is written; of what can't be known nobody knows that.
    if let (Some(own), Some(first)) = (own, set.unknown.first()) {
        findings.extend(in_pause(own, &first.by));
    }
    findings
        .extend(personal.iter().filter_map(|(node, what)| personal::judge(*node, &sittings[*node], what)));
    let open = judge_cases(court, sittings, cases, &mut findings);
    let mut under: Vec<String> = Vec::new();
    for (node, dir, write) in areas {
        if !judge::passes(&findings) {
            break;
        }
        let sitting = &sittings[*node];
        if matches!(write.target, Target::Under(_)) {
            let judged = area::judge(court, *node, sitting, dir, write)?;
            findings.extend(judged.finding);
            if judged.look && sitting.home {
                under.push(dir.to_string_lossy().into_owned());
            }
        } else {
            findings.extend(sweep::judge(court, *node, sitting, dir, write)?);
        }
    }
    if court.lacks() {
        return Ok(None);
    }
    let mut record =
        CallRecord { undecided: !set.unknown.is_empty(), under, background, ..CallRecord::default() };
    if let Some(own) = own.filter(|_| judge::passes(&findings)) {
        findings.extend(out_of_budget(own, set, areas, court.deadline)?);
    }
    if judge::passes(&findings) {
        record.undecided |= open.len() > judge::MAX_LEASES
            || leads_on(&set.writes)
            || cases.iter().any(|case| !case.entry && case.exists && has_other_names(case.place.real()));
        let leased = judge::take(court, sittings, &open, &mut findings)?;
        record.leased = leased.into_iter().map(|path| path.to_string_lossy().into_owned()).collect();
        record.worktree = set.writes.iter().any(|w| matches!(w.target, Target::Worktree(_)));
    }
    let answer = court.answer(sittings, &findings)?;
    if let Some(own) = own.filter(|_| judge::passes(&findings)) {
        put_on_record(own, call, record, court.deadline)?;
    }
    Ok(Some(answer))
}

/// What a directory really is, in both readings of `..`.
fn directories(court: &Court<'_>, dir: &Path) -> Result<Vec<PathBuf>> {
    let lexical = path::lexical(Path::new("/"), dir);
    let mut out = vec![court.around.real(&lexical).inspect_err(|_| court.concerned())?];
    if lexical != dir {
        let by_walk = court.around.real(dir).inspect_err(|_| court.concerned())?;
        if !out.contains(&by_walk) {
            out.push(by_walk);
        }
    }
    Ok(out)
}

/// A path as the judges want it: two where a `..` behind a symbolic link can be read in two ways.
fn named(court: &Court<'_>, path: &Path, write: &Write) -> Result<Vec<Wanted>> {
    let entry = matches!(write.target, Target::Entry(_));
    let resolve = |path: &Path| -> Result<Resolved> {
        match (entry, path.parent(), path.file_name()) {
            // The name itself is written: a link in its place is not followed.
            (true, Some(parent), Some(name)) => {
                let mut resolved = court.around.resolve(parent)?;
                resolved.real.push(name);
                // It was not looked at.
                resolved.exists = true;
                Ok(resolved)
            }
            _ => court.around.resolve(path),
        }
    };
    let lexical = path::lexical(Path::new("/"), path);
    // A process's own streams: `/dev/fd/3` leads through `/proc` and is no file of anybody's.
    if lexical.starts_with("/dev") && resolve(&lexical).is_err() {
        return Ok(Vec::new());
    }
    let mut out = vec![resolve(&lexical).inspect_err(|_| court.concerned())?];
    if lexical != path {
        let by_walk = resolve(path).inspect_err(|_| court.concerned())?;
        if by_walk.real != out[0].real {
            out.push(by_walk);
        }
    }
    let raw = path.to_string_lossy();
    let wanted = |path| Wanted { raw: raw.clone().into_owned(), path, by: Some(write.by.clone()), entry };
    Ok(out.into_iter().map(wanted).collect())
}

/// Judges single paths. Returns those that leases are to be taken on.
fn judge_cases<'q>(
    court: &Court<'_>,
    sittings: &'q [Sitting<'q>],
    cases: &'q [Case],
    findings: &mut Vec<Finding>,
) -> Vec<&'q Case> {
    let mut open: Vec<&Case> = Vec::new();
    let mut unowned: Vec<(&Case, Decision<'_>)> = Vec::new();
    for case in cases {
        let sitting = &sittings[case.node];
        let decision = sitting.decide(case);
        if decision.reason == Reason::Off {
            continue;
        }
        if matches!(decision.reason, Reason::Unowned { .. }) && decision.outcome != Outcome::Allow {
            if !(case.entry && is_way_to_scope(sitting, &case.place)) {
                unowned.push((case, decision));
            }
            continue;
        }
        findings.extend(Finding::of(sitting, case, &decision));
        if !(case.entry && case.place.real().is_dir()) {
            open.push(case);
        }
    }
    if unowned.is_empty() {
        return open;
    }
    // Nobody owns it, and nobody misses what git ignores: build output, caches, dependencies.
    let paths: Vec<&Path> = unowned.iter().map(|(case, _)| case.place.real()).collect();
    let ignored = git::ignored(&paths, court.deadline);
    for ((case, decision), _) in unowned.iter().zip(ignored).filter(|(_, ignored)| !ignored) {
        findings.extend(Finding::of(&sittings[case.node], case, decision));
        open.push(case);
    }
    open
}

/// True for the name of a directory that the scope reaches into, or of one that is still to be made:
/// `api/**` says nothing of `api` itself, and git keeps no directories.
fn is_way_to_scope(sitting: &Sitting<'_>, place: &Place) -> bool {
    let Place::Inside { tree, key, real } = place else { return false };
    real.symlink_metadata().map_or(true, |meta| meta.is_dir())
        && guard::takes_some(sitting.binding, *tree, key)
}

/// True if something is written below a name that the same command makes, which may be a link by then
/// (`ln -s … l; echo x > l/y`). What `mkdir` makes is none.
fn leads_on(writes: &[Write]) -> bool {
    let made = |write: &&Write| matches!(write.target, Target::Entry(_)) && !write.by.starts_with("mkdir ");
    writes.iter().filter(made).any(|made| {
        let name = made.target.path();
        writes.iter().any(|write| write.target.path() != name && write.target.path().starts_with(name))
    })
}

/// True for a file that has another name too, by a hard link of before, and nobody knows which: a file of somebody
/// else's may be written with it.
fn has_other_names(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        path.symlink_metadata().is_ok_and(|meta| meta.is_file() && meta.nlink() > 1)
    }
    // It would have to be opened for that there.
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// The refusal of what nobody knows the writes of, while the node is paused.
fn in_pause(own: &Sitting<'_>, by: &str) -> Option<Finding> {
    own.paused?;
    let root = &own.scene.layout.root;
    let place = Place::Inside { tree: 0, key: "-".to_owned(), real: root.join("-") };
    let decision = own.decide_at(&place);
    if !matches!(decision.reason, Reason::Paused(_)) {
        return None;
    }
    let registry = &own.scene.registry;
    let text = format!(
        "comm-node refused this command: what {} would write can't be known, and {}. Stop writing and tell the user; \
         only a person can end the pause with `comm-node resume`. Commands that only read go on.",
        guard::piece(by),
        guard::why(&decision, registry)
    );
    Some(Finding {
        node: 0,
        outcome: decision.outcome,
        rule: "paused",
        unbound: false,
        shown: String::new(),
        text,
    })
}

/// The refusal of what writes nobody knows where, once nothing is left of a budget. Single paths are judged with
/// their leases; what goes into a commit closes work.
fn out_of_budget(
    own: &Sitting<'_>,
    set: &WriteSet,
    areas: &[(usize, PathBuf, &Write)],
    deadline: Deadline,
) -> Result<Option<Finding>> {
    // What lies outside of the node is no work in it.
    let root = &own.scene.layout.root;
    let sweeps = |(_, dir, write): &&(usize, PathBuf, &Write)| {
        matches!(write.target, Target::Under(_) | Target::Worktree(_))
            && (root.starts_with(dir) || matches!(own.scene.locate(dir), Place::Inside { .. }))
    };
    let unknown = set.unknown.first().map(|unknown| (unknown.by.as_str(), "can't be known"));
    let wide = areas.iter().find(sweeps).map(|(_, _, write)| (write.by.as_str(), "is more than one file"));
    let Some((by, what)) = unknown.or(wide) else { return Ok(None) };
    let Some(spent) = own.purse(deadline)? else { return Ok(None) };
    let place = Place::Inside { tree: 0, key: "-".to_owned(), real: root.join("-") };
    let Some(decision) = own.exhausted(&place, &spent) else { return Ok(None) };
    let text = format!(
        "comm-node refused this command: what {} would write {what}, and {}. {}",
        guard::piece(by),
        spent.why,
        spent.then
    );
    Ok(Some(Finding {
        node: 0,
        outcome: decision.outcome,
        rule: decision.reason.rule(),
        unbound: false,
        shown: String::new(),
        text,
    }))
}

/// Puts on record what is to be looked at once the command has run, if anything is.
fn put_on_record(
    own: &Sitting<'_>,
    call: &Call<'_>,
    mut record: CallRecord,
    deadline: Deadline,
) -> Result<()> {
    let off = matches!(own.binding, guard::Binding::Domain(d) if d.mode == Mode::Off)
        || own.scene.registry.strictest_mode() == Mode::Off;
    if off || !(record.undecided || !record.leased.is_empty() || !record.under.is_empty()) {
        return Ok(());
    }
    let Some(session) = own.session else { return Ok(()) };
    record.id = call.tool_use_id.to_string();
    record.agent = call.subagent().map(str::to_owned);
    record.tool = call.tool_name.to_string();
    record.cwd = call.cwd.to_string();
    own.scene.store.write_call(&session.session_id, record, deadline).map(drop)
}
