//! What the decision needs from the kernel it runs in.

use crate::{Connections, bucket::Bans};
use honeymesh_xdp_abi::{AddressKey, BanEntry, Counter, Gates, KnockRecord, NetKey4, NetKey6, ScanSettings, SourceKey};

/// A ban of a prefix, or one that the program itself has placed.
pub trait Ban: Copy {
    /// The entry as it is now.
    fn entry(self) -> BanEntry;
    /// Adds one to its hits.
    fn hit(self);
}

/// A [`honeymesh_xdp_abi::ScanBucket`], shared with the other CPUs.
pub trait Scan: Copy {
    /// A word of its head: the fingerprints, then the marks. An index of 8 or more wraps.
    fn head(self, index: u64) -> u64;
    /// Puts `new` at `index` of the head if `old` is still there, in one step. What was there.
    fn exchange_head(self, index: u64, old: u64, new: u64) -> u64;
    /// The slot at `index`, counted through all ways; an index of 64 or more wraps.
    fn slot(self, index: u64) -> u64;
    /// Puts `new` at `index` if `old` is still there, in one step. What was there.
    fn exchange(self, index: u64, old: u64, new: u64) -> u64;
    /// Empties the slot at `index`.
    fn clear(self, index: u64);
    /// `value`, in a way that the compiler cannot see through. The kernel's verifier follows every path, and sixteen
    /// slots with a few branches each would be millions; so they are weighed by arithmetic, which the compiler would
    /// turn into branches again.
    fn opaque(value: u64) -> u64;
}

/// Addresses and ports of an IPv4 packet, in network order and in the layout of the kernel's `bpf_sock_tuple`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Tuple4 {
    /// Source address.
    pub source: u32,
    /// Destination address.
    pub dest: u32,
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub dest_port: u16,
}

/// Addresses and ports of an IPv6 packet, in network order and in the layout of the kernel's `bpf_sock_tuple`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Tuple6 {
    /// Source address.
    pub source: [u32; 4],
    /// Destination address.
    pub dest: [u32; 4],
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub dest_port: u16,
}

/// The kernel around the program. Addresses are words in network order, as they stand in the packet.
pub trait Kernel: Connections {
    /// The exact bans of IPv4 addresses.
    type Bans4: Bans;
    /// The bans of /64s.
    type Bans6: Bans;
    /// An entry of another ban table.
    type Ban: Ban;
    /// What is remembered of some sources.
    type Scan: Scan;

    /// Which steps to take.
    fn gates(&self) -> Gates;
    /// What a scan is; `None` if the settings cannot be read.
    fn scan_settings(&self) -> Option<ScanSettings>;
    /// The exact bans of IPv4 addresses, by the address.
    fn bans4(&self) -> Self::Bans4;
    /// The bans of /64s, by their two words: the first is the lower half of the key.
    fn bans6(&self) -> Self::Bans6;
    /// A word of the map of /24s that some banned prefix touches; all ones if it cannot be read.
    fn touch4(&self, word: u32) -> u64;
    /// The same of the filter of IPv6 prefixes.
    fn touch6(&self, word: u32) -> u64;
    /// The longest banned prefix of at most `key.bits` bits.
    fn net4(&self, key: &NetKey4) -> Option<Self::Ban>;
    /// The longest banned prefix of at most `key.bits` bits.
    fn net6(&self, key: &NetKey6) -> Option<Self::Ban>;
    /// The source's entry, as the kernel placed it.
    fn placed(&self, source: &SourceKey) -> Option<Self::Ban>;
    /// Places an entry. `false` if the budget is used up.
    fn place(&self, source: &SourceKey, entry: &BanEntry) -> bool;
    /// Is the address on the allowlist?
    fn is_allowed4(&self, addr: u32) -> bool;
    /// Is the address on the allowlist?
    fn is_allowed6(&self, addr: [u32; 4]) -> bool;
    /// Is it one of this host's own addresses?
    fn is_local(&self, addr: &AddressKey) -> bool;
    /// Does a TCP socket of this host answer this packet?
    fn is_served4(&self, tuple: &Tuple4) -> bool;
    /// Does a TCP socket of this host answer this packet?
    fn is_served6(&self, tuple: &Tuple6) -> bool;
    /// Does a UDP socket of this host take this packet?
    fn is_bound4(&self, tuple: &Tuple4) -> bool;
    /// Does a UDP socket of this host take this packet?
    fn is_bound6(&self, tuple: &Tuple6) -> bool;
    /// Does the operator want this port to behave as closed, whatever dark ports do?
    fn is_excepted(&self, port: u16) -> bool;
    /// The bucket at `index`; `None` if there are not so many.
    fn bucket(&self, index: u64) -> Option<Self::Scan>;
    /// The key of what strangers must not foresee.
    fn secret(&self) -> [u64; 2];
    /// The first and the last port that this host sends from by itself.
    fn ephemeral(&self) -> [u32; 2];
    /// When the next record of this kind is due on this CPU, in nanoseconds of `CLOCK_BOOTTIME`. A kind of 4 or more wraps.
    fn due_ns(&self, kind: u8) -> u64;
    /// Sets that.
    fn set_due_ns(&self, kind: u8, due_ns: u64);
    /// How many octets of the ring buffer wait for user space.
    fn ring_used(&self) -> u64;
    /// May a segment prove a handshake with the program itself: was any begun of late?
    fn is_listening(&self) -> bool;
    /// `CLOCK_BOOTTIME` in nanoseconds. Costs more than a table look-up, so it is asked late.
    fn now_ns(&self) -> u64;
    /// Tells user space of a probe. `false` if the ring buffer is full.
    fn tell_knock(&self, knock: KnockRecord) -> bool;
    /// Tells user space of a scan and, for each index up to [`honeymesh_xdp_abi::PORTS_MAX`], of a slot: written in
    /// place, because the program's stack is small. `false` if the ring buffer is full.
    fn tell_scan(&self, knock: KnockRecord, slots: impl Fn(u64) -> u64) -> bool;
    /// Adds one to a counter.
    fn count(&self, counter: Counter);
}
