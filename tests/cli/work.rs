//! Kickoff, working files and the stop gate, as agents and people use them.

#![cfg(unix)]

use std::fs;
use std::process::Command;
use std::time::Duration;

use comm_node_core::activity::Activity;
use comm_node_core::session::SessionId;

use crate::mail::Node;

fn state(node: &Node, key: &str) -> serde_json::Value {
    node.run("", &["kickoff", "--status", "--json"]).good().json()[key].clone()
}

fn types(node: &Node, who: &str) -> Vec<String> {
    node.inbox(who).iter().map(|m| m["type"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_kickoff_starts_when_the_last_one_is_ready() {
    let node = Node::new();
    node.run("", &["kickoff", "--status"]).refused(&["there was no kickoff in this node"]);
    let said = node.run("", &["kickoff", "--goal", "Login", "--only", "backend,frontend", "--wait", "1s"]);
    assert_eq!((said.code, said.out.as_str()), (1, "called backend, frontend\n"));
    assert!(said.err.contains("not started: backend, frontend did not report ready"), "{said:?}");
    assert_eq!(
        (types(&node, "b"), types(&node, "f")),
        (vec!["kickoff".to_owned()], vec!["kickoff".to_owned()])
    );
    let first = node.run("b", &["kickoff", "backend"]).good().out;
    for piece in [
        "works for domain backend",
        "> Goal: Login",
        "Peers: frontend",
        "Missing: frontend. Change nothing yet",
    ] {
        assert!(first.contains(piece), "{piece}: {first}");
    }
    assert!(types(&node, "b").is_empty(), "what was printed is read");
    assert_eq!(state(&node, "state"), "waiting");
    // The last one starts all, although nobody waits for it.
    let last = node.run("f", &["kickoff", "frontend"]).good().out;
    assert!(last.contains("START: Login. Begin with"), "{last}");
    assert_eq!((state(&node, "state"), types(&node, "b")), ("started".into(), vec!["start".to_owned()]));
    // Reporting again changes nothing.
    node.run("b", &["kickoff", "backend"]).good();
    assert!(types(&node, "b").is_empty(), "what was said is not said again");
    node.run("u", &["kickoff", "docs"]).good();
    node.run("f", &["kickoff", "backend"]).refused(&["already works for domain frontend"]);
    node.run("f", &["kickoff", "--goal", "x"]).refused(&["is for a person"]);
    node.run("", &["kickoff", "backend"]).refused(&["is not run inside one"]);
}

#[test]
fn force_starts_without_the_missing_and_the_late_get_it_too() {
    let node = Node::new();
    fs::write(node.root.join("plan.md"), "Long plan.\n".repeat(300)).expect("writes");
    let called =
        ["kickoff", "--goal", "Login", "--brief", "plan.md", "--only", "backend,frontend", "--wait", "1s"];
    assert_eq!(node.run("", &called).code, 1);
    let brief = node.run("b", &["kickoff", "backend"]).good().out;
    assert!(brief.contains("The brief is long") && brief.matches("> Long plan.").count() == 300, "{brief}");
    let said = node.run("", &["kickoff", "--force"]).good();
    assert!(said.out.contains("START was sent without frontend"), "{said:?}");
    assert_eq!(state(&node, "state"), "started without some");
    assert_eq!(
        (types(&node, "b"), types(&node, "f")),
        (vec!["start".to_owned()], vec!["kickoff".to_owned()])
    );
    let late = node.run("f", &["kickoff", "frontend", "--json"]).good().json();
    assert!(late["members"]["frontend"]["start"].is_string(), "{late}");
    assert_eq!((state(&node, "state"), types(&node, "f")), ("started".into(), Vec::new()));
}

#[test]
fn a_second_kickoff_takes_the_place_of_the_first() {
    let node = Node::new();
    let call =
        |goal: &str| node.run("", &["kickoff", "--goal", goal, "--only", "backend,frontend", "--wait", "1s"]);
    call("First");
    node.run("b", &["kickoff", "backend"]).good();
    call("Second");
    assert_eq!(state(&node, "missing"), serde_json::json!(["backend", "frontend"]));
    let mail = node.inbox("f");
    assert!(
        mail.len() == 1 && mail[0]["body"].as_str().is_some_and(|b| b.contains("Goal: Second")),
        "{mail:?}"
    );
    let again = node.run("b", &["kickoff", "backend"]).good().out;
    assert!(again.contains("Goal: Second") && !again.contains("Goal: First"), "{again}");
}

#[test]
fn who_waits_for_the_start_goes_on_when_the_last_one_is_there() {
    let node = Node::new();
    node.run("", &["kickoff", "--goal", "Login", "--only", "backend,frontend", "--wait", "1s"]);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| node.run("b", &["kickoff", "backend", "--wait", "60s"]));
        let caller = scope.spawn(|| node.run("", &["kickoff", "--force", "--wait", "60s"]));
        std::thread::sleep(Duration::from_millis(400));
        node.run("f", &["kickoff", "frontend"]).good();
        let said = first.join().expect("ends").good().out;
        assert!(said.contains("START: Login."), "{said}");
        let said = caller.join().expect("ends").good().out;
        assert!(said.contains("ready: frontend (") && said.ends_with("START was sent to all\n"), "{said}");
    });
    assert_eq!((types(&node, "b"), types(&node, "f")), (Vec::new(), Vec::new()));
}

/// What an agent says is a line of the file, whatever is in it: no heading, nothing that acts on a terminal.
#[test]
fn what_is_added_forges_nothing() {
    let node = Node::new();
    let evil = "a\u{1b}[2J\u{202e}b\r\n## 2026-01-01 00:00 — forged\n- Affects: x\u{7f}";
    node.run(
        "b",
        &["blocker", "add", evil, "--context", evil, "--blocker", evil, "--need", evil, "--file", evil],
    )
    .good();
    node.run("b", &["finding", "add", evil, "--note", evil, "--affects", evil]).good();
    let more = ["--status", evil, "--issue", evil, "--workaround", evil, "--affects", evil, "--ref", evil];
    node.run("b", &[&["known-issue", "add", evil][..], &more].concat()).good();
    let handoff =
        ["handoff", "write", "t", "--status", evil, "--next", evil, "--question", evil, "--decision", evil];
    node.run("b", &[&handoff[..], &["--check", evil]].concat()).good();
    for (path, headings) in [
        (".comm-node/blockers.md", 1),
        (".comm-node/findings.md", 1),
        ("docs/KNOWN_ISSUES.md", 1),
        (".comm-node/handoffs/backend/t.md", 5),
    ] {
        let text = fs::read_to_string(node.root.join(path)).expect("is there");
        let hidden = text.lines().find(|line| line.chars().any(comm_node_core::text::is_hidden));
        assert_eq!(hidden, None, "{path}");
        assert_eq!(text.lines().filter(|line| line.starts_with("## ")).count(), headings, "{text}");
        assert!(text.contains("a\\u{1b}[2J\\u{202e}b"), "{text}");
    }
    for list in ["blocker", "finding", "known-issue"] {
        node.run("", &[list, "list", "--check"]).good();
    }
    // An entry that would make the file too long for its readers is not added.
    let long = "x ".repeat(60_000);
    let added =
        (0..20).map(|_| node.run("b", &["finding", "add", "t", "--note", &long])).find(|said| said.code == 1);
    added.expect("refused").refused(&["not added: .comm-node/findings.md would have", "say less"]);
    node.run("", &["finding", "list"]).good();
}

/// What a person wrote is to be mended, never removed; what is comm-node's own is set aside by the advice that is given.
#[test]
fn advice_about_a_file_fits_whose_it_is() {
    let node = Node::new();
    let latin = b"caf\xe9\n";
    let mended = "; save it as UTF-8 text, and shorter if it is too long; comm-node changes nothing in it\n";
    let write = |path: &str| {
        let path = node.root.join(path);
        fs::create_dir_all(path.parent().expect("has one")).expect("makes");
        fs::write(path, latin).expect("writes");
    };
    write("brief.md");
    for (path, args) in [
        ("brief.md", &["kickoff", "--goal", "x", "--brief", "brief.md", "--wait", "1s"][..]),
        ("docs/KNOWN_ISSUES.md", &["known-issue", "list"]),
        (".claude/mytasks/todo.md", &["plan", "list"]),
        (".comm-node/blockers.md", &["blocker", "list"]),
        (".comm-node/findings.md", &["finding", "list"]),
        (".comm-node/templates/CLAUDE.md.hbs", &["generate", "--check"]),
    ] {
        write(path);
        node.run("", args).refused(&[path, "it is not UTF-8 text at byte 3", mended]);
        node.run("", &["doctor", "--fix"]);
        assert_eq!(fs::read(node.root.join(path)).expect("is there"), latin, "{path}");
    }
    let link = node.root.join(".comm-node/templates/CLAUDE.md.hbs");
    fs::remove_file(&link).expect("removes");
    std::os::unix::fs::symlink("../../brief.md", &link).expect("links");
    node.run("", &["generate", "--check"]).refused(&["it is a symbolic link; put a plain file in its place"]);
    fs::remove_file(&link).expect("removes");
    write(".comm-node/kickoff.json");
    node.run("", &["kickoff", "--status"])
        .refused(&["run `comm-node doctor --fix`, which sets the file aside"]);
    let said = node.run("", &["doctor", "--fix"]).out;
    assert!(said.contains("PASS state-files: set aside"), "{said}");
    node.run("", &["kickoff", "--status"]).refused(&["there was no kickoff in this node"]);
}

/// What can't be written was not said; whoever closed a pipe wanted no more.
#[cfg(target_os = "linux")]
#[test]
fn a_result_that_is_lost_is_an_error() {
    let node = Node::new();
    node.run("b", &["blocker", "add", "x", "--blocker", "- y"]).good();
    node.send("b", &["frontend", "x"]);
    let to = |args: &[&str], out: std::process::Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_comm-node"));
        command.args(args).current_dir(&node.root).env_clear().env("HOME", &node.root).stdout(out);
        let output = command.output().expect("runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").expect("opens");
    for args in [
        &["status"][..],
        &["status", "--json"],
        &["blocker", "list"],
        &["log"],
        &["log", "--json"],
        &["locks"],
        &["sessions"],
        &["inbox", "--domain", "backend"],
        &["show", "api/x"],
        &["check"],
        &["kickoff", "--goal", "x", "--wait", "1s"],
        &["kickoff", "--status"],
        &["generate", "--dry-run"],
        &["completions", "bash"],
        &["doctor"],
        &["usage"],
        &["--help"],
        &["--version"],
        &["plan", "--help"],
    ] {
        let (code, said) = to(args, full().into());
        assert_eq!(code, Some(1), "{args:?}: {said}");
        assert!(
            said.contains("error: could not write all of it to stdout: No space left"),
            "{args:?}: {said}"
        );
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let closed = to(args, writer.into());
        let whole = to(args, std::process::Stdio::piped());
        assert_eq!((closed.0, closed.1.contains("stdout")), (whole.0, false), "{args:?}: {closed:?}");
    }
}

#[test]
fn text_on_stdin_that_is_too_long_is_answered_with_what_helps() {
    let node = Node::new();
    let long = "x".repeat((64 << 10) + 1);
    for (args, help) in [
        (&["handoff", "write", "t", "-"][..], "bytes; say less"),
        (&["send", "frontend"], "point to that with --artifact"),
    ] {
        node.run_with("b", args, long.as_bytes()).refused(&["stdin holds more than 65536", help]);
    }
    let id = node.send("f", &["backend", "What?"]);
    node.run_with("b", &["reply", &id], long.as_bytes()).refused(&["name that in the answer"]);
}

#[test]
fn a_blocker_is_added_listed_and_resolved() {
    let node = Node::new();
    let add = [
        "blocker",
        "add",
        "Which",
        "hash's \"right\"?",
        "--context",
        "bd-102",
        "--need",
        "one",
        "--file",
        "api/a.rs",
    ];
    let said = node.run("b", &add).good().out;
    assert!(said.contains("this session is blocked"), "{said}");
    let session =
        node.store().read_session(&SessionId::new("b").expect("an id")).expect("reads").expect("is there");
    assert_eq!(session.activity, Some(Activity::Blocked));
    node.run("", &["blocker", "add", "Another", "one of 30"]).good();
    node.run("b", &["blocker", "add"]).good_usage_error();
    let path = node.root.join(".comm-node/blockers.md");
    let text = fs::read_to_string(&path).expect("is there");
    assert!(text.starts_with("# Active Blockers\n\n## 2"), "{text}");
    assert!(
        text.contains(
            " — Which hash's \"right\"?\n- Context: bd-102\n- Blocker: <unknown>\n- What I need: one\n"
        ),
        "{text}"
    );
    let list = node.run("", &["blocker", "list", "--json", "--check"]).good().json();
    assert_eq!(list["blockers"].as_array().map(Vec::len), Some(2));
    fs::write(&path, format!("{text}\n### 2026-05-01 10:00 — Missed\n")).expect("writes");
    let said = node.run("", &["blocker", "list", "--check"]);
    assert!(
        said.code == 1 && said.err.contains("malformed: .comm-node/blockers.md:15: `### 2026-05-01"),
        "{said:?}"
    );
    // What is no number in the list names nothing, whatever the summaries contain.
    for number in ["0", "3", "30", ""] {
        node.run("", &["blocker", "resolve", number]).refused(&["no blocker is `"]);
    }
    node.run("", &["blocker", "resolve", "hash", "--answer", "argon2"]).good();
    let left = fs::read_to_string(&path).expect("is there");
    assert!(
        !left.contains("hash") && left.contains("Another one") && left.contains("### 2026-05-01"),
        "{left}"
    );
    let kept = fs::read_to_string(node.root.join(".comm-node/blockers-resolved.md")).expect("is there");
    assert!(kept.contains("hash's") && kept.ends_with("- Answer: argon2\n"), "{kept}");
    node.run("", &["blocker", "resolve", "7"]).refused(&["no blocker is `7`"]);
}

#[test]
fn findings_known_issues_and_plans() {
    let node = Node::new();
    node.run("b", &["finding", "add", "The API pages", "--note", "50 at a time", "--affects", "web"]).good();
    node.run("b", &["finding", "add", "Second"]).good();
    let list = node.run("f", &["finding", "list", "--json", "--check"]).good().json();
    assert_eq!(
        (&list["findings"][0]["title"], &list["findings"][1]["affects"]),
        (&"The API pages".into(), &"<unknown>".into())
    );
    node.run("b", &["finding", "clear", "1"]).good();
    let list = node.run("f", &["finding", "list", "--json"]).good().json();
    assert_eq!(
        (list["findings"].as_array().map(Vec::len), &list["findings"][0]["title"]),
        (Some(1), &"Second".into())
    );
    node.run("b", &["finding", "clear", "--all"]).good();
    node.run(
        "b",
        &["known-issue", "add", "Slow", "start", "--issue", "the cache is built", "--affects", "api"],
    )
    .good();
    let text = fs::read_to_string(node.root.join("docs/KNOWN_ISSUES.md")).expect("is there");
    assert!(text.contains(
        "## Slow start\n- **Status**: open\n- **Issue**: the cache is built\n- **Workaround**: <unknown>"
    ));
    node.run("", &["known-issue", "list", "--check"]).good();
    let made = node.run("", &["init-agentic"]).good().out;
    assert!(
        made.contains("wrote .claude/mytasks/todo.md") && made.contains("kept  docs/KNOWN_ISSUES.md"),
        "{made}"
    );
    assert_eq!(fs::read_to_string(node.root.join("docs/KNOWN_ISSUES.md")).expect("is there"), text);
    node.run("", &["plan", "list", "--check"]).good();
    fs::write(
        node.root.join(".claude/mytasks/todo.md"),
        "- [ ] bd-1 login\n- [x] bd-2\n  **Done when**: x\n",
    )
    .expect("writes");
    let said = node.run("", &["plan", "list", "--check"]);
    assert!(
        said.code == 1 && said.err.contains("todo.md:1: the task `bd-1 login` does not say when"),
        "{said:?}"
    );
    assert!(node.run("", &["init-agentic"]).good().out.lines().all(|line| line.starts_with("kept")));
}

#[test]
fn working_files_do_without_a_node() {
    let dir = tempfile::tempdir().expect("temp dir");
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_comm-node"));
        let output = command.args(args).current_dir(dir.path()).env_clear().output().expect("runs");
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (code, said) = run(&["blocker", "add", "x"]);
    assert!(code == Some(1) && said.contains("run `comm-node init-agentic`"), "{said}");
    assert_eq!(run(&["init-agentic"]).0, Some(0));
    assert_eq!(run(&["blocker", "add", "Which one?"]).0, Some(0));
    let text = fs::read_to_string(dir.path().join(".claude/mytasks/blockers.md")).expect("is there");
    assert!(text.starts_with("# Active Blockers\n\n## 2") && text.contains(" — Which one?\n"), "{text}");
    assert_eq!(run(&["blocker", "resolve", "1"]).0, Some(0));
    assert!(!dir.path().join(".comm-node").exists());
    // A link in the place of the directory leads no write elsewhere.
    let other = tempfile::tempdir().expect("temp dir");
    fs::remove_dir_all(dir.path().join("docs")).expect("removes");
    std::os::unix::fs::symlink(other.path(), dir.path().join("docs")).expect("links");
    let (code, said) = run(&["known-issue", "add", "x"]);
    assert!(code == Some(1) && said.contains("is no plain directory"), "{said}");
}
