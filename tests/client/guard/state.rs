//! The node's own files, missing, stale, broken, or something else than files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use super::{Played, SOON, Step, Who, play, shop, unseen, yaml};
use crate::driver::Client;
use crate::installed::person;
use crate::script::Script;
use crate::support::node::Node;

const FOREIGN: &[&str] = &[super::REFUSED, "it belongs to domain frontend"];
/// Something that is done to a file, and its name.
type Deed<'a> = (&'a str, &'a dyn Fn(&Path));
const REGISTRY: &str = ".comm-node/registry.json";

/// A session of backend in `node` tries its own scope and another.
fn own_and_foreign(node: &Node, name: &str) -> Option<(Played, Vec<Step>)> {
    let client = Client::guarded()?;
    let steps = vec![
        Step::write(node, &format!("services/api/{name}.txt")),
        Step::write(node, &format!("apps/web/{name}.txt")).refused(FOREIGN),
    ];
    Some((play(client, node.root(), Who::Main, &steps, |run| run.env("COMM_NODE_DOMAIN", "backend")), steps))
}

#[test]
fn a_lost_or_damaged_registry_is_made_again_by_the_hook() {
    let node = shop("enforce", "").build();
    person(node.root(), &["compile"]);
    let good = node.read(REGISTRY).expect("it was compiled");
    let damages: [Deed<'_>; 4] = [
        ("deleted", &|path| fs::remove_file(path).expect("could not remove")),
        ("cut", &|path| fs::write(path, &good[..good.len() / 2]).expect("could not write")),
        ("garbage", &|path| fs::write(path, b"\xff\xfe\0{").expect("could not write")),
        ("emptied", &|path| fs::write(path, "").expect("could not write")),
    ];
    for (name, damage) in damages {
        damage(&node.path(REGISTRY));
        let Some((played, steps)) = own_and_foreign(&node, name) else { return };
        played.assert_guarded(&steps);
        assert_eq!(node.read(REGISTRY).as_deref(), Some(good.as_str()), "{name}");
    }
    // A damaged file is set aside, never silently replaced.
    let aside = fs::read_dir(node.path(".comm-node")).expect("it exists").flatten();
    let aside = aside.filter(|e| e.file_name().to_string_lossy().contains(".damaged-")).count();
    assert_eq!(aside, 3);
}

/// What a flipped bit or an editor leaves can be rules that could be right: a pattern of the session's own that is another one now.
#[test]
fn changed_rules_open_nothing_although_they_could_be_right() {
    let node = shop("enforce", "").build();
    person(node.root(), &["compile"]);
    let good = node.read(REGISTRY).expect("it was compiled");
    let changed = good.replacen("services/api/**", "apps/web/?????*", 1);
    assert_ne!(changed, good);
    node.write(REGISTRY, &changed);
    let Some((played, steps)) = own_and_foreign(&node, "changed") else { return };
    played.assert_guarded(&steps);
    assert_eq!(node.read(REGISTRY).as_deref(), Some(good.as_str()), "they are made anew");
    // Control: with a checksum that is right of them, they are the rules.
    let body = changed.rfind(",\"sum\":").map(|at| &changed[..at]).expect("it has a checksum");
    node.write(REGISTRY, &comm_node_core::node::excerpt::sealed(body));
    let Some(client) = Client::guarded() else { return };
    let steps = [Step::write(&node, "apps/web/control.txt")];
    play(client, node.root(), Who::Main, &steps, |run| run.env("COMM_NODE_DOMAIN", "backend"))
        .assert_guarded(&steps);
}

/// New rules hold from the next call on, and so does the scope that a person takes away or gives.
#[test]
fn a_changed_yaml_holds_at_once() {
    let node = shop("enforce", "").build();
    let Some(client) = Client::guarded() else { return };
    let swapped = yaml("enforce", "")
        .replace("apps/web", "X")
        .replace("services/api", "apps/web")
        .replace('X', "services/api");
    node.write("swapped", &swapped);
    let steps = [
        Step::write(&node, "apps/web/a.txt").refused(FOREIGN),
        Step::first(unseen("import shutil; shutil.copy('swapped', 'comm-node.yaml')")),
        Step::write(&node, "apps/web/b.txt"),
        Step::write(&node, "services/api/b.txt").refused(&[super::REFUSED, "it belongs to domain frontend"]),
    ];
    play(client, node.root(), Who::Main, &steps, |run| run.env("COMM_NODE_DOMAIN", "backend"))
        .assert_guarded(&steps);
}

/// A fault in comm-node.yaml leaves the last good rules in force, and the next brief names the place.
#[test]
fn a_broken_yaml_leaves_the_last_good_rules_in_force() {
    let node = shop("enforce", "").build();
    let Some((played, steps)) = own_and_foreign(&node, "good") else { return };
    played.assert_guarded(&steps);
    assert_eq!(played.client.server.count_in_body(0, "has a fault"), 0);
    node.write("comm-node.yaml", &yaml("enforce", "").replace("scope: [\"apps/web/**\"]", "skope: [\"**\"]"));
    let Some((played, steps)) = own_and_foreign(&node, "broken") else { return };
    played.assert_guarded(&steps);
    let fault = "comm-node.yaml has a fault at line 10, column 5: ";
    assert_eq!(played.client.server.count_in_body(0, fault), 1);
    assert_eq!(played.client.server.count_in_body(0, "The last good rules stay in force"), 1);
    // Control: repaired, with other rules, and those hold.
    node.write("comm-node.yaml", &yaml("off", ""));
    let Some(client) = Client::guarded() else { return };
    let steps = [Step::write(&node, "apps/web/repaired.txt")];
    let played = play(client, node.root(), Who::Main, &steps, |run| run.env("COMM_NODE_DOMAIN", "backend"));
    played.assert_guarded(&steps);
    assert_eq!(played.client.server.count_in_body(0, "has a fault"), 0);
}

/// A node whose yaml was never right has no rules to fall back on: it refuses, and says where the fault is.
#[test]
fn a_yaml_that_never_was_right_refuses() {
    let broken = yaml("enforce", "").replace("scope: [\"apps/web/**\"]", "skope: [\"**\"]");
    let node = Node::builder().yaml(&broken).build();
    let Some(client) = Client::guarded() else { return };
    let steps = [Step::write(&node, "services/api/a.txt")
        .refused(&["comm-node could not judge this call", "comm-node.yaml:10:5"])];
    play(client, node.root(), Who::Main, &steps, |run| run.env("COMM_NODE_DOMAIN", "backend"))
        .assert_guarded(&steps);
}

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().expect("could not run mkfifo").success());
}

/// A state file that is a pipe, a link or a directory is not waited for, not followed, and named: refused in enforce
/// mode, let through in warn mode.
#[test]
fn state_that_is_no_file_refuses_in_enforce_mode_and_warns_in_warn_mode() {
    let odd: [Deed<'_>; 3] = [
        ("a pipe", &|path| fifo(path)),
        ("a link", &|path| symlink("/etc/hostname", path).expect("could not link")),
        ("a directory", &|path| fs::create_dir(path).expect("could not make a directory")),
    ];
    for (kind, make) in odd {
        for mode in ["enforce", "warn"] {
            let node = shop(mode, "").build();
            let Some(client) = Client::guarded() else { return };
            let id = "11111111-2222-4333-8444-555555555555";
            fs::create_dir_all(node.path(".comm-node/sessions")).expect("could not make the state directory");
            person(node.root(), &["compile"]);
            let file = format!(".comm-node/sessions/{id}.jsonl");
            make(&node.path(&file));
            let step = Step::write(&node, "services/api/a.txt");
            let name: &'static str = "11111111-2222-4333-8444-555555555555.jsonl cannot be trusted";
            let steps = [match mode {
                "enforce" => {
                    step.refused(&["comm-node could not judge this call", name, "Tell the user: remove it"])
                }
                _ => step,
            }];
            let start = std::time::Instant::now();
            let played = play(client, node.root(), Who::Main, &steps, |run| {
                run.env("COMM_NODE_DOMAIN", "backend").args(["--session-id", id])
            });
            assert!(start.elapsed() < SOON, "{kind}");
            played.assert_guarded(&steps);
        }
    }
}

/// The state directory itself, as a plain file and as a link that leads elsewhere.
#[test]
fn a_state_directory_that_is_none_refuses() {
    let elsewhere = tempfile::tempdir().expect("could not make a directory");
    for link in [true, false] {
        let node = shop("enforce", "").build();
        if link {
            symlink(elsewhere.path(), node.path(".comm-node")).expect("could not link");
        } else {
            node.write(".comm-node", "no directory");
        }
        let Some(client) = Client::guarded() else { return };
        let steps = [Step::write(&node, "services/api/a.txt")
            .refused(&["comm-node could not judge this call", ".comm-node"])];
        play(client, node.root(), Who::Main, &steps, |run| run.env("COMM_NODE_DOMAIN", "backend"))
            .assert_guarded(&steps);
        assert_eq!(
            fs::read_dir(elsewhere.path()).expect("it exists").count(),
            0,
            "nothing is written through a link"
        );
    }
}

/// For a user who is not allowed to read the state; the superuser may read everything.
#[test]
fn unreadable_state_refuses() {
    use std::os::unix::fs::PermissionsExt;
    let node = shop("enforce", "").build();
    person(node.root(), &["compile"]);
    let state = node.path(".comm-node");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o000)).expect("could not change the mode");
    if fs::read_dir(&state).is_ok() {
        return;
    }
    let Some(client) = Client::guarded() else { return };
    let steps = [Step::write(&node, "services/api/a.txt")
        .refused(&["comm-node could not judge this call", ".comm-node"])];
    let played = play(client, node.root(), Who::Main, &steps, |run| run.env("COMM_NODE_DOMAIN", "backend"));
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).expect("could not change the mode");
    played.assert_guarded(&steps);
}

/// The log can't be written: what is refused stays refused.
#[test]
fn a_refusal_does_not_depend_on_the_log() {
    let node = shop("enforce", "").build();
    fs::create_dir_all(node.path(".comm-node")).expect("could not make the state directory");
    let Some(client) = Client::guarded() else { return };
    let steps = [
        Step::write(&node, "services/api/a.txt"),
        Step::first(unseen("import shutil; shutil.rmtree('.comm-node/log'); open('.comm-node/log', 'w')")),
        Step::write(&node, "apps/web/a.txt").refused(FOREIGN),
    ];
    client.server.script(Script::default());
    play(client, node.root(), Who::Main, &steps, |run| run.env("COMM_NODE_DOMAIN", "backend"))
        .assert_guarded(&steps);
}
