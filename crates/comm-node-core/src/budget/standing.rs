//! Where a domain stands: how much of each of its budgets is spent.
//!
//! [`assess`] is made anew after spending and after grants. Only what crossed a band is kept
//! ([`Marks`]), so that the file that the guard reads is small and seldom written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Budget, Grants, Limit, Span, Unit};

/// How much of a budget is spent, as far as anybody is told.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "lowercase")]
pub enum Band {
    /// Less than half.
    #[default]
    Silent,
    /// Half or more.
    Half,
    /// 80 % or more.
    Most,
    /// All of it.
    All,
}

impl Band {
    /// The band of `spent` out of `limit`.
    #[must_use]
    pub fn of(spent: u64, limit: u64) -> Self {
        match percent(spent, limit) {
            0..50 => Self::Silent,
            50..80 => Self::Half,
            80..100 => Self::Most,
            _ => Self::All,
        }
    }
}

/// `spent` in whole hundredths of `limit`, rounded down: 100 means that nothing is left.
#[must_use]
pub fn percent(spent: u64, limit: u64) -> u64 {
    if limit == 0 {
        return 100;
    }
    u64::try_from(u128::from(spent) * 100 / u128::from(limit)).unwrap_or(u64::MAX)
}

/// What was spent over one span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Tokens that a budget counts.
    pub tokens: u64,
    /// Millionths of a dollar, as far as prices are known.
    pub usd: u64,
    /// Responses of models without a known price: their cost is missing in `usd`.
    pub unpriced: u64,
    /// Tokens of messages, sent and read.
    pub messages: u64,
}

impl Spent {
    /// The figure in `unit`.
    #[must_use]
    pub fn in_unit(self, unit: Unit) -> u64 {
        match unit {
            Unit::Tokens => self.tokens,
            Unit::Usd => self.usd,
        }
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_add(other.tokens),
            usd: self.usd.saturating_add(other.usd),
            unpriced: self.unpriced.saturating_add(other.unpriced),
            messages: self.messages.saturating_add(other.messages),
        }
    }
}

/// What a domain, or the node, spent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// All of it.
    pub total: Spent,
    /// Today.
    pub today: Spent,
    /// By task, as far as tasks are known apart.
    pub tasks: BTreeMap<String, Spent>,
}

/// One budget and what is spent of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Over what it is counted.
    pub span: Span,
    /// In what.
    pub unit: Unit,
    /// The day or the task; empty for the total.
    pub period: String,
    /// What was spent.
    pub spent: u64,
    /// What may be spent, with what was granted.
    pub limit: u64,
    /// The part of that which was granted.
    pub granted: u64,
}

impl Line {
    /// Its band.
    #[must_use]
    pub fn band(&self) -> Band {
        Band::of(self.spent, self.limit)
    }

    /// What is left.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.limit.saturating_sub(self.spent)
    }
}

/// Every budget in `budget` with what is spent of it: the days', the totals, and each known task's.
#[must_use]
pub fn lines(budget: &Budget, grants: &Grants, figures: &Figures, today: &str) -> Vec<Line> {
    let mut out = Vec::new();
    for Limit(span, unit, amount) in budget.limits.iter().copied() {
        let mut add = |period: &str, spent: Spent| {
            let granted = grants.extra(span, unit, period);
            out.push(Line {
                span,
                unit,
                period: period.to_owned(),
                spent: spent.in_unit(unit),
                limit: amount.saturating_add(granted),
                granted,
            });
        };
        match span {
            Span::Day => add(today, figures.today),
            Span::Total => add("", figures.total),
            Span::Task => figures.tasks.iter().for_each(|(task, spent)| add(task, *spent)),
        }
    }
    out
}

/// A budget that has crossed a band.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Mark {
    /// Over what it is counted.
    pub span: Span,
    /// In what.
    pub unit: Unit,
    /// The day or the task; empty for the total.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub period: String,
    /// The band that it is in.
    pub band: Band,
    /// What may be spent.
    pub limit: u64,
}

impl Mark {
    /// True if it concerns work that is done on `today` at `task`.
    #[must_use]
    pub fn applies(&self, today: &str, task: Option<&str>) -> bool {
        match self.span {
            Span::Day => self.period == today,
            Span::Task => task == Some(self.period.as_str()),
            Span::Total => true,
        }
    }

    /// A name for it, by which a session remembers that it was told of this band.
    #[must_use]
    pub fn key(&self) -> String {
        let unit = if self.unit == Unit::Tokens { "tokens" } else { "usd" };
        let band = match self.band {
            Band::Silent => 0,
            Band::Half => 50,
            Band::Most => 80,
            Band::All => 100,
        };
        match self.span {
            Span::Day => format!("day {} {unit} {} {band}", self.period, self.limit),
            Span::Task => format!("task {} {unit} {} {band}", self.period, self.limit),
            Span::Total => format!("total {unit} {} {band}", self.limit),
        }
    }
}

/// Where a domain, or the node, stands.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Marks {
    /// The limits that it was judged by: with others it has to be judged anew.
    pub basis: Vec<Limit>,
    /// What has crossed a band.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
}

/// Tasks whose marks are kept: those that are spent furthest.
const MAX_MARKS: usize = 200;

/// The standing of `budget` after `figures` were spent.
#[must_use]
pub fn assess(budget: &Budget, grants: &Grants, figures: &Figures, today: &str) -> Marks {
    let mut marks: Vec<Mark> = lines(budget, grants, figures, today)
        .into_iter()
        .filter(|line| line.band() > Band::Silent)
        .map(|line| Mark {
            band: line.band(),
            span: line.span,
            unit: line.unit,
            period: line.period,
            limit: line.limit,
        })
        .collect();
    // Tasks come last among equals.
    marks.sort_by_key(|mark| (std::cmp::Reverse(mark.band), mark.span == Span::Task));
    marks.truncate(MAX_MARKS);
    Marks { basis: budget.limits.clone(), marks }
}

/// The standing of the whole node, `ledger/standing.json`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Standing {
    /// The format's version, 1.
    pub version: u32,
    /// All domains together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<Marks>,
    /// Each domain.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub domains: BTreeMap<String, Marks>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub other: BTreeMap<String, serde_json::Value>,
}

/// Whose budget a mark is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The domain's.
    Domain,
    /// That of all domains together.
    Node,
}

impl Standing {
    /// True if it says where `domain` stands by these budgets.
    #[must_use]
    pub fn is_of(&self, domain: &str, own: Option<&Budget>, node: Option<&Budget>) -> bool {
        let same = |marks: Option<&Marks>, budget: Option<&Budget>| match budget {
            Some(budget) => marks.is_some_and(|marks| marks.basis == budget.limits),
            None => true,
        };
        same(self.domains.get(domain), own) && same(self.node.as_ref(), node)
    }

    /// What concerns work of `domain` at `task`, the furthest first, of the budgets that are set.
    #[must_use]
    pub fn marks<'m>(
        &'m self,
        domain: &str,
        (own, node): (Option<&Budget>, Option<&Budget>),
        today: &str,
        task: Option<&str>,
    ) -> Vec<(Whose, &'m Mark)> {
        let of = |marks: Option<&'m Marks>, whose| {
            marks.into_iter().flat_map(|m| &m.marks).map(move |mark| (whose, mark))
        };
        let own = of(self.domains.get(domain).filter(|_| own.is_some()), Whose::Domain);
        let node = of(self.node.as_ref().filter(|_| node.is_some()), Whose::Node);
        let mut found: Vec<_> = own.chain(node).filter(|(_, mark)| mark.applies(today, task)).collect();
        found.sort_by_key(|(_, mark)| std::cmp::Reverse(mark.band));
        found
    }
}

/// A bar of `width` cells for `percent`: `▓▓▓▓░░░░`.
#[must_use]
pub fn bar(percent: u64, width: usize) -> String {
    let width_64 = u64::try_from(width).unwrap_or(u64::MAX);
    let full = percent.min(100).saturating_mul(width_64) / 100;
    let full = usize::try_from(full).unwrap_or(width);
    // What has begun shows.
    let full = if percent > 0 { full.max(1).min(width) } else { 0 };
    "▓".repeat(full) + &"░".repeat(width - full)
}

/// The budget of a session in a few characters, for a status line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gauge {
    /// Its band.
    pub band: Band,
    /// Hundredths spent.
    pub percent: u64,
    /// `▓▓▓▓░░░░ 54 % of today's 20,000 tokens`.
    pub text: String,
}

/// The budget that is spent furthest among those that concern work at `task`; `None` where there is none.
#[must_use]
pub fn gauge(lines: &[Line], task: Option<&str>, width: usize) -> Option<Gauge> {
    let concerns = |line: &&Line| line.span != Span::Task || task == Some(line.period.as_str());
    let line = lines.iter().filter(concerns).max_by_key(|line| percent(line.spent, line.limit))?;
    let spent = percent(line.spent, line.limit);
    let text = format!(
        "{} {spent} % of {}",
        bar(spent, width),
        super::words::limit(line.span, line.unit, line.limit)
    );
    Some(Gauge { band: line.band(), percent: spent, text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::{By, Grant};

    fn tokens(n: u64) -> Spent {
        Spent { tokens: n, ..Spent::default() }
    }

    fn budget() -> Budget {
        let limits = vec![
            Limit(Span::Day, Unit::Tokens, 1_000),
            Limit(Span::Task, Unit::Tokens, 100),
            Limit(Span::Total, Unit::Usd, 2_000_000),
        ];
        Budget { limits, ..Budget::default() }
    }

    #[test]
    fn bands_begin_where_they_should() {
        for (spent, band) in [
            (0, Band::Silent),
            (4_999, Band::Silent),
            (5_000, Band::Half),
            (7_999, Band::Half),
            (8_000, Band::Most),
            (9_999, Band::Most),
            (10_000, Band::All),
            (u64::MAX, Band::All),
        ] {
            assert_eq!(Band::of(spent, 10_000), band, "{spent}");
        }
        assert_eq!((Band::of(0, 0), Band::of(2, 3)), (Band::All, Band::Half));
    }

    #[test]
    fn only_what_crossed_a_band_is_kept_and_what_concerns_the_work_applies() {
        let tasks = [("a", 50), ("b", 100), ("c", 1)].map(|(t, n)| (t.to_owned(), tokens(n)));
        let figures = Figures { today: tokens(799), total: tokens(9), tasks: BTreeMap::from(tasks) };
        let marks = assess(&budget(), &Grants::default(), &figures, "2026-11-25");
        let told: Vec<_> = marks.marks.iter().map(|m| (m.span, m.period.as_str(), m.band)).collect();
        let expected = [
            (Span::Task, "b", Band::All),
            (Span::Day, "2026-11-25", Band::Half),
            (Span::Task, "a", Band::Half),
        ];
        assert_eq!(told, expected);
        let standing = Standing { domains: BTreeMap::from([("x".to_owned(), marks)]), ..Standing::default() };
        let own = budget();
        let worst = |today: &str, task: Option<&str>| {
            standing.marks("x", (Some(&own), None), today, task).first().map(|(_, m)| m.band)
        };
        assert_eq!(worst("2026-11-25", None), Some(Band::Half));
        assert_eq!(worst("2026-11-25", Some("b")), Some(Band::All));
        assert_eq!(worst("2026-11-26", Some("a")), Some(Band::Half));
        assert_eq!(worst("2026-11-26", Some("c")), None);
        assert_eq!(standing.marks("x", (None, None), "2026-11-25", Some("b")), []);
        assert_eq!(standing.marks("y", (Some(&own), None), "2026-11-25", None), []);
    }

    #[test]
    fn other_limits_are_judged_anew() {
        let standing = Standing {
            domains: BTreeMap::from([("x".to_owned(), Marks { basis: budget().limits, ..Marks::default() })]),
            ..Standing::default()
        };
        assert!(standing.is_of("x", Some(&budget()), None));
        assert!(!standing.is_of("y", Some(&budget()), None) && standing.is_of("y", None, None));
        assert!(!standing.is_of("x", Some(&budget()), Some(&budget())));
        let more = Budget { limits: vec![Limit(Span::Day, Unit::Tokens, 1_001)], ..Budget::default() };
        assert!(!standing.is_of("x", Some(&more), None));
    }

    #[test]
    fn a_grant_takes_a_mark_back() {
        let figures = Figures { today: tokens(1_000), ..Figures::default() };
        let mut grants = Grants::default();
        assert_eq!(assess(&budget(), &grants, &figures, "d").marks[0].band, Band::All);
        grants.add(Grant { n: 1_001, day: "d".into(), by: By::Person, ..Grant::default() });
        assert_eq!(assess(&budget(), &grants, &figures, "d").marks, []);
        assert_eq!(assess(&budget(), &grants, &figures, "e").marks[0].band, Band::All);
    }

    #[test]
    fn gauges_and_bars() {
        assert_eq!(bar(0, 4), "░░░░");
        assert_eq!(bar(1, 4), "▓░░░");
        assert_eq!(bar(99, 4), "▓▓▓░");
        assert_eq!(bar(1_000, 4), "▓▓▓▓");
        let tasks = BTreeMap::from([("a".to_owned(), tokens(90))]);
        let figures = Figures { today: tokens(540), tasks, ..Figures::default() };
        let lines = lines(&budget(), &Grants::default(), &figures, "d");
        let gauge = |task| gauge(&lines, task, 8).map(|g| (g.band, g.text));
        assert_eq!(gauge(None), Some((Band::Half, "▓▓▓▓░░░░ 54 % of today's 1,000 tokens".to_owned())));
        assert_eq!(gauge(Some("a")).map(|g| g.0), Some(Band::Most));
        assert_eq!(super::gauge(&[], None, 8), None);
    }
}
