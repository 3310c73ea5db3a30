//! A clock for tests: the time that the thread itself has taken. On a busy machine the time on the wall
//! says how busy it is.

use std::time::Duration;

/// A moment.
#[derive(Clone, Copy)]
pub(crate) struct Begun(Duration);

impl Begun {
    /// Now.
    pub(crate) fn now() -> Self {
        Self(spent())
    }

    /// What the thread has worked since.
    pub(crate) fn elapsed(self) -> Duration {
        spent().saturating_sub(self.0)
    }
}

#[cfg(unix)]
fn spent() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// There the wall has to do.
#[cfg(not(unix))]
fn spent() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}
