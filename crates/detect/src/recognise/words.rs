//! All words that are known, of all tables, searched in one pass: a pass for each table would take most of a recogniser's time.

use super::{fetch, tool};
use crate::pattern::PATTERNS;
use aho_corasick::{AhoCorasick, AhoCorasickBuilder};

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

/// All words as one automaton. Letters match in either case.
pub(super) struct Words {
    /// `None` if it could not be built: then every word is searched by itself, slower but with the same result.
    automaton: Option<AhoCorasick>,
}

impl Words {
    pub(super) fn new() -> Self {
        Self { automaton: AhoCorasickBuilder::new().ascii_case_insensitive(true).build(all().map(|(_, text)| text)).ok() }
    }

    /// Tells `hear` of each word in `bytes`, those that overlap too, in the order in which they end. Takes time linear in `bytes`.
    pub(super) fn search(&self, bytes: &[u8], mut hear: impl FnMut(Hit)) {
        let overlapping = self.automaton.as_ref().and_then(|automaton| automaton.try_find_overlapping_iter(bytes).ok());
        let Some(overlapping) = overlapping else { return one_by_one(bytes, hear) };
        for hit in overlapping {
            if let Some(word) = word(hit.pattern().as_usize()) {
                hear(Hit { word, start: hit.start(), end: hit.end() });
            }
        }
    }
}

fn all() -> impl Iterator<Item = (Word, &'static [u8])> {
    let patterns = PATTERNS.iter().enumerate().map(|(place, (_, text))| (Word::Pattern(place), *text));
    let fetches = fetch::COMMANDS.iter().enumerate().map(|(place, text)| (Word::Fetch(place), text.as_bytes()));
    let tools = tool::BY_WORDS.iter().enumerate().map(|(place, (text, _))| (Word::Tool(place), text.as_bytes()));
    patterns.chain(fetches).chain(tools).chain([(Word::Busybox, tool::BUSYBOX)])
}

/// The word at this place among all.
fn word(place: usize) -> Option<Word> {
    let Some(place) = place.checked_sub(PATTERNS.len()) else { return Some(Word::Pattern(place)) };
    let Some(place) = place.checked_sub(fetch::COMMANDS.len()) else { return Some(Word::Fetch(place)) };
    match place.checked_sub(tool::BY_WORDS.len()) {
        None => Some(Word::Tool(place)),
        Some(0) => Some(Word::Busybox),
        Some(_) => None,
    }
}

fn one_by_one(bytes: &[u8], mut hear: impl FnMut(Hit)) {
    for end in 0..=bytes.len() {
        for (word, text) in all() {
            let start = end.checked_sub(text.len()).filter(|start| bytes[*start..end].eq_ignore_ascii_case(text));
            start.into_iter().for_each(|start| hear(Hit { word, start, end }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn the_automaton_builds_and_its_words_are_those_of_the_tables() {
        assert!(Words::new().automaton.is_some());
        let places: Vec<_> = all().enumerate().map(|(place, (known, _))| (word(place), Some(known))).collect();
        assert!(places.iter().all(|(found, known)| found == known), "{places:?}");
        assert_eq!(word(places.len()), None);
    }

    proptest! {
        #[test]
        fn searching_one_by_one_finds_the_same(
            parts in proptest::collection::vec(prop_oneof![
                proptest::sample::select(all().map(|(_, text)| text.to_vec()).collect::<Vec<_>>()),
                proptest::collection::vec(any::<u8>(), 0..20),
            ], 0..6),
        ) {
            let bytes = parts.concat();
            let (mut fast, mut slow) = (Vec::new(), Vec::new());
            Words::new().search(&bytes, |hit| fast.push(hit));
            Words { automaton: None }.search(&bytes, |hit| slow.push(hit));
            let in_order = |hits: &mut Vec<Hit>| hits.sort_unstable_by_key(|hit| (hit.end, hit.start, place(hit.word)));
            in_order(&mut fast);
            in_order(&mut slow);
            prop_assert_eq!(fast, slow);
        }
    }

    fn place(word: Word) -> Option<usize> {
        all().position(|(known, _)| known == word)
    }
}
