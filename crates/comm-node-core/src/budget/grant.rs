//! What was granted on top of a budget, and whether a request for more is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::efficiency::Score;
use super::{Budget, Figures, Limit, Span, Unit};

/// Who granted it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// The rules, on an agent's request.
    #[default]
    Request,
    /// A person.
    Person,
}

/// One grant.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Grant {
    /// When, RFC 3339.
    pub at: String,
    /// How much.
    pub n: u64,
    /// In what.
    pub unit: Unit,
    /// The day that it adds to.
    pub day: String,
    /// The task that it adds to, if it does to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Who granted it.
    pub by: By,
    /// The session that asked for it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub session: String,
    /// Why.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// How much of it was really used so far.
    pub used: u64,
    /// Fields of later versions.
    #[serde(flatten)]
    pub other: BTreeMap<String, serde_json::Value>,
}

impl Default for Grant {
    fn default() -> Self {
        Self {
            at: String::new(),
            n: 0,
            unit: Unit::Tokens,
            day: String::new(),
            task: None,
            by: By::Request,
            session: String::new(),
            reason: String::new(),
            used: 0,
            other: BTreeMap::new(),
        }
    }
}

/// What was granted to a domain, `ledger/budgets/<domain>.json`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Grants {
    /// The format's version, 1.
    pub version: u32,
    /// The grants, the latest last.
    pub grants: Vec<Grant>,
    /// What older ones added to the total, in tokens.
    #[serde(skip_serializing_if = "is_zero")]
    pub earlier_tokens: u64,
    /// And in millionths of a dollar.
    #[serde(skip_serializing_if = "is_zero")]
    pub earlier_usd: u64,
    /// Fields of later versions.
    #[serde(flatten)]
    pub other: BTreeMap<String, serde_json::Value>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// How many grants are kept one by one.
const MAX_GRANTS: usize = 200;
/// How many requested grants say how thrifty a domain is.
const THRIFT: usize = 20;
/// The efficiency from which on requests are granted, in hundredths.
pub const ENOUGH: u32 = 70;

impl Grants {
    /// Adds one. Beyond the number that is kept the oldest of another day goes, one that adds to no task first; it
    /// still counts in the total. Of this day none goes, or the cap and the day's limit would forget it: two alike
    /// become one.
    pub fn add(&mut self, grant: Grant) {
        self.version = 1;
        let today = grant.day.clone();
        self.grants.push(grant);
        while self.grants.len() > MAX_GRANTS {
            let past = |g: &Grant| g.day != today;
            let at = self.grants.iter().position(|g| past(g) && g.task.is_none());
            let Some(at) = at.or_else(|| self.grants.iter().position(past)) else {
                self.unite();
                continue;
            };
            let old = self.grants.remove(at);
            let earlier = match old.unit {
                Unit::Tokens => &mut self.earlier_tokens,
                Unit::Usd => &mut self.earlier_usd,
            };
            *earlier = earlier.saturating_add(old.n);
        }
    }

    /// Makes one of the two oldest that are alike: of one task if there are such, else requested ones of different
    /// tasks, which then add to none.
    fn unite(&mut self) {
        let alike = |a: &Grant, b: &Grant| a.by == b.by && a.unit == b.unit;
        let pair = |close: &dyn Fn(&Grant, &Grant) -> bool| {
            let behind = |i: usize| (i + 1..self.grants.len()).map(move |j| (i, j));
            (0..self.grants.len()).flat_map(behind).find(|&(i, j)| close(&self.grants[i], &self.grants[j]))
        };
        let found = pair(&|a, b| alike(a, b) && a.task == b.task)
            .or_else(|| pair(&|a, b| alike(a, b) && a.by == By::Request))
            .or_else(|| pair(&alike));
        // Of five there are always two alike: there are two units, and two who grant.
        let (from, into) = found.unwrap_or((0, 1));
        let old = self.grants.remove(from);
        if let Some(into) = self.grants.get_mut(into - 1) {
            into.n = into.n.saturating_add(old.n);
            into.used = into.used.saturating_add(old.used);
            into.task = into.task.take().filter(|task| old.task.as_ref() == Some(task));
        }
    }

    /// What was granted on top of the limit over `span`, for the day or task `period`.
    #[must_use]
    pub fn extra(&self, span: Span, unit: Unit, period: &str) -> u64 {
        let adds = |grant: &&Grant| {
            grant.unit == unit
                && match span {
                    Span::Day => grant.day == period,
                    Span::Task => grant.task.as_deref() == Some(period),
                    Span::Total => true,
                }
        };
        let earlier = match (span, unit) {
            (Span::Total, Unit::Tokens) => self.earlier_tokens,
            (Span::Total, Unit::Usd) => self.earlier_usd,
            _ => 0,
        };
        self.grants.iter().filter(adds).map(|grant| grant.n).fold(earlier, u64::saturating_add)
    }

    /// What was granted on request on `day`, in tokens.
    #[must_use]
    pub fn requested(&self, day: &str) -> u64 {
        let own = self.grants.iter().filter(|g| g.by == By::Request && g.day == day);
        own.map(|g| g.n).fold(0, u64::saturating_add)
    }

    /// Notes how much of each grant is used once `figures` are spent; false if that says nothing new. Of
    /// several grants the first is used up first.
    pub fn note_use(&mut self, budget: &Budget, figures: &Figures, today: &str) -> bool {
        let mut changed = false;
        for Limit(span, unit, amount) in budget.limits.iter().copied() {
            let mut below: BTreeMap<String, u64> = BTreeMap::new();
            if span == Span::Total {
                below.insert(String::new(), self.extra(Span::Total, unit, "") - sum(&self.grants, unit));
            }
            for grant in self.grants.iter_mut().filter(|g| g.unit == unit) {
                let (period, spent) = match (span, &grant.task) {
                    (Span::Day, _) if grant.day == today => (today, figures.today),
                    (Span::Total, _) => ("", figures.total),
                    (Span::Task, Some(task)) => match figures.tasks.get(task) {
                        Some(spent) => (task.as_str(), *spent),
                        None => continue,
                    },
                    _ => continue,
                };
                let before = below.entry(period.to_owned()).or_default();
                let begins = amount.saturating_add(*before);
                let used = spent.in_unit(unit).saturating_sub(begins).min(grant.n);
                *before = before.saturating_add(grant.n);
                changed |= used > grant.used;
                grant.used = grant.used.max(used);
            }
        }
        changed
    }

    /// Tokens granted on request and what of them was used, of the latest such grants.
    #[must_use]
    pub fn thrift(&self) -> (u64, u64) {
        let own = self.grants.iter().rev().filter(|g| g.by == By::Request && g.unit == Unit::Tokens);
        own.take(THRIFT).fold((0, 0), |(granted, used), g| {
            (u64::saturating_add(granted, g.n), u64::saturating_add(used, g.used))
        })
    }
}

fn sum(grants: &[Grant], unit: Unit) -> u64 {
    grants.iter().filter(|g| g.unit == unit).map(|g| g.n).fold(0, u64::saturating_add)
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is granted.
    Granted,
    /// The domain is not efficient enough.
    Inefficient,
    /// Requests may add no more than this today.
    OverCap {
        /// What they still may.
        left: u64,
        /// What they might in all.
        cap: u64,
    },
    /// There is no budget in tokens that it would add to.
    NothingToAdd,
}

/// Judges the request of `n` tokens, for `task` or for no certain one.
#[must_use]
pub fn judge(
    n: u64,
    task: Option<&str>,
    budget: &Budget,
    grants: &Grants,
    score: &Score,
    today: &str,
) -> Verdict {
    if !adds(budget, task, Unit::Tokens) {
        return Verdict::NothingToAdd;
    }
    if score.hundredths() < ENOUGH {
        return Verdict::Inefficient;
    }
    let cap = budget.cap();
    let left = cap.saturating_sub(grants.requested(today));
    if n > left { Verdict::OverCap { left, cap } } else { Verdict::Granted }
}

/// True if a grant in `unit` for `task`, or for no certain one, adds to a limit of `budget`.
#[must_use]
pub fn adds(budget: &Budget, task: Option<&str>, unit: Unit) -> bool {
    budget.limits.iter().any(|limit| limit.1 == unit && (limit.0 != Span::Task || task.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::efficiency::{History, Sizes};
    use crate::budget::standing::Spent;

    fn budget(day: u64, task: u64) -> Budget {
        let limits = vec![Limit(Span::Day, Unit::Tokens, day), Limit(Span::Task, Unit::Tokens, task)];
        Budget { limits, cap: Some(500), ..Budget::default() }
    }

    fn grant(n: u64, day: &str, task: Option<&str>) -> Grant {
        Grant { n, day: day.into(), task: task.map(str::to_owned), ..Grant::default() }
    }

    fn figures(today: u64, task: u64) -> Figures {
        let spent = |n| Spent { tokens: n, ..Spent::default() };
        let tasks = BTreeMap::from([("a".to_owned(), spent(task))]);
        Figures { today: spent(today), total: spent(today), tasks }
    }

    #[test]
    fn a_grant_adds_to_its_day_its_task_and_the_total() {
        let mut grants = Grants::default();
        grants.add(grant(10, "d1", None));
        grants.add(grant(20, "d2", Some("a")));
        grants.add(Grant { unit: Unit::Usd, by: By::Person, ..grant(7, "d2", None) });
        let extra = |span, period| grants.extra(span, Unit::Tokens, period);
        assert_eq!((extra(Span::Day, "d1"), extra(Span::Day, "d2"), extra(Span::Day, "d3")), (10, 20, 0));
        assert_eq!((extra(Span::Task, "a"), extra(Span::Task, "b"), extra(Span::Total, "")), (20, 0, 30));
        assert_eq!(grants.extra(Span::Total, Unit::Usd, ""), 7);
    }

    #[test]
    fn old_grants_are_summed_up_and_those_of_tasks_are_kept_longest() {
        let mut grants = Grants::default();
        grants.add(grant(5, "d", Some("a")));
        (0..MAX_GRANTS + 50).for_each(|_| grants.add(grant(1, "d", None)));
        assert_eq!(grants.grants.len(), MAX_GRANTS);
        assert_eq!(grants.extra(Span::Task, Unit::Tokens, "a"), 5);
        assert_eq!(grants.extra(Span::Total, Unit::Tokens, ""), 5 + MAX_GRANTS as u64 + 50);
    }

    #[test]
    fn no_number_of_requests_forgets_what_was_granted_today() {
        for task in [None, Some("t")] {
            let mut grants = Grants::default();
            grants.add(grant(3, "c", None));
            grants.add(Grant { by: By::Person, ..grant(50_000, "d", Some("p")) });
            for i in 0..3 * MAX_GRANTS {
                let task = task.map(|t| format!("{t}{i}"));
                grants.add(Grant { used: 1, ..grant(1, "d", task.as_deref()) });
            }
            let asked = 3 * MAX_GRANTS as u64;
            assert_eq!((grants.grants.len(), grants.requested("d")), (MAX_GRANTS, asked));
            let day = |day| grants.extra(Span::Day, Unit::Tokens, day);
            assert_eq!((day("d"), grants.extra(Span::Task, Unit::Tokens, "p")), (50_000 + asked, 50_000));
            assert_eq!(grants.extra(Span::Total, Unit::Tokens, ""), 50_003 + asked);
            assert_eq!(grants.grants.iter().map(|g| g.used).sum::<u64>(), asked);
            // The day after they are summed up like all others.
            (0..MAX_GRANTS).for_each(|_| grants.add(grant(1, "e", None)));
            assert_eq!((grants.requested("e"), grants.requested("d")), (MAX_GRANTS as u64, 0));
            let total = 50_003 + asked + MAX_GRANTS as u64;
            assert_eq!(grants.extra(Span::Total, Unit::Tokens, ""), total);
        }
    }

    #[test]
    fn what_is_used_is_what_went_beyond_the_limit_first_grant_first() {
        let mut grants = Grants::default();
        grants.add(grant(100, "d", None));
        grants.add(grant(100, "d", None));
        let budget = budget(1_000, 9_999);
        let used = |grants: &Grants| grants.grants.iter().map(|g| g.used).collect::<Vec<_>>();
        assert!(!grants.note_use(&budget, &figures(1_000, 0), "d"));
        assert!(grants.note_use(&budget, &figures(1_130, 0), "d"));
        assert_eq!(used(&grants), [100, 30]);
        assert_eq!(grants.thrift(), (200, 130));
        // Tomorrow nothing of it is used any more, and what was stays.
        assert!(!grants.note_use(&budget, &figures(5_000, 0), "e"));
        assert_eq!(used(&grants), [100, 30]);
        let mut grants = Grants::default();
        grants.add(grant(100, "d", Some("a")));
        assert!(grants.note_use(&self::budget(9_999, 50), &figures(80, 80), "d"));
        assert_eq!(used(&grants), [30]);
    }

    #[test]
    fn requests_are_judged() {
        let fresh = Score::of(&History::default(), (0, 0), &Sizes::default());
        let ask = |n, task, grants: &Grants| judge(n, task, &budget(1_000, 100), grants, &fresh, "d");
        let mut grants = Grants::default();
        assert_eq!(ask(500, None, &grants), Verdict::Granted);
        assert_eq!(ask(501, None, &grants), Verdict::OverCap { left: 500, cap: 500 });
        grants.add(grant(400, "d", None));
        assert_eq!(ask(101, Some("a"), &grants), Verdict::OverCap { left: 100, cap: 500 });
        assert_eq!(ask(100, Some("a"), &grants), Verdict::Granted);
        // A person's grants don't count there, and tomorrow is another day.
        grants.add(Grant { by: By::Person, ..grant(9_999, "d", None) });
        assert_eq!(ask(100, None, &grants), Verdict::Granted);
        let dollars =
            Budget { limits: vec![Limit(Span::Day, Unit::Usd, 1)], cap: Some(9), ..Budget::default() };
        assert_eq!(judge(1, None, &dollars, &grants, &fresh, "d"), Verdict::NothingToAdd);
        let task_only =
            Budget { limits: vec![Limit(Span::Task, Unit::Tokens, 9)], cap: Some(9), ..Budget::default() };
        let none = Grants::default();
        assert_eq!(judge(1, None, &task_only, &none, &fresh, "d"), Verdict::NothingToAdd);
        assert_eq!(judge(1, Some("a"), &task_only, &none, &fresh, "d"), Verdict::Granted);
    }
}
