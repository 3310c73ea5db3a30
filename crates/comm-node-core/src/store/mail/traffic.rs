//! What mail cost: one line per message sent and per message told, for the ledger to count.
//!
//! `ledger/mail/<domain>/<yyyy-mm>.jsonl`, only ever appended to. Who counts keeps a [`Cursor`] beside its
//! figures and reads on from there, so that nothing is counted twice and nobody reads history.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Mail, join, names};
use crate::mail::{KINDS, Kind, Message, Tier, Ulid};
use crate::session::SessionId;
use crate::store::file;
use crate::{Error, Result, clock};

/// A line may still be added to a month's file for this long after the month is over.
const LATE_MS: u64 = 60 * 60 * 1000;
/// A line is a few hundred bytes; a longer one is none of ours.
const MAX_LINE: u64 = 4 << 10;

/// Who pays for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// Its author, once.
    Sent,
    /// A session that was told it, each time.
    Read,
}

/// One message that somebody paid for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// As author or as reader.
    pub way: Way,
    /// The message.
    pub id: Ulid,
    /// The session that paid.
    pub session: String,
    /// What it is booked on: the task that the message names, else the one that the session works on.
    pub task: Option<String>,
    /// The kind of message.
    pub kind: Kind,
    /// Its tier.
    pub tier: Tier,
    /// What it answers.
    pub reply_to: Option<Ulid>,
    /// Estimated tokens.
    pub tokens: u64,
}

/// How far somebody has counted the traffic of one domain. It belongs into the same file as the figures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The month whose file is being read, such as `2026-11`.
    #[serde(default)]
    pub month: String,
    /// How much of it was read.
    #[serde(default)]
    pub offset: u64,
    /// The message that was sent last: a sender that dies may note it twice.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub last_sent: String,
}

impl Cursor {
    /// True if nothing was counted yet.
    #[must_use]
    pub fn is_start(&self) -> bool {
        *self == Self::default()
    }
}

/// A line as it stands in the file.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    version: u32,
    t: &'a str,
    way: Way,
    id: &'a str,
    session: &'a str,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    task: Option<Cow<'a, str>>,
    kind: &'a str,
    tier: &'a str,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply_to: Option<&'a str>,
    tokens: u64,
}

impl Mail<'_> {
    fn traffic_dir(&self, domain: &str) -> PathBuf {
        join(&join(&join(&self.store.dir, "ledger"), "mail"), domain)
    }

    /// Notes that `session`, which works for `domain` and on `task`, paid for each of `messages`.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn note_traffic(
        &self,
        way: Way,
        domain: &str,
        session: &SessionId,
        task: Option<&str>,
        messages: &[&Message],
    ) -> Result<()> {
        let now = clock::rfc3339(clock::now_ms());
        let dir = self.traffic_dir(domain);
        let path = join(&dir, &[now.get(..7).unwrap_or_default(), ".jsonl"].concat());
        let mut bytes = Vec::new();
        for message in messages {
            let (id, reply_to) = (message.id.text(), message.said.reply_to.map(Ulid::text));
            let line = Line {
                version: 1,
                t: &now,
                way,
                id: &id,
                session: session.as_str(),
                task: message.said.task.as_deref().or(task).map(Cow::Borrowed),
                kind: message.said.kind.name(),
                tier: message.tier().name(),
                reply_to: reply_to.as_deref(),
                tokens: message.cost() as u64,
            };
            serde_json::to_writer(&mut bytes, &line)
                .map_err(|e| Error::Invalid { what: "the record", why: e.to_string() })?;
            bytes.push(b'\n');
        }
        self.trust(&dir)?;
        let mut how = OpenOptions::new();
        how.append(true).create(true);
        let mut file = match file::open(&path, &mut how)? {
            Some(file) => file,
            None => {
                self.make(&dir)?;
                file::open(&path, &mut how)?
                    .ok_or_else(|| Error::io("open", &path)(std::io::ErrorKind::NotFound.into()))?
            }
        };
        // One write, so that the lines of many processes never mix.
        file.write_all(&bytes).map_err(Error::io("append to", &path))
    }

    /// What the sessions of `domain` paid for since `from`, at most about `max` bytes of it, and where to read
    /// on. Nothing more is there where the cursor stays as it was. Lines that can't be read are passed over.
    ///
    /// # Errors
    /// When a file is there but can't be read.
    pub fn traffic(&self, domain: &str, from: &Cursor, max: u64) -> Result<(Vec<Traffic>, Cursor)> {
        let dir = self.traffic_dir(domain);
        let mut months: Vec<String> = names(&dir)?
            .into_iter()
            .filter_map(|name| name.strip_suffix(".jsonl").map(str::to_owned))
            .filter(|month| month.len() == 7 && *month >= from.month)
            .collect();
        months.sort();
        if !months.is_empty() {
            self.trust(&dir)?;
        }
        let (mut found, mut at) = (Vec::new(), from.clone());
        let mut left = max.max(MAX_LINE);
        for month in months {
            if month != at.month {
                if !at.month.is_empty() && !is_over(&at.month) {
                    break;
                }
                at = Cursor { month, offset: 0, last_sent: at.last_sent };
            }
            let (text, whole) = self.chunk(&dir, &mut at, left)?;
            for line in text.split(|b| *b == b'\n') {
                let Some(one) = parse(line) else { continue };
                if one.way == Way::Sent {
                    let id = one.id.text();
                    if id == at.last_sent {
                        continue;
                    }
                    at.last_sent = id;
                }
                found.push(one);
            }
            left = left.saturating_sub(text.len() as u64);
            if !whole || left < MAX_LINE {
                break;
            }
        }
        Ok((found, at))
    }

    /// Whole lines from `at` on, which is moved behind them, and whether the file has no more.
    fn chunk(&self, dir: &std::path::Path, at: &mut Cursor, max: u64) -> Result<(Vec<u8>, bool)> {
        let path = join(dir, &[at.month.as_str(), ".jsonl"].concat());
        let mut text = Vec::new();
        let Some(mut file) = file::open(&path, OpenOptions::new().read(true))? else {
            return Ok((text, true));
        };
        let len = file.metadata().map_err(Error::io("read", &path))?.len();
        if len < at.offset {
            // Somebody began it anew.
            at.offset = 0;
        }
        file.seek(SeekFrom::Start(at.offset)).map_err(Error::io("read", &path))?;
        file.take(max).read_to_end(&mut text).map_err(Error::io("read", &path))?;
        let read = text.len();
        match text.iter().rposition(|b| *b == b'\n') {
            Some(end) => text.truncate(end + 1),
            // A line that long is none of ours; a shorter one is just being written.
            None if read as u64 >= max => {}
            None => text.clear(),
        }
        at.offset += text.len() as u64;
        Ok((text, read as u64 + at.offset >= len))
    }
}

/// True if nobody adds to the file of `month` any more.
fn is_over(month: &str) -> bool {
    let late = clock::rfc3339(clock::now_ms().saturating_sub(LATE_MS));
    late.as_str() > month && !late.starts_with(month)
}

fn parse(line: &[u8]) -> Option<Traffic> {
    let line: Line<'_> = serde_json::from_slice(line).ok()?;
    Some(Traffic {
        at_ms: clock::parse_rfc3339(line.t)?,
        way: line.way,
        id: Ulid::parse(line.id)?,
        session: line.session.to_owned(),
        task: line.task.map(Cow::into_owned),
        kind: KINDS.iter().find(|(name, _)| *name == line.kind)?.1,
        tier: Tier::named(line.tier)?,
        reply_to: line.reply_to.and_then(Ulid::parse),
        tokens: line.tokens,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{Draft, tests::message};
    use crate::store::Store;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Store::new(dir.path().join("state"));
        (dir, store)
    }

    fn me() -> SessionId {
        SessionId::new("s").expect("valid")
    }

    #[test]
    fn what_was_counted_is_not_counted_again() {
        let (_dir, store) = store();
        let mail = store.mail();
        assert_eq!(
            mail.traffic("backend", &Cursor::default(), 1 << 20).expect("reads"),
            (vec![], Cursor::default())
        );
        let (a, b) = (message("one?"), message("two?"));
        mail.note_traffic(Way::Sent, "backend", &me(), Some("bd-1"), &[&a]).expect("writes");
        // The sender died here and noted it again.
        mail.note_traffic(Way::Sent, "backend", &me(), Some("bd-1"), &[&a]).expect("writes");
        mail.note_traffic(Way::Read, "backend", &me(), None, &[&b]).expect("writes");
        let (found, at) = mail.traffic("backend", &Cursor::default(), 1 << 20).expect("reads");
        assert_eq!(
            found.iter().map(|t| (t.way, t.id)).collect::<Vec<_>>(),
            [(Way::Sent, a.id), (Way::Read, b.id)]
        );
        assert_eq!(
            (found[0].task.as_deref(), found[0].tokens, found[0].tier, found[1].task.as_deref()),
            (Some("bd-1"), a.cost() as u64, Tier::Coordination, None)
        );
        assert_eq!(mail.traffic("backend", &at, 1 << 20).expect("reads"), (vec![], at.clone()));
        // Told again is paid again.
        mail.note_traffic(Way::Read, "backend", &me(), None, &[&b]).expect("writes");
        let (more, after) = mail.traffic("backend", &at, 1 << 20).expect("reads");
        assert_eq!((more.len(), after.offset > at.offset), (1, true));
        assert_eq!(mail.traffic("frontend", &Cursor::default(), 1 << 20).expect("reads").0, []);
    }

    #[test]
    fn the_messages_own_task_comes_first() {
        let (_dir, store) = store();
        let own =
            Message { said: Draft { task: Some("bd-9".into()), ..message("x?").said }, ..message("x?") };
        store.mail().note_traffic(Way::Sent, "backend", &me(), Some("bd-1"), &[&own]).expect("writes");
        let (found, _) = store.mail().traffic("backend", &Cursor::default(), 0).expect("reads");
        assert_eq!(found[0].task.as_deref(), Some("bd-9"));
    }

    #[test]
    fn a_piece_at_a_time_months_and_lines_that_are_none() {
        let (_dir, store) = store();
        let mail = store.mail();
        let dir = store.dir().join("ledger/mail/backend");
        mail.note_traffic(Way::Read, "backend", &me(), None, &[&message("this month")]).expect("writes");
        let now = std::fs::read_dir(&dir).expect("lists").flatten().next().expect("one").path();
        let line = std::fs::read_to_string(&now).expect("reads");
        let junk = "x".repeat(9_000);
        std::fs::write(
            dir.join("2020-01.jsonl"),
            line.repeat(100) + "{\"version\":1}\n" + &junk + "\n" + &line,
        )
        .expect("writes");
        std::fs::write(&now, line.clone() + &line[..20]).expect("writes");
        let (mut count, mut at, mut rounds) = (0, Cursor::default(), 0);
        loop {
            let (found, next) = mail.traffic("backend", &at, 0).expect("reads");
            count += found.len();
            rounds += 1;
            if next == at {
                break;
            }
            at = next;
        }
        assert_eq!(
            (count, at.month.as_str()),
            (102, now.file_stem().and_then(|s| s.to_str()).expect("name"))
        );
        assert!(rounds > 3, "{rounds}");
        // The half line is finished.
        std::fs::write(&now, line.repeat(2)).expect("writes");
        assert_eq!(mail.traffic("backend", &at, 0).expect("reads").0.len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_written_through_a_link() {
        let (dir, store) = store();
        let other = dir.path().join("other");
        std::fs::create_dir_all(other.join("mail/backend")).expect("dirs");
        std::fs::create_dir(store.dir()).expect("dir");
        std::os::unix::fs::symlink(&other, store.dir().join("ledger")).expect("links");
        let mail = store.mail();
        assert!(mail.note_traffic(Way::Sent, "backend", &me(), None, &[&message("x")]).is_err());
        assert!(mail.traffic("backend", &Cursor::default(), 0).is_ok_and(|(found, _)| found.is_empty()));
    }
}
