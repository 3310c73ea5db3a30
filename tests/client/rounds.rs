//! The end of a kickoff's round between real sessions: the one of the coordinator sleeps until all others are done.

use std::time::{Duration, Instant};

use crate::driver::Client;
use crate::installed::{all, as_plugin, comm_node};
use crate::script::{Script, Turn};
use crate::support::node::{Node, TWO_DOMAINS};

const SOON: Duration = Duration::from_secs(90);
/// As long as a session is given to wake by mistake: many times what it takes to wake.
const QUIET: Duration = Duration::from_secs(5);

/// Has session `n` of `domain` run `commands`; it goes on where it stopped.
fn session(node: &Node, client: &Client, domain: &str, n: u8, resumes: bool, commands: &[&str]) {
    client.server.script(Script::new(commands.iter().map(Turn::bash)));
    let id = format!("{n:08}-1111-4111-8111-111111111111");
    let run = client.headless(node.root(), "go").env("COMM_NODE_DOMAIN", domain);
    let run = if resumes { run.resume(&id) } else { run.args(["--session-id", &id]) };
    run.spawn().finish(SOON).assert_success();
}

#[test]
fn the_coordinator_wakes_when_the_last_domain_is_done() {
    let yaml =
        format!("{TWO_DOMAINS}  integration:\n    scope: [\"integration/**\"]\n    role: coordinator\n");
    let node = Node::builder().yaml(&yaml).build();
    let Some(coordinator) = Client::start(Script::new([Turn::text("I look at it.")])) else { return };
    let place = as_plugin().plugin();
    let args = ["--dangerously-skip-permissions", "--plugin-dir", place.to_str().expect("UTF-8")];
    let env = [("COMM_NODE_DOMAIN", "integration")];
    let Some(terminal) = coordinator.interactive_with(node.root(), &env, &args) else { return };
    terminal.wait_for("❯", SOON);
    let begin = Instant::now();
    while node.sessions().is_empty() {
        assert!(begin.elapsed() < SOON, "the session did not register:\n{}", terminal.screen());
        std::thread::sleep(Duration::from_millis(50));
    }
    let call = ["kickoff", "--goal", "Login with passkeys", "--wait", "1s"];
    let said = all(&comm_node(node.root(), &node.path(".claude"), node.root(), &call));
    assert!(said.contains("called backend, frontend") && said.contains("integration is woken"), "{said}");

    let (Some(backend), Some(frontend)) = (Client::guarded(), Client::guarded()) else { return };
    session(&node, &backend, "backend", 1, false, &["comm-node kickoff backend"]);
    let done = "comm-node kickoff --done --note 'the page is there'";
    session(&node, &frontend, "frontend", 2, false, &["comm-node kickoff frontend", done]);
    let results = frontend.server.requests_main().pop().map(|r| r.tool_results()).unwrap_or_default();
    assert!(results.iter().any(|text| text.contains("frontend is done; not yet: backend")), "{results:?}");
    // Control: backend is not done, and the coordinator sleeps.
    std::thread::sleep(QUIET);
    assert!(coordinator.server.requests_main().is_empty());

    session(&node, &backend, "backend", 1, true, &["comm-node kickoff --done"]);
    terminal.wait_for("I look at it.", SOON);
    let told =
        "> All other domains are done: backend, frontend (the page is there). Goal: Login with passkeys.";
    assert_eq!(coordinator.server.main(0).count(told), 1, "{}", coordinator.server.main(0).body);
    std::thread::sleep(QUIET);
    assert_eq!(coordinator.server.requests_main().len(), 1, "once");
}
