//! What is wrong with the mail of a node, for whoever looks after it.

use std::path::{Path, PathBuf};

use super::unseen::MAX_DUE;
use super::{Item, Mail, State, claim, join, names};
use crate::clock;
use crate::mail::HUMAN;
use crate::store::file;

/// What a sender that lives has left behind after this long.
const STUCK_MS: u64 = 60_000;
/// A session that was told something goes on with it sooner than that.
const UNSEEN_MS: u64 = 60 * 60 * 1000;
/// So many copies of each author are looked at.
const COPIES: usize = 1_000;
/// A file in the drop box is routed sooner than that wherever its author is at work.
const UNROUTED_MS: u64 = 10 * 60 * 1000;

/// What is wrong, as paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ailments {
    /// Of senders and routers that died; the next mail command finishes them.
    pub stuck: Vec<PathBuf>,
    /// In the drop box, and nobody sends them.
    pub unrouted: Vec<PathBuf>,
    /// Of the drop box, that were no messages.
    pub rejected: Vec<PathBuf>,
    /// Messages that can't be read.
    pub damaged: Vec<PathBuf>,
    /// Lists of what is due to be told that can't be read.
    pub due: Vec<PathBuf>,
    /// Told to a session that lives and has not gone on for an hour.
    pub unseen: Vec<(String, Item)>,
    /// What waits in mailboxes of domains that are gone: the name, and how many.
    pub gone: Vec<(String, usize)>,
}

impl Ailments {
    /// True if all is well.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Mail<'_> {
    /// What is wrong at `now_ms` in a node that has these domains. What can't be listed is passed over.
    #[must_use]
    pub fn ailments(&self, domains: &[&str], now_ms: u64) -> Ailments {
        let state = &self.store.dir;
        let old = |path: &Path, limit: u64| {
            let written = path.symlink_metadata().and_then(|meta| meta.modified()).map_or(0, clock::ms_of);
            now_ms.saturating_sub(written) > limit
        };
        let mut found = Ailments::default();
        let is_message = |path: &PathBuf| path.extension().is_some_and(|e| e == "md");
        for dir in [self.sending(), self.routing()] {
            found.stuck.extend(paths(&dir).into_iter().filter(|path| old(path, STUCK_MS)));
        }
        let outbox = join(state, "outbox");
        let rejected = paths(&join(&outbox, "rejected"));
        found.rejected.extend(rejected.into_iter().filter(is_message));
        found.unrouted.extend(paths(&outbox).into_iter().filter(|path| {
            let ours = path.is_dir()
                && path.file_name().is_some_and(|name| name == ".routing" || name == "rejected");
            let is_file = path.symlink_metadata().is_ok_and(|meta| meta.is_file());
            !ours && (!is_file || !is_message(path) || old(path, UNROUTED_MS))
        }));
        // A name that is no text is nobody's to send.
        let entries = std::fs::read_dir(&outbox).into_iter().flatten().flatten();
        found.unrouted.extend(entries.map(|e| e.path()).filter(|path| path.to_str().is_none()));
        for domain in names_of(&join(state, "mail")) {
            self.of_mailbox(&domain, domains, now_ms, &mut found);
        }
        for from in names_of(&join(state, "sent")) {
            self.of_author(&from, &mut found);
            let due = paths(&join(&join(&join(state, "sent"), &from), "due"));
            let lists = due.into_iter().filter(|path| path.extension().is_some_and(|e| e == "txt"));
            found.due.extend(lists.filter(|path| file::read(path, MAX_DUE).is_err()));
        }
        found
    }

    /// Of the latest copies of an author, those that can't be read.
    fn of_author(&self, from: &str, found: &mut Ailments) {
        let days = self.sent_days(from).unwrap_or_default();
        let of_day = |day: String| self.sent(from, &day).unwrap_or_default().into_iter().rev();
        for id in days.into_iter().flat_map(of_day).take(COPIES) {
            if self.read_sent(from, id).is_err() {
                found.damaged.push(self.sent_path(from, id));
            }
        }
    }

    fn of_mailbox(&self, domain: &str, domains: &[&str], now_ms: u64, found: &mut Ailments) {
        let waiting = self.waiting(domain).unwrap_or_default();
        let open = self.open(domain).unwrap_or_default();
        let count = waiting.len() + open.len();
        if count > 0 && domain != HUMAN && !domains.contains(&domain) {
            found.gone.push((domain.to_owned(), count));
        }
        for item in waiting.into_iter().chain(open) {
            let path = self.path(domain, &item);
            if self.read(domain, &item).is_err() {
                found.damaged.push(path);
            } else if let State::Offering(id) | State::Offered(id) = &item.state
                && self.store.session_lives(id, now_ms)
                && path
                    .symlink_metadata()
                    .is_ok_and(|meta| now_ms.saturating_sub(claim::renamed_ms(&meta, &item)) > UNSEEN_MS)
            {
                found.unseen.push((domain.to_owned(), item));
            }
        }
    }
}

fn paths(dir: &Path) -> Vec<PathBuf> {
    names_of(dir).iter().map(|name| join(dir, name)).collect()
}

/// The names in `dir`, sorted; none where it is no directory of its own.
fn names_of(dir: &Path) -> Vec<String> {
    if dir.is_symlink() {
        return Vec::new();
    }
    let mut found = names(dir).unwrap_or_default();
    found.sort();
    found
}
