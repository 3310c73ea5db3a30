//! The status line of an installation: whether there is to be one, and what is chained behind it.

use std::path::Path;

use anyhow::Result;

use super::layout::Layout;
use super::wiring;
use crate::env::Env;
use crate::out::Out;
use crate::settings::edit::status_line::{Found, in_file};
use crate::settings::entry::Wanted;
use crate::settings::places::Scope;

/// What the settings file of `scope` is to hold; without a status line of ours if the person wants `none`.
///
/// # Errors
/// When no home directory is known, or when a weaker settings file is none.
pub fn wanted(scope: Scope, none: bool, env: &Env, layout: &Layout) -> Result<Wanted> {
    let mut wanted = wiring::wanted(&layout.bin());
    if none || scope == Scope::Project {
        // A project's settings are everybody's, and the status line is a person's own.
        wanted.status_line = None;
    }
    if let Some(line) = wanted.status_line.as_mut().filter(|_| scope == Scope::Local) {
        // What is set in this file hides what the weaker ones say, of which the project's is the stronger.
        for scope in [Scope::Project, Scope::User] {
            match in_file(&scope.file(env)?)? {
                Found::None | Found::Other => continue,
                Found::Command(command) => line.inherited = Some(command),
                Found::Ours(chained) => line.inherited = chained,
            }
            break;
        }
    }
    Ok(wanted)
}

/// Says what became of the status line in the settings file at `path`.
pub fn say(out: &Out, path: &Path, none: bool) {
    match in_file(path).unwrap_or(Found::None) {
        Found::Ours(Some(_)) => {
            out.line(
                "status line: ours above yours in a node, yours alone elsewhere (--no-statusline leaves it)",
            );
        }
        Found::Ours(None) => {
            out.line("status line: ours in a node, none elsewhere (--no-statusline leaves it)")
        }
        Found::Other if !none => out.note("note: `statusLine` in it is no command, so it was left as it is"),
        _ => {}
    }
}
