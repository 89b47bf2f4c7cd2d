//! What the writer does with entries: bans, silences, the allowlist.

use super::{Table, found};
use crate::{
    load::NETS_MAX,
    nft::{
        bytes::Batch,
        element::{self, Element, PER_MESSAGE_MAX},
        orders::{Failure, FailureKind},
        side::Side,
        socket::{ENTRIES_MAX, Socket},
        tier::{Class, Tier},
    },
};
use ipnet::IpNet;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    time::Instant,
};

/// How often a change is tried again when an entry ended by itself, or the table was taken away, in that very moment.
const TRIES: usize = 3;
/// Allowed prefixes that a dump did not tell and that are looked up one by one; more are taken to be missing.
const CONFIRMED_MAX: usize = 65_536;

impl Table {
    /// Enters bans, or changes them: each in one step, and what it has counted stays, also what the kernel had placed for it. A table that
    /// takes nothing keeps nothing out of the other one.
    pub(in crate::nft) fn raise(&mut self, elements: &[Element], are_new: bool) -> Result<u32, Failure> {
        if elements.iter().any(|element| !element.class.is_ban()) {
            return Err(Failure::new(FailureKind::Order, 0, "what is raised is a ban"));
        }
        if self.is_staged() {
            for element in elements {
                self.check_room(element.tier(), usize::from(self.remembered(Some(&element.net)).is_empty()))
                    .map_err(Trouble::failure)?;
                self.remember(std::slice::from_ref(element));
            }
            return Ok(count(elements.len()));
        }
        let mut refused = None;
        for side in Side::BOTH {
            let own: Vec<Element> = elements.iter().filter(|element| element.class.home() == side).cloned().collect();
            refused = refused.or(self.raise_own(&own, are_new).err());
        }
        refused.map_or_else(|| Ok(count(elements.len())), Err)
    }

    /// Those of one table.
    fn raise_own(&mut self, elements: &[Element], are_new: bool) -> Result<(), Failure> {
        let missing = self.missing(elements.iter().map(Element::tier));
        self.make_ban_sets(&missing)?;
        for some in elements.chunks(PER_MESSAGE_MAX) {
            self.retry("enter bans", |table| table.raise_some(some, are_new))?;
        }
        Ok(())
    }

    fn raise_some(&mut self, elements: &[Element], are_new: bool) -> Result<(), Trouble> {
        let (mut batch, mut all) = (Batch::default(), Vec::new());
        let (mut came, mut went): (BTreeMap<Tier, usize>, BTreeMap<Tier, usize>) = Default::default();
        let mut going: BTreeSet<(Tier, IpNet)> = BTreeSet::new();
        self.counts.hear();
        for element in elements {
            let held = if are_new { Vec::new() } else { self.held(&element.net)? };
            let hits = held.iter().map(|held| held.hits).fold(element.hits, u64::saturating_add);
            *came.entry(element.tier()).or_default() += 1;
            // Two addresses may share what the kernel placed for their customer.
            for old in held.iter().filter(|old| going.insert((old.tier(), old.net))) {
                batch.push(element::remove(old.class.home(), old.tier(), &[old.net]));
                *went.entry(old.tier()).or_default() += 1;
            }
            all.push(Element { hits, ..element.clone() });
        }
        for (tier, more) in &came {
            let more = more.saturating_sub(went.get(tier).copied().unwrap_or_default());
            if more > 0 {
                self.check_room(*tier, more)?;
            }
        }
        add(&all, &Side::BOTH, &mut batch);
        self.socket.commit(batch)?;
        self.counts.changed(&came, &went);
        Ok(())
    }

    /// Removes whatever stands for these. How many of them had something.
    pub(in crate::nft) fn lift(&mut self, nets: &[IpNet]) -> Result<u32, Failure> {
        if self.is_staged() {
            return Ok(count(self.forget(nets)));
        }
        let mut lifted = 0;
        for some in nets.chunks(PER_MESSAGE_MAX) {
            lifted += self.retry("lift bans", |table| table.lift_some(some))?;
        }
        Ok(count(lifted))
    }

    fn lift_some(&mut self, nets: &[IpNet]) -> Result<usize, Trouble> {
        let (mut batch, mut went, mut lifted) = (Batch::default(), BTreeMap::new(), 0);
        let mut going = BTreeSet::new();
        for net in nets {
            let held = self.held(net)?;
            lifted += usize::from(!held.is_empty());
            if held.is_empty() {
                // It has ended by itself: whoever gave it its end says so now.
                *went.entry(self.counts.ended_in(net)).or_default() += 1;
            }
            for old in held.into_iter().filter(|old| going.insert((old.tier(), old.net))) {
                batch.push(element::remove(old.class.home(), old.tier(), &[old.net]));
                *went.entry(old.tier()).or_default() += 1;
            }
        }
        self.socket.commit(batch)?;
        self.counts.changed(&BTreeMap::new(), &went);
        Ok(lifted)
    }

    /// Tries again when an entry ended by itself between two looks, or when somebody has removed the whole table.
    fn retry<T>(&mut self, what: &str, mut change: impl FnMut(&mut Self) -> Result<T, Trouble>) -> Result<T, Failure> {
        let mut last = None;
        for _ in 0..TRIES {
            match change(self) {
                Ok(done) => return Ok(done),
                Err(Trouble::Known(failure)) => return Err(failure),
                Err(Trouble::Kernel(error)) if error.raw_os_error() == Some(libc::ENOENT) => last = Some(error),
                Err(Trouble::Kernel(error)) => return Err(Failure::kernel(what, &error)),
            }
            if !self.is_there()? {
                self.counts.forget(|_| true);
                self.put_back()?;
            }
        }
        Err(last.map_or_else(|| Failure::new(FailureKind::Kernel, 0, what), |error| Failure::kernel(what, &error)))
    }

    fn is_there(&mut self) -> Result<bool, Failure> {
        for side in Side::BOTH {
            if found::find_table(&mut self.socket, side).map_err(|error| Failure::kernel("read", &error))?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What stands for a prefix, in any class; of an address also what the kernel placed for its customer.
    pub(in crate::nft) fn held(&mut self, net: &IpNet) -> io::Result<Vec<Element>> {
        if self.is_staged() {
            return Ok(self.remembered(Some(net)));
        }
        let mut held = Vec::new();
        for class in [Class::Ban, Class::Dark] {
            let tier = Tier::of(class, net);
            if !self.layout.tiers.contains(&tier) {
                continue;
            }
            let one = self.socket.get(&element::ask(tier, *net), |message| element::read(tier, message).pop())?;
            held.extend(one.filter(|element| element.net == *net));
        }
        if let Some((tier, net)) = Tier::placed(net).filter(|_| self.layout.places()) {
            let one = self.socket.get(&element::ask(tier, net), |message| element::read(tier, message).pop())?;
            held.extend(one.filter(|element| element.net == net));
        }
        Ok(held)
    }

    /// Those that have no set yet.
    fn missing(&self, tiers: impl Iterator<Item = Tier>) -> BTreeSet<Tier> {
        tiers.filter(|tier| !self.layout.tiers.contains(tier)).collect()
    }

    /// Entries end by themselves, so a count that is too high is made right.
    fn check_room(&mut self, tier: Tier, more: usize) -> Result<(), Trouble> {
        let limit = if tier.is_usual() || tier.class == Class::Dark { self.max_bans } else { NETS_MAX };
        let fits = |held: usize| u32::try_from(held + more).is_ok_and(|all| all <= limit);
        let peers =
            |other: &Tier| other.class == tier.class && other.family == tier.family && other.is_usual() == tier.is_usual();
        let held = self.counts.of(peers);
        if fits(held) {
            return Ok(());
        }
        if !self.is_staged() && self.counts.may_count(held) {
            for tier in self.layout.tiers.clone().into_iter().filter(peers) {
                let now = self.entries(tier)?.len();
                self.counts.is(tier, now);
            }
        }
        if fits(self.counts.of(peers)) {
            return Ok(());
        }
        let kind = FailureKind::Full { class: tier.class, is_usual: tier.is_usual(), limit };
        Err(Trouble::Known(Failure::new(kind, 0, tier.family.word())))
    }

    /// Every ban; see [`dump`]. Counts them, too.
    pub(in crate::nft) fn dump(&mut self, alive: &mut impl FnMut()) -> io::Result<Vec<Element>> {
        if self.is_staged() {
            return Ok(self.remembered(None));
        }
        let all = dump(&mut self.socket, alive)?;
        self.counts.are(&all);
        Ok(all)
    }

    pub(super) fn entries(&mut self, tier: Tier) -> io::Result<Vec<Element>> {
        entries(&mut self.socket, tier.class.home(), tier, Instant::now(), &mut || ())
    }

    /// Makes the allowlist equal to `nets`, in one step. What the kernel refuses stays wanted, and [`Table::guard`] says it again.
    pub(in crate::nft) fn set_allow(&mut self, nets: BTreeSet<IpNet>) -> Result<(), Failure> {
        let before = std::mem::replace(&mut self.allow, nets);
        self.is_allow_ordered = true;
        if self.is_staged() {
            return Ok(());
        }
        let missing = self.missing(self.allow.iter().map(|net| Tier::of(Class::Allow, net)));
        if self.owes || !missing.is_empty() {
            self.owes_allow.extend(Side::BOTH);
            let done = self.say_again();
            // What else is refused is not this order's.
            return if self.owes_allow.is_empty() { Ok(()) } else { done.map(|_| ()) };
        }
        let less: Vec<IpNet> = before.difference(&self.allow).copied().collect();
        let more: Vec<Element> = self.allow.difference(&before).map(|net| Element::allowed(*net)).collect();
        let mut batch = Batch::default();
        add(&more, &Side::BOTH, &mut batch);
        remove(&less, &mut batch);
        match self.socket.commit(batch) {
            Ok(()) => Ok(()),
            // Somebody has removed a table, a set or an entry of it.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {
                self.mended.is_changed = true;
                self.owes_allow.extend(Side::BOTH);
                self.say_again().map(|_| ())
            }
            Err(error) => {
                self.owes_allow.extend(Side::BOTH);
                self.owe();
                Err(Failure::kernel("write the allowlist", &error))
            }
        }
    }

    /// The allowlist as one side has it.
    pub(super) fn read_allow_of(&mut self, side: Side) -> io::Result<BTreeSet<IpNet>> {
        let mut all = BTreeSet::new();
        for tier in self.layout.tiers.clone().into_iter().filter(|tier| tier.class == Class::Allow) {
            all.extend(entries(&mut self.socket, side, tier, Instant::now(), &mut || ())?.iter().map(|element| element.net));
        }
        Ok(all)
    }

    /// Has one side the allowlist as it is wanted? What a dump does not tell is looked up one by one before that is believed: while the kernel
    /// still moves the elements of a set that has just grown, it tells some of them twice and others not at all. Ends with the first that is
    /// missing.
    pub(super) fn has_allow_on(&mut self, side: Side) -> io::Result<bool> {
        let read = self.read_allow_of(side)?;
        if !read.is_subset(&self.allow) {
            return Ok(false);
        }
        let doubtful: Vec<IpNet> = self.allow.difference(&read).copied().collect();
        if doubtful.len() > CONFIRMED_MAX {
            return Ok(false);
        }
        for net in doubtful {
            let tier = Tier::of(Class::Allow, &net);
            let one = self.socket.get(&element::ask_on(side, tier, net), |message| element::read(tier, message).pop())?;
            if one.is_none_or(|element| element.net != net) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The allowlist in place of whatever these sides have, in one step.
    pub(super) fn rewrite_allow(&mut self, sides: &[Side]) -> Result<(), Failure> {
        let mut batch = Batch::default();
        for tier in self.layout.tiers.iter().filter(|tier| tier.class == Class::Allow) {
            sides.iter().for_each(|side| batch.push(element::clear(*side, &tier.name())));
        }
        let all: Vec<Element> = self.allow.iter().map(|net| Element::allowed(*net)).collect();
        add(&all, sides, &mut batch);
        self.socket.commit(batch).map_err(|error| Failure::kernel("write the allowlist", &error))?;
        for paid in [&mut self.owes_allow, &mut self.allow_changed] {
            paid.retain(|side| !sides.contains(side));
        }
        Ok(())
    }

    /// The same for those of these sides that have another one. A set that is made anew is made with it.
    pub(super) fn pay_allow(&mut self, sides: &[Side]) -> Result<(), Failure> {
        let owed: Vec<Side> = sides.iter().copied().filter(|side| self.owes_allow.contains(side)).collect();
        if owed.is_empty() { Ok(()) } else { self.rewrite_allow(&owed) }
    }
}

/// What stopped a change: a reason of ours, or the kernel's.
#[derive(Debug)]
pub(super) enum Trouble {
    Known(Failure),
    Kernel(io::Error),
}

impl Trouble {
    /// In words that are for whoever gave the order.
    fn failure(self) -> Failure {
        match self {
            Self::Known(failure) => failure,
            Self::Kernel(error) => Failure::kernel("count bans in", &error),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Kernel(error)
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Adds entries of any tiers, to those of the sides that have them.
pub(super) fn add(elements: &[Element], sides: &[Side], batch: &mut Batch) {
    let mut tiers: BTreeMap<Tier, Vec<&Element>> = BTreeMap::new();
    for element in elements {
        tiers.entry(element.tier()).or_default().push(element);
    }
    for (tier, all) in tiers {
        for side in tier.class.sides().iter().filter(|side| sides.contains(side)) {
            all.chunks(PER_MESSAGE_MAX).for_each(|some| batch.push(element::add(*side, tier, some)));
        }
    }
}

/// Removes allowed prefixes that are there.
fn remove(nets: &[IpNet], batch: &mut Batch) {
    let mut tiers: BTreeMap<Tier, Vec<IpNet>> = BTreeMap::new();
    for net in nets {
        tiers.entry(Tier::of(Class::Allow, net)).or_default().push(*net);
    }
    for (tier, all) in tiers {
        for side in tier.class.sides() {
            all.chunks(PER_MESSAGE_MAX).for_each(|some| batch.push(element::remove(*side, tier, some)));
        }
    }
}

/// Every ban that is in the kernel, as it was when this began. The kernel begins each part of its answer by walking over all
/// parts before, so a large table takes long: `alive` is called with each part.
pub(in crate::nft) fn dump(socket: &mut Socket, alive: &mut impl FnMut()) -> io::Result<Vec<Element>> {
    let mut all = Vec::new();
    let began = Instant::now();
    for side in Side::BOTH {
        for tier in found::tiers(socket, side)?.into_iter().filter(|tier| tier.class.is_ban()) {
            all.append(&mut entries(socket, side, tier, began, alive)?);
        }
    }
    Ok(all)
}

fn entries(socket: &mut Socket, side: Side, tier: Tier, began: Instant, alive: &mut impl FnMut()) -> io::Result<Vec<Element>> {
    let ask = || element::ask_all(side, tier);
    socket.dump(ENTRIES_MAX, ask, |message, all| {
        alive();
        let passed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        all.extend(
            element::read(tier, message)
                .into_iter()
                .map(|element| Element { left_ms: element.left_ms.map(|left| left.saturating_add(passed_ms)), ..element }),
        );
    })
}
