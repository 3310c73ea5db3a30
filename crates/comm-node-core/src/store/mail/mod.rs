//! Mailboxes: `mail/<domain>/`, one file per message and recipient, its state in its name.
//!
//! ```text
//! mail/<domain>/tmp/<id>.<rank>.md                        being sent: nobody looks at it
//! mail/<domain>/new/<id>.<rank>.md                        queued
//! mail/<domain>/new/<id>.<rank>.again.md                  queued again: it was told to a session that was resumed without it
//! mail/<domain>/new/<id>.<rank>.offering-<session>.md     a hook of that session is writing it to its stdout
//! mail/<domain>/new/<id>.<rank>.offered-<session>.md      it has
//! mail/<domain>/cur/<id>.<rank>.seen-<session>.md         the model went on with it
//! mail/<domain>/archive/<yyyy-mm>/<dd>/<id>.<rank>.{acked,seen}-<session>.md, ….expired.md
//! sent/<from>/<yyyy-mm>/<dd>/<id>.md                      its author's copy
//! sending/<id>.md                                         sent, not yet in every mailbox
//! ```
//!
//! A change of state is one rename, so that of many processes one does it and the others find the file
//! gone. The content never changes; all names of a message are links to one file where the system has
//! links. `new/` and `cur/` hold what waits, and no hook lists anything else. `docs/mail.md` gives
//! the reasons.

mod claim;
mod health;
mod name;
mod outbox;
mod send;
mod traffic;
mod unseen;

#[cfg(test)]
mod tests;

use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

pub use health::Ailments;
pub use name::{Item, Place, State};
pub use outbox::{Routed, Verdict};
pub use traffic::{Cursor, Traffic, Way};
pub use unseen::{Due, Unseen};

use super::{Store, file, is_plain_dir};
use crate::mail::{Message, Ulid, form};
use crate::{Error, Result, clock};

/// No message is larger: the body's limit and generous frontmatter.
const MAX_FILE: u64 = 64 << 10;
/// The mail of a node.
#[derive(Clone, Copy, Debug)]
pub struct Mail<'s> {
    store: &'s Store,
}

impl Store {
    /// The node's mail; nothing is opened or made.
    #[must_use]
    pub fn mail(&self) -> Mail<'_> {
        Mail { store: self }
    }
}

/// Text at the end of a path.
fn join(dir: &Path, name: &str) -> PathBuf {
    dir.join(name)
}

/// The directory of a day, such as `2026-11/21`.
fn day(ms: u64) -> String {
    let mut day = clock::rfc3339(ms);
    day.truncate(10);
    day.replace_range(7..8, "/");
    day
}

impl Mail<'_> {
    fn mailbox(&self, domain: &str) -> PathBuf {
        join(&join(&self.store.dir, "mail"), domain)
    }

    fn dir(&self, domain: &str, place: Place, id: Ulid) -> PathBuf {
        let mailbox = self.mailbox(domain);
        match place {
            Place::New => join(&mailbox, "new"),
            Place::Cur => join(&mailbox, "cur"),
            Place::Archive => join(&join(&mailbox, "archive"), &day(id.ms())),
        }
    }

    /// The file of `item` in the mailbox of `domain`.
    #[must_use]
    pub fn path(&self, domain: &str, item: &Item) -> PathBuf {
        join(&self.dir(domain, item.place, item.id), &item.name())
    }

    /// What waits in the mailbox of `domain`: not yet known to be seen. Oldest first.
    ///
    /// # Errors
    /// When the mailbox is there but can't be listed.
    pub fn waiting(&self, domain: &str) -> Result<Vec<Item>> {
        self.list(&join(&self.mailbox(domain), "new"), Place::New)
    }

    /// What was seen and is still open. Oldest first.
    ///
    /// # Errors
    /// When the mailbox is there but can't be listed.
    pub fn open(&self, domain: &str) -> Result<Vec<Item>> {
        self.list(&join(&self.mailbox(domain), "cur"), Place::Cur)
    }

    fn list(&self, dir: &Path, place: Place) -> Result<Vec<Item>> {
        let mut items: Vec<Item> = Vec::new();
        let mut names = names(dir)?;
        // By age: an id is the beginning of the name. (Strings are sorted elsewhere too; another kind of
        // sort would be some kilobytes more in every hook.)
        names.sort();
        for name in names {
            items.extend(Item::parse(&name, place));
        }
        if !items.is_empty() {
            self.trust(dir)?;
        }
        Ok(items)
    }

    /// Refuses a directory that is reached through a link: a repository could carry one.
    fn trust(&self, dir: &Path) -> Result<()> {
        let mut at = dir;
        while at != self.store.dir {
            if at.is_symlink() {
                return Err(Error::Untrusted { path: at.to_path_buf(), why: "it is not a plain directory" });
            }
            match at.parent() {
                Some(parent) => at = parent,
                None => break,
            }
        }
        Ok(())
    }

    /// The message of `item`, `None` if another process moved it meanwhile.
    ///
    /// # Errors
    /// When it can't be read, or is damaged: one that has another id than its name says too.
    pub fn read(&self, domain: &str, item: &Item) -> Result<Option<Message>> {
        let path = self.path(domain, item);
        match read(&path)? {
            Some(message) if message.id != item.id => {
                Err(Error::Damaged { path, why: "its id is not that of its name".into() })
            }
            found => Ok(found),
        }
    }

    /// Moves `item` to `place` in the state `state`: `None` if another process was quicker.
    ///
    /// # Errors
    /// When it can't be moved.
    pub fn shift(&self, domain: &str, item: &Item, place: Place, state: State) -> Result<Option<Item>> {
        let moved = Item { place, state, ..item.clone() };
        let (from, to) = (self.path(domain, item), self.path(domain, &moved));
        super::crash::here()?;
        if rename(&from, &to)? {
            return Ok(Some(moved));
        }
        if from.symlink_metadata().is_err() {
            return Ok(None);
        }
        // The source is there, so it is the target's directory that is missing.
        if let Some(dir) = to.parent() {
            self.make(dir)?;
        }
        Ok(rename(&from, &to)?.then_some(moved))
    }

    /// Makes `dir`, which is below the state directory, and what is missing above it.
    fn make(&self, dir: &Path) -> Result<()> {
        if dir == self.store.dir {
            return if is_plain_dir(dir) { Ok(()) } else { self.store.prepare() };
        }
        if let Some(parent) = dir.parent() {
            self.make(parent)?;
        }
        self.make_in(dir)
    }

    /// Makes `dir`, if it is missing, in a directory that is there.
    fn make_in(&self, dir: &Path) -> Result<()> {
        // Mostly it is there, and one look says so.
        if is_plain_dir(dir) { Ok(()) } else { self.store.own_dir(dir) }
    }

    /// Where the message `id` is in the mailbox of `domain`.
    ///
    /// # Errors
    /// When the mailbox can't be listed.
    pub fn find(&self, domain: &str, id: Ulid) -> Result<Option<Item>> {
        // A message moves from the first of these to the last, and rarely back; a listing may miss one
        // that moves within it.
        for _ in 0..3 {
            for place in [Place::New, Place::Cur, Place::Archive] {
                let found = self.list(&self.dir(domain, place, id), place)?.into_iter().find(|i| i.id == id);
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        Ok(None)
    }

    /// The day under which a message is filed, such as `2026-11/21`.
    #[must_use]
    pub fn day_of(id: Ulid) -> String {
        day(id.ms())
    }

    /// The days of which the archive of `domain` holds messages, latest first.
    ///
    /// # Errors
    /// When it can't be listed.
    pub fn archive_days(&self, domain: &str) -> Result<Vec<String>> {
        days(&join(&self.mailbox(domain), "archive"))
    }

    /// What the archive of `domain` holds of one of its days, oldest first.
    ///
    /// # Errors
    /// When it can't be listed.
    pub fn archived(&self, domain: &str, day: &str) -> Result<Vec<Item>> {
        self.list(&join(&join(&self.mailbox(domain), "archive"), day), Place::Archive)
    }

    /// The days on which `from` sent messages, latest first.
    ///
    /// # Errors
    /// When they can't be listed.
    pub fn sent_days(&self, from: &str) -> Result<Vec<String>> {
        days(&self.sent_dir(from))
    }

    /// What `from` sent on one of these days, oldest first.
    ///
    /// # Errors
    /// When it can't be listed.
    pub fn sent(&self, from: &str, day: &str) -> Result<Vec<Ulid>> {
        let dir = join(&self.sent_dir(from), day);
        let mut ids: Vec<Ulid> =
            names(&dir)?.iter().filter_map(|name| Ulid::parse(name.strip_suffix(".md")?)).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// The author's copy of a message.
    ///
    /// # Errors
    /// When it can't be read, or is damaged.
    pub fn read_sent(&self, from: &str, id: Ulid) -> Result<Option<Message>> {
        let path = self.sent_path(from, id);
        if let Some(dir) = path.parent() {
            self.trust(dir)?;
        }
        read(&path)
    }

    fn sent_dir(&self, from: &str) -> PathBuf {
        join(&join(&self.store.dir, "sent"), from)
    }

    fn sent_path(&self, from: &str, id: Ulid) -> PathBuf {
        let mut name = id.text();
        name.push_str(".md");
        join(&join(&self.sent_dir(from), &day(id.ms())), &name)
    }
}

/// The names in `dir`; none where there is no such directory.
fn names(dir: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let listed = file::entries(dir, |name, _| {
        names.extend(name.to_str().map(str::to_owned));
        ControlFlow::Continue(())
    });
    match listed {
        Ok(()) => Ok(names),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(e) => Err(Error::io("list", dir)(e)),
    }
}

/// The days below `dir`, latest first.
fn days(dir: &Path) -> Result<Vec<String>> {
    let number = |name: &String| name.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let mut out = Vec::new();
    for month in names(dir)?.into_iter().filter(number) {
        for day in names(&join(dir, &month))?.iter().filter(|day| number(day)) {
            let mut path = month.clone();
            path.push('/');
            path.push_str(day);
            out.push(path);
        }
    }
    out.sort_unstable_by(|a, b| b.cmp(a));
    Ok(out)
}

fn read(path: &Path) -> Result<Option<Message>> {
    let Some(text) = file::read(path, MAX_FILE)? else { return Ok(None) };
    form::read(&text).map(Some).map_err(|why| Error::Damaged { path: path.to_path_buf(), why })
}

/// Renames; false if either the source or the target's directory is not there.
fn rename(from: &Path, to: &Path) -> Result<bool> {
    match std::fs::rename(from, to) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(Error::io("move", from)(e)),
    }
}
