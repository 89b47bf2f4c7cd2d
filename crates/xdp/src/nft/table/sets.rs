//! Which sets are made, set right, or removed.

use super::{
    Table, entries,
    found::{Found, FoundSet},
};
use crate::nft::{
    bytes::Batch,
    element::{self, Element},
    locked::LOCKED,
    memory, objects,
    shape::Shape,
    side::Side,
    tier::{Class, Tier},
};
use std::collections::BTreeSet;

/// What becomes of a set that has other times than it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    /// It is told the right ones, and its entries stay.
    Gentle,
    /// It is made anew.
    Anew,
}

/// What is to be done about the sets of one side.
#[derive(Debug, Default)]
pub(super) struct SetPlan {
    gone: Vec<String>,
    set_right: Vec<(String, Shape)>,
    new: Vec<(String, Shape)>,
    /// Those that stay, but without the entry that stands for every key.
    caught_all: Vec<String>,
}

impl SetPlan {
    /// The sets of prefixes that are empty when this is done.
    pub(super) fn new_tiers(&self) -> impl Iterator<Item = Tier> {
        self.new.iter().filter_map(|(name, _)| Tier::parse(name))
    }
}

impl Table {
    /// The sets that there should be, in the order in which they are made.
    fn wanted_sets(&self, side: Side) -> Vec<(String, Shape)> {
        let tiers = self.layout.tiers_of(side).into_iter().map(|tier| (tier.name(), Shape::of_tier(tier)));
        let memories = memory::all(&self.layout, side).into_iter().map(|memory| (memory.name.clone(), Shape::of_memory(&memory)));
        tiers.chain(memories).collect()
    }

    /// Sets that are missing are made, those that nobody wants go, and those that are of another kind go and are made anew.
    pub(super) fn plan_sets(&self, side: Side, found: &Found, renewal: Renewal) -> SetPlan {
        let (wanted, mut plan) = (self.wanted_sets(side), SetPlan::default());
        for (name, set) in &found.sets {
            let shape = wanted.iter().find(|(wanted, _)| wanted == name).map(|(_, shape)| shape);
            match shape {
                Some(shape) if set.shape == *shape || self.is_set_as_left(side, name, set, renewal) => {}
                Some(shape) if renewal == Renewal::Gentle && shape.is_but_for_times(&set.shape) => {
                    plan.set_right.push((name.clone(), shape.clone()));
                }
                _ => {
                    plan.gone.push(name.clone());
                    continue;
                }
            }
            plan.caught_all.extend(set.has_catch_all.then(|| name.clone()));
        }
        let is_there = |name: &String| found.sets.contains_key(name) && !plan.gone.contains(name);
        plan.new = wanted.into_iter().filter(|(name, _)| !is_there(name)).collect();
        plan
    }

    /// Bans are not thrown away again and again because a kernel tells of its sets in words of its own.
    fn is_set_as_left(&self, side: Side, name: &str, set: &FoundSet, renewal: Renewal) -> bool {
        let left = self.picture.sets.get(&(side, name.to_owned()));
        renewal == Renewal::Gentle && left.is_some_and(|left| left.shape == set.shape)
    }

    pub(super) fn push_sets(&self, side: Side, plan: &SetPlan, batch: &mut Batch) {
        plan.gone.iter().for_each(|name| batch.push(objects::del_set(side, name)));
        plan.caught_all.iter().for_each(|name| batch.push(element::remove_catch_all(side, name)));
        for ((name, shape), id) in plan.set_right.iter().chain(&plan.new).zip(1..) {
            batch.push(objects::new_set(side, name, shape, id));
        }
        // Rules that are made in the same step never find a set empty that says whom they spare.
        let mut told: BTreeSet<Tier> = plan.new_tiers().collect();
        if self.owes_allow.contains(&side) {
            // Nor do they find it as it was when it is owed: a lockdown that is owed, too, would keep out who is new in it.
            for tier in self.layout.tiers_of(side).into_iter().filter(|tier| tier.class == Class::Allow) {
                if told.insert(tier) {
                    batch.push(element::clear(side, &tier.name()));
                }
            }
        }
        let spared = self.allow.iter().map(|net| Element::allowed(*net)).filter(|element| told.contains(&element.tier()));
        entries::add(&spared.collect::<Vec<_>>(), &[side], batch);
        // What takes another version's place has its bans from the first packet on.
        let new: BTreeSet<Tier> = plan.new_tiers().collect();
        let entering = self.staged.iter().flat_map(|staged| &staged.entering).filter(|element| new.contains(&element.tier()));
        entries::add(&entering.cloned().collect::<Vec<_>>(), &[side], batch);
        if plan.new.iter().any(|(name, _)| name == LOCKED) {
            self.add_locked(side, batch);
        }
    }

    /// Does the kernel tell of all that were set right as was said?
    pub(super) fn are_set_right(&self, side: Side, plan: &SetPlan) -> bool {
        let left = |name: &String| self.picture.sets.get(&(side, name.clone()));
        plan.set_right.iter().all(|(name, shape)| left(name).is_some_and(|left| left.shape == *shape))
    }
}
