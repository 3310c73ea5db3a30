//! Budgets in the hooks: what the guard refuses once nothing is left, what a session is told when a band is
//! crossed, and the end of a run.
//!
//! Everything goes by the standing, one small file; a domain that no budget concerns costs no look at it. The
//! figures behind it are the meter's.

use std::path::Path;
use std::time::Duration;

use comm_node_core::budget::{Band, Budget, Mark, OnExhausted, Standing, Whose, words};
use comm_node_core::deadline::Deadline;
use comm_node_core::guard::{self, Binding};
use comm_node_core::node::registry::{Domain, Mode};
use comm_node_core::session::Session;
use comm_node_core::store::{Event, today};
use comm_node_core::{Error, Result};
use serde::Deserialize;

use crate::answer::Answer;
use crate::scene::Scene;
use crate::wire::{Call, EditInput};

/// How many batches of calls close the work of a run that ends.
const CLOSING: u32 = 10;

/// The budgets that concern a session.
pub(crate) struct Purse<'s> {
    scene: &'s Scene,
    domain: &'s Domain<'s>,
    session: &'s Session,
}

/// A budget of which nothing is left, in words.
#[derive(Clone, Debug)]
pub(crate) struct Exhausted {
    /// Which one, as a clause.
    pub why: String,
    /// What to do, in whole sentences.
    pub then: String,
}

impl<'s> Purse<'s> {
    /// The budgets that concern `session`; `None` where there are none.
    pub(crate) fn of(scene: &'s Scene, session: &'s Session) -> Option<Self> {
        let Binding::Domain(domain) = guard::binding(&scene.registry, session) else { return None };
        let limited = domain.budget.as_ref().is_some_and(|b| !b.limits.is_empty());
        let any = limited || scene.registry.budget.is_some();
        (any && domain.mode != Mode::Off).then_some(Self { scene, domain, session })
    }

    fn budgets(&self) -> (Option<&Budget>, Option<&Budget>) {
        (self.domain.budget.as_deref(), self.scene.registry.budget.as_ref())
    }

    /// Where they stand, as it was written down; `None` where that is not by these limits.
    fn written(&self) -> Result<Option<Standing>> {
        let (own, node) = self.budgets();
        let standing = self.scene.store.standing()?;
        Ok(standing.filter(|standing| standing.is_of(&self.domain.name, own, node)))
    }

    /// Where they stand: as it was written down, or judged anew by the command line, so that the guard has nothing of
    /// ledgers and grants in it.
    fn standing(&self, deadline: Deadline) -> Result<Standing> {
        if let Some(standing) = self.written()? {
            return Ok(standing);
        }
        self.scene.assess(&self.domain.name, deadline)?;
        self.written()?.ok_or_else(|| Error::Assess { why: "they are not by the present limits".to_owned() })
    }

    /// Where they stand after spending.
    fn reassess(&self, deadline: Deadline) -> Result<Standing> {
        let limit = deadline.at_most(Duration::from_secs(1));
        self.scene.store.reassess(&self.scene.registry, &self.domain.name, limit)
    }

    /// The budgets that crossed a band, the furthest first.
    fn marks<'m>(&self, standing: &'m Standing) -> Vec<(Whose, &'m Mark)> {
        standing.marks(&self.domain.name, self.budgets(), &today(), self.session.task.as_deref())
    }

    /// What nothing is left of, if that keeps the session from writing.
    ///
    /// # Errors
    /// When it can't be told where the budgets stand.
    pub(crate) fn exhausted(&self, deadline: Deadline) -> Result<Option<Exhausted>> {
        if self.scene.registry.policy.on_exhausted == OnExhausted::Warn {
            return Ok(None);
        }
        let standing = self.standing(deadline)?;
        let first = self.marks(&standing).into_iter().find(|(_, mark)| mark.band == Band::All);
        Ok(first.map(|(whose, mark)| Exhausted {
            why: words::why(whose, mark, &self.domain.name),
            then: words::then(whose, mark, &self.domain.name),
        }))
    }

    /// What is news about the budgets, in one line each; empty where nothing is. It is told once.
    fn news(&self, marks: &[(Whose, &Mark)], deadline: Deadline) -> Result<String> {
        let keys: Vec<String> = marks.iter().map(|(_, mark)| mark.key()).collect();
        let told = &self.session.budget_told;
        // What was told is in the record of a moment ago: mostly there is nothing to say, and nothing to write.
        if keys.iter().all(|key| told.contains(key)) {
            return Ok(String::new());
        }
        let store = &self.scene.store;
        let _lock = store.lock("sessions", deadline.at_most(Duration::from_secs(1)))?;
        let Some(mut session) = store.read_session(&self.session.session_id)? else {
            return Ok(String::new());
        };
        let on_exhausted = self.scene.registry.policy.on_exhausted;
        let mut lines = Vec::new();
        for ((whose, mark), key) in marks.iter().zip(&keys) {
            if !session.budget_told.contains(key) {
                lines.push(words::warning(*whose, mark, &self.domain.name, on_exhausted));
            }
        }
        session.budget_told = keys;
        session.closing = 0;
        store.write_session(&session)?;
        Ok(lines.join("\n"))
    }
}

/// What the brief says of the budgets: what crossed a band. Empty where there is nothing to say, and where the session
/// goes on with its context: that has what was told, and a brief that is not the same would be in it twice.
#[must_use]
pub(crate) fn at_start(scene: &Scene, session: &Session, call: &Call<'_>, deadline: Deadline) -> String {
    if call.source == "resume" {
        return String::new();
    }
    let Some(purse) = Purse::of(scene, session) else { return String::new() };
    // It is said with each brief: the context is a new one.
    let forgetful = Session { budget_told: Vec::new(), ..session.clone() };
    let purse = Purse { session: &forgetful, ..purse };
    let on_exhausted = scene.registry.policy.on_exhausted;
    // What can't be read is the guard's to report, at the edit that it concerns.
    let Ok(standing) = purse.reassess(deadline) else { return String::new() };
    let marks = purse.marks(&standing);
    let lines: Vec<String> = marks
        .iter()
        .take(3)
        .map(|(whose, mark)| words::warning(*whose, mark, &purse.domain.name, on_exhausted))
        .collect();
    if !lines.is_empty() {
        let _ = purse.news(&marks, deadline);
    }
    lines.join("\n")
}

/// UserPromptSubmit: what is news about the budgets. A run that would end may close its work once more.
///
/// # Errors
/// When the state can't be read or written.
pub(crate) fn at_prompt(scene: &Scene, session: &Session, deadline: Deadline) -> Result<String> {
    let Some(purse) = Purse::of(scene, session) else { return Ok(String::new()) };
    let standing = purse.reassess(deadline)?;
    let mut marks = purse.marks(&standing);
    if scene.registry.policy.on_exhausted == OnExhausted::Stop {
        let all: Vec<String> =
            marks.iter().filter(|(_, m)| m.band == Band::All).map(|(_, m)| m.key()).collect();
        if all.iter().any(|key| session.budget_told.contains(key)) {
            // The person goes on: what is to be said then is said after the next call.
            let _lock = scene.store.lock("sessions", deadline.at_most(Duration::from_secs(1)))?;
            if let Some(mut session) = scene.store.read_session(&session.session_id)? {
                session.budget_told.retain(|key| !all.contains(key));
                scene.store.write_session(&session)?;
            }
            marks.retain(|(_, m)| m.band != Band::All);
            if marks.is_empty() {
                return Ok(String::new());
            }
        }
    }
    purse.news(&marks, deadline)
}

/// What a batch of calls leads to.
#[derive(Debug)]
pub(crate) enum After {
    /// The run goes on, and this is said.
    Say(String),
    /// The run ends.
    End(Answer),
}

/// PostToolBatch, after the meter, which has `metered` or could not: what is news about the budgets, or the end of the run.
///
/// # Errors
/// When the state can't be read or written.
pub(crate) fn at_batch(
    scene: &Scene,
    session: &Session,
    call: &Call<'_>,
    metered: bool,
    deadline: Deadline,
) -> Result<After> {
    let Some(purse) = Purse::of(scene, session) else { return Ok(After::Say(String::new())) };
    if !metered {
        // It spends unseen: the guard asks anew where its budgets stand, and is told why nobody can say.
        scene.store.withdraw(&purse.domain.name, deadline.at_most(Duration::from_secs(1)));
        return Ok(After::Say(String::new()));
    }
    let standing = purse.reassess(deadline)?;
    let marks = purse.marks(&standing);
    let first = marks.first().filter(|(_, mark)| mark.band == Band::All);
    let stops = scene.registry.policy.on_exhausted == OnExhausted::Stop && purse.domain.mode == Mode::Enforce;
    if let Some((whose, mark)) = first.filter(|_| stops)
        && session.budget_told.contains(&mark.key())
    {
        if session.closing < CLOSING && closes(scene, call, deadline) {
            let _lock = scene.store.lock("sessions", deadline.at_most(Duration::from_secs(1)))?;
            if let Some(mut session) = scene.store.read_session(&session.session_id)? {
                session.closing += 1;
                scene.store.write_session(&session)?;
            }
            return Ok(After::Say(String::new()));
        }
        scene.store.log(&Event {
            event: "stopped",
            session: session.session_id.as_str(),
            agent: call.agent_id.as_deref().unwrap_or_default(),
            domain: &purse.domain.name,
            task: session.task.as_deref().unwrap_or_default(),
            rule: "budget",
            note: &words::why(*whose, mark, &purse.domain.name),
            ..Event::default()
        })?;
        return Ok(After::End(Answer::End(words::stopped(*whose, mark, &purse.domain.name))));
    }
    purse.news(&marks, deadline).map(After::Say)
}

/// True if all that the calls of a batch do is to close work: `comm-node` commands, commits, messages in the drop
/// box, and slash commands, which are made of these.
fn closes(scene: &Scene, call: &Call<'_>, deadline: Deadline) -> bool {
    !call.tool_calls.is_empty() && call.tool_calls.iter().all(|one| closes_one(scene, one, deadline))
}

fn closes_one(scene: &Scene, one: &Call<'_>, deadline: Deadline) -> bool {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Command {
        command: String,
    }
    let Some(raw) = one.tool_input else { return false };
    match &*one.tool_name {
        "Bash" | "PowerShell" => serde_json::from_str::<Command>(raw.get())
            .is_ok_and(|input| scene.closes(&one.tool_name, &input.command, deadline)),
        "Write" | "Edit" => serde_json::from_str::<EditInput<'_>>(raw.get()).is_ok_and(|input| {
            let path = input.file_path.as_ref().map(|path| Path::new(path.as_str()));
            path.and_then(Path::parent) == Some(&scene.store.dir().join("outbox"))
        }),
        "Skill" | "SlashCommand" => true,
        _ => false,
    }
}
