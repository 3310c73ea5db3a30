//! `sessions/<id>.turn`: an empty file that is there while the session's agent works, from a prompt to
//! the end of the turn. Its modification time is when the turn began.
//!
//! It is a file of its own and no field of the record, because most turns change nothing in that, and it would
//! grow by a line with each.

use std::fs::OpenOptions;
use std::path::PathBuf;

use super::{Store, file};
use crate::clock;
use crate::session::SessionId;

impl Store {
    fn turn_path(&self, id: &SessionId) -> PathBuf {
        self.dir.join("sessions").join([id.as_str(), ".turn"].concat())
    }

    /// A turn of the session begins now. That it can't be put on record is not worth failing a hook for:
    /// the session then counts as one that nobody asked anything.
    pub fn open_turn(&self, id: &SessionId) {
        let mut how = OpenOptions::new();
        // Truncating dates a file anew that a turn left which nobody ended.
        how.write(true).create(true).truncate(true);
        let _ = file::open(&self.turn_path(id), &mut how);
    }

    /// The turn has ended.
    pub fn close_turn(&self, id: &SessionId) {
        let _ = std::fs::remove_file(self.turn_path(id));
    }

    /// When the turn began that the session is in, milliseconds since 1970; `None` if it is in none.
    #[must_use]
    pub fn turn_began_ms(&self, id: &SessionId) -> Option<u64> {
        let meta = self.turn_path(id).symlink_metadata().ok()?;
        Some(meta.modified().map_or(0, clock::ms_of))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Session;

    #[test]
    fn a_turn_is_open_from_its_prompt_to_its_end() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Store::new(dir.path().join("state"));
        let id = SessionId::new("s").expect("an id");
        // Without a record there is no turn, and nothing is made.
        store.open_turn(&id);
        assert!(store.turn_began_ms(&id).is_none() && !store.dir().exists());
        store.write_session(&Session::new(id.clone())).expect("writes");
        store.open_turn(&id);
        let began = store.turn_began_ms(&id).expect("is open");
        assert!(clock::now_ms().abs_diff(began) < 60_000);
        // It is no session of its own.
        assert_eq!(store.sessions().expect("lists").len(), 1);
        // A turn that nobody ended begins anew.
        let file = OpenOptions::new().write(true).open(store.turn_path(&id)).expect("opens");
        file.set_modified(std::time::UNIX_EPOCH).expect("dates");
        assert_eq!(store.turn_began_ms(&id), Some(0));
        store.open_turn(&id);
        assert!(store.turn_began_ms(&id).is_some_and(|ms| ms >= began));
        store.close_turn(&id);
        assert_eq!(store.turn_began_ms(&id), None);
        // It ends with its session.
        store.open_turn(&id);
        store.end_session(&id).expect("ends");
        assert_eq!(store.turn_began_ms(&id), None);
    }
}
