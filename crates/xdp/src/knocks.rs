//! What the kernel saw, read from the ring buffer.

use honeymesh_types::{Knock, Now};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// The reader of the ring buffer. Its descriptor is readable (epoll, edge or level) while records wait.
#[derive(Debug)]
pub struct Knocks(OwnedFd);

impl Knocks {
    /// The next record, if one waits; never blocks. After readability call it until it says `None`.
    pub fn next(&mut self, _now: Now) -> Option<Knock> {
        None
    }
}

impl AsFd for Knocks {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Knocks {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
