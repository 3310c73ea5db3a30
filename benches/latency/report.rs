//! The tables: printed as they grow, and written into docs/PERFORMANCE.md between two marks.

use std::fmt::Write as _;
use std::path::Path;

use super::case::Case;
use super::measure::Measured;

const BEGIN: &str = "<!-- written by `just bench`: begin -->";
const END: &str = "<!-- written by `just bench`: end -->";

/// The report so far.
#[derive(Default)]
pub(crate) struct Report {
    text: String,
}

impl Report {
    pub(crate) fn line(&mut self, line: impl AsRef<str>) {
        println!("{}", line.as_ref());
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    /// Begins a table.
    pub(crate) fn table(&mut self, title: &str, columns: &[&str]) {
        self.line("");
        if !title.is_empty() {
            self.line(format!("### {title}"));
            self.line("");
        }
        self.line(format!("| {} |", columns.join(" | ")));
        self.line(format!("|{}", "---|".repeat(columns.len())));
    }

    /// The row of a case.
    pub(crate) fn case(&mut self, case: &Case, got: &Measured) {
        let Measured { median, base, ratio, p95 } = got;
        let end = match case.goal {
            0.0 => String::new(),
            goal => format!(" {goal:.2} | {} |", if *ratio <= goal { "met" } else { "missed" }),
        };
        self.line(format!("| {} | {median:.0} | {base:.0} | {ratio:.2} | {p95:.2} |{end}", case.name));
    }

    /// Puts the report into the page at `path`.
    pub(crate) fn write(&self, path: &Path) {
        let page = std::fs::read_to_string(path).unwrap();
        let (before, rest) = page.split_once(BEGIN).expect("the page has the mark where the report begins");
        let (_, after) = rest.split_once(END).expect("the page has the mark where the report ends");
        let mut out = String::new();
        write!(out, "{before}{BEGIN}\n\n{}\n{END}{after}", self.text.trim()).unwrap();
        std::fs::write(path, out).unwrap();
        println!("\nwritten into {}", path.display());
    }
}

/// The machine, as far as it can be told without naming it.
pub(crate) fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|l| l.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("processor unknown", |(_, name)| name.trim());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let kernel = read("/proc/sys/kernel/osrelease");
    let kernel = kernel.split('.').take(2).collect::<Vec<_>>().join(".");
    let memory = read("/proc/meminfo");
    let kib = memory.lines().find_map(|l| l.strip_prefix("MemTotal:")?.split_ascii_whitespace().next());
    let gib = kib.and_then(|k| k.parse::<u64>().ok()).map_or(0, |k| (k + (1 << 19)) >> 20);
    let virtual_machine = if info.contains(" hypervisor") { ", virtual" } else { "" };
    let load = read("/proc/loadavg");
    let load = load.split_ascii_whitespace().next().unwrap_or("?").to_owned();
    format!(
        "{model}, {cores} cores{virtual_machine}, {gib} GiB, {} {kernel}, temporary directory on {}, load {load} at the start.",
        std::env::consts::OS,
        file_system(&std::env::temp_dir()),
    )
}

/// The kind of file system that `dir` is on.
fn file_system(dir: &Path) -> String {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let of_dir = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let (at, kind) = (words.next()?.to_owned(), words.next()?.to_owned());
        dir.starts_with(&at).then_some((at.len(), kind))
    };
    mounts.lines().filter_map(of_dir).max_by_key(|(len, _)| *len).map_or("?".into(), |(_, kind)| kind)
}
