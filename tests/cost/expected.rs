//! What is expected of each case: one line `case: value`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// So many per cent more or less are no change.
const TOLERANCE: u64 = 3;
/// What the line begins with that names the compiler.
const COMPILER: &str = "# counted with ";

/// A file of what is expected.
pub(crate) struct Expected {
    path: PathBuf,
    compiler: Option<String>,
    values: BTreeMap<String, String>,
    seen: BTreeMap<String, String>,
    update: bool,
}

impl Expected {
    pub(crate) fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cost").join(name);
        let update = std::env::var_os("UPDATE_GOLDEN").is_some();
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let compiler = text.lines().find_map(|line| line.strip_prefix(COMPILER)).map(str::to_owned);
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let values = lines.filter_map(|line| line.split_once(": "));
        let values = values.map(|(case, value)| (case.to_owned(), value.to_owned())).collect();
        Self { path, compiler, values, seen: BTreeMap::new(), update }
    }

    /// Another compiler makes other programs.
    pub(crate) fn is_of_another_compiler(&self) -> Option<String> {
        let theirs = self.compiler.as_deref().filter(|_| !self.update)?;
        let ours = compiler();
        (theirs != ours).then(|| format!("it was counted with {theirs}, and this is {ours}"))
    }

    /// What is wrong with a value that has to be the same.
    pub(crate) fn compare(&mut self, case: &str, value: &str) -> Option<String> {
        self.seen.insert(case.to_owned(), value.to_owned());
        match self.values.get(case) {
            Some(expected) if expected == value => None,
            Some(expected) => Some(format!("{case}\n  expected: {expected}\n  is:       {value}")),
            None => Some(format!("{case}\n  is new:   {value}")),
        }
    }

    /// What is wrong with a count.
    pub(crate) fn compare_count(&mut self, case: &str, count: u64) -> Option<String> {
        let known: Option<u64> = self.values.get(case).and_then(|value| value.parse().ok());
        match known {
            Some(known) if known.abs_diff(count) * 100 <= known * TOLERANCE => {
                self.seen.insert(case.to_owned(), known.to_string());
                None
            }
            _ => self.compare(case, &count.to_string()),
        }
    }

    /// Fails if anything was wrong, or writes down what is.
    pub(crate) fn finish(&self, wrong: &[String]) {
        if self.update {
            let mut text =
                String::from("# Written by `UPDATE_GOLDEN=1 cargo test --test cost`; read the difference.\n");
            if self.path.ends_with("instructions.txt") {
                text.push_str(&format!(
                    "# {TOLERANCE} % more or less are no change.\n{COMPILER}{}\n",
                    compiler()
                ));
            }
            for (case, value) in &self.seen {
                text.push_str(&format!("{case}: {value}\n"));
            }
            return std::fs::write(&self.path, text).unwrap();
        }
        let gone = self.values.keys().filter(|case| !self.seen.contains_key(*case));
        let gone: Vec<String> = gone.map(|case| format!("{case}\n  is gone")).collect();
        let all: Vec<&String> = wrong.iter().chain(&gone).collect();
        let text = all.iter().map(|one| one.as_str()).collect::<Vec<_>>().join("\n");
        assert!(
            all.is_empty(),
            "in {}:\n{text}\nIf that is as it should be: UPDATE_GOLDEN=1 cargo test --test cost",
            self.path.display()
        );
    }
}

/// The compiler that is on PATH, and so made the programs.
fn compiler() -> String {
    let said = Command::new("rustc").arg("--version").output().unwrap();
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}
