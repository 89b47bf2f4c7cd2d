//! What stands behind a key.

mod weight;

pub(in super::super) use weight::of_key as weight_of_key;

use super::{
    number::integer,
    order::{Name, Order, Places, hash},
};
use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};
use core::cmp::Ordering;

/// Up to so many members, and so long ones, a set, a hash or a sorted set keeps its order: Redis' own limits as it comes.
const PACKED_SET_MAX: usize = 128;
const PACKED_HASH_MAX: usize = 512;
const PACKED_BYTES_MAX: usize = 64;
/// The most numbers of a set that are kept by their size.
const NUMBERS_MAX: usize = 512;
/// The longest list that is one piece, in bytes as Redis packs them.
const PIECE_BYTES_MAX: usize = 8_192;
/// The fewest values that a list has room for.
const LIST_ROOM_MIN: usize = 4;
/// The longest text that Redis keeps together with what it knows of it.
const SHORT_BYTES_MAX: usize = 44;

/// A text.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Text {
    pub(in super::super) bytes: Vec<u8>,
    /// It was made by changing another one.
    pub(in super::super) is_raw: bool,
}

impl Text {
    fn encoding(&self) -> &'static str {
        match self.bytes.len() {
            _ if self.is_raw => "raw",
            _ if integer(&self.bytes).is_some() => "int",
            0..=SHORT_BYTES_MAX => "embstr",
            _ => "raw",
        }
    }
}

/// A list.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct List {
    values: VecDeque<Vec<u8>>,
    bytes: usize,
    /// As Redis would pack it, in bytes.
    packed: usize,
    is_chained: bool,
}

/// What one value takes in a listpack, about.
fn packed(value: &[u8]) -> usize {
    match integer(value) {
        Some(0..=127) => 2,
        Some(-4_096..=4_095) => 3,
        Some(-32_768..=32_767) => 4,
        Some(-8_388_608..=8_388_607) => 5,
        Some(-2_147_483_648..=2_147_483_647) => 6,
        Some(_) => 10,
        None if value.len() < 64 => value.len() + 2,
        // Its length takes one octet more, and behind 127 the way back takes two.
        None if value.len() < 126 => value.len() + 3,
        None if value.len() < 4_096 => value.len() + 4,
        None => value.len() + 8,
    }
}

impl List {
    pub(in super::super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(in super::super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Vec<u8>> + ExactSizeIterator {
        self.values.iter()
    }

    pub(in super::super) fn get(&self, index: usize) -> Option<&Vec<u8>> {
        self.values.get(index)
    }

    /// Before values are added: a list that grows beyond a piece becomes a chain of pieces.
    pub(in super::super) fn expect<'a>(&mut self, values: impl Iterator<Item = &'a Vec<u8>>) {
        self.is_chained |= 7 + self.packed + values.map(Vec::len).sum::<usize>() > PIECE_BYTES_MAX;
    }

    /// After values were taken away: it may be one piece again, and gives back room that it had for more than twice as many, as no
    /// more is counted for it ([`Kind::element_bytes`]). Half as many again have room then, so that this is rare.
    fn shrink(&mut self) {
        self.is_chained &= 2 * (7 + self.packed) > PIECE_BYTES_MAX;
        let count = self.values.len();
        if self.values.capacity() > (2 * count).max(LIST_ROOM_MIN) {
            self.values.shrink_to((count + count / 2).max(LIST_ROOM_MIN));
        }
    }

    pub(in super::super) fn insert(&mut self, index: usize, value: Vec<u8>) {
        self.bytes += value.len();
        self.packed += packed(&value);
        self.values.insert(index.min(self.values.len()), value);
    }

    pub(in super::super) fn push(&mut self, is_left: bool, value: Vec<u8>) {
        self.insert(if is_left { 0 } else { self.values.len() }, value);
    }

    pub(in super::super) fn set(&mut self, index: usize, value: Vec<u8>) {
        if let Some(old) = self.values.get_mut(index) {
            self.bytes = self.bytes + value.len() - old.len();
            self.packed = self.packed + packed(&value) - packed(old);
            *old = value;
        }
        self.shrink();
    }

    pub(in super::super) fn pop(&mut self, is_left: bool) -> Option<Vec<u8>> {
        let value = if is_left { self.values.pop_front() } else { self.values.pop_back() }?;
        self.bytes -= value.len();
        self.packed -= packed(&value);
        self.shrink();
        Some(value)
    }

    /// Takes away what has these places, which are in their order.
    pub(in super::super) fn remove(&mut self, places: &[usize]) {
        let (mut next, mut at) = (places.iter().peekable(), 0);
        let (mut bytes, mut size) = (0, 0);
        if !places.is_empty() {
            self.values.retain(|value| {
                let goes = next.next_if(|place| **place == at).is_some();
                at += 1;
                if goes {
                    bytes += value.len();
                    size += packed(value);
                }
                !goes
            });
        }
        self.bytes -= bytes;
        self.packed -= size;
        self.shrink();
    }
}

/// A set.
pub(in super::super) type Set = Order<()>;

impl Set {
    /// One that is to hold so many, the first of which is this.
    pub(in super::super) fn for_members(first: &[u8], count: usize, salt: u64) -> Self {
        let places = match integer(first) {
            Some(_) if count <= NUMBERS_MAX => Places::Numbers,
            _ if count <= PACKED_SET_MAX => Places::Packed,
            _ => Places::Table,
        };
        Self::new(places, salt)
    }

    /// Before so many are added.
    pub(in super::super) fn expect(&mut self, count: usize) {
        match self.places() {
            Places::Packed if count > PACKED_SET_MAX => self.place(Places::Table),
            Places::Numbers if count > NUMBERS_MAX => self.place(Places::Table),
            _ => {}
        }
    }

    /// Whether it was not there.
    pub(in super::super) fn join(&mut self, member: &[u8]) -> bool {
        if self.has(member) {
            return false;
        }
        let is_number = integer(member).is_some();
        let is_short = member.len() <= PACKED_BYTES_MAX;
        match self.places() {
            Places::Numbers if is_number && self.len() >= NUMBERS_MAX => self.place(Places::Table),
            Places::Numbers if !is_number => {
                self.place(if self.len() < PACKED_SET_MAX && is_short { Places::Packed } else { Places::Table });
            }
            Places::Packed if self.len() >= PACKED_SET_MAX || !is_short => self.place(Places::Table),
            _ => {}
        }
        self.insert(member, ());
        true
    }

    /// What was made of others, and is numbers only, becomes a set of numbers.
    pub(in super::super) fn settle(&mut self) {
        if self.len() <= NUMBERS_MAX && self.names().all(|name| integer(name).is_some()) {
            self.place(Places::Numbers);
        }
    }
}

/// A hash.
#[derive(Clone, Debug)]
pub(in super::super) struct Hash {
    pub(in super::super) fields: Order<Vec<u8>>,
    bytes: usize,
}

impl Hash {
    pub(in super::super) const fn new(salt: u64) -> Self {
        Self { fields: Order::new(Places::Packed, salt), bytes: 0 }
    }

    /// Before so many fields are set, with these words.
    pub(in super::super) fn expect(&mut self, fields: usize, words: &[Vec<u8>]) {
        if fields > PACKED_HASH_MAX || words.iter().any(|word| word.len() > PACKED_BYTES_MAX) {
            self.fields.place(Places::Table);
        }
    }

    /// Whether the field is a new one.
    pub(in super::super) fn set(&mut self, field: &[u8], mut value: Vec<u8>) -> bool {
        // Only what it says is counted.
        value.shrink_to_fit();
        if field.len().max(value.len()) > PACKED_BYTES_MAX {
            self.fields.place(Places::Table);
        }
        self.bytes += value.len();
        let old = self.fields.insert(field, value);
        self.bytes -= old.as_ref().map_or(0, Vec::len);
        if self.fields.len() > PACKED_HASH_MAX {
            self.fields.place(Places::Table);
        }
        old.is_none()
    }

    pub(in super::super) fn remove(&mut self, field: &[u8]) -> Option<Vec<u8>> {
        let old = self.fields.remove(field)?;
        self.bytes -= old.len();
        Some(old)
    }
}

/// What members of a sorted set are sorted by: no NaN gets here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) struct Score(pub(in super::super) f64);

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal)
    }
}

/// A sorted set.
#[derive(Clone, Debug)]
pub(in super::super) struct Sorted {
    scores: BTreeMap<Name, f64>,
    ranks: BTreeSet<(Score, Name)>,
    bytes: usize,
    is_table: bool,
    salt: u64,
}

impl Sorted {
    /// One that is to hold so many, the first of which is so long.
    pub(in super::super) const fn for_members(count: usize, first_bytes: usize, salt: u64) -> Self {
        let is_table = count > PACKED_SET_MAX || first_bytes > PACKED_BYTES_MAX;
        Self { scores: BTreeMap::new(), ranks: BTreeSet::new(), bytes: 0, is_table, salt }
    }

    /// Before so many are added.
    pub(in super::super) const fn expect(&mut self, count: usize) {
        self.is_table |= count > PACKED_SET_MAX;
    }

    pub(in super::super) fn len(&self) -> usize {
        self.ranks.len()
    }

    pub(in super::super) fn score(&self, member: &[u8]) -> Option<f64> {
        self.scores.get(member).copied()
    }

    /// How many are before it.
    pub(in super::super) fn rank(&self, member: &[u8]) -> Option<usize> {
        let (name, score) = self.scores.get_key_value(member)?;
        Some(self.ranks.range(..(Score(*score), Name::clone(name))).count())
    }

    /// In order of their scores, and where these are the same, of their names.
    pub(in super::super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&Name, f64)> + ExactSizeIterator {
        self.ranks.iter().map(|(score, name)| (name, score.0))
    }

    pub(in super::super) fn set(&mut self, member: &[u8], score: f64) {
        let name = match self.scores.get_key_value(member) {
            Some((name, old)) => {
                let name = Name::clone(name);
                self.ranks.remove(&(Score(*old), Name::clone(&name)));
                name
            }
            None => {
                self.bytes += member.len();
                self.is_table |= self.ranks.len() >= PACKED_SET_MAX || member.len() > PACKED_BYTES_MAX;
                member.into()
            }
        };
        // A listpack knows nought without a sign only.
        let score = if score == 0.0 && !self.is_table { 0.0 } else { score };
        self.scores.insert(Name::clone(&name), score);
        self.ranks.insert((Score(score), name));
    }

    pub(in super::super) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let (name, score) = self.scores.remove_entry(member)?;
        self.bytes -= name.len();
        self.ranks.remove(&(Score(score), name));
        Some(score)
    }

    /// The first or the last.
    pub(in super::super) fn pop(&mut self, is_first: bool) -> Option<(Name, f64)> {
        let (score, name) = if is_first { self.ranks.pop_first() } else { self.ranks.pop_last() }?;
        self.bytes -= name.len();
        self.scores.remove(&name);
        Some((name, score.0))
    }

    /// What was made of others is packed, where it can be.
    pub(in super::super) fn settle(&mut self) {
        self.is_table = self.len() > PACKED_SET_MAX || self.scores.keys().any(|name| name.len() > PACKED_BYTES_MAX);
    }

    /// What `SCAN` goes by, if it is kept as a table.
    pub(in super::super) fn places(&self) -> Option<Vec<(u64, (&Name, f64))>> {
        self.is_table.then(|| self.scores.iter().map(|(name, score)| (hash(name, self.salt), (name, *score))).collect())
    }
}

/// What a value can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
    Text,
    List,
    Set,
    Hash,
    Sorted,
}

impl Kind {
    /// What a key with something of this kind takes here besides its letters, in bytes: its places in two trees, and the first node of
    /// each of the value's own. Measured (`fuzz/tests/held.rs`).
    pub(in super::super) const fn key_bytes(self) -> usize {
        match self {
            Self::Text | Self::List => 224,
            Self::Set | Self::Sorted => 800,
            Self::Hash => 1_056,
        }
    }

    /// The same for each element: of a list, whose room doubles, or in two trees whose nodes are half full.
    pub(in super::super) const fn element_bytes(self) -> usize {
        match self {
            Self::Text => 0,
            Self::List => 48,
            Self::Set => 112,
            Self::Hash => 148,
            Self::Sorted => 120,
        }
    }
}

/// What stands behind a key.
#[derive(Clone, Debug)]
pub(in super::super) enum Value {
    Text(Text),
    List(List),
    Set(Set),
    Hash(Hash),
    Sorted(Sorted),
}

impl Value {
    /// One that was told as it is.
    pub(in super::super) fn text(bytes: &[u8]) -> Self {
        Self::Text(Text { bytes: bytes.to_vec(), is_raw: false })
    }

    /// How many are in it; a text is one.
    pub(in super::super) fn len(&self) -> usize {
        match self {
            Self::Text(_) => 1,
            Self::List(list) => list.len(),
            Self::Set(set) => set.len(),
            Self::Hash(hash) => hash.fields.len(),
            Self::Sorted(sorted) => sorted.len(),
        }
    }

    /// What is kept of it that is counted as an element.
    pub(super) fn elements(&self) -> usize {
        if matches!(self, Self::Text(_)) { 0 } else { self.len() }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.bytes.len(),
            Self::List(list) => list.bytes,
            Self::Set(set) => set.bytes(),
            Self::Hash(hash) => hash.fields.bytes() + hash.bytes,
            Self::Sorted(sorted) => sorted.bytes,
        }
    }

    /// What it takes here with what keeps it, in bytes.
    pub(super) fn held(&self) -> usize {
        self.bytes() + self.kind().key_bytes() + self.elements() * self.kind().element_bytes()
    }

    pub(in super::super) const fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::List(_) => Kind::List,
            Self::Set(_) => Kind::Set,
            Self::Hash(_) => Kind::Hash,
            Self::Sorted(_) => Kind::Sorted,
        }
    }

    /// What `TYPE` says.
    pub(in super::super) const fn name(&self) -> &'static str {
        match self.kind() {
            Kind::Text => "string",
            Kind::List => "list",
            Kind::Set => "set",
            Kind::Hash => "hash",
            Kind::Sorted => "zset",
        }
    }

    /// What `OBJECT ENCODING` says.
    pub(in super::super) fn encoding(&self) -> &'static str {
        let of = |places| match places {
            Places::Numbers => "intset",
            Places::Packed => "listpack",
            Places::Table => "hashtable",
        };
        match self {
            Self::Text(text) => text.encoding(),
            Self::List(list) if list.is_chained => "quicklist",
            Self::Set(set) => of(set.places()),
            Self::Hash(hash) => of(hash.fields.places()),
            Self::Sorted(sorted) if sorted.is_table => "skiplist",
            Self::List(_) | Self::Sorted(_) => "listpack",
        }
    }
}
