//! Signatures of records, to be checked wherever there is a processor for it.
//!
//! The check of a signature is the dearest thing that a mesh does, and the only one that needs nothing but its own input. So a
//! [`crate::Mesh`] hands it out as a value, [`Claims`], and nothing comes of a record (it is not entered, receipted or
//! handed on) before the [`Verdicts`] are back. Whoever carries that out decides only *where*: the verdicts depend on the claims alone.

use crate::{Signed, peers::ShortId, record::signature};
use alloc::{collections::BTreeMap, vec::Vec};
use core::fmt;

/// Records whose signatures are to be checked. Everything else about them was checked before.
#[derive(Clone, PartialEq, Eq)]
pub struct Claims {
    ticket: u64,
    /// What no sender can foresee.
    secret: [u8; 32],
    /// Each with who sent it here.
    records: Vec<(ShortId, Signed)>,
}

impl Claims {
    pub(crate) const fn new(ticket: u64, secret: [u8; 32], records: Vec<(ShortId, Signed)>) -> Self {
        Self { ticket, secret, records }
    }

    /// How many there are; at most [`crate::limits::CHECK_BATCH_MAX`], and what came in one message with the last of them.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.records.len()
    }

    /// Is there none? Then what came waits for another batch, in which the same bytes are.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Checks them: all at once; if one is bad, each sender's own at once; and one by one only those of a sender that sent a bad
    /// one. So whoever sends a bad record has the others' checked twice at most. Costs some 8 µs for each of many
    /// good ones where nothing else runs, and 40 for each that is checked by itself.
    pub fn check(&self) -> Verdicts {
        let all: Vec<&Signed> = self.records.iter().map(|(_, signed)| signed).collect();
        if self.are_good(&all) {
            return Verdicts { ticket: self.ticket, good: alloc::vec![true; all.len()], is_split: false };
        }
        let mut good = alloc::vec![false; all.len()];
        for share in self.shares().into_values() {
            let records: Vec<&Signed> = share.iter().filter_map(|at| all.get(*at).copied()).collect();
            let (is_one, is_good) = (records.len() == 1, records.len() < all.len() && self.are_good(&records));
            for (at, signed) in share.into_iter().zip(records) {
                good[at] = is_good || (!is_one && signature::verify(&signed.raw, signed.record.origin).is_ok());
            }
        }
        Verdicts { ticket: self.ticket, good, is_split: all.len() > 1 }
    }

    /// One alone is cheaper to check by itself.
    fn are_good(&self, records: &[&Signed]) -> bool {
        match records {
            [only] => signature::verify(&only.raw, only.record.origin).is_ok(),
            _ => signature::all_good(records, self.secret),
        }
    }

    /// Whose is which, by its place.
    fn shares(&self) -> BTreeMap<ShortId, Vec<usize>> {
        let mut shares: BTreeMap<ShortId, Vec<usize>> = BTreeMap::new();
        for (at, (sender, _)) in self.records.iter().enumerate() {
            shares.entry(*sender).or_default().push(at);
        }
        shares
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("ticket", &self.ticket).field("records", &self.records.len()).finish_non_exhaustive()
    }
}

/// What came of [`Claims::check`]; for [`crate::Mesh::checked`] of the mesh that made the claims.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Verdicts {
    pub(crate) ticket: u64,
    /// In the order of the claims.
    pub(crate) good: Vec<bool>,
    /// One of several was bad.
    pub(crate) is_split: bool,
}

#[cfg(test)]
mod tests;
