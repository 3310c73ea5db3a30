//! What the meter counts, against what the scripted model served, to the token.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::driver::{Client, Running};
use crate::installed::{all, comm_node};
use crate::script::{Script, Turn, Usage};
use crate::server::Server;
use crate::support::node::Node;

const SOON: Duration = Duration::from_secs(90);
const OPUS: &str = "claude-opus-5-5";
const SONNET: &str = "claude-sonnet-5-5";
const HAIKU: &str = "claude-haiku-4-5-20251001";

/// Five domains, so that each of five sessions has its own.
const FIVE: &str = "version: 1\nname: five\ndomains:\n  a: {scope: [\"a/**\"]}\n  b: {scope: [\"b/**\"]}\n  \
                    c: {scope: [\"c/**\"]}\n  d: {scope: [\"d/**\"]}\n  e: {scope: [\"e/**\"]}\n";

/// Figures that no other response has.
fn figures(n: u64) -> Usage {
    Usage {
        input: 1 + n,
        output: 100 + n * 7,
        cache_read: 1_000 * n,
        cache_write_5m: 10 * (n % 3),
        cache_write_1h: 30 * (n % 2),
    }
}

fn session_id(n: u64) -> String {
    format!("aaaaaaaa-1111-4111-8111-{n:012}")
}

/// `usage --by <by> --json`, as figures by key.
pub(crate) fn metered(client: &Client, node: &Node, by: &str) -> BTreeMap<String, (Usage, u64)> {
    let output = comm_node(node.root(), &client.config(), node.root(), &["usage", "--by", by, "--json"]);
    assert!(output.status.success(), "{}", all(&output));
    let rows: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", all(&output)));
    let row = |row: &Value| {
        let n = |field: &str| row[field].as_u64().unwrap_or_else(|| panic!("no {field} in {row}"));
        let usage = Usage {
            input: n("input_tokens"),
            output: n("output_tokens"),
            cache_read: n("cache_read_tokens"),
            cache_write_5m: n("cache_write_5m_tokens"),
            cache_write_1h: n("cache_write_1h_tokens"),
        };
        (row[by].as_str().unwrap_or_default().to_owned(), (usage, n("responses")))
    };
    rows.as_array().expect("a list").iter().map(row).collect()
}

/// What was served, by what `key` says of a request: the figures, and how many responses.
fn served<'s>(
    servers: impl IntoIterator<Item = &'s Server>,
    key: impl Fn(&Value) -> String,
) -> BTreeMap<String, (Usage, u64)> {
    let mut sums: BTreeMap<String, (Usage, u64)> = BTreeMap::new();
    for request in servers.into_iter().flat_map(Server::requests) {
        if request.served != Usage::default() {
            let sum = sums.entry(key(&request.body)).or_default();
            *sum = (sum.0 + request.served, sum.1 + 1);
        }
    }
    sums
}

fn model(body: &Value) -> String {
    body["model"].as_str().unwrap_or_default().to_owned()
}

/// What the sum over all lines of all transcripts is, the way that is easy and wrong.
fn naive(client: &Client) -> u64 {
    let lines = client.transcripts().into_iter().flat_map(|(_, lines)| lines);
    lines.filter_map(|line| line["message"]["usage"]["output_tokens"].as_u64()).sum()
}

fn background(prompt: &str) -> Turn {
    let input = json!({"subagent_type": "general-purpose", "description": "scripted", "prompt": prompt,
        "run_in_background": true});
    Turn::tool("Agent", input)
}

/// A session's work: parallel calls, subagents in the foreground and in the background, a fork of itself.
fn work(n: u64) -> Script {
    let at = |i: u64| figures(n * 100 + i);
    Script::new([
        Turn::text("Begin.").and(Turn::bash("echo a")).and(Turn::bash("echo b")).usage(at(1)),
        Turn::agent("general-purpose", "first errand")
            .and(Turn::agent("general-purpose", "second errand"))
            .usage(at(2)),
        background("third errand").usage(at(3)),
        Turn::bash("sleep 0.5").usage(at(4)),
        Turn::text("Done.").usage(at(5)),
        Turn::text("Done again.").usage(at(6)),
    ])
    .agent(
        "first errand",
        [Turn::text("I look.").and(Turn::bash("echo c")).usage(at(11)), Turn::text("One.").usage(at(12))],
    )
    .agent(
        "second errand",
        [
            Turn::bash("echo d").usage(at(13)),
            Turn::bash("echo e").usage(at(14)),
            Turn::text("Two.").usage(at(15)),
        ],
    )
    .agent("third errand", [Turn::bash("echo f").usage(at(16)), Turn::text("Three.").usage(at(17))])
}

fn start(client: &Client, node: &Node, n: u64, domain: &str, model: &str) -> Running {
    client
        .headless(node.root(), "go")
        .args(["--session-id", &session_id(n), "--model", model])
        .env("COMM_NODE_DOMAIN", domain)
        .spawn()
}

#[test]
fn five_sessions_at_once_are_metered_exactly() {
    let node = Node::builder().yaml(FIVE).build();
    let plan = [("a", OPUS), ("b", SONNET), ("c", HAIKU), ("d", OPUS), ("e", SONNET)];
    let mut clients = Vec::new();
    for n in 0..5 {
        let Some(client) = Client::guarded() else { return };
        client.server.script(work(n));
        clients.push(client);
    }
    let mut runs: Vec<Option<Running>> = Vec::new();
    for (n, (domain, model)) in (0..).zip(plan) {
        runs.push(Some(start(&clients[runs.len()], &node, n, domain, model)));
    }
    // One is killed in the middle, when its subagents have begun, and goes on later.
    let killed = &clients[3];
    killed.server.wait_for("4 requests", SOON, |requests| requests.len() >= 4);
    if let Some(run) = runs[3].take() {
        run.signal("KILL");
        run.finish(SOON);
    }
    for run in runs.into_iter().flatten() {
        run.finish(SOON).assert_success();
    }
    // The one that was killed, and one that had ended, are resumed.
    for n in [3, 1] {
        let client = &clients[usize::try_from(n).expect("small")];
        client.server.script(Script::new([
            Turn::bash("echo g").usage(figures(900 + n)),
            Turn::text("End.").usage(figures(910 + n)),
        ]));
        let (domain, model) = plan[usize::try_from(n).expect("small")];
        client
            .headless(node.root(), "again")
            .resume(&session_id(n))
            .args(["--model", model])
            .env("COMM_NODE_DOMAIN", domain)
            .run()
            .assert_success();
    }
    let servers: Vec<&Server> = clients.iter().map(|c| &c.server).collect();
    let mut by_domain = BTreeMap::new();
    for (client, (domain, _)) in clients.iter().zip(plan) {
        let sums = served([&client.server], |_| domain.to_owned());
        by_domain.extend(sums);
    }
    let lost = unheard(killed);
    if let Some(sum) = by_domain.get_mut("d") {
        *sum = (minus(sum.0, lost.0), sum.1 - lost.1);
    }
    let mut by_model = served(servers, model);
    if let Some(sum) = by_model.get_mut(OPUS) {
        *sum = (minus(sum.0, lost.0), sum.1 - lost.1);
    }
    assert_eq!(metered(&clients[0], &node, "domain"), by_domain);
    assert_eq!(metered(&clients[0], &node, "model"), by_model);
    // Again changes nothing, and the tallies that the hooks keep say the same.
    assert_eq!(metered(&clients[0], &node, "domain"), by_domain);
    for (domain, (usage, responses)) in &by_domain {
        let tally =
            node.read(&format!(".comm-node/ledger/domains/{domain}.jsonl")).expect("there is a tally");
        assert!(tally.contains(&format!("\"output_tokens\":{}", usage.output)), "{responses} {tally}");
    }
    // Control: without telling lines of one response from each other it is more.
    let exact: u64 = by_domain.values().map(|(usage, _)| usage.output).sum();
    let wrong: u64 = clients.iter().map(naive).sum();
    assert!(wrong > exact, "{wrong} {exact}");
}

fn minus(a: Usage, b: Usage) -> Usage {
    Usage {
        input: a.input - b.input,
        output: a.output - b.output,
        cache_read: a.cache_read - b.cache_read,
        cache_write_5m: a.cache_write_5m - b.cache_write_5m,
        cache_write_1h: a.cache_write_1h - b.cache_write_1h,
    }
}

/// What was served to a client that was killed before it wrote any of it down: it stands nowhere, and no meter can know.
fn unheard(client: &Client) -> (Usage, u64) {
    let ids: Vec<String> = client
        .transcripts()
        .into_iter()
        .flat_map(|(_, lines)| lines)
        .filter_map(|line| Some(line["message"]["id"].as_str()?.to_owned()))
        .collect();
    let requests = client.server.requests();
    let lost = requests.iter().zip(1..).filter(|(request, n)| {
        request.served != Usage::default() && !ids.iter().any(|id| id.ends_with(&format!("x{n}")))
    });
    lost.fold((Usage::default(), 0), |sum, (request, _)| (sum.0 + request.served, sum.1 + 1))
}

#[test]
fn forks_and_compaction_count_once() {
    let node = Node::shop();
    let Some(client) = Client::guarded() else { return };
    let (first, fork) = (session_id(1), session_id(2));
    let run = |script: Script, args: &[&str], prompt: &str| {
        client.server.script(script);
        client
            .headless(node.root(), prompt)
            .args(args.iter().copied())
            .env("COMM_NODE_DOMAIN", "backend")
            .run()
            .assert_success();
    };
    run(
        Script::new([
            Turn::text("Begin.").and(Turn::bash("echo a")).usage(figures(1)),
            Turn::tool(
                "Agent",
                json!({"subagent_type": "fork", "description": "scripted", "prompt": "build it"}),
            )
            .usage(figures(2)),
            Turn::text("Done.").usage(figures(3)),
            Turn::text("Done.").usage(figures(4)),
            Turn::text("Done.").usage(figures(5)),
        ]),
        &["--session-id", &first],
        "go",
    );
    run(
        Script::new([Turn::bash("echo b").usage(figures(6)), Turn::text("Forked.").usage(figures(7))]),
        &["--resume", &first, "--fork-session", "--session-id", &fork],
        "fork",
    );
    run(
        Script::default().summary(Turn::text("<summary>All.</summary>").usage(figures(50))),
        &["--resume", &first],
        "/compact",
    );
    run(Script::new([Turn::text("After.").usage(figures(8))]), &["--resume", &first], "more");
    let mut expected = served([&client.server], |_| "backend".to_owned());
    // A compaction's own response stands in no transcript.
    let sum = expected.get_mut("backend").expect("something was served");
    *sum = (minus(sum.0, figures(50)), sum.1 - 1);
    let exact = sum.0.output;
    assert_eq!(metered(&client, &node, "domain"), expected);
    assert!(naive(&client) > exact);
    let sessions = metered(&client, &node, "session");
    assert_eq!(sessions.get(&fork).map(|(usage, n)| (*usage, *n)), Some((figures(6) + figures(7), 2)));
}

/// What a session costs is what the client itself says it does.
#[test]
fn the_price_table_agrees_with_the_clients() {
    let mut checked = 0;
    for model in [
        "claude-opus-5-5",
        "claude-sonnet-5-5",
        "claude-haiku-5-5",
        "claude-opus-5",
        "claude-opus-4-8",
        "claude-opus-4-7",
        "claude-opus-4-6",
        "claude-opus-4-5",
        "claude-sonnet-5",
        "claude-sonnet-4-6",
        "claude-sonnet-4-5",
        "claude-haiku-4-5",
        "claude-3-5-haiku-20241022",
    ] {
        let node = Node::shop();
        let Some(client) = Client::guarded() else { return };
        let usage =
            Usage { input: 1_003, output: 509, cache_read: 70_001, cache_write_5m: 211, cache_write_1h: 307 };
        client.server.script(Script::new([Turn::text("Hi.").usage(usage)]));
        let run = client
            .headless(node.root(), "go")
            .args(["--model", model, "--output-format", "json"])
            .env("COMM_NODE_DOMAIN", "backend")
            .run();
        let said: Value =
            serde_json::from_str(run.stdout.trim()).unwrap_or_else(|e| panic!("{e}: {}", run.stdout));
        let theirs = said["total_cost_usd"].as_f64().expect("the client says what it cost");
        if said["modelUsage"].as_object().is_none_or(|m| m.keys().all(|name| !name.starts_with(model))) {
            panic!("the client took another model than {model}: {}", said["modelUsage"]);
        }
        let ours = usd(&client, node.root());
        assert!((theirs - ours).abs() < 1e-9, "{model}: {theirs} {ours}");
        checked += 1;
    }
    assert_eq!(checked, 13);
}

fn usd(client: &Client, root: &Path) -> f64 {
    let output = comm_node(root, &client.config(), root, &["usage", "--json"]);
    let rows: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", all(&output)));
    rows[0]["usd"].as_f64().unwrap_or_else(|| panic!("no cost in {rows}"))
}
