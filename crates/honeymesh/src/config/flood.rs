//! `[traps] flood` and `flood_syns_per_second`: what happens when connections to dark ports are many.

use super::{reader::Section, sections::choice};
use honeymesh_xdp::FLOOD_SYNS_MAX;

/// SYNs a second and CPU that begin a flood unless given.
const SYNS_PER_SECOND: u32 = 200;

/// Who answers a flood of connections to dark ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flood {
    /// The kernel program by itself, without sockets.
    Cookie,
    /// The traps, as far as they can.
    Off,
}

/// The part of `[traps]` about floods. Without traps on dark ports it means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloodSection {
    /// Who answers.
    pub flood: Flood,
    /// From how many SYNs a second on, on one CPU.
    pub syns_per_second: u32,
}

/// Reads it from `[traps]`.
pub(super) fn flood(section: &Section<'_, '_>) -> FloodSection {
    let flood = choice(section, "flood", &[("cookie", Flood::Cookie), ("off", Flood::Off)]);
    let given = section.number("flood_syns_per_second", 1..=FLOOD_SYNS_MAX.into());
    let syns_per_second = given.and_then(|given| u32::try_from(given.value).ok()).unwrap_or(SYNS_PER_SECOND);
    FloodSection { flood, syns_per_second }
}
