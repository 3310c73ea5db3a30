//! Each test gives texts and their trees in the form of [`print`].

mod bash;
mod bounds;
mod print;
mod trees;

use super::{Fault, parse};

/// The text's tree as one line, or its fault.
fn tree(text: &str) -> String {
    match parse(text, 0) {
        Ok(script) => print::script(&script),
        Err(Fault::Syntax { at }) => format!("fault at {at}"),
        Err(Fault::TooLarge) => "too large".to_owned(),
    }
}

/// Compares many at once, so that one run shows all that differ.
fn check(cases: &[(&str, &str)]) {
    let mut wrong = String::new();
    for (text, expected) in cases {
        let found = tree(text);
        if found != *expected {
            wrong.push_str(&format!("\n    text: {text:?}\nexpected: {expected}\n   found: {found}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
