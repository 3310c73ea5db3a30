//! Keeping `registry.json` in step with `comm-node.yaml`.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use comm_node_core::Error;
use comm_node_core::deadline::Deadline;
use comm_node_core::node::YAML;
use comm_node_core::node::registry::{Layout, Registry, SourceId, VERSION};
use comm_node_core::store::{Store, file};
use serde::Deserialize;

use super::compile::{Compiled, Ground, compile};
use super::fault::{Issue, Source};

/// A larger file is no list of domains.
const MAX_SIZE: u64 = 1 << 20;
/// A file that changed this recently could change once more without its times telling (file
/// systems count in steps of up to 10 ms), so that it is first left to settle.
const SETTLE: Duration = Duration::from_millis(20);
/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// What [`ensure`] found.
#[derive(Debug)]
pub struct Ensured {
    /// The text of the registry.
    pub text: String,
    /// What was compiled just now; `None` if the registry was fresh.
    pub compiled: Option<Compiled>,
}

/// The registry's text, compiled anew if `comm-node.yaml` changed since.
///
/// A broken file leaves the last good form in force, marked with the fault.
///
/// # Errors
/// When the file is broken and there is no older form (the error's text is the picture of the
/// faults), or when a file can't be read or written.
pub fn ensure(layout: &Layout, store: &Store) -> Result<Ensured> {
    let yaml = layout.yaml();
    let deadline = Deadline::after(PATIENCE);
    if let Some(text) = fresh(layout, store, SourceId::of(&stat(&yaml)?)) {
        return Ok(Ensured { text, compiled: None });
    }
    loop {
        settle(&yaml, deadline)?;
        let lock = store.lock("registry", deadline)?;
        if let Some(text) = fresh(layout, store, SourceId::of(&stat(&yaml)?)) {
            return Ok(Ensured { text, compiled: None });
        }
        let snapshot = Snapshot::read(&yaml)?;
        if !snapshot.settled && !deadline.passed() {
            drop(lock);
            continue;
        }
        return write(layout, store, snapshot);
    }
}

/// Reads and checks the file as it is now, without writing anything.
pub(super) fn check(layout: &Layout) -> Result<Compiled> {
    Ok(Snapshot::read(&layout.yaml())?.compile(layout))
}

/// The present registry, if it belongs to this state of the file and to this place. One with a
/// fault is tried again: a missing directory, for one, may be there now.
fn fresh(layout: &Layout, store: &Store, id: SourceId) -> Option<String> {
    let text = store.read_registry().ok()??;
    let registry = Registry::parse(&text).ok()?;
    let good = registry.source == id && registry.fault.is_none() && is_here(&registry, layout);
    // One that reads as something else than what this program would write is of an older version, or its index is
    // wrong.
    let good = good && registry.to_text() == text;
    good.then_some(text)
}

/// False after the node's directory was moved, which changes nothing about the file itself.
fn is_here(registry: &Registry<'_>, layout: &Layout) -> bool {
    registry.trees.first().is_some_and(|tree| Path::new(tree.as_str()) == layout.root)
}

/// Compiles the snapshot and writes what is then in force.
fn write(layout: &Layout, store: &Store, snapshot: Snapshot) -> Result<Ensured> {
    if layout.root.to_str().is_none() {
        bail!("the node's path {} is not UTF-8 text; rename the directory", layout.root.display());
    }
    let id = snapshot.id;
    let compiled = snapshot.compile(layout);
    let text = match &compiled.registry {
        Some(registry) => {
            set_aside_damaged(store)?;
            registry.to_text()
        }
        None => last_good(layout, store, id, &compiled)?,
    };
    store.write_registry(&text)?;
    Ok(Ensured { text, compiled: Some(compiled) })
}

/// The older registry, marked with the first fault of the present file.
fn last_good(layout: &Layout, store: &Store, id: SourceId, compiled: &Compiled) -> Result<String> {
    let old = match store.read_registry() {
        Ok(old) => old,
        Err(e @ Error::Damaged { .. }) => {
            store.set_aside(&store.registry_path()).context(e)?;
            None
        }
        Err(e) => return Err(e.into()),
    };
    let registry = match old.as_deref().map(Registry::parse) {
        Some(Ok(registry)) => Some(registry),
        Some(Err(_)) => {
            set_aside_damaged(store)?;
            None
        }
        None => None,
    };
    let first = compiled.faults.first();
    match (registry, first) {
        (Some(mut registry), Some(first)) => {
            registry.source = id;
            registry.fault = Some(compiled.source.fault(first));
            if let (false, Some(tree)) = (is_here(&registry, layout), registry.trees.first_mut()) {
                *tree = layout.root.to_string_lossy().into_owned().into();
            }
            Ok(registry.to_text())
        }
        _ => Err(Error::Config { root: layout.root.clone(), why: summary(compiled) }.into()),
    }
}

/// The faults in one line: the first with its place, and how many more there are.
#[must_use]
pub fn summary(compiled: &Compiled) -> String {
    let Some(first) = compiled.faults.first() else { return String::new() };
    let line = compiled.source.one_line(first);
    match compiled.faults.len() - 1 {
        0 => line,
        more => format!("{line} (and {more} more)"),
    }
}

/// Moves a registry that is no registry out of the way. One in another version's format is none
/// of that: it is simply made again.
fn set_aside_damaged(store: &Store) -> Result<()> {
    #[derive(Deserialize)]
    struct Head {
        version: u32,
    }
    let damaged = match store.read_registry() {
        Ok(None) => false,
        Ok(Some(text)) => {
            Registry::parse(&text).is_err()
                && serde_json::from_str::<Head>(&text).map_or(true, |head| head.version == VERSION)
        }
        Err(Error::Damaged { .. }) => true,
        Err(e) => return Err(e.into()),
    };
    if damaged {
        store.set_aside(&store.registry_path())?;
    }
    Ok(())
}

/// The file as it was read at one moment.
struct Snapshot {
    id: SourceId,
    text: std::result::Result<String, Box<(Source, Issue)>>,
    /// False if it changed meanwhile, or so recently that another change could hide.
    settled: bool,
}

impl Snapshot {
    fn read(yaml: &Path) -> Result<Self> {
        let before = stat(yaml)?;
        if !before.is_file() {
            return Err(Error::Untrusted { path: yaml.to_path_buf(), why: "it is not a plain file" }.into());
        }
        let mut file = open(yaml)?;
        let mut bytes = Vec::new();
        (&mut file).take(MAX_SIZE + 1).read_to_end(&mut bytes).map_err(Error::io("read", yaml))?;
        let after = stat(yaml)?;
        let same = SourceId::of(&before) == SourceId::of(&after);
        let settled = same && age(&after).is_none_or(|age| age >= SETTLE);
        // What may have changed unseen must never count as fresh.
        let id = if settled { SourceId::of(&after) } else { SourceId::default() };
        Ok(Self { id, text: text_of(bytes), settled })
    }

    fn compile(self, layout: &Layout) -> Compiled {
        let ground = Ground { root: &layout.root, fold_case: folds_case(layout), id: self.id };
        match self.text {
            Ok(text) => compile(YAML, &text, ground),
            Err(fault) => {
                let (source, issue) = *fault;
                Compiled { source, faults: vec![issue], registry: None, marks: Vec::new() }
            }
        }
    }
}

/// Opens the file, behind a link too, and waits for nobody: what was a file a moment ago may be a pipe now.
fn open(yaml: &Path) -> Result<File> {
    let real = comm_node_core::path::real(yaml)?;
    let gone = || Error::io("open", yaml)(ErrorKind::NotFound.into());
    Ok(file::open(&real, File::options().read(true))?.ok_or_else(gone)?)
}

fn text_of(bytes: Vec<u8>) -> std::result::Result<String, Box<(Source, Issue)>> {
    if bytes.len() as u64 > MAX_SIZE {
        let issue = Issue::fault(0..0, "the file is larger than 1 MiB", "keep it to domains and their rules");
        return Err(Box::new((Source::new(YAML, ""), issue)));
    }
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        let bytes = e.into_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let end = text[at..].chars().next().map_or(at, |c| at + c.len_utf8());
        let help = "save it as UTF-8; an editor may call this the encoding";
        // A byte order mark is dropped from the text, so that places move.
        let shift = if text.starts_with('\u{feff}') { 3 } else { 0 };
        let issue = Issue::fault(at - shift..end - shift, "the file is not UTF-8 text", help);
        Box::new((Source::new(YAML, &text), issue))
    })
}

fn stat(yaml: &Path) -> Result<Metadata> {
    std::fs::metadata(yaml).map_err(|e| match yaml.parent() {
        // A node is found by its last rules too.
        Some(root) if e.kind() == ErrorKind::NotFound => {
            Error::Gone { root: root.to_path_buf(), rules: "its last rules stay in force" }.into()
        }
        _ => Error::io("read", yaml)(e).into(),
    })
}

/// The time since the file last changed; `None` where that lies in the future.
fn age(meta: &Metadata) -> Option<Duration> {
    #[cfg(unix)]
    let changed = {
        use std::os::unix::fs::MetadataExt;
        let since = Duration::new(meta.ctime().try_into().ok()?, meta.ctime_nsec().try_into().ok()?);
        SystemTime::UNIX_EPOCH.checked_add(since)?
    };
    #[cfg(not(unix))]
    let changed = meta.modified().ok()?;
    SystemTime::now().duration_since(changed).ok()
}

/// Waits until the file has not changed for [`SETTLE`], or until `deadline`.
fn settle(yaml: &Path, deadline: Deadline) -> Result<()> {
    while let Some(age) = age(&stat(yaml)?) {
        if age >= SETTLE || deadline.passed() {
            break;
        }
        std::thread::sleep((SETTLE - age).min(deadline.left()));
    }
    Ok(())
}

/// True if the file system takes `comm-node.yaml` and `COMM-NODE.YAML` for the same file.
pub(super) fn folds_case(layout: &Layout) -> bool {
    let (Ok(lower), Ok(upper)) =
        (layout.yaml().metadata(), layout.root.join(YAML.to_ascii_uppercase()).metadata())
    else {
        return false;
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        lower.ino() == upper.ino() && lower.dev() == upper.dev()
    }
    #[cfg(not(unix))]
    {
        lower.len() == upper.len()
    }
}
