//! Metering as the command line does it: everything that hooks left, however much it is.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use comm_node_core::clock;
use comm_node_core::deadline::Deadline;
use comm_node_core::ledger::{
    AgentFile, Booking, Bound, Keys, PriceRow, Prices, Record, Source, Transcript, Usage, digest, own_prices,
};
use comm_node_core::node;
use comm_node_core::node::registry::Registry;
use comm_node_core::session::{Claim, Session, SessionId, natural_binding};
use comm_node_core::store::file;

use crate::env::Env;
use crate::here::Here;
use crate::out::Out;

/// How much is read and booked at once, and so how long hooks find the ledger taken.
const STEP: u64 = 16 << 20;
/// How long one step may wait for the ledger and read.
const PATIENCE: Duration = Duration::from_secs(20);
/// The directory that a session works in stands in one of its first lines.
const LOOK: u64 = 1 << 20;

/// The prices that hold in this node. Rows of the person's file that can't be read are told.
pub(crate) fn prices<'r>(env: &Env, registry: &'r Registry<'_>, out: &Out) -> Result<Prices<'r>> {
    let path = env.claude_dir()?.join("comm-node/prices.txt");
    // As the hooks read it, or the same response would have two prices.
    let own = own_prices(&path).unwrap_or_else(|e| {
        out.note(format!(
            "{e}; neither this nor the hooks use it, and what only it prices is counted as unknown"
        ));
        None
    });
    let own = own.unwrap_or_default();
    for (index, line) in own.lines().enumerate() {
        if let Err(why) = PriceRow::parse(line) {
            out.note(format!("{}:{}: {why}; the row is passed over", path.display(), index + 1));
        }
    }
    let node = registry.prices.iter().map(|row| row.as_str()).collect::<Vec<_>>().join("\n");
    Ok(Prices::above([Cow::Owned(own), Cow::Owned(node)]))
}

/// What was metered.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Report {
    /// Bytes that were read.
    pub bytes: u64,
    /// Transcripts that had something new.
    pub files: u64,
}

/// Meters transcripts into one node.
pub(crate) struct Meter<'m> {
    here: &'m Here,
    registry: &'m Registry<'m>,
    prices: &'m Prices<'m>,
    /// Which session counted a response, in this run or before, both by their digests: this is what grows with
    /// history, by 16 bytes for each response.
    counted: HashMap<u64, u64>,
    /// What was done so far.
    pub report: Report,
}

impl<'m> Meter<'m> {
    /// A meter for the node `here`.
    pub(crate) fn new(here: &'m Here, registry: &'m Registry<'m>, prices: &'m Prices<'m>, out: &Out) -> Self {
        let mut counted = HashMap::new();
        let ledger = here.store.ledger();
        for source in ledger.survey().sources {
            // A record that can't be read is told where the sums are compared with the records.
            let Ok(Some(record)) = ledger.record(&source) else { continue };
            let own = digest(source.session.as_str().as_bytes());
            let keys = ledger.counted(&source, &record).unwrap_or_else(|e| {
                let (keys, said) = restored(here, &source, &record);
                out.note(format!("{e}; {said}"));
                keys
            });
            for key in keys {
                counted.entry(key).or_insert(own);
            }
        }
        Self { here, registry, prices, counted, report: Report::default() }
    }

    /// Reads on in the transcripts of every session that has spent something here.
    pub(crate) fn catch_up(&mut self, out: &Out) {
        let sources = self.here.store.ledger().survey().sources;
        let sessions: BTreeSet<_> = sources.into_iter().map(|source| source.session).collect();
        for session in sessions {
            let main = Source::main(session.clone());
            // A record that can't be read is told where the sums are compared with the records.
            if let Ok(Some(record)) = self.here.store.ledger().record(&main)
                && let Some(transcript) = Transcript::new(Path::new(&record.path), &session)
            {
                let failed = self.session(&transcript, Some(&record));
                tell_failed(failed, out, transcript.path());
            }
        }
    }

    /// Meters the transcripts in `at`, a directory of them or one file, the earlier ones first. `tell` is told
    /// how far it got.
    ///
    /// # Errors
    /// When `at` can't be listed.
    pub(crate) fn import(
        &mut self,
        at: &Path,
        out: &Out,
        mut tell: impl FnMut(usize, usize, &Report),
    ) -> Result<()> {
        let meta = fs::metadata(at).with_context(|| format!("could not read {}", at.display()))?;
        let is_transcript = meta.is_file() && Transcript::at(at).is_some();
        if !(meta.is_dir() || is_transcript) {
            bail!("{} is neither a directory nor a session's transcript, <session>.jsonl", at.display());
        }
        let mut files = Vec::new();
        find(at, 6, &mut files).with_context(|| format!("could not list {}", at.display()))?;
        files.sort();
        let count = files.len();
        for (index, (_, path)) in files.into_iter().enumerate() {
            let Some(transcript) = Transcript::at(&path) else { continue };
            let agents = transcript.agents().into_iter().map(|file| file.source);
            agents.chain([transcript.main()]).for_each(|source| self.mend(&source, out));
            let record = self.here.store.ledger().record(&transcript.main()).unwrap_or_default();
            let failed = self.session(&transcript, record.as_ref());
            tell_failed(failed, out, &path);
            tell(index + 1, count, &self.report);
        }
        Ok(())
    }

    /// A damaged record makes way: its transcript is at hand, and is read again.
    fn mend(&self, source: &Source, out: &Out) {
        if let Err(e @ comm_node_core::Error::Damaged { .. }) = self.here.store.ledger().record(source)
            && let comm_node_core::Error::Damaged { path, .. } = &e
        {
            match self.here.store.set_aside(path) {
                Ok(aside) => out.note(format!("{e}; it was moved to {}", aside.display())),
                Err(e) => out.note(e.to_string()),
            }
        }
    }
}

impl Meter<'_> {
    /// Reads on in all transcripts of one session; what failed is given back.
    fn session(&mut self, transcript: &Transcript, record: Option<&Record>) -> Vec<comm_node_core::Error> {
        let store = &self.here.store;
        let id = transcript.session();
        let session =
            store.read_session(id).ok().flatten().or_else(|| store.read_ended_session(id).ok().flatten());
        let (keys, since_ms) = match (&session, record) {
            (Some(session), _) => (keys_of(session), clock::parse_rfc3339(&session.started).unwrap_or(0)),
            (None, Some(record)) => (record.keys.clone(), record.since_ms),
            (None, None) => match self.of_subagents(id) {
                Some(record) => (Keys { role: "main".to_owned(), ..record.keys }, record.since_ms),
                None => (self.guess(transcript.path()), 0),
            },
        };
        let mut failed = Vec::new();
        let main = AgentFile { source: transcript.main(), path: transcript.path().to_path_buf() };
        failed.extend(self.file(&main, &keys, since_ms).err());
        for file in transcript.agents() {
            let known = store.ledger().record(&file.source).ok().flatten().map(|record| record.keys.role);
            let role = known.or_else(|| file.kind()).filter(|kind| !kind.is_empty());
            let keys = Keys { role: role.unwrap_or_else(|| "subagent".to_owned()), ..keys.clone() };
            failed.extend(self.file(&file, &keys, since_ms).err());
        }
        failed
    }

    fn file(&mut self, file: &AgentFile, keys: &Keys, since_ms: u64) -> comm_node_core::Result<()> {
        let before = self.report.bytes;
        // The others mostly are of the model and the day of the one before.
        let mut last: Option<(String, String, Option<PriceRow<'_>>)> = None;
        loop {
            let (prices, counted, source) = (self.prices, &mut self.counted, &file.source);
            let own = digest(source.session.as_str().as_bytes());
            let last = &mut last;
            let mut price = |model: &str, day: &str, usage: &Usage| {
                if last.as_ref().is_none_or(|known| (&*known.0, &*known.1) != (model, day)) {
                    *last = Some((model.to_owned(), day.to_owned(), prices.row(model, day)));
                }
                last.as_ref()?.2.as_ref().map(|row| row.cost(usage))
            };
            let mut counts = |key| *counted.entry(key).or_insert(own) == own;
            let mut booking = Booking {
                session: source.session.as_str(),
                subagent: source.agent_id().is_some(),
                keys,
                price: &mut price,
                counts: &mut counts,
            };
            let bound = Bound { bytes: STEP, deadline: Deadline::after(PATIENCE) };
            let ledger = self.here.store.ledger();
            let progress = ledger.catch_up(source, &file.path, since_ms, &mut booking, bound)?;
            self.report.bytes += progress.bytes;
            if !progress.more {
                break;
            }
        }
        self.report.files += u64::from(self.report.bytes > before);
        Ok(())
    }

    /// What is on record of the session's subagents, which were booked on the same domain.
    fn of_subagents(&self, session: &SessionId) -> Option<Record> {
        let ledger = self.here.store.ledger();
        ledger.sources_of(session).unwrap_or_default().iter().find_map(|source| ledger.record(source).ok()?)
    }

    /// What a session that the node never heard of is booked on: the domain whose own directory it worked in.
    fn guess(&self, path: &Path) -> Keys {
        let directory = directory_of(path);
        let claim = Claim { directory: directory.as_deref(), ..Claim::default() };
        let domain =
            natural_binding(self.registry, &claim).ok().flatten().map(|(domain, _)| domain.name.to_string());
        Keys { domain: domain.unwrap_or_default(), role: "main".to_owned(), ..Keys::default() }
    }
}

/// Which responses `record` was counted with, by its transcript, where that was lost, and what became of it.
fn restored(here: &Here, source: &Source, record: &Record) -> (Vec<u64>, String) {
    let found = responses_of(source, record);
    let is_all = matches!(&found, Some((_, offset)) if *offset == record.offset);
    let keys = found.map(|(keys, _)| keys);
    let books = here.store.ledger().open(Deadline::after(PATIENCE));
    let done = books.and_then(|books| books.restore_ids(source, keys.as_deref().filter(|_| is_all)));
    let said = match (done, is_all) {
        (Err(e), _) => format!("it was not made again: {e}"),
        (Ok(()), true) => "it was made again from the transcript".to_owned(),
        (Ok(()), false) => "the transcript does not tell what was counted any more, so that what is read again and no \
                            later is taken for counted, and what another session has a copy of may count twice"
            .to_owned(),
    };
    (keys.unwrap_or_default(), said)
}

/// The responses in the transcript of `record`, and up to where; `None` where it is gone or another one.
fn responses_of(source: &Source, record: &Record) -> Option<(Vec<u64>, u64)> {
    let mut file = file::open(Path::new(&record.path), fs::OpenOptions::new().read(true)).ok()??;
    let mut keys = Vec::new();
    let mut counts = |key| {
        keys.push(key);
        false
    };
    let mut booking = Booking {
        session: source.session.as_str(),
        subagent: source.agent_id().is_some(),
        keys: &record.keys,
        price: &mut |_, _, _| None,
        counts: &mut counts,
    };
    let mut all = Record { since_ms: record.since_ms, ..Record::new() };
    let bound = Bound { bytes: u64::MAX, deadline: Deadline::after(PATIENCE) };
    all.read_on(&mut file, &mut booking, bound).ok()?;
    (all.head == record.head || all.head_len != record.head_len).then_some((keys, all.offset))
}

fn tell_failed(failed: Vec<comm_node_core::Error>, out: &Out, path: &Path) {
    for e in failed {
        out.note(format!("{} was not metered: {e}; {}", path.display(), e.remedy()));
    }
}

/// What the main loop of `session` is booked on.
fn keys_of(session: &Session) -> Keys {
    let own = |text: &Option<String>| text.clone().unwrap_or_default();
    let role = session.role.as_deref().or(session.agent.as_deref()).unwrap_or("main");
    Keys { domain: own(&session.domain), task: own(&session.task), role: role.to_owned(), ..Keys::default() }
}

/// The directory that a transcript's session worked in at first.
fn directory_of(path: &Path) -> Option<PathBuf> {
    #[derive(serde::Deserialize)]
    struct Line {
        cwd: PathBuf,
    }
    let file = fs::File::open(path).ok().filter(|file| file.metadata().is_ok_and(|meta| meta.is_file()))?;
    let mut lines = BufReader::new(file.take(LOOK));
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).ok()? > 0 {
        if let Ok(found) = serde_json::from_slice::<Line>(&line) {
            return comm_node_core::path::real(&found.cwd).ok();
        }
        line.clear();
    }
    None
}

fn find(at: &Path, depth: u32, files: &mut Vec<(std::time::SystemTime, PathBuf)>) -> std::io::Result<()> {
    let meta = fs::metadata(at)?;
    if meta.is_file() {
        if at.extension().is_some_and(|e| e == "jsonl") {
            files.push((meta.modified().unwrap_or(std::time::UNIX_EPOCH), at.to_path_buf()));
        }
        return Ok(());
    }
    for entry in fs::read_dir(at)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        // What subagents wrote is found from the session that they belong to; what comm-node wrote is called like a session too.
        let own = entry.file_name() != "subagents" && entry.file_name() != node::STATE;
        if kind.is_file() || (kind.is_dir() && own && depth > 0) {
            find(&entry.path(), depth - 1, files)?;
        }
    }
    Ok(())
}
