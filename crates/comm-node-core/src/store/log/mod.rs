//! The event log: one JSON object per line, appended with one write, rotated by size.

mod read;
#[cfg(test)]
mod tests;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use serde::Serialize;

pub use read::{LogReader, MAX_LINE, Piece};

use super::file;
use crate::{Error, Result, clock};

/// The log is rotated when it grows beyond this many bytes.
pub const LOG_LIMIT: u64 = 100 << 20;

/// One line of the log. Empty fields are left out.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Event<'a> {
    /// What happened: `bound`, `denied`, `warned`, `wrote`, `ended`, `paused` …
    pub event: &'a str,
    /// The session it is about.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub session: &'a str,
    /// The subagent, if one acted.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub agent: &'a str,
    /// The session's domain.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub domain: &'a str,
    /// The task it is about.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub task: &'a str,
    /// The tool that was called.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub tool: &'a str,
    /// The tool call's id: two lines with the same one tell of the same call.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub call: &'a str,
    /// The path it was about, relative to the node where it lies in it.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub path: &'a str,
    /// The rule that decided.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub rule: &'a str,
    /// Anything more, in words.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub note: &'a str,
}

#[derive(Serialize)]
struct Line<'a> {
    t: String,
    #[serde(flatten)]
    event: &'a Event<'a>,
}

/// Appends `events`. They are one `write` to a file opened for appending, so that lines of many
/// processes never mix; see write(2) on `O_APPEND`.
pub(super) fn append(path: &Path, events: &[Event<'_>]) -> Result<()> {
    append_within(path, events, LOG_LIMIT)
}

fn append_within(path: &Path, events: &[Event<'_>], limit: u64) -> Result<()> {
    let mut bytes = Vec::new();
    for event in events {
        let line = Line { t: clock::rfc3339(clock::now_ms()), event };
        serde_json::to_writer(&mut bytes, &line)
            .map_err(|e| Error::Invalid { what: "the event", why: e.to_string() })?;
        bytes.push(b'\n');
    }
    let mut how = OpenOptions::new();
    how.append(true).create(true);
    let Some(mut file) = file::open(path, &mut how)? else {
        return Err(Error::io("open", path)(std::io::Error::from(std::io::ErrorKind::NotFound)));
    };
    file.write_all(&bytes).map_err(Error::io("append to", path))?;
    if file.metadata().is_ok_and(|m| m.len() > limit) {
        // Two processes may both get here: the second rename moves a nearly empty new log, which
        // loses nothing because the names differ.
        let old = path.with_file_name(format!("events-{}-{}.jsonl", clock::now_ms(), std::process::id()));
        let _ = std::fs::rename(path, old);
    }
    Ok(())
}
