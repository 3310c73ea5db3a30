//! `comm-node.yaml` as a user meets it: `check`, `compile`, `show`, `link` and `init`.
//!
//! Each file in `fixtures/config/invalid` has what `check` prints beside it; `UPDATE_GOLDEN=1`
//! writes that anew, to be read before it is committed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod fresh;
mod gone;
mod init;
mod join;
mod owners;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use comm_node_core::budget::{Limit, OnExhausted, Span, Unit};
use comm_node_core::node::registry::{Registry, SourceId};
use serde_json::Value;
use tempfile::TempDir;

/// A directory with a node in it and another one beside it.
struct Node {
    _dir: TempDir,
    root: PathBuf,
}

impl Node {
    fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap().join("shop");
        fs::create_dir_all(root.join("services/web")).unwrap();
        fs::create_dir_all(root.with_file_name("other")).unwrap();
        Self { _dir: dir, root }
    }

    fn bare(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap().join("shop");
        fs::create_dir_all(&root).unwrap();
        let node = Self { _dir: dir, root };
        for (path, text) in files {
            node.write(path, text);
        }
        node
    }

    fn with(yaml: impl AsRef<[u8]>) -> Self {
        let node = Self::empty();
        fs::write(node.yaml(), yaml).unwrap();
        node
    }

    fn yaml(&self) -> PathBuf {
        self.root.join("comm-node.yaml")
    }

    fn registry_path(&self) -> PathBuf {
        self.root.join(".comm-node/registry.json")
    }

    fn registry_text(&self) -> String {
        fs::read_to_string(self.registry_path()).unwrap()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_comm-node"));
        command.args(args).current_dir(&self.root).env_clear().stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    #[track_caller]
    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_slice(&self.run(args).stdout).unwrap()
    }
}

fn text(output: &Output) -> String {
    format!(
        "exit {}\n{}{}",
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn fixtures(kind: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/fixtures/config").join(kind);
    let mut all: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "yaml"))
        .collect();
    all.sort();
    assert!(!all.is_empty());
    all
}

/// Compares with the file beside the fixture, or writes it.
fn golden(fixture: &Path, actual: &str) -> Option<String> {
    let path = fixture.with_extension("txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, actual).unwrap();
        return None;
    }
    let wanted = fs::read_to_string(&path).unwrap_or_default();
    (wanted != actual).then(|| format!("{}:\n--- wanted\n{wanted}\n--- got\n{actual}", path.display()))
}

#[track_caller]
fn compare_all(kind: &str) {
    let wrong: Vec<String> = fixtures(kind)
        .iter()
        .filter_map(|path| {
            let node = Node::with(fs::read(path).unwrap());
            golden(path, &text(&node.run(&["check"])))
        })
        .collect();
    assert!(wrong.is_empty(), "{}\n(UPDATE_GOLDEN=1 writes them anew)", wrong.join("\n\n"));
}

#[test]
fn every_invalid_file_is_answered_with_its_place_and_remedy() {
    compare_all("invalid");
    for path in fixtures("invalid") {
        let node = Node::with(fs::read(&path).unwrap());
        let answer = node.json(&["check", "--json"]);
        let faults = answer["faults"].as_array().unwrap();
        assert!(!faults.is_empty(), "{}", path.display());
        for fault in faults {
            assert!(fault["line"].as_u64().unwrap() >= 1 && fault["column"].as_u64().unwrap() >= 1);
            assert!(!fault["message"].as_str().unwrap().is_empty());
            assert!(!fault["help"].as_str().unwrap().is_empty());
        }
        let output = node.run(&["compile", "--quiet"]);
        assert_eq!(output.status.code(), Some(1), "{}", path.display());
        assert_eq!(
            String::from_utf8_lossy(&output.stderr).trim_end().lines().count(),
            1,
            "{}",
            text(&output)
        );
        assert!(!node.registry_path().exists());
    }
}

#[test]
fn warnings_are_shown_and_do_not_fail() {
    compare_all("warn");
    for path in fixtures("warn") {
        assert!(Node::with(fs::read(&path).unwrap()).run(&["check"]).status.success());
    }
}

#[test]
fn every_valid_file_compiles() {
    for path in fixtures("valid") {
        let node = Node::with(fs::read(&path).unwrap());
        node.ok(&["check"]);
        assert!(!node.root.join(".comm-node").exists(), "check writes no state");
        node.ok(&["compile"]);
        let registry = node.registry_text();
        let registry = Registry::parse(&registry).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert_eq!(registry.source, SourceId::of(&fs::metadata(node.yaml()).unwrap()));
        assert_eq!(registry.fault, None);
        assert_eq!(Path::new(registry.trees[0].as_str()), node.root);
    }
}

#[test]
fn the_registry_says_what_the_file_says() {
    let yaml = fs::read_to_string(
        fixtures("valid").into_iter().find(|p| p.file_stem().is_some_and(|s| s == "full")).unwrap(),
    )
    .unwrap();
    let node = Node::with(yaml);
    node.ok(&["compile"]);
    let text = node.registry_text();
    let registry = Registry::parse(&text).unwrap();
    let backend = registry.domain("backend").unwrap();
    assert_eq!(backend.scope[0].glob(), "services/api/**");
    assert_eq!(backend.scope[0].line(), 7);
    assert_eq!(backend.home.iter().map(|h| h.as_str()).collect::<Vec<_>>(), ["services/api", "migrations"]);
    let budget = backend.budget.as_deref().unwrap();
    assert_eq!(budget.limits, [Limit(Span::Day, Unit::Usd, 20_000_000)]);
    assert_eq!((budget.coordination, budget.cap), (Some(40_000), None));
    assert_eq!(backend.other["forbidden_imports"][0], "apps/web/**");
    assert_eq!(registry.domain("integration").unwrap().role.as_ref().unwrap().as_str(), "coordinator");
    assert_eq!(registry.policy.lease_ttl_s, 1800);
    assert_eq!(registry.policy.stop_gate, ["cargo test -q"]);
    // A name alone is protected at every depth.
    assert_eq!(registry.protected[0].glob(), "**/.env*");
    // The implement role keeps out of what the node calls tests.
    assert_eq!(
        registry.role("implement").unwrap().unwrap().exclude,
        registry.role("test").unwrap().unwrap().scope
    );
    assert_eq!(registry.role("comm-node:finder").unwrap().unwrap().scope, []);
}

#[test]
fn a_budget_of_the_node_fills_in_what_domains_do_not_say() {
    let node = Node::with(include_str!("fixtures/config/valid/budgets.yaml"));
    node.ok(&["compile"]);
    let text = node.registry_text();
    let registry = Registry::parse(&text).unwrap();
    let of = |name: &str| registry.domain(name).unwrap().budget.as_deref().unwrap();
    // What is per task holds for each domain, the rest for all of them together.
    assert_eq!(registry.budget.as_ref().unwrap().limits, [Limit(Span::Day, Unit::Usd, 100_000_000)]);
    assert_eq!(of("frontend").limits, [Limit(Span::Task, Unit::Tokens, 300_000)]);
    assert_eq!((of("frontend").coordination, of("frontend").cap()), (Some(60_000), 50_000));
    assert_eq!(of("docs").limits, [Limit(Span::Task, Unit::Tokens, 50_000)]);
    assert_eq!((of("docs").coordination, of("docs").cap), (Some(2_000), Some(50_000)));
    assert_eq!(of("backend").limits.len(), 6);
    assert_eq!(of("backend").limit(Span::Task, Unit::Usd), Some(4_500_000));
    assert_eq!((of("backend").coordination, of("backend").cap), (Some(40_000), Some(200_000)));
    assert_eq!(registry.policy.on_exhausted, OnExhausted::Stop);
    // A domain without a budget costs the hooks nothing.
    let node = Node::with("version: 1\ndomains: {a: {scope: [\"a/**\"]}}\n");
    node.ok(&["compile"]);
    assert!(!node.registry_text().contains("\"budget\""));
}

#[test]
fn the_documented_example_is_without_fault_or_warning() {
    let docs = include_str!("../../docs/configuration.md");
    let yaml = docs.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let node = Node::with(yaml);
    fs::create_dir_all(node.root.join("packages/shared")).unwrap();
    assert_eq!(text(&node.run(&["check"])), "exit 0\nok: 3 domains, 4 patterns\n");
    node.ok(&["compile"]);
    let registry = node.registry_text();
    let registry = Registry::parse(&registry).unwrap();
    assert_eq!(registry.mcp_writes[1].fields.len() + registry.mcp_writes[0].fields.len(), 3);
    let rows: Vec<&str> = registry.shell.iter().map(|row| row.as_str()).collect();
    assert_eq!(rows, ["mygen -o,--output=FILE ARG...", "our-lint if:--fix TREE?...=."]);
}

#[test]
fn paths_make_trees_homes_and_prefixes() {
    let node = Node::with(
        "version: 1\ndomains:\n  other: {path: ../other, scope: [\"src/**\"]}\n  \
         web: {path: services/web, exclude: [\"gen/\"]}\n  odd: {path: \"services/[id]\"}\n",
    );
    fs::create_dir_all(node.root.join("services/[id]")).unwrap();
    node.ok(&["compile"]);
    let text = node.registry_text();
    let registry = Registry::parse(&text).unwrap();
    let [other, web, odd] = &registry.domains[..] else { panic!("three domains") };
    assert_eq!((other.tree, other.home[0].as_str(), other.scope[0].glob()), (1, "", "src/**"));
    assert_eq!(Path::new(registry.trees[1].as_str()), node.root.with_file_name("other"));
    assert_eq!((web.tree, web.home[0].as_str(), web.scope[0].glob()), (0, "services/web", "services/web/**"));
    assert_eq!(web.exclude[0].glob(), "services/web/gen/**");
    assert_eq!((odd.home[0].as_str(), odd.scope[0].glob()), ("services/[id]", "services/\\[id\\]/**"));
}

/// A file with one domain.
const GOOD: &str = "version: 1\nname: shop\ndomains:\n  api: {scope: [\"api/**\"]}\n";

#[test]
fn rows_for_shell_commands_are_compiled_only_where_there_are_some() {
    let node = Node::with(GOOD);
    node.ok(&["compile"]);
    assert!(!node.registry_text().contains("shell"));
    assert!(Registry::parse(&node.registry_text()).unwrap().shell.is_empty());
    let node = Node::with(format!("{GOOD}shell: {{commands: []}}\n"));
    node.ok(&["compile"]);
    assert!(!node.registry_text().contains("shell"));
}

#[test]
fn the_documented_rows_are_rows() {
    let docs = include_str!("../../docs/configuration.md");
    let table = docs.split("| row | means |").nth(1).unwrap().split("\n\n").next().unwrap();
    let rows: Vec<&str> =
        table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert!(rows.len() > 5);
    let list: String = rows.iter().map(|row| format!("    - \"{row}\"\n")).collect();
    let node = Node::with(format!("{GOOD}shell:\n  commands:\n{list}"));
    node.ok(&["check"]);
}

#[test]
fn a_file_that_is_no_text_or_too_large_is_refused() {
    let node = Node::with(format!("{GOOD}{}", "# x\n".repeat(300_000)));
    assert!(text(&node.run(&["check"])).contains("larger than 1 MiB"));
    fs::remove_file(node.yaml()).unwrap();
    fs::create_dir(node.yaml()).unwrap();
    assert!(text(&node.run(&["check"])).contains("no comm-node.yaml here"));
}

#[test]
fn help_has_examples() {
    let node = Node::bare(&[]);
    for command in ["init", "check", "show", "link", "compile"] {
        assert!(node.ok(&[command, "--help"]).contains("Examples:"), "{command}");
    }
}

#[test]
fn overlaps_are_named_up_to_a_limit() {
    let domain = |i: usize| format!("  d{i}: {{scope: [\"src/**\"]}}\n");
    let yaml = |n: usize| format!("version: 1\ndomains:\n{}", (0..n).map(domain).collect::<String>());
    let warnings =
        |n: usize| Node::with(yaml(n)).json(&["check", "--json"])["warnings"].as_array().unwrap().clone();
    assert_eq!(warnings(10).len(), 45);
    let many = warnings(40);
    assert_eq!(many.len(), 51);
    let last = many[50]["message"].as_str().unwrap();
    assert!(last.contains("50 overlaps were found; 730 more pairs"), "{last}");
}
