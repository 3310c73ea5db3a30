//! Whether two globs can match a common key.
//!
//! The languages of two automata intersect where their product reaches a pair of accepting states
//! (Hopcroft and Ullman, *Introduction to Automata Theory*, theorem 3.3). Here the product has a
//! third part, the automaton of well-formed keys, so that a witness is always a real path. A
//! breadth-first search over the reachable part of the product finds a shortest witness.
//!
//! For globs of `m` and `n` bytes the product has at most `13·(m+1)·(n+1)` states with at most
//! one move per class of bytes that neither glob tells apart; with [`super::MAX_LEN`] that is
//! 3.4 million states. Everyday globs take a few hundred.
//!
//! Exclusions need the complement of a language, hence deterministic automata: their states are
//! sets of states, built as the search meets them (Rabin and Scott's subset construction).

use std::collections::HashSet;

use super::automaton::{Automaton, Bytes};
use super::{is_literal, matches};

/// The search with exclusions gives up after this many states; without, it can't get there with
/// globs that [`super::check`] accepts.
const MAX_STATES: usize = 1 << 22;
/// With exclusions a state is large and their number exponential.
const MAX_STATES_EXCLUDING: usize = 1 << 16;

/// A key that both globs match: a shortest one, made of ordinary characters where it can be.
/// `None` if there is none.
///
/// Exact for globs that [`super::check`] accepts. Names are compared byte by byte: whoever folds
/// case or normalises keys must give globs that are treated likewise.
#[must_use]
pub fn overlap(a: &str, b: &str) -> Option<String> {
    overlap_excluding(a, b, &[])
}

/// Whether some key is matched by both globs: [`overlap`] without the key, at a fraction of its cost for
/// everyday globs.
#[must_use]
pub fn overlaps(a: &str, b: &str) -> bool {
    !prefixes_differ(a, b) && (meet_below(a, b) || meet_below(b, a) || overlap(a, b).is_some())
}

/// True if `b` is everything below a directory, and the key that one thinks of first is below it and matched by
/// `a`: `dir/x`, `dir/**`, `**/x`. False says nothing.
fn meet_below(a: &str, b: &str) -> bool {
    let Some(dir) = b.strip_suffix("/**").filter(|dir| is_literal(dir)) else { return false };
    let mut key = String::with_capacity(dir.len() + a.len() + 2);
    let rest = match a.strip_prefix("**/") {
        Some(rest) => {
            key.push_str(dir);
            key.push('/');
            rest
        }
        None => a,
    };
    match rest.strip_suffix("**") {
        Some(before) => {
            key.push_str(before);
            key.push('a');
        }
        None => key.push_str(rest),
    }
    is_key(&key) && matches(a, &key) && matches(b, &key)
}

/// A key that both globs match and none of `excludes` does.
///
/// Exact unless the excludes are so intertwined that the search meets more than 65,536 states; a
/// key found without them then counts if none of them happens to match it, else the answer is
/// `None`. This is good enough for a warning and must not decide about a right.
#[must_use]
pub fn overlap_excluding(a: &str, b: &str, excludes: &[&str]) -> Option<String> {
    if prefixes_differ(a, b) {
        return None;
    }
    let excluded = |key: &str| excludes.iter().any(|glob| matches(glob, key));
    for (literal, other) in [(a, b), (b, a)] {
        if is_literal(literal) {
            let good = is_key(literal) && matches(other, literal) && !excluded(literal);
            return good.then(|| literal.to_owned());
        }
    }
    let found = match Search::new(a, b, excludes).run() {
        Ok(found) => found?,
        Err(TooLarge) if excludes.is_empty() => return None,
        Err(TooLarge) => Search::new(a, b, &[]).run().ok()?.filter(|key| !excluded(key))?,
    };
    let good = |key: &str| matches(a, key) && matches(b, key) && !excluded(key);
    Some(readable(found, good))
}

/// The quick answer for most pairs: what stands before the first special character differs.
fn prefixes_differ(a: &str, b: &str) -> bool {
    let plain = |glob: &str| glob.bytes().take_while(|b| !b"*?[{\\".contains(b)).count();
    let common = plain(a).min(plain(b));
    a.as_bytes()[..common] != b.as_bytes()[..common]
}

/// True if `text` is what [`crate::path::key`] could have made.
pub(super) fn is_key(text: &str) -> bool {
    let mut state = Some(Key::Start);
    for &byte in text.as_bytes() {
        state = state.and_then(|s| s.after(byte));
    }
    state.is_some_and(Key::accepts)
}

/// `key` with a letter before each component that begins with a dot, where it still is `good`:
/// `src/a.rs` says more than `src/.rs`.
fn readable(key: String, good: impl Fn(&str) -> bool) -> String {
    let mut best = key;
    let mut at = 0;
    while let Some(rest) = best.get(at..) {
        if rest.starts_with('.') {
            let tried = format!("{}a{rest}", &best[..at]);
            if good(&tried) {
                best = tried;
            }
        }
        match best[at..].find('/') {
            Some(slash) => at += slash + 1,
            None => break,
        }
    }
    best
}

/// The automaton of keys: UTF-8 (Unicode, table 3-7), no empty component, no `.` and `..`, no NUL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Start,
    Dot,
    DotDot,
    Name,
    /// This many continuation bytes to come, the first of them in the range.
    Tail(u8, u8, u8),
}

impl Key {
    fn after(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Tail(left, low, high), _) => match (byte >= low && byte <= high, left) {
                (false, _) => return None,
                (true, 1) => Self::Name,
                (true, _) => Self::Tail(left - 1, 0x80, 0xBF),
            },
            (Self::Name, b'/') => Self::Start,
            (_, b'/' | 0) => return None,
            (Self::Start, b'.') => Self::Dot,
            (Self::Dot, b'.') => Self::DotDot,
            (_, 1..=0x7F) => Self::Name,
            (_, 0xC2..=0xDF) => Self::Tail(1, 0x80, 0xBF),
            (_, 0xE0) => Self::Tail(2, 0xA0, 0xBF),
            (_, 0xED) => Self::Tail(2, 0x80, 0x9F),
            (_, 0xE1..=0xEF) => Self::Tail(2, 0x80, 0xBF),
            (_, 0xF0) => Self::Tail(3, 0x90, 0xBF),
            (_, 0xF1..=0xF3) => Self::Tail(3, 0x80, 0xBF),
            (_, 0xF4) => Self::Tail(3, 0x80, 0x8F),
            (_, 0x80..=0xC1 | 0xF5..) => return None,
        })
    }

    fn accepts(self) -> bool {
        self == Self::Name
    }
}

/// The product has more states than the search may visit.
struct TooLarge;

/// A state of the product. `not` are the states of all excluded automata, as one sorted set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Node {
    a: usize,
    b: usize,
    key: Key,
    not: Vec<usize>,
}

/// One side of the product, its empty moves resolved beforehand.
struct Side {
    automaton: Automaton,
    closures: Vec<Vec<usize>>,
    accepts: Vec<bool>,
}

impl Side {
    fn new(automaton: Automaton) -> Self {
        let closures: Vec<Vec<usize>> = (0..automaton.states.len()).map(|s| automaton.closure(s)).collect();
        let accepts = closures.iter().map(|c| c.iter().any(|&s| automaton.states[s].accepts)).collect();
        Self { automaton, closures, accepts }
    }

    /// Where `byte` leads from `state`, before empty moves.
    fn after(&self, state: usize, byte: u8, out: &mut Vec<usize>) {
        for &s in &self.closures[state] {
            for (set, to) in &self.automaton.states[s].moves {
                if set.has(byte) && !out.contains(to) {
                    out.push(*to);
                }
            }
        }
    }
}

struct Search {
    a: Side,
    b: Side,
    /// All excludes as one automaton with several first states.
    not: Side,
    not_first: Vec<usize>,
    /// One byte for each class that no automaton tells apart, the most readable first.
    bytes: Vec<u8>,
    limit: usize,
}

impl Search {
    fn new(a: &str, b: &str, excludes: &[&str]) -> Self {
        let a = Side::new(Automaton::new(a.as_bytes()));
        let b = Side::new(Automaton::new(b.as_bytes()));
        let mut states = Vec::new();
        let mut not_first = Vec::new();
        for glob in excludes {
            let base = states.len();
            not_first.push(base);
            let mut automaton = Automaton::new(glob.as_bytes());
            for state in &mut automaton.states {
                state.empty.iter_mut().for_each(|s| *s += base);
                state.moves.iter_mut().for_each(|(_, s)| *s += base);
            }
            states.extend(automaton.states);
        }
        let not = Side::new(Automaton { states });
        let bytes = representatives(&[&a.automaton, &b.automaton, &not.automaton]);
        let limit = if excludes.is_empty() { MAX_STATES } else { MAX_STATES_EXCLUDING };
        Self { a, b, not, not_first, bytes, limit }
    }

    fn accepts(&self, node: &Node) -> bool {
        node.key.accepts()
            && self.a.accepts[node.a]
            && self.b.accepts[node.b]
            && !node.not.iter().any(|&s| self.not.accepts[s])
    }

    fn run(&self) -> Result<Option<String>, TooLarge> {
        let first = Node { a: 0, b: 0, key: Key::Start, not: self.not_first.clone() };
        // Every node reached, in order, with the place of its predecessor and the byte from there.
        let mut reached: Vec<(Node, usize, u8)> = vec![(first.clone(), 0, 0)];
        let mut seen: HashSet<Node> = HashSet::from([first]);
        let (mut to_a, mut to_b) = (Vec::new(), Vec::new());
        let mut at = 0;
        while at < reached.len() {
            let node = reached[at].0.clone();
            for &byte in &self.bytes {
                let Some(key) = node.key.after(byte) else { continue };
                to_a.clear();
                self.a.after(node.a, byte, &mut to_a);
                if to_a.is_empty() {
                    continue;
                }
                to_b.clear();
                self.b.after(node.b, byte, &mut to_b);
                if to_b.is_empty() {
                    continue;
                }
                let mut not = Vec::new();
                node.not.iter().for_each(|&s| self.not.after(s, byte, &mut not));
                not.sort_unstable();
                for (&a, &b) in to_a.iter().flat_map(|a| to_b.iter().map(move |b| (a, b))) {
                    let next = Node { a, b, key, not: not.clone() };
                    if !seen.insert(next.clone()) {
                        continue;
                    }
                    let accepts = self.accepts(&next);
                    reached.push((next, at, byte));
                    if accepts {
                        return Ok(word(&reached));
                    }
                }
            }
            if reached.len() > self.limit {
                return Err(TooLarge);
            }
            at += 1;
        }
        Ok(None)
    }
}

/// The bytes on the way to the last node.
fn word(reached: &[(Node, usize, u8)]) -> Option<String> {
    let mut bytes = Vec::new();
    let mut at = reached.len() - 1;
    while at > 0 {
        bytes.push(reached[at].2);
        at = reached[at].1;
    }
    bytes.reverse();
    String::from_utf8(bytes).ok()
}

/// One byte of each class that none of the automata, nor that of keys, tells apart.
fn representatives(automata: &[&Automaton]) -> Vec<u8> {
    let sets: HashSet<Bytes> =
        automata.iter().flat_map(|a| &a.states).flat_map(|s| &s.moves).map(|m| m.0).collect();
    let mut seen: HashSet<(Vec<bool>, u8)> = HashSet::new();
    let nice = |b: u8| match b {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'/' => 1,
        b if b.is_ascii_graphic() => 2,
        _ => 3,
    };
    // Not sorted: for 256 bytes of four kinds that would be much code.
    let mut out: Vec<u8> = (0..4).flat_map(|kind| (0..=255).filter(move |&b| nice(b) == kind)).collect();
    out.retain(|&b| seen.insert((sets.iter().map(|s| s.has(b)).collect(), key_class(b))));
    out
}

/// Bytes that [`Key`] treats alike have the same number.
fn key_class(byte: u8) -> u8 {
    match byte {
        0 => 0,
        b'/' => 1,
        b'.' => 2,
        1..=0x7F => 3,
        0x80..=0x8F => 4,
        0x90..=0x9F => 5,
        0xA0..=0xBF => 6,
        0xC0..=0xC1 | 0xF5.. => 7,
        0xC2..=0xDF => 8,
        0xE0 => 9,
        0xED => 10,
        0xE1..=0xEF => 11,
        0xF0 => 12,
        0xF1..=0xF3 => 13,
        0xF4 => 14,
    }
}
