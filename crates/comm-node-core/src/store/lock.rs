//! File locks: exclusive, waited for with a deadline, freed by the system when the holder dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::file;
use crate::deadline::Deadline;
use crate::{Error, Result};

/// A held lock; dropping it frees it.
#[derive(Debug)]
pub struct Lock {
    // Closing the file frees the lock.
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock file at `path`, creating it if need be, and waits until `deadline`.
    ///
    /// A file system without locks degrades to no lock: the files themselves are still replaced
    /// whole, and a hook that could not run there at all would be worse.
    ///
    /// # Errors
    /// [`Error::Locked`] once the deadline has passed, [`Error::Io`] and [`Error::Untrusted`] as
    /// they come.
    pub fn take(path: &Path, deadline: Deadline) -> Result<Self> {
        let mut how = OpenOptions::new();
        how.read(true).write(true).create(true).truncate(false);
        let file = file::open(path, &mut how)?
            .ok_or_else(|| Error::io("create", path)(std::io::Error::from(std::io::ErrorKind::NotFound)))?;
        hold(&file, path, deadline)?;
        Ok(Self { file, path: path.to_path_buf() })
    }

    /// As [`Lock::take`], of the file that was opened at `path`.
    pub(super) fn of(file: File, path: PathBuf, deadline: Deadline) -> Result<Self> {
        let (file, _) = file::sized(file, &path)?;
        hold(&file, &path, deadline)?;
        Ok(Self { file, path })
    }

    /// True while the lock file is still the one at its path; a lock on a file that was removed
    /// meanwhile guards nothing and must be taken anew.
    #[must_use]
    pub fn is_current(&self) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            match (self.file.metadata(), self.path.symlink_metadata()) {
                (Ok(held), Ok(there)) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
                _ => false,
            }
        }
        // An open file can't be removed there.
        #[cfg(not(unix))]
        self.file.metadata().is_ok()
    }

    /// The lock file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Locks an open file, as [`Lock::take`] does; closing it frees it.
pub(super) fn hold(file: &File, path: &Path, deadline: Deadline) -> Result<()> {
    let start = Instant::now();
    let mut pause = Duration::from_micros(200);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if deadline.passed() => {
                let waited_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
                return Err(Error::Locked { path: path.to_path_buf(), waited_ms });
            }
            Err(TryLockError::WouldBlock) => {
                std::thread::sleep(pause.min(deadline.left()));
                pause = (pause * 2).min(Duration::from_millis(5));
            }
            Err(TryLockError::Error(e)) if e.kind() == std::io::ErrorKind::Unsupported => return Ok(()),
            Err(TryLockError::Error(e)) => return Err(Error::io("lock", path)(e)),
        }
    }
}
