//! Budgets in real sessions: what the scripted server serves is metered, and stops the session that spends it.
//!
//! Every response of the model costs [`EACH`] tokens, so that it is known with which one a budget is passed. Every
//! scenario has its control: the same steps without a budget, after which everything is done.

use std::time::Duration;

use serde_json::Value;

use crate::driver::Client;
use crate::installed::{in_settings, person};
use crate::script::{Script, Turn, Usage};
use crate::server::Request;
use crate::support::node::Node;

const SOON: Duration = Duration::from_secs(45);
/// Tokens of one response.
const EACH: u64 = 100;
/// What a budget of the tests allows: the fifth response passes it.
const BUDGET: u64 = 450;
const REFUSED: &str = "the budget is used up: today's 450 tokens of domain backend are spent";

/// A node whose `backend` has `budget`, with `policy` at its end.
fn node(budget: &str, policy: &str) -> Node {
    Node::builder()
        .yaml(&format!(
            "version: 1\nname: shop\ndomains:\n  backend:\n    scope: [\"services/api/**\"]\n    max_sessions: 3\n    \
             {budget}\n  frontend:\n    scope: [\"apps/web/**\"]\n{policy}"
        ))
        .file("services/api/main.rs", "old\n")
        .build()
}

fn limited(policy: &str) -> Node {
    node(&format!("budget: {{tokens_per_day: {BUDGET}}}"), policy)
}

fn free() -> Node {
    node("mode: enforce", "")
}

/// A turn that costs [`EACH`].
fn paid(turn: Turn) -> Turn {
    turn.usage(Usage::new(EACH - 10, 10))
}

fn write(node: &Node, n: usize) -> Turn {
    paid(Turn::write(node.text(&format!("services/api/{n}.rs")), "x\n"))
}

/// The files that exist of those that [`write`] makes.
fn written(node: &Node) -> Vec<usize> {
    (0..20).filter(|n| node.read(&format!("services/api/{n}.rs")).is_some()).collect()
}

fn run(client: &Client, node: &Node, turns: impl IntoIterator<Item = Turn>) {
    client.server.script(Script::new(turns));
    client.headless(node.root(), "go").env("COMM_NODE_DOMAIN", "backend").run().assert_success();
}

fn count(requests: &[Request], needle: &str) -> Vec<usize> {
    requests.iter().map(|r| r.count(needle)).collect()
}

/// How often `needle` is in the context at last: once told, it stays there.
fn told(client: &Client, needle: &str) -> usize {
    count(&client.server.requests_main(), needle).last().copied().unwrap_or_default()
}

/// What `comm-node budget --json` says of the first budget.
fn first(node: &Node, field: &str) -> Value {
    let out = person(node.root(), &["budget", "--json"]);
    let json = out.split_once('\n').map_or("", |(_, json)| json);
    let all: Value = serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}: {out}"));
    all[0][field].clone()
}

/// Which write is refused first, how late after the budget was passed, and whether any is done after that.
#[test]
fn it_is_refused_with_the_next_call_after_it_was_passed() {
    for (limited_, expected) in [(true, vec![0, 1, 2, 3, 4]), (false, (0..9).collect())] {
        let node = if limited_ { limited("") } else { free() };
        let Some(client) = Client::guarded() else { return };
        run(&client, &node, (0..9).map(|n| write(&node, n)));
        // Response n calls write n. The fifth response (n = 4) passes the budget; its own write is judged before the
        // client has written down what it cost.
        let done = written(&node);
        let results: Vec<String> = (1..9).map(|i| client.server.tool_results(i).join("\n")).collect();
        assert_eq!(done, expected, "{results:#?}");
        if limited_ {
            assert!(client.server.tool_results(6).join("\n").contains(REFUSED), "{results:#?}");
            assert!(first(&node, "spent").as_u64() >= Some(9 * EACH), "{:?}", first(&node, "spent"));
        }
    }
}

/// Apart from its session and with a cleared environment the program takes whoever runs it for a person: the guard does not
/// let it come to that. The control is a client without the guard, where it does.
#[test]
fn a_session_does_not_raise_its_own_budget() {
    for guarded in [true, false] {
        let node = limited("");
        let client = if guarded { Client::guarded() } else { Client::start(Script::default()) };
        let Some(client) = client else { return };
        let program = in_settings().bin().join("comm-node");
        let apart = format!(
            "setsid -f env -i PATH=\"$PATH\" HOME=\"$HOME\" {} budget grant backend 5000 >/dev/null 2>&1; sleep 2",
            program.display()
        );
        let script =
            format!("sh -c \"$(printf '%s' 'env -i {} budget grant backend 5000')\" 2>&1", program.display());
        run(&client, &node, [paid(Turn::bash(&apart)), paid(Turn::bash(&script))]);
        let results: Vec<String> = (1..3).map(|i| client.server.tool_results(i).join("\n")).collect();
        if guarded {
            assert!(results.iter().all(|said| said.contains("is for a person")), "{results:#?}");
            assert_eq!((first(&node, "limit"), first(&node, "granted")), (450.into(), 0.into()));
        } else {
            assert_eq!(first(&node, "granted"), 10_000, "{results:#?}");
        }
    }
}

/// What closes work goes on once nothing is left, and so does reading; a grant by a person lets the rest go on.
#[test]
fn hand_offs_messages_and_reading_go_on_and_so_does_all_after_a_grant() {
    let node = limited("");
    let Some(client) = Client::guarded() else { return };
    let note = "---\nto: [frontend]\ntype: handoff\ntask: bd-1\n---\n\nThe routes are open.\n";
    let handoff = "comm-node handoff write bd-2 --status 'Half of it is there.' --next 'write the rest'";
    let mut turns: Vec<Turn> = (0..5).map(|n| write(&node, n)).collect();
    turns.extend([
        paid(Turn::write(node.text(".comm-node/outbox/note.md"), note)),
        paid(Turn::bash("comm-node send frontend 'over to you' --type handoff")),
        paid(Turn::bash(handoff)),
        paid(Turn::bash("cat services/api/main.rs; git status --short")),
        paid(Turn::read(node.text("services/api/main.rs"))),
        paid(Turn::bash("echo x > services/api/5.rs")),
        paid(Turn::bash("python3 -c \"open('services/api/6.rs', 'w')\"")),
        // The guard sees it where it stands, and the program its session where that is out of sight.
        paid(Turn::bash("env -u CLAUDE_CODE_SESSION_ID comm-node budget grant backend 5000")),
        paid(Turn::bash("comm-node budget request 200 --reason 'the rest'")),
        write(&node, 7),
    ]);
    run(&client, &node, turns);
    let result = |i: usize| client.server.tool_results(i).join("\n");
    let all: Vec<String> = (1..16).map(result).collect();
    for (i, piece) in [
        (6, "created successfully"),
        (7, "sent "),
        (8, "bd-2"),
        (9, "old"),
        (10, "old"),
        (11, REFUSED),
        (12, "what `python3 -c"),
        (13, "is for a person"),
        (14, "granted: 200 tokens more for domain backend."),
    ] {
        assert!(result(i).contains(piece), "{i} {piece}: {all:#?}");
    }
    assert!(result(13).contains("comm-node refused this command"), "{}", result(13));
    // 450 + 200 are passed with the 7th response: what was granted is spent as well.
    assert!(result(15).contains("today's 650 tokens"), "{all:#?}");
    assert_eq!(written(&node), [0, 1, 2, 3, 4]);
    assert!(node.read(".comm-node/handoffs/backend/bd-2.md").is_some());
    assert_eq!(told(&client, "outbox/note.md was sent"), 1);
    person(node.root(), &["budget", "grant", "backend", "5000"]);
    client.server.script(Script::new([write(&node, 8)]));
    client
        .headless(node.root(), "again")
        .continue_last()
        .env("COMM_NODE_DOMAIN", "backend")
        .run()
        .assert_success();
    assert_eq!(written(&node), [0, 1, 2, 3, 4, 8]);
}

/// One line at 50 % and one at 80 %, each once, whatever else happens; nothing without a budget.
#[test]
fn each_band_is_told_once() {
    for (limited, expected) in [(true, [1, 1, 1]), (false, [0, 0, 0])] {
        let node = if limited { node("budget: {tokens_per_day: 1000}", "") } else { free() };
        let Some(client) = Client::guarded() else { return };
        run(&client, &node, (0..11).map(|_| paid(Turn::read(node.text("services/api/main.rs")))));
        client.server.script(Script::new([Turn::text("Done.")]));
        let again = client.headless(node.root(), "again").continue_last().env("COMM_NODE_DOMAIN", "backend");
        again.run().assert_success();
        let lines =
            ["50 % or more of today's 1,000 tokens", "80 % or more of today's", "the budget is used up:"];
        assert_eq!(lines.map(|line| told(&client, line)), expected);
        if limited {
            // With the response that crosses the band, or the next.
            let first = |line| count(&client.server.requests_main(), line).iter().position(|n| *n > 0);
            assert_eq!(lines.map(first), [Some(5), Some(8), Some(10)]);
        }
    }
}

/// What a run does with `policy.on_exhausted: stop`: it is told to hand off, hands off, and ends with the first call that is
/// something else.
fn stopping(node: &Node) -> Vec<Turn> {
    let mut turns: Vec<Turn> = (0..5).map(|n| write(node, n)).collect();
    turns.extend([
        paid(Turn::bash("comm-node handoff write bd-2 --status 'Half of it.' --next 'the rest'")),
        paid(Turn::read(node.text("services/api/main.rs"))),
        paid(Turn::read(node.text("services/api/main.rs"))),
        write(node, 7),
    ]);
    turns
}

#[test]
fn stop_ends_a_headless_run_after_the_hand_off() {
    for limited in [true, false] {
        let node = if limited { self::limited("policy: {on_exhausted: stop}\n") } else { free() };
        let Some(client) = Client::guarded() else { return };
        client.server.script(Script::new(stopping(&node)));
        let run = client.headless(node.root(), "go").env("COMM_NODE_DOMAIN", "backend").run();
        let requests = client.server.requests_main();
        if !limited {
            assert_eq!((requests.len(), written(&node)), (10, vec![0, 1, 2, 3, 4, 7]));
            continue;
        }
        // The sixth response is the hand-off, the seventh reads: its batch ends the run.
        assert_eq!(requests.len(), 7, "{run:?}");
        assert_eq!(count(&requests, "This run ends with the next call"), [0, 0, 0, 0, 0, 1, 1]);
        assert!(
            node.read(".comm-node/handoffs/backend/bd-2.md").is_some(),
            "{:?}",
            client.server.tool_results(6)
        );
        assert_eq!(written(&node), [0, 1, 2, 3, 4]);
        let stopped =
            node.events().iter().filter(|e| e["event"] == "stopped" && e["rule"] == "budget").count();
        assert_eq!(stopped, 1);
    }
}

/// The same in a terminal: the person is told why, and goes on after a grant.
#[test]
fn stop_ends_an_interactive_run_and_a_grant_lets_it_go_on() {
    let node = limited("policy: {on_exhausted: stop}\n");
    let Some(client) = Client::guarded() else { return };
    client.server.script(Script::new(stopping(&node)));
    let start = node.path("services/api");
    let Some(terminal) = client.interactive(&start, &["--dangerously-skip-permissions"]) else { return };
    terminal.wait_for("❯", SOON);
    terminal.say("go");
    terminal.wait_for("comm-node stopped this run", SOON);
    assert_eq!(client.server.requests_main().len(), 7);
    assert!(node.read(".comm-node/handoffs/backend/bd-2.md").is_some());
    assert_eq!(written(&node), [0, 1, 2, 3, 4]);
    person(node.root(), &["budget", "grant", "backend", "5000"]);
    client.server.script(Script::new([write(&node, 8), Turn::text("All is written.")]));
    terminal.say("go on");
    terminal.wait_for("All is written.", SOON);
    assert_eq!(written(&node), [0, 1, 2, 3, 4, 8]);
}

#[test]
fn refuse_in_a_terminal_lets_the_person_go_on_talking() {
    let node = limited("");
    let Some(client) = Client::guarded() else { return };
    let mut turns: Vec<Turn> = (0..8).map(|n| write(&node, n)).collect();
    turns.push(Turn::text("It is refused."));
    client.server.script(Script::new(turns));
    let start = node.path("services/api");
    let Some(terminal) = client.interactive(&start, &["--dangerously-skip-permissions"]) else { return };
    terminal.wait_for("❯", SOON);
    terminal.say("go");
    terminal.wait_for("It is refused.", SOON);
    assert_eq!(written(&node), [0, 1, 2, 3, 4]);
    assert!(client.server.tool_results(6).join("\n").contains(REFUSED));
    person(node.root(), &["budget", "grant", "backend", "5000"]);
    client.server.script(Script::new([write(&node, 8), Turn::text("All is written.")]));
    terminal.say("go on");
    terminal.wait_for("All is written.", SOON);
    assert_eq!(written(&node), [0, 1, 2, 3, 4, 8]);
}

/// What subagents spend is spent by the domain, and they are refused like their session.
#[test]
fn subagents_spend_from_the_same_budget() {
    for limited in [true, false] {
        let node = if limited { self::limited("") } else { free() };
        let Some(client) = Client::guarded() else { return };
        let errand = "take the scripted steps";
        let script = Script::new([paid(Turn::agent("general-purpose", errand)), write(&node, 9)])
            .agent(errand, (0..7).map(|n| write(&node, n)));
        client.server.script(script);
        client.headless(node.root(), "go").env("COMM_NODE_DOMAIN", "backend").run().assert_success();
        let expected = if limited { vec![0, 1, 2, 3] } else { vec![0, 1, 2, 3, 4, 5, 6, 9] };
        // The main loop's own response is metered at its own next batch: the subagent may have one more.
        let done = written(&node);
        assert!(done == expected || (limited && done == [0, 1, 2, 3, 4]), "{done:?}");
    }
}
