//! What falls due by time alone.

use super::{Node, change::By};
use alloc::{string::ToString, vec::Vec};
use honeymesh_types::{EventKind, MonoTime, WallTime};

impl Node {
    /// When [`crate::Input::Wake`] is due if nothing happens before: in the past while there is more to do at once, `None`
    /// if time alone changes nothing. Ask again after every input.
    #[must_use]
    pub fn wake_at(&self) -> Option<MonoTime> {
        let dated = self.ledger.wake_at().map(|wall| self.mono_at(wall)).into_iter().chain(self.renew_at());
        let timed = [self.gate.wake_at(), self.shield.wake_at()].into_iter().flatten();
        let waiting = self.ledger.has_readmissions(self.now.wall).then_some(self.now.mono);
        let withdrawing = self.has_withdrawals().then_some(self.now.mono);
        let trial = self.trial.map(|trial| trial.until);
        let bridges = self.bridges.wake_at(self.now.mono);
        let meshes = self.clusters.iter().map(|cluster| cluster.mesh.wake_at());
        let touches = self.clusters.iter().filter_map(|cluster| cluster.slow.as_ref()?.wake_at());
        dated.chain(timed).chain(touches).chain(trial).chain(bridges).chain(waiting).chain(withdrawing).chain(meshes).min()
    }

    pub(super) fn mono_at(&self, wall: WallTime) -> MonoTime {
        self.now.mono_at(wall)
    }

    pub(super) fn wake(&mut self) {
        let ended = self.ledger.expire(self.now.wall);
        ended.iter().for_each(|change| self.apply(change, &By::Itself));
        self.withdraw_some();
        self.wake_touches();
        self.wake_meshes();
        self.renew();
        self.cross();
        self.shield.expire(self.now.mono);
        self.tell_suppressed();
    }

    fn wake_meshes(&mut self) {
        for cluster in 0..self.clusters.len() {
            let mut effects = Vec::new();
            if let Some(known) = self.clusters.get_mut(cluster).filter(|known| known.mesh.wake_at() <= self.now.mono) {
                known.mesh.wake(self.now, &mut effects);
            }
            self.take_effects(cluster, effects);
        }
    }

    fn tell_suppressed(&mut self) {
        if let Some(count) = self.gate.report(self.now.mono) {
            let mut event = self.event(EventKind::Knock);
            event.fields.insert("suppressed".into(), count.to_string());
            self.out.tell(event);
        }
    }
}
