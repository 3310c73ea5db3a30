//! Many at once, on a memory file system too, and as another user.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::check;
use super::field::{Field, STOP};
use super::skipped;

/// 64 hooks of eight sessions at once: each answers, no path has two holders, and what was let through is leased.
fn rush(field: &Field) {
    for i in 0..8 {
        field.register(&format!("r{i}"), "backend");
    }
    let said: Vec<(String, String, super::field::Said)> = std::thread::scope(|scope| {
        let hooks: Vec<_> = (0..64)
            .map(|i: usize| {
                scope.spawn(move || {
                    let (id, path) = (format!("r{}", i % 8), format!("api/{}.txt", i / 8));
                    let run = match i % 16 {
                        14 => field.prompt(&id),
                        15 => field.hook(STOP, &id, "Stop", &json!({"background_tasks": []})),
                        _ => field.write(&id, &path),
                    };
                    let path = if i % 16 < 14 { path } else { String::new() };
                    (id, path, run.said())
                })
            })
            .collect();
        hooks.into_iter().map(|h| h.join().expect("ends")).collect()
    });
    let leases = check::leased(field).expect("reads");
    let mut through = 0;
    for (id, path, said) in &said {
        assert_eq!(said.code, Some(0), "{said:?}");
        if path.is_empty() || said.refusal().is_some() {
            continue;
        }
        assert!(said.is_silent(), "{said:?}");
        through += 1;
        let holders: Vec<_> = leases.iter().filter(|l| l.path == *path).collect();
        assert!(
            holders.len() == 1 && holders[0].holder.session.as_ref().is_some_and(|s| s.as_str() == id),
            "{id} was let through to {path}: {holders:?}"
        );
    }
    assert!(through > 0 && through <= 8, "{through} of 8 paths");
    check::files_are_whole(field).expect("whole");
    check::locks_are_free(field).expect("free");
    check::others_go_on(field).expect("go on");
}

#[test]
fn of_64_hooks_at_once_one_gets_each_path() {
    rush(&Field::new());
}

/// The same where the state is on a memory file system, which knows no flush.
#[test]
fn of_64_hooks_at_once_one_gets_each_path_in_memory() {
    let memory = Path::new("/dev/shm");
    let out = Command::new("stat").args(["-f", "-c", "%T", "/dev/shm"]).output();
    if !out.is_ok_and(|out| out.stdout.starts_with(b"tmpfs")) || tempfile::tempdir_in(memory).is_err() {
        return skipped("there is no memory file system at /dev/shm that may be written");
    }
    rush(&Field::in_dir(Some(memory)));
}

/// Files that this user may not read or write: refused with the file's name, and nothing is let through.
#[test]
fn what_may_not_be_read_or_written_refuses() {
    let field = Field::new();
    fs::create_dir_all(field.state().join("leases")).expect("makes");
    field.save();
    // Root may read everything, so another user asks; it must reach the node.
    let root = rustix::process::geteuid().is_root();
    let before: Vec<String> = if root {
        let other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"].map(str::to_owned);
        fs::set_permissions(&field.top, fs::Permissions::from_mode(0o755)).expect("mode");
        if !field.person(&["--version"]).said_behind(&other).out.starts_with("comm-node") {
            return skipped("no program here can be run as another user");
        }
        other.to_vec()
    } else {
        Vec::new()
    };
    let closed = if root { 0o700 } else { 0 };
    // Where the directory itself is closed nobody can say more than that.
    for path in ["registry.json", "sessions", "sessions/b.jsonl", "leases", ""] {
        field.put_back();
        if root {
            open_up(&field.state());
        }
        fs::set_permissions(field.state().join(path), fs::Permissions::from_mode(closed)).expect("mode");
        for target in ["api/a.txt", "web/foreign.txt"] {
            let said = field.write("b", target).said_behind(&before);
            assert!(said.refusal().is_some(), "{path:?} closed, {target}: {said:?}");
        }
        fs::set_permissions(field.state().join(path), fs::Permissions::from_mode(0o755)).expect("mode");
    }
    // As it was, it is let through.
    field.put_back();
    assert!(field.write("b", "api/a.txt").said().is_silent());
}

/// Lets everybody do everything below `dir`.
fn open_up(dir: &Path) {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o777)).expect("mode");
    for path in check::files(dir) {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("mode");
    }
    for entry in fs::read_dir(dir).expect("lists").flatten().filter(|e| e.path().is_dir()) {
        open_up(&entry.path());
    }
}
