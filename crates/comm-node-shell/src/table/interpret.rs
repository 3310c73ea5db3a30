//! Shells and other interpreters.

use super::Effect;
use super::apply::Call;
use super::row::Kind;
use crate::Why;

/// `bash`, `sh`, `zsh`, `dash`, `ksh`: `-c text`, a script, or standard input.
pub(super) fn shell(call: &mut Call<'_>) {
    let args = call.args;
    let (mut text, mut stdin, mut index) = (false, false, 0);
    while let Some(arg) = args.get(index) {
        let flags = arg.text();
        if arg.is("-") || arg.is("--") {
            index += 1;
            break;
        }
        if flags.len() < 2 || !flags.starts_with(['-', '+']) {
            break;
        }
        index += 1;
        if flags.starts_with("--") {
            // `--rcfile file`, `--init-file file`
            index += usize::from(call.declares(flags));
            continue;
        }
        for letter in flags.chars().skip(1) {
            match letter {
                'c' => text = true,
                's' => stdin = true,
                // `bash -n` only looks whether it can be parsed.
                'n' if flags.starts_with('-') && !text => return,
                // `-o pipefail`, `-O globstar`
                'o' | 'O' => index += 1,
                _ => {}
            }
        }
        if arg.is_open() {
            return call.unknown(Why::Script);
        }
    }
    let rest = args.get(index..).unwrap_or_default();
    match rest.split_first() {
        Some((first, parameters)) if text => {
            call.push(Effect::Script { text: first.clone(), parameters: parameters.to_vec(), here: false });
        }
        None if text => {}
        Some((first, parameters)) if !stdin && first.is("/dev/stdin") => {
            call.push(Effect::ScriptFromStdin { parameters: parameters.to_vec() });
        }
        Some(_) if !stdin => call.unknown(Why::Script),
        _ => call.push(Effect::ScriptFromStdin { parameters: rest.to_vec() }),
    }
}

/// `python`, `node`, `ruby` …: code that is given, a file of it, or standard input.
pub(super) fn interpreter(call: &mut Call<'_>) {
    // `-c code` and `-m module` have been seen to by what the row says of them.
    let said = call
        .words
        .options
        .iter()
        .any(|option| option.slot.is_some_and(|slot| matches!(slot.kind, Kind::Code | Kind::Module)));
    if said {
        return;
    }
    match call.words.rest.first() {
        Some(file) if !file.is("-") && !file.is("/dev/stdin") => call.unknown(Why::Program),
        // With `-v` some go on to read code only if there is a file of it.
        None if call.words.has("-v") => {}
        _ => call.unknown(Why::Code),
    }
}
