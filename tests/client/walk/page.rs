//! `docs/tutorial.md`: each of its printed blocks is what was printed, but for ids, times and the place on the disk, with
//! long lines wrapped.

use std::fs;
use std::path::Path;

/// Characters in a line of the page.
const WIDTH: usize = 120;
/// Stand for the short ids of messages, in the order in which they are printed.
const IDS: [&str; 8] = ["4T7WQ2", "9KX3MB", "E5ZR8D", "H1VN6C", "J8PA4Y", "M3GS7F", "Q6BT2X", "V9DK5H"];

/// The blocks that were printed, in order.
pub(super) struct Page {
    root: String,
    blocks: Vec<(&'static str, String)>,
    ids: Vec<String>,
}

impl Page {
    /// A page on the node at `root`.
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.display().to_string(), blocks: Vec::new(), ids: Vec::new() }
    }

    /// Takes `text` for the block `name`.
    pub(super) fn print(&mut self, name: &'static str, text: &str) {
        self.blocks.push((name, text.to_owned()));
    }

    /// Tells a message's id, so that it can be replaced.
    pub(super) fn id(&mut self, id: &str) {
        self.ids.extend(id.get(20..).map(str::to_owned));
    }

    /// Compares the page with what was printed; with `UPDATE_GOLDEN=1` it is changed instead.
    pub(super) fn hold(&self) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tutorial.md");
        let page = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut fresh = page.clone();
        for (name, text) in self.masked() {
            let mark = format!("<!-- printed: {name} -->\n```text\n");
            let (before, rest) =
                fresh.split_once(&mark).unwrap_or_else(|| panic!("docs/tutorial.md has no block {name}"));
            let (_, after) = rest.split_once("```\n").unwrap_or_else(|| panic!("{name} does not end"));
            fresh = format!("{before}{mark}{text}```\n{after}");
        }
        assert_eq!(fresh.matches("<!-- printed: ").count(), self.blocks.len(), "a block that nobody prints");
        if std::env::var_os("UPDATE_GOLDEN").is_some_and(|v| v == "1") {
            fs::write(&path, fresh).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            return;
        }
        for (now, then) in fresh.lines().zip(page.lines()) {
            assert_eq!(now, then, "docs/tutorial.md differs; UPDATE_GOLDEN=1 writes it anew");
        }
        assert_eq!(fresh, page, "docs/tutorial.md differs; UPDATE_GOLDEN=1 writes it anew");
    }

    /// The blocks as the page has them.
    fn masked(&self) -> Vec<(&'static str, String)> {
        let mut met: Vec<&str> = Vec::new();
        let mut block = |text: &str| {
            let mut text = text.replace(&self.root, "/home/me/shop");
            let mut found: Vec<(usize, &str)> =
                self.ids.iter().filter_map(|id| Some((text.find(id.as_str())?, id.as_str()))).collect();
            found.sort_unstable();
            for (_, id) in found {
                let n = met.iter().position(|m| *m == id).unwrap_or_else(|| {
                    met.push(id);
                    met.len() - 1
                });
                text = text.replace(id, IDS[n]);
            }
            text.trim_end().lines().map(|line| wrap(&steady(line))).collect::<String>()
        };
        self.blocks.iter().map(|(name, text)| (*name, block(text))).collect()
    }
}

/// The line with other times, commits and sessions in place of those that are new in each run.
fn steady(line: &str) -> String {
    let Some((key, value)) = line.split_once(": ") else { return line.to_owned() };
    // Whether these are quoted depends on their first character.
    let value = match key.trim_start_matches("> ") {
        "session" => "9f1c2d3e-4b5a-4c6d-8e7f-0a1b2c3d4e5f",
        "written" => "\"2026-11-25T10:20:30.405Z\"",
        "head" => "c469d13b14b2fe524b7607fc7ea648929523d182",
        _ => value,
    };
    format!("{key}: {value}")
}

/// The line, broken between words where it is too long; what was quoted stays quoted.
fn wrap(line: &str) -> String {
    let quote = if line.starts_with("> ") { "> " } else { "" };
    let (mut out, mut width) = (String::new(), 0);
    for (i, word) in line.split(' ').enumerate() {
        let long = word.chars().count();
        if i > 0 && width + 1 + long > WIDTH {
            out.push('\n');
            out.push_str(quote);
            width = quote.len();
        } else if i > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += long;
    }
    out.push('\n');
    out
}
