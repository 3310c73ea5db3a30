//! `comm-node uninstall`: take back what install changed.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use comm_node_core::node;
use comm_node_core::personal;
use comm_node_core::store::Store;

use crate::Outcome;
use crate::commands::join::person_only;
use crate::env::Env;
use crate::install::layout::Layout;
use crate::install::record::Record;
use crate::install::remove::{self, How, Plan};
use crate::install::{extras, link, lock, plugin, preview, wire};
use crate::out::Out;
use crate::settings::file::Current;
use crate::settings::places::{SCOPES, Scope};

/// Arguments of `comm-node uninstall`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Take only this settings file back; the programs go with the last one [default: everything]
    #[arg(long, value_enum)]
    scope: Option<Scope>,
    /// Show what would be changed, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Remove the backups of settings files too
    #[arg(long)]
    purge: bool,
}

/// Runs the command.
///
/// # Errors
/// When no home directory is known, or when another installer holds the lock.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let layout = Layout::of(env)?;
    if !args.dry_run {
        let here = node::find(&env.cwd).ok().flatten().map(|layout| Store::new(layout.state()));
        match &here {
            // The process tree says more than the environment, where the sessions are known.
            Some(store) => person_only(env, store, &personal::UNINSTALL)?,
            None if env.var("CLAUDE_CODE_SESSION_ID").is_some() => bail!(
                "`{}` is for a person and this is run inside a Claude Code session; ask the user to run it in a \
                 terminal of their own",
                personal::UNINSTALL.shown
            ),
            None => {}
        }
    }
    if args.dry_run {
        let mut record = Record::read(&layout)?.unwrap_or_default();
        link::note(env, &layout, &mut record);
        return dry_run(args, env, out, &layout, &record);
    }
    let linked = link::state(env, &layout) == link::State::Ours;
    let here = || layout.dir.exists() || linked;
    if !here() && targets(args, env, &Record::new())?.iter().all(|p| !holds_ours(p)) {
        out.line("nothing of comm-node is installed");
        return Ok(Outcome::Done);
    }
    let held = lock::take(&layout, out)?;
    let (mut record, aside) = Record::read_or_new(&layout)?;
    if let Some(aside) = aside {
        out.note(format!("the install record was damaged; it was set aside as {}", aside.display()));
    }
    link::note(env, &layout, &mut record);

    let mark = Mark::make(&layout)?;
    let mut failed = false;
    let mut foreign = false;
    for path in targets(args, env, &record)? {
        let shown = Layout::show(env, &path);
        match remove::settings(&path, record.of(&path)) {
            Ok(how) => {
                foreign |= how == How::Stripped;
                if let Some(line) = in_words(how, &shown) {
                    out.line(line);
                }
                record.settings.retain(|s| s.path != path);
            }
            Err(e) => {
                failed = true;
                out.error(&e);
            }
        }
    }
    // They are for the sessions that the user's settings wire.
    let extras_go = args.scope.is_none_or(|scope| scope == Scope::User);
    if !failed && extras_go {
        let (done, undone) = extras::Plan::removal(&layout, &record).remove(&layout, &mut record);
        for line in done {
            out.line(line);
        }
        for line in undone {
            out.note(format!("note: left as it is: {line}"));
        }
    }
    let keep = !record.settings.is_empty() || args.scope.is_some() && record.plugin;
    if failed || keep {
        remove::prune(&mut record);
        record.write(&layout)?;
        let why = if failed {
            "a settings file still names them".to_owned()
        } else if record.settings.is_empty() {
            "the plugin was installed too; `comm-node uninstall` removes all".to_owned()
        } else {
            let rest: Vec<String> = record.settings.iter().map(|s| Layout::show(env, &s.path)).collect();
            format!("{} still uses them", rest.join(", "))
        };
        out.line(format!("kept the programs: {why}"));
        return Ok(if failed { Outcome::Refused } else { Outcome::Done });
    }

    if record.plugin {
        forget_plugin(env, out);
    }
    let whole = args.purge || !foreign;
    let (done, undone) = remove::files(&layout, &record, whole);
    for line in done {
        out.line(line);
    }
    for line in &undone {
        out.note(line);
    }
    drop(mark);
    if undone.is_empty() {
        remove::directories(&layout, &record);
    }
    drop(held);
    out.line("the state of your nodes (.comm-node/) was not touched");
    Ok(if undone.is_empty() { Outcome::Done } else { Outcome::Refused })
}

/// The file that tells running sessions that a person is uninstalling, so that they let the changed
/// settings in. It goes when the programs have gone, or stay for another settings file.
struct Mark(PathBuf);

impl Mark {
    fn make(layout: &Layout) -> Result<Self> {
        let path = layout.uninstalling();
        std::fs::write(&path, "comm-node uninstall is at work\n")
            .with_context(|| format!("could not write {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        // What is left of it does no harm: the next install removes it.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The settings files to look at: those on record, and those that are seen from here.
fn targets(args: &Args, env: &Env, record: &Record) -> Result<Vec<PathBuf>> {
    if let Some(scope) = args.scope {
        return Ok(vec![scope.file(env)?]);
    }
    let mut paths: Vec<PathBuf> = record.settings.iter().map(|s| s.path.clone()).collect();
    for scope in SCOPES {
        let path = scope.file(env)?;
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    Ok(paths)
}

fn holds_ours(path: &Path) -> bool {
    Current::read(path).is_ok_and(|now| now.text.is_some_and(|text| wire::holds_ours(&text)))
}

fn in_words(how: How, shown: &str) -> Option<String> {
    match how {
        How::Nothing => None,
        How::Restored => Some(format!("restored {shown}, byte for byte as it was")),
        How::Removed => Some(format!("removed {shown}, which install had made")),
        How::Stripped => {
            Some(format!("took our entries out of {shown}; what others changed there since is kept"))
        }
    }
}

fn forget_plugin(env: &Env, out: &Out) {
    let commands = plugin::teardown();
    out.note("note: sessions that run now keep the plugin's hooks until /reload-plugins or their end");
    match plugin::client(env) {
        Some(client) => {
            for command in &commands {
                match plugin::run(&client, command) {
                    Ok(()) => out.line(format!("ran: claude {}", command.join(" "))),
                    Err(e) => out.error(&e),
                }
            }
        }
        None => {
            out.note("claude is not on PATH, so run these yourself:");
            for command in &commands {
                out.note(format!("  claude {}", command.join(" ")));
            }
        }
    }
}

fn dry_run(args: &Args, env: &Env, out: &Out, layout: &Layout, record: &Record) -> Result<Outcome> {
    for path in targets(args, env, record)? {
        let plan = Plan::new(&path, record.of(&path))?;
        if plan.how != How::Nothing {
            preview::diff(out, &plan.current.real, plan.current.text.as_deref(), plan.text.as_deref());
        }
    }
    if args.scope.is_none_or(|scope| scope == Scope::User) {
        let plan = extras::Plan::removal(layout, record);
        for step in plan.steps.iter().filter(|s| s.changes()) {
            if step.text.is_some() {
                preview::diff(out, &step.current.real, step.current.text.as_deref(), step.text.as_deref());
            } else {
                out.line(format!("{}: would be removed", Layout::show(env, &step.current.path)));
            }
        }
    }
    for link in &record.links {
        out.line(format!("link {}: would be removed", Layout::show(env, link)));
    }
    out.line(format!(
        "programs in {}: would be removed with the last settings file",
        Layout::show(env, &layout.bin())
    ));
    out.line("nothing was changed (--dry-run)");
    Ok(Outcome::Done)
}
