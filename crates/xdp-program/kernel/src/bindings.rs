//! The part of the kernel's BPF interface that the program uses: maps, helpers by their number, packets, atomics.

use crate::lockdown::{Socket, state};
use core::{
    arch::asm,
    cell::UnsafeCell,
    ffi::c_void,
    hint::assert_unchecked,
    marker::PhantomData,
    mem::{MaybeUninit, transmute},
    ptr::{NonNull, from_ref},
};
use honeymesh_xdp_program::lockdown::STATE_LISTEN;

/// `XDP_DROP`.
pub const XDP_DROP: u32 = 1;
/// `XDP_PASS`.
pub const XDP_PASS: u32 = 2;
/// `TCX_NEXT`, and `TC_ACT_UNSPEC` to older ways: the packet goes on to whatever else looks at it.
pub const TCX_NEXT: i32 = -1;
/// `TCX_DROP`.
pub const TCX_DROP: i32 = 2;
/// `XDP_TX`.
pub const XDP_TX: u32 = 3;
/// `BPF_F_CURRENT_NETNS`.
pub const CURRENT_NETNS: u64 = u64::MAX >> 32;

/// `struct xdp_md`.
#[repr(C)]
pub struct XdpContext {
    data: u32,
    data_end: u32,
    data_meta: u32,
    ingress_ifindex: u32,
    rx_queue_index: u32,
    egress_ifindex: u32,
}

/// `struct __sk_buff`, as far as it is used.
#[repr(C)]
pub struct SkBuff {
    others: [u32; 4],
    protocol: u32,
}

/// What a program is called with.
pub trait Context {
    /// May the packet be the self-probe's? It is no stranger's: it came by no wire.
    fn is_proof(context: *mut Self) -> bool;
}

impl Context for XdpContext {
    /// In a test run, the kernel says that a frame came by the loopback interface.
    #[inline(always)]
    fn is_proof(context: *mut Self) -> bool {
        const LOOPBACK: u32 = 1;
        // SAFETY: the kernel's context, which every program may read.
        unsafe { (&raw const (*context).ingress_ifindex).read_volatile() == LOOPBACK }
    }
}

impl Context for SkBuff {
    /// No probe comes so far.
    #[inline(always)]
    fn is_proof(_: *mut Self) -> bool {
        false
    }
}

/// Kinds of map (`enum bpf_map_type`).
#[derive(Clone, Copy)]
pub enum Kind {
    Hash = 1,
    Array = 2,
    Programs = 3,
    PerCpuArray = 6,
    Trie = 11,
    SockMap = 15,
    Ring = 27,
}

/// A map as the loader reads it from the section `maps` (`struct bpf_map_def`), and as helpers take it by address.
#[repr(C)]
pub struct Map<K, V> {
    kind: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
    id: u32,
    pinning: u32,
    types: PhantomData<fn(K) -> V>,
}

/// `BPF_F_NO_PREALLOC`: memory only for the entries there are.
pub const NO_PREALLOC: u32 = 1;

/// `BPF_F_MMAPABLE`: user space shares its memory.
pub const MAPPABLE: u32 = 1 << 10;

/// A value of zeros at a fixed address, which user space writes.
#[repr(transparent)]
pub struct Fixed<T>(UnsafeCell<MaybeUninit<T>>);

// SAFETY: only ever read through the pointer, which is volatile.
unsafe impl<T> Sync for Fixed<T> {}

impl<T> Fixed<T> {
    pub const fn zeroed() -> Self {
        Self(UnsafeCell::new(MaybeUninit::zeroed()))
    }

    /// Where it is.
    #[inline(always)]
    pub const fn at(&self) -> *const T {
        self.0.get().cast()
    }
}

impl<K, V> Map<K, V> {
    /// A map of at most `max_entries`, which the loader may override.
    pub const fn new(kind: Kind, max_entries: u32, flags: u32) -> Self {
        let is_ring = matches!(kind, Kind::Ring);
        let key_size = if is_ring { 0 } else { size_of::<K>() as u32 };
        let value_size = if is_ring { 0 } else { size_of::<V>() as u32 };
        Self { kind: kind as u32, key_size, value_size, max_entries, flags, id: 0, pinning: 0, types: PhantomData }
    }

    fn address(&self) -> *mut c_void {
        from_ref(self).cast_mut().cast()
    }

    /// `bpf_map_lookup_elem`: where the value is; it stays there until the program ends.
    #[inline(always)]
    pub fn lookup(&self, key: &K) -> Option<NonNull<V>> {
        // SAFETY: helper 1 has this signature; map and key are of the sizes the map was made with.
        unsafe {
            let helper: extern "C" fn(*mut c_void, *const K) -> *mut V = transmute(1_usize);
            NonNull::new(helper(self.address(), key))
        }
    }

    /// `bpf_map_update_elem`: did it succeed?
    #[inline(always)]
    pub fn update(&self, key: &K, value: &V, flags: u64) -> bool {
        // SAFETY: helper 2 has this signature; map, key and value are of the sizes the map was made with.
        unsafe {
            let helper: extern "C" fn(*mut c_void, *const K, *const V, u64) -> i64 = transmute(2_usize);
            helper(self.address(), key, value, flags) == 0
        }
    }

    /// `bpf_ringbuf_reserve` and `bpf_ringbuf_submit`: has `write` written a record into the ring? It must write all of
    /// it, because nothing else has.
    #[inline(always)]
    pub fn submit<T>(&self, write: impl FnOnce(NonNull<T>)) -> bool {
        // SAFETY: helpers 131 and 132 have these signatures; what was reserved is submitted exactly once.
        unsafe {
            let reserve: extern "C" fn(*mut c_void, u64, u64) -> *mut T = transmute(131_usize);
            let submit: extern "C" fn(*mut T, u64) = transmute(132_usize);
            let Some(record) = NonNull::new(reserve(self.address(), size_of::<T>() as u64, 0)) else { return false };
            write(record);
            submit(record.as_ptr(), 0);
            true
        }
    }

    /// `bpf_ringbuf_query` for `BPF_RB_AVAIL_DATA`: how many octets of the ring wait for user space.
    #[inline(always)]
    pub fn used(&self) -> u64 {
        // SAFETY: helper 134 has this signature; the map is a ring.
        unsafe {
            let query: extern "C" fn(*mut c_void, u64) -> u64 = transmute(134_usize);
            query(self.address(), 0)
        }
    }
}

/// `bpf_ktime_get_boot_ns`: `CLOCK_BOOTTIME`.
#[inline(always)]
pub fn boot_ns() -> u64 {
    // SAFETY: helper 125 has this signature and no precondition.
    unsafe {
        let helper: extern "C" fn() -> u64 = transmute(125_usize);
        helper()
    }
}

/// `bpf_jiffies64`: the kernel puts the load of one word in place of the call.
#[inline(always)]
pub fn jiffies() -> u64 {
    // SAFETY: helper 118 has this signature and no precondition.
    unsafe {
        let helper: extern "C" fn() -> u64 = transmute(118_usize);
        helper()
    }
}

/// `bpf_skc_lookup_tcp`: is there a TCP socket for these addresses and ports? `tuple` is a `bpf_sock_tuple`.
#[inline(always)]
pub fn has_socket<C, T>(context: *mut C, tuple: &T) -> bool {
    // SAFETY: helper 99 has the signature of a look-up, and the context is one of a kind that may ask it.
    unsafe { is_found(transmute::<usize, LookUp<C, T>>(99), context, tuple) }
}

/// `bpf_sk_lookup_udp`: is there a UDP socket for these addresses and ports? `tuple` is a `bpf_sock_tuple`.
#[inline(always)]
pub fn has_datagram_socket<C, T>(context: *mut C, tuple: &T) -> bool {
    // SAFETY: helper 85 has the signature of a look-up, and the context is one of a kind that may ask it.
    unsafe { is_found(transmute::<usize, LookUp<C, T>>(85), context, tuple) }
}

/// A helper that looks for a socket: context, tuple and its size, network namespace, flags.
type LookUp<C, T> = extern "C" fn(*mut C, *const T, u32, u64, u64) -> *mut c_void;

/// # Safety
/// `lookup` must be such a helper.
#[inline(always)]
unsafe fn is_found<C, T>(lookup: LookUp<C, T>, context: *mut C, tuple: &T) -> bool {
    // SAFETY: the tuple's size tells the kernel its family; the socket is released exactly when there is one.
    unsafe {
        let socket = lookup(context, tuple, size_of::<T>() as u32, CURRENT_NETNS, 0);
        if socket.is_null() {
            return false;
        }
        release(socket);
        true
    }
}

/// `bpf_sk_release`: gives a socket back.
///
/// # Safety
/// It must have been handed out by the kernel, and not been given back.
#[inline(always)]
unsafe fn release(socket: *mut c_void) {
    // SAFETY: helper 86 has this signature; the caller vouches for the socket.
    unsafe {
        let release: extern "C" fn(*mut c_void) -> i64 = transmute(86_usize);
        release(socket);
    }
}

/// `bpf_sk_assign`: hands the packet to the socket at `index` of `sockets`. `false` if there is none there, it does not listen, or the
/// kernel refuses.
#[inline(always)]
pub fn assign(context: *mut SkBuff, sockets: &Map<u32, u32>, index: u32) -> bool {
    with_listener(sockets, index, |socket| {
        // SAFETY: helper 124 has this signature, and the socket is there.
        unsafe {
            let assign: extern "C" fn(*mut SkBuff, *mut c_void, u64) -> i64 = transmute(124_usize);
            assign(context, socket, 0) == 0
        }
    })
}

/// Is there a socket at `index` of `sockets`, and does it listen?
#[inline(always)]
pub fn holds(sockets: &Map<u32, u32>, index: u32) -> bool {
    with_listener(sockets, index, |_| true)
}

/// What `look` says of the socket at `index` of `sockets`; `false` if there is none there, or it does not listen. One that was shut stays
/// in the map, and the network stack would drop what it is handed without a word.
#[inline(always)]
fn with_listener(sockets: &Map<u32, u32>, index: u32, look: impl FnOnce(*mut c_void) -> bool) -> bool {
    // SAFETY: helper 1 has this signature; a look-up in a socket map hands out the socket, which is given back exactly
    // when there is one.
    unsafe {
        let lookup: extern "C" fn(*mut c_void, *const u32) -> *mut Socket = transmute(1_usize);
        let index = opaque(index.into()) as u32;
        let Some(socket) = NonNull::new(lookup(sockets.address(), &raw const index)) else { return false };
        let said = state(socket) == STATE_LISTEN && look(socket.as_ptr().cast());
        release(socket.as_ptr().cast());
        said
    }
}

/// A packet at the door of the network stack.
#[derive(Clone, Copy)]
pub struct Skb(pub *mut SkBuff);

/// `BPF_HDR_START_NET`.
const FROM_NETWORK_HEADER: u32 = 1;

/// By a helper that counts from the network header: where the packet's octets begin is not certain. Behind XDP in generic
/// mode Linux 6.18 leaves the link header out. Drivers put the headers into the first buffer; what is not there is not read.
impl honeymesh_xdp_program::Frame for Skb {
    #[inline(always)]
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        let mut octets = [0; N];
        // SAFETY: helper 68, `bpf_skb_load_bytes_relative`, has this signature and writes `N` octets or fails.
        let result = unsafe {
            let load: extern "C" fn(*mut SkBuff, u32, *mut [u8; N], u32, u32) -> i64 = transmute(68_usize);
            load(self.0, offset as u32, &raw mut octets, N as u32, FROM_NETWORK_HEADER)
        };
        (result == 0).then_some(octets)
    }
}

impl honeymesh_xdp_program::Door for Skb {
    #[inline(always)]
    fn protocol(&self) -> u16 {
        // SAFETY: the kernel hands over a valid context.
        u16::from_be(unsafe { (*self.0).protocol } as u16)
    }
}

/// `bpf_tail_call`: goes on with the program at `index`, on a stack of its own. Returns only if there is none.
#[inline(always)]
pub fn tail_call(context: *mut XdpContext, programs: &Map<u32, u32>, index: u32) {
    // SAFETY: helper 12 has this signature; the kernel checks that the programs are of this one's type.
    unsafe {
        let helper: extern "C" fn(*mut XdpContext, *mut c_void, u32) -> i64 = transmute(12_usize);
        helper(context, programs.address(), index);
    }
}

/// The packet of a context, read within its bounds.
#[derive(Clone, Copy)]
pub struct Packet(pub *mut XdpContext);

impl Packet {
    /// Where the packet begins and ends.
    ///
    /// # Safety
    /// The context must be the one that the kernel handed over.
    #[inline(always)]
    pub unsafe fn bounds(&self) -> (usize, usize) {
        // SAFETY: the caller vouches for the context.
        unsafe { ((*self.0).data as usize, (*self.0).data_end as usize) }
    }
}

impl honeymesh_xdp_program::Frame for Packet {
    #[inline(always)]
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        // SAFETY: the kernel hands over a valid context; the octets are inside the packet because the comparison, which
        // the verifier insists on, says so.
        unsafe {
            let (start, end) = self.bounds();
            if start + offset + N > end {
                return None;
            }
            Some(octets(start + offset))
        }
    }

    #[inline(always)]
    fn words<const N: usize>(&self, offset: usize) -> Option<[u32; N]> {
        let mut words = [0; N];
        // SAFETY: as above.
        unsafe {
            let (start, end) = self.bounds();
            let from = start + offset;
            if from + 4 * N > end {
                return None;
            }
            macro_rules! each {
                ($($index:literal)+) => {
                    $(if $index < N {
                        words[$index] = word::<{ 4 * $index }>(from);
                    })+
                };
            }
            each!(0 1 2 3 4 5 6 7 8 9);
        }
        (N <= WORDS_MAX / 4).then_some(words)
    }
}

/// So many octets are read word by word without a loop.
const WORDS_MAX: usize = 40;

/// The word `AT` octets behind an address of any alignment.
///
/// # Safety
/// It must be readable.
#[inline(always)]
unsafe fn word<const AT: usize>(from: usize) -> u32 {
    let word: u64;
    // SAFETY: the caller vouches for it.
    unsafe { asm!("{0} = *(u32 *)({1} + {2})", out(reg) word, in(reg) from, const AT, options(pure, readonly, nostack)) };
    // SAFETY: the load leaves the upper half zero; the compiler, once it knows, does not make it so again.
    unsafe { assert_unchecked(word <= u32::MAX as u64) };
    word as u32
}

/// `N` octets at an address of any alignment, word by word: the compiler, which must not assume that the processor takes
/// a word from anywhere, would load octet by octet. Every processor that runs XDP does take it.
///
/// # Safety
/// The octets must be readable.
#[inline(always)]
unsafe fn octets<const N: usize>(from: usize) -> [u8; N] {
    let mut octets = [0; N];
    // With the offset in the instruction, which a loop would add up.
    macro_rules! words {
        ($($at:literal)+) => {
            $(if $at + 4 <= N {
                // SAFETY: inside the octets, which the caller vouches for.
                let word = unsafe { word::<$at>(from) };
                octets[$at..$at + 4].copy_from_slice(&word.to_ne_bytes());
            })+
        };
    }
    words!(0 4 8 12 16 20 24 28 32 36);
    let mut at = if N < WORDS_MAX { N & !3 } else { WORDS_MAX };
    while at + 4 <= N {
        // SAFETY: as above.
        let word = unsafe { word::<0>(from + at) };
        octets[at..at + 4].copy_from_slice(&word.to_ne_bytes());
        at += 4;
    }
    if at + 2 <= N {
        let half: u64;
        // SAFETY: as above.
        unsafe { asm!("{0} = *(u16 *)({1} + 0)", out(reg) half, in(reg) from + at, options(pure, readonly, nostack)) };
        octets[at..at + 2].copy_from_slice(&(half as u16).to_ne_bytes());
        at += 2;
    }
    while at < N {
        // SAFETY: as above.
        octets[at] = unsafe { ((from + at) as *const u8).read() };
        at += 1;
    }
    octets
}

/// Adds `amount` to a value that other CPUs add to.
#[inline(always)]
pub fn add(value: NonNull<u64>, amount: u64) {
    // SAFETY: the pointer is aligned and points into a map value; the verifier checks both.
    unsafe { asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) value.as_ptr(), in(reg) amount) };
}

/// Adds one to a value of 32 bits that other CPUs add to.
#[inline(always)]
pub fn increment(value: NonNull<u32>) {
    // SAFETY: as above.
    unsafe { asm!("lock *(u32 *)({0} + 0) += {1}", in(reg) value.as_ptr(), in(wreg) 1_u32) };
}

/// Puts `new` in place of `old` in one step. What was there.
#[inline(always)]
pub fn exchange(value: NonNull<u64>, old: u64, new: u64) -> u64 {
    let found;
    // SAFETY: as in `add`; the instruction compares with register 0 and leaves there what it found.
    unsafe {
        asm!("r0 = cmpxchg_64({0} + 0, r0, {1})", in(reg) value.as_ptr(), in(reg) new, inout("r0") old => found);
    }
    found
}

/// `value`, in a way that the compiler cannot see through.
#[inline(always)]
pub fn opaque(mut value: u64) -> u64 {
    // SAFETY: nothing is done.
    unsafe { asm!("/* {0} */", inout(reg) value, options(pure, nomem, nostack)) };
    value
}
