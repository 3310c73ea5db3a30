//! `handoffs/<domain>/`: what waits, what is taken, what is done, each on a shelf of its own, so that a
//! hook reads neither what is settled nor what is in it.
//!
//! A hand-off is taken by one rename: of two sessions that want it, one gets it. Who took it is written into it
//! after that; a taken one that names nobody is of a session that died in between, and is free again.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::prune::files;
use super::{Durability, Store, file, hidden};
use crate::handoff::{Handoff, MAX_FILE, write};
use crate::{Error, Result, clock};

/// Where a hand-off is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shelf {
    /// It waits to be taken.
    Open,
    /// A session works on it.
    Taken,
    /// Nobody needs it any more.
    Done,
}

impl Shelf {
    /// Its directory below the domain's.
    fn dir(self) -> &'static str {
        match self {
            Self::Open => "",
            Self::Taken => "/taken",
            Self::Done => "/done",
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Taken => "taken",
            Self::Done => "done",
        }
    }
}

/// One file on a shelf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handed {
    /// The domain that it is for.
    pub domain: String,
    /// Where it is.
    pub shelf: Shelf,
    /// Its file's name without `.md`: the task, and for one that is done when that was.
    pub name: String,
    /// When it was last written, in milliseconds since 1970.
    pub at_ms: u64,
}

/// A node's hand-offs.
#[derive(Clone, Copy, Debug)]
pub struct Handoffs<'s> {
    store: &'s Store,
}

impl Store {
    /// The hand-offs; nothing is opened or made.
    #[must_use]
    pub fn handoffs(&self) -> Handoffs<'_> {
        Handoffs { store: self }
    }
}

impl Handoffs<'_> {
    /// The hand-offs for `domain` on `shelf`, the latest first; also what is called like one and is no plain file, which can't
    /// be read: it is not passed over in silence.
    #[must_use]
    pub fn list(&self, domain: &str, shelf: Shelf) -> Vec<Handed> {
        let mut found: Vec<Handed> = files(&self.store.dir, &below(domain, shelf), |_| true)
            .into_iter()
            .filter(|(path, _)| !hidden(path) && path.extension().is_some_and(|e| e == "md"))
            .filter_map(|(path, at_ms)| {
                let name = path.file_stem()?.to_str()?.to_owned();
                Some(Handed { domain: domain.to_owned(), shelf, name, at_ms })
            })
            .collect();
        found.sort_by(|a, b| (b.at_ms, &b.name).cmp(&(a.at_ms, &a.name)));
        found
    }

    /// Where the file of `handed` is.
    #[must_use]
    pub fn path(&self, handed: &Handed) -> PathBuf {
        self.store.dir.join(below(&handed.domain, handed.shelf)).join(format!("{}.md", handed.name))
    }

    /// The text of `handed`, `None` if it is gone.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn read(&self, handed: &Handed) -> Result<Option<String>> {
        file::read(&self.path(handed), MAX_FILE)
    }

    /// Writes a hand-off for `domain`, in place of one with the same name on the same shelf.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn put(&self, domain: &str, shelf: Shelf, name: &str, handoff: &Handoff) -> Result<Handed> {
        let handed =
            Handed { domain: domain.to_owned(), shelf, name: name.to_owned(), at_ms: clock::now_ms() };
        self.store.prepare_path(&below(domain, shelf))?;
        file::replace(&self.path(&handed), write(handoff).as_bytes(), Durability::Flushed)?;
        Ok(handed)
    }

    /// Moves `handed` to `shelf`; `None` if another process was quicker. What is done gets the time behind
    /// its name, so that the next one of that name has room.
    ///
    /// # Errors
    /// When it can't be moved.
    pub fn shift(&self, handed: &Handed, shelf: Shelf) -> Result<Option<Handed>> {
        let name = match shelf {
            Shelf::Done => format!("{}-{}", handed.name, clock::now_ms()),
            _ => handed.name.clone(),
        };
        let moved = Handed { shelf, name, ..handed.clone() };
        self.store.prepare_path(&below(&handed.domain, shelf))?;
        let (from, to) = (self.path(handed), self.path(&moved));
        super::crash::here()?;
        match std::fs::rename(&from, &to) {
            Ok(()) => Ok(Some(moved)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io("move", &from)(e)),
        }
    }

    /// The path of `handed` as people name it, relative to the node.
    #[must_use]
    pub fn shown(&self, handed: &Handed) -> String {
        let path = Path::new(crate::node::STATE).join(below(&handed.domain, handed.shelf));
        path.join(format!("{}.md", handed.name)).to_string_lossy().into_owned()
    }
}

fn below(domain: &str, shelf: Shelf) -> String {
    format!("handoffs/{domain}{}", shelf.dir())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handoff::{Head, read};

    fn handoff(task: &str) -> Handoff {
        let head = Head { to: Some("api".into()), ..Head::default() };
        Handoff { task: task.into(), status: "so far".into(), head, ..Handoff::default() }
    }

    #[test]
    fn from_shelf_to_shelf() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Store::new(dir.path().join(".comm-node"));
        let handoffs = store.handoffs();
        assert!(handoffs.list("api", Shelf::Open).is_empty() && !store.dir().exists());
        let open = handoffs.put("api", Shelf::Open, "bd-1", &handoff("bd-1")).expect("writes");
        let text = handoffs.read(&open).expect("reads").expect("is there");
        assert_eq!(read(&text).expect("valid"), handoff("bd-1"));
        assert_eq!(handoffs.shown(&open), ".comm-node/handoffs/api/bd-1.md");
        let taken = handoffs.shift(&open, Shelf::Taken).expect("moves").expect("was there");
        assert_eq!(handoffs.shift(&open, Shelf::Taken).expect("moves"), None);
        assert_eq!(
            (handoffs.list("api", Shelf::Open).len(), handoffs.list("api", Shelf::Taken).len()),
            (0, 1)
        );
        handoffs.shift(&taken, Shelf::Done).expect("moves").expect("was there");
        let done = handoffs.list("api", Shelf::Done);
        assert!(done[0].name.starts_with("bd-1-"), "{done:?}");
    }

    #[test]
    fn of_many_that_want_it_one_gets_it() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Store::new(dir.path().join(".comm-node"));
        let open = store.handoffs().put("api", Shelf::Open, "t", &handoff("t")).expect("writes");
        let take = || store.handoffs().shift(&open, Shelf::Taken).expect("moves").is_some();
        let won = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(take)).collect();
            all.into_iter().map(|one| one.join().expect("ends")).filter(|won| *won).count()
        });
        assert_eq!(won, 1);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_listed_and_not_read() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Store::new(dir.path().join(".comm-node"));
        store.handoffs().put("api", Shelf::Open, "a", &handoff("a")).expect("writes");
        let place = |name: &str| store.dir().join("handoffs/api").join(name);
        std::fs::create_dir(place("dir.md")).expect("makes");
        std::os::unix::fs::symlink(place("a.md"), place("link.md")).expect("links");
        std::os::unix::fs::symlink("/nowhere", place("lost.md")).expect("links");
        let made = std::process::Command::new("mkfifo").arg(place("pipe.md")).status();
        assert!(made.expect("runs").success());
        let mut found = store.handoffs().list("api", Shelf::Open);
        found.sort_by(|a, b| a.name.cmp(&b.name));
        let names: Vec<&str> = found.iter().map(|handed| handed.name.as_str()).collect();
        assert_eq!(names, ["a", "dir", "link", "lost", "pipe"]);
        for handed in found.iter().filter(|handed| handed.name != "a") {
            let error = store.handoffs().read(handed).expect_err("no plain file");
            assert!(matches!(error, Error::Untrusted { .. }), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let dir = tempfile::tempdir().expect("temp dir");
        let other = dir.path().join("other");
        std::fs::create_dir(&other).expect("makes");
        std::fs::write(other.join("x.md"), "# x").expect("writes");
        let store = Store::new(dir.path().join(".comm-node"));
        store.prepare_path("handoffs").expect("makes");
        std::os::unix::fs::symlink(&other, store.dir().join("handoffs/api")).expect("links");
        assert!(store.handoffs().list("api", Shelf::Open).is_empty());
        assert!(store.handoffs().put("api", Shelf::Open, "t", &handoff("t")).is_err());
    }
}
