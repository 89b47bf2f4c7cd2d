//! The daemon's end of the keeper: hears what it says, and notices when it is gone.

use crate::{
    Error, LinkHandle,
    keeper::{WORD_LEN, Word, receive_into},
};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, socketpair},
};
use std::{
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

/// How long the keeper may take to begin.
const BEGIN_MAX: Duration = Duration::from_secs(10);

/// The daemon's end. When it is dropped, the keeper ends.
#[derive(Debug)]
pub struct Watch(OwnedFd);

/// What came of listening.
#[derive(Clone, Debug)]
pub enum Heard {
    /// The keeper said something. With [`Word::Steered`] comes a link; what it is must be asked of the kernel.
    Word(Word, Option<LinkHandle>),
    /// Nothing new.
    Silence,
    /// It is gone, or says what is no word: nothing more will come.
    End,
}

impl Watch {
    /// Both ends; the second is the keeper's.
    pub(crate) fn pair() -> Result<(Self, OwnedFd), Error> {
        let pair = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC);
        let (ours, theirs) = pair.map_err(|errno| Error::Keeper(format!("there is no socket for it: {errno}")))?;
        Ok((Self(ours), theirs))
    }

    /// Waits for the keeper's first word: its process number.
    ///
    /// # Errors
    /// [`Error::Keeper`]: it ended, or said nothing in time.
    pub fn await_begin(&mut self) -> Result<u32, Error> {
        let deadline = Instant::now() + BEGIN_MAX;
        while Instant::now() < deadline {
            match self.hear() {
                Heard::Word(Word::Began { pid }, _) => return Ok(pid),
                Heard::Word(..) => {}
                Heard::End => return Err(Error::Keeper("it ended at once; its last words are above".into())),
                Heard::Silence => {
                    let wait = PollTimeout::try_from(deadline.saturating_duration_since(Instant::now()));
                    let _ready_or_not =
                        poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], wait.unwrap_or(PollTimeout::ZERO));
                }
            }
        }
        Err(Error::Keeper(format!("it has not begun within {} s", BEGIN_MAX.as_secs())))
    }

    /// Takes the next word, without waiting.
    pub fn hear(&mut self) -> Heard {
        // One more than a word, so that one that is too long is seen to be.
        let mut word = [0; WORD_LEN + 1];
        match receive_into(self.0.as_fd(), &mut word, MsgFlags::MSG_DONTWAIT) {
            Ok((len, descriptors)) => word.get(..len).and_then(Word::decode).map_or(Heard::End, |word| {
                let is_about_a_link = matches!(word, Word::Steered { .. });
                Heard::Word(word, descriptors.into_iter().next().filter(|_| is_about_a_link).map(LinkHandle::new))
            }),
            Err(Errno::EAGAIN | Errno::EINTR) => Heard::Silence,
            Err(_) => Heard::End,
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Watch {
    fn as_raw_fd(&self) -> i32 {
        self.0.as_raw_fd()
    }
}
