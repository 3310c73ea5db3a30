//! Garbage in the place of each state file: a gigabyte of it, half a record, a pipe, a directory, a link to a device.
//! Programs end, in bounded memory and time, and the guard lets nothing through for it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use super::field::{END, Field, GUARD, Run, STOP};
use super::{is_long, skipped};

/// The most address space, in bytes: a good deal more than a program needs, and a good deal less than the garbage.
const SPACE: u64 = 400 << 20;
const GIGABYTE: u64 = 1 << 30;
/// The most time of a processor, in seconds; who needs more is killed. It does not depend on what else runs.
const WORK: u64 = 4;
/// The most time with all waiting, of which a hook allows itself three seconds, on a machine that is busy with other tests.
const TIME: Duration = Duration::from_secs(15);

/// What stands there instead.
#[derive(Clone, Copy, Debug)]
enum Garbage {
    /// A gigabyte that begins like this.
    Huge(&'static str),
    Small(&'static [u8]),
    Pipe,
    Directory,
    Endless,
}

impl Garbage {
    fn put(self, path: &Path) {
        let _ = fs::remove_file(path).or_else(|_| fs::remove_dir(path));
        fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
        match self {
            Self::Huge(head) => {
                fs::write(path, head).expect("writes");
                // Without taking any room on the disk.
                fs::File::options().write(true).open(path).expect("opens").set_len(GIGABYTE).expect("grows");
            }
            Self::Small(bytes) => fs::write(path, bytes).expect("writes"),
            Self::Pipe => assert!(Command::new("mkfifo").arg(path).status().expect("runs").success()),
            Self::Directory => fs::create_dir(path).expect("makes"),
            Self::Endless => symlink("/dev/zero", path).expect("links"),
        }
    }
}

/// The state files, below the node.
const FILES: [&str; 20] = [
    ".comm-node/registry.json",
    ".comm-node/sessions/b.jsonl",
    ".comm-node/sessions/f.jsonl",
    ".comm-node/sessions/ended/old.jsonl",
    ".comm-node/leases/explicit.jsonl",
    ".comm-node/leases/7c.jsonl",
    ".comm-node/leases/7c.jsonl.damaged-1",
    ".comm-node/leases/of/b.jsonl",
    ".comm-node/leases/last.json",
    ".comm-node/fencing.json",
    ".comm-node/calls/b.jsonl",
    ".comm-node/paused",
    ".comm-node/mail.last",
    ".comm-node/mail/backend/new/01KAJ6Y3E1M8Q0ZD4T7G2K9QXV.medium.md",
    ".comm-node/sending/01KAJ6Y3E1M8Q0ZD4T7G2K9QXV.md",
    ".comm-node/outbox/left.md",
    ".comm-node/log/events.jsonl",
    ".comm-node/.gitignore",
    ".comm-node/leases.lock",
    "comm-node.yaml",
];

fn programs(f: &Field) -> Vec<(&'static str, Run)> {
    let stop = json!({"stop_hook_active": false, "background_tasks": []});
    vec![
        ("guard, own", f.write("b", "api/a.txt")),
        ("guard, shell", f.shell(GUARD, "PreToolUse", "touch api/x && make")),
        ("after a write", f.written("b", "api/a.txt")),
        ("start", f.start("b")),
        ("prompt", f.prompt("b")),
        ("batch", f.batch("b")),
        ("stop", f.hook(STOP, "b", "Stop", &stop)),
        ("status", f.person(&["status"])),
        ("locks", f.person(&["locks"])),
        ("inbox", f.agent("b", &["inbox"])),
        ("send", f.agent("f", &["send", "backend", "x?"])),
        ("lock", f.agent("b", &["lock", "api/y/**"])),
        ("end", f.hook(END, "b", "SessionEnd", &json!({"reason": "other"}))),
        ("doctor", f.person(&["doctor", "--fix"])),
    ]
}

fn bounded(run: &Run) -> super::field::Said {
    run.said_behind(&["prlimit".to_owned(), format!("--as={SPACE}"), format!("--cpu={WORK}")])
}

#[test]
fn garbage_in_a_state_file_is_met_in_bounded_time_and_memory() {
    if !Command::new("prlimit").arg("--version").output().is_ok_and(|out| out.status.success()) {
        return skipped("prlimit is not there, so no memory was limited");
    }
    let all = [
        Garbage::Huge("{\"version\": 1, "),
        Garbage::Pipe,
        Garbage::Huge(""),
        Garbage::Small(b"{\"version\":"),
        Garbage::Small(b"\xff\xfe\0garbage\n"),
        Garbage::Directory,
        Garbage::Endless,
    ];
    let kinds = if is_long() { &all[..] } else { &all[..2] };
    let mut wrong = Vec::new();
    let field = Field::new();
    assert!(field.write("b", "api/a.txt").said().is_silent());
    field.send("hello?", &[]);
    field.save();
    let mut runs = 0;
    for name in FILES {
        for &kind in kinds {
            let mut all = vec![("guard, foreign", field.write("b", "web/foreign.txt"))];
            if is_long() || matches!(kind, Garbage::Huge(_)) {
                all.append(&mut programs(&field));
            }
            for (what, run) in all {
                field.put_back();
                if name.contains("damaged") {
                    // It is looked at only where the numbers of leases are lost.
                    for lost in ["fencing.json", "leases/last.json"] {
                        fs::remove_file(field.state().join(lost)).expect("removes");
                    }
                }
                kind.put(&field.node().join(name));
                let said = bounded(&run);
                runs += 1;
                if let Err(why) = fits(&said) {
                    wrong.push(format!("{name} is {kind:?}, {what}: {why}"));
                }
                if what == "guard, foreign" && said.refusal().is_none() {
                    wrong.push(format!("{name} is {kind:?}: web/foreign.txt is let through: {said:?}"));
                }
            }
            if name == "comm-node.yaml" {
                let _ = fs::remove_file(field.node().join(name));
                let _ = fs::remove_dir(field.node().join(name));
                field.rules();
            }
        }
    }
    println!("{runs} runs");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn fits(said: &super::field::Said) -> Result<(), String> {
    match said.code {
        Some(0..=2) if said.took < TIME => Ok(()),
        _ => Err(format!("{said:?}")),
    }
}

/// A gigabyte in the place of a settings file is refused, not read.
#[test]
fn garbage_in_the_settings_is_met_in_bounded_memory() {
    if !Command::new("prlimit").arg("--version").output().is_ok_and(|out| out.status.success()) {
        return skipped("prlimit is not there, so no memory was limited");
    }
    let field = Field::new();
    let programs = super::kill::programs(&field);
    let commands = [
        field.person(&["install", "--from", &programs]),
        field.person(&["uninstall"]),
        field.person(&["doctor"]),
    ];
    for file in ["settings.json", "comm-node/install.json"] {
        for kind in [Garbage::Huge("{"), Garbage::Small(b"{\"hooks\": ["), Garbage::Small(b"\xff")] {
            for run in &commands {
                let path = field.top.join("home/.claude").join(file);
                kind.put(&path);
                let said = bounded(run);
                fits(&said).unwrap_or_else(|e| panic!("{file} is {kind:?}, {:?}: {e}", run.args));
                if file == "settings.json" {
                    let len = path.metadata().expect("it is there still").len();
                    assert!(len == GIGABYTE || len < 100, "{file} was changed by {:?}", run.args);
                }
                let _ = fs::remove_dir_all(field.top.join("home/.claude/comm-node"));
            }
        }
    }
}

/// The limit is one that a program which reads it all can't keep.
#[test]
fn the_limit_is_felt_by_who_reads_it_all() {
    let temp = tempfile::tempdir().expect("temp dir");
    let path = temp.path().join("garbage");
    Garbage::Huge("x").put(&path);
    let script = format!("x=$(tr '\\0' x < {}); echo ${{#x}}", path.display());
    let out = Command::new("prlimit").arg(format!("--as={SPACE}")).args(["sh", "-c", &script]).output();
    if let Ok(out) = out {
        assert!(!out.status.success() || out.stdout.trim_ascii() != b"1073741824", "{out:?}");
    }
}
