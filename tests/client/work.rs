//! Work that outlives a session, between real sessions: judged by what stands in the requests that their models got, and
//! by which files are there.

use std::fs;
use std::process::Output;
use std::time::Duration;

use crate::driver::Client;
use crate::installed::{all, comm_node, person};
use crate::script::{Script, Turn};
use crate::support::node::{Node, TWO_DOMAINS};

const SOON: Duration = Duration::from_secs(90);

/// Runs a fresh session of `domain` to its end: a client, a home and an id of its own.
fn session(node: &Node, domain: &str, n: u8, turns: impl IntoIterator<Item = Turn>) -> Option<Client> {
    let client = Client::guarded()?;
    prompt(&client, node, domain, n, "go", turns);
    Some(client)
}

fn prompt(
    client: &Client,
    node: &Node,
    domain: &str,
    n: u8,
    prompt: &str,
    turns: impl IntoIterator<Item = Turn>,
) {
    client.server.script(Script::new(turns));
    let id = format!("{n:08}-1111-4111-8111-111111111111");
    let run =
        client.headless(node.root(), prompt).args(["--session-id", &id]).env("COMM_NODE_DOMAIN", domain);
    run.spawn().finish(SOON).assert_success();
}

fn as_person(node: &Node, args: &[&str]) -> Output {
    comm_node(node.root(), &node.path(".claude"), node.root(), args)
}

/// How often `needle` stands in the last request of the main loop: in all that the session knew at its end.
fn at_end(client: &Client, needle: &str) -> usize {
    client.server.requests_main().last().map_or(0, |request| request.count(needle))
}

/// How often it stands in the first.
fn at_start(client: &Client, needle: &str) -> usize {
    client.server.requests_main().first().map_or(0, |request| request.count(needle))
}

#[test]
fn a_test_first_cycle_in_four_fresh_sessions() {
    let node = Node::shop();
    let (list, test, code) =
        ("services/api/test-list-greet.md", "services/api/tests/greet.rs", "services/api/greet.rs");
    let write = |path: &str| Turn::write(node.text(path), "// x\n");
    // Control: a session that took nothing writes all three.
    let free: Vec<Turn> = ["control/test-list-x.md", "control/tests/x.rs", "control/x.rs"]
        .map(|path| write(&format!("services/api/{path}")))
        .into();
    let Some(_) = session(&node, "backend", 9, free) else { return };
    assert!(
        node.path("services/api/control/tests/x.rs").exists()
            && node.path("services/api/control/x.rs").exists()
    );
    let begin = ["handoff", "write", "bd-1", "--status", "Wanted: a greeting.", "--next", "list behaviours"];
    person(node.root(), &[&begin[..], &["--to", "backend", "--to", "test-list"]].concat());
    let accept = || Turn::bash("comm-node handoff accept bd-1");
    let next = |status: &str, more: &str| {
        Turn::bash(format!("comm-node handoff write bd-1 --status '{status}' {more} --to-next"))
    };

    let lists =
        [accept(), write(test), write(code), write(list), next("Listed it.", "--next 'greets by name'")];
    let Some(lists) = session(&node, "backend", 1, lists) else { return };
    assert_eq!(at_start(&lists, "📋 Open handoff: .comm-node/handoffs/backend/bd-1.md (role test-list)"), 1);
    assert_eq!(at_end(&lists, "> Wanted: a greeting."), 1);
    assert!(node.path(list).exists() && !node.path(test).exists() && !node.path(code).exists());

    let tests = [
        accept(),
        write(code),
        write(test),
        next("One test, red.", ""),
        next("One test, red.", "--check 'run greet'"),
    ];
    let Some(tests) = session(&node, "backend", 2, tests) else { return };
    assert_eq!(at_start(&tests, "bd-1.md (role test)"), 1);
    assert_eq!(at_end(&tests, &format!("> list: {list}")), 1);
    assert_eq!((at_end(&tests, "> - [ ] greets by name"), at_end(&tests, "> Listed it.")), (1, 1));
    assert_eq!(at_end(&tests, "the role test writes only"), 1, "the code is refused");
    assert_eq!(at_end(&tests, "the role implement needs `check`"), 1);
    assert_eq!((at_end(&tests, "list behaviours"), at_end(&tests, "Wanted: a greeting")), (0, 0), "stale");
    assert!(node.path(test).exists() && !node.path(code).exists());

    let shell = Turn::bash(format!("echo > {}", node.text(test)));
    let builds = [accept(), write(test), shell, write(code), next("Green.", "--decision 'a plain function'")];
    let Some(builds) = session(&node, "backend", 3, builds) else { return };
    assert_eq!(at_start(&builds, "bd-1.md (role implement)"), 1);
    assert_eq!(
        (at_end(&builds, &format!("> tests: [{test}]")), at_end(&builds, "> check: \"run greet\"")),
        (1, 1)
    );
    assert_eq!(at_end(&builds, "the role implement leaves it out"), 2, "by tool and by shell");
    assert_eq!((at_end(&builds, "greets by name"), at_end(&builds, "Listed it.")), (0, 0), "stale");
    assert_eq!(node.read(test).as_deref(), Some("// x\n"));
    assert!(node.path(code).exists());

    let tidies = [
        accept(),
        Turn::read(node.text(test)),
        Turn::read(node.text(code)),
        Turn::edit(node.text(test), "// x", "// tidy"),
        Turn::edit(node.text(code), "// x", "// tidy"),
        next("Tidy.", "--next 'greets nobody'"),
    ];
    let Some(tidies) = session(&node, "backend", 4, tidies) else { return };
    assert_eq!(at_end(&tidies, &format!("> code: [{code}]")), 1);
    assert_eq!((at_end(&tidies, "> - a plain function"), at_end(&tidies, "> check: \"run greet\"")), (1, 1));
    assert_eq!((at_end(&tidies, "One test, red."), at_end(&tidies, "greets by name")), (0, 0), "stale");
    assert_eq!((node.read(test), node.read(code)), (Some("// tidy\n".into()), Some("// tidy\n".into())));
    // The next round starts with the list alone.
    let shown = person(node.root(), &["handoff", "show", "bd-1"]);
    assert!(shown.contains("> phase: test-list") && shown.contains(&format!("> list: {list}")), "{shown}");
    assert!(
        !shown.contains("> tests:") && !shown.contains("> code:") && !shown.contains("> check:"),
        "{shown}"
    );
}

#[test]
fn a_kickoff_of_three_sessions() {
    let yaml = format!("{TWO_DOMAINS}  docs:\n    scope: [\"docs/**\"]\n");
    let node = Node::builder().yaml(&yaml).build();
    let Some(first) = Client::guarded() else { return };
    // Control: with no kickoff nobody waits.
    prompt(&first, &node, "backend", 1, "go", [Turn::bash("comm-node kickoff backend --wait 60s")]);
    assert_eq!((at_end(&first, "No kickoff is under way"), at_end(&first, "START: ")), (1, 0));
    let said = std::thread::scope(|scope| {
        let person =
            scope.spawn(|| as_person(&node, &["kickoff", "--goal", "Login with passkeys", "--wait", "90s"]));
        while !node.path(".comm-node/kickoff.json").exists() {
            std::thread::sleep(Duration::from_millis(20));
        }
        let sessions: Vec<_> = ["backend", "frontend", "docs"]
            .into_iter()
            .zip(2..)
            .map(|(domain, n)| {
                let node = &node;
                scope.spawn(move || {
                    let turns = [
                        Turn::bash(format!("comm-node kickoff {domain} --wait 80s")),
                        Turn::bash("comm-node kickoff --status"),
                    ];
                    session(node, domain, n, turns)
                })
            })
            .collect();
        for one in sessions {
            let client = one.join().expect("ends").expect("there is a client");
            assert_eq!(at_start(&client, "> Goal: Login with passkeys"), 1, "told by mail at its start");
            assert!(at_end(&client, "START: Login with passkeys") >= 1);
            assert!(at_end(&client, "started: Login with passkeys") >= 1);
        }
        person.join().expect("ends")
    });
    let said = all(&said);
    for piece in ["called backend, docs, frontend", "ready: docs (", "(3 of 3)", "START was sent to all"] {
        assert!(said.contains(piece), "{piece}: {said}");
    }
}

#[test]
fn a_session_that_starts_is_told_what_is_open() {
    let node = Node::shop();
    let add = "comm-node blocker add 'Which hash?' --context 'bd-102, the login' --need 'one of two'";
    let Some(adds) = session(&node, "backend", 1, [Turn::bash(add)]) else { return };
    assert_eq!(at_start(&adds, "Active blockers"), 0, "control: there was none");
    assert_eq!(at_end(&adds, "this session is blocked"), 1);
    let Some(next) = session(&node, "frontend", 2, [Turn::text("Done.")]) else { return };
    assert_eq!(at_start(&next, "⚠️ Active blockers: .comm-node/blockers.md (1, newest: Which hash?)"), 1);
}

#[test]
fn working_files_alone_are_told_and_nothing_else() {
    let node = Node::bare();
    let start = |n| session(&node, "", n, [Turn::text("Done.")]);
    let Some(bare) = start(1) else { return };
    assert_eq!(
        (at_start(&bare, "SessionStart hook"), at_start(&bare, "agentic")),
        (0, 0),
        "control: nothing is there"
    );
    fs::create_dir_all(node.path(".claude/mytasks/handoffs")).expect("makes");
    let armed = start(2).expect("there is a client");
    assert_eq!(at_start(&armed, "SessionStart hook additional context: ✓ agentic: armed"), 1);
    assert_eq!(at_start(&armed, "comm-node"), 0);
    node.write(".claude/mytasks/handoffs/login.md", "# login\n");
    node.write(".claude/mytasks/blockers.md", "# Active Blockers\n\n### 2026-04-07 14:30 — Missed\n");
    let told = start(3).expect("there is a client");
    let lines = "SessionStart hook additional context: 📋 Open handoff: .claude/mytasks/handoffs/login.md\n⚠️ Active blockers: \
                 .claude/mytasks/blockers.md (0; malformed: line 3)";
    assert_eq!((at_start(&told, lines), at_start(&told, "armed")), (1, 0), "{}", told.server.main(0).body);
    assert!(!node.path(".comm-node").exists());
}

#[test]
fn a_turn_does_not_end_while_steps_of_the_task_are_open() {
    let node = Node::shop();
    person(
        node.root(),
        &["handoff", "write", "bd-1", "--status", "x", "--next", "wire it", "--to", "backend"],
    );
    let turns = [
        Turn::bash("comm-node handoff accept"),
        Turn::text("I am done."),
        Turn::bash("comm-node handoff check bd-1 1; comm-node handoff done"),
        Turn::text("Now I am."),
        Turn::text("Still."),
    ];
    let Some(client) = session(&node, "backend", 1, turns) else { return };
    assert_eq!(client.server.requests_main().len(), 4);
    assert_eq!(at_end(&client, "of its criteria these are not checked off"), 1);
    assert_eq!(at_end(&client, "bd-1 is done"), 1);
}

#[test]
fn the_reminder_is_turned_on_by_a_variable_and_off_by_a_word() {
    let reminder = "plan it, write a short brief";
    // Control: without the variable, and with one that says something else, none comes.
    for (variable, expected) in [("on", [1, 1, 1, 1]), ("1", [1, 1, 1, 1]), ("off", [0; 4]), ("", [0; 4])] {
        let node = Node::shop();
        let Some(client) = Client::guarded() else { return };
        let say = |id: &str, first: bool, text: &str| {
            client.server.script(Script::new([Turn::text("Done.")]));
            let run = client.headless(node.root(), text).env("COMM_NODE_DOMAIN", "backend");
            let run = if variable.is_empty() { run } else { run.env("COMM_NODE_ORCHESTRATOR", variable) };
            let run = if first { run.args(["--session-id", id]) } else { run.resume(id) };
            run.run().assert_success();
            at_end(&client, reminder)
        };
        let id = "00000001-1111-4111-8111-111111111111";
        // The policy's test sees the fourth of such prompts answered: here it is not, for what was said in between.
        let prompts = ["Fix the login", "off orchestrator", "what is this?", "Implement it"];
        for (i, (text, count)) in prompts.into_iter().zip(expected).enumerate() {
            assert_eq!(say(id, i == 0, text), count, "{variable}: {text}");
        }
        let other = say("00000002-1111-4111-8111-111111111111", true, "Implement it");
        assert_eq!(other, expected[0], "{variable}: it holds for the session whose person said it");
    }
}

#[test]
fn the_reminder_comes_where_it_is_wanted_and_never_twice_in_a_row() {
    let reminder = "plan it, write a short brief";
    for (policy, expected) in [("policy: {orchestrator: true}\n", [1, 1, 1, 2]), ("", [0, 0, 0, 0])] {
        let node = Node::builder().yaml(&format!("{TWO_DOMAINS}{policy}")).build();
        let Some(client) = Client::guarded() else { return };
        let id = "00000001-1111-4111-8111-111111111111";
        for (prompt_text, count) in
            ["Fix the login", "Add a page", "what is this?", "Implement it"].into_iter().zip(expected)
        {
            client.server.script(Script::new([Turn::text("Done.")]));
            let run = client.headless(node.root(), prompt_text).env("COMM_NODE_DOMAIN", "backend");
            let first = prompt_text == "Fix the login";
            let run = if first { run.args(["--session-id", id]) } else { run.resume(id) };
            run.run().assert_success();
            assert_eq!(at_end(&client, reminder), count, "{policy}{prompt_text}");
        }
    }
}
