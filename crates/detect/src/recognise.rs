//! Recognisers: what a stranger's bytes are signs of, through the layers they are wrapped in.
//!
//! Runs in the process that parses strangers' bytes, never in the daemon. Takes time and memory linear in what it is
//! given: each layer is opened once, no more than [`LAYERS_MAX`] deep, and no more than [`OPENED_FACTOR`] times the bytes and
//! [`OPENED_BASE`] in all.

mod fetch;
mod file;
mod layer;
mod lookup;
mod sled;
mod token;
mod tool;
mod words;

pub use file::program_begins;
pub use layer::is_named as is_named_layer;
pub use token::{TOKEN_BYTES_MAX, TOKEN_BYTES_MIN, TOKENS_MAX};

use crate::{
    ENTROPY_SHORT_BYTES, ENTROPY_WINDOW_BYTES, Tally,
    entropy::Census,
    entropy_short_max_millibits, entropy_window_max_millibits,
    pattern::{PATTERNS, printable},
};
use alloc::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, VecDeque},
    format,
    string::String,
    vec::Vec,
};
use fetch::Fetches;
use honeymesh_types::{Entropies, MARK_BYTES_MAX, Marks, Shape};
use token::Tokens;
use tool::Tools;
use words::{Hit, Word, Words};

/// How many layers are opened, one inside the other.
pub const LAYERS_MAX: usize = 4;
/// All layers together are no more than so many times what was said …
pub const OPENED_FACTOR: usize = 4;
/// … and so many bytes. Further layers stay closed, which the field `opened` says by ending in `+`.
pub const OPENED_BASE: usize = 64 * 1_024;

/// What is looked for, built once.
pub struct Recogniser {
    words: Words,
    tokens: Tokens,
}

/// What was seen in one report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// Shapes and entropies.
    pub marks: Marks,
    /// Named facts for the event, printable ASCII: `tool`, `file`, `download`, `opened`, `bait`. Each no longer than
    /// [`FACT_BYTES_MAX`].
    pub facts: BTreeMap<&'static str, String>,
    /// A honeytoken was used.
    pub bait: bool,
}

/// The longest fact, in bytes.
pub const FACT_BYTES_MAX: usize = 512;

/// Bytes to be looked at, and what they were wrapped in.
struct Piece<'a> {
    bytes: Cow<'a, [u8]>,
    /// Whether it is from what was said, and not from a field.
    is_said: bool,
    layers: Vec<&'static str>,
}

impl Recogniser {
    /// Looks for all that is known, and for these honeytokens; of them, the first [`TOKENS_MAX`] that are
    /// [`TOKEN_BYTES_MIN`] to [`TOKEN_BYTES_MAX`] long.
    #[must_use]
    pub fn new(tokens: &[String]) -> Self {
        Self { words: Words::new(), tokens: Tokens::new(tokens) }
    }

    /// Looks at what a stranger said since the last report, at what a trap made of it, and at how disordered the answer was.
    #[must_use]
    pub fn look(&self, said: &[u8], fields: &BTreeMap<String, String>, answered: &Tally) -> Sight {
        self.look_with(said, fields, answered, |_, _| {})
    }

    /// The same, and gives what was said, and each layer of it that was opened, with the names of the layers it was wrapped in, to
    /// somebody else who looks.
    #[must_use]
    pub fn look_with(
        &self,
        said: &[u8],
        fields: &BTreeMap<String, String>,
        answered: &Tally,
        mut other: impl FnMut(&[u8], &[&'static str]),
    ) -> Sight {
        let mut sight = Sight::default();
        let said_census = Census::of(said);
        let whole = said_census.millibits();
        // Most of what is said fits into one window.
        let fits_or = |window: usize, max: fn(&[u8]) -> u16| if said.len() <= window { whole } else { max(said) };
        let sent = answered.millibits();
        sight.marks.entropy = Entropies {
            whole,
            window: fits_or(ENTROPY_WINDOW_BYTES, entropy_window_max_millibits),
            short: fits_or(ENTROPY_SHORT_BYTES, entropy_short_max_millibits),
            sent: sent.map(|(whole, _)| whole),
            sent_window: sent.map(|(_, window)| window),
        };
        let whole = core::iter::once((said, true)).chain(fields.values().map(|value| (value.as_bytes(), false)));
        let mut waiting: VecDeque<Piece<'_>> = whole
            .filter(|(bytes, _)| !bytes.is_empty())
            .map(|(bytes, is_said)| Piece { bytes: Cow::Borrowed(bytes), is_said, layers: Vec::new() })
            .collect();
        let mut room: usize = waiting.iter().map(|piece| piece.bytes.len()).sum();
        room = room.saturating_mul(OPENED_FACTOR).saturating_add(OPENED_BASE);
        let (mut opened, mut is_cut, mut shown) = (Vec::new(), false, BTreeSet::new());
        let mut tools = Tools::default();
        // In order of depth, so that a deep layer never takes the room of a shallow one.
        while let Some(piece) = waiting.pop_front() {
            let is_all_said = piece.is_said && piece.layers.is_empty();
            let counted = if is_all_said { None } else { Some(Census::of(&piece.bytes)) };
            let census = counted.as_ref().unwrap_or(&said_census);
            self.look_at(&piece, census, &mut sight, &mut shown, &mut tools);
            if piece.is_said {
                other(&piece.bytes, &piece.layers);
            }
            if piece.layers.len() >= LAYERS_MAX {
                continue;
            }
            for (name, bytes) in layer::open(&piece.bytes, census, piece.layers.last().copied()) {
                let Some(left) = room.checked_sub(bytes.len()) else {
                    is_cut = true;
                    continue;
                };
                room = left;
                if layer::is_named(name) && !opened.contains(&name) {
                    opened.push(name);
                }
                let layers = piece.layers.iter().copied().chain([name]).collect();
                waiting.push_back(Piece { bytes: Cow::Owned(bytes), is_said: piece.is_said, layers });
            }
        }
        if !opened.is_empty() || is_cut {
            sight.facts.insert("opened", opened.join(",") + if is_cut { "+" } else { "" });
        }
        if let Some(tool) = tools.guess(said, fields) {
            sight.facts.insert("tool", tool.into());
        }
        sight
    }

    /// `shown`: the shapes whose words are a place or a kind, and not only the string that gave them away.
    fn look_at(&self, piece: &Piece<'_>, census: &Census, sight: &mut Sight, shown: &mut BTreeSet<Shape>, tools: &mut Tools) {
        let mut show = |sight: &mut Sight, shape, words: String| {
            if shown.insert(shape) {
                sight.marks.shapes.insert(shape, piece.words(&words));
            }
        };
        if let Some(target) = lookup::jndi(&piece.bytes, census) {
            show(sight, Shape::Jndi, target);
        }
        if let Some(words) = sled::find(&piece.bytes, census) {
            show(sight, Shape::NopSled, words.into());
        }
        for (shape, words) in file::find(&piece.bytes, census) {
            sight.facts.entry("file").or_insert_with(|| words.clone());
            show(sight, shape, words);
        }
        let (mut fetches, mut strings) = (Fetches::default(), BTreeMap::new());
        self.words.search(&piece.bytes, |Hit { word, start, end }| match word {
            Word::Pattern(place) => {
                let (shape, string) = PATTERNS[place];
                strings.entry(shape).or_insert(string);
            }
            Word::Fetch(command) => fetches.command(&piece.bytes, command, (start, end)),
            Word::Tool(tool) if piece.layers.is_empty() => tools.met(tool),
            Word::Busybox if piece.layers.is_empty() => tools.busybox(&piece.bytes, (start, end)),
            Word::Tool(_) | Word::Busybox => {}
        });
        for url in fetches.urls() {
            add_word(sight.facts.entry("download").or_default(), &url);
            show(sight, Shape::Download, url);
        }
        for (shape, string) in strings {
            // The first string stays, for it was wrapped least.
            sight.marks.shapes.entry(shape).or_insert_with(|| piece.words(&printable(string)));
        }
        if let Some(token) = self.tokens.find(&piece.bytes) {
            sight.bait = true;
            sight.facts.entry("bait").or_insert_with(|| ascii(token, FACT_BYTES_MAX));
        }
    }
}

impl Piece<'_> {
    /// What was found, and what it was wrapped in.
    fn words(&self, found: &str) -> String {
        let wrapped: Vec<&str> = self.layers.iter().copied().filter(|layer| layer::is_named(layer)).collect();
        let words = match (found.is_empty(), wrapped.is_empty()) {
            (_, true) => found.into(),
            (true, false) => format!("(in {})", wrapped.join(" in ")),
            (false, false) => format!("{found} (in {})", wrapped.join(" in ")),
        };
        ascii(words.as_bytes(), MARK_BYTES_MAX)
    }
}

/// Appends a word to a list that stays bounded and free of repetition.
fn add_word(list: &mut String, word: &str) {
    if list.split(' ').all(|known| known != word) && list.len() + 1 + word.len() <= FACT_BYTES_MAX {
        if !list.is_empty() {
            list.push(' ');
        }
        list.push_str(word);
    }
}

/// Printable ASCII, `bytes_max` at most; everything else becomes `?`.
pub(crate) fn ascii(bytes: &[u8], bytes_max: usize) -> String {
    bytes
        .iter()
        .take(bytes_max)
        .map(|byte| if *byte == b' ' || byte.is_ascii_graphic() { char::from(*byte) } else { '?' })
        .collect()
}

#[cfg(test)]
mod tests;
