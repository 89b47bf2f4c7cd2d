//! What a lockdown asks of the kernel: the sockets' states, and how long it holds.

use crate::{Helpers, bindings::CURRENT_NETNS, settings};
use core::{ffi::c_void, mem::transmute, ptr::NonNull};
use honeymesh_xdp_program::{Connections, Tuple4, Tuple6, lockdown::STATE_NONE};

/// `bpf_sk_lookup_udp`.
const LOOKUP_UDP: usize = 85;
/// `bpf_sk_release`.
const RELEASE: usize = 86;
/// `bpf_skc_lookup_tcp`: also finds handshakes under way and connections in `TIME_WAIT`.
const LOOKUP_TCP: usize = 99;

/// The beginning of `struct bpf_sock`.
#[repr(C)]
pub struct Socket {
    before: [u32; 12],
    /// The port it is connected to, in network order; 0 if it is not.
    peer_port: u16,
    gap: u16,
    peer: [u32; 5],
    state: u32,
}

const _: () = assert!(core::mem::offset_of!(Socket, peer_port) == 48);
const _: () = assert!(core::mem::offset_of!(Socket, state) == 72);

impl<C> Connections for Helpers<C> {
    #[inline(always)]
    fn lockdown_until_ns(&self) -> u64 {
        // SAFETY: a value of this type in a map; user space changes it word by word.
        unsafe { (&raw const (*settings()).lockdown_until_ns).read_volatile() }
    }

    #[inline(always)]
    fn tcp_state4(&self, tuple: &Tuple4) -> u32 {
        find::<LOOKUP_TCP, _, _, _>(self.0, tuple, state).unwrap_or(STATE_NONE)
    }

    #[inline(always)]
    fn tcp_state6(&self, tuple: &Tuple6) -> u32 {
        find::<LOOKUP_TCP, _, _, _>(self.0, tuple, state).unwrap_or(STATE_NONE)
    }

    // A connected socket is only found for packets of the address and port that it is connected to.
    #[inline(always)]
    fn is_udp_peer4(&self, tuple: &Tuple4) -> bool {
        find::<LOOKUP_UDP, _, _, _>(self.0, tuple, peer_port).is_some_and(|port| port != 0 && port == tuple.source_port)
    }

    #[inline(always)]
    fn is_udp_peer6(&self, tuple: &Tuple6) -> bool {
        find::<LOOKUP_UDP, _, _, _>(self.0, tuple, peer_port).is_some_and(|port| port != 0 && port == tuple.source_port)
    }
}

/// The state of a TCP socket, by the kernel's number.
#[inline(always)]
pub fn state(socket: NonNull<Socket>) -> u32 {
    // SAFETY: the kernel lets programs read this field of every socket that look-ups find, also those in a socket map.
    unsafe { (&raw const (*socket.as_ptr()).state).read_volatile() }
}

#[inline(always)]
fn peer_port(socket: NonNull<Socket>) -> u16 {
    // SAFETY: as above.
    unsafe { (&raw const (*socket.as_ptr()).peer_port).read_volatile() }
}

/// Reads from the socket that takes the packet with these addresses and ports, if there is one. `tuple` is a
/// `bpf_sock_tuple`.
#[inline(always)]
fn find<const LOOKUP: usize, C, T, R>(context: *mut C, tuple: &T, read: impl FnOnce(NonNull<Socket>) -> R) -> Option<R> {
    // SAFETY: the helpers have these signatures; the tuple's size tells the kernel its family; the socket is read before it
    // is released, and released exactly when there is one.
    unsafe {
        let lookup: extern "C" fn(*mut C, *const T, u32, u64, u64) -> *mut Socket = transmute(LOOKUP);
        let release: extern "C" fn(*mut c_void) -> i64 = transmute(RELEASE);
        let socket = NonNull::new(lookup(context, tuple, size_of::<T>() as u32, CURRENT_NETNS, 0))?;
        let found = read(socket);
        release(socket.as_ptr().cast());
        Some(found)
    }
}
