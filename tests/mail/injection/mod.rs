//! Hostile text is refused, or arrives as framed data: whatever it holds, it changes no other message, no JSON, no
//! terminal, no log and nothing else that a session is told.
//!
//! Each row of the [`corpus`] is sent as an argument, on stdin and through the drop box, between two messages of
//! another author; what the programs then show is [`look`]ed at.

mod corpus;
mod look;
mod names;

use std::fs;

use comm_node_core::mail::{Draft, Message, Priority, Ulid, form};
use comm_node_core::session::SessionId;
use comm_node_core::store::{Place, State};
use serde_json::{Value, json};

use self::corpus::{Fate, Form, Row};
use crate::node::{Node, POST, PROMPT, START, Said, arguments};

/// How a row is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Argument,
    Stdin,
    DropBox,
}

/// The system takes no larger argument.
const MAX_ARGUMENT: usize = 100_000;

struct Field {
    node: Node,
    way: Way,
}

#[test]
fn as_an_argument() {
    Field::new(Way::Argument).all();
}

#[test]
fn on_stdin() {
    Field::new(Way::Stdin).all();
}

#[test]
fn through_the_drop_box() {
    Field::new(Way::DropBox).all();
}

impl Field {
    fn new(way: Way) -> Self {
        let node = Node::new(&["backend", "frontend", "docs"]);
        for (id, domain) in [("b", "backend"), ("f", "frontend"), ("d", "docs")] {
            node.register(id, domain);
        }
        Self { node, way }
    }

    fn all(&self) {
        let mut faults = Vec::new();
        for (n, row) in corpus::rows().into_iter().enumerate() {
            if self.can_be_sent(&row)
                && let Err(why) = self.row(n, &row)
            {
                faults.push(format!("{:?}, {}: {why}", self.way, row.name));
                // What it left must not be taken for a fault of the next row.
                let _ = fs::remove_dir_all(self.node.state("mail"));
            }
        }
        assert!(faults.is_empty(), "{} rows:\n{}", faults.len(), faults.join("\n"));
        self.nothing_else_happened();
    }

    fn can_be_sent(&self, row: &Row) -> bool {
        self.way != Way::Argument || (row.text.len() <= MAX_ARGUMENT && !row.text.contains(&0))
    }

    /// Sends `row` between two others, and looks at everything that is shown of it.
    fn row(&self, n: usize, row: &Row) -> Result<(), String> {
        // By turns each of the hooks tells it.
        let hook = if matches!(row.form, Form::Body) { n % 3 } else { n % 2 };
        let priority = if hook == 2 { Priority::High } else { Priority::Medium };
        let brief = if hook == 1 { self.brief(n, "before")? } else { String::new() };
        let before = self.neighbour("before", priority);
        let said = self.send(row, hook == 2);
        let after = self.neighbour("after", priority);
        look::is_plain(&said.out)?;
        look::is_plain(&said.err)?;
        let inbox = self.json(&["inbox", "--json"])?;
        let list = inbox.as_array().ok_or("no list")?;
        let wanted = if row.fate == Fate::Arrives { 3 } else { 2 };
        if list.len() != wanted {
            return Err(format!("{} messages, not {wanted}: {said:?}", list.len()));
        }
        for neighbour in [&before, &after] {
            let found =
                list.iter().find(|m| m["id"] == neighbour.id.text().as_str()).ok_or("a neighbour is gone")?;
            if found["from"] != "docs" || found["body"] != neighbour.said.body.as_str() {
                return Err(format!("a neighbour was changed: {found}"));
            }
        }
        if let Fate::Refused(pieces) = row.fate {
            refused(&said, self.way, pieces)?;
        } else {
            let own = list.iter().find(|m| m["from"] == "frontend").ok_or("it is not from its author")?;
            self.shown(row, own)?;
        }
        self.told(n, row, hook, &brief)?;
        let by = SessionId::new("b").map_err(|e| e.to_string())?;
        for id in list.iter().filter_map(|m| Ulid::parse(m["id"].as_str()?)) {
            self.node.store().mail().acknowledge("backend", id, &by).map_err(|e| e.to_string())?;
        }
        // The store has what was sent, in files that nobody changed.
        for message in [before, after] {
            let kept = self.node.store().mail().read_sent("docs", message.id).map_err(|e| e.to_string())?;
            if kept.as_ref().map(form::write) != Some(form::write(&message)) {
                return Err(format!("the author's copy of a neighbour is {kept:?}"));
            }
        }
        Ok(())
    }

    fn neighbour(&self, body: &str, priority: Priority) -> Message {
        let said = Draft { to: vec!["backend".into()], body: body.into(), priority, ..Draft::default() };
        self.node.post("docs", "d", said)
    }

    fn send(&self, row: &Row, high: bool) -> Said {
        let (node, mut args) = (&self.node, vec!["send", "backend", "--type", "answer"]);
        if matches!(row.form, Form::File) {
            args.truncate(2);
        } else if high {
            args.extend(["--priority", "high"]);
        }
        match self.way {
            Way::Argument => {
                // A text may begin like an option.
                args.push("--");
                node.run("f", &arguments(&args, &row.text), b"")
            }
            Way::Stdin => node.run("f", &args, &row.text),
            Way::DropBox => {
                let rank = if high { "high" } else { "medium" };
                let head = format!("---\nto: [backend]\ntype: answer\npriority: {rank}\n---\n");
                let head = if matches!(row.form, Form::File) { "" } else { &head };
                let path = node.state("outbox/x.md");
                fs::create_dir_all(node.state("outbox")).expect("makes");
                fs::write(&path, [head.as_bytes(), &row.text].concat()).expect("writes");
                let call =
                    json!({"tool_name": "Write", "tool_use_id": "t", "tool_input": {"file_path": path}});
                let more = json!({"tool_calls": [call]});
                let waits = || {
                    let begun = fs::read_dir(node.state("outbox/.routing"));
                    path.exists() || begun.is_ok_and(|mut names| names.next().is_some())
                };
                let told = |_| {
                    let said = node.hook(POST, "f", "frontend", "PostToolBatch", &more);
                    (!said.out.is_empty() || !waits()).then_some(said)
                };
                // On a busy machine a hook may give it up, also in the middle; then the next one sends it.
                let said = (0..20).find_map(told).unwrap_or_else(|| panic!("{}: it still waits", row.name));
                assert!(!waits(), "{}: it is still there: {said:?}", row.name);
                let why = fs::read_to_string(node.state("outbox/rejected/x.md.why.txt")).unwrap_or_default();
                let _ = fs::remove_dir_all(node.state("outbox/rejected"));
                let out =
                    if said.out.is_empty() { why } else { look::context(&said.out).expect("an answer") };
                Said { out, ..said }
            }
        }
    }

    /// What is shown of the message `own` that `row` became.
    fn shown(&self, row: &Row, own: &Value) -> Result<(), String> {
        let id = own["id"].as_str().ok_or("no id")?;
        let text = String::from_utf8_lossy(&row.text);
        if matches!(row.form, Form::Body) && own["body"] != form::tidy(&text) {
            return Err(format!("it says something else: {own}"));
        }
        let read = self.plain("b", &["read", id])?;
        let lines: Vec<&str> = read.lines().collect();
        let quoted =
            lines.iter().skip(1).take(lines.len().saturating_sub(2)).all(|line| line.starts_with("> "));
        if !quoted || read.contains("</") {
            return Err(format!("a line of it is not quoted: {read:?}"));
        }
        if self.way != Way::Stdin {
            return self.requeue(id);
        }
        for args in [&["inbox"][..], &["thread", id], &["search", "--regex", "."], &["inbox", "--in-prompt"]]
        {
            let shown = self.plain("b", args)?;
            if args.contains(&"--in-prompt") && shown.contains(" @") {
                return Err(format!("the client would put a file there: {shown:?}"));
            }
        }
        self.plain("f", &["sent"])?;
        for (who, args) in [("f", &["sent", "--json"][..]), ("b", &["read", id, "--json"])] {
            let said = self.node.run(who, args, b"");
            look::is_plain(&said.out)?;
            serde_json::from_str::<Value>(&said.out).map_err(|e| format!("{args:?}: {e}"))?;
        }
        self.requeue(id)
    }

    /// `read` counts as seeing: puts it back into the queue, for the hooks to tell.
    fn requeue(&self, id: &str) -> Result<(), String> {
        let (store, id) = (self.node.store(), Ulid::parse(id).ok_or("no id")?);
        let item = store.mail().find("backend", id).map_err(|e| e.to_string())?.ok_or("it is gone")?;
        store.mail().shift("backend", &item, Place::New, State::Queued).map_err(|e| e.to_string())?;
        Ok(())
    }

    /// What a hook tells a session of `backend`.
    fn told(&self, n: usize, row: &Row, hook: usize, brief: &str) -> Result<(), String> {
        let told = match hook {
            0 => look::context(&self.node.hook(PROMPT, "b", "backend", "UserPromptSubmit", &json!({})).out)?,
            1 => {
                let text = self.brief(n, "after")?;
                let mail = text
                    .strip_prefix(brief)
                    .ok_or_else(|| format!("the brief was {brief:?}, now it is {text:?}"))?;
                mail.trim_start().to_owned()
            }
            _ => {
                let more = json!({"tool_calls": []});
                look::context(&self.node.hook(POST, "b", "backend", "PostToolBatch", &more).out)?
            }
        };
        let blocks = look::blocks(&told)?;
        let find = |from: &str| blocks.iter().filter(|b| b.head.contains(from)).collect::<Vec<_>>();
        let others: Vec<&str> = find(" answer from docs").iter().map(|b| b.text.as_str()).collect();
        if others != ["before\n", "after\n"] {
            return Err(format!("the others say {others:?} in {told:?}"));
        }
        let own = find(" from frontend");
        match row.fate {
            Fate::Refused(_) if own.is_empty() && blocks.len() == 2 => Ok(()),
            Fate::Arrives if own.len() == 1 && blocks.len() == 3 => {
                let text = String::from_utf8_lossy(&row.text);
                let (shown, sent) = (look::undone(&own[0].text), look::undone(&text));
                if matches!(row.form, Form::Body) && shown != sent {
                    return Err(format!("{shown:?} was told of {sent:?}"));
                }
                Ok(())
            }
            _ => Err(format!("{} blocks in {told:?}", blocks.len())),
        }
    }

    /// What a new session of `backend` is told at its start.
    fn brief(&self, n: usize, when: &str) -> Result<String, String> {
        let id = format!("s{n}-{when}");
        let said = self.node.hook(START, &id, "backend", "SessionStart", &json!({"source": "startup"}));
        let text = look::context(&said.out)?;
        // Its name is not to stand in what the next one is told.
        let _ = fs::remove_file(self.node.state(format!("sessions/{id}.jsonl")));
        Ok(text.replace(&id, "ID"))
    }

    fn plain(&self, who: &str, args: &[&str]) -> Result<String, String> {
        let said = self.node.run(who, args, b"");
        look::is_plain(&said.out).and_then(|()| look::is_plain(&said.err))?;
        if said.code() == Some(0) { Ok(said.out) } else { Err(format!("{args:?}: {said:?}")) }
    }

    fn json(&self, args: &[&str]) -> Result<Value, String> {
        let shown = self.plain("b", args)?;
        serde_json::from_str(&shown).map_err(|e| format!("{args:?}: {e}: {shown:?}"))
    }

    /// The log has whole lines, other mailboxes are empty, and nothing is left half done.
    fn nothing_else_happened(&self) {
        let log = fs::read_to_string(self.node.state("log/events.jsonl")).expect("a log");
        for line in log.lines() {
            let event: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
            assert!(event["event"].as_str().is_some_and(|name| name != "resumed"), "{line}");
        }
        for args in [&["log"][..], &["status"], &["log", "--type", "mail_rejected"]] {
            self.plain("b", args).unwrap_or_else(|e| panic!("{e}"));
        }
        for name in ["docs", "human", "frontend"] {
            assert_eq!(self.node.store().mail().waiting(name).expect("lists"), [], "{name}");
        }
        assert!(!self.node.store().mail().is_interrupted());
        let sessions = self.node.store().sessions().expect("lists").len();
        assert_eq!(sessions, 3, "sessions that nobody started");
    }
}

/// The author was told why, and what to do.
fn refused(said: &Said, way: Way, pieces: &[&str]) -> Result<(), String> {
    let why = if way == Way::DropBox { &said.out } else { &said.err };
    // An argument that is no text is refused before it is looked at.
    let no_text = way == Way::Argument && why.contains("invalid UTF-8");
    if !no_text && !pieces.iter().any(|piece| why.contains(piece)) {
        return Err(format!("it lacks {pieces:?}: {said:?}"));
    }
    let code =
        if way == Way::DropBox { said.code() == Some(0) } else { said.code().is_some_and(|code| code > 0) };
    if code && (way == Way::DropBox || said.out.is_empty()) { Ok(()) } else { Err(format!("{said:?}")) }
}
