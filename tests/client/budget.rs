//! Budgets in real sessions: what the scripted server serves is metered, and stops the session that spends it.
//!
//! Every response of the model costs [`EACH`] tokens, so that it is known with which one a budget is passed. Every
//! scenario has its control: the same steps without a budget, after which everything is done.

use std::time::Duration;

use serde_json::Value;

use crate::driver::Client;
use crate::installed::person;
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
