//! The commands that work on the whole project or on all that was spent: `init`, `generate`, `usage`, by size.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::case::{Case, Says};
use super::growth::grow;
use super::measure::{measure, run_once};
use super::report::Report;
use super::scene;

const PROGRAM: &str = "comm-node";
/// Pairs per case: each takes as long as tens of hooks.
const PAIRS: usize = 10;
/// Passes over a whole transcript, and of `generate` over a whole project, whose files are each flushed.
const PASSES: usize = 3;

/// `init` and `generate` in a project of 5 parts and of 100.
pub(crate) fn cases(bin: &Path, top: &Path) -> Vec<Case> {
    [5, 100].into_iter().flat_map(|n| of_project(bin, top, n, &format!(", {n} parts"))).collect()
}

/// How `init` and `generate` grow with the parts of a project, and `usage` with what is to be read.
pub(crate) fn tables(bin: &Path, top: &Path, report: &mut Report) {
    grow(bin, report, "parts", &[25, 50, 100], |n| of_project(bin, top, n, ""));
    usage(bin, top, report);
}

fn of_project(bin: &Path, top: &Path, parts: usize, end: &str) -> Vec<Case> {
    // It puts the smaller ones of many together.
    let root = project(&top.join(format!("init{parts}")), parts);
    let fresh = root.clone();
    let init = by_person("init", end, &["init", "--yes"], &root)
        .says(Says::This(" domains from the Cargo workspace\nwrote "))
        .before(move |_| {
            let _ = fs::remove_file(fresh.join("comm-node.yaml"));
            let _ = fs::remove_dir_all(fresh.join(".comm-node"));
        });
    // A project of its own, with a domain for each part, compiled already.
    let root = project(&top.join(format!("generate{parts}")), parts);
    let domain = |i| format!("  part{i}: {{ scope: [\"crates/part{i}/**\"] }}\n");
    let yaml: String = (0..parts).map(domain).collect();
    fs::write(root.join("comm-node.yaml"), format!("version: 1\ndomains:\n{yaml}")).unwrap();
    let compile = by_person("compile", "", &["compile"], &root).says(Says::This("compiled"));
    super::case::check(&compile, &run_once(&bin.join(PROGRAM), &compile, 0));
    let bare = root.clone();
    let first = by_person("generate", &format!(", first{end}"), &["generate"], &root)
        .says(Says::This(" files changed, 0 were as they should be"))
        .before(move |_| ungenerate(&bare, parts));
    let first = Case { pairs: Some(PASSES), ..first };
    // The case before leaves everything generated.
    let again = by_person("generate", &format!(", again{end}"), &["generate"], &root)
        .says(Says::This(" files are as they should be"));
    vec![init, first, again]
}

/// A Cargo workspace with that many packages.
fn project(root: &Path, parts: usize) -> PathBuf {
    fs::create_dir_all(root.join(".git")).unwrap();
    fs::write(root.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::write(root.join("Cargo.toml"), "[workspace]\nmembers = [\"crates/*\"]\n").unwrap();
    for i in 0..parts {
        let dir = root.join(format!("crates/part{i}"));
        fs::create_dir_all(dir.join("src")).unwrap();
        let text = format!("[package]\nname = \"part{i}\"\ndescription = \"Part {i} of the system\"\n");
        fs::write(dir.join("Cargo.toml"), text).unwrap();
        fs::write(dir.join("src/lib.rs"), "").unwrap();
    }
    root.to_path_buf()
}

/// Takes out what `generate` wrote.
fn ungenerate(root: &Path, parts: usize) {
    let parts = (0..parts).map(|i| root.join(format!("crates/part{i}")));
    for dir in parts.chain([root.to_path_buf()]) {
        let _ = fs::remove_file(dir.join("CLAUDE.md"));
        let _ = fs::remove_dir_all(dir.join(".claude"));
    }
}

fn by_person(name: &str, end: &str, args: &[&str], root: &Path) -> Case {
    Case {
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        person: true,
        pairs: Some(PAIRS),
        ..Case::new(format!("`comm-node {name}`{end}"), PROGRAM, root, String::new())
    }
}

/// The first pass over a transcript, and one after 10 kB more.
fn usage(bin: &Path, top: &Path, report: &mut Report) {
    let names = [
        "transcript, MB",
        "usage, first pass, ms",
        "MB/s",
        "usage, 10 kB new, ratio",
        "µs",
        "usage, nothing new, ratio",
        "µs",
    ];
    report.table("", &names);
    for megabytes in [50, 100, 200] {
        let root = scene::node(&top.join(format!("usage{megabytes}")), 20);
        let dir = root.with_extension("transcripts");
        fs::create_dir_all(&dir).unwrap();
        let transcript = dir.join(format!("{}.jsonl", scene::SESSION));
        let mut there = scene::transcript(&transcript, megabytes << 20);
        let booked =
            |root: &Path| scene::store(root).ledger().spent("domain0").unwrap().total.usage.responses;
        let ledger = root.join(".comm-node/ledger");
        let place = transcript.display().to_string();
        let first =
            Case { pairs: Some(PASSES), ..by_person("usage", "", &["usage", "--import", &place], &root) }
                .says(Says::This("domain0"))
                .before(move |_| drop(fs::remove_dir_all(&ledger)));
        let got = measure(bin, &first, PASSES);
        assert_eq!(booked(&root), there, "the first pass read all of it");
        let usage = || by_person("usage", "", &["usage"], &root).says(Says::This("domain0"));
        // How often something was added, and how many responses that made.
        let added = Rc::new(Cell::new((0, 0)));
        let (more, sum) = (transcript.clone(), Rc::clone(&added));
        let grows = move |_| {
            let (turn, responses) = sum.get();
            sum.set((turn + 1, responses + scene::append(&more, 10_000, turn + 1)));
        };
        let on = measure(bin, &usage().before(grows), PAIRS);
        there += added.get().1;
        assert_eq!(booked(&root), there, "each pass read what was new");
        let idle = measure(bin, &usage(), PAIRS);
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let speed = megabytes as f64 / (got.median / 1e6);
        report.line(format!(
            "| {megabytes} | {:.0} | {speed:.0} | {:.2} | {:.0} | {:.2} | {:.0} |",
            got.median / 1e3,
            on.ratio,
            on.median,
            idle.ratio,
            idle.median
        ));
    }
}
