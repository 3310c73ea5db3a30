//! How soon a message is seen, and who is told that one was not.

use std::io::Write;
use std::time::Instant;

use super::*;

/// How many messages reach the session in its work.
const MESSAGES: usize = 4;

/// What is sent with high priority while a session works stands in the very next request, the one after the call
/// that was under way, and is seen after the call that follows.
#[test]
fn what_is_urgent_is_seen_with_the_next_call_of_a_session_at_work() {
    for priority in ["high", "medium"] {
        let node = Node::shop();
        let Some(reader) = Client::guarded() else { return };
        let flag = |k: usize| reader.home().join(format!("flag{k}"));
        let mut turns: Vec<Turn> = (0..MESSAGES).map(|k| wait_for(&flag(k))).collect();
        turns.push(Turn::read(node.text("services/api/main.rs")));
        let running = start(&reader, &node, READER, "backend", turns);
        let mut took = Vec::new();
        for k in 0..MESSAGES {
            asked(&reader, k + 1);
            let text = format!("word number {k}");
            person(node.root(), &["send", "backend", &text, "--type", "answer", "--priority", priority]);
            fs::write(flag(k), "").expect("could not write the flag");
            let sent = Instant::now();
            asked(&reader, k + 2);
            took.push(sent.elapsed().as_millis());
        }
        running.finish(SOON).assert_success();
        for k in 0..MESSAGES {
            // A request holds all that came before: once each, from the one behind the call on.
            let expected: Vec<usize> =
                (0..MESSAGES + 2).map(|request| usize::from(priority == "high" && request > k)).collect();
            assert_eq!(counts(&reader, &format!("> word number {k}")), expected, "{priority}");
        }
        let said =
            comm_node(node.root(), &node.path(".claude"), node.root(), &["sent", "--json", "--limit", "9"]);
        let sent: Value =
            serde_json::from_slice(&said.stdout).unwrap_or_else(|e| panic!("{e}: {}", all(&said)));
        let state = |m: &Value| m["recipients"][0]["state"].as_str().unwrap_or_default().to_owned();
        let states: Vec<String> = sent.as_array().expect("a list").iter().map(state).collect();
        let expected = if priority == "high" { "seen" } else { "queued" };
        assert_eq!(states, [expected; MESSAGES]);
        let _ = writeln!(
            std::io::stderr(),
            "{priority}: from the end of `send` to the next request in ms, the call's own end included: {took:?}"
        );
    }
}

/// Makes what is due in some minutes due now.
fn hurry(node: &Node) {
    let due = node.path(".comm-node/sent/frontend/due");
    for entry in fs::read_dir(&due).expect("lists").flatten() {
        fs::rename(entry.path(), due.join("1.txt")).expect("moves");
    }
}

#[test]
fn an_author_at_work_is_told_once_that_nobody_has_seen_its_message() {
    // Control: of what was seen in time, and of what is not yet due, nothing is said.
    for (seen, due, expected) in
        [(false, true, [0, 0, 1, 1, 1]), (true, true, [0; 5]), (false, false, [0; 5])]
    {
        let node = Node::shop();
        let Some(author) = Client::guarded() else { return };
        let flag = author.home().join("flag");
        let turns = [
            Turn::bash("comm-node send backend 'which fields?' --blocks"),
            wait_for(&flag),
            Turn::bash("true"),
            Turn::read(node.text("apps/web/index.html")),
        ];
        let running = start(&author, &node, AUTHOR, "frontend", turns);
        asked(&author, 2);
        assert_eq!(states(&node), ["queued"]);
        if seen {
            let Some(reader) = Client::guarded() else { return };
            start(&reader, &node, READER, "backend", [Turn::bash("true")]).finish(SOON).assert_success();
            assert_eq!(states(&node), ["seen"]);
        }
        if due {
            hurry(&node);
        }
        fs::write(&flag, "").expect("could not write the flag");
        running.finish(SOON).assert_success();
        assert_eq!(counts(&author, "Not seen yet: "), expected, "seen {seen}, due {due}");
        let who = " by backend, where no session is at work; `comm-node sent --open` lists them.";
        assert_eq!(counts(&author, who), expected);
    }
}
