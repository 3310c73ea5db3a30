//! Ways to switch the guard off under a running session. The client takes changed settings over within seconds; a command
//! that names them is refused, and what a program does to them unseen has its effect held back.

use std::fs;

use serde_json::Value;

use super::{Step, Who, play, shop, unseen};
use crate::driver::Client;
use crate::installed::in_settings;
use crate::script::Turn;
use crate::support::node::Node;

/// Longer than the client waits for a settings file to settle.
const SETTLE: &str = "import time; time.sleep(2.5)";
const DISABLE: &str = r#"open('.claude/settings.local.json', 'w').write('{"disableAllHooks":true}')"#;
const FORGET: &str = "open(config + '/settings.json', 'w').write('{}')";
const FOREIGN: &[&str] = &[super::REFUSED, "it belongs to domain frontend"];

/// Python that puts `expression` of the `text` of the user's settings in their place.
fn rewrite(expression: &str) -> String {
    format!(
        "text = open(config + '/settings.json').read()\nopen(config + '/settings.json', 'w').write({expression})"
    )
}

/// The installer's settings, or the plugin's hooks, without the hook for `ConfigChange`.
fn without_config_change(settings: &str) -> String {
    let mut settings: Value = serde_json::from_str(settings).expect("JSON");
    assert!(settings["hooks"].as_object_mut().expect("hooks").remove("ConfigChange").is_some());
    settings.to_string()
}

/// The model runs `python` and then tries what is not its own: refused as installed, done without our `ConfigChange`.
/// `config` is where the user's settings are.
fn held_back(python: &str) {
    for installed in [true, false] {
        let node = shop("enforce", "").file(".claude/x", "").build();
        let Some(client) = Client::guarded() else { return };
        let settings = client.config().join("settings.json");
        if !installed {
            fs::write(&settings, without_config_change(&in_settings().settings()))
                .expect("could not write settings.json");
        }
        let before = Step::write(&node, "apps/web/before.txt").refused(FOREIGN);
        let after = Step::write(&node, "apps/web/after.txt");
        let after = if installed { after.refused(FOREIGN) } else { after };
        let steps = [before, Step::first(unseen(&format!("{python}\n{SETTLE}"))), after];
        let played =
            play(client, node.root(), Who::Main, &steps, |run| run.env("COMM_NODE_DOMAIN", "backend"));
        played.assert_guarded(&steps);
        assert_eq!(log_says_held(&node), installed, "{python}");
    }
}

fn log_says_held(node: &Node) -> bool {
    node.events().iter().any(|e| e["event"] == "held back")
}

#[test]
fn hooks_that_are_switched_off_stay_on() {
    held_back(DISABLE);
}

#[test]
fn settings_that_are_emptied_stay_in_force() {
    held_back(FORGET);
}

#[test]
fn settings_that_are_removed_stay_in_force() {
    held_back("os.remove(config + '/settings.json')");
}

#[test]
fn a_guard_that_is_wired_for_less_stays_wired() {
    held_back(&rewrite("text.replace('Edit|Write|NotebookEdit|MultiEdit', 'Edit')"));
}

/// What changes nothing about the guard is the person's business.
#[test]
fn other_changes_go_through() {
    let node = shop("enforce", "").build();
    let Some(client) = Client::guarded() else { return };
    let change = rewrite("text.replace('{', '{\"env\":{\"COLOUR\":\"green\"},', 1)");
    let steps = [
        Step::first(unseen(&format!("{change}\n{SETTLE}"))),
        Step::first(Turn::bash("echo the colour is $COLOUR")),
        Step::write(&node, "apps/web/after.txt").refused(FOREIGN),
    ];
    let played = play(client, node.root(), Who::Main, &steps, |run| run.env("COMM_NODE_DOMAIN", "backend"));
    played.assert_guarded(&steps);
    assert!(!log_says_held(&node));
    assert!(played.result(1).contains("the colour is green"), "{}", played.result(1));
}

/// The plugin's hooks, too, end with `disableAllHooks` and are held by ours; that they are no longer enabled means
/// nothing to a session that runs.
#[test]
fn a_plugin_that_is_switched_off_stays_on() {
    for (python, installed, guarded) in
        [(DISABLE, true, true), (DISABLE, false, false), (FORGET, false, true)]
    {
        let node = shop("enforce", "").file(".claude/x", "").build();
        let Some(client) = Client::start(crate::script::Script::default()) else { return };
        client.install_own(&["--plugin"]);
        if !installed {
            let hooks = client.config().join("comm-node/plugin/plugin/hooks/hooks.json");
            let text = fs::read_to_string(&hooks).expect("the plugin has hooks");
            fs::write(&hooks, without_config_change(&text)).expect("could not write hooks.json");
        }
        let after = Step::write(&node, "apps/web/after.txt");
        let steps = [
            Step::write(&node, "apps/web/before.txt").refused(FOREIGN),
            Step::first(unseen(&format!("{python}\n{SETTLE}"))),
            if guarded { after.refused(FOREIGN) } else { after },
        ];
        let played =
            play(client, node.root(), Who::Main, &steps, |run| run.env("COMM_NODE_DOMAIN", "backend"));
        played.assert_guarded(&steps);
        assert_eq!(log_says_held(&node), installed, "{python}");
    }
}

/// A person who uninstalls comm-node is not held up by it, not even in a session that runs.
#[test]
fn uninstalling_is_not_held_back() {
    let node = shop("enforce", "").build();
    let Some(client) = Client::start(crate::script::Script::default()) else { return };
    client.install_own(&[]);
    let [begun, flag] = ["begun", "flag"].map(|name| client.home().join(name));
    let steps = [
        Step::write(&node, "apps/web/before.txt").refused(FOREIGN),
        // Until the client has taken the settings over no call begins, for the program is gone: so the wait is in one
        // that has begun before.
        Step::first(Turn::bash(format!(
            "touch {}; until [ -e {} ]; do sleep 0.05; done; sleep 2.5",
            begun.display(),
            flag.display()
        ))),
        Step::write(&node, "apps/web/after.txt"),
    ];
    client.server.script(crate::script::Script::new(steps.iter().map(|s| s.turn.clone())));
    let run = client.headless(node.root(), "go").env("COMM_NODE_DOMAIN", "backend").spawn();
    let late = std::time::Instant::now() + super::SOON;
    while !begun.exists() {
        assert!(std::time::Instant::now() < late, "the wait never began");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let output = client.person(client.home(), &["uninstall"]);
    assert!(output.status.success(), "{}", crate::installed::all(&output));
    fs::write(&flag, "").expect("could not write the flag");
    let outcome = run.finish(super::SOON);
    super::Played { client, outcome, who: Who::Main }.assert_guarded(&steps);
    assert!(!log_says_held(&node));
}
