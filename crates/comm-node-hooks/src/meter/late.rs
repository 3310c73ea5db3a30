//! The client writes a transcript a little later than it runs the calls in it.

use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use comm_node_core::deadline::Deadline;
use comm_node_core::store::file;

use crate::wire::Call;

/// How long a batch waits for the transcript to have its calls, and how often it looks.
pub(super) const LAG: Duration = Duration::from_millis(250);
const LOOK: Duration = Duration::from_millis(4);
/// How much of the transcript's end is looked at for that.
const TAIL: u64 = 64 << 10;

/// Waits until the transcript at `path` has the calls of this batch, which the client writes a little later than it runs
/// them. Only a budget needs to know that soon: what is read late lets one more call through.
pub(super) fn wait_for(path: &Path, call: &Call<'_>, deadline: Deadline) {
    let Some(last) = call.tool_calls.last().map(|one| &*one.tool_use_id).filter(|id| !id.is_empty()) else {
        return;
    };
    let limit = deadline.at_most(LAG);
    loop {
        let tail = tail(path).unwrap_or_default();
        if tail.windows(last.len()).any(|bytes| bytes == last.as_bytes()) || limit.passed() {
            return;
        }
        std::thread::sleep(LOOK);
    }
}

/// The last bytes of a regular file, at most [`TAIL`] of them.
fn tail(path: &Path) -> Option<Vec<u8>> {
    let mut file = file::open(path, OpenOptions::new().read(true)).ok().flatten()?;
    let size = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(TAIL))).ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
