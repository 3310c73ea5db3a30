//! Brings a record up to date with its transcript.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};

use memchr::{memchr, memrchr};

use super::scan::{Response, Scanner};
use super::{Keys, Record, Spend, Usage, digest};
use crate::clock;
use crate::deadline::Deadline;

/// How much is read at once.
const CHUNK: usize = 256 << 10;
/// A longer line is passed over: the memory that a hook takes has a bound.
const MAX_LINE: usize = 4 << 20;
/// So many first bytes tell one transcript from another in its place.
const HEAD: usize = 256;

/// What a transcript's responses are booked on, and what they cost.
pub struct Booking<'b> {
    /// The session whose transcript it is.
    pub session: &'b str,
    /// True for a subagent's.
    pub subagent: bool,
    /// Domain, task and role; model and day come from the responses.
    pub keys: &'b Keys,
    /// The price of a response in pico-dollars, by model and day; `None` if it has none.
    pub price: &'b mut dyn FnMut(&str, &str, &Usage) -> Option<u64>,
    /// Which responses count, by their key: those that were counted elsewhere don't.
    pub counts: &'b mut dyn FnMut(u64) -> bool,
}

/// How far one look may go.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// About so many bytes.
    pub bytes: u64,
    /// Until then.
    pub deadline: Deadline,
}

/// What one look found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that were read.
    pub bytes: u64,
    /// True if there is more.
    pub more: bool,
}

impl Record {
    /// Reads on in `file` from where the record stands, and books what is new.
    ///
    /// # Errors
    /// When the file can't be read; what was booked until then is.
    pub fn read_on(
        &mut self,
        file: &mut File,
        booking: &mut Booking<'_>,
        bound: Bound,
    ) -> std::io::Result<Progress> {
        let len = file.metadata()?.len();
        self.recognise(file, len)?;
        let mut progress = Progress::default();
        let Some(new) = len.checked_sub(self.offset).filter(|new| *new > 0) else { return Ok(progress) };
        file.seek(SeekFrom::Start(self.offset))?;
        let size = usize::try_from(new).unwrap_or(CHUNK).saturating_add(1).min(CHUNK);
        let mut buffer = vec![0; size];
        let mut filled = 0;
        let mut scanner = Scanner::default();
        loop {
            let got = match file.read(&mut buffer[filled..]) {
                Ok(got) => got,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            if got == 0 {
                break;
            }
            progress.bytes += got as u64;
            filled += got;
            if let Some(end) = memrchr(b'\n', &buffer[..filled]).map(|at| at + 1) {
                self.take(&buffer[..end], &mut scanner, booking);
                self.offset += end as u64;
                buffer.copy_within(end..filled, 0);
                filled -= end;
            } else if filled == buffer.len() && filled < MAX_LINE {
                buffer.resize((filled * 2).max(4096), 0);
            } else if filled == buffer.len() {
                self.too_long += u64::from(!self.skipping);
                self.skipping = true;
                self.offset += filled as u64;
                filled = 0;
            }
            if progress.bytes >= bound.bytes || bound.deadline.passed() {
                progress.more = self.offset + (filled as u64) < len;
                // A line that is longer than what one look may read would never be read.
                if filled as u64 >= bound.bytes {
                    continue;
                }
                break;
            }
        }
        self.unreadable += scanner.unreadable;
        Ok(progress)
    }

    /// Begins anew in a file that is another one than before, or was cut.
    fn recognise(&mut self, file: &mut File, len: u64) -> std::io::Result<()> {
        if len < self.offset {
            self.begin_anew();
        }
        if len == self.offset {
            return Ok(());
        }
        let mut head = [0; HEAD];
        let head = &mut head[..HEAD.min(usize::try_from(len).unwrap_or(HEAD))];
        let mut filled = 0;
        while filled < head.len() {
            match file.read(&mut head[filled..]) {
                Ok(0) => return Ok(()),
                Ok(got) => filled += got,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        // What was its head when it was shorter still is, if it is the same.
        let known = if self.head_len == 0 { HEAD } else { usize::try_from(self.head_len).unwrap_or(HEAD) };
        if self.head != 0 && head.get(..known).is_none_or(|head| digest(head) != self.head) {
            self.begin_anew();
        }
        self.head = digest(head);
        self.head_len = if head.len() == HEAD { 0 } else { head.len() as u64 };
        Ok(())
    }

    /// Takes the file for one of which nothing was read. What was counted is not counted again.
    pub fn begin_anew(&mut self) {
        self.offset = 0;
        self.head = 0;
        self.head_len = 0;
        self.skipping = false;
        (self.unreadable, self.too_long) = (0, 0);
        // Where it is not known what was counted, what is older than what was counted last was.
        let unsure_ms = if self.ids == 0 { self.latest_ms } else { self.unsure_ms };
        if unsure_ms > 0 {
            self.since_ms = self.since_ms.max(unsure_ms.saturating_add(1));
        }
    }

    fn take(&mut self, mut lines: &[u8], scanner: &mut Scanner, booking: &mut Booking<'_>) {
        if self.skipping {
            let end = memchr(b'\n', lines).map_or(lines.len(), |at| at + 1);
            lines = &lines[end..];
            self.skipping = false;
        }
        scanner.scan(lines, |response| self.count(response, booking));
    }

    fn count(&mut self, response: Response<'_>, booking: &mut Booking<'_>) {
        // Copied from another session, which paid for it.
        if response.asked_by.is_some_and(|id| id != booking.session) {
            return;
        }
        // A forked subagent's begins with the response that started it, which is the main loop's.
        if booking.subagent && response.first {
            self.leave(response.key);
            return;
        }
        if !self.has_seen(response.key) {
            let old = response.at.is_some_and(|at| at < self.since_ms);
            if old || !(booking.counts)(response.key) {
                self.leave(response.key);
                return;
            }
        }
        // A transcript is its author's to write: what claims to be of tomorrow is of today. Else it would push
        // today out of the tally, and what comes after a cut would be taken for counted.
        let day = match response.at {
            Some(at) if at <= clock::now_ms() => {
                self.latest_ms = self.latest_ms.max(at);
                clock::day(at)
            }
            _ => today(),
        };
        let price = (booking.price)(&response.model, &day, &response.usage);
        let spend = Spend {
            usage: response.usage,
            pico_usd: price.unwrap_or(0),
            unpriced: u64::from(price.is_none()),
            ..Spend::default()
        };
        let model = crate::text::one_line(&response.model, 100).into_owned();
        self.book(response.key, &Keys { model, day, ..booking.keys.clone() }, spend);
    }
}

/// This day in UTC.
#[must_use]
pub fn today() -> String {
    clock::day(clock::now_ms())
}

#[cfg(test)]
mod tests;
