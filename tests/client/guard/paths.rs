//! Paths that are not what they look like: links, dots, worktrees, and the places that no agent may write.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;

use super::{Step, Who, guarded_and_not, play, shop};
use crate::driver::Client;
use crate::installed::{comm_node, person};
use crate::script::{Script, Turn};
use crate::support::node::Node;

const FOREIGN: &[&str] = &[super::REFUSED, "`apps/web/", "it belongs to domain frontend"];

fn elsewhere() -> (TempDir, PathBuf) {
    let dir = tempfile::Builder::new().prefix("elsewhere-").tempdir().expect("could not make a directory");
    let real = dir.path().canonicalize().expect("it exists");
    (dir, real)
}

#[test]
fn links_inside_the_scope_are_judged_by_where_they_lead() {
    let (_keep, outside) = elsewhere();
    guarded_and_not(
        Who::Main,
        |mode| {
            let node = shop(mode, "").file("services/api/own/x", "").build();
            symlink("../../apps/web", node.path("services/api/web")).expect("could not link");
            symlink(&outside, node.path("services/api/out")).expect("could not link");
            symlink("own", node.path("services/api/mine")).expect("could not link");
            symlink("../services/api", node.path("apps/back")).expect("could not link");
            symlink("../../apps/web/none.txt", node.path("services/api/dangling.txt"))
                .expect("could not link");
            // Links to links, and to a directory by way of one.
            symlink("web", node.path("services/api/again")).expect("could not link");
            node
        },
        |node, _| {
            let _ = fs::remove_file(outside.join("b.txt"));
            let through = |path: &str, real: PathBuf| Step::write_as(&node.text(path), real);
            vec![
                through("services/api/web/a.txt", node.path("apps/web/a.txt")).refused(FOREIGN),
                through("services/api/web/new/dir/a.txt", node.path("apps/web/new/dir/a.txt"))
                    .refused(FOREIGN),
                through("services/api/again/c.txt", node.path("apps/web/c.txt")).refused(FOREIGN),
                through("services/api/out/b.txt", outside.join("b.txt"))
                    .refused(&[super::REFUSED, "a symbolic link on it leads out of the node"]),
                through("services/api/dangling.txt", node.path("apps/web/none.txt"))
                    .refused(&[super::REFUSED, "`apps/web/none.txt`", "frontend"])
                    .client_refuses(),
                // Links are no sin: these lead to what the session may write.
                through("services/api/mine/d.txt", node.path("services/api/own/d.txt")),
                through("apps/back/e.txt", node.path("services/api/e.txt")),
            ]
        },
        |run| run,
    );
}

#[test]
fn dots_and_relative_paths_are_resolved_before_they_are_judged() {
    guarded_and_not(
        Who::Main,
        |mode| {
            let node = shop(mode, "").file("apps/web/sub/x", "").build();
            symlink("../../apps/web/sub", node.path("services/api/web")).expect("could not link");
            node
        },
        |node, _| {
            let written = |named: &str, real: &str| Step::write_as(named, node.path(real));
            let absolute = |path: &str| format!("{}/{path}", node.root().display());
            vec![
                written("apps/web/relative.txt", "apps/web/relative.txt").refused(FOREIGN),
                written("./services/api/../../apps/./web//dots.txt", "apps/web/dots.txt").refused(FOREIGN),
                written(&absolute("services/api/../../apps/web/up.txt"), "apps/web/up.txt").refused(FOREIGN),
                written(&absolute("services/api/none/../../../apps/web/gone.txt"), "apps/web/gone.txt")
                    .refused(FOREIGN),
                written(" apps/web/blank.txt\n", "apps/web/blank.txt").refused(FOREIGN),
                // A name that only begins like the scope's.
                written("services/api2/a.txt", "services/api2/a.txt")
                    .refused(&[super::REFUSED, "policy.unowned"]),
                written("services/api/relative.txt", "services/api/relative.txt"),
                written("apps/web/../../services/api/back.txt", "services/api/back.txt"),
                written(&absolute("services/api/slash.txt/"), "services/api/slash.txt"),
                // The client reads `..` by names alone, and so it is written beside the link.
                written("services/api/web/../beside.txt", "services/api/beside.txt"),
            ]
        },
        |run| run,
    );
}

/// Such a path is one place for the hook and another for the client.
#[cfg(target_os = "linux")]
#[test]
fn a_path_through_another_processs_eyes_is_refused() {
    guarded_and_not(
        Who::Main,
        |mode| shop(mode, "").build(),
        |node, _| {
            let odd = |path: &str| {
                Step::write_as(&format!("/proc/self/cwd/{path}"), node.path(path))
                    .refused(&["comm-node could not judge this call", "another thing for every process"])
            };
            vec![odd("apps/web/p.txt"), odd("services/api/p.txt")]
        },
        |run| run,
    );
}

#[test]
fn after_cd_paths_are_judged_from_where_the_session_stands() {
    guarded_and_not(
        Who::Main,
        |mode| shop(mode, "").build(),
        |node, _| {
            vec![
                Step::first(Turn::bash(format!("cd {}", node.text("apps/web")))),
                Step::write_as("here.txt", node.path("apps/web/here.txt")).refused(FOREIGN),
                Step::write_as("../../services/api/there.txt", node.path("services/api/there.txt")),
            ]
        },
        |run| run,
    );
}

#[test]
fn nobody_writes_what_the_guard_stands_on() {
    let policy = "policy:\n  protected: [\".env*\", \"**/secrets/**\"]\n";
    guarded_and_not(
        Who::Main,
        |mode| {
            shop(mode, policy)
                .file("services/api/.gitignore", "")
                .file(".claude/settings.local.json", "{}")
                .build()
        },
        |node, client| {
            let config = client.config();
            let no =
                |path: &str, what: &'static str| Step::write(node, path).refused(&[super::REFUSED, what]);
            let settings = "Claude Code's settings and hooks";
            vec![
                no("services/api/comm-node.yaml", "comm-node's configuration"),
                no(".comm-node/paused", "comm-node's own state"),
                no("services/api/.comm-node/link", "comm-node's own state"),
                no(".git/hooks/post-checkout", "git's own data"),
                no(".claude/settings.json", settings),
                no("services/api/.claude/settings.json", settings),
                no("services/api/.claude/hooks/x.sh", settings),
                no("services/api/.env.local", "protected by policy.protected `**/.env*`"),
                no("services/api/secrets/key", "policy.protected `**/secrets/**`"),
                Step::write_as(config.join("hooks/x.sh").to_str().expect("UTF-8"), config.join("hooks/x.sh"))
                    .refused(&[super::REFUSED, settings]),
                Step::write_as(
                    config.join("comm-node/bin/comm-node-stop").to_str().expect("UTF-8"),
                    config.join("comm-node/bin/comm-node-stop"),
                )
                .refused(&[super::REFUSED, "comm-node's installation"]),
                Step::first(Turn::read(config.join("settings.json").to_str().expect("UTF-8"))),
                Step::of(
                    Turn::edit(
                        config.join("settings.json").to_str().expect("UTF-8"),
                        "comm-node check",
                        "comm-node Renamed",
                    ),
                    Some((config.join("settings.json"), "Renamed".to_owned())),
                )
                .refused(&[super::REFUSED, settings]),
                Step::first(Turn::read(node.text("comm-node.yaml"))),
                Step::of(
                    Turn::edit(node.text("comm-node.yaml"), "Web pages", "Anything"),
                    Some((node.path("comm-node.yaml"), "Anything".to_owned())),
                )
                .refused(&[super::REFUSED, "comm-node's configuration"]),
            ]
        },
        |run| run,
    );
}

/// A linked worktree has the rules of the main one, relative to its own top, wherever it stands; and no state of its own.
#[test]
fn worktrees_are_judged_by_their_own_top() {
    let (_keep, outside) = elsewhere();
    let far = outside.join("far");
    let far_text = |path: &str| far.join(path).to_str().expect("UTF-8").to_owned();
    guarded_and_not(
        Who::Main,
        |mode| {
            let node = shop(mode, "").build();
            let _ = fs::remove_dir_all(&far);
            node.git(&["worktree", "add", "-q", ".claude/worktrees/x"]);
            node.git(&["worktree", "add", "-q", "-b", "far", far.to_str().expect("UTF-8")]);
            node
        },
        |node, _| {
            let foreign: &[&str] = &[super::REFUSED, "it belongs to domain frontend (scope `apps/web/**`"];
            vec![
                Step::write(node, ".claude/worktrees/x/services/api/a.txt"),
                Step::write(node, ".claude/worktrees/x/apps/web/a.txt").refused(foreign),
                Step::write(node, ".claude/worktrees/x/README.md")
                    .refused(&[super::REFUSED, "policy.unowned"]),
                Step::write_as(&far_text("services/api/a.txt"), far.join("services/api/a.txt")),
                Step::write_as(&far_text("apps/web/a.txt"), far.join("apps/web/a.txt")).refused(foreign),
            ]
        },
        |run| run,
    );
}

#[test]
fn a_session_in_a_worktree_shares_the_state_of_the_main_one() {
    for nested in [true, false] {
        let (_keep, outside) = elsewhere();
        for mode in ["enforce", "off"] {
            let node = shop(mode, "").build();
            let tree = if nested { node.path(".claude/worktrees/x") } else { outside.join(mode) };
            node.git(&["worktree", "add", "-q", "-b", "x", tree.to_str().expect("UTF-8")]);
            let Some(client) = Client::guarded() else { return };
            let step = |path: &str| Step::write_as(tree.join(path).to_str().expect("UTF-8"), tree.join(path));
            let steps = [
                step("services/api/a.txt"),
                Step::write_as("services/api/b.txt", tree.join("services/api/b.txt")),
                step("apps/web/a.txt").refused(&[super::REFUSED, "it belongs to domain frontend"]),
                Step::write(&node, "apps/web/main.txt")
                    .refused(&[super::REFUSED, "it belongs to domain frontend"]),
            ];
            let played = play(client, &tree, Who::Main, &steps, |run| run.env("COMM_NODE_DOMAIN", "backend"));
            if mode == "off" {
                played.assert_unguarded(&steps);
            } else {
                played.assert_guarded(&steps);
            }
            assert!(!tree.join(".comm-node").exists(), "the worktree has a state of its own");
            let ended = node.ended_sessions();
            assert_eq!(ended.len(), 1);
            assert_eq!(ended[0]["directory"], json!(tree));
        }
    }
}

/// A session's own directory binds it in a worktree as it does in the main one.
#[test]
fn a_domains_directory_in_a_worktree_binds_too() {
    let node = shop("enforce", "").build();
    node.git(&["worktree", "add", "-q", ".claude/worktrees/x"]);
    let start = node.path(".claude/worktrees/x/services/api");
    let Some(client) = Client::guarded() else { return };
    let steps = [
        Step::write_as("a.txt", start.join("a.txt")),
        Step::write(&node, ".claude/worktrees/x/apps/web/a.txt")
            .refused(&[super::REFUSED, "this session works for domain backend"]),
    ];
    play(client, &start, Who::Main, &steps, |run| run).assert_guarded(&steps);
    assert_eq!(node.ended_sessions()[0]["bound_by"], "directory");
}

/// The client's own worktree for a subagent: its directory differs from its session's.
#[test]
fn a_subagent_in_a_worktree_of_its_own_is_judged_by_its_top() {
    for (mode, refused) in [("enforce", true), ("off", false)] {
        let node = shop(mode, "").build();
        let Some(client) = Client::guarded() else { return };
        let errand = "work in isolation";
        let input = json!({"subagent_type": "general-purpose", "description": "scripted", "prompt": errand,
            "run_in_background": false, "isolation": "worktree"});
        client.server.script(
            Script::new([Turn::tool("Agent", input)]).agent(
                errand,
                [Turn::write("services/api/in.txt", "x"), Turn::write("apps/web/out.txt", "x")],
            ),
        );
        client.headless(node.root(), "go").env("COMM_NODE_DOMAIN", "backend").run().assert_success();
        let requests = client.server.requests_agent(errand);
        let results: Vec<String> = requests.iter().skip(1).map(|r| r.tool_results().join("\n")).collect();
        assert_eq!(results[1].contains(super::REFUSED), refused, "{results:?}");
        let trees = fs::read_dir(node.path(".claude/worktrees")).expect("the client made one");
        let tree =
            trees.flatten().map(|e| e.path()).find(|p| p.is_dir()).expect("it has changes, so it stays");
        assert!(tree.join("services/api/in.txt").exists());
        assert_eq!(tree.join("apps/web/out.txt").exists(), !refused);
        assert!(!tree.join(".comm-node").exists());
    }
}

/// A domain in a repository of its own: sessions there find the node, and its state is the node's.
#[test]
fn a_domain_in_another_repository_is_guarded_from_both_sides() {
    let (_keep, other) = elsewhere();
    let text = |path: &str| other.join(path).to_str().expect("UTF-8").to_owned();
    for mode in ["enforce", "off"] {
        let mobile =
            format!("  mobile:\n    path: {}\n    scope: [\"app/**\"]\n    mode: {mode}\n", other.display());
        let yaml = super::yaml(mode, "").replace("domains:\n", &format!("domains:\n{mobile}"));
        let node = Node::builder().yaml(&yaml).file("services/api/x", "").build();
        let _ = fs::remove_dir_all(other.join(".comm-node"));
        let _ = fs::remove_dir_all(other.join("app"));
        person(node.root(), &["link"]);
        let foreign: &[&str] = &[super::REFUSED, "this session works for domain mobile"];
        let steps = [
            Step::write_as(&text("app/a.txt"), other.join("app/a.txt")),
            Step::write_as(&text("NOTES.md"), other.join("NOTES.md"))
                .refused(&[super::REFUSED, "policy.unowned"]),
            Step::write(&node, "services/api/a.txt").refused(foreign),
        ];
        let Some(client) = Client::guarded() else { return };
        let played = play(client, &other, Who::Main, &steps, |run| run);
        let from_node = [
            Step::write(&node, "services/api/b.txt"),
            Step::write_as(&text("app/b.txt"), other.join("app/b.txt"))
                .refused(&[super::REFUSED, "it belongs to domain mobile"]),
        ];
        let Some(client) = Client::guarded() else { return };
        let back =
            play(client, node.root(), Who::Main, &from_node, |run| run.env("COMM_NODE_DOMAIN", "backend"));
        if mode == "off" {
            played.assert_unguarded(&steps);
            back.assert_unguarded(&from_node);
        } else {
            played.assert_guarded(&steps);
            back.assert_guarded(&from_node);
        }
        assert_eq!(node.ended_sessions().len(), 2);
        let there = fs::read_dir(other.join(".comm-node")).expect("the link is there").flatten();
        let there: Vec<_> = there.map(|e| e.file_name()).filter(|n| n != ".gitignore").collect();
        assert_eq!(there, ["link"]);
        let _ = fs::remove_file(other.join("NOTES.md"));
    }
}

/// `comm-node why` says the same as the guard, for the paths above that a person may wonder about.
#[test]
fn why_says_what_the_guard_says() {
    let node = shop("enforce", "").build();
    let own = person(node.root(), &["why", "services/api/x", "--domain", "backend"]);
    assert!(own.contains("allowed"), "{own}");
    let output = comm_node(
        node.root(),
        &node.path(".claude"),
        node.root(),
        &["why", "apps/web/x", "--domain", "backend"],
    );
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("refused") && said.contains("comm-node.yaml:10"), "{said}");
    assert!(!Path::new(&node.path(".claude")).exists(), "asking leaves nothing behind");
}
