//! Writes what was planned, each file with one rename.

use anyhow::{Context, Result, bail};

use super::plan::{State, Step};

/// Carries out `step`.
///
/// # Errors
/// When it can't be written, or when somebody else wrote the file since it was read.
pub fn carry_out(step: &Step) -> Result<()> {
    if !step.changes() {
        return Ok(());
    }
    let path = &step.current.real;
    if step.text.is_some()
        && let Some(dir) = path.parent()
    {
        std::fs::create_dir_all(dir).with_context(|| format!("could not create {}", dir.display()))?;
    }
    if !step.current.replace(step.text.as_deref())? {
        bail!(
            "could not write {}: another program wrote it meanwhile; run the command again",
            path.display()
        );
    }
    Ok(())
}

/// Removes the client's directories above the file that `step` removed, where they are empty now.
pub fn prune(step: &Step) {
    if step.text.is_some() || step.state != State::Stale {
        return;
    }
    for dir in step.current.real.ancestors().skip(1) {
        let of_client = dir
            .file_name()
            .is_some_and(|n| ["agents", "commands", "rules", ".claude"].iter().any(|c| n == *c));
        // Removing fails, as it should, where there is something left.
        if !of_client || std::fs::remove_dir(dir).is_err() {
            break;
        }
    }
}
