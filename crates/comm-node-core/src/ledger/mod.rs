//! What was spent: tokens, cost, and what messages cost, as values.
//!
//! A [`Record`] is the truth about one source, which is one transcript file or the mail of one session:
//! how far it was read, and a row for every combination of domain, task, role, model and day. It is
//! replaced as a whole, so that how far was read and what was counted never part. A [`Tally`] is the
//! sum of all sources for one domain, small enough for every hook to read.

mod meter;
mod price;
mod record;
mod scan;
mod tally;
mod transcript;

use serde::{Deserialize, Serialize};

pub use meter::{Booking, Bound, Progress, today};
pub use price::{BUILT_IN, MAX_OWN_PRICES, Prices, Rates, Row as PriceRow, own_prices};
pub use record::{Keys, Record, Row, Seen, Source};
pub use scan::{Response, Scanner};
pub use tally::{Account, MAX_TASKS, Spent, Tally};
pub use transcript::{AgentFile, Transcript};

/// Tokens of responses, in the classes that have prices of their own.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Usage {
    /// Sent and read anew.
    #[serde(skip_serializing_if = "is_zero")]
    pub input_tokens: u64,
    /// Produced.
    #[serde(skip_serializing_if = "is_zero")]
    pub output_tokens: u64,
    /// Written to the cache for five minutes.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_write_5m_tokens: u64,
    /// Written to the cache for an hour.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_write_1h_tokens: u64,
    /// Read from the cache.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_read_tokens: u64,
    /// How many responses.
    #[serde(skip_serializing_if = "is_zero")]
    pub responses: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// A digest of `bytes` that is the same in every process (FNV-1a).
#[must_use]
pub fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

impl Usage {
    /// All tokens, of every class.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        [
            self.input_tokens,
            self.output_tokens,
            self.cache_write_5m_tokens,
            self.cache_write_1h_tokens,
            self.cache_read_tokens,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }

    /// Each figure of both through `f`.
    fn zip(self, other: Self, f: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            input_tokens: f(self.input_tokens, other.input_tokens),
            output_tokens: f(self.output_tokens, other.output_tokens),
            cache_write_5m_tokens: f(self.cache_write_5m_tokens, other.cache_write_5m_tokens),
            cache_write_1h_tokens: f(self.cache_write_1h_tokens, other.cache_write_1h_tokens),
            cache_read_tokens: f(self.cache_read_tokens, other.cache_read_tokens),
            responses: f(self.responses, other.responses),
        }
    }
}

/// What was spent: tokens, their cost, and what messages cost.
///
/// The cost is exact: a price is in whole micro-dollars for a million tokens, so that one token's is in
/// whole pico-dollars. Responses of a model without a price are counted apart and add nothing to it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Spend {
    /// Tokens of responses.
    pub usage: Usage,
    /// The known part of the cost, in millionths of a micro-dollar.
    #[serde(skip_serializing_if = "is_zero")]
    pub pico_usd: u64,
    /// How many responses have no price: with any, the cost is not known.
    #[serde(skip_serializing_if = "is_zero")]
    pub unpriced: u64,
    /// Estimated tokens of messages that were sent.
    #[serde(skip_serializing_if = "is_zero")]
    pub sent_tokens: u64,
    /// Estimated tokens of messages that were read.
    #[serde(skip_serializing_if = "is_zero")]
    pub read_tokens: u64,
}

impl Spend {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.zip(other, u64::saturating_add)
    }

    /// What is left of it without `other`.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.zip(other, u64::saturating_sub)
    }

    fn zip(self, other: Self, f: impl Fn(u64, u64) -> u64 + Copy) -> Self {
        Self {
            usage: self.usage.zip(other.usage, f),
            pico_usd: f(self.pico_usd, other.pico_usd),
            unpriced: f(self.unpriced, other.unpriced),
            sent_tokens: f(self.sent_tokens, other.sent_tokens),
            read_tokens: f(self.read_tokens, other.read_tokens),
        }
    }

    /// True if there is nothing in it.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// Tokens of messages, sent and read: what coordination cost.
    #[must_use]
    pub fn message_tokens(&self) -> u64 {
        self.sent_tokens.saturating_add(self.read_tokens)
    }

    /// The cost in micro-dollars, rounded up; `None` while a part of it has no price.
    #[must_use]
    pub fn micro_usd(&self) -> Option<u64> {
        (self.unpriced == 0).then(|| self.known_micro_usd())
    }

    /// The part of the cost that is known, in micro-dollars, rounded up.
    #[must_use]
    pub fn known_micro_usd(&self) -> u64 {
        self.pico_usd.div_ceil(1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_price_is_no_price_of_zero() {
        let known = Spend { pico_usd: 1_500_000, ..Spend::default() };
        assert_eq!(known.micro_usd(), Some(2));
        let mixed = known.plus(Spend { unpriced: 1, ..Spend::default() });
        assert_eq!((mixed.micro_usd(), mixed.known_micro_usd()), (None, 2));
    }

    #[test]
    fn figures_out_of_range_stay_at_the_end() {
        let much = Spend { usage: Usage { input_tokens: u64::MAX, ..Usage::default() }, ..Spend::default() };
        let more = much
            .plus(Spend { usage: Usage { input_tokens: 5, output_tokens: 7, ..Usage::default() }, ..much });
        assert_eq!(more.usage.tokens(), u64::MAX);
        assert_eq!(Spend::default().minus(much), Spend::default());
    }
}
