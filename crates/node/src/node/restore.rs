//! The same state after a restart.

use super::{Node, change::forget, judgement::is_hearsay, mesh::Heard};
use crate::{Keep, Output};
use alloc::vec::Vec;
use honeymesh_ledger::{Change, ChangeKind, Claim, Entered, Whose};
use honeymesh_types::{ClusterName, Mode, Now, Subject, WallTime};

impl Node {
    /// Takes back what the store kept, in any order. Records are verified again, claims come through the same door as new
    /// ones; what is over, protected by now or damaged stays out and is forgotten or counted. Tells the carrier mode and
    /// never-ban set; make the kernel equal to [`Self::intent`] when the network was told too.
    pub fn restore(&mut self, kept: Vec<Keep>, now: Now, out: &mut Vec<Output>) {
        self.now = now;
        self.restore_settings(&kept);
        self.restore_notes(&kept);
        self.refresh_shield();
        let (mut claims, mut records) = (Vec::new(), Vec::new());
        for keep in kept {
            match keep {
                Keep::Claim(claim) | Keep::Again(claim) => claims.push(claim),
                Keep::Record { cluster, raw, .. } => records.push((cluster, raw)),
                Keep::Unbanned { subject, before, expires } => self.restore_unban(subject, before, expires),
                Keep::Forget { .. }
                | Keep::Note { .. }
                | Keep::Allow { .. }
                | Keep::Mode { .. }
                | Keep::Quarantined { .. }
                | Keep::Pardoned { .. } => {}
            }
        }
        claims.into_iter().for_each(|claim| self.restore_claim(claim));
        records.into_iter().for_each(|(cluster, raw)| self.restore_record(&cluster, &raw));
        self.restore_lockdown();
        self.out.push(Output::Reconcile);
        self.renew_all();
        self.out.flush(out);
    }

    fn restore_unban(&mut self, subject: Subject, before: WallTime, expires: WallTime) {
        let mut before = before;
        if before == expires {
            self.ledger.hold(subject, expires, self.now.wall);
            before = expires.minus(self.ledger.policy().ttl.mesh).min(self.now.wall);
        }
        self.ledger.lift(&subject, before, Whose::Peers, self.now.wall);
    }

    fn restore_settings(&mut self, kept: &[Keep]) {
        for keep in kept {
            match keep {
                Keep::Allow { added, removed } => self.restore_allow(added, removed),
                Keep::Quarantined { cluster, net, since, raw, .. } => {
                    self.restore_quarantined(cluster.clone(), *net, *since, raw.clone());
                }
                Keep::Mode { mode, configured } if *configured == self.configured => self.restore_mode(*mode),
                _ => {}
            }
        }
    }

    fn restore_allow(&mut self, added: &[ipnet::IpNet], removed: &[ipnet::IpNet]) {
        self.allow.restore(added, removed);
        self.allow_changed();
        let removed: Vec<_> = self.allow.removed().collect();
        for net in removed {
            let mut event = self.audit("allowlist", "an operator removed it; the configuration file still holds it");
            event.subject = Some(honeymesh_types::Subject::new(net));
            self.out.tell(event);
        }
    }

    fn restore_mode(&mut self, mode: Mode) {
        if mode != self.configured {
            self.ledger.set_mode(mode);
            let event = self.audit("mode", mode.as_str());
            self.out.tell(event);
        }
    }

    fn restore_claim(&mut self, claim: Claim) {
        let gone = forget(&claim);
        match self.ledger.enter(claim, self.now.wall) {
            Entered::Refused(_) => {
                self.counters.not_restored += 1;
                self.out.keep(gone);
            }
            Entered::Changed { change, displaced } => {
                displaced.iter().for_each(|gone| self.keep_beside(gone));
                change.also.iter().for_each(|also| self.keep_beside(also));
            }
            Entered::Unchanged => {}
        }
        self.leave_to_reconcile();
    }

    fn restore_record(&mut self, cluster: &ClusterName, raw: &[u8]) {
        let place = self.clusters.iter().position(|known| known.name == *cluster);
        let Some((place, known)) = place.and_then(|place| Some((place, self.clusters.get_mut(place)?))) else {
            self.counters.not_restored += 1;
            return;
        };
        let (restored, me) = (known.mesh.restore(raw, self.now), known.mesh.identity());
        match restored {
            // What this node carried over a bridge is no claim of its own, and is looked at again.
            Ok(signed) if signed.record.origin == me && is_hearsay(&signed.record) => self.touch_bridges(signed.record.subject),
            Ok(signed) if signed.record.origin == me && self.is_claimed(&signed.record) => {}
            Ok(signed) if self.is_set_aside(place, &signed.record.origin) => {}
            Ok(signed) => self.restore_heard(place, &signed.record),
            Err(_) => self.counters.not_restored += 1,
        }
    }

    /// Does a ban that this node said rest on claims of its own? If the store lost those once, peers have handed the record
    /// back since, and it is taken like one of theirs.
    fn is_claimed(&self, record: &honeymesh_mesh_proto::Record) -> bool {
        record.is_ban() && self.ledger.claims(&record.subject).iter().any(|(claim, _)| claim.is_local())
    }

    fn restore_heard(&mut self, cluster: usize, record: &honeymesh_mesh_proto::Record) {
        self.touch_bridges(record.subject);
        match self.admit(cluster, record) {
            Heard::Changed(changes) => {
                changes.iter().for_each(|change| self.keep_beside(change));
                changes.iter().flat_map(|change| &change.also).for_each(|also| self.keep_beside(also));
            }
            Heard::Refused(_) => self.counters.not_restored += 1,
            Heard::Nothing => {}
        }
        self.leave_to_reconcile();
    }

    /// What went for what was restored is forgotten by the store too, and what came back is kept again.
    fn keep_beside(&mut self, change: &Change) {
        for claim in change.claims.iter().filter(|claim| claim.is_local()) {
            self.out.keep(if change.kind == ChangeKind::Raised { Keep::Claim(claim.clone()) } else { forget(claim) });
        }
    }

    /// The kernel is made equal to the whole intent afterwards.
    fn leave_to_reconcile(&mut self) {
        drop(self.ledger.take_kernel_changes());
    }
}
