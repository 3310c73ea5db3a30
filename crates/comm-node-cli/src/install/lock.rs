//! One installer at a time.

use std::time::Duration;

use anyhow::{Context, Result};
use comm_node_core::deadline::Deadline;
use comm_node_core::store::Lock;

use super::layout::Layout;
use crate::out::Out;

/// How long it waits without a word.
const SILENCE: Duration = Duration::from_millis(500);
/// Longer than any installer works while it holds the lock.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for its turn; the installer's directory is made if it is missing.
///
/// # Errors
/// When another installer holds the lock for too long, or when the directory can't be made.
pub fn take(layout: &Layout, out: &Out) -> Result<Lock> {
    let deadline = Deadline::after(PATIENCE);
    let mut silent = true;
    loop {
        std::fs::create_dir_all(&layout.dir)
            .with_context(|| format!("could not create {}", layout.dir.display()))?;
        let until = if silent { deadline.at_most(SILENCE) } else { deadline };
        match Lock::take(&layout.lock(), until) {
            // An uninstaller may have removed the file, or the directory, while this one waited.
            Ok(lock) if lock.is_current() => return Ok(lock),
            Ok(_) => {}
            Err(comm_node_core::Error::Locked { .. }) if silent => {
                silent = false;
                out.note(format!("waiting for another installer, which holds {}", layout.lock().display()));
            }
            Err(comm_node_core::Error::Io { cause, .. })
                if cause.kind() == std::io::ErrorKind::NotFound && !deadline.passed() => {}
            Err(e) => return Err(e.into()),
        }
    }
}
