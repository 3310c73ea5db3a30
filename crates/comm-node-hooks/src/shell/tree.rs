//! The file tree that a command is looked at with: the real one, with an end to the looking.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use comm_node_core::store::file;
use comm_node_shell::{FileKind, Tree};

/// How often one command's look may touch the file system.
const LOOKS: u32 = 4_000;
/// A directory with more names is not expanded.
const NAMES: usize = 4_000;

/// The files as they are.
#[derive(Debug, Default)]
pub(super) struct Files {
    looks: Cell<u32>,
    /// What was looked at last: rows ask for the same path one after the other.
    last: RefCell<Option<(PathBuf, Option<FileKind>)>>,
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
        if let Some((last, kind)) = &*self.last.borrow()
            && last == path
        {
            return *kind;
        }
        if !self.may_look() {
            return None;
        }
        let kind = path.metadata().ok().map(|meta| match () {
            () if meta.is_dir() => FileKind::Directory,
            () if meta.is_file() => FileKind::File,
            () => FileKind::Other,
        });
        self.last.replace(Some((path.to_path_buf(), kind)));
        kind
    }

    fn names(&self, path: &Path) -> Option<Vec<String>> {
        if !self.may_look() {
            return None;
        }
        let mut names = Vec::new();
        let mut all = true;
        let listed = file::entries(path, |name, _| {
            match name.to_str().filter(|_| names.len() < NAMES) {
                Some(name) => names.push(name.to_owned()),
                // A name that is not UTF-8 can't be told on; the command may still reach it.
                None => all = false,
            }
            if all { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        listed.ok().filter(|()| all).map(|()| names)
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
        // That it can't be told any more is no answer to be remembered.
        files.looks.set(LOOKS);
        assert_eq!(files.kind(dir.path()), None);
        assert_eq!(files.names(dir.path()), None);
        files.looks.set(0);
        assert_eq!(files.kind(dir.path()), Some(FileKind::Directory));
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
