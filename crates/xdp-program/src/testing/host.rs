//! A kernel made of plain maps, for the host's tests.

use super::{connections::Connection, cookies::HostCookies};
use crate::{
    Ban, Connections, Door, Frame, Kernel, Scan, Steer, Tuple4, Tuple6,
    bucket::{Bans, Hits, Line},
    lockdown::STATE_NONE,
};
use alloc::{collections::BTreeMap, rc::Rc, vec, vec::Vec};
use core::cell::{Cell, RefCell};
use honeymesh_xdp_abi::{
    AddressKey, BanEntry, COUNTERS, Counter, Front, Gates, Header, KnockRecord, Life, NetKey4, NetKey6, PORTS_MAX, ScanBucket,
    ScanRecord, ScanSettings, SourceKey, TRAP_V4, TRAP_V6, Touch, WAYS,
};

/// Linux's own choice of the ports that a host sends from.
pub const EPHEMERAL: [u32; 2] = [32_768, 60_999];

/// A frame in memory.
#[derive(Clone, Copy, Debug)]
pub struct Slice<'a>(pub &'a [u8]);

impl Frame for Slice<'_> {
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.0.get(offset..offset.checked_add(N)?)?.try_into().ok()
    }
}

/// The same at the door of the network stack.
#[derive(Clone, Copy, Debug)]
pub struct Doorstep<'a> {
    protocol: u16,
    packet: Slice<'a>,
}

impl<'a> Doorstep<'a> {
    /// As the stack brings it there: without Ethernet header and first VLAN tag. `None` if it is too short for that.
    #[must_use]
    pub fn of(frame: &'a [u8]) -> Option<Self> {
        let kind = |at: usize| Some(u16::from_be_bytes(*frame.get(at..)?.first_chunk()?));
        let (protocol, start) = match kind(12)? {
            0x8100 | 0x88a8 => (kind(16)?, 18),
            protocol => (protocol, 14),
        };
        Some(Self { protocol, packet: Slice(frame.get(start..)?) })
    }
}

impl Frame for Doorstep<'_> {
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.packet.read(offset)
    }
}

impl Door for Doorstep<'_> {
    fn protocol(&self) -> u16 {
        self.protocol
    }
}

/// A shared ban entry.
#[derive(Clone, Copy, Debug)]
pub struct HostBan<'a>(&'a Cell<BanEntry>);

impl Ban for HostBan<'_> {
    fn entry(self) -> BanEntry {
        self.0.get()
    }

    fn hit(self) {
        let entry = self.0.get();
        self.0.set(BanEntry { hits: entry.hits + 1, ..entry });
    }
}

/// An exact ban: its life and its hits.
#[derive(Clone, Debug, Default)]
pub struct HostWay {
    /// What it is like.
    pub life: Life,
    /// What it has dropped.
    pub hits: Cell<u32>,
}

/// Exact bans in a plain map, as if the table had no lines.
#[derive(Clone, Copy, Debug)]
pub struct HostBans<'a> {
    kernel: &'a HostKernel,
    ways: &'a BTreeMap<u64, HostWay>,
}

/// A line, of which there is none.
#[derive(Clone, Copy, Debug)]
pub struct NoLine<'a>(&'a Cell<u32>);

/// A counter.
#[derive(Clone, Copy, Debug)]
pub struct HostHits<'a>(&'a Cell<u32>);

impl Hits for HostHits<'_> {
    fn hit(self) {
        self.0.set(self.0.get() + 1);
    }
}

impl<'a> Line for NoLine<'a> {
    const WAYS: u64 = 0;
    const IS_NARROW: bool = false;
    type Hits = HostHits<'a>;

    fn key(self, _: u64) -> u64 {
        0
    }

    fn life(self, _: u64) -> u64 {
        0
    }

    fn hits(self, _: u64) -> HostHits<'a> {
        HostHits(self.0)
    }

    fn is_overflowed(self) -> bool {
        false
    }

    fn opaque(value: u64) -> u64 {
        value
    }
}

impl<'a> Bans for HostBans<'a> {
    type Line = NoLine<'a>;

    fn header(self) -> Option<Header> {
        Some(HEADER)
    }

    fn line(self, _: u32) -> Option<NoLine<'a>> {
        None
    }

    fn front(self, _: u32, _: u32) -> u16 {
        Front::FULL
    }

    fn stashed(self, key: u64) -> Option<(Life, HostHits<'a>)> {
        self.kernel.ask(self.ways, &key)?;
        if self.kernel.coming.get() {
            return None;
        }
        self.ways.get(&key).map(|way| (way.life, HostHits(&way.hits)))
    }

    fn jiffies(self) -> u64 {
        self.kernel.clock_reads.set(self.kernel.clock_reads.get() + 1);
        self.kernel.now_ns.get()
    }
}

/// No lines, and ticks of 2^26 ns.
pub(super) const HEADER: Header = Header {
    magic: Header::MAGIC,
    version: honeymesh_xdp_abi::VERSION,
    lines: 0,
    secret: 0x5eed,
    multipliers: [0x9e37_79b9_7f4a_7c15, 0xd6e8_feb8_6659_fd93],
    tick_shift: 26,
    ways: 0,
    jiffy_ns: 1,
    reserved: 0,
    seal: 0,
};

/// A bucket of [`ScanBucket`]'s shape, word by word: fingerprints, marks, slots.
#[derive(Clone, Debug)]
pub struct HostBucket(Vec<Cell<u64>>);

impl Default for HostBucket {
    fn default() -> Self {
        Self(vec![Cell::new(0); size_of::<ScanBucket>() / size_of::<u64>()])
    }
}

const HEAD: usize = 2 * WAYS;

impl HostBucket {
    fn head(&self, index: u64) -> &Cell<u64> {
        &self.0[usize::try_from(index).unwrap_or(0) % HEAD]
    }

    fn slot(&self, index: u64) -> &Cell<u64> {
        &self.0[HEAD + usize::try_from(index).unwrap_or(0) % (WAYS * PORTS_MAX)]
    }
}

fn exchange(cell: &Cell<u64>, old: u64, new: u64) -> u64 {
    let found = cell.get();
    if found == old {
        cell.set(new);
    }
    found
}

impl Scan for &HostBucket {
    fn head(self, index: u64) -> u64 {
        self.head(index).get()
    }

    fn exchange_head(self, index: u64, old: u64, new: u64) -> u64 {
        exchange(self.head(index), old, new)
    }

    fn slot(self, index: u64) -> u64 {
        self.slot(index).get()
    }

    fn exchange(self, index: u64, old: u64, new: u64) -> u64 {
        exchange(self.slot(index), old, new)
    }

    fn clear(self, index: u64) {
        self.slot(index).set(0);
    }

    #[inline(always)]
    fn opaque(value: u64) -> u64 {
        value
    }
}

/// What the program told user space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// A probe.
    Knock(KnockRecord),
    /// A scan.
    Scan(ScanRecord),
    /// A finished handshake with the program itself, and where in the frame its payload is.
    Visit {
        /// Who, where to, when.
        knock: KnockRecord,
        /// Where the payload is.
        offset: usize,
        /// How long it is.
        len: usize,
    },
}

type Table<K> = BTreeMap<K, Cell<BanEntry>>;
/// Entries live as long as the kernel: what is replaced is leaked into the test's memory.
type Shared<K, V> = RefCell<BTreeMap<K, &'static V>>;

/// The kernel of the host's tests. Prefix tables are searched entry by entry.
#[derive(Debug)]
pub struct HostKernel {
    /// Which steps to take.
    pub gates: Gates,
    /// What a scan is.
    pub scan: ScanSettings,
    /// `CLOCK_BOOTTIME`.
    pub now_ns: Cell<u64>,
    /// How often the clock was read.
    pub clock_reads: Cell<u64>,
    /// Exact IPv4 bans.
    pub bans4: BTreeMap<u64, HostWay>,
    /// Exact IPv6 bans, by /64.
    pub bans6: BTreeMap<u64, HostWay>,
    /// User space enters its exact bans, and takes the program's own entry away, when that is asked for: until then there are none.
    pub coming: Cell<bool>,
    /// IPv4 prefix bans.
    pub nets4: Table<NetKey4>,
    /// IPv6 prefix bans.
    pub nets6: Table<NetKey6>,
    /// IPv4 allowlist.
    pub allow4: Vec<NetKey4>,
    /// IPv6 allowlist.
    pub allow6: Vec<NetKey6>,
    /// Own addresses.
    pub local: Vec<AddressKey>,
    /// Ports that a socket listens on, on every address.
    pub served: Vec<u16>,
    /// Sockets that are connected to somebody.
    pub connections: Vec<Connection>,
    /// When a lockdown ends.
    pub lockdown_until_ns: Cell<u64>,
    /// Ports that a UDP socket is bound to, on every address.
    pub bound: Vec<u16>,
    /// Ports that behave as closed, whatever dark ports do.
    pub except: Vec<u16>,
    /// The ports that this host sends from.
    pub ephemeral: [u32; 2],
    /// Sockets that the trap has: [`TRAP_V4`], [`TRAP_V6`].
    pub traps: Vec<u32>,
    /// Room for placed entries.
    pub budget: usize,
    /// Room for records.
    pub ring: usize,
    /// What was told.
    pub told: RefCell<Vec<Told>>,
    /// What was counted.
    pub counters: RefCell<[u64; COUNTERS]>,
    /// What the handshake needs.
    pub cookies: HostCookies,
    /// What was asked of tables and sockets.
    pub lookups: Rc<Cell<u64>>,
    /// The key of what strangers must not foresee.
    pub secret: [u64; 2],
    /// When the next record of each kind is due.
    pub due_ns: [Cell<u64>; 4],
    placed: Shared<SourceKey, Cell<BanEntry>>,
    scans: Vec<HostBucket>,
}

impl HostKernel {
    /// Enforcing, three ports in a minute, nothing banned, nothing local.
    #[must_use]
    pub fn new(scan: ScanSettings) -> Self {
        Self {
            gates: Gates::ENFORCING,
            scan,
            now_ns: Cell::new(1_000_000_000_000),
            clock_reads: Cell::new(0),
            bans4: BTreeMap::new(),
            bans6: BTreeMap::new(),
            coming: Cell::new(false),
            nets4: Table::new(),
            nets6: Table::new(),
            allow4: Vec::new(),
            allow6: Vec::new(),
            local: Vec::new(),
            served: Vec::new(),
            connections: Vec::new(),
            lockdown_until_ns: Cell::new(0),
            bound: Vec::new(),
            except: Vec::new(),
            ephemeral: EPHEMERAL,
            traps: Vec::from([TRAP_V4, TRAP_V6]),
            budget: 64,
            ring: 1_024,
            told: RefCell::default(),
            counters: RefCell::new([0; COUNTERS]),
            cookies: HostCookies::default(),
            lookups: Rc::default(),
            secret: [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908],
            due_ns: [const { Cell::new(0) }; 4],
            placed: RefCell::default(),
            scans: vec![HostBucket::default(); usize::try_from(scan.bucket_mask + 1).unwrap_or(1)],
        }
    }

    /// Opens the gates of tables that hold something.
    pub fn open_gates(&mut self) {
        self.gates = self
            .gates
            .with(Gates::BANS4, !self.bans4.is_empty())
            .with(Gates::BANS6, !self.bans6.is_empty())
            .with(Gates::NETS4, !self.nets4.is_empty())
            .with(Gates::NETS6, !self.nets6.is_empty())
            .with(Gates::NETS6_WIDE, self.nets6.keys().any(|net| net.bits < honeymesh_xdp_abi::TOUCH6_BITS))
            .with(Gates::LOCAL, !self.local.is_empty())
            .with(Gates::PLACED_ALL, self.scan.spoofable == honeymesh_xdp_abi::SPOOFABLE_ALL);
    }

    /// A counter's value.
    #[must_use]
    pub fn counted(&self, counter: Counter) -> u64 {
        self.counters.borrow()[counter as usize]
    }

    /// The entry that the program placed for a source.
    #[must_use]
    pub fn placed_entry(&self, source: SourceKey) -> Option<BanEntry> {
        self.placed.borrow().get(&source).map(|cell| cell.get())
    }

    fn ask<K: Ord, V>(&self, table: &BTreeMap<K, V>, key: &K) -> Option<()> {
        self.lookups.set(self.lookups.get() + 1);
        table.contains_key(key).then_some(())
    }
}

fn mask(bits: u32) -> u128 {
    if bits == 0 { 0 } else { u128::MAX << (128 - bits.min(128)) }
}

fn mask4(bits: u32) -> u32 {
    if bits == 0 { 0 } else { u32::MAX << (32 - bits) }
}

fn number4(addr: u32) -> u128 {
    u128::from(u32::from_be(addr)) << 96
}

fn number6(addr: [u32; 4]) -> u128 {
    AddressKey(addr).number()
}

/// The longest of `nets` (as number and length) that contains `addr` and is at most `bits` long.
fn longest<'a, K: 'a>(nets: impl Iterator<Item = (&'a K, u128, u32)>, addr: u128, bits: u32) -> Option<&'a K> {
    nets.filter(|(_, net, len)| *len <= bits && (net ^ addr) & mask(*len) == 0)
        .max_by_key(|(_, _, len)| *len)
        .map(|(key, ..)| key)
}

impl<'a> Kernel for &'a HostKernel {
    type Bans4 = HostBans<'a>;
    type Bans6 = HostBans<'a>;
    type Ban = HostBan<'a>;
    type Scan = &'a HostBucket;

    fn gates(&self) -> Gates {
        self.gates
    }

    fn scan_settings(&self) -> Option<ScanSettings> {
        Some(self.scan)
    }

    fn bans4(&self) -> HostBans<'a> {
        HostBans { kernel: self, ways: &self.bans4 }
    }

    fn bans6(&self) -> HostBans<'a> {
        HostBans { kernel: self, ways: &self.bans6 }
    }

    fn touch4(&self, word: u32) -> u64 {
        let is_touched = |slash24: u32| {
            let touches = |net: &NetKey4| (u32::from_be(net.addr) ^ slash24 << 8) & mask4(net.bits.min(24)) == 0;
            self.nets4.keys().any(touches)
        };
        (0..64).filter(|bit| is_touched(word << 6 | bit)).map(|bit| 1 << bit).sum()
    }

    fn touch6(&self, word: u32) -> u64 {
        let touches = self.nets6.keys().map(|net| Touch::v6(HEADER.hash(net.addr[0].into())));
        touches.filter(|touch| touch.word == word).fold(0, |bits, touch| bits | 1 << touch.bit)
    }

    fn net4(&self, key: &NetKey4) -> Option<HostBan<'a>> {
        self.lookups.set(self.lookups.get() + 1);
        let nets = self.nets4.keys().map(|net| (net, number4(net.addr), net.bits));
        longest(nets, number4(key.addr), key.bits).and_then(|net| self.nets4.get(net)).map(HostBan)
    }

    fn net6(&self, key: &NetKey6) -> Option<HostBan<'a>> {
        self.lookups.set(self.lookups.get() + 1);
        let nets = self.nets6.keys().map(|net| (net, number6(net.addr), net.bits));
        longest(nets, number6(key.addr), key.bits).and_then(|net| self.nets6.get(net)).map(HostBan)
    }

    fn placed(&self, source: &SourceKey) -> Option<HostBan<'a>> {
        if self.coming.replace(false) {
            self.placed.borrow_mut().remove(source);
        }
        self.placed.borrow().get(source).copied().map(HostBan)
    }

    fn place(&self, source: &SourceKey, entry: &BanEntry) -> bool {
        let mut placed = self.placed.borrow_mut();
        if placed.len() >= self.budget && !placed.contains_key(source) {
            return false;
        }
        placed.insert(*source, alloc::boxed::Box::leak(alloc::boxed::Box::new(Cell::new(*entry))));
        true
    }

    fn is_allowed4(&self, addr: u32) -> bool {
        longest(self.allow4.iter().map(|net| (net, number4(net.addr), net.bits)), number4(addr), 32).is_some()
    }

    fn is_allowed6(&self, addr: [u32; 4]) -> bool {
        longest(self.allow6.iter().map(|net| (net, number6(net.addr), net.bits)), number6(addr), 128).is_some()
    }

    fn is_local(&self, addr: &AddressKey) -> bool {
        self.local.contains(addr)
    }

    fn is_served4(&self, tuple: &Tuple4) -> bool {
        self.tcp_state4(tuple) != STATE_NONE
    }

    fn is_served6(&self, tuple: &Tuple6) -> bool {
        self.tcp_state6(tuple) != STATE_NONE
    }

    fn is_bound4(&self, tuple: &Tuple4) -> bool {
        self.bound.contains(&u16::from_be(tuple.dest_port))
    }

    fn is_bound6(&self, tuple: &Tuple6) -> bool {
        self.bound.contains(&u16::from_be(tuple.dest_port))
    }

    fn is_excepted(&self, port: u16) -> bool {
        self.except.contains(&port)
    }

    fn bucket(&self, index: u64) -> Option<&'a HostBucket> {
        self.scans.get(usize::try_from(index).ok()?)
    }

    fn secret(&self) -> [u64; 2] {
        self.secret
    }

    fn ephemeral(&self) -> [u32; 2] {
        self.ephemeral
    }

    fn due_ns(&self, kind: u8) -> u64 {
        self.due_ns[usize::from(kind) % 4].get()
    }

    fn set_due_ns(&self, kind: u8, due_ns: u64) {
        self.due_ns[usize::from(kind) % 4].set(due_ns);
    }

    fn ring_used(&self) -> u64 {
        0
    }

    fn is_listening(&self) -> bool {
        self.lookups.set(self.lookups.get() + 1);
        self.cookies.proofs_until_ns.get() != 0
    }

    fn now_ns(&self) -> u64 {
        self.clock_reads.set(self.clock_reads.get() + 1);
        self.now_ns.get()
    }

    fn tell_knock(&self, knock: KnockRecord) -> bool {
        self.tell(Told::Knock(knock))
    }

    fn tell_scan(&self, knock: KnockRecord, slots: impl Fn(u64) -> u64) -> bool {
        self.tell(Told::Scan(ScanRecord { knock, slots: core::array::from_fn(|index| slots(index as u64)) }))
    }

    fn count(&self, counter: Counter) {
        self.counters.borrow_mut()[counter as usize] += 1;
    }
}

impl Steer for &HostKernel {
    fn assign(&self, index: u32) -> bool {
        self.traps.contains(&index)
    }
}

impl HostKernel {
    pub(super) fn tell(&self, told: Told) -> bool {
        let mut all = self.told.borrow_mut();
        if all.len() >= self.ring {
            return false;
        }
        all.push(told);
        true
    }
}
