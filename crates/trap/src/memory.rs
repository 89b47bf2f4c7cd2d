//! How much memory playing takes at most: what the process that plays is limited to, and what tests hold sessions to.

use crate::{Limits, rules::RULE_MEMORY_MAX};

/// What one session of a protocol may hold between two pieces of what it hears, in octets: a whole packet, upload or statement,
/// and what was found. Every input of the fuzzer is held to it (`fuzz/src/talk.rs`).
pub const SESSION_HELD_BYTES_MAX: usize = 512 << 10;
/// What a session may have while it takes one piece, in octets. Whoever plays has one thread, so one session at a time does.
pub const SESSION_PEAK_BYTES_MAX: usize = 1 << 20;
/// What TLS and its carrier hold for a session besides, in octets: a handshake message of 64 KiB (the longest that rustls takes), an
/// answer in the clear and sealed (`ANSWER_BYTES_MAX` each), a record each way, keys.
pub const SESSION_TLS_BYTES_MAX: usize = 192 << 10;
/// Besides what sessions take, in octets: the program, its libraries, what the allocator sets aside.
pub const MEMORY_BESIDES: usize = 512 << 20;

/// The address space that whoever plays can need, in octets: all sessions there may be ([`Limits::open_max`]), each as full as a session gets. An
/// allocation beyond it fails, which ends everybody's session, so it must be more than strangers can fill.
#[must_use]
pub fn address_space_max(limits: &Limits, has_rules: bool) -> usize {
    let each = limits.capture_bytes_max.saturating_add(SESSION_HELD_BYTES_MAX + SESSION_TLS_BYTES_MAX);
    let rules = if has_rules { RULE_MEMORY_MAX } else { 0 };
    limits.open_max().saturating_mul(each).saturating_add(MEMORY_BESIDES + SESSION_PEAK_BYTES_MAX).saturating_add(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_session_finds_room_for_all_it_may_hold_and_a_limit_never_wraps_around() {
        let limits = Limits { sessions_max: 20_000, ..Limits::default() };
        let one_less = Limits { sessions_max: 19_999, ..Limits::default() };
        let each = address_space_max(&limits, false) - address_space_max(&one_less, false);
        assert_eq!(each, limits.capture_bytes_max + (512 + 192) * 1_024);
        assert_eq!(address_space_max(&limits, true) - address_space_max(&limits, false), RULE_MEMORY_MAX);
        assert_eq!(address_space_max(&Limits { sessions_max: usize::MAX, ..limits }, true), usize::MAX);
    }
}
