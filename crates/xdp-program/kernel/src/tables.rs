//! The tables. User space sizes those that say so and pins them all under the same names.

use crate::bindings::{Fixed, Kind, MAPPABLE, Map, NO_PREALLOC};
use honeymesh_xdp_abi::{
    AddressKey, AllowFilter, BanEntry, CounterValues, EXCEPT_WORDS, FloodMeter, Header, KnockRecord, Line4, Line6, NetKey4,
    NetKey6, RecordLimits, STEPS, ScanBucket, Settings, SourceKey, TOUCH4_WORDS, TOUCH6_WORDS, TRAPS_MAX, Way,
};

macro_rules! maps {
    ($($name:ident: $key:ty => $value:ty = $kind:ident, $entries:expr, $flags:expr;)+) => {
        $(
            #[unsafe(link_section = "maps")]
            #[unsafe(no_mangle)]
            pub static $name: Map<$key, $value> = Map::new(Kind::$kind, $entries, $flags);
        )+
    };
}

maps! {
    // Sized by user space: a header and lines, and what no line has room for.
    HM_LINES4: u32 => Line4 = Array, 1, MAPPABLE;
    HM_LINES6: u32 => Line6 = Array, 1, MAPPABLE;
    HM_BANS4: u32 => Way = Hash, 1, NO_PREALLOC;
    HM_BANS6: u64 => Way = Hash, 1, NO_PREALLOC;
    HM_TOUCH4: u32 => u64 = Array, TOUCH4_WORDS, MAPPABLE;
    HM_TOUCH6: u32 => u64 = Array, TOUCH6_WORDS, MAPPABLE;
    HM_NETS4: NetKey4 => BanEntry = Trie, 65_536, NO_PREALLOC;
    HM_NETS6: NetKey6 => BanEntry = Trie, 65_536, NO_PREALLOC;
    // Sized by user space: the budget.
    HM_PLACED: SourceKey => BanEntry = Hash, 1, NO_PREALLOC;
    HM_ALLOW4: NetKey4 => u32 = Trie, 65_536, NO_PREALLOC;
    HM_ALLOW6: NetKey6 => u32 = Trie, 65_536, NO_PREALLOC;
    HM_LOCAL: AddressKey => u32 = Hash, 4_096, NO_PREALLOC;
    // Sized by user space: a power of two.
    HM_SCANS: u32 => ScanBucket = Array, 1, 0;
    HM_COUNTERS: u32 => CounterValues = PerCpuArray, 1, 0;
    HM_LIMITS: u32 => RecordLimits = PerCpuArray, 1, 0;
    HM_KNOCKS: () => KnockRecord = Ring, 1 << 20, 0;
    HM_TRAPS: u32 => u32 = SockMap, TRAPS_MAX, 0;
    HM_EXCEPT: u32 => u64 = Array, EXCEPT_WORDS, 0;
    HM_FLOOD: u32 => FloodMeter = PerCpuArray, 1, 0;
    HM_PROOFS: u32 => u64 = Array, 1, 0;
    HM_STEPS: u32 => u32 = Programs, STEPS, 0;
}

// Arrays of one that every packet asks: as sections of data they are at an address that is in the program itself, and no
// look-up is made. The loader pins them like the others; `honeymesh_xdp_abi::table::in_object` knows how they are called.

#[unsafe(link_section = ".bss.settings")]
#[unsafe(no_mangle)]
pub static HM_SETTINGS: Fixed<Settings> = Fixed::zeroed();

#[unsafe(link_section = ".bss.allowed")]
#[unsafe(no_mangle)]
pub static HM_ALLOWED: Fixed<AllowFilter> = Fixed::zeroed();

/// How the lines of IPv4 and of IPv6 that this program was loaded with are laid out. The loader fills it in and the kernel
/// freezes it, so that its verifier knows every value and leaves out what it rules out.
#[unsafe(link_section = ".rodata.headers")]
#[unsafe(no_mangle)]
pub static HM_HEADERS: [Header; 2] = [Header::UNKNOWN; 2];
