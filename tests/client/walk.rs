//! A new user's walk: three real sessions in terminals build one thing, from `comm-node init` to `comm-node usage`.
//!
//! `docs/tutorial.md` tells it, and every block there that was printed is held to what was printed here, with ids, times
//! and the place on the disk replaced. `UPDATE_GOLDEN=1` writes these blocks anew: read the difference.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::driver::Client;
use crate::installed::{all, comm_node};
use crate::script::{Script, Turn, Usage};
use crate::support::node::Node;
use crate::terminal::Terminal;

mod page;

use page::Page;

const SOON: Duration = Duration::from_secs(90);
const ITEMS: &str = "export const items = () => [{ name: \"tea\", cents: 350 }];\n";
const LIST: &str = "<li>${item.name}</li>\n";
const PRICED: &str = "<li>${item.name} ${item.cents / 100} €</li>\n";

/// One domain's person: a client of its own, started in the domain's directory.
struct Seat {
    domain: &'static str,
    // Before the client, in whose home its socket is.
    terminal: Terminal,
    client: Client,
}

impl Seat {
    /// Starts the session; `None` where there is no client or no tmux.
    fn take(node: &Node, domain: &'static str) -> Option<Self> {
        let client = Client::guarded()?;
        let terminal = open(&client, node, domain)?;
        Some(Self { domain, terminal, client })
    }

    /// Types `line`, has the model take `turns`, and waits until it has said `last`.
    fn say(&self, line: &str, turns: impl IntoIterator<Item = Turn>, last: &str) {
        let turns = turns.into_iter().chain([Turn::text(last).usage(self.figures())]);
        self.client.server.script(Script::new(turns));
        self.terminal.say(line);
        self.terminal.wait_for(last, SOON);
    }

    /// What a response of this domain's model claims to have used.
    fn figures(&self) -> Usage {
        let n = match self.domain {
            "api" => 1,
            "docs" => 2,
            _ => 3,
        };
        Usage { cache_read: 1_000 * n, ..Usage::new(100 * n, 10 * n) }
    }

    fn bash(&self, command: &str) -> Turn {
        Turn::bash(command).usage(self.figures())
    }

    /// The last thing that the model got to read from a tool.
    fn result(&self) -> String {
        let all = self.client.server.requests_main();
        all.last().and_then(|request| request.tool_results().pop()).unwrap_or_default()
    }

    /// The text that the model was given of which `needle` is a part.
    fn told(&self, needle: &str) -> String {
        let last = self.client.server.requests_main().pop();
        let text = last.and_then(|request| text_with(&request.body["messages"], needle));
        text.unwrap_or_else(|| panic!("{} was not told {needle}", self.domain))
    }

    /// How often `needle` stands in the last request: in all that the session knows.
    fn knows(&self, needle: &str) -> usize {
        self.client.server.requests_main().last().map_or(0, |request| request.count(needle))
    }
}

/// The first text in `value` that has `needle` in it.
fn text_with(value: &Value, needle: &str) -> Option<String> {
    match value {
        Value::String(text) => text.contains(needle).then(|| text.clone()),
        Value::Array(items) => items.iter().find_map(|item| text_with(item, needle)),
        Value::Object(fields) => fields.values().find_map(|item| text_with(item, needle)),
        _ => None,
    }
}

/// What a person sees of `comm-node args`, which has to succeed.
fn shown(node: &Node, args: &[&str]) -> String {
    let output = comm_node(node.root(), &node.path(".claude"), node.root(), args);
    assert!(output.status.success(), "comm-node {args:?}: {}", all(&output));
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// The same as JSON.
fn listed(node: &Node, args: &[&str]) -> Vec<Value> {
    let text = shown(node, &[args, &["--json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("comm-node {args:?}: {e}: {text}"))
}

/// A session of `domain`, which asks for no permission to edit.
fn open(client: &Client, node: &Node, domain: &str) -> Option<Terminal> {
    let args = ["--permission-mode", "acceptEdits"];
    let terminal = client.interactive_with(node.root(), &[("COMM_NODE_DOMAIN", domain)], &args)?;
    terminal.wait_for("❯", SOON);
    Some(terminal)
}

#[test]
fn a_new_users_walk() {
    let node = Node::builder()
        .file("api/items.js", ITEMS)
        .file("web/list.html", LIST)
        .file("docs/guide.md", "# Shop\n")
        .build();
    let mut page = Page::new(node.root());

    page.print("init", &shown(&node, &["init", "--yes", "--name", "shop"]));
    let generated = shown(&node, &["generate"]);
    page.print("generate", generated.lines().last().unwrap_or_default());

    let Some(api) = Seat::take(&node, "api") else { return };
    let Some(docs) = Seat::take(&node, "docs") else { return };
    let Some(web) = Seat::take(&node, "web") else { return };
    start_together(&node, &mut page, [&api, &docs, &web]);
    ask_and_answer(&node, &mut page, &web, &api);
    refuse(&node, &mut page, &web);
    let web = hand_over(&node, &mut page, web);
    spent(&node, &mut page, [&api, &docs, &web]);
    guard_off(&node, &web);
    for who in ["human", "web", "api"] {
        for message in listed(&node, &["sent", "--domain", who]) {
            page.id(message["id"].as_str().unwrap_or_default());
        }
    }
    page.hold();
}

/// `/kickoff` in each session, one after the other; the last one makes the roll complete.
fn start_together(node: &Node, page: &mut Page, seats: [&Seat; 3]) {
    let begin = Instant::now();
    // Or those that are not on record yet are named as missing.
    while listed(node, &["sessions"]).len() < seats.len() {
        assert!(begin.elapsed() < SOON, "not all are there");
        std::thread::sleep(Duration::from_millis(20));
    }
    let said = std::thread::scope(|scope| {
        let call =
            ["kickoff", "--goal", "Show the price of every item", "--only", "api,docs,web", "--wait", "90s"];
        let called = scope.spawn(move || shown(node, &call));
        let begin = Instant::now();
        while !node.path(".comm-node/kickoff.json").exists() {
            assert!(begin.elapsed() < SOON, "there is no kickoff");
            std::thread::sleep(Duration::from_millis(20));
        }
        for seat in seats {
            let command = format!("comm-node kickoff {}", seat.domain);
            seat.say(&format!("/kickoff {}", seat.domain), [seat.bash(&command)], "I am ready.");
            assert_eq!(
                seat.knows("> Goal: Show the price of every item"),
                2,
                "the brief says it, and the command"
            );
        }
        called.join().expect("ends")
    });
    page.print("kickoff", &said);
    page.print("ready", &seats[0].result());
    assert!(seats[2].result().contains("START: Show the price of every item"), "{}", seats[2].result());
    // Control: who came first was not told to begin, and knows it with the next prompt.
    assert_eq!(seats[0].knows("START: Show the price"), 0);
}

/// A question of one session, the answer of another, each delivered with the next prompt.
fn ask_and_answer(node: &Node, page: &mut Page, web: &Seat, api: &Seat) {
    let ask = "comm-node send api 'Is the price of an item in cents?' --type question --blocks";
    web.say("Show the prices on the page", [web.bash(ask)], "I asked api.");
    page.print("asked", &web.result());
    let inbox = listed(node, &["inbox", "--domain", "api"]);
    let question = inbox.iter().find(|message| message["type"] == "question");
    let id = question.and_then(|m| m["id"].as_str()).unwrap_or_else(|| panic!("no question: {inbox:?}"));
    let answer = format!("comm-node reply {} 'Yes: cents, an integer.'", &id[20..]);
    api.say("Go on", [api.bash(&answer)], "I answered web.");
    assert_eq!(api.knows("START: Show the price"), 1);
    page.print("question", &api.told("> Is the price of an item in cents?"));
    page.print("answered", &api.result());
    assert_eq!(web.knows("cents, an integer"), 0, "control: not told before its next prompt");
}

/// The session of web edits its own page, and is refused api's file.
fn refuse(node: &Node, page: &mut Page, web: &Seat) {
    let (own, foreign) = (node.text("web/list.html"), node.text("api/items.js"));
    let edits = [
        Turn::read(&own),
        Turn::edit(&own, LIST, PRICED),
        Turn::read(&foreign),
        Turn::edit(&foreign, "cents", "price"),
    ];
    let edits = edits.map(|turn| turn.usage(web.figures()));
    web.say("Go on", edits, "I left that file to api.");
    assert_eq!(web.knows("cents, an integer"), 1);
    assert_eq!(node.read("web/list.html").as_deref(), Some(PRICED));
    assert_eq!(node.read("api/items.js").as_deref(), Some(ITEMS), "refused");
    assert!(web.terminal.screen().contains("comm-node refused"), "{}", web.terminal.screen());
    page.print("refused", &web.result());
}

/// The session of web hands its task over and ends; a fresh one takes it and ends it.
fn hand_over(node: &Node, page: &mut Page, web: Seat) -> Seat {
    let write = "comm-node handoff write 'price-list' --status 'Each item shows its price.' \
                 --next 'say it on the page when an item has no price' --question 'Which currencies are there?'";
    web.say("/handoff price-list", [web.bash(write)], "It is written down.");
    page.print("handed", &web.result());
    page.print("handoff", &node.read(".comm-node/handoffs/web/price-list.md").unwrap_or_default());
    web.terminal.say("/exit");
    web.terminal.wait_for_end(SOON);
    assert_eq!(web.knows("📋 Open handoff"), 0, "control: it was told of none");

    let Seat { domain, client, terminal } = web;
    drop(terminal);
    let before = client.server.requests_main().len();
    let terminal = open(&client, node, domain).unwrap_or_else(|| panic!("there was a terminal before"));
    let web = Seat { domain, client, terminal };
    let own = node.text("web/list.html");
    let turns = [
        web.bash("comm-node handoff accept price-list"),
        Turn::read(&own).usage(web.figures()),
        Turn::edit(&own, "€", "EUR").usage(web.figures()),
        web.bash("comm-node handoff check price-list 1"),
        web.bash("comm-node handoff done price-list"),
        web.bash("comm-node kickoff --done"),
    ];
    web.say("Go on with what is open", turns, "It is done.");
    assert!(web.result().contains("web is done; not yet: api, docs"), "{}", web.result());
    let first = &web.client.server.main(before);
    assert_eq!(first.count("📋 Open handoff: .comm-node/handoffs/web/price-list.md"), 1);
    assert_eq!(first.count("Is the price of an item in cents?"), 0, "a fresh session, not the old one");
    let taken = web.client.server.main(before + 1);
    for field in [
        "> task: price-list",
        "> from: web",
        "> Each item shows its price.",
        "> - [ ] say it on the page when an item has no price",
        "> - Which currencies are there?",
        "> - web/list.html",
    ] {
        assert!(taken.count(field) >= 1, "{field}: {:?}", taken.tool_results());
    }
    let accepted = taken.tool_results().pop().unwrap_or_default();
    page.print("accepted", &accepted.lines().take(3).collect::<Vec<_>>().join("\n"));
    assert!(node.read("web/list.html").is_some_and(|text| text.contains("EUR")));
    let done = fs::read_dir(node.path(".comm-node/handoffs/web/done"));
    assert_eq!(done.map(Iterator::count).unwrap_or_default(), 1, "{}", web.result());
    web
}

/// What was spent is what was served.
fn spent(node: &Node, page: &mut Page, seats: [&Seat; 3]) {
    let served: Vec<[u64; 3]> = seats.map(|seat| figures(seat.client.server.served_usage())).into();
    let counted = || -> Vec<[u64; 3]> {
        let rows = listed(node, &["usage"]);
        let of = |seat: &Seat| {
            let row = rows.iter().find(|row| row["domain"] == seat.domain);
            ["input_tokens", "output_tokens", "cache_read_tokens"]
                .map(|field| row.and_then(|row| row[field].as_u64()).unwrap_or_default())
        };
        seats.map(of).into()
    };
    // The client shows its last response before it has put it into the transcript.
    let begin = Instant::now();
    while counted() != served && begin.elapsed() < SOON {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(counted(), served);
    assert!(served.iter().flatten().all(|n| *n > 0), "{served:?}");
    page.print("usage", &shown(node, &["usage"]));
}

fn figures(usage: Usage) -> [u64; 3] {
    [usage.input, usage.output, usage.cache_read]
}

/// Control: with the guard off the edit that was refused happens.
fn guard_off(node: &Node, web: &Seat) {
    let yaml = node.read("comm-node.yaml").unwrap_or_default();
    let scope = "    scope: [\"web/**\"]\n";
    let off = yaml.replace(scope, &format!("{scope}    mode: off\n"));
    assert_ne!(yaml, off);
    node.write("comm-node.yaml", &off);
    let foreign = node.text("api/items.js");
    let turns = [Turn::read(&foreign), Turn::edit(&foreign, "cents", "price")];
    web.say("Rename it", turns, "I renamed it.");
    assert!(node.read("api/items.js").is_some_and(|text| text.contains("price")));
}
