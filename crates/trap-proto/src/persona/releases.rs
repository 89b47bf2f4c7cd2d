//! Debian 13's kernels and point releases with their days, as the archive has them.

use super::DAY_SECONDS;

/// A kernel of Debian 13.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// As `uname -r` prints it.
    pub release: &'static str,
    /// As `uname -v` prints it.
    pub build: &'static str,
    /// The day in it, counted from 1970-01-01.
    day: u64,
}

/// From the day in a kernel on until it is in the archive, fetched, and started by whoever starts a machine then, in days.
const UNTIL_STARTED_DAYS: u64 = 3;
/// From a point release on until a machine has all of it, in days.
const UNTIL_UPGRADED_DAYS: u64 = 2;

const fn kernel(day: u64, release: &'static str, build: &'static str) -> Kernel {
    Kernel { release, build, day }
}

/// All of `trixie` and `trixie-security`: the changelog of `linux` 6.12.118-1, and the packages' names. A newer one is added when
/// the persona is brought to a new season; until then machines stay with the last, as those do whose kernels wait for a restart.
const KERNELS: [Kernel; 29] = [
    kernel(20_285, "6.12.38+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.38-1 (2025-07-16)"),
    kernel(20_312, "6.12.41+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.41-1 (2025-08-12)"),
    kernel(20_327, "6.12.43+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.43-1 (2025-08-27)"),
    kernel(20_351, "6.12.48+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.48-1 (2025-09-20)"),
    kernel(20_397, "6.12.57+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.57-1 (2025-11-05)"),
    kernel(20_452, "6.12.63+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.63-1 (2025-12-30)"),
    kernel(20_492, "6.12.69+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.69-1 (2026-02-08)"),
    kernel(20_501, "6.12.73+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.73-1 (2026-02-17)"),
    kernel(20_513, "6.12.74+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.74-1 (2026-03-01)"),
    kernel(20_520, "6.12.74+deb13+1-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.74-2 (2026-03-08)"),
    kernel(20_573, "6.12.85+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.85-1 (2026-04-30)"),
    kernel(20_581, "6.12.86+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.86-1 (2026-05-08)"),
    kernel(20_588, "6.12.88+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.88-1 (2026-05-15)"),
    kernel(20_595, "6.12.90+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.90-1 (2026-05-22)"),
    kernel(20_600, "6.12.90+deb13.1-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.90-2 (2026-05-27)"),
    kernel(20_624, "6.12.94+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.94-1 (2026-06-20)"),
    kernel(20_638, "6.12.95+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.95-1 (2026-07-04)"),
    kernel(20_654, "6.12.96+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.96-1 (2026-07-20)"),
    kernel(20_664, "6.12.100+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.100-1 (2026-07-30)"),
    kernel(20_670, "6.12.101+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.101-1 (2026-08-05)"),
    kernel(20_689, "6.12.105+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.105-1 (2026-08-24)"),
    kernel(20_694, "6.12.107+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.107-1 (2026-08-29)"),
    kernel(20_724, "6.12.111+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.111-1 (2026-09-28)"),
    kernel(20_741, "6.12.113+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.113-1 (2026-10-15)"),
    kernel(20_757, "6.12.115+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.115-1 (2026-10-31)"),
    kernel(20_758, "6.12.115+deb13.1-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.115-2 (2026-11-01)"),
    kernel(20_764, "6.12.116+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.116-1 (2026-11-07)"),
    kernel(20_769, "6.12.117+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.117-1 (2026-11-12)"),
    kernel(20_777, "6.12.118+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.118-1 (2026-11-20)"),
];

/// Point releases with their days: the first Saturday that is a few days behind the version of `base-files` that names it.
const POINTS: [(u64, &str); 9] = [
    (20_309, "13.0"),
    (20_337, "13.1"),
    (20_407, "13.2"),
    (20_463, "13.3"),
    (20_526, "13.4"),
    (20_589, "13.5"),
    (20_645, "13.6"),
    (20_659, "13.7"),
    (20_771, "13.8"),
];

/// What a machine runs that was started at `booted` (seconds since 1970): the newest that was there by then.
pub(super) fn kernel_at(booted: u64) -> &'static Kernel {
    let day = booted / DAY_SECONDS;
    KERNELS.iter().rev().find(|kernel| kernel.day + UNTIL_STARTED_DAYS <= day).unwrap_or(&KERNELS[0])
}

/// What `/etc/debian_version` says at `now` (seconds since 1970): packages are upgraded by themselves, without a restart.
pub(super) fn point_at(now: u64) -> &'static str {
    let day = now / DAY_SECONDS;
    POINTS.iter().rev().find(|(since, _)| since + UNTIL_UPGRADED_DAYS <= day).unwrap_or(&POINTS[0]).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Moment;
    use alloc::format;

    #[test]
    fn every_kernel_says_its_own_day_and_version() {
        assert!(KERNELS.windows(2).all(|two| two[0].day < two[1].day));
        for Kernel { release, build, day } in KERNELS {
            let at = Moment::of(day * DAY_SECONDS);
            assert!(build.ends_with(&format!(" ({}-{:02}-{:02})", at.year, at.month, at.day)), "{build}");
            let version = release.split_once('+').unwrap().0;
            assert!(build.contains(&format!("Debian {version}-")) && release.ends_with("-amd64"), "{release} {build}");
        }
    }
}
