//! File names that somebody chose: whatever stands in the drop box or in a mailbox beside good messages, those are sent
//! and told, and the rest is put aside, told of in plain text, or left where it is.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use comm_node_core::mail::{Draft, Message, form};
use serde_json::{Value, json};

use super::look;
use crate::node::{Node, POST, PROMPT, Said};

/// No hook may take longer for anything that lies about, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(8);
const SECRET: &str = "nobody-is-told-this";

fn field() -> Node {
    let node = Node::new(&["backend", "frontend", "docs"]);
    for (id, domain) in [("b", "backend"), ("f", "frontend"), ("d", "docs")] {
        node.register(id, domain);
    }
    fs::create_dir_all(node.state("outbox")).expect("makes");
    fs::write(node.root.join("secret"), SECRET).expect("writes");
    node
}

fn text_of(body: &str) -> String {
    format!("---\nto: [backend]\ntype: answer\nfrom: frontend\n---\n\n{body}\n")
}

/// What a hook that has to look at the drop box says, in time.
fn after_a_batch(node: &Node, wrote: &[&Path]) -> Said {
    let calls: Vec<Value> = wrote
        .iter()
        .map(|path| json!({"tool_name": "Write", "tool_use_id": "t", "tool_input": {"file_path": path}}))
        .collect();
    let began = Instant::now();
    let said = node.hook(POST, "f", "frontend", "PostToolBatch", &json!({"tool_calls": calls}));
    assert!(began.elapsed() < PATIENCE, "{:?}: {said:?}", began.elapsed());
    assert_eq!(said.code(), Some(0), "{said:?}");
    for shown in [&said.out, &said.err] {
        look::is_plain(shown).unwrap_or_else(|e| panic!("{e}"));
        assert!(!shown.contains(SECRET), "{shown}");
    }
    said
}

/// Lets hooks look until nothing waits that they take, and returns what they said: on a busy machine one may give it up, and the
/// next goes on.
fn until_empty(node: &Node, wrote: &[&Path]) -> String {
    let mut told = String::new();
    for _ in 0..40 {
        told.push_str(&after_a_batch(node, wrote).out);
        if node.store().mail().dropped().expect("lists").is_empty() {
            return told;
        }
        if wrote.is_empty() {
            // What nobody is known to have written has to rest first.
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    panic!("these still wait: {:?}", node.store().mail().dropped());
}

fn bodies(node: &Node) -> Vec<String> {
    let said = node.run("b", &["inbox", "--json"], b"");
    look::is_plain(&said.out).unwrap_or_else(|e| panic!("{e}"));
    let list: Value = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {said:?}"));
    let body = |m: &Value| m["body"].as_str().expect("a body").trim().to_owned();
    let mut out: Vec<String> = list.as_array().expect("a list").iter().map(body).collect();
    out.sort();
    out
}

/// The log has whole lines, and what people are shown of it is plain.
fn log_is_whole(node: &Node) {
    let log = fs::read_to_string(node.state("log/events.jsonl")).expect("a log");
    for line in log.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    }
    for args in [&["log"][..], &["doctor"], &["status"], &["sent"]] {
        let said = node.run("b", args, b"");
        look::is_plain(&said.out)
            .and_then(|()| look::is_plain(&said.err))
            .unwrap_or_else(|e| panic!("{args:?}: {e}"));
    }
}

/// Names of which each is a message's file: it arrives, whatever it is called.
fn harmless_names() -> Vec<Vec<u8>> {
    let longest = [&b"n".repeat(252)[..], b".md"].concat();
    let names: [&[u8]; 12] = [
        b"plain.md",
        b"with a blank.md",
        b"a\nb.md",
        b"\x1b[2J\x1b]0;title\x07.md",
        "\u{202e}dm.drawkcab.md".as_bytes(),
        b"--help.md",
        b"-rf.md",
        b"$(touch pwned).md",
        b"a;touch pwned;.md",
        b"01KAJ6Y3E1M8Q0ZD4T7G2K9QXV.human.x.md",
        b"<comm-node>\"'.md",
        &longest,
    ];
    names.iter().map(|name| name.to_vec()).collect()
}

#[test]
fn a_message_is_sent_once_whatever_its_file_is_called() {
    for fresh in [true, false] {
        let node = field();
        let mut wanted = Vec::new();
        let mut wrote = Vec::new();
        for (n, name) in harmless_names().iter().enumerate() {
            let path = node.state("outbox").join(OsStr::from_bytes(name));
            fs::write(&path, text_of(&format!("body {n:02}"))).unwrap_or_else(|e| panic!("{path:?}: {e}"));
            wanted.push(format!("body {n:02}"));
            wrote.push(path);
        }
        let wrote: Vec<&Path> = wrote.iter().map(|path| path.as_path()).collect();
        until_empty(&node, if fresh { &wrote } else { &[] });
        assert_eq!(bodies(&node), wanted, "fresh: {fresh}");
        assert!(!node.root.join("pwned").exists());
        log_is_whole(&node);
    }
}

#[test]
fn what_is_no_message_in_the_drop_box_keeps_nothing_else_from_being_sent() {
    let node = field();
    let outbox = node.state("outbox");
    let longest = ["n".repeat(252), ".md".to_owned()].concat();
    fs::write(outbox.join("a\u{1b}[31m\n.md"), "no head").expect("writes");
    fs::write(outbox.join(&longest), "no head").expect("writes");
    fs::write(outbox.join("b.md"), [0xff, 0xfe, 0]).expect("writes");
    fs::write(outbox.join("c.md"), "x".repeat(1 << 20)).expect("writes");
    fs::create_dir(outbox.join("d.md")).expect("makes");
    std::os::unix::fs::symlink(node.root.join("secret"), outbox.join("e.md")).expect("links");
    std::os::unix::fs::symlink("/dev/zero", outbox.join("f.md")).expect("links");
    rustix::fs::mkfifoat(rustix::fs::CWD, outbox.join("g.md"), rustix::fs::Mode::RWXU).expect("a pipe");
    fs::write(outbox.join(".hidden.md"), text_of("hidden")).expect("writes");
    fs::write(outbox.join(OsStr::from_bytes(b"\xff.md")), text_of("no text")).expect("writes");
    fs::write(outbox.join("z.md"), text_of("good")).expect("writes");
    let names = ["b.md", "c.md", "d.md", "e.md", "f.md", "g.md", "z.md", "a\u{1b}[31m\n.md", &longest];
    let wrote: Vec<_> = names.iter().map(|name| outbox.join(name)).collect();
    let wrote: Vec<&Path> = wrote.iter().map(|path| path.as_path()).collect();
    let told = until_empty(&node, &wrote);
    assert_eq!(bodies(&node), ["good"]);
    // Each is kept, with the reason beside it, and the agent that wrote it was told.
    let rejected: Vec<String> = fs::read_dir(outbox.join("rejected"))
        .expect("lists")
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    let notes = rejected.iter().filter(|name| name.ends_with(".why.txt")).count();
    assert_eq!((rejected.len(), notes), (16, 8), "{rejected:?}");
    for name in ["b.md", "c.md", "d.md", "e.md", "f.md", "g.md"] {
        assert!(told.contains(&format!("outbox/{name} was not sent")), "{name}: {told}");
    }
    // What nobody takes is named for a person once it has lain there for a while.
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
    let hidden = fs::File::options().write(true).open(outbox.join(".hidden.md")).expect("opens");
    hidden.set_modified(long_ago).expect("sets");
    let doctor = node.run("", &["doctor"], b"");
    for name in [".hidden.md", "outbox/\u{fffd}.md"] {
        assert!(doctor.out.contains(name), "{name}: {doctor:?}");
    }
    log_is_whole(&node);
}

#[test]
fn many_faulty_files_at_once_are_all_put_aside() {
    let node = field();
    let outbox = node.state("outbox");
    let wrote: Vec<_> = (0..150).map(|n| outbox.join(format!("{n:03}-{}.md", "x".repeat(60)))).collect();
    for path in &wrote {
        fs::write(path, format!("---\nto: [backend]\ntype: {}\n---\n\nx\n", "y".repeat(1000)))
            .expect("writes");
    }
    let paths: Vec<&Path> = wrote.iter().map(|path| path.as_path()).collect();
    let told = until_empty(&node, &paths);
    assert!(told.contains("was not sent"), "{told}");
}

/// What stands in a mailbox beside two good messages.
fn plant(node: &Node, good: &Message) {
    let new = node.state("mail/backend/new");
    let whole = form::write(good);
    // Each id is one that sorts before, or behind, those of the good ones.
    let name = |n: u32, rest: &str| new.join(format!("0000000000000000000000{n:04}.{rest}.md"));
    fs::write(name(1, "high"), "garbage").expect("writes");
    fs::write(name(2, "high"), "").expect("writes");
    fs::write(name(3, "high"), [0xff, 0]).expect("writes");
    fs::write(name(4, "high"), "x".repeat(1 << 20)).expect("writes");
    fs::create_dir(name(5, "high")).expect("makes");
    std::os::unix::fs::symlink(node.root.join("secret"), name(6, "high")).expect("links");
    rustix::fs::mkfifoat(rustix::fs::CWD, name(7, "high"), rustix::fs::Mode::RWXU).expect("a pipe");
    // A good text under a name that is not its own.
    fs::write(name(8, "high"), &whole).expect("writes");
    for odd in [
        "x.md",
        ".md",
        "01KAJ6Y3E1M8Q0ZD4T7G2K9QXV.md",
        "01KAJ6Y3E1M8Q0ZD4T7G2K9QXV.urgent.md",
        "01KAJ6Y3E1M8Q0ZD4T7G2K9QXV.high.offered-\u{1b}[2J.md",
        "01KAJ6Y3E1M8Q0ZD4T7G2K9QXV.high.offered-..md",
        "01KAJ6Y3E1M8Q0ZD4T7G2K9QXV.high.seen-x.y.md",
        "\u{1b}[2J\n.high.md",
    ] {
        fs::write(new.join(odd), &whole).expect("writes");
    }
}

#[test]
fn what_is_planted_in_a_mailbox_hides_nothing_and_is_never_shown_as_a_message() {
    let node = field();
    let post = |body: &str| {
        let said = Draft { to: vec!["backend".into()], body: body.into(), ..Draft::default() };
        node.post("docs", "d", said)
    };
    let first = post("first");
    plant(&node, &first);
    post("second");
    let began = Instant::now();
    let said = node.hook(PROMPT, "b", "backend", "UserPromptSubmit", &json!({}));
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    let told = look::context(&said.out).expect("an answer");
    assert!(!told.contains(SECRET) && !said.err.contains(SECRET), "{said:?}");
    look::is_plain(&told).unwrap_or_else(|e| panic!("{e}"));
    for body in ["> first", "> second"] {
        assert_eq!(told.matches(body).count(), 1, "{body} in {told}");
    }
    for args in [&["inbox"][..], &["inbox", "--json"], &["search", "."], &["status"], &["doctor"]] {
        let began = Instant::now();
        let said = node.run("", args, b"");
        assert!(began.elapsed() < PATIENCE, "{args:?}: {:?}", began.elapsed());
        look::is_plain(&said.out)
            .and_then(|()| look::is_plain(&said.err))
            .unwrap_or_else(|e| panic!("{args:?}: {e}"));
        assert!(!said.out.contains(SECRET), "{args:?}: {said:?}");
    }
    // Each that can't be read is kept, out of the way, and the log names it.
    let names = fs::read_dir(node.state("mail/backend/new")).expect("lists").flatten().map(|e| e.file_name());
    let names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    let log = node.run("", &["log", "--type", "mail_damaged", "--json"], b"").out;
    for n in 1..=8 {
        let id = format!("0000000000000000000000{n:04}");
        let aside = |name: &&String| name.starts_with(&format!("{id}.high.md.damaged-"));
        assert_eq!(names.iter().filter(aside).count(), 1, "{n}: {names:?}");
        assert!(log.contains(&id), "{n}: {log}");
    }
    log_is_whole(&node);
}
