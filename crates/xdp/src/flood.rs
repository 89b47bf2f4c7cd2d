//! What a flood of SYNs to dark ports is, and how fast the program answers it by itself.

use crate::Error;
use honeymesh_xdp_abi::CookieSettings;

/// The highest rate of a flood, in SYNs a second and CPU. One a second means: from the first SYN on.
pub const FLOOD_SYNS_MAX: u32 = 1_000_000;
/// The most segments that the program answers in a second, on all CPUs together: each has its share. What comes beyond is
/// dropped and counted.
pub const ANSWERS_PER_SECOND_MAX: u64 = 50_000;
/// The most wrong cookies that may come in a second, on all CPUs together, before none is believed any more: so many
/// guesses, 2^31 to a hit, forge one handshake in thirty hours.
pub const GUESSES_PER_SECOND_MAX: u64 = 20_000;

const SECOND_NS: u64 = 1_000_000_000;

/// What happens when SYNs to dark ports are many, while dark ports are traps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flood {
    /// They go to the traps like any others.
    Off,
    /// The program shakes hands by itself, without a socket and without memory of any connection.
    Cookie {
        /// From so many SYNs a second on, on one CPU; 1 to [`FLOOD_SYNS_MAX`].
        syns_per_second: u32,
    },
}

impl Default for Flood {
    fn default() -> Self {
        Self::Cookie { syns_per_second: 200 }
    }
}

impl Flood {
    pub(crate) fn check(self) -> Result<(), Error> {
        match self {
            Self::Cookie { syns_per_second } if !(1..=FLOOD_SYNS_MAX).contains(&syns_per_second) => {
                Err(Error::Options("[traps] flood_syns_per_second must be from 1 to 1000000".into()))
            }
            _ => Ok(()),
        }
    }

    pub(crate) const fn is_on(self) -> bool {
        matches!(self, Self::Cookie { .. })
    }

    /// What the program is told.
    pub(crate) fn settings(self) -> CookieSettings {
        match self {
            Self::Off => CookieSettings::default(),
            Self::Cookie { syns_per_second } => CookieSettings {
                syn_cost_ns: SECOND_NS / u64::from(syns_per_second.max(1)),
                answer_cost_ns: cpus() * SECOND_NS / ANSWERS_PER_SECOND_MAX,
                guess_cost_ns: cpus() * SECOND_NS / GUESSES_PER_SECOND_MAX,
            },
        }
    }
}

/// The CPUs that run; one if nobody says.
fn cpus() -> u64 {
    aya::util::online_cpus().map_or(1, |cpus| cpus.len() as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_becomes_a_distance_in_time_and_all_cpus_share_the_answers() {
        let settings = Flood::Cookie { syns_per_second: 200 }.settings();
        assert_eq!(settings.syn_cost_ns, 5_000_000);
        assert_eq!((settings.answer_cost_ns / cpus(), settings.guess_cost_ns / cpus()), (20_000, 50_000));
        assert_eq!(Flood::Cookie { syns_per_second: 1 }.settings().syn_cost_ns, SECOND_NS, "a flood with the first SYN");
    }

    #[test]
    fn a_rate_out_of_bounds_is_refused() {
        let refused = |syns_per_second| Flood::Cookie { syns_per_second }.check().is_err();
        assert!(refused(0) && refused(FLOOD_SYNS_MAX + 1) && !refused(1) && !refused(FLOOD_SYNS_MAX));
        assert!(Flood::Off.check().is_ok());
    }
}
