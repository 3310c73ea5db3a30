//! Messages that are left as files in `.comm-node/outbox/`.

use std::fs;

use super::{Node, short};

/// Leaves a file that nobody is writing any more.
fn leave(node: &Node, name: &str, text: &str) {
    let dir = node.root.join(".comm-node/outbox");
    fs::create_dir_all(&dir).expect("makes");
    fs::write(dir.join(name), text).expect("writes");
    let file = fs::File::options().write(true).open(dir.join(name)).expect("opens");
    let before = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    file.set_modified(before).expect("ages");
}

fn there(node: &Node, name: &str) -> bool {
    node.root.join(".comm-node/outbox").join(name).exists()
}

const QUESTION: &str =
    "---\nfrom: frontend\nto: [backend]\ntype: question\ntask: bd-102\n---\n\nWhich fields?\n";

#[test]
fn a_command_of_its_author_sends_it() {
    let node = Node::new();
    leave(&node, "q.md", QUESTION);
    // Neither another domain's nor a person's.
    assert_eq!(node.inbox("b").len(), 0);
    node.run("", &["route"]).good();
    assert!(there(&node, "q.md"));
    let said = node.run("f", &["sent"]).good();
    assert!(said.err.contains("outbox/q.md was sent as") && said.out.contains("backend queued"), "{said:?}");
    assert!(!there(&node, "q.md"));
    let inbox = node.inbox("b");
    assert_eq!(
        (inbox.len(), &inbox[0]["from"], &inbox[0]["task"]),
        (1, &"frontend".into(), &"bd-102".into())
    );
    let id = inbox[0]["id"].as_str().expect("an id");
    let reply = format!("---\nfrom: backend\nto: frontend\ntype: answer\nreply_to: {id}\n---\nid, email.\n");
    leave(&node, "a.md", &reply);
    node.run("b2", &["inbox"]).good();
    assert_eq!(node.states("f", id), ["backend acked b2"]);
    assert_eq!(node.inbox("f")[0]["thread"], id);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let node = Node::new();
    let long = format!("{QUESTION}{}", "word ".repeat(200));
    for (name, text, why) in [
        (
            "type.md",
            QUESTION.replace("question", "qestion"),
            "type.md:4:7: `type` can't be `qestion`; did you mean question?",
        ),
        (
            "to.md",
            QUESTION.replace("[backend]", "[bakend]"),
            "to.md:3:5: no domain is called `bakend`; did you mean `backend`?",
        ),
        ("alias.md", QUESTION.replace("[backend]", "&a [*a]"), "takes for an alias"),
        ("size.md", long, "may cost 120"),
        (
            "who.md",
            QUESTION.replace("frontend", "backend"),
            "it says that it is from backend, but this is frontend",
        ),
        (
            "reply.md",
            QUESTION.replace("task: bd-102", "reply_to: 01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            "`reply_to` names no message",
        ),
        ("bomb.md", format!("---\nto: {}x{}\n---\nx", "[".repeat(5000), "]".repeat(5000)), "bomb.md:2:"),
    ] {
        leave(&node, name, &text);
        let said = node.run("", &["route", "--session", "f", "--wrote", name]);
        assert_eq!(said.code, 1, "{said:?}");
        assert!(
            said.out.contains(&format!("outbox/{name} was not sent")) && said.out.contains(why),
            "{said:?}"
        );
        assert!(there(&node, &format!("rejected/{name}")) && !there(&node, name));
        let note = fs::read_to_string(node.root.join(format!(".comm-node/outbox/rejected/{name}.why.txt")));
        assert!(note.expect("a note").contains(why));
    }
    assert_eq!(node.inbox("b").len(), 0);
}

#[test]
fn without_an_author_it_is_sent_only_where_there_is_no_doubt() {
    let node = Node::new();
    let text = QUESTION.replace("from: frontend\n", "");
    leave(&node, "q.md", &text);
    let said = node.run("f", &["inbox"]).good();
    assert!(said.err.contains("it does not say `from:`, and several sessions are at work"), "{said:?}");
    leave(&node, "q.md", &text);
    node.run("", &["route", "--session", "f", "--wrote", "q.md"]).good();
    assert_eq!(node.inbox("b").len(), 1);
    for id in ["b", "b2", "u"] {
        fs::remove_file(node.root.join(format!(".comm-node/sessions/{id}.jsonl"))).expect("removes");
    }
    leave(&node, "again.md", &text);
    node.run("f", &["inbox"]).good();
    assert_eq!(
        node.run("", &["inbox", "--domain", "backend", "--json"]).good().json().as_array().map(Vec::len),
        Some(2)
    );
}

#[test]
fn many_routers_send_a_file_once() {
    let node = Node::new();
    for i in 0..10 {
        leave(&node, &format!("{i}.md"), QUESTION);
    }
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| node.run("f", &["inbox"]).good());
        }
    });
    assert_eq!(node.inbox("b").len(), 10);
    assert!(short(node.inbox("b")[0]["id"].as_str().expect("an id")).len() == 6);
}

/// Several sessions are at work, and none is known to have written it: its author is told all the same.
#[test]
fn a_fault_is_told_to_whom_the_file_says_that_it_is_from() {
    let faults = [
        "---\nfrom: frontend\nto: [backend]\n---\n\nx\n",
        "---\nfrom: frontend\nto: [backend]\ntype: answer\npriority: urgent\n---\n\nx\n",
        "---\nfrom: \"frontend\"\nto: [backend\ntype: answer\n---\n\nx\n",
        "---\nto: [backend]\nfrom: frontend\ntype: answer\nx\n",
    ];
    for text in faults {
        let node = Node::new();
        leave(&node, "x.md", text);
        for other in ["b", ""] {
            let said = node.run(other, &["route"]).good();
            assert!(there(&node, "x.md") && said.out.is_empty(), "{text}: {said:?}");
        }
        let said = node.run("f", &["inbox"]).good();
        assert!(!there(&node, "x.md") && said.err.contains("outbox/x.md was not sent"), "{text}: {said:?}");
    }
    // Nobody is named, or nobody who exists: whoever finds it is told.
    for text in ["no head", "---\nto: [backend]\n---\n\nx\n", "---\nfrom: nobody\nto: [backend]\n---\n\nx\n"]
    {
        let node = Node::new();
        leave(&node, "x.md", text);
        let said = node.run("b", &["inbox"]).good();
        assert!(!there(&node, "x.md") && said.err.contains("outbox/x.md was not sent"), "{text}: {said:?}");
    }
    // Of a person it is left to the person.
    let node = Node::new();
    leave(&node, "x.md", "---\nfrom: human\nto: [backend]\n---\n\nx\n");
    node.run("b", &["inbox"]).good();
    assert!(there(&node, "x.md"));
}
