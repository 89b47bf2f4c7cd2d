//! The table in the kernel: what the writer does with it. Everything takes effect at once or not at all.

use super::{
    bytes::{Batch, Incoming, Parts},
    element::{self, Element, PER_MESSAGE_MAX},
    orders::{Failure, FailureKind},
    ruleset::{self, COUNTERS, FROM, Layout, MARK, TABLE},
    socket::Socket,
    tier::{Class, Tier},
    uapi::{chain, flag, message, object, rule, set, table},
};
use crate::load::NETS_MAX;
use ipnet::IpNet;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    time::{Duration, Instant},
};

/// How often a change is tried again when an entry ended by itself, or the table was taken away, in that very moment.
const TRIES: usize = 3;
/// Entries are counted anew at most so often when there seem to be too many.
const RECOUNT_EVERY: Duration = Duration::from_secs(10);
/// More than so many take too long to count while somebody waits: then the next comparison of everything does it.
const RECOUNT_MAX: usize = 50_000;

/// An interface that the table stands before.
#[derive(Clone, Debug)]
struct Interface {
    name: String,
    is_present: bool,
}

/// The table, adopted or made.
#[derive(Debug)]
pub(super) struct Table {
    socket: Socket,
    interfaces: Vec<Interface>,
    layout: Layout,
    allow: BTreeSet<IpNet>,
    counts: BTreeMap<Tier, usize>,
    counted: Instant,
    max_bans: u32,
    releases: bool,
    picture: Picture,
}

/// Chains and their rules as the kernel tells them, without what changes by itself.
type Picture = BTreeMap<String, Vec<u8>>;

/// What the kernel has under the table's name.
#[derive(Debug, Default)]
struct Found {
    table: Option<FoundTable>,
    chains: BTreeSet<String>,
    tiers: BTreeSet<Tier>,
    counters: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug)]
struct FoundTable {
    flags: u32,
    is_ours: bool,
}

impl Table {
    /// Makes the table, or adopts the one that an earlier writer left, with its entries and its mode.
    pub(super) fn open(mut socket: Socket, interfaces: Vec<String>, max_bans: u32, releases: bool) -> Result<Self, Failure> {
        let found = look(&mut socket).map_err(|error| Failure::kernel("read", &error))?;
        if found.table.is_some_and(|table| table.flags & table::OWNED != 0) {
            return Err(Failure::new(FailureKind::InUse, 0, TABLE));
        }
        let interfaces = interfaces.into_iter().map(|name| Interface { name, is_present: true }).collect();
        let is_enforcing = !found.chains.contains(ruleset::OBSERVING);
        let tiers = Tier::USUAL.into_iter().chain(found.tiers.iter().copied()).collect();
        let layout = Layout { tiers, is_enforcing };
        let (allow, counts, counted, picture) = (BTreeSet::new(), BTreeMap::new(), Instant::now(), Picture::new());
        let mut table = Self { socket, interfaces, layout, allow, counts, counted, max_bans, releases, picture };
        table.adopt(&found).map_err(|error| Failure::kernel("read", &error))?;
        table.settle()?;
        Ok(table)
    }

    /// Reads what is there but the two large sets, which are counted when everything is asked for. Sets of prefixes that hold
    /// nothing go: each costs every packet a lookup.
    fn adopt(&mut self, found: &Found) -> io::Result<()> {
        if !found.table.is_some_and(|table| table.is_ours) {
            return Ok(());
        }
        for tier in found.tiers.iter().filter(|tier| !tier.is_usual()) {
            let all = self.entries(*tier)?;
            if all.is_empty() {
                self.layout.tiers.remove(tier);
            }
            self.counts.insert(*tier, all.len());
            if tier.class == Class::Allow {
                self.allow.extend(all.iter().map(|element| element.net));
            }
        }
        Ok(())
    }

    /// Makes everything but the entries as it should be, whatever it is now.
    fn settle(&mut self) -> Result<(), Failure> {
        let failed = |error| Failure::kernel("set up", &error);
        let found = look(&mut self.socket).map_err(failed)?;
        if found.table.is_some_and(|table| !table.is_ours) {
            return Err(Failure::new(FailureKind::Foreign, 0, TABLE));
        }
        match (found.table, self.commit_layout(&found, self.flags(&found))) {
            (_, Ok(())) => {}
            // Before Linux 6.9 no table outlives its owner: it belongs to nobody.
            (None, Err(error)) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EINVAL)) => {
                self.commit_layout(&found, 0).map_err(failed)?;
            }
            (_, Err(error)) => return Err(failed(error)),
        }
        self.picture = picture(&mut self.socket).map_err(failed)?;
        Ok(())
    }

    /// An owned table is left alone by `nft flush ruleset`. One that is to be held must outlive us.
    fn flags(&self, found: &Found) -> u32 {
        match found.table {
            None if self.releases => table::OWNED,
            None => table::OWNED | table::PERSISTENT,
            Some(FoundTable { flags, .. }) if flags & table::PERSISTENT != 0 => table::OWNED | table::PERSISTENT,
            Some(FoundTable { flags, .. }) => flags & table::OWNED,
        }
    }

    fn commit_layout(&mut self, found: &Found, flags: u32) -> io::Result<()> {
        let mut batch = Batch::default();
        batch.push(ruleset::new_table(flags));
        for name in COUNTERS.iter().filter(|name| !found.counters.contains(**name)) {
            batch.push(ruleset::new_counter(name));
        }
        for (id, tier) in (1..).zip(self.layout.tiers.difference(&found.tiers)) {
            batch.push(ruleset::new_set(*tier, id));
        }
        for name in self.layout.chains() {
            let known = found.chains.contains(name);
            batch.push(if known { ruleset::flush(name) } else { ruleset::new_chain(name) });
        }
        if self.layout.is_enforcing && found.chains.contains(ruleset::OBSERVING) {
            batch.push(ruleset::flush(ruleset::OBSERVING));
        }
        ruleset::add_rules(&self.layout, &mut batch);
        self.place(found, &mut batch);
        for tier in found.tiers.difference(&self.layout.tiers) {
            batch.push(ruleset::del_set(*tier));
        }
        if self.layout.is_enforcing && found.chains.contains(ruleset::OBSERVING) {
            batch.push(ruleset::del_chain(ruleset::OBSERVING));
        }
        self.socket.commit(batch)
    }

    /// The table before every interface that is there, and before no other.
    fn place(&self, found: &Found, batch: &mut Batch) {
        for Interface { name, .. } in self.interfaces.iter().filter(|interface| interface.is_present) {
            let known = found.chains.contains(&ruleset::base_chain(name));
            batch.push(if known { ruleset::flush(&ruleset::base_chain(name)) } else { ruleset::new_base_chain(name) });
            batch.push(ruleset::enter_rule(name));
        }
        let ours = |chain: &str| self.interfaces.iter().any(|interface| ruleset::base_chain(&interface.name) == chain);
        for chain in found.chains.iter().filter(|chain| chain.starts_with(FROM) && !ours(chain)) {
            batch.push(ruleset::flush(chain));
            batch.push(ruleset::del_chain(chain));
        }
    }

    /// Enters bans, or changes them: each in one step, and what it has counted stays.
    pub(super) fn raise(&mut self, elements: &[Element], are_new: bool) -> Result<u32, Failure> {
        if elements.iter().any(|element| !element.class.is_ban()) {
            return Err(Failure::new(FailureKind::Order, 0, "what is raised is a ban"));
        }
        self.make_sets(elements.iter().map(Element::tier))?;
        for some in elements.chunks(PER_MESSAGE_MAX) {
            self.retry("enter bans", |table| table.raise_some(some, are_new))?;
        }
        Ok(count(elements.len()))
    }

    fn raise_some(&mut self, elements: &[Element], are_new: bool) -> Result<(), Trouble> {
        let (mut batch, mut all) = (Batch::default(), Vec::new());
        let mut new: BTreeMap<Tier, usize> = BTreeMap::new();
        for element in elements {
            let held = if are_new { Vec::new() } else { self.held(&element.net)? };
            let hits = held.iter().map(|held| held.hits).fold(element.hits, u64::saturating_add);
            if !held.iter().any(|held| held.class == element.class) {
                *new.entry(element.tier()).or_default() += 1;
            }
            for old in &held {
                batch.push(element::remove(old.tier(), &[old.net]));
            }
            all.push(Element { hits, ..element.clone() });
        }
        for (tier, more) in &new {
            self.check_room(*tier, *more)?;
        }
        add(&all, &mut batch);
        self.socket.commit(batch)?;
        for (tier, more) in new {
            *self.counts.entry(tier).or_default() += more;
        }
        Ok(())
    }

    /// Removes whatever stands for these. How many of them had something.
    pub(super) fn lift(&mut self, nets: &[IpNet]) -> Result<u32, Failure> {
        let mut lifted = 0;
        for some in nets.chunks(PER_MESSAGE_MAX) {
            lifted += self.retry("lift bans", |table| table.lift_some(some))?;
        }
        Ok(count(lifted))
    }

    fn lift_some(&mut self, nets: &[IpNet]) -> Result<usize, Trouble> {
        let (mut batch, mut gone, mut lifted) = (Batch::default(), Vec::new(), 0);
        for net in nets {
            let held = self.held(net)?;
            lifted += usize::from(!held.is_empty());
            if held.is_empty() {
                // It has ended by itself: whoever gave it its end says so now.
                gone.push(Tier::of(Class::Ban, net));
            }
            for old in held {
                batch.push(element::remove(old.tier(), &[old.net]));
                gone.push(old.tier());
            }
        }
        self.socket.commit(batch)?;
        for tier in gone {
            let count = self.counts.entry(tier).or_default();
            *count = count.saturating_sub(1);
        }
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
                self.counts.clear();
                self.settle()?;
                self.fill_allow()?;
            }
        }
        Err(last.map_or_else(|| Failure::new(FailureKind::Kernel, 0, what), |error| Failure::kernel(what, &error)))
    }

    fn is_there(&mut self) -> Result<bool, Failure> {
        let found = find_table(&mut self.socket).map_err(|error| Failure::kernel("read", &error))?;
        Ok(found.is_some())
    }

    /// What stands for a prefix, in either class.
    pub(super) fn held(&mut self, net: &IpNet) -> io::Result<Vec<Element>> {
        let mut held = Vec::new();
        for class in [Class::Ban, Class::Dark] {
            let tier = Tier::of(class, net);
            if !self.layout.tiers.contains(&tier) {
                continue;
            }
            let one = self.socket.get(&element::ask(tier, *net), |message| element::read(tier, message).pop())?;
            held.extend(one.filter(|element| element.net == *net));
        }
        Ok(held)
    }

    /// Makes sets that are missing.
    fn make_sets(&mut self, tiers: impl Iterator<Item = Tier>) -> Result<(), Failure> {
        let before = self.layout.tiers.len();
        self.layout.tiers.extend(tiers);
        if self.layout.tiers.len() == before { Ok(()) } else { self.settle() }
    }

    /// Entries end by themselves, so a count that is too high is taken anew, now and then.
    fn check_room(&mut self, tier: Tier, more: usize) -> Result<(), Trouble> {
        let limit = if tier.is_usual() || tier.class == Class::Dark { self.max_bans } else { NETS_MAX };
        let fits = |held: usize| u32::try_from(held + more).is_ok_and(|all| all <= limit);
        let peers =
            |other: &Tier| other.class == tier.class && other.family == tier.family && other.is_usual() == tier.is_usual();
        let held = |table: &Self| table.counts.iter().filter(|(other, _)| peers(other)).map(|(_, count)| count).sum();
        if fits(held(self)) {
            return Ok(());
        }
        if held(self) <= RECOUNT_MAX && (self.counted.elapsed() >= RECOUNT_EVERY || more > 1) {
            self.counted = Instant::now();
            for tier in self.layout.tiers.clone().into_iter().filter(peers) {
                let now = self.entries(tier)?.len();
                self.counts.insert(tier, now);
            }
        }
        if fits(held(self)) {
            return Ok(());
        }
        let kind = FailureKind::Full { class: tier.class, is_usual: tier.is_usual(), limit };
        Err(Trouble::Known(Failure::new(kind, 0, tier.family.word())))
    }

    /// Every ban; see [`dump`]. Counts them, too.
    pub(super) fn dump(&mut self, alive: &mut impl FnMut()) -> io::Result<Vec<Element>> {
        let all = dump(&mut self.socket, alive)?;
        self.counts.retain(|tier, _| !tier.class.is_ban());
        for element in &all {
            *self.counts.entry(element.tier()).or_default() += 1;
        }
        Ok(all)
    }

    fn entries(&mut self, tier: Tier) -> io::Result<Vec<Element>> {
        entries(&mut self.socket, tier, Instant::now(), &mut || ())
    }

    /// Makes the allowlist equal to `nets`, in one step.
    pub(super) fn set_allow(&mut self, nets: BTreeSet<IpNet>) -> Result<(), Failure> {
        self.make_sets(nets.iter().map(|net| Tier::of(Class::Allow, net)))?;
        let less: Vec<IpNet> = self.allow.difference(&nets).copied().collect();
        let more: Vec<Element> = nets.difference(&self.allow).map(|net| Element::allowed(*net)).collect();
        let done = self.retry("write the allowlist", |table| {
            let mut batch = Batch::default();
            add(&more, &mut batch);
            remove(&less, &mut batch);
            Ok(table.socket.commit(batch)?)
        });
        if done.is_err() {
            // Read what is there, so that the next try starts from the truth.
            self.allow = self.read_allow().unwrap_or_default();
            return done;
        }
        self.allow = nets;
        Ok(())
    }

    fn read_allow(&mut self) -> io::Result<BTreeSet<IpNet>> {
        let mut all = BTreeSet::new();
        for tier in self.layout.tiers.clone().into_iter().filter(|tier| tier.class == Class::Allow) {
            all.extend(self.entries(tier)?.iter().map(|element| element.net));
        }
        Ok(all)
    }

    /// The allowlist into a table that was just made anew.
    fn fill_allow(&mut self) -> Result<(), Failure> {
        let all: Vec<Element> = self.allow.iter().map(|net| Element::allowed(*net)).collect();
        let mut batch = Batch::default();
        add(&all, &mut batch);
        self.socket.commit(batch).map_err(|error| Failure::kernel("write the allowlist", &error))
    }

    /// Drop, or only count.
    pub(super) fn set_enforcing(&mut self, on: bool) -> Result<(), Failure> {
        if self.layout.is_enforcing == on {
            return Ok(());
        }
        self.layout.is_enforcing = on;
        let done = self.settle();
        if done.is_err() {
            self.layout.is_enforcing = !on;
        }
        done
    }

    /// Mends whatever is not as it should be, bans excepted. Interfaces that are not there, and whether there was something to
    /// mend.
    pub(super) fn guard(&mut self, present: &[bool]) -> Result<(Vec<String>, bool), Failure> {
        for (interface, is_present) in self.interfaces.iter_mut().zip(present) {
            interface.is_present = *is_present;
        }
        let is_changed = !self.is_as_left().map_err(|error| Failure::kernel("read", &error))?;
        if is_changed {
            // From what is there to what should be.
            let there = self.read_allow().map_err(|error| Failure::kernel("read", &error))?;
            let wanted = std::mem::replace(&mut self.allow, there);
            self.settle()?;
            self.set_allow(wanted)?;
        }
        let absent = self.interfaces.iter().filter(|interface| !interface.is_present);
        Ok((absent.map(|interface| interface.name.clone()).collect(), is_changed))
    }

    /// Are chains, rules and allowlist as we left them? The chain of an interface that is gone may be gone, too.
    fn is_as_left(&mut self) -> io::Result<bool> {
        let (now, allow) = (picture(&mut self.socket)?, self.read_allow()?);
        let interfaces = || self.interfaces.iter().map(|interface| (ruleset::base_chain(&interface.name), interface.is_present));
        let gone: BTreeSet<String> = interfaces().filter(|(_, is_present)| !is_present).map(|(chain, _)| chain).collect();
        let is_same = |(chain, rules): (&String, &Vec<u8>)| gone.contains(chain) || now.get(chain) == Some(rules);
        let is_placed = interfaces().all(|(chain, is_present)| !is_present || now.contains_key(&chain));
        Ok(is_placed && self.picture.iter().all(is_same) && allow == self.allow)
    }

    /// The counters, in their order.
    pub(super) fn counters(&mut self) -> io::Result<Vec<u64>> {
        let all = self.socket.dump(
            || list(message::GET_OBJECT, object::TABLE),
            |message, all| {
                let parts = message.attributes();
                if let Some(name) = parts.text(object::NAME).filter(|_| parts.text(object::TABLE) == Some(TABLE)) {
                    all.push((name.to_owned(), parts.inside(object::DATA).long(object::COUNTER_PACKETS).unwrap_or(0)));
                }
            },
        )?;
        let of = |name: &&str| all.iter().find(|(found, _)| found == name).map_or(0, |(_, packets)| *packets);
        Ok(COUNTERS.iter().map(of).collect())
    }

    /// Removes the table.
    pub(super) fn release(&mut self) -> Result<(), Failure> {
        remove_table(&mut self.socket).map(drop).map_err(|error| Failure::kernel("remove", &error))
    }

    /// Is nothing to stay when the daemon ends?
    pub(super) const fn releases(&self) -> bool {
        self.releases
    }
}

/// What stopped a change: a reason of ours, or the kernel's.
#[derive(Debug)]
enum Trouble {
    Known(Failure),
    Kernel(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Kernel(error)
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Adds entries of any tiers.
fn add(elements: &[Element], batch: &mut Batch) {
    let mut tiers: BTreeMap<Tier, Vec<&Element>> = BTreeMap::new();
    for element in elements {
        tiers.entry(element.tier()).or_default().push(element);
    }
    for (tier, all) in tiers {
        all.chunks(PER_MESSAGE_MAX).for_each(|some| batch.push(element::add(tier, some)));
    }
}

/// Removes allowed prefixes that are there.
fn remove(nets: &[IpNet], batch: &mut Batch) {
    let mut tiers: BTreeMap<Tier, Vec<IpNet>> = BTreeMap::new();
    for net in nets {
        tiers.entry(Tier::of(Class::Allow, net)).or_default().push(*net);
    }
    for (tier, all) in tiers {
        all.chunks(PER_MESSAGE_MAX).for_each(|some| batch.push(element::remove(tier, some)));
    }
}

/// Every ban that is in the kernel, as it was when this began. The kernel begins each part of its answer by walking over all
/// parts before, so a large table takes long: `alive` is called with each part.
pub(super) fn dump(socket: &mut Socket, alive: &mut impl FnMut()) -> io::Result<Vec<Element>> {
    let mut all = Vec::new();
    let began = Instant::now();
    for tier in tiers(socket)?.into_iter().filter(|tier| tier.class.is_ban()) {
        all.append(&mut entries(socket, tier, began, alive)?);
    }
    Ok(all)
}

fn entries(socket: &mut Socket, tier: Tier, began: Instant, alive: &mut impl FnMut()) -> io::Result<Vec<Element>> {
    let ask = || element::ask_all(tier);
    socket.dump(ask, |message, all| {
        alive();
        let passed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        all.extend(
            element::read(tier, message)
                .into_iter()
                .map(|element| Element { left_ms: element.left_ms.map(|left| left.saturating_add(passed_ms)), ..element }),
        );
    })
}

/// Removes our table if there is one. Was there one?
pub(super) fn remove_table(socket: &mut Socket) -> io::Result<bool> {
    if !find_table(socket)?.is_some_and(|table| table.is_ours) {
        return Ok(false);
    }
    let mut batch = Batch::default();
    batch.push(ruleset::del_table());
    socket.commit(batch)?;
    Ok(true)
}

fn list(message: u16, table: u16) -> super::bytes::Message {
    super::bytes::Message::new(message, flag::DUMP, |to| {
        to.text(table, TABLE);
    })
}

fn find_table(socket: &mut Socket) -> io::Result<Option<FoundTable>> {
    let ask = super::bytes::Message::new(message::GET_TABLE, 0, |to| {
        to.text(table::NAME, TABLE);
    });
    socket.get(&ask, |message| {
        let parts = message.attributes();
        let mark = parts.bytes(table::USERDATA).and_then(ruleset::comment_text);
        Some(FoundTable { flags: parts.number(table::FLAGS).unwrap_or(0), is_ours: mark == Some(MARK) })
    })
}

fn tiers(socket: &mut Socket) -> io::Result<Vec<Tier>> {
    socket.dump(
        || list(message::GET_SET, set::TABLE),
        |message, all| {
            all.extend(ours(message, set::TABLE, set::NAME).and_then(Tier::parse));
        },
    )
}

/// The name of something, if it is in our table: kernels differ in whether they filter by it.
fn ours<'a>(message: &Incoming<'a>, table: u16, name: u16) -> Option<&'a str> {
    let parts = message.attributes();
    parts.text(name).filter(|_| parts.text(table) == Some(TABLE))
}

fn look(socket: &mut Socket) -> io::Result<Found> {
    let Some(table) = find_table(socket)? else { return Ok(Found::default()) };
    let chains = socket.dump(
        || list(message::GET_CHAIN, chain::TABLE),
        |message, all: &mut Vec<String>| {
            all.extend(ours(message, chain::TABLE, chain::NAME).map(str::to_owned));
        },
    )?;
    let counters = socket.dump(
        || list(message::GET_OBJECT, object::TABLE),
        |message, all: &mut Vec<String>| {
            all.extend(ours(message, object::TABLE, object::NAME).map(str::to_owned));
        },
    )?;
    let tiers = tiers(socket)?;
    Ok(Found {
        table: Some(table),
        chains: chains.into_iter().collect(),
        tiers: tiers.into_iter().collect(),
        counters: counters.into_iter().collect(),
    })
}

fn picture(socket: &mut Socket) -> io::Result<Picture> {
    let chains = socket.dump(
        || list(message::GET_CHAIN, chain::TABLE),
        |message, all| {
            let hook = hook(message.attributes());
            all.extend(ours(message, chain::TABLE, chain::NAME).map(|name| (name.to_owned(), hook)));
        },
    )?;
    let mut picture: Picture = chains.into_iter().collect();
    let rules = socket.dump(
        || list(message::GET_RULE, rule::TABLE),
        |message, all| {
            let steps = message.attributes().bytes(rule::EXPRESSIONS).unwrap_or_default().to_vec();
            all.extend(ours(message, rule::TABLE, rule::CHAIN).map(|name| (name.to_owned(), steps)));
        },
    )?;
    for (chain, mut steps) in rules {
        picture.entry(chain).or_default().append(&mut steps);
    }
    Ok(picture)
}

/// Where a chain hangs and what it does with what it says nothing about.
fn hook(parts: Parts<'_>) -> Vec<u8> {
    [parts.bytes(chain::HOOK), parts.bytes(chain::POLICY)].into_iter().flatten().flatten().copied().collect()
}
