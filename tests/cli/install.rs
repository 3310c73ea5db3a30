//! `comm-node install`, `uninstall` and `doctor`, as a user runs them, with HOME in a temporary
//! directory and scripts in the place of the hook programs.

#![cfg(unix)]
#![expect(clippy::expect_used, clippy::panic, reason = "a test that can't be set up has to stop")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

mod extras;

const CLI: &str = env!("CARGO_BIN_EXE_comm-node");

/// The hook programs, without `comm-node-`: one for each file.
fn hooks() -> Vec<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin");
    let files = fs::read_dir(dir).expect("lists").flatten().map(|e| e.path());
    files.filter_map(|f| Some(f.file_stem()?.to_str()?.strip_prefix("comm-node-")?.to_owned())).collect()
}

/// `text` with the number of all programs for `N`.
fn counted(text: &str) -> String {
    text.replace('N', &(hooks().len() + 1).to_string())
}

/// A guard that judges as the real one must.
const GUARD: &str = r#"#!/bin/sh
read -r input
case "$input" in
*theirs/proof*) echo '{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"deny","permissionDecisionReason":"theirs owns it"}}' ;;
esac
"#;

struct Home {
    _temp: tempfile::TempDir,
    top: PathBuf,
}

impl Home {
    fn new() -> Self {
        let temp = tempfile::tempdir().expect("temp dir");
        let top = temp.path().canonicalize().expect("real");
        for dir in ["home", "programs", "work"] {
            fs::create_dir(top.join(dir)).expect("makes");
        }
        let home = Self { _temp: temp, top };
        for hook in hooks() {
            home.program(&hook, if hook == "pre-tool-use" { GUARD } else { "#!/bin/sh\nexit 0\n" });
        }
        home.write("programs/comm-node", "#!/bin/sh\nexit 0\n");
        fs::set_permissions(home.at("programs/comm-node"), fs::Permissions::from_mode(0o755)).expect("mode");
        home
    }

    fn program(&self, hook: &str, script: &str) {
        let path = format!("programs/comm-node-{hook}");
        self.write(&path, script);
        fs::set_permissions(self.at(&path), fs::Permissions::from_mode(0o755)).expect("mode");
    }

    fn at(&self, path: &str) -> PathBuf {
        self.top.join(path)
    }

    fn settings(&self) -> PathBuf {
        self.at("home/.claude/settings.json")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().expect("has one")).expect("makes");
        fs::write(path, text).expect("writes");
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.read(path)).expect("JSON")
    }

    fn command(&self, dir: &str, args: &[&str]) -> Command {
        let mut command = Command::new(CLI);
        command.args(args).env_clear().current_dir(self.at(dir)).stdin(Stdio::null());
        command.env("HOME", self.at("home"));
        command.env("PATH", format!("{}:/usr/bin:/bin", self.at("home/.local/bin").display()));
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command("work", args).output().expect("runs"))
    }

    /// Runs it, and fails where it does not end.
    fn run_in_time(&self, args: &[&str]) -> Ran {
        let mut command = self.command("work", args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
        let end = Instant::now() + Duration::from_secs(60);
        while child.try_wait().expect("waits").is_none() {
            if Instant::now() > end {
                let _ = child.kill();
                panic!("{args:?} waits for ever");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ran::of(child.wait_with_output().expect("has ended"))
    }

    fn install(&self, more: &[&str]) -> Ran {
        let from = self.at("programs").display().to_string();
        self.run_in_time(&[&["install", "--from", &from], more].concat())
    }

    /// Every path below the home directory with what it holds.
    fn tree(&self) -> BTreeMap<PathBuf, String> {
        fn walk(dir: &Path, into: &mut BTreeMap<PathBuf, String>) {
            for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
                let path = entry.path();
                let meta = path.symlink_metadata().expect("there");
                let what = if meta.is_symlink() {
                    format!("-> {}", path.read_link().expect("a link").display())
                } else if meta.is_dir() {
                    walk(&path, into);
                    "dir".to_owned()
                } else {
                    format!("{:o} {:?}", meta.permissions().mode(), fs::read(&path).expect("reads"))
                };
                into.insert(path, what);
            }
        }
        let mut tree = BTreeMap::new();
        walk(&self.at("home"), &mut tree);
        walk(&self.at("work"), &mut tree);
        tree
    }
}

#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self
    }

    #[track_caller]
    fn refused(self) -> Self {
        assert_eq!(self.code, Some(1), "{}{}", self.out, self.err);
        self
    }

    #[track_caller]
    fn says(self, part: &str) -> Self {
        assert!(
            self.out.contains(part) || self.err.contains(part),
            "{part:?} not in\n{}{}",
            self.out,
            self.err
        );
        self
    }
}

const FOREIGN: &str = "{\r\n\t\"model\": \"opus\",\r\n\t\"hooks\": {\r\n\t\t\"PreToolUse\": [\r\n\t\t\t{\"matcher\": \"Bash\", \"hooks\": [{\"type\": \"command\", \"command\": \"/opt/lint\"}]}\r\n\t\t]\r\n\t},\r\n\t\"permissions\": {\"allow\": [\"Read\"]}\r\n}\r\n";

#[test]
fn install_twice_and_back_leaves_nothing() {
    let home = Home::new();
    let before = home.tree();
    let first = home.install(&[]).done();
    for part in [
        &counted("copied N of N"),
        "linked ~/.local/bin/comm-node",
        "PASS guard-denies",
        "PASS guard-allows",
        "PASS programs-run",
    ] {
        assert!(first.out.contains(part), "{part}: {}", first.out);
    }
    assert!(!first.out.contains("FAIL"), "{}", first.out);
    let settings = home.json("home/.claude/settings.json");
    let guard = &settings["hooks"]["PreToolUse"][0]["hooks"][0];
    assert_eq!(
        guard["command"],
        home.at("home/.claude/comm-node/bin/comm-node-pre-tool-use").to_str().expect("UTF-8")
    );
    assert_eq!(
        (guard["args"].as_array().map(Vec::len), &guard["onFailure"]),
        (Some(0), &Value::from("block"))
    );
    assert!(settings["hooks"].as_object().is_some_and(|events| events.len() >= hooks().len()));
    assert_eq!(settings["permissions"]["allow"].as_array().map(Vec::len), Some(28));
    assert_eq!(
        home.at("home/.local/bin/comm-node").read_link().expect("a link"),
        home.at("home/.claude/comm-node/bin/comm-node")
    );

    let once = home.tree();
    home.install(&[]).done().says("already installed").says(&counted("all N"));
    let twice = home.tree();
    let changed: Vec<_> =
        once.iter().filter(|(p, what)| twice.get(*p) != Some(what)).map(|(p, _)| p).collect();
    assert!(changed.iter().all(|p| p.ends_with("install.json")), "{changed:?}");
    assert_eq!(once.len(), twice.len());

    home.run(&["uninstall"])
        .done()
        .says("removed ~/.claude/settings.json, which install had made")
        .says(&counted("removed N programs"));
    assert_eq!(home.tree(), before);
    home.run(&["uninstall"]).done().says("nothing of comm-node is installed");
    assert_eq!(home.tree(), before);
}

#[test]
fn foreign_settings_come_back_to_the_byte() {
    let home = Home::new();
    home.write("home/.claude/settings.json", FOREIGN);
    let before = home.tree();
    home.install(&[]).done();
    let settings = home.json("home/.claude/settings.json");
    assert_eq!(settings["hooks"]["PreToolUse"][0]["hooks"][0]["command"], "/opt/lint");
    assert_eq!(settings["permissions"]["allow"][0], "Read");
    assert!(
        !home.read("home/.claude/settings.json").replace("\r\n", "").contains('\n'),
        "line ends are kept"
    );
    home.run(&["uninstall"]).done().says("byte for byte");
    assert_eq!(home.tree(), before);
}

#[test]
fn what_others_changed_since_is_kept() {
    let home = Home::new();
    home.write("home/.claude/settings.json", FOREIGN);
    home.install(&[]).done();
    let edited = home.read("home/.claude/settings.json").replace("opus", "haiku");
    home.write("home/.claude/settings.json", &edited);
    home.run(&["uninstall"]).done().says("what others changed there since is kept").says("kept the backups");
    assert_eq!(home.read("home/.claude/settings.json"), FOREIGN.replace("opus", "haiku"));
    let backup = fs::read_dir(home.at("home/.claude/comm-node/backups"))
        .expect("there")
        .flatten()
        .next()
        .expect("one");
    assert_eq!(fs::read_to_string(backup.path()).expect("reads"), FOREIGN);
    home.run(&["uninstall", "--purge"]).done();
    assert!(!home.at("home/.claude/comm-node").exists());
}

#[test]
fn an_installation_after_a_foreign_change_is_undone_by_taking_ours_out() {
    let home = Home::new();
    home.write("home/.claude/settings.json", FOREIGN);
    home.install(&[]).done();
    // Somebody removes one of our entries and changes something else.
    let mut value = home.json("home/.claude/settings.json");
    value["hooks"]["Stop"] = serde_json::json!([]);
    value["model"] = "haiku".into();
    home.write("home/.claude/settings.json", &serde_json::to_string_pretty(&value).expect("writes"));
    home.run(&["doctor"]).refused().says("FAIL hooks-wired: missing for Stop");
    home.install(&[]).done().says("wired the hooks");
    home.run(&["uninstall"]).done();
    let mut expected: Value = serde_json::from_str(FOREIGN).expect("JSON");
    expected["model"] = "haiku".into();
    assert_eq!(home.json("home/.claude/settings.json"), expected);
}

#[test]
fn what_is_no_settings_file_is_refused_and_left() {
    for (text, place) in [
        ("{\n  // mine\n  \"a\": 1\n}", "line 2, column 3"),
        ("\u{feff}{}", "byte order mark"),
        ("{\"a\": 1,}", "line 1, column 8"),
        ("[]", "line 1, column 1"),
        ("{\"hooks\": []}", "line 1, column 11"),
        ("{\"hooks\": {\"Stop\": {}}}", "`hooks.Stop` must be an array"),
        ("{\"hooks\": {}, \"hooks\": {}}", "second time"),
        ("{\"permissions\": []}", "`permissions` must be an object"),
        ("", "empty"),
    ] {
        let home = Home::new();
        home.write("home/.claude/settings.json", text);
        let before = home.tree();
        let ran = home.install(&[]).refused().says(place);
        assert!(ran.err.contains("settings.json") && ran.err.contains("left as it is"), "{}", ran.err);
        assert_eq!(home.tree(), before, "{text:?}");
    }
}

#[test]
fn symbolic_link_and_mode_are_kept() {
    let home = Home::new();
    home.write("home/dotfiles/claude.json", "{\n  \"model\": \"opus\"\n}\n");
    fs::set_permissions(home.at("home/dotfiles/claude.json"), fs::Permissions::from_mode(0o600))
        .expect("mode");
    fs::create_dir(home.at("home/.claude")).expect("makes");
    symlink("../dotfiles/claude.json", home.settings()).expect("links");
    let before = home.tree();
    home.install(&[]).done();
    assert!(home.settings().is_symlink());
    assert!(home.read("home/dotfiles/claude.json").contains("comm-node-pre-tool-use"));
    assert_eq!(
        home.at("home/dotfiles/claude.json").metadata().expect("there").permissions().mode() & 0o777,
        0o600
    );
    home.run(&["uninstall"]).done();
    assert_eq!(home.tree(), before);
}

#[test]
fn installers_at_the_same_time_are_one_installation() {
    let home = Home::new();
    home.write("home/.claude/settings.json", FOREIGN);
    let from = home.at("programs").display().to_string();
    let children: Vec<_> = (0..6)
        .map(|_| {
            let mut command = home.command("work", &["install", "--from", &from]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts")
        })
        .collect();
    for child in children {
        Ran::of(child.wait_with_output().expect("ends")).done();
    }
    let settings = home.json("home/.claude/settings.json");
    assert_eq!(settings["hooks"]["PreToolUse"].as_array().map(Vec::len), Some(3));
    assert_eq!(fs::read_dir(home.at("home/.claude/comm-node/backups")).expect("there").count(), 1);
    home.run(&["uninstall"]).done().says("byte for byte");
    assert_eq!(home.read("home/.claude/settings.json"), FOREIGN);
}

#[test]
fn installers_and_uninstallers_at_the_same_time_leave_valid_files() {
    let home = Home::new();
    home.write("home/.claude/settings.json", FOREIGN);
    let from = home.at("programs").display().to_string();
    for _ in 0..3 {
        let children: Vec<_> = (0..6)
            .map(|i| {
                let args = if i % 2 == 0 { vec!["install", "--from", &from] } else { vec!["uninstall"] };
                let mut command = home.command("work", &args);
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts")
            })
            .collect();
        for child in children {
            let ran = Ran::of(child.wait_with_output().expect("ends"));
            // A doctor may look while another takes everything away; that is a failed check and
            // no more.
            assert!(!ran.err.contains("error"), "{}", ran.err);
        }
        home.json("home/.claude/settings.json");
    }
    home.install(&[]).done();
    home.run(&["uninstall"]).done();
    assert_eq!(home.read("home/.claude/settings.json"), FOREIGN);
}

#[test]
fn a_kill_at_any_time_leaves_the_old_file_or_the_new_one() {
    let home = Home::new();
    home.write("home/.claude/settings.json", FOREIGN);
    let start = std::time::Instant::now();
    home.install(&[]).done();
    let whole = u64::try_from(start.elapsed().as_micros()).expect("short");
    let wired = home.read("home/.claude/settings.json");
    home.run(&["uninstall"]).done();
    let from = home.at("programs").display().to_string();
    let mut seen = [0, 0];
    for i in 0..600u64 {
        if i >= 60 && seen.iter().all(|n| *n > 0) {
            break;
        }
        let args = if i % 3 == 2 { vec!["uninstall"] } else { vec!["install", "--from", &from] };
        let mut command = home.command("work", &args);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        // Spread over what an installation takes, without a pattern.
        std::thread::sleep(Duration::from_micros(i * 7919 % whole));
        child.kill().expect("kills");
        child.wait().expect("ends");
        let now = home.read("home/.claude/settings.json");
        assert!(now == FOREIGN || now == wired, "after {i}: {now}");
        seen[usize::from(now == wired)] += 1;
    }
    assert!(seen[0] > 0 && seen[1] > 0, "both were met: {seen:?}");
    home.install(&[]).done();
    assert_eq!(home.read("home/.claude/settings.json"), wired);
    home.run(&["uninstall"]).done();
    assert_eq!(home.read("home/.claude/settings.json"), FOREIGN);
    let left: Vec<_> =
        home.tree().into_keys().filter(|p| p.to_string_lossy().contains("comm-node")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn missing_programs_are_listed() {
    let home = Home::new();
    fs::remove_file(home.at("programs/comm-node-stop")).expect("removes");
    fs::set_permissions(home.at("programs/comm-node-pre-compact"), fs::Permissions::from_mode(0o644))
        .expect("mode");
    let before = home.tree();
    home.install(&[]).refused().says("it lacks comm-node-stop, comm-node-pre-compact").says("--from");
    assert_eq!(home.tree(), before);
}

#[test]
fn a_dry_run_shows_everything_and_changes_nothing() {
    let home = Home::new();
    home.write("home/.claude/settings.json", FOREIGN);
    let before = home.tree();
    let ran = home.install(&["--dry-run"]).done();
    for part in ["new        comm-node-stop", "+\t\t\"SessionStart\": [", "@@", "--- ", "nothing was changed"]
    {
        assert!(ran.out.contains(part), "{part:?} not in {}", ran.out);
    }
    assert_eq!(home.tree(), before);
    home.install(&[]).done();
    let installed = home.tree();
    home.run(&["uninstall", "--dry-run"]).done().says("-\t\t\"SessionStart\": [");
    home.install(&["--dry-run"]).done().says("unchanged");
    assert_eq!(home.tree(), installed);
}

#[test]
fn the_scopes_are_the_client_s_files() {
    let home = Home::new();
    fs::create_dir_all(home.at("work/.git")).expect("makes");
    fs::create_dir_all(home.at("work/deep/er")).expect("makes");
    let from = home.at("programs").display().to_string();
    let run = |args: &[&str]| Ran::of(home.command("work/deep/er", args).output().expect("runs"));
    run(&["install", "--scope", "local", "--from", &from]).done();
    assert!(home.at("work/.claude/settings.local.json").is_file());
    assert!(!home.settings().exists());
    run(&["install", "--scope", "project", "--from", &from]).done().says("WARN hooks-once");
    assert!(home.at("work/.claude").is_dir());
    // The programs stay as long as one file names them.
    run(&["uninstall", "--scope", "local"]).done().says("still uses them");
    assert!(home.at("home/.claude/comm-node/bin/comm-node-stop").is_file());
    run(&["uninstall", "--scope", "project"]).done().says(&counted("removed N programs"));
    assert!(!home.at("work/.claude").exists() && !home.at("home/.claude").exists());
}

#[test]
fn a_directory_that_install_made_goes_with_its_file() {
    let home = Home::new();
    home.install(&[]).done();
    let before = home.tree();
    home.install(&["--scope", "local"]).done().says("started in").says("WARN hooks-once");
    home.run(&["uninstall", "--scope", "local"]).done();
    let after = home.tree();
    let changed = |path: &Path| !path.ends_with("install.json") && before.get(path) != after.get(path);
    assert!(!before.keys().chain(after.keys()).any(|p| changed(p)), "{:?}", after.keys());
}

#[test]
fn programs_are_upgraded_and_the_installed_ones_can_rewire() {
    let home = Home::new();
    home.install(&[]).done();
    home.program("stop", "#!/bin/sh\n# newer\nexit 0\n");
    home.install(&[]).done().says(&counted("copied 1 of N")).says("already installed");
    assert!(home.read("home/.claude/comm-node/bin/comm-node-stop").contains("newer"));
    fs::remove_file(home.settings()).expect("removes");
    let bin = home.at("home/.claude/comm-node/bin").display().to_string();
    home.run(&["install", "--from", &bin]).done().says("so none were copied").says("wired the hooks");
}

#[test]
fn a_foreign_command_is_not_overwritten() {
    let home = Home::new();
    home.write("home/.local/bin/comm-node", "mine");
    home.install(&[]).done().says("is not ours and was left").says("WARN path");
    home.run(&["uninstall"]).done();
    assert_eq!(home.read("home/.local/bin/comm-node"), "mine");

    let home = Home::new();
    home.install(&["--no-link"]).done();
    assert!(!home.at("home/.local").exists());
}

#[test]
fn without_its_record_it_is_taken_back_all_the_same() {
    let home = Home::new();
    home.write("home/.claude/settings.json", FOREIGN);
    home.install(&[]).done();
    fs::remove_file(home.at("home/.claude/comm-node/install.json")).expect("removes");
    home.run(&["doctor"]).done().says("WARN record");
    home.run(&["uninstall", "--dry-run"]).done().says("link ~/.local/bin/comm-node: would be removed");
    home.run(&["uninstall"]).done();
    assert_eq!(home.read("home/.claude/settings.json"), FOREIGN);
    assert!(!home.at("home/.claude/comm-node/bin").exists());
    assert!(!home.at("home/.local/bin/comm-node").is_symlink(), "it would lead nowhere");

    // All of it is gone but for the link.
    let home = Home::new();
    home.install(&[]).done();
    fs::remove_dir_all(home.at("home/.claude")).expect("removes");
    home.run(&["uninstall"]).done().says("removed the link");
    assert!(!home.at("home/.local/bin/comm-node").is_symlink());
    home.run(&["uninstall"]).done().says("nothing of comm-node is installed");

    let home = Home::new();
    home.install(&[]).done();
    home.write("home/.claude/comm-node/install.json", "{");
    home.install(&[]).done().says("it was set aside");
    home.run(&["uninstall"]).done();
    assert!(!home.read("home/.claude/settings.json").contains("comm-node"));
}

/// Neither is a pipe waited for, nor a file read that is far too large.
#[test]
fn what_stands_in_the_place_of_a_file_is_named() {
    type Put = fn(&Path);
    let pipe: Put = |at| assert!(Command::new("mkfifo").arg(at).status().expect("runs").success());
    let dir: Put = |at| fs::create_dir(at).expect("makes");
    let huge: Put = |at| fs::File::create(at).and_then(|file| file.set_len(17 << 20)).expect("makes");
    for (put, said) in
        [(pipe, "is not a plain file"), (dir, "is not a plain file"), (huge, "has 17825792 bytes")]
    {
        let instead = |home: &Home, path: &str| {
            let path = home.at(path);
            fs::create_dir_all(path.parent().expect("has one")).expect("makes");
            let _ = fs::remove_file(&path);
            put(&path);
        };
        // What the client says of its plugins.
        let home = Home::new();
        home.install(&[]).done();
        instead(&home, "home/.claude/plugins/installed_plugins.json");
        let ran = home.run_in_time(&["doctor"]).refused();
        ran.says("FAIL settings-json: ").says("installed_plugins.json").says(said);
        // A weaker settings file, in which the status line is looked for.
        let home = Home::new();
        instead(&home, "home/.claude/settings.json");
        home.install(&["--scope", "local"]).refused().says(said);
        assert!(!home.at("work/.claude").exists());
        // The installer's own files are made anew, where something else can be replaced.
        let home = Home::new();
        home.write("home/.claude/settings.json", FOREIGN);
        home.install(&[]).done();
        let backups = home.at("home/.claude/comm-node/backups");
        let backup = fs::read_dir(backups).expect("lists").flatten().next().expect("one").path();
        fs::remove_file(&backup).expect("removes");
        put(&backup);
        for path in ["conventions.md", "bin/comm-node-stop"] {
            let path = format!("home/.claude/comm-node/{path}");
            instead(&home, &path);
            let ran = home.install(&[]);
            if home.at(&path).is_dir() {
                assert_ne!(ran.code, Some(0), "{}", ran.out);
                fs::remove_dir(home.at(&path)).expect("removes");
                home.install(&[]).done();
            }
            assert!(home.at(&path).metadata().expect("there").len() < 1 << 20);
        }
        home.run_in_time(&["uninstall"]);
        assert_eq!(home.read("home/.claude/settings.json"), FOREIGN);
    }
}

#[test]
fn a_file_that_broke_since_keeps_its_programs() {
    let home = Home::new();
    home.install(&[]).done();
    let broken = home.read("home/.claude/settings.json").replacen('{', "{,", 1);
    home.write("home/.claude/settings.json", &broken);
    home.run(&["doctor"]).refused().says("FAIL settings-json");
    // Without its program the guard would block every edit.
    home.run(&["uninstall"]).refused().says("kept the programs");
    assert_eq!(home.read("home/.claude/settings.json"), broken);
    assert!(home.at("home/.claude/comm-node/bin/comm-node-stop").is_file());
}

#[test]
fn doctor_finds_what_is_wrong() {
    type Harm = fn(&Home);
    fn change(home: &Home, edit: impl FnOnce(&mut Value)) {
        let mut value = home.json("home/.claude/settings.json");
        edit(&mut value);
        home.write("home/.claude/settings.json", &value.to_string());
    }
    let cases: [(&str, Harm); 15] = [
        ("FAIL programs: ", |h| {
            fs::remove_file(h.at("home/.claude/comm-node/bin/comm-node-stop")).expect("removes")
        }),
        ("not what was installed: comm-node-stop", |h| {
            fs::write(h.at("home/.claude/comm-node/bin/comm-node-stop"), "#!/bin/sh\n").expect("writes");
        }),
        ("FAIL programs-run: comm-node-stop ended with exit 3", |h| {
            fs::write(h.at("home/.claude/comm-node/bin/comm-node-stop"), "#!/bin/sh\nexit 3\n")
                .expect("writes");
        }),
        ("FAIL programs-run: comm-node-stop printed 2 bytes", |h| {
            fs::write(h.at("home/.claude/comm-node/bin/comm-node-stop"), "#!/bin/sh\necho x\n")
                .expect("writes");
        }),
        ("FAIL hooks-valid: 1 entries are wrong: PreToolUse (^mcp__)", |h| {
            change(h, |v| {
                drop(v["hooks"]["PreToolUse"][1]["hooks"][0].as_object_mut().map(|o| o.remove("onFailure")))
            });
        }),
        ("has no list `args`", |h| {
            change(h, |v| drop(v["hooks"]["Stop"][0]["hooks"][0].as_object_mut().map(|o| o.remove("args"))));
        }),
        ("would swallow prompts", |h| {
            change(h, |v| v["hooks"]["UserPromptSubmit"][0]["hooks"][0]["onFailure"] = "block".into());
        }),
        ("FAIL hooks-wired: missing for SessionEnd", |h| {
            change(h, |v| drop(v["hooks"].as_object_mut().map(|o| o.remove("SessionEnd"))));
        }),
        ("FAIL hooks-once: 1 wired twice, such as Stop", |h| {
            change(h, |v| {
                let again = v["hooks"]["Stop"][0].clone();
                v["hooks"]["Stop"].as_array_mut().expect("ours").push(again);
            });
        }),
        ("FAIL settings-switches: disableAllHooks", |h| change(h, |v| v["disableAllHooks"] = true.into())),
        ("FAIL settings-json: ", |h| h.write("work/.claude/settings.json", "{\"hooks\": {\"Stop\": [{}]}}")),
        ("has no `command`", |h| {
            h.write(
                "work/.claude/settings.json",
                r#"{"hooks": {"Stop": [{"hooks": [{"type": "command"}]}]}}"#,
            );
        }),
        ("FAIL settings-json: ", |h| h.write("work/.claude/settings.local.json", "{")),
        ("WARN permissions: agents must ask before Bash(comm-node why:*)", |h| {
            change(h, |v| v["permissions"]["allow"] = serde_json::json!(["Bash(comm-node:*)"]));
        }),
        ("FAIL guard-denies: a write into another domain's scope was not denied", |h| {
            fs::write(h.at("home/.claude/comm-node/bin/comm-node-pre-tool-use"), "#!/bin/sh\n")
                .expect("writes");
        }),
    ];
    for (line, harm) in cases {
        let home = Home::new();
        home.install(&[]).done();
        harm(&home);
        let ran = home.run(&["doctor"]).says(line);
        assert_eq!(
            ran.code,
            Some(i32::from(line.starts_with("FAIL") || !line.starts_with("WARN"))),
            "{}",
            ran.out
        );
        let json: Value = serde_json::from_str(&home.run(&["doctor", "--json"]).out).expect("JSON");
        assert_eq!(json["ok"], ran.code == Some(0));
        assert!(json["checks"].as_array().expect("a list").len() >= 12);
    }
    let home = Home::new();
    home.run(&["doctor"])
        .refused()
        .says("FAIL hooks-wired: no settings file and no plugin")
        .says("FAIL guard-denies");
}

/// Whoever has installed nothing yet is not told to remove the one program that they have.
#[test]
fn doctor_wants_no_program_removed_where_nothing_is_installed() {
    let home = Home::new();
    home.write("home/.local/bin/comm-node", "#!/bin/sh\nexit 0\n");
    let program = home.at("home/.local/bin/comm-node");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("mode");
    let said =
        home.run(&["doctor"]).says("SKIP path: ").says("is the only one, nothing is installed beside it");
    assert!(!said.out.contains("remove it"), "{}", said.out);
    fs::remove_file(&program).expect("removes");
    home.install(&[]).done();
    home.write("home/other/comm-node", "#!/bin/sh\nexit 0\n");
    fs::set_permissions(home.at("home/other/comm-node"), fs::Permissions::from_mode(0o755)).expect("mode");
    let mut command = home.command("work", &["doctor"]);
    command.env("PATH", home.at("home/other"));
    Ran::of(command.output().expect("runs")).says("WARN path: ").says("is another one than");
}

#[test]
fn doctor_mends_the_state_of_a_node() {
    let home = Home::new();
    home.install(&[]).done();
    home.write("work/comm-node.yaml", "version: 1\nname: shop\ndomains:\n  a:\n    scope: [\"a/**\"]\n");
    home.write(
        "work/.comm-node/sessions/dead.jsonl",
        r#"{"version":1,"session_id":"dead","process":{"pid":1,"start":1,"machine":"gone"}}"#,
    );
    home.write("work/.comm-node/sessions/torn.jsonl", r#"{"version":1,"#);
    let old =
        fs::File::options().write(true).open(home.at("work/.comm-node/sessions/dead.jsonl")).expect("opens");
    old.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("time");
    fs::set_permissions(home.at("work/.comm-node"), fs::Permissions::from_mode(0o755)).expect("mode");
    home.run(&["doctor"])
        .refused()
        .says("FAIL state-dir")
        .says("WARN sessions: 1 on record whose client is gone: dead")
        .says("torn.jsonl");
    home.write("work/.comm-node/.registry.json.1-0.tmp", "{}");
    let left = fs::File::options()
        .write(true)
        .open(home.at("work/.comm-node/.registry.json.1-0.tmp"))
        .expect("opens");
    left.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("time");
    home.run(&["doctor"]).says("WARN leftovers: 0 records").says("1 old temporary files");
    home.run(&["doctor", "--fix"])
        .says("PASS state-dir")
        .says("PASS sessions: ended 1")
        .says("PASS leftovers: removed")
        .says("PASS state-files: set aside");
    home.run(&["doctor"]).says("PASS state-dir").says("PASS sessions: 0 live").says("PASS state-files");
    assert!(home.at("work/.comm-node/sessions/ended/dead.jsonl").is_file());
}

/// The real programs, as they were built, and the real guard.
#[test]
fn the_real_programs_prove_themselves() {
    let home = Home::new();
    let before = home.tree();
    let ran = home.run(&["install"]).done();
    for part in [&counted("copied N of N"), "PASS programs-run", "PASS guard-denies", "PASS guard-allows"] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    // The installed command line, found by its link, does the same.
    let mut linked = Command::new(home.at("home/.local/bin/comm-node"));
    linked.arg("install").env_clear().env("HOME", home.at("home")).current_dir(home.at("work"));
    Ran::of(linked.output().expect("runs")).done().says("so none were copied").says("already installed");
    let mut linked = Command::new(home.at("home/.local/bin/comm-node"));
    linked.arg("uninstall").env_clear().env("HOME", home.at("home")).current_dir(home.at("work"));
    Ran::of(linked.output().expect("runs")).done();
    assert_eq!(home.tree(), before);
}

/// A client that writes its arguments down and does as the real one does with a plugin.
fn fake_client(home: &Home) {
    home.write("home/.local/bin/claude", "#!/bin/sh\nif [ \"$1\" = --version ]; then echo '2.1.100 (Claude Code)'; else echo \"$@\" >> \"$HOME/claude.log\"; fi\n");
    fs::set_permissions(home.at("home/.local/bin/claude"), fs::Permissions::from_mode(0o755)).expect("mode");
    home.write(
        "home/.claude/plugins/installed_plugins.json",
        r#"{"version":2,"plugins":{"comm-node@comm-node":[{"scope":"user","installPath":"/nowhere"}]}}"#,
    );
    let place = home.at("home/.claude/comm-node/plugin").display().to_string();
    let markets = serde_json::json!({"comm-node": {"source": {"source": "directory", "path": place}}});
    home.write("home/.claude/plugins/known_marketplaces.json", &markets.to_string());
    home.write("home/.claude/settings.json", r#"{"enabledPlugins": {"comm-node@comm-node": true}}"#);
}

#[test]
fn the_plugin_is_set_up_by_the_client() {
    let home = Home::new();
    fake_client(&home);
    home.install(&["--plugin"])
        .done()
        .says("PASS hooks-wired")
        .says("PASS guard-denies")
        .says("PASS one-way: only the plugin")
        .says("WARN client: Claude Code 2.1.100 lets edits through");
    let place = home.at("home/.claude/comm-node/plugin").display().to_string();
    assert_eq!(
        home.read("home/claude.log"),
        format!("plugin marketplace add {place}\nplugin install comm-node@comm-node\n")
    );
    for file in [
        ".claude-plugin/marketplace.json",
        "plugin/.claude-plugin/plugin.json",
        "plugin/hooks/hooks.json",
        "plugin/monitors/monitors.json",
        "plugin/bin/comm-node",
        "plugin/README.md",
    ] {
        assert!(Path::new(&place).join(file).is_file(), "{file}");
    }
    assert!(!home.read("home/.claude/settings.json").contains("PreToolUse"));

    // Both at once is said, and is a failed check.
    home.install(&[]).refused().says("FAIL one-way");
    home.install(&["--plugin"]).refused().says("every hook runs twice");
    home.run(&["uninstall", "--scope", "user"]).done().says("kept the programs");
    home.run(&["doctor"]).done();
    home.run(&["uninstall"]).done().says("ran: claude plugin uninstall comm-node@comm-node");
    assert!(!home.at("home/.claude/comm-node").exists());
}

#[test]
fn without_a_client_the_commands_are_printed() {
    let home = Home::new();
    home.install(&["--plugin"])
        .refused()
        .says("run these yourself")
        .says("claude plugin install comm-node@comm-node");
    assert!(!home.settings().exists());
}

#[test]
fn claude_config_dir_is_honoured() {
    let home = Home::new();
    let from = home.at("programs").display().to_string();
    let mut command = home.command("work", &["install", "--from", &from]);
    command.env("CLAUDE_CONFIG_DIR", home.at("home/elsewhere"));
    Ran::of(command.output().expect("runs")).done();
    assert!(home.read("home/elsewhere/settings.json").contains("elsewhere/comm-node/bin/comm-node-stop"));
    assert!(!home.at("home/.claude").exists());
}
