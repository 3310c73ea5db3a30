//! The table's tests: a command and its effects, both in one line.

mod files;
mod git;
mod hostile;
mod rows;
mod runners;
mod text;
mod tools;

use std::path::Path;

use super::{Argument, Effect, Shape, Standing, Surroundings, effects};
use crate::{Certainty, FileKind, Tree, Why};

/// The tree that all cases see; directories end with a slash. The working directory is `/r/w`.
const TREE: &str = "/r/ /r/.git/ /r/Cargo.lock /r/w/ /r/w/src/ /r/w/src/a.rs /r/w/web/ /r/w/web/x.ts /r/w/web/package.json /r/w/a /r/w/b /r/w/c.txt \
    /r/w/Cargo.toml /r/w/package.json /r/other/ /r/w/dist/ /r/w/link/";

struct Fixture;

impl Tree for Fixture {
    fn kind(&self, path: &Path) -> Option<FileKind> {
        let path = path.to_str()?.replace("/w/..", "").replace("/./", "/");
        let path = path.trim_end_matches("/.").trim_end_matches('/');
        for entry in TREE.split_whitespace() {
            if entry.trim_end_matches('/') == path {
                return Some(if entry.ends_with('/') { FileKind::Directory } else { FileKind::File });
            }
        }
        None
    }
    fn names(&self, _: &Path) -> Option<Vec<String>> {
        None
    }
}

/// The words of a line: quotes as in a shell, `$` for something unknown up to the word's end, `⏎` for a line's end.
fn words(line: &str) -> Vec<Argument> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut open = false;
    for c in line.chars().chain([' ']) {
        match (quote, c) {
            (None, ' ') => {
                if let Some(text) = word.take() {
                    words.push(match open {
                        true => Argument::Unknown { prefix: text },
                        false => Argument::Known(text),
                    });
                }
                open = false;
            }
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(q), c) if c == q => quote = None,
            (_, '⏎') => word.get_or_insert_default().push('\n'),
            (Some('\''), c) => word.get_or_insert_default().push(c),
            (_, '$') => {
                open = true;
                word.get_or_insert_default();
            }
            (_, c) if !open => word.get_or_insert_default().push(c),
            _ => {}
        }
    }
    words
}

fn show(argument: &Argument) -> String {
    match argument {
        Argument::Known(text) => text.clone(),
        Argument::Unknown { prefix } => format!("{prefix}…"),
    }
}

fn list(arguments: &[Argument]) -> String {
    arguments.iter().map(show).collect::<Vec<_>>().join(" ")
}

/// `file x`, `entry x`, `under x`, `worktree x`, `staged x`, with `maybe` before what is only possible;
/// `run[…]`, `sh[…]`, `stdin[…]`; `?why`.
fn render(effects: &[Effect]) -> String {
    let maybe = |certainty: &Certainty| if *certainty == Certainty::Possible { "maybe " } else { "" };
    let one = |effect: &Effect| match effect {
        Effect::Write { path, shape, certainty } => {
            let shape = match shape {
                Shape::File => "file",
                Shape::Entry => "entry",
                Shape::Under => "under",
                Shape::Worktree => "worktree",
                Shape::Staged => "staged",
            };
            format!("{}{shape} {}", maybe(certainty), show(path))
        }
        Effect::Run { argv, assignments, cwd, certainty } => {
            let mut text = format!("{}run[", maybe(certainty));
            for (name, value) in assignments {
                text += &format!("{name}={} ", show(value));
            }
            text += &list(argv);
            text += "]";
            if let Some(cwd) = cwd {
                text += &format!("@{}", show(cwd));
            }
            text
        }
        Effect::Script { text, parameters, here } => {
            assert!(!here, "nothing in the table runs in the present shell");
            match parameters.is_empty() {
                true => format!("sh[{}]", show(text)),
                false => format!("sh[{} | {}]", show(text), list(parameters)),
            }
        }
        Effect::ScriptFromStdin { parameters } => format!("stdin[{}]", list(parameters)),
        Effect::Stands { .. } => String::new(),
        Effect::Elsewhere(text) => format!("elsewhere[{}]", text.as_deref().unwrap_or("-")),
        Effect::Personal(what) => format!("!{}", what.shown),
        Effect::Unknown(why) => match why {
            Why::Syntax => "?syntax",
            Why::TooLarge => "?large",
            Why::Program => "?program",
            Why::Name => "?name",
            Why::Path => "?path",
            Why::Script => "?script",
            Why::Code => "?code",
        }
        .to_owned(),
    };
    let plain = effects.iter().filter(|effect| !matches!(effect, Effect::Stands { .. }));
    plain.map(one).collect::<Vec<_>>().join(", ")
}

/// What stands where behind a program: `x nothing`, `x/`, `x -> target`, `x = target`, `x from source`.
fn standing(line: &str) -> String {
    let around =
        Surroundings { cwd: Some(Path::new("/r/w")), tree: &Fixture, made: &|_| None, rows: &[], own: None };
    let mut told = Vec::new();
    for effect in effects(&words(line), &around) {
        let Effect::Stands { name, what } = effect else { continue };
        let name = show(&name);
        told.push(match what {
            Standing::Nothing => format!("{name} nothing"),
            Standing::Directory => format!("{name}/"),
            Standing::Link(target) => format!("{name} -> {}", show(&target)),
            Standing::Same(target) => format!("{name} = {}", show(&target)),
            Standing::From(source) => format!("{name} from {}", show(&source)),
        });
    }
    told.join(", ")
}

fn run_with(line: &str, rows: &[&str], cwd: Option<&str>) -> String {
    let around = Surroundings { cwd: cwd.map(Path::new), tree: &Fixture, made: &|_| None, rows, own: None };
    render(&effects(&words(line), &around))
}

/// Checks all cases, and shows all that are wrong. Each is `command => effects`; nothing behind the
/// arrow means that it only reads.
fn check(cases: &str) {
    let (mut wrong, mut count) = (String::new(), 0);
    for case in cases.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")) {
        let (line, expected) = case.split_once("=>").expect("an arrow");
        let actual = run_with(line, &[], Some("/r/w"));
        if actual != expected.trim() {
            wrong += &format!("\n{line}\n  expected: {}\n  actual:   {actual}", expected.trim());
        }
        count += 1;
    }
    assert!(count > 0 && wrong.is_empty(), "{wrong}");
}
