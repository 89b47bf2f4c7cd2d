//! What the program tells user space through the ring buffer.

use crate::PORTS_MAX;

/// Addresses are IPv4, written as `::ffff:a.b.c.d`.
pub const FAMILY_V4: u8 = 4;
/// Addresses are IPv6.
pub const FAMILY_V6: u8 = 6;

/// A [`KnockRecord`]: a first probe of a dark port, below the threshold.
pub const KIND_PROBE: u8 = 0;
/// A [`ScanRecord`]: the probe that crossed the threshold.
pub const KIND_SCAN: u8 = 1;
/// A [`KnockRecord`]: a SYN of a silenced source, told so that its reactions can be weighed.
pub const KIND_SUSPECT: u8 = 2;

/// The probe was TCP.
pub const TRANSPORT_TCP: u8 = 6;
/// The probe was UDP.
pub const TRANSPORT_UDP: u8 = 17;

/// With [`KIND_SUSPECT`]: the coin said silence, and it was dropped.
pub const FATE_SILENT: u8 = 0;
/// With [`KIND_SUSPECT`]: the coin said an answer, and it went on to be refused.
pub const FATE_ANSWERED: u8 = 1;
/// With [`KIND_SUSPECT`]: dropped whatever the coin says, because the source has had its answers.
pub const FATE_SPENT: u8 = 2;

/// How many probes of one suspect are answered at most. Then it gets silence only.
pub const ANSWERS_MAX: u64 = 64;

/// One probe of a dark port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct KnockRecord {
    /// When the kernel saw it, in nanoseconds of `CLOCK_BOOTTIME`.
    pub at_ns: u64,
    /// The source it claimed, in network order.
    pub source: [u32; 4],
    /// The address it was sent to, in network order.
    pub dest: [u32; 4],
    /// The source port it claimed.
    pub source_port: u16,
    /// The dark port.
    pub port: u16,
    /// [`FAMILY_V4`] or [`FAMILY_V6`].
    pub family: u8,
    /// One of the `KIND_…`.
    pub kind: u8,
    /// With [`KIND_SCAN`]: 1 if the kernel placed an entry that silences the source. With [`KIND_SUSPECT`]: one of the
    /// `FATE_…`.
    pub fate: u8,
    /// [`TRANSPORT_TCP`] or [`TRANSPORT_UDP`].
    pub transport: u8,
}

/// The probe that crossed the threshold, with the ports that led to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ScanRecord {
    /// The probe.
    pub knock: KnockRecord,
    /// The [`crate::Slot`]s within the window, in no order; the others are zero.
    pub slots: [u64; PORTS_MAX],
}

/// What is told at most, for one processor: when the next record of each kind is due, so that a flood of probes neither
/// buries the daemon nor crowds out what matters more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct RecordLimits {
    /// In nanoseconds of `CLOCK_BOOTTIME`, indexed by kind.
    pub due_ns: [u64; 4],
}

/// How many records of a kind one processor writes in a second, in the long run; the other probes are counted as limited,
/// and judged all the same.
pub const RECORDS_PER_SECOND: [u64; 4] = [2_000, 1_000, 2_000, 1];

/// How many records of a kind one processor writes at once.
pub const RECORDS_BURST: u64 = 1_000;

/// Probes are told only while the ring buffer holds less than this many octets: the rest is for scans.
pub const RING_PROBES_MAX: u64 = 3 << 18;

const _: () = assert!(size_of::<RecordLimits>() == 32);
const _: () = assert!(size_of::<KnockRecord>() == 48);
const _: () = assert!(size_of::<ScanRecord>() == 176);
