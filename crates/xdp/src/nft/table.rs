//! Our tables in the kernel: what the writer does with them. Everything takes effect at once or not at all.

mod entries;
mod found;
mod probing;

use super::{
    bytes::Batch,
    element,
    ingress::{self, FROM, Ingress},
    layout::{Layout, Scan},
    locked::{LOCKED, Lock, Locked, PROTOCOLS, SLACK_MS},
    memory,
    objects::{self, Hook, TABLE},
    orders::{Failure, FailureKind, Network},
    side::Side,
    socket::Socket,
    stack::{self, Stack},
    tier::{Class, Tier},
    uapi::table,
};
pub(super) use entries::dump;
use found::{Found, FoundTable, Picture};
pub(super) use found::{is_unknown, remove_tables};
use ipnet::IpNet;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    time::Instant,
};

/// The tables, adopted or made.
#[derive(Debug)]
pub(super) struct Table {
    socket: Socket,
    /// The interfaces that there are, of those that are to be guarded.
    interfaces: BTreeSet<String>,
    layout: Layout,
    locked: Locked,
    allow: BTreeSet<IpNet>,
    counts: BTreeMap<Tier, usize>,
    counted: Instant,
    max_bans: u32,
    releases: bool,
    picture: Picture,
    /// What the kernel said to the rules about dark ports.
    refused: Option<io::Error>,
}

/// What the writer is told when it begins.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) network: Network,
    pub(super) max_bans: u32,
    pub(super) releases: bool,
    pub(super) scan: Scan,
}

impl Table {
    /// Makes the tables, or adopts those that an earlier writer left, with their entries, mode and lockdown.
    pub(super) fn open(socket: Socket, beginning: Beginning) -> Result<Self, Failure> {
        let Beginning { network, max_bans, releases, scan } = beginning;
        let layout = Layout {
            tiers: Tier::USUAL.into(),
            is_enforcing: true,
            carriers: Vec::new(),
            scan: Some(scan),
            traps: [None; 2],
            is_locked: false,
        };
        let mut table = Self {
            socket,
            interfaces: BTreeSet::new(),
            layout,
            locked: Locked::now(Lock::Off),
            allow: BTreeSet::new(),
            counts: BTreeMap::new(),
            counted: Instant::now(),
            max_bans,
            releases,
            picture: Picture::new(),
            refused: None,
        };
        table.take(network);
        table.adopt()?;
        let mut done = table.settle();
        if table.weighs()
            && done.as_ref().is_err_and(|failure| failure.kind == FailureKind::Kernel && is_unknown(&failure.error()))
        {
            // Without coins, everything else may still be there.
            table.layout.scan.iter_mut().for_each(|scan| scan.oracle = false);
            done = table.settle();
        }
        match done {
            // What the rules about dark ports ask is not in every kernel; bans are dropped all the same.
            Err(failure) if failure.kind == FailureKind::Kernel && is_unknown(&failure.error()) => {
                table.layout.scan = None;
                table.refused = Some(failure.error());
                table.settle()?;
            }
            done => done?,
        }
        Ok(table)
    }

    /// Are probes of dark ports seen?
    pub(super) const fn sees_probes(&self) -> bool {
        self.layout.scan.is_some()
    }

    /// Are reactions of silenced sources weighed?
    pub(super) fn weighs(&self) -> bool {
        self.layout.scan.as_ref().is_some_and(Scan::weighs)
    }

    /// Why they are not.
    pub(super) fn refused(self) -> Option<io::Error> {
        self.refused
    }

    /// Reads what is there but the two large sets, which are counted when everything is asked for. Sets of prefixes that hold
    /// nothing go: each costs every packet a lookup.
    fn adopt(&mut self) -> Result<(), Failure> {
        let read = |error: io::Error| Failure::kernel("read", &error);
        for side in Side::BOTH {
            let found = found::look(&mut self.socket, side).map_err(read)?;
            let Some(table) = found.table else { continue };
            if table.flags & table::OWNED != 0 {
                return Err(Failure::new(FailureKind::InUse, 0, TABLE));
            }
            if !table.is_ours {
                return Err(Failure::new(FailureKind::Foreign, 0, TABLE));
            }
            if side == Side::Ingress {
                self.layout.is_enforcing = !found.chains.contains_key(ingress::OBSERVING);
            }
            self.adopt_sets(&found, side).map_err(read)?;
        }
        self.locked = Locked::now(self.read_locked(Side::Stack).map_err(read)?);
        self.layout.is_locked = self.locked.lock != Lock::Off;
        Ok(())
    }

    fn adopt_sets(&mut self, found: &Found, side: Side) -> io::Result<()> {
        for tier in found.tiers().into_iter().filter(|tier| tier.class.home() == side && !tier.is_usual()) {
            let all = self.entries(tier)?;
            if all.is_empty() {
                continue;
            }
            self.layout.tiers.insert(tier);
            self.counts.insert(tier, all.len());
            if tier.class == Class::Allow {
                self.allow.extend(all.iter().map(|element| element.net));
            }
        }
        Ok(())
    }

    /// What says that a lockdown holds: the shortest of what is left of it. Where an entry is missing there is none.
    fn read_locked(&mut self, side: Side) -> io::Result<Lock> {
        let ask = || element::ask_locked(side);
        let all = self.socket.dump(ask, |message, all| all.extend(element::read_locked(message)))?;
        let first = all.iter().copied().min_by_key(|left| left.unwrap_or(u64::MAX));
        let is_whole = all.len() == PROTOCOLS.len();
        Ok(first.filter(|_| is_whole).map_or(Lock::Off, |left| left.map_or(Lock::Confirmed, Lock::For)))
    }

    /// Makes everything but the entries as it should be, whatever it is now.
    fn settle(&mut self) -> Result<(), Failure> {
        let failed = |error| Failure::kernel("set up", &error);
        let mut found = Vec::new();
        for side in Side::BOTH {
            let one = found::look(&mut self.socket, side).map_err(failed)?;
            if one.is_foreign() {
                return Err(Failure::new(FailureKind::Foreign, 0, TABLE));
            }
            found.push((side, one));
        }
        let is_new = found.iter().any(|(_, one)| one.table.is_none());
        match self.commit_layout(&found, true) {
            Ok(()) => {}
            // Before Linux 6.9 no table outlives its owner: it belongs to nobody.
            Err(error) if is_new && matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EINVAL)) => {
                self.commit_layout(&found, false).map_err(failed)?;
            }
            Err(error) => return Err(failed(error)),
        }
        self.picture = found::picture(&mut self.socket).map_err(failed)?;
        Ok(())
    }

    /// An owned table is left alone by `nft flush ruleset`. One that is to be held must outlive us.
    fn flags(&self, found: &Found, may_own: bool) -> u32 {
        match found.table {
            None if !may_own => 0,
            None if self.releases => table::OWNED,
            None => table::OWNED | table::PERSISTENT,
            Some(FoundTable { flags, .. }) if flags & table::PERSISTENT != 0 => table::OWNED | table::PERSISTENT,
            Some(FoundTable { flags, .. }) => flags & table::OWNED,
        }
    }

    /// Both sides in one transaction.
    fn commit_layout(&mut self, found: &[(Side, Found)], may_own: bool) -> io::Result<()> {
        let mut batch = Batch::default();
        for (side, found) in found {
            batch.push(objects::new_table(*side, self.flags(found, may_own)));
            self.lay_out(*side, found, &mut batch);
        }
        self.socket.commit(batch)
    }

    fn lay_out(&self, side: Side, found: &Found, batch: &mut Batch) {
        let (counters, chains, rules) = self.wanted(side);
        for name in counters.iter().filter(|name| !found.counters.contains(**name)) {
            batch.push(objects::new_counter(side, name));
        }
        // Rules first: a set goes only when nobody looks it up, and a chain when nobody leads to it.
        found.chains.keys().for_each(|chain| batch.push(objects::flush(side, chain)));
        self.sets(side, found, batch);
        let mut wanted: Vec<String> = chains.iter().map(|&name| name.to_owned()).collect();
        if side == Side::Ingress {
            // Before every interface that is there, and before no other.
            wanted.extend(self.interfaces.iter().map(|name| objects::base_chain(name)));
        }
        // A chain cannot be hung elsewhere: one that hangs wrongly, or not at all, goes and is made anew.
        let (good, bad): (Vec<_>, Vec<_>) =
            found.chains.iter().partition(|(name, hook)| wanted.contains(name) && **hook == Hook::of(side, name));
        bad.iter().for_each(|(name, _)| batch.push(objects::del_chain(side, name)));
        let is_there = |name: &String| good.iter().any(|(good, _)| *good == name);
        wanted.iter().filter(|name| !is_there(name)).for_each(|name| batch.push(objects::new_chain(side, name)));
        for (chain, steps) in &rules {
            batch.push(objects::new_rule(side, chain, steps));
        }
        if side == Side::Ingress {
            self.interfaces.iter().for_each(|name| batch.push(objects::enter_rule(name)));
        }
    }

    /// Counters, chains and rules of one side.
    fn wanted(&self, side: Side) -> (&'static [&'static str], Vec<&'static str>, Vec<ingress::Rule>) {
        match side {
            Side::Ingress => {
                let ingress = Ingress(&self.layout);
                (&ingress::COUNTERS, ingress.chains(), ingress.rules())
            }
            Side::Stack => {
                let stack = Stack::of(&self.layout);
                let (chains, rules) = stack.map(|stack| (stack.chains(), stack.rules())).unwrap_or_default();
                (&stack::COUNTERS, chains, rules)
            }
        }
    }

    /// Sets that are missing are made, those that nobody wants go, and what rules filled stays unless it has another size now.
    fn sets(&self, side: Side, found: &Found, batch: &mut Batch) {
        let (tiers, memories) = (self.layout.tiers_of(side), memory::all(&self.layout, side));
        let is_wanted = |name: &str, size: u32| {
            tiers.iter().any(|tier| tier.name() == name)
                || memories.iter().any(|memory| memory.name == name && memory.size == size)
        };
        let gone = || found.sets.iter().filter(|(name, size)| !is_wanted(name, **size)).map(|(name, _)| name);
        gone().for_each(|name| batch.push(objects::del_set(side, name)));
        let is_there = |name: &str| found.sets.contains_key(name) && !gone().any(|gone| gone == name);
        let mut id = 0;
        let mut next = || {
            id += 1;
            id
        };
        for tier in tiers.iter().filter(|tier| !is_there(&tier.name())) {
            batch.push(objects::new_set(side, *tier, next()));
        }
        for memory in memories.iter().filter(|memory| !is_there(&memory.name)) {
            batch.push(objects::new_memory(side, memory, next()));
            if memory.name == LOCKED {
                self.add_locked(side, batch);
            }
        }
    }

    fn add_locked(&self, side: Side, batch: &mut Batch) {
        match self.locked.left() {
            Lock::Off => {}
            Lock::For(left) => batch.push(element::add_locked(side, Some(left))),
            Lock::Confirmed => batch.push(element::add_locked(side, None)),
        }
    }

    /// Changes the layout and settles, or leaves it as it was.
    fn change(&mut self, change: impl FnOnce(&mut Layout)) -> Result<(), Failure> {
        let mut layout = self.layout.clone();
        change(&mut layout);
        if layout == self.layout {
            return Ok(());
        }
        let before = std::mem::replace(&mut self.layout, layout);
        let done = self.settle();
        if done.is_err() {
            self.layout = before;
        }
        done
    }

    /// Drop, or only count.
    pub(super) fn set_enforcing(&mut self, on: bool) -> Result<(), Failure> {
        self.change(|layout| layout.is_enforcing = on)
    }

    /// Where the trap listens on the loopback interface.
    pub(super) fn arm(&mut self, traps: [Option<u16>; 2]) -> Result<(), Failure> {
        self.change(|layout| layout.traps = traps)
    }

    /// Begins, prolongs, confirms or ends a lockdown, in one step for all packets.
    pub(super) fn set_lockdown(&mut self, lock: Lock) -> Result<(), Failure> {
        if lock != Lock::Off && self.layout.scan.is_none() {
            return Err(Failure::new(FailureKind::Kernel, libc::EOPNOTSUPP, "lock down with"));
        }
        let before = std::mem::replace(&mut self.locked, Locked::now(lock));
        // Entries that are there already are those of the lockdown before.
        let renewed = if self.layout.is_locked && lock != Lock::Off { self.renew_locked() } else { Ok(()) };
        let done = renewed.and_then(|()| self.change(|layout| layout.is_locked = lock != Lock::Off));
        if done.is_err() {
            self.locked = before;
        }
        done
    }

    fn renew_locked(&mut self) -> Result<(), Failure> {
        let mut batch = Batch::default();
        for side in Side::BOTH {
            batch.push(element::clear(side, LOCKED));
            self.add_locked(side, &mut batch);
        }
        self.socket.commit(batch).map_err(|error| Failure::kernel("lock down with", &error))
    }

    /// Takes what the network is like now, and mends whatever is not as it should be, bans excepted. Was there something to mend?
    pub(super) fn guard(&mut self, network: Network) -> Result<bool, Failure> {
        let before = (self.interfaces.clone(), self.layout.clone());
        self.take(network);
        let done = self.mend(&before);
        if done.is_err() {
            (self.interfaces, self.layout) = before;
        }
        done
    }

    fn take(&mut self, network: Network) {
        let Network { interfaces, carriers, sends_from } = network;
        self.interfaces = interfaces.into_iter().collect();
        self.layout.carriers = carriers;
        if let Some(scan) = &mut self.layout.scan {
            scan.sends_from = sends_from;
        }
    }

    fn mend(&mut self, before: &(BTreeSet<String>, Layout)) -> Result<bool, Failure> {
        let is_changed = !self.is_as_left().map_err(|error| Failure::kernel("read", &error))?;
        if is_changed || (&self.interfaces, &self.layout) != (&before.0, &before.1) {
            self.settle()?;
        }
        if is_changed {
            self.rewrite_allow()?;
            if self.layout.is_locked {
                self.renew_locked()?;
            }
        }
        Ok(is_changed)
    }

    /// Are chains, rules, allowlist and lockdown as we left them? The chain of an interface that is gone may be gone, too.
    fn is_as_left(&mut self) -> io::Result<bool> {
        for side in Side::BOTH {
            if self.read_allow_of(side)? != self.allow || !self.is_locked_as_left(side)? {
                return Ok(false);
            }
        }
        self.are_rules_as_left()
    }

    fn are_rules_as_left(&mut self) -> io::Result<bool> {
        let now = found::picture(&mut self.socket)?;
        let chains: BTreeSet<String> = self.interfaces.iter().map(|name| objects::base_chain(name)).collect();
        let may_be_gone =
            |(side, chain): &(Side, String)| *side == Side::Ingress && chain.starts_with(FROM) && !chains.contains(chain);
        Ok(self.picture.iter().all(|(chain, rules)| may_be_gone(chain) || now.get(chain) == Some(rules)))
    }

    fn is_locked_as_left(&mut self, side: Side) -> io::Result<bool> {
        let there = self.read_locked(side)?;
        Ok(match (self.locked.left(), there) {
            (Lock::Off, Lock::Off) => true,
            // A moment longer than we thought.
            (Lock::Off, Lock::For(there)) => there <= SLACK_MS,
            (Lock::Off, Lock::Confirmed) => false,
            (Lock::Confirmed, there) => there == Lock::Confirmed,
            (Lock::For(left), Lock::For(there)) => there.abs_diff(left) <= SLACK_MS,
            // About to end.
            (Lock::For(left), _) => left <= SLACK_MS,
        })
    }

    /// The counters of both sides, in their order.
    pub(super) fn counters(&mut self) -> io::Result<Vec<u64>> {
        let mut counted = Vec::new();
        for (side, names) in [(Side::Ingress, &ingress::COUNTERS[..]), (Side::Stack, &stack::COUNTERS[..])] {
            let all = found::counters(&mut self.socket, side)?;
            counted.extend(names.iter().map(|name| all.get(*name).copied().unwrap_or(0)));
        }
        Ok(counted)
    }

    /// Removes the tables.
    pub(super) fn release(&mut self) -> Result<(), Failure> {
        remove_tables(&mut self.socket).map(drop).map_err(|error| Failure::kernel("remove", &error))
    }

    /// Is nothing to stay when the daemon ends?
    pub(super) const fn releases(&self) -> bool {
        self.releases
    }
}
