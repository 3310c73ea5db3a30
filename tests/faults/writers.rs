//! Everything that writes state, each with the state that it finds.

use std::collections::BTreeMap;
use std::fs;

use serde_json::json;

use super::check::Check;
use super::field::{COMPACT, END, Field, GUARD, POST, Run, STOP, SUBAGENT, SUBSTOP};

/// A program that writes, and what must be so after it was killed.
pub(crate) struct Writer {
    pub(crate) name: &'static str,
    /// Makes what it finds.
    pub(crate) setup: fn(&Field),
    pub(crate) run: fn(&Field) -> Run,
    /// True if it can be run again as if nothing had happened, with the same result.
    pub(crate) again: bool,
    /// Undoes what would keep others from going on.
    pub(crate) undo: Option<fn(&Field) -> Run>,
    /// The bodies that the next session of backend is told in any case, and those that it may be told.
    pub(crate) must: &'static [&'static str],
    pub(crate) may: &'static [&'static str],
    /// Those that the next session of frontend may be told.
    pub(crate) frontend: &'static [&'static str],
    /// What else must be so: by what the next sessions of backend and frontend were told.
    pub(crate) also: fn(&Field, &Heard, &Heard) -> Check,
}

/// The bodies that a session was told, and how often.
pub(crate) type Heard = BTreeMap<String, usize>;

/// A writer of which nothing is special.
pub(crate) const PLAIN: Writer = Writer {
    name: "",
    setup: |_| {},
    run: |f| f.person(&["status"]),
    again: true,
    undo: None,
    must: &[],
    may: &[],
    frontend: &[],
    also: |_, _, _| Ok(()),
};

fn leases(f: &Field) {
    for path in ["api/a.txt", "api/b.txt"] {
        assert!(f.write("b", path).said().is_silent());
        f.written("b", path).said();
    }
}

fn change_rules(f: &Field) {
    let yaml = f.node().join("comm-node.yaml");
    let text = fs::read_to_string(&yaml).expect("reads");
    fs::write(&yaml, format!("{text}# changed\n")).expect("writes");
}

fn mail(f: &Field) {
    f.send("one?", &["--type", "question"]);
    f.send("two?", &["--type", "question", "--blocks"]);
}

/// Mail that session `b` was told.
fn told(f: &Field) {
    mail(f);
    let heard = f.prompt("b").said().context();
    assert!(heard.contains("one?") && heard.contains("two?"), "{heard}");
}

/// And has seen.
fn seen(f: &Field) {
    told(f);
    f.batch("b").said();
}

/// The hook programs.
pub(crate) fn hooks() -> Vec<Writer> {
    vec![
        Writer { name: "a first lease", run: |f| f.write("b", "api/a.txt"), ..PLAIN },
        Writer {
            name: "a lease of the dead",
            setup: |f| {
                f.register("b3", "backend");
                assert!(f.write("b3", "api/a.txt").said().is_silent());
                f.bury("b3");
            },
            run: |f| f.write("b", "api/a.txt"),
            ..PLAIN
        },
        Writer {
            name: "the first who writes down who holds what",
            setup: |f| {
                leases(f);
                f.write("f", "web/a.txt").said();
                fs::remove_dir_all(f.state().join("leases/of")).expect("removes");
            },
            run: |f| f.write("b", "api/c.txt"),
            ..PLAIN
        },
        Writer { name: "a session that nobody knows", run: |f| f.write("new", "api/new.txt"), ..PLAIN },
        Writer {
            name: "rules that changed",
            setup: change_rules,
            run: |f| f.write("b", "api/a.txt"),
            ..PLAIN
        },
        Writer {
            name: "a shell command",
            run: |f| f.shell(GUARD, "PreToolUse", "touch api/x api/y && make"),
            ..PLAIN
        },
        Writer {
            name: "after a shell command",
            setup: |f| {
                f.shell(GUARD, "PreToolUse", "touch api/x api/y && make").said();
                fs::write(f.node().join("api/x"), "x").expect("writes");
            },
            run: |f| f.shell(POST, "PostToolUse", "touch api/x api/y && make"),
            ..PLAIN
        },
        Writer {
            name: "a confirmed lease",
            setup: |f| assert!(f.write("b", "api/a.txt").said().is_silent()),
            run: |f| f.written("b", "api/a.txt"),
            ..PLAIN
        },
        Writer {
            name: "a lease that is given back",
            setup: |f| assert!(f.write("b", "api/a.txt").said().is_silent()),
            run: |f| {
                let input = json!({"file_path": "api/a.txt", "content": "x"});
                let call = json!({"tool_name": "Write", "tool_use_id": "toolu_b", "tool_input": input});
                f.hook(POST, "b", "PostToolUseFailure", &call)
            },
            ..PLAIN
        },
        Writer {
            name: "a start with mail",
            setup: mail,
            run: |f| f.start("b"),
            must: &["one?", "two?"],
            ..PLAIN
        },
        Writer {
            name: "a prompt with mail",
            setup: mail,
            run: |f| f.prompt("b"),
            must: &["one?", "two?"],
            ..PLAIN
        },
        Writer {
            name: "a batch with mail",
            setup: told,
            run: |f| f.batch("b"),
            must: &["one?", "two?"],
            ..PLAIN
        },
        Writer {
            name: "a turn's end with mail",
            setup: |f| {
                seen(f);
                f.send("fyi", &["--type", "answer"]);
                f.prompt("b").said();
                f.batch("b").said();
            },
            run: |f| f.hook(STOP, "b", "Stop", &json!({"stop_hook_active": false, "background_tasks": []})),
            again: false,
            must: &["one?", "two?"],
            may: &["fyi"],
            ..PLAIN
        },
        Writer {
            name: "a session's end",
            setup: |f| {
                leases(f);
                seen(f);
            },
            run: |f| f.hook(END, "b", "SessionEnd", &json!({"reason": "prompt_input_exit"})),
            must: &["one?", "two?"],
            ..PLAIN
        },
        Writer {
            name: "a subagent's start",
            run: |f| {
                f.hook(
                    SUBAGENT,
                    "b",
                    "SubagentStart",
                    &json!({"agent_id": "a1", "agent_type": "general-purpose"}),
                )
            },
            ..PLAIN
        },
        Writer {
            name: "a subagent's end",
            setup: |f| {
                for path in ["api/a.txt", "api/c.txt"] {
                    let call = json!({"tool_name": "Write", "tool_use_id": "toolu_a", "agent_id": "a1",
                        "tool_input": {"file_path": path, "content": "x"}});
                    assert!(f.hook(GUARD, "b", "PreToolUse", &call).said().is_silent());
                }
            },
            run: |f| {
                f.hook(
                    SUBSTOP,
                    "b",
                    "SubagentStop",
                    &json!({"agent_id": "a1", "agent_type": "general-purpose"}),
                )
            },
            ..PLAIN
        },
        Writer {
            name: "a compaction",
            setup: seen,
            run: |f| f.hook(COMPACT, "b", "PreCompact", &json!({"trigger": "auto"})),
            must: &["one?", "two?"],
            ..PLAIN
        },
        Writer {
            name: "a message that the agent left as a file",
            setup: |f| {
                let dir = f.state().join("outbox");
                fs::create_dir_all(&dir).expect("makes");
                let text = "---\nto: [frontend]\ntype: answer\n---\nleft\n";
                fs::write(dir.join("left.md"), text).expect("writes");
            },
            run: |f| {
                let input = json!({"file_path": f.state().join("outbox/left.md"), "content": "x"});
                let calls = json!([{"tool_name": "Write", "tool_use_id": "t", "tool_input": input}]);
                f.hook(POST, "b", "PostToolBatch", &json!({"tool_calls": calls}))
            },
            again: false,
            undo: Some(|f| f.agent("b2", &["sent"])),
            frontend: &["left"],
            also: |f, _, frontend| match (
                frontend.contains_key("left"),
                f.state().join("outbox/left.md").exists(),
            ) {
                (true, false) => Ok(()),
                // Whoever is not known to have finished writing is left alone for two seconds.
                (false, true) => Ok(()),
                // After that a file that does not say whose it is is rejected, with the reason beside it.
                (false, false) if f.state().join("outbox/rejected/left.md.why.txt").exists() => Ok(()),
                both => Err(format!("told and still there: {both:?}")),
            },
            ..PLAIN
        },
    ]
}

/// The command line.
pub(crate) fn commands() -> Vec<Writer> {
    vec![
        Writer {
            name: "send to two",
            run: |f| f.person(&["send", "backend,frontend", "both"]),
            again: false,
            may: &["both"],
            frontend: &["both"],
            also: |f, backend, frontend| {
                let sent = f.store().mail().sent_days("human").expect("lists").len();
                match (backend.contains_key("both"), frontend.contains_key("both"), sent) {
                    (true, true, 1) | (false, false, 0) => Ok(()),
                    other => Err(format!("backend, frontend and the author's copy: {other:?}")),
                }
            },
            ..PLAIN
        },
        Writer {
            name: "reply",
            setup: seen,
            run: |f| {
                let id = last(f);
                f.agent("b", &["reply", &id, "answer."])
            },
            again: false,
            must: &["one?"],
            may: &["two?"],
            frontend: &["answer."],
            also: |_, backend, frontend| {
                // What is answered is closed, and what is not is not.
                match (backend.contains_key("two?"), frontend.contains_key("answer.")) {
                    (true, false) | (false, true) => Ok(()),
                    other => Err(format!("open and answered: {other:?}")),
                }
            },
            ..PLAIN
        },
        Writer {
            name: "ack",
            setup: seen,
            run: |f| f.agent("b", &["ack", &last(f)]),
            must: &["one?"],
            may: &["two?"],
            ..PLAIN
        },
        Writer {
            name: "read",
            setup: mail,
            run: |f| f.agent("b", &["read", &last(f)]),
            must: &["one?", "two?"],
            ..PLAIN
        },
        Writer { name: "lock", run: |f| f.agent("b", &["lock", "api/x/**"]), ..PLAIN },
        Writer {
            name: "unlock",
            setup: |f| {
                leases(f);
                assert_eq!(f.agent("b", &["lock", "api/x/**"]).said().code, Some(0));
            },
            run: |f| f.agent("b", &["unlock", "--all"]),
            again: false,
            ..PLAIN
        },
        Writer { name: "join", run: |f| f.agent("b", &["join", "backend"]), ..PLAIN },
        Writer {
            name: "leave",
            setup: |f| f.register("b3", "backend"),
            run: |f| f.person(&["leave", "--session", "b3"]),
            ..PLAIN
        },
        Writer {
            name: "pause",
            run: |f| f.person(&["pause", "--reason", "tests"]),
            undo: Some(|f| f.person(&["resume"])),
            ..PLAIN
        },
        Writer {
            name: "resume",
            setup: |f| assert_eq!(f.person(&["pause", "--reason", "tests"]).said().code, Some(0)),
            run: |f| f.person(&["resume"]),
            undo: Some(|f| f.person(&["resume"])),
            ..PLAIN
        },
        Writer { name: "compile", setup: change_rules, run: |f| f.person(&["compile"]), ..PLAIN },
        Writer {
            name: "a message that cannot be sent",
            setup: |f| leave(f, "---\nfrom: frontend\nto: [nobody]\ntype: answer\n---\nx\n"),
            run: |f| f.agent("f", &["sent"]),
            again: false,
            undo: Some(|f| f.agent("f", &["sent"])),
            also: |f, _, _| match f.state().join("outbox/rejected/left.md").exists() {
                true if f.state().join("outbox/rejected/left.md.why.txt").exists() => Ok(()),
                _ => Err("it was not rejected with its reason".to_owned()),
            },
            ..PLAIN
        },
        Writer {
            name: "a message from the drop box",
            setup: |f| leave(f, "---\nfrom: frontend\nto: [backend]\ntype: answer\n---\nleft\n"),
            run: |f| f.agent("f", &["sent"]),
            again: false,
            undo: Some(|f| f.agent("f", &["sent"])),
            must: &["left"],
            also: |f, _, _| match super::check::files(&f.state().join("outbox")) {
                left if left.is_empty() => Ok(()),
                left => Err(format!("left behind: {left:?}")),
            },
            ..PLAIN
        },
    ]
}

/// Leaves a file in the drop box that nobody is writing any more.
fn leave(f: &Field, text: &str) {
    let path = f.state().join("outbox/left.md");
    fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
    fs::write(&path, text).expect("writes");
    let file = fs::File::options().write(true).open(&path).expect("opens");
    file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(60)).expect("ages");
}

/// The id of the latest message to backend.
fn last(f: &Field) -> String {
    let store = f.store();
    let mail = store.mail();
    let mut all = mail.waiting("backend").expect("lists");
    all.extend(mail.open("backend").expect("lists"));
    let latest = all.iter().max_by_key(|item| item.id).expect("there is mail");
    latest.id.text()
}
