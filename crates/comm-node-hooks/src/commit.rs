//! What a commit frees: the leases of this session on the paths that it contains.
//!
//! A hook can't be told what a shell command did, or a person in a terminal, so the commits that the
//! session's worktrees stand on are compared with those on record: after a shell command that may have
//! made one, and where a turn begins and ends. This frees only what the session itself holds, so
//! nothing is lost where a commit is overlooked: the leases then last until the session ends.

use std::path::{Path, PathBuf};
use std::time::Duration;

use comm_node_core::deadline::Deadline;
use comm_node_core::lease::{Ask, tree_of};
use comm_node_core::node::{Head, head, head_or_empty, locate};
use comm_node_core::session::{Session, SessionId};
use comm_node_core::store::{Event, Release};
use comm_node_core::{Error, Result};

use crate::git;
use crate::scene::{Scene, Surroundings};
use crate::wire::{BashAnswer, Call};

/// How long git may take to say it; where a turn begins or ends, all of the look.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// Puts on record where the session's worktree stands.
pub fn note(session: &mut Session, call: &Call<'_>, around: &Surroundings) {
    for head in heads(session, call, around) {
        session.note_head(&head);
    }
}

/// Puts on record where the agent's worktree stands, if it was never looked at: a subagent may have
/// one of its own.
///
/// # Errors
/// When the session's record can't be read or written.
pub fn note_new(
    scene: &Scene,
    session: &Session,
    call: &Call<'_>,
    around: &Surroundings,
    deadline: Deadline,
) -> Result<()> {
    match here(call, around) {
        Some(head) if before(session, &head).is_none() => {
            put_on_record(scene, &session.session_id, &[head], deadline).map(drop)
        }
        _ => Ok(()),
    }
}

/// Frees what a shell command committed.
///
/// # Errors
/// When the session's record or the lease table can't be read or written, or git can't be run.
pub fn freed(call: &Call<'_>, around: &Surroundings, deadline: Deadline) -> Result<()> {
    if !may_commit(call) {
        return Ok(());
    }
    let Some(scene) = Scene::of_session(call, around, deadline)? else { return Ok(()) };
    let Some(session) = scene.session(&SessionId::new(&call.session_id)?)? else { return Ok(()) };
    compare(&scene, &session, call, around, deadline, false)
}

/// The look at the beginning and at the end of a turn: gives the session's heartbeat and frees what
/// was committed meanwhile, by whomever. Returns the session's record, if there is one.
///
/// # Errors
/// When the session's record or the lease table can't be read or written. That git can't be run or
/// takes too long is none: nobody waits for this, and the leases last.
pub fn at_turn(
    scene: &Scene,
    call: &Call<'_>,
    around: &Surroundings,
    deadline: Deadline,
) -> Result<Option<Session>> {
    let id = SessionId::new(&call.session_id)?;
    scene.store.heartbeat(&id);
    let Some(session) = scene.session(&id)? else { return Ok(None) };
    if !session.heads.is_empty() {
        compare(scene, &session, call, around, deadline.at_most(PATIENCE), true)?;
    }
    Ok(Some(session))
}

/// Frees what differs between the commits on record and those of now. With `settled` only what the
/// worktree has as the commit has it: a branch can also move by a checkout, a pull or a reset, and
/// after a reset the session's work may still be there, uncommitted.
fn compare(
    scene: &Scene,
    session: &Session,
    call: &Call<'_>,
    around: &Surroundings,
    deadline: Deadline,
    settled: bool,
) -> Result<()> {
    let now = heads(session, call, around);
    if now.iter().all(|h| before(session, h).is_some_and(|old| *old == h.commit)) {
        return Ok(());
    }
    for (head, old) in put_on_record(scene, &session.session_id, &now, deadline)? {
        let Some(range) = range(call, &head, old) else { continue };
        let paths = if settled {
            // Without git nothing is freed.
            let Ok(paths) = unchanged_since(&head, &range, deadline) else { continue };
            paths
        } else {
            changed(&head.top, &range, deadline)?
        };
        release(scene, session, call, &head, &paths, deadline)?;
    }
    Ok(())
}

/// Where the worktrees of the session stand now: that of its working directory, and those on record.
fn heads(session: &Session, call: &Call<'_>, around: &Surroundings) -> Vec<Head> {
    // One without a commit is on record too, so that its first commit is seen; on a new branch without one nothing went.
    let here = at(call, around, head_or_empty)
        .filter(|head| !head.is_unborn() || before(session, head).is_none_or(|old| *old == head.commit));
    let known = session.heads.keys().map(Path::new).filter(|top| here.as_ref().is_none_or(|h| h.top != *top));
    // One that is gone may have left another repository above it.
    let known: Vec<Head> = known.filter_map(|top| head(top).filter(|h| h.top == top)).collect();
    here.into_iter().chain(known).collect()
}

fn here(call: &Call<'_>, around: &Surroundings) -> Option<Head> {
    at(call, around, head)
}

/// What `look` says of the working directory.
fn at(call: &Call<'_>, around: &Surroundings, look: fn(&Path) -> Option<Head>) -> Option<Head> {
    let cwd = Path::new(&*call.cwd);
    Some(cwd).filter(|d| d.is_absolute()).and_then(|d| around.real(d).ok()).and_then(|d| look(&d))
}

fn before<'s>(session: &'s Session, head: &Head) -> Option<&'s String> {
    session.heads.get(&*head.top.to_string_lossy())
}

/// Puts `now` on record, and returns those that moved or are new, each with what was on record.
fn put_on_record(
    scene: &Scene,
    id: &SessionId,
    now: &[Head],
    deadline: Deadline,
) -> Result<Vec<(Head, Option<String>)>> {
    let _lock = scene.store.lock("sessions", deadline.at_most(Duration::from_secs(1)))?;
    // Another call of the session may have seen the same commit meanwhile.
    let Some(mut session) = scene.store.read_session(id)? else { return Ok(Vec::new()) };
    let old: Vec<_> = now.iter().map(|head| (head.clone(), session.note_head(head))).collect();
    scene.store.write_session(&session)?;
    Ok(old.into_iter().filter(|(head, old)| old.as_ref() != Some(&head.commit)).collect())
}

/// The commits to compare: the one before and the one now. Where none is on record the client may
/// have seen that the present one was made by this call; it is then compared with its parent.
fn range(call: &Call<'_>, head: &Head, old: Option<String>) -> Option<Vec<String>> {
    if let Some(old) = old {
        // It comes from a file, and must not be taken for an option.
        return old.bytes().all(|b| b.is_ascii_hexdigit()).then(|| vec![old, head.commit.clone()]);
    }
    let answer: BashAnswer<'_> = serde_json::from_str(call.tool_response?.get()).ok()?;
    let sha = answer.git_operation.commit.sha;
    (sha.len() >= 7 && head.commit.starts_with(&*sha)).then(|| vec![head.commit.clone()])
}

/// The paths below `top` in which the commits of `range` differ, as git has them.
fn changed(top: &Path, range: &[String], deadline: Deadline) -> Result<Vec<String>> {
    git(top, &["diff-tree", "-r", "--root", "--no-commit-id"], range, deadline)
}

/// The paths in what was committed since the session's worktree was last looked at, real, if this call may
/// have done that.
pub(crate) fn made(
    session: &Session,
    call: &Call<'_>,
    around: &Surroundings,
    deadline: Deadline,
) -> Vec<PathBuf> {
    if !may_commit(call) {
        return Vec::new();
    }
    let Some(head) = here(call, around) else { return Vec::new() };
    let old = before(session, &head).filter(|old| **old != head.commit).cloned();
    let Some(range) = range(call, &head, old) else { return Vec::new() };
    let paths = changed(&head.top, &range, deadline).unwrap_or_default();
    paths.iter().map(|path| head.top.join(path)).collect()
}

/// Whatever else moved a branch, nothing is freed by it.
fn may_commit(call: &Call<'_>) -> bool {
    call.tool_input.is_some_and(|input| input.get().contains("commit"))
}

/// Those of them that the worktree has as the commit of now has them.
fn unchanged_since(head: &Head, range: &[String], deadline: Deadline) -> Result<Vec<String>> {
    let mut paths = changed(&head.top, range, deadline)?;
    if paths.is_empty() {
        return Ok(paths);
    }
    let now = std::slice::from_ref(&head.commit);
    let differs = git(&head.top, &["diff-index", "--ignore-submodules"], now, deadline)?;
    // What the commit and the index lack may still be there.
    let gone =
        git(&head.top, &["diff-tree", "-r", "--root", "--no-commit-id", "--diff-filter=D"], range, deadline)?;
    paths.retain(|path| {
        let left = || gone.contains(path) && head.top.join(path).symlink_metadata().is_ok();
        !differs.contains(path) && !left()
    });
    Ok(paths)
}

/// The paths that git's plumbing command `what` names between `commits`.
fn git(top: &Path, what: &[&str], commits: &[String], deadline: Deadline) -> Result<Vec<String>> {
    let mut args = what.to_vec();
    // Unlike `git diff` it heeds nobody's settings. Both names of a renamed file are wanted.
    args.extend(["-z", "--name-only", "--no-renames"]);
    args.extend(commits.iter().map(String::as_str));
    args.push("--");
    let said = git::run(top, &args, None, deadline.at_most(PATIENCE))?;
    let failed = |code| Error::Io {
        action: "compare commits in",
        path: top.to_path_buf(),
        cause: std::io::Error::other(format!("git ended with {code:?}")),
    };
    if said.code != Some(0) {
        return Err(failed(said.code));
    }
    Ok(said.paths())
}

fn release(
    scene: &Scene,
    session: &Session,
    call: &Call<'_>,
    head: &Head,
    paths: &[String],
    deadline: Deadline,
) -> Result<()> {
    let places: Vec<_> = paths.iter().map(|p| locate(&scene.registry, &head.top.join(p))).collect();
    let keys: Vec<_> = places.iter().filter_map(|place| tree_of(&scene.registry, place)).collect();
    if keys.is_empty() {
        return Ok(());
    }
    let asks: Vec<Ask<'_>> = keys.iter().map(|(tree, key)| Ask::key(tree, key)).collect();
    let id = Some(session.session_id.clone());
    for lease in scene.store.leases().release(&Release::Of(&id, &asks), deadline)? {
        scene.store.log(&Event {
            event: "lease_released",
            session: session.session_id.as_str(),
            agent: lease.holder.agent.as_deref().unwrap_or_default(),
            domain: session.domain.as_deref().unwrap_or_default(),
            call: &call.tool_use_id,
            path: &lease.path,
            rule: "committed",
            note: &head.commit,
            ..Event::default()
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compared() {
        let head = Head { top: "/n".into(), commit: format!("abcdef1{}", "0".repeat(33)) };
        let range = |answer: &str, old: Option<&str>| {
            let text = format!(r#"{{"tool_response":{answer}}}"#);
            let call = Call::parse(&text).expect("valid");
            range(&call, &head, old.map(str::to_owned))
        };
        let seen = r#"{"stdout":"x","gitOperation":{"commit":{"branch":"main","kind":"committed","sha":"abcdef1"}}}"#;
        assert_eq!(range(seen, Some("0ad")), Some(vec!["0ad".into(), head.commit.clone()]));
        assert_eq!(range(seen, None), Some(vec![head.commit.clone()]));
        assert_eq!(range(seen, Some("--output=x")), None);
        let other = r#"{"gitOperation":{"commit":{"sha":"1234567"}}}"#;
        let short = r#"{"gitOperation":{"commit":{"sha":""}}}"#;
        for answer in [other, short, "null", "{}", r#""text""#, "[]", r#"{"gitOperation":{"push":{}}}"#] {
            assert_eq!(range(answer, None), None, "{answer}");
        }
    }
}
