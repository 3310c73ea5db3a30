//! What a session is told when it starts, how often, and how much.

use super::{SOON, Step, Who, play, shop};
use crate::driver::Client;
use crate::script::{Script, Turn};
use crate::support::node::Node;

const BRIEF: &str = "comm-node: this session works for domain backend (HTTP API) of node shop.";
const SESSION: &str = "11111111-2222-4333-8444-555555555555";

#[test]
fn the_brief_stands_once_in_every_request() {
    let node = shop("enforce", "").build();
    let Some(client) = Client::guarded() else { return };
    let steps = [
        Step::write(&node, "services/api/a.txt"),
        Step::first(Turn::bash("echo hello")),
        Step::write(&node, "services/api/b.txt"),
    ];
    let played = play(client, node.root(), Who::Main, &steps, |run| run.env("COMM_NODE_DOMAIN", "backend"));
    let server = &played.client.server;
    assert_eq!(server.requests_main().len(), 4);
    for i in 0..4 {
        assert_eq!(server.count_in_body(i, BRIEF), 1, "request {i}");
        assert_eq!(
            server.count_in_body(i, "SessionStart hook additional context: comm-node"),
            1,
            "request {i}"
        );
        assert_eq!(server.count_in_body(i, "It may write `services/api/**`."), 1, "request {i}");
        assert_eq!(server.count_in_body(i, "Other domains: frontend (apps/web/**)."), 1, "request {i}");
        // Nothing more than the brief: a call that is let through is not talked about.
        let all = server.main(i).count("comm-node");
        assert_eq!(all, server.main(0).count("comm-node"), "request {i}");
    }
    // Control: a session without the hooks hears nothing of the node.
    let Some(plain) = Client::start(Script::default()) else { return };
    let played = play(plain, node.root(), Who::Main, &[], |run| run.env("COMM_NODE_DOMAIN", "backend"));
    assert_eq!(played.client.server.count_in_body(0, "comm-node: "), 0);
}

/// After a compaction the brief is there again: once in a terminal, where nothing else speaks of it any more.
#[test]
fn after_a_compaction_the_brief_is_there_again_once() {
    let node = shop("enforce", "").build();
    let Some(client) = Client::guarded() else { return };
    client.server.script(Script::new([Turn::text("First answer.")]));
    let start = node.path("services/api");
    let Some(terminal) = client.interactive(&start, &["--dangerously-skip-permissions"]) else { return };
    terminal.wait_for("❯", SOON);
    terminal.say("first words");
    terminal.wait_for("First answer.", SOON);
    assert_eq!(client.server.count_in_body(0, BRIEF), 1);
    terminal.say("/compact");
    terminal.wait_for("Compacted", SOON);
    client.server.script(Script::new([Turn::text("Second answer.")]));
    terminal.say("second words");
    terminal.wait_for("Second answer.", SOON);
    let last = client.server.requests_main().pop().expect("there were requests");
    assert_eq!(last.count("first words"), 0, "the context was compacted");
    assert_eq!(last.count(BRIEF), 1);
}

/// On resume an unchanged brief is not repeated; a changed node is told about.
#[test]
fn a_resumed_session_reads_what_changed() {
    let node = shop("enforce", "").build();
    let Some(client) = Client::guarded() else { return };
    let start = node.path("services/api");
    client.headless(&start, "one").args(["--session-id", SESSION]).run().assert_success();
    client.headless(&start, "two").resume(SESSION).run().assert_success();
    assert_eq!(client.server.count_in_body(1, BRIEF), 1);
    let changed =
        super::yaml("enforce", "").replace("services/api/**\"]", "services/api/**\", \"migrations/**\"]");
    node.write("comm-node.yaml", &changed);
    client.headless(&start, "three").resume(SESSION).run().assert_success();
    assert_eq!(client.server.count_in_body(2, "It may write `services/api/**`, `migrations/**`."), 1);
}

/// However many domains and however long their texts: the client cuts at 10,000 characters, the brief ends before 8,000.
#[test]
fn the_brief_of_a_crowded_node_stays_below_the_cap() {
    let mut yaml = String::from("version: 1\nname: crowd\ndomains:\n");
    for i in 0..150 {
        let long = "word ".repeat(60);
        let scope =
            (0..12).map(|j| format!("\"d{i}/{}/{j}/**\"", "x".repeat(60))).collect::<Vec<_>>().join(", ");
        yaml.push_str(&format!("  domain-{i:03}:\n    description: {long}\n    scope: [{scope}]\n"));
    }
    let node = Node::builder().yaml(&yaml).build();
    let Some(client) = Client::guarded() else { return };
    let played = play(client, node.root(), Who::Main, &[], |run| run.env("COMM_NODE_DOMAIN", "domain-007"));
    let body = played.client.server.main(0);
    assert_eq!(body.count("comm-node: this session works for domain domain-007"), 1);
    let messages = body.body["messages"].as_array().expect("messages");
    let texts = messages.iter().map(crate::script::message_text);
    let text = texts.into_iter().find(|t| t.contains("comm-node: this session")).expect("the brief");
    let from = text.find("comm-node: this session").expect("it begins so");
    let end = text.find("is looked at afterwards.").expect("it is whole, its last sentence included");
    let brief = &text[from..end];
    assert!(brief.chars().count() < 8_000, "{}", brief.chars().count());
    assert!(brief.contains(" more"), "{brief}");
}

/// A subagent reads the scope that it inherits before anything else; so does one in a role of its own.
#[test]
fn a_subagent_reads_its_scope_in_its_first_request() {
    let finder = "---\nname: finder\ndescription: finds things\n---\nFind.\n";
    let node = shop("enforce", "").file(".claude/agents/finder.md", finder).build();
    for (kind, role) in [("general-purpose", 0), ("finder", 1)] {
        let Some(client) = Client::guarded() else { return };
        let steps = [Step::first(Turn::bash("echo hello"))];
        let played =
            play(client, node.root(), Who::Agent(kind), &steps, |run| run.env("COMM_NODE_DOMAIN", "backend"));
        for request in played.requests() {
            let scope = "comm-node: this subagent belongs to a session of domain backend. It may write `services/api/**`.";
            assert_eq!(request.count(scope), 1, "{kind}");
            assert_eq!(request.count("Its role finder writes nothing"), role, "{kind}");
        }
        // It is the subagent's, not the main loop's.
        assert_eq!(played.client.server.count_in_body(1, "this subagent belongs"), 0);
    }
    // Control: where the guard is off there is nothing to say.
    let node = shop("off", "").build();
    let Some(client) = Client::guarded() else { return };
    let steps = [Step::first(Turn::bash("echo hello"))];
    let played = play(client, node.root(), Who::Agent("general-purpose"), &steps, |run| {
        run.env("COMM_NODE_DOMAIN", "backend")
    });
    assert_eq!(played.requests()[0].count("this subagent belongs"), 0);
}
