//! `comm-node generate`, as a user runs it.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that can't be set up has to stop")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

const YAML: &str = "version: 1\nname: shop\ndomains:\n  backend: {description: HTTP API, scope: [\"services/api/**\"]}\n  \
                    frontend: {scope: [\"apps/web/**\"]}\n  docs: {scope: [\"docs/*.md\"]}\n";

struct Node {
    _temp: tempfile::TempDir,
    root: PathBuf,
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Node {
    fn new(yaml: &str) -> Self {
        let temp = tempfile::tempdir().expect("temp dir");
        let root = temp.path().canonicalize().expect("real").join("node");
        fs::create_dir(&root).expect("makes");
        let node = Self { _temp: temp, root };
        node.write("comm-node.yaml", yaml);
        node
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().expect("has one")).expect("makes");
        fs::write(path, text).expect("writes");
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    fn run_with(&self, args: &[&str], env: &[(&str, &str)]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_comm-node"))
            .arg("generate")
            .args(args)
            .current_dir(&self.root)
            .env_clear()
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .output()
            .expect("could not run comm-node");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, &[])
    }

    fn done(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code, 0, "{args:?}: {}{}", ran.out, ran.err);
        ran.out
    }

    /// Every file outside of `.comm-node/`, with its bytes.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        fn walk(dir: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
            for entry in fs::read_dir(dir).expect("lists").flatten() {
                let path = entry.path();
                if path.is_dir() && !path.is_symlink() {
                    if !path.ends_with(".comm-node") {
                        walk(&path, found);
                    }
                } else {
                    found.insert(path.clone(), fs::read(&path).unwrap_or_default());
                }
            }
        }
        let mut found = BTreeMap::new();
        walk(&self.root, &mut found);
        found
    }
}

#[test]
fn writes_checks_and_gives_everything_back() {
    let node = Node::new(YAML);
    node.write("services/api/CLAUDE.md", "# Mine\r\nno end");
    node.write("apps/web/CLAUDE.md", "");
    let before = node.files();
    let check = node.run(&["--check"]);
    assert_eq!(check.code, 1, "{}", check.out);
    assert!(check.out.contains("+## Domain backend of shop"), "{}", check.out);
    assert_eq!(node.run(&["--dry-run"]).code, 0);
    assert_eq!(node.files(), before, "--check and --dry-run write nothing");

    node.done(&[]);
    let first = node.files();
    let api = node.read("services/api/CLAUDE.md");
    assert!(api.starts_with("# Mine\r\nno end\r\n\r\n<!-- comm-node:begin shop/backend "), "{api}");
    assert_eq!(api.matches('\n').count(), api.matches("\r\n").count());
    assert!(node.read(".claude/rules/comm-node-docs.md").contains("paths:\n  - \"docs/*.md\"\n"));
    assert!(node.read(".claude/agents/finder.md").contains("name: \"finder\""));
    assert!(node.read("apps/web/.claude/commands/kickoff.md").contains("it is frontend."));
    let said = node.done(&[]);
    assert!(said.contains("files are as they should be"), "{said}");
    assert_eq!(node.files(), first, "twice is once");
    assert_eq!(node.run(&["--check"]).code, 0);

    // A person's text around the part stays.
    let mine = format!("top\r\n{}bottom", node.read("services/api/CLAUDE.md"));
    node.write("services/api/CLAUDE.md", &mine);
    node.write("comm-node.yaml", &YAML.replace("HTTP API", "The API"));
    node.done(&[]);
    let now = node.read("services/api/CLAUDE.md");
    assert!(now.starts_with("top\r\n# Mine\r\nno end\r\n") && now.ends_with("bottom"), "{now}");
    assert!(now.contains("The API\r\n") && !now.contains("HTTP API"), "{now}");
    node.write("services/api/CLAUDE.md", &now.replacen("top\r\n", "", 1).replace("bottom", ""));
    node.write("comm-node.yaml", YAML);

    node.done(&["--remove"]);
    assert_eq!(node.files(), before, "byte for byte, and no directory is left");
    assert!(!node.root.join(".claude").exists() && !node.root.join("services/api/.claude").exists());
}

#[test]
fn what_a_person_made_or_changed_is_kept() {
    let node = Node::new(YAML);
    node.write(".claude/commands/inbox.md", "my own inbox\n");
    let ran = node.run(&[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("kept .claude/commands/inbox.md, which is not comm-node's"), "{}", ran.err);
    assert_eq!(node.run(&["--check"]).code, 0, "a person's own file is no fault");

    let edited = node.read(".claude/agents/finder.md").replace("You answer", "Please answer");
    node.write(".claude/agents/finder.md", &edited);
    let part = node.read("apps/web/CLAUDE.md").replace("- May write", "- Mine\n- May write");
    node.write("apps/web/CLAUDE.md", &part);
    let ran = node.run(&[]);
    assert_eq!(ran.code, 1);
    for path in [".claude/agents/finder.md", "apps/web/CLAUDE.md"] {
        assert!(
            ran.err.contains(&format!("kept {path}: it was generated and then changed by hand")),
            "{}",
            ran.err
        );
    }
    assert_eq!(
        (node.read(".claude/agents/finder.md"), node.read("apps/web/CLAUDE.md")),
        (edited.clone(), part.clone())
    );
    // What was changed is not taken out either.
    assert_eq!(node.run(&["--remove"]).code, 1);
    assert_eq!((node.read(".claude/agents/finder.md"), node.read("apps/web/CLAUDE.md")), (edited, part));
    node.done(&["--force"]);
    assert!(
        !node.read(".claude/agents/finder.md").contains("Please")
            && !node.read("apps/web/CLAUDE.md").contains("- Mine")
    );
    assert_eq!(node.read(".claude/commands/inbox.md"), "my own inbox\n");
}

#[test]
fn damaged_marks_stop_everything() {
    let node = Node::new(YAML);
    let twice = "a\n<!-- comm-node:begin shop/backend 0 new -->\n";
    node.write("services/api/CLAUDE.md", twice);
    let before = node.files();
    let ran = node.run(&[]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.contains("services/api/CLAUDE.md: the part of comm-node's that begins in line 2 has no end"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("nothing was written"), "{}", ran.err);
    assert_eq!(node.files(), before);
    fs::write(node.root.join("services/api/CLAUDE.md"), b"\xff\xfe").expect("writes");
    let ran = node.run(&[]);
    assert!(ran.code == 1 && ran.err.contains("is not UTF-8 text at byte 0"), "{}", ran.err);
}

#[test]
fn a_domain_that_is_gone_leaves_nothing() {
    let node = Node::new(YAML);
    node.write("apps/web/CLAUDE.md", "mine\n");
    node.done(&[]);
    node.write("fixtures/other/comm-node.yaml", YAML);
    node.write("fixtures/other/.claude/agents/finder.md", &node.read(".claude/agents/finder.md"));
    let less = "version: 1\nname: shop\ndomains:\n  backend: {description: HTTP API, scope: [\"services/api/**\"]}\n";
    node.write("comm-node.yaml", less);
    let said = node.done(&[]);
    assert!(
        said.contains("removed .claude/rules/comm-node-docs.md")
            && said.contains("took out of apps/web/CLAUDE.md"),
        "{said}"
    );
    assert_eq!(node.read("apps/web/CLAUDE.md"), "mine\n");
    assert!(!node.root.join("apps/web/.claude").exists() && !node.root.join(".claude/rules").exists());
    assert!(
        node.root.join("fixtures/other/.claude/agents/finder.md").exists(),
        "another node's are not looked at"
    );
    // Files of a node with another name are another node's.
    node.write(
        "apps/web/.claude/agents/x.md",
        &node.read(".claude/agents/finder.md").replace("for shop/", "for mall/"),
    );
    node.done(&[]);
    assert!(node.root.join("apps/web/.claude/agents/x.md").exists());
}

#[cfg(unix)]
#[test]
fn links_are_followed_within_the_node_and_not_out_of_it() {
    use std::os::unix::fs::symlink;
    let node = Node::new(YAML);
    node.write("services/api/AGENTS.md", "for all agents\n");
    symlink("AGENTS.md", node.root.join("services/api/CLAUDE.md")).expect("links");
    node.done(&[]);
    assert!(node.root.join("services/api/CLAUDE.md").is_symlink());
    assert!(node.read("services/api/AGENTS.md").contains("## Domain backend of shop"));
    node.done(&["--remove"]);
    assert_eq!(node.read("services/api/AGENTS.md"), "for all agents\n");

    let outside = node.root.with_file_name("outside");
    fs::create_dir(&outside).expect("makes");
    symlink(&outside, node.root.join(".claude")).expect("links");
    let ran = node.run(&[]);
    assert!(ran.code == 1 && ran.err.contains("remove the link"), "{}", ran.err);
    assert_eq!(fs::read_dir(&outside).expect("lists").count(), 0);
    assert!(!node.root.join("apps/web/CLAUDE.md").exists(), "nothing was written");
}

#[test]
fn own_templates_win_and_their_faults_have_a_place() {
    let node = Node::new(YAML);
    node.done(&[]);
    node.write(
        ".comm-node/templates/agents/finder.md.hbs",
        "---\nname: {{quote role.name}}\ndescription: mine\n---\nFind it in {{node.name}}.\n",
    );
    node.write(
        ".comm-node/templates/commands/deploy.md.hbs",
        "---\ndescription: deploy\n---\nDeploy {{#if domain}}{{domain.name}}{{/if}}\n",
    );
    node.done(&[]);
    assert!(node.read(".claude/agents/finder.md").ends_with("\ndescription: mine\n---\nFind it in shop.\n"));
    assert!(node.read("services/api/.claude/commands/deploy.md").ends_with("\nDeploy backend\n"));
    let before = node.files();
    for (path, text, says) in [
        (
            "CLAUDE.md",
            "a\n\n  {{domain.owner}}\n",
            "templates/CLAUDE.md.hbs:3:3: there is no variable `domain.owner`",
        ),
        (
            "agents/finder.md",
            "no front matter\n",
            "could not use what .comm-node/templates/agents/finder.md.hbs makes: it does not begin",
        ),
        ("agents/finder.md", "---\nname: other\ndescription: x\n---\n", "its front matter must have `name:"),
        ("agents/finder.md", "---\nname: {{quote role.name}}\n---\n", "must have a `description`"),
        ("commands/deploy.md", "---\na: b: c\n---\n", "its front matter is no YAML"),
        ("CLAUDE.md", "<!-- comm-node:end -->\n", "is a marker of comm-node's"),
        ("CLAUD.md", "x", "did you mean CLAUDE.md.hbs?"),
    ] {
        let file = format!(".comm-node/templates/{path}.hbs");
        let old = fs::read_to_string(node.root.join(&file)).ok();
        node.write(&file, text);
        let ran = node.run(&[]);
        assert!(ran.code == 1 && ran.err.contains(says), "{text:?}: {}", ran.err);
        assert_eq!(node.files(), before, "{text:?}");
        match old {
            Some(old) => node.write(&file, &old),
            None => fs::remove_file(node.root.join(&file)).expect("removes"),
        }
    }
    // Without them the built-in ones come back, and the command that nobody wants any more goes.
    fs::remove_dir_all(node.root.join(".comm-node/templates")).expect("removes");
    node.done(&[]);
    assert!(!node.root.join("services/api/.claude/commands/deploy.md").exists());
    assert!(node.read(".claude/agents/finder.md").contains("You answer where"));
}

#[test]
fn one_domain_json_and_mistakes() {
    let node = Node::new(YAML);
    let report: Value = serde_json::from_str(&node.done(&["--domain", "backend", "--json"])).expect("JSON");
    assert_eq!(report["written"], true);
    let files = report["files"].as_array().expect("a list");
    assert!(
        !files.is_empty() && files.iter().all(|f| f["domain"] == "backend" && f["state"] == "new"),
        "{report}"
    );
    assert!(!node.root.join("apps/web/CLAUDE.md").exists());
    let ran = node.run(&["--domain", "backendd"]);
    assert!(ran.code == 1 && ran.err.contains("did you mean backend?"), "{}", ran.err);
    node.done(&[]);
    node.done(&["--remove", "--domain", "backend"]);
    assert!(
        !node.root.join("services/api/CLAUDE.md").exists() && node.root.join("apps/web/CLAUDE.md").exists()
    );
    // An agent looks, a person writes.
    let session = [("CLAUDE_CODE_SESSION_ID", "11111111-2222-4333-8444-555555555555")];
    let ran = node.run_with(&[], &session);
    assert!(ran.code == 1 && ran.err.contains("ask the user to run it in a terminal"), "{}", ran.err);
    assert_eq!(node.run_with(&["--check"], &session).code, 1);
    node.write("comm-node.yaml", "version: 1\nname: shop\ndomains: {a: {scop: []}}\n");
    let ran = node.run(&[]);
    assert!(ran.code == 1 && ran.err.contains("comm-node.yaml has a fault at line 3"), "{}", ran.err);
}
