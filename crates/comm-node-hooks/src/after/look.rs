//! The look back at one command.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use comm_node_core::Result;
use comm_node_core::clock::Now;
use comm_node_core::deadline::Deadline;
use comm_node_core::guard::{self, Decision, Outcome, Reason};
use comm_node_core::node::{Place, locate};
use comm_node_core::session::Session;
use comm_node_core::store::{CallRecord, Event, OpenCall};

use super::report::{Report, Suspect};
use super::state::{self, State};
use super::{changes, places};
use crate::answer::Answer;
use crate::commit;
use crate::judge::{Court, Sitting};
use crate::lease;
use crate::scene::{Scene, Surroundings};
use crate::wire::Call;

/// More leases than this are not taken for one command; the log says so.
const MAX_LEASES: usize = 1_000;
/// More files that are not the agent's have no line of their own in the log.
const MAX_LOGGED: usize = 200;

/// A look back at one command.
pub(super) struct Look<'l> {
    pub(super) call: &'l Call<'l>,
    around: &'l Surroundings,
    pub(super) deadline: Deadline,
    pub(super) record: &'l CallRecord,
    pub(super) id: &'l str,
    /// Other commands that run, each with its session and that one's domain.
    pub(super) others: OnceCell<Vec<(OpenCall, Option<String>)>>,
}

impl<'l> Look<'l> {
    pub(super) fn new(
        call: &'l Call<'l>,
        around: &'l Surroundings,
        deadline: Deadline,
        record: &'l CallRecord,
    ) -> Self {
        Self { call, around, deadline, record, id: &record.id, others: OnceCell::new() }
    }

    pub(super) fn back(&self, scene: Scene, event: &'static str) -> Result<Answer> {
        let mut court = Court::new(Some(scene), self.call, self.around, self.deadline);
        court.seat_home()?;
        let mut sittings = court.sit()?;
        // Whether it may go on writing is the guard's to say; this was begun before.
        let Some(own) = sittings.first_mut() else { return Ok(Answer::Silent) };
        own.paused = None;
        let own = &*own;
        let Some(session) = own.session else { return Ok(Answer::Silent) };
        let mut report = Report::default();
        self.settle(own, session, &mut report)?;
        if self.record.undecided || !self.record.under.is_empty() {
            self.judge(own, session, &mut report)?;
        }
        Ok(report.text(event, session.domain.as_deref()))
    }

    /// Confirms what was written of what leases were taken for, and gives back the rest.
    fn settle(&self, own: &Sitting<'_>, session: &Session, report: &mut Report) -> Result<()> {
        if self.record.leased.is_empty() {
            return Ok(());
        }
        let places = places(own.scene, self.record);
        let (mut wrote, mut not): (Vec<&Place>, Vec<&Place>) =
            places.iter().partition(|place| was_written(place.real(), self.record.began_ns));
        // What is as the last commit has it, or what git ignores, is nobody's unfinished work, and no commit would
        // ever free it.
        let reals: Vec<PathBuf> = wrote.iter().map(|place| place.real().to_path_buf()).collect();
        let mut states = state::states(&reals, self.deadline).into_iter();
        wrote.retain(|place| {
            let keep = states.next() != Some(State::Settled);
            if !keep {
                not.push(place);
            }
            keep
        });
        lease::give_back(own.scene, session, self.call, self.id, &not, self.deadline)?;
        self.confirm(own, session, wrote, report)
    }

    /// Takes or confirms leases on what was written. One that another has instead is a matter of its own,
    /// unless it is likely that the other wrote.
    fn confirm(
        &self,
        own: &Sitting<'_>,
        session: &Session,
        mut wrote: Vec<&Place>,
        report: &mut Report,
    ) -> Result<()> {
        let scene = own.scene;
        if wrote.len() > MAX_LEASES {
            self.log(own, session, "not_leased", "", "limit", &format!("{} files changed", wrote.len()))?;
            wrote.truncate(MAX_LEASES);
        }
        while !wrote.is_empty() {
            let Some(conflict) = lease::confirm(scene, session, self.call, &wrote, self.deadline)? else {
                break;
            };
            let place = wrote.remove(lease::meant(scene, &wrote, &conflict));
            if !self.may_be_of(own, session, &conflict.lease) {
                let words = conflict.describe(Now::read());
                let shown = guard::shown(&scene.layout.root, place.real());
                self.log(own, session, "written_twice", &shown, "lease", &words)?;
                report.twice.push(words);
            }
        }
        for place in wrote {
            let shown = guard::shown(&scene.layout.root, place.real());
            self.log(own, session, "wrote", &shown, "", "")?;
            scene.store.touch(&session.session_id, &shown)?;
        }
        Ok(())
    }

    /// Looks for what changed, and judges it.
    fn judge(&self, own: &Sitting<'_>, session: &Session, report: &mut Report) -> Result<()> {
        let found = changes::since(self.record.began_ns, &self.roots(own), self.deadline);
        let mut paths = found.files;
        let diff = self.call.bash_changes().bash_edit_diff.unwrap_or_default();
        // A comparison of before and after like ours, and no better at saying who it was. It may reach where ours
        // had to stop.
        let told = diff.changed_files.iter().map(|path| Path::new(path.as_str()));
        paths.extend(told.filter_map(|path| self.around.real(path).ok()));
        let foreign = |dir: &PathBuf| {
            let place = locate(&own.scene.registry, &dir.join("-"));
            let Place::Inside { tree, key, .. } = &place else { return false };
            let key = key.strip_suffix('-').unwrap_or(key).trim_end_matches('/');
            !guard::takes_whole(&own.scene.registry, own.binding, &own.roles, *tree, key)
        };
        let dirs: Vec<PathBuf> = found.dirs.into_iter().filter(foreign).collect();
        paths.extend(state::gone(&dirs, self.deadline));
        paths.sort();
        paths.dedup();
        paths.retain(|path| !self.record.leased.iter().any(|leased| Path::new(leased) == path));
        if !found.complete {
            let note = "the tree is too large, or changed too much, to be looked through after the command";
            self.log(own, session, "not_looked_through", "", "limit", note)?;
            report.incomplete = true;
        }
        let places: Vec<Place> = paths.iter().map(|path| locate(&own.scene.registry, path)).collect();
        let mut states = if paths.is_empty() { Vec::new() } else { state::states(&paths, self.deadline) };
        if states.contains(&State::Settled) {
            let made = commit::made(session, self.call, self.around, self.deadline);
            for (state, path) in states.iter_mut().zip(&paths) {
                if *state == State::Settled && made.contains(path) {
                    *state = State::Committed;
                }
            }
        }
        let mut gone: Vec<String> = Vec::new();
        let mut mine: Vec<&Place> = Vec::new();
        for ((place, state), path) in places.iter().zip(states).zip(&paths) {
            if !matches!(place, Place::Inside { .. }) {
                continue;
            }
            let decision = own.decide_at(place);
            match kind(&decision) {
                Verdict::None => {}
                Verdict::Own if matches!(state, State::Settled | State::Committed) => {}
                Verdict::Own => mine.push(place),
                // What is protected counts even where git ignores it.
                Verdict::Foreign
                    if self.record.worktree
                        || (state == State::Settled && !matches!(decision.reason, Reason::Protected(_))) => {}
                Verdict::Foreign => {
                    let shown = guard::shown(&own.scene.layout.root, path).into_owned();
                    let holder = self.holder(own, session, place)?;
                    if self.is_explained(own, session, place, holder.as_ref(), state) {
                        continue;
                    }
                    if state == State::Gone {
                        // It may have been gone before, by who holds it, or by what was told already.
                        let known = path.to_string_lossy().into_owned();
                        if holder.is_some() || session.told_gone.contains(&known) {
                            continue;
                        }
                        gone.push(known);
                    }
                    if report.suspects.len() < MAX_LOGGED {
                        self.log(own, session, "wrote_outside", &shown, decision.reason.rule(), "")?;
                    }
                    let why = match &holder {
                        Some(lease) => format!("it is held by {}", lease.holder.describe()),
                        None => guard::why(&decision, &own.scene.registry),
                    };
                    report.suspects.push(Suspect { shown, state, why });
                }
            }
        }
        if report.suspects.len() > MAX_LOGGED {
            let note = format!("{} in all", report.suspects.len());
            self.log(own, session, "wrote_outside", "", "limit", &note)?;
        }
        self.remember(own, session, &gone)?;
        self.confirm(own, session, mine, report)
    }

    /// Remembers what is missing and was told.
    fn remember(&self, own: &Sitting<'_>, session: &Session, gone: &[String]) -> Result<()> {
        let is_missing = |path: &str| Path::new(path).symlink_metadata().is_err();
        if gone.is_empty() && session.told_gone.iter().all(|path| is_missing(path)) {
            return Ok(());
        }
        let store = &own.scene.store;
        let _lock = store.lock("sessions", self.deadline.at_most(Duration::from_secs(1)))?;
        let Some(mut fresh) = store.read_session(&session.session_id)? else { return Ok(()) };
        fresh.note_gone(gone, is_missing);
        store.write_session(&fresh)
    }

    /// Where to look: in the worktree that the command ran in and in the node's trees, or only in the
    /// directories that it writes in.
    fn roots(&self, own: &Sitting<'_>) -> Vec<PathBuf> {
        if !self.record.undecided {
            return self.record.under.iter().map(PathBuf::from).collect();
        }
        let registry = &own.scene.registry;
        let mut roots = Vec::new();
        let cwd = self.around.real(Path::new(&self.record.cwd)).ok();
        if let Some(Place::Inside { key, real, .. }) = cwd.map(|cwd| locate(registry, &cwd.join("-"))) {
            roots.extend(real.ancestors().nth(key.split('/').count()).map(Path::to_path_buf));
        }
        for tree in registry.trees.iter().map(|tree| PathBuf::from(tree.as_str())) {
            if !roots.contains(&tree) {
                roots.push(tree);
            }
        }
        roots
    }

    fn log(
        &self,
        own: &Sitting<'_>,
        session: &Session,
        event: &str,
        path: &str,
        rule: &str,
        note: &str,
    ) -> Result<()> {
        own.scene.store.log(&Event {
            event,
            session: session.session_id.as_str(),
            agent: self.call.agent_id.as_deref().unwrap_or_default(),
            domain: session.domain.as_deref().unwrap_or_default(),
            task: session.task.as_deref().unwrap_or_default(),
            tool: &self.call.tool_name,
            call: self.id,
            path,
            rule,
            note,
        })
    }
}

/// True if what stands at `path` was written since, or is gone since. Directories are nothing.
fn was_written(path: &Path, began_ns: u64) -> bool {
    match path.symlink_metadata() {
        Ok(meta) => !meta.is_dir() && changes::changed(&meta) >= began_ns,
        Err(_) => path
            .parent()
            .and_then(|dir| dir.symlink_metadata().ok())
            .is_none_or(|meta| changes::changed(&meta) >= began_ns),
    }
}

/// What a decision means for something that is written already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing.
    None,
    /// It is leased as an edit would have been.
    Own,
    /// It is told.
    Foreign,
}

fn kind(decision: &Decision<'_>) -> Verdict {
    match (&decision.reason, decision.outcome) {
        (Reason::Off | Reason::Outside, _) => Verdict::None,
        (_, Outcome::Allow) | (Reason::Unbound { .. }, Outcome::Warn) => Verdict::Own,
        _ => Verdict::Foreign,
    }
}
