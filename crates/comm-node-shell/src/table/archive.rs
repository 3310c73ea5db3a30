//! What packs and unpacks: `tar`, `zip`, `gzip` and its kin.

use super::apply::Call;
use super::place::last_name;
use super::{Argument, Shape};
use crate::Certainty;

/// `tar`. The first argument may be options without a dash: `tar xzf a.tgz`.
pub(super) fn tar(call: &mut Call<'_>) {
    let mut operands: Vec<Argument> = call.words.operands.iter().map(|operand| (*operand).clone()).collect();
    let mut archive = call.words.value("-f,--file").cloned();
    let mut directory = call.words.value("-C,--directory").cloned();
    let mut mode = None;
    let mut stdout = call.words.has("-O,--to-stdout,--to-command");
    let old = call.args.first().filter(|first| !first.is_open() && !first.text().starts_with('-'));
    if let Some(letters) = old {
        let mut used = 1;
        for letter in letters.text().chars() {
            match letter {
                'c' | 'x' | 't' | 'r' | 'u' | 'A' | 'd' => mode = mode.or(Some(letter)),
                'O' => stdout = true,
                // The values stand behind, in the order of the letters.
                'f' | 'C' | 'b' | 'X' | 'T' | 'I' => {
                    match letter {
                        'f' => archive = operands.get(used).cloned(),
                        'C' => directory = operands.get(used).cloned(),
                        _ => {}
                    }
                    used += 1;
                }
                _ => {}
            }
        }
        operands.drain(..used.min(operands.len()));
    }
    const MODES: [(&str, char); 7] = [
        ("-x,--extract,--get", 'x'),
        ("-c,--create", 'c'),
        ("-r,--append", 'r'),
        ("-u,--update", 'u'),
        ("-A,--catenate,--concatenate", 'A'),
        ("--delete", 'r'),
        ("-t,--list,-d,--diff,--compare", 't'),
    ];
    for (flags, letter) in MODES {
        if mode.is_none() && call.words.has(flags) {
            mode = Some(letter);
        }
    }
    match mode {
        Some('x') if !stdout => {
            let directory = directory.unwrap_or_else(|| Argument::Known(".".to_owned()));
            call.write(directory, Shape::Under, Certainty::Possible);
        }
        Some('c' | 'r' | 'u' | 'A') => {
            // Without a file, and with `-`, it goes to standard output; `host:file` is elsewhere.
            if let Some(archive) = archive.filter(|archive| !archive.is("-")) {
                call.write(archive, Shape::File, Certainty::Certain);
            }
            if call.words.has("--remove-files") {
                for operand in operands {
                    call.tree(operand, Shape::Entry, Certainty::Certain);
                }
            }
        }
        Some(_) => {}
        None if call.args.first().is_some_and(Argument::is_open) => call.unknown(crate::Why::Path),
        None => {}
    }
}

/// `zip archive file…`; the archive's name may lack its `.zip`.
pub(super) fn zip(call: &mut Call<'_>) {
    let moves = call.words.has("-m,--move");
    let operands = std::mem::take(&mut call.words.operands);
    let Some((archive, files)) = operands.split_first() else { return };
    if archive.is("-") {
        return;
    }
    let mut path = archive.text().to_owned();
    if !last_name(&path).contains('.') && !archive.is_open() {
        path.push_str(".zip");
    }
    call.write(archive.with(&path), Shape::File, Certainty::Certain);
    if moves {
        for file in files {
            call.tree((*file).clone(), Shape::Entry, Certainty::Certain);
        }
    }
}

/// `gzip` and its kin: a file is replaced by another one with, or without, a suffix.
pub(super) fn compress(call: &mut Call<'_>) {
    const SUFFIXES: [(&str, &str); 7] = [
        ("bzip2 bunzip2", ".bz2"),
        ("xz unxz", ".xz"),
        ("lzma unlzma", ".lzma"),
        ("zstd unzstd", ".zst"),
        ("lz4 unlz4", ".lz4"),
        ("compress uncompress", ".Z"),
        ("", ".gz"),
    ];
    let words = &call.words;
    if words.has("-c,--stdout,--to-stdout,-l,--list,-t,--test,-o") {
        return;
    }
    let recursive = words.has("-r,--recursive");
    let zstd = matches!(call.name, "zstd" | "unzstd" | "lz4" | "unlz4");
    let keeps = words.has("-k,--keep") || zstd && !words.has("--rm");
    let unpacks = call.name.starts_with("un")
        || call.name.starts_with("gun")
        || call.name.starts_with("bun")
        || words.has("-d,--decompress,--uncompress");
    let mut suffix = ".gz".to_owned();
    for (names, usual) in SUFFIXES {
        if super::row::among(names, ' ', call.name) {
            usual.clone_into(&mut suffix);
        }
    }
    if let Some(given) = words.value("-S,--suffix").filter(|_| !zstd) {
        suffix.clear();
        suffix.push_str(given.text());
    }
    for file in std::mem::take(&mut call.words.operands) {
        if file.is("-") {
            continue;
        }
        if recursive && call.is_directory(file) != Some(false) {
            call.write(file.clone(), Shape::Under, Certainty::Possible);
            continue;
        }
        if !keeps {
            call.write(file.clone(), Shape::Entry, Certainty::Certain);
        }
        if file.is_open() {
            call.write(file.clone(), Shape::Entry, Certainty::Certain);
            continue;
        }
        let mut result = file.text().to_owned();
        if !unpacks {
            result.push_str(&suffix);
        } else if let Some(stem) = result.strip_suffix(".tgz").or_else(|| result.strip_suffix(".txz")) {
            result = [stem, ".tar"].concat();
        } else if let Some(at) = result.len().checked_sub(suffix.len()).filter(|_| result.ends_with(&suffix))
        {
            result.truncate(at);
        } else {
            // `gunzip a` reads `a.gz`.
            let mut packed = result.clone();
            packed.push_str(&suffix);
            call.write(Argument::Known(packed), Shape::Entry, Certainty::Possible);
        }
        call.write(Argument::Known(result), Shape::File, Certainty::Certain);
    }
}
