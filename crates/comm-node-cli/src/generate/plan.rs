//! What is to change: every file that a node should have, compared with what is there. Nothing is written here.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use comm_node_core::node::registry::{Registry, Role};
use comm_node_core::node::roles;
use handlebars::Context;
use serde::Serialize;

use super::context::{Ground, put_role};
use super::engine::Engine;
use super::place::{self, Place};
use super::{block, rule, safe, stale, whole};
use crate::settings::file::Current;

/// What a file of ours is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A marked part of a person's file.
    Part,
    /// A file of its own.
    Whole,
}

/// A file as it should be.
#[derive(Clone, Debug)]
pub struct Output {
    /// Where.
    pub path: PathBuf,
    /// The directory that it must not lead out of, if any.
    pub within: Option<PathBuf>,
    /// What it is.
    pub form: Form,
    /// What stands in its mark.
    pub owner: String,
    /// The domain it is for.
    pub domain: Option<String>,
    /// What it should say.
    pub text: String,
}

/// How a file is, compared with how it should be.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is not there yet.
    New,
    /// It says something else.
    Changed,
    /// It is right.
    Same,
    /// A person's own stands in its place, and is kept.
    Foreign,
    /// It is ours and a person changed it; kept.
    Edited,
    /// Nobody wants it any more.
    Stale,
}

/// One file, and what is to become of it.
#[derive(Clone, Debug)]
pub struct Step {
    /// The file as it is.
    pub current: Current,
    /// What it is to hold; `None` removes it. The same text where nothing changes.
    pub text: Option<String>,
    /// How it is.
    pub state: State,
    /// The domain it is for.
    pub domain: Option<String>,
}

impl Step {
    /// True if something is to be written or removed.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.current.text != self.text
    }

    fn keep(current: Current, state: State, domain: Option<String>) -> Self {
        Self { text: current.text.clone(), current, state, domain }
    }
}

/// What was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish<'a> {
    /// Only the files of this domain.
    pub domain: Option<&'a str>,
    /// Replace what a person changed in files of ours.
    pub force: bool,
    /// Take everything of ours out.
    pub remove: bool,
}

/// The plan for a node.
///
/// # Errors
/// All that keeps a file from being rendered, read or planned, together: then nothing should be written.
pub fn of(registry: &Registry<'_>, engine: &Engine, wish: Wish<'_>) -> Result<Vec<Step>> {
    let outputs = if wish.remove { Vec::new() } else { outputs(registry, engine)? };
    let node = safe::slug(&registry.name);
    let wanted: Vec<&Output> =
        outputs.iter().filter(|o| wish.domain.is_none_or(|name| o.domain.as_deref() == Some(name))).collect();
    let mut faults: Vec<String> = Vec::new();
    let mut steps = Vec::new();
    let mut taken: Vec<(PathBuf, &Path)> = Vec::new();
    for output in wanted {
        match step(output, wish.force) {
            Ok(step) => {
                // Two names of one file: a link, or a file system that takes `A` for `a`.
                let real = path_key(&step.current.real, registry.fold_case);
                if let Some((_, other)) = taken.iter().find(|(path, _)| *path == real) {
                    faults.push(format!("{} and {} are one file", other.display(), output.path.display()));
                }
                taken.push((real, &output.path));
                steps.push(step);
            }
            Err(e) => faults.push(format!("{e:#}")),
        }
    }
    for (path, tree) in stale::search(registry, &node)? {
        if outputs.iter().any(|o| o.path == path) || taken.iter().any(|(real, _)| *real == path) {
            continue;
        }
        match gone(&path, &tree, &node, wish) {
            Ok(step) => steps.extend(step),
            Err(e) => faults.push(format!("{e:#}")),
        }
    }
    if !faults.is_empty() {
        bail!("nothing was written: {}", faults.join("; "));
    }
    Ok(steps)
}

fn path_key(path: &Path, fold: bool) -> PathBuf {
    if fold { PathBuf::from(path.to_string_lossy().to_lowercase()) } else { path.to_path_buf() }
}

fn read(path: &Path, within: &Path) -> Result<Current> {
    let current = Current::read(path)?;
    let top = comm_node_core::path::real(within)?;
    if !current.real.starts_with(&top) {
        bail!(
            "{} leads to {}, out of {}; remove the link",
            path.display(),
            current.real.display(),
            top.display()
        );
    }
    Ok(current)
}

/// How one file is, and what is to become of it.
///
/// # Errors
/// When it can't be read, or its marks are damaged.
pub fn step(output: &Output, force: bool) -> Result<Step> {
    let current = match &output.within {
        Some(within) => read(&output.path, within)?,
        None => Current::read(&output.path)?,
    };
    let domain = output.domain.clone();
    let text = current.text.as_deref();
    let there = text.is_some();
    let write = |current, text, new| Step {
        current,
        text: Some(text),
        state: if new { State::New } else { State::Changed },
        domain: domain.clone(),
    };
    Ok(match output.form {
        Form::Part => match block::put(text, &output.owner, &output.text, force)
            .map_err(|why| anyhow!("{}: {why}", output.path.display()))?
        {
            block::Change::Same => Step::keep(current, State::Same, domain),
            block::Change::Edited => Step::keep(current, State::Edited, domain),
            block::Change::Write(text, new) => write(current, text, new),
        },
        Form::Whole => match whole::put(text, &output.owner, &output.text, force) {
            whole::Change::Same => Step::keep(current, State::Same, domain),
            whole::Change::Edited => Step::keep(current, State::Edited, domain),
            whole::Change::Foreign => Step::keep(current, State::Foreign, domain),
            whole::Change::Write(text) => write(current, text, !there),
        },
    })
}

/// What is to become of a file that nobody wants any more, if it has something of this node's in it.
fn gone(path: &Path, tree: &Path, node: &str, wish: Wish<'_>) -> Result<Option<Step>> {
    // Behind a link that leads elsewhere nothing is ours.
    let Ok(current) = read(path, tree) else { return Ok(None) };
    let Some(found) = ours(&current)? else { return Ok(None) };
    let Some((of, domain)) = found.owner.split_once('/') else { return Ok(None) };
    if of != node || wish.domain.is_some_and(|wanted| wanted != domain) {
        return Ok(None);
    }
    let domain = (!domain.is_empty()).then(|| domain.to_owned());
    Ok(Some(found.taken_out(current, domain, wish.force)))
}

/// What is ours in a file.
#[derive(Clone, Debug)]
pub struct Ours {
    /// Whose it is.
    pub owner: String,
    untouched: bool,
    left: Option<String>,
}

impl Ours {
    /// The step that takes it out, unless a person changed it.
    #[must_use]
    pub fn taken_out(self, current: Current, domain: Option<String>, force: bool) -> Step {
        if !self.untouched && !force {
            return Step::keep(current, State::Edited, domain);
        }
        Step { current, text: self.left, state: State::Stale, domain }
    }
}

/// What is ours in the file, if anything.
///
/// # Errors
/// When its marks are damaged.
pub fn ours(current: &Current) -> Result<Option<Ours>> {
    let path = &current.path;
    let Some(text) = &current.text else { return Ok(None) };
    let (owner, untouched, left) = if path.file_name().is_some_and(|n| n == "CLAUDE.md") {
        match block::find(text).map_err(|why| anyhow!("{}: {why}", path.display()))? {
            Some(found) => (found.owner.clone(), found.untouched, block::without(text, &found)),
            None => return Ok(None),
        }
    } else {
        match whole::owner(text) {
            Some((owner, untouched)) => (owner, untouched, None),
            None => return Ok(None),
        }
    };
    Ok(Some(Ours { owner, untouched, left }))
}

/// Every file that the node should have.
///
/// # Errors
/// The fault of a template.
pub fn outputs(registry: &Registry<'_>, engine: &Engine) -> Result<Vec<Output>> {
    let node = safe::slug(&registry.name);
    let mut found = Vec::new();
    let places = place::places(registry);
    // The client also reads those of the directories above, so that only what a domain's say otherwise stands
    // in its own directory.
    let root = registry.trees.first().map(|t| PathBuf::from(t.as_str())).unwrap_or_default();
    let ground = Ground::new(Some(registry))?;
    let at_root = match places.iter().find(|p| p.dir == root && !p.rule) {
        Some(place) => files_of(engine, &ground, &mut ground.context(place.domain))?,
        None => Vec::new(),
    };
    for place in places {
        let mut context = ground.context(place.domain);
        let domain = place.domain.map(|d| d.name.to_string());
        let owner = format!("{node}/{}", domain.as_deref().unwrap_or_default());
        let output = |path: PathBuf, form, text| Output {
            path,
            within: Some(place.tree.to_path_buf()),
            form,
            owner: owner.clone(),
            domain: domain.clone(),
            text,
        };
        if place.domain.is_some() {
            let template = engine.templates().get("CLAUDE.md").context("there is no template CLAUDE.md")?;
            let text = engine.part(template, &context)?;
            found.push(match rule_head(&place) {
                Some((path, head)) => output(path, Form::Whole, format!("{head}{text}")),
                None => output(place.dir.join("CLAUDE.md"), Form::Part, text),
            });
        }
        if !place.rule {
            let dir = place.dir.join(".claude");
            let below_root = place.dir != root && place.tree == root;
            for (path, text) in files_of(engine, &ground, &mut context)? {
                if below_root && at_root.iter().any(|(p, t)| *p == path && *t == text) {
                    continue;
                }
                found.push(output(dir.join(path), Form::Whole, text));
            }
        }
    }
    Ok(found)
}

/// The file of a rule, and the front matter that says when the client is to read it.
fn rule_head(place: &Place<'_>) -> Option<(PathBuf, String)> {
    let domain = place.domain.filter(|_| place.rule)?;
    let path = place.dir.join(".claude/rules").join(format!("comm-node-{}.md", domain.name));
    let scope: Vec<&str> = domain.scope.iter().map(|p| p.glob()).collect();
    let globs = rule::as_read_by_client(&scope);
    let globs = globs.into_iter().map(|glob| format!("  - {}\n", serde_json::Value::from(glob)));
    Some((path, format!("---\npaths:\n{}---\n", globs.collect::<String>())))
}

/// The agents and commands for a user's own sessions, each with its path below `.claude/`.
///
/// # Errors
/// The fault of a template.
pub fn files(engine: &Engine) -> Result<Vec<(PathBuf, String)>> {
    let ground = Ground::new(None)?;
    files_of(engine, &ground, &mut ground.context(None))
}

/// The agents and commands for whom `context` is, each with its path below `.claude/`.
fn files_of(engine: &Engine, ground: &Ground<'_>, context: &mut Context) -> Result<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    for role in ground.roles.iter().filter(|role| has_agent(role)) {
        let template = engine.templates().agent(&role.name).context("there is no template for an agent")?;
        put_role(context, Some(role));
        let text = engine.file(template, context, Some(&role.name))?;
        found.push((Path::new("agents").join(format!("{}.md", role.name)), text));
    }
    put_role(context, None);
    for (name, template) in engine.templates().commands() {
        found.push((Path::new("commands").join(format!("{name}.md")), engine.file(template, context, None)?));
    }
    Ok(found)
}

/// `coordinator` is another name of `integration`, for `role:` in `comm-node.yaml`; a node that changes it has
/// an agent of that name too.
fn has_agent(role: &Role<'_>) -> bool {
    let builtin = roles::builtin();
    role.name.as_str() != "coordinator" || builtin.iter().all(|r| r != role)
}
