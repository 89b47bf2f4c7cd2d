//! Spreading: new records wait a few milliseconds at most, then go out together.
//!
//! A push that is lost, or that chance sends past somebody, would be noticed by the next digest only, a second later. So
//! whoever has pushed a record tells a few others its id a moment after, when the pushes must have arrived: who has not
//! got it asks.

use crate::{
    Signed,
    frame::{IDS_MAX, Packer, Stub},
    peers::ShortId,
};
use alloc::{collections::VecDeque, vec::Vec};
use core::time::Duration;
use honeymesh_types::MonoTime;

/// How long records are gathered after a flush; the first one of a quiet node does not wait.
const GATHER: Duration = Duration::from_millis(5);
/// Datagrams in one flush; the rest waits for the next one, so that an import does not flood the peers.
const FLUSH_DATAGRAMS_MAX: usize = 4;
/// Records that may wait; beyond it they are not pushed but left to repair.
const QUEUE_MAX: usize = 4_096;

/// How long after a push others are told of it.
const TELL_AFTER: Duration = Duration::from_millis(100);
/// What is due within this time is told together.
const TELL_TOGETHER: Duration = Duration::from_millis(25);
/// How many are told: those who follow in the order of identities, so that nobody is left out by chance; and one more, at
/// random, in case those who go before a node do not know it.
pub(crate) const TELL_FOLLOWERS: usize = 2;
/// Ids that may wait to be told; beyond it they are not told but left to digests.
const TELL_MAX: usize = 4_096;

/// A record to be pushed, and who need not be told.
struct Waiting {
    signed: Signed,
    from: Option<ShortId>,
}

/// What goes into one datagram.
pub(crate) struct Parcel {
    pub(crate) packer: Packer,
    /// Who knows it already, as far as that holds for all that is in it.
    pub(crate) except: Vec<ShortId>,
}

/// Records that wait to be pushed.
#[derive(Default)]
pub(crate) struct Spread {
    queue: VecDeque<Waiting>,
    /// Before this time nothing is flushed.
    quiet_until: MonoTime,
    /// What was pushed, and when others are to be told.
    pushed: VecDeque<(MonoTime, Stub)>,
}

impl Spread {
    /// Queues a record; false if too many wait already, and it is left to repair.
    pub(crate) fn add(&mut self, signed: Signed, from: Option<ShortId>) -> bool {
        if self.queue.len() >= QUEUE_MAX {
            return false;
        }
        self.queue.push_back(Waiting { signed, from });
        true
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

    /// What is due to be sent now.
    pub(crate) fn flush(&mut self, now: MonoTime) -> Vec<Parcel> {
        let mut parcels = Vec::new();
        if self.flush_at() > now {
            return parcels;
        }
        while parcels.len() < FLUSH_DATAGRAMS_MAX
            && let Some(parcel) = self.pack(now)
        {
            parcels.push(parcel);
        }
        self.quiet_until = now.plus(GATHER);
        parcels
    }

    /// Fills one datagram from the front of the queue.
    fn pack(&mut self, now: MonoTime) -> Option<Parcel> {
        let mut parcel = Parcel { packer: Packer::default(), except: Vec::new() };
        let mut packed = 0;
        while let Some(waiting) = self.queue.front() {
            if !parcel.packer.push(&waiting.signed.raw) {
                break;
            }
            packed += 1;
            let origin = ShortId::of(&waiting.signed.record.origin.0);
            parcel.except = if packed == 1 { waiting.from.into_iter().chain([origin]).collect() } else { Vec::new() };
            if self.pushed.len() < TELL_MAX {
                self.pushed.push_back((now.plus(TELL_AFTER), waiting.signed.id().stub()));
            }
            self.queue.pop_front();
        }
        (packed > 0).then_some(parcel)
    }
}

#[cfg(test)]
mod tests;
