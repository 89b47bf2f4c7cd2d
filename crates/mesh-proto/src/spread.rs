//! Spreading: new records wait a few milliseconds at most, then go out together.
//!
//! Whoever says something has a duty: that everybody on the ring of identities hears of it. It divides the ring among some
//! members and sends each the record with its part, and they do the same: so each node gets a record once, and after two
//! steps all have it. Whoever is to hand it on to many is sent it more than once. Each receipt is awaited ([`receipts`]): whoever gives none loses its part, and is sent the record again.
//! What came by a repair has no duty with it and goes to a few members at random.
//!
//! A member that keeps a record to itself, or one that its neighbours do not know, would be noticed by the next digest only,
//! a second later. So whoever has a record tells one other, in an order of its own, its id a moment after: who has not got
//! it asks.

mod receipts;

use crate::{
    Signed,
    frame::{IDS_MAX, Packer, Stub},
    peers::ShortId,
};
use alloc::{collections::VecDeque, vec::Vec};
use core::time::Duration;
use honeymesh_types::MonoTime;
pub(crate) use receipts::{Overdue, Receipts};

/// How long records are gathered after a flush; the first one of a quiet node does not wait.
const GATHER: Duration = Duration::from_millis(5);
/// Datagrams that one flush sends, unless a single one goes to more; the rest waits for the next one, so that an import does
/// not flood the peers.
const FLUSH_DATAGRAMS_MAX: usize = 64;
/// Records that may wait; beyond it they are not pushed but left to repair.
const QUEUE_MAX: usize = 16_384;

/// To how many members at random a record goes that came without a duty.
pub(crate) const STRAY_FANOUT: usize = 3;

/// How long after a push another is told of it.
const TELL_AFTER: Duration = Duration::from_millis(150);
/// How many are told where much is lost; else one.
pub(crate) const TELL_LOSSY: usize = 3;
/// What is due within this time is told together.
const TELL_TOGETHER: Duration = Duration::from_millis(25);
/// Ids that may wait to be told; beyond it they are not told but left to digests.
const TELL_MAX: usize = 4_096;

/// Records whose duty may still come, because they came by a repair first; beyond it the oldest has none any more.
const UNSERVED_MAX: usize = 1_024;

/// The part of the ring of identities that a node is to send a record to: who comes after `after` and before `until`. If
/// they are the same, that is everybody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Duty {
    pub(crate) after: ShortId,
    pub(crate) until: ShortId,
}

impl Duty {
    /// Of whoever says something itself.
    pub(crate) const fn of_origin(me: ShortId) -> Self {
        Self { after: me, until: me }
    }

    /// Is it part of the duty that this one hears of it?
    pub(crate) fn includes(self, id: ShortId) -> bool {
        let Self { after, until } = self;
        if after < until { after < id && id < until } else { after < id || id < until }
    }

    /// Where the part of a node ends that has none.
    pub(crate) const fn none(id: ShortId) -> ShortId {
        ShortId(id.0.wrapping_add(1))
    }
}

/// A record to be pushed, who need not be told, and to whom it is to go; `None`: to a few at random.
struct Waiting {
    signed: Signed,
    from: Option<ShortId>,
    duty: Option<Duty>,
}

/// What goes into one datagram.
pub(crate) struct Parcel {
    pub(crate) packer: Packer,
    /// Who knows it already, as far as that holds for all that is in it.
    pub(crate) except: Vec<ShortId>,
    /// The same for all that is in it.
    pub(crate) duty: Option<Duty>,
    pub(crate) records: Vec<Signed>,
}

/// Records that wait to be pushed.
#[derive(Default)]
pub(crate) struct Spread {
    queue: VecDeque<Waiting>,
    /// Before this time nothing is flushed.
    quiet_until: MonoTime,
    /// What was pushed, and when others are to be told.
    pushed: VecDeque<(MonoTime, Stub)>,
    /// What came without a duty of late.
    unserved: VecDeque<Stub>,
}

impl Spread {
    /// Queues a record; false if too many wait already, and it is left to repair.
    pub(crate) fn add(&mut self, signed: Signed, from: Option<ShortId>, duty: Option<Duty>) -> bool {
        if duty.is_none() {
            self.unserved.truncate(UNSERVED_MAX - 1);
            self.unserved.push_front(signed.id().stub());
        }
        if self.queue.len() >= QUEUE_MAX {
            return false;
        }
        self.queue.push_back(Waiting { signed, from, duty });
        true
    }

    /// Has this record come without a duty, of late? Then one that comes now is done, once.
    pub(crate) fn serve(&mut self, stub: Stub) -> bool {
        let at = self.unserved.iter().position(|unserved| *unserved == stub);
        at.and_then(|at| self.unserved.remove(at)).is_some()
    }

    /// When something is due.
    pub(crate) fn wake_at(&self) -> MonoTime {
        self.pushed.front().map_or(MonoTime::MAX, |(due, _)| *due).min(self.flush_at())
    }

    fn flush_at(&self) -> MonoTime {
        if self.queue.is_empty() { MonoTime::MAX } else { self.quiet_until }
    }

    /// The ids that others are to be told of now; empty if it is not time.
    pub(crate) fn told(&mut self, now: MonoTime) -> Vec<Stub> {
        if self.pushed.front().is_none_or(|(due, _)| *due > now) {
            return Vec::new();
        }
        let soon = now.plus(TELL_TOGETHER);
        let due = self.pushed.iter().take(IDS_MAX).take_while(|(due, _)| *due <= soon).count();
        self.pushed.drain(..due).map(|(_, stub)| stub).collect()
    }

    /// What is due to be sent now, each to about `wide` members.
    pub(crate) fn flush(&mut self, now: MonoTime, wide: usize) -> Vec<Parcel> {
        let mut parcels = Vec::new();
        if self.flush_at() > now {
            return parcels;
        }
        while parcels.len() < (FLUSH_DATAGRAMS_MAX / wide.max(1)).max(1)
            && let Some(parcel) = self.pack(now)
        {
            parcels.push(parcel);
        }
        self.quiet_until = now.plus(GATHER);
        parcels
    }

    /// Fills one datagram from the front of the queue.
    fn pack(&mut self, now: MonoTime) -> Option<Parcel> {
        let duty = self.queue.front()?.duty;
        let mut parcel = Parcel { packer: Packer::default(), except: Vec::new(), duty, records: Vec::new() };
        while let Some(waiting) = self.queue.front() {
            if waiting.duty != duty || !parcel.packer.push(&waiting.signed.raw) {
                break;
            }
            let origin = ShortId::of(&waiting.signed.record.origin.0);
            let is_first = parcel.records.is_empty();
            parcel.except = if is_first { waiting.from.into_iter().chain([origin]).collect() } else { Vec::new() };
            if self.pushed.len() < TELL_MAX {
                self.pushed.push_back((now.plus(TELL_AFTER), waiting.signed.id().stub()));
            }
            parcel.records.extend(self.queue.pop_front().map(|waiting| waiting.signed));
        }
        (!parcel.records.is_empty()).then_some(parcel)
    }
}

#[cfg(test)]
mod tests;
