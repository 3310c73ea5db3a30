//! What is like `find` and `fd`: they look for files, and may do something with each.

use super::apply::Call;
use super::call::Words;
use super::place::join;
use super::wrap::replace;
use super::{Argument, Effect, Shape, Surroundings};
use crate::{Certainty, Why};

/// With more starting points than these, what is found could be anywhere.
const MOST_STARTS: usize = 8;
/// The most programs that one call runs for what it finds.
const MOST_ACTIONS: usize = 32;
/// The deepest nesting of programs that run programs (`-exec env nice rm {} ;`) that is looked through here.
const DEEPEST: usize = 4;
/// What makes a program run others for each thing that it finds.
const ACTIONS: [&str; 8] = ["-exec", "-execdir", "-ok", "-okdir", "-x", "-X", "--exec", "--exec-batch"];
/// What stands for what is found.
const FOUND: &str = "{}";

/// `find`: starting points, then an expression of tests and actions.
pub(super) fn find(call: &mut Call<'_>) {
    let args = call.args;
    let mut starts: Vec<Argument> = Vec::new();
    let mut index = 0;
    // Options that stand before the starting points.
    while let Some(arg) = args.get(index) {
        match arg.text() {
            "-D" => index += 1,
            "-H" | "-L" | "-P" | "-E" | "-X" | "-x" | "-s" => {}
            text if text.starts_with("-O") => {}
            "-f" => {
                index += 1;
                starts.extend(args.get(index).cloned());
            }
            text if text.starts_with('-') || matches!(text, "(" | "!" | ",") => break,
            _ => starts.push(arg.clone()),
        }
        index += 1;
    }
    if starts.is_empty() {
        starts.push(Argument::Known(".".to_owned()));
    }
    if starts.len() > MOST_STARTS || call.words.has("-files0-from") {
        starts.clear();
        starts.push(Argument::Unknown { prefix: String::new() });
    }
    let mut left = MOST_ACTIONS;
    while let Some(arg) = args.get(index) {
        index += 1;
        if ACTIONS.contains(&arg.text()) {
            if left == 0 {
                return call.unknown(Why::TooLarge);
            }
            left -= 1;
        }
        match arg.text() {
            "-exec" | "-ok" => index += execute(call, args.get(index..).unwrap_or_default(), &starts, false),
            "-execdir" | "-okdir" => {
                index += execute(call, args.get(index..).unwrap_or_default(), &starts, true)
            }
            "-delete" => {
                for start in &starts {
                    call.write(start.clone(), Shape::Under, Certainty::Possible);
                }
            }
            "-fprint" | "-fprint0" | "-fls" | "-fprintf" => {
                if let Some(file) = args.get(index) {
                    call.write(file.clone(), Shape::File, Certainty::Certain);
                }
                index += if arg.text() == "-fprintf" { 2 } else { 1 };
            }
            text if call.declares(text) => index += 1,
            _ => {}
        }
    }
}

/// `-exec program {} … ;`, `-exec program … {} +`. How many arguments that is.
fn execute(call: &mut Call<'_>, args: &[Argument], starts: &[Argument], inside: bool) -> usize {
    let mut end = 0;
    while let Some(arg) = args.get(end) {
        let plus = arg.is("+") && end > 0 && args.get(end - 1).is_some_and(|before| before.is("{}"));
        if arg.is(";") || plus {
            break;
        }
        end += 1;
    }
    for start in starts {
        each(call, args.get(..end).unwrap_or_default(), start, inside, 0);
    }
    end + 1
}

/// Adds what the program `argv` does, in which `{}` is something at or below `start`. With `inside` it
/// runs in the directory of what is found.
fn each(call: &mut Call<'_>, argv: &[Argument], start: &Argument, inside: bool, depth: usize) {
    let found = if inside { "./".to_owned() } else { below(start) };
    // A search within a search is left to whoever follows programs, and knows how deep that has become.
    // Of the command line each word matters.
    let line = argv.first().is_some_and(|program| super::is_command_line(program.text()));
    if line || argv.iter().any(|arg| ACTIONS.contains(&arg.text())) {
        let mut argv = argv.to_vec();
        replace(&mut argv, FOUND, &found);
        let cwd = inside.then(|| Argument::Unknown { prefix: below(start) });
        let certainty = Certainty::Possible;
        return call.push(Effect::Run { argv, assignments: Vec::new(), cwd, certainty });
    }
    let around = Surroundings { cwd: call.around.cwd.filter(|_| !inside), ..*call.around };
    for effect in super::effects(argv, &around) {
        match effect {
            Effect::Write { path, shape, .. } => {
                let text = path.text();
                let (mut target, mut wide) = (path.clone(), Shape::Under);
                match text.find(FOUND).and_then(|at| text.get(..at)) {
                    _ if inside && !text.starts_with('/') => target = start.clone(),
                    Some("" | "./") => target = start.clone(),
                    // `cp {} web/`: anywhere in there.
                    Some(before) => {
                        let directory = before.rsplit_once('/').map_or(".", |(directory, _)| directory);
                        target = path.with(if directory.is_empty() { "/" } else { directory });
                    }
                    None => wide = shape,
                }
                call.write(target, wide, Certainty::Possible);
            }
            Effect::Unknown(why) => call.unknown(why),
            Effect::Run { argv, assignments, cwd: None, .. } if assignments.is_empty() && depth < DEEPEST => {
                each(call, &argv, start, inside, depth + 1);
            }
            Effect::Run { mut argv, assignments, cwd, .. } => {
                replace(&mut argv, FOUND, &found);
                let cwd = cwd.or_else(|| inside.then(|| Argument::Unknown { prefix: below(start) }));
                call.push(Effect::Run { argv, assignments, cwd, certainty: Certainty::Possible });
            }
            Effect::Script { text, mut parameters, here } => {
                let mut text = [text];
                replace(&mut text, FOUND, &found);
                replace(&mut parameters, FOUND, &found);
                let [text] = text;
                call.push(Effect::Script { text, parameters, here });
            }
            // What stands at a name that isn't known can't be told apart by it.
            Effect::Stands { .. } => {}
            effect @ (Effect::ScriptFromStdin { .. } | Effect::Personal(_) | Effect::Elsewhere(_)) => {
                call.push(effect)
            }
        }
    }
}

/// The beginning of what is found below `start`.
fn below(start: &Argument) -> String {
    let mut text = start.text().to_owned();
    if !start.is_open() && !text.ends_with('/') {
        text.push('/');
    }
    text
}

/// `fd`: a pattern, directories to look in, and perhaps `-x program …`.
pub(super) fn fd(call: &mut Call<'_>) {
    let args = call.args;
    let is = |arg: &Argument, names: &[&str]| names.iter().any(|name| arg.is(name));
    let Some(at) = args.iter().position(|arg| is(arg, &["-x", "--exec", "-X", "--exec-batch"])) else {
        return;
    };
    let inner = args.get(at + 1..).unwrap_or_default();
    let end = inner.iter().position(|arg| arg.is(";")).unwrap_or(inner.len());
    let inner = inner.get(..end).unwrap_or_default();
    // What stands before is all that it looks by; the first operand is the pattern.
    let words = Words::read(args.get(..at).unwrap_or_default(), &call.rows, usize::MAX);
    let mut start = Argument::Known(".".to_owned());
    match words.operands.get(1..).unwrap_or_default() {
        [] => {}
        [one] => start = (*one).clone(),
        _ => start = Argument::Unknown { prefix: String::new() },
    }
    if let Some(base) = words.value("--base-directory,--search-path") {
        start = join(base, &start);
    }
    let mut argv = inner.to_vec();
    let mut placed = false;
    for arg in &mut argv {
        for mark in ["{/.}", "{//}", "{/}", "{.}"] {
            if arg.text().contains(mark) {
                *arg = arg.with(&arg.text().replace(mark, FOUND));
            }
        }
        placed |= arg.text().contains(FOUND);
    }
    if !placed {
        argv.push(Argument::Known(FOUND.to_owned()));
    }
    each(call, &argv, &start, false, 0);
}
