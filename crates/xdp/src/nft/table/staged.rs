//! What is to be in our tables when they take the place of another version's.
//!
//! Those go on as they are, with all that is in them, and every order is only remembered. Then one transaction takes them away and makes
//! ours, with the bans in them: no packet meets neither.

use super::{Table, found::Found};
use crate::nft::{
    element::{Element, PER_MESSAGE_MAX},
    ingress,
    locked::Locked,
    orders::Failure,
    side::Side,
    tier::{Class, Tier},
};
use ipnet::IpNet;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    time::Instant,
};

/// Bans that come with the tables, prefixes first: a batch of them is some 10 MiB, and those end at 32. The others follow at once.
const AT_ONCE_MAX: usize = 65_536;

/// Bans that are remembered, and the next to be entered.
#[derive(Debug, Default)]
pub(super) struct Staged {
    /// With when that was said.
    bans: BTreeMap<IpNet, (Element, Instant)>,
    /// What goes into new sets with the next transaction.
    pub(super) entering: Vec<Element>,
}

impl Staged {
    fn of(&self, net: &IpNet) -> Option<Element> {
        self.bans.get(net).and_then(|(element, since)| aged(element, *since))
    }

    fn all(&self) -> impl Iterator<Item = Element> {
        self.bans.values().filter_map(|(element, since)| aged(element, *since))
    }
}

/// With what is left of its time; `None`: it has ended.
fn aged(element: &Element, since: Instant) -> Option<Element> {
    let passed = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    let left_ms = match element.left_ms {
        Some(left) => Some(left.checked_sub(passed).filter(|left| *left > 0)?),
        None => None,
    };
    Some(Element { left_ms, ..element.clone() })
}

impl Table {
    /// The daemon has ended: what is told goes to nobody, and the oracle answers no more. The next one goes on where it was.
    pub(in crate::nft) fn goes_unheard(&mut self) -> Result<(), Failure> {
        self.change(|layout| layout.is_heard = false)
    }

    /// Do another version's tables still go on?
    pub(in crate::nft) const fn is_staged(&self) -> bool {
        self.staged.is_some()
    }

    /// Takes in what another version's table tells in our words: sets that are ours in everything but their table, the mode, a lockdown.
    pub(super) fn stage(&mut self, side: Side, found: &Found) -> io::Result<()> {
        for tier in found.alike().into_iter().filter(|tier| tier.class.home() == side && tier.class != Class::Placed) {
            let all = self.entries(tier)?;
            if all.is_empty() {
                continue;
            }
            self.layout.tiers.insert(tier);
            if tier.class == Class::Allow {
                self.allow.extend(all.iter().map(|element| element.net));
            } else {
                self.remember(&all);
            }
        }
        match side {
            Side::Ingress => self.layout.is_enforcing = !found.chains.contains_key(ingress::OBSERVING),
            Side::Stack => self.locked = Locked::now(self.read_locked(side)?),
        }
        Ok(())
    }

    /// Remembers bans, each in the place of what was remembered for its prefix; hits add up.
    pub(super) fn remember(&mut self, elements: &[Element]) {
        let Some(staged) = &mut self.staged else { return };
        for element in elements {
            let held = staged.of(&element.net);
            let hits = held.as_ref().map_or(0, |held| held.hits).saturating_add(element.hits);
            staged.bans.insert(element.net, (Element { hits, ..element.clone() }, Instant::now()));
            self.counts.one_came(element.tier());
            if let Some(held) = held {
                self.counts.one_went(held.tier());
            }
        }
    }

    /// Forgets whatever is remembered for these. How many of them had something.
    pub(super) fn forget(&mut self, nets: &[IpNet]) -> usize {
        let Some(staged) = &mut self.staged else { return 0 };
        let gone: Vec<Element> = nets.iter().filter_map(|net| staged.bans.remove(net)).map(|(element, _)| element).collect();
        for element in &gone {
            self.counts.one_went(element.tier());
        }
        gone.len()
    }

    /// What is remembered for one prefix, or for all.
    pub(super) fn remembered(&self, net: Option<&IpNet>) -> Vec<Element> {
        let Some(staged) = &self.staged else { return Vec::new() };
        match net {
            Some(net) => staged.of(net).into_iter().collect(),
            None => staged.all().collect(),
        }
    }

    /// Takes another version's tables away and makes ours, in one step with everything that was ordered so far. Does nothing if there are
    /// none. What the kernel refuses leaves everything as it was.
    pub(in crate::nft) fn attach(&mut self) -> Result<(), Failure> {
        let mut all = self.remembered(None);
        let Some(staged) = &mut self.staged else { return Ok(()) };
        all.sort_by_key(|element| element.tier().is_usual());
        let rest = all.split_off(all.len().min(AT_ONCE_MAX));
        let tiers: BTreeSet<Tier> = all.iter().map(Element::tier).collect();
        staged.entering = all;
        self.layout.tiers.extend(tiers);
        self.layout.tiers.extend(self.allow.iter().map(|net| Tier::of(Class::Allow, net)));
        self.begin()?;
        for element in self.staged.take().into_iter().flat_map(|staged| staged.entering) {
            self.counts.one_came(element.tier());
        }
        rest.chunks(PER_MESSAGE_MAX).try_for_each(|some| self.raise(some, true).map(|_| ()))
    }
}
