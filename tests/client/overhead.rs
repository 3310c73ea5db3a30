//! What a tool call costs more with hooks, in the real client: without any, with `/bin/true` in each one's place, and with comm-node.
//!
//! `just bench-client` measures, and writes the table in docs/PERFORMANCE.md; the tests run two calls of each, to see that the
//! three are what they say.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::driver::Client;
use crate::installed::{all, comm_node, in_settings};
use crate::script::{Asker, Script, Turn};
use crate::support::node::Node;

/// Calls of each tool in one run, and how often each of the three is run.
const CALLS: usize = 25;
const ROUNDS: usize = 5;
/// The first calls of a session load what later ones find there.
const WARM: usize = 3;
const TOOLS: [&str; 3] = ["Write", "Bash", "Read"];
const BEGIN: &str = "<!-- written by `just bench-client`: begin -->";
const END: &str = "<!-- written by `just bench-client`: end -->";

/// What stands in the place of the hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hooks {
    None,
    True,
    CommNode,
}

const ALL: [Hooks; 3] = [Hooks::None, Hooks::True, Hooks::CommNode];

/// The settings that the installer wrote, with these hooks instead.
fn with(hooks: Hooks, settings: &str) -> String {
    let mut settings: Value = serde_json::from_str(settings).expect("it is JSON");
    match hooks {
        Hooks::CommNode => {}
        Hooks::None => settings["hooks"] = Value::Object(serde_json::Map::new()),
        Hooks::True => {
            let events = settings["hooks"].as_object_mut().expect("events").values_mut();
            let entries = events.filter_map(Value::as_array_mut).flatten();
            let hooks = entries.filter_map(|entry| entry["hooks"].as_array_mut()).flatten();
            hooks.for_each(|hook| hook["command"] = "/bin/true".into());
        }
    }
    settings.to_string()
}

/// Runs one session of `count` calls of each tool, in turn. Of each call: the tool, and the milliseconds from one request
/// of the model to the next.
fn session(hooks: Hooks, settings: &str, count: usize) -> Option<(Node, Vec<(&'static str, f64)>)> {
    let node = Node::shop();
    let turns = (0..count).flat_map(|i| {
        [
            Turn::write(node.text(&format!("services/api/new-{i}.rs")), "fn new() {}\n"),
            Turn::bash("true"),
            Turn::read(node.text("services/api/main.rs")),
        ]
    });
    let client = Client::start(Script::new(turns))?;
    fs::write(client.config().join("settings.json"), with(hooks, settings)).expect("writes the settings");
    client.headless(node.root(), "go").env("COMM_NODE_DOMAIN", "backend").run().assert_success();
    let requests = client.server.requests();
    let main: Vec<_> = requests.iter().filter(|r| r.asker == Asker::Main).collect();
    assert_eq!(main.len(), 3 * count + 1, "a call was not made");
    assert!(node.path(&format!("services/api/new-{}.rs", count - 1)).exists(), "nothing was written");
    // Each is what it says it is.
    assert_eq!(node.ended_sessions().len(), usize::from(hooks == Hooks::CommNode), "{hooks:?}");
    let gap = |pair: &[&crate::server::Request]| (pair[1].at - pair[0].at).as_secs_f64() * 1e3;
    Some((node, TOOLS.into_iter().cycle().zip(main.windows(2).map(gap)).collect()))
}

#[test]
fn each_of_the_three_is_what_it_says() {
    for hooks in ALL {
        if session(hooks, &in_settings().settings(), 1).is_none() {
            return;
        }
    }
}

fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let at = (last as f64 * q).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

/// An installation of the programs in `COMM_NODE_BENCH_BIN`, in `home`.
fn released(home: &Path) -> String {
    let from = PathBuf::from(std::env::var_os("COMM_NODE_BENCH_BIN").expect("COMM_NODE_BENCH_BIN is set"));
    let from = from.canonicalize().expect("COMM_NODE_BENCH_BIN is a directory");
    let claude = home.join(".claude");
    fs::create_dir_all(&claude).expect("makes");
    let from = from.to_str().expect("UTF-8");
    let output = comm_node(home, &claude, home, &["install", "--no-link", "--from", from]);
    assert!(output.status.success(), "{}", all(&output));
    fs::read_to_string(claude.join("settings.json")).expect("the installer wrote settings.json")
}

#[test]
#[ignore = "it measures; run it with `just bench-client`"]
#[expect(clippy::print_stdout, reason = "a benchmark reports")]
fn overhead_per_tool_call() {
    let home = tempfile::tempdir().expect("temp dir");
    let settings = released(home.path());
    // Per hooks and round: the tool and the time of each call.
    let mut rounds: Vec<[Vec<(&str, f64)>; 3]> = Vec::new();
    for round in 0..ROUNDS {
        let mut got = [const { Vec::new() }; 3];
        for i in 0..ALL.len() {
            // Nobody is always the first.
            let at = (i + round) % ALL.len();
            let (_, calls) = session(ALL[at], &settings, CALLS).expect("there is a client");
            got[at] = calls[WARM..].to_vec();
        }
        rounds.push(got);
    }
    let of = |tool: &str, hooks: usize, round: &[Vec<(&str, f64)>; 3]| -> Vec<f64> {
        round[hooks].iter().filter(|(t, _)| tool == "all" || *t == tool).map(|(_, ms)| *ms).collect()
    };
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let mut report = format!(
        "{} calls with each, {ROUNDS} sessions each in turn; {} cores, load {} at the end. Milliseconds from one request of the \
         model to the next: median (p95).\n\n| tool | no hooks | `/bin/true` | comm-node | `/bin/true` costs | comm-node costs | \
         the ratio of the two | of each round |\n|---|---|---|---|---|---|---|---|\n",
        rounds.iter().map(|r| r[0].len()).sum::<usize>(),
        std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        load.split(' ').next().unwrap_or("?"),
    );
    for tool in TOOLS.into_iter().chain(["all"]) {
        let pooled = [0, 1, 2].map(|h| rounds.iter().flat_map(|r| of(tool, h, r)).collect::<Vec<f64>>());
        let [none, base, ours] = [0, 1, 2].map(|h| quantile(&pooled[h], 0.5));
        let cells = [0, 1, 2]
            .map(|h| format!("{:.1} ({:.1})", quantile(&pooled[h], 0.5), quantile(&pooled[h], 0.95)));
        let each = |round: &[Vec<(&str, f64)>; 3]| {
            let [none, base, ours] = [0, 1, 2].map(|h| quantile(&of(tool, h, round), 0.5));
            format!("{:.2}", (ours - none) / (base - none))
        };
        report += &format!(
            "| {tool} | {} | {:.1} | {:.1} | {:.2} | {} |\n",
            cells.join(" | "),
            base - none,
            ours - none,
            (ours - none) / (base - none),
            rounds.iter().map(each).collect::<Vec<_>>().join(", "),
        );
    }
    println!("{report}");
    if std::env::var_os("COMM_NODE_BENCH_WRITE").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/PERFORMANCE.md");
        let page = fs::read_to_string(&path).expect("reads");
        let (before, rest) = page.split_once(BEGIN).expect("the page has the mark where the table begins");
        let (_, after) = rest.split_once(END).expect("the page has the mark where the table ends");
        fs::write(&path, format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", report.trim())).expect("writes");
    }
}
