//! What a domain spent, in a form that does not grow with its history.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Keys, Record, Spend};
use crate::clock;
use crate::store::{Cursor, Traffic, Way};

/// How many days a tally knows apart.
const DAYS: usize = 3;
/// How many closed tasks a tally knows apart; beyond that, the one that was not worked on for longest goes, of several the
/// one on which least was spent.
pub const MAX_TASKS: usize = 100;

/// Spending in all, by day and by task.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Account {
    /// All of it.
    #[serde(skip_serializing_if = "Spend::is_zero")]
    pub total: Spend,
    /// By day in UTC, the latest days.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub days: BTreeMap<String, Spend>,
    /// By task, each with the last day it was worked on.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tasks: BTreeMap<String, (String, Spend)>,
    /// All tasks that are not known apart.
    #[serde(skip_serializing_if = "Spend::is_zero")]
    pub others: Spend,
}

impl Account {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what was spent on `keys`. What is no longer known apart then goes with [`Account::trim`].
    pub fn add(&mut self, keys: &Keys, spend: Spend) {
        if spend.is_zero() {
            return;
        }
        self.total = self.total.plus(spend);
        let day = self.days.entry(keys.day.clone()).or_default();
        *day = day.plus(spend);
        if !keys.task.is_empty() {
            let (last, task) = self.tasks.entry(keys.task.clone()).or_default();
            *task = task.plus(spend);
            if keys.day > *last {
                last.clone_from(&keys.day);
            }
        }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.total = self.total.plus(other.total);
        for (name, spend) in &other.days {
            let day = self.days.entry(name.clone()).or_default();
            *day = day.plus(*spend);
        }
        for (name, (day, spend)) in &other.tasks {
            let (last, task) = self.tasks.entry(name.clone()).or_default();
            *task = task.plus(*spend);
            if day > last {
                last.clone_from(day);
            }
        }
        self.others = self.others.plus(other.others);
        self.trim();
    }

    /// True if nothing of it is less than in `other`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let covers = |more: Spend, less: Spend| less.minus(more).is_zero();
        covers(self.total, other.total)
            && other.days.iter().all(|(day, spend)| covers(self.day(day), *spend))
            && other.tasks.iter().all(|(task, (_, spend))| covers(self.task(task), *spend))
    }

    /// Forgets all but the latest days; the total stays.
    pub fn trim(&mut self) {
        while self.days.len() > DAYS {
            self.days.pop_first();
        }
    }

    /// What was spent on `day`.
    #[must_use]
    pub fn day(&self, day: &str) -> Spend {
        self.days.get(day).copied().unwrap_or_default()
    }

    /// What was spent on `task`.
    #[must_use]
    pub fn task(&self, task: &str) -> Spend {
        self.tasks.get(task).map_or_else(Spend::default, |(_, spend)| *spend)
    }
}

/// What a domain spent: all of it, the latest days, the tasks that were worked on last.
pub type Spent = Account;

/// The tally of one domain, `ledger/domains/<domain>.jsonl`.
///
/// A source that may still grow is open: its part is the whole of what its record has beyond what was
/// folded, and writing it twice changes nothing. A source that is not open is in the closed sum.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
#[serde(default)]
pub struct Tally {
    /// The format's version, 1.
    pub version: u32,
    /// The sum of what is closed.
    #[serde(skip_serializing_if = "Account::is_empty")]
    pub closed: Account,
    /// How far the domain's mail was counted: its part of the closed sum.
    #[serde(skip_serializing_if = "Cursor::is_start")]
    pub mail: Cursor,
    /// What is open, by source.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub open: BTreeMap<String, Account>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub other: BTreeMap<String, serde_json::Value>,
}

impl Tally {
    /// The closed tasks that are too many to be known apart. None of them is one that is still worked on.
    #[must_use]
    pub fn too_many(&self) -> Vec<(String, (String, Spend))> {
        let tasks = &self.closed.tasks;
        let mut spare = tasks.len().saturating_sub(MAX_TASKS);
        if spare == 0 {
            return Vec::new();
        }
        let mut oldest: Vec<_> = tasks.iter().collect();
        let size = |spend: &Spend| (spend.usage.tokens(), spend.message_tokens());
        oldest.sort_by(|a, b| (&a.1.0, size(&a.1.1)).cmp(&(&b.1.0, size(&b.1.1))));
        let is_open = |task: &str| self.open.values().any(|account| account.tasks.contains_key(task));
        let mut found = Vec::new();
        for (task, what) in oldest {
            if spare > 0 && !is_open(task) {
                spare -= 1;
                found.push((task.clone(), what.clone()));
            }
        }
        found
    }

    /// Adds what messages cost to the closed sum.
    pub fn add_mail(&mut self, traffic: Vec<Traffic>, mail: Cursor) {
        self.mail = mail;
        for one in traffic {
            let mut day = clock::rfc3339(one.at_ms);
            day.truncate(10);
            let spend = match one.way {
                Way::Sent => Spend { sent_tokens: one.tokens, ..Spend::default() },
                Way::Read => Spend { read_tokens: one.tokens, ..Spend::default() },
            };
            let task = one.task.unwrap_or_default();
            self.closed.add(&Keys { task, day, ..Keys::default() }, spend);
        }
        self.closed.trim();
    }

    /// Adds all that `record` has for `domain` to the closed sum.
    pub fn close_rows(&mut self, domain: &str, record: &Record) {
        for row in record.rows.iter().filter(|row| row.keys.domain == domain) {
            self.closed.add(&row.keys, row.spend);
        }
    }

    /// What was spent by all sources.
    #[must_use]
    pub fn spent(&self) -> Spent {
        let mut spent = self.closed.clone();
        for account in self.open.values() {
            spent.merge(account);
        }
        spent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Usage;

    fn spend(output: u64) -> Spend {
        Spend { usage: Usage { output_tokens: output, ..Usage::default() }, ..Spend::default() }
    }

    fn keys(task: &str, day: &str) -> Keys {
        Keys { task: task.into(), day: day.into(), ..Keys::default() }
    }

    #[test]
    fn it_does_not_grow_with_history() {
        let mut account = Account::default();
        for n in 0..500u32 {
            let day = format!("2026-{:02}-{:02}", 1 + n / 28 % 12, 1 + n % 28);
            account.add(&keys(&format!("t{n}"), &day), spend(1));
            account.trim();
        }
        assert_eq!(account.total.usage.output_tokens, 500);
        let mut tally = Tally { closed: account, ..Tally::default() };
        let spare = tally.too_many();
        assert_eq!((tally.closed.days.len(), spare.len()), (DAYS, 500 - MAX_TASKS));
        spare.iter().for_each(|(task, _)| drop(tally.closed.tasks.remove(task)));
        let text = serde_json::to_string(&tally).expect("writes");
        assert!(text.len() < 40_000, "{}", text.len());
    }

    #[test]
    fn who_is_left_out_was_worked_on_longest_ago_and_least() {
        let mut tally = Tally::default();
        for n in 0..u64::try_from(MAX_TASKS).expect("small") + 2 {
            tally.closed.add(&keys(&format!("t{n:03}"), "2026-11-25"), spend(1_000 - n));
        }
        tally.closed.add(&keys("old", "2026-11-24"), spend(5_000));
        let mut open = Account::default();
        open.add(&keys("t101", "2026-11-25"), spend(1));
        tally.open.insert("s/main".into(), open);
        let left: Vec<String> = tally.too_many().into_iter().map(|(task, _)| task).collect();
        assert_eq!(left, ["old", "t100", "t099"]);
    }

    #[test]
    fn open_and_closed_add_up() {
        let mut tally = Tally::default();
        tally.closed.add(&keys("a", "2026-11-24"), spend(1));
        let mut open = Account::default();
        open.add(&keys("a", "2026-11-25"), spend(2));
        open.add(&keys("", "2026-11-25"), spend(4));
        tally.open.insert("s/main".into(), open);
        let spent = tally.spent();
        assert_eq!(spent.total.usage.output_tokens, 7);
        assert_eq!(spent.task("a").usage.output_tokens, 3);
        assert_eq!(spent.day("2026-11-25").usage.output_tokens, 6);
        assert_eq!(spent.day("2026-11-26"), Spend::default());
    }
}
