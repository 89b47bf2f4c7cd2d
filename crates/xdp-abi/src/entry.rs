//! A ban as the kernel holds it.

/// The deadline of a ban that never ends.
pub const FOREVER: u64 = u64::MAX;

/// Only probes of dark ports are dropped; the number that `honeymesh_types::Scope::Dark` has.
pub const SCOPE_DARK: u8 = 0;
/// Every packet is dropped; the number that `honeymesh_types::Scope::All` has.
pub const SCOPE_ALL: u8 = 1;

/// The reason of an entry that the kernel places: the bit of `honeymesh_types::Reasons::SCAN`.
pub const REASON_SCAN: u16 = 1 << 1;
/// The grade of an entry that the kernel places: the number of `honeymesh_types::Grade::Spoofable`.
pub const GRADE_SPOOFABLE: u8 = 0;

/// One ban. Its end is in the entry itself, so that it ends on time even if nobody is left to remove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct BanEntry {
    /// When it ends, in nanoseconds of `CLOCK_BOOTTIME`; [`FOREVER`] never comes.
    pub deadline_ns: u64,
    /// Packets it has dropped, or would have dropped while only observing.
    pub hits: u64,
    /// Why: the bits of `honeymesh_types::Reasons`.
    pub reasons: u16,
    /// Which packets: [`SCOPE_DARK`] or [`SCOPE_ALL`].
    pub scope: u8,
    /// How sure: the number of `honeymesh_types::Grade`.
    pub grade: u8,
    /// The length of the prefix it stands for: what the next wider match of a trie must be shorter than.
    pub bits: u32,
}

impl BanEntry {
    /// Is it still in force at `now_ns`?
    #[must_use]
    pub const fn is_live(&self, now_ns: u64) -> bool {
        self.deadline_ns > now_ns
    }
}

const _: () = assert!(size_of::<BanEntry>() == 24);
