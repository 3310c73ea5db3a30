//! Slash commands typed into one real session, to their effect: what they tell the model to run needs no permission, gets
//! arguments with blanks and quotes where they belong, and is answered usably where one is missing or wrong.

use std::time::Duration;

use serde_json::Value;

use crate::driver::Client;
use crate::installed::person;
use crate::script::{Script, Turn, message_text};
use crate::support::node::{Node, TWO_DOMAINS};
use crate::terminal::Terminal;

const SOON: Duration = Duration::from_secs(90);

/// A session that a person types into, in the client's default permission mode.
struct Session {
    // Before the client, in whose home its socket is.
    terminal: Terminal,
    client: Client,
    said: std::cell::Cell<u32>,
}

impl Session {
    /// A session of no domain that has everything a user installs; `None` where the tests have to be skipped.
    fn start(node: &Node) -> Option<Self> {
        let client = Client::start(Script::default())?;
        client.install_own(&[]);
        let path = format!(
            "{}:{}",
            client.config().join("comm-node/bin").display(),
            std::env::var("PATH").unwrap_or_default()
        );
        let terminal = client.interactive_with(node.root(), &[("PATH", &path)], &[])?;
        terminal.wait_for("❯", SOON);
        Some(Self { terminal, client, said: std::cell::Cell::new(0) })
    }

    /// Types `line`, has the model run `command`, and gives back what the model was told by the line, and by the command.
    fn say(&self, line: &str, command: &str) -> (String, String) {
        let n = self.said.get() + 1;
        self.said.set(n);
        let before = self.client.server.requests_main().len();
        let last = format!("That was number {n}.");
        self.client.server.script(Script::new([Turn::bash(command), Turn::text(&last)]));
        self.terminal.say(line);
        self.terminal.wait_for(&last, SOON);
        let typed = self.client.server.main(before);
        let typed =
            typed.body["messages"].as_array().and_then(|all| all.iter().rfind(|m| m["role"] == "user"));
        let told = typed.map(message_text).unwrap_or_default();
        let result = self.client.server.tool_results(before + 1).pop().unwrap_or_default();
        (told, result)
    }
}

fn record(node: &Node) -> Value {
    node.sessions().pop().unwrap_or_default()
}

#[test]
fn what_is_typed_takes_effect() {
    let yaml = TWO_DOMAINS.replace(
        "    description: HTTP API\n",
        "    description: HTTP API\n    budget: {tokens_per_day: 100000}\n",
    );
    let node = Node::builder().yaml(&yaml).file("services/api/main.rs", "fn main() {}\n").build();
    let Some(session) = Session::start(&node) else { return };

    // Without a domain it is asked for, with a wrong one the right ones are named, and neither binds.
    let (told, list) = session.say("/kickoff", "comm-node status");
    assert!(told.contains("ask which one; bind nothing") && list.contains("frontend"), "{told}\n{list}");
    let (told, said) = session.say("/kickoff the 'back end'", "comm-node kickoff 'the '\\''back end'\\'''");
    assert!(told.contains("Domain: the 'back end'"), "{told}");
    assert!(said.contains("no domain is called `the 'back end'`; did you mean `backend`?"), "{said}");
    assert_eq!(record(&node)["domain"], Value::Null);
    let (_, said) = session.say("/kickoff backend", "comm-node kickoff backend");
    assert!(said.contains("works for domain backend") && said.contains("No kickoff is under way"), "{said}");
    assert_eq!(record(&node)["domain"], "backend");

    let (told, said) = session.say("/blocker", "comm-node blocker add");
    assert!(
        told.contains("ask for one line and record nothing") && said.contains("<SUMMARY>"),
        "{told}\n{said}"
    );
    assert_eq!((node.read(".comm-node/blockers.md"), record(&node)["activity"].clone()), (None, Value::Null));
    let summary = "Which \"hash\", the user's $HOME or `id`?";
    let (told, said) = session.say(
        &format!("/blocker {summary}"),
        "comm-node blocker add 'Which \"hash\", the user'\\''s $HOME or `id`?' --context 'bd-1, the login' --need 'one of two' \
         --file 'services/api/main.rs'",
    );
    assert!(
        told.contains(&format!("Blocker: {summary}")) && said.contains("this session is blocked"),
        "{told}\n{said}"
    );
    let text = node.read(".comm-node/blockers.md").unwrap_or_default();
    let entry = format!(
        " — {summary}\n- Context: bd-1, the login\n- Blocker: <unknown>\n- What I need: one of two\n- Files involved: services/api/main.rs\n"
    );
    assert!(text.starts_with("# Active Blockers\n\n## 20") && text.contains(&entry), "{text}");
    assert_eq!(record(&node)["activity"], "blocked");

    let (told, said) = session.say("/known-issue", "comm-node known-issue add");
    assert!(
        told.contains("ask for one line and record nothing") && said.contains("<TITLE>"),
        "{told}\n{said}"
    );
    assert_eq!(node.read("docs/KNOWN_ISSUES.md"), None);
    let (told, _) = session.say(
        "/known-issue The login's \"slow\" at night",
        "comm-node known-issue add 'The login'\\''s \"slow\" at night' --issue 'ten seconds' --affects 'all'",
    );
    assert!(told.contains("Known issue: The login's \"slow\" at night"), "{told}");
    let text = node.read("docs/KNOWN_ISSUES.md").unwrap_or_default();
    assert!(
        text.contains("## The login's \"slow\" at night\n") && text.contains("- **Issue**: ten seconds\n"),
        "{text}"
    );

    // What is left stands in the prompt itself; more is granted by what it says.
    let (told, said) = session.say(
        "/budget the migration's \"two\" more tables",
        "comm-node budget request 500 --reason 'the migration'\\''s \"two\" more tables'",
    );
    assert!(told.contains("100,000 tokens"), "{told}");
    assert!(told.contains("the migration's \"two\" more tables"), "{told}");
    assert!(said.contains("granted"), "{said}");
    let (told, said) = session.say("/budget", "comm-node budget request 500");
    assert!(said.contains("--reason"), "{said}");
    assert!(told.contains("100,500 tokens (500 granted)"), "{told}");

    let path = ".claude/mytasks/todo.md";
    assert_eq!(node.read(path), None);
    let (told, _) = session.say("/init-agentic and \"more\"", "comm-node plan list");
    assert!(
        told.contains(&format!("wrote {path}")) && told.contains("kept  .comm-node/blockers.md"),
        "{told}"
    );
    assert!(node.read(path).is_some_and(|text| text.starts_with("# Plan")));
    let (told, _) = session.say("/init-agentic", "comm-node plan list");
    assert!(told.contains(&format!("kept  {path}")) && !told.contains("wrote "), "{told}");

    // Those that pass something on say what is missing.
    let (told, said) = session.say("/send frontend", "comm-node send frontend");
    assert!(told.contains("ask for it and send nothing"), "{told}");
    assert!(said.contains("the message has no body; say something"), "{said}");
    let (told, said) = session.say("/send front 'the' page", "comm-node send 'front' ''\\''the'\\'' page'");
    assert!(
        told.contains("front 'the' page") && said.contains("no domain is called `front`"),
        "{told}\n{said}"
    );
    let (_, said) = session.say("/handoff", "comm-node handoff write");
    assert!(said.contains("<TASK>"), "{said}");
    let (_, said) = session.say("/handoff the login", "comm-node handoff write 'the login' --status 'there'");
    assert!(said.contains("`the login`") && node.read(".comm-node/handoffs/backend").is_none(), "{said}");
    assert!(person(node.root(), &["handoff", "list"]).contains("no "), "none was written");
}
