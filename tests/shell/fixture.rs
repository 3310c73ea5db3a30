//! A node on disk with three areas, and the extractor's view of it.

use std::fs;
use std::path::{Component, Path, PathBuf};

use comm_node_shell::{Context, FileKind, Tree};

/// Directories and files of the node; a name that ends with `/` is a directory.
const NODE: &[&str] = &[
    "comm-node.yaml",
    "package.json",
    "README.md",
    "Makefile",
    "notes.txt",
    ".git/HEAD",
    ".comm-node/registry.json",
    "api/main.ts",
    "api/server.ts",
    "api/a.txt",
    "api/b.txt",
    "api/data.json",
    "api/util.py",
    "api/run.sh",
    "api/with space.txt",
    "api/old.tar",
    "api/sub/x.txt",
    "api/sub/y.txt",
    "api/empty/",
    "web/a.txt",
    "web/b.txt",
    "web/app.ts",
    "web/index.ts",
    "web/style.css",
    "web/page.html",
    "web/data.json",
    "web/script.sh",
    "web/sub/x.txt",
    "web/sub/y.txt",
    "web/dist/bundle.js",
    "docs/guide.md",
    "docs/index.md",
    "scripts/build.sh",
];

/// Links in the node, and where they lead.
const LINKS: &[(&str, &str)] = &[("api/link.txt", "../web/a.txt"), ("api/linked", "../web")];

/// A temporary directory with `node/` and a home beside it.
pub(crate) struct Fixture {
    _temp: tempfile::TempDir,
    /// The node's directory, without links in its path.
    pub(crate) node: PathBuf,
    /// The home directory.
    pub(crate) home: PathBuf,
}

impl Fixture {
    /// Makes one. It is not in `/tmp`, which commands of the corpus name.
    pub(crate) fn new() -> Self {
        let temp = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let top = temp.path().canonicalize().unwrap();
        let (node, home) = (top.join("node"), top.join("home"));
        fs::create_dir_all(&home).unwrap();
        for name in NODE {
            let path = node.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            if name.ends_with('/') {
                fs::create_dir_all(path).unwrap();
            } else {
                fs::write(path, "text\n").unwrap();
            }
        }
        for (name, to) in LINKS {
            std::os::unix::fs::symlink(to, node.join(name)).unwrap();
        }
        Self { _temp: temp, node, home }
    }

    /// What surrounds a command that runs in `cwd`.
    pub(crate) fn context(&self, cwd: PathBuf) -> Context<'static> {
        Context {
            cwd,
            home: Some(self.home.clone()),
            variables: vec![
                ("CLAUDE_PROJECT_DIR", self.node.display().to_string()),
                ("TMPDIR", "/tmp".to_owned()),
            ],
            rows: Vec::new(),
            own: None,
        }
    }
}

/// The real file system.
pub(crate) struct RealTree;

impl Tree for RealTree {
    fn kind(&self, path: &Path) -> Option<FileKind> {
        let kind = fs::metadata(path).ok()?.file_type();
        Some(match (kind.is_dir(), kind.is_file()) {
            (true, _) => FileKind::Directory,
            (_, true) => FileKind::File,
            _ => FileKind::Other,
        })
    }

    fn names(&self, path: &Path) -> Option<Vec<String>> {
        let names = fs::read_dir(path).ok()?;
        names.map(|n| n.ok()?.file_name().into_string().ok()).take(4096).collect()
    }
}

/// The most links that are followed, as the system has such a bound.
const MAX_LINKS: usize = 32;

/// The path without `.`, `..` and links as they stand now; its tail may not exist. The last name is
/// followed only if `follow`.
pub(crate) fn resolve(path: &Path, follow: bool) -> PathBuf {
    let mut links = MAX_LINKS;
    resolve_bounded(path, follow, &mut links)
}

fn resolve_bounded(path: &Path, follow: bool, links: &mut usize) -> PathBuf {
    let mut at = PathBuf::from("/");
    let mut components = path.components().peekable();
    while let Some(component) = components.next() {
        match component {
            Component::ParentDir => {
                at.pop();
            }
            Component::Normal(name) => {
                let next = at.join(name);
                let last = components.peek().is_none();
                match fs::read_link(&next) {
                    Ok(to) if (follow || !last) && *links > 0 => {
                        *links -= 1;
                        at = resolve_bounded(&at.join(to), true, links);
                    }
                    _ => at = next,
                }
            }
            _ => {}
        }
    }
    at
}
