//! Membership that is given from outside: nobody comes, goes or is probed. For measuring how records spread in a cluster that is larger
//! than any that the membership protocol carries.

use super::{Admits, Ident, Known, Membership, News, Share};
use crate::{
    Member, Refused,
    peers::ShortId,
    roster::{Ring, Roster},
};
use alloc::{sync::Arc, vec::Vec};
use core::net::SocketAddr;
use honeymesh_types::{MonoTime, NodeId, Now};

/// Everybody in a cluster, once in memory however many nodes of a process know them; a clone shares.
#[derive(Clone)]
pub struct FixedMembers {
    /// By short id.
    all: Arc<[Known]>,
    ring: Arc<Ring>,
}

impl FixedMembers {
    /// These, all of them alive for ever. Of two with the same first eight bytes of their identities the last counts.
    #[must_use]
    pub fn new(members: &[Member]) -> Self {
        let mut all: Vec<Known> = members.iter().rev().map(Known::of).collect();
        all.sort_by_key(|known| known.ident.short());
        all.dedup_by_key(|known| known.ident.short());
        let mut ring = Ring::default();
        all.iter().for_each(|known| ring.insert(known.ident.short(), known.ident.addr));
        Self { all: all.into(), ring: Arc::new(ring) }
    }

    /// The others, as one of them has them ready.
    pub(crate) fn roster(&self, me: ShortId) -> Roster {
        Roster::sharing(&self.ring, me)
    }

    fn place(&self, id: ShortId) -> Option<usize> {
        self.all.binary_search_by_key(&id, |known| known.ident.short()).ok()
    }
}

/// One node's view of members that are fixed.
pub(crate) struct Fixed {
    me: Ident,
    members: FixedMembers,
}

impl Fixed {
    pub(crate) const fn new(me: Ident, members: FixedMembers) -> Self {
        Self { me, members }
    }
}

impl Membership for Fixed {
    fn me(&self) -> Ident {
        self.me
    }

    fn move_to(&mut self, addr: SocketAddr, _: Now, _: &mut News) {
        self.me.addr = addr;
    }

    fn packet(&mut self, _: NodeId, _: &[u8], _: Admits<'_>, _: Now, _: &mut News) -> Result<(), Refused> {
        Ok(())
    }

    fn learn(&mut self, _: &[Known], _: Admits<'_>, _: Share, _: Now, _: &mut News) -> Result<usize, Refused> {
        Ok(0)
    }

    fn wake(&mut self, _: Now, _: &mut News) {}

    fn hurry(&mut self, _: bool) {}

    fn wake_at(&self) -> MonoTime {
        MonoTime::MAX
    }

    fn get(&self, id: ShortId) -> Option<Known> {
        self.members.place(id).map(|place| self.members.all[place]).filter(|known| known.ident.node != self.me.node)
    }

    fn list(&self, after: Option<ShortId>) -> Vec<Known> {
        let first = after.map_or(0, |after| self.members.all.partition_point(|known| known.ident.short() <= after));
        self.members.all[first..].iter().filter(|known| known.ident.node != self.me.node).copied().collect()
    }

    fn down(&self) -> Vec<Known> {
        Vec::new()
    }

    fn has_addr(&self, addr: SocketAddr) -> bool {
        self.members.all.iter().any(|known| known.ident.addr == addr)
    }

    fn live(&self) -> usize {
        self.members.all.len() - usize::from(self.members.place(self.me.short()).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Mesh,
        testing::{Wire, addr, at, ban, config, hour},
    };

    fn everybody(n: u8) -> FixedMembers {
        let member = |n| Mesh::new(config(n, &[]), at(0)).me();
        FixedMembers::new(&(1..=n).map(member).collect::<Vec<_>>())
    }

    #[test]
    fn everybody_knows_all_others_from_the_start_and_one_list_is_enough() {
        let fixed = everybody(9);
        let mut wire = Wire::new((1..=9).map(|n| config(n, &[])).collect());
        wire.meshes.iter_mut().for_each(|(_, mesh)| mesh.fix_members(&fixed));
        assert_eq!(Arc::strong_count(&fixed.ring), 9 * 2 + 1);
        for n in 1..=9 {
            let mesh = wire.mesh(n);
            let (me, known) = (mesh.identity(), mesh.members());
            assert_eq!((mesh.live(), known.len(), known.iter().any(|member| member.node == me)), (8, 8, false));
        }
    }

    #[test]
    fn what_is_said_reaches_everybody_though_nobody_was_met() {
        let fixed = everybody(40);
        let mut wire = Wire::new((1..=40).map(|n| config(n, &[])).collect());
        wire.meshes.iter_mut().for_each(|(_, mesh)| mesh.fix_members(&fixed));
        wire.say(7, "203.0.113.7", ban(hour()));
        assert!(wire.all_see("203.0.113.7", "ban by node-7"), "{:?}", wire.views("203.0.113.7"));
        wire.cut = |from, to| from == addr(3) || to == addr(3);
        wire.say(7, "203.0.113.8", ban(hour()));
        wire.run(2_000);
        assert!(!wire.all_see("203.0.113.8", "ban by node-7"));
        wire.cut = |_, _| false;
        wire.run(10_000);
        assert!(wire.all_see("203.0.113.8", "ban by node-7"), "digests mend what was cut off");
        assert!(wire.meshes.iter().all(|(_, mesh)| mesh.live() == 39), "nobody was declared down");
    }

    #[test]
    fn members_are_listed_from_where_a_list_ended() {
        let fixed = everybody(5);
        let me = Mesh::new(config(1, &[]), at(0)).me();
        let view = Fixed::new(Known::of(&me).ident, fixed);
        let all: Vec<ShortId> = view.list(None).iter().map(|known| known.ident.short()).collect();
        let rest: Vec<ShortId> = view.list(Some(all[1])).iter().map(|known| known.ident.short()).collect();
        assert_eq!((all.len(), &all[2..], view.down().len()), (4, &rest[..], 0));
        assert!(view.get(all[0]).is_some() && view.get(view.me().short()).is_none());
    }
}
