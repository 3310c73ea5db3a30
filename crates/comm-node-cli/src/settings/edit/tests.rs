//! What is put in comes out to the byte, whatever the file looked like.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::install::wiring;

fn wanted() -> Wanted {
    wiring::wanted(Path::new("/home/u/.claude/comm-node/bin"))
}

fn rules() -> Vec<String> {
    wanted().rules
}

/// What an older version might have wanted.
fn older() -> Wanted {
    let mut old = wanted();
    old.events.truncate(4);
    old.events.push(("Notification", old.events[0].1.clone()));
    old.events[2].1.remove(0);
    old.events[0].1[0].hooks[0].timeout = 60;
    old.rules.truncate(2);
    old
}

/// A settings text in one of the layouts that people and programs leave behind.
fn settings() -> impl Strategy<Value = String> {
    let handler = prop_oneof![
        Just(serde_json::json!({"type": "command", "command": "/opt/lint \"x\"\\n", "timeout": 3})),
        Just(serde_json::json!({"type": "http", "url": "http://127.0.0.1"})),
    ];
    let group = (proptest::option::of("[A-Z][a-z|]{1,8}"), proptest::collection::vec(handler, 0..3))
        .prop_map(|(matcher, hooks)| match matcher {
            Some(m) => serde_json::json!({"matcher": m, "hooks": hooks}),
            None => serde_json::json!({"hooks": hooks}),
        });
    let event = prop_oneof![Just("Stop"), Just("PreToolUse"), Just("Notification"), Just("SessionEnd")];
    let hooks = proptest::collection::btree_map(event, proptest::collection::vec(group, 0..3), 0..4);
    let rule = prop_oneof![Just("Read".to_owned()), Just(wiring::RULES[1].to_owned()), "[a-zé\"]{0,5}"];
    let permissions = prop_oneof![
        Just(serde_json::json!({})),
        Just(serde_json::json!({"deny": ["Bash(rm:*)"]})),
        proptest::collection::vec(rule, 0..4).prop_map(|r| serde_json::json!({"allow": r, "ask": []})),
    ];
    let extra = proptest::collection::btree_map("[a-z]{1,5}", "[ -~é]{0,9}", 0..3);
    let value = (proptest::option::of(hooks), proptest::option::of(permissions), extra).prop_map(
        |(hooks, permissions, extra)| {
            let mut map = serde_json::Map::new();
            for (key, value) in extra {
                map.insert(format!("x{key}"), value.into());
            }
            map.extend(hooks.map(|h| ("hooks".to_owned(), serde_json::json!(h))));
            map.extend(permissions.map(|p| ("permissions".to_owned(), p)));
            Value::Object(map)
        },
    );
    let layout = prop_oneof![Just("  "), Just("    "), Just("\t"), Just(""), Just("one"), Just("spaced")];
    let ends = (any::<bool>(), prop_oneof![Just(""), Just("\n"), Just("\n\n")], any::<bool>());
    (value, layout, ends)
        .prop_map(|(value, layout, (crlf, end, airy))| laid_out(&value, layout, airy, end, crlf))
}

/// `value` as text: on one line, on one line with spaces, or with the indentation that `layout` is.
/// Nothing inside a string is touched, so that the text always says `value`.
fn laid_out(value: &Value, layout: &str, airy: bool, end: &str, crlf: bool) -> String {
    let mut text = match layout {
        "one" => value.to_string(),
        "spaced" => outside_strings(&value.to_string(), |part| {
            let gap = if part.ends_with(',') { " " } else { "" };
            part.replace("\":", "\": ").replace("{}", "{ }") + gap
        }),
        indent => {
            use serde::Serialize as _;
            let mut out = Vec::new();
            let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
            let mut to = serde_json::Serializer::with_formatter(&mut out, formatter);
            value.serialize(&mut to).expect("writes");
            String::from_utf8(out).expect("UTF-8")
        }
    };
    if airy {
        text = outside_strings(&text, |part| part.replace("[]", "[\n\n    ]").replace("\n}", "\n\n}"));
    }
    text.push_str(end);
    if crlf { text.replace('\n', "\r\n") } else { text }
}

/// The JSON `text` with `change` made to each part between two strings. A part begins with the
/// quote that ends the string before it.
fn outside_strings(text: &str, change: impl Fn(&str) -> String) -> String {
    let (mut out, mut from) = (String::new(), 0);
    let (mut inside, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => {
                let part = &text[from..at];
                out.push_str(&if inside { part.to_owned() } else { change(part) });
                (from, inside) = (at, !inside);
            }
            _ => {}
        }
    }
    out + &change(&text[from..])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_put_in_comes_out_to_the_byte(text in settings()) {
        let (merged, trace) = merge(&text, &wanted()).expect("merges");
        prop_assert_eq!(&strip(&merged, Some(&trace), &rules()).expect("strips"), &text);
        // Twice is once.
        prop_assert_eq!(&merge(&merged, &wanted()).expect("merges").0, &merged);
        // Everything wanted is there, everything foreign too.
        let (old, new): (Value, Value) =
            (serde_json::from_str(&text).expect("JSON"), serde_json::from_str(&merged).expect("JSON"));
        for (event, groups) in wanted().events {
            let there = new["hooks"][event].as_array().expect("an array");
            let before = old["hooks"][event].as_array().cloned().unwrap_or_default();
            let ours: Vec<Value> = groups.iter().map(|g| serde_json::to_value(g).expect("writes")).collect();
            prop_assert_eq!(there, &[before, ours].concat());
        }
    }

    #[test]
    fn an_upgrade_comes_out_to_the_byte_too(text in settings()) {
        let (first, trace) = merge(&text, &older()).expect("merges");
        let (second, more) = merge(&first, &wanted()).expect("merges");
        let trace = trace.and(more);
        let bare: String = second.split_whitespace().collect();
        let longer = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
        prop_assert!(bare.match_indices("\"timeout\":60").all(|(at, old)| longer(&bare[at + old.len()..])));
        let back = strip(&second, Some(&trace), &rules()).expect("strips");
        let (back, text): (Value, Value) =
            (serde_json::from_str(&back).expect("JSON"), serde_json::from_str(&text).expect("JSON"));
        // An event that was empty and that an old version used may be gone.
        if text.pointer("/hooks/Notification").is_none_or(|n| n != &serde_json::json!([])) {
            prop_assert_eq!(back, text);
        }
    }

    #[test]
    fn foreign_changes_between_are_kept(text in settings(), reformat in any::<bool>()) {
        let (merged, trace) = merge(&text, &wanted()).expect("merges");
        let mut value: Value = serde_json::from_str(&merged).expect("JSON");
        value["hooks"]["Stop"].as_array_mut().expect("ours is there").push(serde_json::json!({"hooks": []}));
        value["later"] = 1.into();
        let changed = if reformat { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let back = strip(&changed.expect("writes"), Some(&trace), &rules()).expect("strips");
        let back: Value = serde_json::from_str(&back).expect("JSON");
        let mut expected: Value = serde_json::from_str(&text).expect("JSON");
        expected["later"] = 1.into();
        if expected["hooks"]["Stop"].is_null() {
            expected["hooks"]["Stop"] = serde_json::json!([]);
        }
        expected["hooks"]["Stop"].as_array_mut().expect("there").push(serde_json::json!({"hooks": []}));
        prop_assert_eq!(back, expected);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[\\PC\\n\\t{}\\[\\]\":,]{0,60}") {
        let _ = merge(&text, &wanted()).and_then(|(t, trace)| strip(&t, Some(&trace), &rules()));
    }
}

/// A text whose layout was changed inside `"[]"` was no JSON any more.
#[test]
fn brackets_in_a_string_are_text() {
    for string in ["[]", "{}", "a[]\"{}\\", "[],", "\":[]", "\\\"[]"] {
        let value = serde_json::json!({"xa": string, "hooks": {"Stop": []}, "permissions": {}});
        for layout in ["  ", "\t", "", "one", "spaced"] {
            for (airy, crlf) in [(false, false), (false, true), (true, false), (true, true)] {
                let text = laid_out(&value, layout, airy, "\n", crlf);
                assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), value, "{text}");
                let (merged, trace) = merge(&text, &wanted()).expect("merges");
                assert_eq!(strip(&merged, Some(&trace), &rules()).expect("strips"), text);
                let (first, trace) = merge(&text, &older()).expect("merges");
                let (second, more) = merge(&first, &wanted()).expect("merges");
                let back = strip(&second, Some(&trace.and(more)), &rules()).expect("strips");
                assert_eq!(serde_json::from_str::<Value>(&back).expect("JSON"), value, "{text}");
            }
        }
    }
}

#[test]
fn without_a_record_all_of_ours_goes() {
    let (merged, _) = merge("{\n  \"model\": \"x\"\n}\n", &wanted()).expect("merges");
    assert_eq!(strip(&merged, None, &rules()).expect("strips"), "{\n  \"model\": \"x\"\n}\n");
}

#[test]
fn ours_in_a_foreign_group_is_moved_out() {
    let ours = "/home/u/.claude/comm-node/bin/comm-node-stop";
    let text = format!(
        r#"{{"hooks":{{"Stop":[{{"hooks":[{{"type":"command","command":"/x"}},{{"type":"command","command":"{ours}"}}]}}]}}}}"#
    );
    let (merged, trace) = merge(&text, &wanted()).expect("merges");
    let value: Value = serde_json::from_str(&merged).expect("JSON");
    assert_eq!(
        value["hooks"]["Stop"][0],
        serde_json::json!({"hooks": [{"type": "command", "command": "/x"}]})
    );
    assert_eq!(value["hooks"]["Stop"][1]["hooks"][0]["command"], ours);
    let back = strip(&merged, Some(&trace), &rules()).expect("strips");
    assert_eq!(back, r#"{"hooks":{"Stop":[{"hooks":[{"type":"command","command":"/x"}]}]}}"#);
}

/// Of a name that stands twice in a group, the client takes the last: there ours are, and from there they are taken.
#[test]
fn ours_are_taken_from_where_they_are() {
    let ours = r#"{"type":"command","command":"/x/comm-node/bin/comm-node-stop"}"#;
    let group = |handlers: &str| {
        format!(r#"{{"hooks":{{"Notification":[{{"hooks":[{{"command":"/a"}}],"hooks":[{handlers}]}}]}}}}"#)
    };
    let text = group(&format!(r#"{{"command":"/b"}},{ours},{{"command":"/c"}}"#));
    let left = group(r#"{"command":"/b"},{"command":"/c"}"#);
    assert_eq!(strip(&text, None, &[]).expect("strips"), left);
    assert_eq!(merge(&text, &Wanted::default()).expect("merges").0, left);
}

#[test]
fn wrong_shapes_are_refused_with_their_place() {
    let deep = format!("{{\n\"z\": {}{}}}", "[".repeat(200), "]".repeat(200));
    for (text, place) in [
        (deep.as_str(), "line 2, column 132: not JSON: recursion limit"),
        (
            "{\"hooks\": {\"a\": [],\n \"b\": [], \"a\": []}}",
            "line 2, column 11: `hooks.a` stands here a second",
        ),
        ("[]", "line 1, column 1"),
        ("{\"hooks\": 1}", "line 1, column 11: `hooks` must be an object"),
        ("{\n\"hooks\": {\"Stop\": {}}}", "line 2, column 19: `hooks.Stop` must be an array"),
        ("{\"permissions\": {\"allow\": \"x\"}}", "line 1, column 27: `permissions.allow` must be an array"),
    ] {
        let error = format!("{:#}", merge(text, &wanted()).expect_err(text));
        assert!(error.contains(place), "{text}: {error}");
    }
}
