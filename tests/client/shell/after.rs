//! After a command whose writes could not be known: what it really changed, and whose doing that was.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::{HOOK, SOON, Who, news, of_api, run, shop, wait_for, web};
use crate::driver::Client;
use crate::script::{Asker, Script, Turn};
use crate::support::node::Node;

/// A Python program that writes `text` to `path`.
fn python(path: &str, text: &str) -> String {
    format!("python3 -c \"open('{path}', 'w').write('{text}')\"")
}

fn session(
    client: &Client,
    node: &Node,
    domain: &str,
    turns: impl IntoIterator<Item = Turn>,
) -> crate::driver::Running {
    client.server.script(Script::new(turns));
    // With the client's own comparison of trees, which is on by default and can't tell whose doing a change was.
    client.headless(node.root(), "go").env("COMM_NODE_DOMAIN", domain).spawn()
}

fn told(client: &Client, i: usize) -> String {
    client.server.wait_for(&format!("{} requests", i + 2), SOON, |requests| {
        requests.iter().filter(|r| r.asker == Asker::Main).count() >= i + 2
    });
    news(&client.server.main(i + 1))
}

/// What the log says was done against the rules.
fn breaches(node: &Node) -> Vec<Value> {
    node.events().into_iter().filter(|e| e["event"] == "wrote_outside").collect()
}

#[test]
fn the_report_says_what_whose_and_how_to_undo_it() {
    let node = shop("enforce", "");
    let commands = [
        &python(&web(0), "y"),
        "ls",
        "python3 -c \"open('web/new', 'w').write('y')\"; false",
        "python3 -c \"open('notes', 'w').write('y')\"",
    ];
    let Some(ran) = of_api(&node, &commands) else { return };
    let report = ran.told(0);
    for piece in ["PostToolUse:Bash hook additional context: comm-node", "`web/00.txt`", "domain web", "git "]
    {
        assert!(report.contains(piece), "it lacks {piece:?}: {report}");
    }
    assert_eq!(ran.assert_silent(1, "it is said once"), ran.told(1));
    let failed = ran.told(2);
    for piece in ["PostToolUseFailure:Bash hook additional context: comm-node", "`web/new`", "domain web"] {
        assert!(failed.contains(piece), "it lacks {piece:?}: {failed}");
    }
    let unowned = ran.told(3);
    assert!(unowned.contains("`notes`") && unowned.contains("no domain owns it"), "{unowned}");
    let breaches = breaches(&node);
    let paths: Vec<_> = breaches.iter().map(|e| e["path"].as_str().unwrap_or_default()).collect();
    assert_eq!(paths, ["web/00.txt", "web/new", "notes"], "{breaches:?}");
    assert!(breaches.iter().all(|e| e["domain"] == "api" && e["tool"] == "Bash"), "{breaches:?}");
}

#[test]
fn what_it_changed_in_the_own_scope_is_leased() {
    let node = shop("enforce", "");
    let Some(client) = Client::guarded() else { return };
    let both = format!("{}; mkdir -p target; echo x > target/y; python3 -c 1", python("api/x", "y"));
    let turns =
        [Turn::bash(both), Turn::bash(python("api/made", "y")), Turn::bash("python3 -c 1"), Turn::hang()];
    let running = session(&client, &node, "api", turns);
    for i in 0..3 {
        let said = told(&client, i);
        assert!(!HOOK.iter().any(|h| said.contains(h)), "{i}: {said}");
    }
    assert_eq!(super::leased(&node), ["api/made", "api/x"]);
    let leases = super::leases(&node);
    assert!(leases.iter().all(|l| l["holder"]["domain"] == "api" || l["domain"] == "api"), "{leases:?}");
    drop(running);
}

/// What another session wrote while the command ran, by a tool or by a command, is not this one's doing.
#[test]
fn nobody_is_blamed_for_what_another_session_did_meanwhile() {
    let node = shop("enforce", "");
    let (Some(first), Some(second)) = (Client::guarded(), Client::guarded()) else { return };
    let [go, done] = ["go", "done"].map(|name| first.home().join(name));
    let slow = format!(
        "python3 -c \"import os, time\nopen('{}', 'w')\nwhile not os.path.exists('{}'): time.sleep(0.02)\"",
        go.display(),
        done.display()
    );
    let running = session(&first, &node, "api", [Turn::bash(slow), Turn::hang()]);
    let turns = [
        wait_for(&go),
        Turn::read(node.text(&web(0))),
        Turn::edit(node.text(&web(0)), "local", "theirs"),
        Turn::bash(format!("sed -i s/local/theirs/ {}", web(1))),
        Turn::write(node.text("web/new"), "x"),
        Turn::hang(),
    ];
    let other = session(&second, &node, "web", turns);
    for i in 2..5 {
        let said = told(&second, i);
        assert!(!said.contains("comm-node"), "{said}");
    }
    for i in 0..2 {
        assert_eq!(node.read(&web(i)).as_deref(), Some("theirs\n"));
    }
    fs::write(&done, "").expect("could not write the flag");
    let said = told(&first, 0);
    assert!(!HOOK.iter().any(|h| said.contains(h)), "{said}");
    assert_eq!(breaches(&node), [] as [Value; 0]);
    drop((running, other));
}

/// Two sessions that both run what nobody can judge: each answers for its own files at most.
#[test]
fn two_undecidable_commands_at_once() {
    let node = shop("enforce", "");
    let (Some(first), Some(second)) = (Client::guarded(), Client::guarded()) else { return };
    let [a, b] = ["a", "b"].map(|name| first.home().join(name));
    let write = |mine: &std::path::Path, theirs: &std::path::Path, path: &str| {
        Turn::bash(format!(
            "python3 -c \"import os, time\nopen('{}', 'w')\nwhile not os.path.exists('{}'): time.sleep(0.02)\n\
             open('{path}', 'w').write('y')\ntime.sleep(0.3)\"",
            mine.display(),
            theirs.display()
        ))
    };
    let running = [
        session(&first, &node, "api", [write(&a, &b, "api/x"), Turn::hang()]),
        session(&second, &node, "web", [write(&b, &a, &web(0)), Turn::hang()]),
    ];
    for client in [&first, &second] {
        let said = told(client, 0);
        assert!(!said.contains("undo") && !said.contains("git restore"), "no one is told to undo: {said}");
    }
    drop(running);
}

/// The client says nothing when it ends; so what it did is looked at with the next thing that the session does.
#[test]
fn a_command_in_the_background_is_looked_at_later() {
    let node = shop("enforce", "");
    let Some(client) = Client::guarded() else { return };
    let background = |command: String| {
        Turn::tool("Bash", json!({"command": command, "description": "s", "run_in_background": true}))
    };
    let flag = client.home().join("flag");
    let slow = format!("{}; touch {}", python(&web(0), "y"), flag.display());
    let turns = [
        background(format!("echo y > {}", web(1))),
        background(slow),
        wait_for(&flag),
        Turn::bash("sleep 0.5; true"),
        Turn::text("Done."),
    ];
    let ran = run(client, &node, Who::Main, turns, |run| run.env("COMM_NODE_DOMAIN", "api"));
    assert!(ran.told(0).contains(super::REFUSED), "{}", ran.told(0));
    assert!(!super::is_changed(&node, 1) && super::is_changed(&node, 0));
    let last = ran.requests().pop().expect("there were requests");
    let reports = last.count("`web/00.txt`");
    assert!(reports >= 1, "it is never reported: {}", ran.told(3));
    assert_eq!(breaches(&node).len(), 1, "{:?}", breaches(&node));
}

/// A tree too large or a command too slow costs nobody a turn.
#[test]
fn the_look_afterwards_is_quick_in_a_big_tree() {
    let node = shop("enforce", "");
    for i in 0..3000 {
        node.write(&format!("web/big/{}/{i}.txt", i % 50), "x");
    }
    node.git(&["add", "-A"]);
    let Some(client) = Client::guarded() else { return };
    let turns = [Turn::bash(python("web/big/7/7.txt", "y")), Turn::bash(python("api/x", "y"))];
    let ran = run(client, &node, Who::Main, turns, |run| {
        run.env("COMM_NODE_DOMAIN", "api").within(Duration::from_secs(30))
    });
    assert!(ran.told(0).contains("`web/big/7/7.txt`"), "{}", ran.told(0));
    ran.assert_silent(1, "the own file");
}
