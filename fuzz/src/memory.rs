//! What is allocated, counted: so that a target can say how much a parser holds.

use peak_alloc::PeakAlloc;

#[global_allocator]
static COUNTED: PeakAlloc = PeakAlloc;

/// Bytes that are allocated now, by all threads.
pub(crate) fn held() -> usize {
    COUNTED.current_usage()
}

/// The most that were since [`forget_peak`].
pub(crate) fn peak() -> usize {
    COUNTED.peak_usage()
}

/// What is allocated now is the most from now on.
pub(crate) fn forget_peak() {
    COUNTED.reset_peak_usage();
}
