//! Nodes of several sizes, and the calls that the client would make in them. Also used by `tests/cost`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use comm_node_core::clock::Now;
use comm_node_core::deadline::Deadline;
use comm_node_core::lease::{Ask, Holder};
use comm_node_core::mail::{Draft, Kind, Ulid};
use comm_node_core::node::registry::{Layout, Registry, SourceId};
use comm_node_core::process::{Liveness, ProcessId};
use comm_node_core::session::{BoundBy, Session, SessionId};
use comm_node_core::store::{Asking, Outcome, Place, State, Store};
use serde_json::json;

/// The session whose calls are made. It is bound to `domain0`.
pub(crate) const SESSION: &str = "5e551011-0000-4000-8000-000000000001";
const OTHER: &str = "5e551011-0000-4000-8000-000000000002";
const DOMAIN: &str = "domain0";

/// A node with that many domains and one bound session, whose process is this one.
pub(crate) fn node(root: &Path, domains: usize) -> PathBuf {
    // With a commit, as nearly every repository has one.
    fs::create_dir_all(root.join(".git/refs/heads")).unwrap();
    fs::write(root.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::write(root.join(".git/refs/heads/main"), format!("{}\n", "5e".repeat(20))).unwrap();
    for i in 0..domains {
        fs::create_dir_all(root.join(format!("d{i}/src/a"))).unwrap();
    }
    fs::write(root.join("d0/src/a/b.rs"), "fn main() {}\n").unwrap();
    let layout = Layout::at(root.to_path_buf());
    fs::write(layout.yaml(), "version: 1\n").unwrap();
    let source = SourceId::of(&fs::metadata(layout.yaml()).unwrap());
    let text = rules(domains, &source, root);
    store(root).write_registry(&Registry::parse(&text).unwrap().to_text()).unwrap();
    bind(root);
    root.to_path_buf()
}

/// What `comm-node.yaml` compiles to. Written as text, so that fields which come to be take their defaults.
fn rules(domains: usize, source: &SourceId, root: &Path) -> String {
    let domain = |i| {
        json!({
            "name": format!("domain{i}"),
            "description": format!("Part {i} of the system"),
            "scope": [[format!("d{i}/src/**"), 7], [format!("d{i}/tests/**"), 7]],
            "exclude": [[format!("d{i}/src/generated/**"), 7]],
            "home": [format!("d{i}")],
            "exports": ["Contract"],
        })
    };
    json!({
        "version": 2,
        "source": source,
        "name": "bench",
        "trees": [root],
        "protected": [[".env*", 7], ["**/secrets/**", 7]],
        "roles": comm_node_core::node::roles::builtin(),
        "domains": (0..domains).map(domain).collect::<Vec<_>>(),
    })
    .to_string()
}

pub(crate) fn store(root: &Path) -> Store {
    Store::new(Layout::at(root.to_path_buf()).state())
}

/// Takes a shell command that has ended off the record.
pub(crate) fn ended(store: &Store, id: &str) {
    let (session, deadline) = (SessionId::new(SESSION).unwrap(), Deadline::after(Duration::from_secs(5)));
    store.end_call(&session, id, deadline).unwrap();
    store.remove_call(&session, id, deadline).unwrap();
}

/// Writes the session's record as it is while it works.
pub(crate) fn bind(root: &Path) {
    let mut session = Session::new(SessionId::new(SESSION).unwrap());
    session.domain = Some(DOMAIN.into());
    session.bound_by = Some(BoundBy::Join);
    session.process = ProcessId::of(std::process::id());
    session.started = "2026-01-01T00:00:00Z".into();
    store(root).write_session(&session).unwrap();
}

/// Adds leases of another live session, in all 20 domains, until there are that many.
pub(crate) fn leased_from(root: &Path, there: usize, leases: usize) {
    let store = store(root);
    let mut other = Session::new(SessionId::new(OTHER).unwrap());
    other.domain = Some("domain1".into());
    // Another client than that of the session whose calls are made, which would end this one.
    other.process = ProcessId::of(another_process());
    store.write_session(&other).unwrap();
    let holder = Holder { domain: other.domain.clone(), session: Some(other.session_id), agent: None };
    let liveness = |_: &Holder| Liveness::Alive;
    for i in there..leases {
        let key = format!("d{}/src/foreign{i}.rs", i % 20);
        let key = if i == 7 { "d0/src/foreign7.rs" } else { &key };
        let deadline = Deadline::after(Duration::from_secs(5));
        let who = Asking { holder: &holder, now: Now::read(), liveness: &liveness, deadline };
        let outcome = store.leases().written(&[Ask::key("", key)], 1800, &who).unwrap();
        assert!(matches!(outcome, Outcome::Taken(_)), "{key}: {outcome:?}");
    }
}

/// Sends that many messages to the session's domain.
pub(crate) fn waiting(root: &Path, messages: usize) {
    let by = SessionId::new(OTHER).unwrap();
    for i in 0..messages {
        let body = format!("The contract's version {i} is published; nothing of the old one changes.");
        let said = Draft { to: vec![DOMAIN.into()], kind: Kind::Answer, body, ..Draft::default() };
        store(root).mail().send("domain1", said, &by, Deadline::after(Duration::from_secs(20))).unwrap();
    }
}

/// Lets everything that was told wait again.
pub(crate) fn untold(root: &Path) {
    let store = store(root);
    let mail = store.mail();
    for item in mail.waiting(DOMAIN).unwrap().into_iter().chain(mail.open(DOMAIN).unwrap()) {
        mail.shift(DOMAIN, &item, Place::New, State::Queued).unwrap();
    }
}

/// Fills the domain's archive with messages of the last months.
pub(crate) fn archive(root: &Path, messages: usize) {
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;
    let by = SessionId::new(SESSION).unwrap();
    let store = store(root);
    let mut made = PathBuf::new();
    let (start, mut id) = (comm_node_core::clock::now_ms() - 100 * DAY_MS, None);
    for i in 0..messages {
        let ms = start + DAY_MS * 100 / (messages as u64 + 1) * i as u64;
        let next = Ulid::fresh(ms, id);
        id = Some(next);
        let item = comm_node_core::store::Item {
            id: next,
            rank: comm_node_core::mail::Rank::By(comm_node_core::mail::Priority::Medium),
            place: Place::Archive,
            state: State::Acked(by.clone()),
        };
        let path = store.mail().path(DOMAIN, &item);
        if path.parent() != Some(&made) {
            made = path.parent().unwrap().to_path_buf();
            fs::create_dir_all(&made).unwrap();
        }
        fs::File::create(path).unwrap();
    }
}

/// Puts files into the first five domains until there are that many.
pub(crate) fn files(root: &Path, there: usize, files: usize) {
    for i in there..files {
        let dir = root.join(format!("d{}/src/many/{}", i % 5, i / 500));
        if i % 500 < 5 {
            fs::create_dir_all(&dir).unwrap();
        }
        fs::File::create(dir.join(format!("f{i}.rs"))).unwrap();
    }
}

/// Makes a transcript of that many bytes, as the client writes them; gives back how many responses are in it.
pub(crate) fn transcript(path: &Path, bytes: usize) -> u64 {
    fs::write(path, "").unwrap();
    append(path, bytes, 0)
}

/// Adds that many bytes to a transcript, and gives back how many responses; `turn` tells its messages from others.
pub(crate) fn append(path: &Path, bytes: usize, turn: usize) -> u64 {
    let mut file = std::io::BufWriter::new(fs::OpenOptions::new().append(true).open(path).unwrap());
    let text = "What was done is written down here. ".repeat(50);
    let (mut written, mut responses) = (0, 0);
    while written < bytes {
        let line = format!(
            r#"{{"type":"assistant","sessionId":"{SESSION}","message":{{"id":"msg_{turn}_{written}","role":"assistant","model":"claude-sonnet-4-5","content":[{{"type":"text","text":"{text}"}}],"usage":{{"input_tokens":12,"cache_creation_input_tokens":340,"cache_read_input_tokens":56000,"output_tokens":210}}}},"requestId":"req_{turn}_{written}","uuid":"u_{turn}_{written}","timestamp":"2026-01-01T00:00:00.000Z"}}{}"#,
            "\n"
        );
        file.write_all(line.as_bytes()).unwrap();
        written += line.len();
        responses += 1;
    }
    responses
}

/// A call of the hook for `event`; `more` are further fields, each after a comma.
pub(crate) fn call(event: &str, cwd: &Path, more: &str) -> String {
    let transcript = cwd.with_extension("jsonl");
    format!(
        r#"{{"session_id":"{SESSION}","transcript_path":"{}","cwd":"{}","prompt_id":"p","permission_mode":"default","hook_event_name":"{event}"{more}}}"#,
        transcript.display(),
        cwd.display()
    )
}

/// A write of `path` below `root`, with 1,300 bytes of content.
pub(crate) fn write_call(event: &str, root: &Path, path: &str) -> String {
    call(event, root, &tool_call("Write", &write_input(root, path), "toolu_1"))
}

fn write_input(root: &Path, path: &str) -> String {
    let content = "fn main() {}\\n".repeat(100);
    format!(r#"{{"file_path":"{}","content":"{content}"}}"#, root.join(path).display())
}

fn tool_call(tool: &str, input: &str, id: &str) -> String {
    format!(r#","tool_name":"{tool}","tool_input":{input},"tool_use_id":"{id}""#)
}

/// The end of a batch of one write.
pub(crate) fn batch_call(root: &Path, path: &str) -> String {
    let one = format!(
        r#"{{"tool_name":"Write","tool_input":{},"tool_use_id":"toolu_1","tool_response":""}}"#,
        write_input(root, path)
    );
    call("PostToolBatch", root, &format!(r#","tool_calls":[{one}]"#))
}

/// A call of the Bash tool.
pub(crate) fn bash_call(event: &str, root: &Path, command: &str, id: &str) -> String {
    let command = serde_json::Value::from(command);
    let answer = match event {
        "PostToolUse" => r#","tool_response":{"stdout":"a\nb\n","stderr":"","interrupted":false}"#,
        _ => "",
    };
    let input = format!(r#"{{"command":{command},"description":"x"}}"#);
    call(event, root, &format!("{}{answer}", tool_call("Bash", &input, id)))
}

/// A process that lives and is not this one; where that can't be asked, this one.
fn another_process() -> u32 {
    #[cfg(unix)]
    return std::os::unix::process::parent_id();
    #[cfg(not(unix))]
    return std::process::id();
}
