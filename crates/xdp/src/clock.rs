//! The two clocks of this machine.

use honeymesh_types::{MonoTime, Now, WallTime};
use nix::time::{ClockId, clock_gettime};

/// Both clocks, read one after the other: `CLOCK_REALTIME` and `CLOCK_BOOTTIME`.
///
/// A clock that cannot be read, which no supported kernel has, reads as zero.
#[must_use]
pub fn now() -> Now {
    Now { wall: WallTime(micros(ClockId::CLOCK_REALTIME)), mono: MonoTime(micros(ClockId::CLOCK_BOOTTIME)) }
}

fn micros(clock: ClockId) -> u64 {
    let Ok(time) = clock_gettime(clock) else { return 0 };
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec()).unwrap_or(0);
    seconds.saturating_mul(1_000_000).saturating_add(nanos / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clocks_run_and_are_the_right_ones() {
        let (first, second) = (now(), now());
        assert!(second.mono >= first.mono);
        let year_2020 = WallTime(1_577_836_800_000_000);
        assert!(first.wall > year_2020 && first.mono.0 < year_2020.0, "wall and boot time are not swapped");
    }
}
