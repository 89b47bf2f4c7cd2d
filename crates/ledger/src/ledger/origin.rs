//! Everything that one origin says, wherever it is.

use super::Ledger;
use crate::Origin;
use alloc::vec::Vec;
use honeymesh_types::Subject;

impl Ledger {
    /// The subjects about which `origin` claims something, waiting claims included, each once. Linear in the bans: for the rare
    /// case that an origin is turned away as a whole.
    #[must_use]
    pub fn claimed_by(&self, origin: &Origin) -> Vec<Subject> {
        let mut subjects: Vec<Subject> = self.waiting.of(origin).collect();
        if let Some(index) = self.origins.find(origin) {
            let claims = self.bans.iter().filter(|(_, entry)| entry.slots.iter().any(|slot| slot.origin == index));
            subjects.extend(claims.map(|(subject, _)| *subject));
        }
        subjects.sort_unstable();
        subjects.dedup();
        subjects
    }
}
