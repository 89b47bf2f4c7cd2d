//! What user space is told, and how much of it: a flood must neither bury the daemon nor crowd out what matters more.

use super::window::Way;
use crate::{Kernel, Scan};
use honeymesh_xdp_abi::{Counter, KIND_PROBE, KIND_SCAN, KnockRecord, RECORDS_BURST, RECORDS_PER_SECOND, RING_PROBES_MAX, ticks};

const SECOND_NS: u64 = 1_000_000_000;

/// Tells of a probe, unless there were too many of late.
#[inline(always)]
pub(super) fn knock(knock: KnockRecord, kernel: &impl Kernel) {
    if !is_due::<KIND_PROBE>(knock.at_ns, kernel) {
        return;
    }
    if kernel.ring_used() >= RING_PROBES_MAX || !kernel.tell_knock(knock) {
        kernel.count(Counter::KnocksLost);
    }
}

/// Tells of a suspect's probe, unless there were too many of late. `KIND` is the record's.
#[inline(always)]
pub(super) fn suspect<const KIND: u8>(knock: KnockRecord, kernel: &impl Kernel) {
    if is_due::<KIND>(knock.at_ns, kernel) && !kernel.tell_knock(knock) {
        kernel.count(Counter::KnocksLost);
    }
}

/// Tells of a scan, with the ports within the window. Scans have a budget of their own, which probes cannot use up.
#[inline(always)]
pub(super) fn scan<S: Scan>(way: Way<S>, knock: KnockRecord, window: u64, kernel: &impl Kernel) {
    kernel.count(Counter::Scans);
    let now = ticks(knock.at_ns);
    if is_due::<KIND_SCAN>(knock.at_ns, kernel) && !kernel.tell_scan(knock, |index| way.live(index, now, window)) {
        kernel.count(Counter::KnocksLost);
    }
}

/// May a record of this kind be written now? Counts it if not. The generic cell rate algorithm (ITU-T I.371): one word says
/// when the next record is due at the usual pace, and it may come up to a burst ahead of that.
#[inline(always)]
fn is_due<const KIND: u8>(now_ns: u64, kernel: &impl Kernel) -> bool {
    let pace_ns = SECOND_NS / RECORDS_PER_SECOND[KIND as usize];
    let due_ns = kernel.due_ns(KIND).max(now_ns);
    let is_due = due_ns - now_ns <= pace_ns * (RECORDS_BURST - 1);
    if is_due {
        kernel.set_due_ns(KIND, due_ns + pace_ns);
    } else {
        kernel.count(Counter::KnocksLimited);
    }
    is_due
}
