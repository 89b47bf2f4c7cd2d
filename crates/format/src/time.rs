//! RFC 3339 times in UTC: microseconds for events, whole seconds for bans.

use honeymesh_types::WallTime;
use jiff::Timestamp;

/// The last microsecond that RFC 3339 can write here, 9999-12-30T22:00:00Z; later times are written as this one.
const MICROS_MAX: u64 = 253_402_207_200_000_000;

/// Why a text is no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time; write it as RFC 3339 does, for example 2026-11-22T10:00:00Z, not before 1970")]
pub struct TimeError(pub String);

/// A time with microseconds: `2026-11-22T10:00:00.123456Z`. The end of time is written as the last second of
/// RFC 3339.
#[must_use]
pub fn time_micros(time: WallTime) -> String {
    format!("{:.6}", timestamp(time))
}

/// A time in whole seconds, rounded down: `2026-11-22T10:00:00Z`.
#[must_use]
pub fn time_seconds(time: WallTime) -> String {
    format!("{:.0}", timestamp(time))
}

/// Reads any RFC 3339 time with its offset; digits beyond microseconds are cut off.
///
/// # Errors
/// The text is something else, or a time before 1970.
pub fn parse_time(text: &str) -> Result<WallTime, TimeError> {
    let wrong = || TimeError(crate::printable(text).chars().take(64).collect());
    let stamp: Timestamp = text.parse().map_err(|_| wrong())?;
    u64::try_from(stamp.as_microsecond()).map(WallTime).map_err(|_| wrong())
}

fn timestamp(time: WallTime) -> Timestamp {
    i64::try_from(time.0.min(MICROS_MAX))
        .ok()
        .and_then(|micros| Timestamp::from_microsecond(micros).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_utc_with_a_fixed_number_of_digits() {
        let time = WallTime(1_795_341_600_123_456);
        assert_eq!(time_micros(time), "2026-11-22T10:00:00.123456Z");
        assert_eq!(time_seconds(time), "2026-11-22T10:00:00Z");
        assert_eq!(time_micros(WallTime(1_795_341_600_000_000)), "2026-11-22T10:00:00.000000Z");
        assert_eq!(time_seconds(WallTime(1_795_341_600_999_999)), "2026-11-22T10:00:00Z", "rounded down");
        assert_eq!(time_micros(WallTime(0)), "1970-01-01T00:00:00.000000Z");
        assert_eq!(time_micros(WallTime::MAX), "9999-12-30T22:00:00.000000Z");
    }

    #[test]
    fn offsets_are_understood_and_nonsense_is_not() {
        assert_eq!(parse_time("2026-11-22T12:00:00+02:00").unwrap(), WallTime(1_795_341_600_000_000));
        for bad in ["", "yesterday", "2026-11-22", "2026-11-22T10:00:00", "1969-12-31T23:59:59Z"] {
            assert!(parse_time(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_refused_time_is_quoted_without_its_control_characters() {
        assert!(!parse_time("\u{1b}[31m").unwrap_err().to_string().contains('\u{1b}'));
    }

    proptest! {
        #[test]
        fn micros_round_trip(micros in 0..=MICROS_MAX) {
            prop_assert_eq!(parse_time(&time_micros(WallTime(micros))).unwrap(), WallTime(micros));
        }
    }
}
