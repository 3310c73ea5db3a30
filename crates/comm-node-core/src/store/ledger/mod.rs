//! `ledger/`: what sessions and domains spent.
//!
//! `sessions/<session>/<part>.jsonl` are the records, which are the truth; `domains/<domain>.jsonl` are their
//! sums. One lock is held while they are written, in this order:
//!
//! 1. where the domain's tally does not know the source as open, all that the record has is in the closed
//!    sum: the record says so first,
//! 2. the tally opens the source with nothing,
//! 3. the record is replaced: how far was read, and what was counted, at once; the responses that it was counted with
//!    ([`ids`]) are written just before, and count with it,
//! 4. the tally takes over what the record has beyond what is closed.
//!
//! What changes in 3 and 4 is one line at the end of each file ([`super::sheet`]). Whoever dies between two of these leaves a tally that lags behind and is put right by the next write;
//! nothing is counted twice and nothing is lost.

mod ids;
mod tasks;

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ids::Ids;

use super::file;
use super::sheet::{self, Sheet};
use super::{Event, Lock, Store};
use crate::deadline::Deadline;
use crate::ledger::{Account, Booking, Bound, MAX_TASKS, Progress, Record, Source, Spend, Spent, Tally};
use crate::session::SessionId;
use crate::{Error, Result};

/// The ledger is held for well under a millisecond; what is not booked now is booked next time.
const PATIENCE: Duration = Duration::from_millis(100);
/// A tally that is gone is made again within so much time, or not at all.
const RECOUNT: Duration = Duration::from_secs(1);
/// So much of a domain's mail is counted at once.
const MAX_MAIL: u64 = 128 << 10;

/// A node's ledger, for readers.
#[derive(Clone, Copy, Debug)]
pub struct Ledger<'s> {
    store: &'s Store,
}

/// What became of a tally that was compared with the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rebuilt {
    /// It was right.
    Same,
    /// It was made again, and says as much as before or more.
    Made,
    /// It was made again, and says so much less: the records know no more.
    Lowered(Spend),
    /// It says more than the records that could be read, and was left at that.
    Kept,
}

/// Which sources have a record.
#[derive(Debug, Default)]
pub struct Survey {
    /// Those that have one, sorted.
    pub sources: Vec<Source>,
    /// The sessions of which that can't be told, and why; `None`: of all.
    pub failed: Vec<(Option<SessionId>, Error)>,
}

/// The sources of which something may be on record that can't be read: no sum may be lowered for their sake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// These.
    pub sources: Vec<Source>,
    /// All of these sessions.
    pub sessions: Vec<SessionId>,
    /// All.
    pub all: bool,
}

impl Unread {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn has(&self, source: &Source) -> bool {
        self.all || self.sessions.contains(&source.session) || self.sources.contains(source)
    }
}

/// The ledger, held for writing.
#[derive(Debug)]
pub struct Books<'s> {
    ledger: Ledger<'s>,
    _lock: Lock,
}

impl Store {
    /// The node's ledger; nothing is opened or made.
    #[must_use]
    pub fn ledger(&self) -> Ledger<'_> {
        Ledger { store: self }
    }
}

/// True for a name that a tally's file can have. Domains have such names; what a session calls its own need not.
fn is_name(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    !name.is_empty() && name.len() <= 128 && !name.starts_with('.') && name.bytes().all(good)
}

impl<'s> Ledger<'s> {
    fn dir(&self) -> PathBuf {
        self.store.dir.join("ledger")
    }

    fn record_path(&self, source: &Source) -> PathBuf {
        let name = [source.part(), ".jsonl"].concat();
        self.dir().join("sessions").join(source.session.as_str()).join(name)
    }

    fn tally_path(&self, domain: &str) -> PathBuf {
        self.dir().join("domains").join([domain, ".jsonl"].concat())
    }

    /// What `domain` spent: all of it, its latest days and tasks. One small file is read.
    ///
    /// # Errors
    /// As [`Ledger::whole_tally`].
    pub fn spent(&self, domain: &str) -> Result<Spent> {
        Ok(self.whole_tally(domain)?.spent())
    }

    /// The tally of `domain`. One that is missing or has a torn end does not count as nothing: it is made again from the
    /// records first, which takes a second at most and is done once.
    ///
    /// # Errors
    /// When it is there but can't be read, or can't be made again.
    pub fn whole_tally(&self, domain: &str) -> Result<Tally> {
        if !is_name(domain) {
            return Ok(Tally::default());
        }
        match self.tally_sheet(domain)? {
            Some(sheet) if !sheet.torn => Ok(sheet.value),
            // Nothing was ever spent here.
            None if file::is_missing(&self.dir().join("sessions")) => Ok(Tally::default()),
            _ => self.open(Deadline::after(PATIENCE))?.restored(domain),
        }
    }

    fn tally_sheet(&self, domain: &str) -> Result<Option<Sheet<Tally>>> {
        Sheet::read(&self.tally_path(domain))
    }

    /// The tally of `domain`, `None` if there is none yet.
    ///
    /// # Errors
    /// When it is there but can't be read.
    pub fn tally(&self, domain: &str) -> Result<Option<Tally>> {
        if !is_name(domain) {
            return Ok(None);
        }
        Ok(self.tally_sheet(domain)?.map(|sheet| sheet.value))
    }

    /// The record of `source`, `None` if there is none yet.
    ///
    /// # Errors
    /// When it is there but can't be read.
    pub fn record(&self, source: &Source) -> Result<Option<Record>> {
        Ok(self.sheet(source)?.map(|sheet| sheet.value))
    }

    fn sheet(&self, source: &Source) -> Result<Option<Sheet<Record>>> {
        Sheet::read(&self.record_path(source))
    }

    /// The sources of one session that have a record, sorted.
    ///
    /// # Errors
    /// When they can't be listed: what can't be seen is not nothing.
    pub fn sources_of(&self, session: &SessionId) -> Result<Vec<Source>> {
        let dir = self.dir().join("sessions").join(session.as_str());
        let part = |name: &str| Source::parse(&format!("{session}/{}", name.strip_suffix(".jsonl")?));
        Ok(listed(&dir)?.iter().filter_map(|name| part(name)).collect())
    }

    /// Every source that has a record, sorted, and of which that can't be told. This grows with history: not for hooks.
    #[must_use]
    pub fn survey(&self) -> Survey {
        let mut found = Survey::default();
        let sessions = match listed(&self.dir()).and_then(|_| listed(&self.dir().join("sessions"))) {
            Ok(names) => names,
            Err(e) => {
                found.failed.push((None, e));
                return found;
            }
        };
        for id in sessions.iter().filter_map(|name| SessionId::new(name).ok()) {
            match self.sources_of(&id) {
                Ok(sources) => found.sources.extend(sources),
                Err(e) => found.failed.push((Some(id), e)),
            }
        }
        found
    }

    /// The sources whose record was set aside and has not been made again, sorted. Not for hooks.
    #[must_use]
    pub fn lost_sources(&self) -> Vec<Source> {
        let dir = self.dir().join("sessions");
        let mut lost = Vec::new();
        for session in names(&dir) {
            // What stood in the place of all of a session's records.
            if let Some((id, _)) = session.split_once(".damaged-") {
                let source = SessionId::new(id).ok().map(Source::main);
                lost.extend(source.filter(|source| file::is_missing(&self.record_path(source))));
            }
            for name in names(&dir.join(&session)) {
                let Some((part, _)) = name.split_once(".jsonl.damaged-") else { continue };
                let source = Source::parse(&[&session, "/", part].concat());
                lost.extend(source.filter(|source| file::is_missing(&self.record_path(source))));
            }
        }
        lost.dedup();
        lost
    }

    /// Where what stood in the place of all records was set aside. As long as that is there, nobody knows which of them
    /// are missing. Not for hooks.
    #[must_use]
    pub fn lost_all(&self) -> Option<PathBuf> {
        let dir = self.dir();
        let aside = names(&dir).into_iter().find(|name| name.starts_with("sessions.damaged-"))?;
        Some(dir.join(aside))
    }

    /// The domains that have a tally, sorted.
    #[must_use]
    pub fn domains(&self) -> Vec<String> {
        let names = names(&self.dir().join("domains"));
        names.iter().filter_map(|name| name.strip_suffix(".jsonl")).map(str::to_owned).collect()
    }

    /// Takes the ledger for writing, waiting until `deadline`.
    ///
    /// # Errors
    /// [`Error::Locked`] when it was not free in time.
    pub fn open(&self, deadline: Deadline) -> Result<Books<'s>> {
        Ok(Books { ledger: *self, _lock: self.store.lock("ledger", deadline)? })
    }

    /// Brings the record of `source` up to date with its transcript at `path`, and the tallies with it.
    ///
    /// # Errors
    /// When the ledger is not free in time, or something can't be read or written. What is not booked
    /// then is booked by the next look.
    pub fn catch_up(
        &self,
        source: &Source,
        path: &Path,
        since_ms: u64,
        booking: &mut Booking<'_>,
        bound: Bound,
    ) -> Result<Progress> {
        let books = self.open(bound.deadline.at_most(PATIENCE))?;
        let found = self.sheet(source)?;
        let is_new = found.is_none();
        let old = found.unwrap_or_else(|| Sheet::new(Record { since_ms, ..Record::new() }));
        let mut new = old.value.clone();
        let path_text = path.to_string_lossy();
        let is_elsewhere = new.path != path_text && is_another(Path::new(&new.path), path);
        if new.path != path_text {
            new.path = path_text.into_owned();
        }
        if new.keys != *booking.keys {
            new.keys = booking.keys.clone();
        }
        let mut progress = Progress::default();
        let mut ids = None;
        if let Some(mut file) = file::open(path, OpenOptions::new().read(true))? {
            let len = file.metadata().map_err(Error::io("read", path))?.len();
            if is_elsewhere {
                self.known_ids(source, &mut new)?;
                new.begin_anew();
            }
            if len != new.offset {
                let known = ids.insert(self.known_ids(source, &mut new)?);
                let counts = &mut *booking.counts;
                let mut counts = |key| {
                    let is_new = !known.has(key) && counts(key);
                    if is_new {
                        known.add(key);
                    }
                    is_new
                };
                let Booking { session, subagent, keys, .. } = *booking;
                let price = &mut *booking.price;
                let mut booking = Booking { session, subagent, keys, price, counts: &mut counts };
                progress = new.read_on(&mut file, &mut booking, bound).map_err(Error::io("read", path))?;
            }
        }
        if is_new || new != old.value {
            books.write(source, old, new, ids)?;
        }
        Ok(progress)
    }

    fn ids_path(&self, source: &Source) -> PathBuf {
        self.record_path(source).with_extension("ids")
    }

    /// The responses that `source` was counted with. Where they are not known, as of an earlier version, the record
    /// takes note of that.
    fn known_ids(&self, source: &Source, record: &mut Record) -> Result<Ids> {
        let path = self.ids_path(source);
        let is_lost = record.ids == 0 && record.latest_ms > 0;
        // What is no file could neither be read nor written over, and nothing would be booked any more.
        if path.symlink_metadata().is_ok_and(|meta| !meta.is_file()) {
            self.store.set_aside(&path)?;
        }
        match Ids::open(&path, record.ids)? {
            Some(ids) if !is_lost => return Ok(ids),
            Some(_) => {}
            None => self.lose_ids(source, &path)?,
        }
        record.ids = 0;
        record.unsure_ms = record.latest_ms;
        Ok(Ids::none(&path))
    }

    /// Moves what is left of the responses of `source` away, and notes that in the log.
    fn lose_ids(&self, source: &Source, path: &Path) -> Result<()> {
        if !file::is_missing(path) {
            self.store.set_aside(path)?;
        }
        // The log is not worth a response that is not booked.
        let _ = self.store.log(&Event {
            event: "responses_lost",
            session: source.session.as_str(),
            path: &path.to_string_lossy(),
            note: "which responses were counted is not known any more; what is read anew and older is taken for counted",
            ..Event::default()
        });
        Ok(())
    }

    /// Digests of the responses that `record`, that of `source`, was counted with, in no order. This grows with history:
    /// not for hooks.
    ///
    /// # Errors
    /// When they can't be read, or are not those that were written.
    pub fn counted(&self, source: &Source, record: &Record) -> Result<Vec<u64>> {
        let mut all = ids::all(&self.ids_path(source), record.ids)?;
        all.extend(record.seen.iter().filter(|seen| seen.row.is_some()).map(|seen| seen.key));
        Ok(all)
    }
}

impl<'s> Books<'s> {
    /// The ledger, for reading.
    #[must_use]
    pub fn ledger(&self) -> Ledger<'s> {
        self.ledger
    }

    /// Puts `new` in the place of the record of `source`, and brings the tallies of its domains up to date.
    ///
    /// # Errors
    /// When something can't be read or written; the next write puts right what that leaves behind.
    pub fn put(&self, source: &Source, new: Record) -> Result<()> {
        let old = self.ledger.sheet(source)?.unwrap_or_else(|| Sheet::new(Record::new()));
        self.write(source, old, new, None)
    }

    fn write(
        &self,
        source: &Source,
        mut old: Sheet<Record>,
        mut new: Record,
        ids: Option<Ids>,
    ) -> Result<()> {
        let name = source.to_string();
        let mut tallies = Vec::new();
        let mut folded = false;
        for domain in touched(&old.value, &new) {
            let found = self.ledger.tally_sheet(&domain)?;
            let mut tally = match found.filter(|sheet| !sheet.torn) {
                Some(sheet) => sheet,
                None => Sheet::new(self.recounted(&domain)?),
            };
            let is_open = tally.value.open.contains_key(&name);
            if !is_open {
                folded |= old.value.fold(&domain);
                tally.value.open.insert(name.clone(), Account::default());
            }
            tallies.push((domain, tally, is_open));
        }
        if folded {
            for (row, before) in new.rows.iter_mut().zip(&old.value.rows) {
                row.folded = before.folded;
            }
            self.write_record(source, &old.value)?;
            old = Sheet::new(old.value);
        }
        for (domain, tally, is_open) in &mut tallies {
            if !*is_open {
                self.write_tally(domain, &mut tally.value)?;
                *tally = Sheet::new(std::mem::take(&mut tally.value));
            }
        }
        let path = self.ledger.record_path(source);
        let is_own = self.is_own_dir("ledger")
            && self.is_own_dir("ledger/sessions")
            && path.parent().is_some_and(is_dir);
        if let Some(ids) = ids.filter(Ids::has_news) {
            if !is_own {
                self.prepare(source)?;
            }
            new.ids = ids.write()?;
        }
        let change = new.changes_since(&old.value).filter(|_| is_own);
        if !change.map_or(Ok(false), |change| old.append(&path, &change))? {
            self.write_record(source, &new)?;
        }
        for (domain, mut tally, _) in tallies {
            let path = self.ledger.tally_path(&domain);
            let account = new.account(&domain);
            let has_many = account.tasks.len() > MAX_TASKS;
            let change =
                Tally { version: 1, open: [(name.clone(), account.clone())].into(), ..Tally::default() };
            let before = tally.value.open.insert(name.clone(), account).unwrap_or_default();
            let begun = change.open.values().flat_map(|account| account.tasks.keys());
            let begun = begun.filter(|task| !before.tasks.contains_key(*task)).map(String::as_str);
            // What mail cost, and what was spent on a task before, is a part of the closed sum.
            let mut news = self.recall(&domain, &mut tally.value, begun)?;
            news |= self.count_mail(&domain, &mut tally.value)?;
            if news || !(self.is_own_dir("ledger/domains") && tally.append(&path, &change)?) {
                self.write_tally(&domain, &mut tally.value)?;
            }
            if has_many {
                self.close(source)?;
            }
        }
        Ok(())
    }

    /// Puts down anew which responses `source` was counted with, where that was lost: `keys`, or, if they are not known,
    /// that it isn't. What is read anew and no later than the latest of them is taken for counted.
    ///
    /// # Errors
    /// When something can't be read or written.
    pub fn restore_ids(&self, source: &Source, keys: Option<&[u64]>) -> Result<()> {
        let Some(old) = self.ledger.sheet(source)? else { return Ok(()) };
        let path = self.ledger.ids_path(source);
        self.ledger.lose_ids(source, &path)?;
        let mut new = old.value.clone();
        new.unsure_ms = new.unsure_ms.max(new.latest_ms);
        new.ids = 0;
        let mut ids = Ids::none(&path);
        keys.into_iter().flatten().for_each(|key| ids.add(*key));
        self.write(source, old, new, Some(ids))
    }

    /// True if `below` is a directory of the state's, and no link out of it.
    fn is_own_dir(&self, below: &str) -> bool {
        is_dir(&self.ledger.store.dir.join(below))
    }

    /// Takes `source` into the closed sums of its domains, so that their tallies stay small. It may still
    /// grow afterwards.
    ///
    /// # Errors
    /// When something can't be read or written.
    pub fn close(&self, source: &Source) -> Result<()> {
        let Some(record) = self.ledger.record(source)? else { return Ok(()) };
        let name = source.to_string();
        let domains: BTreeSet<&str> =
            record.rows.iter().map(|row| &*row.keys.domain).filter(|domain| is_name(domain)).collect();
        for domain in domains {
            let Some(mut tally) = self.ledger.tally(domain)? else { continue };
            if tally.open.remove(&name).is_some() {
                let account = record.account(domain);
                self.recall(domain, &mut tally, account.tasks.keys().map(String::as_str))?;
                tally.closed.merge(&account);
                self.write_tally(domain, &mut tally)?;
            }
        }
        Ok(())
    }

    /// Adds what the domain's mail cost since it was counted last; false if that is nothing.
    fn count_mail(&self, domain: &str, tally: &mut Tally) -> Result<bool> {
        let (traffic, cursor) = self.ledger.store.mail().traffic(domain, &tally.mail, MAX_MAIL)?;
        let news = cursor != tally.mail;
        if news {
            self.recall(domain, tally, traffic.iter().filter_map(|one| one.task.as_deref()))?;
            tally.add_mail(traffic, cursor);
        }
        Ok(news)
    }

    /// The tally of `domain` as [`Ledger::whole_tally`] gives it, and writes it where it had to be made again.
    fn restored(&self, domain: &str) -> Result<Tally> {
        if let Some(sheet) = self.ledger.tally_sheet(domain)?
            && !sheet.torn
        {
            return Ok(sheet.value);
        }
        let mut tally = self.recounted(domain)?;
        self.write_tally(domain, &mut tally)?;
        Ok(tally)
    }

    /// The tally of `domain` by all records and all mail, with all of it closed. This reads what grows with history, and
    /// gives up after [`RECOUNT`]; it is done where there is no tally, or only a part of one.
    fn recounted(&self, domain: &str) -> Result<Tally> {
        let limit = Deadline::after(RECOUNT);
        let in_time = || {
            let why = "it is missing or torn, and there are too many records to make it again in time; \
                       `comm-node usage` makes it";
            let path = self.ledger.tally_path(domain);
            if limit.passed() { Err(Error::Damaged { path, why: why.to_owned() }) } else { Ok(()) }
        };
        let mut tally = Tally { version: 1, ..Tally::default() };
        while self.count_mail(domain, &mut tally)? {
            in_time()?;
        }
        let Survey { sources, failed } = self.ledger.survey();
        if let Some((_, e)) = failed.into_iter().next() {
            return Err(e);
        }
        for source in sources {
            in_time()?;
            if let Some(record) = self.ledger.record(&source)? {
                tally.close_rows(domain, &record);
            }
        }
        tally.closed.trim();
        Ok(tally)
    }

    /// Puts the tally of `domain` right by all records and all mail, and closes what is open of sources that
    /// are not `live`. Where `unread` tells of records that could not be read, it holds on to what the tally has, and is not
    /// made to say less. This reads what grows with history: not for hooks.
    ///
    /// # Errors
    /// When something can't be read or written.
    pub fn rebuild(
        &self,
        domain: &str,
        records: &[(Source, Record)],
        unread: &Unread,
        live: &dyn Fn(&Source) -> bool,
    ) -> Result<Rebuilt> {
        let before = match self.ledger.tally_sheet(domain) {
            Ok(sheet) => sheet,
            Err(Error::Damaged { path, .. }) => {
                self.ledger.store.set_aside(&path)?;
                None
            }
            Err(e) => return Err(e),
        };
        let mut right = Tally { version: 1, ..Tally::default() };
        while self.count_mail(domain, &mut right)? {}
        for (_, record) in records {
            right.close_rows(domain, record);
        }
        right.closed.trim();
        let write_right = |right: &mut Tally| {
            let left_out = right.too_many().into_iter().collect();
            self.write_tally(domain, right)?;
            self.forget_all_but(domain, &left_out);
            Ok(())
        };
        let Some(Sheet { value: mut tally, torn, .. }) = before else {
            write_right(&mut right)?;
            return Ok(Rebuilt::Made);
        };
        let was = tally.clone();
        while self.count_mail(domain, &mut tally)? {}
        // What is open of a record that can't be read is all that is known of it.
        for (name, account) in &tally.open {
            let is_lost =
                |source: &Source| unread.has(source) && records.iter().all(|(known, _)| known != source);
            if Source::parse(name).is_some_and(|source| is_lost(&source)) {
                right.open.insert(name.clone(), account.clone());
            }
        }
        let (mut old, new) = (tally.spent(), right.spent());
        // All tasks of both are known apart now.
        for (task, what) in self.ledger.all_left_out(domain, &tally)? {
            old.tasks.insert(task, what);
        }
        old.others = Spend::default();
        let same = old == new;
        if same || (!unread.is_empty() && !new.covers(&old)) {
            let is_over = |name: &String| Source::parse(name).is_none_or(|s| !live(&s) && !unread.has(&s));
            let ended: Vec<String> = tally.open.keys().filter(|name| is_over(name)).cloned().collect();
            for account in ended.iter().filter_map(|name| tally.open.remove(name)) {
                tally.closed.merge(&account);
            }
            // Mostly nothing is news, and to replace a file of each domain takes longer than all the rest.
            if torn || tally != was {
                self.write_tally(domain, &mut tally)?;
            }
            return Ok(if same { Rebuilt::Same } else { Rebuilt::Kept });
        }
        right.other = tally.other;
        write_right(&mut right)?;
        Ok(if new.covers(&old) { Rebuilt::Made } else { Rebuilt::Lowered(old.total.minus(new.total)) })
    }

    /// Makes the directory of the session's records, where it is missing.
    fn prepare(&self, source: &Source) -> Result<()> {
        self.ledger.store.prepare_sub("ledger")?;
        self.ledger.store.prepare_sub("ledger/sessions")?;
        self.ledger.store.prepare_sub(&["ledger/sessions/", source.session.as_str()].concat())?;
        Ok(())
    }

    fn write_record(&self, source: &Source, record: &Record) -> Result<()> {
        self.prepare(source)?;
        sheet::replace(&self.ledger.record_path(source), record)
    }

    fn write_tally(&self, domain: &str, tally: &mut Tally) -> Result<()> {
        self.leave_out(domain, tally)?;
        self.ledger.store.prepare_sub("ledger")?;
        self.ledger.store.prepare_sub("ledger/domains")?;
        sheet::replace(&self.ledger.tally_path(domain), tally)
    }
}

/// The domains with a tally for which `new` says something else than `old`. Rows are only ever appended.
/// A source that is new is opened in its domain, so that others know of it.
fn touched(old: &Record, new: &Record) -> BTreeSet<String> {
    let begins = Some(&new.keys.domain).filter(|_| old.path.is_empty());
    let changed =
        new.rows.iter().enumerate().filter(|(i, row)| old.rows.get(*i).is_none_or(|was| was != *row));
    let domains = changed.map(|(_, row)| &row.keys.domain).chain(begins);
    domains.filter(|domain| is_name(domain)).cloned().collect()
}

/// The names in the directory at `dir` as far as it can be listed, sorted.
fn names(dir: &Path) -> Vec<String> {
    listed(dir).unwrap_or_default()
}

/// The names in the directory at `dir`, sorted; none where there is no directory.
///
/// # Errors
/// When it can't be listed, or something else stands in its place, a link too.
fn listed(dir: &Path) -> Result<Vec<String>> {
    match dir.symlink_metadata() {
        Ok(meta) if meta.is_dir() => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Ok(_) => {
            return Err(Error::Untrusted { path: dir.to_path_buf(), why: "it is not a plain directory" });
        }
        Err(e) => return Err(Error::io("list", dir)(e)),
    }
    let mut names: Vec<String> = Vec::new();
    let listed = file::entries(dir, |name, _| {
        names.extend(name.to_str().filter(|name| !name.starts_with('.')).map(str::to_owned));
        ControlFlow::Continue(())
    });
    listed.map_err(Error::io("list", dir))?;
    names.sort_unstable();
    Ok(names)
}

/// True if `old` is a file beside that at `new`: one that was moved, or has two names, is the same.
fn is_another(old: &Path, new: &Path) -> bool {
    let (Ok(old), Ok(new)) = (old.metadata(), new.metadata()) else { return false };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        (old.dev(), old.ino()) != (new.dev(), new.ino())
    }
    #[cfg(not(unix))]
    {
        // What was counted is known: to read it once more is no harm.
        let _ = (old, new);
        true
    }
}

fn is_dir(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|meta| meta.is_dir())
}

#[cfg(test)]
mod tests;
