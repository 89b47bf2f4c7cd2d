//! The program's own handshake with strangers: its limits, its meters, and what it tells.

use crate::KnockRecord;

/// A [`VisitRecord`]: a source that finished a handshake with the program itself.
pub const KIND_VISIT: u8 = 8;

/// The program that greets, in the table of steps.
pub const STEP_GREET: u32 = 0;
/// The program that listens.
pub const STEP_LISTEN: u32 = 1;
/// The step that judges what may be a probe of a dark port.
pub const STEP_PROBE: u32 = 2;
/// The whole first step, for what the quick one leaves.
pub const STEP_FILTER: u32 = 3;
/// How many steps there are besides the first.
pub const STEPS: u32 = 4;

/// Octets of a stranger's first words that are told; the rest is only counted.
pub const PAYLOAD_MAX: usize = 128;

/// Handshakes that one CPU remembers having told, so that a repeated segment is told once. A power of two; a newer
/// one takes the place of an older one.
pub const TOLD_MAX: usize = 64;

/// How fast is a flood, and how fast the answers to one. Read only for a SYN to a dark port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct CookieSettings {
    /// A SYN to a dark port is a part of a flood if, on one CPU, they come faster than one in this many nanoseconds.
    pub syn_cost_ns: u64,
    /// One CPU answers at most one segment in this many nanoseconds, and those of one second at once.
    pub answer_cost_ns: u64,
    /// One CPU believes no cookie while wrong ones have come faster than one in this many nanoseconds, for a second.
    pub guess_cost_ns: u64,
}

/// What one CPU remembers of floods: levels of buckets that leak a nanosecond each nanosecond. Nothing of any
/// connection, so it never grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct FloodMeter {
    /// When the levels were right, in nanoseconds of `CLOCK_BOOTTIME`.
    pub at_ns: u64,
    /// The level of SYNs to dark ports.
    pub syns_ns: u64,
    /// The level of answers.
    pub answers_ns: u64,
    /// The level of wrong cookies.
    pub guesses_ns: u64,
    /// The level of records.
    pub records_ns: u64,
    /// 1 while there is a flood, else 0.
    pub is_flood: u64,
    /// Cookies that were told, each at a place that it chooses itself; the lowest bit says whether with first octets.
    pub told: [u32; TOLD_MAX],
}

impl FloodMeter {
    /// Nothing came yet.
    pub const EMPTY: Self =
        Self { at_ns: 0, syns_ns: 0, answers_ns: 0, guesses_ns: 0, records_ns: 0, is_flood: 0, told: [0; TOLD_MAX] };
}

/// A source that finished a handshake with the program itself, and what it said first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct VisitRecord {
    /// Who, where to, when.
    pub knock: KnockRecord,
    /// Octets of payload that the segment had.
    pub bytes: u32,
    /// How many of them are in `payload`.
    pub captured: u32,
    /// The first of them; the rest is zero.
    pub payload: [u8; PAYLOAD_MAX],
}

const _: () = assert!(size_of::<CookieSettings>() == 24);
const _: () = assert!(size_of::<FloodMeter>() == 48 + 4 * TOLD_MAX && TOLD_MAX.is_power_of_two());
const _: () = assert!(size_of::<VisitRecord>() == 184);
