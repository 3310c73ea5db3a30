//! What `comm-node uninstall` leaves behind: what was there before.

use std::fs;
use std::path::Path;

use super::{Step, Who, play, shop};
use crate::driver::Client;
use crate::installed::all;
use crate::script::Script;

/// Settings as a person keeps them: own order, odd indentation, a hook of their own, no line end at the end.
const SETTINGS: &str = "{\n   \"model\" : \"opus\",\r\n\t\"hooks\":{ \"Stop\":[{\"hooks\":[{\"type\":\"command\",\"command\":\"true\"}] } ]},\n \"permissions\": {\"allow\": [ \"Bash(ls:*)\" ]},   \"includeCoAuthoredBy\":false}";

fn tries(client: Client, refused: bool) -> Option<Client> {
    let node = shop("enforce", "").build();
    let step = Step::write(&node, "apps/web/a.txt");
    let steps =
        [if refused { step.refused(&[super::REFUSED, "it belongs to domain frontend"]) } else { step }];
    let played = play(client, node.root(), Who::Main, &steps, |run| run.env("COMM_NODE_DOMAIN", "backend"));
    played.assert_guarded(&steps);
    Some(played.client)
}

fn uninstall(client: &Client) {
    let output = client.person(client.home(), &["uninstall"]);
    assert!(output.status.success(), "{}", all(&output));
}

#[test]
fn uninstall_restores_the_settings_byte_for_byte_and_ends_the_guard() {
    let Some(client) = Client::start(Script::default()) else { return };
    let settings = client.config().join("settings.json");
    fs::write(&settings, SETTINGS).expect("could not write settings.json");
    client.install_own(&[]);
    assert_ne!(fs::read_to_string(&settings).ok().as_deref(), Some(SETTINGS));
    let Some(client) = tries(client, true) else { return };
    uninstall(&client);
    assert_eq!(fs::read_to_string(&settings).ok().as_deref(), Some(SETTINGS));
    assert!(!client.config().join("comm-node/bin").exists());
    let server = crate::server::Server::start(Script::default());
    tries(client.with_server(server), false);
}

#[test]
fn uninstall_removes_settings_that_were_not_there() {
    let Some(client) = Client::start(Script::default()) else { return };
    let before = names(&client.config());
    client.install_own(&[]);
    let Some(client) = tries(client, true) else { return };
    uninstall(&client);
    assert!(!client.config().join("settings.json").exists());
    let after: Vec<String> =
        names(&client.config()).into_iter().filter(|n| n.contains("comm-node")).collect();
    assert!(before.is_empty() && after.is_empty(), "{before:?} {after:?}");
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("it exists");
    entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect()
}

/// The other settings files, the project's and the person's own in it.
#[test]
fn project_and_local_scope_guard_and_go_again() {
    for scope in ["project", "local"] {
        let node = shop("enforce", "").file("services/api/x", "").build();
        let Some(client) = Client::start(Script::default()) else { return };
        let in_node = |args: &[&str]| {
            let output = client.person(node.root(), args);
            assert!(output.status.success(), "{}", all(&output));
        };
        in_node(&["install", "--no-link", "--scope", scope]);
        let before = node.git(&["status", "--porcelain"]);
        assert!(!client.config().join("settings.json").exists());
        let refused = [Step::write(&node, "apps/web/a.txt").refused(&[super::REFUSED])];
        let how = "backend";
        let played = play(client, node.root(), Who::Main, &refused, |run| run.env("COMM_NODE_DOMAIN", how));
        played.assert_guarded(&refused);
        let client = played.client;
        let output = client.person(node.root(), &["uninstall"]);
        assert!(output.status.success(), "{}", all(&output));
        assert!(before.contains(".claude/"), "{before}");
        assert!(!node.path(".claude").exists(), "{scope}");
        let server = crate::server::Server::start(Script::default());
        let done = [Step::write(&node, "apps/web/a.txt")];
        play(client.with_server(server), node.root(), Who::Main, &done, |run| {
            run.env("COMM_NODE_DOMAIN", how)
        })
        .assert_guarded(&done);
    }
}
