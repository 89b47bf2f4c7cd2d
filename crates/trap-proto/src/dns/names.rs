//! Names in a message, which point to what is already written (RFC 1035, 4.1.4), as BIND 9.20 does it: letters as they are.

use super::HEADER_BYTES;
use alloc::vec::Vec;

/// Ends of names that BIND remembers in one message; later ones are written in full.
const KNOWN_MAX: usize = 48;
/// The last place that a pointer can name.
const PLACE_MAX: usize = 0x3fff;

/// The ends of names that stand in a message, with their places.
pub(super) struct Names(Vec<(Vec<u8>, usize)>);

impl Names {
    /// Those of a message with this question.
    pub(super) fn after_question(name: &[u8]) -> Self {
        let mut names = Self(Vec::new());
        names.write(name, HEADER_BYTES);
        names
    }

    /// The name as it is written at `place`, and remembers what of it was not yet there.
    pub(super) fn write(&mut self, name: &[u8], place: usize) -> Vec<u8> {
        let mut found = None;
        for start in ends(name).into_iter().rev() {
            let end = &name[start..];
            match self.0.iter().find(|(known, _)| known == end) {
                Some((_, known)) => found = Some((start, *known)),
                None if self.0.len() < KNOWN_MAX && place + start <= PLACE_MAX => self.0.push((end.to_vec(), place + start)),
                None => break,
            }
        }
        match found.and_then(|(start, known)| Some((start, u16::try_from(known).ok()?))) {
            Some((start, known)) => [&name[..start], &(0xc000 | known).to_be_bytes()].concat(),
            None => name.to_vec(),
        }
    }
}

/// Where the labels of a name begin, the root's left out.
fn ends(name: &[u8]) -> Vec<usize> {
    let (mut starts, mut at) = (Vec::new(), 0);
    while let Some(length) = name.get(at).copied().filter(|length| *length > 0) {
        starts.push(at);
        at += 1 + usize::from(length);
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_that_stands_there_already_is_pointed_to_and_letters_matter() {
        let mut names = Names::after_question(b"\x01a\x02bc\0");
        assert_eq!(names.write(b"\x01x\x02bc\0", 30), b"\x01x\xc0\x0e");
        assert_eq!(names.write(b"\x01x\x02bc\0", 40), b"\xc0\x1e");
        assert_eq!(names.write(b"\x01a\x02BC\0", 50), b"\x01a\x02BC\0");
        assert_eq!(names.write(b"\0", 60), b"\0");
    }

    #[test]
    fn no_more_ends_are_remembered_than_bind_remembers() {
        let long = [b"\x010".repeat(60), [0].to_vec()].concat();
        let mut names = Names::after_question(&long);
        assert_eq!(names.0.len(), KNOWN_MAX);
        assert_eq!(names.write(&long, 200)[24..], [0xc0, 12 + 24], "the first twelve labels again, then those that are known");
    }
}
