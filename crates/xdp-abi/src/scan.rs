//! What is remembered of a source that probes dark ports: a sliding window of distinct ports.

/// The most distinct ports remembered for one source, and so the highest threshold.
pub const PORTS_MAX: usize = 16;

/// A tick is 2^20 ns, about a millisecond: fine enough for a window, and 48 bits of it outlast the machine.
pub const TICK_BITS: u32 = 20;

/// A time or a length of time in nanoseconds as ticks.
#[must_use]
pub const fn ticks(ns: u64) -> u64 {
    ns >> TICK_BITS
}

/// One port and when it was probed last, in one word so that it is replaced in one step. Zero is an empty slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(pub u64);

impl Slot {
    /// No port.
    pub const EMPTY: Self = Self(0);

    /// `port` as probed at `tick`, of which the lower 48 bits are kept.
    #[must_use]
    pub const fn new(port: u16, tick: u64) -> Self {
        Self(tick << 16 | port as u64)
    }

    /// The port.
    #[must_use]
    pub const fn port(self) -> u16 {
        (self.0 & 0xffff) as u16
    }

    /// When it was probed.
    #[must_use]
    pub const fn tick(self) -> u64 {
        self.0 >> 16
    }
}

/// What is remembered of one source: [`Slot`]s in no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ScanState(pub [u64; PORTS_MAX]);

impl ScanState {
    /// A source that probed nothing yet.
    pub const EMPTY: Self = Self([0; PORTS_MAX]);
}

const _: () = assert!(size_of::<ScanState>() == 128);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_keeps_port_and_time() {
        let slot = Slot::new(65_535, 0xffff_ffff_ffff);
        assert_eq!((slot.port(), slot.tick()), (65_535, 0xffff_ffff_ffff));
        assert_eq!(Slot::new(22, 1).port(), 22);
    }
}
