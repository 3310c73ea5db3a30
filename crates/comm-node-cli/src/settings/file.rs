//! Replaces a settings file: whole, through its symbolic link, with its mode kept, and only if
//! nobody else wrote since it was read.

use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use comm_node_core::path;
use comm_node_core::process::ProcessId;
use comm_node_core::store::file;

/// How the names of temporary files begin; the writer's process id follows.
const TEMPORARY: &str = ".comm-node-";

/// No settings file is ever sensibly larger than this.
pub const MAX: u64 = 16 << 20;

/// A settings file as it was read.
#[derive(Clone, Debug)]
pub struct Current {
    /// Where the client looks.
    pub path: PathBuf,
    /// The file itself, behind any symbolic links.
    pub real: PathBuf,
    /// What it holds; `None` where there is none.
    pub text: Option<String>,
}

impl Current {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// When it is there but is no readable text file.
    pub fn read(path: &Path) -> Result<Self> {
        let real = path::real(path)?;
        let text = match fs::metadata(&real) {
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => None,
            Err(e) => return Err(e).with_context(|| format!("could not read {}", real.display())),
            Ok(meta) if !meta.is_file() => bail!("{} is not a plain file; move it away", real.display()),
            Ok(meta) if meta.len() > MAX => {
                bail!("{} has {} bytes, which is no settings file; move it away", real.display(), meta.len())
            }
            Ok(_) => match file::read_bytes(&real, MAX)? {
                Some(bytes) => Some(String::from_utf8(bytes).map_err(|e| {
                    anyhow::anyhow!(
                        "{} is not UTF-8 text at byte {}; save it as UTF-8",
                        real.display(),
                        e.utf8_error().valid_up_to()
                    )
                })?),
                None => None,
            },
        };
        Ok(Self { path: path.to_path_buf(), real, text })
    }

    /// Puts `text` in its place (`None` removes it), if the file still holds what was read; false
    /// if somebody else wrote meanwhile, and then nothing is changed.
    ///
    /// # Errors
    /// When it can't be written; the old file is then untouched.
    pub fn replace(&self, text: Option<&str>) -> Result<bool> {
        if Self::read(&self.path)?.text != self.text {
            return Ok(false);
        }
        match text {
            Some(text) => replace_whole(&self.real, text.as_bytes(), None)?,
            None => match fs::remove_file(&self.real) {
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    return Err(e).with_context(|| format!("could not remove {}", self.real.display()));
                }
                _ => {}
            },
        }
        Ok(true)
    }
}

/// Puts `bytes` in the place of the file at `path` with one rename, flushed. Its mode is `mode`,
/// else the old file's, else what the system gives a new file.
///
/// # Errors
/// When it can't be written; the old file is then untouched.
pub fn replace_whole(path: &Path, bytes: &[u8], mode: Option<u32>) -> Result<()> {
    let dir = path.parent().with_context(|| format!("{} has no directory", path.display()))?;
    let failed = || format!("could not write {}", path.display());
    sweep(dir);
    let prefix = format!("{TEMPORARY}{}-", std::process::id());
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".tmp");
    let old = path.metadata().ok().map(|m| m.permissions());
    // A new file gets what the umask leaves of 0666, as from any other program.
    #[cfg(unix)]
    if old.is_none() {
        builder.permissions(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(dir).with_context(failed)?;
    file.write_all(bytes).with_context(failed)?;
    if let Some(permissions) = wanted_mode(mode).or(old) {
        file.as_file().set_permissions(permissions).with_context(failed)?;
    }
    file.as_file().sync_all().with_context(failed)?;
    file.persist(path).map_err(|e| e.error).with_context(failed)?;
    // Makes the rename survive a power cut where the system can.
    #[cfg(unix)]
    File::open(dir).and_then(|d| d.sync_all()).with_context(failed)?;
    #[cfg(not(unix))]
    let _ = File::open(dir);
    Ok(())
}

/// Removes from `dir` the temporary files of writers that were killed.
pub fn sweep(dir: &Path) {
    for entry in dir.read_dir().into_iter().flatten().flatten() {
        let name = entry.file_name();
        let writer =
            name.to_str().and_then(|n| n.strip_prefix(TEMPORARY)?.strip_suffix(".tmp")?.split('-').next());
        let Some(Ok(pid)) = writer.map(str::parse::<u32>) else { continue };
        if ProcessId::of(pid).is_none() {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(unix)]
fn wanted_mode(mode: Option<u32>) -> Option<Permissions> {
    mode.map(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode)
}

#[cfg(not(unix))]
fn wanted_mode(_mode: Option<u32>) -> Option<Permissions> {
    None
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keeps_link_and_mode_and_sees_other_writers() {
        let dir = tempfile::tempdir().expect("temp dir");
        let dir = dir.path().canonicalize().expect("real");
        let (link, target) = (dir.join("settings.json"), dir.join("dotfiles.json"));
        fs::write(&target, "{}").expect("writes");
        fs::set_permissions(&target, Permissions::from_mode(0o640)).expect("mode");
        std::os::unix::fs::symlink("dotfiles.json", &link).expect("links");

        let current = Current::read(&link).expect("reads");
        assert!(current.replace(Some("{\"a\": 1}")).expect("replaces"));
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&target).expect("reads"), "{\"a\": 1}");
        assert_eq!(target.metadata().expect("there").permissions().mode() & 0o777, 0o640);

        assert!(!current.replace(Some("{}")).expect("no error"), "somebody else wrote");
        assert_eq!(fs::read_to_string(&target).expect("reads"), "{\"a\": 1}");
        assert_eq!(dir.read_dir().expect("lists").count(), 2, "no temporary file is left");
    }
}
