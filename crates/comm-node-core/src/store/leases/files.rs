//! Which file a lease is in, and the files that a request is about.

use std::ops::ControlFlow;

use super::Leases;
use super::journal::Journal;
use crate::lease::{Ask, Kind, Lease, What};
use crate::store::file::{self, Durability};
use crate::{Error, Result, glob};

/// Explicit leases.
pub(super) const EXPLICIT: &str = "explicit.jsonl";

/// So many files of one request are kept open at most; a process has only so many.
const OPEN: usize = 32;

/// The file that a lease is in.
pub(super) fn file_of(lease: &Lease) -> String {
    match lease.kind {
        Kind::Explicit => EXPLICIT.to_owned(),
        Kind::Automatic => shard(&lease.path),
    }
}

/// The file for automatic leases on `key`: FNV-1a, folded to one byte.
pub(super) fn shard(key: &str) -> String {
    let hash = key.bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    let [a, b, c, d] = hash.to_le_bytes();
    format!("{:02x}.jsonl", a ^ b ^ c ^ d)
}

/// A file of leases and its name.
pub(super) struct LeaseFile {
    pub(super) name: String,
    pub(super) journal: Journal,
}

impl LeaseFile {
    /// What is lost with the power must not be a lock that a person set. Automatic leases need
    /// no flush: their holders are gone then too.
    pub(super) fn durability(&self) -> Durability {
        if self.name == EXPLICIT { Durability::Flushed } else { Durability::Rebuildable }
    }
}

/// The files that a request is about.
pub(super) struct Files(pub(super) Vec<LeaseFile>);

impl Files {
    /// True if what was read of them is all that there is about `asks` still; only under the table's lock does it
    /// stay so. A glob may be met by files that have come since, which are not among these.
    pub(super) fn are_current(&self, asks: &[Ask<'_>]) -> bool {
        let globs = asks.iter().any(|ask| matches!(ask.what, What::Glob(_)));
        !globs && self.0.iter().all(|file| file.journal.is_current())
    }

    /// The leases in them that meet one of `asks`.
    pub(super) fn meeting(&self, asks: &[Ask<'_>]) -> Result<Vec<Lease>> {
        let mut out = Vec::new();
        for file in &self.0 {
            let explicit = file.name == EXPLICIT;
            // The tree stands behind the path; it is compared when the rest has been read.
            let meets = |path: &str| {
                asks.iter().any(|ask| match (explicit, ask.what) {
                    (false, What::Key(key)) => path == key,
                    (true, What::Key(key)) => glob::matches(path, key),
                    (false, What::Glob(glob)) => glob::matches(glob, path),
                    (true, What::Glob(glob)) => glob::overlaps(glob, path),
                })
            };
            out.append(&mut file.journal.leases(|path, _| meets(path))?);
        }
        Ok(out)
    }
}

impl Leases<'_> {
    /// The files that hold every lease which can meet one of `asks`.
    pub(super) fn files_for(&self, asks: &[Ask<'_>]) -> Result<Files> {
        let names = self.names_for(asks)?;
        let many = names.len() > OPEN;
        let read = |name| {
            let mut file = self.file(name)?;
            if many {
                file.journal.close();
            }
            Ok(file)
        };
        names.into_iter().map(read).collect::<Result<_>>().map(Files)
    }

    pub(super) fn names_for(&self, asks: &[Ask<'_>]) -> Result<Vec<String>> {
        if asks.iter().any(|ask| matches!(ask.what, What::Glob(_))) {
            return self.names();
        }
        let mut names = vec![EXPLICIT.to_owned()];
        for ask in asks {
            let name = shard(ask.text());
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Ok(names)
    }

    pub(super) fn file(&self, name: String) -> Result<LeaseFile> {
        let journal = Journal::read(self.store.leases_dir().join(&name))?;
        Ok(LeaseFile { name, journal })
    }

    /// The names of the files that are there, the explicit one always and first.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        let dir = self.store.leases_dir();
        let is_shard = |name: &&str| {
            name.strip_suffix(".jsonl")
                .is_some_and(|n| n.len() == 2 && n.bytes().all(|b| b.is_ascii_hexdigit()))
        };
        let mut names = Vec::new();
        let listed = file::entries(&dir, |name, _| {
            names.extend(name.to_str().filter(is_shard).map(str::to_owned));
            ControlFlow::Continue(())
        });
        match listed {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::io("list", &dir)(e)),
            _ => {}
        }
        names.sort_unstable();
        names.insert(0, EXPLICIT.to_owned());
        Ok(names)
    }
}
