//! What binds a session to its domain, what can't change it, and when a domain has room.

use serde_json::Value;

use super::{Played, SOON, Step, Who, play, shop, wait_for};
use crate::driver::{Client, Headless};
use crate::installed::person;
use crate::script::{Script, Turn};
use crate::support::node::Node;

const FOREIGN: &[&str] = &["it belongs to domain frontend", "this session works for domain backend"];
const UNBOUND: &str = "this session is bound to no domain";

fn text<'a>(record: &'a Value, field: &str) -> &'a str {
    record[field].as_str().unwrap_or_default()
}

/// Runs a session that is to be bound to `backend` by `how`, starting in `start`.
fn bound(by: &str, node: &Node, start: &str, how: impl for<'c> Fn(Headless<'c>) -> Headless<'c>) {
    let Some(client) = Client::guarded() else { return };
    let steps = [
        Step::write(node, &format!("services/api/{by}.txt")),
        Step::write(node, &format!("apps/web/{by}.txt")).refused(FOREIGN),
    ];
    let played = play(client, &node.path(start), Who::Main, &steps, how);
    played.assert_guarded(&steps);
    let ended = node.ended_sessions();
    let record = ended.iter().find(|r| text(r, "bound_by") == by);
    assert!(record.is_some_and(|r| r["domain"] == "backend"), "{ended:?}");
}

#[test]
fn the_environment_the_directory_and_the_agent_bind() {
    let agent = "---\nname: backend\ndescription: d\n---\nYou are backend.\n";
    let node = shop("enforce", "policy:\n  unbound: deny\n").file(".claude/agents/backend.md", agent).build();
    bound("env", &node, ".", |run| run.env("COMM_NODE_DOMAIN", "backend"));
    bound("directory", &node, "services/api", |run| run);
    bound("agent", &node, ".", |run| run.args(["--agent", "backend"]));
    // Control: with none of the three, the same edit is refused because the session is bound to nothing.
    let Some(client) = Client::guarded() else { return };
    let steps = [Step::write(&node, "services/api/none.txt").refused(&[UNBOUND])];
    play(client, node.root(), Who::Main, &steps, |run| run).assert_guarded(&steps);
}

/// The stronger one wins: the environment over the directory.
#[test]
fn the_environment_wins_over_the_directory() {
    let node = shop("enforce", "").build();
    bound("env", &node, "apps/web", |run| run.env("COMM_NODE_DOMAIN", "backend"));
}

#[test]
fn an_unknown_domain_in_the_environment_refuses_and_says_so() {
    let node = shop("enforce", "policy:\n  unbound: allow\n").build();
    let Some(client) = Client::guarded() else { return };
    let steps = [Step::write(&node, "services/api/a.txt")
        .refused(&[super::REFUSED, "works for domain backnd, which comm-node.yaml does not have"])];
    let played = play(client, node.root(), Who::Main, &steps, |run| run.env("COMM_NODE_DOMAIN", "backnd"));
    played.assert_guarded(&steps);
    assert_eq!(played.client.server.count_in_body(0, "this session is bound to domain backnd"), 1);
}

/// The model binds its own session, once; what is bound it can't rebind, free or unpause.
#[test]
fn join_binds_from_within_and_only_once() {
    let node = shop("enforce", "policy:\n  unbound: deny\n").build();
    let Some(client) = Client::guarded() else { return };
    let steps = [
        Step::write(&node, "services/api/before.txt").refused(&[UNBOUND]),
        Step::first(Turn::bash("comm-node join backend")),
        Step::write(&node, "services/api/after.txt"),
        Step::write(&node, "apps/web/a.txt").refused(FOREIGN),
        Step::first(Turn::bash("comm-node join frontend")),
        Step::first(Turn::bash("comm-node join frontend --force")).refused(&["is for a person"]),
        Step::first(Turn::bash("env -i PATH=\"$PATH\" comm-node join frontend")),
        Step::first(Turn::bash("comm-node leave --session $CLAUDE_CODE_SESSION_ID"))
            .refused(&["is for a person"]),
        Step::write(&node, "apps/web/b.txt").refused(FOREIGN),
        Step::write(&node, "services/api/still.txt"),
    ];
    let played = play(client, node.root(), Who::Main, &steps, |run| run);
    played.assert_guarded(&steps);
    assert!(played.result(1).contains("works for domain backend now"), "{}", played.result(1));
    assert!(played.result(4).contains("already works for domain backend: an agent can't change that"));
    // A cleared environment hides the session's name, not its process.
    let cleared = played.result(6);
    assert!(cleared.contains("an agent can't change that"), "{cleared}");
    let ended = node.ended_sessions();
    assert_eq!((text(&ended[0], "domain"), text(&ended[0], "bound_by")), ("backend", "join"));
}

/// Control of the above: a person does change it, while the session runs.
#[test]
fn a_person_rebinds_a_running_session() {
    let node = shop("enforce", "").build();
    let Some(client) = Client::guarded() else { return };
    let flag = client.home().join("flag");
    let steps = [
        Step::write(&node, "apps/web/a.txt").refused(FOREIGN),
        Step::first(wait_for(&flag)),
        Step::write(&node, "apps/web/b.txt"),
    ];
    client.server.script(Script::new(steps.iter().map(|s| s.turn.clone())));
    let run = client.headless(node.root(), "go").env("COMM_NODE_DOMAIN", "backend").spawn();
    client.server.wait_for("second request", SOON, |r| r.len() >= 2);
    let sessions = node.sessions();
    let id = text(&sessions[0], "session_id");
    let said = person(node.root(), &["join", "frontend", "--session", id.get(..8).expect("an id")]);
    assert!(said.contains("works for domain frontend now"), "{said}");
    std::fs::write(&flag, "").expect("could not write the flag");
    let outcome = run.finish(SOON);
    Played { client, outcome, who: Who::Main }.assert_guarded(&steps);
}

#[test]
fn a_change_of_directory_changes_nothing() {
    let node = shop("enforce", "").build();
    let Some(client) = Client::guarded() else { return };
    let steps = [
        Step::first(Turn::bash(format!("cd {}", node.text("apps/web")))),
        Step::write(&node, "apps/web/a.txt").refused(FOREIGN),
        Step::write(&node, "services/api/a.txt"),
    ];
    play(client, &node.path("services/api"), Who::Main, &steps, |run| run).assert_guarded(&steps);
    // Control: a session that starts there is bound to it.
    let Some(client) = Client::guarded() else { return };
    let steps = [Step::write(&node, "apps/web/a.txt")];
    play(client, &node.path("apps/web"), Who::Main, &steps, |run| run).assert_guarded(&steps);
}

/// A second session of a domain waits until the first is gone, and a killed one is gone at once.
#[test]
fn a_second_session_waits_for_room_and_gets_it_when_the_first_is_killed() {
    let node = shop("enforce", "").build();
    let Some(first) = Client::guarded() else { return };
    let Some(client) = Client::guarded() else { return };
    first.server.script(Script::new([Turn::write(node.text("services/api/first.txt"), "x"), Turn::hang()]));
    let running = first.headless(node.root(), "go").env("COMM_NODE_DOMAIN", "backend").spawn();
    first.server.wait_for("the first session's edit", SOON, |r| r.len() >= 2);
    assert!(node.path("services/api/first.txt").exists());

    let flag = client.home().join("flag");
    let full: &[&str] = &[super::REFUSED, "domain backend already has 1 live session"];
    let steps = [
        Step::write(&node, "services/api/a.txt").refused(full),
        // Neither may it do what another domain's session could not.
        Step::write(&node, "apps/web/a.txt").refused(full),
        Step::first(wait_for(&flag)),
        Step::write(&node, "services/api/b.txt"),
        Step::write(&node, "apps/web/b.txt").refused(FOREIGN),
    ];
    client.server.script(Script::new(steps.iter().map(|s| s.turn.clone())));
    let second = client.headless(node.root(), "go").env("COMM_NODE_DOMAIN", "backend").spawn();
    client.server.wait_for("the second session's refusals", SOON, |r| r.len() >= 3);
    assert_eq!(client.server.count_in_body(0, "domain backend of node shop already has 1 live session"), 1);
    running.signal("KILL");
    drop(running);
    std::fs::write(&flag, "").expect("could not write the flag");
    let outcome = second.finish(SOON);
    Played { client, outcome, who: Who::Main }.assert_guarded(&steps);
}

/// Control of the above: where two may live, the second writes at once.
#[test]
fn with_max_sessions_two_the_second_session_writes() {
    let node = Node::builder()
        .yaml(
            "version: 1\nname: shop\ndomains:\n  backend: {scope: [\"services/api/**\"], max_sessions: 2}\n",
        )
        .file("services/api/x", "")
        .build();
    let Some(first) = Client::guarded() else { return };
    let Some(client) = Client::guarded() else { return };
    first.server.script(Script::new([Turn::hang()]));
    let _running = first.headless(&node.path("services/api"), "go").spawn();
    first.server.wait_for("the first session", SOON, |r| !r.is_empty());
    let steps = [Step::write(&node, "services/api/a.txt")];
    play(client, &node.path("services/api"), Who::Main, &steps, |run| run).assert_guarded(&steps);
    assert_eq!(node.sessions().len(), 1, "the first one lives still");
}

/// `/clear` gives the session another id; what it was bound to holds.
#[test]
fn clear_keeps_what_was_joined() {
    let node = shop("enforce", "policy:\n  unbound: allow\n").build();
    let Some(client) = Client::guarded() else { return };
    client.server.script(Script::new([Turn::bash("comm-node join backend"), Turn::text("Joined.")]));
    let Some(terminal) = client.interactive(node.root(), &["--dangerously-skip-permissions"]) else { return };
    terminal.wait_for("❯", SOON);
    terminal.say("please join");
    terminal.wait_for("Joined.", SOON);
    let before = node.sessions();
    assert_eq!(text(&before[0], "domain"), "backend");
    terminal.say("/clear");
    wait_until("a record of the session after /clear", || {
        node.sessions().len() == 1 && node.sessions()[0]["session_id"] != before[0]["session_id"]
    });
    let after = node.sessions();
    assert_eq!((text(&after[0], "domain"), text(&after[0], "bound_by")), ("backend", "join"));
    client.server.script(Script::new([Turn::write(node.text("apps/web/a.txt"), "x"), Turn::text("Tried.")]));
    terminal.say("and now write");
    terminal.wait_for("Tried.", SOON);
    let main = client.server.requests_main();
    let last = main.last().expect("there were requests");
    let results = last.tool_results().join("\n");
    assert!(FOREIGN.iter().all(|piece| results.contains(piece)), "{results}");
    assert_eq!(last.count("this session works for domain backend"), 2, "in the brief and in the refusal");
    assert!(!node.path("apps/web/a.txt").exists());
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + SOON;
    while !done() {
        assert!(std::time::Instant::now() < deadline, "no {what} within {SOON:?}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// A session that is resumed is the one it was: bound as before, and not its own rival.
#[test]
fn a_resumed_session_is_bound_as_before() {
    let node = shop("enforce", "policy:\n  unbound: deny\n").build();
    let Some(client) = Client::guarded() else { return };
    let id = "11111111-2222-4333-8444-555555555555";
    client.server.script(Script::new([Turn::bash("comm-node join backend")]));
    client.headless(node.root(), "go").args(["--session-id", id]).run().assert_success();
    let asked = client.server.requests_main().len();
    let path = node.text("services/api/a.txt");
    client
        .server
        .script(Script::new([Turn::write(&path, "x"), Turn::write(node.text("apps/web/a.txt"), "x")]));
    client.headless(node.root(), "on").resume(id).run().assert_success();
    assert!(node.path("services/api/a.txt").exists());
    assert!(!node.path("apps/web/a.txt").exists());
    let refusal = client.server.tool_results(asked + 2).join("\n");
    assert!(FOREIGN.iter().all(|piece| refusal.contains(piece)), "{refusal}");
    assert_eq!(node.ended_sessions().len(), 1);
}
