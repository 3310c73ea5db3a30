//! A program that this one started and waits for.

use std::io::Read;
use std::process::Child;
use std::time::Duration;

use comm_node_core::deadline::Deadline;

/// The first `max` bytes of what `child` says on its stdout until it ends; `None` if `limit` passed before, and it runs on.
///
/// It is listened to while it runs: one that says more than a pipe holds would never end. Behind `max` nobody reads.
pub(crate) fn said(child: &mut Child, limit: Deadline, max: u64) -> Option<Vec<u8>> {
    let pipe = child.stdout.take()?;
    let reader = std::thread::spawn(move || {
        let mut said = Vec::new();
        let read = pipe.take(max).read_to_end(&mut said);
        read.is_ok().then_some(said)
    });
    loop {
        match child.try_wait() {
            Ok(Some(_)) => break,
            Ok(None) if !limit.passed() => std::thread::sleep(Duration::from_millis(2)),
            _ => return None,
        }
    }
    reader.join().ok().flatten()
}
