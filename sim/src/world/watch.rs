//! The way of a ban: when it came to which node.

use super::World;
use honeymesh_types::Subject;
use std::{collections::BTreeSet, time::Duration};

/// The way of a ban.
#[derive(Clone, Debug)]
pub struct Watch {
    /// When it was said, in microseconds since the start of the world.
    pub(super) at: u64,
    /// Which nodes have not got it yet.
    pub(super) waiting: BTreeSet<usize>,
    /// After how many microseconds each of the others had it, in order.
    pub(super) reached: Vec<u64>,
}

impl Watch {
    /// After how long each node that got it had it, in order.
    #[must_use]
    pub fn arrivals(&self) -> Vec<Duration> {
        self.reached.iter().copied().map(Duration::from_micros).collect()
    }

    /// Which nodes never got it.
    #[must_use]
    pub const fn missing(&self) -> &BTreeSet<usize> {
        &self.waiting
    }

    /// This node will not get it: it is down.
    pub(super) fn give_up(&mut self, place: usize) {
        self.waiting.remove(&place);
    }
}

impl World {
    /// Follows the way of a ban that is about to be said to every node that runs and can hear the one that says it.
    pub fn watch(&mut self, place: usize, subject: Subject) {
        let waiting = (0..self.hosts.len()).filter(|other| self.runs(*other) && self.joins(place, *other)).collect();
        self.watches.insert(subject, Watch { at: self.micros, waiting, reached: Vec::new() });
    }

    /// What came of a ban that was watched; it is watched no more.
    pub fn unwatch(&mut self, subject: &Subject) -> Option<Watch> {
        self.watches.remove(subject)
    }

    /// Takes note of what a node has begun to drop.
    pub(super) fn note_drops(&mut self, place: usize) {
        for subject in std::mem::take(&mut self.hosts[place].dropped) {
            if let Some(watch) = self.watches.get_mut(&subject)
                && watch.waiting.remove(&place)
            {
                watch.reached.push(self.micros - watch.at);
            }
        }
    }
}
