//! PreToolUse: the guard. Reads what a call would write, judges each path, refuses or is silent.

use std::path::Path;
use std::time::Duration;

use comm_node_core::clock::Now;
use comm_node_core::deadline::Deadline;
use comm_node_core::glob;
use comm_node_core::guard::{self, Binding, Outcome, Question, Reason};
use comm_node_core::node::registry::{Mode, Registry};
use comm_node_core::node::{Place, locate};
use comm_node_core::path::Resolved;
use comm_node_core::session::Session;
use comm_node_core::store::Event;
use comm_node_core::text::one_line;
use comm_node_core::{Error, Result, path};

use crate::Hook;
use crate::answer::Answer;
use crate::bind;
use crate::lease;
use crate::scene::{Scene, Surroundings};
use crate::wire::{Call, EditInput};

/// The hook program.
pub const HOOK: Hook = Hook { program: "comm-node-pre-tool-use", gate: true, run };

fn run(call: &Call<'_>, around: &Surroundings, deadline: Deadline) -> Result<Answer> {
    if !may_write(&call.tool_name) {
        return Ok(Answer::Silent);
    }
    let home = Scene::of_session(call, around, deadline)?;
    let raws = match &home {
        Some(scene) => named_paths(call, &scene.registry)?,
        None if is_edit(&call.tool_name) => edit_path(call).map(|path| vec![path]).ok(),
        None => None,
    };
    let mut notes = Vec::new();
    for raw in raws.unwrap_or_default() {
        for path in resolve(call, around, &raw).inspect_err(|_| concerned(home.as_ref()))? {
            match judge(home.as_ref(), call, around, &raw, &path, deadline)? {
                Answer::Silent => {}
                Answer::Context { text, .. } => notes.push(text),
                refused => return Ok(refused),
            }
        }
    }
    if notes.is_empty() {
        return Ok(Answer::Silent);
    }
    Ok(Answer::Context { event: "PreToolUse", text: notes.join("\n") })
}

/// A failure from here on may concern a node although the session has none: it is answered as one.
fn concerned(home: Option<&Scene>) {
    if home.is_none() {
        crate::failure::set_mode(Mode::Enforce);
    }
}

/// Judges one path by the rules of the node it lies in: the session's own, or another one.
fn judge(
    home: Option<&Scene>,
    call: &Call<'_>,
    around: &Surroundings,
    raw: &str,
    path: &Resolved,
    deadline: Deadline,
) -> Result<Answer> {
    if let Some(scene) = home {
        let inside = |path: &Path| matches!(locate(&scene.registry, path), Place::Inside { .. });
        // A link that stands in the node is the node's business wherever it leads.
        if inside(&path.real) || path.links.iter().any(|link| inside(link)) {
            let session = bind::session(scene, call, around, deadline)?;
            let answer = judge_in(scene, session, call, around, raw, path, deadline)?;
            if inside(&path.real) || answer != Answer::Silent {
                return Ok(answer);
            }
        }
    }
    // From the session's own directory upwards it was searched already, and in vain.
    let searched = if home.is_none() { around.start(call) } else { None };
    let other = Scene::of_path(&path.real, searched.as_deref(), deadline).inspect_err(|_| concerned(home))?;
    match (other, home) {
        (Some(other), _) => {
            let session = bind::visitor(&other, call)?;
            judge_in(&other, session, call, around, raw, path, deadline)
        }
        (None, Some(home)) => {
            let session = bind::session(home, call, around, deadline)?;
            judge_in(home, session, call, around, raw, path, deadline)
        }
        (None, None) => Ok(Answer::Silent),
    }
}

/// Judges one path by the rules of `scene`.
fn judge_in(
    scene: &Scene,
    session: Session,
    call: &Call<'_>,
    around: &Surroundings,
    raw: &str,
    path: &Resolved,
    deadline: Deadline,
) -> Result<Answer> {
    let registry = &scene.registry;
    let place = &locate(registry, &path.real);
    let binding = guard::binding(registry, &session);
    if let Binding::Domain(domain) = binding {
        crate::failure::set_mode(domain.mode);
    }
    let roles = scene.roles(binding, &session, call)?;
    let paused = scene.store.paused();
    let named = path::lexical(Path::new(&*call.cwd), Path::new(raw));
    let named = if named == path.real { place.clone() } else { locate(registry, &named) };
    let outposts = around.outposts(&scene.layout.root, place);
    let question = Question {
        registry,
        binding,
        roles: &roles,
        paused: paused.as_ref(),
        place,
        named: &named,
        through_link: path.links.iter().any(|link| matches!(locate(registry, link), Place::Inside { .. })),
        outposts: &outposts,
    };
    let mut decision = guard::decide(&question);
    // Nothing else refuses it: now the leases decide, and one is taken.
    if decision.outcome != Outcome::Deny && decision.reason != Reason::Off {
        let visitor = session.started.is_empty();
        let take = if visitor { lease::look } else { lease::take };
        if let Some(conflict) = take(scene, &session, call, place, deadline)? {
            decision = guard::leased(&question, conflict.describe(Now::read()));
        }
    }
    // A path that leads out of the node is known to the agent by the name it gave.
    let shown = match decision.reason {
        Reason::LeadsOut => raw.into(),
        _ => guard::shown(&scene.layout.root, place.real()),
    };
    let told = match decision.outcome {
        Outcome::Warn => tell(scene, &session, call, &decision.reason, &shown, deadline)?,
        _ => Told::Now,
    };
    if told == Told::Copy {
        return Ok(Answer::Silent);
    }
    let (event, answer) = match decision.outcome {
        Outcome::Allow => return Ok(Answer::Silent),
        Outcome::Warn => (
            "warned",
            Answer::Context { event: "PreToolUse", text: guard::note(&decision, registry, &shown) },
        ),
        Outcome::Ask => ("asked", Answer::Ask(guard::refusal(&decision, registry, &shown))),
        Outcome::Deny => ("denied", Answer::Deny(guard::refusal(&decision, registry, &shown))),
    };
    let logged = scene.store.log(&Event {
        event,
        session: session.session_id.as_str(),
        agent: call.agent_id.as_deref().unwrap_or_default(),
        domain: session.domain.as_deref().unwrap_or_default(),
        tool: &call.tool_name,
        call: &call.tool_use_id,
        path: &shown,
        rule: decision.reason.rule(),
        note: "",
    });
    // A refusal stands whether or not it could be logged.
    if decision.outcome != Outcome::Deny {
        logged?;
    }
    Ok(if told == Told::Before { Answer::Silent } else { answer })
}

/// Whether a note is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// It is.
    Now,
    /// The session was told before; only the log has to know.
    Before,
    /// Another installed copy of this hook answers the same call.
    Copy,
}

/// Settles who tells of a write that is let through, and whether it is to be told: that a session
/// is unbound is news only once. A visitor from elsewhere has no record to remember it by, and is
/// told each time.
fn tell(
    scene: &Scene,
    session: &Session,
    call: &Call<'_>,
    reason: &Reason<'_>,
    shown: &str,
    deadline: Deadline,
) -> Result<Told> {
    let _lock = scene.store.lock("sessions", deadline.at_most(Duration::from_secs(1)))?;
    let Some(mut session) = scene.store.read_session(&session.session_id)? else { return Ok(Told::Now) };
    if !call.tool_use_id.is_empty() && !session.note_write(&format!("{} {shown}", call.tool_use_id)) {
        return Ok(Told::Copy);
    }
    let unbound = matches!(reason, Reason::Unbound { .. });
    let told = if unbound && session.noted { Told::Before } else { Told::Now };
    session.noted |= unbound;
    scene.store.write_session(&session)?;
    Ok(told)
}

fn is_edit(tool: &str) -> bool {
    matches!(tool, "Edit" | "Write" | "NotebookEdit" | "MultiEdit")
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
