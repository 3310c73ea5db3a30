//! What a hook needs of `registry.json` where one domain has all that the answer depends on.
//!
//! A node with a hundred domains has 33 KB of rules, and the path that an agent writes mostly lies in the scope of its own
//! domain. So the file ends with an index: where the list of domains begins, and where each one stands in it. By that
//! the rules of the node and one domain's are cut out, and only these are parsed.
//!
//! The index is believed only as far as what it leads to is what it should be; it is wrong otherwise, and the
//! file is then as damaged as if it were no JSON.

use serde_json::Value;

use super::registry::Mode;

/// How the index begins: with its own place, by which it is known to be of this text.
const INDEX: &str = "\n \"index\": {\"at\":";
/// How the list of domains begins, which is where the rules of the node end.
const DOMAINS: &str = "\n \"domains\": [";
/// How the file ends.
const END: &str = "}}\n}\n";

/// The rules of a node and of one of its domains, cut out of `registry.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// A registry with that one domain, as JSON.
    pub json: String,
    /// The strictest mode of all domains.
    pub strictest: Mode,
}

impl Excerpt {
    /// The part of `text`, a whole registry, that is about `domain`; `None` where the text has no index, or the index no
    /// such domain.
    ///
    /// # Errors
    /// What is wrong with the index. That `json` holds that domain is seen where it is parsed.
    pub fn of(text: &str, domain: &str) -> Result<Option<Self>, String> {
        let wrong = |what: &str| Err(format!("its index is wrong: {what}"));
        let Some(start) = text.rfind(INDEX) else { return Ok(None) };
        let index = &text[start + INDEX.len()..];
        let Some((at, rest)) = number(index) else { return wrong("it has no place") };
        if at != start || !index.ends_with(END) {
            return wrong("it is not at its place");
        }
        let Some((head, rest)) = rest.strip_prefix(",\"head\":").and_then(number) else {
            return wrong("it does not say where the domains begin");
        };
        let Some(head) = text.get(..head).filter(|head| head.ends_with(DOMAINS)) else {
            return wrong("no domains begin there");
        };
        let modes = [("enforce", Mode::Enforce), ("warn", Mode::Warn), ("off", Mode::Off)];
        let mode = rest.strip_prefix(",\"strictest\":\"").and_then(|rest| {
            modes.into_iter().find_map(|(name, mode)| Some((mode, rest.strip_prefix(name)?)))
        });
        let Some((strictest, names)) = mode else { return wrong("it names no mode") };
        let Some(names) = names.strip_prefix("\",\"domains\":{") else { return wrong("it lists no domains") };
        let Some(entry) = entry(names, domain) else { return Ok(None) };
        let place = number(entry).and_then(|(from, rest)| Some((from, number(rest.strip_prefix(',')?)?.0)));
        let line = place.and_then(|(from, len)| text.get(from..from.checked_add(len)?));
        let Some(line) =
            line.filter(|_| place.is_some_and(|(from, len)| from >= head.len() && from + len <= at))
        else {
            return wrong("a domain is not where it says");
        };
        Ok(Some(Self { json: [head, line, "]}"].concat(), strictest }))
    }
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
    for (key, field) in fields {
        out.push_str(&format!("\n {}: ", Value::from(key.as_str())));
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
        out.push(',');
    }
    out.push_str(DOMAINS);
    let head = out.len();
    let mut places = serde_json::Map::new();
    for (i, domain) in domains.iter().enumerate() {
        out.push_str(if i > 0 { ",\n  " } else { "\n  " });
        let line = domain.to_string();
        let name = domain.get("name").and_then(Value::as_str).unwrap_or_default();
        // Of two with one name the first is the one that is found.
        places.entry(name).or_insert_with(|| Value::from(vec![out.len(), line.len()]));
        out.push_str(&line);
    }
    out.push_str(if domains.is_empty() { "]," } else { "\n ]," });
    let at = out.len();
    let mode = serde_json::to_value(strictest).unwrap_or_default();
    out.push_str(&format!(
        "{INDEX}{at},\"head\":{head},\"strictest\":{mode},\"domains\":{}",
        Value::from(places)
    ));
    out.push_str(&END[1..]);
    out
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
    fn a_name_in_a_name_is_not_found() {
        let json = r#"{"version":1,"source":{"size":1,"mtime_ns":2,"ctime_ns":3,"ino":4},"name":"s","trees":["/n"],
            "domains":[{"name":"x\",\"d0","scope":[]},{"name":"d0","scope":[["right",1]]},{"name":"d0","scope":[]}]}"#;
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
            good.replace("\"strictest\":\"warn\"", "\"strictest\":\"none\""),
            [&good[..entry], "\"d1\":[18446744073709551615,2]}}\n}\n"].concat(),
            [&good[..entry], "\"d1\":[0,20]}}\n}\n"].concat(),
            [&good[..entry], "\"d1\":[7]}}\n}\n"].concat(),
        ];
        for (i, text) in wrong.iter().enumerate() {
            assert_ne!(text, &good, "{i}");
            let read = Excerpt::of(text, "d1");
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
        let excerpt = Excerpt::of(&swapped, "d1").expect("reads").expect("there");
        assert!(Registry::parse_part(&excerpt, "d1").is_err());
    }

    proptest! {
        /// However a text is damaged: what is read of it by the index is what is read of it whole, or it is an error.
        #[test]
        fn damage_is_no_other_rule(at in 0usize..4000, with in prop::sample::select(vec!['0', '1', '9', '"', ',', '}', 'x', '\n'])) {
            let mut text = text(4);
            let at = at % text.len();
            prop_assume!(text.is_char_boundary(at) && text.is_char_boundary(at + 1));
            text.replace_range(at..at + 1, &with.to_string());
            if let Ok(Some(excerpt)) = Excerpt::of(&text, "d1")
                && let Ok(part) = Registry::parse_part(&excerpt, "d1")
                && let Ok(whole) = Registry::parse(&text)
            {
                prop_assert_eq!(Some(&part.domains[0]), whole.domain("d1"));
                prop_assert_eq!(part.protected, whole.protected);
                prop_assert_eq!(part.source, whole.source);
            }
        }
    }
}
