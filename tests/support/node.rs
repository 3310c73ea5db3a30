//! A throw-away node: a git repository with a `comm-node.yaml` and some files, committed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Two domains that share nothing; enough for most tests.
pub(crate) const TWO_DOMAINS: &str = "\
version: 1
name: shop
domains:
  backend:
    description: HTTP API
    scope: [\"services/api/**\"]
  frontend:
    description: Web pages
    scope: [\"apps/web/**\"]
";

/// The directory of a node; removed on drop.
pub(crate) struct Node {
    dir: TempDir,
    root: PathBuf,
}

/// Says what the node contains before it is made.
#[derive(Default)]
pub(crate) struct NodeBuilder {
    files: Vec<(String, String)>,
}

impl NodeBuilder {
    /// Adds `comm-node.yaml`.
    pub(crate) fn yaml(self, text: &str) -> Self {
        self.file("comm-node.yaml", text)
    }

    /// Adds a file, with the directories above it.
    pub(crate) fn file(mut self, path: &str, text: &str) -> Self {
        self.files.push((path.to_owned(), text.to_owned()));
        self
    }

    /// Writes and commits everything.
    pub(crate) fn build(self) -> Node {
        let dir =
            tempfile::Builder::new().prefix("node-").tempdir().expect("could not make a temporary directory");
        // Temporary directories may stand behind a symlink (macOS); programs report the real path.
        let root = dir.path().canonicalize().expect("a directory that exists has a real path");
        let node = Node { dir, root };
        for (path, text) in &self.files {
            node.write(path, text);
        }
        node.git(&["init", "-q", "-b", "main"]);
        node.git(&["add", "-A"]);
        node.git(&["commit", "-q", "--allow-empty", "-m", "start"]);
        node
    }
}

impl Node {
    /// Starts a description of a node.
    pub(crate) fn builder() -> NodeBuilder {
        NodeBuilder::default()
    }

    /// A repository without `comm-node.yaml`.
    pub(crate) fn bare() -> Self {
        Self::builder().build()
    }

    /// The node with [`TWO_DOMAINS`], and one file in each.
    pub(crate) fn shop() -> Self {
        Self::builder()
            .yaml(TWO_DOMAINS)
            .file("services/api/main.rs", "fn main() {}\n")
            .file("apps/web/index.html", "<p>\n")
            .build()
    }

    /// The real path of the root.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The real path of something in the node, whether it exists or not.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// [`Self::path`] as text, for tool inputs.
    pub(crate) fn text(&self, relative: &str) -> String {
        self.path(relative).to_str().expect("temporary paths are UTF-8").to_owned()
    }

    /// Writes a file, with the directories above it.
    pub(crate) fn write(&self, relative: &str, text: &str) -> PathBuf {
        let path = self.path(relative);
        let above = path.parent().expect("a file in the node has a parent");
        fs::create_dir_all(above).unwrap_or_else(|e| panic!("could not make {}: {e}", above.display()));
        fs::write(&path, text).unwrap_or_else(|e| panic!("could not write {}: {e}", path.display()));
        path
    }

    /// The text of a file, if it is there.
    pub(crate) fn read(&self, relative: &str) -> Option<String> {
        fs::read_to_string(self.path(relative)).ok()
    }

    /// Every line of the node's event log.
    pub(crate) fn events(&self) -> Vec<Value> {
        let text = self.read(".comm-node/log/events.jsonl").unwrap_or_default();
        text.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect()
    }

    /// The records of the sessions that have not ended.
    pub(crate) fn sessions(&self) -> Vec<Value> {
        records(&self.path(".comm-node/sessions"))
    }

    /// The records of the sessions that have ended.
    pub(crate) fn ended_sessions(&self) -> Vec<Value> {
        records(&self.path(".comm-node/sessions/ended"))
    }

    /// Runs git in the node, untouched by anybody's own configuration, and returns what it printed.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"])
            .args(args)
            .current_dir(&self.root)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env_remove("GIT_DIR")
            .env_remove("GIT_WORK_TREE")
            .env_remove("GIT_INDEX_FILE")
            .stdin(Stdio::null());
        let output = git.output().unwrap_or_else(|e| panic!("could not run git {args:?}: {e}"));
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Gives the directory up to the caller's eyes: it stays after the test.
    pub(crate) fn keep(self) -> PathBuf {
        self.dir.keep()
    }
}

fn records(dir: &Path) -> Vec<Value> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "jsonl"))
        .collect();
    files.sort();
    // A session that ends meanwhile takes its record along.
    let record = |path: &PathBuf| {
        let text = match fs::read_to_string(path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return None,
            text => text.unwrap_or_else(|e| panic!("could not read {}: {e}", path.display())),
        };
        // The last line counts.
        let text = text.trim_end().lines().last().unwrap_or_default();
        Some(serde_json::from_str(text).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
    };
    files.iter().filter_map(record).collect()
}
