//! kill -9 at the system calls of everything that writes.
//!
//! Each writer is watched once, and then started anew from the same state for each of its calls and killed before that
//! is carried out. The short form kills at the calls that change something another process can see, because
//! between two of these nothing else can be seen; the long one at all.

use std::fs;
use std::path::Path;

use super::check::{self, Check};
use super::field::{Field, Run, Said};
use super::writers::{self, Writer};
use super::{is_long, skipped, strace};

/// How many of a writer's calls are tried in the short form, evenly chosen.
const SHORT: usize = 14;

pub(crate) fn kill_all(writers: &[Writer]) {
    if !strace::works() {
        return skipped("strace can't trace here, so nobody was killed at a system call");
    }
    let mut wrong = Vec::new();
    for writer in writers {
        let (points, killed, mut found) = kill_one(writer);
        println!("{:<40} {points:>4} calls, {killed:>4} kills, {} wrong", writer.name, found.len());
        // A child of the writer's may be the one that is killed.
        assert!(killed * 4 >= points * 3, "{}: only {killed} of {points} were killed", writer.name);
        wrong.append(&mut found);
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn kill_one(writer: &Writer) -> (usize, usize, Vec<String>) {
    let field = Field::new();
    (writer.setup)(&field);
    field.save();
    let run = (writer.run)(&field);
    let (all, clean) = strace::points(&run, &field.top.join("trace"));
    assert!(clean.code == Some(0) && clean.refusal().is_none(), "{}: {clean:?}", writer.name);
    let mut points: Vec<_> = all.into_iter().filter(|p| is_long() || p.changes()).collect();
    if !is_long() && points.len() > SHORT {
        let step = points.len().div_ceil(SHORT);
        points = points.into_iter().step_by(step).collect();
    }
    if std::env::var_os("FAULTS_TRACE").is_some() {
        println!("{}: {:#?}", writer.name, points);
    }
    assert!(!points.is_empty(), "{} changes nothing", writer.name);
    let (mut killed, mut wrong) = (0, Vec::new());
    for point in &points {
        field.put_back();
        let said = strace::kill_at(&run, point);
        killed += usize::from(said.signal == Some(9));
        if let Err(why) = judge(&field, writer, &run, &clean) {
            wrong.push(format!(
                "{} killed at {} ({}. {}): {why}",
                writer.name, point.line, point.nth, point.name
            ));
        }
    }
    (points.len(), killed, wrong)
}

/// What must be so once the writer is dead.
pub(crate) fn judge(field: &Field, writer: &Writer, run: &Run, clean: &Said) -> Check {
    check::files_are_whole(field)?;
    check::locks_are_free(field)?;
    check::leased(field)?;
    if writer.again {
        let said = run.said();
        if said.code != clean.code || said.refusal().is_some() != clean.refusal().is_some() {
            return Err(format!("the next one said {said:?} instead of {clean:?}"));
        }
    }
    if let Some(undo) = writer.undo {
        let said = undo(field).said();
        if said.code != Some(0) {
            return Err(format!("undone with {said:?}"));
        }
    }
    check::others_go_on(field)?;
    for id in ["b", "new"] {
        field.bury(id);
    }
    check::the_dead_hold_nothing(field)?;
    check::senders_leave_nothing(field)?;
    let backend = check::told_once(field, "backend", writer.must, writer.may)?;
    let frontend = check::told_once(field, "frontend", &[], writer.frontend)?;
    (writer.also)(field, &backend, &frontend)?;
    check::files_are_whole(field)
}

#[test]
fn hooks_killed_anywhere_leave_the_state_whole() {
    kill_all(&writers::hooks());
}

#[test]
fn commands_killed_anywhere_leave_the_state_whole() {
    kill_all(&writers::commands());
}

/// Of how many of the installer's calls one is tried in the long form (`FAULTS_EVERY`): it has thousands.
fn every() -> usize {
    std::env::var("FAULTS_EVERY").ok().and_then(|n| n.parse().ok()).filter(|n| *n > 0).unwrap_or(1)
}

/// A person's settings, with what only they would write.
const FOREIGN: &str = "{\n  \"model\": \"opus\",\n  \"permissions\": {\"allow\": [\"Bash(ls)\"]},\n  \"hooks\": {\n    \
                       \"Stop\": [{\"hooks\": [{\"type\": \"command\", \"command\": \"mine\"}]}]\n  },\n  \"z\": [1, 2]\n}\n";

/// Installing and taking it back, killed anywhere: the settings stay a person's own, and both can be done again.
#[test]
fn an_installer_killed_anywhere_leaves_the_settings_whole() {
    if !strace::works() {
        return skipped("strace can't trace here, so no installer was killed at a system call");
    }
    let field = Field::new();
    let programs = programs(&field);
    let settings = field.top.join("home/.claude/settings.json");
    fs::create_dir_all(settings.parent().expect("a parent")).expect("makes");
    fs::write(&settings, FOREIGN).expect("writes");
    let install = field.person(&["install", "--from", &programs]);
    let uninstall = field.person(&["uninstall"]);
    let mut wrong = Vec::new();
    for (name, run) in [("install", &install), ("uninstall", &uninstall)] {
        if name == "uninstall" {
            field.put_back();
            install.said();
            assert_ne!(fs::read_to_string(&settings).expect("reads"), FOREIGN);
        }
        field.save();
        let (all, clean) = strace::points(run, &field.top.join("trace"));
        let mut points: Vec<_> = all.into_iter().filter(|p| is_long() || p.changes()).collect();
        let step = if is_long() { every() } else { points.len().div_ceil(SHORT) };
        points = points.into_iter().step_by(step).collect();
        let mut killed = 0;
        for point in &points {
            field.put_back();
            killed += usize::from(strace::kill_at(run, point).signal == Some(9));
            let found = settings_are_whole(&field, &settings, run, &clean, (&install, &uninstall));
            if let Err(why) = found {
                wrong.push(format!("{name} killed at {} ({}. {}): {why}", point.line, point.nth, point.name));
            }
        }
        println!("{name:<40} {:>4} calls, {killed:>4} kills", points.len());
        assert!(killed * 10 >= points.len() * 9, "{name}: only {killed} of {} were killed", points.len());
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn settings_are_whole(
    field: &Field,
    settings: &Path,
    run: &Run,
    clean: &Said,
    (install, uninstall): (&Run, &Run),
) -> Check {
    check::settings_keep(settings, FOREIGN)?;
    check::locks_are_free(field)?;
    let again = run.said();
    if again.code != clean.code {
        return Err(format!("the next one said {again:?} instead of {clean:?}"));
    }
    check::settings_keep(settings, FOREIGN)?;
    // Whatever was left, both still work, and in the end nothing is left.
    install.said();
    let text = fs::read_to_string(settings).map_err(|e| e.to_string())?;
    if !text.contains("comm-node-pre-tool-use") {
        return Err(format!("it can't be installed any more: {text}"));
    }
    let gone = uninstall.said();
    let text = fs::read_to_string(settings).map_err(|e| e.to_string())?;
    if gone.code != Some(0) || text != FOREIGN {
        return Err(format!("it was not given back byte for byte: {gone:?} {text}"));
    }
    let left = check::files(&field.top.join("home"));
    let left: Vec<_> = left.iter().filter(|p| *p != settings).collect();
    if left.is_empty() { Ok(()) } else { Err(format!("left behind: {left:?}")) }
}

/// Scripts in the place of the hook programs, as many as there are.
pub(crate) fn programs(field: &Field) -> String {
    use std::os::unix::fs::PermissionsExt;
    let dir = field.top.join("programs");
    fs::create_dir(&dir).expect("makes");
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin");
    for source in fs::read_dir(sources).expect("lists").flatten() {
        let name = source.path().file_stem().expect("a name").to_owned();
        fs::write(dir.join(&name), "#!/bin/sh\nexit 0\n").expect("writes");
        fs::set_permissions(dir.join(&name), fs::Permissions::from_mode(0o755)).expect("mode");
    }
    dir.display().to_string()
}
