//! What a session that starts is told of work that waits: hand-offs and blockers, in a node and in a project that has
//! only the working files of the older convention.

use std::path::Path;

use comm_node_core::clock;
use comm_node_core::guard::Binding;
use comm_node_core::handoff;
use comm_node_core::notes::blocker;
use comm_node_core::notes::pending::{self, ARMED, NAMED, Waiting};
use comm_node_core::session::{Session, SessionId};
use comm_node_core::store::{Handed, Shelf, file};
use comm_node_core::text::one_line;

use crate::answer::Answer;
use crate::scene::{Scene, Surroundings};
use crate::wire::Call;

/// The directory of the older convention.
const MYTASKS: &str = ".claude/mytasks";
/// A working file is read up to this size.
const MAX: u64 = 64 << 10;
/// Files of the older convention that are counted.
const COUNTED: usize = 500;
/// Hand-offs whose frontmatter is looked at.
const LOOKED: usize = 16;

/// SessionStart in a node: the hand-offs for the session, the blockers, and what it works on itself.
pub(crate) fn at_start(scene: &Scene, session: &Session, binding: Binding<'_>) -> String {
    let root = &scene.layout.root;
    let mut out = String::new();
    if let Binding::Domain(domain) = binding {
        let (waiting, more) = waiting(scene, session, &domain.name);
        out.push_str(&pending::handoffs(&waiting, more));
        if !waiting.is_empty() {
            out.push_str("`comm-node handoff accept <task>` takes one over.\n");
        }
        if let Some(role) = &session.role {
            out.push_str("It acts in role ");
            out.push_str(&one_line(role, 60));
            out.push_str(", whose scope holds for it too.\n");
        }
    }
    if let Some(text) = read(&scene.store.note_path(blocker::FILE)) {
        out.push_str(&pending::blockers(".comm-node/blockers.md", &text));
    }
    let older = older(root);
    if let Some(older) = older {
        // The node says what is armed there.
        out.push_str(older.strip_suffix(ARMED).unwrap_or(&older));
        if out.is_empty() {
            out.push_str(ARMED);
        }
    }
    out
}

/// SessionStart where there is no node: one look, and nothing where there are no working files either.
pub(crate) fn without_node(call: &Call<'_>, around: &Surroundings) -> Answer {
    let cwd = Path::new(&*call.cwd);
    let dir = around.project_dir.as_deref().unwrap_or(cwd);
    match older(dir) {
        Some(text) => Answer::Context { event: "SessionStart", text: text.trim_end().to_owned() },
        None => Answer::Silent,
    }
}

/// What is to be said of the older convention's files in `root`; `None` where there are none.
fn older(root: &Path) -> Option<String> {
    let dir = root.join(MYTASKS);
    dir.symlink_metadata().ok().filter(std::fs::Metadata::is_dir)?;
    let mut found: Vec<(u64, String)> = Vec::new();
    for entry in std::fs::read_dir(dir.join("handoffs")).into_iter().flatten().flatten().take(COUNTED) {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let Ok(meta) = entry.path().symlink_metadata() else { continue };
        if name.ends_with(".md") && !name.starts_with('.') && meta.is_file() {
            found.push((meta.modified().map_or(0, clock::ms_of), name));
        }
    }
    found.sort_by(|a, b| b.cmp(a));
    let waiting: Vec<Waiting> = found
        .iter()
        .take(NAMED)
        .map(|(_, name)| Waiting { path: [MYTASKS, "/handoffs/", name].concat(), note: String::new() })
        .collect();
    let mut out = pending::handoffs(&waiting, found.len().saturating_sub(NAMED));
    if let Some(text) = read(&dir.join(blocker::FILE)) {
        out.push_str(&pending::blockers(&[MYTASKS, "/", blocker::FILE].concat(), &text));
    }
    if out.is_empty() {
        out.push_str(ARMED);
    }
    Some(out)
}

/// The text of a working file. One that is too large to be read here says so as a blocker would: it is not passed
/// over.
fn read(path: &Path) -> Option<String> {
    match file::read(path, MAX) {
        Ok(text) => text,
        Err(_) => Some("## the file can't be read\n".to_owned()),
    }
}

/// The hand-offs that this session can take or has taken, and how many more there are.
fn waiting(scene: &Scene, session: &Session, domain: &str) -> (Vec<Waiting>, usize) {
    let handoffs = scene.store.handoffs();
    let open = handoffs.list(domain, Shelf::Open);
    let taken = handoffs.list(domain, Shelf::Taken);
    let unseen = open.len().saturating_sub(LOOKED);
    let mut out: Vec<Waiting> = Vec::new();
    let mut more = unseen;
    let free = open.iter().take(LOOKED).map(|handed| (handed, false));
    for (handed, is_taken) in taken.iter().take(LOOKED).map(|handed| (handed, true)).chain(free) {
        let Some(one) = one(scene, session, handed, is_taken) else { continue };
        if out.len() < NAMED {
            out.push(one);
        } else {
            more += 1;
        }
    }
    (out, more)
}

/// The hand-off `handed`, if it is for this session.
fn one(scene: &Scene, session: &Session, handed: &Handed, is_taken: bool) -> Option<Waiting> {
    let text = scene.store.handoffs().read(handed).ok().flatten()?;
    let head = handoff::head(&text);
    let mut note = head.phase.as_deref().map(|role| ["role ", role].concat()).unwrap_or_default();
    let by = head.taken_by.as_deref().and_then(|id| SessionId::new(id).ok()).filter(|_| is_taken);
    match by {
        Some(id) if id == session.session_id => {
            if !note.is_empty() {
                note.push_str(", ");
            }
            note.push_str("taken by this session");
        }
        Some(id) if scene.store.session_lives(&id, clock::now_ms()) => return None,
        _ => {
            let fits = session.role.is_none() || head.phase.is_none() || session.role == head.phase;
            if !fits {
                return None;
            }
        }
    }
    Some(Waiting { path: scene.store.handoffs().shown(handed), note })
}
