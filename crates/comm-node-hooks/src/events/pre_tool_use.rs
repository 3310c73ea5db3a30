//! PreToolUse: the guard. Reads what a call would write, judges each path, refuses or is silent.

use std::path::Path;

use comm_node_core::deadline::Deadline;
use comm_node_core::glob;
use comm_node_core::guard::Reason;
use comm_node_core::node::registry::Registry;
use comm_node_core::path::Resolved;
use comm_node_core::text::one_line;
use comm_node_core::{Error, Result, path};

use crate::Hook;
use crate::answer::Answer;
use crate::judge::{self, Case, Court, Finding, Wanted};
use crate::scene::{Scene, Surroundings};
use crate::shell;
use crate::wire::{Call, EditInput};

/// The hook program.
pub const HOOK: Hook = Hook { program: "comm-node-pre-tool-use", gate: true, run };

fn run(call: &Call<'_>, around: &Surroundings, deadline: Deadline) -> Result<Answer> {
    if is_shell(&call.tool_name) {
        return shell::run(call, around, deadline);
    }
    if !may_write(&call.tool_name) {
        return Ok(Answer::Silent);
    }
    let home = Scene::place_of_session(call, around)?
        .map(|layout| Scene::load_own(layout, None, call, deadline))
        .transpose()?;
    let raws = match &home {
        Some(scene) => named_paths(call, &scene.registry)?,
        None if is_edit(&call.tool_name) => edit_path(call).map(|path| vec![path]).ok(),
        None => None,
    };
    let raws = raws.unwrap_or_default();
    if raws.is_empty() {
        return Ok(Answer::Silent);
    }
    let mut court = Court::new(home, call, around, deadline);
    let mut wanted = Vec::with_capacity(raws.len());
    for raw in raws {
        for path in resolve(call, around, &raw).inspect_err(|_| court.concerned())? {
            wanted.push(Wanted { raw: raw.clone(), path, by: None, entry: false });
        }
    }
    let cases = court.cases(wanted)?;
    court.settle(|court, sittings| {
        let mut findings = Vec::new();
        let mut open: Vec<&Case> = Vec::new();
        for case in &cases {
            let decision = sittings[case.node].decide(case);
            findings.extend(Finding::of(&sittings[case.node], case, &decision));
            if decision.reason != Reason::Off {
                open.push(case);
            }
        }
        if court.lacks() {
            return Ok(None);
        }
        // Nothing else refuses it: now the leases decide, and are taken.
        if judge::passes(&findings) {
            judge::take(court, sittings, &open, &mut findings)?;
        }
        court.answer(sittings, &findings).map(Some)
    })
}

fn is_edit(tool: &str) -> bool {
    matches!(tool, "Edit" | "Write" | "NotebookEdit" | "MultiEdit")
}

/// True for the tools that run shell commands.
pub(crate) fn is_shell(tool: &str) -> bool {
    matches!(tool, "Bash" | "PowerShell" | "Monitor")
}

/// False for tools that can't be of interest, before anything is opened.
fn may_write(tool: &str) -> bool {
    is_edit(tool) || tool.starts_with("mcp__")
}

/// The paths that the call names as written; `None` for a tool that the node says nothing of.
///
/// # Errors
/// When the tool writes but its input names no path that can be read.
pub(crate) fn named_paths(call: &Call<'_>, registry: &Registry<'_>) -> Result<Option<Vec<String>>> {
    if is_edit(&call.tool_name) {
        return Ok(Some(vec![edit_path(call)?]));
    }
    let mut found: Option<Vec<String>> = None;
    for entry in registry.mcp_writes.iter().filter(|w| glob::matches(&w.tool, &call.tool_name)) {
        let paths = found.get_or_insert_default();
        let raw = call.tool_input.map_or("{}", |raw| raw.get());
        let input: serde_json::Value =
            serde_json::from_str(raw).map_err(|e| unreadable(call, &e.to_string()))?;
        if !input.is_object() {
            return Err(unreadable(call, "it is not a JSON object"));
        }
        let before = paths.len();
        for field in &entry.fields {
            match input.get(field.as_str()) {
                None | Some(serde_json::Value::Null) => {}
                Some(value) => collect(call, value, paths)?,
            }
        }
        if paths.len() == before {
            return Err(unreadable(call, "none of the fields that mcp_writes names holds a path"));
        }
    }
    Ok(found)
}

/// The path of one of the client's own edit tools.
fn edit_path(call: &Call<'_>) -> Result<String> {
    let raw = call.tool_input.map_or("{}", |raw| raw.get());
    let input: EditInput<'_> = serde_json::from_str(raw).map_err(|e| unreadable(call, &e.to_string()))?;
    let path = if call.tool_name == "NotebookEdit" {
        input.notebook_path.or(input.file_path)
    } else {
        input.file_path
    };
    path.map(|p| p.to_string()).ok_or_else(|| unreadable(call, "it names no path"))
}

/// The strings in `value`, which may be one path or a list of them.
fn collect(call: &Call<'_>, value: &serde_json::Value, paths: &mut Vec<String>) -> Result<()> {
    match value {
        serde_json::Value::String(path) => paths.push(path.clone()),
        serde_json::Value::Array(items) => {
            for item in items {
                collect(call, item, paths)?;
            }
        }
        _ => return Err(unreadable(call, "a field that should hold a path holds something else")),
    }
    Ok(())
}

fn unreadable(call: &Call<'_>, why: &str) -> Error {
    let tool = one_line(&call.tool_name, 60);
    Error::Invalid { what: "the tool's input", why: format!("{tool}: {}", one_line(why, 200)) }
}

/// What a write to `raw` would really touch: one path, or two where a `..` behind a symbolic link
/// can be read in two ways.
pub(crate) fn resolve(call: &Call<'_>, around: &Surroundings, raw: &str) -> Result<Vec<Resolved>> {
    let refused = |why: &str| Err(Error::Invalid { what: "the path", why: why.to_owned() });
    if raw.contains('\0') {
        return refused("it holds a NUL");
    }
    // The client trims and expands what its own tools are given; what an MCP server makes of such a
    // text is its own affair.
    let raw = if is_edit(&call.tool_name) { raw } else { raw.trim() };
    if !is_edit(&call.tool_name) && (raw.starts_with('~') || raw.contains("://")) {
        return refused("it is no plain path (`~` or a URL), so what the tool would write can't be known");
    }
    let (cwd, raw) = (Path::new(&*call.cwd), Path::new(raw));
    let mut out = vec![around.resolve(&path::lexical(cwd, raw))?];
    if raw.components().any(|c| c == std::path::Component::ParentDir) {
        let by_walk = around.resolve(&cwd.join(raw))?;
        if by_walk.real != out[0].real {
            out.push(by_walk);
        }
    }
    Ok(out)
}
