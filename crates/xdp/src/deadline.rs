//! A ban's end in the kernel's clock.

use crate::{bans::Held, ticks::Clock};
use honeymesh_types::{Enforcement, Now, WallTime};
use honeymesh_xdp_abi::{BanEntry, FOREVER, Life};

/// `CLOCK_BOOTTIME` in nanoseconds.
pub(crate) const fn boot_ns(now: Now) -> u64 {
    now.mono.0.saturating_mul(1_000)
}

/// Is the end still to come?
pub(crate) fn is_ahead(until: Option<WallTime>, now: Now) -> bool {
    until.is_none_or(|until| until > now.wall)
}

/// The kernel's entry for a ban.
pub(crate) fn entry(what: &Enforcement, hits: u64, now: Now) -> BanEntry {
    let end = |until| now.mono_at(until).0.saturating_mul(1_000).min(FOREVER - 1);
    BanEntry {
        deadline_ns: what.until.map_or(FOREVER, end),
        hits,
        reasons: what.reasons.bits(),
        scope: what.scope.code(),
        grade: what.grade.code(),
        bits: what.subject.prefix_len().into(),
    }
}

/// What an exact ban is like, its hits aside.
pub(crate) fn life(entry: &BanEntry, clock: &Clock) -> Life {
    Life::new(clock.expiry(entry.deadline_ns), entry.reasons, entry.scope, entry.grade)
}

/// An exact ban as an entry for a prefix of `bits`.
pub(crate) fn of_held(held: Held, bits: u32, clock: &Clock) -> BanEntry {
    let Held { life, hits } = held;
    let deadline_ns = clock.deadline_ns(life.expiry());
    BanEntry { deadline_ns, hits: hits.into(), reasons: life.reasons(), scope: life.scope(), grade: life.grade(), bits }
}

#[cfg(test)]
mod tests {
    use super::*;
    use honeymesh_types::{Grade, MonoTime, Reasons, Scope};
    use honeymesh_xdp_abi::{GRADE_SPOOFABLE, REASON_SCAN, SCOPE_ALL, SCOPE_DARK};

    const NOW: Now = Now { wall: WallTime(9_000_000), mono: MonoTime(1_000_000) };

    fn of(until: Option<WallTime>) -> u64 {
        let subject = "203.0.113.7".parse().unwrap();
        entry(&Enforcement { subject, reasons: Reasons::SCAN, grade: Grade::Hostile, scope: Scope::All, until }, 0, NOW)
            .deadline_ns
    }

    #[test]
    fn the_wall_clock_becomes_the_boot_clock() {
        assert_eq!(of(Some(WallTime(9_500_000))), 1_500_000_000);
        assert_eq!(of(None), FOREVER);
        assert_eq!(of(Some(WallTime::MAX)), FOREVER - 1, "far away is not for ever");
    }

    #[test]
    fn the_kernels_numbers_are_those_of_the_house() {
        assert_eq!([SCOPE_DARK, SCOPE_ALL], [Scope::Dark.code(), Scope::All.code()]);
        assert_eq!((REASON_SCAN, GRADE_SPOOFABLE), (Reasons::SCAN.bits(), Grade::Spoofable.code()));
    }
}
