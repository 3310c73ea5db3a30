//! The table itself, and rows of the user's own.

use super::run_with;
use crate::table::index::{candidates, table_rows};
use crate::table::row::Line;
use crate::{check_row, table_text};

#[test]
fn every_row_can_be_read() {
    let mut count = 0;
    for row in table_rows() {
        let text = row.words().collect::<Vec<_>>().join(" ");
        assert_eq!(check_row(&text), Ok(()), "{text}");
        count += 1;
    }
    let starts = table_text().lines().filter(|l| !l.starts_with(['#', ' ']) && !l.is_empty()).count();
    assert_eq!(count, starts);
    assert!(table_text().ends_with('\n'), "the last row ends its line");
}

#[test]
fn no_program_has_two_rows() {
    let mut seen = Vec::new();
    for row in table_rows() {
        let depth = row.depth(&[]).unwrap();
        let mut names = vec![String::new()];
        for word in row.words().take(1 + depth) {
            names = names.iter().flat_map(|n| word.split('|').map(move |w| format!("{n} {w}"))).collect();
        }
        seen.extend(names);
    }
    seen.sort();
    let twice: Vec<_> = seen.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| &pair[0]).collect();
    assert!(twice.is_empty(), "{twice:?}");
    assert!(seen.len() > 600, "{}", seen.len());
}

#[test]
fn no_row_has_an_option_twice() {
    for row in table_rows() {
        let mut names = Vec::new();
        for word in row.words().filter(|w| w.starts_with('-') && w.contains('=')) {
            names.extend(word.split_once('=').unwrap().0.trim_end_matches('[').split(','));
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(count, names.len(), "{:?}", row.words().collect::<Vec<_>>());
    }
}

#[test]
fn faults_of_a_row_are_named() {
    for (row, fault) in [
        ("", "a row begins with the name of a program"),
        ("mygen", "a row says what is written, or `reads` if nothing is"),
        ("make gen", "a row says what is written, or `reads` if nothing is"),
        ("./mygen reads", "word 1, `./mygen`: a row begins"),
        ("-o=FILE", "word 1, `-o=FILE`: a row begins"),
        ("mygen -o=FIEL", "word 2, `-o=FIEL`: what is written in capitals"),
        ("mygen FIEL", "word 2, `FIEL`: what is written in capitals"),
        ("mygen -o FILE", "word 2, `-o`: an option without a value needs no mention"),
        ("mygen -o= FILE", "word 2, `-o=`: what is written in capitals"),
        ("mygen -o,=FILE", "word 2, `-o,=FILE`: a name is missing"),
        ("mygen -i[=ARG FILE", "word 2, `-i[=ARG`: `[` and `]` go together"),
        ("mygen FILE... ARG...", "word 3, `ARG...`: only one operand"),
        ("mygen if: FILE", "word 2, `if:`: a name is missing"),
        ("mygen like:nothing", "word 2, `like:nothing`: there is no program"),
        ("mygen also:FILE", "word 2, `also:FILE`: `also:` needs the path"),
        ("mygen FILE=", "word 2, `FILE=`: the default"),
        ("mygen -o=FILE...", "word 2, `-o=FILE...`: an option has one value"),
    ] {
        let said = check_row(row).expect_err(row);
        assert!(said.starts_with(fault), "{row}: {said}");
    }
}

#[test]
fn a_faulty_row_does_no_harm() {
    let rows = ["", "mygen", "mygen -o=FIEL FILE", "\u{1f600}", "a|b|| |", "| reads"];
    assert_eq!(run_with("mygen -o x y", &rows, None), "file x");
    assert_eq!(run_with("\u{1f600}", &rows, None), "?program");
    assert_eq!(run_with("mygen-x a", &rows, None), "?program");
}

/// What the index leaves out, going through the whole table would not have found either.
#[test]
fn every_row_stands_where_it_is_looked_for() {
    let text = |line: Line<'_>| line.words().collect::<Vec<_>>().join(" ");
    let (mut looks, mut in_vain) = (0, 0);
    for row in table_rows() {
        let words: Vec<&str> = row.words().take(2).collect();
        let deep = row.depth(&[]).unwrap() > 0;
        let firsts = words[1].split('|').filter(|_| deep).map(Some);
        for first in firsts.chain([None]) {
            for name in words[0].split('|') {
                let found: Vec<String> = candidates(name, first).map(text).collect();
                assert_eq!(
                    found.iter().filter(|f| **f == text(row)).count(),
                    1,
                    "{name} {first:?}: {found:?}"
                );
                looks += 1;
                in_vain += candidates(name, first).filter(|line| !line.is_for(name)).count();
            }
        }
    }
    assert!(looks > 1000 && in_vain < 4 * looks, "{looks} looks, {in_vain} rows in vain");
}

#[test]
fn every_name_is_found() {
    for row in table_rows() {
        for name in row.words().next().unwrap().split('|') {
            assert!(crate::table::lookup::knows(name, &[]), "{name}");
        }
    }
    assert!(!crate::table::lookup::knows("", &[]) && !crate::table::lookup::knows("unheard-of", &[]));
}
