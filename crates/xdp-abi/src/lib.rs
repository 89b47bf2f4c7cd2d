//! The bytes that kernel and user space share.
//!
//! Every type here is `repr(C)` without padding, is plain data of integers, and has its size asserted, so that a
//! program compiled for the kernel and a daemon compiled for the host read the same memory alike. A change of any
//! shape or meaning raises [`VERSION`], which names the directory the maps are pinned in: shapes are never mixed.
#![no_std]
#![forbid(unsafe_code)]

mod address;
mod allow;
mod bucket;
mod cookie;
mod counter;
mod entry;
mod proof;
mod record;
mod scan;
mod settings;
mod sip;
mod steering;
pub mod table;
mod touch;

pub use address::{AddressKey, NetKey4, NetKey6, PREFIX_V6_BITS, SourceKey, network_words};
pub use allow::{ALLOW_WORDS, AllowBit, AllowFilter};
pub use bucket::{FRONT_LINES_MIN, FRONTS, Front, HITS_MAX, Header, LINE_LEN, Life, Line4, Line6, Place, WAYS4, WAYS6, Way};
pub use cookie::{
    CookieSettings, FloodMeter, KIND_VISIT, PAYLOAD_MAX, STEP_FILTER, STEP_GREET, STEP_LISTEN, STEP_PROBE, STEPS, TOLD_MAX,
    VisitRecord,
};
pub use counter::{COUNTERS, Counter, CounterValues};
pub use entry::{BanEntry, FOREVER, GRADE_SPOOFABLE, REASON_SCAN, SCOPE_ALL, SCOPE_DARK};
pub use proof::{ALLOWED, ALLOWED_TO_ALL, HONEST4, HONEST6, is_honest4, is_honest6};
pub use record::{
    ANSWERS_MAX, FAMILY_V4, FAMILY_V6, FATE_ANSWERED, FATE_SILENT, FATE_SPENT, KIND_PROBE, KIND_SCAN, KIND_SUSPECT, KnockRecord,
    RECORDS_BURST, RECORDS_PER_SECOND, RING_PROBES_MAX, RecordLimits, ScanRecord, TRANSPORT_TCP, TRANSPORT_UDP,
};
pub use scan::{
    ASKED_FROM, ASKED_FROM_MIN, Mark, PORTS_MAX, ScanBucket, Slot, TAKING, TICK_BITS, TICK_MASK, TICKS_AHEAD_MAX, WAYS, age,
    fingerprint, is_answered, is_asked_from, source_hash, tag, ticks,
};
pub use settings::{Gates, SPOOFABLE_ALL, SPOOFABLE_DARK, SPOOFABLE_OFF, ScanSettings, Settings};
pub use sip::{sip_round, sip_start, siphash};
pub use steering::{EXCEPT_WORDS, ExceptBit, TRAP_V4, TRAP_V6, TRAPS_MAX, except_at};
pub use touch::{TOUCH4_WORDS, TOUCH6_BITS, TOUCH6_WORDS, Touch};

/// The version of everything in this crate; part of the path that maps and links are pinned under.
pub const VERSION: u32 = 3;
