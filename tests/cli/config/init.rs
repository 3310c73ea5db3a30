//! `init`: what it proposes for each kind of project, and that it overwrites nothing.

use std::fs;

use serde_json::Value;

use super::{GOOD, Node, text};

/// The domains that `init` proposes for these files, each with its scope; the file that it writes
/// must pass `check` without a warning.
#[track_caller]
fn proposed(files: &[(&str, &str)]) -> Vec<(String, Vec<String>)> {
    let node = Node::bare(files);
    let answer = node.json(&["init", "--yes", "--json"]);
    assert_eq!(answer["written"], true, "{answer}");
    let check = node.run(&["check"]);
    assert!(
        check.status.success() && !text(&check).contains("warning"),
        "{}\n{}",
        text(&check),
        answer["yaml"]
    );
    assert!(node.registry_path().exists());
    let strings = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
    };
    answer["domains"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| (d["name"].as_str().unwrap().to_owned(), strings(&d["scope"])))
        .collect()
}

#[track_caller]
fn init(files: &[(&str, &str)], wanted: &[(&str, &[&str])]) {
    let found = proposed(files);
    let found: Vec<(&str, Vec<&str>)> =
        found.iter().map(|(n, s)| (n.as_str(), s.iter().map(String::as_str).collect())).collect();
    let wanted: Vec<(&str, Vec<&str>)> = wanted.iter().map(|(n, s)| (*n, s.to_vec())).collect();
    assert_eq!(found, wanted);
}

#[test]
fn init_cargo_workspace() {
    init(
        &[
            (
                "Cargo.toml",
                "[package]\nname='x'\n[workspace]\nmembers = [\"crates/*\", 'tools/gen']\nexclude = [\"crates/old\"]\n",
            ),
            ("src/main.rs", ""),
            ("docs/index.md", ""),
            ("crates/api/Cargo.toml", ""),
            ("crates/web/Cargo.toml", ""),
            ("crates/old/Cargo.toml", ""),
            ("crates/notes/readme.md", ""),
            ("tools/gen/Cargo.toml", ""),
            ("target/debug/Cargo.toml", ""),
        ],
        &[
            ("api", &["crates/api/**"]),
            ("web", &["crates/web/**"]),
            ("gen", &["tools/gen/**"]),
            ("docs", &["docs/**"]),
            ("project", &["*", ".claude/**", "src/**"]),
        ],
    );
}

#[test]
fn init_npm_pnpm_and_yarn_workspaces() {
    let members =
        [("packages/ui/package.json", "{}"), ("apps/ui/package.json", "{}"), ("apps/web/package.json", "{}")];
    let wanted: &[(&str, &[&str])] = &[
        ("ui", &["apps/ui/**"]),
        ("web", &["apps/web/**"]),
        ("packages-ui", &["packages/ui/**"]),
        ("project", &["*", ".claude/**"]),
    ];
    for root in [
        ("package.json", r#"{"workspaces": ["packages/*", "apps/*"]}"#),
        ("package.json", r#"{"workspaces": {"packages": ["packages/*", "./apps/*/"]}}"#),
        ("pnpm-workspace.yaml", "packages:\n  - 'packages/*'\n  - \"apps/**\"\n  - '!**/test/**'\n"),
    ] {
        let mut files =
            vec![root, ("node_modules/x/package.json", "{}"), ("apps/web/test/package.json", "{}")];
        if root.0 == "package.json" {
            files.pop();
        }
        files.extend(members);
        init(&files, wanted);
    }
}

#[test]
fn init_go_and_python_workspaces() {
    init(
        &[
            ("go.work", "go 1.24\nuse (\n\t./gateway\n\t./billing\n)\n"),
            ("gateway/go.mod", ""),
            ("billing/go.mod", ""),
        ],
        &[("billing", &["billing/**"]), ("gateway", &["gateway/**"]), ("project", &["*", ".claude/**"])],
    );
    init(
        &[
            ("pyproject.toml", "[tool.uv.workspace]\nmembers = [\"members/*\"]\n"),
            ("members/a/pyproject.toml", ""),
            ("members/b/pyproject.toml", ""),
        ],
        &[("a", &["members/a/**"]), ("b", &["members/b/**"]), ("project", &["*", ".claude/**"])],
    );
    init(
        &[
            (
                "pyproject.toml",
                "[tool.poetry.dependencies]\ncore = {path = \"../x\"}\nlib = {path = \"mylib\", develop = true}\n",
            ),
            ("mylib/pyproject.toml", ""),
            ("packages/one/pyproject.toml", ""),
        ],
        &[("mylib", &["mylib/**"]), ("one", &["packages/one/**"]), ("project", &["*", ".claude/**"])],
    );
}

#[test]
fn init_nested_members_do_not_overlap() {
    let found = proposed(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"a\", \"a/macros\"]\n"),
        ("a/Cargo.toml", ""),
        ("a/macros/Cargo.toml", ""),
    ]);
    assert_eq!(found[0], ("a".to_owned(), vec!["a/**".to_owned()]));
    assert_eq!(found[1], ("macros".to_owned(), vec!["a/macros/**".to_owned()]));
}

#[test]
fn init_many_members_become_few_domains() {
    let mut files =
        vec![("Cargo.toml".to_owned(), "[workspace]\nmembers = [\"crates/*\", \"apps/*\"]\n".to_owned())];
    files.extend((0..30).map(|n| (format!("crates/c{n}/Cargo.toml"), String::new())));
    files.extend((0..3).map(|n| (format!("apps/a{n}/Cargo.toml"), String::new())));
    files.extend((0..9).map(|n| (format!("crates/c9/f{n}"), String::new())));
    let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let found = proposed(&files);
    assert_eq!(found.len(), 11, "{found:?}");
    let (_, joined) = found.iter().find(|(name, _)| name == "crates").unwrap();
    assert_eq!(joined.len(), 24);
    assert!(joined.contains(&"crates/c0/**".to_owned()) && !joined.contains(&"crates/c9/**".to_owned()));
    assert!(found.iter().any(|(name, _)| name == "c9"), "the largest stay alone");
}

#[test]
fn init_codeowners() {
    init(
        &[
            (
                ".github/CODEOWNERS",
                "* @org/everyone\n*.js @org/js\n/apps/web/ @org/web-team\n/apps/admin @org/web-team\nservices/ @api-team @bob\n/services/pay/ @org/pay\nnone/ @x\n",
            ),
            ("apps/web/x", ""),
            ("apps/admin/x", ""),
            ("services/x", ""),
            ("services/pay/x", ""),
            ("scripts/x", ""),
        ],
        &[
            ("web", &["apps/admin/**", "apps/web/**"]),
            ("api", &["services/**"]),
            ("pay", &["services/pay/**"]),
            ("project", &["*", ".claude/**", "scripts/**"]),
        ],
    );
}

#[test]
fn init_top_level_directories() {
    init(
        &[
            ("backend/main.py", ""),
            ("frontend/x.ts", ""),
            ("docs/a.md", ""),
            (".hidden/x", ""),
            ("vendor/x/y", ""),
            ("README.md", ""),
        ],
        &[
            ("backend", &["backend/**"]),
            ("docs", &["docs/**"]),
            ("frontend", &["frontend/**"]),
            ("project", &["*", ".claude/**"]),
        ],
    );
    // With a package in the root, its ordinary directories are no domains.
    init(
        &[("package.json", "{}"), ("src/x", ""), ("client/x", ""), ("server/x", "")],
        &[
            ("client", &["client/**"]),
            ("server", &["server/**"]),
            ("project", &["*", ".claude/**", "src/**"]),
        ],
    );
}

#[test]
fn init_single_package() {
    init(
        &[("Cargo.toml", "[package]\nname='x'\n"), ("src/main.rs", ""), ("tests/x.rs", "")],
        &[("app", &["**"])],
    );
    init(&[("go.mod", ""), ("cmd/x.go", ""), ("docs/x.md", "")], &[("app", &["**"]), ("docs", &["docs/**"])]);
    init(&[], &[("app", &["**"])]);
    init(&[("Cargo.toml", "not toml ["), ("package.json", "{"), ("src/x", "")], &[("app", &["**"])]);
}

#[cfg(unix)]
#[test]
fn init_takes_no_hostile_name_at_its_word() {
    let found = proposed(&[
        ("package.json", r#"{"workspaces": ["packages/*", "../../*", "/etc/*", "[", ""]}"#),
        ("packages/a: {b}\n\"x'/package.json", "{}"),
        ("packages/[x]*/package.json", "{}"),
        ("packages/!y/package.json", "{}"),
        ("packages/human/package.json", "{}"),
        ("packages/\u{202e}evil\u{1b}[31m/package.json", "{}"),
        ("packages/ spaces /package.json", "{}"),
        ("packages/true/package.json", "{}"),
        ("packages/7/package.json", "{}"),
        ("packages/back\\slash/package.json", "{}"),
    ]);
    assert!(found.len() > 2, "{found:?}");
}

/// A directory with any name gets an owner, or is named as left out.
#[cfg(unix)]
#[test]
fn init_leaves_nothing_out_in_silence() {
    use std::os::unix::ffi::OsStrExt;
    let dirs = [
        "api",
        "x: y",
        "C:",
        " lead",
        "trail ",
        "~",
        "~x",
        "a, b",
        "st*r",
        "{b}",
        "[c]",
        "!neg",
        "\\back\\sl",
        "e\u{1b}]0;sc",
        "nl\nline",
        "it's \"q\"",
    ];
    let files: Vec<(String, &str)> = dirs.iter().map(|dir| (format!("{dir}/f.rs"), "")).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    let found = proposed(&files);
    assert_eq!(found.len(), dirs.len() + 1, "{found:?}");
    let node = Node::bare(&files);
    let said = node.ok(&["init", "--yes"]);
    assert!(
        !said.contains("left out") && said.contains(r#"description: "everything in e\x1B]0;sc""#),
        "{said}"
    );
    for dir in dirs {
        let owner = node.json(&["show", "--json", &format!("{dir}/f.rs")]);
        let owners = owner[0]["owners"].as_array().map(Vec::len);
        assert_eq!(owners, Some(1), "{dir:?}: {owner}");
    }
    // Control: what no pattern can name is named.
    let node = Node::bare(&[("api/a.rs", ""), ("web/b.js", "")]);
    let long = "l".repeat(250);
    let odd = node.root.join(std::ffi::OsStr::from_bytes(b"caf\xe9\x1b"));
    fs::create_dir(&odd).unwrap();
    fs::write(odd.join("x"), "").unwrap();
    fs::create_dir_all(node.root.join("e\u{301}")).unwrap();
    fs::create_dir_all(node.root.join(&long)).unwrap();
    let output = node.run(&["init", "--yes"]);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("left out: caf\u{fffd}\\u{1b}, because its name is not UTF-8 text; rename it"),
        "{said}"
    );
    assert!(said.contains("left out: e\u{301}, because its name is written in another way"), "{said}");
    let json = node.json(&["init", "--yes", "--force", "--json"]);
    assert_eq!(json["left_out"].as_object().map(|left| left.len()), Some(2), "{json}");
}

/// There is a whole node after it, or none.
#[cfg(unix)]
#[test]
fn init_makes_no_half_of_a_node() {
    use std::os::unix::fs::symlink;
    let node = Node::bare(&[("api/a.rs", ""), ("web/b.js", "")]);
    fs::write(node.root.join(".comm-node"), "in the way").unwrap();
    let output = node.run(&["init", "--yes"]);
    assert!(
        !output.status.success() && text(&output).contains("is not a plain directory"),
        "{}",
        text(&output)
    );
    assert!(!node.yaml().exists());
    fs::remove_file(node.root.join(".comm-node")).unwrap();
    // A link that leads nowhere is kept, and replaced.
    symlink("nowhere.yaml", node.yaml()).unwrap();
    let output = node.run(&["init", "--yes"]);
    assert!(text(&output).contains("is already there"), "{}", text(&output));
    node.ok(&["init", "--yes", "--force"]);
    assert!(node.yaml().symlink_metadata().unwrap().is_file());
    let backup = fs::read_link(node.root.join("comm-node.yaml.bak")).unwrap();
    assert_eq!(backup, std::path::Path::new("nowhere.yaml"));
    let mode = std::os::unix::fs::PermissionsExt::mode(&node.yaml().metadata().unwrap().permissions());
    assert_eq!(mode & 0o400, 0o400);
    let names = |name: &std::ffi::OsString| name.to_string_lossy().ends_with(".tmp");
    let left = fs::read_dir(&node.root).unwrap().flatten().map(|e| e.file_name()).find(names);
    assert_eq!(left, None);
    assert!(node.ok(&["check"]).contains("ok"));
}

#[test]
fn init_never_overwrites_without_force() {
    let node = Node::bare(&[("comm-node.yaml", "# mine\n"), ("src/x", "")]);
    let output = node.run(&["init", "--yes"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("--force"), "{}", text(&output));
    assert_eq!(fs::read_to_string(node.yaml()).unwrap(), "# mine\n");
    node.ok(&["init", "--yes", "--force", "--name", "mall: \"x\""]);
    assert_eq!(fs::read_to_string(node.root.join("comm-node.yaml.bak")).unwrap(), "# mine\n");
    assert!(node.registry_text().contains(r#""name": "mall: \"x\"""#));
    node.ok(&["init", "--yes", "--force"]);
    assert!(node.root.join("comm-node.yaml.bak-2").exists());
}

#[test]
fn init_asks_nobody_who_is_not_there() {
    let node = Node::bare(&[("src/x", "")]);
    let output = node.run(&["init"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("--yes"), "{}", text(&output));
    assert!(node.ok(&["init", "--dry-run"]).contains("version: 1"));
    assert!(!node.yaml().exists());
    fs::write(node.yaml(), GOOD).unwrap();
    let inner = node.root.join("src");
    let output = node.command(&["init", "--yes"]).current_dir(&inner).output().unwrap();
    assert!(text(&output).contains("belongs to the node"), "{}", text(&output));
}

/// What agents write for themselves is someone's; what switches the guard is nobody's.
#[test]
fn init_gives_the_agents_own_files_to_someone() {
    for files in [&[("api/a.rs", ""), ("web/b.js", "")][..], &[("src/main.rs", "")]] {
        let node = Node::bare(files);
        node.ok(&["init", "--yes"]);
        for path in [".claude/skills/x/SKILL.md", ".claude/agent-memory/a/MEMORY.md", "CLAUDE.md"] {
            let owner = &node.json(&["show", "--json", path]);
            let said = owner.to_string();
            assert!(said.contains("\"project\"") || said.contains("\"app\""), "{path}: {said}");
        }
    }
    let node = Node::bare(&[("api/a.rs", ""), ("web/b.js", "")]);
    let answer = node.json(&["init", "--yes", "--json"]);
    let project = answer["domains"].as_array().unwrap().iter().find(|d| d["name"] == "project").unwrap();
    assert_eq!(project["exclude"], serde_json::json!([".claude/settings*.json"]));
}

/// A pipe would never end, and a directory can't be replaced.
#[cfg(unix)]
#[test]
fn init_replaces_only_files() {
    for kind in ["pipe", "directory"] {
        let node = Node::bare(&[("api/a.rs", ""), ("web/b.js", "")]);
        if kind == "pipe" {
            let made = std::process::Command::new("mkfifo").arg(node.yaml()).status().unwrap();
            assert!(made.success());
        } else {
            fs::create_dir(node.yaml()).unwrap();
        }
        let mut child = node.command(&["init", "--yes", "--force"]).spawn().unwrap();
        let mut left = 300;
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if left == 0 {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            left -= 1;
            std::thread::sleep(std::time::Duration::from_millis(100));
        };
        assert_eq!(status.and_then(|status| status.code()), Some(1), "{kind}");
        let output = node.run(&["init", "--yes", "--force"]);
        assert!(
            text(&output).contains("comm-node.yaml is there and is no plain file; move it away"),
            "{}",
            text(&output)
        );
        assert!(!node.root.join(".comm-node").exists(), "{kind}: nothing is left behind");
    }
}
