//! Which responses a source was counted with: `sessions/<session>/<part>.ids`, digests of eight bytes each.
//!
//! A response may come again behind any number of others: a file is replaced or lies in two places, lines are copied.
//! The record knows the latest responses alone, so all of them stand here: first a count, then so many in order, then
//! those that came since, which are put in order once they are many. A look reads the latter, and of the former a few
//! kilobytes for each new response, however long the transcript is.
//!
//! How many of them count stands in the record. What a writer appended that died before it wrote the record is
//! passed over, and written over by the next.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::store::crash;
use crate::store::file;
use crate::{Error, Result};

/// So many may come before they are put in order.
const TAIL: u64 = 1024;
/// So many are read at once where one is looked for.
const WINDOW: u64 = 512;
/// After so many looks into the file all are read that are in order,
const LOOKS: usize = 64;
/// unless there are more than these: a hook's memory has a bound.
const MAX_WHOLE: u64 = 1 << 17;
/// The size of one, and of the count before them.
const SIZE: u64 = 8;

/// The responses of one source.
#[derive(Debug)]
pub(super) struct Ids {
    path: PathBuf,
    file: Option<File>,
    /// How many of them are in order.
    sorted: u64,
    /// How many there are.
    count: u64,
    /// Those behind them.
    recent: Vec<u64>,
    /// True if those are in order, so that one is found by halves.
    is_searched: bool,
    /// All that are in order, once many were looked for.
    whole: Vec<u64>,
    /// How many were looked for in the file.
    looks: usize,
    /// Those that came in this look.
    fresh: BTreeSet<u64>,
    /// What went wrong; nothing is booked then.
    failed: Option<std::io::Error>,
}

impl Ids {
    /// Opens the file at `path` with `count` of them; `None` where they are not in it.
    pub(super) fn open(path: &Path, count: u64) -> Result<Option<Self>> {
        let mut ids = Self::none(path);
        if count == 0 {
            return Ok(Some(ids));
        }
        let Some(mut file) = file::open(path, OpenOptions::new().read(true).write(true))? else {
            return Ok(None);
        };
        let len = file.metadata().map_err(Error::io("read", path))?.len();
        let read = |e| Error::io("read", path)(e);
        let sorted = if len >= SIZE { number(&mut file).map_err(read)? } else { u64::MAX };
        let is_whole = sorted <= count && count.checked_mul(SIZE).is_some_and(|size| size + SIZE <= len);
        if !is_whole || count - sorted > 2 * MAX_RECENT {
            return Ok(None);
        }
        file.seek(SeekFrom::Start(SIZE + sorted * SIZE)).map_err(read)?;
        let mut bytes = vec![0; usize::try_from((count - sorted) * SIZE).unwrap_or(0)];
        file.read_exact(&mut bytes).map_err(read)?;
        ids.recent = numbers(&bytes).collect();
        // A long pass leaves many; what a hook leaves is gone through faster than it is put in order.
        ids.is_searched = ids.recent.len() > TAIL as usize;
        if ids.is_searched {
            ids.recent.sort_unstable();
        }
        // No digest is nothing: that is what a file system puts where it lost something.
        if ids.recent.contains(&0) {
            return Ok(None);
        }
        (ids.file, ids.sorted, ids.count) = (Some(file), sorted, count);
        Ok(Some(ids))
    }

    /// None of them, to be written to `path`.
    pub(super) fn none(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            file: None,
            sorted: 0,
            count: 0,
            recent: Vec::new(),
            is_searched: false,
            whole: Vec::new(),
            looks: 0,
            fresh: BTreeSet::new(),
            failed: None,
        }
    }

    /// True if `id` is one of them.
    pub(super) fn has(&mut self, id: u64) -> bool {
        let is_recent = match self.is_searched {
            true => self.recent.binary_search(&id).is_ok(),
            false => self.recent.contains(&id),
        };
        if is_recent || self.fresh.contains(&id) {
            return true;
        }
        self.look(id).unwrap_or_else(|e| {
            self.failed.get_or_insert(e);
            false
        })
    }

    /// Adds `id`.
    pub(super) fn add(&mut self, id: u64) {
        self.fresh.insert(id);
    }

    /// Looks among those in order, from where `id` should be: they are digests, and so evenly spread.
    fn look(&mut self, id: u64) -> std::io::Result<bool> {
        let Some(file) = &mut self.file else { return Ok(false) };
        if !self.whole.is_empty() {
            return Ok(self.whole.binary_search(&id).is_ok());
        }
        self.looks += 1;
        if self.looks > LOOKS && self.sorted <= MAX_WHOLE {
            let mut bytes = vec![0; usize::try_from(self.sorted * SIZE).unwrap_or(0)];
            file.seek(SeekFrom::Start(SIZE))?;
            file.read_exact(&mut bytes)?;
            self.whole = numbers(&bytes).collect();
            // What is not in order is damage, and found all the same.
            if !self.whole.is_sorted() {
                self.whole.sort_unstable();
            }
            return Ok(self.whole.binary_search(&id).is_ok());
        }
        let (mut from, mut to) = (0, self.sorted);
        let mut guess = u64::try_from((u128::from(id) * u128::from(self.sorted)) >> 64).unwrap_or(0);
        let mut bytes = [0; (WINDOW * SIZE) as usize];
        while from < to {
            let start = guess.saturating_sub(WINDOW / 2).clamp(from, to.saturating_sub(WINDOW).max(from));
            let n = WINDOW.min(to - start);
            let bytes = &mut bytes[..usize::try_from(n * SIZE).unwrap_or(0)];
            file.seek(SeekFrom::Start(SIZE + start * SIZE))?;
            file.read_exact(bytes)?;
            let mut all = numbers(bytes);
            let (first, last) = (all.next().unwrap_or(0), numbers(bytes).next_back().unwrap_or(0));
            if id < first {
                to = start;
            } else if id > last {
                from = start + n;
            } else {
                return Ok(id == first || all.any(|one| one == id));
            }
            // What is not where it should be is looked for by halves.
            guess = from + (to - from) / 2;
        }
        Ok(false)
    }

    /// True if some came.
    pub(super) fn has_news(&self) -> bool {
        !self.fresh.is_empty() || self.failed.is_some()
    }

    /// Writes those that came down, and says how many there are then.
    pub(super) fn write(mut self) -> Result<u64> {
        if let Some(e) = self.failed.take() {
            return Err(Error::io("read", &self.path)(e));
        }
        if self.fresh.is_empty() {
            return Ok(self.count);
        }
        crash::here()?;
        if self.file.is_none() || self.count - self.sorted + self.fresh.len() as u64 > TAIL {
            self.put_in_order()?;
        }
        let bytes: Vec<u8> = self.fresh.iter().flat_map(|id| id.to_le_bytes()).collect();
        let Some(file) = &mut self.file else { return Ok(self.count) };
        let write = |e| Error::io("write", &self.path)(e);
        file.seek(SeekFrom::Start(SIZE + self.count * SIZE)).map_err(write)?;
        if crash::torn() {
            let _ = file.write_all(&bytes[..bytes.len() / 2]);
            return Err(crash::error());
        }
        file.write_all(&bytes).map_err(write)?;
        Ok(self.count + self.fresh.len() as u64)
    }

    /// Puts those that are on record in order, in a file in the place of this one. For the record nothing changes.
    fn put_in_order(&mut self) -> Result<()> {
        self.recent.sort_unstable();
        let mut late = std::mem::take(&mut self.recent).into_iter().peekable();
        let (sorted, path) = (self.sorted, self.path.clone());
        let old = self.file.as_mut();
        let new = file::replace_with(&path, |file| {
            let mut out = BufWriter::new(file);
            out.write_all(&self.count.to_le_bytes())?;
            if let Some(old) = old {
                old.seek(SeekFrom::Start(SIZE))?;
                let mut old = BufReader::new(old);
                for _ in 0..sorted {
                    let id = number(&mut old)?;
                    while let Some(before) = late.next_if(|late| *late < id) {
                        out.write_all(&before.to_le_bytes())?;
                    }
                    out.write_all(&id.to_le_bytes())?;
                }
            }
            late.try_for_each(|id| out.write_all(&id.to_le_bytes()))?;
            out.flush()
        })?;
        self.file = Some(new);
        self.sorted = self.count;
        Ok(())
    }
}

/// The most that may be behind those in order: what one look brings at most, with what was there.
const MAX_RECENT: u64 = 1 << 17;

fn numbers(bytes: &[u8]) -> impl DoubleEndedIterator<Item = u64> {
    bytes.chunks_exact(8).map(|id| id.try_into().map_or(0, u64::from_le_bytes))
}

fn number(from: &mut impl Read) -> std::io::Result<u64> {
    let mut bytes = [0; 8];
    from.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// All of the first `count` in the file at `path`, those in order first. Not for hooks.
///
/// # Errors
/// [`Error::Damaged`] where they are not all there, or not as they were written.
pub(super) fn all(path: &Path, count: u64) -> Result<Vec<u64>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let damaged = |why: &str| {
        let why = format!("{why}, and the record counts {count} responses in it");
        Err(Error::Damaged { path: path.to_path_buf(), why })
    };
    let Some(file) = file::open(path, OpenOptions::new().read(true))? else {
        return damaged("it is missing");
    };
    let mut bytes = Vec::new();
    let most = count.saturating_add(1).saturating_mul(SIZE);
    file.take(most).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    if (bytes.len() as u64) < most {
        return damaged("it is cut short");
    }
    let mut all = numbers(&bytes);
    let sorted = all.next().unwrap_or(0);
    let all: Vec<u64> = all.collect();
    let in_order = usize::try_from(sorted).ok().and_then(|sorted| all.get(..sorted));
    let Some(in_order) = in_order else { return damaged("it does not begin with a count") };
    if all.contains(&0) || !in_order.is_sorted_by(|a, b| a < b) {
        return damaged("it does not hold what was written");
    }
    Ok(all)
}
