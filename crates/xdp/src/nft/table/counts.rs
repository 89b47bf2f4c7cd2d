//! How many entries each set of bans holds, as far as is known: sets have no size in the kernel, so this keeps them to theirs.
//!
//! Entries end by themselves and others remove some, so a count is a guess that is made right by whoever reads a whole set: this process's
//! other thread with each audit, and the writer itself where a small set seems full.

use crate::nft::{element::Element, tier::Class, tier::Tier};
use std::{
    collections::BTreeMap,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    time::{Duration, Instant},
};

/// A set that seems full is counted at most so often while somebody who bans waits.
const RECOUNT_EVERY: Duration = Duration::from_secs(1);
/// More than so many take too long to count while somebody waits: the other thread does it.
const RECOUNT_MAX: usize = 50_000;

type ByTier = BTreeMap<Tier, usize>;

/// The counts.
#[derive(Debug)]
pub(super) struct Counts {
    held: ByTier,
    counted: Option<Instant>,
    told: Option<Receiver<ByTier>>,
}

/// What tells a [`Counts`] in another thread what was found. If it has not heard the last yet, the next audit tells it.
#[derive(Debug)]
pub(in crate::nft) struct Teller(SyncSender<ByTier>);

impl Teller {
    pub(in crate::nft) fn tell(&self, all: &[Element]) {
        let _full_or_gone = self.0.try_send(by_tier(all));
    }
}

/// From the thread that reads to the one that writes.
pub(in crate::nft) fn channel() -> (Teller, Told) {
    let (teller, told) = sync_channel(1);
    (Teller(teller), Told(told))
}

/// The other end of a [`Teller`].
#[derive(Debug)]
pub(in crate::nft) struct Told(Receiver<ByTier>);

impl Counts {
    pub(super) const fn new() -> Self {
        Self { held: BTreeMap::new(), counted: None, told: None }
    }

    pub(super) fn hear_from(&mut self, Told(told): Told) {
        self.told = Some(told);
    }

    /// Takes over what the other thread has counted. What changed while it counted is not in it.
    pub(super) fn hear(&mut self) {
        if let Some(held) = self.told.as_ref().and_then(|told| told.try_recv().ok()) {
            self.held = held;
        }
    }

    /// Every set was read.
    pub(super) fn are(&mut self, all: &[Element]) {
        self.held = by_tier(all);
    }

    /// A set was read.
    pub(super) fn is(&mut self, tier: Tier, held: usize) {
        self.held.insert(tier, held);
    }

    /// These sets are new, and empty.
    pub(super) fn forget(&mut self, is_new: impl Fn(&Tier) -> bool) {
        self.held.retain(|tier, _| !is_new(tier));
    }

    /// As many came and as many went.
    pub(super) fn changed(&mut self, came: &ByTier, went: &ByTier) {
        for (tier, more) in came {
            *self.held.entry(*tier).or_default() += more;
        }
        for (tier, less) in went {
            let held = self.held.entry(*tier).or_default();
            *held = held.saturating_sub(*less);
        }
    }

    /// One entered this set.
    pub(super) fn one_came(&mut self, tier: Tier) {
        *self.held.entry(tier).or_default() += 1;
    }

    /// One left it.
    pub(super) fn one_went(&mut self, tier: Tier) {
        let held = self.held.entry(tier).or_default();
        *held = held.saturating_sub(1);
    }

    /// The set that an entry was in which has ended by itself: a silence's, if there are any, because they are short.
    pub(super) fn ended_in(&self, net: &ipnet::IpNet) -> Tier {
        let [ban, dark] = [Class::Ban, Class::Dark].map(|class| Tier::of(class, net));
        if self.held.get(&dark).is_some_and(|held| *held > 0) { dark } else { ban }
    }

    /// Of some sets together.
    pub(super) fn of(&self, which: impl Fn(&Tier) -> bool) -> usize {
        self.held.iter().filter(|(tier, _)| which(tier)).map(|(_, held)| held).sum()
    }

    /// May sets that seem to hold so many be counted now?
    pub(super) fn may_count(&mut self, held: usize) -> bool {
        let may = held <= RECOUNT_MAX && self.counted.is_none_or(|counted| counted.elapsed() >= RECOUNT_EVERY);
        if may {
            self.counted = Some(Instant::now());
        }
        may
    }
}

fn by_tier(all: &[Element]) -> ByTier {
    let mut held = ByTier::new();
    for element in all {
        *held.entry(element.tier()).or_default() += 1;
    }
    held
}
