//! Who may be told a message, and how far one that was told got.

use std::path::PathBuf;

use super::{Item, Mail, Place, State, join};
use crate::Result;
use crate::session::SessionId;

/// A hook that has not finished after this long never will: the client kills it after five seconds.
const STALE_MS: u64 = 10_000;

impl Mail<'_> {
    /// Where messages to `domain` arrive; made if it is missing.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn arrivals(&self, domain: &str) -> Result<PathBuf> {
        let dir = join(&self.mailbox(domain), "new");
        self.make(&dir)?;
        Ok(dir)
    }

    /// True if nobody but `me` is about to tell `item` of the mailbox of `domain`, or may still have been told.
    #[must_use]
    pub fn is_free(&self, domain: &str, item: &Item, me: &SessionId, now_ms: u64) -> bool {
        match &item.state {
            State::Queued | State::Again => true,
            State::Offering(id) if id == me => self.is_stale(domain, item, now_ms),
            State::Offering(id) | State::Offered(id) | State::Seen(id) => {
                id != me && !self.store.session_lives(id, now_ms)
            }
            State::Acked(_) | State::Expired => false,
        }
    }

    /// Takes a queued message, or one whose offer came to nothing, for an offer to `session`: of many
    /// that want it one gets it. [`Mail::offered`] says that the offer was made.
    ///
    /// # Errors
    /// When it can't be moved.
    pub fn offer(&self, domain: &str, item: &Item, session: &SessionId) -> Result<Option<Item>> {
        self.shift(domain, item, Place::New, State::Offering(session.clone()))
    }

    /// The offer of `item` was written out.
    ///
    /// # Errors
    /// When it can't be moved.
    pub fn offered(&self, domain: &str, item: &Item) -> Result<Option<Item>> {
        let State::Offering(session) = &item.state else { return Ok(None) };
        self.shift(domain, item, Place::New, State::Offered(session.clone()))
    }

    /// The model of `session` went on with what it was offered.
    ///
    /// # Errors
    /// When it can't be moved.
    pub fn seen(&self, domain: &str, item: &Item, session: &SessionId) -> Result<Option<Item>> {
        self.shift(domain, item, Place::Cur, State::Seen(session.clone()))
    }

    /// Nobody waits for `item` any more.
    ///
    /// # Errors
    /// When it can't be moved.
    pub fn close(&self, domain: &str, item: &Item, state: State) -> Result<Option<Item>> {
        self.shift(domain, item, Place::Archive, state)
    }

    /// True if the hook that began to offer `item` can't be about to finish.
    #[must_use]
    pub fn is_stale(&self, domain: &str, item: &Item, now_ms: u64) -> bool {
        let since_ms = self.path(domain, item).symlink_metadata().map_or(0, |meta| renamed_ms(&meta, item));
        now_ms.saturating_sub(since_ms) > STALE_MS
    }
}

/// When the file was renamed last, milliseconds since 1970. Links share it, so that another recipient's
/// rename may make this one younger.
#[cfg(unix)]
pub(super) fn renamed_ms(meta: &std::fs::Metadata, _: &Item) -> u64 {
    use std::os::unix::fs::MetadataExt;
    u64::try_from(meta.ctime()).unwrap_or(0).saturating_mul(1000)
}

/// The system does not tell; the message itself is older than its last rename.
#[cfg(not(unix))]
pub(super) fn renamed_ms(_: &std::fs::Metadata, item: &Item) -> u64 {
    item.id.ms()
}
