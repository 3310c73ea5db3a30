//! What git does to the files of a worktree, and whose changes it takes up; where a row can't say it.

use super::apply::Call;
use super::place::join;
use super::row::among;
use super::{Argument, Effect, Shape};
use crate::{Certainty, Why};

/// The subcommands that the table leaves to this. The row says `like:git`, and the call's subcommand
/// is the last word of what was looked up.
pub(super) fn run(call: &mut Call<'_>) {
    match call.subcommand {
        "add" | "stage" => add(call),
        "commit" => commit(call),
        "checkout" => checkout(call),
        "switch" => switch(call),
        "restore" => {
            let staged = call.words.has("-S,--staged") && !call.words.has("-W,--worktree");
            if !staged {
                pathspecs(call, 0, Shape::File);
            }
        }
        "clean" => clean(call),
        "rm" => {
            let unlike = call.words.has("--cached,-n,--dry-run");
            if !unlike {
                pathspecs(call, 0, Shape::Entry);
            }
        }
        "config" => config(call),
        "clone" => clone(call),
        // Its files have names of their own making.
        "format-patch" if !call.words.has("-o,--output-directory,--output") => call.unknown(Why::Path),
        "format-patch" => {}
        _ => call.unknown(Why::Program),
    }
}

/// `git -c name=value`: a few settings name programs.
pub(super) fn configured(call: &mut Call<'_>) {
    let mut found: Vec<Effect> = Vec::new();
    for option in &call.words.options {
        let Some(given) = &option.value else { continue };
        let Some((key, value)) = given.text().split_once('=') else { continue };
        let value = match option.name.as_str() {
            "-c" => given.with(value),
            // The value stands in a variable.
            "--config-env" => Argument::Unknown { prefix: String::new() },
            _ => continue,
        };
        found.extend(super::runs::setting(key, &value));
    }
    for effect in found {
        match effect {
            Effect::Unknown(why) => call.unknown(why),
            effect => call.push(effect),
        }
    }
}

/// All operands from `skip` on as pathspecs.
fn pathspecs(call: &mut Call<'_>, skip: usize, shape: Shape) {
    for spec in std::mem::take(&mut call.words.operands).into_iter().skip(skip) {
        call.pathspec(spec, shape, Certainty::Certain);
    }
    if call.words.has("--pathspec-from-file") {
        call.write(Argument::Known(".".to_owned()), Shape::Worktree, Certainty::Possible);
    }
}

fn add(call: &mut Call<'_>) {
    if call.words.has("-n,--dry-run,--refresh") {
        return;
    }
    let all =
        call.words.has("-A,--all,--no-ignore-removal,-u,--update,-p,--patch,-i,--interactive,-e,--edit");
    if call.words.operands.is_empty() && all || call.words.has("--pathspec-from-file") {
        return call.write(call.top(), Shape::Staged, Certainty::Certain);
    }
    pathspecs(call, 0, Shape::Staged);
}

fn commit(call: &mut Call<'_>) {
    if call.words.has("--dry-run") {
        return;
    }
    if call.words.has("-a,--all,-p,--patch,--interactive,--pathspec-from-file") {
        return call.write(call.top(), Shape::Staged, Certainty::Certain);
    }
    pathspecs(call, 0, Shape::Staged);
}

fn worktree(call: &mut Call<'_>, certainty: Certainty) {
    call.write(Argument::Known(".".to_owned()), Shape::Worktree, certainty);
}

fn checkout(call: &mut Call<'_>) {
    let words = &call.words;
    let operands = &words.operands;
    let made = words.has("-b,-B,--orphan");
    if let Some(before) = words.dashes {
        // `git checkout rev --` is about a revision.
        return if operands.len() > before {
            pathspecs(call, before, Shape::File)
        } else {
            worktree(call, Certainty::Certain)
        };
    }
    if made {
        // A new branch leaves the files as they are, unless it starts elsewhere.
        if operands.first().is_some_and(|start| !start.is("HEAD")) {
            worktree(call, Certainty::Certain);
        }
        return;
    }
    if words.has("--pathspec-from-file") {
        return pathspecs(call, operands.len(), Shape::File);
    }
    let exists = |operand: &&Argument| {
        let text = operand.text();
        call.kind(operand).is_some()
            || !operand.is_open()
                && (matches!(text, "." | "..") || text.starts_with(':') || text.contains(['*', '?']))
    };
    let paths = words.has("--ours,--theirs,-m,--merge") && operands.len() == 1;
    match operands.as_slice() {
        [] if words.has("-f,--force") => worktree(call, Certainty::Certain),
        [] => {}
        [one] if one.is("HEAD") && !words.has("-f,--force") => {}
        [one] if exists(one) || paths => pathspecs(call, 0, Shape::File),
        [one] => {
            let certainty = if one.is_open() { Certainty::Possible } else { Certainty::Certain };
            worktree(call, certainty);
        }
        [first, ..] => {
            let skip = usize::from(!exists(first));
            pathspecs(call, skip, Shape::File);
        }
    }
}

fn switch(call: &mut Call<'_>) {
    let made = call.words.has("-c,-C,--create,--force-create,--orphan");
    let elsewhere = call.words.operands.first().is_some_and(|start| !start.is("HEAD"));
    if elsewhere || !made {
        worktree(call, Certainty::Certain);
    }
}

fn clean(call: &mut Call<'_>) {
    // Without `-f` it refuses to do anything.
    if call.words.has("-n,--dry-run") || !call.words.has("-f,--force,-i,--interactive") {
        return;
    }
    if !call.words.operands.is_empty() {
        let specs = std::mem::take(&mut call.words.operands);
        for spec in specs {
            call.pathspec(spec, Shape::Entry, Certainty::Possible);
        }
    } else if call.kind(&Argument::Known(".git".to_owned())).is_some() || call.around.cwd.is_none() {
        worktree(call, Certainty::Possible);
    } else {
        // It begins where it is run.
        call.write(Argument::Known(".".to_owned()), Shape::Under, Certainty::Possible);
    }
}

/// `git config`: settings that name programs, or lead git elsewhere, are as good as a hook.
fn config(call: &mut Call<'_>) {
    const READS: &str = "get|list|get-regexp|get-color|get-colorbool";
    const SETS: &str = "set|unset|edit|remove-section|rename-section";
    let first = call.words.operands.first().map_or("", |operand| operand.text());
    let worded = among(SETS, '|', first);
    let edits = call.words.has("-e,--edit") || worded && first == "edit";
    let sets = worded
        || call.words.operands.len() > 1
        || call
            .words
            .has("--unset,--unset-all,--add,--replace-all,--remove-section,--rename-section,-e,--edit");
    let reads = call.words.has("--get,--get-all,--get-regexp,--get-urlmatch,--get-color,-l,--list");
    if reads || !sets || among(READS, '|', first) {
        return;
    }
    if let Some(file) = call.words.value("-f,--file").cloned() {
        return call.write(file, Shape::File, Certainty::Certain);
    }
    let operands = call.words.operands.get(usize::from(worded)..).unwrap_or_default();
    let sections = call.words.has("--remove-section,--rename-section") || first.ends_with("-section");
    let mut powerful = edits;
    for (place, key) in operands.iter().enumerate() {
        // What stands behind the key is its value; but a section's new name is a name too.
        powerful |= (place == 0 || sections) && (key.is_open() || is_powerful(key.text(), sections));
    }
    if powerful && call.words.has("--global") {
        // Only the shell knows where the home is.
        let text = Argument::Known(">> ~/.gitconfig".to_owned());
        call.push(Effect::Script { text, parameters: Vec::new(), here: false });
    } else if powerful && !call.words.has("--system") {
        let top = call.top();
        call.write(join(&top, &Argument::Known(".git/config".to_owned())), Shape::File, Certainty::Certain);
    }
}

/// Whether the setting `key` can make git run a program, or read and write elsewhere; with `section`,
/// whether that holds for anything in it.
fn is_powerful(key: &str, section: bool) -> bool {
    const SECTIONS: &str = "alias|include|includeif|filter|pager|credential|gpg|extensions|browser|man|difftool|mergetool|\
        trailer|sequence|uploadpack|receive|tar|sendemail|interactive|url|protocol";
    const NAMES: &str = "hookspath|fsmonitor|worktree|sshcommand|editor|pager|askpass|gitproxy|attributesfile|excludesfile|\
        command|cmd|external|textconv|driver|helper|program|clean|smudge|process|update|uploadpack|receivepack|vcs|\
        templatedir|bare|alternaterefscommand|packobjectshook|getter";
    let key = key.to_ascii_lowercase();
    let first = key.split('.').next().unwrap_or_default();
    let last = key.rsplit('.').next().unwrap_or_default();
    let whole = section && among("core|diff|merge|remote|submodule|init|safe", '|', first);
    whole || among(SECTIONS, '|', first) || among(NAMES, '|', last)
}

fn clone(call: &mut Call<'_>) {
    let directory = match call.words.operands.as_slice() {
        [_, directory, ..] => (*directory).clone(),
        [url] => {
            let url = url.with(url.text().trim_end_matches('/').trim_end_matches(".git"));
            let name = url.text().rsplit(['/', ':']).next().unwrap_or_default();
            url.with(if url.is_open() { "" } else { name })
        }
        [] => return,
    };
    call.write(directory, Shape::Under, Certainty::Certain);
}
