//! Hostile texts: how long, how deep, and that nothing panics.

use std::time::Duration;

use proptest::prelude::*;

use super::tree;
use crate::ast::Span;
use crate::cpu::Begun;
use crate::parse::{Fault, parse};
use crate::{MAX_BYTES, MAX_DEPTH};

/// What a text of [`LONG`] bytes may take. On a machine that does nothing else a release needs less
/// than half of it.
const PATIENCE: Duration = Duration::from_millis(if cfg!(debug_assertions) { 1000 } else { 100 });
/// The largest size; what takes more than linear time shows in a smaller one too, if it must be slower.
const LONG: usize = if cfg!(debug_assertions) { MAX_BYTES / 4 } else { MAX_BYTES };

/// A long text: `unit` again and again between `begin` and `end`.
fn fill(begin: &str, unit: &str, end: &str) -> String {
    let count = (LONG - begin.len() - end.len()) / unit.len();
    format!("{begin}{}{end}", unit.repeat(count))
}

/// How long it takes to parse.
fn took(text: &str) -> Duration {
    let begun = Begun::now();
    let _ = std::hint::black_box(parse(std::hint::black_box(text), 0));
    begun.elapsed()
}

#[test]
fn time_is_linear() {
    let units = [
        "$(",
        "((",
        "`",
        "${",
        "<<a",
        "'",
        "\"",
        "$((",
        "(",
        "{ ",
        "a[",
        "[[ ",
        "[[ (",
        "<(",
        "$[",
        "`\\",
        "\\\n",
        "a\\\n",
        "$\\\n",
        "$a\\\n",
        "a;",
        "a ",
        "if ",
        "if a; then ",
        "case x in a) ",
        "$((a) ",
        "((a) ",
        "((a);",
        "<<a\n",
        "<<a $(",
        "<<\"\" ",
        "a <<$(b) ",
        "f() ",
        "f() { ",
        "function f ",
        "! ",
        "time ",
        "coproc ",
        "x=(",
        "x=( ",
        "${a:-",
        "\"${a:-",
        "\"$(",
        "a |",
        "a && ",
        "#",
        "# \n",
        "@(",
        "[[ a =~ (",
        "${a-<(",
        "$'\\",
        "$'a'",
        "{a}>",
        "1",
        "1>",
        "a=",
        "a[1]=",
        "declare a=(",
        "é",
        "\\",
        "\n",
        ";;",
        "$(a)",
        "`a`",
        "${a}",
        "$((1))",
        "\"a\" ",
        "a>b ",
        "a[b c] ",
        "a[b\nc]\n",
        "a <<b\nc\nb\n",
        "$(a <<b\n",
        "\t",
        "extglob @(",
        "for a in ",
        "for ((",
        "select a; do ",
    ];
    let mut slow = String::new();
    for unit in units {
        let time = took(&fill("", unit, ""));
        if time > PATIENCE {
            slow.push_str(&format!("{unit:?} {time:?}\n"));
        }
    }
    let deep = |left: &str, unit: &str, right: &str, levels: usize| {
        fill(&left.repeat(levels), unit, &right.repeat(levels))
    };
    for (left, unit, right) in [
        ("$((", "a ", ") )"),
        ("((", "a ", ") )"),
        ("$((", "(a);", ") )"),
        ("$((", "1+", ") )"),
        ("$((", "\"a\" ", ") )"),
        ("$(", "a ", ")"),
        ("\"$(", "a ", ")\""),
        ("${a-", "b ", "}"),
        ("\"${a-", "b ", "}\""),
        ("a[$((", "b ", ") )]"),
        ("{ ", "a;", "}"),
    ] {
        for levels in [1, 7, MAX_DEPTH / 2, MAX_DEPTH] {
            let time = took(&deep(left, unit, right, levels));
            if time > PATIENCE {
                slow.push_str(&format!("{levels} times {left:?} around {unit:?} {time:?}\n"));
            }
        }
    }
    // Many here-documents in one substitution, whose bodies may all end in the same line.
    for (begin, end) in [("<<a ", "a"), ("<<\"\" ", "b")] {
        let half = LONG / 2 - 8;
        let text = format!("$({}\n{})", begin.repeat(half / begin.len()), end.repeat(half));
        let time = took(&text);
        if time > PATIENCE {
            slow.push_str(&format!("{begin:?} {time:?}\n"));
        }
    }
    // Each level of backquotes is a text of its own, in which here-documents wait.
    let mut text = fill("a <<b;", "c ", "").split_off(LONG / 2);
    while text.len() * 2 < LONG {
        text = format!("a <<b `{}`", text.replace('\\', "\\\\").replace('`', "\\`"));
    }
    let time = took(&text);
    if time > PATIENCE {
        slow.push_str(&format!("backquotes {time:?}\n"));
    }
    assert!(slow.is_empty(), "too slow:\n{slow}");
}

#[test]
fn a_small_stack_is_enough() {
    let nestings = [
        ("{ ", "a", "; }"),
        ("( ", "a", ")"),
        ("$(", "a", ")"),
        ("\"$(", "a", ")\""),
        ("<(", "a", ")"),
        ("x=($(", "a", "))"),
        ("${a:-", "b", "}"),
        ("\"${a:-", "b", "}\""),
        ("\"${a:-\"", "b", "\"}\""),
        ("$((", "1", "))"),
        ("$((", "a", ") )"),
        ("$[", "1", "]"),
        ("a[$[", "1", "]]=b"),
        ("if a; then ", "b", "; fi"),
        ("while a; do ", "b", "; done"),
        ("case a in b) ", "c", ";; esac"),
        ("for a in $(", "b", "); do c; done"),
        ("f() { ", "a", "; }"),
        ("coproc { ", "a", "; }"),
        ("[[ $(", "a", ") ]]"),
        ("declare a=(<(", "b", "))"),
        ("a <<E$(b)\n\"$(", "b", ")\n"),
    ];
    let run = move || {
        for (left, inner, right) in nestings {
            for levels in [MAX_DEPTH / 2, MAX_DEPTH, MAX_DEPTH + 1, 10_000] {
                let text = format!("{}{inner}{}", left.repeat(levels), right.repeat(levels));
                let _ = parse(&text, 0);
            }
        }
        let mut text = "a".to_owned();
        for level in 0..12 {
            text = if level % 2 == 0 {
                format!("a \"`{}`\"", text.replace('\\', "\\\\").replace('`', "\\`").replace('"', "\\\""))
            } else {
                format!("a <<'E{level}' \"${{b:-$(cat <<E{level})}}\"\n1\nE{level}\n`{text}`")
            };
            let _ = parse(&text, 0);
        }
    };
    std::thread::Builder::new().stack_size(256 << 10).spawn(run).unwrap().join().unwrap();
}

#[test]
fn depth_and_size_are_bounded() {
    let nested = |levels: usize| format!("{}a{}", "$(".repeat(levels), ")".repeat(levels));
    assert!(parse(&nested(MAX_DEPTH), 0).is_ok());
    assert_eq!(parse(&nested(MAX_DEPTH + 1), 0), Err(Fault::TooLarge));
    assert!(parse(&nested(MAX_DEPTH - 2), 2).is_ok());
    assert_eq!(parse(&nested(MAX_DEPTH - 1), 2), Err(Fault::TooLarge));
    assert_eq!(parse("", MAX_DEPTH + 1), Err(Fault::TooLarge));

    assert!(parse(&format!("'{}'", "a".repeat(MAX_BYTES - 2)), 0).is_ok());
    assert_eq!(parse(&" ".repeat(MAX_BYTES + 1), 0), Err(Fault::TooLarge));
    assert_eq!(parse(&"a ".repeat(MAX_BYTES / 2), 0), Err(Fault::TooLarge));
    assert_eq!(parse(&"a\n".repeat(MAX_BYTES / 2), 0), Err(Fault::TooLarge));
    assert!(parse(&"a ".repeat(19_000), 0).is_ok());
    // What is nested counts too.
    assert_eq!(parse(&format!("`{}`", "a ".repeat(50_000)), 0), Err(Fault::TooLarge));
    assert_eq!(parse(&format!("a <<E\n{}", "$a ".repeat(85_000)), 0), Err(Fault::TooLarge));
}

/// All spans, as they are printed.
fn spans(printed: &str) -> Vec<Span> {
    let mut rest = printed;
    let mut found = Vec::new();
    while let Some((_, after)) = rest.split_once("Span { start: ") {
        let (start, after) = after.split_once(", end: ").unwrap();
        let (end, after) = after.split_once(" }").unwrap();
        found.push(Span { start: start.parse().unwrap(), end: end.parse().unwrap() });
        rest = after;
    }
    found
}

fn check_spans(text: &str) {
    let Ok(script) = parse(text, 0) else { return };
    for span in spans(&format!("{script:?}")) {
        let piece = text.get(span.start as usize..span.end as usize);
        assert!(piece.is_some(), "{span:?} in {text:?}");
    }
    // A tree that can be printed has no word without parts.
    tree(text);
}

#[test]
fn spans_are_pieces_of_the_text() {
    for text in super::bash::snippets() {
        check_spans(&text);
    }
    let text = "ä=ö b <<E  `c \\`d\\``  >e\n$(f é)\nE\n";
    let script = parse(text, 0).unwrap();
    let pieces: Vec<_> = spans(&format!("{script:?}"))
        .iter()
        .map(|span| &text[span.start as usize..span.end as usize])
        .collect();
    let quotes = "`c \\`d\\``";
    for piece in ["b", ">e", "<<E", "$(f é)\n", "b <<E  `c \\`d\\``  >e", quotes] {
        let found = pieces.contains(&piece);
        assert!(found || piece.starts_with("b <<E"), "{piece:?} is not among {pieces:?}");
    }
    assert_eq!(pieces.iter().filter(|piece| **piece == quotes).count(), 6);
}

/// Pieces that mean something.
const PIECES: [&str; 52] = [
    "$(",
    ")",
    "(",
    "((",
    "))",
    "${",
    "}",
    "{ ",
    "`",
    "'",
    "\"",
    "\\",
    "<<",
    "<<E\n",
    "\nE\n",
    "<<-'E'",
    "$'",
    "é",
    "|",
    "&&",
    "[[ ",
    " ]]",
    " =~ ",
    "case x in ",
    "esac",
    ";;",
    "if ",
    "then ",
    "fi",
    "for x in ",
    "do ",
    "done",
    "<(",
    ">",
    "2>&1",
    "a=(",
    "a[",
    "]",
    "#",
    "$((",
    "$[",
    "@(",
    "f() ",
    "coproc ",
    "\r",
    "\u{1F600}",
    "&",
    "!",
    "\t",
    "-",
    ":-",
    "*",
];

/// Texts of them.
fn shell_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-c =;\n]{1,3}",
        4 => prop::sample::select(PIECES.to_vec())
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_parsed_or_refused(text in "\\PC{0,500}|[ -~\n\t]{0,2000}|.{0,600}") {
        let begun = Begun::now();
        check_spans(&text);
        prop_assert!(begun.elapsed() < PATIENCE);
    }

    #[test]
    fn any_shell_like_text_is_parsed_or_refused(text in shell_like()) {
        let begun = Begun::now();
        check_spans(&text);
        prop_assert!(begun.elapsed() < PATIENCE);
    }
}
