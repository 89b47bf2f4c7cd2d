//! What the kernel took last. While it refuses something that is wanted, everything else goes by that, side by side: bans, the never-ban
//! set, interfaces that come, and what somebody has changed. So a refused order holds nothing up but itself.

use super::Table;
use crate::nft::{
    layout::Layout,
    locked::Lock,
    orders::{Depth, Failure},
    side::Side,
    tier::{Class, Tier},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

/// What one side of the kernel was told of what can be refused, and took.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    interfaces: BTreeSet<String>,
    layout: Layout,
}

/// Of both sides; none of a side that took nothing yet.
pub(super) type TakenBySide = BTreeMap<Side, Taken>;

/// Parts of the new interfaces that are tried at one look, each in a transaction: enough to find one that cannot be guarded among
/// [`crate::INTERFACES_MAX`]. Whoever bans waits for no more than these.
const PARTS_MAX: usize = 16;

/// Both halves, the first one last; of one interface nothing is left to be tried.
fn halves(part: &[String]) -> Vec<&[String]> {
    let (first, second) = part.split_at(part.len() / 2);
    if first.is_empty() { Vec::new() } else { vec![second, first] }
}

impl Table {
    /// Everything that is wanted is there now.
    pub(super) fn has_taken(&mut self, sides: &[Side]) {
        let taken = Taken { interfaces: self.interfaces.clone(), layout: self.layout.clone() };
        self.taken.extend(sides.iter().map(|side| (*side, taken.clone())));
    }

    /// The interfaces that there are and that chains of ours hang on.
    pub(in crate::nft) fn guarded(&self) -> Vec<String> {
        let taken = self.taken.get(&Side::Ingress).map(|taken| &taken.interfaces);
        taken.into_iter().flatten().filter(|name| self.interfaces.contains(*name)).cloned().collect()
    }

    /// Does `work` with what this side took last in place of what is wanted. An interface that is gone by now is left out.
    fn by_taken<T>(&mut self, side: Side, work: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let Taken { mut interfaces, layout } = self.taken.get(&side)?.clone();
        interfaces.retain(|name| self.interfaces.contains(name));
        let wanted = (std::mem::replace(&mut self.interfaces, interfaces), std::mem::replace(&mut self.layout, layout));
        let done = work(self);
        (self.interfaces, self.layout) = wanted;
        Some(done)
    }

    /// Makes sets for bans. They are made where they are looked up, and by what that side took last.
    pub(super) fn make_ban_sets(&mut self, missing: &BTreeSet<Tier>) -> Result<(), Failure> {
        for side in Side::BOTH {
            let of_side: BTreeSet<Tier> = missing.iter().copied().filter(|tier| tier.class.home() == side).collect();
            if of_side.is_empty() {
                continue;
            }
            let made = self.by_taken(side, |table| {
                table.layout.tiers.extend(&of_side);
                table.settle_sides(&[side])
            });
            let new = made.unwrap_or_else(|| self.settle_sides(&[side]))?;
            // Before anything else is said: what is not wanted would be removed with it.
            self.layout.tiers.extend(&of_side);
            if !new.is_subset(&of_side) {
                self.put_back()?;
            }
        }
        Ok(())
    }

    /// Somebody has taken sets or a whole table away: all of it is said again. Where something else is refused, bans can be entered as soon
    /// as their side has what it took last, and the never-ban set with it.
    pub(super) fn put_back(&mut self) -> Result<(), Failure> {
        self.mended.is_changed = true;
        self.owes_allow.extend(Side::BOTH);
        self.say_again()
            .map(|_| ())
            .or_else(|refused| if self.owes_allow.contains(&Side::Ingress) { Err(refused) } else { Ok(()) })
    }

    /// While something is refused: sees to it that either side has the never-ban set, the interfaces that there are, and all that it took
    /// as it took it. What of that the kernel refuses, too, is tried again with everything else.
    pub(super) fn keep_up(&mut self) {
        for side in Side::BOTH {
            let _with_the_next_look = self.keep_up_side(side);
        }
    }

    fn keep_up_side(&mut self, side: Side) -> Result<(), Failure> {
        let Some(taken) = self.taken.get(&side) else { return Ok(()) };
        let wanted = (self.interfaces.clone(), self.layout.carriers.clone());
        let is_elsewhere = (&taken.interfaces, &taken.layout.carriers) != (&wanted.0, &wanted.1);
        let is_changed = self.is_side_changed(side, Depth::Rules).map_err(|error| Failure::kernel("read", &error))?;
        let is_changed = is_changed || self.allow_changed.contains(&side);
        if is_elsewhere && self.lay_out_elsewhere(side, wanted).is_ok() {
            self.mended.is_changed |= is_changed;
            return Ok(());
        }
        if self.is_lock_changed(side).map_err(|error| Failure::kernel("read", &error))? {
            self.renew_locked(&[side])?;
            self.mended.is_changed = true;
        }
        if !is_changed && !self.owes_allow.contains(&side) {
            return Ok(());
        }
        let done = self.lay_out_by_taken(side, None);
        self.mended.is_changed |= is_changed && done.is_ok();
        done
    }

    /// The same for the interfaces that there are now. One that cannot be guarded keeps no other from it: those that are new are halved until
    /// the kernel takes a part of them. What is not tried this time is tried first the next time.
    fn lay_out_elsewhere(&mut self, side: Side, (wanted, carriers): (BTreeSet<String>, Vec<String>)) -> Result<(), Failure> {
        let Err(mut refused) = self.lay_out_by_taken(side, Some((wanted.clone(), carriers.clone()))) else { return Ok(()) };
        let mut guarded = self.taken.get(&side).map(|taken| taken.interfaces.clone()).unwrap_or_default();
        guarded.retain(|name| wanted.contains(name));
        let (before, behind): (Vec<String>, Vec<String>) =
            wanted.difference(&guarded).cloned().partition(|name| *name <= self.refused_last);
        let new = [behind, before].concat();
        let mut has_more = false;
        // All of them together were just refused.
        let mut parts = halves(&new);
        for _ in 0..PARTS_MAX {
            let Some(part) = parts.pop() else { break };
            let more: BTreeSet<String> = guarded.iter().chain(part).cloned().collect();
            match self.lay_out_by_taken(side, Some((more.clone(), carriers.clone()))) {
                Ok(()) => (guarded, has_more) = (more, true),
                Err(error) => {
                    if let [name] = part {
                        self.refused_last.clone_from(name);
                    }
                    refused = error;
                    parts.extend(halves(part));
                }
            }
        }
        if has_more { Ok(()) } else { Err(refused) }
    }

    /// What one side took last, with the never-ban set as it is wanted, and perhaps with other interfaces and carriers.
    fn lay_out_by_taken(&mut self, side: Side, network: Option<(BTreeSet<String>, Vec<String>)>) -> Result<(), Failure> {
        let allowed: BTreeSet<Tier> = self.allow.iter().map(|net| Tier::of(Class::Allow, net)).collect();
        let done = self.by_taken(side, |table| {
            if let Some((interfaces, carriers)) = network {
                (table.interfaces, table.layout.carriers) = (interfaces, carriers);
            }
            table.layout.tiers.extend(&allowed);
            table.settle_sides(&[side])?;
            table.pay_allow(&[side])
        });
        done.unwrap_or(Ok(()))
    }

    /// Where the kernel took a lockdown, its entries say whether it holds: it is confirmed, prolonged and ended by them, whatever else is
    /// refused. Is it as it is wanted now, on both sides?
    pub(super) fn lock_as_taken(&mut self) -> bool {
        let is_wanted = self.locked.left() != Lock::Off;
        let mut as_wanted = [true; 2];
        for (side, is_as_wanted) in Side::BOTH.into_iter().zip(&mut as_wanted) {
            *is_as_wanted = if self.has_taken_lock(side) { self.renew_locked(&[side]).is_ok() } else { !is_wanted };
        }
        as_wanted == [true; 2]
    }

    fn has_taken_lock(&self, side: Side) -> bool {
        self.taken.get(&side).is_some_and(|taken| taken.layout.is_locked)
    }

    /// Has somebody changed the entries of a lockdown? While something is refused, of one that this side took.
    pub(super) fn is_lock_changed(&mut self, side: Side) -> io::Result<bool> {
        Ok((!self.owes || self.has_taken_lock(side)) && !self.is_locked_as_left(side)?)
    }

    /// Has somebody changed what one side took last? A never-ban set that is found to be another one is owed from now on.
    pub(super) fn is_side_changed(&mut self, side: Side, depth: Depth) -> io::Result<bool> {
        let looked = self.by_taken(side, |table| {
            if depth == Depth::Whole && !table.owes_allow.contains(&side) && !table.has_allow_on(side)? {
                table.owes_allow.insert(side);
                table.allow_changed.insert(side);
            }
            Ok(table.allow_changed.contains(&side) || !table.are_rules_as_left(&[side])?)
        });
        looked.unwrap_or(Ok(false))
    }
}
