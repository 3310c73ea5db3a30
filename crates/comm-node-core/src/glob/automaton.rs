//! A glob as a nondeterministic finite automaton over bytes.
//!
//! A state is a byte offset in the glob, so that nothing is expanded: an opening brace has empty
//! moves to its alternatives, the end of each alternative has one behind the closing brace. `**`
//! needs a second state, for being in the middle of a component; it is the offset of its second
//! star. This follows Thompson's construction (Hopcroft and Ullman, *Introduction to Automata
//! Theory*, section 2.5), with fast-glob's reading of each character.

/// A set of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Bytes([u64; 4]);

impl Bytes {
    pub(super) const NONE: Self = Self([0; 4]);
    pub(super) const ALL: Self = Self([u64::MAX; 4]);

    pub(super) fn one(byte: u8) -> Self {
        let mut set = Self::NONE;
        set.put(byte);
        set
    }

    fn put(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    pub(super) fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }

    /// All but these.
    fn not(self) -> Self {
        Self(self.0.map(|w| !w))
    }

    /// These without the separator.
    fn in_component(self) -> Self {
        let slash = Self::one(b'/').0;
        let mut out = self.0;
        for (w, s) in out.iter_mut().zip(slash) {
            *w &= !s;
        }
        Self(out)
    }
}

/// A state's moves.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// On one byte of the set, to that state.
    pub(super) moves: Vec<(Bytes, usize)>,
    /// On nothing.
    pub(super) empty: Vec<usize>,
    /// True if a key may end here.
    pub(super) accepts: bool,
}

/// The automaton of one glob; the first state is 0.
#[derive(Clone, Debug)]
pub(super) struct Automaton {
    pub(super) states: Vec<State>,
}

impl Automaton {
    /// The automaton of `glob`, which must be well formed (see [`super::check`]); that of another
    /// one means nothing.
    pub(super) fn new(glob: &[u8]) -> Self {
        let end = glob.len();
        let mut states = vec![State::default(); end + 1];
        states[end].accepts = true;
        let groups = Groups::of(glob);
        let mut at = 0;
        while at < end {
            at = step(glob, at, &groups, &mut states);
        }
        Self { states }
    }

    /// The states that `from` reaches on nothing, itself among them, in ascending order.
    pub(super) fn closure(&self, from: usize) -> Vec<usize> {
        let mut seen = vec![false; self.states.len()];
        let mut todo = vec![from];
        while let Some(state) = todo.pop() {
            if !std::mem::replace(&mut seen[state], true) {
                todo.extend(&self.states[state].empty);
            }
        }
        (0..seen.len()).filter(|&s| seen[s]).collect()
    }
}

/// Adds the moves of the construct at `at`, and says where the next one begins.
fn step(glob: &[u8], at: usize, groups: &Groups, states: &mut [State]) -> usize {
    let end = glob.len();
    match glob[at] {
        b'*' if glob.get(at + 1) == Some(&b'*') => {
            let next = groups.behind(at + 2, glob);
            if next == end {
                states[at].moves.push((Bytes::ALL, at));
                states[at].accepts = true;
            } else {
                // What follows is a `/`, see `partial_component`.
                let inside = Bytes::ALL.in_component();
                states[at].empty.push(next + 1);
                states[at].moves.push((inside, at + 1));
                states[at + 1].moves.push((inside, at + 1));
                states[at + 1].moves.push((Bytes::one(b'/'), at));
            }
            at + 2
        }
        b'*' => {
            states[at].moves.push((Bytes::ALL.in_component(), at));
            states[at].empty.push(at + 1);
            at + 1
        }
        b'?' => {
            states[at].moves.push((Bytes::ALL.in_component(), at + 1));
            at + 1
        }
        b'[' => {
            let (set, next) = class(glob, at);
            states[at].moves.push((set, next));
            next
        }
        b'{' => {
            if let Some(group) = groups.0.iter().find(|g| g.open == at) {
                states[at].empty.extend(&group.begins);
            }
            at + 1
        }
        b',' | b'}' if groups.ends(at).is_some() => {
            states[at].empty.extend(groups.ends(at));
            at + 1
        }
        _ => {
            let (byte, next) = literal(glob, at);
            states[at].moves.push((Bytes::one(byte), next));
            next
        }
    }
}

/// The byte that stands at `at`, a backslash resolved as fast-glob does, and the offset behind it.
fn literal(glob: &[u8], at: usize) -> (u8, usize) {
    match (glob[at], glob.get(at + 1)) {
        (b'\\', Some(&escaped)) => {
            let byte = match escaped {
                b'b' => 8,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                other => other,
            };
            (byte, at + 2)
        }
        (byte, _) => (byte, at + 1),
    }
}

/// The set of the class at `at`, and the offset behind it (the end, where it isn't closed).
fn class(glob: &[u8], at: usize) -> (Bytes, usize) {
    let mut set = Bytes::NONE;
    let mut at = at + 1;
    let negated = matches!(glob.get(at), Some(b'!' | b'^'));
    at += usize::from(negated);
    let first = at;
    while at < glob.len() && (at == first || glob[at] != b']') {
        let (low, next) = literal(glob, at);
        at = next;
        let mut high = low;
        if glob.get(at) == Some(&b'-') && glob.get(at + 1).is_some_and(|&b| b != b']') {
            (high, at) = literal(glob, at + 1);
        }
        (low..=high).for_each(|b| set.put(b));
    }
    let set = if negated { set.not() } else { set };
    (set.in_component(), (at + 1).min(glob.len()))
}

/// One `{…}`.
struct Group {
    open: usize,
    /// Where each alternative begins.
    begins: Vec<usize>,
    /// The comma or brace that ends each.
    ends: Vec<usize>,
}

/// Every closed group, inner ones before outer ones.
struct Groups(Vec<Group>);

impl Groups {
    fn of(glob: &[u8]) -> Self {
        let mut open: Vec<Group> = Vec::new();
        let mut done = Vec::new();
        let mut at = 0;
        while at < glob.len() {
            let next = match glob[at] {
                b'[' => class(glob, at).1,
                b'\\' => at + 2,
                _ => at + 1,
            };
            match (glob[at], open.last_mut()) {
                (b'{', _) => open.push(Group { open: at, begins: vec![at + 1], ends: Vec::new() }),
                (b',', Some(group)) => {
                    group.ends.push(at);
                    group.begins.push(at + 1);
                }
                (b'}', Some(group)) => {
                    group.ends.push(at);
                    done.extend(open.pop());
                }
                _ => {}
            }
            at = next;
        }
        Self(done)
    }

    /// `at`, or where the outermost group opens that begins with `at`.
    fn before(&self, mut at: usize) -> usize {
        while let Some(group) = self.0.iter().find(|g| g.begins.contains(&at)) {
            at = group.open;
        }
        at
    }

    /// If an alternative ends at `at`: the offset behind its group.
    fn ends(&self, at: usize) -> Option<usize> {
        self.0.iter().find(|g| g.ends.contains(&at)).and_then(|g| g.ends.last()).map(|close| close + 1)
    }

    /// `at`, or where the glob goes on if alternatives end there.
    fn behind(&self, mut at: usize, glob: &[u8]) -> usize {
        while at < glob.len() {
            match self.ends(at) {
                Some(next) => at = next,
                None => break,
            }
        }
        at
    }
}

/// The offset of the first `**` that is not a whole component in each of the globs that the
/// braces stand for.
pub(super) fn partial_component(glob: &[u8]) -> Option<usize> {
    let groups = Groups::of(glob);
    let mut at = 0;
    while at < glob.len() {
        at = match glob[at] {
            b'[' => class(glob, at).1,
            b'\\' => at + 2,
            b'*' if glob.get(at + 1) == Some(&b'*') => {
                let before = groups.before(at);
                let begins = before == 0 || glob[before - 1] == b'/';
                let behind = groups.behind(at + 2, glob);
                if !begins || glob.get(behind).is_some_and(|&b| b != b'/') {
                    return Some(at);
                }
                at + 2
            }
            _ => at + 1,
        };
    }
    None
}

/// How many globs without braces `glob` stands for.
pub(super) fn alternatives(glob: &[u8]) -> usize {
    // Counted from the inside out: an alternative is the product of the groups directly in it.
    let groups = Groups::of(glob).0;
    let mut counts: Vec<usize> = Vec::with_capacity(groups.len());
    let within = |counts: &[usize], from: usize, to: usize| {
        // Groups that lie in the range but in no other group of the range.
        let inside = |i: usize| groups[i].open >= from && groups[i].ends.last().is_some_and(|&e| e < to);
        (0..counts.len())
            .filter(|&i| inside(i))
            .filter(|&i| {
                !(0..counts.len()).any(|j| {
                    j != i
                        && inside(j)
                        && groups[j].open < groups[i].open
                        && groups[j].ends.last() > groups[i].ends.last()
                })
            })
            .fold(1usize, |n, i| n.saturating_mul(counts[i]))
    };
    for group in &groups {
        let parts = group.begins.iter().zip(&group.ends);
        let n = parts.map(|(&from, &to)| within(&counts, from, to)).fold(0usize, usize::saturating_add);
        counts.push(n);
    }
    within(&counts, 0, glob.len() + 1)
}
