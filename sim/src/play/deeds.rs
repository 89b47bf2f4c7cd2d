//! What the timeline asks for.

use super::{Awaited, Player};
use crate::{
    Memory,
    measure::Measure,
    model::{Kind, Word},
    plan::{Deed, Whom},
    scenario::culprit,
};
use honeymesh_node::{Lifetime, Policy};
use honeymesh_types::Subject;
use std::time::Duration;

impl Player<'_> {
    pub(super) fn carry_out(&mut self, deed: Deed) {
        match deed {
            Deed::Ban { node, count, lifetime, again } => (0..count).for_each(|_| self.ban(node, lifetime, again)),
            Deed::Unban { node, count } => (0..count).for_each(|_| self.unban(node)),
            Deed::Split { groups } => self.world.split(|place| place % groups),
            Deed::Heal => self.heal(),
            Deed::Kill { whom, memory, back } => self.kill(whom, memory, back),
            Deed::Restart => self.restart_all(),
            Deed::Loss { per_mille } => self.world.set_loss(per_mille),
            Deed::Rotate(rotation) => self.world.rotate(rotation),
            Deed::Rogue { number, misdeed, lasts } => self.misbehave(number, misdeed, lasts),
            Deed::Touch { node, stranger, forged } => self.touch(node, stranger, forged),
            Deed::Meter { window, lasts } => self.meter(window, lasts),
        }
    }

    /// Who runs of the honest nodes.
    pub(super) fn running(&self) -> Vec<usize> {
        (0..self.honest).filter(|place| self.world.runs(*place)).collect()
    }

    /// The node that was named, if it runs; else one that does.
    fn speaker(&mut self, named: Option<usize>) -> Option<usize> {
        let running = self.running();
        named.filter(|place| running.contains(place)).or_else(|| self.draw(&running))
    }

    fn draw(&mut self, places: &[usize]) -> Option<usize> {
        let place = usize::try_from(self.dice.below(places.len() as u64)).unwrap_or(0);
        places.get(place).copied()
    }

    fn ban(&mut self, node: Option<usize>, lifetime: Lifetime, again: bool) {
        let chosen = if again { self.choose_again() } else { self.speaker(node).map(|place| (place, culprit(self.said))) };
        let Some((place, subject)) = chosen else { return };
        self.said += u32::from(!again);
        self.world.watch(place, subject);
        self.world.ban(place, subject, lifetime);
        let Some((record, id)) = self.world.said(place, &subject, false) else {
            self.run.wrong.push(format!("node {place} would not ban {subject}"));
            return;
        };
        let at = record.at.wall();
        let ttl = match lifetime {
            Lifetime::For(ttl) => Some(ttl),
            Lifetime::Default => Policy::default().ttl.manual,
            Lifetime::Forever => None,
        };
        self.model.say(Word { subject, place, at, said: Kind::Ban(ttl.map(|ttl| at.plus(ttl))), record: id });
        self.watched.insert(subject);
        self.standing.push_back(subject);
    }

    /// Somebody who was lifted, and a node that has heard of it: only such a one can mean to overrule it.
    fn choose_again(&mut self) -> Option<(usize, Subject)> {
        let subject = *self.lifted.front()?;
        let running = self.running();
        let heard: Vec<usize> = running.into_iter().filter(|place| !self.world.drops(*place, &subject)).collect();
        let place = self.draw(&heard)?;
        self.lifted.pop_front();
        Some((place, subject))
    }

    fn unban(&mut self, node: Option<usize>) {
        let Some(place) = self.speaker(node) else { return };
        let Some(subject) = self.standing.pop_front() else { return };
        self.follow(&subject, false);
        self.world.unban(place, subject);
        let Some((record, id)) = self.world.said(place, &subject, true) else {
            self.run.wrong.push(format!("node {place} would not unban {subject}"));
            return;
        };
        self.model.say(Word { subject, place, at: record.at.wall(), said: Kind::Unban, record: id });
        self.lifted.push_back(subject);
    }

    fn heal(&mut self) {
        self.world.heal();
        for measure in [Measure::HealData, Measure::HealMembers] {
            let places = self.running();
            self.awaited.push(Awaited { measure, since: self.now(), places });
        }
    }

    fn kill(&mut self, whom: Whom, memory: Memory, back: Option<Duration>) {
        let places = match whom {
            Whom::Node(place) => self.running().into_iter().filter(|running| *running == place).collect(),
            Whom::PerMille(share) => self.some(share),
        };
        for place in &places {
            self.world.stop(*place, memory);
            if memory == Memory::Lost {
                self.forgetful.insert(*place);
                self.model.end_promises(*place, Policy::default().ttl.mesh);
            }
        }
        let back = back.map_or(Duration::MAX, |back| self.now() + back);
        self.returning.push((back, places));
    }

    /// A share of those who run; one at least is left.
    fn some(&mut self, share_per_mille: u32) -> Vec<usize> {
        let mut running = self.running();
        let wanted = (running.len() * share_per_mille as usize).div_ceil(1_000).min(running.len().saturating_sub(1));
        let mut some = Vec::with_capacity(wanted);
        while some.len() < wanted
            && let Some(place) = self.draw(&running)
        {
            running.retain(|other| *other != place);
            some.push(place);
        }
        some
    }

    fn restart_all(&mut self) {
        let now = self.now();
        self.returning.iter_mut().for_each(|(at, _)| *at = now);
        self.come_back();
    }

    /// Starts the nodes whose time has come.
    pub(super) fn come_back(&mut self) {
        let now = self.now();
        let due = self.returning.extract_if(.., |(at, _)| *at <= now).flat_map(|(_, places)| places);
        let places: Vec<usize> = due.collect();
        if places.is_empty() {
            return;
        }
        places.iter().for_each(|place| self.world.start(*place));
        self.forget();
        self.awaited.push(Awaited { measure: Measure::CatchUp, since: now, places });
    }
}
