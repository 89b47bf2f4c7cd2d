//! The kernel programs: `honeymesh-xdp-program`, tied to the kernel's helpers.
#![no_std]
#![no_main]
// Atomic additions and exchanges are BPF instructions that no stable Rust function makes yet.
#![feature(asm_experimental_arch)]

mod bans;
mod bindings;
mod cookie;
mod lockdown;
mod memory;
mod steering;
mod tables;

use bans::{Bans4, Bans6};
use bindings::{
    Context, Packet, XDP_DROP, XDP_PASS, XDP_TX, XdpContext, add, boot_ns, exchange, has_datagram_socket, has_socket, opaque,
    tail_call,
};
use core::ptr::NonNull;
use honeymesh_xdp_abi::{
    ALLOW_WORDS, ALLOWED_TO_ALL, AddressKey, AllowBit, BanEntry, Counter, ExceptBit, Gates, KnockRecord, NetKey4, NetKey6,
    PORTS_MAX, STEP_FILTER, STEP_GREET, STEP_LISTEN, STEP_PROBE, ScanBucket, ScanRecord, ScanSettings, Settings, SourceKey, WAYS,
    except_at, is_honest4, is_honest6,
};
use honeymesh_xdp_program::{Ban, Kernel, Next, Scan, Tuple4, Tuple6, Verdict, filter, greet, listen, pass, probe, quick};
use tables::*;

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// The entry point, once for each frame. Allowed on drivers that spread a frame over several buffers: headers are
/// always in the first.
#[unsafe(link_section = "xdp.frags")]
#[unsafe(no_mangle)]
extern "C" fn honeymesh(context: *mut XdpContext) -> u32 {
    go_on(context, quick(&Packet(context), &Helpers(context)))
}

/// The step for what is not the plainest of packets. A program of its own, so that the first one is small.
#[unsafe(link_section = "xdp.frags")]
#[unsafe(no_mangle)]
extern "C" fn hm_filter(context: *mut XdpContext) -> u32 {
    go_on(context, filter(&Packet(context), &Helpers(context)))
}

/// The step for what may be a probe of a dark port. A program of its own: the kernel's verifier follows every path through
/// a program and gives up after a million instructions, which tables of bans and counts of scans do not share.
#[unsafe(link_section = "xdp.frags")]
#[unsafe(no_mangle)]
extern "C" fn hm_probe(context: *mut XdpContext) -> u32 {
    go_on(context, probe(&Packet(context), &Helpers(context)))
}

/// The step for a SYN to a dark port. A program of its own: it has the stack to itself, and costs others nothing.
#[unsafe(link_section = "xdp.frags")]
#[unsafe(no_mangle)]
extern "C" fn hm_greet(context: *mut XdpContext) -> u32 {
    action(greet(&Packet(context), &Helpers(context)))
}

/// The step for a segment that may prove a handshake.
#[unsafe(link_section = "xdp.frags")]
#[unsafe(no_mangle)]
extern "C" fn hm_listen(context: *mut XdpContext) -> u32 {
    action(listen(&Packet(context), &Helpers(context)))
}

/// Goes on with another step, and does not come back unless there is none: then the packet passes.
#[inline(always)]
fn go_on(context: *mut XdpContext, next: Next) -> u32 {
    let step = match next {
        Next::Done(verdict) => return action(verdict),
        Next::Filter => STEP_FILTER,
        Next::Greet => STEP_GREET,
        Next::Listen => STEP_LISTEN,
        Next::Probe => STEP_PROBE,
    };
    tail_call(context, &HM_STEPS, step);
    action(pass(&Helpers(context)))
}

#[inline(always)]
const fn action(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Pass => XDP_PASS,
        Verdict::Drop => XDP_DROP,
        Verdict::Answer => XDP_TX,
    }
}

/// The kernel's tables and helpers, for a program with a context of this kind.
#[derive(Clone, Copy)]
struct Helpers<C>(*mut C);

#[derive(Clone, Copy)]
struct Entry(NonNull<BanEntry>);

impl Ban for Entry {
    #[inline(always)]
    fn entry(self) -> BanEntry {
        // SAFETY: a value of this type in a map, which stays valid until the program ends. User space replaces entries
        // whole, only `hits` changes in place.
        unsafe { self.0.as_ptr().read_volatile() }
    }

    #[inline(always)]
    fn hit(self) {
        // SAFETY: the field is inside the value.
        let hits = unsafe { NonNull::new_unchecked(&raw mut (*self.0.as_ptr()).hits) };
        add(hits, 1);
    }
}

#[derive(Clone, Copy)]
struct Bucket(NonNull<ScanBucket>);

impl Bucket {
    /// A word of the fingerprints and marks.
    #[inline(always)]
    fn head_at(self, index: u64) -> NonNull<u64> {
        // SAFETY: the masked index is inside the value.
        unsafe { self.0.cast::<u64>().add(index as usize & (HEAD - 1)) }
    }

    #[inline(always)]
    fn slot_at(self, index: u64) -> NonNull<u64> {
        // SAFETY: the masked index, counted behind the head, is inside the value.
        unsafe { self.0.cast::<u64>().add(HEAD + (index as usize & (WAYS * PORTS_MAX - 1))) }
    }
}

/// How many words come before the slots.
const HEAD: usize = 2 * WAYS;

impl Scan for Bucket {
    #[inline(always)]
    fn head(self, index: u64) -> u64 {
        // SAFETY: a value of this type in a map; other CPUs change it word by word.
        unsafe { self.head_at(index).as_ptr().read_volatile() }
    }

    #[inline(always)]
    fn exchange_head(self, index: u64, old: u64, new: u64) -> u64 {
        exchange(self.head_at(index), old, new)
    }

    #[inline(always)]
    fn slot(self, index: u64) -> u64 {
        // SAFETY: as above.
        unsafe { self.slot_at(index).as_ptr().read_volatile() }
    }

    #[inline(always)]
    fn exchange(self, index: u64, old: u64, new: u64) -> u64 {
        exchange(self.slot_at(index), old, new)
    }

    #[inline(always)]
    fn clear(self, index: u64) {
        // SAFETY: as above.
        unsafe { self.slot_at(index).as_ptr().write_volatile(0) }
    }

    #[inline(always)]
    fn opaque(value: u64) -> u64 {
        opaque(value)
    }
}

#[inline(always)]
const fn settings() -> *const Settings {
    HM_SETTINGS.at()
}

/// The index of an array's only element, made on the stack: as a constant it would be one more table.
#[inline(always)]
fn first() -> u32 {
    opaque(0) as u32
}

/// A part of [`honeymesh_xdp_abi::AllowFilter`], in its order.
#[derive(Clone, Copy)]
enum Part {
    V4 = 0,
    V6 = 1,
    Short6 = 2,
}

/// Is the bit set?
#[inline(always)]
fn may_allow(part: Part, bit: AllowBit) -> bool {
    let word = part as usize * ALLOW_WORDS + (bit.word as usize & (ALLOW_WORDS - 1));
    // SAFETY: inside the value, which is three parts of so many words; user space changes it meanwhile.
    let bits = unsafe { HM_ALLOWED.at().cast::<u64>().add(word).read_volatile() };
    bits & bit.mask != 0
}

/// Does the operator's own list cover the self-probe's source that this entry of the allowlist is of?
#[inline(always)]
fn is_for_all(entry: NonNull<u32>) -> bool {
    // SAFETY: a value of this type in a map, which stays valid until the program ends; user space changes it in one step.
    let entry = unsafe { entry.as_ptr().read_volatile() };
    entry == ALLOWED_TO_ALL
}

/// When this CPU's next record of a kind is due.
#[inline(always)]
fn due(kind: u8) -> Option<NonNull<u64>> {
    // SAFETY: the masked index is inside the value.
    HM_LIMITS.lookup(&first()).map(|limits| unsafe { limits.cast::<u64>().add(kind as usize & 3) })
}

impl<C: Context> Kernel for Helpers<C> {
    type Bans4 = Bans4;
    type Bans6 = Bans6;
    type Ban = Entry;
    type Scan = Bucket;

    #[inline(always)]
    fn gates(&self) -> Gates {
        // SAFETY: a value of this type; user space changes it word by word.
        unsafe { (&raw const (*settings()).gates).read_volatile() }
    }

    #[inline(always)]
    fn scan_settings(&self) -> Option<ScanSettings> {
        // SAFETY: as above.
        Some(unsafe { (&raw const (*settings()).scan).read_volatile() })
    }

    #[inline(always)]
    fn bans4(&self) -> Bans4 {
        Bans4
    }

    #[inline(always)]
    fn bans6(&self) -> Bans6 {
        Bans6
    }

    #[inline(always)]
    fn touch4(&self, word: u32) -> u64 {
        bans::word(&HM_TOUCH4, word)
    }

    #[inline(always)]
    fn touch6(&self, word: u32) -> u64 {
        bans::word(&HM_TOUCH6, word)
    }

    #[inline(always)]
    fn net4(&self, key: &NetKey4) -> Option<Entry> {
        HM_NETS4.lookup(key).map(Entry)
    }

    #[inline(always)]
    fn net6(&self, key: &NetKey6) -> Option<Entry> {
        HM_NETS6.lookup(key).map(Entry)
    }

    #[inline(always)]
    fn placed(&self, source: &SourceKey) -> Option<Entry> {
        HM_PLACED.lookup(source).map(Entry)
    }

    #[inline(always)]
    fn place(&self, source: &SourceKey, entry: &BanEntry) -> bool {
        HM_PLACED.update(source, entry, 0)
    }

    #[inline(always)]
    fn is_allowed4(&self, addr: u32) -> bool {
        may_allow(Part::V4, AllowBit::v4(u32::from_be(addr)))
            && HM_ALLOW4
                .lookup(&NetKey4 { bits: 32, addr })
                .is_some_and(|entry| !is_honest4(addr) || is_for_all(entry) || C::is_proof(self.0))
    }

    #[inline(always)]
    fn is_allowed6(&self, addr: [u32; 4]) -> bool {
        let first = u32::from_be(addr[0]);
        let may = may_allow(Part::V6, AllowBit::v6(first)) || may_allow(Part::Short6, AllowBit::short6(first));
        may && HM_ALLOW6
            .lookup(&NetKey6 { bits: 128, addr })
            .is_some_and(|entry| !is_honest6(addr) || is_for_all(entry) || C::is_proof(self.0))
    }

    #[inline(always)]
    fn is_local(&self, addr: &AddressKey) -> bool {
        HM_LOCAL.lookup(addr).is_some()
    }

    #[inline(always)]
    fn is_served4(&self, tuple: &Tuple4) -> bool {
        has_socket(self.0, tuple)
    }

    #[inline(always)]
    fn is_served6(&self, tuple: &Tuple6) -> bool {
        has_socket(self.0, tuple)
    }

    #[inline(always)]
    fn is_bound4(&self, tuple: &Tuple4) -> bool {
        has_datagram_socket(self.0, tuple)
    }

    #[inline(always)]
    fn is_bound6(&self, tuple: &Tuple6) -> bool {
        has_datagram_socket(self.0, tuple)
    }

    #[inline(always)]
    fn is_excepted(&self, port: u16) -> bool {
        let ExceptBit { index, mask } = except_at(port);
        // SAFETY: a value of this type in a map; user space changes it word by word.
        HM_EXCEPT.lookup(&index).is_some_and(|word| unsafe { word.as_ptr().read_volatile() } & mask != 0)
    }

    #[inline(always)]
    fn bucket(&self, index: u64) -> Option<Bucket> {
        HM_SCANS.lookup(&(index as u32)).map(Bucket)
    }

    #[inline(always)]
    fn secret(&self) -> [u64; 2] {
        // SAFETY: as for the gates.
        unsafe { (&raw const (*settings()).secret).read_volatile() }
    }

    #[inline(always)]
    fn ephemeral(&self) -> [u32; 2] {
        // SAFETY: as for the gates.
        unsafe { (&raw const (*settings()).ephemeral).read_volatile() }
    }

    #[inline(always)]
    fn due_ns(&self, kind: u8) -> u64 {
        // SAFETY: the masked index is inside the value, and no other CPU touches this one's.
        due(kind).map_or(0, |due| unsafe { due.read() })
    }

    #[inline(always)]
    fn set_due_ns(&self, kind: u8, due_ns: u64) {
        if let Some(due) = due(kind) {
            // SAFETY: as above.
            unsafe { due.write(due_ns) };
        }
    }

    #[inline(always)]
    fn ring_used(&self) -> u64 {
        HM_KNOCKS.used()
    }

    #[inline(always)]
    fn is_listening(&self) -> bool {
        cookie::proofs_until_ns() != 0
    }

    #[inline(always)]
    fn now_ns(&self) -> u64 {
        boot_ns()
    }

    #[inline(always)]
    fn tell_knock(&self, knock: KnockRecord) -> bool {
        // SAFETY: the ring has room for one record here.
        HM_KNOCKS.submit(|record: NonNull<KnockRecord>| unsafe { record.write(knock) })
    }

    #[inline(always)]
    fn tell_scan(&self, knock: KnockRecord, slots: impl Fn(u64) -> u64) -> bool {
        HM_KNOCKS.submit(|record: NonNull<ScanRecord>| {
            // SAFETY: the ring has room for one record here, and every index is inside its slots.
            unsafe {
                (&raw mut (*record.as_ptr()).knock).write(knock);
                let first = (&raw mut (*record.as_ptr()).slots).cast::<u64>();
                for index in 0..PORTS_MAX {
                    first.add(index).write_volatile(slots(index as u64));
                }
            }
        })
    }

    #[inline(always)]
    fn count(&self, counter: Counter) {
        if let Some(values) = HM_COUNTERS.lookup(&first()) {
            // SAFETY: the counter is inside the value, and no other CPU touches this one's.
            unsafe { *values.cast::<u64>().add(counter as usize).as_ptr() += 1 };
        }
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // No panic is left after optimisation; if one were, the verifier would refuse the endless loop.
    loop {}
}
