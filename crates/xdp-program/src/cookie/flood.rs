//! Is there a flood, and how much may be answered and told?
//!
//! Buckets that leak a nanosecond each nanosecond (the generic cell rate algorithm, ITU-T I.371): no division, and the
//! same for any rate.

use honeymesh_xdp_abi::{CookieSettings, FloodMeter, TOLD_MAX};

/// A flood begins when the SYNs beyond the rate amount to so much of it: one second's.
pub const FLOOD_BURST_NS: u64 = 1_000_000_000;
/// In a flood each SYN counts twice and so much is kept at most: it ends below half the rate, after two seconds at once.
const FLOOD_LEVEL_NS_MAX: u64 = 2 * FLOOD_BURST_NS;
/// What may be answered or told at once.
const BURST_NS: u64 = 1_000_000_000;
/// One CPU tells at most one proof in so many nanoseconds, a thousand a second, and a thousand at once. What is over it is
/// counted as limited, and not answered either.
pub const RECORD_COST_NS: u64 = 1_000_000;

#[inline(always)]
fn leak(meter: &mut FloodMeter, now_ns: u64) {
    let passed = now_ns.saturating_sub(meter.at_ns);
    meter.at_ns = now_ns;
    meter.syns_ns = meter.syns_ns.saturating_sub(passed);
    meter.answers_ns = meter.answers_ns.saturating_sub(passed);
    meter.guesses_ns = meter.guesses_ns.saturating_sub(passed);
    meter.records_ns = meter.records_ns.saturating_sub(passed);
}

/// Counts one more SYN. Is it part of a flood?
#[inline(always)]
pub(super) fn is_flood(meter: &mut FloodMeter, settings: CookieSettings, now_ns: u64) -> bool {
    leak(meter, now_ns);
    if meter.syns_ns == 0 {
        meter.is_flood = 0;
    }
    let again = if meter.is_flood == 0 { 0 } else { settings.syn_cost_ns };
    let level = meter.syns_ns.saturating_add(settings.syn_cost_ns).saturating_add(again);
    meter.syns_ns = level.min(FLOOD_LEVEL_NS_MAX);
    if meter.syns_ns >= FLOOD_BURST_NS {
        meter.is_flood = 1;
    }
    meter.is_flood != 0
}

/// Counts one more answer, if there may be one.
#[inline(always)]
pub(super) fn may_answer(meter: &mut FloodMeter, settings: CookieSettings) -> bool {
    let level = meter.answers_ns.saturating_add(settings.answer_cost_ns);
    let may = level <= BURST_NS;
    if may {
        meter.answers_ns = level;
    }
    may
}

/// May one more cookie be looked at?
#[inline(always)]
pub(super) fn may_guess(meter: &mut FloodMeter, settings: CookieSettings, now_ns: u64) -> bool {
    leak(meter, now_ns);
    meter.guesses_ns.saturating_add(settings.guess_cost_ns) <= BURST_NS
}

/// Counts a cookie that was wrong.
#[inline(always)]
pub(super) fn guessed(meter: &mut FloodMeter, settings: CookieSettings) {
    meter.guesses_ns = meter.guesses_ns.saturating_add(settings.guess_cost_ns);
}

/// What is new about a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Novelty {
    /// It was told before.
    Told,
    /// It may be new, but too many were told of late.
    TooMany,
    /// The handshake, with or without payload.
    Handshake,
    /// The first payload of a handshake that was told.
    Payload,
}

/// What is new about the proof of `cookie`? If something is, one more record is counted.
#[inline(always)]
pub(super) fn novelty(meter: &mut FloodMeter, cookie: u32, has_payload: bool, now_ns: u64) -> Novelty {
    leak(meter, now_ns);
    let told = meter.told[place(cookie)];
    let is_known = told | 1 == cookie | 1;
    if is_known && (!has_payload || told & 1 == 1) {
        return Novelty::Told;
    }
    let level = meter.records_ns.saturating_add(RECORD_COST_NS);
    if level > BURST_NS {
        return Novelty::TooMany;
    }
    meter.records_ns = level;
    if is_known { Novelty::Payload } else { Novelty::Handshake }
}

/// Remembers that the proof of `cookie` was told.
#[inline(always)]
pub(super) fn remember(meter: &mut FloodMeter, cookie: u32, has_payload: bool) {
    meter.told[place(cookie)] = cookie & !1 | u32::from(has_payload);
}

/// Where a cookie is remembered. Its lowest bit is not part of the hash.
#[inline(always)]
const fn place(cookie: u32) -> usize {
    (cookie >> 1) as usize & (TOLD_MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// A hundred SYNs a second are a flood; ten answers a second.
    const SETTINGS: CookieSettings =
        CookieSettings { syn_cost_ns: SECOND / 100, answer_cost_ns: SECOND / 10, guess_cost_ns: SECOND / 10 };

    /// How many of `count` SYNs, `gap_ns` apart from `start_ns` on, are part of a flood.
    fn flooded(meter: &mut FloodMeter, start_ns: u64, gap_ns: u64, count: u64) -> u64 {
        (0..count).filter(|n| is_flood(meter, SETTINGS, start_ns + n * gap_ns)).count() as u64
    }

    #[test]
    fn below_the_rate_there_is_no_flood_however_long() {
        let mut meter = FloodMeter::EMPTY;
        assert_eq!(flooded(&mut meter, SECOND, SECOND / 99, 100_000), 0);
    }

    #[test]
    fn at_twice_the_rate_a_flood_begins_after_about_a_second() {
        let mut meter = FloodMeter::EMPTY;
        let quiet = 1_000 - flooded(&mut meter, SECOND, SECOND / 200, 1_000);
        assert!((190..=210).contains(&quiet), "{quiet}");
    }

    #[test]
    fn a_burst_of_one_second_is_a_flood_at_once() {
        let mut meter = FloodMeter::EMPTY;
        assert_eq!(flooded(&mut meter, SECOND, 0, 150), 51, "the hundredth on");
    }

    #[test]
    fn a_flood_lasts_until_the_rate_is_half_of_what_began_it() {
        let mut meter = FloodMeter::EMPTY;
        flooded(&mut meter, SECOND, 0, 300);
        assert_eq!(flooded(&mut meter, 2 * SECOND, SECOND / 60, 600), 600, "60 a second keep it up");
        let still = flooded(&mut meter, 12 * SECOND, SECOND / 40, 4_000);
        assert!((100..1_000).contains(&still), "{still}: 40 a second let it end");
        assert_eq!(flooded(&mut meter, 200 * SECOND, SECOND / 99, 1_000), 0, "and the next begins at the full rate");
    }

    #[test]
    fn a_cost_of_a_second_means_from_the_first_syn_on() {
        let always = CookieSettings { syn_cost_ns: SECOND, ..SETTINGS };
        let mut meter = FloodMeter::EMPTY;
        assert!(is_flood(&mut meter, always, SECOND) && is_flood(&mut meter, always, 1_000 * SECOND));
        let never = CookieSettings { syn_cost_ns: 0, ..SETTINGS };
        let mut meter = FloodMeter::EMPTY;
        assert!((0..10_000).all(|_| !is_flood(&mut meter, never, SECOND)));
    }

    #[test]
    fn answers_are_bounded_in_any_second() {
        let mut meter = FloodMeter::EMPTY;
        let mut answered = 0;
        for ms in 1..=5_000 {
            leak(&mut meter, ms * 1_000_000);
            answered += u64::from(may_answer(&mut meter, SETTINGS));
        }
        assert_eq!(answered, 10 + 50 - 1, "a burst of ten and ten a second");
    }

    #[test]
    fn after_too_many_wrong_cookies_none_is_looked_at_for_a_while() {
        let mut meter = FloodMeter::EMPTY;
        for _ in 0..10 {
            assert!(may_guess(&mut meter, SETTINGS, SECOND));
            guessed(&mut meter, SETTINGS);
        }
        assert!(!may_guess(&mut meter, SETTINGS, SECOND) && !may_guess(&mut meter, SETTINGS, SECOND + 99_000_000));
        assert!(may_guess(&mut meter, SETTINGS, SECOND + 100_000_000));
    }

    #[test]
    fn a_proof_is_told_once_and_its_payload_once() {
        let mut meter = FloodMeter::EMPTY;
        let mut told = |cookie, has_payload| {
            let found = novelty(&mut meter, cookie, has_payload, SECOND);
            if found != Novelty::Told {
                remember(&mut meter, cookie, has_payload);
            }
            found
        };
        assert_eq!([told(7, false), told(7, false)], [Novelty::Handshake, Novelty::Told]);
        assert_eq!([told(7, true), told(7, true), told(7, false)], [Novelty::Payload, Novelty::Told, Novelty::Told]);
        assert_eq!(told(0x9000_0009, true), Novelty::Handshake, "payload with the first segment");
    }

    #[test]
    fn proofs_that_come_too_fast_are_told_when_there_is_room_again() {
        let mut meter = FloodMeter::EMPTY;
        let fast = (0..5_000_u32).filter(|n| novelty(&mut meter, n << 1, true, SECOND) != Novelty::TooMany).count();
        assert_eq!(fast, 1_000);
        assert_eq!(novelty(&mut meter, 9_999 << 1, true, SECOND + RECORD_COST_NS), Novelty::Handshake);
    }
}
