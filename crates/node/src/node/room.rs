//! What comes back when there is room, or when a protection ended.

use super::{Node, change::By};
use honeymesh_ledger::{Cause, Change, Origin};

impl Node {
    /// Lets in what waited, at the end of every input; [`Node::wake_at`] stays in the past while more does.
    pub(super) fn readmit(&mut self) {
        self.ledger.readmit(self.now.wall).iter().for_each(|change| self.apply_returned(change));
    }

    /// Carries out what came back, or gave way, because the room in a table changed.
    pub(super) fn apply_returned(&mut self, change: &Change) {
        self.apply(change, &by(change));
        if !change.is_gone() {
            self.spread(change.ban.subject);
        }
    }
}

/// Whose word came back; what gave way did so by itself.
fn by(change: &Change) -> By {
    let claim = change.claims.first().filter(|_| change.cause == Cause::Returned);
    match claim.map(|claim| (&claim.origin, claim.origin_name.parse())) {
        Some((Origin::Peer { cluster, node }, Ok(name))) => By::Peer { cluster: cluster.clone(), name, node: *node },
        _ => By::Itself,
    }
}
