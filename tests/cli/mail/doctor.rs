//! `comm-node doctor` on mail.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use comm_node_core::mail::Ulid;

use super::{Node, Said};

/// The line on mail.
fn line(said: &Said) -> String {
    let line = said.out.lines().find(|line| line.contains(" mail: "));
    line.unwrap_or_else(|| panic!("{said:?}")).to_owned()
}

fn has(text: &str, pieces: &[&str]) {
    for piece in pieces {
        assert!(text.contains(piece), "it lacks {piece:?}: {text}");
    }
}

/// Makes the file at `path` so old that nobody is at work on it.
fn age(path: &Path) {
    let file = fs::File::options().write(true).open(path).expect("opens");
    file.set_modified(SystemTime::now() - Duration::from_secs(3600)).expect("ages");
}

fn state(node: &Node, relative: &str) -> PathBuf {
    node.root.join(".comm-node").join(relative)
}

#[test]
fn doctor_finds_what_is_wrong_with_mail_and_mends_what_costs_nothing() {
    let node = Node::new();
    let doctor = |args: &[&str]| node.run("", args);
    let [sent, whole, torn] = ["one", "two", "three"].map(|text| node.send("f", &["backend", text]));
    has(&line(&doctor(&["doctor"])), &["PASS mail: nothing is stuck"]);
    // A sender that died before it delivered.
    let mailbox = state(&node, "mail/backend");
    let (name, id) = (format!("{sent}.medium.md"), Ulid::parse(&sent).expect("an id"));
    fs::rename(mailbox.join("new").join(&name), mailbox.join("tmp").join(&name)).expect("moves");
    let copy = node.store().mail().read_sent("frontend", id).expect("reads").expect("is there");
    let sending = state(&node, &format!("sending/{sent}.md"));
    let day = comm_node_core::store::Mail::day_of(id);
    fs::rename(state(&node, &format!("sent/frontend/{day}/{sent}.md")), &sending).expect("moves");
    age(&sending);
    // A message, and a list of what is due, that can't be read.
    let path = mailbox.join("new").join(format!("{torn}.medium.md"));
    fs::remove_file(&path).expect("removes");
    fs::write(&path, "rubbish").expect("writes");
    fs::write(state(&node, "sent/frontend/due/7.txt"), b"\xff").expect("writes");
    // What nobody sends, what was rejected, and what waits for a domain that is gone.
    fs::create_dir_all(state(&node, "outbox/rejected")).expect("makes");
    fs::write(state(&node, "outbox/note.txt"), "x").expect("writes");
    fs::write(state(&node, "outbox/rejected/bad.md"), "x").expect("writes");
    fs::create_dir_all(state(&node, "mail/attic/new")).expect("makes");
    fs::copy(
        mailbox.join("new").join(format!("{whole}.medium.md")),
        state(&node, &format!("mail/attic/new/{whole}.medium.md")),
    )
    .expect("copies");
    let found = doctor(&["doctor"]);
    has(
        &line(&found),
        &[
            "WARN mail: 1 half sent (sending/",
            "1 can't be read (mail/backend/new/",
            "1 lists of what is due can't be read (sent/frontend/due/7.txt)",
            "1 in the drop box that nobody sends (outbox/note.txt)",
            "1 were rejected (outbox/rejected/bad.md)",
            "1 wait for attic, which is no domain any more",
            "run `comm-node doctor --fix`",
            "read the .why.txt beside it",
            "give the domain back",
        ],
    );
    let json = doctor(&["doctor", "--json"]).json();
    let checks = json["checks"].as_array().expect("a list");
    assert!(checks.iter().any(|check| check["name"] == "mail" && check["status"] == "warn"), "{json}");
    assert!(sending.exists(), "looking changes nothing");
    let mended = line(&doctor(&["doctor", "--fix"]));
    has(
        &mended,
        &[
            "WARN mail: finished what 1 senders left, set 2 files aside",
            "1 in the drop box",
            "1 wait for attic",
        ],
    );
    assert!(!mended.contains("half sent") && !mended.contains("can't be read ("), "{mended}");
    // Nothing was lost.
    let inbox = node.inbox("b");
    let ids: Vec<&str> = inbox.iter().filter_map(|m| m["id"].as_str()).collect();
    assert!(ids.contains(&sent.as_str()) && ids.contains(&whole.as_str()), "{ids:?}");
    assert_eq!(node.store().mail().read_sent("frontend", id).expect("reads"), Some(copy));
    for kept in ["outbox/note.txt", "outbox/rejected/bad.md", &format!("mail/attic/new/{whole}.medium.md")] {
        assert!(state(&node, kept).exists(), "{kept}");
    }
    for left in ["outbox/note.txt", "outbox/rejected/bad.md"] {
        fs::remove_file(state(&node, left)).expect("removes");
    }
    fs::remove_dir_all(state(&node, "mail/attic")).expect("removes");
    has(&line(&doctor(&["doctor"])), &["PASS mail: "]);
}

/// Told, and not gone on with for more than an hour. The time of a rename can't be set, so that the clock's turn is tested by
/// the store's own function.
#[test]
fn what_a_session_was_told_and_did_not_go_on_with_is_found() {
    let mut node = Node::new();
    let id = node.send("f", &["backend", "well?"]);
    node.prompt("b");
    let later = |ms: u64| node.store().mail().ailments(&["backend"], comm_node_core::clock::now_ms() + ms);
    assert!(later(0).is_empty());
    let hours = 2 * 60 * 60 * 1000;
    let found = later(hours).unseen;
    assert_eq!((found.len(), found[0].0.as_str(), found[0].1.id.text()), (1, "backend", id));
    // Of one whose client is gone the next session is told.
    node.kill("b");
    assert!(node.store().mail().ailments(&["backend"], comm_node_core::clock::now_ms() + hours).is_empty());
}
