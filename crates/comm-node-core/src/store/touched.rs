//! `touched/<session>.jsonl`: which files a session wrote, for its hand-off. One path per line, each once, and
//! no more than fits into a small file: a hook reads it.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use super::{Store, file};
use crate::session::SessionId;
use crate::{Error, Result};

/// The record holds no more than this: about a thousand paths.
const MAX_TOUCHED: usize = 64 << 10;
/// The first line.
const HEAD: &str = "{\"version\":1}";

impl Store {
    fn touched_path(&self, id: &SessionId) -> PathBuf {
        self.dir.join("touched").join(format!("{id}.jsonl"))
    }

    /// Puts on record that the session `id` wrote `path`, unless that is known or the record is full.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn touch(&self, id: &SessionId, path: &str) -> Result<()> {
        let file = self.touched_path(id);
        let known = file::read(&file, 2 * MAX_TOUCHED as u64)?;
        let mut line = serde_json::Value::from(path).to_string();
        let is_known = known.as_deref().is_some_and(|text| text.lines().any(|l| l == line));
        if is_known || known.as_ref().map_or(0, String::len) + line.len() > MAX_TOUCHED {
            return Ok(());
        }
        line.push('\n');
        if known.is_none() {
            self.prepare_sub("touched")?;
            line.insert_str(0, &format!("{HEAD}\n"));
        }
        let mut how = OpenOptions::new();
        how.append(true).create(true);
        let opened = file::open(&file, &mut how)?;
        let mut open = opened.ok_or_else(|| Error::io("open", &file)(ErrorKind::NotFound.into()))?;
        open.write_all(line.as_bytes()).map_err(Error::io("append to", &file))
    }

    /// What the session `id` wrote, in the order of the first writes. A torn line is left out.
    ///
    /// # Errors
    /// When the record can't be read.
    pub fn touched(&self, id: &SessionId) -> Result<Vec<String>> {
        let text = file::read(&self.touched_path(id), 2 * MAX_TOUCHED as u64)?.unwrap_or_default();
        let mut out: Vec<String> = Vec::new();
        for path in text.lines().filter_map(|line| serde_json::from_str::<String>(line).ok()) {
            if !out.contains(&path) {
                out.push(path);
            }
        }
        Ok(out)
    }

    /// Forgets what the session `id` wrote: a hand-off says it now.
    ///
    /// # Errors
    /// When the record is there and can't be removed.
    pub fn forget_touched(&self, id: &SessionId) -> Result<()> {
        let path = self.touched_path(id);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::io("remove", &path)(e)),
            _ => Ok(()),
        }
    }

    /// Passes on what `from` wrote to the session that follows it in the same client.
    ///
    /// # Errors
    /// When it can't be moved.
    pub fn inherit_touched(&self, from: &SessionId, to: &SessionId) -> Result<()> {
        let path = self.touched_path(from);
        match std::fs::rename(&path, self.touched_path(to)) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::io("move", &path)(e)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_once_and_no_more_than_fits() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Store::new(dir.path().join(".comm-node"));
        let (a, b) = (SessionId::new("a").expect("valid"), SessionId::new("b").expect("valid"));
        assert!(store.touched(&a).expect("reads").is_empty());
        for path in ["src/a.rs", "x\ny\"", "src/a.rs"] {
            store.touch(&a, path).expect("writes");
        }
        assert_eq!(store.touched(&a).expect("reads"), ["src/a.rs", "x\ny\""]);
        assert!(store.touched(&b).expect("reads").is_empty());
        store.inherit_touched(&a, &b).expect("moves");
        assert_eq!(
            (store.touched(&a).expect("reads").len(), store.touched(&b).expect("reads").len()),
            (0, 2)
        );
        for i in 0..3000 {
            store.touch(&b, &format!("src/some/rather/long/directory/file-{i}.rs")).expect("writes");
        }
        let size = store.dir().join("touched/b.jsonl").metadata().expect("is there").len();
        assert!(size <= MAX_TOUCHED as u64, "{size}");
        store.forget_touched(&b).expect("removes");
        assert!(store.touched(&b).expect("reads").is_empty());
        store.forget_touched(&b).expect("is no error");
    }
}
