//! A node's own templates, `.comm-node/templates/`: people write them, the command line reads them.

use std::path::{Path, PathBuf};

use super::{Store, file};
use crate::{Error, Result};

/// No template is ever sensibly larger than this.
const MAX_TEMPLATE: u64 = 1 << 20;
/// Nor are there ever more of them.
const MAX_COUNT: usize = 1000;
/// How deep they may lie: `agents/finder.md.hbs`.
const DEPTH: usize = 2;

impl Store {
    /// Where a node's own templates are.
    #[must_use]
    pub fn templates_dir(&self) -> PathBuf {
        self.dir.join("templates")
    }

    /// Every file in it, each by its path with `/` below it and its text, in the order of their names.
    ///
    /// # Errors
    /// When one can't be read, is behind a symbolic link, or is no text.
    pub fn templates(&self) -> Result<Vec<(String, String)>> {
        let mut found = Vec::new();
        let top = self.templates_dir();
        match top.symlink_metadata() {
            Ok(meta) if meta.is_dir() => collect(&top, "", DEPTH, &mut found)?,
            Ok(_) => return Err(Error::Untrusted { path: top, why: "it is not a plain directory" }),
            Err(_) => {}
        }
        found.sort();
        Ok(found)
    }
}

fn collect(dir: &Path, above: &str, depth: usize, found: &mut Vec<(String, String)>) -> Result<()> {
    for entry in std::fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let entry = entry.map_err(Error::io("list", dir))?;
        let path = entry.path();
        // What editors and file managers leave is no template.
        let Some(name) = entry.file_name().to_str().filter(|n| !n.starts_with('.')).map(str::to_owned) else {
            continue;
        };
        let below = format!("{above}{name}");
        let is_dir = path.symlink_metadata().map_err(Error::io("read", &path))?.is_dir();
        if is_dir && depth > 1 {
            collect(&path, &format!("{below}/"), depth - 1, found)?;
        } else if !is_dir && found.len() < MAX_COUNT {
            let text = file::read(&path, MAX_TEMPLATE)?.unwrap_or_default();
            found.push((below, text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_by_their_path_and_never_through_a_link() {
        let temp = tempfile::tempdir().expect("temp dir");
        let store = Store::new(temp.path().join(".comm-node"));
        assert_eq!(store.templates().expect("none"), []);
        let agents = store.templates_dir().join("agents");
        std::fs::create_dir_all(&agents).expect("makes");
        std::fs::write(agents.join("finder.md.hbs"), "x").expect("writes");
        std::fs::write(agents.join(".finder.md.hbs.swp"), "x").expect("writes");
        std::fs::write(store.templates_dir().join("CLAUDE.md.hbs"), "y").expect("writes");
        let found = store.templates().expect("reads");
        assert_eq!(
            found,
            [("CLAUDE.md.hbs".into(), "y".into()), ("agents/finder.md.hbs".into(), "x".into())]
        );
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/etc/hostname", agents.join("tester.md.hbs")).expect("links");
            let error = store.templates().expect_err("a link").to_string();
            assert!(error.contains("tester.md.hbs"), "{error}");
        }
    }
}
