//! How much symbols tell.

use super::*;
use crate::{frame::Bytes, testing::tag};
use alloc::collections::BTreeSet;
use proptest::prelude::*;

fn id(number: u64) -> RecordId {
    RecordId(*blake3::hash(&number.to_be_bytes()).as_bytes())
}

fn sketch(numbers: impl Iterator<Item = u64>) -> Sketch {
    let mut sketch = Sketch::new(tag());
    numbers.for_each(|number| sketch.insert(&id(number)));
    sketch
}

fn stubs(numbers: impl Iterator<Item = u64>) -> BTreeSet<Stub> {
    numbers.map(|number| id(number).stub()).collect()
}

/// Do the first `len` symbols tell that one set has `ours` and the other `theirs` besides what both have?
fn is_told(common: u64, ours: u64, theirs: u64, len: usize, salt: u64) -> bool {
    let base = salt << 32;
    let one = sketch(base..base + common + ours);
    let other = sketch((base..base + common).chain(base + common + ours..base + common + ours + theirs));
    let told = one.hasher.difference(&one.symbols[..len], &other.symbols[..len]);
    if let Some(told) = &told {
        assert_eq!(told.ours.iter().copied().collect::<BTreeSet<_>>(), stubs(base + common..base + common + ours));
        let last = base + common + ours;
        assert_eq!(told.theirs.iter().copied().collect::<BTreeSet<_>>(), stubs(last..last + theirs));
    }
    told.is_some()
}

#[test]
fn one_datagram_tells_twenty_five_differences_and_nearly_always_twice_as_many() {
    let told = |ours, theirs| (0..200).filter(|salt| is_told(300, ours, theirs, SYMBOLS_SENT, *salt)).count();
    assert_eq!(told(0, 0), 200);
    assert_eq!(told(1, 0), 200);
    assert_eq!(told(13, 12), 200);
    assert!(told(25, 25) >= 170, "{}", told(25, 25));
    assert!(told(0, 50) >= 170, "{}", told(0, 50));
    assert_eq!(told(100, 100), 0, "more than there are symbols");
}

#[test]
fn all_that_is_kept_tells_six_hundred_differences() {
    let told = (0..20).filter(|salt| is_told(1_000, 300, 300, SYMBOLS_KEPT, *salt)).count();
    assert!(told >= 19, "{told}");
}

#[test]
fn the_size_of_the_sets_does_not_matter() {
    assert!(is_told(100_000, 10, 10, SYMBOLS_SENT, 7));
}

#[test]
fn what_goes_again_leaves_nothing() {
    let mut all = sketch(0..1_000);
    (0..1_000).for_each(|number| all.remove(&id(number)));
    assert!(all.symbols.iter().all(|symbol| *symbol == Symbol::default()));
    let gone: Vec<RecordId> = (500..1_000).map(id).collect();
    assert_eq!(sketch(0..1_000).without(SYMBOLS_SENT, gone.iter()), sketch(0..500).symbols[..SYMBOLS_SENT]);
}

#[test]
fn an_id_is_in_as_many_symbols_as_it_should_be() {
    let hasher = Sketch::new(tag()).hasher;
    let mut counts = [0_u32; SYMBOLS_KEPT];
    for number in 0..20_000 {
        let mut last = None;
        for place in hasher.item(id(number).stub()).places(SYMBOLS_KEPT) {
            assert!(last < Some(place), "in order, each once");
            last = Some(place);
            counts[place] += 1;
        }
    }
    for (place, wanted) in [(0, 20_000.0), (1, 13_333.0), (2, 10_000.0), (8, 4_000.0), (38, 1_000.0), (398, 100.0)] {
        let off = (f64::from(counts[place]) - wanted).abs();
        assert!(off <= 4.0 * f64::sqrt(wanted), "symbol {place}: {} instead of {wanted}", counts[place]);
    }
}

#[test]
fn symbols_survive_the_wire_and_a_cut_one_is_left_out() {
    let symbols = sketch(0..50).symbols[..SYMBOLS_SENT].to_vec();
    let packed = Symbols::pack(&symbols);
    assert_eq!(Symbols(Bytes(&packed)).unpack(), symbols);
    assert_eq!(Symbols(Bytes(&packed[..packed.len() - 1])).unpack().len(), SYMBOLS_SENT - 1);
}

#[test]
fn two_clusters_do_not_understand_each_other() {
    let other = Sketch::new(ClusterTag([9; 8]));
    let ours = sketch(0..3);
    assert_eq!(other.hasher.difference(&ours.symbols, &other.symbols), None);
}

proptest! {
    /// Whatever a peer sends ends, and never tells more ids than there are symbols.
    #[test]
    fn no_symbols_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..1_400)) {
        let theirs = Symbols(Bytes(&bytes)).unpack();
        let ours = sketch(0..20);
        if let Some(found) = ours.hasher.difference(&ours.symbols, &theirs) {
            prop_assert!(found.ours.len() + found.theirs.len() <= theirs.len());
        }
    }
}
