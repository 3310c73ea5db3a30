//! The stop gate: by hand, and as the Stop hook has it run.

#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that can't be set up has to stop")]

use std::fs;
use std::io::Write;
use std::process::Child;
use std::time::{Duration, Instant};

use comm_node_core::process::ProcessId;
use serde_json::{Value, json};

use crate::mail::Node;

const SOON: Duration = Duration::from_secs(30);

#[test]
fn the_gate_runs_commands_and_ends_what_does_not_end() {
    let node = Node::new();
    let yaml = fs::read_to_string(node.root.join("comm-node.yaml")).expect("is there");
    let with = |gate: &str| {
        fs::write(node.root.join("comm-node.yaml"), format!("{yaml}policy:\n  {gate}\n")).expect("writes");
        node.run("", &["gate", "--json"])
    };
    let good = with("stop_gate: [\"true\", \"echo a && test -f comm-node.yaml\"]");
    assert_eq!((good.code, &good.json()["passed"]), (0, &true.into()), "{good:?}");
    assert_eq!(good.json()["steps"].as_array().map(Vec::len), Some(2), "by hand each is told");
    let script = "seq 1 500; printf '\\033[2J the end\\n'; exit 3\n";
    fs::write(node.root.join("gate.sh"), script).expect("writes");
    let bad = with("stop_gate: [\"true\", \"sh gate.sh\", \"false\"]");
    let verdict = bad.json();
    assert_eq!(
        (bad.code, &verdict["how"], &verdict["not_run"]),
        (1, &"fails with exit code 3".into(), &1.into())
    );
    let said = verdict["said"].as_str().expect("text");
    assert!(said.lines().count() == 30 && said.ends_with("the end") && !said.contains('\u{1b}'), "{said}");
    let began = Instant::now();
    let late = with("stop_gate: [\"sleep 600\"]\n  gate_timeout: 1s");
    assert!(began.elapsed() < Duration::from_secs(30) && late.code == 1, "{late:?}");
    assert!(
        late.json()["how"].as_str().is_some_and(|how| how.starts_with("does not end within 1 s")),
        "{late:?}"
    );
    let none = with("stop_gate: [\"no-such-program-here\"]");
    assert!(none.json()["how"].as_str().is_some_and(|how| how.starts_with("can't be started")), "{none:?}");
    // By hand it also names what is open.
    with("stop_gate: [\"true\"]");
    node.run("", &["handoff", "write", "t", "--status", "x", "--next", "wire it", "--to", "backend"]).good();
    node.run("b", &["handoff", "accept"]).good();
    let said = node.run("b", &["gate"]);
    assert!(
        said.code == 1 && said.out.contains("PASS true") && said.out.contains("OPEN wire it"),
        "{said:?}"
    );
    node.run("b", &["handoff", "check", "t", "1"]).good();
    node.run("b", &["gate"]).good();
}

/// The Stop hook of session `b`, which has a task open; its answer is on its stdout.
fn stop(node: &Node, active: bool) -> Child {
    let mut child = node.hook_command(env!("CARGO_BIN_EXE_comm-node-stop"), "b").spawn().expect("starts");
    let call = json!({"session_id": "b", "cwd": node.root, "hook_event_name": "Stop", "transcript_path": "/nonexistent",
        "permission_mode": "default", "stop_hook_active": active, "background_tasks": []});
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(call.to_string().as_bytes()).expect("writes");
    child
}

fn stopped(node: &Node, active: bool) -> Value {
    let output = stop(node, active).wait_with_output().expect("ends");
    serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
}

fn gated(policy: &str, script: &str) -> Node {
    let node = Node::new();
    let yaml = fs::read_to_string(node.root.join("comm-node.yaml")).expect("is there");
    fs::write(node.root.join("comm-node.yaml"), format!("{yaml}policy:\n  {policy}\n")).expect("writes");
    fs::write(node.root.join("gate.sh"), script).expect("writes");
    node.run("", &["compile"]).good();
    node.run("b", &["status", "--set", "busy", "--task", "t"]).good();
    node
}

/// How many of the processes that the gate wrote down run.
fn alive(node: &Node) -> usize {
    let text = fs::read_to_string(node.root.join("pids")).unwrap_or_default();
    text.lines().filter_map(|pid| ProcessId::of(pid.parse().ok()?)).count()
}

fn wait_for(what: impl Fn() -> bool) -> bool {
    let end = Instant::now() + SOON;
    while !what() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
    what()
}

#[test]
fn a_hook_that_is_killed_alone_leaves_no_command_behind() {
    let script = "echo $$ >>pids; sleep 300 & echo $! >>pids; wait\n";
    let node = gated("stop_gate: [\"sh gate.sh\"]", script);
    let mut hook = stop(&node, false);
    assert!(wait_for(|| alive(&node) == 2), "control: the gate runs, and its child");
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(alive(&node), 2, "control: they end by nothing else");
    hook.kill().expect("kills");
    hook.wait().expect("waits");
    assert!(wait_for(|| alive(&node) == 0), "left behind");
    // The next one answers.
    fs::write(node.root.join("gate.sh"), "echo red; exit 1\n").expect("writes");
    let said = stopped(&node, false);
    assert_eq!(said["decision"], "block", "{said}");
}

#[test]
fn what_passing_commands_say_does_not_crowd_out_the_one_that_fails() {
    // Characters of four bytes, thirty lines of them from each.
    let script =
        "for i in $(seq 60); do printf '\\360\\237\\246\\200%.0s' $(seq 250); echo; done; test -z \"$1\"\n";
    let gate = "stop_gate: [\"sh gate.sh\", \"sh gate.sh '' 2\", \"sh gate.sh '' 3\", \"sh gate.sh x\"]";
    let node = gated(gate, script);
    let said = stopped(&node, false);
    let told = said["hookSpecificOutput"]["additionalContext"].as_str().unwrap_or_default();
    assert!(told.contains("`sh gate.sh x` of the node's stop gate fails with exit code 1"), "{said}");
    assert!(told.ends_with("or a hand-off says why."), "the remedy has room: {told}");
}

#[test]
fn a_turn_that_was_held_twice_ends_and_the_person_is_told() {
    let node = gated("stop_gate: [\"sh gate.sh\"]", "printf x >>runs; cat runs; exit 1\n");
    let decision = |active| stopped(&node, active)["decision"].clone();
    assert_eq!((decision(false), decision(true)), ("block".into(), "block".into()));
    let end = stopped(&node, true);
    assert!(
        end["systemMessage"].as_str().is_some_and(|text| text.contains("the turn was let end all the same")),
        "{end}"
    );
    // Control: where it passes by then, nothing is said.
    assert_eq!((decision(false), decision(true)), ("block".into(), "block".into()));
    fs::write(node.root.join("gate.sh"), "exit 0\n").expect("writes");
    assert_eq!(stopped(&node, true), Value::Null);
    // Criteria that are open at the end are told too.
    fs::write(node.root.join("gate.sh"), "printf x >>runs; cat runs; exit 1\n").expect("writes");
    let steps = ["handoff", "write", "t2", "--status", "x", "--next", "wire it", "--to", "backend"];
    node.run("", &steps).good();
    node.run("b", &["handoff", "accept", "t2"]).good();
    assert_eq!((decision(false), decision(true)), ("block".into(), "block".into()));
    fs::write(node.root.join("gate.sh"), "exit 0\n").expect("writes");
    let end = stopped(&node, true);
    assert!(
        end["systemMessage"]
            .as_str()
            .is_some_and(|text| text.contains("1 of its criteria are not checked off")),
        "{end}"
    );
}

#[test]
fn a_command_that_says_nothing_is_not_quoted() {
    let node = gated("stop_gate: [\"false\"]", "");
    let said = stopped(&node, false);
    let told = said["hookSpecificOutput"]["additionalContext"].as_str().unwrap_or_default();
    assert!(
        told.contains("`false` of the node's stop gate fails with exit code 1. It said nothing.\n"),
        "{said}"
    );
}

/// A slip in the hand-off that a session works on does not let it end its turn with steps open.
#[test]
fn a_malformed_hand_off_holds_as_its_steps_do() {
    let node = gated("stop_gate: []", "");
    let write = ["handoff", "write", "t", "--status", "x", "--next", "wire it", "--next", "test it"];
    node.run("", &[&write[..], &["--to", "backend"]].concat()).good();
    node.run("b", &["handoff", "accept", "t"]).good();
    let path = node.root.join(".comm-node/handoffs/backend/taken/t.md");
    let text = fs::read_to_string(&path).expect("is there");
    let damaged = |how: &str| -> Vec<u8> {
        match how {
            "a step" => text.replace("- [ ] wire", "wire").into_bytes(),
            "the version" => text.replace("version: 1", "version: 9").into_bytes(),
            "whose it is" => text.replace("taken_by: ", "taken_by ").into_bytes(),
            _ => [text.as_bytes(), b"\xff"].concat(),
        }
    };
    for (how, step, fault) in [
        ("a step", "> test it\n", "taken/t.md:15: `wire it` is no next step; write `- [ ] <next step>`"),
        (
            "the version",
            "> wire it\n> test it\n",
            "taken/t.md:2: `version: 9` is no version that this comm-node reads",
        ),
        ("whose it is", "> wire it\n", "`taken_by b` can't be read"),
        ("UTF-8", "", "it is not UTF-8 text at byte"),
    ] {
        fs::write(&path, damaged(how)).expect("writes");
        let said = stopped(&node, false);
        assert_eq!(said["decision"], "block", "{how}: {said}");
        let told = said["hookSpecificOutput"]["additionalContext"].as_str().unwrap_or_default();
        let way = "> mend the hand-off (`comm-node handoff write t --replace …`, then `accept t`): ";
        assert!(told.contains(way) && told.contains(fault) && told.contains(step), "{how}: {told}");
        let by_hand = node.run("b", &["gate"]);
        assert!(by_hand.code == 1 && by_hand.out.contains("OPEN mend the hand-off"), "{how}: {by_hand:?}");
        // Once: not again for the same reason in the turn.
        assert_eq!(stopped(&node, true)["decision"], Value::Null, "{how}");
    }
    // Control: one that another session took, and one that nobody has, hold nobody else.
    fs::write(&path, text.replace("taken_by: b", "taken_by: b2").replace("- [ ] wire", "wire"))
        .expect("writes");
    assert_eq!(stopped(&node, false), Value::Null);
    fs::write(&path, text.replace("taken_by: b\n", "")).expect("writes");
    assert_eq!(stopped(&node, false), Value::Null);
}
