//! Who stands behind a claim, and how many must before a peer's word is enforced.

use alloc::string::String;
use core::time::Duration;
use honeymesh_types::{NodeId, WallTime};

/// How many different owners must say the same, and how close together.
///
/// One owner may run many nodes: they count once. Who has no stated owner is its own. What this node itself saw counts as one more,
/// unless the evidence could be forged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quorum {
    /// How many, this node itself included; see [`Quorum::OWNERS`].
    pub owners: u8,
    /// All of them must have said so within this time of each other.
    pub window: Duration,
}

impl Quorum {
    /// What may be asked for.
    pub const OWNERS: core::ops::RangeInclusive<u8> = 2..=16;
    /// The window unless configured otherwise.
    pub const WINDOW_DEFAULT: Duration = Duration::from_mins(10);
}

impl Default for Quorum {
    fn default() -> Self {
        Self { owners: *Self::OWNERS.start(), window: Self::WINDOW_DEFAULT }
    }
}

/// Who stands behind a peer's claim.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Backing {
    /// Who runs the node that says so; `None`: that node is its own owner. At most 63 bytes are kept.
    pub owner: Option<String>,
    /// How many owners must agree, if the claim is trusted to corroborate only.
    pub quorum: Quorum,
    /// Repeats what another cluster said: it is no witness of its own, so it corroborates nobody.
    pub hearsay: bool,
}

/// An owner, to be compared with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner<'a> {
    /// This node.
    Here,
    /// A node that is its own.
    Node(&'a NodeId),
    /// Somebody who runs nodes.
    Named(&'a str),
}

/// How far a subject that nothing is enforced on is from being corroborated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corroboration {
    /// How many owners agree within the window that ends with the last word.
    pub owners: usize,
    /// How many must.
    pub needed: usize,
    /// Until when another owner's word would agree with the last one. After that it takes a new word of both.
    pub waits_until: WallTime,
}

/// What one witness said when.
pub(crate) type Testimony<'a> = (WallTime, Owner<'a>);

/// How many different owners are among these.
pub(crate) fn distinct<'a>(owners: impl Iterator<Item = Owner<'a>> + Clone) -> usize {
    let is_first = |(place, owner): &(usize, Owner<'a>)| !owners.clone().take(*place).any(|earlier| earlier == *owner);
    owners.clone().enumerate().filter(is_first).count()
}

/// Is there a window around `at` in which enough owners said the same?
pub(crate) fn agree_around(at: WallTime, quorum: Quorum, all: &[Testimony<'_>]) -> bool {
    all.iter().map(|(begin, _)| *begin).filter(|begin| *begin <= at && at <= begin.plus(quorum.window)).any(|begin| {
        let within = all.iter().filter(|(said, _)| *said >= begin && *said <= begin.plus(quorum.window));
        distinct(within.map(|(_, owner)| *owner)) >= usize::from(quorum.owners)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mins: u64) -> WallTime {
        WallTime(0).plus(Duration::from_mins(mins))
    }

    #[test]
    fn owners_agree_only_within_one_window() {
        let (a, b) = (NodeId([1; 32]), NodeId([2; 32]));
        let (a, b, acme) = (Owner::Node(&a), Owner::Node(&b), Owner::Named("acme"));
        let two = Quorum::default();
        let three = Quorum { owners: 3, ..two };
        let cases: [(&[Testimony<'_>], u64, Quorum, bool); 8] = [
            (&[(at(0), a)], 0, two, false),
            (&[(at(0), a), (at(10), b)], 10, two, true),
            (&[(at(0), a), (at(11), b)], 11, two, false),
            (&[(at(0), a), (at(5), a)], 5, two, false),
            (&[(at(0), acme), (at(5), acme), (at(6), b)], 0, two, true),
            (&[(at(0), acme), (at(5), Owner::Here), (at(6), b)], 6, three, true),
            // Each two are close, but not the three.
            (&[(at(0), acme), (at(8), a), (at(16), b)], 8, three, false),
            // Two others agree, long after.
            (&[(at(0), acme), (at(30), a), (at(31), b)], 0, two, false),
        ];
        for (index, (all, around, quorum, expected)) in cases.into_iter().enumerate() {
            assert_eq!(agree_around(at(around), quorum, all), expected, "case {index}");
        }
    }
}
