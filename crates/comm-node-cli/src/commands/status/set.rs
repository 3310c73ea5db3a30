//! `comm-node status --set`: an agent says what it does.

use std::time::Duration;

use anyhow::{Result, bail};
use comm_node_core::activity::{self, Activity};
use comm_node_core::deadline::Deadline;
use comm_node_core::mail;
use comm_node_core::session::{Session, SessionId};
use comm_node_core::store::Event;
use comm_node_core::text::one_line;
use comm_node_core::{clock, guard};

use crate::Outcome;
use crate::commands::join::{find_session, record};
use crate::env::Env;
use crate::here::{Here, session_of_caller};
use crate::out::Out;

/// Characters of a note.
const MAX_NOTE: usize = 200;
/// Characters of a task's name, as in a message.
const MAX_TASK: usize = 80;

/// The part of the arguments that says something.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Saying what a session does")]
pub(super) struct Said {
    /// What it does now; idle also ends its task, busy lasts until the turn ends
    #[arg(long, value_enum, value_name = "STATE")]
    set: Option<Set>,
    /// The task that it works on
    #[arg(long)]
    task: Option<String>,
    /// How much of the task is done: 40, 40% or 2/5
    #[arg(long, value_parser = activity::progress)]
    progress: Option<u8>,
    /// Anything more, in one line
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Another session than the one this is run in, by its id or the beginning of it (for a person)
    #[arg(long, value_name = "ID")]
    session: Option<String>,
}

/// What can be said.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Set {
    /// It works
    Busy,
    /// It has nothing to do
    Idle,
    /// It can't go on
    Blocked,
}

impl Said {
    /// True if anything is said.
    pub(super) fn is_any(&self) -> bool {
        self.set.is_some()
            || self.task.is_some()
            || self.progress.is_some()
            || self.note.is_some()
            || self.session.is_some()
    }
}

/// Puts on record what is said.
pub(super) fn run(args: &Said, json: bool, here: &Here, env: &Env, out: &Out) -> Result<Outcome> {
    if args.set.is_none() && args.task.is_none() && args.progress.is_none() && args.note.is_none() {
        bail!("nothing was said of the session; give --set, --task, --progress or --note with --session");
    }
    if let Some(task) = &args.task
        && !mail::is_word(task, MAX_TASK)
    {
        bail!("`{}` is no task's name; write one word of at most {MAX_TASK} characters", one_line(task, 60));
    }
    if let Some(note) = &args.note
        && note.chars().count() > MAX_NOTE
    {
        bail!("the note has more than {MAX_NOTE} characters; say it shorter, or send a message");
    }
    let registry = here.registry()?;
    let id = whose(args, here, env)?;
    let _lock = here.store.lock("sessions", Deadline::after(Duration::from_secs(2)))?;
    let (mut session, _) = record(env, &here.store, &id)?;
    let before = session.task.clone();
    let patience = Deadline::after(Duration::from_secs(2));
    let stays = match session_of_caller(env, &here.store)? {
        Some(_) => here.store.keeps_task(&registry, &session, args.task.as_deref(), patience)?,
        // A person says what a session works on.
        None => None,
    };
    if let Some(why) = stays.as_ref().filter(|_| args.task.is_some()) {
        bail!("the task was not changed: {why}");
    }
    say(&mut session, args, clock::now_ms());
    if stays.is_some() {
        // Idle, too, it is at the task whose budget it used up.
        session.task = before;
    }
    here.store.write_session(&session)?;
    let words = in_words(&session);
    here.log(&Event {
        event: "status",
        session: id.as_str(),
        domain: session.domain.as_deref().unwrap_or_default(),
        task: session.task.as_deref().unwrap_or_default(),
        note: &words,
        ..Event::default()
    });
    if json {
        out.json(&session);
        return Ok(Outcome::Done);
    }
    let who = match guard::binding(&registry, &session) {
        guard::Binding::Domain(domain) => domain.name.to_string(),
        _ => format!("session {} (bound to no domain)", id.short()),
    };
    out.line(format!("{who}: {words}"));
    Ok(Outcome::Done)
}

/// The session that is meant: an agent speaks for itself alone.
fn whose(args: &Said, here: &Here, env: &Env) -> Result<SessionId> {
    match (&args.session, session_of_caller(env, &here.store)?) {
        (None, Some(own)) => Ok(own),
        (Some(prefix), Some(own)) if own.as_str().starts_with(prefix.as_str()) => Ok(own),
        (Some(_), Some(own)) => bail!(
            "this is run inside session {}, which can speak for itself alone; leave --session out",
            own.short()
        ),
        (Some(prefix), None) => find_session(&here.store, prefix),
        (None, None) => bail!(
            "no session was named: this is not run inside one; give one with --session, `comm-node sessions` lists them"
        ),
    }
}

/// What a session said holds until it says otherwise; of another task nothing is done yet, and an idle
/// one has none.
fn say(session: &mut Session, args: &Said, now_ms: u64) {
    if let Some(set) = args.set {
        session.activity = Some(match set {
            Set::Busy => Activity::Busy,
            Set::Idle => Activity::Idle,
            Set::Blocked => Activity::Blocked,
        });
        session.note = None;
        if matches!(set, Set::Idle) {
            session.task = None;
            session.progress = None;
        }
    }
    if args.task.is_some() && args.task != session.task {
        session.task.clone_from(&args.task);
        session.progress = None;
    }
    session.progress = args.progress.or(session.progress);
    if let Some(note) = &args.note {
        session.note = Some(note.clone()).filter(|note| !note.trim().is_empty());
    }
    session.said_ms = Some(now_ms);
}

/// What a session said, in one line.
fn in_words(session: &Session) -> String {
    let mut words = match session.activity {
        Some(Activity::Busy) => "busy",
        Some(Activity::Idle) => "idle",
        Some(Activity::Blocked) => "blocked",
        None => "said",
    }
    .to_owned();
    if let Some(task) = &session.task {
        words.push_str(&format!(" with {}", one_line(task, MAX_TASK)));
    }
    if let Some(progress) = session.progress {
        words.push_str(&format!(", {progress} %"));
    }
    if let Some(note) = &session.note {
        words.push_str(&format!(": {}", one_line(note, MAX_NOTE)));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(set: Option<Set>, task: Option<&str>, progress: Option<u8>, note: Option<&str>) -> Said {
        let text = |text: Option<&str>| text.map(str::to_owned);
        Said { set, task: text(task), progress, note: text(note), session: None }
    }

    #[test]
    fn what_was_said_holds_until_something_else_is() {
        let mut session = Session::new(SessionId::new("s").expect("an id"));
        for (args, words) in [
            (args(Some(Set::Busy), Some("bd-1"), Some(40), Some("tests")), "busy with bd-1, 40 %: tests"),
            (args(None, None, Some(60), None), "busy with bd-1, 60 %: tests"),
            (args(Some(Set::Blocked), None, None, Some("no API")), "blocked with bd-1, 60 %: no API"),
            (args(Some(Set::Busy), None, None, None), "busy with bd-1, 60 %"),
            (args(Some(Set::Busy), Some("bd-1"), None, None), "busy with bd-1, 60 %"),
            (args(None, Some("bd-2"), None, Some("a\u{1b}[2J")), "busy with bd-2: a\\u{1b}[2J"),
            (args(None, None, None, Some(" ")), "busy with bd-2"),
            (args(Some(Set::Idle), None, None, None), "idle"),
        ] {
            say(&mut session, &args, 7);
            assert_eq!(in_words(&session), words, "{args:?}");
        }
        assert_eq!(session.said_ms, Some(7));
    }
}
