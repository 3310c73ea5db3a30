//! What a budget limits: an amount, in tokens or dollars, over a span.

use serde::{Deserialize, Serialize};

/// Over what spending is counted together.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Span {
    /// One day, in UTC.
    Day,
    /// One task.
    Task,
    /// All that was ever spent.
    Total,
}

/// In what spending is counted.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Tokens.
    Tokens,
    /// Millionths of a dollar.
    Usd,
}

impl Unit {
    /// `amount` as people write it: `12,000 tokens`, `$2.50`.
    #[must_use]
    pub fn show(self, amount: u64) -> String {
        match self {
            Self::Tokens => {
                let mut text = grouped(amount);
                text.push_str(if amount == 1 { " token" } else { " tokens" });
                text
            }
            Self::Usd => {
                let cents = amount.saturating_add(5_000) / 10_000;
                format!("${}.{:02}", grouped(cents / 100), cents % 100)
            }
        }
    }

    /// The same where the unit is clear: `12,000`, `$2.50`.
    #[must_use]
    pub fn figure(self, amount: u64) -> String {
        match self {
            Self::Tokens => grouped(amount),
            Self::Usd => self.show(amount),
        }
    }
}

/// `n` with commas between its thousands.
#[must_use]
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// One limit, written `["day","tokens",20000]`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Limit(pub Span, pub Unit, pub u64);

/// The budget of a domain, or of the node, as `comm-node.yaml` sets it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Budget {
    /// What may be spent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
    /// Tokens of messages for one task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coordination: Option<u64>,
    /// The most tokens that requests may add to it in one day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap: Option<u64>,
}

impl Budget {
    /// The limit over `span` in `unit`, if there is one.
    #[must_use]
    pub fn limit(&self, span: Span, unit: Unit) -> Option<u64> {
        self.limits.iter().find(|l| l.0 == span && l.1 == unit).map(|l| l.2)
    }

    /// What requests may add in one day: what was set, else half of the tokens of a day, a task or
    /// all together, whichever is limited first.
    #[must_use]
    pub fn cap(&self) -> u64 {
        let limited = [Span::Day, Span::Task, Span::Total];
        let tokens = limited.iter().find_map(|span| self.limit(*span, Unit::Tokens));
        self.cap.unwrap_or_else(|| tokens.unwrap_or(0) / 2)
    }
}

/// Tokens of coordination for one task of a complexity.
pub const COMPLEXITY: [(&str, u64); 3] = [("simple", 5_000), ("medium", 15_000), ("complex", 40_000)];

/// What messages about a task may cost where only the task as a whole is limited: a fifth.
#[must_use]
pub fn coordination_of(task: u64) -> u64 {
    task / 5
}

/// What becomes of work when its budget is used up (`policy.on_exhausted`).
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum OnExhausted {
    /// Writes are refused.
    #[default]
    Refuse,
    /// Writes are refused, and the run ends once a hand-off was offered.
    Stop,
    /// It goes on, with a note.
    Warn,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_as_people_write_them() {
        for (n, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(n), text);
        }
        assert_eq!(grouped(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(Unit::Tokens.show(1), "1 token");
        assert_eq!(Unit::Tokens.show(20_000), "20,000 tokens");
        assert_eq!(Unit::Usd.show(2_500_000), "$2.50");
        assert_eq!(Unit::Usd.show(4_999), "$0.00");
        assert_eq!(Unit::Usd.show(5_000), "$0.01");
        assert_eq!(Unit::Usd.show(1_234_567_890_000), "$1,234,567.89");
    }

    #[test]
    fn a_cap_that_is_not_set_is_half_of_what_is_limited() {
        let of = |limits: &[Limit], cap| Budget { limits: limits.to_vec(), cap, ..Budget::default() }.cap();
        let day = Limit(Span::Day, Unit::Tokens, 1_000);
        let task = Limit(Span::Task, Unit::Tokens, 100);
        assert_eq!(of(&[task, day], None), 500);
        assert_eq!(of(&[task], None), 50);
        assert_eq!(of(&[Limit(Span::Day, Unit::Usd, 9)], None), 0);
        assert_eq!(of(&[day], Some(7)), 7);
    }
}
