//! The keeper's whole vocabulary: what it can say, in datagrams of one length. It is told nothing.

use crate::{AttachMode, Fared, Probed};

/// The length of every word, in octets.
pub(crate) const WORD_LEN: usize = 32;
/// The longest name of an interface, in octets.
const NAME_LEN: usize = 16;

/// One thing that the keeper says. Names come from whoever names interfaces on this machine: print them with care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// It has given its power away and watches.
    Began {
        /// Its process number.
        pid: u32,
    },
    /// It has put the program on an interface.
    Attached {
        /// Which.
        place: Place,
        /// How the program sits on it.
        mode: AttachMode,
        /// Why that was to do.
        why: Why,
    },
    /// An interface is not there (any more).
    Absent {
        /// Which; the index is 0.
        place: Place,
    },
    /// Somebody else's program is on an interface.
    Occupied {
        /// Which.
        place: Place,
        /// The number of that program.
        program: u32,
    },
    /// The program could not be put on an interface; it is tried again.
    Failed {
        /// Which.
        place: Place,
        /// The kernel's error number.
        errno: i32,
    },
    /// The self-probe was run.
    Probed(Probed),
    /// It has put the second program on an interface. The link comes with this word.
    Steered {
        /// Which.
        place: Place,
        /// Why that was to do.
        why: Why,
    },
    /// The second program could not be put on an interface; it is tried again.
    NotSteered {
        /// Which.
        place: Place,
        /// The kernel's error number.
        errno: i32,
    },
    /// The warden's: the keeper has ended, and another one comes.
    Ended {
        /// How, as wait(2) tells it.
        status: i32,
    },
    /// The warden is gone: if this keeper ends, no other comes.
    Alone,
}

/// An interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
}

/// Why the program had to be put on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The interface is new.
    Came,
    /// The program had come off.
    CameOff,
    /// Another program had been put in our link's place.
    Replaced,
    /// Nothing was to do: a link that was there before this keeper began.
    Kept,
}

impl Word {
    pub(crate) fn encode(&self) -> [u8; WORD_LEN] {
        let nowhere = Place::default();
        match self {
            Self::Began { pid } => octets(1, 0, 0, &nowhere, *pid),
            Self::Attached { place, mode, why } => octets(2, mode_code(*mode), why_code(*why), place, 0),
            Self::Absent { place } => octets(3, 0, 0, place, 0),
            Self::Occupied { place, program } => octets(4, 0, 0, place, *program),
            Self::Failed { place, errno } => octets(5, 0, 0, place, errno.cast_unsigned()),
            Self::Probed(Probed { banned, honest }) => {
                let [a, b, c, d] = [banned[0], banned[1], honest[0], honest[1]].map(fared_code);
                octets(6, 0, 0, &nowhere, u32::from_ne_bytes([a, b, c, d]))
            }
            Self::Steered { place, why } => octets(7, 0, why_code(*why), place, 0),
            Self::NotSteered { place, errno } => octets(8, 0, 0, place, errno.cast_unsigned()),
            Self::Ended { status } => octets(9, 0, 0, &nowhere, status.cast_unsigned()),
            Self::Alone => octets(10, 0, 0, &nowhere, 0),
        }
    }

    /// `None` for whatever is no word.
    pub(crate) fn decode(word: &[u8]) -> Option<Self> {
        let word: [u8; WORD_LEN] = word.try_into().ok()?;
        let [kind, mode, why, _, index @ .., _, _, _, _, _, _, _, _] = *word.first_chunk::<16>()?;
        let number = u32::from_ne_bytes(*word.get(8..)?.first_chunk()?);
        let name = word.get(WORD_LEN - NAME_LEN..)?.split(|octet| *octet == 0).next()?;
        let place = Place { name: String::from_utf8_lossy(name).into_owned(), index: u32::from_ne_bytes(index) };
        Some(match kind {
            1 => Self::Began { pid: number },
            2 => Self::Attached { place, mode: mode_of(mode)?, why: why_of(why)? },
            3 => Self::Absent { place },
            4 => Self::Occupied { place, program: number },
            5 => Self::Failed { place, errno: number.cast_signed() },
            6 => {
                let [a, b, c, d] = number.to_ne_bytes();
                let [a, b, c, d] = [fared_of(a)?, fared_of(b)?, fared_of(c)?, fared_of(d)?];
                Self::Probed(Probed { banned: [a, b], honest: [c, d] })
            }
            7 => Self::Steered { place, why: why_of(why)? },
            8 => Self::NotSteered { place, errno: number.cast_signed() },
            9 => Self::Ended { status: number.cast_signed() },
            10 => Self::Alone,
            _ => return None,
        })
    }
}

/// Kind, mode, why, zero; index; number; four zeros; name.
fn octets(kind: u8, mode: u8, why: u8, place: &Place, number: u32) -> [u8; WORD_LEN] {
    let mut word = [0; WORD_LEN];
    let head = [kind, mode, why, 0].into_iter().chain(place.index.to_ne_bytes()).chain(number.to_ne_bytes()).chain([0; 4]);
    let name = place.name.bytes().take(NAME_LEN - 1);
    for (to, from) in word.iter_mut().zip(head.chain(name)) {
        *to = from;
    }
    word
}

const fn mode_code(mode: AttachMode) -> u8 {
    match mode {
        AttachMode::Native => 1,
        AttachMode::Generic => 2,
        // No keeper puts that anywhere, and none is told of it.
        AttachMode::Nftables => 0,
    }
}

const fn mode_of(code: u8) -> Option<AttachMode> {
    match code {
        1 => Some(AttachMode::Native),
        2 => Some(AttachMode::Generic),
        _ => None,
    }
}

const fn why_code(why: Why) -> u8 {
    match why {
        Why::Came => 1,
        Why::CameOff => 2,
        Why::Replaced => 3,
        Why::Kept => 4,
    }
}

const fn why_of(code: u8) -> Option<Why> {
    match code {
        1 => Some(Why::Came),
        2 => Some(Why::CameOff),
        3 => Some(Why::Replaced),
        4 => Some(Why::Kept),
        _ => None,
    }
}

const fn fared_code(fared: Fared) -> u8 {
    match fared {
        Fared::Dropped => 1,
        Fared::Passed => 2,
        Fared::Failed => 3,
    }
}

const fn fared_of(code: u8) -> Option<Fared> {
    match code {
        1 => Some(Fared::Dropped),
        2 => Some(Fared::Passed),
        3 => Some(Fared::Failed),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Vec<Word> {
        let place = Place { name: "fifteen-letters".into(), index: 70_000 };
        let probed = Probed { banned: [Fared::Dropped, Fared::Passed], honest: [Fared::Failed, Fared::Passed] };
        vec![
            Word::Began { pid: 4_194_304 },
            Word::Attached { place: place.clone(), mode: AttachMode::Generic, why: Why::CameOff },
            Word::Absent { place: place.clone() },
            Word::Occupied { place: place.clone(), program: 3_859 },
            Word::Failed { place: place.clone(), errno: libc::EOPNOTSUPP },
            Word::Probed(probed),
            Word::Steered { place: place.clone(), why: Why::Kept },
            Word::NotSteered { place, errno: libc::EOPNOTSUPP },
            Word::Ended { status: 9 },
            Word::Alone,
        ]
    }

    #[test]
    fn every_word_is_understood_as_it_was_said() {
        for word in words() {
            assert_eq!(Word::decode(&word.encode()), Some(word));
        }
    }

    #[test]
    fn what_is_no_word_is_not_understood() {
        assert_eq!(Word::decode(&[]), None);
        assert_eq!(Word::decode(&[1; WORD_LEN - 1]), None);
        for kind in (0..=255_u8).filter(|kind| !(1..=10).contains(kind)) {
            let mut word = Word::Alone.encode();
            word[0] = kind;
            assert_eq!(Word::decode(&word), None);
        }
        for word in words() {
            for at in 0..WORD_LEN {
                let mut wrong = word.encode();
                wrong[at] = 0xff;
                let _ = Word::decode(&wrong);
            }
        }
    }
}
