//! The programs: found beside the running one, copied into the installer's directory.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use comm_node_core::store::file;

use super::layout::Layout;
use super::record::sha256;
use super::wiring;
use crate::env::Env;
use crate::settings::entry::is_program;
use crate::settings::file::replace_whole;

/// What became of one program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was there already.
    Same,
    /// It was not there.
    New,
    /// Another version was there.
    Updated,
}

/// One program to install.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its file name.
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
    /// What installing it changes.
    pub change: Change,
}

/// The directory to install from: `from`, else the one that the running program lies in.
///
/// # Errors
/// When it can't be resolved.
pub fn source(env: &Env, from: Option<&Path>) -> Result<PathBuf> {
    let dir = match from {
        Some(dir) => env.cwd.join(dir),
        None => env.exe.parent().map(Path::to_path_buf).unwrap_or_default(),
    };
    dir.canonicalize().with_context(|| format!("could not find the programs' directory {}", dir.display()))
}

/// All programs in `source`, compared with those in `bin`.
///
/// # Errors
/// The list of those that are missing.
pub fn compare(source: &Path, bin: &Path) -> Result<Vec<Program>> {
    let names = wiring::programs();
    let missing: Vec<&str> =
        names.iter().map(String::as_str).filter(|n| !is_program(&source.join(n))).collect();
    if !missing.is_empty() {
        bail!(
            "could not install from {}: it lacks {}; build all programs (install/install.sh does) or name their directory with --from",
            source.display(),
            missing.join(", ")
        );
    }
    names
        .into_iter()
        .map(|name| {
            let from = source.join(&name);
            let bytes = std::fs::read(&from).with_context(|| format!("could not read {}", from.display()))?;
            let there = bin.join(&name);
            // What is longer is another one, and so is what is no file.
            let change = match file::read_bytes(&there, bytes.len() as u64) {
                Ok(Some(old)) if old == bytes && is_program(&there) => Change::Same,
                Ok(None) => Change::New,
                Ok(Some(_)) | Err(_) => Change::Updated,
            };
            Ok(Program { name, bytes, change })
        })
        .collect()
}

/// Puts the programs into `bin`, each with one rename, so that a hook that starts meanwhile runs
/// the old one or the new one.
///
/// # Errors
/// When one can't be written.
pub fn copy(programs: &[Program], bin: &Path) -> Result<()> {
    for program in programs.iter().filter(|p| p.change != Change::Same) {
        let to = bin.join(&program.name);
        if to.is_dir() && !to.is_symlink() {
            bail!("could not install {}: a directory stands in its place; move it away", to.display());
        }
        replace_whole(&to, &program.bytes, Some(0o755))?;
    }
    Ok(())
}

/// Names and hashes, for the record.
#[must_use]
pub fn hashes(programs: &[Program]) -> std::collections::BTreeMap<String, String> {
    programs.iter().map(|p| (p.name.clone(), sha256(&p.bytes))).collect()
}

/// True where the running program is the installed one, which can't be copied onto itself.
#[must_use]
pub fn runs_installed(layout: &Layout, source: &Path) -> bool {
    layout.bin().canonicalize().is_ok_and(|bin| bin == source)
}
