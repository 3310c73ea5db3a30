//! What a hook needs of `registry.json` where one domain has all that the answer depends on.
//!
//! A node with a hundred domains has 33 KB of rules, and the path that an agent writes mostly lies in the scope of its own
//! domain. So the file ends with an index: where the roles stand, where the list of domains begins, and where each one stands in it. By that
//! the rules of the node and one domain's are cut out, and only these are parsed; the roles are when somebody asks for them.
//!
//! Behind it stands a checksum of all of it, so that what is damaged anywhere is told, also where nobody reads it. The index is
//! believed only as far as what it leads to is what it should be; the file is damaged otherwise.

use memchr::memmem::Finder;
use serde_json::Value;

use super::registry::Mode;

/// How the index begins: with its own place, by which it is known to be of this text.
const INDEX: &str = "\n \"index\": {\"at\":";
/// How the list of domains begins, which is where the rules of the node end.
const DOMAINS: &str = "\n \"domains\": [";
/// How a domain's list of patterns begins.
const SCOPE: &str = "\"scope\":[";
/// How the index's list of domains ends.
const END: &str = "}";
/// How the file ends: with a checksum of all before this, as 16 hexadecimal digits.
const SUM: &str = ",\"sum\":\"";
const AFTER_SUM: &str = "\"}\n}\n";
const DIGITS: usize = 16;

/// How the roles begin, and what stands in their place where they are left out: mostly nobody asks for them.
const ROLES: &str = "\n \"roles\": ";
const NO_ROLES: &str = "[]";

/// `text` without its checksum, if that is right; `None` where it has none.
///
/// # Errors
/// When it is wrong: some byte of the file is not what was written.
pub(super) fn checked(text: &str) -> Result<Option<&str>, String> {
    let Some((rest, digits)) =
        text.strip_suffix(AFTER_SUM).and_then(|rest| rest.split_at_checked(rest.len().checked_sub(DIGITS)?))
    else {
        return Ok(None);
    };
    let Some(body) = rest.strip_suffix(SUM) else { return Ok(None) };
    let sum = sum(body);
    let digit = |i: usize| b"0123456789abcdef"[(sum >> (60 - 4 * i) & 15) as usize];
    if digits.bytes().enumerate().all(|(i, own)| own == digit(i)) {
        Ok(Some(body))
    } else {
        Err("its checksum is wrong: it was changed since it was written".to_owned())
    }
}

/// True if `text` has a checksum and that is wrong.
#[must_use]
pub fn is_damaged(text: &str) -> bool {
    checked(text).is_err()
}

/// `body`, a registry up to the end of its index's list of domains, with its checksum and its end.
#[must_use]
pub fn sealed(body: &str) -> String {
    format!("{body}{SUM}{:0DIGITS$x}{AFTER_SUM}", sum(body))
}

/// A checksum against accidents, not against anybody: FNV-1a's step for each word of eight bytes (the last one filled up with
/// zeros), turned so that its upper bits matter to the lower ones too, beginning with the length. A text in which one word was
/// changed never has the same.
fn sum(text: &str) -> u64 {
    let step = |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let begin = step(0xcbf2_9ce4_8422_2325, text.len() as u64);
    words.iter().chain([&last]).fold(begin, |sum, word| step(sum, u64::from_le_bytes(*word)))
}

/// The rules of a node and of one of its domains, cut out of `registry.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt<'t> {
    /// A registry with that one domain and no roles, as JSON.
    pub json: String,
    /// The roles, as JSON.
    pub roles: &'t str,
    /// The strictest mode of all domains.
    pub strictest: Mode,
}

impl<'t> Excerpt<'t> {
    /// The part of `text`, a whole registry, that is about `domain`; `None` where the text has no index, or the index no
    /// such domain.
    ///
    /// # Errors
    /// What is wrong with the index. That `json` holds that domain is seen where it is parsed.
    pub fn of(text: &'t str, domain: &str) -> Result<Option<Self>, String> {
        let Some(index) = checked(text)?.map_or(Ok(None), Index::of)? else { return Ok(None) };
        let Some(entry) = entry(index.names, domain) else { return Ok(None) };
        let Some((from, len, _)) = place(entry).filter(|(from, len, _)| index.holds(*from, *len)) else {
            return wrong("a domain is not where it says");
        };
        let Some(line) = text.get(from..from + len) else { return wrong("a domain is not where it says") };
        let Index { before, roles, behind, strictest, .. } = index;
        Ok(Some(Self { json: [before, NO_ROLES, behind, line, "]}"].concat(), roles, strictest }))
    }

    /// The part of `text` that is about `domain` and about every domain that may own one of `keys`, in the order of the
    /// file; `None` where the text has no index, or that does not tell where each domain is. Only of a text that [`Excerpt::of`]
    /// has read.
    ///
    /// # Errors
    /// What is wrong with the index.
    pub fn owners(text: &'t str, domain: &str, keys: &[String]) -> Result<Option<Self>, String> {
        let body =
            text.len().checked_sub(SUM.len() + DIGITS + AFTER_SUM.len()).and_then(|end| text.get(..end));
        let Some(index) = body.map_or(Ok(None), Index::of)? else { return Ok(None) };
        let Some(own) = entry(index.names, domain).and_then(place) else { return Ok(None) };
        let Some(mut places) = index.places() else { return Ok(None) };
        places.sort();
        let scopes = Finder::new(SCOPE);
        let mut json = [index.before, NO_ROLES, index.behind].concat();
        let head = json.len();
        let mut at = index.head;
        for (from, len) in places {
            // One behind the other, with nothing between them that could be another domain.
            let between = if at == index.head { "\n  " } else { ",\n  " };
            if text.get(at..from) != Some(between) {
                return Ok(None);
            }
            let Some(line) = text.get(from..from + len) else { return Ok(None) };
            at = from + len;
            if from == own.0 || may_own(&scopes, line, keys) {
                json.push_str(if json.len() > head { "," } else { "" });
                json.push_str(line);
            }
        }
        if text.get(at..index.at) != Some("\n ],") {
            return Ok(None);
        }
        json.push_str("]}");
        Ok(Some(Self { json, roles: index.roles, strictest: index.strictest }))
    }
}

/// The index at the end of a registry.
struct Index<'t> {
    /// The registry's fields up to the roles.
    before: &'t str,
    roles: &'t str,
    /// The other fields, and the beginning of the list of domains.
    behind: &'t str,
    /// Where that list has begun.
    head: usize,
    /// Where the list of domains has ended.
    at: usize,
    strictest: Mode,
    /// Names and places of the domains.
    names: &'t str,
}

fn wrong<T>(what: &str) -> Result<T, String> {
    Err(format!("its index is wrong: {what}"))
}

impl<'t> Index<'t> {
    fn of(text: &'t str) -> Result<Option<Self>, String> {
        // It is the last line: a line end within a name is escaped.
        let Some(start) = memchr::memrchr(b'\n', text.as_bytes()) else { return Ok(None) };
        let Some(index) = text[start..].strip_prefix(INDEX) else { return Ok(None) };
        let Some((at, rest)) = number(index) else { return wrong("it has no place") };
        if at != start || !index.ends_with(END) {
            return wrong("it is not at its place");
        }
        let Some((head, rest)) = rest.strip_prefix(",\"head\":").and_then(number) else {
            return wrong("it does not say where the domains begin");
        };
        let Some(fields) = text.get(..head).filter(|head| head.ends_with(DOMAINS)) else {
            return wrong("no domains begin there");
        };
        // An older one leads to no roles.
        let Some((from, len, rest)) = rest.strip_prefix(",\"roles\":[").and_then(place) else {
            return Ok(None);
        };
        let Some((before, roles)) =
            fields.split_at_checked(from).filter(|(before, _)| before.ends_with(ROLES))
        else {
            return wrong("no roles begin there");
        };
        let Some((roles, behind)) =
            roles.split_at_checked(len).filter(|(_, behind)| behind.starts_with(",\n"))
        else {
            return wrong("no roles end there");
        };
        let Some(rest) = rest.strip_prefix(']') else { return wrong("it does not say where the roles are") };
        let modes = [("enforce", Mode::Enforce), ("warn", Mode::Warn), ("off", Mode::Off)];
        let mode = rest.strip_prefix(",\"strictest\":\"").and_then(|rest| {
            modes.into_iter().find_map(|(name, mode)| Some((mode, rest.strip_prefix(name)?)))
        });
        let Some((strictest, names)) = mode else { return wrong("it names no mode") };
        let Some(names) = names.strip_prefix("\",\"domains\":{") else { return wrong("it lists no domains") };
        Ok(Some(Self { before, roles, behind, head, at, strictest, names }))
    }

    /// True if the domains stand where a place is said to be.
    fn holds(&self, from: usize, len: usize) -> bool {
        from >= self.head && from.checked_add(len).is_some_and(|end| end <= self.at)
    }

    /// Where each domain stands; `None` where that can't be told.
    fn places(&self) -> Option<Vec<(usize, usize)>> {
        let mut places = Vec::new();
        let mut rest = self.names;
        while let Some(name) = rest.strip_prefix('"') {
            // A name with a quote or a backslash in it is escaped.
            let (name, after) = name.split_once('"')?;
            let (from, len, after) = place(after.strip_prefix(":[")?)?;
            if name.contains('\\') || !self.holds(from, len) {
                return None;
            }
            places.push((from, len));
            rest = after.strip_prefix(']')?;
            rest = rest.strip_prefix(',').unwrap_or(rest);
        }
        (rest == END).then_some(places)
    }
}

/// The place that `text` begins with, as `from,length`, and what follows.
fn place(text: &str) -> Option<(usize, usize, &str)> {
    let (from, rest) = number(text)?;
    let (len, rest) = number(rest.strip_prefix(',')?)?;
    Some((from, len, rest))
}

/// False only if the domain in `line` can't own one of `keys`, as the beginnings of its patterns tell. `scopes` finds
/// where a list of patterns begins.
fn may_own(scopes: &Finder<'_>, line: &str, keys: &[String]) -> bool {
    // A quote within a text is escaped, so that this is a name; of fields that later releases add too.
    scopes.find_iter(line.as_bytes()).any(|at| match patterns(&line[at + SCOPE.len()..]) {
        Some(globs) => globs.iter().any(|glob| keys.iter().any(|key| may_match(glob, key))),
        None => true,
    })
}

/// The globs of a list of patterns, `["src/**",7],…]`; `None` where one of them has to be read with more care.
fn patterns(list: &str) -> Option<Vec<&str>> {
    let mut globs = Vec::new();
    let mut rest = list;
    while let Some(pattern) = rest.strip_prefix("[\"") {
        let (glob, after) = pattern.split_once('"')?;
        let (_, after) = number(after.strip_prefix(',')?)?;
        if glob.contains('\\') {
            return None;
        }
        globs.push(glob);
        rest = after.strip_prefix(']')?;
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    rest.starts_with(']').then_some(globs)
}

/// False only if `glob` can't match `key`: they begin differently.
fn may_match(glob: &str, key: &str) -> bool {
    let mut key = key.bytes();
    for (at, own) in glob.bytes().enumerate() {
        match own {
            b'*' | b'?' | b'[' | b'{' | b'\\' => return true,
            b'!' if at == 0 => return true,
            _ => {}
        }
        match key.next() {
            Some(byte) if byte == own => {}
            // `a/**` is perhaps `a` too.
            None if own == b'/' => return true,
            _ => return false,
        }
    }
    true
}

/// What follows the name of `domain` among `names`. Names that could stand for something else are not looked for.
fn entry<'t>(names: &'t str, domain: &str) -> Option<&'t str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if domain.is_empty() || !domain.bytes().all(plain) {
        return None;
    }
    let wanted = ["\"", domain, "\":["].concat();
    // The name at the beginning of an entry: `,"` stands in no name, because a quote in one is escaped.
    let begins = |at: &usize| *at == 0 || names.as_bytes()[at - 1] == b',';
    let at = names.match_indices(&wanted).map(|(at, _)| at).find(begins)?;
    Some(&names[at + wanted.len()..])
}

/// The number that `text` begins with, and what follows it.
fn number(text: &str) -> Option<(usize, &str)> {
    let (digits, rest) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    Some((digits.parse().ok()?, rest))
}

/// A registry as text: `fields` without its domains, then these, each in a line, then the index. It reads well.
pub(super) fn text(fields: &serde_json::Map<String, Value>, domains: &[Value], strictest: Mode) -> String {
    let mut out = String::from("{");
    let mut roles = (0, 0);
    for (key, field) in fields {
        out.push_str(&format!("\n {}: ", Value::from(key.as_str())));
        let from = out.len();
        match field.as_array() {
            Some(items) if items.len() > 1 => {
                out.push_str("[\n");
                for (j, item) in items.iter().enumerate() {
                    out.push_str(&format!("  {item}{}\n", if j + 1 < items.len() { "," } else { "" }));
                }
                out.push_str(" ]");
            }
            _ => out.push_str(&field.to_string()),
        }
        if key == "roles" {
            roles = (from, out.len() - from);
        }
        out.push(',');
    }
    out.push_str(DOMAINS);
    let head = out.len();
    let mut places = serde_json::Map::new();
    for (i, domain) in domains.iter().enumerate() {
        out.push_str(if i > 0 { ",\n  " } else { "\n  " });
        let line = domain.to_string();
        let name = domain.get("name").and_then(Value::as_str).unwrap_or_default();
        places.insert(name.to_owned(), Value::from(vec![out.len(), line.len()]));
        out.push_str(&line);
    }
    out.push_str(if domains.is_empty() { "]," } else { "\n ]," });
    let at = out.len();
    let mode = serde_json::to_value(strictest).unwrap_or_default();
    let (from, len) = roles;
    out.push_str(&format!(
        "{INDEX}{at},\"head\":{head},\"roles\":[{from},{len}],\"strictest\":{mode},\"domains\":{}",
        Value::from(places)
    ));
    sealed(&out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::node::registry::{Registry, VERSION};

    fn text(domains: usize) -> String {
        let domain = |i: usize| {
            let mode = if i == 2 { "warn" } else { "off" };
            format!(
                r#"{{"name":"d{i}","mode":"{mode}","scope":[["é{i}/**",{i}]],"other":{{"x":"\n \"index\": {{"}}}}"#
            )
        };
        let json = format!(
            r#"{{"version":1,"source":{{"size":1,"mtime_ns":2,"ctime_ns":3,"ino":4}},"name":"sh\"op","trees":["/n"],
                "protected":[["a",1],["b",2]],"roles":[{{"name":"r"}}],"domains":[{}]}}"#,
            (0..domains).map(domain).collect::<Vec<_>>().join(",")
        );
        Registry::parse(&json).expect("valid").to_text()
    }

    #[test]
    fn a_part_is_the_node_and_one_domain() {
        for count in [1, 3, 120] {
            let text = text(count);
            let whole = Registry::parse(&text).expect("valid");
            assert_eq!((whole.version, whole.domains.len(), whole.to_text()), (VERSION, count, text.clone()));
            for domain in &whole.domains {
                let excerpt = Excerpt::of(&text, &domain.name).expect("right").expect("there");
                let part = Registry::parse_part(&excerpt, &domain.name).expect("valid");
                assert_eq!(part.domains, std::slice::from_ref(domain));
                assert_eq!((part.strictest_mode(), part.source), (whole.strictest_mode(), whole.source));
                assert_eq!(
                    (&part.name, &part.trees, &part.protected),
                    (&whole.name, &whole.trees, &whole.protected)
                );
                assert_eq!(part.roles, whole.roles);
                // It knows what it does not know.
                assert!(part.domain(&domain.name).is_some() && !part.lacks());
                assert!(part.domain("else").is_none() && part.lacks());
                let part = Registry::parse_part(&excerpt, &domain.name).expect("valid");
                assert!(part.all_domains().count() == 1 && part.lacks());
                assert!(!whole.lacks() && whole.domain("else").is_none() && !whole.lacks());
            }
            for name in ["d", "d999", "", "\"d0", "d0\":[0,9],\"x", "é", ".*"] {
                assert_eq!(Excerpt::of(&text, name), Ok(None), "{name}");
            }
        }
        // A text without an index is read whole.
        assert_eq!(Excerpt::of(r#"{"version":1,"domains":[]}"#, "d0"), Ok(None));
        assert_eq!(Registry::parse(&text(0)).expect("valid").domains.len(), 0);
    }

    #[test]
    fn a_part_for_a_path_has_all_that_may_own_it() {
        let json = r#"{"version":1,"source":{"size":1,"mtime_ns":2,"ctime_ns":3,"ino":4},"name":"s","trees":["/n"],"domains":[
            {"name":"z","scope":[["a/b/**",1]],"other":{"scope":[["x/**",1]]}},
            {"name":"own","scope":[["own/**",1]]},
            {"name":"q","scope":[["a\\\"c/**",1]]},
            {"name":"b","scope":[["x",1],["a/**",2]],"description":"\"scope\":[[\"q/**\",1]]"},
            {"name":"none","scope":[]},
            {"name":"all","scope":[["**/*.md",1]]}]}"#;
        let text = Registry::parse(json).expect("valid").to_text();
        let names = |keys: &[&str]| {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            let excerpt = Excerpt::owners(&text, "own", &keys).expect("right").expect("there");
            let part = Registry::parse_owners(&excerpt, "own", keys).expect("valid");
            part.domains.iter().map(|d| d.name.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(&["a/b/c"]), "z own q b all");
        assert_eq!(names(&["a/c"]), "own q b all");
        assert_eq!(names(&["q/x"]), "own q all");
        assert_eq!(names(&["x", "q/x"]), "z own q b all");
        // It knows what it was cut out for, and what it was not.
        let keys = vec!["a/c".to_owned()];
        let excerpt = Excerpt::owners(&text, "own", &keys).expect("right").expect("there");
        let part = Registry::parse_owners(&excerpt, "own", keys).expect("valid");
        assert!(part.owners("a/c").len() == 4 && !part.lacks());
        assert!(part.owners("a/d").len() == 4 && part.lacks() && part.owners_asked().is_none());
        let excerpt = Excerpt::of(&text, "own").expect("right").expect("there");
        let part = Registry::parse_part(&excerpt, "own").expect("valid");
        assert_eq!(part.owners("a/c").len(), 1);
        assert_eq!(part.owners("a/c").len(), 1);
        assert_eq!(part.owners_asked(), Some(vec!["a/c".to_owned()]));
        assert!(part.clone().lacks());
        assert_eq!(part.all_domains().len(), 1);
        assert_eq!(part.owners_asked(), None, "more than that was asked");
        // One that is in none of its places: the whole is read.
        let entry = text.rfind("\"b\":[").expect("an entry");
        let end = entry + text[entry..].find("],").expect("ends") + 2;
        assert_eq!(Excerpt::owners(&[&text[..entry], &text[end..]].concat(), "own", &[]), Ok(None));
        assert_eq!(Excerpt::owners(&text, "else", &[]), Ok(None));
        assert_eq!(Excerpt::owners(&text.replace("},\n  {", "} ,\n {"), "own", &[]).ok().flatten(), None);
    }

    #[test]
    fn a_name_in_a_name_is_not_found() {
        let json = r#"{"version":1,"source":{"size":1,"mtime_ns":2,"ctime_ns":3,"ino":4},"name":"s","trees":["/n"],
            "domains":[{"name":"x\",\"d0","scope":[]},{"name":"d0","scope":[["right",1]]}]}"#;
        let text = Registry::parse(json).expect("valid").to_text();
        let excerpt = Excerpt::of(&text, "d0").expect("right").expect("there");
        assert_eq!(Registry::parse_part(&excerpt, "d0").expect("valid").domains[0].scope[0].glob(), "right");
    }

    #[test]
    fn a_wrong_index_is_told() {
        let good = text(3);
        let entry = good.rfind("\"d1\":[").expect("an entry");
        let wrong = [
            good[..good.len() - 1].to_owned(),
            good.replacen("{\"name\":\"d0\"", " {\"name\":\"d0\"", 1).replacen(
                "\n \"domains\"",
                " \"domains\"",
                1,
            ),
            good.replacen("\"sh\\\"op\"", "\"shop\"", 1),
            good.replace("\"at\":", "\"at\":1"),
            good.replace("\"head\":", "\"head\":9"),
            good.replace("\"head\":", "\"head\":99999999999999999999999"),
            good.replace("\"roles\":[", "\"roles\":[9"),
            good.replace("\"roles\":[", "\"roles\":[9,"),
            good.replace("\"strictest\":\"warn\"", "\"strictest\":\"none\""),
            [&good[..entry], "\"d1\":[18446744073709551615,2]}}\n}\n"].concat(),
            [&good[..entry], "\"d1\":[0,20]}}\n}\n"].concat(),
            [&good[..entry], "\"d1\":[7]}}\n}\n"].concat(),
        ];
        // The first has no end, and so no checksum.
        assert_eq!(Excerpt::of(&wrong[0], "d1"), Ok(None));
        for (i, text) in wrong.iter().enumerate().skip(1) {
            let text = resealed(text);
            assert_ne!(text, good, "{i}");
            let read = Excerpt::of(&text, "d1");
            assert!(read.is_err(), "{i}: {read:?}");
        }
        // It leads to another domain, or to no domain at all.
        let place = |name: &str| {
            good[good.rfind(&format!("\"{name}\":[")).expect("there") + name.len() + 4..].to_owned()
        };
        let (first, second) = (place("d0"), place("d1"));
        let numbers = |text: &str| text[..text.find(']').expect("ends")].to_owned();
        let swapped =
            good.replace(&format!("\"d1\":[{}", numbers(&second)), &format!("\"d1\":[{}", numbers(&first)));
        let swapped = resealed(&swapped);
        let excerpt = Excerpt::of(&swapped, "d1").expect("reads").expect("there");
        assert!(Registry::parse_part(&excerpt, "d1").is_err());
    }

    /// A text whose checksum is right, whatever else is wrong.
    fn resealed(text: &str) -> String {
        let body = text.rfind(SUM).map_or(text.strip_suffix("}\n}\n").unwrap_or(text), |at| &text[..at]);
        sealed(body)
    }

    /// Also what is no less a valid registry than before: a letter in a pattern.
    #[test]
    fn any_byte_that_changed_is_told() {
        let good = text(4);
        let end = good.rfind(SUM).expect("a checksum");
        for at in (0..end).filter(|&at| good.is_char_boundary(at) && good.is_char_boundary(at + 1)) {
            for with in BYTES.iter().filter(|with| **with != &good[at..at + 1]) {
                let mut text = good.clone();
                text.replace_range(at..at + 1, with);
                assert!(Registry::parse(&text).is_err(), "{with:?} at {at}");
                assert!(Excerpt::of(&text, "d1").is_err(), "{with:?} at {at}");
            }
        }
        for cut in [1, 8, 9, 100] {
            let text = [&good[..end - cut], &good[end..]].concat();
            assert!(Registry::parse(&text).is_err(), "{cut}");
        }
        assert_ne!(sum(""), sum("\0"));
        assert_ne!(sum("12345678"), sum("12345678\0"));
    }

    /// Who does not decide twice is told of what was not read as of what was.
    #[test]
    fn what_is_read_lazily_is_what_is_there() {
        let text: &'static str = text(4).leak();
        let whole = Registry::parse(text).expect("valid");
        let excerpt = Excerpt::of(text, "d1").expect("right").expect("there");
        let lazily = |text: &'static str| Registry::parse_lazily(&excerpt, "d1", text).expect("valid");
        assert_eq!(lazily(text).domain("d1"), whole.domain("d1"));
        assert_eq!(lazily(text).domain("d3"), whole.domain("d3"));
        assert_eq!(lazily(text).domain("none"), None);
        assert!(lazily(text).all_domains().eq(whole.all_domains()));
        assert!(lazily(text).owners("é3/x").eq(whole.owners("é3/x")));
        assert_eq!(lazily(text).roles, whole.roles);
        let asked = lazily(text);
        assert!(asked.domain("none").is_none() && asked.all_domains().len() == 4 && !asked.lacks());
        // Of what can't be read it knows no more than it says.
        let asked = lazily("{");
        assert!(asked.domain("d1").is_some() && !asked.lacks());
        assert!(asked.domain("d3").is_none() && asked.lacks());
    }

    /// What a text is damaged with.
    const BYTES: [&str; 8] = ["0", "1", "9", "\"", ",", "}", "x", "\n"];

    /// What is read of a text by the index is what is read of it whole, unless one of them is an error.
    fn both_ways(text: &str) -> Result<(), String> {
        let Ok(Some(excerpt)) = Excerpt::of(text, "d1") else { return Ok(()) };
        let Ok(part) = Registry::parse_part(&excerpt, "d1") else { return Ok(()) };
        let Ok(whole) = Registry::parse(text) else { return Ok(()) };
        let same = Some(&part.domains[0]) == whole.domain("d1")
            && (&part.protected, part.source) == (&whole.protected, whole.source)
            && (part.roles.list().is_err() || part.roles == whole.roles);
        if same { Ok(()) } else { Err(format!("{part:?} is not {whole:?}")) }
    }

    /// Whichever byte of a text is damaged: no answer depends on whether it was read by the index or whole.
    #[test]
    fn damage_is_no_other_rule() {
        let good = text(4);
        for at in (0..good.len()).filter(|&at| good.is_char_boundary(at) && good.is_char_boundary(at + 1)) {
            for with in BYTES {
                let mut text = good.clone();
                text.replace_range(at..at + 1, with);
                // Whether or not the checksum tells it.
                if let Err(why) = both_ways(&text).and_then(|()| both_ways(&resealed(&text))) {
                    panic!("{with:?} at {at}: {why}");
                }
            }
        }
    }

    /// A domain that damage gave the name of another one: the index led to the one, the list to the other.
    #[test]
    fn two_domains_of_one_name_are_damage() {
        let text = resealed(&text(4).replacen("\"name\":\"d0\"", "\"name\":\"d1\"", 1));
        assert_eq!(Registry::parse(&text), Err("domain d1 stands there twice".to_owned()));
        let keys = vec!["é0/x".to_owned(), "é1/x".to_owned()];
        let excerpt = Excerpt::owners(&text, "d1", &keys).expect("right").expect("there");
        assert!(Registry::parse_owners(&excerpt, "d1", keys).is_err());
        // What the index leads to is as it was, or another one.
        let of = |name: &str| {
            let excerpt = Excerpt::of(&text, name).expect("right").expect("there");
            Registry::parse_part(&excerpt, name).map(|part| part.domains[0].scope[0].glob().to_owned())
        };
        assert_eq!(of("d1").as_deref(), Ok("é1/**"));
        assert!(of("d0").is_err());
    }

    proptest! {
        /// Whatever matches a path is among those that may.
        #[test]
        fn what_matches_may_match(glob in "[a-b/*?{},!\\[\\]-]{0,8}", key in "[a-b/]{0,6}") {
            if crate::glob::matches(&glob, &key) {
                prop_assert!(may_match(&glob, &key));
            }
            let line = serde_json::json!({"name": "x", "scope": [["zz", 1], [glob, 2]]}).to_string();
            if crate::glob::matches(&glob, &key) {
                prop_assert!(may_own(&Finder::new(SCOPE), &line, &[key]));
            }
        }

        /// In several places at once too.
        #[test]
        fn much_damage_is_no_other_rule(damage in prop::collection::vec((0usize..4000, prop::sample::select(BYTES.to_vec())), 2..5)) {
            let mut text = text(4);
            for (at, with) in damage {
                let at = at % text.len();
                if text.is_char_boundary(at) && text.is_char_boundary(at + 1) {
                    text.replace_range(at..at + 1, with);
                }
            }
            let read = both_ways(&text).and_then(|()| both_ways(&resealed(&text)));
            prop_assert!(read.is_ok(), "{}", read.unwrap_err());
        }
    }
}
