//! `ledger/`: what sessions and domains spent.
//!
//! `sessions/<session>/<part>.json` are the records, which are the truth; `domains/<domain>.json` are their
//! sums. One lock is held while they are written, in this order:
//!
//! 1. where the domain's tally does not know the source as open, all that the record has is in the closed
//!    sum: the record says so first,
//! 2. the tally opens the source with nothing,
//! 3. the record is replaced: how far was read, and what was counted, at once,
//! 4. the tally takes over what the record has beyond what is closed.
//!
//! Whoever dies between two of these leaves a tally that lags behind and is put right by the next write;
//! nothing is counted twice and nothing is lost.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::{self, Durability};
use super::{Lock, MAX_STATE, Store, crash, hidden};
use crate::deadline::Deadline;
use crate::ledger::{Account, Booking, Bound, Progress, Record, Source, Spent, Tally};
use crate::session::SessionId;
use crate::{Error, Result};

/// The ledger is held for well under a millisecond; what is not booked now is booked next time.
const PATIENCE: Duration = Duration::from_millis(100);
/// So much of a domain's mail is counted at once.
const MAX_MAIL: u64 = 128 << 10;

/// A node's ledger, for readers.
#[derive(Clone, Copy, Debug)]
pub struct Ledger<'s> {
    store: &'s Store,
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
        let name = [source.part(), ".json"].concat();
        self.dir().join("sessions").join(source.session.as_str()).join(name)
    }

    fn tally_path(&self, domain: &str) -> PathBuf {
        self.dir().join("domains").join([domain, ".json"].concat())
    }

    /// What `domain` spent: all of it, its latest days and tasks. One small file is read.
    ///
    /// # Errors
    /// When it is there but can't be read.
    pub fn spent(&self, domain: &str) -> Result<Spent> {
        Ok(self.tally(domain)?.map_or_else(Spent::default, |tally| tally.spent()))
    }

    /// The tally of `domain`, `None` if there is none yet.
    ///
    /// # Errors
    /// When it is there but can't be read.
    pub fn tally(&self, domain: &str) -> Result<Option<Tally>> {
        if !is_name(domain) {
            return Ok(None);
        }
        read(&self.tally_path(domain))
    }

    /// The record of `source`, `None` if there is none yet.
    ///
    /// # Errors
    /// When it is there but can't be read.
    pub fn record(&self, source: &Source) -> Result<Option<Record>> {
        read(&self.record_path(source))
    }

    /// The sources of one session that have a record, sorted.
    #[must_use]
    pub fn sources_of(&self, session: &SessionId) -> Vec<Source> {
        let dir = self.dir().join("sessions").join(session.as_str());
        let part = |name: &str| Source::parse(&format!("{session}/{}", name.strip_suffix(".json")?));
        names(&dir).iter().filter_map(|name| part(name)).collect()
    }

    /// Every source that has a record, sorted. This grows with history: not for hooks.
    #[must_use]
    pub fn sources(&self) -> Vec<Source> {
        let sessions = names(&self.dir().join("sessions"));
        sessions
            .iter()
            .filter_map(|name| SessionId::new(name).ok())
            .flat_map(|id| self.sources_of(&id))
            .collect()
    }

    /// The domains that have a tally, sorted.
    #[must_use]
    pub fn domains(&self) -> Vec<String> {
        let names = names(&self.dir().join("domains"));
        names.iter().filter_map(|name| name.strip_suffix(".json")).map(str::to_owned).collect()
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
        let found = self.record(source)?;
        let old = found.clone().unwrap_or_else(|| Record { since_ms, ..Record::new() });
        let mut new = old.clone();
        let path_text = path.to_string_lossy();
        if new.path != path_text {
            new.path = path_text.into_owned();
        }
        if new.keys != *booking.keys {
            new.keys = booking.keys.clone();
        }
        let mut progress = Progress::default();
        if let Some(mut file) = file::open(path, OpenOptions::new().read(true))? {
            progress = new.read_on(&mut file, booking, bound).map_err(Error::io("read", path))?;
        }
        if found.is_none() || new != old {
            books.put(source, &old, new)?;
        }
        Ok(progress)
    }
}

impl<'s> Books<'s> {
    /// The ledger, for reading.
    #[must_use]
    pub fn ledger(&self) -> Ledger<'s> {
        self.ledger
    }

    /// Replaces the record `old` of `source` by `new`, and brings the tallies of its domains up to date.
    ///
    /// # Errors
    /// When something can't be read or written; the next write puts right what that leaves behind.
    pub fn put(&self, source: &Source, old: &Record, mut new: Record) -> Result<()> {
        let name = source.to_string();
        let mut tallies = Vec::new();
        let mut base = old.clone();
        let mut folded = false;
        for domain in touched(old, &new) {
            let mut tally =
                self.ledger.tally(&domain)?.unwrap_or_else(|| Tally { version: 1, ..Tally::default() });
            let is_open = tally.open.contains_key(&name);
            if !is_open {
                folded |= base.fold(&domain);
                tally.open.insert(name.clone(), Account::default());
            }
            tallies.push((domain, tally, is_open));
        }
        if folded {
            for (row, before) in new.rows.iter_mut().zip(&base.rows) {
                row.folded = before.folded;
            }
            crash::here()?;
            self.write_record(source, &base)?;
        }
        for (domain, tally, _) in tallies.iter().filter(|(_, _, is_open)| !is_open) {
            crash::here()?;
            self.write_tally(domain, tally)?;
        }
        crash::here()?;
        self.write_record(source, &new)?;
        for (domain, tally, _) in &mut tallies {
            crash::here()?;
            tally.open.insert(name.clone(), new.account(domain));
            self.count_mail(domain, tally)?;
            self.write_tally(domain, tally)?;
        }
        Ok(())
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
                tally.closed.merge(&record.account(domain));
                crash::here()?;
                self.write_tally(domain, &tally)?;
            }
        }
        Ok(())
    }

    /// Adds what the domain's mail cost since it was counted last; false if that is nothing.
    fn count_mail(&self, domain: &str, tally: &mut Tally) -> Result<bool> {
        let (traffic, cursor) = self.ledger.store.mail().traffic(domain, &tally.mail, MAX_MAIL)?;
        let news = cursor != tally.mail;
        if news {
            tally.add_mail(traffic, cursor);
        }
        Ok(news)
    }

    /// Puts the tally of `domain` right by all records and all mail, and closes what is open of sources that
    /// are not `live`; false if the sums were right. This reads what grows with history: not for hooks.
    ///
    /// # Errors
    /// When something can't be read or written.
    pub fn rebuild(
        &self,
        domain: &str,
        records: &[(Source, Record)],
        live: &dyn Fn(&Source) -> bool,
    ) -> Result<bool> {
        let before = match self.ledger.tally(domain) {
            Ok(tally) => tally,
            Err(Error::Damaged { path, .. }) => {
                self.ledger.store.set_aside(&path)?;
                None
            }
            Err(e) => return Err(e),
        };
        let mut right = Tally { version: 1, ..Tally::default() };
        while self.count_mail(domain, &mut right)? {}
        for row in records.iter().flat_map(|(_, record)| &record.rows).filter(|row| row.keys.domain == domain)
        {
            right.closed.add(&row.keys, row.spend);
        }
        right.closed.trim();
        if let Some(mut tally) = before {
            while self.count_mail(domain, &mut tally)? {}
            let ended =
                tally.open.keys().filter(|name| Source::parse(name).is_none_or(|source| !live(&source)));
            let ended: Vec<String> = ended.cloned().collect();
            if tally.spent() == right.closed {
                for name in &ended {
                    if let Some(account) = tally.open.remove(name) {
                        tally.closed.merge(&account);
                    }
                }
                self.write_tally(domain, &tally)?;
                return Ok(false);
            }
            right.other = tally.other;
        }
        self.write_tally(domain, &right)?;
        Ok(true)
    }

    fn write_record(&self, source: &Source, record: &Record) -> Result<()> {
        self.ledger.store.prepare_sub("ledger")?;
        self.ledger.store.prepare_sub("ledger/sessions")?;
        self.ledger.store.prepare_sub(&["ledger/sessions/", source.session.as_str()].concat())?;
        write(&self.ledger.record_path(source), record)
    }

    fn write_tally(&self, domain: &str, tally: &Tally) -> Result<()> {
        self.ledger.store.prepare_sub("ledger")?;
        self.ledger.store.prepare_sub("ledger/domains")?;
        write(&self.ledger.tally_path(domain), tally)
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

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let visible = entries.map(|entry| entry.path()).filter(|path| !hidden(path));
    let mut names: Vec<String> =
        visible.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
    names.sort_unstable();
    names
}

fn read<T: for<'de> serde::Deserialize<'de>>(path: &Path) -> Result<Option<T>> {
    let Some(bytes) = file::read_bytes(path, MAX_STATE)? else { return Ok(None) };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|e| Error::Damaged { path: path.to_path_buf(), why: e.to_string() })
}

fn write<T: serde::Serialize>(path: &std::path::Path, value: &T) -> Result<()> {
    let mut bytes =
        serde_json::to_vec(value).map_err(|e| Error::Invalid { what: "the record", why: e.to_string() })?;
    bytes.push(b'\n');
    file::replace(path, &bytes, Durability::Rebuildable)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ledger::{Keys, Spend, Usage};

    fn setup() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Store::new(dir.path().join("state"));
        (dir, store)
    }

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(5))
    }

    fn source(session: &str) -> Source {
        Source::main(SessionId::new(session).expect("valid"))
    }

    fn keys(domain: &str, task: &str) -> Keys {
        Keys { domain: domain.into(), task: task.into(), day: "2026-11-25".into(), ..Keys::default() }
    }

    fn spend(output: u64) -> Spend {
        Spend { usage: Usage { output_tokens: output, responses: 1, ..Usage::default() }, ..Spend::default() }
    }

    fn book(store: &Store, source: &Source, key: u64, keys: &Keys, output: u64) -> Result<()> {
        let books = store.ledger().open(soon())?;
        let old = books.ledger().record(source)?.unwrap_or_else(Record::new);
        let mut new = old.clone();
        new.book(key, keys, spend(output));
        new.offset += 100;
        books.put(source, &old, new)
    }

    fn output(store: &Store, domain: &str) -> u64 {
        store.ledger().spent(domain).expect("reads").total.usage.output_tokens
    }

    #[test]
    fn sessions_add_up_in_their_domain() {
        let (_dir, store) = setup();
        assert_eq!(output(&store, "backend"), 0);
        assert!(!store.dir().exists());
        let [one, two] = ["s1", "s2"].map(source);
        book(&store, &one, 1, &keys("backend", "a"), 1).expect("books");
        book(&store, &two, 2, &keys("backend", "b"), 2).expect("books");
        book(&store, &one, 3, &keys("frontend", ""), 4).expect("books");
        book(&store, &one, 3, &keys("frontend", ""), 5).expect("books");
        book(&store, &one, 4, &keys("", ""), 8).expect("books");
        book(&store, &one, 5, &keys("../x", ""), 16).expect("books");
        assert_eq!((output(&store, "backend"), output(&store, "frontend")), (3, 5));
        assert_eq!(store.ledger().spent("backend").expect("reads").task("b").usage.output_tokens, 2);
        assert_eq!(store.ledger().domains(), ["backend", "frontend"]);
        assert_eq!(store.ledger().sources(), [one, two]);
    }

    #[test]
    fn closing_changes_no_sum_and_what_is_closed_may_grow() {
        let (_dir, store) = setup();
        let one = source("s1");
        for (key, want) in [(1, 1), (2, 3), (3, 6)] {
            book(&store, &one, key, &keys("backend", "a"), key).expect("books");
            assert_eq!(output(&store, "backend"), want);
            let books = store.ledger().open(soon()).expect("opens");
            for _ in 0..2 {
                books.close(&one).expect("closes");
                assert_eq!(output(&store, "backend"), want);
            }
            assert!(books.ledger().tally("backend").expect("reads").expect("there").open.is_empty());
            let records = [(one.clone(), books.ledger().record(&one).expect("reads").expect("there"))];
            assert!(!books.rebuild("backend", &records, &|_| true).expect("is right"));
        }
    }

    /// Dies at every point of every kind of write, goes on, and compares.
    #[test]
    fn whoever_dies_loses_nothing_and_doubles_nothing() {
        for closed in [false, true] {
            for point in 0..8 {
                let (_dir, store) = setup();
                let one = source("s1");
                book(&store, &one, 1, &keys("backend", "a"), 1).expect("books");
                book(&store, &one, 2, &keys("frontend", ""), 2).expect("books");
                if closed {
                    store.ledger().open(soon()).expect("opens").close(&one).expect("closes");
                }
                let offset =
                    |store: &Store| store.ledger().record(&one).expect("reads").expect("there").offset;
                let before = offset(&store);
                crash::arm(point);
                let died = book(&store, &one, 3, &keys("backend", "a"), 4).is_err();
                assert_eq!(died, crash::disarm());
                // As a reader of transcripts would: again, if it is not on record how far was read.
                if offset(&store) == before {
                    book(&store, &one, 3, &keys("backend", "a"), 4).expect("books");
                }
                crash::arm(point);
                let closing = store.ledger().open(soon()).and_then(|books| books.close(&one));
                assert_eq!(closing.is_err(), crash::disarm());
                book(&store, &one, 4, &keys("backend", "a"), 8).expect("books");
                book(&store, &one, 5, &keys("frontend", "a"), 16).expect("books");
                assert_eq!(
                    (output(&store, "backend"), output(&store, "frontend")),
                    (13, 18),
                    "{closed} {point}"
                );
                store.ledger().open(soon()).expect("opens").close(&one).expect("closes");
                assert_eq!(
                    (output(&store, "backend"), output(&store, "frontend")),
                    (13, 18),
                    "{closed} {point}"
                );
            }
        }
    }

    #[test]
    fn a_damaged_tally_is_set_aside_and_made_again() {
        let (_dir, store) = setup();
        let one = source("s1");
        book(&store, &one, 1, &keys("backend", "a"), 1).expect("books");
        let path = store.ledger().tally_path("backend");
        std::fs::write(&path, "{").expect("writes");
        assert!(matches!(store.ledger().spent("backend"), Err(Error::Damaged { .. })));
        assert!(book(&store, &one, 2, &keys("backend", "a"), 2).is_err());
        let books = store.ledger().open(soon()).expect("opens");
        let records = [(one.clone(), books.ledger().record(&one).expect("reads").expect("there"))];
        assert!(books.rebuild("backend", &records, &|_| false).expect("rebuilds"));
        assert_eq!(output(&store, "backend"), 1);
        drop(books);
        book(&store, &one, 2, &keys("backend", "a"), 2).expect("books");
        assert_eq!(output(&store, "backend"), 3);
        let beside = std::fs::read_dir(path.parent().expect("parent")).expect("lists").count();
        assert_eq!(beside, 2);
    }
}
