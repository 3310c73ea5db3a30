//! Calls that nobody makes: they end, soon and without a panic.

use std::time::Duration;

use proptest::prelude::*;

use super::{Fixture, run_with, words};
use crate::cpu::Begun;
use crate::table::index::table_rows;
use crate::table::{Argument, Surroundings, effects};

/// Pieces of which calls are made; every program of the table is added.
const PIECES: &str = "- -- --- -= --= = + +x -i -i.bak -e -c -f -x -C -o -t -I{} -I --output --output= --output=a -ni -rf \
    --in-place -exec ; {} \\; + -delete a b web src/ . .. / ./... * [ ] ** :/ :!x host:a s3://b/c x=y of=z - @a/b@1 \
    s/a/b/w s,[,x s/a/b/e { } (?{ print>\"x\" {print|\"x\"} /[/ \"\\ 's' é 名 \u{301} a\u{0} run exec pip tool -m -mblack";

fn argument() -> impl Strategy<Value = Argument> {
    let mut pieces: Vec<String> = PIECES.split_whitespace().map(str::to_owned).collect();
    for row in table_rows() {
        pieces.extend(row.words().take(2).flat_map(|word| word.split('|')).map(str::to_owned));
    }
    let text = prop_oneof![
        8 => proptest::sample::select(pieces),
        1 => "\\PC{0,6}",
        1 => "-[a-zA-Z0-9]{1,5}=?",
        1 => Just(String::new()),
    ];
    (text, 0..8).prop_map(|(text, open)| match open {
        0 => Argument::Unknown { prefix: text },
        _ => Argument::Known(text),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_call_has_effects(argv in proptest::collection::vec(argument(), 0..9), blind in any::<bool>()) {
        let cwd = (!blind).then(|| std::path::Path::new("/r/w"));
        let around = Surroundings { cwd, tree: &Fixture, made: &|_| None, rows: &["mine FILE", "sed -x"], own: None };
        prop_assert!(effects(&argv, &around).len() <= 64);
    }
}

/// Runs what a test builds from a piece that is repeated up to the size of the largest command.
fn soon(line: &str) {
    let argv = words(line);
    let around = Surroundings {
        cwd: Some("/r/w".as_ref()),
        tree: &crate::NoTree,
        made: &|_| None,
        rows: &[],
        own: None,
    };
    let begun = Begun::now();
    let _ = effects(&argv, &around);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(5), "{}… took {took:?}", line.get(..20).unwrap_or(line));
}

#[test]
fn large_calls_end_soon() {
    let size = crate::MAX_BYTES;
    for (start, piece) in [
        ("rm", " a"),
        ("rm", " $x"),
        ("cp", " a"),
        ("mv -t web", " a"),
        ("tar c", "f"),
        ("tar cfffffffff", " f"),
        ("sed -", "n"),
        ("sed '", "s/[/a/;"),
        ("sed '", "/a/,"),
        ("sed '", "{"),
        ("sed", " -e p"),
        ("awk '", "print > \"x\";"),
        ("awk '", "\"x\" |"),
        ("awk '", "/[/"),
        ("awk '", "#"),
        ("perl -pe '", "s/[/a/;"),
        ("find", " a"),
        ("find .", " -exec rm {} +"),
        ("find a b c d e f g h", " -exec rm {}"),
        ("find .", " -exec find a b c d e f g h"),
        ("fd x", " -x fd x"),
        ("find . -exec", " sudo"),
        ("fd x -x", " {}"),
        ("env", " A=1"),
        ("xargs -I a", " a"),
        ("git", " -C a"),
        ("git add", " a"),
        ("git -c", " a=b -c"),
        ("npm", " x"),
        ("bash", " -o"),
        ("sort", " -o x"),
        ("curl", " -O"),
        ("cargo", " --x"),
        ("watch", " a"),
        ("gzip", " a.gz"),
        ("rg", " -abcdefghijklmnop"),
    ] {
        let mut line = start.to_owned();
        while line.len() < size {
            line += piece;
        }
        if start.ends_with('\'') {
            line += "'";
        }
        soon(&line);
    }
}

#[test]
fn options_beyond_the_bound_hide_nothing() {
    let many = " -n".repeat(3000);
    assert_eq!(run_with(&format!("sed{many} -i s/a/b/ a"), &[], None), "?path");
    let letters = "n".repeat(40);
    assert_eq!(run_with(&format!("sed -{letters}i s/a/b/ a"), &[], None), "?path");
}
