//! Is the source banned, and does the ban apply to this packet?

use crate::{Ban, Frame, Judgement, Kernel, bucket::Hits, ip::Ip, note};
use honeymesh_xdp_abi::{Counter, Gates, SCOPE_ALL, SCOPE_DARK};

/// How many banned prefixes that contain each other are tried, from the longest on, when the longer ones have ended or
/// are narrower in scope. Of IPv4 there are no more (/0 to /31; addresses have a table of their own). Behind more of IPv6 a packet
/// passes and is counted: the kernel's verifier would follow all 128 for nearly as long as it follows any program.
pub const NESTED_MAX: usize = 32;

/// A live ban in one of the tables.
#[derive(Clone, Copy)]
pub(crate) enum Held<H, B> {
    Exact(H),
    Other(B),
}

/// What [`Held`] is in the family `I` of the kernel `K`.
pub(crate) type HeldIn<I, K> = Held<<I as Ip>::Hits<K>, <K as Kernel>::Ban>;

impl<H: Hits, B: Ban> Held<H, B> {
    /// One more packet.
    #[inline(always)]
    pub(crate) fn hit(self) {
        match self {
            Self::Exact(hits) => hits.hit(),
            Self::Other(ban) => ban.hit(),
        }
    }
}

/// A live ban, and the verdict counter of what it drops.
#[derive(Clone, Copy)]
pub(crate) struct Applies<H> {
    held: H,
    counter: Counter,
}

/// The source's live ban of scope `all`, if there is one.
#[inline(always)]
pub(crate) fn full<I: Ip, K: Kernel>(ip: &I, kernel: &K, gates: Gates) -> Option<Applies<HeldIn<I, K>>> {
    let exact = |gates| entered(ip, kernel, gates, SCOPE_ALL).map(|held| Applies { held, counter: I::DROPPED });
    if let Some(own) = exact(gates) {
        return Some(own);
    }
    if gates.has(Gates::PLACED_ALL) {
        if let Some(ban) = live(kernel.placed(&ip.source_key()), kernel)
            && ban.entry().scope >= SCOPE_ALL
        {
            return Some(Applies { held: Held::Other(ban), counter: I::DROPPED });
        }
        if let Some(own) = exact(kernel.gates()) {
            return Some(own);
        }
    }
    let ban = prefix(ip, kernel, gates, SCOPE_ALL)?;
    Some(Applies { held: Held::Other(ban), counter: Counter::DroppedNet })
}

/// The same for an exact ban that was found elsewhere.
#[inline(always)]
pub(crate) fn exact<I: Ip, K: Kernel>(ip: &I, hits: I::Hits<K>, frame: &impl Frame, kernel: &K) -> Judgement {
    judge(ip, Applies { held: Held::Exact(hits), counter: I::DROPPED }, frame, kernel)
}

/// Neighbour discovery and allowed sources pass; the rest is a hit, and dropped.
#[inline(always)]
pub(crate) fn judge<I: Ip, K: Kernel>(ip: &I, found: Applies<HeldIn<I, K>>, frame: &impl Frame, kernel: &K) -> Judgement {
    if ip.is_neighbour_discovery(frame) {
        return note(kernel, Counter::Neighbour);
    }
    if ip.is_allowed(kernel) {
        return note(kernel, Counter::Allowed);
    }
    found.held.hit();
    Judgement::Drop(found.counter)
}

/// The source's silence: as user space entered it, as the kernel placed it, or of a whole prefix. Asked for probes only,
/// so it looks the exact ban up once more instead of carrying it along with every packet.
#[inline(always)]
pub(crate) fn silence<I: Ip, K: Kernel>(ip: &I, kernel: &K, gates: Gates) -> Option<HeldIn<I, K>> {
    if let Some(own) = entered(ip, kernel, gates, SCOPE_DARK) {
        return Some(own);
    }
    if let Some(ban) = live(kernel.placed(&ip.source_key()), kernel) {
        return Some(Held::Other(ban));
    }
    if let Some(own) = entered(ip, kernel, kernel.gates(), SCOPE_DARK) {
        return Some(own);
    }
    prefix(ip, kernel, gates, SCOPE_DARK).map(Held::Other)
}

/// The source's exact ban, if its scope is at least `scope`: a full one that was not there a moment ago silences, too. Asked for twice, before
/// and behind what the kernel placed: user space enters its own ban before it takes the kernel's away, so whoever misses both has
/// looked between the two.
#[inline(always)]
fn entered<I: Ip, K: Kernel>(ip: &I, kernel: &K, gates: Gates, scope: u8) -> Option<HeldIn<I, K>> {
    if !gates.has(I::BANS) {
        return None;
    }
    ip.ban(kernel).filter(|found| found.life.scope() >= scope).map(|found| Held::Exact(found.hits))
}

/// The longest live prefix ban whose scope is at least `scope`.
#[inline(always)]
fn prefix<I: Ip, K: Kernel>(ip: &I, kernel: &K, gates: Gates, scope: u8) -> Option<K::Ban> {
    if !gates.has(I::NETS) || !ip.is_touched(kernel, gates) {
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
