//! Programs that run others and are more than a row can say: `env`, `sudo`, `xargs`.

use super::apply::Call;
use super::{Argument, Effect, Shape};
use crate::Certainty;

/// `env`, `sudo`, `doas`: options, assignments, a program.
pub(super) fn env(call: &mut Call<'_>) {
    let mut rest = call.words.rest;
    let mut assignments = Vec::new();
    // `env` alone tells what there is.
    while let Some((first, after)) = rest.split_first() {
        let Some((name, value)) = first.text().split_once('=') else { break };
        assignments.push((name.to_owned(), first.with(value)));
        rest = after;
    }
    if let Some(text) = call.words.value("-S,--split-string").cloned() {
        // Its quotes and variables are nearly a shell's.
        let text = if rest.is_empty() { text } else { Argument::Unknown { prefix: text.text().to_owned() } };
        return call.push(Effect::Script { text, parameters: Vec::new(), here: false });
    }
    if call.name != "env" && call.words.has("-i,--login,-s,--shell") {
        // A shell of another user, which reads what it is given as one text.
        return if rest.is_empty() {
            call.push(Effect::ScriptFromStdin { parameters: Vec::new() });
        } else {
            call.run(rest.to_vec(), assignments, Certainty::Certain);
        };
    }
    call.run(rest.to_vec(), assignments, Certainty::Certain);
}

/// `xargs`: a program with arguments that come from its standard input.
pub(super) fn xargs(call: &mut Call<'_>) {
    // Without a program it is `echo`.
    let mut argv = call.words.rest.to_vec();
    if argv.is_empty() {
        return;
    }
    let given = call.words.given("-I,-i,--replace,-J");
    let mark = given.map(|given| given.value.as_ref().map_or("{}", Argument::text).to_owned());
    match mark {
        Some(mark) => replace(&mut argv, &mark, ""),
        None => argv.push(Argument::Unknown { prefix: String::new() }),
    }
    call.run(argv, Vec::new(), Certainty::Possible);
}

/// Makes `mark` in arguments something unknown that begins with `prefix`.
pub(super) fn replace(argv: &mut [Argument], mark: &str, prefix: &str) {
    for arg in argv {
        if let Some(at) = arg.text().find(mark).filter(|_| !mark.is_empty()) {
            let mut text = arg.text().get(..at).unwrap_or_default().to_owned();
            text.push_str(prefix);
            *arg = Argument::Unknown { prefix: text };
        }
    }
}

/// `wget`: what it fetches is a file of the address's last name, unless it is told another one.
pub(super) fn wget(call: &mut Call<'_>) {
    if call.words.has("-O,--output-document") {
        return;
    }
    if call.words.has("-r,--recursive,-m,--mirror,-p,--page-requisites,-x,--force-directories") {
        return call.write(Argument::Known(".".to_owned()), Shape::Under, Certainty::Possible);
    }
    for url in std::mem::take(&mut call.words.operands) {
        let name = url_name(url.text());
        let name = if name.is_empty() { "index.html" } else { name };
        call.write(url.with(if url.is_open() { "" } else { name }), Shape::File, Certainty::Certain);
    }
}

/// The last name of an address.
pub(super) fn url_name(url: &str) -> &str {
    let path = url.split_once("://").map_or(url, |(_, path)| path);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    path.split_once('/').and_then(|(_, path)| path.rsplit('/').next()).unwrap_or_default()
}
