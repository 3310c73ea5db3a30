//! Whoever runs the command, under whatever permissions, however comm-node is installed.

use std::fs;

use serde_json::json;

use super::{
    ERRAND, Fate, HOOK, REFUSED, SOON, Try, Who, check, headless, news, of_api, run, shop, wait_for,
};
use crate::driver::{Client, Permission};
use crate::installed::{self, person};
use crate::script::{Asker, Script, Turn};

use Fate::{Refused, Reported, Silent};

/// Commands that the client itself lets run in every mode.
const PLAIN: &[Try] = &[
    Try(Refused, "echo y > {}"),
    Try(Refused, "cp api/x {}"),
    Try(Refused, "rm {}"),
    Try(Silent, "cat {}; echo y > api/new"),
];

#[test]
fn a_subagent_in_bypass_mode() {
    let tries = [PLAIN, &[Try(Reported, "python3 -c \"open('{}', 'w').write('y')\"")]].concat();
    check(&tries, &[], Who::Agent("general-purpose"), |mode| shop(mode, ""), |_, run| run);
}

#[test]
fn a_subagent_in_accept_edits_mode() {
    let who = Who::Agent("general-purpose");
    check(PLAIN, &[], who, |mode| shop(mode, ""), |_, run| run.permission(Permission::AcceptEdits));
}

/// The guard never grants: what the client would ask about, it still asks about.
#[test]
fn in_default_mode_the_guard_grants_no_command() {
    let node = shop("enforce", "");
    let Some(client) = Client::guarded() else { return };
    let turns = [Turn::bash("echo y > api/x"), Turn::bash("echo y > web/00.txt"), Turn::bash("cat api/x")];
    let ran = run(client, &node, Who::Main, turns, |run| {
        run.permission(Permission::Unsaid).env("COMM_NODE_DOMAIN", "api")
    });
    let asked = ran.assert_silent(0, "in the scope");
    assert!(asked.contains("approval") || asked.contains("permission"), "{asked}");
    assert!(ran.told(1).contains(REFUSED));
    assert_eq!(ran.assert_silent(2, "reading"), "old");
    assert_eq!(node.read("api/x").as_deref(), Some("old\n"));
}

/// The plugin, the settings, or both: refused once, reported once, and quiet otherwise.
#[test]
fn installed_as_a_plugin_in_the_settings_and_both() {
    for (plugin, settings) in [(true, false), (true, true), (false, false)] {
        let node = shop("enforce", "");
        let Some(client) = Client::start(Script::default()) else { return };
        if settings {
            client.install();
        }
        let write = "python3 -c \"open('web/01.txt', 'w').write('y')\"";
        let turns = ["echo y > web/00.txt", write, "echo y > api/x; ls"].map(Turn::bash);
        let ran = run(client, &node, Who::Main, turns, |run| {
            let run = run.env("COMM_NODE_DOMAIN", "api");
            if plugin { run.plugin_dir(&installed::as_plugin().plugin()) } else { run }
        });
        let once = usize::from(plugin || settings);
        let at = format!("plugin: {plugin}, settings: {settings}");
        assert_eq!(ran.told(0).matches(REFUSED).count(), once, "{at}: {}", ran.told(0));
        let report = ran.told(1);
        assert_eq!(report.matches(HOOK[0]).count(), once, "{at}: {report}");
        ran.assert_silent(2, &at);
    }
}

/// Its paths are the node's, and what it changes unseen is found there, too.
#[test]
fn a_subagent_in_a_worktree_of_its_own() {
    let node = shop("enforce", "");
    let Some(client) = Client::guarded() else { return };
    let input = json!({"subagent_type": "general-purpose", "description": "s", "prompt": ERRAND,
        "run_in_background": false, "isolation": "worktree"});
    let commands = [
        "pwd; echo y > api/x; cat api/x",
        "echo y > web/00.txt",
        "python3 -c \"open('web/01.txt', 'w').write('y')\"",
        "python3 -c \"open('api/y', 'w').write('y')\"",
        "git add -A; git stash -q; git checkout -q -- .",
    ];
    client.server.script(Script::new([Turn::tool("Agent", input)]).agent(ERRAND, commands.map(Turn::bash)));
    headless(&client, &node).env("COMM_NODE_DOMAIN", "api").run().assert_success();
    let told = |i: usize| news(&client.server.requests_agent(ERRAND)[i + 1]);
    assert!(told(0).contains("/worktrees/"), "it is not in a worktree: {}", told(0));
    for i in [0, 3] {
        assert!(!HOOK.iter().any(|h| told(i).contains(h)), "{}", told(i));
    }
    assert!(told(1).contains(REFUSED) && told(1).contains("it belongs to domain web"), "{}", told(1));
    assert!(told(2).contains(HOOK[0]) && told(2).contains("web/01.txt"), "{}", told(2));
    assert!(!super::is_changed(&node, 0) && node.read("api/x").as_deref() == Some("old\n"));
}

/// The control is another type of subagent in the same session.
#[test]
fn a_read_only_role_writes_nothing_by_command_either() {
    let node = shop("enforce", "");
    node.write(".claude/agents/finder.md", "---\nname: finder\ndescription: finds things\n---\nFind.\n");
    let Some(client) = Client::guarded() else { return };
    let commands = [
        "sed -i s/old/new/ api/x",
        "cat api/x; ls > /dev/null",
        "python3 -c \"open('api/y', 'w').write('y')\"",
    ];
    let kinds = ["finder", "general-purpose"];
    let mut script = Script::new(kinds.map(|kind| Turn::agent(kind, &format!("errand of {kind}"))));
    for kind in kinds {
        script = script.agent(&format!("errand of {kind}"), commands.map(Turn::bash));
    }
    client.server.script(script);
    headless(&client, &node).env("COMM_NODE_DOMAIN", "api").run().assert_success();
    let told =
        |kind: &str, i: usize| news(&client.server.requests_agent(&format!("errand of {kind}"))[i + 1]);
    let said = told("finder", 0);
    assert!(said.contains(REFUSED) && said.contains("the role finder writes nothing"), "{said}");
    assert!(
        told("finder", 1).starts_with("old"),
        "reading goes on, and nothing was written: {}",
        told("finder", 1)
    );
    assert!(HOOK.iter().any(|h| told("finder", 2).contains(h)), "{}", told("finder", 2));
    for i in 0..3 {
        let said = told("general-purpose", i);
        assert!(!HOOK.iter().any(|h| said.contains(h)), "{said}");
    }
    assert_eq!((node.read("api/x").as_deref(), node.read("api/y").as_deref()), (Some("new\n"), Some("y")));
}

/// Until a person ends the pause: then the same commands are done.
#[test]
fn a_paused_node_refuses_commands_that_write() {
    let node = shop("enforce", "");
    person(node.root(), &["pause", "--reason", "release"]);
    let Some(client) = Client::guarded() else { return };
    let flag = client.home().join("flag");
    let unknown = "python3 -c \"open('api/new', 'w').write('y')\"";
    let commands =
        ["echo y > api/x", unknown, "ls; git status --short", "echo y > /dev/null"].map(Turn::bash);
    let turns = commands.clone().into_iter().chain([wait_for(&flag)]).chain(commands);
    client.server.script(Script::new(turns));
    let running = headless(&client, &node).env("COMM_NODE_DOMAIN", "api").spawn();
    client.server.wait_for("the wait", SOON, |requests| {
        requests.iter().filter(|r| r.asker == Asker::Main).count() >= 5
    });
    assert!(node.read("api/x").as_deref() == Some("old\n") && node.read("api/new").is_none());
    person(node.root(), &["resume"]);
    fs::write(&flag, "").expect("could not write the flag");
    running.finish(SOON).assert_success();
    let told = |i: usize| news(&client.server.main(i + 1));
    for i in 0..2 {
        let said = told(i);
        assert!(said.contains(REFUSED) && said.contains("a person paused the node shop"), "{said}");
    }
    for i in [2, 3, 5, 6, 7, 8] {
        assert!(!HOOK.iter().any(|h| told(i).contains(h)), "{i}: {}", told(i));
    }
    assert!(node.read("api/x").as_deref() == Some("y\n") && node.read("api/new").is_some());
}

#[test]
fn sessions_without_a_domain_follow_the_policy() {
    for policy in ["deny", "warn", "allow"] {
        let node = shop("enforce", &format!("policy:\n  unbound: {policy}\n"));
        let Some(client) = Client::guarded() else { return };
        let turns = ["ls; cat api/x", "echo y > api/x", "sed -i s/local/mine/ web/00.txt"].map(Turn::bash);
        let ran = run(client, &node, Who::Main, turns, |run| run);
        let read = ran.assert_silent(0, policy);
        assert!(read.ends_with("old"), "{read}");
        let writes = [ran.told(1), ran.told(2)];
        let refused =
            writes.iter().filter(|t| t.contains(REFUSED) && t.contains("bound to no domain")).count();
        let noted = writes.iter().filter(|t| t.contains(HOOK[0])).count();
        let expected = match policy {
            "deny" => (2, 0),
            // Told once, logged each time.
            "warn" => (0, 1),
            _ => (0, 0),
        };
        assert_eq!((refused, noted), expected, "{policy}: {writes:?}");
        assert_eq!(node.read("api/x").as_deref() == Some("old\n"), policy == "deny");
        let warned = node.events().iter().filter(|e| e["event"] == "warned" && e["tool"] == "Bash").count();
        assert_eq!(warned, if policy == "warn" { 2 } else { 0 }, "{:?}", node.events());
    }
}

/// What git ignores belongs to whoever builds, unless somebody owns it.
#[test]
fn what_git_ignores_may_be_built() {
    let node = shop("enforce", "policy:\n  unowned: deny\n");
    let commands = ["mkdir -p build && echo x > build/y", "echo x > notes.txt", "mkdir docs"];
    let Some(ran) = of_api(&node, &commands) else { return };
    ran.assert_silent(0, "ignored");
    for i in [1, 2] {
        let said = ran.told(i);
        assert!(said.contains(REFUSED) && said.contains("no domain owns it (policy.unowned)"), "{said}");
    }
    assert_eq!(node.read("build/y").as_deref(), Some("x\n"));
    assert!(node.read("notes.txt").is_none() && !node.path("docs").exists());
}

/// The guard's own ground, for every session, whatever the scope says.
#[test]
fn protected_paths_are_protected_from_commands() {
    let commands = [
        "rm -rf .comm-node",
        "echo y > comm-node.yaml",
        "sed -i s/enforce/off/ comm-node.yaml",
        "touch .comm-node/paused; rm .comm-node/paused",
        "mkdir -p .claude && echo '{}' > .claude/settings.json",
        "echo y > .git/hooks/pre-commit",
        "git rm -qf comm-node.yaml",
        "mv .comm-node elsewhere",
        "cd .comm-node && rm -r sessions; cd ..",
        "git config core.hooksPath /tmp/hooks",
        "rm -rf \"$HOME/.claude/comm-node\"",
    ];
    // Control: what nobody owns is otherwise free in this node.
    let free = ["echo y > notes.txt", "mkdir docs && echo y > docs/a"];
    let protected = "policy:\n  unowned: allow\n";
    let node = shop("enforce", protected);
    let all = [&commands[..], &free].concat();
    let Some(ran) = of_api(&node, &all) else { return };
    for (i, command) in free.iter().enumerate() {
        ran.assert_silent(commands.len() + i, command);
    }
    let mut wrong = Vec::new();
    for (i, command) in commands.iter().enumerate() {
        let said = ran.told(i);
        if !said.contains(REFUSED) {
            wrong.push(format!("{command}: {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(node.path(".comm-node/registry.json").exists() && !node.path(".claude/settings.json").exists());
    assert!(node.read("comm-node.yaml").expect("it is there").contains("enforce"));
    // Control: without the guard they are done.
    let node = shop("off", protected);
    if of_api(&node, &commands).is_none() {
        return;
    }
    assert!(node.path(".claude/settings.json").exists() && node.path(".git/hooks/pre-commit").exists());
}

#[test]
fn warn_mode_lets_the_command_run_and_says_so() {
    let node = shop("warn", "");
    let Some(ran) = of_api(&node, &["echo y > {}", "cp api/x {}; rm web/59.txt", "ls"]) else { return };
    for i in 0..2 {
        let said = ran.told(i);
        assert!(
            super::is_changed(&node, i) && said.contains(HOOK[0]) && said.contains(&super::web(i)),
            "{said}"
        );
        assert!(said.contains("warn mode") && said.contains("elongs to domain web"), "{said}");
    }
    ran.assert_silent(2, "reading");
    let warned: Vec<_> = node.events().into_iter().filter(|e| e["event"] == "warned").collect();
    assert_eq!(warned.len(), 3, "{warned:?}");
}
