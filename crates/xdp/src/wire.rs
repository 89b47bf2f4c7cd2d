//! The shared bytes as aya moves them in and out of the kernel.
#![expect(unsafe_code, reason = "aya asks for a promise that these types are plain data")]

use honeymesh_xdp_abi::{AddressKey, AllowFilter, BanEntry, CounterValues, Header, Settings, SourceKey, Way};

/// One of the types of `xdp-abi`, which are `repr(C)` integers without padding.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct Wire<T>(pub(crate) T);

macro_rules! plain {
    ($($shared:ty),+) => {
        // SAFETY: repr(C), made of integers only, without padding (their sizes are asserted in xdp-abi), and every
        // bit pattern is a value.
        $(unsafe impl aya::Pod for Wire<$shared> {})+
    };
}

plain!(AddressKey, AllowFilter, BanEntry, CounterValues, [Header; 2], Settings, SourceKey, Way);
