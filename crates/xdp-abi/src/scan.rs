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

    /// 1 if it was probed within the `window` of ticks before `now`, else 0. A probe that another CPU dated a moment
    /// later counts. Written without a branch, because the kernel's verifier follows every path through sixteen slots.
    #[must_use]
    #[inline(always)]
    pub const fn live_bit(self, now: u64, window: u64) -> u64 {
        let age = now.wrapping_sub(self.tick());
        let is_old = window.wrapping_sub(age) >> 63;
        let is_taken = (self.0 | self.0.wrapping_neg()) >> 63;
        is_taken & (is_old ^ 1)
    }

    /// 1 if it holds `port`, else 0. Without a branch.
    #[must_use]
    #[inline(always)]
    pub const fn port_bit(self, port: u16) -> u64 {
        let difference = self.0 & 0xffff ^ port as u64;
        let is_taken = (self.0 | self.0.wrapping_neg()) >> 63;
        is_taken & difference.wrapping_sub(1) >> 63
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

    #[test]
    fn a_slot_lives_for_the_window_and_an_empty_one_never() {
        let slot = Slot::new(22, 100);
        assert_eq!([99, 100, 110, 111].map(|now| slot.live_bit(now, 10)), [1, 1, 1, 0], "another CPU may be a tick ahead");
        assert_eq!(Slot::EMPTY.live_bit(0, 10), 0);
        assert_eq!(Slot::new(0, 1).live_bit(1, 1), 1, "port 0 is a port");
    }

    #[test]
    fn a_slot_knows_its_port_and_an_empty_one_has_none() {
        assert_eq!([22, 23, 0].map(|port| Slot::new(22, 7).port_bit(port)), [1, 0, 0]);
        assert_eq!(Slot::EMPTY.port_bit(0), 0);
        assert_eq!(Slot::new(0, 7).port_bit(0), 1);
    }
}
