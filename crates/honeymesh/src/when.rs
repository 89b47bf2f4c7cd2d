//! Points in time as people give them: so long ago, or a date with a time.

use crate::config::values;
use honeymesh_types::WallTime;
use std::time::Duration;

/// A point in time that may depend on when it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// So long ago.
    Ago(Duration),
    /// Then.
    At(WallTime),
}

impl When {
    /// The point in time, if it is `now`.
    #[must_use]
    pub fn at(self, now: WallTime) -> WallTime {
        match self {
            Self::Ago(ago) => now.minus(ago),
            Self::At(at) => at,
        }
    }
}

/// `1h`, `2026-11-22T10:00:00Z`, `2026-11-22T10:00:00+01:00`, or `2026-11-22` (midnight UTC).
///
/// # Errors
/// The text is something else, or a time before 1970.
pub fn parse(text: &str) -> Result<When, String> {
    if let Ok(ago) = values::duration(text) {
        return Ok(When::Ago(ago));
    }
    let at = honeymesh_format::parse_time(text).ok().or_else(|| midnight(text));
    at.map(When::At).ok_or_else(|| {
        format!("`{text}` is no time; write how long ago, such as 1h or 7d, or a time such as 2026-11-22T10:00:00Z")
    })
}

/// A date alone: its midnight in UTC.
fn midnight(text: &str) -> Option<WallTime> {
    const DATE_BYTES: usize = 10;
    (text.len() == DATE_BYTES).then(|| honeymesh_format::parse_time(&format!("{text}T00:00:00Z")).ok())?
}

/// The wall clock.
#[must_use]
pub fn now() -> WallTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    WallTime::default().plus(since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now = WallTime::from_millis(10_000_000);
        assert_eq!(parse("1h").unwrap().at(now), WallTime::from_millis(6_400_000));
        assert_eq!(parse("1970-01-01T00:00:01Z"), Ok(When::At(WallTime::from_millis(1_000))));
        assert_eq!(parse("1970-01-01T01:00:01+01:00"), Ok(When::At(WallTime::from_millis(1_000))));
        assert_eq!(parse("1970-01-02"), Ok(When::At(WallTime::from_millis(86_400_000))));
    }

    #[test]
    fn other_times_are_refused_with_the_mend() {
        for bad in ["", "yesterday", "2026-13-01", "1969-12-31T00:00:00Z", "10:00", "2026-11-22T10:00:00"] {
            assert!(parse(bad).unwrap_err().contains("such as 1h or 7d"), "{bad:?}");
        }
    }
}
