//! `comm-node doctor` where something stands in the state directory that does not belong there.

#![cfg(unix)]

use std::fs;
use std::os::unix::net::UnixListener;
use std::process::Command;

use crate::mail::Node;

/// Each but the log stops writes, locks or mail; doctor says what and where, and `--fix` helps.
#[test]
fn what_is_of_the_wrong_kind_is_named_and_set_aside() {
    let node = Node::new();
    let state = node.root.join(".comm-node");
    node.run("b", &["lock", "api/x"]).good();
    node.send("f", &["backend", "one"]);
    let works = |what: &str| {
        let said = [node.run("b", &["lock", "api/y"]), node.run("f", &["send", "backend", what])];
        node.run("b", &["unlock", "api/y"]);
        (said.iter().all(|said| said.code == 0), said)
    };
    for (name, instead) in [
        ("leases.lock", "pipe"),
        ("leases.lock", "directory"),
        ("mail.lock", "link"),
        ("fencing.json", "directory"),
        ("leases/last.json", "directory"),
        ("leases/explicit.jsonl", "socket"),
        ("mail", "file"),
        ("mail/backend", "link"),
        ("mail/backend/new", "file"),
        ("mail/backend/tmp", "pipe"),
        ("mail.last", "directory"),
        ("sending", "file"),
        ("sent/frontend", "file"),
        ("log", "file"),
        ("log/events.jsonl", "directory"),
    ] {
        let what = format!("{name} as a {instead}");
        let path = state.join(name);
        if path.symlink_metadata().is_ok() {
            fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path)).expect("removes");
        }
        match instead {
            "pipe" => assert!(Command::new("mkfifo").arg(&path).status().expect("runs").success()),
            "directory" => fs::create_dir(&path).expect("makes"),
            "link" => std::os::unix::fs::symlink("/nowhere/at/all", &path).expect("links"),
            "socket" => drop(UnixListener::bind(&path).expect("binds")),
            _ => fs::write(&path, "").expect("writes"),
        }
        let (fine, said) = works(&what);
        // What was done is not undone for want of a line in the log.
        assert_eq!(fine, name.starts_with("log"), "{what}: {said:?}");
        if instead == "directory" {
            assert!(said.iter().all(|said| !said.err.contains("has room")), "{what}: {said:?}");
        }
        let found = node.run("", &["doctor"]);
        let named = |line: &&str| line.starts_with("FAIL ") && line.contains(&*path.to_string_lossy());
        assert!(found.out.lines().any(|line| named(&line)), "{what}: {}", found.out);
        let fixed = node.run("", &["doctor", "--fix"]).out;
        assert!(fixed.contains(&format!("{}.damaged-", path.display())), "{what}: {fixed}");
        let (fine, said) = works(&what);
        assert!(fine, "{what}: {said:?}");
        let found = node.run("", &["doctor"]).out;
        assert!(found.contains("PASS state-files") && found.contains("PASS leases"), "{what}: {found}");
    }
}

#[test]
fn what_a_crash_left_of_the_locks_is_named_and_mended() {
    let node = Node::new();
    let file = node.root.join(".comm-node/leases/explicit.jsonl");
    node.run("b", &["lock", "api/x"]).good();
    let length = fs::read(&file).expect("reads").len();
    for bytes in [b"garbage".to_vec(), vec![0; length]] {
        fs::write(&file, bytes).expect("writes");
        assert_ne!(node.run("f", &["locks"]).code, 0);
        let found = node.run("", &["doctor"]).out;
        assert!(found.contains("FAIL leases") && found.contains("explicit.jsonl is damaged"), "{found}");
        let fixed = node.run("", &["doctor", "--fix"]).out;
        assert!(fixed.contains("PASS leases: mended: set aside"), "{fixed}");
        node.run("b", &["lock", "api/x"]).good();
    }
}
