//! What the kernel saw, read from the ring buffer, or where there is no XDP from the kernel's packet log.

use crate::{nft::Log, record, visit};
use aya::maps::{MapData, RingBuf};
use honeymesh_types::{Knock, Now, Visit};
use std::{
    fmt,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
};

/// What the kernel saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A packet to a dark port: it may be forged.
    Knock(Knock),
    /// A handshake that a stranger finished with the program itself, on a dark port: it cannot be forged.
    Visit(Visit),
}

/// The reader of what the kernel tells. Its descriptor is readable (epoll, edge or level) while records wait.
///
/// Records that waited when an earlier process ended are read by the next one, if the tables were pinned; those of the
/// packet log are not.
pub struct Knocks(Source);

enum Source {
    Ring(Box<Ring>),
    Log(Box<Log>),
}

struct Ring {
    ring: RingBuf<MapData>,
    visits: u64,
    unreadable: u64,
}

impl Ring {
    fn see(&mut self, now: Now) -> Option<Seen> {
        while let Some(item) = self.ring.next() {
            if let Some(knock) = record::parse(&item, now) {
                return Some(Seen::Knock(knock));
            }
            if let Some(visit) = visit::parse(&item, self.visits, now) {
                self.visits = self.visits.wrapping_add(1);
                return Some(Seen::Visit(visit));
            }
            self.unreadable = self.unreadable.saturating_add(1);
        }
        None
    }
}

impl Knocks {
    pub(crate) fn new(ring: RingBuf<MapData>) -> Self {
        Self(Source::Ring(Box::new(Ring { ring, visits: 0, unreadable: 0 })))
    }

    pub(crate) fn of_log(log: Log) -> Self {
        Self(Source::Log(Box::new(log)))
    }

    /// The next record, if one waits; never blocks. After readability call it until it says `None`.
    pub fn see(&mut self, now: Now) -> Option<Seen> {
        match &mut self.0 {
            Source::Ring(ring) => ring.see(now),
            Source::Log(log) => log.next(now).map(Seen::Knock),
        }
    }

    /// The next knock, if one waits; visits before it are skipped. For those who look for nothing else.
    pub fn next(&mut self, now: Now) -> Option<Knock> {
        loop {
            if let Seen::Knock(knock) = self.see(now)? {
                return Some(knock);
            }
        }
    }

    /// Records that were none of this version's, and skipped.
    #[must_use]
    pub const fn unreadable(&self) -> u64 {
        match &self.0 {
            Source::Ring(ring) => ring.unreadable,
            Source::Log(log) => log.unreadable(),
        }
    }
}

impl fmt::Debug for Knocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Knocks").field("fd", &self.as_raw_fd()).field("unreadable", &self.unreadable()).finish()
    }
}

impl AsFd for Knocks {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Source::Ring(ring) => ring.ring.as_fd(),
            Source::Log(log) => log.as_fd(),
        }
    }
}

impl AsRawFd for Knocks {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_reader_and_the_kernel_may_live_in_another_thread() {
        fn is_send<T: Send>() {}
        is_send::<super::Knocks>();
        is_send::<crate::Kernel>();
    }
}
