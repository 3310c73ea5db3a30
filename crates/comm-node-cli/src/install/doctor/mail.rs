//! The mail of the node of the working directory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use comm_node_core::clock;
use comm_node_core::deadline::Deadline;
use comm_node_core::mail::HUMAN;
use comm_node_core::node::registry::Registry;
use comm_node_core::store::{Ailments, Store};

use super::Check;

const NAME: &str = "mail";
/// How long other senders are waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// So many of one kind are named.
const NAMED: usize = 3;

/// Nothing is stuck, unreadable or left where nobody reads it. `rules` is the compiled configuration, if there is one.
pub(super) fn check(store: &Store, rules: Option<&str>, fix: bool) -> Check {
    if store.dir().symlink_metadata().is_err() {
        return Check::skip(NAME, "nothing was sent yet");
    }
    let registry = rules.and_then(|text| Registry::parse(text).ok());
    // Without rules no domain is known to be gone.
    let look = || {
        let domains = registry.iter().flat_map(|registry| registry.domains.iter().map(|d| d.name.as_str()));
        let mut found = store.mail().ailments(&domains.collect::<Vec<_>>(), clock::now_ms());
        if registry.is_none() {
            found.gone.clear();
        }
        found
    };
    let found = look();
    if found.is_empty() {
        return Check::pass(NAME, "nothing is stuck, unreadable or left where nobody reads it");
    }
    if !fix {
        let (what, remedies) = words(store.dir(), &found);
        return Check::warn(NAME, what, remedies);
    }
    let done = match mend(store, &found) {
        Ok(done) => done,
        Err(e) => return Check::fail(NAME, e.to_string(), e.remedy()),
    };
    let left = look();
    let done = if done.is_empty() { String::new() } else { format!("{}; ", done.join(", ")) };
    if left.is_empty() {
        return Check::pass(NAME, format!("{done}nothing else is wrong"));
    }
    let (what, remedies) = words(store.dir(), &left);
    Check::warn(NAME, format!("{done}{what}"), remedies)
}

/// Does what can cost nothing: finishes what was begun, and moves out of the way what can't be read.
fn mend(store: &Store, found: &Ailments) -> comm_node_core::Result<Vec<String>> {
    let mut done = Vec::new();
    if !found.stuck.is_empty() {
        store.mail().recover(Deadline::after(PATIENCE))?;
        done.push(format!("finished what {} senders left", found.stuck.len()));
    }
    for path in found.damaged.iter().chain(&found.due) {
        store.set_aside(path)?;
    }
    let aside = found.damaged.len() + found.due.len();
    if aside > 0 {
        done.push(format!("set {aside} files aside that can't be read"));
    }
    Ok(done)
}

/// What is wrong, and what to do about it.
fn words(state: &Path, found: &Ailments) -> (String, String) {
    let (mut what, mut remedies) = (Vec::new(), Vec::new());
    let mut say = |paths: &[PathBuf], text: &str, remedy: &str| {
        if !paths.is_empty() {
            let names: Vec<String> = paths
                .iter()
                .take(NAMED)
                .map(|path| path.strip_prefix(state).unwrap_or(path).display().to_string())
                .collect();
            let more = if paths.len() > NAMED { ", …" } else { "" };
            what.push(format!("{} {text} ({}{more})", paths.len(), names.join(", ")));
            remedies.push(remedy.to_owned());
        }
    };
    let fix = "run `comm-node doctor --fix`";
    say(&found.stuck, "half sent", fix);
    say(&found.damaged, "can't be read", fix);
    say(&found.due, "lists of what is due can't be read", fix);
    say(
        &found.unrouted,
        "in the drop box that nobody sends",
        "a message is a plain file called <name>.md that says `from:`; correct it, or remove it",
    );
    say(&found.rejected, "were rejected", "read the .why.txt beside it, write it anew, and remove it");
    for (domain, item) in found.unseen.iter().take(NAMED) {
        let session = item.state.session().map_or("", |id| id.short());
        what.push(format!(
            "{} to {domain} was told to session {session} and not gone on with",
            item.id.short()
        ));
    }
    if !found.unseen.is_empty() {
        remedies.push("look at that session; once it has ended another is told".to_owned());
    }
    for (domain, count) in &found.gone {
        what.push(format!("{count} wait for {domain}, which is no domain any more"));
    }
    if !found.gone.is_empty() {
        remedies.push(format!(
            "give the domain back, or read the files in mail/ and send what still matters (`comm-node send` as {HUMAN})"
        ));
    }
    remedies.dedup();
    (what.join(", "), remedies.join("; "))
}
