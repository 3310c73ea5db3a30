//! The file tree that a command is looked at with: the real one, with an end to the looking.

use std::cell::Cell;
use std::path::Path;

use comm_node_shell::{FileKind, Tree};

/// How often one command's look may touch the file system.
const LOOKS: u32 = 4_000;
/// A directory with more names is not expanded.
const NAMES: usize = 4_000;

/// The files as they are.
#[derive(Debug, Default)]
pub(super) struct Files {
    looks: Cell<u32>,
}

impl Files {
    fn may_look(&self) -> bool {
        let looks = self.looks.get();
        self.looks.set(looks.saturating_add(1));
        looks < LOOKS
    }
}

impl Tree for Files {
    fn kind(&self, path: &Path) -> Option<FileKind> {
        if !self.may_look() {
            return None;
        }
        let meta = path.metadata().ok()?;
        Some(match () {
            () if meta.is_dir() => FileKind::Directory,
            () if meta.is_file() => FileKind::File,
            () => FileKind::Other,
        })
    }

    fn names(&self, path: &Path) -> Option<Vec<String>> {
        if !self.may_look() {
            return None;
        }
        let mut names = Vec::new();
        for entry in path.read_dir().ok()? {
            if names.len() == NAMES {
                return None;
            }
            // A name that is not UTF-8 can't be told on; the command may still reach it.
            names.push(entry.ok()?.file_name().into_string().ok()?);
        }
        Some(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_has_an_end() {
        let dir = tempfile::tempdir().expect("temp dir");
        std::fs::write(dir.path().join("a"), "x").expect("writes");
        let files = Files::default();
        assert_eq!(files.kind(dir.path()), Some(FileKind::Directory));
        assert_eq!(files.kind(&dir.path().join("a")), Some(FileKind::File));
        assert_eq!(files.kind(Path::new("/dev/null")), cfg!(unix).then_some(FileKind::Other));
        assert_eq!(files.kind(&dir.path().join("b")), None);
        assert_eq!(files.names(dir.path()), Some(vec!["a".to_owned()]));
        files.looks.set(LOOKS);
        assert_eq!(files.kind(dir.path()), None);
        assert_eq!(files.names(dir.path()), None);
    }

    #[test]
    fn a_directory_with_too_many_names_is_not_expanded() {
        let dir = tempfile::tempdir().expect("temp dir");
        for i in 0..=NAMES {
            std::fs::write(dir.path().join(i.to_string()), "").expect("writes");
        }
        assert_eq!(Files::default().names(dir.path()), None);
    }
}
