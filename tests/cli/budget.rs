//! Budgets as people and agents meet them: the commands, and what the hooks refuse and say. What is spent is put
//! into the ledger by hand; that a real session's spending gets there is told by `tests/client/budget.rs`.

#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that can't be set up has to stop")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use comm_node_core::deadline::Deadline;
use comm_node_core::ledger::{Keys, Record, Source, Spend, Usage};
use comm_node_core::session::{Session, SessionId};
use comm_node_core::store::today;
use serde_json::{Value, json};

use crate::mail::{Node, Said};

const GUARD: &str = env!("CARGO_BIN_EXE_comm-node-pre-tool-use");
const POST: &str = env!("CARGO_BIN_EXE_comm-node-post-tool-use");
const START: &str = env!("CARGO_BIN_EXE_comm-node-session-start");

/// A node whose `backend` has this budget, and which has `more` at its end.
fn node(budget: &str, more: &str) -> Node {
    let node = Node::new();
    let yaml = format!(
        "version: 1\nname: shop\ndomains:\n  backend: {{scope: [\"api/**\"], max_sessions: 2, budget: {budget}}}\n  \
         frontend: {{scope: [\"web/**\"]}}\n  docs: {{scope: [\"docs/**\"]}}\n{more}"
    );
    fs::write(node.root.join("comm-node.yaml"), yaml).expect("writes");
    for id in ["b", "b2", "f"] {
        // Who has begun here is no visitor, and takes leases.
        change(&node, id, |session| session.started = "2026-01-01T00:00:00.000Z".to_owned());
    }
    node
}

fn change(node: &Node, id: &str, how: impl FnOnce(&mut Session)) {
    let store = node.store();
    let id = SessionId::new(id).expect("an id");
    let mut session = store.read_session(&id).expect("reads").expect("there");
    how(&mut session);
    store.write_session(&session).expect("writes");
}

/// Has `domain` spend `n` tokens, `micro` millionths of a dollar on `task`.
fn spend(node: &Node, domain: &str, task: &str, n: u64, micro: u64) {
    use std::sync::atomic::{AtomicU64, Ordering};
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    // What is read from the cache again is not in a budget of tokens.
    let usage = Usage {
        input_tokens: n / 2,
        output_tokens: n - n / 2,
        cache_read_tokens: 1_000_000,
        ..Usage::default()
    };
    let spend = Spend { usage, pico_usd: micro * 1_000_000, ..Spend::default() };
    let keys = Keys { domain: domain.into(), task: task.into(), day: today(), ..Keys::default() };
    let source = Source::main(SessionId::new(&format!("spender-{serial}")).expect("an id"));
    let mut record = Record::new();
    record.book(serial, &keys, spend);
    let store = node.store();
    let books = store.ledger().open(Deadline::after(Duration::from_secs(5))).expect("opens");
    books.put(&source, record).expect("books");
}

fn guard(node: &Node, id: &str, tool: &str, input: &Value) -> String {
    node.hook(
        GUARD,
        id,
        None,
        "PreToolUse",
        &json!({"tool_name": tool, "tool_use_id": format!("t-{id}"), "tool_input": input}),
    )
}

fn write(node: &Node, id: &str, path: &str) -> String {
    guard(node, id, "Write", &json!({"file_path": node.root.join(path), "content": "x"}))
}

fn bash(node: &Node, id: &str, command: &str) -> String {
    guard(node, id, "Bash", &json!({"command": command}))
}

/// What the client is told after a batch with one call.
fn batch(node: &Node, id: &str, tool: &str, input: &Value) -> String {
    let call = json!({"tool_calls": [{"tool_name": tool, "tool_use_id": "t", "tool_input": input}]});
    node.hook(POST, id, None, "PostToolBatch", &call)
}

fn set_task(node: &Node, id: &str, task: &str) {
    change(node, id, |session| session.task = Some(task.to_owned()));
}

fn listed(node: &Node) -> Value {
    node.run("", &["budget", "--json"]).good().json()
}

#[test]
fn nothing_is_refused_without_a_budget_or_below_it() {
    let node = node("{tokens_per_day: 1000}", "");
    for (id, path) in [("b", "api/a.rs"), ("f", "web/a.ts")] {
        assert_eq!(write(&node, id, path), "", "{id}");
    }
    spend(&node, "backend", "", 999, 0);
    spend(&node, "frontend", "", 50_000, 0);
    assert!(node.batch("b").contains("nearly spent"));
    assert_eq!(node.batch("f"), "");
    for (id, path) in [("b", "api/a.rs"), ("f", "web/a.ts")] {
        assert_eq!(write(&node, id, path), "", "{id}");
    }
    // Whoever has no budget leaves no trace of one.
    let standing = fs::read_to_string(node.root.join(".comm-node/ledger/standing.json")).expect("reads");
    assert!(!standing.contains("frontend"), "{standing}");
}

#[test]
fn a_node_without_budgets_has_no_standing() {
    let node = Node::new();
    spend(&node, "backend", "", 50_000, 0);
    assert_eq!((write(&node, "b", "api/a.rs"), node.batch("b"), node.prompt("b")), Default::default());
    assert!(!node.root.join(".comm-node/ledger/standing.json").exists());
    node.run("", &["budget"]).good();
}

#[test]
fn at_100_percent_new_work_is_refused_and_what_closes_it_is_not() {
    let node = node("{tokens_per_day: 1000}", "");
    fs::create_dir_all(node.root.join("api")).expect("makes");
    fs::write(node.root.join("api/old.rs"), "x").expect("writes");
    assert_eq!(write(&node, "b", "api/a.rs"), "");
    spend(&node, "backend", "", 1_000, 0);
    node.batch("b");
    for said in [
        write(&node, "b", "api/a.rs"),
        write(&node, "b", "api/new.rs"),
        // The other session of the domain shares the budget.
        write(&node, "b2", "api/other.rs"),
        bash(&node, "b", "echo x > api/b.rs"),
        bash(&node, "b", "sed -i s/x/y/ api/old.rs"),
        bash(&node, "b", "python3 build.py"),
        bash(&node, "b", "rm -r api"),
        bash(&node, "b", "ls; make"),
    ] {
        for piece in ["deny", "today's 1,000 tokens of domain backend", "hand-off", "budget grant backend"] {
            assert!(said.contains(piece), "{piece}: {said}");
        }
    }
    let outbox = node.root.join(".comm-node/outbox/note.md");
    for said in [
        guard(&node, "b", "Write", &json!({"file_path": outbox, "content": "x"})),
        guard(&node, "b", "Write", &json!({"file_path": "/tmp/comm-node-scratch", "content": "x"})),
        guard(&node, "b", "Read", &json!({"file_path": node.root.join("api/old.rs")})),
        bash(&node, "b", "cat api/old.rs | grep x > /dev/null; git status; git log -1"),
        bash(&node, "b", "comm-node send frontend 'over to you' --type handoff"),
        bash(&node, "b", "comm-node handoff write bd-1 --status open --next tests"),
        bash(&node, "b", "git add api/old.rs && git commit -m wip"),
        // The command line beside the guard, by whatever path; another program of its name is anybody's.
        bash(&node, "b", &format!("{} inbox", env!("CARGO_BIN_EXE_comm-node"))),
        bash(
            &node,
            "b",
            "rm -rf /tmp/comm-node-scratch.d; cp -r api /tmp/comm-node-copy; echo x > /tmp/comm-node-scratch",
        ),
        write(&node, "f", "web/a.ts"),
    ] {
        assert!(!said.contains("deny"), "{said}");
    }
    for command in ["/opt/elsewhere/comm-node inbox", "rm -rf api", "cp -r /tmp/comm-node-copy api/copy"] {
        assert!(bash(&node, "b", command).contains("the budget is used up"), "{command}");
    }
    // A refused write holds nothing.
    let held = node.run("", &["locks", "--json"]).good().out;
    assert!(!held.contains("api/new.rs") && !held.contains("api/other.rs"), "{held}");
    let log = fs::read_to_string(node.root.join(".comm-node/log/events.jsonl")).expect("reads");
    assert!(log.contains(r#""rule":"budget""#), "{log}");
}

#[test]
fn who_may_not_write_a_path_is_told_that_first() {
    let node = node("{tokens_per_day: 1000}", "");
    assert_eq!(write(&node, "b2", "api/a.rs"), "");
    spend(&node, "backend", "", 1_000, 0);
    node.batch("b");
    assert!(write(&node, "b", "web/a.ts").contains("belongs to domain frontend"));
    let said = write(&node, "b", "api/a.rs");
    assert!(said.contains("another agent holds it"), "{said}");
    assert!(write(&node, "b", "api/b.rs").contains("the budget is used up"));
}

#[test]
fn bands_are_told_once_to_each_session() {
    let node = node("{tokens_per_day: 1000}", "");
    assert_eq!((node.batch("b"), node.prompt("b")), Default::default());
    spend(&node, "backend", "", 500, 0);
    assert_eq!(
        node.batch("b"),
        "comm-node: half of the budget is spent: 50 % or more of today's 1,000 tokens of domain backend."
    );
    assert_eq!((node.batch("b"), node.prompt("b"), node.batch("b")), Default::default());
    // The other session hears of it at its next prompt.
    assert!(node.prompt("b2").contains("50 % or more"));
    assert_eq!((node.prompt("b2"), node.batch("b2")), Default::default());
    spend(&node, "backend", "", 300, 0);
    assert!(node.batch("b").contains("80 % or more"));
    spend(&node, "backend", "", 200, 0);
    assert!(node.prompt("b").contains("used up"));
    assert_eq!((node.batch("b"), node.prompt("b")), Default::default());
    // The brief says it as well, and is not followed by it once more.
    let brief = node.told(START, "b2", "SessionStart", &json!({"source": "clear"}));
    assert!(brief.contains("the budget is used up: today's 1,000 tokens"), "{brief}");
    assert_eq!((node.prompt("b2"), node.batch("b2")), Default::default());
}

#[test]
fn warn_only_notes() {
    for (budget, more) in [
        ("{tokens_per_day: 1000}", "policy: {on_exhausted: warn}\n"),
        ("{tokens_per_day: 1000}, mode: warn", ""),
    ] {
        let node = node(budget, more);
        spend(&node, "backend", "", 2_000, 0);
        let said = node.batch("b");
        assert!(said.contains("used up"), "{said}");
        for said in [write(&node, "b", "api/a.rs"), bash(&node, "b", "python3 x.py")] {
            assert!(!said.contains("deny"), "{said}");
        }
    }
    let node = node("{tokens_per_day: 1000}, mode: off", "");
    spend(&node, "backend", "", 2_000, 0);
    assert_eq!((node.batch("b"), write(&node, "b", "api/a.rs")), Default::default());
}

#[test]
fn stop_ends_the_run_after_a_hand_off_was_offered() {
    let node = node("{tokens_per_day: 1000}", "policy: {on_exhausted: stop}\n");
    let read = json!({"file_path": node.root.join("comm-node.yaml")});
    let send = json!({"command": "comm-node send human --type handoff 'open: tests'"});
    assert_eq!(batch(&node, "b", "Read", &read), "");
    spend(&node, "backend", "", 1_000, 0);
    let offered = batch(&node, "b", "Read", &read);
    assert!(
        offered.contains("This run ends with the next call") && !offered.contains("continue"),
        "{offered}"
    );
    let outbox = json!({"file_path": node.root.join(".comm-node/outbox/x.md"), "content": "x"});
    for (tool, input) in [("Bash", &send), ("Write", &outbox)] {
        assert_eq!(batch(&node, "b", tool, input), "", "{tool}");
    }
    // What only talks of it is none.
    let other = json!({"command": "echo comm-node x; rm y"});
    assert!(batch(&node, "b", "Bash", &other).contains("\"continue\":false"));
    let stopped: Value = serde_json::from_str(&batch(&node, "b", "Read", &read)).expect("JSON");
    assert_eq!(stopped["continue"], false, "{stopped}");
    let reason = stopped["stopReason"].as_str().expect("a reason");
    assert!(reason.contains("comm-node budget grant backend <n>"), "{reason}");
    // A person who goes on has one more call to close the work with.
    assert_eq!(node.prompt("b"), "");
    assert!(batch(&node, "b", "Read", &read).contains("This run ends"));
    assert!(batch(&node, "b", "Read", &read).contains("\"continue\":false"));
    // Closing has an end too.
    node.prompt("b");
    batch(&node, "b", "Bash", &send);
    let said: Vec<String> = (0..12).map(|_| batch(&node, "b", "Bash", &send)).collect();
    assert!(said[..10].iter().all(String::is_empty) && said[10].contains("\"continue\":false"), "{said:?}");
    assert!(write(&node, "b", "api/a.rs").contains("deny"));
    node.run("", &["budget", "grant", "backend", "2000"]).good();
    assert_eq!((batch(&node, "b", "Read", &read), write(&node, "b", "api/a.rs")), Default::default());
}

/// Each reads the file that another one is about to replace.
#[test]
fn what_is_set_and_granted_at_once_is_all_there() {
    let node = node("{tokens_per_day: 1000, usd_per_day: 1}", "");
    let keys = ["tokens-per-day", "usd-per-day", "tokens-per-task", "usd-per-task", "tokens", "usd", "cap"];
    for round in 2..5 {
        std::thread::scope(|scope| {
            for key in keys {
                let node = &node;
                scope.spawn(move || {
                    let (key, n) = (format!("--{key}"), format!("{}00", round));
                    node.run("", &["budget", "set", "backend", &key, &n]).good();
                });
            }
            for _ in 0..4 {
                scope.spawn(|| node.run("", &["budget", "grant", "backend", "10"]).good());
            }
        });
        let text = fs::read_to_string(node.root.join("comm-node.yaml")).expect("reads");
        for key in keys {
            let set = format!("{}: {round}00", key.replace('-', "_"));
            assert!(text.contains(&set), "round {round}, {set}: {text}");
        }
    }
    let all = listed(&node);
    let day = all.as_array().and_then(|all| all.iter().find(|b| b["span"] == "day" && b["unit"] == "tokens"));
    assert_eq!(day.expect("is listed")["granted"], 120, "{all}");
}

#[test]
fn a_persons_grant_lets_it_go_on_and_an_agents_does_not() {
    let node = node("{tokens_per_day: 1000, usd_per_day: 1}", "");
    spend(&node, "backend", "", 1_000, 0);
    node.batch("b");
    assert!(write(&node, "b", "api/a.rs").contains("deny"));
    for args in [
        &["budget", "grant", "backend", "500"][..],
        &["budget", "set", "backend", "--tokens-per-day", "5000"],
    ] {
        node.run("b", args).refused(&["is for a person", "session b"]);
    }
    assert!(write(&node, "b", "api/a.rs").contains("deny"));
    let said = node.run("", &["budget", "grant", "backend", "500"]).good();
    assert_eq!(said.out, "granted 500 tokens to domain backend\n");
    assert_eq!(write(&node, "b", "api/a.rs"), "");
    // Dollars are another budget.
    spend(&node, "backend", "", 0, 1_000_000);
    node.batch("b");
    assert!(write(&node, "b", "api/a.rs").contains("today's $1.00"));
    let said = node.run("", &["budget", "grant", "backend", "500"]).good();
    assert!(said.out.contains("still used up: today, $1.00 of $1.00"), "{}", said.out);
    node.run("", &["budget", "grant", "backend", "0.5", "--usd"]).good();
    assert_eq!(write(&node, "b", "api/a.rs"), "");
    let all = listed(&node);
    let of =
        |unit: &str| all.as_array().and_then(|a| a.iter().find(|b| b["unit"] == unit).cloned()).expect(unit);
    assert_eq!(
        (&of("tokens")["limit"], &of("tokens")["granted"], &of("usd")["left"]),
        (&json!(2000), &json!(1000), &json!(0.5))
    );
    let log = fs::read_to_string(node.root.join(".comm-node/log/events.jsonl")).expect("reads");
    assert_eq!(log.matches("budget_granted").count(), 3, "{log}");
}

#[test]
fn a_task_is_used_up_by_itself() {
    let node = node("{tokens_per_task: 1000}", "");
    set_task(&node, "b", "bd-1");
    set_task(&node, "b2", "bd-2");
    spend(&node, "backend", "bd-1", 1_500, 0);
    spend(&node, "backend", "bd-2", 10, 0);
    node.batch("b");
    let said = write(&node, "b", "api/a.rs");
    assert!(said.contains("the task's 1,000 tokens (task bd-1, domain backend)"), "{said}");
    assert!(said.contains("budget grant backend <tokens> --task bd-1"), "{said}");
    assert_eq!(write(&node, "b2", "api/b.rs"), "");
    // Who leaves a task that is used up for another name is refused; a person may say so.
    node.run("b", &["status", "--set", "busy", "--task", "bd-1b"]).refused(&["bd-1", "used up"]);
    assert!(write(&node, "b", "api/a.rs").contains("deny"));
    node.run("b", &["status", "--set", "idle"]).good();
    assert!(write(&node, "b", "api/a.rs").contains("deny"));
    node.run("b2", &["status", "--set", "busy", "--task", "bd-3"]).good();
    node.run("", &["budget", "grant", "backend", "500"]).refused(&["--task"]);
    node.run("", &["budget", "grant", "backend", "501", "--task", "bd-1"]).good();
    assert_eq!(write(&node, "b", "api/a.rs"), "");
}

#[test]
fn all_domains_together_have_a_budget() {
    let node = node("{tokens_per_day: 5000}", "budget: {tokens_per_day: 3000}\n");
    spend(&node, "backend", "", 1_000, 0);
    spend(&node, "frontend", "", 2_000, 0);
    node.batch("f");
    for (id, path) in [("b", "api/a.rs"), ("f", "web/a.ts")] {
        let said = write(&node, id, path);
        assert!(said.contains("today's 3,000 tokens of all domains together"), "{said}");
        assert!(said.contains("budget grant '*' <tokens>") && !said.contains("budget request"), "{said}");
    }
    node.run("", &["budget", "grant", "*", "1"]).good();
    assert_eq!((write(&node, "b", "api/a.rs"), write(&node, "f", "web/a.ts")), Default::default());
}

#[test]
fn a_request_is_granted_refused_and_explained() {
    let node = node("{tokens_per_day: 1000, cap: 600}", "");
    spend(&node, "backend", "", 1_000, 0);
    node.batch("b");
    let ask = |id: &str, n: &str| node.run(id, &["budget", "request", n, "--reason", "two more tables"]);
    ask("", "5").refused(&["inside a session"]);
    ask("f", "5").refused(&["no budget in tokens"]);
    ask("b", "601").refused(&["600 tokens in a day, of which 600 are left", "budget grant backend 601"]);
    assert_eq!(ask("b", "400").good().out, "granted: 400 tokens more for domain backend.\n");
    assert_eq!(write(&node, "b", "api/a.rs"), "");
    // Nothing of it is used, and it asks again: its thrift is 0, which is not yet too little.
    let said = node.run("b", &["budget", "explain", "--json"]).good().json();
    assert_eq!(
        (&said["efficiency"], &said["thrift"], &said["weakest"]),
        (&json!(0.75), &json!(0.0), &json!("thrift"))
    );
    // A message that others have to ask about makes it too little.
    let id = node.send("b", &["frontend", "It is done."]);
    node.send("f", &["backend", "What is done?", "--reply-to", &id]);
    ask("b", "100").refused(&[
        "efficiency of domain backend is 0.25",
        "0.70 is needed",
        "clarity (0.00)",
        "budget grant backend 100",
    ]);
    let said = node.run("", &["budget", "explain", "backend"]).good();
    assert!(
        said.out.contains("1 question on 1 message") && said.out.contains("weakest: clarity"),
        "{}",
        said.out
    );
    // What is used of the grant makes it thrifty again.
    spend(&node, "backend", "", 400, 0);
    node.batch("b");
    let said = node.run("b", &["budget", "explain", "--json"]).good().json();
    assert_eq!((&said["thrift"], &said["used_tokens"]), (&json!(1.0), &json!(400)));
}

#[test]
fn a_request_by_mail_gets_its_answer_by_mail() {
    let node = node("{tokens_per_day: 1000, cap: 600}", "");
    spend(&node, "backend", "", 1_000, 0);
    node.batch("b");
    let send = |n: &[&str]| {
        let mut args = vec!["send", "human", "two more tables", "--type", "budget_request"];
        args.extend(n);
        node.run("b", &args)
    };
    send(&[]).refused(&["--token-budget"]);
    send(&["--token-budget", "500"]).good();
    assert_eq!(write(&node, "b", "api/a.rs"), "");
    let told = node.batch("b");
    assert!(told.contains("granted: 500 tokens more") && told.contains("from comm-node"), "{told}");
    send(&["--token-budget", "500"]).good();
    let told = node.batch("b");
    assert!(
        told.contains("refused: requests may add 600 tokens") && told.contains("budget grant backend 500"),
        "{told}"
    );
    // What was granted is closed for the person, what was not waits.
    assert_eq!(node.run("", &["inbox", "--json"]).good().json().as_array().map(Vec::len), Some(1));
}

#[test]
fn messages_about_a_task_have_a_budget() {
    let node = node("{coordination_per_task: 10}", "");
    set_task(&node, "b", "bd-1");
    let cost = |id: &str| {
        let sent = node.run("b", &["sent", "--json"]).good().json();
        let one = sent.as_array().and_then(|all| all.iter().find(|m| m["id"] == id).cloned());
        one.and_then(|m| m["tokens"].as_u64()).expect("a cost")
    };
    let mut spent = 0;
    while spent < 10 {
        spent += cost(&node.send("b", &["frontend", "one"]));
    }
    let spent = format!("{spent} tokens");
    let send = |args: &[&str]| {
        let mut all = vec!["send"];
        all.extend(args);
        node.run("b", &all)
    };
    send(&["frontend", "two"]).refused(&["messages about task bd-1", &spent, "budget request"]);
    send(&["frontend", "two", "--task", "bd-1"]).refused(&["bd-1"]);
    send(&["frontend", "other", "--task", "bd-2"]).good();
    send(&["frontend", "over to you", "--type", "handoff"]).good();
    send(&["human", "what now?"]).good();
    send(&["human", "more", "--type", "budget_request", "--token-budget", "50"]).good();
    // It is no budget that writes are refused for.
    assert_eq!(write(&node, "b", "api/a.rs"), "");
    // The overview shows what the ledger has taken over.
    spend(&node, "backend", "bd-1", 1, 0);
    let all = listed(&node);
    assert!(
        all.as_array().is_some_and(|a| a.iter().any(|b| b["span"] == "messages" && b["band"] == 100)),
        "{all}"
    );
}

#[test]
fn what_cannot_be_read_is_refused_with_the_file_and_what_helps() {
    for (mode, denied) in [("enforce", true), ("warn", false)] {
        for file in ["ledger/standing.json", "ledger/domains/backend.jsonl", "ledger/budgets/backend.json"] {
            let node = node(&format!("{{tokens_per_day: 1000}}, mode: {mode}"), "");
            assert_eq!(write(&node, "b", "api/a.rs"), "");
            let path = node.root.join(".comm-node").join(file);
            fs::create_dir_all(path.parent().expect("has one")).expect("makes");
            fs::write(&path, "{damaged").expect("writes");
            node.batch("b");
            let said = write(&node, "b", "api/a.rs");
            assert_eq!(said.contains("\"deny\""), denied, "{mode} {file}: {said}");
            assert!(said.contains(file) && said.contains("comm-node doctor --fix"), "{said}");
            // Reading goes on, and the remedy helps.
            assert_eq!(bash(&node, "b", "cat api/a.rs"), "");
            node.run("", &["doctor", "--fix"]);
            assert_eq!(write(&node, "b", "api/a.rs"), "", "{mode} {file}");
        }
    }
}

#[test]
fn a_standing_that_is_gone_or_of_other_limits_is_made_anew() {
    let node = node("{tokens_per_day: 1000}", "");
    spend(&node, "backend", "", 1_000, 0);
    // Nobody looked after it was spent; the guard does.
    assert!(write(&node, "b", "api/a.rs").contains("deny"));
    fs::remove_file(node.root.join(".comm-node/ledger/standing.json")).expect("removes");
    assert!(write(&node, "b", "api/a.rs").contains("deny"));
    let said = node.run("", &["budget", "set", "backend", "--tokens-per-day", "2k"]).good();
    assert!(said.out.contains("budget: {tokens_per_day: 2000}"), "{}", said.out);
    let yaml = fs::read_to_string(node.root.join("comm-node.yaml")).expect("reads");
    assert!(yaml.contains("budget: {tokens_per_day: 2000}}"), "{yaml}");
    assert_eq!(write(&node, "b", "api/a.rs"), "");
}

#[test]
fn an_agent_cannot_write_what_grants_it_more() {
    let node = node("{tokens_per_day: 1000}", "");
    spend(&node, "backend", "", 1_000, 0);
    node.batch("b");
    for command in [
        "rm -rf .comm-node/ledger",
        "rm .comm-node/ledger/standing.json",
        "echo '{}' > .comm-node/ledger/budgets/backend.json",
        "sed -i s/1000/9000/ comm-node.yaml",
        "mv .comm-node/ledger /tmp/x",
        "python3 -c \"import shutil; shutil.rmtree('.comm-node/ledger')\"",
        "COMM_NODE_DOMAIN=frontend python3 x.py",
    ] {
        assert!(bash(&node, "b", command).contains("deny"), "{command}");
    }
    for path in
        [".comm-node/ledger/budgets/backend.json", ".comm-node/ledger/standing.json", "comm-node.yaml"]
    {
        assert!(write(&node, "b", path).contains("deny"), "{path}");
    }
    // Another domain by its environment is none: the record says whom it works for.
    let said: Said = node.run("b", &["budget", "request", "1", "--reason", "x", "--task", "a b"]);
    said.refused(&["no task's name"]);
}

#[test]
fn the_overview_has_bars_and_says_what_has_no_price() {
    let node = node("{tokens_per_day: 2000, usd: 10}", "");
    spend(&node, "backend", "", 1_000, 2_500_000);
    let said = node.run("", &["budget"]).good().out;
    for piece in ["▓▓▓▓▓░░░░░  50 %", "1,000  2,000 tokens  1,000", "$2.50  $10.00", "$7.50", "in all"]
    {
        assert!(said.contains(piece), "{piece}: {said}");
    }
    let line = node.run("b", &["statusline"]).good().out;
    assert!(line.contains("budget ▓▓▓▓░░░░ 50 %"), "{line}");
    node.run("", &["budget", "--domain", "backnd"]).refused(&["did you mean `backend`?"]);
    assert_eq!(listed(&node).as_array().map(Vec::len), Some(2));
}

/// A tally that is lost, or has lost its end, is made again from the records before anything goes by it.
#[test]
fn a_tally_that_is_gone_or_torn_opens_no_budget() {
    let path = ".comm-node/ledger/domains/backend.jsonl";
    for how in ["gone", "cut", "empty", "all gone"] {
        let node = node("{tokens_per_day: 1000}", "");
        let exhausted = |node: &Node| {
            node.batch("b");
            write(node, "b", "api/a.rs").contains("\"deny\"")
        };
        spend(&node, "frontend", "", 7, 0);
        assert!(!exhausted(&node));
        spend(&node, "backend", "", 600, 0);
        spend(&node, "backend", "", 600, 0);
        assert!(exhausted(&node));
        let tally = node.root.join(path);
        let text = fs::read_to_string(&tally).expect("reads");
        match how {
            "gone" => fs::remove_file(&tally).expect("removes"),
            "cut" => {
                // In its last line, which told of the second one.
                let mut value: Value = serde_json::from_str(&text).expect("JSON");
                let open = value["open"].as_object_mut().expect("is open");
                let last = open.keys().next_back().expect("has one").clone();
                open.remove(&last);
                fs::write(&tally, format!("{value}\n{{\"version\":1,\"open\":{{\"{last}")).expect("writes");
            }
            "empty" => fs::write(&tally, "").expect("writes"),
            _ => fs::remove_dir_all(tally.parent().expect("has one")).expect("removes"),
        }
        assert!(exhausted(&node), "{how}");
        if how == "empty" {
            // As with all state that is damaged, it is a person's to set it aside; it counts no less after that.
            node.run("", &["doctor", "--fix"]);
        }
        // Nor does the next one that spends begin anew.
        fs::remove_file(&tally).unwrap_or(());
        spend(&node, "backend", "", 1, 0);
        assert!(exhausted(&node), "{how}");
        let spent = node.store().ledger().spent("backend").expect("reads").total.usage;
        assert_eq!(spent.input_tokens + spent.output_tokens, 1_201, "{how}");
        assert_eq!(node.store().ledger().spent("frontend").expect("reads").total.usage.output_tokens, 4);
    }
}

/// The guard goes by the sums that `usage` has just put right, without waiting for a batch of calls.
#[test]
fn usage_makes_the_standing_anew() {
    let node = node("{tokens_per_day: 1000}", "");
    spend(&node, "backend", "", 1, 0);
    node.batch("b");
    assert_eq!(write(&node, "b", "api/a.rs"), "");
    spend(&node, "backend", "", 1_000, 0);
    assert_eq!(write(&node, "b", "api/b.rs"), "");
    node.run("", &["usage"]).good();
    assert!(write(&node, "b", "api/c.rs").contains("\"deny\""));
}

/// A session whose record can't be read spends unseen, and so does not write while it has a budget.
#[test]
fn a_session_that_cannot_be_metered_is_refused_with_the_record() {
    let node = node("{tokens_per_day: 1000}", "");
    assert_eq!(write(&node, "b", "api/a.rs"), "");
    let record = node.root.join(".comm-node/ledger/sessions/b/main.jsonl");
    fs::create_dir_all(record.parent().expect("has one")).expect("makes");
    fs::write(&record, "{\"version\":1,\"off").expect("writes");
    let transcript = node.root.join("b.jsonl");
    fs::write(&transcript, "").expect("writes");
    let call = json!({"transcript_path": transcript, "tool_calls": [{"tool_name": "Read", "tool_use_id": "t", "tool_input": {}}]});
    node.hook(POST, "b", None, "PostToolBatch", &call);
    node.prompt("b");
    let said = write(&node, "b", "api/b.rs");
    assert!(said.contains("\"deny\"") && said.contains("sessions/b/main.jsonl"), "{said}");
    node.run("", &["doctor", "--fix"]);
    assert_eq!(write(&node, "b", "api/b.rs"), "");
}

/// Whoever wrote its own transcript would be metered by what it says.
#[test]
fn no_agent_writes_transcripts() {
    // The client's own directory lies in the node, and elsewhere.
    let elsewhere = tempfile::tempdir().expect("temp dir");
    let elsewhere = elsewhere.path().canonicalize().expect("is there");
    let node = node("{tokens_per_day: 1000}", "");
    for claude in [node.root.join(".claude"), elsewhere] {
        transcripts_are_refused(&node, &claude);
    }
}

fn transcripts_are_refused(node: &Node, claude: &Path) {
    let project = claude.join("projects/-shop");
    let guard = |tool: &str, input: &Value| {
        use std::io::Write;
        let call = json!({"session_id": "b", "cwd": node.root, "hook_event_name": "PreToolUse",
            "tool_name": tool, "tool_use_id": "t", "tool_input": input});
        let mut child =
            node.hook_command(GUARD, "b").env("CLAUDE_CONFIG_DIR", claude).spawn().expect("starts");
        child.stdin.take().expect("a pipe").write_all(call.to_string().as_bytes()).expect("writes");
        String::from_utf8(child.wait_with_output().expect("ends").stdout).expect("UTF-8")
    };
    let bash = |command: &str| guard("Bash", &json!({"command": command}));
    for dir in ["memory", "s1/subagents"] {
        fs::create_dir_all(project.join(dir)).expect("makes");
    }
    for file in ["s1.jsonl", "s1/subagents/agent-a.jsonl", "memory/MEMORY.md"] {
        fs::write(project.join(file), "x\n").expect("writes");
    }
    let path = |file: &str| project.join(file).display().to_string();
    for file in ["s1.jsonl", "new.jsonl", "s1/subagents/agent-a.jsonl"] {
        for (tool, input) in [
            ("Write", json!({"file_path": path(file), "content": "x"})),
            ("Edit", json!({"file_path": path(file), "old_string": "x", "new_string": "y"})),
        ] {
            let said = guard(tool, &input);
            assert!(said.contains("\"deny\"") && said.contains("transcripts"), "{tool} {file}: {said}");
        }
        for command in ["echo x >>", "rm -f", "truncate -s 0", "sed -i d", "cp api/a.rs"] {
            let said = bash(&format!("{command} '{}'", path(file)));
            assert!(said.contains("\"deny\"") && said.contains("transcripts"), "{command} {file}: {said}");
        }
    }
    for dir in ["", "s1"] {
        let said = bash(&format!("rm -rf '{}'", path(dir)));
        assert!(said.contains("\"deny\"") && said.contains("transcripts"), "{dir}: {said}");
    }
    // Its notes are its own, and reading is.
    let said = guard("Write", &json!({"file_path": path("memory/MEMORY.md"), "content": "x"}));
    assert!(!said.contains("transcripts"), "{said}");
    for command in [format!("rm -rf '{}'", path("memory")), format!("tail -1 '{}'", path("s1.jsonl"))] {
        assert!(!bash(&command).contains("transcripts"), "{command}");
    }
}

/// Its budget does not begin anew, however many tasks are worked on before it is taken up again.
#[test]
fn a_task_that_is_taken_up_again_has_spent_what_it_had() {
    let node = node("{tokens_per_task: 1000}", "");
    spend(&node, "backend", "first", 1_000, 0);
    for n in 0..150 {
        spend(&node, "backend", &format!("t{n:03}"), 1_100, 0);
    }
    for closed in [false, true] {
        if closed {
            // With all of them in the closed sum.
            node.run("", &["usage"]).good();
        }
        set_task(&node, "b", "fresh");
        node.batch("b");
        assert_eq!(write(&node, "b", "api/a.rs"), "", "{closed}");
        set_task(&node, "b", "first");
        node.batch("b");
        assert!(write(&node, "b", "api/a.rs").contains("\"deny\""), "{closed}");
    }
    let tally = node.store().ledger().tally("backend").expect("reads").expect("there");
    assert!(tally.closed.tasks.len() == 100 && !tally.closed.tasks.contains_key("first"));
    assert_eq!(tally.closed.others.usage.tokens() % 1_000_000, 1_000 + 50 * 1_100);
    // It is known again once it is worked on, and all is as the records say.
    spend(&node, "backend", "first", 5, 0);
    let tally = node.store().ledger().tally("backend").expect("reads").expect("there");
    let spent = tally.spent().task("first").usage;
    assert_eq!((spent.input_tokens + spent.output_tokens, tally.closed.tasks.len()), (1_005, 100));
    for _ in 0..2 {
        let said = node.run("", &["usage"]).good();
        assert!(!said.err.contains("its sum"), "{said:?}");
    }
    let sum = |tally: &comm_node_core::ledger::Tally| {
        let tasks = tally.closed.tasks.values().map(|(_, spend)| spend.usage.output_tokens).sum::<u64>();
        tasks + tally.closed.others.usage.output_tokens
    };
    let tally = node.store().ledger().tally("backend").expect("reads").expect("there");
    assert_eq!(sum(&tally), tally.spent().total.usage.output_tokens);
    // Lost, it is made again with all of them.
    fs::remove_file(node.root.join(".comm-node/ledger/domains/backend.jsonl")).expect("removes");
    let ledger = node.store();
    let again = ledger.ledger().whole_tally("backend").expect("is made");
    assert_eq!(sum(&again), sum(&tally));
    let first = ledger.ledger().spent_on("backend", &again, "first").expect("reads").usage;
    assert_eq!(first.input_tokens + first.output_tokens, 1_005);
}

/// What is not in the dollars, and prices that can't be used, are said where a budget in dollars is looked at.
#[test]
fn a_budget_in_dollars_says_what_it_lacks() {
    let node = node("{usd_per_day: 10, cap: 1}", "");
    let own = node.root.join(".claude/comm-node");
    fs::create_dir_all(&own).expect("makes");
    fs::write(own.join("prices.txt"), "m-* 2026-13-45 1 2 3 4 5\n").expect("writes");
    let keys = Keys { domain: "backend".into(), day: today(), ..Keys::default() };
    let mut record = Record::new();
    record.book(1, &keys, Spend { unpriced: 1, ..Spend::default() });
    let source = Source::main(SessionId::new("spender").expect("an id"));
    let store = node.store();
    store
        .ledger()
        .open(Deadline::after(Duration::from_secs(5)))
        .expect("opens")
        .put(&source, record)
        .expect("books");
    for args in [&["budget", "explain", "backend"][..], &["budget"]] {
        let said = node.run("", args).good();
        assert!(
            said.out.contains("1 response of models without a known price is not in the dollars"),
            "{said:?}"
        );
        assert!(said.err.contains("prices.txt:1: the second word is no day"), "{said:?}");
    }
    let said = node.run("", &["budget", "explain", "backend"]).good().out;
    assert!(
        said.contains("requests may add 1 token today") && said.contains("0 questions on 0 messages"),
        "{said}"
    );
    let doctor = node.run("", &["doctor"]).out;
    assert!(
        doctor.contains("WARN prices: ") && doctor.contains("line 1: the second word is no day"),
        "{doctor}"
    );
}

#[test]
fn amounts_are_read_alike_everywhere() {
    for budget in ["{usd_per_day: 0}", "{usd: 0.0000001}", "{tokens_per_day: 0}", "{usd_per_day: -1}"] {
        let node = node("{tokens_per_day: 1000}", "");
        let yaml = fs::read_to_string(node.root.join("comm-node.yaml")).expect("reads");
        fs::write(node.root.join("comm-node.yaml"), yaml.replace("{tokens_per_day: 1000}", budget))
            .expect("writes");
        let said = node.run("", &["check"]);
        assert!(
            said.code == 1 && said.err.clone().to_lowercase().contains("can't be")
                || said.out.contains("can't be"),
            "{budget}: {said:?}"
        );
    }
    let node = node("{tokens_per_day: 1e3, usd_per_day: 1e1}", "");
    node.run("", &["check"]).good();
    node.run("", &["budget", "set", "backend", "--tokens-per-day", "2e3", "--usd-per-day", "2e1"]).good();
    let yaml = fs::read_to_string(node.root.join("comm-node.yaml")).expect("reads");
    assert!(yaml.contains("tokens_per_day: 2000, usd_per_day: 20"), "{yaml}");
    for bad in ["1e-3", "e3", "1.5e0", "1e99", "inf", "0e3"] {
        assert_eq!(node.run("", &["budget", "grant", "backend", bad]).code, 1, "{bad}");
    }
}
