//! A message as a person or an agent writes it: YAML frontmatter, read with places, and a body.

use std::ops::Range;

use comm_node_core::mail::{Draft, KINDS, Kind, PRIORITIES, Ulid, form};
use comm_node_core::text::one_line;

use crate::config::fault::{Issue, Source};
use crate::config::reader::Reader;
use crate::config::yaml::{self, Node, Value};

/// The keys that may stand there, those that comm-node gives itself last.
const KEYS: [&str; 14] = [
    "to",
    "type",
    "task",
    "priority",
    "thread",
    "reply_to",
    "blocks_progress",
    "token_budget",
    "artifacts",
    "expires",
    "detailed",
    "version",
    "from",
    "id",
];
/// What `token_budget` may be.
const MAX_BUDGET: u32 = 100_000;

/// As many faults of one message are told.
const MAX_TOLD: usize = 20;

/// A message that was written by hand.
#[derive(Debug)]
pub struct Written {
    /// What it says; its recipients are not looked up yet.
    pub said: Draft,
    /// Whom it says that it is from.
    pub from: Option<String>,
    /// Where its recipients stand.
    pub to_at: Range<usize>,
    /// The frontmatter, in which places are counted.
    pub source: Source,
}

/// A message that can't be sent as it is.
#[derive(Debug)]
pub struct Faulty {
    /// The text in which the faults are.
    pub source: Source,
    /// What is wrong.
    pub issues: Vec<Issue>,
    /// Whom it says that it is from, as far as that can be read.
    pub from: Option<String>,
}

impl Faulty {
    /// What is wrong, in one line: the first faults, and how many more there are.
    pub fn one_line(&self) -> String {
        let first = self.issues.iter().take(MAX_TOLD);
        let mut lines: Vec<String> = first.map(|issue| self.source.one_line(issue)).collect();
        let more = self.issues.len().saturating_sub(MAX_TOLD);
        if more > 0 {
            lines.push(format!("and {more} more faults"));
        }
        lines.join("; ")
    }
}

/// True if `text` begins with frontmatter.
pub fn has_frontmatter(text: &str) -> bool {
    text.strip_prefix('\u{feff}').unwrap_or(text).lines().next().is_some_and(|line| line.trim_end() == "---")
}

/// The message in `text`, which is called `name`. One whose recipients are `known` need not name any.
///
/// # Errors
/// What is wrong with it.
pub fn read(name: &str, text: &str, known: bool) -> Result<Written, Faulty> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let whole = |what: &str, help: &str| {
        let issues = vec![Issue::fault(0..first_line(text), what, help)];
        Faulty { source: Source::new(name, text), issues, from: from_line(text) }
    };
    if !has_frontmatter(text) {
        let help = "begin with ---, then `to:`, `type:` and what else is needed, then --- and the text";
        return Err(Faulty { from: None, ..whole("the message has no frontmatter", help) });
    }
    let Some(end) = closing(text) else {
        let help = "write a line with only --- between the fields and the text";
        return Err(whole("the frontmatter has no end", help));
    };
    // The first fence is YAML's own mark for the start of a document, so that lines count as in the file.
    let source = Source::new(name, &text[..end.start]);
    let mut issues = Vec::new();
    let Some(tree) = yaml::parse(&source, &mut issues) else {
        let from = from_line(&text[..end.start]);
        return Err(Faulty { source, issues, from });
    };
    let mut reader = Reader::new(&source);
    reader.issues = issues;
    let mut written = fields(&mut reader, &tree, known);
    let issues = std::mem::take(&mut reader.issues);
    if !issues.is_empty() {
        let from = written.from.or_else(|| from_line(&text[..end.start]));
        return Err(Faulty { source, issues, from });
    }
    written.said.body = form::tidy(&text[end.end..]).to_owned();
    Ok(Written { source, ..written })
}

/// The author that a line of a faulty frontmatter names.
fn from_line(text: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix("from:"))?;
    let name = value.trim().trim_matches(['"', '\'']);
    comm_node_core::mail::is_name(name).then(|| name.to_owned())
}

/// The bytes of the line that ends the frontmatter.
fn closing(text: &str) -> Option<Range<usize>> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let range = at..at + line.len();
        if at > 0 && line.trim_end() == "---" {
            return Some(range);
        }
        at = range.end;
    }
    None
}

fn first_line(text: &str) -> usize {
    text.find(['\r', '\n']).unwrap_or(text.len())
}

fn fields(reader: &mut Reader<'_>, tree: &Node, known: bool) -> Written {
    let fields = reader.fields(tree, "the frontmatter", &KEYS);
    let mut said = Draft { kind: Kind::Question, ..Draft::default() };
    let mut to_at = tree.at.clone();
    for (key, node) in KEYS.iter().filter_map(|key| Some((*key, fields.get(key)?))) {
        match key {
            "to" => {
                to_at = reader.pointed(node);
                said.to = to(reader, node);
            }
            "type" => said.kind = reader.choice(node, "`type`", &KINDS).unwrap_or(said.kind),
            "task" => said.task = reader.text(node, "`task`"),
            "priority" => {
                said.priority = reader.choice(node, "`priority`", &PRIORITIES).unwrap_or(said.priority);
            }
            "thread" => said.thread = id(reader, node, "`thread`"),
            "reply_to" => said.reply_to = id(reader, node, "`reply_to`"),
            "blocks_progress" => said.blocks_progress = truth(reader, node, "`blocks_progress`"),
            "detailed" => said.detailed = truth(reader, node, "`detailed`"),
            "token_budget" => said.token_budget = reader.count(node, "`token_budget`", MAX_BUDGET),
            "artifacts" => {
                let texts = reader.texts(node, "`artifacts`", "[backend/api.yaml]");
                said.artifacts = texts.into_iter().map(|(text, _)| text).collect();
            }
            "expires" => said.expires_s = reader.duration(node, "`expires`"),
            "version" => drop(reader.count(node, "`version`", 1)),
            "id" => reader.fault(node.at.clone(), "`id` is given by comm-node", "leave it out"),
            _ => {}
        }
    }
    if !known && fields.clean && fields.get("to").is_none() {
        reader.fault(
            0..3,
            "the message names no recipient",
            "add `to: [backend]`, with the name of a domain",
        );
    }
    if fields.clean && fields.get("type").is_none() {
        let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
        reader.fault(
            0..3,
            "the message has no type",
            format!("add `type:` with one of {}", names.join(", ")),
        );
    }
    let from = fields.get("from").and_then(|node| reader.text(node, "`from`"));
    Written { said, from, to_at, source: Source::default() }
}

/// One name or a list of them.
fn to(reader: &mut Reader<'_>, node: &Node) -> Vec<String> {
    match &node.value {
        Value::Text(name) if !name.trim().is_empty() => vec![name.clone()],
        _ => reader.texts(node, "`to`", "[backend]").into_iter().map(|(name, _)| name).collect(),
    }
}

fn id(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Ulid> {
    let raw = reader.text(node, what)?;
    let id = Ulid::parse(&raw.to_ascii_uppercase());
    if id.is_none() {
        let what = format!("{what} can't be `{}`", one_line(&raw, 40));
        reader.fault(
            node.at.clone(),
            what,
            "write a whole id of 26 characters, as `comm-node inbox --json` shows it",
        );
    }
    id
}

fn truth(reader: &mut Reader<'_>, node: &Node, what: &str) -> bool {
    reader.choice(node, what, &[("true", true), ("false", false)]).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        match read("note.md", text, false) {
            Ok(_) => Vec::new(),
            Err(faulty) => faulty.issues.iter().map(|issue| faulty.source.one_line(issue)).collect(),
        }
    }

    #[test]
    fn the_designs_example_is_read() {
        let text = "---\nfrom: frontend\nto: [backend]      # domain names\ntype: question\ntask: bd-102\npriority: high\n\
                    blocks_progress: true\ntoken_budget: 200\nartifacts: [backend/api-contract.yaml]\nexpires: 2h\n---\n\n\
                    What fields does User include?\n---\nNeed at least id.\n";
        let written = read("note.md", text, false).expect("valid");
        assert_eq!(written.from.as_deref(), Some("frontend"));
        let said = written.said;
        assert_eq!((said.to.as_slice(), said.kind), (&["backend".to_owned()][..], Kind::Question));
        assert!(said.blocks_progress && said.token_budget == Some(200) && said.expires_s == Some(7200));
        assert_eq!(said.body, "What fields does User include?\n---\nNeed at least id.");
        let crlf = read("note.md", &format!("\u{feff}{}", text.replace('\n', "\r\n")), false).expect("valid");
        assert_eq!(crlf.said.task.as_deref(), Some("bd-102"));
    }

    #[test]
    fn each_fault_has_its_place() {
        for (text, fault) in [
            ("hello", "note.md:1:1: the message has no frontmatter"),
            ("---\nto: [a]\n", "note.md:1:1: the frontmatter has no end"),
            ("---\nto: a\n---\nx", "note.md:1:1: the message has no type"),
            ("---\ntype: task\n---\nx", "note.md:1:1: the message names no recipient"),
            (
                "---\nto: a\ntype: qestion\n---\nx",
                "note.md:3:7: `type` can't be `qestion`; did you mean question?",
            ),
            ("---\nto: a\ntype: task\nprio: high\n---\nx", "note.md:4:1: unknown key `prio`"),
            ("---\nto: a\nto: b\ntype: task\n---\nx", "note.md:3:1: the key `to` stands here twice"),
            ("---\nto: *a\ntype: task\n---\nx", "note.md:2:5: `*a` begins with `*`"),
            ("---\nto: &a [b]\ntype: task\nartifacts: *a\n---\nx", "takes for an alias"),
            (
                "---\nto: a\ntype: task\nid: x\n---\nx",
                "note.md:4:5: `id` is given by comm-node; leave it out",
            ),
            ("---\nto: a\ntype: task\nthread: 01J\n---\nx", "note.md:4:9: `thread` can't be `01J`"),
            ("---\nto: a\ntype: task\ntask: 12\n---\nx", "put it in quotes: \"12\""),
            (
                "---\nto: a\ntype: task\nexpires: 2\n---\nx",
                "note.md:4:10: `expires` can't be `2`; add the unit",
            ),
            (
                "---\nto: a\ntype: task\nblocks_progress: maybe\n---\nx",
                "note.md:4:18: `blocks_progress` can't be `maybe`",
            ),
            (
                "---\nto: {a: [[[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]]}\ntype: task\n---\nx",
                "this nests deeper than",
            ),
            ("---\n- a\n---\nx", "the frontmatter is a list, not a mapping"),
            ("---\n---\nx", "the frontmatter is empty"),
        ] {
            let found = faults(text);
            assert!(found.iter().any(|f| f.contains(fault)), "{text:?}: {found:?}");
        }
    }

    /// Whoever reads what is wrong reads no more of it than of a message.
    #[test]
    fn of_many_faults_the_first_are_told() {
        let keys: String = (0..5_000).map(|i| format!("k{i}: 1\n")).collect();
        let text = format!("---\nto: a\ntype: task\n{keys}prioriti: low\n---\nx");
        let said = read("note.md", &text, false).expect_err("faulty").one_line();
        assert!(said.starts_with("note.md:4:1: unknown key `k0`"), "{said}");
        assert!(said.ends_with("; and 4981 more faults") && said.len() < 5_000, "{} bytes", said.len());
        let few = text.replace(&keys, "");
        let said = read("note.md", &few, false).expect_err("faulty").one_line();
        assert_eq!(said, "note.md:4:1: unknown key `prioriti` in the frontmatter; did you mean `priority`?");
    }

    #[test]
    fn what_comm_node_writes_is_yaml() {
        use comm_node_core::mail::{Message, Priority};
        let said = Draft {
            to: vec!["*".into(), "a-1".into(), "no".into()],
            kind: Kind::Blocked,
            task: Some("102".into()),
            priority: Priority::Low,
            blocks_progress: true,
            token_budget: Some(7),
            artifacts: vec!["é/x y: \"#'".into(), "null".into()],
            expires_s: Some(5400),
            body: "x".into(),
            ..Draft::default()
        };
        let id = Ulid::fresh(1_700_000_000_000, None);
        let file = form::write(&Message { id, from: "web".into(), said: said.clone() });
        let ours = file.replacen(&format!("id: {id}\n"), "", 1);
        assert_eq!(read("x.md", &ours, false).expect("valid YAML").said, said);
    }
}
