//! What happens when something doubles.

use std::path::Path;

use super::case::{Case, edit, prompt, shell};
use super::measure::measure;
use super::report::Report;
use super::scene;

/// Pairs per step.
const PAIRS: usize = 150;

/// Measures one case while something grows from step to step.
pub(crate) fn grow(
    bin: &Path,
    report: &mut Report,
    what: &str,
    steps: &[usize],
    mut at: impl FnMut(usize) -> Vec<Case>,
) {
    let mut names = vec![what.to_owned()];
    let mut rows = Vec::new();
    for step in steps {
        let mut row = vec![step.to_string()];
        for case in at(*step) {
            if rows.is_empty() {
                names.push(format!("{}, ratio", case.name));
                names.push("µs".to_owned());
            }
            let got = measure(bin, &case, case.pairs.unwrap_or(PAIRS));
            row.push(format!("{:.2}", got.ratio));
            row.push(format!("{:.0}", got.median));
        }
        rows.push(row);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    report.table("", &names);
    for row in rows {
        report.line(format!("| {} |", row.join(" | ")));
    }
}

pub(crate) fn tables(bin: &Path, top: &Path, report: &mut Report) {
    report.line("");
    report.line("### What doubles");
    let own = "d0/src/a/b.rs";
    grow(bin, report, "domains", &[25, 50, 100, 200], |n| {
        let root = scene::node(&top.join(format!("domains{n}")), n);
        vec![edit("PreToolUse", &root, own), prompt("UserPromptSubmit", &root)]
    });
    let root = scene::node(&top.join("growing"), 20);
    let mut there = 0;
    grow(bin, report, "leases", &[2_500, 5_000, 10_000, 20_000], |n| {
        scene::leased_from(&root, there, n);
        there = n;
        vec![edit("PreToolUse, held", &root, own), edit("PreToolUse, a new one", &root, "d0/src/new{n}.rs")]
    });
    let root = scene::node(&top.join("archiving"), 20);
    there = 0;
    grow(bin, report, "archived messages", &[25_000, 50_000, 100_000], |n| {
        scene::archive(&root, n - there);
        there = n;
        vec![prompt("UserPromptSubmit", &root), edit("PreToolUse", &root, own)]
    });
    grow(bin, report, "transcript, MB", &[50, 100, 200], |n| {
        let root = scene::node(&top.join(format!("reading{n}")), 20);
        scene::transcript(&root.with_extension("jsonl"), n << 20);
        let case = super::case::metered("PostToolBatch, 10 kB new", &root);
        read_up(bin, &case, n);
        vec![case, prompt("UserPromptSubmit", &root)]
    });
    let root = scene::node(&top.join("filling"), 20);
    there = 0;
    grow(bin, report, "files in the tree", &[12_500, 25_000, 50_000], |n| {
        scene::files(&root, there, n);
        there = n;
        vec![
            edit("PreToolUse", &root, own),
            shell("Bash, `prettier --write`", &root, "npx prettier --write d0/src/a"),
        ]
    });
    super::commands::tables(bin, top, report);
}

/// Lets a hook read on in its transcript until it is at the end: each reads 8 MB at most.
pub(crate) fn read_up(bin: &Path, case: &Case, megabytes: usize) {
    for n in 0..megabytes / 8 + 5 {
        super::measure::run_once(&bin.join(case.program), case, n);
    }
}
