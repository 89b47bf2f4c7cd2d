//! What the handshake needs from the packet and from the kernel, beyond what every decision needs.

use crate::{Frame, Kernel};
use honeymesh_xdp_abi::{CookieSettings, FloodMeter, KnockRecord};

/// A frame that can be changed and sent back.
pub trait Rewrite: Frame {
    /// Puts `words`, each as it stands in memory, at `offset`. `false` if the frame ends before them or cannot be
    /// changed; then nothing was.
    fn write<const N: usize>(&self, offset: usize, words: [u32; N]) -> bool;
    /// Cuts what is behind `len`; a frame that is no longer stays. `false` if that cannot be done.
    fn shorten(&self, len: usize) -> bool;
}

/// The part of the kernel that the handshake needs.
pub trait Cookies: Kernel {
    /// How fast is a flood, and the 128 secret bits; `None` if the settings cannot be read.
    fn handshake(&self) -> Option<(CookieSettings, [u64; 2])>;
    /// Is there a socket of the trap's at `index`? The kernel takes it out when the process that holds it ends, so it says
    /// whether anybody hears what is proved.
    fn has_trap(&self, index: u32) -> bool;
    /// Lets `look` read and change this CPU's meter. `None` if there is none.
    fn meter<T>(&self, look: impl FnOnce(&mut FloodMeter) -> T) -> Option<T>;
    /// Until when segments may prove a handshake; zero if none was begun: then [`Kernel::is_listening`] is false.
    fn proofs_until_ns(&self) -> u64;
    /// Sets that.
    fn set_proofs_until_ns(&self, until_ns: u64);
    /// Sets it to zero if it still is `until_ns`.
    fn end_proofs(&self, until_ns: u64);
    /// Tells user space of a finished handshake, with the first of the `len` octets of payload at `offset`. `false` if the
    /// ring buffer is full.
    fn tell_visit(&self, knock: KnockRecord, offset: usize, len: usize) -> bool;
}
