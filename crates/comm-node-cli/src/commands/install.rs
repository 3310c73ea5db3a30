//! `comm-node install`: install the hooks into Claude Code.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use comm_node_core::text::one_line;

use crate::Outcome;
use crate::env::Env;
use crate::generate::plan::State;
use crate::install::layout::Layout;
use crate::install::programs::{self, Change, Program};
use crate::install::record::Record;
use crate::install::{doctor, extras, link, lock, plugin, preview, status_line, wire, wiring};
use crate::out::Out;
use crate::settings::entry::Wanted;
use crate::settings::file::Current;
use crate::settings::places::{SCOPES, Scope};

/// Arguments of `comm-node install`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which settings file gets the hooks
    #[arg(long, value_enum, default_value = "user", conflicts_with = "plugin")]
    scope: Scope,
    /// Set up the plugin instead of changing a settings file
    #[arg(long)]
    plugin: bool,
    /// Show what would be changed, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Take the programs from this directory [default: this program's own]
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// Only hooks and permission rules: no status line, no agents, commands and conventions for all your sessions
    #[arg(long)]
    bare: bool,
    /// Leave the status line alone, and take one of ours back
    #[arg(long)]
    no_statusline: bool,
    /// Make no link ~/.local/bin/comm-node
    #[arg(long)]
    no_link: bool,
}

/// Runs the command.
///
/// # Errors
/// When programs are missing, or a file can't be edited or written. No settings file is then
/// half changed.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let layout = Layout::of(env)?;
    if layout.bin().to_str().is_none() {
        bail!(
            "{} is not UTF-8, so it can't stand in settings; set CLAUDE_CONFIG_DIR",
            layout.bin().display()
        );
    }
    let source = programs::source(env, args.from.as_deref())?;
    let programs = programs::compare(&source, &layout.bin())?;
    let target = if args.plugin { None } else { Some((args.scope, args.scope.file(env)?)) };
    if args.dry_run {
        return dry_run(args, env, out, &layout, &programs, target.as_ref());
    }

    // A settings file that can't be edited is found before anything is changed.
    if let Some((_, path)) = &target {
        wire::Plan::new(path, &wanted(args, env, &layout)?)?;
    }
    let made: Vec<PathBuf> =
        layout.dir.ancestors().skip(1).take_while(|d| !d.exists()).map(Path::to_path_buf).collect();
    let held = lock::take(&layout, out)?;
    // Left by an uninstallation that was killed; while it is there, no change of settings is held back.
    let _ = std::fs::remove_file(layout.uninstalling());
    let (mut record, aside) = Record::read_or_new(&layout)?;
    if let Some(aside) = aside {
        out.note(format!("the install record was damaged; it was set aside as {}", aside.display()));
    }
    for dir in made.into_iter().rev().filter(|d| !record.directories.contains(d)).collect::<Vec<_>>() {
        record.directories.push(dir);
    }

    // Another installer may have worked while this one waited.
    let programs = programs::compare(&source, &layout.bin())?;
    std::fs::create_dir_all(layout.bin())
        .with_context(|| format!("could not create {}", layout.bin().display()))?;
    programs::copy(&programs, &layout.bin())?;
    let hashes = programs::hashes(&programs);
    let stale = record.programs != hashes || record.comm_node != comm_node_core::VERSION;
    record.programs = hashes;
    say_programs(env, out, &layout, &programs, programs::runs_installed(&layout, &source));
    if !args.no_link {
        make_link(env, out, &layout, &mut record)?;
    }
    if stale || !layout.record().exists() {
        record.write(&layout)?;
    }
    match &target {
        Some((scope, path)) => {
            let wanted = wanted(args, env, &layout)?;
            let changed = wire::apply(&layout, &mut record, *scope, path, &wanted)?;
            let shown = Layout::show(env, path);
            if changed {
                let restore = record.of(path).and_then(|s| s.restore.as_ref());
                let backup =
                    restore.map_or(String::new(), |b| format!(" (as it was: {})", Layout::show(env, b)));
                out.line(format!("wired the hooks in {shown}{backup}"));
            } else {
                out.line(format!("already installed in {shown}: nothing to change"));
            }
            status_line::say(out, path, no_line(args));
            say_scope(env, out, *scope, path);
        }
        None => set_up_plugin(env, out, &layout, &mut record, &programs)?,
    }
    if has_extras(args) {
        let plan = extras::Plan::new(&layout, &record)?;
        plan.install(&layout, &mut record)?;
        say_extras(env, out, &layout, &plan, "wrote");
    }
    record.write(&layout)?;
    drop(held);

    out.line("");
    let checks = doctor::run(env, false)?;
    Ok(doctor::print(out, &checks))
}

/// What the settings file is to hold.
fn wanted(args: &Args, env: &Env, layout: &Layout) -> Result<Wanted> {
    status_line::wanted(args.scope, no_line(args), env, layout)
}

fn no_line(args: &Args) -> bool {
    args.no_statusline || args.bare
}

/// True where the user's own directory gets agents, commands and conventions: with the hooks of all of the
/// user's sessions. The plugin brings its own.
fn has_extras(args: &Args) -> bool {
    !args.plugin && !args.bare && args.scope == Scope::User
}

fn say_extras(env: &Env, out: &Out, layout: &Layout, plan: &extras::Plan, verb: &str) {
    let dir = Layout::show(env, &layout.claude);
    let changed = plan.count(State::New) + plan.count(State::Changed) + plan.count(State::Stale);
    let same = plan.count(State::Same);
    if changed == 0 {
        out.line(format!("agents, commands and conventions: all {same} in {dir} are these already"));
    } else {
        out.line(format!(
            "agents, commands and conventions: {verb} {changed} in {dir}, {same} were these already"
        ));
    }
    for step in &plan.steps {
        let path = Layout::show(env, &step.current.path);
        match step.state {
            State::Foreign => out.note(format!("note: {path} is yours and was left; ours of that name is not there")),
            State::Edited => out.note(format!(
                "note: {path} was installed and then changed by hand; it was left. Remove it to have it installed anew"
            )),
            _ => {}
        }
    }
    for fault in &plan.faults {
        out.note(format!("note: left as it is: {}", one_line(fault, 400)));
    }
}

fn say_programs(env: &Env, out: &Out, layout: &Layout, programs: &[Program], rewire: bool) {
    let bin = Layout::show(env, &layout.bin());
    let changed = programs.iter().filter(|p| p.change != Change::Same).count();
    if rewire {
        out.line(format!("programs: running the installed ones in {bin}, so none were copied"));
    } else if changed == 0 {
        out.line(format!("programs: all {} in {bin} are these already", programs.len()));
    } else {
        out.line(format!("programs: copied {changed} of {} to {bin}", programs.len()));
    }
}

/// What a person must know of a scope that is not the user's.
fn say_scope(env: &Env, out: &Out, scope: Scope, path: &Path) {
    if scope == Scope::User {
        return;
    }
    let dir = path.parent().and_then(Path::parent).map(|d| Layout::show(env, d)).unwrap_or_default();
    out.note(format!("note: it counts for sessions that are started in {dir} itself, not below it"));
    if scope == Scope::Project {
        out.note(
            "note: the paths in it are this machine's; where comm-node is not installed there, Claude Code \
             will refuse edits in this project. --scope local keeps it to yourself",
        );
    }
}

fn make_link(env: &Env, out: &Out, layout: &Layout, record: &mut Record) -> Result<()> {
    let state = link::make(env, layout, record)?;
    let Some(path) = link::path(env) else { return Ok(()) };
    let shown = Layout::show(env, &path);
    match state {
        link::State::Missing => out.line(format!("linked {shown} to the installed program")),
        link::State::OtherInstall(to) => {
            out.note(format!("note: {shown} leads to another installation, {}; it was left", to.display()));
        }
        link::State::Foreign => {
            out.note(format!(
                "note: {shown} is not ours and was left; the program is {}",
                layout.cli().display()
            ));
        }
        link::State::Ours | link::State::Nowhere => {}
    }
    if !link::on_path(env, &path) {
        let dir = path.parent().map(|d| Layout::show(env, d)).unwrap_or_default();
        out.note(format!("note: {dir} is not on PATH; add it, so that people and agents can run comm-node"));
    }
    Ok(())
}

fn set_up_plugin(
    env: &Env,
    out: &Out,
    layout: &Layout,
    record: &mut Record,
    programs: &[Program],
) -> Result<()> {
    plugin::write(layout, record, programs)?;
    record.plugin = true;
    record.write(layout)?;
    out.line(format!("wrote the plugin to {}", Layout::show(env, &layout.plugin())));
    let commands = plugin::setup(layout);
    match plugin::client(env) {
        Some(client) => {
            for command in &commands {
                plugin::run(&client, command)?;
                out.line(format!("ran: claude {}", command.join(" ")));
            }
        }
        None => {
            out.line("claude is not on PATH, so run these yourself:");
            for command in &commands {
                out.line(format!("  claude {}", command.join(" ")));
            }
        }
    }
    for scope in SCOPES {
        let path = scope.file(env)?;
        if Current::read(&path).is_ok_and(|now| now.text.is_some_and(|text| wire::holds_ours(&text))) {
            out.note(format!(
                "note: {} has the hooks too, so every hook runs twice; `comm-node uninstall --scope {}` takes them out",
                Layout::show(env, &path),
                scope.name()
            ));
        }
    }
    Ok(())
}

fn dry_run(
    args: &Args,
    env: &Env,
    out: &Out,
    layout: &Layout,
    programs: &[Program],
    target: Option<&(Scope, PathBuf)>,
) -> Result<Outcome> {
    out.line(format!("programs in {}:", Layout::show(env, &layout.bin())));
    for program in programs {
        let what = match program.change {
            Change::Same => "unchanged",
            Change::New => "new",
            Change::Updated => "updated",
        };
        out.line(format!("  {what:<9}  {}", program.name));
    }
    if let Some(path) = link::path(env).filter(|_| !args.no_link) {
        let what = match link::state(env, layout) {
            link::State::Missing => "new",
            link::State::Ours => "unchanged",
            _ => "left, not ours",
        };
        out.line(format!("link {}: {what}", Layout::show(env, &path)));
    }
    if target.is_some() {
        out.line("allowed without asking (permissions.allow), and nothing else:");
        for rule in wiring::RULES {
            out.line(format!("  {rule}"));
        }
    }
    if has_extras(args) {
        let record = Record::read(layout).ok().flatten().unwrap_or_default();
        let plan = extras::Plan::new(layout, &record)?;
        say_extras(env, out, layout, &plan, "would write");
        for step in plan.steps.iter().filter(|s| s.changes()) {
            if step.current.text.is_some() {
                preview::diff(out, &step.current.real, step.current.text.as_deref(), step.text.as_deref());
            } else {
                out.line(format!("  new  {}", Layout::show(env, &step.current.path)));
            }
        }
    }
    match target {
        Some((_, path)) => {
            let plan = wire::Plan::new(path, &wanted(args, env, layout)?)?;
            if plan.is_done() {
                out.line(format!("{}: unchanged", Layout::show(env, path)));
            } else {
                preview::diff(out, &plan.current.real, plan.current.text.as_deref(), Some(&plan.text));
            }
        }
        None => {
            out.line(format!("plugin in {}, then:", Layout::show(env, &layout.plugin())));
            for command in plugin::setup(layout) {
                out.line(format!("  claude {}", command.join(" ")));
            }
        }
    }
    out.line("nothing was changed (--dry-run)");
    Ok(Outcome::Done)
}
