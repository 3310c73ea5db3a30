//! Asking git, with a deadline: no child is left behind, and no setting of anybody's is heeded.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use comm_node_core::deadline::Deadline;
use comm_node_core::{Error, Result};

/// The most that git may say.
const MAX: u64 = 16 << 20;
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
/// When it can't be run or does not end in time.
pub fn run(dir: &Path, args: &[&str], input: Option<Vec<u8>>, deadline: Deadline) -> Result<Said> {
    let mut git = Command::new("git");
    // Whoever started the client may have been inside another repository.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"GIT_")) {
        git.env_remove(name);
    }
    let mut child = git
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .args(["-c", "core.fsmonitor=false"])
        .args(args)
        .current_dir(dir)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(Error::io("run git in", dir))?;
    if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
        // Not here: git may stop reading.
        std::thread::spawn(move || pipe.write_all(&input));
    }
    let (sender, receiver) = mpsc::channel();
    if let Some(pipe) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut said = Vec::new();
            let read = pipe.take(MAX).read_to_end(&mut said);
            let _ = sender.send(read.map(|_| said));
        });
    }
    let said = receiver.recv_timeout(deadline.left());
    if said.is_err() {
        let _ = child.kill();
    }
    let ended = child.wait().map_err(Error::io("wait for git in", dir))?;
    let failed = |why: String| Error::Io {
        action: "ask git in",
        path: dir.to_path_buf(),
        source: std::io::Error::other(why),
    };
    let bytes = said.map_err(|_| failed("git took too long".into()))?.map_err(|e| failed(e.to_string()))?;
    Ok(Said { code: ended.code(), bytes })
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
        let Ok(said) = run(here, &args, Some(input), deadline.at_most(PATIENCE)) else { continue };
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
