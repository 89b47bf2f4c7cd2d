//! What is remembered of sources that probe dark ports: a table of buckets, each with four sources and, for each of them, a
//! sliding window of distinct ports.
//!
//! A bucket is found by a keyed hash of the source, and the source in it by all 64 bits of that hash: its fingerprint. Two
//! sources are taken for one only if all 64 bits agree, which nobody can arrange who does not know the key, and which
//! happens by chance to one source among 65,536 others once in 2^48. Leftovers of an evicted source are cleared before the
//! next one owns the way, and what a processor writes late for the evicted one carries the evicted one's [`Slot::tag`].

use crate::{SourceKey, siphash};

/// The most distinct ports remembered for one source, and so the highest threshold.
pub const PORTS_MAX: usize = 16;

/// From here on up to 1,023 are the ports that privileged clients of RPC ask from (`bindresvport`, `rresvport`), and DHCPv6's, syslog's
/// and RIP's: an answer from a well-known port may be for one of them.
pub const ASKED_FROM_MIN: u16 = 512;

/// The ports below [`ASKED_FROM_MIN`] from which hosts ask, because the service asks from where it listens, or as DHCP's clients do: DNS, DHCP
/// (both), NTP, NetBIOS (both), IKE.
pub const ASKED_FROM: [u16; 7] = [53, 67, 68, 123, 137, 138, 500];

/// Can an answer from a well-known port be for this port? If not, a datagram from there to it is a probe, whose source port was chosen
/// to look like an answer.
#[must_use]
pub const fn is_asked_from(port: u16) -> bool {
    // Written out: the kernel's verifier follows no loop for this. A test holds it against the list.
    port >= ASKED_FROM_MIN || matches!(port, 53 | 67 | 68 | 123 | 137 | 138 | 500)
}

/// How many sources share a bucket.
pub const WAYS: usize = 4;

/// A tick is 2^20 ns, about a millisecond: fine enough for a window.
pub const TICK_BITS: u32 = 20;

/// How many bits of a tick are kept: it comes round after 2.28 years, and a window is a day at most.
pub const TICK_KEPT_BITS: u32 = 36;

/// A tick as it is kept.
pub const TICK_MASK: u64 = (1 << TICK_KEPT_BITS) - 1;

/// How far the clocks of two processors may be apart, in ticks: what another one dated this much later is not yet old.
pub const TICKS_AHEAD_MAX: u64 = 1 << 10;

/// A time or a length of time in nanoseconds as ticks.
#[must_use]
pub const fn ticks(ns: u64) -> u64 {
    ns >> TICK_BITS
}

/// How many ticks `tick` lies before `now`, both as kept. What lies up to [`TICKS_AHEAD_MAX`] ahead is of now.
#[must_use]
#[inline(always)]
pub const fn age(now: u64, tick: u64) -> u64 {
    let shifted = now.wrapping_sub(tick).wrapping_add(TICKS_AHEAD_MAX) & TICK_MASK;
    shifted.saturating_sub(TICKS_AHEAD_MAX)
}

/// One port and when it was probed last, in one word so that it is replaced in one step. Zero is an empty slot.
///
/// From the top: 36 bits of the tick, 12 bits of the source's fingerprint, 16 bits of the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(pub u64);

impl Slot {
    /// No port.
    pub const EMPTY: Self = Self(0);

    /// `port` as probed at `tick` by the source with this `tag`.
    #[must_use]
    #[inline(always)]
    pub const fn new(port: u16, tag: u64, tick: u64) -> Self {
        Self((tick & TICK_MASK) << 28 | (tag & 0xfff) << 16 | port as u64)
    }

    /// The port.
    #[must_use]
    #[inline(always)]
    pub const fn port(self) -> u16 {
        (self.0 & 0xffff) as u16
    }

    /// Whose it is: 1 to 4095; 0 is nobody's.
    #[must_use]
    #[inline(always)]
    pub const fn tag(self) -> u64 {
        self.0 >> 16 & 0xfff
    }

    /// When it was probed.
    #[must_use]
    #[inline(always)]
    pub const fn tick(self) -> u64 {
        self.0 >> 28
    }
}

/// What [`Slot`]s of the source with this fingerprint are marked with: never zero.
#[must_use]
#[inline(always)]
pub const fn tag(print: u64) -> u64 {
    let tag = print >> 40 & 0xfff;
    // Without a branch: 1 in the place of 0.
    tag | tag.wrapping_sub(1) >> 63
}

/// Set in a way's fingerprint while its slots are being cleared for a new owner.
pub const TAKING: u64 = 1;

/// The fingerprint out of a keyed hash: never zero, without [`TAKING`].
#[must_use]
#[inline(always)]
pub const fn fingerprint(hash: u64) -> u64 {
    (hash | 1 << 63) & !TAKING
}

/// What is known of a way without a look at its slots.
///
/// From the top: 36 bits of the tick at which the source came in (kept from falling behind its last probe by more than half a
/// window), one bit that says whether any of its probes was ever answered although it is a suspect, 15 bits of how many were in this silence, 12 bits of how many distinct ports it
/// had within the window when it probed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(pub u64);

/// Where a [`Mark`] says that its source was weighed.
const WEIGHED: u64 = 1 << 27;

impl Mark {
    /// A mark.
    #[must_use]
    #[inline(always)]
    pub const fn new(tick: u64, answered: u64, ports: u64) -> Self {
        Self((tick & TICK_MASK) << 28 | (answered & 0x7fff) << 12 | ports & 0xfff)
    }

    /// When the source came in.
    #[must_use]
    #[inline(always)]
    pub const fn tick(self) -> u64 {
        self.0 >> 28
    }

    /// How many of its probes were answered in this silence, though it is a suspect.
    #[must_use]
    #[inline(always)]
    pub const fn answered(self) -> u64 {
        self.0 >> 12 & 0x7fff
    }

    /// Was any of its probes answered, in this silence or in one before, though it was a suspect?
    #[must_use]
    #[inline(always)]
    pub const fn was_weighed(self) -> bool {
        self.0 & WEIGHED != 0
    }

    /// A mark of the same source with these values. Whether it was weighed stays.
    #[must_use]
    #[inline(always)]
    pub const fn with(self, tick: u64, answered: u64, ports: u64) -> Self {
        Self(Self::new(tick, answered, ports).0 | self.0 & WEIGHED)
    }

    /// One answer more.
    #[must_use]
    #[inline(always)]
    pub const fn answering(self) -> Self {
        Self(Self::new(self.tick(), self.answered() + 1, self.ports()).0 | WEIGHED)
    }

    /// How many distinct ports it had within the window.
    #[must_use]
    #[inline(always)]
    pub const fn ports(self) -> u64 {
        self.0 & 0xfff
    }
}

/// Four sources: 576 octets, 144 a source. A source that is looked for costs the first cache line, and two more if it is
/// there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ScanBucket {
    /// Fingerprints; zero is nobody.
    pub prints: [u64; WAYS],
    /// [`Mark`]s.
    pub marks: [u64; WAYS],
    /// [`Slot`]s of each way, in no order.
    pub slots: [[u64; PORTS_MAX]; WAYS],
}

impl ScanBucket {
    /// Nobody.
    pub const EMPTY: Self = Self { prints: [0; WAYS], marks: [0; WAYS], slots: [[0; PORTS_MAX]; WAYS] };
}

/// What a hash is for: no two purposes share an outcome.
const PRINT: u64 = 1;
const COIN: u64 = 2;

/// The keyed hash by which a source is remembered: its low bits choose the bucket.
#[must_use]
#[inline(always)]
pub const fn source_hash(secret: [u64; 2], source: SourceKey) -> u64 {
    let [address, family] = source.words();
    siphash(secret, address, family | PRINT << 56)
}

/// Does this suspect go on being answered on this port? A fair coin that only the holder of the secret can foresee, thrown
/// once for each source and port.
#[must_use]
#[inline(always)]
pub const fn is_answered(secret: [u64; 2], source: SourceKey, port: u16) -> bool {
    let [address, family] = source.words();
    siphash(secret, address, family | (port as u64) << 32 | COIN << 56) & 1 == 1
}

const _: () = assert!(size_of::<ScanBucket>() == 576);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_keeps_port_owner_and_time() {
        let slot = Slot::new(65_535, 0xfff, TICK_MASK);
        assert_eq!((slot.port(), slot.tag(), slot.tick()), (65_535, 0xfff, TICK_MASK));
        let wrapped = Slot::new(22, 1, TICK_MASK + 6);
        assert_eq!((wrapped.port(), wrapped.tag(), wrapped.tick()), (22, 1, 5));
        assert_ne!(Slot::new(0, tag(0), 0), Slot::EMPTY, "port 0 at time 0 is a port");
    }

    #[test]
    fn a_mark_keeps_time_and_counts() {
        let mark = Mark::new(TICK_MASK + 3, 64, 16);
        assert_eq!((mark.tick(), mark.answered(), mark.ports()), (2, 64, 16));
    }

    #[test]
    fn a_mark_remembers_that_its_source_was_weighed() {
        let mark = Mark::new(9, 63, 16);
        let answered = mark.answering();
        assert!(!mark.was_weighed() && !mark.with(1, 0, 1).was_weighed());
        assert_eq!((answered.tick(), answered.answered(), answered.ports(), answered.was_weighed()), (9, 64, 16, true));
        let later = answered.with(11, 0, 1);
        assert_eq!((later.tick(), later.answered(), later.ports(), later.was_weighed()), (11, 0, 1, true));
    }

    #[test]
    fn the_ports_that_hosts_ask_from_are_those_of_the_list() {
        for port in 0..=u16::MAX {
            assert_eq!(is_asked_from(port), port >= ASKED_FROM_MIN || ASKED_FROM.contains(&port), "{port}");
        }
    }

    #[test]
    fn ages_go_on_where_the_clock_comes_round() {
        assert_eq!(age(10, 4), 6);
        assert_eq!(age(3, TICK_MASK - 1), 5);
        assert_eq!(age(4, 4 + TICKS_AHEAD_MAX), 0, "another processor's clock is a little ahead");
        assert!(age(4, 5 + TICKS_AHEAD_MAX) > 1 << 35, "but what is far ahead is from the round before");
    }

    #[test]
    fn a_fingerprint_is_never_nobody_and_never_being_taken() {
        for hash in [0, 1, u64::MAX] {
            assert!(fingerprint(hash) != 0 && fingerprint(hash) & TAKING == 0 && tag(fingerprint(hash)) != 0);
        }
    }

    #[test]
    fn a_hundred_thousand_sources_have_as_many_hashes_and_fair_coins() {
        let mut hashes = [0; 4_096];
        let mut answered = 0;
        for index in 0..100_000_u32 {
            let source = SourceKey::v4(0x0a00_0000 + index);
            hashes[(source_hash([1, 2], source) & 4_095) as usize] += 1;
            answered += u32::from(is_answered([1, 2], source, 80));
        }
        // 24.4 a bucket on average; 60 would be seven standard deviations away.
        assert!(hashes.iter().all(|count| (3..60).contains(count)), "{hashes:?}");
        assert!((49_000..51_000).contains(&answered), "{answered}");
        assert_ne!(source_hash([1, 2], SourceKey::v4(7)), source_hash([1, 3], SourceKey::v4(7)));
        let coins: u32 = (0..1_000).map(|port| u32::from(is_answered([1, 2], SourceKey::v4(7), port))).sum();
        assert!((430..570).contains(&coins), "{coins}");
    }
}
