//! Whether a shell command closes work: once a budget that stops runs is used up, these are let go on.
//!
//! Such a command is `comm-node …`, `git add` or `git commit` in all its parts, with texts piped and substituted into it.

use comm_node_shell::ast::{Command, Kind, Parameter, ParameterOp, Part, Redirect, RedirectOp, Script, Word};
use comm_node_shell::parse;

/// Programs that pass on text and do nothing else.
const TEXT: [&str; 8] = ["cat", "echo", "printf", "head", "tail", "grep", "jq", "wc"];

/// True if all that `command`, as given to the Bash tool, does is to close work.
pub(crate) fn closes(command: &str) -> bool {
    parse::parse(command, 0).is_ok_and(|script| closing(&script) == Some(true))
}

/// The same of PowerShell: a single command without anything that could be more.
pub(crate) fn closes_in_powershell(command: &str) -> bool {
    let words: Vec<&str> = command.split_ascii_whitespace().collect();
    let more = |c: char| c.is_control() || "&|;<>(){}$`@".contains(c);
    !command.trim().contains(more) && is_closer(&words)
}

/// True if `words` are a command that closes work.
fn is_closer(words: &[&str]) -> bool {
    match words {
        ["comm-node", _, ..] | ["git", "add" | "commit", ..] => true,
        ["git", "-C", _, rest @ ..] => matches!(rest, ["add" | "commit", ..]),
        _ => false,
    }
}

/// Whether `script` closes work; `None` where it does something else too.
fn closing(script: &Script) -> Option<bool> {
    let mut found = false;
    for item in &script.items {
        let pipelines = std::iter::once(&item.first).chain(item.rest.iter().map(|(_, pipeline)| pipeline));
        for pipeline in pipelines {
            let mut closers = 0;
            for command in &pipeline.commands {
                closers += usize::from(of_command(command)?);
            }
            // What is neither is a change of the directory, which is no text for others.
            let is_cd = matches!(&*pipeline.commands, [one] if words(one).first() == Some(&"cd"));
            if item.background || (closers == 0 && !is_cd) {
                return None;
            }
            found |= closers > 0;
        }
    }
    Some(found)
}

/// Whether a command closes work; `None` for one that does something else.
fn of_command(command: &Command) -> Option<bool> {
    let is_harmless = command.redirects.iter().all(is_harmless);
    match &command.kind {
        _ if !is_harmless => None,
        Kind::Group(script) | Kind::Subshell(script) => closing(script),
        Kind::Simple { assignments, words: all } if assignments.is_empty() => {
            if !all.iter().all(|word| are_texts(&word.parts)) {
                return None;
            }
            let words = words(command);
            let program = words.first()?;
            match is_closer(&words) {
                true => Some(true),
                false => (TEXT.contains(program) || *program == "cd").then_some(false),
            }
        }
        _ => None,
    }
}

/// The words of a simple command, as far as they are written out; others are empty.
fn words(command: &Command) -> Vec<&str> {
    let Kind::Simple { words, .. } = &command.kind else { return Vec::new() };
    words.iter().map(|word| literal(word).unwrap_or_default()).collect()
}

fn literal(word: &Word) -> Option<&str> {
    match &*word.parts {
        [Part::Plain(text) | Part::Quoted(text)] => Some(text),
        _ => None,
    }
}

/// True if nothing but text comes of these.
fn are_texts(parts: &[Part]) -> bool {
    parts.iter().all(|part| match part {
        Part::Plain(_) | Part::Quoted(_) => true,
        Part::Parameter(parameter) => {
            let Parameter { op, .. } = &**parameter;
            matches!(op, ParameterOp::Value)
        }
        Part::Command { script, .. } => is_text(script),
        Part::Arith(_) | Part::Process(_) | Part::Array(_) => false,
    })
}

/// True for `$(cat <<'EOF' …)` and the like.
fn is_text(script: &Script) -> bool {
    script.items.iter().all(|item| {
        let pipelines = std::iter::once(&item.first).chain(item.rest.iter().map(|(_, pipeline)| pipeline));
        let mut commands = pipelines.flat_map(|pipeline| &pipeline.commands);
        !item.background && commands.all(|command| of_command(command).is_some())
    })
}

/// True for a redirection that writes nothing.
fn is_harmless(redirect: &Redirect) -> bool {
    if !are_texts(&redirect.target.parts) {
        return false;
    }
    match redirect.op {
        RedirectOp::Read | RedirectOp::HereDoc | RedirectOp::HereString | RedirectOp::DupIn => true,
        RedirectOp::DupOut => {
            literal(&redirect.target).is_some_and(|fd| fd == "-" || fd.bytes().all(|b| b.is_ascii_digit()))
        }
        _ => literal(&redirect.target) == Some("/dev/null"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_closes_work_in_all_its_parts() {
        for command in [
            "comm-node send human --type handoff 'open: tests'",
            "  comm-node inbox 2>/dev/null | head -5",
            "cd /shop && comm-node handoff write bd-1 --summary \"$(cat <<'EOF'\nrm -rf /; x\nEOF\n)\"",
            "cat <<EOF | comm-node send human -\n$HOME\nEOF",
            "git add -A && git commit -m \"$(printf '%s' done)\"; comm-node inbox",
            "git -C /shop commit -m x",
            "(cd a; comm-node inbox)",
        ] {
            assert!(closes(command), "{command}");
        }
        for command in [
            "echo comm-node x; rm y",
            "echo comm-node x",
            "rm y # comm-node x",
            "comm-node inbox; cargo build",
            "comm-node inbox | sh",
            "comm-node inbox > notes.md",
            "comm-node send human \"$(cargo test)\"",
            "comm-node send human <(cargo test)",
            "cargo test | comm-node send human -",
            "PATH=/tmp comm-node x",
            "comm-node() { rm y; }; comm-node x",
            "./comm-node x",
            "my-comm-node x",
            "comm-node inbox & ",
            "git status",
            "git add x; git push",
            "cd /shop",
            "if true; then comm-node inbox; fi",
            "comm-node 'x",
            "",
        ] {
            assert!(!closes(command), "{command}");
        }
    }

    #[test]
    fn powershell_is_read_strictly() {
        assert!(closes_in_powershell("comm-node send human 'open: tests'"));
        for command in
            ["Remove-Item y # comm-node x", "comm-node x; rm y", "comm-node $(rm y)", "comm-node x\nrm y", ""]
        {
            assert!(!closes_in_powershell(command), "{command}");
        }
    }
}
