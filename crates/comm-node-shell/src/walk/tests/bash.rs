//! Compares with what bash itself does: every file that a command makes must be in its write set, unless
//! that says that it can't know.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::render;
use crate::{Certainty, Context, FileKind, Target, Tree, WriteSet, write_set};

/// The real file tree.
struct Real;

impl Tree for Real {
    fn kind(&self, path: &Path) -> Option<FileKind> {
        let meta = path.metadata().ok()?;
        Some(if meta.is_dir() { FileKind::Directory } else { FileKind::File })
    }

    fn names(&self, path: &Path) -> Option<Vec<String>> {
        path.read_dir().ok()?.map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
    }
}

/// Every path below `root`.
fn all(root: &Path, found: &mut Vec<PathBuf>) {
    for entry in root.read_dir().unwrap().flatten() {
        found.push(entry.path());
        if entry.file_type().unwrap().is_dir() {
            all(&entry.path(), found);
        }
    }
}

/// Runs `command` in a directory of its own; what was made there, and what was said before.
#[expect(clippy::print_stdout, reason = "a comparison that does not take place is said aloud")]
fn run(command: &str) -> Option<(Vec<PathBuf>, WriteSet)> {
    let root = tempfile::tempdir().unwrap();
    // Deep enough for every `cd ..`.
    let cwd = root.path().join("h/n/n/n/n/n/n/n/n");
    std::fs::create_dir_all(cwd.join("d/e")).unwrap();
    std::fs::write(cwd.join("d/x.rs"), "").unwrap();
    std::fs::write(cwd.join("a.rs"), "").unwrap();
    let home = root.path().join("h");
    let mut before = Vec::new();
    all(root.path(), &mut before);
    let context = Context {
        cwd: cwd.clone(),
        home: Some(home.clone()),
        variables: Vec::new(),
        rows: Vec::new(),
        own: None,
    };
    let set = write_set(command, &context, &Real);
    let child = Command::new("bash")
        .args(["--norc", "-c", &format!("ulimit -t 2; {command}")])
        .current_dir(&cwd)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", &home)
        .env("PWD", &cwd)
        .env("FUNCNEST", "6")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else {
        println!("SKIPPED: there is no bash here to compare with");
        return None;
    };
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(3) {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let mut after = Vec::new();
    all(root.path(), &mut after);
    after.retain(|path| !before.contains(path));
    Some((after, set))
}

/// Whether `path` is said to be written.
fn covered(path: &Path, set: &WriteSet) -> bool {
    set.writes.iter().any(|write| {
        let target = comm_node_core::path::lexical(Path::new("/"), write.target.path());
        match write.target {
            Target::Under(_) => path.starts_with(&target),
            // `mkdir -p` makes those above, too.
            _ => target.starts_with(path),
        }
    })
}

fn word() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "a",
        "b",
        "d",
        "d/e",
        "$x",
        "\"$x\"",
        "$1",
        "\"$@\"",
        "${x%?}",
        "${y:-a}",
        "{a,b}",
        "*",
        "d/*",
        "$(echo a)",
        "`pwd`/a",
        "k$i",
        "\"${l[@]}\"",
        "~/a",
        "\"$PWD/a\"",
        "$OLDPWD/b",
        "${x#a}b",
        "$#",
        "'a b'",
        "../a",
        "./b",
        "${x:+c}",
        "$z",
    ];
    prop::sample::select(WORDS).prop_map(str::to_owned)
}

fn statement() -> impl Strategy<Value = String> {
    let plain = prop::sample::select(
        &[
            "cd -",
            "cd ..",
            "shift",
            "exit",
            "break",
            "continue",
            "return",
            "g",
            "unset x",
            "eval '> $x'",
            "bash -c '> k'",
            "bash -c '> k$x'",
            "popd",
            "export x",
            "x=$(pwd)/k",
            "set -e",
            "read x <<< b",
            ": $((i++))",
            "i=1",
            "y=$((i + 1))",
            "(exit 1)",
            "false",
            "[ -f a ]",
            "[[ -d d ]]",
            "local y",
            "pushd d",
            "i=$((i + 1)); > c$i",
            "set --",
            "cd",
            "> *.rs.new",
            "echo '> p' | bash",
            "bash <<< '> q'",
            "l=()",
            "z=$(f a)",
        ][..],
    )
    .prop_map(str::to_owned);
    let with = prop::sample::select(
        &[
            "> @",
            "touch @",
            "cd @",
            "x=@",
            "y=${x}@",
            "x+=@",
            "set -- @ b",
            "f @",
            "l=(@ b)",
            "l+=(@)",
            "local x=@",
            "touch u",
            "cd @ && > k",
            "cd @ || exit",
            "x=a/@",
            "trap '> t'@ EXIT",
            "eval > @",
            "printf -v x %s @",
            "set -- a @",
            "{ mkdir -p w; cd w; }",
            "> m@",
            "export x=@",
            "x=@ bash -c '> r$x'",
            "x=@ eval '> $x'",
            "cd @; cd d",
            "echo @ > s",
        ][..],
    );
    let leaf = prop_oneof![plain, (with, word()).prop_map(|(text, word)| text.replace('@', &word))];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let frame = prop::sample::select(
            &[
                "@; %",
                "@; %",
                "@; %",
                "@ || %",
                "@ | %",
                "{ @; }; %",
                "(@); %",
                "if @; then %; fi",
                "if [ -d d ]; then @; else %; fi",
                "for x in a d; do @; done; %",
                "for x in $y *; do @; %; done",
                "while [ $((n++)) -lt 3 ]; do @; done; %",
                "f() { @; }; %",
                "f() { @; %; }; f a",
                "g() { @; }; f() { g $1; %; }; f d",
                "case $x in a) @;; *) %;; esac",
                "y=$(@; %)",
                "@ & wait; %",
                "set -e; @; %",
                "! @; %",
                "for ((n = 0; n < 2; n++)); do @; done; %",
                "f() (@); %; f",
                "for x; do @; done; %",
                "until [ $((n++)) -gt 2 ]; do @; %; done",
            ][..],
        );
        (frame, inner.clone(), inner).prop_map(|(text, a, b)| text.replace('@', &a).replace('%', &b))
    })
}

/// The same commands each time, because a command in which something fails may show a difference that is
/// meant: what stands behind a failed `&&` is taken to be run. `COMPARED=1000` compares others, and more.
fn config() -> ProptestConfig {
    let more = std::env::var("COMPARED").ok().and_then(|text| text.parse().ok());
    let rng_seed = if more.is_some() { RngSeed::Random } else { RngSeed::Fixed(1) };
    let base = ProptestConfig { rng_seed, failure_persistence: None, ..ProptestConfig::default() };
    ProptestConfig { cases: more.unwrap_or(100), max_shrink_iters: 400, ..base }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_made_is_in_the_write_set(command in statement(), more in statement(), last in word()) {
        let command = format!("{command}; {more}; > {last}");
        if let Some((made, set)) = run(&command) && set.unknown.is_empty() {
            for path in made {
                prop_assert!(covered(&path, &set), "{}: {:?} in {:?}", command, path, render(&set));
            }
        }
    }
}

/// Without a condition and a fault, what is certain is made, and nothing else.
#[test]
fn what_is_certain_is_made() {
    for command in [
        "> a; cd d; > b; cd ..; > c",
        "x=k; for y in 1 2 {3..5}; do > $x$y; done",
        "f() { local d=$1; shift; for x; do touch \"$d/$x\"; done; }; f d a b; f d/e c",
        "(cd d && > a); mkdir -p u/v && cd u/v && touch w && cd - && > x",
        "set -- 'a b' c; for x in \"$@\"; do > \"$x\"; done",
        "l=(a b); l+=(c); touch \"${l[@]}\"",
        "for f in d/*.rs; do > \"${f%.rs}.txt\"; done",
        "x=$(basename d/x.rs .rs); > $x; y=$(dirname d/x.rs)/k; > $y",
        "bash -c 'cd d; > \"$1\"' _ f; echo '> g' | bash",
        "export x=1; bash -c '> k$x'; x=2 bash -c '> k$x'",
        "trap '> t' EXIT; > a",
        "cat > a <<< x; tee b c < a > /dev/null; > ~/z",
    ] {
        let Some((made, set)) = run(command) else { return };
        for path in &made {
            assert!(covered(path, &set), "{command}: {path:?} in {:?}", render(&set));
        }
        for write in &set.writes {
            let path = comm_node_core::path::lexical(Path::new("/"), write.target.path());
            assert!(
                write.certainty == Certainty::Possible || made.contains(&path) || path.exists(),
                "{command}: {path:?} is not among {made:?}"
            );
        }
    }
}
