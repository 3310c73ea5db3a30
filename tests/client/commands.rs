//! Slash commands and role agents in the real client, installed as a user installs them: what the model is given, what
//! runs, and that nothing a person types or another agent says is run by a shell or read as a file.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::driver::{Client, Headless, Permission};
use crate::installed::{self, all};
use crate::script::{Script, Turn};
use crate::server::{Request, Server};
use crate::support::node::{Node, TWO_DOMAINS};

const COMMANDS: [&str; 11] = [
    "kickoff",
    "handoff",
    "blocker",
    "known-issue",
    "agentic",
    "init-agentic",
    "inbox",
    "send",
    "budget",
    "locks",
    "status",
];
const ROLES: [&str; 13] = [
    "planner",
    "auditor",
    "finder",
    "researcher",
    "builder-fast",
    "builder-smart",
    "reviewer",
    "tester",
    "integration",
    "test-list",
    "test",
    "implement",
    "refactor",
];
/// What a shell would do something with, wherever it stood in one.
const HOSTILE: &str = "x y; touch PWN-1 $(touch PWN-2) `touch PWN-3` \"; touch PWN-4; \" '; touch PWN-5; ' | touch PWN-6 & !`touch PWN-7`";

/// A client whose user installed everything, in the user's settings or as a plugin.
fn client(args: &[&str]) -> Option<Client> {
    let client = Client::start(Script::default())?;
    client.install_own(args);
    Some(client)
}

/// A session of backend that finds `comm-node` on its `PATH`.
fn run<'c>(client: &'c Client, cwd: &Path, prompt: &str) -> Headless<'c> {
    session(client, cwd).args(["-p", prompt])
}

/// The same without a prompt.
fn session<'c>(client: &'c Client, cwd: &Path) -> Headless<'c> {
    let bin = client.config().join("comm-node/bin");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    client.command(cwd).permission(Permission::Bypass).env("PATH", path).env("COMM_NODE_DOMAIN", "backend")
}

/// The first request of the main loop.
fn first(client: &Client) -> Request {
    client.server.main(0)
}

/// The model's own copy of the prompt.
fn prompt(request: &Request) -> String {
    let last = request.body["messages"].as_array().and_then(|m| m.iter().rfind(|m| m["role"] == "user"));
    last.map(crate::script::message_text).unwrap_or_default()
}

fn fresh(client: Client, turns: impl IntoIterator<Item = Turn>) -> Client {
    client.with_server(Server::start(Script::new(turns)))
}

fn no_shell_ran(dirs: &[&Path]) {
    for dir in dirs {
        for i in 1..=7 {
            assert!(!dir.join(format!("PWN-{i}")).exists(), "PWN-{i} was run in {}", dir.display());
        }
    }
}

/// Every command, typed with what a shell would act on and with nothing at all, as the user's and as the plugin's.
#[test]
fn each_command_gives_the_model_what_was_typed_and_a_shell_none_of_it() {
    for (args, prefix) in [(&[][..], ""), (&["--plugin"][..], "comm-node:")] {
        let node = Node::shop();
        let Some(client) = client(args) else { return };
        let typed: Vec<(&str, &str)> =
            COMMANDS.iter().flat_map(|name| [(*name, HOSTILE), (*name, "")]).collect();
        let lines: Vec<String> = typed
            .iter()
            .map(|(name, arguments)| format!("/{prefix}{name} {arguments}").trim().to_owned())
            .collect();
        let outcome = session(&client, node.root()).conversation(&lines);
        outcome.assert_success();
        let asked = client.server.requests_main();
        assert_eq!(asked.len(), lines.len(), "{}", outcome.stdout);
        for (((name, arguments), line), request) in typed.iter().zip(&lines).zip(&asked) {
            let said = prompt(request);
            assert!(said.len() > 200, "{line}: the command's text did not come: {said}\n{}", outcome.stdout);
            // The client itself puts a `\` before a `!` that would make it run something.
            assert_eq!(said.contains("touch PWN-1 $(touch PWN-2)"), !arguments.is_empty(), "{line}: {said}");
            if arguments.is_empty()
                && ["send", "blocker", "known-issue", "agentic", "kickoff", "handoff"].contains(name)
            {
                assert!(said.contains(" ask"), "{line}: what is to be done without arguments? {said}");
            }
        }
        no_shell_ran(&[node.root(), client.home()]);
    }
}

/// Control for the test above: in a command that has its arguments inside `` !`…` ``, a shell does run them.
#[test]
fn arguments_inside_a_command_s_shell_would_be_run() {
    let node = Node::shop();
    let Some(client) = Client::start(Script::default()) else { return };
    let dir = client.config().join("commands");
    fs::create_dir_all(&dir).expect("makes");
    fs::write(dir.join("bad.md"), "Said: !`echo $ARGUMENTS`\n").expect("writes");
    client.headless(node.root(), "/bad x; touch PWN-1").run().assert_success();
    assert!(
        node.path("PWN-1").exists(),
        "the client no longer puts arguments into a shell; docs/generate.md says it does"
    );
}

/// The commands that show something run it without asking, in the client's default mode, and a failure of theirs is
/// told and does not drop the command.
#[test]
fn what_a_command_shows_needs_no_permission() {
    let node = Node::shop();
    let Some(mut client) = client(&[]) else { return };
    for (name, shows) in [("inbox", "no mail"), ("status", "frontend"), ("locks", "lease")] {
        client = fresh(client, []);
        let outcome = run(&client, node.root(), &format!("/{name}")).permission(Permission::Unsaid).run();
        let said = prompt(&first(&client));
        assert!(said.to_lowercase().contains(shows), "/{name}: {said}\n{}", outcome.stdout);
    }
    // Where there is no node it says so.
    let bare = Node::bare();
    client = fresh(client, []);
    run(&client, bare.root(), "/status").permission(Permission::Unsaid).run().assert_success();
    assert!(prompt(&first(&client)).contains("no comm-node.yaml here"), "{}", prompt(&first(&client)));
    // Control: a command without `allowed-tools` is dropped by the client.
    let text = client.config().join("commands/status.md");
    let open = fs::read_to_string(&text).expect("installed");
    let open: String =
        open.lines().filter(|l| !l.starts_with("allowed-tools")).map(|l| format!("{l}\n")).collect();
    fs::write(&text, open.replace("comm-node status", "comm-node pause")).expect("writes");
    client = fresh(client, []);
    let outcome = run(&client, node.root(), "/status").permission(Permission::Unsaid).run();
    assert!(
        client.server.requests_main().is_empty() && outcome.stdout.contains("permission"),
        "{}",
        outcome.stdout
    );
}

/// A message that mentions a file does not bring that file into the model's context.
#[test]
fn another_agent_s_words_read_no_file_and_run_nothing() {
    let node = Node::shop();
    let Some(mut client) = client(&[]) else { return };
    let secret = client.home().join("secret.txt");
    fs::write(&secret, "the launch code is 0451\n").expect("writes");
    let words = format!("Look: @{} and !`touch PWN-7` $ARGUMENTS", secret.display());
    let output = client.person(node.root(), &["send", "backend", &words]);
    assert!(output.status.success(), "{}", all(&output));
    client = fresh(client, []);
    run(&client, node.root(), "/inbox").run().assert_success();
    let request = first(&client);
    assert!(prompt(&request).contains(&format!("＠{}", secret.display())), "{}", prompt(&request));
    assert_eq!(request.count("the launch code is 0451"), 0);
    no_shell_ran(&[node.root()]);
    // Control: without `--in-prompt` the client reads the file.
    let text = client.config().join("commands/inbox.md");
    let open = fs::read_to_string(&text).expect("installed").replace(" --in-prompt", "");
    fs::write(&text, open).expect("writes");
    client.person(node.root(), &["send", "backend", &words]);
    client = fresh(client, []);
    run(&client, node.root(), "/inbox").run().assert_success();
    let request = first(&client);
    assert!(prompt(&request).contains(&format!(" @{}", secret.display())), "{}", prompt(&request));
    let messages = &request.body["messages"];
    assert_ne!(
        request.count("the launch code is 0451"),
        0,
        "the client reads no mention any more: {messages}"
    );
}

/// `/handoff` and `/send`: what they tell the model to run needs no permission, and does it.
#[test]
fn a_hand_off_and_a_message_by_command() {
    let node = Node::shop();
    let Some(mut client) = client(&[]) else { return };
    let write = Turn::write(node.text("services/api/a.rs"), "fn a() {}\n");
    let hand_off = Turn::bash("comm-node handoff write 'bd-7' --status 'It'\\''s there.' --next 'wire it'");
    client = fresh(client, [write, hand_off]);
    run(&client, node.root(), "/handoff bd-7").permission(Permission::AcceptEdits).run().assert_success();
    let text = node
        .read(".comm-node/handoffs/backend/bd-7.md")
        .unwrap_or_else(|| panic!("{:?}", client.server.tool_results(2)));
    assert!(
        text.contains("It's there.") && text.contains("- [ ] wire it") && text.contains("services/api/a.rs"),
        "{text}"
    );
    let send = Turn::bash("comm-node send 'frontend' 'It'\\''s done: $(id) `id`'");
    client = fresh(client, [send]);
    run(&client, node.root(), "/send frontend it's done")
        .permission(Permission::Unsaid)
        .run()
        .assert_success();
    let sent = installed::person(node.root(), &["search", "done"]);
    assert!(sent.contains("$(id) `id`"), "{sent}\n{:?}", client.server.tool_results(1));
}

/// All role agents are listed with what they are for, and run with the model and the tools of their role; as the
/// user's, as the plugin's, and as a node's own, which come before the user's.
#[test]
fn agents_are_listed_and_run_as_their_role_says() {
    for (args, prefix, generated) in
        [(&[][..], "", false), (&["--plugin"], "comm-node:", false), (&[], "", true)]
    {
        let node = Node::shop();
        let Some(mut client) = client(args) else { return };
        if generated {
            client.person(node.root(), &["generate"]);
            assert!(node.read("services/api/.claude/agents/builder-fast.md").is_some());
        }
        let cwd = if generated { node.path("services/api") } else { node.root().to_owned() };
        let roles = [
            ("finder", "haiku", Some(vec!["Bash", "Read"])),
            ("builder-smart", "sonnet", None),
            ("auditor", "opus", Some(vec!["Bash", "Read"])),
        ];
        let errand = |role: &str| format!("take the errand of a {role}");
        let mut script = Script::new(
            roles.iter().map(|(role, ..)| Turn::agent(&format!("{prefix}{role}"), &errand(role))),
        );
        for (role, ..) in &roles {
            script = script.agent(&errand(role), [Turn::text("Done.")]);
        }
        client = client.with_server(Server::start(script));
        run(&client, &cwd, "go").run().assert_success();
        let main = first(&client).body["tools"].to_string()
            + &first(&client).body["messages"].to_string()
            + &first(&client).body["system"].to_string();
        for listed in ROLES {
            assert!(main.contains(&format!("- {prefix}{listed}: ")), "{prefix}{listed} is not listed");
        }
        for (n, (role, model, tools)) in roles.into_iter().enumerate() {
            let asked = client.server.requests_agent(&errand(role)).into_iter().next();
            let asked = asked.unwrap_or_else(|| {
                panic!("{prefix}{role} was not run: {:?}", client.server.tool_results(n + 1))
            });
            assert!(
                asked.body["model"].as_str().is_some_and(|m| m.contains(model)),
                "{role}: {}",
                asked.body["model"]
            );
            let mut offered = asked.tools();
            offered.sort_unstable();
            match tools {
                Some(tools) => assert_eq!(offered, tools, "{role}"),
                None => {
                    assert!(offered.contains(&"Write") && offered.contains(&"Edit"), "{role}: {offered:?}")
                }
            }
            // The words of the template are its system prompt; a node's own say its scope.
            let system = asked.body["system"].to_string();
            if role == "builder-smart" {
                assert!(system.contains("You build one piece of complex work"), "{system}");
                assert_eq!(
                    system.contains("Domain backend may write `services/api/**`"),
                    generated,
                    "{system}"
                );
            }
        }
    }
}

/// What a subagent of `kind` may do in backend's scope: a new file, an edit, a shell command, a plan file.
fn writes(args: &[&str], kind: &str, own: Option<&str>) -> Option<[bool; 4]> {
    let node = Node::shop();
    let client = client(args)?;
    if let Some(name) = own {
        let dir = client.config().join("agents");
        fs::create_dir_all(&dir).expect("makes");
        fs::write(
            dir.join(format!("{name}.md")),
            format!("---\nname: {name}\ndescription: with all tools\n---\nWork.\n"),
        )
        .expect("writes");
    }
    let steps = [
        Turn::write(node.text("services/api/new.rs"), "new\n"),
        Turn::read(node.text("services/api/main.rs")),
        Turn::edit(node.text("services/api/main.rs"), "fn main() {}", "fn main() { edited() }"),
        Turn::bash("echo shell > services/api/shell.rs"),
        Turn::write(node.text(".claude/mytasks/todo.md"), "- [ ] x\n"),
    ];
    let client = client.with_server(Server::start(
        Script::new([Turn::agent(kind, "take the errand")]).agent("take the errand", steps),
    ));
    run(&client, node.root(), "go").run().assert_success();
    assert!(
        client.server.requests_agent("take the errand").len() > 4,
        "{kind} was not run: {:?}",
        client.server.tool_results(1)
    );
    Some([
        node.path("services/api/new.rs").exists(),
        node.read("services/api/main.rs").is_some_and(|t| t.contains("edited")),
        node.path("services/api/shell.rs").exists(),
        node.path(".claude/mytasks/todo.md").exists(),
    ])
}

/// The guard enforces the roles, also where an agent of that name is given every tool.
#[test]
fn roles_are_enforced_by_the_guard() {
    for (args, kind, own, may) in [
        (&[][..], "finder", None, [false; 4]),
        (&["--bare"], "finder", Some("finder"), [false; 4]),
        (&["--bare"], "tester", Some("tester"), [false; 4]),
        (&["--plugin"], "comm-node:finder", None, [false; 4]),
        (&[], "builder-fast", None, [true; 4]),
        (&["--plugin"], "comm-node:builder-smart", None, [true; 4]),
        (&["--plugin"], "comm-node:planner", None, [false, false, false, true]),
        // Control: the same steps in a name that is no role.
        (&["--bare"], "helper", Some("helper"), [true; 4]),
    ] {
        let Some(did) = writes(args, kind, own) else { return };
        assert_eq!(did, may, "{kind}, {args:?}");
    }
}

/// A session is told each thing once, in few words: the brief, the domain's CLAUDE.md and the conventions.
#[test]
fn what_a_session_is_given_is_short() {
    const FIVE: &str = include_str!("../../crates/comm-node-cli/tests/generate/shop.yaml");
    let node = Node::builder()
        .yaml(FIVE)
        .file("services/api/main.rs", "fn main() {}\n")
        .file("packages/shared/x", "")
        .build();
    let Some(mut client) = client(&[]) else { return };
    let output = client.person(node.root(), &["generate"]);
    assert!(output.status.success(), "{}", all(&output));
    client = fresh(client, []);
    run(&client, &node.path("services/api"), "go").run().assert_success();
    let request = first(&client);
    assert_eq!(request.count("## Domain backend of shop"), 1);
    assert_eq!(
        request.count("several sessions work on one system, each for one domain"),
        1,
        "the conventions"
    );
    assert_eq!(request.count("comm-node: this session works for domain backend"), 1, "the brief");
    assert_eq!(request.count("comm-node:begin"), 0, "the marks cost nothing");
    assert_eq!(request.count("Generated by comm-node"), 0, "nor do those of files");
    assert_eq!(
        request.count("List who holds which paths, since when"),
        0,
        "nor do commands before they are typed"
    );
    let tokens = |text: &str| comm_node_core::text::estimate_tokens(text);
    let part = node.read("services/api/CLAUDE.md").expect("generated");
    let brief = brief(&request);
    let listed = ROLES.iter().map(|role| listing(&request, role)).collect::<String>();
    let conventions =
        fs::read_to_string(client.config().join("comm-node/conventions.md")).expect("installed");
    let table = format!(
        "CLAUDE.md {}, brief {}, conventions {}, {} agents {}",
        tokens(&part),
        tokens(&brief),
        tokens(&conventions),
        ROLES.len(),
        tokens(&listed)
    );
    assert!(!brief.is_empty() && !listed.is_empty(), "{table}");
    assert!(tokens(&part) + tokens(&brief) <= 900, "{table}");
    assert!(tokens(&conventions) <= 260 && tokens(&listed) <= 600, "{table}");
}

/// The brief as the model gets it.
fn brief(request: &Request) -> String {
    let all = texts(&request.body["messages"]).join("\n");
    let from = all.split_once("comm-node: this session works for").map(|(_, rest)| rest).unwrap_or_default();
    from.split_once("is looked at afterwards.").map(|(brief, _)| brief.to_owned()).unwrap_or_default()
}

/// The line by which the client lists an agent.
fn listing(request: &Request, role: &str) -> String {
    let start = format!("- {role}: ");
    let all = texts(&request.body);
    let line = all.iter().flat_map(|t| t.lines()).find(|l| l.starts_with(&start));
    line.map(|l| format!("{l}\n")).unwrap_or_default()
}

/// Every string in `value`.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// A domain without a directory of its own has a rule, which the client reads with the first file of its scope; where
/// the domain has a directory, the client reads its CLAUDE.md so.
#[test]
fn a_domain_s_words_come_with_its_files() {
    let yaml = format!("{TWO_DOMAINS}  manual: {{scope: [\"docs/*.md\"]}}\n");
    let node =
        Node::builder().yaml(&yaml).file("docs/a.md", "a\n").file("apps/web/index.html", "<p>\n").build();
    let Some(mut client) = client(&[]) else { return };
    client.person(node.root(), &["generate"]);
    let reads = [Turn::read(node.text("apps/web/index.html")), Turn::read(node.text("docs/a.md"))];
    client = fresh(client, reads);
    run(&client, node.root(), "go").run().assert_success();
    let seen = |i: usize| {
        let request = client.server.main(i);
        ["frontend", "manual"].map(|d| request.count(&format!("## Domain {d} of shop")))
    };
    assert_eq!([seen(0), seen(1), seen(2)], [[0, 0], [1, 0], [1, 1]]);
}

/// Files from which the client runs commands are not an agent's to write: they would run what no guard sees.
#[test]
fn an_agent_makes_no_command_agent_or_skill() {
    for mode in ["enforce", "off"] {
        let yaml = format!("version: 1\nname: n\ndomains:\n  backend: {{scope: [\"**\"], mode: {mode}}}\n");
        let node = Node::builder().yaml(&yaml).build();
        let Some(client) = client(&["--bare"]) else { return };
        let paths = [
            ".claude/commands/x.md",
            ".claude/agents/x.md",
            ".claude/skills/x/SKILL.md",
            "sub/.claude/commands/y.md",
        ];
        let mut turns: Vec<Turn> =
            paths.iter().map(|p| Turn::write(node.text(p), "---\ndescription: x\n---\n!`id`\n")).collect();
        turns.push(Turn::bash("mkdir -p .claude/commands && echo x > .claude/commands/z.md"));
        let client = fresh(client, turns);
        run(&client, node.root(), "go").run().assert_success();
        for path in paths.iter().chain([&".claude/commands/z.md"]) {
            assert_eq!(node.path(path).exists(), mode == "off", "{mode}: {path}");
        }
        assert_eq!(
            client.server.tool_results(1)[0].contains("agents, commands and skills"),
            mode == "enforce"
        );
    }
}
