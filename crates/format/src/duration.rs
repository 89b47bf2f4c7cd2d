//! Durations as people write them: `90s`, `5m`, `24h`, `7d`, and `forever` for a ban.

use std::{str::FromStr, time::Duration};

/// The longest duration that is understood: ten years. Longer ones are typing errors.
pub const DURATION_MAX: Duration = Duration::from_secs(3_650 * 86_400);

/// The units with their milliseconds; `ms` before `s`, because the first suffix that fits is taken.
const UNITS: [(&str, u64); 6] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It is not a whole number and a unit.
    #[error("`{0}` is no duration; write a whole number and a unit, such as 90s, 5m, 24h or 7d")]
    Syntax(String),
    /// It is longer than [`DURATION_MAX`].
    #[error("`{0}` is longer than ten years (3650d); write less, or forever where a ban is meant")]
    TooLong(String),
}

/// Reads `250ms`, `90s`, `5m`, `24h`, `7d`, `2w`: a whole number and a unit.
///
/// # Errors
/// The text is something else, or means more than [`DURATION_MAX`].
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let shown = || crate::printable(text).chars().take(64).collect::<String>();
    let (digits, unit_ms) = UNITS
        .into_iter()
        .find_map(|(unit, unit_ms)| Some((text.strip_suffix(unit)?, unit_ms)))
        .filter(|(digits, _)| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .ok_or_else(|| DurationError::Syntax(shown()))?;
    digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit_ms))
        .map(Duration::from_millis)
        .filter(|total| *total <= DURATION_MAX)
        .ok_or_else(|| DurationError::TooLong(shown()))
}

/// A duration for eyes, in its two largest units, rounded down: `2d 3h`, `4m 7s`, `0s`.
#[must_use]
pub fn duration_text(duration: Duration) -> String {
    let mut rest = duration.as_secs();
    let mut parts = Vec::new();
    for (unit, seconds) in [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
        let count = rest / seconds;
        rest %= seconds;
        if count > 0 {
            parts.push(format!("{count}{unit}"));
        } else if !parts.is_empty() {
            break;
        }
    }
    parts.truncate(2);
    if parts.is_empty() { "0s".into() } else { parts.join(" ") }
}

/// How long an ordered ban shall last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ttl {
    /// As the configuration says.
    #[default]
    Configured,
    /// Until somebody lifts it.
    Forever,
    /// This long.
    For(Duration),
}

impl FromStr for Ttl {
    type Err = DurationError;

    /// `forever`, or a duration longer than nothing.
    fn from_str(text: &str) -> Result<Self, DurationError> {
        if text == "forever" {
            return Ok(Self::Forever);
        }
        match parse_duration(text)? {
            Duration::ZERO => Err(DurationError::Syntax(text.into())),
            duration => Ok(Self::For(duration)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        let table = [("90s", 90), ("5m", 300), ("24h", 86_400), ("7d", 604_800), ("2w", 1_209_600), ("0s", 0)];
        for (text, seconds) in table {
            assert_eq!(parse_duration(text).unwrap(), Duration::from_secs(seconds), "{text}");
        }
        assert_eq!(parse_duration("250ms").unwrap(), Duration::from_millis(250));
        for bad in ["", "s", "5", "-1s", "+1s", "1.5h", "1 h", "5M", "99999999999999999999s", "3651d", "1h\n"] {
            assert!(parse_duration(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_ban_lasts_for_ever_or_longer_than_nothing() {
        assert_eq!("forever".parse(), Ok(Ttl::Forever));
        assert_eq!("1h".parse(), Ok(Ttl::For(Duration::from_secs(3_600))));
        assert!("0s".parse::<Ttl>().is_err() && "Forever".parse::<Ttl>().is_err());
    }

    #[test]
    fn people_read_two_units() {
        let table = [(0, "0s"), (59, "59s"), (247, "4m 7s"), (3_600, "1h"), (183_900, "2d 3h"), (86_405, "1d")];
        for (seconds, text) in table {
            assert_eq!(duration_text(Duration::from_secs(seconds)), text);
        }
    }
}
