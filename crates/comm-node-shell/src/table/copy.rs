//! What is like `cp`, `mv`, `ln`, `install`, `rsync`, `scp`, `rm`, `mkdir`, `chmod`.

use super::apply::Call;
use super::place::last_name;
use super::{Argument, Shape, Standing};
use crate::{Certainty, FileKind};

/// Something that goes from many paths to one, which may be a directory.
pub(super) fn copy(call: &mut Call<'_>) {
    let like = call.like;
    let words = &call.words;
    let unless = like != "ln" && words.has("-n,--no-clobber,-u,--update");
    let certainty = if unless { Certainty::Possible } else { Certainty::Certain };
    let recursive = match like {
        "rsync" => words.has("-r,--recursive,-a,--archive"),
        _ => words.has("-r,-R,-a,--recursive,--archive"),
    };
    let into = words.value("-t,--target-directory").filter(|_| !remote(like)).cloned();
    let plain = words.has("-T,--no-target-directory");
    // `ln -sfn` replaces a link to a directory instead of making a link in there.
    let itself = like == "ln" && words.has("-n,-h,--no-dereference");
    if like == "install" && words.has("-d,--directory") {
        return make_directory(call);
    }
    let deep = |call: &Call<'_>, source: &Argument| match like {
        "mv" => !source.is_open() && call.is_directory(source) != Some(false),
        _ => recursive && call.kind(source) != Some(FileKind::File),
    };
    let mut sources: Vec<Argument> = words.operands.iter().map(|operand| (*operand).clone()).collect();
    let (target, is_directory) = match into {
        Some(target) => (target, Some(true)),
        None if like == "ln" && sources.len() == 1 => (Argument::Known(".".to_owned()), Some(true)),
        None => {
            let Some(target) = sources.pop() else { return };
            if sources.is_empty() {
                // `cp $files`: the target is among what isn't known. `rsync host:dir` only lists.
                if target.is_open() {
                    call.write(Argument::Unknown { prefix: String::new() }, Shape::File, certainty);
                }
                return;
            }
            let several = sources.len() > 1 && !plain;
            // `mv src new/` gives a directory that name, where there is none.
            let renames = !several
                && call.around.cwd.is_some()
                && target.text().ends_with('/')
                && call.kind(&target).is_none()
                && sources.iter().all(|source| deep(call, source));
            let is_directory = if plain || renames && like != "rsync" {
                Some(false)
            } else if several {
                Some(true)
            } else {
                call.is_directory(&target)
            };
            (target, is_directory)
        }
    };
    if like == "mv" || call.words.has("--remove-source-files") {
        for source in &sources {
            removed(call, source, call.is_directory(source) != Some(false), certainty);
            if like == "mv" {
                call.stands(source, Standing::Nothing);
            }
        }
    }
    if remote(like) && is_remote(&target) {
        return;
    }
    let shape = if matches!(like, "mv" | "ln") { Shape::Entry } else { Shape::File };
    let suffix = call.words.value("-S,--suffix").map(|suffix| suffix.text().to_owned());
    let backup = match &suffix {
        _ if remote(like) => None,
        Some(suffix) => Some(suffix.as_str()),
        None => call.words.has("-b,--backup").then_some("~"),
    };
    if itself {
        put(call, target.clone(), shape, certainty, backup);
        for source in &sources {
            stands(call, &target, source);
        }
    }
    match is_directory {
        Some(true) => {
            let certainty = if itself { Certainty::Possible } else { certainty };
            let spread = like == "rsync" && call.words.has("-R,--relative,--files-from");
            for source in &sources {
                let shape = if deep(call, source) { Shape::Under } else { shape };
                let name = last_name(source.text());
                // `host:file`
                let name = if remote(like) { name.rsplit(':').next().unwrap_or(name) } else { name };
                let whole = matches!(like, "cp" | "install") && call.words.has("--parents");
                let name = if whole { source.text().trim_matches('/') } else { name };
                let slash = source.text().ends_with('/');
                if source.is_open() {
                    let path = below(&target, "");
                    put(call, Argument::Unknown { prefix: path.text().to_owned() }, shape, certainty, backup);
                } else if matches!(name, "." | ".." | "") || spread || slash && like == "rsync" {
                    // `cp -r src/. dst`: everything in the source goes right into the target.
                    call.write(target.clone(), Shape::Under, certainty);
                    stands(call, &target, source);
                } else {
                    // BSD's cp, too, takes `src/` for everything in it.
                    if cfg!(target_os = "macos") && slash && shape == Shape::Under {
                        call.write(target.clone(), Shape::Under, Certainty::Possible);
                    }
                    let path = below(&target, name);
                    put(call, path.clone(), shape, certainty, backup);
                    stands(call, &path, source);
                }
            }
        }
        _ if itself => {}
        Some(false) => {
            let deep = sources.iter().any(|source| deep(call, source));
            put(call, target.clone(), if deep { Shape::Under } else { shape }, certainty, backup);
            for source in &sources {
                stands(call, &target, source);
            }
        }
        // It may be a directory: then something in it is written.
        None if target.is_open() => call.write(target, shape, certainty),
        None => {
            call.write(target.clone(), Shape::Under, Certainty::Possible);
            for source in &sources {
                stands(call, &target, source);
                stands(call, &below(&target, last_name(source.text())), source);
            }
        }
    }
}

/// Adds that `source` stands at `name` now, or what is like it; a copy of a file's content says nothing.
fn stands(call: &mut Call<'_>, name: &Argument, source: &Argument) {
    let within = call.within(source);
    let what = match call.like {
        "ln" if call.words.has("-s,--symbolic") => Standing::Link(source.clone()),
        "ln" => Standing::Same(within),
        "mv" => Standing::From(within),
        "cp" if call.words.has("-l,--link") => Standing::Same(within),
        "cp" if call.words.has("-s,--symbolic-link") => Standing::Link(source.clone()),
        "cp" if call.words.has("-L,--dereference") => return,
        "cp" if call.words.has("-a,-d,-P,-r,-R,--archive,--no-dereference,--recursive") => {
            Standing::From(within)
        }
        "rsync" if call.words.has("-a,-l,--archive,--links") => Standing::From(within),
        _ => return,
    };
    call.stands(name, what);
}

/// Adds a write, and one of the backup that is made if there was something before.
fn put(call: &mut Call<'_>, path: Argument, shape: Shape, certainty: Certainty, backup: Option<&str>) {
    call.write(path.clone(), shape, certainty);
    if let Some(suffix) = backup.filter(|_| !path.is_open()) {
        let mut name = path.text().trim_end_matches('/').to_owned();
        name.push_str(suffix);
        call.write(Argument::Known(name), Shape::Entry, Certainty::Possible);
    }
}

/// `rm`, `rmdir`, `unlink`, `shred`.
pub(super) fn remove(call: &mut Call<'_>) {
    let recursive = call.words.has("-r,-R,--recursive");
    for operand in std::mem::take(&mut call.words.operands) {
        removed(call, operand, recursive && call.is_directory(operand) != Some(false), Certainty::Certain);
        call.stands(operand, Standing::Nothing);
    }
}

fn removed(call: &mut Call<'_>, path: &Argument, deep: bool, certainty: Certainty) {
    let trimmed = path.text().trim_end_matches('/');
    let path = if path.is_open() || trimmed.is_empty() { path.clone() } else { path.with(trimmed) };
    call.write(path, if deep { Shape::Under } else { Shape::Entry }, certainty);
}

/// `mkdir`, `install -d`.
pub(super) fn make_directory(call: &mut Call<'_>) {
    let parents = call.like == "install" || call.words.has("-p,--parents");
    for operand in std::mem::take(&mut call.words.operands) {
        if !(parents && call.kind(operand) == Some(FileKind::Directory)) {
            removed(call, operand, false, Certainty::Certain);
            call.stands(operand, Standing::Directory);
        }
    }
}

/// `chmod`, `chown`, `chgrp`: the first operand is the mode, unless that looks like an option.
pub(super) fn change_mode(call: &mut Call<'_>) {
    let recursive = call.words.has("-R,--recursive");
    let moded = call.words.has("--reference,-r,-w,-x,-X,-s,-t");
    let operands = std::mem::take(&mut call.words.operands);
    for operand in operands.into_iter().skip(usize::from(!moded)) {
        let deep = recursive && call.is_directory(operand) != Some(false);
        call.write(operand.clone(), if deep { Shape::Under } else { Shape::File }, Certainty::Certain);
    }
}

fn remote(like: &str) -> bool {
    matches!(like, "scp" | "rsync")
}

/// Whether a path is on another machine or in a container: `host:path`.
fn is_remote(path: &Argument) -> bool {
    path.text().split('/').next().is_some_and(|first| first.len() > 1 && first.contains(':'))
}

/// `name` in the directory `target`.
fn below(target: &Argument, name: &str) -> Argument {
    let mut text = target.text().to_owned();
    if !target.is_open() && !text.ends_with('/') {
        text.push('/');
    }
    if !target.is_open() {
        text.push_str(name);
    }
    target.with(text.strip_prefix("./").filter(|rest| !rest.is_empty()).unwrap_or(&text))
}
