//! Commands and what they write, as lines: certainty, kind and path of each target, then why something
//! can't be known.

mod bash;
mod cwd;
mod expansion;
mod flow;
mod hostile;
mod programs;
mod values;

use std::path::{Path, PathBuf};

use crate::{Certainty, Context, FileKind, Target, Tree, WriteSet, write_set};

/// Directories end with `/`; the names in `big` are too many to be listed.
const TREE: &[&str] = &[
    "/",
    "/n/",
    "/n/.git/",
    "/n/.hidden.rs",
    "/n/a.rs",
    "/n/b.rs",
    "/n/big/",
    "/n/docs/",
    "/n/docs/x.md",
    "/n/src/",
    "/n/src/deep/",
    "/n/src/deep/z.rs",
    "/n/src/x.rs",
    "/n/src/y.rs",
    "/n/with space.rs",
    "/tmp/",
    "/home/",
    "/home/u/",
];

/// The tree that the commands find.
struct Fake;

impl Tree for Fake {
    fn kind(&self, path: &Path) -> Option<FileKind> {
        let path = comm_node_core::path::lexical(Path::new("/"), path);
        let is = |entry: &&&str| {
            Path::new(entry.trim_end_matches('/')) == path || **entry == "/" && path == Path::new("/")
        };
        TREE.iter()
            .find(is)
            .map(|entry| if entry.ends_with('/') { FileKind::Directory } else { FileKind::File })
    }

    fn names(&self, path: &Path) -> Option<Vec<String>> {
        let path = comm_node_core::path::lexical(Path::new("/"), path);
        if self.kind(&path) != Some(FileKind::Directory) || path == Path::new("/n/big") {
            return None;
        }
        let below = |entry: &&str| {
            let entry = Path::new(entry.trim_end_matches('/'));
            (entry.parent() == Some(&path)).then(|| entry.file_name().unwrap().to_str().unwrap().to_owned())
        };
        Some(TREE.iter().filter_map(below).collect())
    }
}

fn context() -> Context<'static> {
    Context {
        cwd: PathBuf::from("/n"),
        home: Some(PathBuf::from("/home/u")),
        variables: vec![("CLAUDE_PROJECT_DIR", "/n".to_owned())],
        rows: Vec::new(),
        own: None,
    }
}

fn run(command: &str) -> WriteSet {
    write_set(command, &context(), &Fake)
}

/// A write set as lines.
fn render(set: &WriteSet) -> Vec<String> {
    let mut lines = Vec::new();
    for write in &set.writes {
        let kind = match write.target {
            Target::File(_) => "File",
            Target::Entry(_) => "Entry",
            Target::Under(_) => "Under",
            Target::Worktree(_) => "Worktree",
            Target::Staged(_) => "Staged",
        };
        let certainty = if write.certainty == Certainty::Certain { "certain" } else { "possible" };
        lines.push(format!("{certainty} {kind} {}", write.target.path().display()));
    }
    for unknown in &set.unknown {
        lines.push(format!("unknown {:?}", unknown.why));
    }
    lines
}

/// Checks what a command writes. `expected` is a list of lines with `; ` between them, in which `c`
/// stands for `certain File /n/` and `p` for `possible File /n/`.
#[track_caller]
fn check(command: &str, expected: &str) {
    let mut wanted = Vec::new();
    for line in expected.split("; ").filter(|line| !line.is_empty()) {
        wanted.push(match line.split_once(' ') {
            Some(("c", path)) => format!("certain File {}", Path::new("/n").join(path).display()),
            Some(("p", path)) => format!("possible File {}", Path::new("/n").join(path).display()),
            _ => line.to_owned(),
        });
    }
    assert_eq!(render(&run(command)), wanted, "{command}");
}

#[test]
fn the_piece_that_writes_is_named() {
    let by = |command: &str| run(command).writes.first().map(|write| write.by.clone()).unwrap();
    assert_eq!(by("cd /n; echo hi > f; ls"), "> f");
    assert_eq!(by("cat <<EOF > f\nx\nEOF\n"), "> f");
    assert_eq!(by("eval 'echo x  2> f'"), "2> f");
    assert_eq!(by("x() { echo > f; }; eval x"), "> f");
    assert_eq!(by("echo `echo > f`"), "`echo > f`");
    let long = by(&format!("> {}", "ä".repeat(300)));
    assert!(long.len() < 130 && long.ends_with('…'), "{long}");
}

#[test]
fn a_target_is_listed_once() {
    check("> a; > b; > a", "c a; c b");
    check("if x=1; then > a; fi; > a", "c a");
    check("> a; if x=1; then > ./a; fi", "c a");
}
