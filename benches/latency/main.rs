//! Whole hook processes, as the client starts them, each paired with `/bin/true` in the same run.
//!
//! Every figure is the ratio of two medians taken in turn in one loop, so that the machine's mood
//! falls on both alike. `just bench` builds the programs, measures, and writes the tables into
//! docs/PERFORMANCE.md; `cargo bench --bench latency` only prints them, `… -- WORD` only of cases whose name
//! has that word. `COMM_NODE_BENCH_BIN` names the programs' directory.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark reports and may stop"
)]

mod case;
mod commands;
mod growth;
mod measure;
mod report;
mod scene;

use std::path::Path;

use case::{AFTER, Case, DENY, GUARD, PROMPT, SHELL, START, Says, edit, prompt, shell, start, status_line};
use comm_node_core::text;
use measure::{bin_dir, installed, measure, quantile, run_once, time};
use report::Report;
use scene::{bash_call, call, node, write_call};

/// Pairs measured per case.
const PAIRS: usize = 300;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let words: Vec<&String> = args.iter().filter(|arg| !arg.starts_with("--")).collect();
    let top = tempfile::tempdir().unwrap();
    let top = top.path().canonicalize().unwrap();
    let bin = installed(&bin_dir(), &top);
    let mut report = Report::default();
    report.line(report::machine());
    report.line(format!(
        "{PAIRS} pairs per case; the ratio is that of the medians of the program and of `/bin/true`, started the \
         same way in turn in one loop."
    ));
    let nodes = Nodes::new(&top);
    for root in [&nodes.large, &nodes.metered] {
        scene::transcript(&root.with_extension("jsonl"), 200 << 20);
        growth::read_up(&bin, &case::metered("", root), 200);
    }
    let cases = if bin.join("comm-node").is_file() { commands::cases(&bin, &top) } else { Vec::new() };
    let all = [goals(&nodes), shells(&nodes), cases];
    let titles = ["Against the goals", "Shell commands, 5 domains", "Whole projects"];
    for (title, cases) in titles.iter().zip(&all) {
        let chosen = |case: &&Case| words.is_empty() || words.iter().any(|w| case.name.contains(w.as_str()));
        let cases: Vec<&Case> = cases.iter().filter(chosen).collect();
        if cases.is_empty() {
            continue;
        }
        let goal: &[&str] = if cases.iter().any(|case| case.goal > 0.0) { &["goal", ""] } else { &[] };
        report.table(title, &[&["case", "median µs", "/bin/true µs", "ratio", "p95 ratio"], goal].concat());
        for case in cases {
            if bin.join(case.program).is_file() {
                let got = measure(&bin, case, case.pairs.unwrap_or(PAIRS));
                report.case(case, &got);
            } else {
                report.line(format!("| {} | not built |", case.name));
            }
        }
    }
    if !words.is_empty() {
        return;
    }
    every_hook(&bin, &nodes, &mut report);
    at_once(&bin, &nodes, &mut report);
    growth::tables(&bin, &top, &mut report);
    sizes(&bin, &mut report);
    context(&bin, &nodes, &mut report);
    if args.iter().any(|arg| arg == "--write") {
        report.write(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/PERFORMANCE.md"));
    }
}

/// The nodes that cases are about.
struct Nodes {
    none: std::path::PathBuf,
    five: std::path::PathBuf,
    /// Of five domains too; what its commands leave behind, which nothing looks at afterwards, is not in the others' way.
    shells: std::path::PathBuf,
    twenty: std::path::PathBuf,
    hundred: std::path::PathBuf,
    thousand: std::path::PathBuf,
    many: std::path::PathBuf,
    waiting: std::path::PathBuf,
    archive: std::path::PathBuf,
    large: std::path::PathBuf,
    metered: std::path::PathBuf,
}

impl Nodes {
    fn new(top: &Path) -> Self {
        let none = top.join("no/node/in/this/place");
        std::fs::create_dir_all(&none).unwrap();
        let made = |name: &str, domains| node(&top.join(name), domains);
        let nodes = Self {
            none,
            metered: made("metered", 20),
            five: made("five", 5),
            shells: made("shells", 5),
            twenty: made("twenty", 20),
            hundred: made("hundred", 100),
            thousand: made("thousand", 20),
            many: made("many", 20),
            waiting: made("waiting", 20),
            archive: made("archive", 20),
            large: made("large", 100),
        };
        scene::leased_from(&nodes.thousand, 0, 1_000);
        scene::leased_from(&nodes.many, 0, 10_000);
        scene::waiting(&nodes.waiting, 10);
        scene::archive(&nodes.archive, 100_000);
        scene::leased_from(&nodes.large, 0, 10_000);
        scene::archive(&nodes.large, 100_000);
        scene::files(&nodes.large, 0, 50_000);
        nodes
    }
}

fn goals(nodes: &Nodes) -> Vec<Case> {
    let own = "d0/src/a/b.rs";
    let Nodes { five, hundred, thousand, many, .. } = nodes;
    let waiting = nodes.waiting.clone();
    let untold = move |_| scene::untold(&waiting);
    let send = Case {
        args: ["send", "domain1", "--type", "answer", "The contract is published."]
            .map(String::from)
            .to_vec(),
        says: Says::This(""),
        ..Case::new("`comm-node send`", "comm-node", five, String::new())
    };
    vec![
        prompt("UserPromptSubmit, no node", &nodes.none).goal(0.30),
        edit("PreToolUse, no node", &nodes.none, "a/b.rs").goal(0.30),
        edit("PreToolUse, 5 domains, allow", five, own).goal(0.40),
        edit("PreToolUse, 5 domains, deny", five, "d3/src/a/b.rs").says(DENY).goal(0.40),
        edit("PreToolUse, 100 domains, allow", hundred, own).goal(0.55),
        edit("PreToolUse, 100 domains, deny", hundred, "d97/src/a/b.rs").says(DENY).goal(0.55),
        edit("PreToolUse, 1,000 leases, held", thousand, own).goal(0.55),
        edit("PreToolUse, 10,000 leases, held", many, own).goal(0.80),
        edit("PreToolUse, 10,000 leases, another's", many, "d0/src/foreign7.rs").says(DENY).goal(0.80),
        edit("PreToolUse, 1,000 leases, a new one", thousand, "d0/src/new{n}.rs").goal(1.0),
        edit("PreToolUse, 10,000 leases, a new one", many, "d0/src/new{n}.rs").goal(1.0),
        Case::new("PostToolUse, 5 domains", AFTER, five, write_call("PostToolUse", five, own)).goal(0.60),
        prompt("UserPromptSubmit, 5 domains, empty inbox", five).goal(0.40),
        prompt("UserPromptSubmit, 20 domains, empty inbox, 100,000 archived", &nodes.archive).goal(0.40),
        prompt("UserPromptSubmit, 20 domains, 10 waiting messages", &nodes.waiting)
            .says(Says::This("additionalContext"))
            .before(untold.clone())
            .goal(1.0),
        start("SessionStart, 20 domains, 10 waiting messages", &nodes.waiting).before(untold).goal(1.0),
        case::metered("PostToolBatch, 10 kB new in a 200 MB transcript", &nodes.metered).goal(0.60),
        status_line("Status line, 5 domains", five).goal(0.60),
        status_line("Status line, 100 domains", hundred).goal(0.60),
        send.goal(2.0),
    ]
}

fn shells(nodes: &Nodes) -> Vec<Case> {
    let five = &nodes.shells;
    let mut cases: Vec<Case> = SHELL
        .iter()
        .map(|(name, text)| shell(&format!("PreToolUse, {name}"), five, text).goal(0.60))
        .collect();
    let after = bash_call("PostToolUse", five, "ls -la", "toolu_2");
    cases.push(Case::new("PostToolUse, `ls`", AFTER, five, after).goal(0.60));
    cases
}

/// Each hook in nodes of all sizes.
fn every_hook(bin: &Path, nodes: &Nodes, report: &mut Report) {
    report.table(
        "Every hook: ratio (and its p95), median µs",
        &[
            "hook",
            "no node",
            "5 domains",
            "100 domains, 10,000 leases, 100,000 archived messages, 200 MB transcript, 50,000 files",
        ],
    );
    let sizes =
        [case::hooks(&nodes.none, false), case::hooks(&nodes.five, true), case::hooks(&nodes.large, true)];
    let [none, small, large] = &sizes;
    for ((none, small), large) in none.iter().zip(small).zip(large) {
        let cells = [none, small, large].map(|case| {
            let got = measure(bin, case, PAIRS / 2);
            format!("{:.2} ({:.2}), {:.0} µs", got.ratio, got.p95, got.median)
        });
        report.line(format!("| {} | {} |", none.name, cells.join(" | ")));
    }
    for root in [&nodes.five, &nodes.large] {
        scene::bind(root);
    }
}

/// 64 hooks at once, each taking a lease of its own: how long the slowest wait.
fn at_once(bin: &Path, nodes: &Nodes, report: &mut Report) {
    const HOOKS: usize = 64;
    const ROUNDS: usize = 10;
    let mut times = Vec::with_capacity(HOOKS * ROUNDS);
    for round in 0..ROUNDS {
        let started: Vec<_> = (0..HOOKS)
            .map(|i| {
                let (program, root) = (bin.join(GUARD), nodes.many.clone());
                std::thread::spawn(move || {
                    let input = write_call("PreToolUse", &root, &format!("d0/src/at-once-{round}-{i}.rs"));
                    time(&program, &Case::new("at once", GUARD, &root, input), 0) / 1000.0
                })
            })
            .collect();
        times.extend(started.into_iter().map(|t| t.join().unwrap()));
    }
    report.table(
        "64 hooks at once, 10,000 leases, each a new one",
        &["runs", "median ms", "p99 ms", "max ms", "goal p99"],
    );
    let (median, p99, max) =
        (quantile(&mut times, 0.5), quantile(&mut times, 0.99), quantile(&mut times, 1.0));
    report.line(format!("| {} | {median:.1} | {p99:.1} | {max:.1} | 50 |", HOOKS * ROUNDS));
}

fn sizes(bin: &Path, report: &mut Report) {
    report.table("Size and memory", &["program", "bytes", "goal"]);
    let mut names: Vec<_> = bin.read_dir().unwrap().flatten().map(|e| (e.file_name(), e.path())).collect();
    names.sort();
    for (name, path) in names.iter().filter(|(name, _)| name != "comm-node") {
        let bytes = std::fs::metadata(path).unwrap().len();
        report.line(format!("| {} | {bytes} | 1048576 |", name.to_string_lossy()));
    }
}

fn context(bin: &Path, nodes: &Nodes, report: &mut Report) {
    report.table("Context", &["context", "characters", "estimated tokens", "goal"]);
    for (domains, root, goal) in [(5, &nodes.five, 250), (20, &nodes.twenty, 500), (100, &nodes.hundred, 500)]
    {
        let input = call("SessionStart", root, r#","source":"startup""#);
        let said = run_once(&bin.join(START), &Case::new("brief", START, root, input), 0);
        let value: serde_json::Value = serde_json::from_str(&said).expect("a brief");
        let brief = value["hookSpecificOutput"]["additionalContext"].as_str().unwrap();
        let tokens = text::estimate_tokens(brief);
        report.line(format!("| brief, {domains} domains | {} | {tokens} | {goal} |", brief.chars().count()));
    }
    let quiet = run_once(&bin.join(PROMPT), &prompt("quiet", &nodes.five), 0);
    report.line(format!("| quiet turn (UserPromptSubmit) | {0} | {0} | 0 |", quiet.len()));
}
