//! What the operator decided: mode, lifetimes, bounds.

use crate::Class;
use core::time::Duration;
use honeymesh_types::{Grade, Mode, Reasons};

/// How long a ban lasts, by what earned it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ttls {
    /// A trap was touched.
    pub trap: Duration,
    /// A proved scan.
    pub scan: Duration,
    /// The most that a peer's word lasts here, from when it was said.
    pub mesh: Duration,
    /// Evidence that may be forged.
    pub spoofable: Duration,
    /// A block-list feed.
    pub feed: Duration,
    /// An operator's ban without a lifetime of its own; `None` is for ever.
    pub manual: Option<Duration>,
}

impl Ttls {
    /// What forgeable evidence earns unless configured otherwise.
    pub const SPOOFABLE_DEFAULT: Duration = Duration::from_mins(10);

    /// The same lifetime for everything but forgeable evidence, which gets the shorter of `ttl` and ten minutes.
    #[must_use]
    pub fn all(ttl: Duration) -> Self {
        let spoofable = ttl.min(Self::SPOOFABLE_DEFAULT);
        Self { trap: ttl, scan: ttl, mesh: ttl, spoofable, feed: ttl, manual: Some(ttl) }
    }

    /// How long a claim for `reasons` at `grade` lasts; `None` is for ever. Forgeable evidence always gets the
    /// spoofable lifetime; of several reasons the longest counts.
    #[must_use]
    pub fn of(&self, reasons: Reasons, grade: Grade) -> Option<Duration> {
        if grade == Grade::Spoofable {
            return Some(self.spoofable);
        }
        if reasons.contains(Reasons::MANUAL) {
            return self.manual;
        }
        let each =
            [(Reasons::TRAP, self.trap), (Reasons::SCAN, self.scan), (Reasons::FEED, self.feed), (Reasons::MESH, self.mesh)];
        each.into_iter().filter(|(reason, _)| reasons.contains(*reason)).map(|(_, ttl)| ttl).max()
    }
}

impl Default for Ttls {
    fn default() -> Self {
        Self::all(Duration::from_hours(24))
    }
}

/// What the operator decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether verdicts are carried out.
    pub mode: Mode,
    /// How many IPv4 addresses are held. At the bound, as at the others, a claim takes the place of a weaker ban (told as a change
    /// with [`Cause::Displaced`](crate::Cause::Displaced)) or is refused.
    pub bans_max: usize,
    /// How many IPv6 /64s are held; `None`: as many as `bans_max`.
    pub bans_v6_max: Option<usize>,
    /// How many prefixes are held of each family, single IPv6 addresses among them.
    pub nets_max: usize,
    /// How many claims made of forgeable evidence are held; at the bound further ones are refused.
    pub spoofable_max: usize,
    /// Lifetimes.
    pub ttl: Ttls,
}

impl Policy {
    /// How many prefixes of each family a kernel's table holds.
    pub const NETS_MAX: usize = 65_536;

    /// How many subjects of a class are held.
    #[must_use]
    pub fn limit(&self, class: Class) -> usize {
        match class {
            Class::Hosts4 => self.bans_max,
            Class::Hosts6 => self.bans_v6_max.unwrap_or(self.bans_max),
            Class::Nets4 | Class::Nets6 => self.nets_max,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            bans_max: 1_000_000,
            bans_v6_max: None,
            nets_max: Self::NETS_MAX,
            spoofable_max: 10_000,
            ttl: Ttls::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_follow_the_reason_and_the_grade() {
        let hours = Duration::from_hours;
        let ttl = Ttls { trap: hours(5), scan: hours(3), feed: hours(2), mesh: hours(9), manual: None, ..Ttls::default() };
        let cases = [
            (Reasons::TRAP, Grade::Payload, Some(hours(5))),
            (Reasons::TRAP | Reasons::SCAN, Grade::Payload, Some(hours(5))),
            (Reasons::SCAN, Grade::Reactive, Some(hours(3))),
            (Reasons::SCAN, Grade::Spoofable, Some(Ttls::SPOOFABLE_DEFAULT)),
            (Reasons::FEED, Grade::Handshake, Some(hours(2))),
            (Reasons::MANUAL | Reasons::TRAP, Grade::Operator, None),
        ];
        for (reasons, grade, expected) in cases {
            assert_eq!(ttl.of(reasons, grade), expected, "{reasons} {grade}");
        }
    }

    #[test]
    fn a_short_default_shortens_forgeable_bans_too() {
        assert_eq!(Ttls::all(Duration::from_secs(5)).spoofable, Duration::from_secs(5));
        assert_eq!(Ttls::all(Duration::from_hours(24)).spoofable, Duration::from_mins(10));
    }
}
