//! A point in time after which a short program must have answered.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// When this process first asked what is left of a deadline of its own.
static BEGAN: OnceLock<Instant> = OnceLock::new();

/// A deadline that every wait of a program shares.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(At);

#[derive(Clone, Copy, Debug)]
enum At {
    /// This instant.
    Instant(Instant),
    /// So long after [`BEGAN`].
    Process(Duration),
}

impl Deadline {
    /// The deadline that lies `span` from now.
    #[must_use]
    pub fn after(span: Duration) -> Self {
        Self(At::Instant(Instant::now() + span))
    }

    /// The deadline of a whole process: `span` from the first time that anything has to wait.
    ///
    /// A hook that never waits then never looks at a clock, which is worth two pages to it.
    #[must_use]
    pub fn of_process(span: Duration) -> Self {
        Self(At::Process(span))
    }

    fn instant(self) -> Instant {
        match self.0 {
            At::Instant(at) => at,
            At::Process(span) => *BEGAN.get_or_init(Instant::now) + span,
        }
    }

    /// What is left, zero once it has passed.
    #[must_use]
    pub fn left(self) -> Duration {
        self.instant().saturating_duration_since(Instant::now())
    }

    /// True once it has passed.
    #[must_use]
    pub fn passed(self) -> bool {
        self.left().is_zero()
    }

    /// The earlier of this deadline and `span` from now.
    #[must_use]
    pub fn at_most(self, span: Duration) -> Self {
        Self(At::Instant(self.instant().min(Instant::now() + span)))
    }
}
