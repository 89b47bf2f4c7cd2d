//! What comes back when there is room, or when a protection ended.

use super::{Node, change::By};
use honeymesh_ledger::{Change, Origin};

impl Node {
    /// Lets in what waited, at the end of every input; [`Node::wake_at`] stays in the past while more does.
    pub(super) fn readmit(&mut self) {
        for change in self.ledger.readmit(self.now.wall) {
            let by = by(&change);
            self.apply(&change, &by);
            if !change.is_gone() {
                self.spread(change.ban.subject);
            }
        }
    }
}

/// Whose word came back.
fn by(change: &Change) -> By {
    match change.claims.first().map(|claim| (&claim.origin, claim.origin_name.parse())) {
        Some((Origin::Peer { cluster, node }, Ok(name))) => By::Peer { cluster: cluster.clone(), name, node: *node },
        _ => By::Itself,
    }
}
