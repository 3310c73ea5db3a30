//! What the documentation says is complete, and its links lead somewhere.
//!
//! `UPDATE_GOLDEN=1` writes the README's table of commands anew from `comm-node --help`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const CLI: &str = env!("CARGO_BIN_EXE_comm-node");
const BEGIN: &str = "<!-- commands: from comm-node --help -->\n";
const END: &str = "<!-- end of commands -->\n";

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(top().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Every Markdown file that people read, relative to the top.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> =
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "plugin/README.md"].map(PathBuf::from).to_vec();
    for entry in fs::read_dir(top().join("docs")).expect("docs/ is there") {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "md") {
            pages.push(Path::new("docs").join(path.file_name().unwrap()));
        }
    }
    pages.sort();
    pages
}

/// The lines of `text` that are not in a code block, and without `code`.
fn prose(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push(line.split('`').step_by(2).collect());
        }
    }
    lines
}

/// The targets of the links in `text`.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(text) {
        let mut rest = line.as_str();
        while let Some(at) = rest.find("](") {
            rest = &rest[at + 2..];
            let end = rest.find(')').unwrap_or(rest.len());
            found.push(rest[..end].to_owned());
        }
    }
    found
}

/// The anchors of the headings in `text`, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        }
        let title = line.trim_start_matches('#');
        if fenced || title == line || !title.starts_with(' ') {
            continue;
        }
        let kept = title.trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        found.insert(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
    }
    found
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = String::new();
    for page in pages() {
        let text = read(page.to_str().unwrap());
        for link in links(&text) {
            if link.starts_with("https://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => top().join(&page),
                _ => top().join(page.parent().unwrap()).join(file),
            };
            let there = match fs::read_to_string(&target) {
                _ if target.is_dir() => anchor.is_empty(),
                Ok(text) => anchor.is_empty() || anchors(&text).contains(anchor),
                Err(_) => false,
            };
            if !there {
                let _ = writeln!(wrong, "{}: {link}", page.display());
            }
        }
    }
    assert!(wrong.is_empty(), "links that lead nowhere:\n{wrong}");
}

#[test]
fn the_readme_leads_to_every_page() {
    let linked: BTreeSet<String> = links(&read("README.md")).into_iter().collect();
    for page in pages() {
        let page = page.to_str().unwrap();
        assert!(page == "README.md" || linked.contains(page), "README.md has no link to {page}");
    }
}

#[test]
fn the_readmes_first_screen_has_the_two_commands() {
    let readme = read("README.md");
    let screen: String = readme.lines().take(40).collect::<Vec<_>>().join("\n");
    for command in ["./install/install.sh", "./tests/run.sh"] {
        assert!(screen.contains(command), "{command} is not in the first 40 lines");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(top().join(command)).unwrap().permissions().mode();
            assert!(mode & 0o111 == 0o111, "{command} can't be run");
        }
    }
    assert!(screen.contains("comm-node refused the write to"), "there is no refused edit");
}

#[test]
fn the_readme_lists_every_command() {
    let output = Command::new(CLI).arg("--help").env("COLUMNS", "400").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let list = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let mut table = String::from("| command | does |\n|---|---|\n");
    for line in list.lines() {
        let (name, does) = line.trim().split_once("  ").unwrap_or_else(|| panic!("no description: {line}"));
        if name != "help" {
            let _ = writeln!(table, "| `comm-node {name}` | {} |", does.trim());
        }
    }
    let readme = read("README.md");
    let (before, rest) = readme.split_once(BEGIN).expect("the mark before the table");
    let (now, after) = rest.split_once(END).expect("the mark behind the table");
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|v| v == "1") {
        fs::write(top().join("README.md"), format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
    } else {
        assert_eq!(now, table, "run the tests with UPDATE_GOLDEN=1 to write it anew");
    }
}

#[test]
fn every_direct_dependency_has_its_reason() {
    let page = read("docs/DEPENDENCIES.md");
    let manifest = read("Cargo.toml");
    let list = manifest.split_once("[workspace.dependencies]\n").unwrap().1;
    let names = list
        .lines()
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .filter(|name| !name.starts_with("comm-node"));
    for name in names {
        assert!(page.contains(&format!("| `{name}` |")), "docs/DEPENDENCIES.md says nothing of {name}");
    }
}

/// The refusal in the README is what the guard says.
#[cfg(unix)]
#[test]
fn the_readmes_refusal_is_the_guards() {
    use std::io::Write as _;
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    let yaml = "version: 1\nname: shop\ndomains:\n  backend:\n    description: HTTP API\n    \
                scope: [\"services/api/**\"]\n  frontend:\n    description: Web pages\n    \
                scope: [\"apps/web/**\"]\n";
    fs::write(root.join("comm-node.yaml"), yaml).unwrap();
    let call = serde_json::json!({
        "session_id": "s", "cwd": &root, "hook_event_name": "PreToolUse", "tool_name": "Write", "tool_use_id": "t",
        "tool_input": {"file_path": root.join("apps/web/index.html"), "content": "x"},
    });
    let mut guard = Command::new(env!("CARGO_BIN_EXE_comm-node-pre-tool-use"))
        .env_clear()
        .env("COMM_NODE_DOMAIN", "backend")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .current_dir(&root)
        .spawn()
        .unwrap();
    guard.stdin.take().unwrap().write_all(call.to_string().as_bytes()).unwrap();
    let answer: serde_json::Value =
        serde_json::from_slice(&guard.wait_with_output().unwrap().stdout).unwrap();
    let reason = answer["hookSpecificOutput"]["permissionDecisionReason"].as_str().unwrap();
    let readme = read("README.md").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(readme.contains(reason), "the README shows another refusal than this:\n{reason}");
}
