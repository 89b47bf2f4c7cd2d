//! SQLite's integers are signed; ours are not.

use honeymesh_types::WallTime;

/// Numbers beyond 2^63 - 1 are stored as that.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Negative numbers, which nobody stored, are read as zero.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

pub(crate) fn micros(time: WallTime) -> i64 {
    signed(time.0)
}

/// The end of time comes back as the end of time.
pub(crate) fn time(micros: i64) -> WallTime {
    if micros == i64::MAX { WallTime::MAX } else { WallTime(unsigned(micros)) }
}
