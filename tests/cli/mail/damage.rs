//! What is damaged or wrong hides nothing else, and what was done is never reported as not done.

use std::fs;

use super::{Node, short};

#[test]
fn a_damaged_copy_of_an_author_hides_none_of_the_others() {
    let node = Node::new();
    for text in ["one", "two", "three"] {
        node.run("f", &["send", "backend", text]).good();
    }
    let list = node.run("f", &["sent", "--json"]).good().json();
    let id = list[1]["id"].as_str().expect("an id").to_owned();
    let day = fs::read_dir(node.root.join(".comm-node/sent/frontend")).expect("lists").flatten();
    let month = day.map(|e| e.path()).find(|path| !path.ends_with("due")).expect("a month");
    let day = fs::read_dir(month).expect("lists").flatten().next().expect("a day").path();
    let copy = day.join(format!("{id}.md"));
    let whole = fs::read(&copy).expect("reads");
    // A new file: its other names, in mailboxes, are links to the old one.
    fs::remove_file(&copy).expect("removes");
    fs::write(&copy, &whole[..60]).expect("writes");
    for args in [&["sent"][..], &["sent", "--open"], &["sent", "--json"]] {
        let said = node.run("f", args).good();
        assert!(
            said.out.contains("one") && said.out.contains("three") && !said.out.contains("two"),
            "{said:?}"
        );
        assert!(said.err.contains(&format!("{id}.md")), "{said:?}");
    }
    let named = |said: &super::Said| said.out.contains(&id);
    assert!(named(&node.run("", &["doctor"])));
    node.run("", &["doctor", "--fix"]);
    assert!(!copy.exists() && !named(&node.run("", &["doctor"])));
    assert_eq!(node.run("f", &["sent"]).good().err, "");
}

/// The message is sent: who is told that it is not sends it again.
#[test]
fn what_was_done_is_not_reported_as_failed_because_the_log_has_no_line_of_it() {
    let node = Node::new();
    let log = node.root.join(".comm-node/log/events.jsonl");
    node.run("f", &["send", "backend", "before"]).good();
    fs::remove_file(&log).expect("removes");
    fs::create_dir(&log).expect("makes");
    for (who, args) in [
        ("f", &["send", "backend", "Which?"][..]),
        ("f", &["status", "--set", "busy"]),
        ("f", &["lock", "web/a"]),
        ("f", &["unlock", "--all"]),
    ] {
        let said = node.run(who, args).good();
        assert!(said.err.contains("the log has no line of it"), "{args:?}: {said:?}");
    }
    let inbox = node.inbox("b");
    assert_eq!(inbox.len(), 2);
    let id = inbox.iter().find(|m| m["body"] == "Which?").expect("it is there")["id"].clone();
    let said = node.run("b", &["reply", short(id.as_str().expect("an id")), "This."]).good();
    assert!(said.err.contains("the log has no line of it"), "{said:?}");
    assert_eq!(node.inbox("f").len(), 1);
}

#[test]
fn fields_on_stdin_and_on_the_command_line_do_not_contradict_each_other() {
    let node = Node::new();
    let send = |args: &[&str], head: &str| {
        let text = format!("---\n{head}---\n\nx\n");
        node.run_with("f", &[&["send"][..], args].concat(), text.as_bytes())
    };
    // The command line says to whom, so the text need not.
    send(&["backend"], "type: answer\n").good();
    send(&["backend"], "type: answer\nto: [backend]\n").good();
    send(&["docs,backend"], "type: answer\nto: [docs, backend]\n").good();
    send(&["backend"], "type: answer\nto: [docs]\n").refused(&[
        "`to:` on stdin names docs",
        "backend",
        "leave `to:` out",
    ]);
    send(&["backend", "--priority", "low"], "type: answer\npriority: high\n")
        .refused(&["--priority", "leave one"]);
    send(&["backend", "--task", "t"], "type: answer\n").refused(&["--task"]);
    assert_eq!(node.inbox("b").len(), 3);
}

#[test]
fn an_id_is_one_everywhere() {
    let node = Node::new();
    node.run("f", &["send", "backend", "x"]).good();
    let id = node.inbox("b")[0]["id"].as_str().expect("an id").to_owned();
    for raw in ["", &id[25..], &id[23..], "../../x", "-"] {
        node.run("b", &["thread", "--", raw]).refused(&["is no message's id"]);
    }
    node.run("b", &["thread", &short(&id).to_lowercase()]).good();
    // One's own is not in one's mailbox, and it is said what to do instead.
    node.run("f", &["reply", short(&id), "more"]).refused(&["sent itself", "--thread"]);
    node.run("f", &["send", "backend", "--thread", short(&id), "more"]).good();
}
