//! Strangers who touch nodes: what must come of it, by the reference's own rule.

use super::Player;
use crate::{
    measure::millis,
    model::{Kind, Word},
    rogue::stranger,
};
use honeymesh_mesh_proto::RecordId;
use honeymesh_node::{Policy, SlowPolicy};
use honeymesh_types::{Scope, Subject};
use std::collections::{BTreeMap, BTreeSet};

/// Which port they touch.
const PORT: u16 = 23;

/// Who was touched by whom.
#[derive(Default)]
pub(super) struct Touches {
    /// The nodes that each stranger has met itself.
    met: BTreeMap<u32, BTreeSet<usize>>,
    /// How many touches of each there were, forged or not: the next goes to the next node.
    turns: BTreeMap<u32, usize>,
    /// Whose addresses were forged.
    forged: BTreeSet<Subject>,
}

impl Player<'_> {
    pub(super) fn touch(&mut self, node: Option<usize>, number: u32, forged: bool) {
        let turn = self.touches.turns.entry(number).or_default();
        let place = node.unwrap_or(*turn % self.honest);
        *turn += 1;
        let subject = stranger(number);
        self.model.mention(subject);
        if forged {
            self.touches.forged.insert(subject);
            self.world.forge(place, subject.addr());
            self.judge_forged();
            return;
        }
        let met = self.touches.met.entry(number).or_default();
        let is_new = met.insert(place);
        // The reference: so many different nodes have met him, whatever anybody else says.
        let is_scan = is_new && met.len() == usize::from(SlowPolicy::default().witnesses);
        if is_scan {
            let at = self.world.clocks(place).wall;
            let until = at.plus(Policy::default().ttl.scan);
            self.world.watch(place, subject);
            self.watched.insert(subject);
            self.model.say(Word { subject, place, at, said: Kind::Ban(Some(until)), record: RecordId([0; 32]) });
        }
        self.world.touch(place, subject.addr(), PORT);
    }

    /// Nobody whose address was only forged may ever be more than silenced on dark ports, for the short time that such evidence earns.
    pub(super) fn judge_forged(&mut self) {
        let most = Policy::default().ttl.spoofable;
        for subject in &self.touches.forged {
            for place in 0..self.honest {
                let Some(held) = self.world.enforced(place, subject) else { continue };
                let latest = self.world.clocks(place).wall.plus(most);
                if held.scope != Scope::Dark || held.until.is_none_or(|until| until > latest) {
                    let spoken = format!(
                        "node {place} does more to {subject} than forged SYNs may earn: {held:?}, at {}",
                        millis(self.now())
                    );
                    self.run.wrong.push(spoken);
                }
            }
        }
    }
}
