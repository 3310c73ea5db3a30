//! `ledger/tasks/<domain>/<digest>.jsonl`: what was spent on tasks that the tally of a domain knows no more.
//!
//! A tally knows a hundred closed tasks; what others cost is in its sum of others, and here by task, so that the
//! budget of a task does not begin anew when it is taken up again. A task stands in the tally or here: what is here of one
//! that stands in the tally is old, and is written over when it leaves the tally again. A file has the form of a tally.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Books, Ledger, is_name, names};
use crate::Result;
use crate::ledger::{Account, Spend, Tally, digest};
use crate::store::sheet::{self, Sheet};

/// Tasks, each with the last day it was worked on.
type Tasks = BTreeMap<String, (String, Spend)>;

fn read(path: &Path) -> Result<Tasks> {
    Ok(Sheet::<Tally>::read(path)?.map(|sheet| sheet.value.closed.tasks).unwrap_or_default())
}

impl Ledger<'_> {
    fn tasks_dir(&self, domain: &str) -> PathBuf {
        self.dir().join("tasks").join(domain)
    }

    fn task_path(&self, domain: &str, task: &str) -> PathBuf {
        self.tasks_dir(domain).join(format!("{:016x}.jsonl", digest(task.as_bytes())))
    }

    /// What was spent on `task`, all of it. One more small file is read where the tally knows it no more.
    ///
    /// # Errors
    /// When that file can't be read.
    pub fn spent_on(&self, domain: &str, tally: &Tally, task: &str) -> Result<Spend> {
        let known = tally.spent().task(task);
        Ok(self.left_out(domain, tally, task)?.map_or(known, |(_, spend)| known.plus(spend)))
    }

    /// What is here of `task`, if it does not stand in the tally.
    fn left_out(&self, domain: &str, tally: &Tally, task: &str) -> Result<Option<(String, Spend)>> {
        if tally.closed.others.is_zero() || tally.closed.tasks.contains_key(task) || !is_name(domain) {
            return Ok(None);
        }
        Ok(read(&self.task_path(domain, task))?.remove(task))
    }

    /// All that does not stand in the tally. This grows with history: not for hooks.
    pub(super) fn all_left_out(&self, domain: &str, tally: &Tally) -> Result<Tasks> {
        let mut all = Tasks::new();
        if !tally.closed.others.is_zero() {
            for name in names(&self.tasks_dir(domain)) {
                all.extend(read(&self.tasks_dir(domain).join(name))?);
            }
            all.retain(|task, _| !tally.closed.tasks.contains_key(task));
        }
        Ok(all)
    }
}

impl Books<'_> {
    /// Takes those of `tasks` back into `tally` that it knows no more; true if there are such.
    pub(super) fn recall<'t>(
        &self,
        domain: &str,
        tally: &mut Tally,
        tasks: impl Iterator<Item = &'t str>,
    ) -> Result<bool> {
        let mut is_changed = false;
        for task in tasks {
            if let Some((day, spend)) = self.ledger.left_out(domain, tally, task)? {
                tally.closed.others = tally.closed.others.minus(spend);
                tally.closed.tasks.insert(task.to_owned(), (day, spend));
                is_changed = true;
            }
        }
        Ok(is_changed)
    }

    /// Takes tasks out of `tally` that are too many, and writes them down.
    pub(super) fn leave_out(&self, domain: &str, tally: &mut Tally) -> Result<()> {
        for (task, what) in tally.too_many() {
            let path = self.ledger.task_path(domain, &task);
            let mut tasks = read(&path).unwrap_or_default();
            if tasks.get(&task) != Some(&what) {
                tasks.insert(task.clone(), what.clone());
                self.ledger.store.prepare_sub("ledger")?;
                self.ledger.store.prepare_sub("ledger/tasks")?;
                self.ledger.store.prepare_sub(&["ledger/tasks/", domain].concat())?;
                let closed = Account { tasks, ..Account::default() };
                sheet::replace(&path, &Tally { version: 1, closed, ..Tally::default() })?;
            }
            tally.closed.others = tally.closed.others.plus(what.1);
            tally.closed.tasks.remove(&task);
        }
        Ok(())
    }

    /// Removes what is no part of `all`, the tasks that were left out of a tally that was made anew.
    pub(super) fn forget_all_but(&self, domain: &str, all: &Tasks) {
        let kept: Vec<PathBuf> = all.keys().map(|task| self.ledger.task_path(domain, task)).collect();
        for name in names(&self.ledger.tasks_dir(domain)) {
            let path = self.ledger.tasks_dir(domain).join(name);
            if !kept.contains(&path) {
                // What is left of it is removed by the next one that makes the tally anew.
                let _ = std::fs::remove_file(path);
            }
        }
    }
}
