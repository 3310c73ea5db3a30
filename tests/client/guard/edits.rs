//! The tools that edit, inside the scope and outside of it, by whoever and under whatever permissions.

use serde_json::json;

use super::{NOTEBOOK, Step, Who, guarded_and_not, play, shop};
use crate::driver::{Client, Permission};
use crate::script::{Script, Turn};
use crate::support::node::Node;

/// The reason says whose it is and by which rule, who asks, and what to do.
const FOREIGN: &[&str] = &[
    "PreToolUse:",
    super::REFUSED,
    "it belongs to domain frontend (scope `apps/web/**`, comm-node.yaml:10)",
    "this session works for domain backend, which may write `services/api/**`",
    "Leave the change to domain frontend",
    "`comm-node why 'apps/web/",
    "another tool or command is against the same rule",
];

/// Every tool that edits, in the scope, in another domain's, and in nobody's.
fn everything(node: &Node) -> Vec<Step> {
    vec![
        Step::write(node, "services/api/new/deep/a.txt"),
        Step::first(Turn::read(node.text("services/api/main.rs"))),
        Step::edit(node, "services/api/main.rs"),
        Step::first(Turn::read(node.text("services/api/n.ipynb"))),
        Step::notebook(node, "services/api/n.ipynb"),
        Step::write(node, "apps/web/new/deep/a.txt").refused(FOREIGN),
        Step::first(Turn::read(node.text("apps/web/index.html"))),
        Step::edit(node, "apps/web/index.html").refused(FOREIGN),
        Step::first(Turn::read(node.text("apps/web/n.ipynb"))),
        Step::notebook(node, "apps/web/n.ipynb").refused(FOREIGN),
        Step::write(node, "NOTES.md")
            .refused(&["no domain owns it (policy.unowned)", "`comm-node why 'NOTES.md'`"]),
    ]
}

fn every_tool(who: Who, permission: Permission) {
    guarded_and_not(
        who,
        |mode| shop(mode, "").build(),
        |node, _| everything(node),
        |run| run.permission(permission),
    );
}

#[test]
fn every_tool_in_the_main_loop_in_bypass_mode() {
    every_tool(Who::Main, Permission::Bypass);
}

#[test]
fn every_tool_in_the_main_loop_in_accept_edits_mode() {
    every_tool(Who::Main, Permission::AcceptEdits);
}

#[test]
fn every_tool_in_a_subagent_in_bypass_mode() {
    every_tool(Who::Agent("general-purpose"), Permission::Bypass);
}

#[test]
fn every_tool_in_a_subagent_in_accept_edits_mode() {
    every_tool(Who::Agent("general-purpose"), Permission::AcceptEdits);
}

/// The guard refuses, but it never grants: what is in the scope is still the client's own question to the person.
#[test]
fn in_default_mode_the_guard_grants_nothing() {
    for mode in ["enforce", "off"] {
        let node = shop(mode, "").build();
        let Some(client) = Client::guarded() else { return };
        let steps = [Step::write(&node, "services/api/a.txt"), Step::write(&node, "apps/web/a.txt")];
        let played = play(client, node.root(), Who::Main, &steps, |run| {
            run.permission(Permission::Unsaid).env("COMM_NODE_DOMAIN", "backend")
        });
        assert!(steps.iter().all(|s| s.is_done() == Some(false)), "{mode}");
        let (inside, outside) = (played.result(0), played.result(1));
        assert!(inside.contains("requested permissions") && !inside.contains("comm-node"), "{inside}");
        if mode == "enforce" {
            assert!(FOREIGN.iter().all(|piece| outside.contains(piece)), "{outside}");
        } else {
            assert!(outside.contains("requested permissions") && !outside.contains("comm-node"), "{outside}");
        }
    }
}

/// One refusal in a batch of parallel calls takes none of the others along.
#[test]
fn a_batch_is_judged_call_by_call() {
    let node = shop("enforce", "").build();
    let Some(client) = Client::guarded() else { return };
    let batch = Turn::write(node.text("services/api/a.txt"), "a")
        .and(Turn::write(node.text("apps/web/b.txt"), "b"))
        .and(Turn::write(node.text("services/api/c.txt"), "c"));
    client.server.script(Script::new([batch]));
    client.headless(node.root(), "go").env("COMM_NODE_DOMAIN", "backend").run().assert_success();
    assert_eq!(node.read("services/api/a.txt").as_deref(), Some("a"));
    assert_eq!(node.read("apps/web/b.txt"), None);
    assert_eq!(node.read("services/api/c.txt").as_deref(), Some("c"));
    let results = client.server.tool_results(1);
    let refused: Vec<bool> = results.iter().map(|r| r.contains(super::REFUSED)).collect();
    assert_eq!(refused, [false, true, false], "{results:?}");
    // The log says what was done and what was not, once each.
    let told: Vec<_> =
        node.events().into_iter().filter(|e| e["event"] == "denied" || e["event"] == "wrote").collect();
    let of = |event: &str| {
        told.iter().filter(|e| e["event"] == event).map(|e| e["path"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("denied"), ["apps/web/b.txt"]);
    assert_eq!(of("wrote"), ["services/api/a.txt", "services/api/c.txt"]);
    assert!(told.iter().all(|e| e["domain"] == "backend" && e["tool"] == "Write"), "{told:?}");
}

/// A read-only role holds in a subagent although its session may write there; the same steps by another type are done.
#[test]
fn a_subagent_in_a_read_only_role_writes_nothing() {
    let agent = "---\nname: finder\ndescription: finds things\n---\nFind.\n";
    for (kind, refused) in [("finder", true), ("general-purpose", false)] {
        let node = shop("enforce", "").file(".claude/agents/finder.md", agent).build();
        let Some(client) = Client::guarded() else { return };
        let step = Step::write(&node, "services/api/found.txt");
        let steps = [if refused { step.refused(&["the role finder writes nothing"]) } else { step }];
        let played =
            play(client, node.root(), Who::Agent(kind), &steps, |run| run.env("COMM_NODE_DOMAIN", "backend"));
        played.assert_guarded(&steps);
    }
}

/// The smallest server with one tool that writes, or says that it does: one JSON object per line in, one per line out.
const SERVER: &str = r#"
while read -r line; do
    id=$(printf '%s' "$line" | sed -n 's/.*"id":\("[^"]*"\|[0-9]*\).*/\1/p')
    case $line in
        *'"initialize"'*) result='{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"files","version":"1"}}' ;;
        *'"tools/list"'*) result='{"tools":[{"name":"save","description":"d","inputSchema":{"type":"object"}}]}' ;;
        *'"tools/call"'*) result='{"content":[{"type":"text","text":"the server saved it"}]}' ;;
        *) result='{}' ;;
    esac
    [ -z "$id" ] || printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$result"
done
"#;

/// Tools of other servers are judged where the node says which field holds the path.
#[test]
fn an_mcp_tool_that_the_node_names_is_judged() {
    let named = "mcp_writes: {mcp__files__save: target}\n";
    for (mode, more, refused) in [("enforce", named, true), ("enforce", "", false), ("off", named, false)] {
        let node = shop(mode, more).file("server.sh", SERVER).build();
        let Some(client) = Client::guarded() else { return };
        let save = |path: &str| Turn::tool("mcp__files__save", json!({"target": path, "content": "x"}));
        let steps = [Step::first(save("apps/web/a.txt")), Step::first(save("services/api/a.txt"))];
        let servers = json!({"mcpServers": {"files": {"command": "sh", "args": [node.text("server.sh")]}}});
        let played = play(client, node.root(), Who::Main, &steps, |run| {
            run.env("COMM_NODE_DOMAIN", "backend").args(["--mcp-config".to_owned(), servers.to_string()])
        });
        let (foreign, own) = (played.result(0), played.result(1));
        assert!(own.contains("the server saved it"), "{own}");
        assert_eq!(foreign.contains("the server saved it"), !refused, "{mode} {more}: {foreign}");
        assert_eq!(foreign.contains("it belongs to domain frontend"), refused, "{mode} {more}: {foreign}");
    }
}

#[test]
fn the_notebook_of_these_tests_is_one() {
    assert!(serde_json::from_str::<serde_json::Value>(NOTEBOOK).is_ok());
}
