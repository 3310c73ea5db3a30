//! Which messages nobody has seen after their author's patience.
//!
//! `sent/<from>/due/<minute>.txt` has a line for each message whose author is to be told in that minute if it is
//! still unseen. So an author's hook lists as many names as there are minutes in which something is due, reads
//! nothing before that, and never looks into an archive.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use super::{Item, Mail, Place, State, join, names};
use crate::mail::{EVERYONE, KINDS, Kind, Message, Rank, Ulid};
use crate::store::file;
use crate::{Error, Result};

const MINUTE_MS: u64 = 60_000;
/// What is read of one minute; a line has less than two hundred bytes.
pub(super) const MAX_DUE: u64 = 1 << 20;

/// A message that some of its recipients have not seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unseen {
    /// The message.
    pub id: Ulid,
    /// What kind it is.
    pub kind: Kind,
    /// Who has not seen it, and how far it got there.
    pub at: Vec<(String, State)>,
}

/// What is due, as far as it can be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The messages.
    pub unseen: Vec<Unseen>,
    /// How many lists of them could not be read and were set aside.
    pub damaged: usize,
}

impl Mail<'_> {
    fn due_dir(&self, from: &str) -> PathBuf {
        join(&self.sent_dir(from), "due")
    }

    /// Puts on record when the author of `message` is to be told that it is unseen.
    pub(super) fn note_due(&self, message: &Message) -> Result<()> {
        let dir = self.due_dir(&message.from);
        self.make(&dir)?;
        let minute = message.due_ms() / MINUTE_MS + 1;
        let path = join(&dir, &[minute.to_string().as_str(), ".txt"].concat());
        let to: Vec<&str> = message.said.to.iter().map(String::as_str).filter(|to| *to != EVERYONE).collect();
        let line = [
            &message.id.text(),
            " ",
            message.said.kind.name(),
            " ",
            message.rank().name(),
            " ",
            &to.join(","),
            "\n",
        ]
        .concat();
        let mut how = OpenOptions::new();
        how.append(true).create(true);
        let Some(mut file) = file::open(&path, &mut how)? else { return Ok(()) };
        file.write_all(line.as_bytes()).map_err(Error::io("append to", &path))
    }

    /// What `from` sent and is due to be told of at `now_ms` because it is unseen: given to one caller only.
    /// What can't be read is set aside, and silences nothing else.
    ///
    /// # Errors
    /// When it can't be listed.
    pub fn take_unseen(&self, from: &str, now_ms: u64) -> Result<Due> {
        let dir = self.due_dir(from);
        let now = now_ms / MINUTE_MS;
        let mut names = names(&dir)?;
        names.retain(|name| {
            let minute = name.strip_suffix(".txt").and_then(|minute| minute.parse::<u64>().ok());
            minute.is_some_and(|minute| minute <= now)
        });
        let mut due = Due::default();
        if names.is_empty() {
            return Ok(due);
        }
        self.trust(&dir)?;
        names.sort();
        for name in names {
            let path = join(&dir, &name);
            let Ok(text) = file::read(&path, MAX_DUE) else {
                due.damaged += usize::from(self.store.set_aside(&path).is_ok());
                continue;
            };
            // Of many that find it due, the one that removes it tells it.
            if std::fs::remove_file(&path).is_err() {
                continue;
            }
            for line in text.unwrap_or_default().lines() {
                let Some(unseen) = self.look(from, line, now_ms) else { continue };
                // A sender that died may have noted it twice.
                if due.unseen.iter().all(|one| one.id != unseen.id) {
                    due.unseen.push(unseen);
                }
            }
        }
        Ok(due)
    }

    /// The message of a line, if some recipient has not seen it, or its mailbox can't be read.
    fn look(&self, from: &str, line: &str, now_ms: u64) -> Option<Unseen> {
        let words: Vec<&str> = line.split(' ').collect();
        let [id, kind, rank, to] = words[..] else { return None };
        let kind = KINDS.iter().find(|(name, _)| *name == kind).map(|(_, kind)| *kind)?;
        let (id, rank) = (Ulid::parse(id)?, Rank::named(rank)?);
        let mut at = Vec::new();
        // Nobody may have looked since its time was over.
        let is_over = || self.read_sent(from, id).is_ok_and(|m| m.is_some_and(|m| m.is_expired(now_ms)));
        for to in to.split(',').filter(|to| crate::mail::is_name(to)) {
            let expired = Item { id, rank, place: Place::Archive, state: State::Expired };
            match self.waiting(to) {
                Ok(waiting) => match waiting.into_iter().find(|item| item.id == id) {
                    Some(item) => {
                        at.push((to.to_owned(), if is_over() { State::Expired } else { item.state }))
                    }
                    None if self.path(to, &expired).symlink_metadata().is_ok() => {
                        at.push((to.to_owned(), State::Expired));
                    }
                    None => {}
                },
                // Nobody can have read it there either.
                Err(_) => at.push((to.to_owned(), State::Queued)),
            }
        }
        Some(Unseen { id, kind, at }).filter(|unseen| !unseen.at.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::deadline::Deadline;
    use crate::mail::Draft;
    use crate::session::SessionId;
    use crate::store::Store;

    #[test]
    fn each_is_told_of_once_and_only_what_is_unseen() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Store::new(dir.path().join("state"));
        let (mail, me) = (store.mail(), SessionId::new("s").expect("valid"));
        let send = |to: &[&str], blocks, expires| {
            let said = Draft {
                to: to.iter().map(|to| (*to).to_owned()).collect(),
                kind: Kind::Question,
                blocks_progress: blocks,
                expires_s: expires,
                body: "x?".into(),
                ..Draft::default()
            };
            mail.send("frontend", said, &me, Deadline::after(Duration::from_secs(5))).expect("sends")
        };
        let soon = send(&["backend", "docs"], true, None);
        let later = send(&["backend"], false, None);
        let brief = send(&["docs"], false, Some(60));
        let minutes = |n: u64| soon.id.ms() + n * MINUTE_MS;
        let take = |n| mail.take_unseen("frontend", minutes(n)).expect("reads").unseen;
        assert_eq!(take(0), []);
        assert_eq!(mail.take_unseen("backend", minutes(500)).expect("reads"), Due::default());
        // What expired was put aside by whoever found it so.
        let item = mail.find("docs", brief.id).expect("lists").expect("waits");
        mail.close("docs", &item, State::Expired).expect("moves").expect("was there");
        assert_eq!(
            take(2),
            [Unseen { id: brief.id, kind: Kind::Question, at: vec![("docs".into(), State::Expired)] }]
        );
        // Nobody has looked since its time was over.
        let late = send(&["backend"], false, Some(60));
        let all = mail.take_unseen("frontend", late.id.ms() + 2 * MINUTE_MS).expect("reads").unseen;
        assert!(
            all.iter().any(|one| one.id == late.id && one.at == [("backend".into(), State::Expired)]),
            "{all:?}"
        );
        // One of two has seen it.
        let item = mail.find("docs", soon.id).expect("lists").expect("waits");
        mail.seen("docs", &item, &me).expect("moves").expect("was there");
        let unseen =
            Unseen { id: soon.id, kind: Kind::Question, at: vec![("backend".into(), State::Queued)] };
        assert_eq!(take(4), [unseen]);
        assert_eq!(take(4), []);
        // Seen in time, nobody is told.
        let item = mail.find("backend", later.id).expect("lists").expect("waits");
        mail.seen("backend", &item, &me).expect("moves").expect("was there");
        assert_eq!(take(500), []);
        assert_eq!(names(&mail.due_dir("frontend")).expect("lists"), [""; 0]);
    }
}
