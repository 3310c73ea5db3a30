//! What the commands on working files share: where the files are, and how they are changed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use comm_node_core::deadline::Deadline;
use comm_node_core::markdown::{Fault, parse};
use comm_node_core::notes::{self, MAX_FILE};
use comm_node_core::store::{Durability, Lock, file};
use comm_node_core::{clock, node};
use serde_json::{Value, json};

use crate::Outcome;
use crate::env::Env;
use crate::handing::MYTASKS;
use crate::here::Here;
use crate::out::Out;

/// How long another command is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the working files of a project are.
pub(crate) struct Notes {
    /// The node, if the project is one.
    pub(crate) here: Option<Here>,
    /// The project's top directory.
    pub(crate) root: PathBuf,
}

/// One working file.
pub(crate) struct Note {
    /// Its path as people name it.
    pub(crate) shown: String,
    /// Its path.
    pub(crate) path: PathBuf,
    /// Its text, empty where there is none yet.
    pub(crate) text: String,
}

impl Notes {
    /// Those of the node that the working directory belongs to, else of the project with `.claude/mytasks`.
    ///
    /// # Errors
    /// When there is neither.
    pub(crate) fn find(env: &Env) -> Result<Self> {
        if node::find(&env.cwd)?.is_some() {
            let here = Here::find(env)?;
            let root = here.layout.root.clone();
            return Ok(Self { here: Some(here), root });
        }
        let root = env.cwd.ancestors().find(|dir| dir.join(MYTASKS).is_dir());
        let Some(root) = root else {
            bail!(
                "there is no node here and no {MYTASKS}; run `comm-node init-agentic` in the project's top directory, or \
                 `comm-node init` for a node"
            );
        };
        Ok(Self { here: None, root: root.to_path_buf() })
    }

    /// Keeps other commands from changing the same files meanwhile.
    pub(crate) fn lock(&self) -> Result<Lock> {
        let deadline = Deadline::after(PATIENCE);
        Ok(match &self.here {
            Some(here) => here.store.lock("notes", deadline)?,
            None => Lock::take(&self.root.join(MYTASKS).join(".lock"), deadline)?,
        })
    }

    /// The file `name` that new entries go to: the node's, else the older convention's.
    pub(crate) fn own(&self, name: &str) -> Result<Note> {
        match &self.here {
            Some(here) => {
                let path = here.store.note_path(name);
                let text = here.store.read_note(name, MAX_FILE)?.unwrap_or_default();
                Ok(Note { shown: format!("{}/{name}", node::STATE), path, text })
            }
            None => self.project(&format!("{MYTASKS}/{name}")),
        }
    }

    /// All files `name`: the node's and the older convention's, those that there are.
    pub(crate) fn all(&self, name: &str) -> Result<Vec<Note>> {
        let mut out = Vec::new();
        if self.here.is_some() {
            out.push(self.own(name)?);
        }
        out.push(self.project(&format!("{MYTASKS}/{name}"))?);
        out.retain(|note| !note.text.is_empty());
        Ok(out)
    }

    /// A file of the project itself.
    pub(crate) fn project(&self, shown: &str) -> Result<Note> {
        let path = self.root.join(shown);
        let text = file::read(&path, MAX_FILE)?.unwrap_or_default();
        Ok(Note { shown: shown.to_owned(), path, text })
    }

    /// Puts `text` in the place of `note`.
    pub(crate) fn write(&self, note: &Note, text: &str) -> Result<()> {
        if let (Some(here), Some(name)) = (&self.here, note.shown.strip_prefix(node::STATE)) {
            return Ok(here.store.write_note(name.trim_start_matches('/'), text)?);
        }
        let dir = note.path.parent().unwrap_or(&self.root);
        plain_dirs(&self.root, dir)?;
        Ok(file::replace(&note.path, text.as_bytes(), Durability::Flushed)?)
    }

    /// Adds `entry` to the file `note`, and says so if a block had to be ended for that.
    pub(crate) fn add(&self, out: &Out, note: &Note, title: &str, entry: &str) -> Result<()> {
        let text = notes::append(Some(&note.text), title, entry);
        // Nobody would read it any more.
        if text.len() as u64 > MAX_FILE {
            bail!(
                "not added: {} would have {} bytes, more than {MAX_FILE}; say less, or take out what is over",
                note.shown,
                text.len()
            );
        }
        self.write(note, &text)?;
        if let Some(open) = parse(&note.text, 1).1 {
            out.note(format!("ended at its last line: {}", open.fault().in_file(&note.shown)));
        }
        Ok(())
    }
}

/// Makes `dir` below `root`; what is there must be plain directories, so that no link leads the write elsewhere.
pub(crate) fn plain_dirs(root: &Path, dir: &Path) -> Result<()> {
    let below = dir.strip_prefix(root).unwrap_or(Path::new(""));
    let mut at = root.to_path_buf();
    for part in below.components() {
        at.push(part);
        match at.symlink_metadata() {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => bail!("{} is no plain directory; move it away", at.display()),
            Err(_) => {
                std::fs::create_dir(&at).with_context(|| format!("could not create {}", at.display()))?
            }
        }
    }
    Ok(())
}

/// How the entries of a working file are listed.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// End with 1 if anything is malformed
    #[arg(long)]
    check: bool,
    /// Print JSON: one object with the entries and the faults
    #[arg(long)]
    json: bool,
}

impl ListArgs {
    /// Shows the entries, as `json` or in a table, and names what is malformed.
    pub(crate) fn show(
        &self,
        out: &Out,
        json: impl FnOnce() -> Value,
        heads: &[&str],
        none: &str,
        rows: &[Vec<String>],
        faults: &[(String, Fault)],
    ) -> Outcome {
        if self.json {
            out.json(&json());
        } else {
            out.table(heads, rows, none);
            report(out, faults);
        }
        if self.check && !faults.is_empty() { Outcome::Refused } else { Outcome::Done }
    }
}

/// Each fault with the file that it is in.
pub(crate) fn by_file(faults: &[(String, Fault)]) -> Vec<Value> {
    faults.iter().map(|(shown, fault)| json!({"file": shown, "fault": fault})).collect()
}

/// Names each fault with its place.
fn report(out: &Out, faults: &[(String, Fault)]) {
    for (shown, fault) in faults {
        out.note(format!("malformed: {}", fault.in_file(shown)));
    }
}

/// Now, as `YYYY-MM-DD HH:MM` in UTC.
pub(crate) fn minute() -> String {
    let mut now = clock::rfc3339(clock::now_ms()).replace('T', " ");
    now.truncate(16);
    now
}
