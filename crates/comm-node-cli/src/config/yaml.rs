//! YAML as a tree with places. [`parse`] is the only function that knows the YAML library.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Error, MessageFormatter, Options, Spanned, UserMessageFormatter};

use super::fault::{Issue, Source, quoted};

/// How deep a file may nest; the deepest legal value lies at 5.
const MAX_DEPTH: usize = 16;
/// How many values a file may hold.
const MAX_NODES: usize = 100_000;

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    /// The bytes of a scalar as written, quotes included; for a list or map where it begins.
    pub(crate) at: Range<usize>,
}

impl Node {
    /// The value of `key`, if this is a map that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|(k, _)| matches!(&k.value, Value::Text(t) if t == key)).map(|(_, v)| v)
    }
}

/// What a [`Node`] holds.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Bool,
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// The tree of the text. A key that stands twice is an issue that still leaves a tree, in which
/// the first one counts; any other fault of the syntax leaves none.
pub(crate) fn parse(source: &Source, issues: &mut Vec<Issue>) -> Option<Node> {
    match serde_saphyr::from_str_with_options(source.text(), options(DuplicateKeyPolicy::Error)) {
        Ok(raw) => Some(node(source, raw)),
        Err(Error::DuplicateMappingKey { location, .. }) => {
            let at = byte_of(source, &location);
            let again =
                serde_saphyr::from_str_with_options(source.text(), options(DuplicateKeyPolicy::FirstWins));
            let tree: Option<Node> = again.ok().map(|raw| node(source, raw));
            issues.push(duplicate(source, at, tree.as_ref()));
            tree
        }
        Err(error) => {
            issues.push(explain(source, &error));
            None
        }
    }
}

fn options(duplicate_keys: DuplicateKeyPolicy) -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_aliases: 0,
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_documents: 1,
        },
        duplicate_keys: duplicate_keys,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        // `mode: off` is a word here, not a boolean.
        strict_booleans: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    }
}

enum Raw {
    Null,
    Bool,
    Number(f64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Bool)
    }

    #[expect(clippy::cast_precision_loss, reason = "a number of this size is out of range anywhere here")]
    fn visit_i64<E>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Number(number as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "a number of this size is out of range anywhere here")]
    fn visit_u64<E>(self, number: u64) -> Result<Raw, E> {
        Ok(Raw::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Raw, E> {
        Ok(Raw::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

fn node(source: &Source, raw: Spanned<Raw>) -> Node {
    let start = byte_of(source, &raw.referenced);
    let len = raw.referenced.span().byte_len().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    let end = (start + len).min(source.text().len());
    // A block scalar's bytes go on to the next line's indentation.
    let at = start..start + source.slice(&(start..end)).trim_end().len();
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool => Value::Bool,
        Raw::Number(number) => Value::Number(number),
        Raw::Text(text) => Value::Text(text),
        Raw::List(items) => Value::List(items.into_iter().map(|item| node(source, item)).collect()),
        Raw::Map(entries) => {
            Value::Map(entries.into_iter().map(|(k, v)| (node(source, k), node(source, v))).collect())
        }
    };
    Node { value, at }
}

fn byte_of(source: &Source, location: &serde_saphyr::Location) -> usize {
    location
        .span()
        .byte_offset()
        .and_then(|n| usize::try_from(n).ok())
        .filter(|n| source.text().is_char_boundary(*n))
        .unwrap_or_else(|| source.byte(location.line(), location.column()))
}

/// The issue of a key that stands at `byte` for the second time.
fn duplicate(source: &Source, byte: usize, tree: Option<&Node>) -> Issue {
    let at = word(source, byte);
    let key = source.slice(&at).trim_end_matches(':').to_owned();
    let at = at.start..at.start + key.len();
    let what = format!("the key {} stands here twice", quoted(&key));
    let first = tree.and_then(|tree| first_key(tree, key.trim_matches(['"', '\'']), byte));
    let help = match &first {
        Some(first) => format!("keep one of the two; the first is on line {}", source.line(first.start)),
        None => "keep one of the two".to_owned(),
    };
    let issue = Issue::fault(at, what, help);
    match first {
        Some(first) => issue.with(first, "the first one"),
        None => issue,
    }
}

/// The nearest key of that name before `byte`, which is the one that it repeats.
fn first_key(node: &Node, key: &str, byte: usize) -> Option<Range<usize>> {
    let mut best: Option<Range<usize>> = None;
    let mut todo = vec![node];
    while let Some(node) = todo.pop() {
        match &node.value {
            Value::List(items) => todo.extend(items),
            Value::Map(entries) => {
                for (k, v) in entries {
                    todo.push(v);
                    let same = matches!(&k.value, Value::Text(text) if text == key) && k.at.start < byte;
                    if same && best.as_ref().is_none_or(|b| b.start < k.at.start) {
                        best = Some(k.at.clone());
                    }
                }
            }
            _ => {}
        }
    }
    best
}

/// The word that begins at `byte`: up to white space or what ends an item in a flow list.
fn word(source: &Source, byte: usize) -> Range<usize> {
    let rest = source.text().get(byte..).unwrap_or_default();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
    let len = match quote.and_then(|q| rest[1..].find(q)) {
        Some(end) => end + 2,
        None => rest.find([' ', '\t', '\r', '\n', ',', ']', '}']).unwrap_or(rest.len()),
    };
    byte..byte + len
}

/// A fault of the syntax, in the words of someone who writes globs.
fn explain(source: &Source, error: &Error) -> Issue {
    let location = error.location().unwrap_or(serde_saphyr::Location::UNKNOWN);
    let byte = byte_of(source, &location);
    let line_start = source.text()[..byte].rfind('\n').map_or(0, |i| i + 1);
    let line = source.text()[line_start..].split('\n').next().unwrap_or_default();
    let at = word(source, byte);
    let here = source.slice(&at);
    match error {
        Error::UnknownAnchor { .. } | Error::Budget { breach: BudgetBreach::Aliases { .. }, .. } => {
            let what = format!("{} begins with `*`, which YAML takes for an alias", quoted(here));
            return Issue::fault(at.clone(), what, format!("put globs in quotes: {}", in_quotes(here)));
        }
        Error::Budget { breach: BudgetBreach::Documents { .. }, .. } => {
            return Issue::fault(at, "a second YAML document begins here", "keep everything in one document");
        }
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            let what = format!("this nests deeper than {MAX_DEPTH} levels");
            return Issue::fault(at, what, "no key needs that; check the brackets and the indentation");
        }
        Error::Budget { .. } => {
            return Issue::fault(
                at,
                "the file is too large to be read",
                "keep it to domains and their rules",
            );
        }
        _ => {}
    }
    let indent = line.len() - line.trim_start_matches([' ', '\t', '-']).len();
    if let Some(tab) = line[..indent].find('\t') {
        let at = line_start + tab..line_start + tab + 1;
        return Issue::fault(at, "a tab is used for indentation", "use spaces, YAML allows no tabs here");
    }
    let message = UserMessageFormatter.format_message(error).into_owned();
    if message.contains("tag")
        && let Some(bang) = source.text()[line_start..byte].rfind('!')
    {
        let start = source.text()[line_start..line_start + bang].trim_end_matches('!').len();
        let at = word(source, line_start + start);
        let tag = source.slice(&at).to_owned();
        if tag.starts_with("!!") {
            return Issue::fault(at, format!("the tag {} has no meaning here", quoted(&tag)), "remove it");
        }
        let what = format!("{} begins with `!`, which YAML takes for a tag", quoted(&tag));
        let help = format!(
            "patterns can't be negated with `!`: put {} under `exclude`",
            in_quotes(tag.trim_start_matches('!'))
        );
        return Issue::fault(at, what, help);
    }
    if here.starts_with(['@', '`', '%']) {
        let what = format!("{} begins with a character that YAML reserves", quoted(here));
        return Issue::fault(at.clone(), what, format!("put it in quotes: {}", in_quotes(here)));
    }
    if source.text()[line_start..byte].ends_with([']', '}']) && !here.is_empty() {
        let what = "text follows the closing bracket";
        return Issue::fault(at, what, "put a glob that begins with `[` or `{` in quotes: \"{src,lib}/**\"");
    }
    let what = format!("this is not valid YAML: {message}");
    Issue::fault(at, what, "check the indentation, quotes and brackets of this line and of those above it")
}

/// `raw` as a double-quoted YAML string, which is also how people are shown text to copy.
pub(crate) fn in_quotes(raw: &str) -> String {
    let mut out = String::from("\"");
    for c in raw.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            // The last two are no characters, and YAML takes them only escaped.
            c if comm_node_core::text::is_hidden(c) || matches!(c, '\u{FFFE}' | '\u{FFFF}') => {
                match u32::from(c) {
                    n @ 0..=0xFF => out.push_str(&format!("\\x{n:02X}")),
                    n @ 0x100..=0xFFFF => out.push_str(&format!("\\u{n:04X}")),
                    n => out.push_str(&format!("\\U{n:08X}")),
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
