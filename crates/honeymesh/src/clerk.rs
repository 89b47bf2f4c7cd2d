//! What the daemon and the clerk say to each other: one kind of order, and one answer to each, all of fixed length.
//!
//! The clerk is told at its start which files there are; an order names one of them by its place, and has the keys that are to
//! be in it. There is no path in an order, and no text that would be written as it is.

use honeymesh_mesh_proto::{Key, KeyRing, limits::KEYS_MAX};
use honeymesh_types::ClusterName;
use std::{
    io::{self, Read, Write},
    path::PathBuf,
};
use zeroize::Zeroizing;

/// The digits of a key.
const KEY_LEN: usize = 64;
/// Kind, place, how many keys, zero.
const HEAD_LEN: usize = 4;
/// The length of every order, in octets.
pub const ORDER_LEN: usize = HEAD_LEN + KEYS_MAX * KEY_LEN;
/// The length of every answer, in octets.
pub const ANSWER_LEN: usize = 32;
/// The only kind of order there is.
const REPLACE: u8 = 1;
/// The longest list of files, in octets: more than 16 names and paths can be.
const FILES_LEN_MAX: u32 = 1 << 17;

/// One file that the clerk writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    /// The cluster whose keys are in it.
    pub cluster: ClusterName,
    /// Where it is.
    pub path: PathBuf,
}

/// The order to replace the keys in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The place of the file in the list that the clerk was told.
    pub place: u8,
    /// What is to be in it.
    pub keys: KeyRing,
}

/// What came of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The file holds these keys, and is on the disk.
    Done,
    /// It was no order. Nothing was changed.
    Refused,
    /// The system said no, with this number; the file is as it was.
    Failed(i32),
    /// The file holds these keys, but the system said no, with this number, when the directory was to be put on the disk.
    Unconfirmed(i32),
}

/// An answer: what came of the order, and of all so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What came of this one.
    pub outcome: Outcome,
    /// Of all so far.
    pub counts: Counts,
}

/// Orders so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Done.
    pub done: u64,
    /// Out of vocabulary.
    pub refused: u64,
    /// Those that the system did not let be done.
    pub failed: u64,
}

impl Order {
    /// The order as octets.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<[u8; ORDER_LEN]> {
        let mut order = Zeroizing::new([0; ORDER_LEN]);
        let count = u8::try_from(self.keys.keys().len()).unwrap_or(0);
        let head = [REPLACE, self.place, count, 0];
        let texts: Vec<_> = self.keys.keys().iter().map(Key::to_text).collect();
        let octets = head.into_iter().chain(texts.iter().flat_map(|text| text.bytes()));
        order.iter_mut().zip(octets).for_each(|(to, from)| *to = from);
        order
    }

    /// The order that these octets are, for a clerk of `files` files. `None` for whatever else they are.
    #[must_use]
    pub fn decode(octets: &[u8; ORDER_LEN], files: usize) -> Option<Self> {
        let (head, keys) = octets.split_first_chunk::<HEAD_LEN>()?;
        let [REPLACE, place, count, 0] = *head else { return None };
        if usize::from(place) >= files {
            return None;
        }
        let (used, rest) = keys.split_at_checked(usize::from(count) * KEY_LEN)?;
        if rest.iter().any(|octet| *octet != 0) {
            return None;
        }
        let mut ring: Option<KeyRing> = None;
        for digits in used.chunks(KEY_LEN) {
            if !digits.iter().all(u8::is_ascii_hexdigit) {
                return None;
            }
            let key = Key::parse(std::str::from_utf8(digits).ok()?).ok()?;
            match &mut ring {
                None => ring = Some(KeyRing::new(key)),
                Some(ring) => ring.add(key).ok()?,
            }
        }
        Some(Self { place, keys: ring? })
    }
}

impl Answer {
    /// The answer as octets.
    #[must_use]
    pub fn encode(&self) -> [u8; ANSWER_LEN] {
        let (kind, errno) = match self.outcome {
            Outcome::Done => (0_u32, 0),
            Outcome::Refused => (1, 0),
            Outcome::Failed(errno) => (2, errno),
            Outcome::Unconfirmed(errno) => (3, errno),
        };
        let Counts { done, refused, failed } = self.counts;
        let numbers = [done, refused, failed].into_iter().flat_map(u64::to_ne_bytes);
        let octets = kind.to_ne_bytes().into_iter().chain(errno.to_ne_bytes()).chain(numbers);
        let mut answer = [0; ANSWER_LEN];
        answer.iter_mut().zip(octets).for_each(|(to, from)| *to = from);
        answer
    }

    /// The answer that these octets are; `None` for whatever else they are.
    #[must_use]
    pub fn decode(octets: &[u8; ANSWER_LEN]) -> Option<Self> {
        let (kind, rest) = octets.split_first_chunk()?;
        let (errno, rest) = rest.split_first_chunk()?;
        let (done, rest) = rest.split_first_chunk()?;
        let (refused, rest) = rest.split_first_chunk()?;
        let failed = rest.first_chunk()?;
        let outcome = match u32::from_ne_bytes(*kind) {
            0 => Outcome::Done,
            1 => Outcome::Refused,
            2 => Outcome::Failed(i32::from_ne_bytes(*errno)),
            3 => Outcome::Unconfirmed(i32::from_ne_bytes(*errno)),
            _ => return None,
        };
        let [done, refused, failed] = [done, refused, failed].map(|number| u64::from_ne_bytes(*number));
        Some(Self { outcome, counts: Counts { done, refused, failed } })
    }
}

/// Tells the clerk its files: a length, and then name and path of each, all ended by a zero.
///
/// # Errors
/// The clerk does not listen.
pub fn tell_files(line: &mut impl Write, files: &[KeyFile]) -> io::Result<()> {
    let mut text = Vec::new();
    for KeyFile { cluster, path } in files {
        for word in [cluster.as_str().as_bytes(), std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str())] {
            text.extend_from_slice(word);
            text.push(0);
        }
    }
    let length = u32::try_from(text.len()).map_err(io::Error::other)?;
    line.write_all(&length.to_ne_bytes())?;
    line.write_all(&text)
}

/// Hears them.
///
/// # Errors
/// What comes is no such list.
pub fn hear_files(line: &mut impl Read) -> io::Result<Vec<KeyFile>> {
    let nonsense = || io::Error::from(io::ErrorKind::InvalidData);
    let mut length = [0; 4];
    line.read_exact(&mut length)?;
    let length = u32::from_ne_bytes(length);
    if length > FILES_LEN_MAX {
        return Err(nonsense());
    }
    let mut text = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    line.read_exact(&mut text)?;
    let mut words: Vec<&[u8]> = text.split(|octet| *octet == 0).collect();
    // The last zero ends the last word.
    if words.pop() != Some(&[]) || !words.len().is_multiple_of(2) {
        return Err(nonsense());
    }
    let file = |words: &[&[u8]]| {
        let [cluster, path] = *words else { return None };
        let cluster = std::str::from_utf8(cluster).ok()?.parse().ok()?;
        let path = PathBuf::from(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(path));
        path.is_absolute().then_some(KeyFile { cluster, path })
    };
    words.chunks(2).map(file).collect::<Option<_>>().ok_or_else(nonsense)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(keys: u8) -> KeyRing {
        let mut ring = KeyRing::new(Key::from_bytes([1; 32]));
        (2..=keys).for_each(|fill| ring.add(Key::from_bytes([fill; 32])).unwrap());
        ring
    }

    #[test]
    fn every_order_and_answer_is_understood_as_it_was_said() {
        for keys in 1..=u8::try_from(KEYS_MAX).unwrap() {
            let order = Order { place: 15, keys: ring(keys) };
            assert_eq!(Order::decode(&order.encode(), 16), Some(order));
        }
        let counts = Counts { done: 1, refused: u64::MAX, failed: 3 };
        for outcome in [Outcome::Done, Outcome::Refused, Outcome::Failed(libc::ENOSPC), Outcome::Unconfirmed(libc::EIO)] {
            let answer = Answer { outcome, counts };
            assert_eq!(Answer::decode(&answer.encode()), Some(answer));
        }
        assert_eq!(Answer::decode(&[9; ANSWER_LEN]), None);
    }

    /// What is changed, and to which octet.
    #[test]
    fn what_is_no_order_is_not_understood() {
        let good = *Order { place: 1, keys: ring(2) }.encode();
        let table: &[(usize, u8, &str)] = &[
            (0, 0, "another kind"),
            (0, 2, "another kind"),
            (1, 2, "a file that is not there"),
            (2, 0, "no key"),
            (2, 1, "a key that is not counted"),
            (2, 3, "a key of zeros"),
            (2, 5, "more keys than fit"),
            (2, 255, "more keys than fit"),
            (3, 1, "something where nothing is"),
            (4, b'g', "no digit"),
            (4, b'\n', "another line"),
            (ORDER_LEN - 1, b'0', "something behind the keys"),
        ];
        assert!(Order::decode(&good, 2).is_some());
        for (at, octet, why) in table {
            let mut order = good;
            order[*at] = *octet;
            assert_eq!(Order::decode(&order, 2), None, "{why}");
        }
        assert_eq!(Order::decode(&[0; ORDER_LEN], 2), None);
        assert_eq!(Order::decode(&[0xff; ORDER_LEN], 256), None);
    }

    #[test]
    fn files_are_told_whole_and_nonsense_is_refused() {
        let file = |name: &str, path: &str| KeyFile { cluster: name.parse().unwrap(), path: path.into() };
        let files = [file("m", "/etc/a b\n/m.key"), file("n", "/n")];
        let mut told = Vec::new();
        tell_files(&mut told, &files).unwrap();
        assert_eq!(hear_files(&mut told.as_slice()).unwrap(), files);
        let framed = |text: &[u8]| [&u32::try_from(text.len()).unwrap().to_ne_bytes(), text].concat();
        for text in [&b"m\0/n"[..], b"m\0", b"m\0n\0", b"\0/n\0", b"m\0/n\0x\0"] {
            assert!(hear_files(&mut framed(text).as_slice()).is_err(), "{text:?}");
        }
        assert!(hear_files(&mut [0xff_u8; 64].as_slice()).is_err(), "too long");
        assert!(hear_files(&mut [1_u8].as_slice()).is_err());
    }
}
