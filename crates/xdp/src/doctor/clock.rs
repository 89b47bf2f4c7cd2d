//! Whether the machine's clock is kept right.
#![expect(unsafe_code, reason = "adjtimex(2) has no safe binding")]

use std::time::Duration;

/// What the kernel knows of its clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockFacts {
    /// Does something keep it right (NTP)? `None`: the kernel does not say.
    pub is_synchronized: Option<bool>,
    /// How far off it may be at most, as the kernel reckons; means nothing if it is not synchronized.
    pub error_max: Option<Duration>,
}

/// `TIME_ERROR`: the clock is not synchronized.
const NOT_SYNCHRONIZED: i32 = 5;

/// Asks the kernel, without changing anything.
#[must_use]
pub fn clock_facts() -> ClockFacts {
    // SAFETY: all zero is a valid `struct timex`.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: with no modes set it only fills in the struct, which lives through the call.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    if state < 0 {
        return ClockFacts::default();
    }
    let is_synchronized = state != NOT_SYNCHRONIZED && timex.status & libc::STA_UNSYNC == 0;
    let error_max = u64::try_from(timex.maxerror).ok().map(Duration::from_micros);
    ClockFacts { is_synchronized: Some(is_synchronized), error_max }
}
