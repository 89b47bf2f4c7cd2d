//! The tables. User space sizes those that say so and pins them all under the same names.

use crate::bindings::{Kind, Map, NO_PREALLOC, READ_ONLY};
use honeymesh_xdp_abi::{AddressKey, BanEntry, CounterValues, KnockRecord, NetKey4, NetKey6, ScanState, Settings, SourceKey};

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
    HM_SETTINGS: u32 => Settings = Array, 1, 0;
    // Sized by user space: the bans it may enter.
    HM_BANS4: u32 => BanEntry = Hash, 1, NO_PREALLOC;
    HM_BANS6: [u32; 2] => BanEntry = Hash, 1, NO_PREALLOC;
    HM_NETS4: NetKey4 => BanEntry = Trie, 65_536, NO_PREALLOC;
    HM_NETS6: NetKey6 => BanEntry = Trie, 65_536, NO_PREALLOC;
    // Sized by user space: the budget, and for its own entries some more.
    HM_DARK: SourceKey => BanEntry = Hash, 1, NO_PREALLOC;
    HM_PLACED: SourceKey => BanEntry = Hash, 1, NO_PREALLOC;
    HM_ALLOW4: NetKey4 => u32 = Trie, 65_536, NO_PREALLOC;
    HM_ALLOW6: NetKey6 => u32 = Trie, 65_536, NO_PREALLOC;
    HM_LOCAL: AddressKey => u32 = Hash, 4_096, NO_PREALLOC;
    HM_SCANS: SourceKey => ScanState = LruHash, 65_536, 0;
    // What a new source's state is made from: always zero, and in a table because the program's stack is small.
    HM_UNSEEN: u32 => ScanState = Array, 1, READ_ONLY;
    HM_COUNTERS: u32 => CounterValues = PerCpuArray, 1, 0;
    HM_KNOCKS: () => KnockRecord = Ring, 1 << 20, 0;
}
