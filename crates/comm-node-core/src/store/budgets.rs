//! `ledger/standing.json`, `ledger/budgets/`, `ledger/messages/`: where budgets stand, what was granted, and
//! what efficiency is judged by.
//!
//! The standing is made from `comm-node.yaml`, the grants and the ledger, and is the one file that the guard
//! reads. It is written only where something crosses a band, under one lock, and what it is made from is read
//! under that lock: of two that spend at the same time the second sees what the first one spent.
//! Where it is missing or was made by other limits it is made anew.

use std::path::PathBuf;

use super::file::{self, Durability};
use super::sheet::{self, Sheet};
use super::{Lock, MAX_RECORD, Store, read_json};
use crate::budget::efficiency::{History, Score, Sent, Sizes};
use crate::budget::{Band, Figures, Gauge, Grants, OnExhausted, Span, Spent, Standing, assess, gauge, lines};
use crate::deadline::Deadline;
use crate::ledger::{self, Spend};
use crate::mail::{HUMAN, Kind, Message, NODE};
use crate::node::registry::Registry;
use crate::session::Session;
use crate::{Error, Result, clock};

/// The name of the file with what was granted to all domains together; no domain has such a name.
const ALL: &str = "all.together";

/// A longer file with the last messages of a domain is replaced by whoever adds to it: two hundred lines or so.
const MAX_HISTORY: u64 = 16 << 10;

/// The budgets of a node, held for writing.
#[derive(Debug)]
pub struct Treasury<'s> {
    store: &'s Store,
    _lock: Lock,
}

/// The present day in UTC, as ledgers name it.
#[must_use]
pub fn today() -> String {
    let mut now = clock::rfc3339(clock::now_ms());
    now.truncate(10);
    now
}

/// What a budget counts of `spend`. What is read from the cache again is the same text once more, at each call,
/// and costs a tenth: it is in the dollars, and not in the tokens.
fn counted(spend: Spend) -> Spent {
    let usage = spend.usage;
    let parts = [usage.output_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens];
    Spent {
        tokens: parts.into_iter().fold(usage.input_tokens, u64::saturating_add),
        usd: spend.known_micro_usd(),
        unpriced: spend.unpriced,
        messages: spend.message_tokens(),
    }
}

fn figures(spent: &ledger::Spent, today: &str) -> Figures {
    Figures {
        total: counted(spent.total),
        today: counted(spent.day(today)),
        tasks: spent.tasks.iter().map(|(task, (_, spend))| (task.clone(), counted(*spend))).collect(),
    }
}

impl Store {
    fn grants_path(&self, domain: &str) -> PathBuf {
        self.dir.join("ledger").join("budgets").join([domain, ".json"].concat())
    }

    fn standing_path(&self) -> PathBuf {
        self.dir.join("ledger").join("standing.json")
    }

    fn history_path(&self, domain: &str) -> PathBuf {
        self.dir.join("ledger").join("messages").join([domain, ".jsonl"].concat())
    }

    /// What was granted to `domain`; `None` means all domains together.
    ///
    /// # Errors
    /// When it is there but can't be read.
    pub fn grants(&self, domain: Option<&str>) -> Result<Grants> {
        Ok(read_json(&self.grants_path(domain.unwrap_or(ALL)))?.unwrap_or_default())
    }

    /// Where the budgets stand, as it was last written; `None` if it never was.
    ///
    /// # Errors
    /// When it is there but can't be read.
    pub fn standing(&self) -> Result<Option<Standing>> {
        read_json(&self.standing_path())
    }

    /// What `domain` spent, as budgets count it. Of its tasks the ones that sessions are at are among those known apart.
    ///
    /// # Errors
    /// When its ledger can't be read.
    pub fn figures(&self, domain: &str, today: &str) -> Result<Figures> {
        let tally = self.ledger().whole_tally(domain)?;
        let mut spent = tally.spent();
        if !spent.others.is_zero() {
            let sessions = self.sessions()?.into_iter().filter_map(Result::ok).map(|(session, _)| session);
            for task in sessions.filter(|s| s.domain.as_deref() == Some(domain)).filter_map(|s| s.task) {
                let on_task = self.ledger().spent_on(domain, &tally, &task)?;
                spent.tasks.insert(task, (today.to_owned(), on_task));
            }
        }
        Ok(figures(&spent, today))
    }

    /// What all domains spent together. One small file for each domain is read.
    ///
    /// # Errors
    /// When a ledger can't be read.
    pub fn figures_of_all(&self, registry: &Registry<'_>, today: &str) -> Result<Figures> {
        let mut all = Figures::default();
        // A tally that is gone is in no list: that of a domain which there is is missed.
        let mut names = self.ledger().domains();
        names.extend(registry.all_domains().map(|domain| domain.name.to_string()));
        names.sort_unstable();
        names.dedup();
        for domain in names {
            let one = self.figures(&domain, today)?;
            all.total = all.total.plus(one.total);
            all.today = all.today.plus(one.today);
        }
        Ok(all)
    }

    /// The budget of work of `domain` at `task` in a few characters, for a status line: of those that concern it the
    /// one that is spent furthest. `None` where there is none; then nothing is read. Otherwise two small files are.
    ///
    /// # Errors
    /// When what was spent or granted can't be read.
    pub fn gauge(
        &self,
        registry: &Registry<'_>,
        domain: &str,
        task: Option<&str>,
        width: usize,
    ) -> Result<Option<Gauge>> {
        let own = registry.domain(domain).and_then(|domain| domain.budget.as_deref());
        let Some(own) = own.filter(|own| !own.limits.is_empty()) else { return Ok(None) };
        let today = today();
        let figures = self.figures(domain, &today)?;
        Ok(gauge(&lines(own, &self.grants(Some(domain))?, &figures, &today), task, width))
    }

    /// What of the budgets' files, and of the tallies and records that they go by, can't be read. Not for hooks.
    #[must_use]
    pub fn damaged_budgets(&self) -> Vec<Error> {
        let mut found: Vec<Error> = self.standing().err().into_iter().collect();
        let names = |sub: &str, ending: &str| {
            let entries = std::fs::read_dir(self.dir.join("ledger").join(sub));
            let names = entries.into_iter().flatten().flatten().map(|entry| entry.file_name());
            let names = names.filter_map(|name| Some(name.to_str()?.strip_suffix(ending)?.to_owned()));
            names.filter(|name| !name.starts_with('.')).collect::<Vec<_>>()
        };
        found.extend(names("budgets", ".json").iter().filter_map(|name| self.grants(Some(name)).err()));
        found.extend(names("messages", ".jsonl").iter().filter_map(|name| self.history(name).err()));
        found.extend(self.ledger().domains().iter().filter_map(|name| self.ledger().tally(name).err()));
        let survey = self.ledger().survey();
        for source in &survey.sources {
            match self.ledger().record(source) {
                Ok(Some(record)) => found.extend(self.ledger().counted(source, &record).err()),
                other => found.extend(other.err()),
            }
        }
        found.extend(survey.failed.into_iter().map(|(_, e)| e));
        found
    }

    /// Takes the budgets for writing, waiting until `deadline`.
    ///
    /// # Errors
    /// [`Error::Locked`] when they were not free in time.
    pub fn treasury(&self, deadline: Deadline) -> Result<Treasury<'_>> {
        Ok(Treasury { store: self, _lock: self.lock("budgets", deadline)? })
    }

    /// Where `domain` stands after what was spent and granted so far; written down where that is news.
    ///
    /// # Errors
    /// When something can't be read, or not be written. What was written down of the domain is then withdrawn, so
    /// that the guard does not go by it.
    pub fn reassess(&self, registry: &Registry<'_>, domain: &str, deadline: Deadline) -> Result<Standing> {
        let made = self.standing().and_then(|old| {
            let old = old.unwrap_or_default();
            let (new, used) = self.assessed(registry, domain, &old)?;
            if new == old && used.is_none() {
                return Ok(old);
            }
            self.treasury(deadline)?.reassess(registry, domain)
        });
        if made.is_err() {
            self.withdraw(domain, deadline);
        }
        made
    }

    /// `old` with where `domain` stands now, and its grants if more of them is used: what is used today can't be seen
    /// tomorrow any more.
    fn assessed(
        &self,
        registry: &Registry<'_>,
        domain: &str,
        old: &Standing,
    ) -> Result<(Standing, Option<Grants>)> {
        let today = today();
        let mut new = Standing { version: 1, ..old.clone() };
        let mut used = None;
        let is_known =
            old.domains.contains_key(domain) || registry.domain(domain).is_none_or(|d| d.budget.is_none());
        if !is_known || (registry.budget.is_some() && old.node.is_none()) {
            self.check_records(domain)?;
        }
        if let Some(own) = registry.domain(domain).and_then(|domain| domain.budget.as_deref()) {
            let figures = self.figures(domain, &today)?;
            let mut grants = self.grants(Some(domain))?;
            let more = grants.note_use(own, &figures, &today);
            new.domains.insert(domain.to_owned(), assess(own, &grants, &figures, &today));
            used = more.then_some(grants);
        }
        new.node = match &registry.budget {
            Some(budget) => {
                Some(assess(budget, &self.grants(None)?, &self.figures_of_all(registry, &today)?, &today))
            }
            None => None,
        };
        // Of domains that are gone nobody wants to know.
        new.domains.retain(|name, _| registry.domain(name).is_some_and(|d| d.budget.is_some()));
        Ok((new, used))
    }

    /// That what the sessions of `domain` spend can be booked: with a record that can't be read they would spend unseen.
    fn check_records(&self, domain: &str) -> Result<()> {
        for session in self.sessions()?.into_iter().filter_map(Result::ok) {
            if session.0.domain.as_deref() == Some(domain) {
                let ledger = self.ledger();
                ledger
                    .sources_of(&session.0.session_id)?
                    .iter()
                    .try_for_each(|s| ledger.record(s).map(drop))?;
            }
        }
        Ok(())
    }

    /// Forgets where `domain` stands, as far as that can be done: it is judged anew before anything goes by it.
    pub fn withdraw(&self, domain: &str, deadline: Deadline) {
        let Ok(treasury) = self.treasury(deadline) else { return };
        if let Ok(Some(mut standing)) = self.standing()
            && (standing.domains.remove(domain).is_some() || standing.node.is_some())
        {
            standing.node = None;
            let _ = treasury.write_standing(&standing);
        }
    }

    /// Why `session` may not go over to another task: nothing is left of the budget of the one that it is at, and
    /// by another name the same work would have one of its own. `None` where it may.
    ///
    /// # Errors
    /// When it can't be told where the budgets stand.
    pub fn keeps_task(
        &self,
        registry: &Registry<'_>,
        session: &Session,
        task: Option<&str>,
        deadline: Deadline,
    ) -> Result<Option<String>> {
        let (Some(domain), Some(now)) = (session.domain.as_deref(), session.task.as_deref()) else {
            return Ok(None);
        };
        let own = registry.domain(domain).and_then(|domain| domain.budget.as_deref());
        let Some(own) = own.filter(|own| own.limits.iter().any(|limit| limit.0 == Span::Task)) else {
            return Ok(None);
        };
        if task == Some(now) || registry.policy.on_exhausted == OnExhausted::Warn {
            return Ok(None);
        }
        let standing = self.reassess(registry, domain, deadline)?;
        let used_up = standing
            .marks(domain, (Some(own), None), &today(), Some(now))
            .into_iter()
            .any(|(_, mark)| mark.span == Span::Task && mark.band == Band::All);
        let shown = crate::text::one_line(now, 80);
        Ok(used_up.then(|| {
            format!(
                "the budget of task {shown} is used up, and this session stays at it: hand it off with \
                 `comm-node handoff write {shown}`, or ask for more with `comm-node budget request <tokens> --reason '…' \
                 --task {shown}`; a person can set another task from a terminal of their own"
            )
        }))
    }

    /// The last messages of `domain`.
    ///
    /// # Errors
    /// When the record is there but can't be read.
    pub fn history(&self, domain: &str) -> Result<History> {
        Ok(Sheet::read(&self.history_path(domain))?.map(|sheet| sheet.value).unwrap_or_default())
    }

    /// The efficiency of `domain` among all domains of `registry`.
    ///
    /// # Errors
    /// When a record can't be read.
    pub fn score(&self, registry: &Registry<'_>, domain: &str) -> Result<Score> {
        let mut sizes = Sizes::default();
        let mut own = History::default();
        for one in registry.all_domains() {
            let history = self.history(&one.name)?;
            sizes.add(&history);
            if one.name.as_str() == domain {
                own = history;
            }
        }
        let today = today();
        let mut grants = self.grants(Some(domain))?;
        if let Some(budget) = registry.domain(domain).and_then(|d| d.budget.as_deref()) {
            grants.note_use(budget, &self.figures(domain, &today)?, &today);
        }
        Ok(Score::of(&own, grants.thrift(), &sizes))
    }

    /// Notes a message for its author's efficiency, and for that of whom it asks to be clearer. Whoever calls holds
    /// the lock that senders hold; noting it twice changes nothing.
    ///
    /// # Errors
    /// When a record can't be read or written.
    pub(super) fn note_message(&self, message: &Message) -> Result<()> {
        let id = message.id.text();
        if message.from != HUMAN && message.from != NODE {
            let (tier, tokens) = (message.tier().name().to_owned(), message.cost() as u64);
            self.add_to_history(&message.from, Sent { id: id.clone(), tier, tokens, drew: Vec::new() })?;
        }
        let Some(asked) = message.said.reply_to.filter(|_| message.said.kind == Kind::Question) else {
            return Ok(());
        };
        for author in message.said.to.iter().filter(|to| crate::mail::is_name(to)) {
            let drew = Sent { id: asked.text(), drew: vec![id.clone()], ..Sent::default() };
            self.add_to_history(author, drew)?;
        }
        Ok(())
    }

    /// Adds a line with `news`, which whoever reads it applies; a file that has grown is replaced by one line.
    fn add_to_history(&self, domain: &str, news: Sent) -> Result<()> {
        self.prepare_sub("ledger")?;
        self.prepare_sub("ledger/messages")?;
        let path = self.history_path(domain);
        let change = History { version: 1, messages: vec![news], ..History::default() };
        if file::append_line(&path, &sheet::line(&change)?, MAX_HISTORY)? {
            return Ok(());
        }
        let mut history = self.history(domain)?;
        history.take_over(change);
        if history.messages.is_empty() {
            // Of what it never sent nobody has to know what it drew.
            return Ok(());
        }
        sheet::replace(&path, &history)
    }
}

impl Treasury<'_> {
    /// Replaces what was granted to `domain`; `None` means all domains together.
    ///
    /// # Errors
    /// When it can't be written; what was there then stays.
    pub fn write_grants(&self, domain: Option<&str>, grants: &Grants) -> Result<()> {
        self.store.prepare_sub("ledger")?;
        self.store.prepare_sub("ledger/budgets")?;
        let path = self.store.grants_path(domain.unwrap_or(ALL));
        let mut text = serde_json::to_string_pretty(grants)
            .map_err(|e| Error::Invalid { what: "the record", why: e.to_string() })?;
        text.push('\n');
        if text.len() as u64 > MAX_RECORD {
            return Err(Error::Invalid { what: "the record", why: "its reasons are too long".to_owned() });
        }
        // It grants a right.
        file::replace(&path, text.as_bytes(), Durability::Flushed)
    }

    fn write_standing(&self, standing: &Standing) -> Result<()> {
        self.store.prepare_sub("ledger")?;
        super::write_json(&self.store.standing_path(), standing)
    }

    /// As [`Store::reassess`], for who holds the budgets already.
    ///
    /// # Errors
    /// As there.
    pub fn reassess(&self, registry: &Registry<'_>, domain: &str) -> Result<Standing> {
        let old = self.store.standing()?.unwrap_or_default();
        let (new, used) = self.store.assessed(registry, domain, &old)?;
        if let Some(grants) = used {
            self.write_grants(Some(domain), &grants)?;
        }
        if new != old {
            self.write_standing(&new)?;
        }
        Ok(new)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::budget::{Budget, By, Grant, Limit, Unit};
    use crate::ledger::{Keys, Record, Source, Usage};
    use crate::mail::{Draft, Ulid};
    use crate::session::SessionId;
    use crate::store::crash;

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(5))
    }

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Store::new(dir.path().join("state"));
        (dir, store)
    }

    fn registry(day: u64, all: Option<u64>) -> Registry<'static> {
        let json = r#"{"version":1,"source":{"size":0,"mtime_ns":0,"ctime_ns":0,"ino":0},"name":"shop","trees":["/n"],
            "domains":[{"name":"api","scope":[]},{"name":"web","scope":[]}]}"#;
        let mut registry = Registry::parse(json).expect("valid");
        let limits = vec![Limit(Span::Day, Unit::Tokens, day)];
        registry.domains[0].budget = Some(Box::new(Budget { limits, ..Budget::default() }));
        registry.budget =
            all.map(|n| Budget { limits: vec![Limit(Span::Day, Unit::Tokens, n)], ..Budget::default() });
        registry
    }

    fn spend(store: &Store, domain: &str, n: u64) {
        let usage = Usage { output_tokens: n, cache_read_tokens: 1 << 40, ..Usage::default() };
        let keys = Keys { domain: domain.into(), day: today(), task: "t".into(), ..Keys::default() };
        let source = Source::main(SessionId::new(&format!("{domain}-{n}")).expect("valid"));
        let mut new = Record::new();
        new.book(n, &keys, Spend { usage, ..Spend::default() });
        store.ledger().open(soon()).expect("opens").put(&source, new).expect("books");
    }

    fn band(standing: &Standing, domain: &str) -> Band {
        standing.domains[domain].marks.first().map_or(Band::Silent, |mark| mark.band)
    }

    #[test]
    fn spending_crosses_bands_and_grants_take_them_back() {
        let (_dir, store) = store();
        let registry = registry(1_000, None);
        let look = || band(&store.reassess(&registry, "api", soon()).expect("assesses"), "api");
        assert_eq!(look(), Band::Silent);
        spend(&store, "api", 500);
        // Nobody has looked yet.
        assert_eq!(band(&store.standing().expect("reads").expect("there"), "api"), Band::Silent);
        assert_eq!(look(), Band::Half);
        spend(&store, "web", 5_000);
        assert_eq!(look(), Band::Half);
        let shown = |domain| store.gauge(&registry, domain, None, 4).expect("reads").map(|g| g.text);
        assert_eq!(shown("api").as_deref(), Some("▓▓░░ 50 % of today's 1,000 tokens"));
        assert_eq!(shown("web"), None);
        spend(&store, "api", 510);
        assert_eq!(look(), Band::All);
        let treasury = store.treasury(soon()).expect("locks");
        let mut grants = store.grants(Some("api")).expect("reads");
        grants.add(Grant { n: 100, day: today(), by: By::Request, ..Grant::default() });
        treasury.write_grants(Some("api"), &grants).expect("writes");
        assert_eq!(band(&treasury.reassess(&registry, "api").expect("assesses"), "api"), Band::Most);
        drop(treasury);
        // 1,010 of 1,000: ten of the hundred are used.
        assert_eq!(store.grants(Some("api")).expect("reads").grants[0].used, 10);
        spend(&store, "api", 20);
        assert_eq!(look(), Band::Most);
        assert_eq!(store.grants(Some("api")).expect("reads").grants[0].used, 30);
    }

    #[test]
    fn all_domains_together() {
        let (_dir, store) = store();
        let registry = registry(1_000_000, Some(1_000));
        spend(&store, "web", 600);
        spend(&store, "api", 399);
        let node = |s: &Standing| s.node.as_ref().and_then(|m| m.marks.first()).map(|m| m.band);
        let standing = store.reassess(&registry, "web", soon()).expect("assesses");
        assert_eq!(node(&standing), Some(Band::Most));
        spend(&store, "web", 1);
        let standing = store.reassess(&registry, "web", soon()).expect("assesses");
        assert_eq!(node(&standing), Some(Band::All));
        assert!(standing.domains.is_empty(), "web has no budget of its own: {standing:?}");
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_what_was_known_is_withdrawn() {
        let (_dir, store) = store();
        let registry = registry(1_000, None);
        store.reassess(&registry, "api", soon()).expect("assesses");
        let ledger = store.dir().join("ledger/domains/api.jsonl");
        std::fs::create_dir_all(ledger.parent().expect("has one")).expect("dir");
        std::fs::write(&ledger, "{").expect("writes");
        let error = store.reassess(&registry, "api", soon()).expect_err("is damaged");
        assert!(error.to_string().contains("api.json"), "{error}");
        let standing = store.standing().expect("reads").expect("there");
        let own = registry.domains[0].budget.as_deref();
        assert!(!standing.is_of("api", own, None));
        std::fs::remove_file(&ledger).expect("removes");
        for path in ["ledger/budgets/api.json", "ledger/standing.json"] {
            let path = store.dir().join(path);
            std::fs::create_dir_all(path.parent().expect("has one")).expect("dir");
            std::fs::write(&path, "[1]").expect("writes");
            assert!(store.reassess(&registry, "api", soon()).is_err(), "{}", path.display());
            std::fs::remove_file(&path).expect("removes");
        }
        store.reassess(&registry, "api", soon()).expect("assesses again");
    }

    #[test]
    fn messages_and_the_questions_they_draw() {
        let (_dir, store) = store();
        let message = |from: &str, kind, reply_to| Message {
            id: Ulid::fresh(clock::now_ms(), None),
            from: from.into(),
            said: Draft {
                to: vec!["api".into(), "human".into()],
                kind,
                reply_to,
                body: "x".into(),
                ..Draft::default()
            },
        };
        let first = message("api", Kind::Answer, None);
        store.note_message(&first).expect("notes");
        store.note_message(&first).expect("notes");
        let question = message("web", Kind::Question, Some(first.id));
        store.note_message(&question).expect("notes");
        store.note_message(&question).expect("notes");
        store.note_message(&message("human", Kind::Question, Some(first.id))).expect("notes");
        store.note_message(&message("web", Kind::Answer, Some(first.id))).expect("notes");
        let score = store.score(&registry(1, None), "api").expect("scores");
        assert_eq!((score.messages, score.questions), (1, 2));
        assert_eq!(store.history("web").expect("reads").messages.len(), 2);
        assert_eq!(store.history("human").expect("reads").messages.len(), 0);
    }

    /// The file stays the one that it is until it is long, and what a writer that died left counts once or not at all.
    #[test]
    fn what_is_noted_of_messages_is_added_to_a_file() {
        let (_dir, store) = store();
        let path = store.history_path("api");
        let sent = |id: &str| Sent { id: id.into(), tier: "signal".into(), tokens: 10, drew: Vec::new() };
        let drew = |id: &str, q: &str| Sent { id: id.into(), drew: vec![q.into()], ..Sent::default() };
        // Of what was never sent nothing is kept.
        store.add_to_history("api", drew("1", "q")).expect("notes");
        assert!(file::is_missing(&path));
        for id in ["1", "2", "2"] {
            store.add_to_history("api", sent(id)).expect("notes");
        }
        for _ in 0..2 {
            store.add_to_history("api", drew("1", "q")).expect("notes");
        }
        let history = store.history("api").expect("reads");
        assert_eq!(history.messages, [Sent { drew: vec!["q".into()], ..sent("1") }, sent("2")]);
        let text = std::fs::read_to_string(&path).expect("reads");
        assert_eq!(text.lines().count(), 5, "{text}");
        for n in 0.. {
            crash::arm(n);
            let noted = store.add_to_history("api", sent(&format!("died-{n}")));
            let died = crash::disarm();
            assert_eq!(noted.is_err(), died, "{n}");
            store.add_to_history("api", sent(&format!("after-{n}"))).expect("notes");
            let history = store.history("api").expect("reads");
            let is = |id: String| history.messages.iter().filter(|m| m.id == id).count();
            assert_eq!((is(format!("died-{n}")), is(format!("after-{n}"))), (usize::from(!died), 1), "{n}");
            if !died {
                assert!(n > 1, "there is a place to die at, and one with half a line");
                break;
            }
        }
        let (mut most, mut shrunk) = (0, 0);
        for i in 0..1_000 {
            let before = path.metadata().expect("is there").len();
            store.add_to_history("api", sent(&i.to_string())).expect("notes");
            let len = path.metadata().expect("is there").len();
            most = most.max(len);
            shrunk += u32::from(len < before);
        }
        assert!(most < MAX_HISTORY + 200 && (1..20).contains(&shrunk), "{most} bytes, shrunk {shrunk} times");
        let history = store.history("api").expect("reads");
        let ids: Vec<&str> = history.messages.iter().map(|m| m.id.as_str()).collect();
        assert_eq!((ids.len(), ids[0], ids[49]), (50, "950", "999"));
    }
}
