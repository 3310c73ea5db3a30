//! Where a test lets a writer die. Outside of tests these are nothing.

#[cfg(not(test))]
#[inline]
pub(super) fn here() -> crate::Result<()> {
    Ok(())
}

#[cfg(not(test))]
#[inline]
pub(super) fn torn() -> bool {
    false
}

#[cfg(not(test))]
pub(super) fn error() -> crate::Error {
    crate::Error::Invalid { what: "the crash", why: String::new() }
}

#[cfg(test)]
pub(super) use for_tests::*;

#[cfg(test)]
mod for_tests {
    use std::cell::Cell;

    use crate::{Error, Result};

    thread_local! {
        /// How many more points are passed before the writer dies; `None` never.
        static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    }

    /// Lets the next writer of this thread die at its point number `n`, from 0.
    pub(in super::super) fn arm(n: u32) {
        LEFT.set(Some(n));
    }

    /// Ends that; true if the writer did die.
    pub(in super::super) fn disarm() -> bool {
        LEFT.replace(None) == Some(u32::MAX)
    }

    fn due() -> bool {
        match LEFT.get() {
            None => false,
            Some(0 | u32::MAX) => {
                // The dead don't come back.
                LEFT.set(Some(u32::MAX));
                true
            }
            Some(n) => {
                LEFT.set(Some(n - 1));
                false
            }
        }
    }

    pub(in super::super) fn here() -> Result<()> {
        if due() { Err(error()) } else { Ok(()) }
    }

    pub(in super::super) fn torn() -> bool {
        due()
    }

    pub(in super::super) fn error() -> Error {
        Error::Invalid { what: "the writer", why: "it was killed by the test".to_owned() }
    }
}
