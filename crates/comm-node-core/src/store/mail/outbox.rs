//! The drop box: any tool may leave a message in `outbox/`, and it is sent exactly once.
//!
//! ```text
//! outbox/<name>.md                        left by somebody
//! outbox/.routing/<id>.<from>.<name>.md   being sent under that id; a long name is cut
//! outbox/rejected/<name>.md, ….why.txt    not a message, and what is wrong with it
//! ```
//!
//! The id is chosen before the file is looked at, so that whoever finds a file in `.routing/` can tell
//! whether it was sent. All of it happens under the senders' lock.
//!
//! A file stays where it is as long as the tool that wrote it may still look for it: a client that finds no
//! file there reports a message that was sent as a failed call, and its agent sends it again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Mail, join, names, rename};
use crate::deadline::Deadline;
use crate::mail::{Draft, Message, Ulid};
use crate::session::SessionId;
use crate::store::crash;
use crate::store::file::{self, Durability};
use crate::{Error, Result, clock};

/// The largest file that is looked at.
const MAX_FILE: u64 = 64 << 10;
/// What is kept of a file's name where others stand before and behind it, in bytes: names of 255 are possible.
const MAX_NAME: usize = 120;
/// A file that is younger may still be looked for by who wrote it.
const RESTS_MS: u64 = 1_000;
/// A file that is younger and is no message may still be being written.
const SETTLED_MS: u64 = 2_000;
/// How long a look at whether it is still so takes to come around.
const LOOK: Duration = Duration::from_millis(20);

/// What is to become of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is a message that may be sent.
    Send(Draft),
    /// It is somebody else's.
    Leave,
    /// It is none, for this reason.
    Reject(String),
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Routed {
    /// It was sent.
    Sent(Box<Message>),
    /// It was put aside, for this reason.
    Rejected(String),
}

impl Mail<'_> {
    fn outbox(&self) -> PathBuf {
        join(&self.store.dir, "outbox")
    }

    /// Where files are while they are being sent.
    pub(super) fn routing(&self) -> PathBuf {
        join(&self.outbox(), ".routing")
    }

    /// The names of the files that wait in the drop box.
    ///
    /// # Errors
    /// When it can't be listed.
    pub fn dropped(&self) -> Result<Vec<String>> {
        let dir = self.outbox();
        let mut found = names(&dir)?;
        found.retain(|name| name.ends_with(".md") && !name.starts_with('.'));
        if !found.is_empty() {
            self.trust(&dir)?;
            found.sort();
        }
        Ok(found)
    }

    /// True if whoever wrote the file `name` in the drop box looks for it there no more.
    #[must_use]
    pub fn rests(&self, name: &str) -> bool {
        is_older(&join(&self.outbox(), name), RESTS_MS)
    }

    /// Waits until every file in the drop box rests or is gone, for so long as that takes those that are there:
    /// others may come all the time.
    pub fn settle(&self) {
        let limit = Deadline::after(Duration::from_millis(RESTS_MS + RESTS_MS / 4));
        let young = |names: Vec<String>| names.iter().any(|name| !self.rests(name));
        while self.dropped().is_ok_and(young) && !limit.passed() {
            std::thread::sleep(LOOK);
        }
    }

    /// Sends for `from` what waits in the drop box under one of these `names`. `check` is given the
    /// name and the text, and says what is to become of it. `fresh` says that the writer is known to
    /// have finished; else what does not rest stays untouched, and so does what is somebody else's.
    ///
    /// # Errors
    /// When files can't be moved.
    pub fn route(
        &self,
        from: &str,
        by: &SessionId,
        wanted: &[String],
        fresh: bool,
        deadline: Deadline,
        check: &mut dyn FnMut(&str, &str) -> Verdict,
    ) -> Result<Vec<(String, Routed)>> {
        let _lock = self.store.lock("mail", deadline)?;
        let now = clock::now_ms();
        self.recover_locked(now)?;
        self.recover_dropped()?;
        let mut out = Vec::new();
        for name in wanted {
            let id = self.next_id(now)?;
            if let Some(routed) = self.route_one(from, by, name, id, fresh, check)? {
                out.push((name.clone(), routed));
            }
        }
        Ok(out)
    }

    fn route_one(
        &self,
        from: &str,
        by: &SessionId,
        name: &str,
        id: Ulid,
        fresh: bool,
        check: &mut dyn FnMut(&str, &str) -> Verdict,
    ) -> Result<Option<Routed>> {
        let (source, routing) = (join(&self.outbox(), name), self.routing());
        let shown = &short(name);
        if !fresh && (!is_older(&source, RESTS_MS) || is_left(&source, shown, check)) {
            return Ok(None);
        }
        self.make(&routing)?;
        let name = shown;
        let claimed = join(&routing, &[id.text().as_str(), from, name].join("."));
        crash::here()?;
        if !rename(&source, &claimed)? {
            return Ok(None);
        }
        crash::here()?;
        let verdict = match file::read(&claimed, MAX_FILE) {
            Ok(Some(text)) => check(name, &text),
            Ok(None) => return Ok(None),
            // Why it can't be read is said of the name that its author knows.
            Err(Error::Damaged { why, .. }) => Verdict::Reject([name, ": ", &why].concat()),
            Err(Error::Untrusted { why, .. }) => Verdict::Reject([name, ": ", why].concat()),
            Err(e) => return Err(e),
        };
        match verdict {
            Verdict::Send(said) => {
                let message = self.send_locked(Message { id, from: from.to_owned(), said }, by)?;
                crash::here()?;
                std::fs::remove_file(&claimed).map_err(Error::io("remove", &claimed))?;
                Ok(Some(Routed::Sent(Box::new(message))))
            }
            Verdict::Reject(why) if fresh || is_older(&claimed, SETTLED_MS) => {
                let rejected = join(&self.outbox(), "rejected");
                self.make(&rejected)?;
                let mut target = join(&rejected, name);
                if target.symlink_metadata().is_ok() {
                    target = join(&rejected, &[&id.short(), ".", name].concat());
                }
                let mut note = target.clone().into_os_string();
                note.push(".why.txt");
                file::replace(note.as_ref(), [&why, "\n"].concat().as_bytes(), Durability::Rebuildable)?;
                rename(&claimed, &target)?;
                Ok(Some(Routed::Rejected(why)))
            }
            Verdict::Leave | Verdict::Reject(_) => {
                self.give_back(&claimed, name)?;
                Ok(None)
            }
        }
    }

    /// Puts a claimed file back, under another name if its own was taken meanwhile.
    fn give_back(&self, claimed: &Path, name: &str) -> Result<()> {
        let mut target = join(&self.outbox(), name);
        let mut n = 1;
        while target.symlink_metadata().is_ok() {
            n += 1;
            target = join(&self.outbox(), &[&n.to_string(), "-", name].concat());
        }
        rename(claimed, &target).map(drop)
    }

    /// Finishes what somebody who died began; only under the lock.
    pub(super) fn recover_dropped(&self) -> Result<()> {
        let routing = self.routing();
        for name in names(&routing)? {
            let claimed = join(&routing, &name);
            let mut parts = name.splitn(3, '.');
            let (id, from, own) = (parts.next().and_then(Ulid::parse), parts.next(), parts.next());
            let (Some(id), Some(from), Some(own)) = (id, from, own) else { continue };
            if self.was_sent(from, id) {
                std::fs::remove_file(&claimed).map_err(Error::io("remove", &claimed))?;
            } else {
                self.give_back(&claimed, own)?;
            }
        }
        Ok(())
    }
}

/// True if the file at `path` was written longer ago. Of one from the future nobody knows, and it is not to stay for ever.
fn is_older(path: &Path, ms: u64) -> bool {
    let written = path.symlink_metadata().and_then(|m| m.modified()).map_or(0, clock::ms_of);
    clock::now_ms().abs_diff(written) > ms
}

/// True if the file at `path` would be given back as it stands there.
fn is_left(path: &Path, name: &str, check: &mut dyn FnMut(&str, &str) -> Verdict) -> bool {
    let Ok(Some(text)) = file::read(path, MAX_FILE) else { return false };
    match check(name, &text) {
        Verdict::Send(_) => false,
        Verdict::Leave => true,
        Verdict::Reject(_) => !is_older(path, SETTLED_MS),
    }
}

/// `name`, which ends with `.md`, cut where others could not stand beside it.
fn short(name: &str) -> String {
    if name.len() <= MAX_NAME {
        return name.to_owned();
    }
    let mut out = String::from(name.get(..name.floor_char_boundary(MAX_NAME)).unwrap_or_default());
    out.push_str(".md");
    out
}
