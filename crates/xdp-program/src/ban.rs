//! Is the source banned, and does the ban apply to this packet?

use crate::{Ban, Frame, Judgement, Kernel, ip::Ip, note};
use honeymesh_xdp_abi::{Counter, Gates, SCOPE_ALL};

/// How many banned prefixes that contain each other are tried, from the longest on, when the longer ones have ended or
/// are narrower in scope. Behind more than that a packet passes and is counted.
pub const NESTED_MAX: usize = 8;

/// A live ban, and the verdict counter of what it drops.
#[derive(Clone, Copy)]
pub(crate) struct Found<B> {
    ban: B,
    counter: Counter,
}

/// The source's live ban of scope `all`, if there is one.
#[inline(always)]
pub(crate) fn full<I: Ip, K: Kernel>(ip: &I, kernel: &K, gates: Gates) -> Option<Found<K::Ban>> {
    if gates.has(I::BANS)
        && let Some(ban) = live(ip.ban(kernel), kernel)
    {
        return Some(Found { ban, counter: I::DROPPED });
    }
    if gates.has(Gates::PLACED_ALL)
        && let Some(ban) = live(kernel.placed(&ip.source_key()), kernel)
        && ban.entry().scope >= SCOPE_ALL
    {
        return Some(Found { ban, counter: I::DROPPED });
    }
    let ban = prefix(ip, kernel, gates, SCOPE_ALL)?;
    Some(Found { ban, counter: Counter::DroppedNet })
}

/// Neighbour discovery and allowed sources pass; the rest is a hit, and dropped.
#[inline(always)]
pub(crate) fn judge<I: Ip, K: Kernel>(ip: &I, found: Found<K::Ban>, frame: &impl Frame, kernel: &K) -> Judgement {
    if ip.is_neighbour_discovery(frame) {
        return note(kernel, Counter::Neighbour);
    }
    if ip.is_allowed(kernel) {
        return note(kernel, Counter::Allowed);
    }
    found.ban.hit();
    Judgement::Drop(found.counter)
}

/// The source's silence: as user space entered it, as the kernel placed it, or of a whole prefix.
#[inline(always)]
pub(crate) fn silence<I: Ip, K: Kernel>(ip: &I, kernel: &K, gates: Gates) -> Option<K::Ban> {
    let source = ip.source_key();
    if let Some(ban) = live(kernel.dark(&source), kernel) {
        return Some(ban);
    }
    if let Some(ban) = live(kernel.placed(&source), kernel) {
        return Some(ban);
    }
    prefix(ip, kernel, gates, 0)
}

/// The longest live prefix ban whose scope is at least `scope`.
#[inline(always)]
fn prefix<I: Ip, K: Kernel>(ip: &I, kernel: &K, gates: Gates, scope: u8) -> Option<K::Ban> {
    if !gates.has(I::NETS) {
        return None;
    }
    let mut bits = I::BITS;
    for _ in 0..NESTED_MAX {
        let ban = ip.net(kernel, bits)?;
        let entry = ban.entry();
        if entry.scope >= scope && entry.is_live(kernel.now_ns()) {
            return Some(ban);
        }
        if entry.bits == 0 || entry.bits > bits {
            return None;
        }
        bits = entry.bits - 1;
    }
    kernel.count(Counter::TooNested);
    None
}

#[inline(always)]
fn live<K: Kernel>(ban: Option<K::Ban>, kernel: &K) -> Option<K::Ban> {
    ban.filter(|ban| ban.entry().is_live(kernel.now_ns()))
}
