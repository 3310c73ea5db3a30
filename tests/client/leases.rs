//! Leases between real sessions: who is refused, what it is told, and when a path is free again.
//!
//! Every scenario has its control: the guard off, or without the step that is under test.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::driver::{Client, Permission, Running};
use crate::hook::Hooks;
use crate::installed::{all, comm_node, person};
use crate::script::{Asker, Script, Turn};
use crate::support::node::Node;

const SOON: Duration = Duration::from_secs(45);
const FIRST: &str = "aaaaaaaa-1111-4111-8111-111111111111";
const SECOND: &str = "bbbbbbbb-2222-4222-8222-222222222222";
/// The file that everybody wants; each writer changes a line of its own.
const FILE: &str = "services/api/a.txt";
const REFUSED: &str = "comm-node refused the write to `services/api/a.txt`: another agent holds it";
const DONE: &str = "has been updated successfully";

/// One domain with room for two sessions.
fn node(mode: &str) -> Node {
    Node::builder()
        .yaml(&format!(
            "version: 1\nname: shop\ndomains:\n  backend:\n    scope: [\"services/api/**\"]\n    \
             max_sessions: 2\n    mode: {mode}\n"
        ))
        .file(FILE, "one\ntwo\nthree\n")
        .file("services/api/b.txt", "one\n")
        .build()
}

fn read(node: &Node) -> Turn {
    Turn::read(node.text(FILE))
}

/// Puts the line `line` in capitals.
fn edit(node: &Node, line: &str) -> Turn {
    Turn::edit(node.text(FILE), line, &line.to_uppercase())
}

/// Waits until `flag` exists.
fn wait_for(flag: &Path) -> Turn {
    Turn::bash(format!("for i in $(seq 800); do [ -e {} ] && break; sleep 0.05; done", flag.display()))
}

/// A shell command by a program of which the guard can't know what it runs.
fn unseen(command: &str) -> Turn {
    crate::guard::unseen(&format!("os.system({command:?})"))
}

fn commit(rest: &str) -> Turn {
    Turn::bash(format!(
        "git -c user.name=T -c user.email=t@example.com -c commit.gpgsign=false commit {rest}"
    ))
}

/// Starts a session of `backend` that takes `turns`.
fn start(client: &Client, node: &Node, id: &str, turns: impl IntoIterator<Item = Turn>) -> Running {
    run(client, node, id, Permission::Bypass, Script::new(turns))
}

fn run(client: &Client, node: &Node, id: &str, permission: Permission, script: Script) -> Running {
    client.server.script(script);
    let run = client.headless(node.root(), "go").permission(permission);
    run.args(["--session-id", id]).env("COMM_NODE_DOMAIN", "backend").spawn()
}

/// Waits until the model of `client` was asked `n` times.
fn asked(client: &Client, n: usize) {
    client.server.wait_for(&format!("{n} requests"), SOON, |requests| {
        requests.iter().filter(|r| r.asker == Asker::Main).count() >= n
    });
}

/// What the model was told after its turn `i`.
fn told(client: &Client, i: usize) -> String {
    asked(client, i + 2);
    client.server.tool_results(i + 1).join("\n")
}

/// Runs a whole session of `backend` and returns its client.
fn session(node: &Node, id: &str, turns: impl IntoIterator<Item = Turn>) -> Option<Client> {
    let client = Client::guarded()?;
    start(&client, node, id, turns).finish(SOON).assert_success();
    Some(client)
}

/// The leases on record.
fn leases(node: &Node) -> Vec<Value> {
    let said = comm_node(node.root(), &node.path(".claude"), node.root(), &["locks", "--json"]);
    serde_json::from_slice(&said.stdout).unwrap_or_else(|e| panic!("{e}: {}", all(&said)))
}

/// True if some lease was ever granted.
fn granted(node: &Node) -> bool {
    node.path(".comm-node/leases/last.json").exists()
}

fn is_written(node: &Node, line: &str) -> bool {
    node.read(FILE).is_some_and(|text| text.contains(&line.to_uppercase()))
}

/// Whether a new session can change [`FILE`] now.
fn second_may_write(node: &Node) -> Option<bool> {
    let client = session(node, SECOND, [read(node), edit(node, "two")])?;
    let result = told(&client, 1);
    let done = is_written(node, "two");
    assert_eq!(result.contains(DONE), done, "{result}");
    assert_eq!(result.contains(REFUSED), !done, "{result}");
    Some(done)
}

#[test]
fn of_two_sessions_one_writes_and_the_other_is_told_who_does() {
    for mode in ["enforce", "off"] {
        let node = node(mode);
        let (Some(first), Some(second)) = (Client::guarded(), Client::guarded()) else { return };
        let flags = [first.home().join("flag"), second.home().join("flag")];
        let turns = |line: &str, flag| [wait_for(flag), read(&node), edit(&node, line), Turn::hang()];
        let runs = [
            start(&first, &node, FIRST, turns("one", &flags[0])),
            start(&second, &node, SECOND, turns("two", &flags[1])),
        ];
        asked(&first, 1);
        asked(&second, 1);
        fs::write(&flags[0], "").expect("could not write the flag");
        if mode == "off" {
            // One after the other: the client's own check of stale reads is not what is shown here.
            told(&first, 2);
        }
        fs::write(&flags[1], "").expect("could not write the flag");
        let results = [told(&first, 2), told(&second, 2)];
        drop(runs);
        let written = [is_written(&node, "one"), is_written(&node, "two")];
        if mode == "off" {
            assert_eq!(written, [true, true], "control: {results:?}");
            continue;
        }
        assert_eq!(written.iter().filter(|w| **w).count(), 1, "{results:?}");
        let winner = usize::from(written[1]);
        assert!(results[winner].contains(DONE), "{results:?}");
        let refusal = &results[1 - winner];
        let holder =
            format!("{FILE} is held by backend (session {}), which it ", &[FIRST, SECOND][winner][..8]);
        for piece in [
            REFUSED,
            &holder,
            "it is live, so the lease does not run out",
            "`comm-node lock 'services/api/a.txt' --wait 60s`",
            "`comm-node locks` lists who holds what",
            "a person can break it with `comm-node unlock 'services/api/a.txt' --force`",
            "another tool or command is against the same rule",
        ] {
            assert!(refusal.contains(piece), "it lacks {piece:?}: {refusal}");
        }
        let denied: Vec<Value> = node.events().into_iter().filter(|e| e["event"] == "denied").collect();
        assert_eq!((denied.len(), &denied[0]["rule"]), (1, &json!("lease")), "{denied:?}");
    }
}

/// And what `why` and `status` say meanwhile, to a person and to the session.
#[test]
fn the_leases_of_a_killed_session_are_free_at_once() {
    for killed in [true, false] {
        let node = node("enforce");
        let (Some(first), Some(second)) = (Client::guarded(), Client::guarded()) else { return };
        let flag = second.home().join("flag");
        let holder = start(&first, &node, FIRST, [read(&node), edit(&node, "one"), Turn::hang()]);
        assert!(told(&first, 1).contains(DONE));
        let turns = [
            read(&node),
            edit(&node, "two"),
            Turn::bash("comm-node why services/api/a.txt; comm-node status"),
            wait_for(&flag),
            edit(&node, "two"),
        ];
        let asker = start(&second, &node, SECOND, turns);
        assert!(told(&second, 1).contains(REFUSED), "{}", told(&second, 1));
        let said = told(&second, 2);
        for piece in [
            "services/api/a.txt: refused for a session of domain backend",
            "another agent holds it: services/api/a.txt is held by backend (session aaaaaaaa)",
            "rule     lease",
            "LEASES",
            "services/api/a.txt in this session's scope is held by backend (session aaaaaaaa)",
        ] {
            assert!(said.contains(piece), "it lacks {piece:?}: {said}");
        }
        let why = ["why", "services/api/b.txt", "--domain", "backend"];
        assert!(person(node.root(), &why).contains("allowed for a session of domain backend"));
        if killed {
            holder.signal("KILL");
            holder.finish(SOON);
        }
        fs::write(&flag, "").expect("could not write the flag");
        asker.finish(SOON).assert_success();
        let result = told(&second, 4);
        assert_eq!(is_written(&node, "two"), killed, "{result}");
        assert_eq!(result.contains(REFUSED), !killed, "{result}");
        let taken: Vec<Value> =
            node.events().into_iter().filter(|e| e["event"] == "lease_taken_over").collect();
        assert_eq!(
            taken.iter().map(|e| e["rule"].as_str()).collect::<Vec<_>>(),
            match killed {
                true => vec![Some("holder_gone")],
                false => vec![],
            }
        );
    }
}

#[test]
fn of_two_subagents_the_second_waits_until_the_first_ends() {
    for mode in ["enforce", "off"] {
        let node = node(mode);
        let Some(client) = Client::guarded() else { return };
        let [wrote, end] = ["wrote", "end"].map(|name| client.home().join(name));
        let touch = |flag: &Path| Turn::bash(format!("touch {}", flag.display()));
        // The lease is gone when the hook of the first one's end has run.
        let until_free =
            "for i in $(seq 200); do comm-node locks --json | grep -q path || break; sleep 0.05; done";
        let script = Script::new([Turn::agent("general-purpose", "errand of the first")
            .and(Turn::agent("general-purpose", "errand of the second"))])
        .agent("errand of the first", [read(&node), edit(&node, "one"), touch(&wrote), wait_for(&end)])
        .agent(
            "errand of the second",
            [
                wait_for(&wrote),
                read(&node),
                edit(&node, "two"),
                touch(&end),
                Turn::bash(until_free),
                edit(&node, "three"),
            ],
        );
        let running = run(&client, &node, FIRST, Permission::Bypass, script);
        running.finish(Duration::from_secs(60)).assert_success();
        let requests = client.server.requests_agent("errand of the second");
        let result = |i: usize| requests[i + 1].tool_results().join("\n");
        let off = mode == "off";
        assert!(is_written(&node, "one"));
        assert_eq!(is_written(&node, "two"), off, "{}", result(2));
        assert!(is_written(&node, "three"), "{}", result(5));
        assert_eq!(result(2).contains(REFUSED), !off, "{}", result(2));
        if !off {
            let holder = "is held by backend (session aaaaaaaa, subagent ";
            assert!(result(2).contains(holder), "{}", result(2));
        }
    }
}

#[test]
fn what_the_main_loop_holds_stops_its_subagents_only_when_it_was_locked() {
    let shared = format!("comm-node lock {FILE} --share-with-subagents");
    let locked = format!("comm-node lock {FILE} --reason renumbering");
    for (before, free) in [
        (vec![], true),
        (vec![Turn::read("NODE"), Turn::edit("NODE", "one", "ONE")], true),
        (vec![Turn::bash(shared)], true),
        (vec![Turn::bash(locked)], false),
    ] {
        let node = node("enforce");
        let Some(client) = Client::guarded() else { return };
        let steps = before.len();
        let before = before.into_iter().enumerate().map(|(i, turn)| match (steps, i) {
            (2, 0) => read(&node),
            (2, 1) => edit(&node, "one"),
            _ => turn,
        });
        let turns = before.chain([Turn::agent("general-purpose", "the errand")]);
        let script = Script::new(turns).agent("the errand", [read(&node), edit(&node, "two")]);
        run(&client, &node, FIRST, Permission::Bypass, script).finish(SOON).assert_success();
        let requests = client.server.requests_agent("the errand");
        let result = requests[2].tool_results().join("\n");
        assert_eq!((is_written(&node, "two"), result.contains(REFUSED)), (free, !free), "{result}");
        if !free {
            let piece = "held by backend (session aaaaaaaa), by its lock on `services/api/a.txt`";
            assert!(result.contains(piece) && result.contains("its reason: renumbering"), "{result}");
        }
        assert_eq!(steps == 2, is_written(&node, "one"));
    }
}

/// The settings of the installation without the hooks that give a lease back.
fn without_giving_back(client: &Client) {
    let path = client.config().join("settings.json");
    let mut settings: Value =
        serde_json::from_str(&fs::read_to_string(&path).expect("it is there")).expect("it is JSON");
    for event in ["PostToolUse", "PostToolUseFailure", "PostToolBatch"] {
        assert!(settings["hooks"][event].is_array(), "{event} is not wired");
        settings["hooks"][event] = json!([]);
    }
    fs::write(&path, settings.to_string()).expect("could not write settings.json");
}

/// A first session makes the call `turn`, which comes to nothing, and lives on. A second one may
/// then write at once; as control not, when nothing gives the lease back.
fn comes_to_nothing(turn: impl Fn(&Node) -> Turn, permission: Permission, more: impl Fn(&Client)) {
    for gives_back in [true, false] {
        let node = node("enforce");
        let Some(client) = Client::guarded() else { return };
        more(&client);
        if !gives_back {
            without_giving_back(&client);
        }
        let script = Script::new([read(&node), turn(&node), Turn::hang()]);
        let _running = run(&client, &node, FIRST, permission, script);
        let result = told(&client, 1);
        assert!(!result.contains("comm-node") && !is_written(&node, "one"), "{result}");
        assert!(granted(&node), "the guard was never asked: {result}");
        let Some(free) = second_may_write(&node) else { return };
        assert_eq!(free, gives_back, "{result}");
    }
}

#[test]
fn a_call_that_fails_gives_its_lease_back() {
    let link = |node: &Node| {
        let link = node.path("services/api/link.txt");
        std::os::unix::fs::symlink(node.path(FILE), &link).expect("could not link");
        Turn::write(node.text("services/api/link.txt"), "ONE\n")
    };
    comes_to_nothing(link, Permission::Bypass, |_| {});
}

/// The client looks for the text before it asks anybody, so that there is nothing to give back.
#[test]
fn an_edit_of_a_text_that_is_not_there_holds_nothing() {
    let node = node("enforce");
    let Some(client) = Client::guarded() else { return };
    let _running = start(&client, &node, FIRST, [read(&node), edit(&node, "four"), Turn::hang()]);
    let result = told(&client, 1);
    assert!(result.contains("String to replace not found"), "{result}");
    if let Some(free) = second_may_write(&node) {
        assert!(free);
    }
}

#[test]
fn a_call_that_nobody_permits_gives_its_lease_back() {
    comes_to_nothing(|node| edit(node, "one"), Permission::Unsaid, |_| {});
}

#[test]
fn a_call_that_another_hook_refuses_gives_its_lease_back() {
    let hooks = Hooks::new();
    let program = hooks.denying("deny", "not today");
    comes_to_nothing(
        |node| edit(node, "one"),
        Permission::Bypass,
        |client| {
            let path = client.config().join("settings.json");
            let mut settings: Value =
                serde_json::from_str(&fs::read_to_string(&path).expect("it is there")).expect("it is JSON");
            let entry =
                json!({"matcher": "Edit", "hooks": [{"type": "command", "command": program, "args": []}]});
            settings["hooks"]["PreToolUse"].as_array_mut().expect("the guard is there").push(entry);
            fs::write(&path, settings.to_string()).expect("could not write settings.json");
        },
    );
}

#[test]
fn the_brief_lists_what_others_hold_and_the_end_of_a_session_frees_it() {
    let node = node("enforce");
    let Some(first) = Client::guarded() else { return };
    let flag = first.home().join("flag");
    let turns = [
        read(&node),
        edit(&node, "one"),
        Turn::bash("comm-node lock 'services/api/deep/**'"),
        wait_for(&flag),
    ];
    let holder = start(&first, &node, FIRST, turns);
    asked(&first, 4);
    let held = "Held by others in this scope, so edits there are refused for now: `services/api/a.txt` by backend \
                (session aaaaaaaa), `services/api/deep/**` by backend (session aaaaaaaa).";
    let Some(second) = session(&node, SECOND, [Turn::text("Seen.")]) else { return };
    assert_eq!(second.server.count_in_body(0, held), 1, "{}", second.server.main(0).body);
    assert_eq!(first.server.count_in_body(0, "Held by others"), 0);
    assert_eq!(leases(&node).len(), 2);
    fs::write(&flag, "").expect("could not write the flag");
    holder.finish(SOON).assert_success();
    assert_eq!(leases(&node), Vec::<Value>::new());
    let third = "cccccccc-3333-4333-8333-333333333333";
    let Some(client) = session(&node, third, [read(&node), edit(&node, "three")]) else { return };
    assert_eq!(client.server.count_in_body(0, "Held by others"), 0);
    assert!(is_written(&node, "three"), "{}", told(&client, 1));
}

#[test]
fn a_commit_frees_what_it_contains() {
    let both = || Turn::bash("echo more >> services/api/b.txt; git add -A");
    let here = |rest: &str| vec![both(), commit(rest)];
    for (name, then, free) in [
        ("nothing is committed", vec![both()], false),
        ("another path is committed", here("-m x services/api/b.txt"), false),
        ("it is committed", here("-m x"), true),
        ("quietly", here("-q -m x"), true),
        ("by a command that fails afterwards", here("-q -m x; false"), true),
        ("amended", here("-q --amend --no-edit"), true),
        ("from below", vec![Turn::bash("cd services; git add -A .."), commit("-q -m x")], true),
    ] {
        let node = node("enforce");
        let Some(first) = Client::guarded() else { return };
        let count = then.len();
        let turns = [read(&node), edit(&node, "one")].into_iter().chain(then).chain([Turn::hang()]);
        let _running = start(&first, &node, FIRST, turns);
        let said = told(&first, 1 + count);
        let log = node.git(&["log", "--oneline", "--name-only"]);
        assert_eq!(leases(&node).is_empty(), free, "{name}: {said}\n{log}");
        let Some(may) = second_may_write(&node) else { return };
        assert_eq!(may, free, "{name}: {said}\n{log}");
        let freed = node.events().iter().filter(|e| e["rule"] == "committed" && e["path"] == FILE).count();
        assert_eq!(freed, usize::from(free), "{name}");
    }
}

/// A subagent with a worktree of its own commits there: its leases are the node's.
#[test]
fn a_commit_in_a_subagents_worktree_frees() {
    for commits in [true, false] {
        let node = node("enforce");
        let Some(client) = Client::guarded() else { return };
        let input = json!({"subagent_type": "general-purpose", "description": "scripted", "prompt": "the errand",
            "run_in_background": false, "isolation": "worktree"});
        let write = Turn::write("services/api/new.txt", "new\n");
        let last = if commits { commit("-q -m x") } else { Turn::bash("true") };
        let look = || Turn::bash("git rev-parse --show-toplevel; comm-node locks --json");
        let script = Script::new([Turn::tool("Agent", input)])
            .agent("the errand", [write, look(), Turn::bash("git add -A"), last, look()]);
        run(&client, &node, FIRST, Permission::Bypass, script).finish(SOON).assert_success();
        let requests = client.server.requests_agent("the errand");
        let [before, after] = [2, 5].map(|i: usize| requests[i].tool_results().join("\n"));
        assert!(before.contains("/worktrees/") && before.contains("\"services/api/new.txt\""), "{before}");
        assert_eq!(after.contains("\"services/api/new.txt\""), !commits, "{after}");
        assert!(node.read("services/api/new.txt").is_none(), "it was written in the worktree");
    }
}

/// A session that began outside of the worktree has no commit on record, but the client saw this one.
#[test]
fn a_commit_in_a_worktree_that_was_never_looked_at_frees_too() {
    for quiet in [false, true] {
        let node = node("enforce");
        let Some(first) = Client::guarded() else { return };
        let forget = "for f in .comm-node/sessions/*.jsonl; do sed -i 's/\"heads\"/\"forgotten\"/' $f; done";
        let rest = if quiet { "-q -am x" } else { "-am x" };
        let turns = [read(&node), edit(&node, "one"), unseen(forget), commit(rest), Turn::hang()];
        let _running = start(&first, &node, FIRST, turns);
        let said = told(&first, 3);
        // Control: of a quiet commit the client says nothing, and without a record it is overlooked.
        assert_eq!(leases(&node).is_empty(), !quiet, "{said}");
    }
}

/// What is done to the lease table, what the refusal names, and whether `doctor --fix` can mend it.
#[test]
fn a_lease_table_that_is_unusable_refuses_and_says_what_to_do() {
    const FIX: &str = "comm-node doctor --fix";
    let damage = "for f in .comm-node/leases/*.jsonl; do printf 'garbage\\n{}\\n' >> $f; done";
    for (deed, pieces) in [
        (damage, vec!["leases/", "is damaged", FIX]),
        (
            "rm .comm-node/leases/explicit.jsonl; mkfifo .comm-node/leases/explicit.jsonl",
            vec!["explicit.jsonl", "comm-node doctor"],
        ),
        (
            "rm -f .comm-node/leases/explicit.jsonl; mkdir .comm-node/leases/explicit.jsonl",
            vec!["explicit.jsonl", "comm-node doctor"],
        ),
        (
            "rm -r .comm-node/leases; echo x > .comm-node/leases",
            vec![".comm-node/leases", "comm-node doctor"],
        ),
    ] {
        for mode in ["enforce", "warn", "off"] {
            let node = node(mode);
            let Some(client) = Client::guarded() else { return };
            let flag = client.home().join("flag");
            let turns = [
                read(&node),
                edit(&node, "one"),
                unseen(deed),
                edit(&node, "two"),
                wait_for(&flag),
                edit(&node, "three"),
            ];
            let running = start(&client, &node, FIRST, turns);
            asked(&client, 5);
            let result = told(&client, 3);
            let at = format!("{mode}, {deed}: {result}");
            assert_eq!(is_written(&node, "two"), mode != "enforce", "{at}");
            if mode == "enforce" {
                let start = "comm-node could not judge this call, so it is refused: ";
                for piece in [start].iter().chain(&pieces) {
                    assert!(result.contains(piece), "it lacks {piece:?}, {at}");
                }
                let before = comm_node(client.home(), &client.config(), node.root(), &["doctor"]);
                assert!(all(&before).contains("FAIL leases: "), "{deed}: {}", all(&before));
                let mended = comm_node(client.home(), &client.config(), node.root(), &["doctor", "--fix"]);
                assert!(all(&mended).contains("PASS leases: mended: set aside "), "{deed}: {}", all(&mended));
                let after = comm_node(client.home(), &client.config(), node.root(), &["doctor"]);
                assert!(all(&after).contains("PASS leases: "), "{deed}: {}", all(&after));
            }
            fs::write(&flag, "").expect("could not write the flag");
            let outcome = running.finish(SOON);
            outcome.assert_success();
            assert!(is_written(&node, "three"), "{mode}, {deed}: {}", told(&client, 5));
            // The note is for the person; the client's log is where a headless session shows it.
            let noted = outcome.debug.contains("comm-node (comm-node-pre-tool-use): ");
            assert_eq!(noted, mode == "warn", "{mode}, {deed}");
        }
    }
}

/// Nothing is refused: the session takes its lease anew, with a higher number.
#[test]
fn a_lease_table_that_is_deleted_is_made_anew() {
    let node = node("enforce");
    let Some(client) = Client::guarded() else { return };
    let number = |node: &Node| leases(node)[0]["fencing"].as_u64().expect("a number");
    let flags = ["1", "2"].map(|name| client.home().join(name));
    let turns = [
        read(&node),
        edit(&node, "one"),
        wait_for(&flags[0]),
        unseen("rm -r .comm-node/leases"),
        edit(&node, "three"),
        Turn::hang(),
    ];
    let _running = start(&client, &node, FIRST, turns);
    asked(&client, 3);
    let before = number(&node);
    fs::write(&flags[0], "").expect("could not write the flag");
    assert!(told(&client, 4).contains(DONE), "{}", told(&client, 4));
    assert!(number(&node) > before);
    assert_eq!(second_may_write(&node), Some(false));
}
