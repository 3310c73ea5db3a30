//! Reading the event log: from its end backwards to where one begins, then forward, across its rotations.
//!
//! Memory is bounded by [`MAX_LINE`] and a chunk, whatever the size of the log. A line that is none is reported
//! with its place; where a writer died in the middle of one, the next line stands behind its remains and is
//! found there.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::super::{Store, file};
use crate::{Error, Result};

/// No line of ours is longer; a longer one is passed over without being kept.
pub const MAX_LINE: usize = 1 << 20;
/// So much is read at a time.
pub(super) const CHUNK: usize = 64 << 10;
/// How long a rotated log is watched for the line of a writer that had opened it before.
const LAST_WRITERS: Duration = Duration::from_secs(5);

/// One piece of the log.
#[derive(Debug)]
pub enum Piece<'a> {
    /// A line that may be an event, without its line break.
    Line(&'a str),
    /// What is no event: where it stands and what is wrong with it.
    Damaged {
        /// The file.
        file: &'a Path,
        /// Where the line begins, in bytes from 0.
        at: u64,
        /// What is wrong.
        why: &'static str,
    },
}

/// The event log of a node, with its rotated files, as far as it was read.
#[derive(Debug)]
pub struct LogReader {
    dir: PathBuf,
    /// In the order in which they were written.
    files: Vec<Part>,
    /// Files that were left behind, or that are older than what was asked for.
    done: Vec<Id>,
}

/// What a file is recognised by although it is renamed.
type Id = (u64, u64);

#[derive(Debug)]
struct Part {
    path: PathBuf,
    id: Id,
    file: File,
    /// How far it was read, to the end of a line.
    at: u64,
    /// Bytes of a line that has no end yet.
    begun: Vec<u8>,
    /// True while the rest of a line that is too long is passed over.
    skips: bool,
    /// Since when it is known to be rotated.
    rotated: Option<Instant>,
}

impl Store {
    /// The event log, to be read from its beginning unless [`LogReader::start_before`] says otherwise.
    ///
    /// # Errors
    /// When it can't be listed or opened.
    pub fn read_log(&self) -> Result<LogReader> {
        let mut log = LogReader { dir: self.dir.join("log"), files: Vec::new(), done: Vec::new() };
        log.look()?;
        Ok(log)
    }
}

impl LogReader {
    /// Begins in front of the last `count` lines that `counts` takes, or of none where `None` is asked for; and not
    /// before a line for which `ends` is true.
    ///
    /// # Errors
    /// When a file can't be read.
    pub fn start_before(
        &mut self,
        count: Option<usize>,
        mut counts: impl FnMut(&str) -> bool,
        mut ends: impl FnMut(&str) -> bool,
    ) -> Result<()> {
        let mut left = count.unwrap_or(usize::MAX);
        for index in (0..self.files.len()).rev() {
            let part = &mut self.files[index];
            let start = backwards(part, &mut |line| {
                if left == 0 || ends(line) {
                    return false;
                }
                if counts(line) {
                    left -= 1;
                }
                true
            })?;
            part.at = start;
            if start > 0 || left == 0 {
                let older = self.files.drain(..index);
                self.done.extend(older.map(|part| part.id));
                break;
            }
        }
        Ok(())
    }

    /// Shows everything that is there and was not shown yet to `show`, until it returns false. With `last`, the
    /// beginning of a line without an end is shown as damaged; otherwise it may get one.
    ///
    /// # Errors
    /// When a file can't be read.
    pub fn read(&mut self, last: bool, show: &mut dyn FnMut(Piece<'_>) -> bool) -> Result<bool> {
        for part in &mut self.files {
            if !part.read(show)? {
                return Ok(false);
            }
            if last && !part.begun.is_empty() {
                let piece = Piece::Damaged { file: &part.path, at: part.at, why: "it breaks off" };
                if !show(piece) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Shows what was written since, and notices rotation: every line once, whichever file it is in now.
    ///
    /// # Errors
    /// When a file can't be listed or read.
    pub fn follow(&mut self, show: &mut dyn FnMut(Piece<'_>) -> bool) -> Result<bool> {
        self.look()?;
        let goes_on = self.read(false, show)?;
        let (kept, gone): (Vec<Part>, Vec<Part>) = std::mem::take(&mut self.files)
            .into_iter()
            .partition(|part| part.rotated.is_none_or(|at| at.elapsed() < LAST_WRITERS));
        self.files = kept;
        self.done.extend(gone.iter().map(|part| part.id));
        Ok(goes_on)
    }

    /// Opens what is new, and gives what was renamed its new name.
    fn look(&mut self) -> Result<()> {
        let mut there = Vec::new();
        for path in names(&self.dir)? {
            let Some(file) = file::open(&path, std::fs::OpenOptions::new().read(true))? else { continue };
            let id = id_of(&file, &path)?;
            there.push(id);
            if self.done.contains(&id) {
                continue;
            }
            let current = path.file_name().is_some_and(|name| name == CURRENT);
            match self.files.iter_mut().find(|part| part.id == id) {
                Some(part) => {
                    part.rotated = if current { None } else { part.rotated.or_else(|| Some(Instant::now())) };
                    part.path = path;
                }
                None => self.files.push(Part {
                    rotated: (!current).then(Instant::now),
                    path,
                    id,
                    file,
                    at: 0,
                    begun: Vec::new(),
                    skips: false,
                }),
            }
        }
        // What was removed leaves its number to another file.
        self.done.retain(|id| there.contains(id));
        for part in self.files.iter_mut().filter(|part| !there.contains(&part.id)) {
            part.rotated.get_or_insert_with(Instant::now);
        }
        self.files.sort_by_cached_key(|part| order(&part.path));
        Ok(())
    }
}

impl Part {
    fn read(&mut self, show: &mut dyn FnMut(Piece<'_>) -> bool) -> Result<bool> {
        let mut from = self.at + self.begun.len() as u64;
        let len = self.file.metadata().map_err(Error::io("read", &self.path))?.len();
        if len < from && !self.skips {
            // Somebody emptied it.
            (self.at, from) = (0, 0);
            self.begun.clear();
        }
        let mut chunk = vec![0; CHUNK];
        loop {
            self.file.seek(SeekFrom::Start(from)).map_err(Error::io("read", &self.path))?;
            let got = match self.file.read(&mut chunk) {
                Ok(got) => got,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(Error::io("read", &self.path)(e)),
            };
            if got == 0 {
                return Ok(true);
            }
            from += got as u64;
            let mut rest = &chunk[..got];
            while let Some(end) = rest.iter().position(|b| *b == b'\n') {
                let (line, after) = (&rest[..end], &rest[end + 1..]);
                let goes_on = if self.skips {
                    self.skips = false;
                    true
                } else if self.begun.is_empty() {
                    pieces(line, &self.path, self.at, show)
                } else {
                    self.begun.extend_from_slice(line);
                    pieces(&self.begun, &self.path, self.at, show)
                };
                self.begun.clear();
                self.at = from - after.len() as u64;
                rest = after;
                if !goes_on {
                    return Ok(false);
                }
            }
            if self.skips {
                self.at = from;
            } else {
                self.begun.extend_from_slice(rest);
            }
            if self.begun.len() > MAX_LINE {
                let piece = Piece::Damaged { file: &self.path, at: self.at, why: TOO_LONG };
                self.begun.clear();
                self.skips = true;
                let goes_on = show(piece);
                self.at = from;
                if !goes_on {
                    return Ok(false);
                }
            }
        }
    }
}

pub(super) const TOO_LONG: &str = "it is longer than any line of the log";

/// What one line is.
fn pieces(line: &[u8], file: &Path, at: u64, show: &mut dyn FnMut(Piece<'_>) -> bool) -> bool {
    if line.is_empty() {
        return true;
    }
    let damaged = |why| Piece::Damaged { file, at, why };
    let Ok(text) = std::str::from_utf8(line) else { return show(damaged("it is not UTF-8 text")) };
    if is_event(text) {
        return show(Piece::Line(text));
    }
    // Behind the remains of a line that was torn.
    match text.match_indices(BEGINS).skip_while(|(at, _)| *at == 0).find(|(at, _)| is_event(&text[*at..])) {
        Some((begins, _)) => {
            show(damaged("it breaks off, and the next one follows")) && show(Piece::Line(&text[begins..]))
        }
        None => show(damaged("it is no event")),
    }
}

/// How every line of ours begins.
const BEGINS: &str = r#"{"t":""#;

/// True if `text` is one JSON object that says when and what.
fn is_event(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    #[expect(dead_code, reason = "they have to be there")]
    struct Event<'a> {
        #[serde(borrow)]
        t: std::borrow::Cow<'a, str>,
        #[serde(borrow)]
        event: std::borrow::Cow<'a, str>,
    }
    text.starts_with('{') && serde_json::from_str::<Event<'_>>(text).is_ok()
}

/// Shows the lines of `part` to `show`, the last one first, until it returns false. Returns where the line after
/// that one begins.
fn backwards(part: &mut Part, show: &mut dyn FnMut(&str) -> bool) -> Result<u64> {
    let Part { path, file, .. } = part;
    let mut from = file.metadata().map_err(Error::io("read", path))?.len();
    // The beginning of what was read and not yet shown; what stands behind the last line break is no line.
    let mut held: Vec<u8> = Vec::new();
    let mut whole = false;
    let mut too_long = false;
    while from > 0 {
        let size = CHUNK.min(usize::try_from(from).unwrap_or(CHUNK));
        from -= size as u64;
        let mut chunk = vec![0; size];
        file.seek(SeekFrom::Start(from)).map_err(Error::io("read", path))?;
        match file.read_exact(&mut chunk) {
            Ok(()) => {}
            // Somebody emptied it meanwhile.
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(0),
            Err(e) => return Err(Error::io("read", path)(e)),
        }
        let mut end = chunk.len();
        while let Some(at) = chunk[..end].iter().rposition(|b| *b == b'\n') {
            let begins = from + at as u64 + 1;
            let mut line = chunk[at + 1..end].to_vec();
            line.append(&mut held);
            if whole && !too_long && !shown(&line, show) {
                return Ok(begins + line.len() as u64 + 1);
            }
            (whole, too_long, end) = (true, false, at);
        }
        chunk.truncate(end);
        chunk.append(&mut held);
        held = chunk;
        if held.len() > MAX_LINE {
            held.clear();
            too_long = true;
        }
    }
    if whole && !too_long && !shown(&held, show) {
        return Ok(held.len() as u64 + 1);
    }
    Ok(0)
}

fn shown(line: &[u8], show: &mut dyn FnMut(&str) -> bool) -> bool {
    let mut goes_on = true;
    pieces(line, Path::new(""), 0, &mut |piece| {
        if let Piece::Line(text) = piece {
            goes_on = show(text);
        }
        true
    });
    goes_on
}

/// The name of the file that is written to.
const CURRENT: &str = "events.jsonl";

/// The log's files in `dir`, in the order in which they were written.
fn names(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io("list", dir)(e)),
    };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| order(path).is_some_and(|order| order.0 > 0))
        .collect();
    paths.sort_by_cached_key(|path| order(path));
    Ok(paths)
}

/// Where a file of the log stands among the others: when it was rotated, and by whom.
fn order(path: &Path) -> Option<(u64, u64)> {
    if path.file_name().is_some_and(|name| name == CURRENT) {
        return Some((u64::MAX, 0));
    }
    super::super::prune::rotated(path)
}

#[cfg(unix)]
fn id_of(file: &File, path: &Path) -> Result<Id> {
    use std::os::unix::fs::MetadataExt;
    let meta = file.metadata().map_err(Error::io("read", path))?;
    Ok((meta.dev(), meta.ino()))
}

/// There a file is told by when it was made, which a rename does not change.
#[cfg(not(unix))]
fn id_of(file: &File, path: &Path) -> Result<Id> {
    let meta = file.metadata().map_err(Error::io("read", path))?;
    let made = meta.created().map_err(Error::io("read", path))?;
    let made = made.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok((made.as_secs(), u64::from(made.subsec_nanos())))
}
