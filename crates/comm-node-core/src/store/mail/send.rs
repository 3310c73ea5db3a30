//! Sending: to all recipients or to none.
//!
//! 1. The file is written as `sending/<id>.tmp`.
//! 2. Each recipient's `tmp/` gets a link to it.
//! 3. `sending/<id>.tmp` becomes `sending/<id>.md`. **From here on the message is sent**, before it was not.
//! 4. The file is flushed, and with it the names that it got. Nobody was shown it before.
//! 5. Each link moves from `tmp/` to `new/`.
//! 6. What it answers is acknowledged in its author's mailbox.
//! 7. What it cost its author is noted, when the author is to be told that it is unseen, and what efficiency is
//!    judged by.
//! 8. `sending/<id>.md` becomes the author's copy.
//!
//! Whoever finds `sending/<id>.md` does 5 to 8, as often as it likes: a link that is not in `tmp/` any
//! more has been delivered. Whoever finds an old `sending/<id>.tmp` takes 1 and 2 back. One lock
//! serialises senders, which also gives ids that grow from one message of the node to the next.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::{Mail, Place, State, Way, join, names, read, rename};
use crate::deadline::Deadline;
use crate::mail::{Draft, EVERYONE, HUMAN, Message, NODE, Ulid, form};
use crate::session::SessionId;
use crate::store::file::{self, Durability};
use crate::store::{Item, crash};
use crate::{Error, Result, clock};

/// A beginning that is older was given up: where a file system has no locks, another may still be at it.
const ABANDONED_MS: u64 = 60_000;
/// An id that is further in the future than this came from a clock that was wrong.
const AHEAD_MS: u64 = 60 * 60 * 1000;

impl Mail<'_> {
    /// Sends what `from` says to everybody that it names, or to nobody. `by` is credited with the
    /// acknowledgement of what it answers.
    ///
    /// # Errors
    /// When it could not be sent; nobody will ever get it then.
    pub fn send(&self, from: &str, said: Draft, by: &SessionId, deadline: Deadline) -> Result<Message> {
        let _lock = self.store.lock("mail", deadline)?;
        let now = clock::now_ms();
        self.recover_locked(now)?;
        let id = self.next_id(now)?;
        self.send_locked(Message { id, from: from.to_owned(), said }, by)
    }

    /// Ids that no message has, for `count` messages of which each is to be sent exactly once: they go on record first,
    /// and then to [`Self::send_once`].
    ///
    /// # Errors
    /// When the last one given can't be put on record.
    pub fn reserve(&self, count: usize, deadline: Deadline) -> Result<Vec<Ulid>> {
        let _lock = self.store.lock("mail", deadline)?;
        (0..count).map(|_| self.next_id(clock::now_ms())).collect()
    }

    /// Sends what `from` says under the reserved `id`, unless that was done: by somebody who died before they could put
    /// it on record. What they only began is taken back before.
    ///
    /// # Errors
    /// When it could not be sent; nobody will ever get it then, unless it is tried again.
    pub fn send_once(
        &self,
        id: Ulid,
        from: &str,
        said: Draft,
        by: &SessionId,
        deadline: Deadline,
    ) -> Result<Message> {
        let _lock = self.store.lock("mail", deadline)?;
        self.recover_locked(clock::now_ms())?;
        let message = Message { id, from: from.to_owned(), said };
        if self.was_sent(from, id) {
            return Ok(message);
        }
        let draft = join(&self.sending(), &file_name(&message, "tmp"));
        if draft.symlink_metadata().is_ok() {
            self.take_back(&message, &draft, &draft.with_extension("md"));
        }
        self.send_locked(message, by)
    }

    /// Sends `message`, whose id nobody else has; only under the lock.
    pub(super) fn send_locked(&self, message: Message, by: &SessionId) -> Result<Message> {
        let sending = self.sending();
        self.make(&sending)?;
        self.make(&self.sent_dir(&message.from))?;
        for to in recipients(&message.said) {
            let mailbox = self.mailbox(to);
            self.make(&mailbox)?;
            for part in ["tmp", "new", "cur"] {
                self.make_in(&join(&mailbox, part))?;
            }
        }
        let draft = join(&sending, &file_name(&message, "tmp"));
        let sent = join(&sending, &file_name(&message, "md"));
        match self.post(&message, &draft, &sent) {
            // What fails from here on is made good by the next one who looks.
            Ok(()) => drop(self.deliver(&message, &sent, by)),
            Err(e) => {
                if self.take_back(&message, &draft, &sent) {
                    return Err(e);
                }
            }
        }
        Ok(message)
    }

    /// True if the message was sent; only under the lock, and after what was left is finished.
    pub(super) fn was_sent(&self, from: &str, id: Ulid) -> bool {
        self.sent_path(from, id).symlink_metadata().is_ok()
    }

    /// Finishes what a sender that died began, if it is not under way.
    ///
    /// # Errors
    /// When mail can't be moved.
    pub fn recover(&self, deadline: Deadline) -> Result<()> {
        if !self.is_interrupted() {
            return Ok(());
        }
        let _lock = self.store.lock("mail", deadline)?;
        self.recover_locked(clock::now_ms())?;
        self.recover_dropped()
    }

    /// True if a sender is at work, or died over it.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        let is_file = |name: &String| name.ends_with(".md") || name.ends_with(".tmp");
        [self.sending(), self.routing()]
            .iter()
            .any(|dir| names(dir).is_ok_and(|names| names.iter().any(is_file)))
    }

    pub(super) fn sending(&self) -> PathBuf {
        join(&self.store.dir, "sending")
    }

    fn tmp(&self, to: &str, message: &Message) -> PathBuf {
        join(&join(&self.mailbox(to), "tmp"), &queued(message).name())
    }

    /// Steps 1 to 4.
    fn post(&self, message: &Message, draft: &Path, sent: &Path) -> Result<()> {
        let text = form::write(message);
        crash::here()?;
        if crash::torn() {
            let half = text.get(..text.len() / 2).unwrap_or_default();
            let _ = std::fs::write(draft, half);
            return Err(crash::error());
        }
        let mut files = vec![(draft.to_path_buf(), create(draft, text.as_bytes())?)];
        for to in recipients(&message.said) {
            crash::here()?;
            let link = self.tmp(to, message);
            match std::fs::hard_link(draft, &link) {
                Ok(()) => {}
                Err(e) if e.kind() == ErrorKind::NotFound => return Err(Error::io("link", &link)(e)),
                // Where there are no links each has a copy.
                Err(_) => {
                    let copy = create(&link, text.as_bytes())?;
                    files.push((link, copy));
                }
            }
        }
        crash::here()?;
        rename(draft, sent)?;
        crash::here()?;
        for (path, file) in &files {
            file.sync_all().map_err(Error::io("flush", path))?;
        }
        crash::here()
    }

    /// Takes back what was begun; false if it can't be, and the message is sent.
    fn take_back(&self, message: &Message, draft: &Path, sent: &Path) -> bool {
        if crash::here().is_err() {
            return sent.symlink_metadata().is_err();
        }
        if sent.symlink_metadata().is_ok() && !matches!(rename(sent, draft), Ok(true)) {
            return false;
        }
        for to in recipients(&message.said) {
            let _ = std::fs::remove_file(self.tmp(to, message));
        }
        let _ = std::fs::remove_file(draft);
        true
    }

    /// Steps 5 to 8.
    fn deliver(&self, message: &Message, sent: &Path, by: &SessionId) -> Result<()> {
        for to in recipients(&message.said) {
            crash::here()?;
            let target = self.path(to, &queued(message));
            rename(&self.tmp(to, message), &target)?;
        }
        if let Some(id) = message.said.reply_to {
            crash::here()?;
            self.acknowledge(&message.from, id, by)?;
        }
        crash::here()?;
        if message.from != HUMAN && message.from != NODE {
            let task = self.store.read_session(by).ok().flatten().and_then(|session| session.task);
            // A message is not held back for want of a figure.
            let _ = self.note_traffic(Way::Sent, &message.from, by, task.as_deref(), &[message]);
            crash::here()?;
            let _ = self.note_due(message);
        }
        let _ = self.store.note_message(message);
        crash::here()?;
        let copy = self.sent_path(&message.from, message.id);
        if !rename(sent, &copy)?
            && let Some(dir) = copy.parent()
        {
            self.make(dir)?;
            rename(sent, &copy)?;
        }
        crash::here()
    }

    /// Closes the message `id` in the mailbox of `domain`; it may be in none, or closed already.
    ///
    /// # Errors
    /// When it can't be moved.
    pub fn acknowledge(&self, domain: &str, id: Ulid, by: &SessionId) -> Result<Option<Item>> {
        for _ in 0..3 {
            let Some(item) = self.find(domain, id)? else { return Ok(None) };
            if matches!(item.state, State::Acked(_)) {
                return Ok(Some(item));
            }
            if let Some(moved) = self.close(domain, &item, State::Acked(by.clone()))? {
                return Ok(Some(moved));
            }
        }
        Ok(None)
    }

    /// Finishes or takes back what other senders left; only under the lock.
    pub(super) fn recover_locked(&self, now_ms: u64) -> Result<()> {
        let sending = self.sending();
        let mut left = names(&sending)?;
        left.sort();
        for name in left {
            let path = join(&sending, &name);
            if name.ends_with(".md") {
                match read(&path) {
                    Ok(Some(message)) => {
                        let by = SessionId::new(&message.from)?;
                        self.deliver(&message, &path, &by)?;
                    }
                    Ok(None) => {}
                    Err(_) => drop(self.store.set_aside(&path)?),
                }
            } else if name.ends_with(".tmp") {
                let written = path.symlink_metadata().and_then(|m| m.modified()).map_or(0, clock::ms_of);
                if now_ms.saturating_sub(written) > ABANDONED_MS {
                    match read(&path) {
                        Ok(Some(message)) => {
                            let _ = self.take_back(&message, &path, &path.with_extension("md"));
                        }
                        // Half a file has no links yet.
                        _ => drop(std::fs::remove_file(&path)),
                    }
                }
            }
        }
        Ok(())
    }

    /// An id that is greater than all before; only under the lock.
    pub(super) fn next_id(&self, now_ms: u64) -> Result<Ulid> {
        let path = join(&self.store.dir, "mail.last");
        let last = file::read(&path, 64).ok().flatten().and_then(|text| Ulid::parse(text.trim_end()));
        let id = Ulid::fresh(now_ms, last.filter(|id| id.ms() < now_ms.saturating_add(AHEAD_MS)));
        let mut text = id.text();
        text.push('\n');
        // Read and written under the lock alone, and always as long. What else may stand there makes way.
        if !file::overwrite(&path, text.as_bytes()).unwrap_or(false) {
            file::replace(&path, text.as_bytes(), Durability::Rebuildable)?;
        }
        Ok(id)
    }
}

fn recipients(said: &Draft) -> impl Iterator<Item = &str> {
    said.to.iter().map(String::as_str).filter(|to| *to != EVERYONE)
}

fn queued(message: &Message) -> Item {
    Item { id: message.id, rank: message.rank(), place: Place::New, state: State::Queued }
}

fn file_name(message: &Message, extension: &str) -> String {
    let mut name = message.id.text();
    name.push('.');
    name.push_str(extension);
    name
}

fn create(path: &Path, bytes: &[u8]) -> Result<File> {
    let mut how = std::fs::OpenOptions::new();
    how.write(true).create_new(true);
    let mut file = file::open(path, &mut how)?
        .ok_or_else(|| Error::io("create", path)(std::io::Error::from(ErrorKind::NotFound)))?;
    file.write_all(bytes).map_err(Error::io("write", path))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::Store;

    #[test]
    fn what_is_reserved_is_sent_once_whatever_was_left_of_it() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Store::new(dir.path().join(".comm-node"));
        store.prepare().expect("makes");
        let mail = store.mail();
        let by = SessionId::new(HUMAN).expect("an id");
        let deadline = Deadline::after(Duration::from_secs(20));
        let ids = mail.reserve(2, deadline).expect("reserves");
        assert!(ids[0] < ids[1]);
        let once = |id| {
            let said = Draft { to: vec!["a".into(), "b".into()], body: "x".into(), ..Draft::default() };
            mail.send_once(id, HUMAN, said, &by, deadline).expect("sends")
        };
        let waiting = || ["a", "b"].map(|name| mail.waiting(name).expect("lists").len());
        once(ids[0]);
        once(ids[0]);
        assert_eq!(waiting(), [1, 1]);
        // Somebody began the second one, and died.
        let message = Message { id: ids[1], ..once(ids[0]) };
        std::fs::write(join(&mail.sending(), &file_name(&message, "tmp")), "half").expect("writes");
        std::fs::write(mail.tmp("a", &message), "half").expect("writes");
        once(ids[1]);
        once(ids[1]);
        assert_eq!(waiting(), [2, 2]);
        assert!(names(&mail.sending()).expect("lists").is_empty());
        assert!(names(&join(&mail.mailbox("a"), "tmp")).expect("lists").is_empty());
        // Read and put away, it is still known.
        for item in mail.waiting("a").expect("lists") {
            mail.close("a", &item, State::Acked(by.clone())).expect("closes");
        }
        once(ids[1]);
        assert_eq!(waiting(), [0, 2]);
        assert!(mail.send(HUMAN, message.said, &by, deadline).expect("sends").id > ids[1]);
    }

    #[test]
    #[cfg(unix)]
    fn the_latest_id_is_written_where_it_stands_and_nowhere_else() {
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Store::new(dir.path().join(".comm-node"));
        store.prepare().expect("makes");
        let mail = store.mail();
        let (last, aside) = (store.dir().join("mail.last"), dir.path().join("aside"));
        let next = || mail.next_id(clock::now_ms()).expect("gives");
        let inode = |path: &PathBuf| path.symlink_metadata().expect("is there").ino();
        let stands = || std::fs::read_to_string(&last).expect("reads");
        let first = next();
        let file = inode(&last);
        let second = next();
        assert!(first < second);
        assert_eq!(
            (inode(&last), stands()),
            (file, format!("{}\n", second.text())),
            "no file is made for it"
        );
        // Of another length, a link, a pipe: it makes way, and nothing is written through it.
        std::fs::write(&last, "").expect("writes");
        let third = next();
        assert_eq!(stands(), format!("{}\n", third.text()));
        std::fs::rename(&last, &aside).expect("moves");
        std::os::unix::fs::symlink(&aside, &last).expect("links");
        let fourth = next();
        assert_eq!(stands(), format!("{}\n", fourth.text()));
        assert_eq!(std::fs::read_to_string(&aside).expect("reads"), format!("{}\n", third.text()));
        std::fs::remove_file(&last).expect("removes");
        assert!(std::process::Command::new("mkfifo").arg(&last).status().expect("runs").success());
        let fifth = next();
        assert_eq!(stands(), format!("{}\n", fifth.text()));
    }
}
