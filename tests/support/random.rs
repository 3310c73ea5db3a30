//! A random choice that is the same for the same seed.

/// xorshift64*: good enough to choose, and the same for the same seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The generator of the `n`th case of a seed.
    pub(crate) fn case(seed: u64, n: u64) -> Self {
        let mut random = Self((seed ^ n.wrapping_mul(0x9E37_79B9_7F4A_7C15)) | 1);
        (0..4).for_each(|_| {
            random.below(2);
        });
        random
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let wide = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(wide % n.max(1) as u64).unwrap_or(0)
    }

    /// One of them.
    pub(crate) fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// True once in `n`.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}
