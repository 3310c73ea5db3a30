//! What all of a user's sessions get besides hooks: role agents, slash commands, and the conventions that the
//! user's `CLAUDE.md` imports. What is the user's own is never touched.

use std::path::PathBuf;

use anyhow::{Context, Result};
use comm_node_core::store::file;

use super::layout::Layout;
use super::record::Record;
use crate::generate::apply;
use crate::generate::context::Subject;
use crate::generate::engine::Engine;
use crate::generate::plan::{self, Form, Output, State, Step};
use crate::generate::templates::Templates;
use crate::settings::file::{Current, replace_whole};

/// What our files and parts say of whose they are; it ends like a node's, which are named `node/domain`.
const OWNER: &str = "user/";
/// What the user's `CLAUDE.md` says in our part: relative, so that it holds wherever the directory is.
const IMPORT: &str = "@comm-node/conventions.md\n";

/// What is to change.
#[derive(Debug)]
pub struct Plan {
    /// Each file with what is to become of it.
    pub steps: Vec<Step>,
    /// Files that can't be planned, in words.
    pub faults: Vec<String>,
    conventions: String,
}

impl Plan {
    /// Plans it.
    ///
    /// # Errors
    /// Never in practice: the built-in templates are right.
    pub fn new(layout: &Layout, record: &Record) -> Result<Self> {
        let engine = Engine::new(Templates::built_in())?;
        let template =
            engine.templates().get("convention.md").context("there is no template convention.md")?;
        let conventions = engine.part(template, &Subject::ANYBODY.context(None)?)?;
        let output = |path: PathBuf, form, text| Output {
            path,
            within: None,
            form,
            owner: OWNER.to_owned(),
            domain: None,
            text,
        };
        let mut outputs = vec![output(layout.claude.join("CLAUDE.md"), Form::Part, IMPORT.to_owned())];
        for (path, text) in plan::files(&engine)? {
            outputs.push(output(layout.claude.join(path), Form::Whole, text));
        }
        let mut plan = Self { steps: Vec::new(), faults: Vec::new(), conventions };
        for output in &outputs {
            plan.add(plan::step(output, false).map(Some));
        }
        // Those of an earlier version that this one does not have.
        for path in record.files.iter().filter(|path| outputs.iter().all(|o| o.path != **path)) {
            plan.add(taken_out(path.clone()));
        }
        Ok(plan)
    }

    /// The plan to take everything out again: what is on record, and what can be told to be ours.
    #[must_use]
    pub fn removal(layout: &Layout, record: &Record) -> Self {
        let mut paths = record.files.clone();
        paths.push(layout.claude.join("CLAUDE.md"));
        for dir in ["agents", "commands"] {
            let entries = layout.claude.join(dir).read_dir().into_iter().flatten().flatten();
            paths.extend(entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "md")));
        }
        paths.sort();
        paths.dedup();
        let mut plan = Self { steps: Vec::new(), faults: Vec::new(), conventions: String::new() };
        for path in paths {
            plan.add(taken_out(path));
        }
        plan
    }

    fn add(&mut self, step: Result<Option<Step>>) {
        match step {
            Ok(step) => self.steps.extend(step),
            Err(e) => self.faults.push(format!("{e:#}")),
        }
    }

    /// True if the conventions that the user's `CLAUDE.md` imports are there as this version has them.
    #[must_use]
    pub fn has_conventions(&self, layout: &Layout) -> bool {
        let text = file::read(&layout.conventions(), self.conventions.len() as u64);
        text.is_ok_and(|text| text.as_ref() == Some(&self.conventions))
    }

    /// How many files are in `state`.
    #[must_use]
    pub fn count(&self, state: State) -> usize {
        self.steps.iter().filter(|s| s.state == state).count()
    }

    /// Carries it out; every path is on record before it is written.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn install(&self, layout: &Layout, record: &mut Record) -> Result<()> {
        replace_whole(&layout.conventions(), self.conventions.as_bytes(), Some(0o644))?;
        record.files = self
            .steps
            .iter()
            .filter(|s| !matches!(s.state, State::Foreign | State::Stale))
            .map(|s| s.current.path.clone())
            .collect();
        record.write(layout)?;
        for step in &self.steps {
            if step.changes()
                && let Some(dir) = step.current.real.parent()
            {
                record.make_dir(layout, dir)?;
            }
            apply::carry_out(step)?;
        }
        Ok(())
    }

    /// Carries a removal out; says in words what was removed, and what could not be.
    #[must_use]
    pub fn remove(&self, layout: &Layout, record: &mut Record) -> (Vec<String>, Vec<String>) {
        let (mut done, mut failed) = (Vec::new(), self.faults.clone());
        let mut gone = 0;
        for step in &self.steps {
            let path = step.current.path.display();
            match apply::carry_out(step) {
                Ok(()) if step.state == State::Edited => {
                    done.push(format!("kept {path}: it was installed and then changed by hand"));
                }
                Ok(()) if step.text.is_none() => gone += 1,
                Ok(()) => done.push(format!("took our part out of {path}")),
                Err(e) => failed.push(format!("{e:#}")),
            }
        }
        if gone > 0 {
            done.push(format!("removed {gone} files with agents, commands and conventions"));
        }
        let _ = std::fs::remove_file(layout.conventions());
        record.files.clear();
        (done, failed)
    }
}

/// The step that takes ours out of the file at `path`, if there is any.
fn taken_out(path: PathBuf) -> Result<Option<Step>> {
    let current = Current::read(&path)?;
    let found = plan::ours(&current)?.filter(|found| found.owner == OWNER);
    Ok(found.map(|found| found.taken_out(current, None, false)))
}
