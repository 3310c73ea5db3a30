//! Installed twice, as a plugin and in the settings: one effect.

use serde_json::Value;

use super::{Step, Who, play, shop};
use crate::driver::Client;
use crate::installed;

/// A run of a session of backend in a fresh node; `plugin` and `settings` say how the guard is installed.
fn effects(plugin: bool, settings: bool) -> Option<Effects> {
    let node = shop("enforce", "policy:\n  unbound: warn\n").build();
    let client = Client::start(crate::script::Script::default())?;
    if settings {
        client.install();
    }
    let refused: &[&str] = &[super::REFUSED, "it belongs to domain frontend"];
    let foreign = Step::write(&node, "apps/web/a.txt");
    let own = Step::write(&node, "services/api/a.txt");
    let steps = [if plugin || settings { foreign.refused(refused) } else { foreign }, own];
    let played = play(client, node.root(), Who::Main, &steps, |run| {
        let run = run.env("COMM_NODE_DOMAIN", "backend");
        if plugin { run.plugin_dir(&installed::as_plugin().plugin()) } else { run }
    });
    played.assert_guarded(&steps);
    let last = played.requests().pop().expect("there were requests");
    let mut calls: Vec<Value> =
        node.events().iter().filter(|e| e["event"] == "denied").map(|e| e["call"].clone()).collect();
    calls.dedup();
    Some(Effects {
        refusals: played.result(0).matches(super::REFUSED).count(),
        briefs: last.count("comm-node: this session works for domain backend"),
        records: node.sessions().len() + node.ended_sessions().len(),
        calls: calls.len(),
    })
}

#[derive(Debug, PartialEq, Eq)]
struct Effects {
    /// How often the model reads the refusal of one call.
    refusals: usize,
    /// How often the model has the brief.
    briefs: usize,
    /// Records of the one session.
    records: usize,
    /// Calls that the log says were refused.
    calls: usize,
}

#[test]
fn plugin_settings_and_both_have_the_same_effect() {
    let once = Effects { refusals: 1, briefs: 1, records: 1, calls: 1 };
    for (plugin, settings) in [(true, false), (false, true), (true, true)] {
        let Some(effects) = effects(plugin, settings) else { return };
        assert_eq!(effects, once, "plugin: {plugin}, settings: {settings}");
    }
    // Control: with neither there is none.
    assert_eq!(effects(false, false), Some(Effects { refusals: 0, briefs: 0, records: 0, calls: 0 }));
}

/// The notes of warn mode and of unbound sessions, too, come once.
#[test]
fn a_note_comes_once_with_both() {
    let node = shop("enforce", "policy:\n  unbound: warn\n").build();
    let Some(client) = Client::guarded() else { return };
    let steps = [Step::write(&node, "services/api/a.txt"), Step::write(&node, "services/api/b.txt")];
    let played =
        play(client, node.root(), Who::Main, &steps, |run| run.plugin_dir(&installed::as_plugin().plugin()));
    played.assert_guarded(&steps);
    let last = played.requests().pop().expect("there were requests");
    assert_eq!(last.count("through because this session is bound to no domain"), 1);
    assert_eq!(last.count("comm-node: this session is bound to no domain of node shop"), 1);
}

/// So does the note of a breach in warn mode, one per call.
#[test]
fn a_breach_in_warn_mode_is_told_once_with_both() {
    let node = shop("warn", "").build();
    let Some(client) = Client::guarded() else { return };
    let steps = [Step::write(&node, "apps/web/a.txt"), Step::write(&node, "apps/web/b.txt")];
    let played = play(client, node.root(), Who::Main, &steps, |run| {
        run.env("COMM_NODE_DOMAIN", "backend").plugin_dir(&installed::as_plugin().plugin())
    });
    played.assert_guarded(&steps);
    let last = played.requests().pop().expect("there were requests");
    assert_eq!(last.count("comm-node let the write to `apps/web/a.txt` through"), 1);
    assert_eq!(last.count("comm-node let the write to `apps/web/b.txt` through"), 1);
}

/// The client itself accepts the plugin that the installer writes.
#[test]
fn the_client_validates_the_plugin() {
    let Some(client) = Client::start(crate::script::Script::default()) else { return };
    let plugin = installed::as_plugin().plugin();
    let run = client.command(client.home()).args(["plugin", "validate", "--strict"]);
    let outcome = run.args([plugin.display().to_string()]).run();
    outcome.assert_success();
    // Control: a plugin with a fault is not accepted.
    let broken = client.home().join("broken");
    std::fs::create_dir_all(broken.join(".claude-plugin")).expect("could not make a directory");
    std::fs::write(broken.join(".claude-plugin/plugin.json"), "{\"name\": 7}").expect("could not write");
    let run = client.command(client.home()).args(["plugin", "validate", "--strict"]);
    let outcome = run.args([broken.display().to_string()]).run();
    assert!(!outcome.status.is_some_and(|s| s.success()), "{}", outcome.stdout);
}

/// `comm-node install --plugin` has the client set the plugin up, and `uninstall` has it forget the plugin.
#[test]
fn installed_as_a_plugin_by_the_client_itself() {
    let Some(client) = Client::start(crate::script::Script::default()) else { return };
    client.install_own(&["--plugin"]);
    let tries = |client: Client, refused: bool| {
        let node = shop("enforce", "").build();
        let step = Step::write(&node, "apps/web/a.txt");
        let step =
            if refused { step.refused(&[super::REFUSED, "it belongs to domain frontend"]) } else { step };
        let steps = [step, Step::write(&node, "services/api/a.txt")];
        let played =
            play(client, node.root(), Who::Main, &steps, |run| run.env("COMM_NODE_DOMAIN", "backend"));
        played.assert_guarded(&steps);
        assert_eq!(
            played.client.server.count_in_body(0, "comm-node: this session works for"),
            usize::from(refused)
        );
        played.client
    };
    let client = tries(client, true);
    let output = client.person(client.home(), &["uninstall"]);
    assert!(output.status.success(), "{}", installed::all(&output));
    let server = crate::server::Server::start(crate::script::Script::default());
    tries(client.with_server(server), false);
}
