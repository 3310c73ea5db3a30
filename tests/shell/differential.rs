//! Random commands are run by the real bash, and what changed on disk is held against the write set.
//!
//! Every real change must be covered by a write, or the command be called unknown; a certain write to a file
//! that didn't happen is a false claim. `SHELL_CASES` and `SHELL_SEED` choose others;
//! `SHELL_SKIP='a|b'` leaves out those with such a piece, to look behind a failure that is known.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use comm_node_shell::{Certainty, Context, Target, Tree, WriteSet, write_set};

use crate::fixture::{RealTree, resolve};
use crate::grammar::Maker;
use crate::node::{Node, Random};
use crate::number;

/// The greatest share of commands that may be called unknown, in percent.
const UNKNOWN: usize = 15;
/// How many different failures are shown, each made small.
const SHOWN: usize = 40;
/// The most runs to make one failure small.
const SHRINKING: usize = 400;

const FILES: &[(&str, &str)] = &[
    ("a.txt", "x one\n"),
    ("b.txt", "x two\n"),
    ("c d.txt", "x three\n"),
    (".hid", "x\n"),
    ("d/a.txt", "x four\n"),
    ("d/b.txt", "x five\n"),
    ("d/e/x.txt", "x six\n"),
    ("e/y.txt", "x seven\n"),
    ("e/b.txt", "x eight\n"),
];

type Extract = fn(&str, &Context<'_>, &dyn Tree) -> WriteSet;

/// Where commands run: deep, so that a few `..` don't leave it.
struct Sandbox {
    _temp: tempfile::TempDir,
    top: PathBuf,
    home: PathBuf,
    cwd: PathBuf,
}

/// What a name stood for.
#[derive(Clone, Debug, PartialEq)]
struct Thing {
    kind: char,
    mode: u32,
    inode: u64,
    modified: Option<SystemTime>,
    content: Vec<u8>,
}

impl Sandbox {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let top = temp.path().canonicalize().unwrap().join("top");
        let home = top.join("1/2/3/4/5/6/home");
        let cwd = home.join("7/8/9/work");
        Self { _temp: temp, top, home, cwd }
    }

    /// Everything as in the beginning.
    fn reset(&self) {
        if self.top.exists() {
            // What a command made unreadable can't be removed otherwise.
            let _ = fs::set_permissions(&self.top, fs::Permissions::from_mode(0o755));
            fs::remove_dir_all(&self.top).unwrap();
        }
        for dir in ["d/e", "e", "empty"] {
            fs::create_dir_all(self.cwd.join(dir)).unwrap();
        }
        let mut age = 1_000_000_000;
        for (name, text) in FILES {
            self.file(&self.cwd.join(name), text, &mut age);
        }
        self.file(&self.home.join("h.txt"), "x home\n", &mut age);
        symlink("a.txt", self.cwd.join("ln")).unwrap();
        symlink("d", self.cwd.join("dl")).unwrap();
    }

    /// A file with a time of its own, so that any write and any copied time shows.
    fn file(&self, path: &Path, text: &str, age: &mut u64) {
        *age += 1000;
        fs::write(path, text).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(*age);
        fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }

    fn snapshot(&self) -> BTreeMap<PathBuf, Thing> {
        let mut out = BTreeMap::new();
        let mut left = vec![self.top.clone()];
        while let Some(dir) = left.pop() {
            let Ok(names) = fs::read_dir(&dir) else { continue };
            for entry in names {
                let path = entry.unwrap().path();
                let meta = fs::symlink_metadata(&path).unwrap();
                let kind = meta.file_type();
                let thing = Thing {
                    kind: if kind.is_dir() {
                        'd'
                    } else if kind.is_symlink() {
                        'l'
                    } else {
                        'f'
                    },
                    mode: meta.mode(),
                    inode: meta.ino(),
                    modified: if kind.is_dir() { None } else { meta.modified().ok() },
                    content: if kind.is_symlink() {
                        fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
                    } else {
                        fs::read(&path).unwrap_or_default()
                    },
                };
                if kind.is_dir() {
                    left.push(path.clone());
                }
                out.insert(path, thing);
            }
        }
        out
    }

    fn context(&self) -> Context<'static> {
        Context {
            cwd: self.cwd.clone(),
            home: Some(self.home.clone()),
            variables: vec![("TMPDIR", self.home.display().to_string())],
            rows: Vec::new(),
            own: None,
        }
    }
}

/// What came of one command.
#[derive(Debug, PartialEq)]
enum Outcome {
    Agrees,
    /// It can't be known, for what piece.
    Unknown(String),
    /// A change that no write covers.
    Missed(String),
    /// A certain write that didn't happen.
    False(String),
}

fn resolved(target: &Target) -> PathBuf {
    resolve(target.path(), matches!(target, Target::File(_)))
}

fn check(sandbox: &Sandbox, text: &str, extract: Extract) -> Outcome {
    sandbox.reset();
    let set = extract(text, &sandbox.context(), &RealTree);
    if let Some(first) = set.unknown.first() {
        return Outcome::Unknown(format!("{:?} by {}", first.why, first.by));
    }
    // What is run for real stays in the sandbox; nothing is named outside of it but by `>/dev/null`.
    let named = text.replace(">/dev/null", "").replace("> /dev/null", "");
    assert!(!named.contains("/dev/") && !named.contains(" /"), "this command leaves the sandbox: {text}");
    let before = sandbox.snapshot();
    let mut places: Vec<[PathBuf; 2]> =
        set.writes.iter().map(|w| [resolved(&w.target), PathBuf::new()]).collect();
    let child = Command::new("timeout")
        .args(["-k", "1", "10", "bash", "-c", text])
        .current_dir(&sandbox.cwd)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", &sandbox.home)
        .env("TMPDIR", &sandbox.home)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let group = rustix::process::Pid::from_child(&child);
    let output = child.wait_with_output().unwrap();
    // `timeout` leads a group of its own. What was started in the background may still write.
    let deadline = Instant::now() + Duration::from_secs(5);
    while rustix::process::test_kill_process_group(group).is_ok() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    let after = sandbox.snapshot();
    for (place, write) in places.iter_mut().zip(&set.writes) {
        place[1] = resolved(&write.target);
    }

    let changed: Vec<&PathBuf> = before
        .keys()
        .chain(after.keys().filter(|k| !before.contains_key(*k)))
        .filter(|path| before.get(*path) != after.get(*path))
        .collect();
    for path in &changed {
        let covered = set.writes.iter().zip(&places).any(|(write, place)| {
            place.iter().any(|p| match write.target {
                Target::File(_) | Target::Entry(_) => {
                    // Directories on the way may have been made for it.
                    p == *path || p.starts_with(path) && !before.contains_key(*path)
                }
                Target::Under(_) => path.starts_with(p) || p.starts_with(path) && !before.contains_key(*path),
                Target::Worktree(_) => true,
                Target::Staged(_) => false,
            })
        });
        if !covered {
            let name = path.strip_prefix(&sandbox.cwd).unwrap_or(path);
            return Outcome::Missed(name.display().to_string());
        }
    }

    // Where bash reported an error, or may have done so unseen, something may rightly not have happened.
    if !output.status.success() || !output.stderr.is_empty() || text.contains("2>") || text.contains("&>") {
        return Outcome::Agrees;
    }
    for (i, write) in set.writes.iter().enumerate() {
        let is_file = matches!(write.target, Target::File(_)) && write.certainty == Certainty::Certain;
        let happened = || {
            places[i].iter().any(|p| {
                // Appending nothing, setting the same mode and touching a directory leave no trace.
                changed.contains(&p)
                    || !p.starts_with(&sandbox.top)
                    || write.by.contains(">>") && p.exists()
                    || write.by.contains("chmod")
                    || p.is_dir()
            })
        };
        let gone_again = || {
            set.writes.iter().zip(&places).any(|(w, at)| {
                matches!(w.target, Target::Entry(_) | Target::Under(_))
                    && at.iter().any(|p| {
                        places[i].iter().any(|mine| mine.starts_with(p) || is_sibling_pattern(p, mine))
                    })
            })
        };
        if is_file && !happened() && !gone_again() {
            return Outcome::False(format!("{} by {}", places[i][0].display(), write.by));
        }
    }
    Outcome::Agrees
}

/// A pattern that matched nothing when it was looked at, but may match what was made since.
fn is_sibling_pattern(pattern: &Path, path: &Path) -> bool {
    pattern.parent() == path.parent()
        && pattern.file_name().is_some_and(|n| n.as_encoded_bytes().iter().any(|b| b"*?[".contains(b)))
}

/// Removes pieces as long as it still fails in the same way.
fn shrink(sandbox: &Sandbox, mut node: Node, extract: Extract) -> (String, Outcome) {
    let mut outcome = check(sandbox, &node.text(), extract);
    let mut runs = 0;
    'again: loop {
        for less in node.smaller() {
            runs += 1;
            if runs > SHRINKING {
                break 'again;
            }
            let other = check(sandbox, &less.text(), extract);
            if std::mem::discriminant(&other) == std::mem::discriminant(&outcome) {
                (node, outcome) = (less, other);
                continue 'again;
            }
        }
        break;
    }
    (node.text(), outcome)
}

fn tools_are_there() -> bool {
    let version = |program: &str| Command::new(program).arg("--version").output().map(|o| o.stdout);
    ["bash", "cp", "sed", "find"].iter().all(|p| version(p).is_ok_and(|v| v.windows(3).any(|w| w == b"GNU")))
}

#[test]
fn what_bash_really_changes_is_in_the_write_set() {
    if !tools_are_there() {
        let why = "it runs GNU bash, coreutils, sed and findutils, which are not all here";
        let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
        return;
    }
    let (cases, seed) = (number("SHELL_CASES", 600), number("SHELL_SEED", 1));
    let sandbox = Sandbox::new();
    let (mut unknown, mut disagree) = (Vec::new(), 0);
    let mut failures: BTreeMap<String, String> = BTreeMap::new();
    let skip = std::env::var("SHELL_SKIP").unwrap_or_default();
    for n in 0..cases {
        let node = Maker::new(Random::case(seed, n)).command();
        if skip.split('|').any(|piece| !piece.is_empty() && node.text().contains(piece)) {
            continue;
        }
        match check(&sandbox, &node.text(), write_set) {
            Outcome::Agrees => {}
            Outcome::Unknown(why) => unknown.push(why),
            Outcome::Missed(_) | Outcome::False(_) => {
                disagree += 1;
                if failures.len() < SHOWN {
                    let (text, outcome) = shrink(&sandbox, node, write_set);
                    failures.entry(text).or_insert(format!("case {n}: {outcome:?}"));
                }
            }
        }
    }
    println!("SHELL_SEED={seed}: {cases} commands, {} unknown, {disagree} disagree", unknown.len());
    if std::env::var_os("SHELL_UNKNOWN").is_some() {
        unknown.iter().for_each(|why| println!("{why}"));
    }
    let shown: Vec<String> = failures.iter().map(|(text, what)| format!("{what}\n{text}\n")).collect();
    assert!(disagree == 0, "{disagree} commands disagree, made small:\n\n{}", shown.join("\n"));
    let share = unknown.len() * 100 / usize::try_from(cases).unwrap().max(1);
    assert!(share < UNKNOWN, "{share} % of the commands are called unknown; SHELL_UNKNOWN=1 shows them");
}

#[test]
fn one_that_sees_nothing_and_one_that_sees_too_much_are_noticed() {
    if !tools_are_there() {
        let why = "it runs GNU bash, coreutils, sed and findutils, which are not all here";
        let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
        return;
    }
    fn blind(_: &str, _: &Context<'_>, _: &dyn Tree) -> WriteSet {
        WriteSet::default()
    }
    fn wild(_: &str, context: &Context<'_>, _: &dyn Tree) -> WriteSet {
        let write =
            |target| comm_node_shell::Write { target, certainty: Certainty::Certain, by: String::new() };
        WriteSet {
            writes: vec![write(Target::File(context.cwd.join("d/a.txt")))],
            unknown: Vec::new(),
            personal: Vec::new(),
        }
    }
    let sandbox = Sandbox::new();
    for text in ["echo x > a.txt", "rm a.txt", "mkdir m", "touch a.txt", "chmod 600 a.txt", "ln -s x y"] {
        assert!(matches!(check(&sandbox, text, blind), Outcome::Missed(_)), "{text}");
    }
    assert_eq!(check(&sandbox, "cat a.txt", blind), Outcome::Agrees);
    assert!(matches!(check(&sandbox, "cat a.txt", wild), Outcome::False(_)));
    assert_eq!(check(&sandbox, "cat a.txt > d/a.txt", wild), Outcome::Agrees);
    assert_eq!(check(&sandbox, "echo x > dl/a.txt", wild), Outcome::Agrees);
    let long = Node::List(
        ["ls", "echo a", "echo b > a.txt", "true"].iter().map(|t| Node::Leaf(vec![(*t).into()])).collect(),
    );
    assert_eq!(shrink(&sandbox, long, blind).0, "echo b > a.txt");
}
