//! All words that are known, of all tables, searched in one pass: a pass for each table would take most of a recogniser's time, and an
//! automaton for all of them ten times as long as looking whether one of them begins.

use super::{fetch, tool};
use crate::pattern::PATTERNS;
use alloc::{boxed::Box, vec::Vec};

/// A word, by its place in the table it is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// Of the strings that show a shape.
    Pattern(usize),
    /// Of the commands that fetch.
    Fetch(usize),
    /// Of the names of tools.
    Tool(usize),
    /// What bots ask a shell for.
    Busybox,
}

/// Where a word stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) word: Word,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Octets by whose look a word's place is found: none is shorter.
const BEGIN: usize = 3;
/// How many bits tell whether a word begins so.
const BITS: usize = 1 << 16;
/// Of what is multiplied with this the upper half is as good as drawn at random (Knuth, "The Art of Computer Programming", vol. 3, 6.4).
const SPREAD: u32 = 0x9e37_79b1;

/// All words, by how they begin. Letters match in either case.
pub(super) struct Words {
    /// Whether a word may begin so, by the hash of its beginning: nearly nothing else that is said passes.
    begins: Box<[u64]>,
    /// Each word with its beginning, in this order.
    sorted: Vec<(u32, Word, &'static [u8])>,
}

impl Words {
    pub(super) fn new() -> Self {
        let mut begins = alloc::vec![0_u64; BITS / 64].into_boxed_slice();
        let with_begin = |(word, text): (Word, &'static [u8])| {
            let begin = text.get(..BEGIN)?.iter().fold(0, |begin, byte| with(begin, *byte));
            Some((begin, word, text))
        };
        let mut sorted: Vec<_> = all().filter_map(with_begin).collect();
        sorted.sort_by_key(|(begin, ..)| *begin);
        for (begin, ..) in &sorted {
            let (place, bit) = bit(*begin);
            begins[place] |= bit;
        }
        Self { begins, sorted }
    }

    /// Tells `hear` of each word in `bytes`, those that overlap too, in the order in which they end, of several the longest first. Takes time
    /// linear in `bytes`: no more words begin alike than there are.
    pub(super) fn search(&self, bytes: &[u8], mut hear: impl FnMut(Hit)) {
        // Those that have begun, and may not be the next to end.
        let mut met: Vec<Hit> = Vec::new();
        let mut begin = 0;
        for (last, byte) in bytes.iter().enumerate() {
            begin = with(begin, *byte);
            let (place, bit) = bit(begin);
            if self.begins[place] & bit == 0 || last + 1 < BEGIN {
                continue;
            }
            tell(&mut met, last + 1, &mut hear);
            self.look(bytes, (last + 1 - BEGIN, begin), &mut met);
        }
        tell(&mut met, usize::MAX, &mut hear);
    }

    /// Notes those that begin at `start`.
    fn look(&self, bytes: &[u8], (start, begin): (usize, u32), met: &mut Vec<Hit>) {
        let first = self.sorted.partition_point(|(known, ..)| *known < begin);
        for (_, word, text) in self.sorted[first..].iter().take_while(|(known, ..)| *known == begin) {
            let end = start + text.len();
            if bytes.get(start..end).is_some_and(|said| said.eq_ignore_ascii_case(text)) {
                met.push(Hit { word: *word, start, end });
            }
        }
    }
}

/// The last octets, in small letters, after one more.
fn with(begin: u32, byte: u8) -> u32 {
    (begin << 8 | u32::from(byte.to_ascii_lowercase())) & 0x00ff_ffff
}

/// Where a beginning has its bit.
fn bit(begin: u32) -> (usize, u64) {
    let hash = begin.wrapping_mul(SPREAD) >> 16;
    ((hash / 64) as usize, 1 << (hash % 64))
}

/// Tells of those that end before `end`, where the next that begins can end at the earliest.
fn tell(met: &mut Vec<Hit>, end: usize, hear: &mut impl FnMut(Hit)) {
    if met.is_empty() {
        return;
    }
    met.sort_by_key(|hit| (hit.end, hit.start));
    let told = met.partition_point(|hit| hit.end < end);
    met.drain(..told).for_each(hear);
}

fn all() -> impl Iterator<Item = (Word, &'static [u8])> {
    let patterns = PATTERNS.iter().enumerate().map(|(place, (_, text))| (Word::Pattern(place), *text));
    let fetches = fetch::COMMANDS.iter().enumerate().map(|(place, text)| (Word::Fetch(place), text.as_bytes()));
    let tools = tool::BY_WORDS.iter().enumerate().map(|(place, (text, _))| (Word::Tool(place), text.as_bytes()));
    patterns.chain(fetches).chain(tools).chain([(Word::Busybox, tool::BUSYBOX)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one_by_one(bytes: &[u8]) -> Vec<Hit> {
        let mut hits = Vec::new();
        for end in 0..=bytes.len() {
            for start in 0..end {
                let here = all().filter(|(_, text)| bytes[start..end].eq_ignore_ascii_case(text));
                hits.extend(here.map(|(word, _)| Hit { word, start, end }));
            }
        }
        hits
    }

    #[test]
    fn no_word_is_too_short_to_be_found_and_few_begin_alike() {
        assert!(all().all(|(_, text)| text.len() >= BEGIN));
        let words = Words::new();
        assert_eq!(words.sorted.len(), all().count());
        let alike = words.sorted.chunk_by(|one, other| one.0 == other.0).map(<[_]>::len).max();
        assert!(alike <= Some(24), "whoever sends such beginnings is looked at so often: {alike:?}");
    }

    proptest! {
        #[test]
        fn searching_one_by_one_finds_the_same(
            parts in proptest::collection::vec(prop_oneof![
                proptest::sample::select(all().map(|(_, text)| text.to_vec()).collect::<Vec<_>>()),
                proptest::sample::select(all().map(|(_, text)| text[..text.len() - 1].to_ascii_uppercase()).collect::<Vec<_>>()),
                proptest::collection::vec(any::<u8>(), 0..20),
            ], 0..6),
        ) {
            let bytes = parts.concat();
            let mut hits = Vec::new();
            Words::new().search(&bytes, |hit| hits.push(hit));
            prop_assert_eq!(hits, one_by_one(&bytes));
        }
    }
}
