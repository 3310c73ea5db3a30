//! What tokens cost: a dated table, and what a person or a node puts above it.
//!
//! A row is `<model glob> <from day> <input> <output> <write 5 m> <write 1 h> <read>`, in micro-dollars for a
//! million tokens, and after `over <tokens>` five more prices for prompts that are longer. `#` begins a comment.

use std::borrow::Cow;
use std::path::Path;

use super::Usage;
use crate::clock;
use crate::store::file;

/// The table that comes with comm-node.
pub const BUILT_IN: &str = include_str!("prices.txt");
/// The most bytes that a person's own table may have; one that is larger is not used.
pub const MAX_OWN_PRICES: u64 = 64 << 10;

/// The person's own table at `path`, `None` if there is none. A byte order mark, as some editors write it, is no part of it.
///
/// # Errors
/// When it is there but can't be used: it is a link or no plain file, too large, or not UTF-8.
pub fn own_prices(path: &Path) -> crate::Result<Option<String>> {
    let text = file::read(path, MAX_OWN_PRICES)?;
    Ok(text.map(|text| match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    }))
}

/// Prices of the five classes: input, output, cache writes for five minutes and for an hour, cache reads.
pub type Rates = [u64; 5];

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// Which models.
    pub glob: &'a str,
    /// From which day on.
    pub from: &'a str,
    /// In micro-dollars for a million tokens.
    pub rates: Rates,
    /// For prompts of more than so many tokens, the cache's included.
    pub long: Option<(u64, Rates)>,
}

impl<'a> Row<'a> {
    /// The row in `line`; `None` if there is none in it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(line: &'a str) -> Result<Option<Self>, &'static str> {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_ascii_whitespace();
        let Some(glob) = words.next() else { return Ok(None) };
        let from =
            words.next().filter(|day| is_day(day)).ok_or("the second word is no day such as 2026-01-31")?;
        let rates = rates(&mut words)?;
        let long = match words.next() {
            None => None,
            Some("over") => {
                let tokens = words.next().and_then(number).ok_or("`over` needs a number of tokens")?;
                Some((tokens, self::rates(&mut words)?))
            }
            Some(_) => return Err("after five prices only `over <tokens>` and five more can follow"),
        };
        if words.next().is_some() {
            return Err("there is more than ten prices");
        }
        Ok(Some(Self { glob, from, rates, long }))
    }

    /// What `usage` of one response costs, in pico-dollars.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> u64 {
        let prompt = [
            usage.input_tokens,
            usage.cache_write_5m_tokens,
            usage.cache_write_1h_tokens,
            usage.cache_read_tokens,
        ];
        let prompt = prompt.into_iter().fold(0, u64::saturating_add);
        let rates = match &self.long {
            Some((over, rates)) if prompt > *over => rates,
            _ => &self.rates,
        };
        let tokens = [
            usage.input_tokens,
            usage.output_tokens,
            usage.cache_write_5m_tokens,
            usage.cache_write_1h_tokens,
            usage.cache_read_tokens,
        ];
        tokens.into_iter().zip(rates).fold(0, |sum, (n, rate)| sum.saturating_add(n.saturating_mul(*rate)))
    }
}

fn number(word: &str) -> Option<u64> {
    let plain = word.bytes().all(|b| b.is_ascii_digit());
    word.parse().ok().filter(|n| plain && *n <= 1_000_000_000_000)
}

fn rates<'a>(words: &mut impl Iterator<Item = &'a str>) -> Result<Rates, &'static str> {
    let mut rates = [0; 5];
    for rate in &mut rates {
        *rate = words.next().and_then(number).ok_or("five prices are needed, whole micro-dollars each")?;
    }
    Ok(rates)
}

fn is_day(text: &str) -> bool {
    text.len() == 10 && clock::parse_rfc3339(&[text, "T00:00:00Z"].concat()).is_some()
}

/// Tables, the first that knows a model decides.
#[derive(Clone, Debug)]
pub struct Prices<'a> {
    tables: Vec<Cow<'a, str>>,
}

impl<'a> Prices<'a> {
    /// The built-in table behind `tables`.
    #[must_use]
    pub fn above(tables: impl IntoIterator<Item = Cow<'a, str>>) -> Self {
        let tables =
            tables.into_iter().filter(|table| !table.is_empty()).chain([Cow::Borrowed(BUILT_IN)]).collect();
        Self { tables }
    }

    /// The row in force for `model` on `day`: of the first table that has one, the one whose glob says
    /// most, and of several of these the latest. Rows that can't be read are passed over.
    #[must_use]
    pub fn row(&self, model: &str, day: &str) -> Option<Row<'_>> {
        self.tables.iter().find_map(|table| {
            // Only what may be meant is parsed.
            let lines = table
                .lines()
                .filter(|line| line.split_ascii_whitespace().next().is_some_and(|glob| matches(glob, model)));
            let rows = lines.filter_map(|line| Row::parse(line).ok().flatten());
            let in_force = rows.filter(|row| row.from <= day && matches(row.glob, model));
            in_force.max_by_key(|row| (row.glob.bytes().filter(|b| *b != b'*').count(), row.from))
        })
    }

    /// What a response of `model` on `day` costs, in pico-dollars; `None` if nobody says.
    #[must_use]
    pub fn cost(&self, model: &str, day: &str, usage: &Usage) -> Option<u64> {
        self.row(model, day).map(|row| row.cost(usage))
    }
}

/// True if `name` is what `glob` says, where `*` stands for anything.
fn matches(glob: &str, name: &str) -> bool {
    let mut parts = glob.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let Some(last) = glob.contains('*').then(|| parts.next_back().unwrap_or_default()) else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_row_can_be_read() {
        let rows: Vec<_> = BUILT_IN.lines().map(Row::parse).collect();
        assert!(rows.iter().all(Result::is_ok), "{rows:?}");
        assert!(rows.iter().filter(|row| matches!(row, Ok(Some(_)))).count() > 5);
        // What is published for all of them: an hour's write costs twice the input, five minutes' a quarter more.
        for row in rows.into_iter().filter_map(Result::ok).flatten() {
            let [input, _, five, hour, _] = row.rates;
            assert_eq!((five * 4, hour), (input * 5, input * 2), "{row:?}");
        }
    }

    #[test]
    fn globs_of_models() {
        for (glob, name, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("*sonnet*", "us.claude-sonnet-4-v1:0", true),
            ("claude-*-4", "claude-opus-4", true),
            ("claude-*-4", "claude-opus-4-1", false),
            ("a*a", "a", false),
            ("*b*b*", "abcb", true),
            ("*b*b*", "abc", false),
        ] {
            assert_eq!(matches(glob, name), expected, "{glob} {name}");
        }
    }

    #[test]
    fn the_first_table_that_knows_a_model_decides() {
        let own = "# mine\nm-* 2026-01-01 1 2 3 4 5\nm-1* 2026-01-01 10 20 30 40 50\nm-1* 2026-06-01 11 21 31 41 51 over 100 1 1 1 1 1\nbroken 1 2\n";
        let prices = Prices::above([Cow::Borrowed(own)]);
        let input = |model: &str, day: &str, n: u64| {
            prices.cost(model, day, &Usage { input_tokens: n, ..Usage::default() })
        };
        assert_eq!(input("m-2", "2026-03-01", 1), Some(1));
        assert_eq!(input("m-1", "2026-03-01", 1), Some(10));
        assert_eq!(input("m-1", "2026-06-01", 1), Some(11));
        assert_eq!(
            (input("m-1", "2026-06-01", 100), input("m-1", "2026-06-01", 101)),
            (Some(1100), Some(101))
        );
        assert_eq!(input("m-2", "2025-12-31", 1), None);
        assert_eq!(input("broken", "2026-03-01", 1), None);
        assert!(input("claude-haiku-4-5-20251001", "2026-03-01", 1).is_some());
        assert_eq!(input("claude-nonesuch-9", "2026-03-01", 1), None);
    }

    #[test]
    fn rows_that_are_wrong_say_why() {
        for (row, why) in [
            ("m", "no day"),
            ("m 2026-01 1 2 3 4 5", "no day"),
            ("m 2026-13-45 1 2 3 4 5", "no day"),
            ("m 2026-02-30 1 2 3 4 5", "no day"),
            ("m +026-01-01 1 2 3 4 5", "no day"),
            ("m 2026-01-01 1 2 3 4", "five prices"),
            ("m 2026-01-01 1 2 3 4 -5", "five prices"),
            ("m 2026-01-01 1 2 3 4 5.5", "five prices"),
            ("m 2026-01-01 1 2 3 4 5 6", "over"),
            ("m 2026-01-01 1 2 3 4 5 over 9", "five prices"),
            ("m 2026-01-01 1 2 3 4 5 over 9 1 2 3 4 5 6", "more"),
        ] {
            assert!(Row::parse(row).expect_err(row).contains(why), "{row}");
        }
        assert_eq!(Row::parse("  # nothing"), Ok(None));
    }
}
