//! Time as files carry it: UTC, RFC 3339, and milliseconds since 1970.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01 UTC; 0 if the system's clock stands before it.
#[must_use]
pub fn now_ms() -> u64 {
    // Asked as the other clock is: the standard library would look for its own way to the same one.
    #[cfg(unix)]
    return ms_by(rustix::time::ClockId::Realtime).unwrap_or(0);
    #[cfg(not(unix))]
    return ms_of(SystemTime::now());
}

/// One moment by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since 1970; somebody may set this clock.
    pub wall_ms: u64,
    /// Milliseconds since the machine started, sleep included, where the system tells.
    pub up_ms: Option<u64>,
}

impl Now {
    /// The present.
    #[must_use]
    pub fn read() -> Self {
        Self { wall_ms: now_ms(), up_ms: up_ms() }
    }
}

#[cfg(unix)]
fn up_ms() -> Option<u64> {
    use rustix::time::ClockId;
    // Elsewhere the monotonic clock goes on in sleep.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let clock = ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let clock = ClockId::Monotonic;
    ms_by(clock)
}

/// The time by `clock`, `None` where it stands before its beginning.
#[cfg(unix)]
fn ms_by(clock: rustix::time::ClockId) -> Option<u64> {
    let time = rustix::time::clock_gettime(clock);
    let (s, ns) = (u64::try_from(time.tv_sec).ok()?, u64::try_from(time.tv_nsec).ok()?);
    Some(s.saturating_mul(1000).saturating_add(ns / 1_000_000))
}

#[cfg(not(unix))]
fn up_ms() -> Option<u64> {
    None
}

/// A system time in milliseconds since 1970-01-01 UTC.
#[must_use]
pub fn ms_of(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

/// `ms` as RFC 3339 in UTC with milliseconds, such as `2026-04-07T14:30:00.000Z`.
#[must_use]
pub fn rfc3339(ms: u64) -> String {
    // What is later than a calendar can say stays at its end.
    let time = UNIX_EPOCH + Duration::from_millis(ms.min(END_MS));
    humantime::format_rfc3339_millis(time).to_string()
}

/// The last millisecond of the year 9999.
const END_MS: u64 = 253_402_300_799_999;

/// An RFC 3339 time in UTC (with `Z`) in milliseconds since 1970, if `text` is one.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<u64> {
    humantime::parse_rfc3339(text).ok().map(ms_of)
}

/// The same of a time in any zone: behind the time stands `Z` or how far it is ahead of UTC, such as `+02:00`. What says
/// neither is taken for UTC.
#[must_use]
pub fn parse_anywhere(text: &str) -> Option<u64> {
    if let Some(ms) = parse_rfc3339(text) {
        return Some(ms);
    }
    // A date has signs of its own.
    let zone = text.char_indices().skip(10).find(|(_, c)| matches!(c, '+' | '-' | 'z'));
    let (time, zone) = zone.map_or((text, "z"), |(at, _)| text.split_at(at));
    let time = parse_rfc3339(&[time, "Z"].concat())?;
    let digits = |text: &str, most: u64| {
        let is_plain = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u64>().ok().filter(|n| is_plain && *n <= most)
    };
    let ahead = |zone: &str| {
        let (hours, minutes) = zone.split_once(':')?;
        Some((digits(hours, 23)? * 60 + digits(minutes, 59)?) * 60_000)
    };
    match zone.split_at_checked(1)? {
        ("z", "") => Some(time),
        ("+", zone) => time.checked_sub(ahead(zone)?),
        ("-", zone) => time.checked_add(ahead(zone)?),
        _ => None,
    }
}

/// The day of `ms` in UTC, such as `2026-04-07`.
#[must_use]
pub fn day(ms: u64) -> String {
    let mut day = rfc3339(ms);
    day.truncate(10);
    day
}

/// A span in the two largest units that matter, such as `3 s`, `12 min` or `2 h 5 min`.
#[must_use]
pub fn span(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min", s / 60),
        3600..86_400 if s % 3600 < 60 => format!("{} h", s / 3600),
        3600..86_400 => format!("{} h {} min", s / 3600, s % 3600 / 60),
        _ => format!("{} d", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        assert_eq!(rfc3339(1_775_572_200_000), "2026-04-07T14:30:00.000Z");
        assert_eq!(parse_rfc3339("2026-04-07T14:30:00.000Z"), Some(1_775_572_200_000));
        assert_eq!(parse_rfc3339("yesterday"), None);
    }

    #[test]
    fn times_of_other_zones() {
        let utc = Some(1_775_572_200_000);
        for text in [
            "2026-04-07T14:30:00Z",
            "2026-04-07T14:30:00z",
            "2026-04-07T14:30:00.000",
            "2026-04-07T16:30:00.000+02:00",
            "2026-04-07T08:45:00-05:45",
            "2026-04-08T00:30:00+10:00",
        ] {
            assert_eq!(parse_anywhere(text), utc, "{text}");
        }
        for text in [
            "",
            "z",
            "2026-04-07",
            "2026-04-07T16:30:00+0200",
            "2026-04-07T16:30:00+02:60",
            "1970-01-01T00:00:00+02:00",
            "é".repeat(12).as_str(),
        ] {
            assert_eq!(parse_anywhere(text), None, "{text}");
        }
        assert_eq!(day(1_775_572_200_000), "2026-04-07");
    }

    #[test]
    fn far_ends() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(u64::MAX), "9999-12-31T23:59:59.999Z");
        assert_eq!(parse_rfc3339("9999-12-31T23:59:59.999Z"), Some(END_MS));
        assert_eq!(parse_rfc3339("2026-04-07T14:30:00"), None);
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_a_calendar_library(ms in 0..=END_MS) {
            let stamp = jiff::Timestamp::from_millisecond(ms.try_into()?)?;
            proptest::prop_assert_eq!(rfc3339(ms), format!("{stamp:.3}"));
            proptest::prop_assert_eq!(parse_rfc3339(&rfc3339(ms)), Some(ms));
        }
    }

    #[test]
    fn spans() {
        assert_eq!(span(59_999), "59 s");
        assert_eq!(span(3_600_000), "1 h");
        assert_eq!(span(7_500_000), "2 h 5 min");
        assert_eq!(span(200_000_000), "2 d");
    }
}
