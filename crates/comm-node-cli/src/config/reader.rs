//! Reading values out of the tree: each wrong one becomes an issue with its place and what would
//! be right, and reading goes on, so that one run shows everything.

use std::collections::HashSet;
use std::ops::Range;

use super::fault::{Issue, MAX_PICTURES, Source, quoted};
use super::yaml::{Node, Value, in_quotes};

/// Behind this many faults it is not guessed which key was meant.
const MAX_GUESSED: usize = MAX_PICTURES;

/// Reads the tree of one file and gathers what is wrong with it.
pub(crate) struct Reader<'s> {
    pub(crate) source: &'s Source,
    pub(crate) issues: Vec<Issue>,
}

/// The entries of a map with known keys.
pub(crate) struct Fields<'n> {
    /// False if it was no map or had keys that are not known, so that a missing key may be meant
    /// by one of these.
    pub(crate) clean: bool,
    entries: Vec<(&'n str, &'n Node)>,
}

impl<'n> Fields<'n> {
    /// The value of `key`, if it is there.
    pub(crate) fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(k, _)| *k == key).map(|(_, v)| *v)
    }
}

/// One entry of a map whose keys are names.
pub(crate) struct Entry<'n> {
    pub(crate) name: &'n str,
    pub(crate) at: Range<usize>,
    pub(crate) value: &'n Node,
}

/// Words that people bring along, and the key that is meant.
const SYNONYMS: [(&str, &str); 12] = [
    ("owns", "scope"),
    ("paths", "scope"),
    ("globs", "scope"),
    ("files", "scope"),
    ("include", "scope"),
    ("ignore", "exclude"),
    ("excludes", "exclude"),
    ("depends_on", "imports"),
    ("root", "path"),
    ("dir", "path"),
    ("ttl", "lease_ttl"),
    ("enforcement", "mode"),
];

impl<'s> Reader<'s> {
    pub(crate) fn new(source: &'s Source) -> Self {
        Self { source, issues: Vec::new() }
    }

    /// Adds a fault.
    pub(crate) fn fault(&mut self, at: Range<usize>, what: impl Into<String>, help: impl Into<String>) {
        self.issues.push(Issue::fault(at, what, help));
    }

    /// The place of a value, or of its key where the value itself has no text.
    pub(crate) fn at(&self, key: &Range<usize>, node: &Node) -> Range<usize> {
        match node.value {
            _ if node.at.is_empty() => key.clone(),
            Value::List(_) | Value::Map(_) => node.at.start..node.at.start + 1,
            _ => node.at.clone(),
        }
    }

    /// `node` as something that it is not.
    pub(crate) fn wrong(&mut self, node: &Node, what: &str, wanted: &str, help: impl Into<String>) {
        let found = match &node.value {
            Value::Null => {
                let at = self.pointed(node);
                self.fault(at, format!("{what} is empty, it must be {wanted}"), help);
                return;
            }
            Value::Bool => format!("the boolean {}", quoted(self.source.slice(&node.at))),
            Value::Number(_) => format!("the number {}", quoted(self.source.slice(&node.at))),
            Value::Text(_) => format!("the text {}", quoted(self.source.slice(&node.at))),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
        };
        let at = self.pointed(node);
        self.fault(at, format!("{what} is {found}, not {wanted}"), help);
    }

    /// The node's own place; for one without text the word before it, which is its key.
    pub(crate) fn pointed(&self, node: &Node) -> Range<usize> {
        if !node.at.is_empty() {
            return node.at.clone();
        }
        let is_container = matches!(node.value, Value::List(_) | Value::Map(_));
        if is_container && node.at.start < self.source.text().len() {
            let rest = &self.source.text()[node.at.start..];
            return node.at.start..node.at.start + rest.find(['\r', '\n']).unwrap_or(rest.len());
        }
        let before = self.source.text()[..node.at.start].trim_end().trim_end_matches(':');
        let start = before.rfind([' ', '\t', '\n', ',', '{', '[']).map_or(0, |i| i + 1);
        start..before.len()
    }

    /// The entries of a map whose keys are free; a wrong type or key is an issue.
    pub(crate) fn entries<'n>(&mut self, node: &'n Node, what: &str, help: &str) -> Vec<Entry<'n>> {
        let Value::Map(entries) = &node.value else {
            self.wrong(node, what, "a mapping", help);
            return Vec::new();
        };
        let mut out = Vec::new();
        for (key, value) in entries {
            match &key.value {
                Value::Text(name) => out.push(Entry { name, at: key.at.clone(), value }),
                _ => self.wrong(
                    key,
                    &format!("a key in {what}"),
                    "a name",
                    format!("put it in quotes: {}", in_quotes(self.source.slice(&key.at))),
                ),
            }
        }
        out
    }

    /// The entries of a map that may hold only `known` keys.
    pub(crate) fn fields<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Fields<'n> {
        let keys = known.join(", ");
        let help = format!("write it as `key: value` lines; the keys are {keys}");
        let mut out = Fields { clean: matches!(node.value, Value::Map(_)), entries: Vec::new() };
        for entry in self.entries(node, what, &help) {
            if known.contains(&entry.name) {
                out.entries.push((entry.name, entry.value));
                continue;
            }
            out.clean = false;
            // Of more faults than anybody is shown, none needs a guess.
            let near = (self.issues.len() < MAX_GUESSED).then(|| nearest_key(entry.name, known)).flatten();
            let help = match near {
                Some(key) => format!("did you mean `{key}`?"),
                None => format!("the keys here are {keys}"),
            };
            self.fault(entry.at, format!("unknown key {} in {what}", quoted(entry.name)), help);
        }
        out
    }

    /// A text that is not empty.
    pub(crate) fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        match &node.value {
            Value::Text(text) if !text.trim().is_empty() => Some(text.clone()),
            Value::Text(_) => {
                let at = self.pointed(node);
                self.fault(at, format!("{what} is empty"), "write a text, or remove the key");
                None
            }
            Value::Number(_) | Value::Bool => {
                let help = format!("put it in quotes: {}", in_quotes(self.source.slice(&node.at)));
                self.wrong(node, what, "a text", help);
                None
            }
            _ => {
                self.wrong(node, what, "a text", "write a text, or remove the key");
                None
            }
        }
    }

    /// The items of a list.
    pub(crate) fn list<'n>(&mut self, node: &'n Node, what: &str, example: &str) -> &'n [Node] {
        match &node.value {
            Value::List(items) => items,
            Value::Text(text) => {
                self.wrong(node, what, "a list", format!("write [{}]", in_quotes(text)));
                &[]
            }
            _ => {
                self.wrong(node, what, "a list", format!("write a list such as {example}"));
                &[]
            }
        }
    }

    /// The texts of a list, each with its place; one that stands twice is an issue.
    pub(crate) fn texts(&mut self, node: &Node, what: &str, example: &str) -> Vec<(String, Range<usize>)> {
        let mut out: Vec<(String, Range<usize>)> = Vec::new();
        let mut seen: HashSet<String> = HashSet::new();
        for item in self.list(node, what, example) {
            let Some(text) = self.item(item, what) else { continue };
            if seen.insert(text.clone()) {
                out.push((text, item.at.clone()));
            } else {
                let what = format!("{} stands twice in {what}", quoted(&text));
                self.fault(item.at.clone(), what, "remove one of the two");
            }
        }
        out
    }

    fn item(&mut self, item: &Node, what: &str) -> Option<String> {
        if matches!(item.value, Value::Map(_) | Value::List(_)) {
            let help = "write one text per item; a glob that begins with `{` or `[` needs quotes";
            self.wrong(item, &format!("an item of {what}"), "a text", help);
            return None;
        }
        // An empty pattern is answered by who knows what it means.
        if matches!(&item.value, Value::Text(text) if text.is_empty()) {
            return Some(String::new());
        }
        self.text(item, &format!("an item of {what}"))
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(&mut self, node: &Node, what: &str, words: &[(&str, T)]) -> Option<T> {
        let raw = match &node.value {
            Value::Text(text) => text.as_str(),
            _ => self.source.slice(&node.at),
        };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == raw) {
            return Some(*value);
        }
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let allowed = match names.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => names.join(", "),
        };
        if matches!(node.value, Value::List(_) | Value::Map(_) | Value::Null) {
            self.wrong(node, what, "one word", format!("write {allowed}"));
            return None;
        }
        let help = match nearest(raw, names.iter().copied()) {
            Some(word) => format!("did you mean {word}? It may be {allowed}"),
            None => format!("it may be {allowed}"),
        };
        self.fault(node.at.clone(), format!("{what} can't be {}", quoted(raw)), help);
        None
    }

    /// A whole number from 1 to `max`.
    pub(crate) fn count(&mut self, node: &Node, what: &str, max: u32) -> Option<u32> {
        match node.value {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to fit")]
            Value::Number(n) if n.fract() == 0.0 && n >= 1.0 && n <= f64::from(max) => Some(n as u32),
            Value::Number(_) => {
                let what = format!("{what} can't be {}", quoted(self.source.slice(&node.at)));
                self.fault(node.at.clone(), what, format!("write a whole number from 1 to {max}"));
                None
            }
            _ => {
                self.wrong(node, what, "a number", format!("write a whole number from 1 to {max}"));
                None
            }
        }
    }

    /// An amount of money, zero or more.
    pub(crate) fn amount(&mut self, node: &Node, what: &str) -> Option<f64> {
        match node.value {
            Value::Number(n) if n >= 0.0 => Some(n),
            Value::Number(_) => {
                let what = format!("{what} can't be {}", quoted(self.source.slice(&node.at)));
                self.fault(node.at.clone(), what, "write 0 or more");
                None
            }
            _ => {
                self.wrong(
                    node,
                    what,
                    "a number",
                    "write a number such as 20 or 2.5, without a currency sign",
                );
                None
            }
        }
    }

    /// A span of time such as `30m`, in seconds.
    pub(crate) fn duration(&mut self, node: &Node, what: &str) -> Option<u64> {
        let raw = match &node.value {
            Value::Text(text) => text.as_str(),
            Value::Number(_) => self.source.slice(&node.at),
            _ => {
                self.wrong(node, what, "a duration", "write it with its unit, such as 90s, 30m or 2h");
                return None;
            }
        };
        match duration(raw) {
            Ok(seconds) => Some(seconds),
            Err(help) => {
                self.fault(node.at.clone(), format!("{what} can't be {}", quoted(raw)), help);
                None
            }
        }
    }
}

/// A lease or wait longer than this is a mistake.
const MAX_DAYS: u64 = 30;

/// `1h30m` in seconds; what is wrong with it otherwise.
pub(crate) fn duration(raw: &str) -> Result<u64, String> {
    let example = "write it with its unit, such as 90s, 30m, 2h or 1h30m".to_owned();
    let mut total = 0u64;
    let mut rest = raw.trim();
    if rest.is_empty() {
        return Err(example);
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let Ok(number) = rest[..digits].parse::<u64>() else { return Err(example) };
        let factor = match rest[digits..].chars().next() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            Some('d') => 86_400,
            None if total == 0 => {
                return Err(format!("add the unit: {number}s for seconds, {number}m for minutes"));
            }
            _ => return Err(example),
        };
        total = total.saturating_add(number.saturating_mul(factor));
        rest = &rest[digits + 1..];
    }
    match total {
        0 => Err("it must be longer than nothing; write for example 30m".to_owned()),
        t if t > MAX_DAYS * 86_400 => Err(format!("it may be {MAX_DAYS}d at most")),
        t => Ok(t),
    }
}

/// The key that `word` was probably meant to be.
fn nearest_key<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let plain = word.to_lowercase().replace('-', "_");
    nearest(&plain, known.iter().copied()).or_else(|| {
        let (_, key) = SYNONYMS.iter().find(|(synonym, _)| *synonym == plain)?;
        known.iter().find(|k| *k == key).copied()
    })
}

/// The one of `names` that differs from `word` by a slip of the hand, if there is one.
pub(crate) fn nearest<'k>(word: &str, names: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word = word.to_lowercase();
    let len = word.chars().count();
    let slips = |name: &str| (len.max(name.chars().count()) / 3).max(1);
    names
        .into_iter()
        // Comparing costs the product of both lengths; words differ by at least what one is longer.
        .filter(|name| len.abs_diff(name.to_lowercase().chars().count()) <= slips(name))
        .map(|name| (strsim::damerau_levenshtein(&word, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= slips(name))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("90s"), Ok(90));
        assert_eq!(duration("30m"), Ok(1800));
        assert_eq!(duration("1h30m"), Ok(5400));
        assert_eq!(duration("30d"), Ok(2_592_000));
        for bad in ["", "30", "m", "30x", "1.5h", "-1m", "0s", "31d", "99999999999999999999s", "1h 3ö"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn near_names() {
        let known = ["scope", "exclude", "max_sessions", "imports"];
        assert_eq!(nearest_key("scop", &known), Some("scope"));
        assert_eq!(nearest_key("Max-Sessions", &known), Some("max_sessions"));
        assert_eq!(nearest_key("owns", &known), Some("scope"));
        assert_eq!(nearest_key("zzz", &known), None);
        assert_eq!(nearest_key(&"scope".repeat(1 << 18), &known), None);
    }
}
