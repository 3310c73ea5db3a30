//! `comm-node init`: propose domains for this project and write comm-node.yaml.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use comm_node_core::node::registry::Layout;
use comm_node_core::node::{self, YAML};
use comm_node_core::personal;
use comm_node_core::store::Store;
use comm_node_core::text::one_line;
use serde_json::json;

use crate::commands::join::person_only;
use crate::config::{self, propose};
use crate::env::Env;
use crate::out::{Ink, Out};
use crate::{Outcome, config::propose::Proposal};

/// Arguments of `comm-node init`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Write without asking
    #[arg(long, short)]
    yes: bool,
    /// Show what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// The project's name [default: the directory's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Replace a comm-node.yaml that is there; the old one is kept as a backup
    #[arg(long)]
    force: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Examples:
  comm-node init
  comm-node init --dry-run
  comm-node init --yes --name shop

Domains are proposed from workspaces (Cargo, npm, pnpm, Go, Python), else from CODEOWNERS, else from
the top-level directories.";

/// Runs the command.
///
/// # Errors
/// When a comm-node.yaml is there already, when nobody can be asked, or when it can't be written.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let root = comm_node_core::path::real(&env.cwd)?;
    let yaml = root.join(YAML);
    refuse_second(&root, &yaml, args)?;
    if args.force
        && !args.dry_run
        && let Some(layout) = node::find(&root)?
    {
        // An agent would write its own rules.
        person_only(env, &Store::new(layout.state()), &personal::INIT_FORCE)?;
    }
    refuse_no_file(&yaml)?;
    let proposal = propose::propose(&root, args.name.as_deref());
    let text = propose::render(&proposal);
    let layout = Layout::at(root);
    let checked = config::check_text(&layout, &text);
    if !checked.faults.is_empty() {
        bail!(
            "the proposed file has faults, which is a mistake in comm-node; write {YAML} by hand:\n{}",
            checked.source.draw(&checked.faults, out.colour_err)
        );
    }
    if !args.json {
        out.raw(&text);
        out.line("");
        let n = proposal.domains.len();
        out.line(format!("{n} domain{} from {}", if n == 1 { "" } else { "s" }, proposal.from));
    }
    for (dir, why) in proposal.left_out.iter().filter(|_| !args.json) {
        out.note(format!(
            "left out: {}, because {}; rename it, or no domain owns what is in it",
            one_line(dir, 100),
            one_line(why, 200)
        ));
    }
    if args.dry_run {
        if args.json {
            report(out, &proposal, &text, &yaml, false, None);
        }
        return Ok(Outcome::Done);
    }
    if !args.yes && !ask(args, out)? {
        out.line("nothing was written");
        return Ok(Outcome::Refused);
    }
    // Whatever keeps the node from being one is found before there is half of it.
    let store = Store::new(layout.state());
    store.prepare()?;
    let backup = write(&yaml, &text, args.force)?;
    config::ensure_compiled(&layout, &store).with_context(|| {
        format!("{} is written, and its rules are not in force yet", crate::out::path(&yaml))
    })?;
    if args.json {
        report(out, &proposal, &text, &yaml, true, backup.as_deref());
        return Ok(Outcome::Done);
    }
    if let Some(backup) = backup {
        out.line(format!("the old file is now {}", crate::out::path(&backup)));
    }
    out.line(format!("{} {}", out.ink(Ink::Green, "wrote"), crate::out::path(&yaml)));
    let first = proposal.domains.first().map_or("<domain>", |d| d.name.as_str());
    out.line(format!(
        "\nNext:\n  1. read {YAML}, correct it, and run `comm-node check`\n  \
         2. commit {YAML} and .comm-node/.gitignore\n  \
         3. run `comm-node install` if the hooks are not installed yet\n  \
         4. run `comm-node generate`, which writes each domain's CLAUDE.md, agents and slash commands\n  \
         5. start a session for a domain: COMM_NODE_DOMAIN={first} claude"
    ));
    Ok(Outcome::Done)
}

/// Stops where a node is already.
fn refuse_second(root: &Path, yaml: &Path, args: &Args) -> Result<()> {
    if args.force || args.dry_run {
        return Ok(());
    }
    if yaml.symlink_metadata().is_ok() {
        bail!(
            "{} is already there; edit it and run `comm-node check`, or replace it with --force, which keeps a backup",
            yaml.display()
        );
    }
    // A link that can't be followed is no reason not to begin.
    // Last rules without their file, here, are those of a node that begins anew.
    if let Ok(Some(layout)) = node::find(root)
        && layout.root != root
    {
        bail!(
            "this directory belongs to the node {}; run the command there, or make a node of its own with --force",
            layout.root.display()
        );
    }
    Ok(())
}

/// Stops where something else than a file or a link stands in its place: a pipe can't be backed up, nor a directory replaced.
fn refuse_no_file(yaml: &Path) -> Result<()> {
    match yaml.symlink_metadata() {
        Ok(meta) if !meta.is_file() && !meta.is_symlink() => {
            bail!("{} is there and is no plain file; move it away", yaml.display())
        }
        _ => Ok(()),
    }
}

fn ask(args: &Args, out: &Out) -> Result<bool> {
    if args.json || !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        bail!(
            "nobody can be asked here whether to write {YAML}; run `comm-node init --yes`, or --dry-run to look"
        );
    }
    out.raw(format!("Write {YAML}? [Y/n] "));
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer).context("could not read the answer")?;
    Ok(read > 0 && matches!(answer.trim().to_lowercase().as_str(), "" | "y" | "yes"))
}

/// Writes the file, whole or not at all, never over another one unless `force`; gives back the old one's backup.
fn write(yaml: &Path, text: &str, force: bool) -> Result<Option<PathBuf>> {
    let failed = || format!("could not write {}", yaml.display());
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let name = format!(".{YAML}.");
    let dir = yaml.parent().unwrap_or(Path::new("."));
    let mut file = builder.prefix(&name).suffix(".tmp").tempfile_in(dir).with_context(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).with_context(failed)?;
    let Some(meta) = yaml.symlink_metadata().ok().filter(|_| force) else {
        file.persist_noclobber(yaml).map_err(|e| e.error).with_context(failed)?;
        return Ok(None);
    };
    let backup = backup_name(yaml);
    let kept = if meta.is_symlink() {
        // It may lead nowhere, and what it leads to stays as it is.
        std::fs::rename(yaml, &backup)
    } else {
        std::fs::copy(yaml, &backup).map(drop)
    };
    kept.with_context(|| format!("could not back up {}", yaml.display()))?;
    file.persist(yaml)
        .map_err(|e| e.error)
        .with_context(|| format!("could not replace {}", yaml.display()))?;
    Ok(Some(backup))
}

/// A name beside the file that is not taken.
fn backup_name(yaml: &Path) -> PathBuf {
    let name = |n: u32| {
        let end = if n == 1 { String::new() } else { format!("-{n}") };
        yaml.with_file_name(format!("{YAML}.bak{end}"))
    };
    (1..u32::MAX).map(name).find(|path| path.symlink_metadata().is_err()).unwrap_or_else(|| name(u32::MAX))
}

fn report(out: &Out, proposal: &Proposal, text: &str, yaml: &Path, written: bool, backup: Option<&Path>) {
    out.json(&json!({
        "path": yaml,
        "written": written,
        "backup": backup,
        "name": proposal.name,
        "from": proposal.from,
        "domains": proposal.domains,
        "left_out": proposal.left_out,
        "yaml": text,
    }));
}
