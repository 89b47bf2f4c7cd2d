//! The handshake's part of the kernel: meters, the answer's octets, and what is told.

use crate::{
    Helpers,
    bindings::{Packet, XdpContext, exchange, holds, opaque},
    first, settings,
    tables::*,
};
use core::{arch::asm, mem::transmute, ptr::NonNull};
use honeymesh_xdp_abi::{CookieSettings, FloodMeter, KnockRecord, PAYLOAD_MAX, VisitRecord};
use honeymesh_xdp_program::{Cookies, Rewrite};

impl Rewrite for Packet {
    #[inline(always)]
    fn write<const N: usize>(&self, offset: usize, words: [u32; N]) -> bool {
        // SAFETY: the kernel hands over a valid context; the octets are inside the packet because the comparison, which
        // the verifier insists on, says so.
        unsafe {
            let (start, end) = self.bounds();
            if start + offset + 4 * N > end {
                return false;
            }
            for (index, word) in words.into_iter().enumerate() {
                // Whole words at any alignment, as when reading.
                asm!("*(u32 *)({0} + 0) = {1}", in(reg) start + offset + 4 * index, in(reg) u64::from(word), options(nostack));
            }
        }
        true
    }

    #[inline(always)]
    fn shorten(&self, len: usize) -> bool {
        let surplus = frame_len(self.0) as i64 - len as i64;
        surplus <= 0 || cut(self.0, surplus)
    }
}

/// `bpf_xdp_get_buff_len`: the frame's length over all its buffers.
#[inline(always)]
fn frame_len(context: *mut XdpContext) -> u64 {
    // SAFETY: helper 188 has this signature and no precondition.
    unsafe {
        let helper: extern "C" fn(*mut XdpContext) -> u64 = transmute(188_usize);
        helper(context)
    }
}

/// `bpf_xdp_adjust_tail`: `surplus` octets less. Did it succeed?
#[inline(always)]
fn cut(context: *mut XdpContext, surplus: i64) -> bool {
    // SAFETY: helper 65 has this signature; nobody holds an address inside the packet over the call.
    unsafe {
        let helper: extern "C" fn(*mut XdpContext, i32) -> i64 = transmute(65_usize);
        helper(context, -(surplus as i32)) == 0
    }
}

/// `bpf_xdp_load_bytes`: copies `len` octets at `offset` of the packet. Did it succeed?
///
/// # Safety
/// `to` must have room for [`PAYLOAD_MAX`] octets.
#[inline(always)]
unsafe fn load(context: *mut XdpContext, offset: usize, to: *mut u8, len: usize) -> bool {
    // The verifier wants to see both bounds right before the call.
    let len = opaque(len as u64);
    if len == 0 || len > PAYLOAD_MAX as u64 {
        return false;
    }
    // SAFETY: helper 189 has this signature; the room is there, as the caller vouches.
    unsafe {
        let helper: extern "C" fn(*mut XdpContext, u32, *mut u8, u32) -> i64 = transmute(189_usize);
        helper(context, offset as u32, to, len as u32) == 0
    }
}

#[inline(always)]
fn proofs() -> Option<NonNull<u64>> {
    HM_PROOFS.lookup(&first())
}

/// Until when segments may prove a handshake; zero if none was begun.
#[inline(always)]
pub fn proofs_until_ns() -> u64 {
    // SAFETY: a value of this type in a map; other CPUs change it in one step.
    proofs().map_or(0, |until| unsafe { until.as_ptr().read_volatile() })
}

impl Cookies for Helpers<XdpContext> {
    #[inline(always)]
    fn handshake(&self) -> Option<(CookieSettings, [u64; 2])> {
        let settings = settings();
        // SAFETY: a value of this type in a map; user space changes it word by word.
        unsafe { Some(((&raw const (*settings).cookies).read_volatile(), (&raw const (*settings).secret).read_volatile())) }
    }

    #[inline(always)]
    fn has_trap(&self, index: u32) -> bool {
        holds(&HM_TRAPS, index)
    }

    #[inline(always)]
    fn meter<T>(&self, look: impl FnOnce(&mut FloodMeter) -> T) -> Option<T> {
        // SAFETY: a value of this type in a map, and no other CPU touches this one's.
        HM_FLOOD.lookup(&first()).map(|mut meter| look(unsafe { meter.as_mut() }))
    }

    #[inline(always)]
    fn proofs_until_ns(&self) -> u64 {
        proofs_until_ns()
    }

    #[inline(always)]
    fn set_proofs_until_ns(&self, until_ns: u64) {
        if let Some(until) = proofs() {
            // SAFETY: as in `proofs_until_ns`.
            unsafe { until.as_ptr().write_volatile(until_ns) };
        }
    }

    #[inline(always)]
    fn end_proofs(&self, until_ns: u64) {
        if let Some(until) = proofs() {
            exchange(until, until_ns, 0);
        }
    }

    #[inline(always)]
    fn tell_visit(&self, knock: KnockRecord, offset: usize, len: usize) -> bool {
        HM_KNOCKS.submit(|record: NonNull<VisitRecord>| {
            // SAFETY: the ring has room for one record here, and every word is inside it.
            unsafe {
                let record = record.as_ptr();
                (&raw mut (*record).knock).write(knock);
                let payload = (&raw mut (*record).payload).cast::<u8>();
                for at in 0..PAYLOAD_MAX / 8 {
                    payload.cast::<u64>().add(at).write_volatile(0);
                }
                let captured = if len < PAYLOAD_MAX { len } else { PAYLOAD_MAX };
                // A frame that ends before its packet says so has said nothing.
                let is_there = load(self.0, offset, payload, captured);
                (&raw mut (*record).bytes).write_volatile(if is_there { len as u32 } else { 0 });
                (&raw mut (*record).captured).write_volatile(if is_there { captured as u32 } else { 0 });
            }
        })
    }
}
