//! The kernel's cheapest clock, against `CLOCK_BOOTTIME`.
//!
//! Exact bans end by jiffies, which the program reads at the price of one load. Jiffies advance with `CLOCK_MONOTONIC`,
//! to the nanosecond of their length, so that one look at both calibrates them for good. While the machine is suspended
//! they stand still and `CLOCK_BOOTTIME` goes on: a ban then ends later by that time, until the next audit finds its end
//! changed and mends it.

use crate::{Error, bpf, system};
use honeymesh_xdp_abi::{FOREVER, Header, Life};
use nix::time::{ClockId, clock_getres, clock_gettime};
use std::{os::fd::AsFd, time::Duration};

/// A tick is as many jiffies, as a power of two, as fit into this: 32 bits of ticks last for years.
const TICK_NS_MAX: u64 = 64_000_000;
/// Lengths of a jiffy that kernels have: 1,200 to 24 in a second.
const JIFFY_NS: std::ops::RangeInclusive<u64> = 800_000..=42_000_000;
/// A look at both clocks that took longer is repeated.
const LOOK_MAX: Duration = Duration::from_millis(1);
const LOOKS_MAX: u32 = 32;

/// Ticks, calibrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticks {
    jiffy_ns: u64,
    shift: u32,
    /// `CLOCK_MONOTONIC` at jiffy 0, at most a jiffy late: long before the boot, because jiffies begin high.
    epoch_ns: i64,
}

/// [`Ticks`] at a moment: how long the machine has been suspended so far is known, too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    ticks: Ticks,
    /// `CLOCK_BOOTTIME` at jiffy 0.
    epoch_ns: i64,
}

fn nanos(clock: ClockId) -> i64 {
    clock_gettime(clock).map_or(0, |time| Duration::from(time).as_nanos().try_into().unwrap_or(i64::MAX))
}

impl Ticks {
    /// Looks at both clocks. Needs the power to load a program.
    pub(crate) fn calibrate() -> Result<Self, Error> {
        let refused = |what: &str, error: &dyn std::fmt::Display| Error::Refused(format!("{what}: {error}"));
        let jiffy = clock_getres(ClockId::CLOCK_MONOTONIC_COARSE).map(Duration::from);
        let jiffy = jiffy.map_err(|error| refused("the length of a jiffy cannot be told", &error))?;
        let jiffy_ns = u64::try_from(jiffy.as_nanos()).unwrap_or(u64::MAX);
        if !JIFFY_NS.contains(&jiffy_ns) {
            return Err(refused("a jiffy is implausibly long", &format_args!("{jiffy_ns} ns")));
        }
        let failed = |error: std::io::Error| match system::is_denied(error.raw_os_error()) {
            true => Error::Privilege { doing: "read the kernel's clock".into() },
            false => refused("the kernel's clock cannot be read", &error),
        };
        let (low, high) = (bpf::load_jiffies(0).map_err(failed)?, bpf::load_jiffies(32).map_err(failed)?);
        let read = |program: &std::os::fd::OwnedFd| bpf::run(program.as_fd()).map_err(failed);
        let mut looks = 0;
        loop {
            let before = nanos(ClockId::CLOCK_MONOTONIC);
            let (above, jiffies) = (read(&high)?, u64::from(read(&low)?));
            let (again, after) = (read(&high)?, nanos(ClockId::CLOCK_MONOTONIC));
            looks += 1;
            let took = Duration::from_nanos((after - before).unsigned_abs());
            if above == again && (took <= LOOK_MAX || looks >= LOOKS_MAX) {
                return Ok(Self::new(jiffy_ns, u64::from(above) << 32 | jiffies, after));
            }
        }
    }

    fn new(jiffy_ns: u64, jiffies: u64, mono_ns: i64) -> Self {
        let shift = (TICK_NS_MAX / jiffy_ns).max(1).ilog2();
        let since = i64::try_from(u128::from(jiffies) * u128::from(jiffy_ns)).unwrap_or(i64::MAX);
        Self { jiffy_ns, shift, epoch_ns: mono_ns.saturating_sub(since) }
    }

    /// Does a table count in these ticks?
    pub(crate) fn fit(&self, header: &Header) -> bool {
        header.tick_shift == self.shift && u64::from(header.jiffy_ns) == self.jiffy_ns
    }

    /// A header that tells of these ticks.
    pub(crate) fn header(&self) -> Header {
        Header { tick_shift: self.shift, jiffy_ns: u32::try_from(self.jiffy_ns).unwrap_or(0), ..Header::default() }
    }

    pub(crate) fn clock(&self) -> Clock {
        let slept_ns = nanos(ClockId::CLOCK_BOOTTIME).saturating_sub(nanos(ClockId::CLOCK_MONOTONIC));
        Clock { ticks: *self, epoch_ns: self.epoch_ns.saturating_add(slept_ns) }
    }
}

impl Clock {
    const fn tick_ns(&self) -> i64 {
        (self.ticks.jiffy_ns << self.ticks.shift).cast_signed()
    }

    const fn since_epoch(&self, boot_ns: u64) -> i64 {
        let boot_ns = if boot_ns > i64::MAX as u64 / 2 { i64::MAX / 2 } else { boot_ns.cast_signed() };
        let since = boot_ns.saturating_sub(self.epoch_ns);
        if since < 0 { 0 } else { since }
    }

    /// The first tick at which a ban is over that ends at `deadline_ns` of `CLOCK_BOOTTIME`: never early, and late by two
    /// ticks at most. What is further away than ticks can tell ends with the last one.
    pub(crate) fn expiry(&self, deadline_ns: u64) -> u32 {
        if deadline_ns == FOREVER {
            return Life::FOREVER;
        }
        let tick_ns = self.tick_ns();
        let ticks = (self.since_epoch(deadline_ns) + tick_ns - 1) / tick_ns + 1;
        u32::try_from(ticks).unwrap_or(Life::FOREVER).clamp(1, Life::FOREVER - 1)
    }

    /// The other way round, to about two ticks.
    pub(crate) fn deadline_ns(&self, expiry: u32) -> u64 {
        if expiry == Life::FOREVER {
            return FOREVER;
        }
        let since = i64::from(expiry.saturating_sub(1)).saturating_mul(self.tick_ns());
        self.epoch_ns.saturating_add(since).max(0).unsigned_abs()
    }

    /// The tick at `boot_ns`; the kernel may be there already when this says one less.
    pub(crate) fn tick(&self, boot_ns: u64) -> u64 {
        (self.since_epoch(boot_ns) / self.tick_ns()).unsigned_abs()
    }

    /// So much time in ticks, rounded up.
    pub(crate) fn ticks_in(&self, time: Duration) -> u32 {
        let tick_ns = self.tick_ns().unsigned_abs();
        u32::try_from(time.as_nanos().div_ceil(tick_ns.into())).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A kernel with 250 jiffies a second, which begin as Linux's do, a day after its boot.
    pub(crate) fn clock() -> Clock {
        let day_ns = 86_400_000_000_000_i64;
        let ticks = Ticks::new(4_000_000, 4_294_892_296 + 21_600_000, day_ns + 1_000_000);
        Clock { ticks, epoch_ns: ticks.epoch_ns }
    }

    #[test]
    fn ticks_are_as_long_as_they_may_be() {
        let shift = |jiffy_ns| Ticks::new(jiffy_ns, 0, 0).shift;
        assert_eq!([1_000_000, 3_333_333, 4_000_000, 10_000_000, 100_000_000].map(shift), [6, 4, 4, 2, 0]);
    }

    #[test]
    fn no_end_is_early_and_none_is_later_than_two_ticks() {
        let clock = clock();
        for deadline_ns in (86_400_000_000_000..86_401_000_000_000_u64).step_by(7_654_321) {
            let expiry = clock.expiry(deadline_ns);
            let ends_ns = (i64::from(expiry) * 64_000_000 + clock.epoch_ns).unsigned_abs();
            // The epoch is known to a jiffy.
            assert!((deadline_ns + 4_000_000..=deadline_ns + 128_000_000).contains(&ends_ns), "{deadline_ns} {ends_ns}");
            assert!(clock.deadline_ns(expiry).abs_diff(deadline_ns) <= 128_000_000);
            assert!(u64::from(expiry) > clock.tick(deadline_ns));
        }
    }

    #[test]
    fn ends_beyond_all_ticks_and_before_the_first_are_ends_and_not_for_ever() {
        let clock = clock();
        assert_eq!((clock.expiry(FOREVER), clock.deadline_ns(Life::FOREVER)), (Life::FOREVER, FOREVER));
        assert_eq!(clock.expiry(FOREVER - 1), Life::FOREVER - 1);
        assert!(u64::from(clock.expiry(0)) < clock.tick(86_400_000_000_000));
        let years_ns = clock.deadline_ns(Life::FOREVER - 1);
        assert!(years_ns > 2 * 365 * 86_400_000_000_000, "{years_ns}");
    }
}
