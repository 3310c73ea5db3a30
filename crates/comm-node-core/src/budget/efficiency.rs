//! How well a domain uses what it is given: clarity, thrift and economy of its last messages.
//!
//! Efficiency = ½ clarity + ¼ thrift + ¼ economy, each from 0 to 1.
//!
//! - *clarity* is 1 less the clarifying questions that a message drew on the average: questions that
//!   others asked in reply to it;
//! - *thrift* is the share of the tokens granted on request that were really used;
//! - *economy* is the median size of a message of its tier, over all domains, divided by the mean size of the
//!   domain's own, at most 1; over several tiers the mean, weighted by how many messages are in each.
//!
//! What there is nothing to judge by counts as 1, so that a new domain starts at 1.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How many messages are looked at.
pub const MESSAGES: usize = 50;
/// How many questions that one message drew are remembered.
const MAX_DREW: usize = 20;

/// One message that a domain sent.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Sent {
    /// Its id.
    pub id: String,
    /// Its tier.
    pub tier: String,
    /// What it costs a reader, in tokens.
    pub tokens: u64,
    /// The ids of the questions that others asked in reply.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drew: Vec<String>,
}

/// The last messages of a domain, `ledger/messages/<domain>.jsonl`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct History {
    /// The format's version, 1.
    pub version: u32,
    /// The messages, the latest last.
    pub messages: Vec<Sent>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub other: BTreeMap<String, serde_json::Value>,
}

impl History {
    /// Notes what `change` says: messages that were sent, and of those without a tier the questions that they drew. A
    /// second time that changes nothing.
    pub fn take_over(&mut self, change: Self) {
        for one in change.messages {
            if !one.tier.is_empty() {
                self.sent(&one.id, &one.tier, one.tokens);
            }
            for question in &one.drew {
                self.drew(&one.id, question);
            }
        }
    }

    /// Notes a message; one that is noted already is not noted again. True if it changed anything.
    pub fn sent(&mut self, id: &str, tier: &str, tokens: u64) -> bool {
        if self.messages.iter().any(|m| m.id == id) {
            return false;
        }
        self.version = 1;
        let spare = (self.messages.len() + 1).saturating_sub(MESSAGES);
        self.messages.drain(..spare);
        self.messages.push(Sent { id: id.to_owned(), tier: tier.to_owned(), tokens, drew: Vec::new() });
        true
    }

    /// Notes that the message `id` drew the question `question`. True if it changed anything.
    pub fn drew(&mut self, id: &str, question: &str) -> bool {
        let Some(message) = self.messages.iter_mut().find(|m| m.id == id) else { return false };
        if message.drew.len() >= MAX_DREW || message.drew.iter().any(|q| q == question) {
            return false;
        }
        message.drew.push(question.to_owned());
        true
    }
}

/// The sizes of messages by tier, over all domains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sizes(BTreeMap<String, Vec<u64>>);

impl Sizes {
    /// Adds those of a domain.
    pub fn add(&mut self, history: &History) {
        for message in &history.messages {
            self.0.entry(message.tier.clone()).or_default().push(message.tokens);
        }
    }

    /// The median of a tier: half of its messages are no larger.
    #[expect(clippy::cast_precision_loss, reason = "sizes of messages are small")]
    fn median(&self, tier: &str) -> Option<f64> {
        let mut sizes = self.0.get(tier)?.clone();
        sizes.sort_unstable();
        let half = sizes.len() / 2;
        match sizes.len() % 2 {
            _ if sizes.is_empty() => None,
            0 => Some((sizes[half - 1] + sizes[half]) as f64 / 2.0),
            _ => Some(sizes[half] as f64),
        }
    }
}

/// A part of the score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Questions that its messages drew.
    Clarity,
    /// Granted tokens that it used.
    Thrift,
    /// The size of its messages.
    Economy,
}

impl Part {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Clarity => "clarity",
            Self::Thrift => "thrift",
            Self::Economy => "economy",
        }
    }

    /// What makes it better.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::Clarity => "say in a message what its reader would have to ask",
            Self::Thrift => "ask for no more than the work needs",
            Self::Economy => "write shorter messages, and point to an artifact for the rest",
        }
    }
}

/// The efficiency of a domain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// 1 less the questions a message drew.
    pub clarity: f64,
    /// The share of granted tokens that were used.
    pub thrift: f64,
    /// How small its messages are.
    pub economy: f64,
    /// Messages that were looked at.
    pub messages: usize,
    /// Questions that they drew.
    pub questions: usize,
    /// Tokens granted on request.
    pub granted: u64,
    /// What of them was used.
    pub used: u64,
}

impl Score {
    /// The score of a domain with this history, which was granted so much and used so much of it.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts and tokens are small")]
    pub fn of(history: &History, (granted, used): (u64, u64), sizes: &Sizes) -> Self {
        let messages = history.messages.len();
        let questions: usize = history.messages.iter().map(|m| m.drew.len()).sum();
        let clarity = if messages == 0 { 1.0 } else { (1.0 - questions as f64 / messages as f64).max(0.0) };
        let thrift = if granted == 0 { 1.0 } else { (used as f64 / granted as f64).min(1.0) };
        let economy = economy(history, sizes);
        Self { clarity, thrift, economy, messages, questions, granted, used }
    }

    /// All three together.
    #[must_use]
    pub fn total(&self) -> f64 {
        0.5 * self.clarity + 0.25 * self.thrift + 0.25 * self.economy
    }

    /// The same in hundredths, rounded down: 0.699 is not yet 0.7. What arithmetic loses is less than a
    /// millionth.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 100")]
    pub fn hundredths(&self) -> u32 {
        (self.total() * 100.0 + 1e-6) as u32
    }

    /// The part that costs it most.
    #[must_use]
    pub fn weakest(&self) -> Part {
        let lost = [
            (0.5 * (1.0 - self.clarity), Part::Clarity),
            (0.25 * (1.0 - self.thrift), Part::Thrift),
            (0.25 * (1.0 - self.economy), Part::Economy),
        ];
        // Of equal ones the first.
        lost.into_iter().rev().max_by(|a, b| a.0.total_cmp(&b.0)).map_or(Part::Clarity, |(_, part)| part)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts and sizes are small")]
fn economy(history: &History, sizes: &Sizes) -> f64 {
    let mut own: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for message in &history.messages {
        let (count, sum) = own.entry(&message.tier).or_default();
        *count += 1;
        *sum = sum.saturating_add(message.tokens);
    }
    let mut total = 0.0;
    for (tier, (count, sum)) in &own {
        let mean = *sum as f64 / *count as f64;
        let share = match sizes.median(tier) {
            Some(median) if mean > 0.0 => (median / mean).min(1.0),
            _ => 1.0,
        };
        total += share * *count as f64;
    }
    if history.messages.is_empty() { 1.0 } else { total / history.messages.len() as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::{Budget, By, Figures, Grant, Grants, Limit, Span, Spent, Unit, Verdict, judge};

    /// A history of messages of a tier, each with its size and the questions it drew.
    fn history(messages: &[(&str, u64, usize)]) -> History {
        let mut history = History::default();
        for (i, (tier, tokens, questions)) in messages.iter().enumerate() {
            assert!(history.sent(&format!("m{i}"), tier, *tokens));
            for q in 0..*questions {
                assert!(history.drew(&format!("m{i}"), &format!("q{q}")));
            }
        }
        history
    }

    fn sizes(all: &[&History]) -> Sizes {
        let mut sizes = Sizes::default();
        all.iter().for_each(|history| sizes.add(history));
        sizes
    }

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9, "{a} is not {b}");
    }

    #[test]
    fn a_new_domain_starts_at_1() {
        let score = Score::of(&History::default(), (0, 0), &Sizes::default());
        near(score.total(), 1.0);
        assert_eq!(score.hundredths(), 100);
    }

    /// Four coordination messages of 40, 60, 80 and 100 tokens, one question; 1,000 tokens granted,
    /// 750 used; another domain sent four of 40.
    ///
    /// clarity = 1 − 1/4 = 0.75; thrift = 750/1000 = 0.75; the median of 40 40 40 40 40 60 80 100 is
    /// (40 + 40)/2 = 40, the own mean 280/4 = 70, economy = 40/70 = 0.571428…;
    /// efficiency = 0.375 + 0.1875 + 0.142857… = 0.705357…: just enough.
    #[test]
    fn by_hand_one() {
        let c = "coordination";
        let own = history(&[(c, 40, 0), (c, 60, 1), (c, 80, 0), (c, 100, 0)]);
        let other = history(&[(c, 40, 0); 4]);
        let score = Score::of(&own, (1_000, 750), &sizes(&[&own, &other]));
        near(score.clarity, 0.75);
        near(score.thrift, 0.75);
        near(score.economy, 4.0 / 7.0);
        near(score.total(), 0.375 + 0.1875 + 1.0 / 7.0);
        assert_eq!((score.hundredths(), score.weakest()), (70, Part::Clarity));
    }

    /// Two signals of 10 tokens and two detailed messages of 300 and 500; no questions; nothing was ever
    /// granted; another domain sent signals of 20, 20, 20 and detailed ones of 100, 100, 100.
    ///
    /// clarity = 1; thrift = 1; signals: median of 10 10 20 20 20 is 20, mean 10, 20/10 → 1;
    /// detailed: median of 100 100 100 300 500 is 100, mean 400, 100/400 = 0.25; economy =
    /// (2·1 + 2·0.25)/4 = 0.625; efficiency = 0.5 + 0.25 + 0.15625 = 0.90625.
    #[test]
    fn by_hand_two() {
        let own =
            history(&[("signal", 10, 0), ("signal", 10, 0), ("detailed", 300, 0), ("detailed", 500, 0)]);
        let other = history(&[
            ("signal", 20, 0),
            ("signal", 20, 0),
            ("signal", 20, 0),
            ("detailed", 100, 0),
            ("detailed", 100, 0),
            ("detailed", 100, 0),
        ]);
        let score = Score::of(&own, (0, 0), &sizes(&[&own, &other]));
        near(score.clarity, 1.0);
        near(score.thrift, 1.0);
        near(score.economy, 0.625);
        near(score.total(), 0.906_25);
        assert_eq!((score.hundredths(), score.weakest()), (90, Part::Economy));
    }

    /// Two messages of 50 that drew three questions; 200 granted and nothing used; alone in the node.
    ///
    /// clarity = 1 − 3/2 → 0; thrift = 0; economy = 50/50 = 1; efficiency = 0.25.
    #[test]
    fn by_hand_three() {
        let own = history(&[("coordination", 50, 3), ("coordination", 50, 0)]);
        let score = Score::of(&own, (200, 0), &sizes(&[&own]));
        near(score.clarity, 0.0);
        near(score.thrift, 0.0);
        near(score.economy, 1.0);
        near(score.total(), 0.25);
        assert_eq!((score.hundredths(), score.weakest()), (25, Part::Clarity));
    }

    #[test]
    fn only_the_last_fifty_count_and_nothing_counts_twice() {
        let mut history = History::default();
        for i in 0..80 {
            assert!(history.sent(&i.to_string(), "signal", 10));
        }
        assert!(!history.sent("79", "signal", 10));
        assert_eq!((history.messages.len(), history.messages[0].id.as_str()), (MESSAGES, "30"));
        assert!(!history.drew("3", "q"), "it is forgotten");
        assert!(history.drew("40", "q") && !history.drew("40", "q"));
        for q in 0..100 {
            let _ = history.drew("41", &q.to_string());
        }
        assert!(history.messages.iter().all(|m| m.drew.len() <= MAX_DREW));
    }

    /// It asks for as much as it may every day and uses a tenth. Its messages are like those of
    /// others, but for one question in ten.
    ///
    /// clarity = 0.9, economy = 1: before the first grant 0.45 + 0.25 + 0.25 = 0.95. With thrift 0.1 it
    /// is 0.45 + 0.025 + 0.25 = 0.725: still granted, up to the cap and no further. With messages half as
    /// economical, 0.45 + 0.025 + 0.125 = 0.6, it is refused, and its weakest part is its thrift.
    #[test]
    fn who_always_asks_for_the_most_is_refused() {
        let limits = vec![Limit(Span::Day, Unit::Tokens, 1_000)];
        let budget = Budget { limits, cap: Some(500), ..Budget::default() };
        let mut messages = vec![("coordination", 40, 0); 10];
        messages[0].2 = 1;
        let own = history(&messages);
        let spent = |n| Figures { today: Spent { tokens: n, ..Spent::default() }, ..Figures::default() };
        for (size_of_others, verdicts) in [
            (40, [Verdict::Granted, Verdict::Granted, Verdict::Granted]),
            (20, [Verdict::Granted, Verdict::Inefficient, Verdict::Inefficient]),
        ] {
            let other = history(&[("coordination", size_of_others, 0); 11]);
            let sizes = sizes(&[&own, &other]);
            let mut grants = Grants::default();
            for (day, expected) in ["d1", "d2", "d3"].into_iter().zip(verdicts) {
                let score = Score::of(&own, grants.thrift(), &sizes);
                let verdict = judge(500, None, &budget, &grants, &score, day);
                assert_eq!(verdict, expected, "{day} {score:?}");
                if verdict != Verdict::Granted {
                    assert_eq!((score.hundredths(), score.weakest()), (60, Part::Thrift));
                    continue;
                }
                grants.add(Grant { n: 500, day: day.into(), by: By::Request, ..Grant::default() });
                assert!(grants.note_use(&budget, &spent(1_050), day));
                // The same day once more: the cap.
                let score = Score::of(&own, grants.thrift(), &sizes);
                let again = judge(500, None, &budget, &grants, &score, day);
                assert!(
                    matches!(again, Verdict::OverCap { left: 0, .. } | Verdict::Inefficient),
                    "{again:?}"
                );
            }
        }
    }
}
