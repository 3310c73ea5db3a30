//! Message ids: ULIDs, 48 bits of time and 80 of chance, whose text sorts by age.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};

/// Crockford's base 32: no I, L, O, U.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of an id.
const LEN: usize = 26;
/// Characters of its short form.
const SHORT: usize = 6;
/// Bits of chance.
const CHANCE: u32 = 80;

/// A message's id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ulid(u128);

impl Ulid {
    /// The id that `text` spells, in capitals as comm-node writes it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != LEN {
            return None;
        }
        let mut value = 0u128;
        for b in text.bytes() {
            let digit = DIGITS.iter().position(|&d| d == b)?;
            // 26 digits hold 130 bits.
            if value >> 123 != 0 {
                return None;
            }
            value = value << 5 | digit as u128;
        }
        Some(Self(value))
    }

    /// An id of `now_ms` that nobody else has, greater than `after` where that is not of a later
    /// millisecond.
    #[must_use]
    pub fn fresh(now_ms: u64, after: Option<Self>) -> Self {
        match after {
            Some(last) if last.ms() >= now_ms => Self(last.0.wrapping_add(1)),
            _ => Self(u128::from(now_ms) << CHANCE | chance()),
        }
    }

    /// When it was made, in milliseconds since 1970.
    #[must_use]
    pub fn ms(self) -> u64 {
        u64::try_from(self.0 >> CHANCE).unwrap_or(u64::MAX)
    }

    /// The id as text.
    #[must_use]
    pub fn text(self) -> String {
        let mut out = String::with_capacity(LEN);
        for i in (0..LEN).rev() {
            let digit = usize::try_from(self.0 >> (5 * i) & 31).unwrap_or(0);
            out.push(char::from(DIGITS[digit]));
        }
        out
    }

    /// Its last six characters, by which a mailbox's messages are told apart.
    #[must_use]
    pub fn short(self) -> String {
        self.text().split_off(LEN - SHORT)
    }
}

/// 80 bits that nobody can foresee: the standard library's hash keys come from the system.
fn chance() -> u128 {
    let word = || {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        u128::from(hasher.finish())
    };
    (word() << 64 | word()) >> (128 - CHANCE)
}

impl fmt::Display for Ulid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for Ulid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl serde::Serialize for Ulid {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_back_and_sorts_by_age() {
        let old = Ulid::fresh(1_700_000_000_000, None);
        let new = Ulid::fresh(1_700_000_000_001, Some(old));
        assert!(old < new && old.text() < new.text());
        assert_eq!((old.ms(), new.ms()), (1_700_000_000_000, 1_700_000_000_001));
        assert_eq!(Ulid::parse(&old.text()), Some(old));
        assert!(old.text().ends_with(&old.short()) && old.short().len() == 6);
    }

    #[test]
    fn the_published_example_is_read() {
        let id = Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV").expect("valid");
        assert_eq!(id.ms(), 1_469_922_850_259);
        assert_eq!(id.text(), "01ARZ3NDEKTSV4RRFFQ69G5FAV");
    }

    #[test]
    fn what_is_none() {
        for bad in
            ["", "01ARZ3NDEKTSV4RRFFQ69G5FA", "01arz3ndektsv4rrffq69g5fav", "81ARZ3NDEKTSV4RRFFQ69G5FAV"]
        {
            assert_eq!(Ulid::parse(bad), None, "{bad}");
        }
        assert_eq!(Ulid::parse("7ZZZZZZZZZZZZZZZZZZZZZZZZZ").map(|id| id.0), Some(u128::MAX));
    }

    #[test]
    fn order_is_kept_within_a_millisecond_and_when_the_clock_goes_back() {
        let mut last = Ulid::fresh(1000, None);
        for now in [1000, 1000, 999, 5, 1001, 1001] {
            let next = Ulid::fresh(now, Some(last));
            assert!(next > last, "{last} {next}");
            last = next;
        }
        assert_ne!(Ulid::fresh(1000, None), Ulid::fresh(1000, None));
    }
}
