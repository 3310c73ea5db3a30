//! What git says of files that changed: whether there is anything in them that a commit lacks.

use std::path::{Path, PathBuf};
use std::time::Duration;

use comm_node_core::deadline::Deadline;

use crate::git;

/// How long git may take.
const PATIENCE: Duration = Duration::from_millis(1_000);
/// More paths than this are not named to git; it then tells of all.
const NAMED: usize = 300;

/// How a file stands to the last commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It differs.
    Changed,
    /// The commit does not have it.
    New,
    /// It is gone.
    Gone,
    /// It is as in the commit, or git ignores it.
    Settled,
    /// It is as in the commit, which the command itself made.
    Committed,
    /// git can't be asked, or there is none.
    Unknown,
}

/// The states of `paths`, all real.
pub(super) fn states(paths: &[PathBuf], deadline: Deadline) -> Vec<State> {
    let mut states = vec![State::Unknown; paths.len()];
    let mut known: Vec<(PathBuf, Option<PathBuf>)> = Vec::new();
    let tops: Vec<Option<PathBuf>> = paths.iter().map(|path| top_of(path, &mut known)).collect();
    let mut asked: Vec<&PathBuf> = Vec::new();
    for top in tops.iter().flatten() {
        if asked.contains(&top) {
            continue;
        }
        asked.push(top);
        let here: Vec<usize> = (0..paths.len()).filter(|&i| tops[i].as_ref() == Some(top)).collect();
        let below = |i: usize| paths[i].strip_prefix(top).ok().and_then(Path::to_str);
        let mut args = vec![
            "--literal-pathspecs",
            "status",
            "--porcelain",
            "-z",
            "--untracked-files=all",
            "--no-renames",
            "--",
        ];
        if here.len() <= NAMED {
            args.extend(here.iter().filter_map(|&i| below(i)));
        }
        let said = git::run(top, &args, None, deadline.at_most(PATIENCE));
        let Some(said) = said.ok().filter(|said| said.code == Some(0)) else { continue };
        let said = said.paths();
        for i in here {
            let Some(path) = below(i) else { continue };
            states[i] = said
                .iter()
                .find(|line| line.get(3..) == Some(path))
                .map_or(State::Settled, |line| of_code(line));
        }
    }
    states
}

/// The tracked files below `dirs` that are gone.
pub(super) fn gone(dirs: &[PathBuf], deadline: Deadline) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut known: Vec<(PathBuf, Option<PathBuf>)> = Vec::new();
    let tops: Vec<Option<PathBuf>> = dirs.iter().map(|dir| top_of(&dir.join("-"), &mut known)).collect();
    let mut asked: Vec<&PathBuf> = Vec::new();
    for top in tops.iter().flatten() {
        if asked.contains(&top) {
            continue;
        }
        asked.push(top);
        let here = dirs.iter().zip(&tops).filter(|(_, t)| t.as_ref() == Some(top));
        let mut args = vec!["--literal-pathspecs", "ls-files", "--deleted", "-z", "--"];
        args.extend(here.filter_map(|(dir, _)| dir.strip_prefix(top).ok()?.to_str()).map(|d| match d {
            "" => ".",
            d => d,
        }));
        let said = git::run(top, &args, None, deadline.at_most(PATIENCE));
        out.extend(said.iter().flat_map(git::Said::paths).map(|path| top.join(path)));
    }
    // Others may have been gone before: only what is missing right in one of them counts.
    out.retain(|path| {
        let nearest = path.ancestors().skip(1).find(|above| above.is_dir());
        nearest.is_some_and(|above| dirs.iter().any(|dir| dir == above))
    });
    out
}

/// The two letters that `git status` begins a line with.
fn of_code(line: &str) -> State {
    match line.as_bytes() {
        [b'?', b'?', ..] | [b'A', _, ..] => State::New,
        [_, b'D', ..] | [b'D', _, ..] => State::Gone,
        [b'!', b'!', ..] => State::Settled,
        _ => State::Changed,
    }
}

/// The worktree that a path lies in; directories repeat, and so `known` holds what was found.
fn top_of(path: &Path, known: &mut Vec<(PathBuf, Option<PathBuf>)>) -> Option<PathBuf> {
    let dir = path.parent()?;
    if let Some((_, top)) = known.iter().find(|(d, _)| d == dir) {
        return top.clone();
    }
    let top = git::top(dir);
    known.push((dir.to_path_buf(), top.clone()));
    top
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_files_stand_to_the_commit() {
        let dir = tempfile::tempdir().expect("temp dir");
        let top = dir.path().canonicalize().expect("real");
        let deadline = Deadline::after(Duration::from_secs(60));
        let git =
            |args: &[&str]| assert_eq!(git::run(&top, args, None, deadline).expect("runs").code, Some(0));
        let write = |name: &str, text: &str| {
            std::fs::create_dir_all(top.join(name).parent().expect("parent")).expect("makes");
            std::fs::write(top.join(name), text).expect("writes");
        };
        git(&["init", "-q"]);
        for name in ["same", "d/changed", "d/gone", "e/gone", "f/g/gone"] {
            write(name, "1");
        }
        write(".gitignore", "*.o\n");
        git(&["add", "-A"]);
        git(&["-c", "user.name=n", "-c", "user.email=e@x", "commit", "-qm", "m"]);
        let paths =
            ["same", "d/changed", "d/gone", "new/n w", "a.o", "added", "*"].map(|name| top.join(name));
        let asked = || states(&paths, deadline);
        write("d/changed", "2");
        write("new/n w", "1");
        write("a.o", "1");
        write("added", "1");
        git(&["add", "added"]);
        for name in ["d/gone", "e/gone"] {
            std::fs::remove_file(top.join(name)).expect("removes");
        }
        std::fs::remove_dir_all(top.join("f")).expect("removes");
        use State::{Changed, Gone, New, Settled};
        assert_eq!(asked(), [Settled, Changed, Gone, New, Settled, New, Settled]);
        assert_eq!(gone(&[top.join("d")], deadline), [top.join("d/gone")]);
        // `e` did not change: what is missing in it is of earlier.
        assert_eq!(gone(&[top.join("d"), top.clone()], deadline), [top.join("d/gone"), top.join("f/g/gone")]);
        let many: Vec<PathBuf> = paths.iter().cloned().cycle().take(NAMED + 7).collect();
        assert_eq!(states(&many, deadline)[..7], [Settled, Changed, Gone, New, Settled, New, Settled]);
        std::fs::remove_dir_all(top.join(".git")).expect("removes");
        if git::top(&top).is_none() {
            assert_eq!(asked(), [State::Unknown; 7]);
        }
    }
}
