//! Text that is made to cost much, or to break something.

use std::fmt::Write as _;
use std::time::Duration;

use proptest::prelude::*;

use super::{render, run};
use crate::cpu::Begun;
use crate::{Why, WriteSet};

/// Walks a command that is too much, and may not take long to find that out: the limit is wide, for a
/// build without optimisation on a busy machine.
#[track_caller]
fn too_large(command: &str) -> WriteSet {
    let start = Begun::now();
    let set = run(command);
    let took = start.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(set.unknown.iter().any(|unknown| unknown.why == Why::TooLarge), "{:?}", render(&set));
    set
}

#[test]
fn what_costs_too_much_is_unknown() {
    too_large("f() { f; f; }; f");
    too_large("f() { f | f; }; f");
    too_large("f() { f $(f) $(f); }; f");
    too_large("for a in {1..256}; do for b in {1..256}; do touch f; done; done");
    too_large(&format!("{}:{}", "for x in {1..200}; do ".repeat(10), "; done".repeat(10)));
    too_large(&"(:);".repeat(50_000));
    too_large(&format!("x={}; z=${{x##*a*a*a*b}}", "a".repeat(3000)));
    // What doubles isn't followed for long.
    run("x=aaaaaaaa; for i in {1..64}; do x=$x$x; done; for i in {1..256}; do y=$x; done");
    too_large("eval() { command eval \"$1\"; }; x='eval \"$x\"'; eval \"$x\"");
    too_large("x='eval \"$x\"'; eval \"$x\"");
    too_large("x='bash -c \"$x\"'; export x; eval \"$x\"");
    too_large("trap 'trap \"touch f\" EXIT; f() { f; }; f' EXIT");
    too_large("for i in {1..256}; do for j in {1..256}; do : /n/**/**/**/**/*; done; done");
}

#[test]
fn what_is_listed_is_bounded() {
    let set = too_large("touch {1..1000} {a..z}");
    assert_eq!(set.writes.len(), 1000);
    let mut many = String::new();
    for i in 0..2000 {
        let _ = write!(many, "no-such-program-{i};");
    }
    assert!(run(&many).unknown.len() <= 64);
    let mut many = String::new();
    for i in 0..3000 {
        let _ = write!(many, "x{i}=1;");
    }
    too_large(&many);
    let mut many = String::new();
    for i in 0..3000 {
        let _ = write!(many, "f{i}() {{ :; }};");
    }
    too_large(&many);
}

#[test]
fn deep_nesting_does_not_break_anything() {
    for (open, close) in [("(", ")"), ("{ ", "; }"), ("$(", ")"), ("if ", "; then :; fi"), ("eval ", "")] {
        for depth in [8, 15, 16, 17, 1000] {
            run(&format!("{}:{}", open.repeat(depth), close.repeat(depth)));
        }
    }
    for text in ["x/", "*/", "**/", "{a,", "${x:-", "~", "[a"] {
        run(&format!(": {}*", text.repeat(10_000)));
        run(&format!("x='{}*'; : $x ${{x%%$x}}", text.repeat(10_000)));
    }
    // As deep as anything can be: functions in functions, each with groups around its call.
    let mut text = String::new();
    for i in 0..40 {
        let _ = write!(text, "f{i}() {{ {{ {{ {{ {{ {{ $(f{}); }}; }}; }}; }}; }}; }};", i + 1);
    }
    text.push_str("f0");
    too_large(&text);
}

#[test]
fn characters_that_are_used_inside_are_only_characters() {
    let odd = "a\u{F0000}\u{F0001}\u{F0002}b";
    for command in
        [format!("> {odd}"), format!("> '{odd}'"), format!("x='{odd}'; > $x"), format!("> \"$(echo {odd})\"")]
    {
        assert_eq!(render(&run(&command)), [format!("certain File /n/{odd}")], "{command}");
    }
}

/// Pieces of commands.
const PIECES: &[&str] = &[
    " ",
    "\n",
    ";",
    "&",
    "&&",
    "||",
    "|",
    "(",
    ")",
    "{ ",
    "; }",
    "$(",
    "`",
    "\"",
    "'",
    "\\",
    "$",
    "${",
    "}",
    "x",
    "y=",
    "=",
    "$x",
    "${x%",
    "${x##*/",
    "${x:-",
    "$@",
    "$1",
    "*",
    "**",
    "?",
    "[a-",
    "]",
    "{a,b}",
    "{1..9}",
    "~",
    "/",
    "..",
    "-",
    "--",
    ">",
    ">>",
    "<",
    "<<EOF\n",
    "\nEOF\n",
    "<<<",
    ">&",
    "2>&1",
    "if ",
    "then ",
    "else ",
    "fi",
    "for x in ",
    "do ",
    "done",
    "while ",
    "case ",
    " in ",
    ";;",
    "esac",
    "f() ",
    "f ",
    "cd ",
    "eval ",
    "bash -c ",
    "set -- ",
    "shift",
    "trap ",
    "alias ",
    "rm ",
    "touch ",
    "env ",
    "xargs ",
    "find . -exec ",
    "local ",
    "export ",
    "read ",
    "exec ",
    "source ",
    "printf ",
    "echo ",
    "mktemp",
    "unset ",
    "exit",
    "return",
    "break",
    "[[ ",
    " ]]",
    "((",
    "))",
    "pushd ",
    "popd",
    "sudo ",
    "git ",
    "ä",
    "\u{F0000}",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn no_text_breaks_anything(pieces in prop::collection::vec(0..PIECES.len(), 0..40)) {
        let text: String = pieces.iter().filter_map(|&i| PIECES.get(i).copied()).collect();
        let set = run(&text);
        for write in &set.writes {
            prop_assert!(write.target.path().is_absolute());
            prop_assert!(!write.by.contains('\n'));
        }
    }

    #[test]
    fn what_is_quoted_is_one_path(name in "[^\0/']{1,20}") {
        prop_assume!(name != "." && name != "..");
        let set = run(&format!("x='{name}'; > \"$x\""));
        prop_assert_eq!(render(&set), [format!("certain File /n/{name}")]);
    }
}
