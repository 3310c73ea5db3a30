//! Asking git, with a deadline: no child is left behind, and no setting of anybody's is heeded.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use comm_node_core::deadline::Deadline;
use comm_node_core::{Error, Result};

use crate::child::{self, Late, Until};

/// The most that git may say.
const MAX: usize = 16 << 20;
/// How long it may take to say what is ignored.
const PATIENCE: Duration = Duration::from_millis(700);

/// What git said, and how it ended.
#[derive(Debug)]
pub struct Said {
    /// Its exit code, `None` if it was killed.
    pub code: Option<i32>,
    /// Its output.
    pub bytes: Vec<u8>,
}

impl Said {
    /// The paths in an output with `-z`. One that is not UTF-8 has no rule that could be found by it.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        let paths = self.bytes.split(|&b| b == 0).filter(|p| !p.is_empty());
        paths.filter_map(|p| String::from_utf8(p.to_vec()).ok()).collect()
    }
}

/// Runs git in `dir` and gives it `input`.
///
/// # Errors
/// When it can't be run, does not end in time, or says too much.
pub fn run(dir: &Path, args: &[&str], input: Option<&[u8]>, deadline: Deadline) -> Result<Said> {
    let mut git = Command::new("git");
    // Whoever started the client may have been inside another repository.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"GIT_")) {
        git.env_remove(name);
    }
    git.env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .args(["-c", "core.fsmonitor=false"])
        .args(args)
        .current_dir(dir);
    let failed = |why: &str| Error::Io {
        action: "ask git in",
        path: dir.to_path_buf(),
        cause: std::io::Error::other(why.to_owned()),
    };
    let said = child::run(&mut git, input, MAX, (deadline, Late::Killed), Until::Closed)
        .map_err(Error::io("run git in", dir))?
        .ok_or_else(|| failed("git took too long"))?;
    match said.cut {
        true => Err(failed("git said more than 16 MB")),
        false => Ok(Said { code: said.code, bytes: said.bytes }),
    }
}

/// The top directory of the git worktree that `dir`, a real path, lies in.
#[must_use]
pub fn top(dir: &Path) -> Option<PathBuf> {
    dir.ancestors().find(|here| here.join(".git").symlink_metadata().is_ok()).map(Path::to_path_buf)
}

/// Which of `paths`, all real, git ignores: build output and the like. None where git can't be asked.
#[must_use]
pub fn ignored(paths: &[&Path], deadline: Deadline) -> Vec<bool> {
    let mut out = vec![false; paths.len()];
    let tops: Vec<Option<PathBuf>> = paths.iter().map(|path| path.parent().and_then(top)).collect();
    let mut asked: Vec<&PathBuf> = Vec::new();
    for here in tops.iter().flatten() {
        if asked.contains(&here) {
            continue;
        }
        asked.push(here);
        let of_here = |i: usize| tops[i].as_ref() == Some(here);
        let mut input = Vec::new();
        for (_, path) in paths.iter().enumerate().filter(|(i, _)| of_here(*i)) {
            for form in forms(path) {
                input.extend(form);
                input.push(0);
            }
        }
        let args = ["check-ignore", "-z", "--stdin"];
        let Ok(said) = run(here, &args, Some(&input), deadline.at_most(PATIENCE)) else { continue };
        if said.code != Some(0) {
            continue;
        }
        let named: Vec<&[u8]> = said.bytes.split(|&b| b == 0).collect();
        for (i, path) in paths.iter().enumerate().filter(|(i, _)| of_here(*i)) {
            out[i] = forms(path).iter().any(|form| named.contains(&form.as_slice()));
        }
    }
    out
}

/// A path as git is asked about it. A rule such as `build/` is about directories alone, and what is not
/// there yet may become one.
fn forms(path: &Path) -> Vec<Vec<u8>> {
    let plain = path.as_os_str().as_encoded_bytes().to_vec();
    let is_file = path.symlink_metadata().is_ok_and(|meta| !meta.is_dir());
    if is_file {
        return vec![plain];
    }
    let mut dir = plain.clone();
    dir.push(b'/');
    vec![plain, dir]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_ignores() {
        let dir = tempfile::tempdir().expect("temp dir");
        let top = dir.path().canonicalize().expect("real");
        std::fs::create_dir_all(top.join("kept")).expect("makes");
        std::fs::write(top.join(".gitignore"), "build/\n*.log\n").expect("writes");
        std::fs::write(top.join("tracked.log"), "x").expect("writes");
        let deadline = Deadline::after(Duration::from_secs(20));
        let git = |args: &[&str]| run(&top, args, None, deadline).expect("runs").code;
        assert_eq!(git(&["init", "-q"]), Some(0));
        assert_eq!(git(&["add", "-f", "tracked.log"]), Some(0));
        let paths = ["build", "build/x", "build/x/y.rs", "a.log", "kept", "kept/x", "tracked.log", "new"]
            .map(|p| top.join(p));
        let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        assert_eq!(ignored(&paths, deadline), [true, true, true, true, false, false, false, false]);
        assert_eq!(super::top(&top.join("kept")), Some(top.clone()));
        assert_eq!(ignored(&[Path::new("/")], deadline), [false]);
    }
}
