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
    /// [`KIND_PROBE`] or [`KIND_SCAN`].
    pub kind: u8,
    /// With [`KIND_SCAN`]: 1 if the kernel placed an entry that silences the source.
    pub silenced: u8,
    /// Always zero.
    pub reserved: u8,
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

const _: () = assert!(size_of::<KnockRecord>() == 48);
const _: () = assert!(size_of::<ScanRecord>() == 176);
