//! Judging what a call would write: first every path, each by the rules of the node that it lies in,
//! then the leases on all of them together, so that a call which is refused holds none.
//!
//! In this order: a [`Court`] finds the nodes that have a say ([`Court::cases`]), sits down with their
//! rules ([`Court::settle`]), decides ([`Sitting::decide`]), takes leases ([`take`]) and answers
//! ([`Court::answer`]).

mod finding;
mod take;

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use comm_node_core::clock::Now;
use comm_node_core::deadline::Deadline;
use comm_node_core::guard::{self, Binding, Decision, Outcome, Outposts, Question};
use comm_node_core::node::registry::{Mode, Role};
use comm_node_core::node::{self, Place};
use comm_node_core::path::{self, Resolved};
use comm_node_core::session::Session;
use comm_node_core::store::{Event, Pause};
use comm_node_core::{Error, Result, lease::Conflict};

use crate::answer::Answer;
use crate::bind;
use crate::budget::{Exhausted, Purse};
use crate::scene::{Scene, Surroundings};
use crate::wire::Call;
pub(crate) use finding::{Finding, passes};
pub(crate) use take::{MAX_LEASES, take};

/// One path that a call would write.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// As the call names it.
    pub raw: String,
    /// What it really is.
    pub path: Resolved,
    /// The piece of a command that writes it.
    pub by: Option<String>,
    /// True if the name is written and not the content: a new directory too.
    pub entry: bool,
}

/// One path before the node that judges it: an index into the court's nodes.
#[derive(Debug)]
pub(crate) struct Case {
    pub node: usize,
    pub place: Place,
    named: Place,
    through_link: bool,
    raw: String,
    by: Option<String>,
    pub entry: bool,
    /// False if nothing stood there when its path was resolved.
    pub exists: bool,
}

/// A node that has a say, and the session as it knows it.
struct Bench {
    scene: Scene,
    session: Option<Session>,
    /// What was looked at for its rules, which stays so if they are read again.
    paused: OnceCell<Option<Pause>>,
    inside: OnceCell<Outposts>,
    outside: OnceCell<Outposts>,
}

impl Bench {
    fn new(scene: Scene) -> Self {
        let (paused, inside, outside) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { scene, session: None, paused, inside, outside }
    }
}

/// The nodes that have a say in one call.
pub(crate) struct Court<'c> {
    pub call: &'c Call<'c>,
    pub around: &'c Surroundings,
    pub deadline: Deadline,
    /// The session's own node comes first, if it has one.
    benches: Vec<Bench>,
    has_home: bool,
    /// Directories whose node was looked for already.
    looked: Vec<(PathBuf, Option<usize>)>,
}

impl<'c> Court<'c> {
    /// The court of a session whose own node is `home`.
    pub(crate) fn new(
        home: Option<Scene>,
        call: &'c Call<'c>,
        around: &'c Surroundings,
        deadline: Deadline,
    ) -> Self {
        let has_home = home.is_some();
        let benches = home.into_iter().map(Bench::new).collect();
        Self { call, around, deadline, benches, has_home, looked: Vec::new() }
    }

    /// The session's own node.
    pub(crate) fn home(&self) -> Option<&Scene> {
        self.benches.first().filter(|_| self.has_home).map(|bench| &bench.scene)
    }

    /// A failure from here on may concern a node although the session has none: it is answered as one.
    pub(crate) fn concerned(&self) {
        if !self.has_home {
            crate::failure::set_mode(Mode::Enforce);
        }
    }

    /// Brings each path before the nodes that judge it.
    ///
    /// # Errors
    /// When a node's rules or the session's record can't be read.
    pub(crate) fn cases(&mut self, wanted: Vec<Wanted>) -> Result<Vec<Case>> {
        let mut cases: Vec<Case> = Vec::with_capacity(wanted.len());
        for w in wanted {
            for node in self.nodes_of(&w.path)? {
                let scene = &self.benches[node].scene;
                let place = scene.locate(&w.path.real);
                let named = path::lexical(Path::new(&*self.call.cwd), Path::new(&w.raw));
                let named = if named == w.path.real { place.clone() } else { scene.locate(&named) };
                let in_node = |link: &PathBuf| matches!(scene.locate(link), Place::Inside { .. });
                let case = Case {
                    node,
                    named,
                    through_link: w.path.links.iter().any(in_node),
                    place,
                    raw: w.raw.clone(),
                    by: w.by.clone(),
                    entry: w.entry,
                    exists: w.path.exists,
                };
                let same = |c: &Case| c.node == node && c.place == case.place && c.named == case.named;
                if !cases.iter().any(same) {
                    cases.push(case);
                }
            }
        }
        Ok(cases)
    }

    /// The nodes that judge a write to `path`: the session's own, or another one that it lies in.
    fn nodes_of(&mut self, path: &Resolved) -> Result<Vec<usize>> {
        let mut nodes = Vec::new();
        if let Some(home) = self.home() {
            let inside = |path: &Path| matches!(home.locate(path), Place::Inside { .. });
            if inside(&path.real) {
                return self.seated(0);
            }
            // A link that stands in the node is the node's business wherever it leads.
            if path.links.iter().any(|link| inside(link)) {
                nodes = self.seated(0)?;
            }
        }
        match self.foreign(path.real.parent().unwrap_or(&path.real))? {
            Some(other) => nodes.extend(self.seated(other)?),
            None if self.has_home && nodes.is_empty() => return self.seated(0),
            None => {}
        }
        Ok(nodes)
    }

    /// The nodes that judge what happens in the directory `dir`, a real path.
    pub(crate) fn nodes_in(&mut self, dir: &Path) -> Result<Vec<usize>> {
        self.nodes_of(&Resolved { real: dir.join("-"), links: Vec::new(), exists: false })
    }

    /// The session's own node if it has one, with the session's record read.
    pub(crate) fn seat_home(&mut self) -> Result<()> {
        if self.has_home { self.seated(0).map(drop) } else { Ok(()) }
    }

    /// The node above `dir` that is not the session's.
    fn foreign(&mut self, dir: &Path) -> Result<Option<usize>> {
        if let Some((_, found)) = self.looked.iter().find(|(d, _)| d == dir) {
            return Ok(*found);
        }
        // From the session's own directory upwards it was searched already, and in vain.
        let searched = if self.has_home { None } else { self.around.start(self.call) };
        let found = node::find_from(dir, searched.as_deref()).inspect_err(|_| self.concerned())?;
        let found = match found {
            None => None,
            Some(layout) => match self.benches.iter().position(|b| b.scene.layout == layout) {
                Some(known) => Some(known),
                None => {
                    let scene = Scene::load(layout, self.deadline).inspect_err(|_| self.concerned())?;
                    self.benches.push(Bench::new(scene));
                    Some(self.benches.len() - 1)
                }
            },
        };
        self.looked.push((dir.to_path_buf(), found));
        Ok(found)
    }

    /// Reads the session's record as that node has it.
    fn seated(&mut self, node: usize) -> Result<Vec<usize>> {
        let home = self.has_home && node == 0;
        let bench = &mut self.benches[node];
        if bench.session.is_none() {
            let session = if home {
                bind::session(&bench.scene, self.call, self.around, self.deadline)?
            } else {
                bind::visitor(&bench.scene, self.call)?
            };
            bench.session = Some(session);
        }
        Ok(vec![node])
    }

    /// The answer that `decide` comes to with the rules that were read, or with all of them where it says that they
    /// [lack](Court::lacks) something, by `None`. It must not have changed anything then.
    ///
    /// # Errors
    /// As `decide`, and when a node's rules can't be read.
    pub(crate) fn settle(
        &mut self,
        decide: impl Fn(&Self, &[Sitting<'_>]) -> Result<Option<Answer>>,
    ) -> Result<Answer> {
        // With its own domain; with the owners of the paths; with all.
        for _ in 0..2 {
            if let Some(answer) = decide(self, &self.sit()?)? {
                return Ok(answer);
            }
            self.complete()?;
        }
        let damaged = "the rules lack what they were read for";
        decide(self, &self.sit()?)?
            .ok_or_else(|| Error::Invalid { what: "comm-node's own state", why: damaged.to_owned() })
    }

    /// True if what was decided needs more of a node's rules than was read.
    pub(crate) fn lacks(&self) -> bool {
        self.benches.iter().any(|bench| bench.scene.lacks())
    }

    /// Reads more of each node's rules, to decide once more.
    ///
    /// # Errors
    /// When they are damaged.
    fn complete(&mut self) -> Result<()> {
        self.benches.iter_mut().try_for_each(|bench| bench.scene.complete())
    }

    /// The nodes that have a say, with their rules for this session.
    ///
    /// # Errors
    /// When a node's roles are damaged.
    pub(crate) fn sit(&self) -> Result<Vec<Sitting<'_>>> {
        self.benches.iter().enumerate().map(|(at, bench)| self.sitting(at, bench)).collect()
    }

    fn sitting<'s>(&'s self, at: usize, bench: &'s Bench) -> Result<Sitting<'s>> {
        let home = self.has_home && at == 0;
        let Some(session) = &bench.session else {
            // Nothing is brought before it.
            return Ok(Sitting { home, ..Sitting::empty(self, bench) });
        };
        let binding = guard::binding(&bench.scene.registry, session);
        if let Binding::Domain(domain) = binding {
            crate::failure::set_mode(domain.mode);
        }
        Ok(Sitting {
            home,
            session: Some(session),
            binding,
            roles: bench.scene.roles(binding, session, self.call)?,
            paused: bench.paused.get_or_init(|| bench.scene.store.paused()).as_ref(),
            ..Sitting::empty(self, bench)
        })
    }

    /// The one answer to the call, logged.
    ///
    /// # Errors
    /// When a write that is let through can't be logged; a refusal stands whether or not it could be.
    pub(crate) fn answer(&self, sittings: &[Sitting<'_>], findings: &[Finding]) -> Result<Answer> {
        let worst = |outcome| findings.iter().find(|f| f.outcome == outcome);
        if let Some(f) = worst(Outcome::Deny) {
            let _ = self.log(sittings, f, "denied");
            return Ok(Answer::Deny(f.text.clone()));
        }
        if let Some(f) = worst(Outcome::Ask) {
            self.log(sittings, f, "asked")?;
            return Ok(Answer::Ask(f.text.clone()));
        }
        let mut notes: Vec<&str> = Vec::new();
        for node in 0..sittings.len() {
            let warned = findings.iter().filter(|f| f.node == node && f.outcome == Outcome::Warn);
            let Some(first) = warned.clone().next() else { continue };
            let told = self.tell(&sittings[node], first, warned.clone().any(|f| f.unbound))?;
            for f in warned.filter(|_| told != Told::Copy) {
                self.log(sittings, f, "warned")?;
                if !(f.unbound && told == Told::Before) && notes.len() < MAX_NOTES {
                    notes.push(&f.text);
                }
            }
        }
        if notes.is_empty() {
            return Ok(Answer::Silent);
        }
        Ok(Answer::Context { event: "PreToolUse", text: notes.join("\n") })
    }

    fn log(&self, sittings: &[Sitting<'_>], f: &Finding, event: &str) -> Result<()> {
        let sitting = &sittings[f.node];
        sitting.scene.store.log(&Event {
            event,
            session: sitting.session.map_or("", |s| s.session_id.as_str()),
            agent: self.call.agent_id.as_deref().unwrap_or_default(),
            domain: sitting.session.and_then(|s| s.domain.as_deref()).unwrap_or_default(),
            task: sitting.session.and_then(|s| s.task.as_deref()).unwrap_or_default(),
            tool: &self.call.tool_name,
            call: &self.call.tool_use_id,
            path: &f.shown,
            rule: f.rule,
            note: "",
        })
    }

    /// Settles who tells of writes that are let through, and whether they are to be told: that a
    /// session is unbound is news only once. A visitor from elsewhere has no record to remember it by,
    /// and is told each time.
    fn tell(&self, sitting: &Sitting<'_>, first: &Finding, unbound: bool) -> Result<Told> {
        let store = &sitting.scene.store;
        let Some(id) = sitting.session.map(|s| &s.session_id) else { return Ok(Told::Now) };
        let _lock = store.lock("sessions", self.deadline.at_most(Duration::from_secs(1)))?;
        let Some(mut session) = store.read_session(id)? else { return Ok(Told::Now) };
        let call = &self.call.tool_use_id;
        if !call.is_empty() && !session.note_write(&format!("{call} {}", first.shown)) {
            return Ok(Told::Copy);
        }
        let told = if unbound && session.noted { Told::Before } else { Told::Now };
        session.noted |= unbound;
        store.write_session(&session)?;
        Ok(told)
    }
}

/// One call has so many notes at most.
const MAX_NOTES: usize = 5;

/// Whether a note is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// It is.
    Now,
    /// That the session is unbound was told before; only the log has to know.
    Before,
    /// Another installed copy of this hook answers the same call.
    Copy,
}

/// A node's rules as they are for one call.
pub(crate) struct Sitting<'s> {
    pub scene: &'s Scene,
    /// `None` where nothing is brought before this node.
    pub session: Option<&'s Session>,
    pub binding: Binding<'s>,
    pub roles: Vec<Role<'s>>,
    pub paused: Option<&'s Pause>,
    /// True for the session's own node.
    pub home: bool,
    around: &'s Surroundings,
    bench: &'s Bench,
}

impl<'s> Sitting<'s> {
    fn empty(court: &'s Court<'_>, bench: &'s Bench) -> Self {
        Self {
            scene: &bench.scene,
            session: None,
            binding: Binding::None,
            roles: Vec::new(),
            paused: None,
            home: false,
            around: court.around,
            bench,
        }
    }

    /// Where protected files are besides their usual names, as far as it matters to `place`.
    pub(crate) fn outposts(&self, place: &Place) -> &Outposts {
        let inside = matches!(place, Place::Inside { .. });
        let cell = if inside { &self.bench.inside } else { &self.bench.outside };
        cell.get_or_init(|| self.around.outposts(&self.scene.layout, place))
    }

    fn question<'q>(&'q self, place: &'q Place, named: &'q Place, through_link: bool) -> Question<'q> {
        Question {
            registry: &self.scene.registry,
            binding: self.binding,
            roles: &self.roles,
            paused: self.paused,
            place,
            named,
            through_link,
            outposts: self.outposts(place),
        }
    }

    /// What the rules say of a write to `place`, leases aside.
    pub(crate) fn decide_at<'q>(&'q self, place: &'q Place) -> Decision<'q> {
        guard::decide(&self.question(place, place, false))
    }

    /// What the rules say of a case, leases aside.
    pub(crate) fn decide<'q>(&'q self, case: &'q Case) -> Decision<'q> {
        guard::decide(&self.question(&case.place, &case.named, case.through_link))
    }

    /// What another's lease makes of a write to `place`.
    pub(crate) fn leased<'q>(&'q self, place: &'q Place, conflict: &Conflict) -> Decision<'q> {
        guard::leased(&self.question(place, place, false), conflict.describe(Now::read()))
    }

    /// What an exhausted budget makes of a write to `place`.
    pub(crate) fn exhausted<'q>(&'q self, place: &'q Place, spent: &Exhausted) -> Option<Decision<'q>> {
        guard::exhausted(&self.question(place, place, false), &spent.why, &spent.then)
    }

    /// The budget of the session of which nothing is left, in the session's own node.
    ///
    /// # Errors
    /// When it can't be told where its budgets stand.
    pub(crate) fn purse(&self, deadline: Deadline) -> Result<Option<Exhausted>> {
        let Some(session) = self.session.filter(|_| self.home) else { return Ok(None) };
        match Purse::of(self.scene, session) {
            Some(purse) => purse.exhausted(deadline),
            None => Ok(None),
        }
    }

    /// What becomes of a call that another's lease on something like `place` speaks against.
    pub(crate) fn leased_outcome(&self, place: &Place) -> Outcome {
        guard::leased(&self.question(place, place, false), String::new()).outcome
    }

    /// True if the session is no session of this node.
    pub(crate) fn visited(&self) -> bool {
        self.session.is_none_or(|session| session.started.is_empty())
    }
}
