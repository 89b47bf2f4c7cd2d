//! When a ban that outlives its lease is said again.
//!
//! A record lives [`TTL_MAX`] at most, and peers believe it no longer than their `ttl_mesh`: a ban in the mesh is a lease. Its issuer
//! says it again between the half and three quarters of the lease, at a point that the subject alone decides, so that bans that
//! were said together do not fall due together. Nobody else can: who is gone for good is believed until the lease ends.

use super::{Node, spread::Word};
use alloc::collections::{BTreeMap, BTreeSet};
use core::{net::IpAddr, time::Duration};
use honeymesh_mesh_proto::{Record, limits::TTL_MAX};
use honeymesh_types::{MonoTime, Subject, WallTime};

/// The share of the lease that is always left when a ban is said again: a quarter, 6 hours of a day. An issuer that is away for
/// no longer opens no gap.
const MARGIN_SHARE: u32 = 4;
/// Over which share of the lease the renewals are spread: a quarter, just before the margin.
const JITTER_SHARE: u32 = 4;
/// A lease that ends this much before its ban is not said again for it.
const SLACK: Duration = Duration::from_secs(2);
/// How many bans are said again at once, ...
pub const RENEW_BATCH_MAX: usize = 64;
/// ... and the pause before the next: together less than the `origin_rate` that peers grant, so that renewals are not refused.
pub const RENEW_PAUSE: Duration = Duration::from_millis(100);
/// How many subjects are looked at in one wake; `wake_at` stays in the past while more are due.
const RENEW_LOOK_MAX: usize = 1_024;
/// The soonest that a ban is said again, so that one that cannot be said is not tried without end.
const RENEW_AFTER_MIN: Duration = Duration::from_secs(1);

/// When to look at a ban again, one time a subject. Holds no more than the ledger has bans.
#[derive(Default)]
pub(super) struct Renewals {
    due: BTreeSet<(WallTime, Subject)>,
    at: BTreeMap<Subject, WallTime>,
    /// Nothing is said before, because so much was said just now.
    paused_until: Option<MonoTime>,
}

impl Renewals {
    pub(super) fn set(&mut self, subject: Subject, at: WallTime) {
        self.cancel(&subject);
        self.due.insert((at, subject));
        self.at.insert(subject, at);
    }

    pub(super) fn cancel(&mut self, subject: &Subject) {
        if let Some(at) = self.at.remove(subject) {
            self.due.remove(&(at, *subject));
        }
    }

    pub(super) fn next(&self) -> Option<WallTime> {
        self.due.first().map(|(at, _)| *at)
    }

    pub(super) const fn paused_until(&self) -> Option<MonoTime> {
        self.paused_until
    }

    fn take_due(&mut self, now: WallTime) -> Option<Subject> {
        let (_, subject) = self.due.first().filter(|(at, _)| *at <= now).copied()?;
        self.cancel(&subject);
        Some(subject)
    }
}

impl Node {
    /// Says again what is due, and what was not said yet: a bounded number, then a pause.
    pub(super) fn renew(&mut self) {
        if self.renewals.paused_until.is_some_and(|until| until > self.now.mono) {
            return;
        }
        self.renewals.paused_until = None;
        let published = self.counters.published;
        for _ in 0..RENEW_LOOK_MAX {
            let Some(subject) = self.renewals.take_due(self.now.wall) else { return };
            self.spread(subject);
            if self.counters.published.saturating_sub(published) >= RENEW_BATCH_MAX as u64 {
                self.renewals.paused_until = Some(self.now.mono.plus(RENEW_PAUSE));
                return;
            }
        }
    }

    /// When [`Self::renew`] has something to do.
    pub(super) fn renew_at(&self) -> Option<MonoTime> {
        let due = self.mono_at(self.renewals.next()?);
        Some(self.renewals.paused_until().map_or(due, |until| due.max(until)))
    }

    /// How long peers believe one word: this node assumes that they have the `ttl_mesh` that it has. What it saw itself is bounded by its
    /// own lifetimes and said again only when no record can last as long.
    pub(super) fn lease(&self, word: &Word) -> Duration {
        if word.by_operator { self.ledger.policy().ttl.mesh.min(TTL_MAX) } else { TTL_MAX }
    }

    /// Does the ban outlive the record that was said about it, because no record is believed any longer?
    pub(super) fn outlives(&self, word: &Word, own: &Record) -> bool {
        let lease_ends = own.at.wall().plus(self.lease(word));
        own.until().plus(SLACK) >= lease_ends && word.until.is_none_or(|until| until > lease_ends.plus(SLACK))
    }

    /// From when it is to be said again: counted from when it was said last, so that a clock that runs ahead elsewhere opens no gap.
    pub(super) fn due_at(&self, word: &Word, subject: &Subject, said_at: WallTime) -> WallTime {
        let lease = self.lease(word);
        let jitter = lease / JITTER_SHARE;
        let earliest = lease.saturating_sub(lease / MARGIN_SHARE).saturating_sub(jitter);
        said_at.plus(earliest).plus(jitter / SHARES * u32::from(share(subject)))
    }

    /// Looks at the subject again when the first of its leases is due.
    pub(super) fn schedule(&mut self, subject: Subject, word: &Word) {
        let own = self.clusters.iter().filter_map(|known| super::spread::own_record(known, &subject));
        let due = own.filter(|own| self.outlives(word, &own.record)).map(|own| self.due_at(word, &subject, own.record.at.wall()));
        if let Some(due) = due.min() {
            self.renewals.set(subject, due.max(self.now.wall.plus(RENEW_AFTER_MIN)));
        }
    }
}

/// Into how many points the jitter is divided.
const SHARES: u32 = 1 << 16;

/// One of [`SHARES`], the same for the same subject for ever, and as good as evenly spread (a multiplicative hash).
fn share(subject: &Subject) -> u16 {
    let bits = match subject.addr() {
        IpAddr::V4(addr) => u128::from(addr.to_bits()),
        IpAddr::V6(addr) => addr.to_bits(),
    };
    let [low, high] = [bits, bits >> 64].map(|half| u64::try_from(half & u128::from(u64::MAX)).unwrap_or(0));
    let mixed = (low ^ high ^ (u64::from(subject.prefix_len()) << 56)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    u16::try_from(mixed >> 48).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_fall_due_far_apart_and_evenly() {
        let mut tenths = [0_u32; 10];
        for index in 0..10_000_u32 {
            let subject = Subject::host(IpAddr::from((0xcb00_7100 + index).to_be_bytes()));
            tenths[usize::from(share(&subject) / 6_554)] += 1;
        }
        assert!(tenths.iter().all(|count| (800..1_200).contains(count)), "{tenths:?}");
    }
}
