//! Ways to switch the guard off under a running session. The client takes changed settings over within seconds; what a
//! shell command can do to them is not the guard's to refuse yet, but its effect is held back.

use std::fs;

use serde_json::Value;

use super::{Step, Who, play, shop};
use crate::driver::Client;
use crate::installed::in_settings;
use crate::script::Turn;
use crate::support::node::Node;

/// Longer than the client waits for a settings file to settle.
const SETTLE: &str = "sleep 2.5";
const FOREIGN: &[&str] = &[super::REFUSED, "it belongs to domain frontend"];

/// The installer's settings, or the plugin's hooks, without the hook for `ConfigChange`.
fn without_config_change(settings: &str) -> String {
    let mut settings: Value = serde_json::from_str(settings).expect("JSON");
    assert!(settings["hooks"].as_object_mut().expect("hooks").remove("ConfigChange").is_some());
    settings.to_string()
}

/// The model runs `command` and then tries what is not its own: refused as installed, done without our `ConfigChange`.
/// `$CLAUDE_CONFIG_DIR` is where the user's settings are.
fn held_back(command: &str) {
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
        let steps = [before, Step::first(Turn::bash(format!("{command}; {SETTLE}"))), after];
        let played =
            play(client, node.root(), Who::Main, &steps, |run| run.env("COMM_NODE_DOMAIN", "backend"));
        played.assert_guarded(&steps);
        assert_eq!(log_says_held(&node), installed, "{command}");
    }
}

fn log_says_held(node: &Node) -> bool {
    node.events().iter().any(|e| e["event"] == "held back")
}

#[test]
fn hooks_that_are_switched_off_stay_on() {
    held_back("echo '{\"disableAllHooks\":true}' > .claude/settings.local.json");
}

#[test]
fn settings_that_are_emptied_stay_in_force() {
    held_back("echo '{}' > $CLAUDE_CONFIG_DIR/settings.json");
}

#[test]
fn settings_that_are_removed_stay_in_force() {
    held_back("rm $CLAUDE_CONFIG_DIR/settings.json");
}

#[test]
fn a_guard_that_is_wired_for_less_stays_wired() {
    held_back("sed -i 's/Edit|Write|NotebookEdit|MultiEdit/Edit/g' $CLAUDE_CONFIG_DIR/settings.json");
}

/// What changes nothing about the guard is the person's business.
#[test]
fn other_changes_go_through() {
    let node = shop("enforce", "").build();
    let Some(client) = Client::guarded() else { return };
    let change = "sed -i '1s/{/{\"env\":{\"COLOUR\":\"green\"},/' $CLAUDE_CONFIG_DIR/settings.json";
    let steps = [
        Step::first(Turn::bash(format!("{change}; {SETTLE}"))),
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
    let disable = "echo '{\"disableAllHooks\":true}' > .claude/settings.local.json";
    let forget = "echo '{}' > $CLAUDE_CONFIG_DIR/settings.json";
    for (command, installed, guarded) in
        [(disable, true, true), (disable, false, false), (forget, false, true)]
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
            Step::first(Turn::bash(format!("{command}; {SETTLE}"))),
            if guarded { after.refused(FOREIGN) } else { after },
        ];
        let played =
            play(client, node.root(), Who::Main, &steps, |run| run.env("COMM_NODE_DOMAIN", "backend"));
        played.assert_guarded(&steps);
        assert_eq!(log_says_held(&node), installed, "{command}");
    }
}

/// A person who uninstalls comm-node is not held up by it, not even in a session that runs.
#[test]
fn uninstalling_is_not_held_back() {
    let node = shop("enforce", "").build();
    let Some(client) = Client::start(crate::script::Script::default()) else { return };
    client.install_own(&[]);
    let flag = client.home().join("flag");
    let steps = [
        Step::write(&node, "apps/web/before.txt").refused(FOREIGN),
        Step::first(super::wait_for(&flag)),
        Step::first(Turn::bash(SETTLE)),
        Step::write(&node, "apps/web/after.txt"),
    ];
    client.server.script(crate::script::Script::new(steps.iter().map(|s| s.turn.clone())));
    let run = client.headless(node.root(), "go").env("COMM_NODE_DOMAIN", "backend").spawn();
    client.server.wait_for("the first refusal", super::SOON, |r| r.len() >= 2);
    let output = client.person(client.home(), &["uninstall"]);
    assert!(output.status.success(), "{}", crate::installed::all(&output));
    fs::write(&flag, "").expect("could not write the flag");
    let outcome = run.finish(super::SOON);
    super::Played { client, outcome, who: Who::Main }.assert_guarded(&steps);
    assert!(!log_says_held(&node));
}
