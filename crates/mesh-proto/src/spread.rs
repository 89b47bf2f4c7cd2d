//! Spreading: new records wait a few milliseconds at most, then go out together.

use crate::{Signed, frame::Packer, peers::ShortId};
use alloc::{collections::VecDeque, vec::Vec};
use core::time::Duration;
use honeymesh_types::MonoTime;

/// How long records are gathered after a flush; the first one of a quiet node does not wait.
const GATHER: Duration = Duration::from_millis(5);
/// Datagrams in one flush; the rest waits for the next one, so that an import does not flood the peers.
const FLUSH_DATAGRAMS_MAX: usize = 4;
/// Records that may wait; beyond it they are not pushed but left to repair.
const QUEUE_MAX: usize = 4_096;

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

    /// When the next flush is due.
    pub(crate) fn wake_at(&self) -> MonoTime {
        if self.queue.is_empty() { MonoTime::MAX } else { self.quiet_until }
    }

    /// What is due to be sent now.
    pub(crate) fn flush(&mut self, now: MonoTime) -> Vec<Parcel> {
        let mut parcels = Vec::new();
        if self.wake_at() > now {
            return parcels;
        }
        while parcels.len() < FLUSH_DATAGRAMS_MAX
            && let Some(parcel) = self.pack()
        {
            parcels.push(parcel);
        }
        self.quiet_until = now.plus(GATHER);
        parcels
    }

    /// Fills one datagram from the front of the queue.
    fn pack(&mut self) -> Option<Parcel> {
        let mut parcel = Parcel { packer: Packer::default(), except: Vec::new() };
        let mut packed = 0;
        while let Some(waiting) = self.queue.front() {
            if !parcel.packer.push(&waiting.signed.raw) {
                break;
            }
            packed += 1;
            let origin = ShortId::of(&waiting.signed.record.origin.0);
            parcel.except = if packed == 1 { waiting.from.into_iter().chain([origin]).collect() } else { Vec::new() };
            self.queue.pop_front();
        }
        (packed > 0).then_some(parcel)
    }
}

#[cfg(test)]
mod tests;
