//! What is allocated, counted: so that a target can say how much a parser holds.

use peak_alloc::PeakAlloc;

#[global_allocator]
static COUNTED: PeakAlloc = PeakAlloc;

/// Bytes that are allocated now, by all threads.
pub(crate) fn held() -> usize {
    COUNTED.current_usage()
}
