//! An unban that waits until all members have said that they have it.

use super::Node;
use crate::{Done, OrderId, Output};
use alloc::{
    collections::BTreeSet,
    string::{String, ToString},
    vec::Vec,
};
use core::time::Duration;
use honeymesh_mesh_proto::{Member, RecordId};

/// Orders that wait at once; one more is answered without waiting, with everybody else unconfirmed.
const WAITING_MAX: usize = 16;
/// Digits of the identity of a member whose name is not known.
const SHORT: usize = 8;

/// An order whose reply waits.
pub(super) struct Waiting {
    order: OrderId,
    done: Done,
    /// What is still asked in which cluster.
    open: BTreeSet<(usize, RecordId)>,
    confirmed: BTreeSet<String>,
    unconfirmed: BTreeSet<String>,
}

impl Node {
    /// Replies to an unban: at once, or when all members have confirmed `said`, or when the time is over.
    pub(super) fn reply_when_confirmed(
        &mut self,
        order: OrderId,
        done: Done,
        said: &[(usize, RecordId)],
        wait: Option<Duration>,
    ) {
        let mut waiting =
            Waiting { order, done, open: BTreeSet::new(), confirmed: BTreeSet::new(), unconfirmed: BTreeSet::new() };
        let Some(wait) = wait else {
            return self.out.push(Output::Reply { id: order, result: Ok(waiting.done) });
        };
        let until = self.now.mono.plus(wait);
        for (cluster, id) in said {
            let is_full = self.waiting.len() >= WAITING_MAX;
            let Some(known) = self.clusters.get_mut(*cluster) else { continue };
            if !is_full && known.mesh.confirm(*id, until, self.now) {
                waiting.open.insert((*cluster, *id));
            } else {
                waiting.unconfirmed.extend(known.mesh.members().iter().map(called));
            }
        }
        self.waiting.push(waiting);
        self.reply_to_the_confirmed();
    }

    /// Who has a record is known, as far as it will be.
    pub(super) fn confirmed(&mut self, cluster: usize, id: RecordId, confirmed: &[Member], unconfirmed: &[Member]) {
        for waiting in &mut self.waiting {
            if waiting.open.remove(&(cluster, id)) {
                waiting.confirmed.extend(confirmed.iter().map(called));
                waiting.unconfirmed.extend(unconfirmed.iter().map(called));
            }
        }
        self.reply_to_the_confirmed();
    }

    fn reply_to_the_confirmed(&mut self) {
        let ready: Vec<Waiting> = self.waiting.extract_if(.., |waiting| waiting.open.is_empty()).collect();
        for Waiting { order, mut done, confirmed: all, mut unconfirmed, .. } in ready {
            unconfirmed.retain(|name| !all.contains(name));
            if let Done::Unbanned { confirmed, unconfirmed: others, .. } = &mut done {
                let own = self.name.to_string();
                *confirmed = core::iter::once(own.clone()).chain(all.into_iter().filter(|name| *name != own)).collect();
                *others = unconfirmed.into_iter().collect();
            }
            self.out.push(Output::Reply { id: order, result: Ok(done) });
        }
    }
}

/// What people call a member.
fn called(member: &Member) -> String {
    member.name.as_ref().map_or_else(|| alloc::format!("{:.SHORT$}", member.node), ToString::to_string)
}
